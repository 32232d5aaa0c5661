package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// patience bounds the waits for a program. It is no measure of speed.
const patience = 3 * time.Minute

// A bench is one run.
type bench struct {
	options  options
	dir      string
	cores    []int // that this process might use at its start
	upstream *upstream
	node     *node
	headers  []field
	subjects []*subject
	started  []*proc.Process
	results  report.Results
	before   proc.Times
	began    time.Time
	took     time.Duration
	others   float64
}

// A subject is one Envoy that is measured.
type subject struct {
	step
	pid     int
	address string
}

// end ends all that was started.
func (b *bench) end(cancel func()) error {
	var err error
	if b.node != nil {
		err = b.node.end()
	}
	cancel()
	for _, p := range b.started {
		<-p.Done()
	}
	if b.upstream != nil {
		b.upstream.end()
	}
	return err
}

// prepare starts the gateway and its copies, and checks that each does its work.
func (b *bench) prepare(ctx context.Context) error {
	slow, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the programs are not ready after "+patience.String()))
	defer cancel()
	var err error
	if b.upstream, err = startUpstream(); err != nil {
		return err
	}
	say("starting the gateway")
	n, err := newNode(b.dir)
	if err != nil {
		return err
	}
	b.node = n
	if err := errors.Join(n.start(ctx), n.furnish(slow, b.upstream.address())); err != nil {
		return err
	}
	b.headers = n.headers()
	c, err := awaitConfig(slow, n.admin())
	if err != nil {
		return err
	}
	pid, err := envoyOf(n.home)
	if err != nil {
		return err
	}
	b.subjects = []*subject{{step: step{key: stepGateway, title: "the gateway itself"}, pid: pid, address: n.address}}
	all, err := steps(c)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := b.copy(slow, ctx, c.knowing(n.token), s); err != nil {
			return fmt.Errorf("copy %q of the gateway: %w", s.title, err)
		}
	}
	for _, s := range b.subjects {
		if err := b.check(slow, s); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	return nil
}

// copy starts an Envoy that stands still at a step, for as long as alive lasts.
func (b *bench) copy(ctx, alive context.Context, c *config, s step) error {
	dir := filepath.Join(b.dir, fmt.Sprintf("copy-%d", len(b.subjects)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	text, err := c.still(s, dir, b.upstream.address())
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	p, err := proc.Start(alive, proc.Command{Name: "envoy", Path: os.Getenv("ENVOY"), Args: []string{
		"-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", "--component-log-level", "misc:error",
		"--skip-deprecated-logs", "--file-flush-interval-msec", "1000",
	}})
	if err != nil {
		return err
	}
	b.started = append(b.started, p)
	address, err := b.awaitListener(ctx, p, filepath.Join(dir, "admin.sock"))
	if err != nil {
		return err
	}
	b.subjects = append(b.subjects, &subject{step: s, pid: p.PID(), address: address})
	return nil
}

// awaitListener asks until Envoy is live and returns where it listens.
func (b *bench) awaitListener(ctx context.Context, p *proc.Process, socket string) (string, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := ask(ctx, socket, "/ready"); err == nil {
			return listening(ctx, socket)
		}
		select {
		case <-p.Done():
			return "", fmt.Errorf("it ended: %s", p.Words())
		case <-ctx.Done():
			return "", fmt.Errorf("%w: %s", context.Cause(ctx), p.Words())
		case <-tick.C:
		}
	}
}

func listening(ctx context.Context, socket string) (string, error) {
	text, err := ask(ctx, socket, "/listeners?format=json")
	if err != nil {
		return "", err
	}
	var answer struct {
		Status []struct {
			Local struct {
				Socket struct {
					Port int `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return "", err
	}
	if len(answer.Status) != 1 {
		return "", fmt.Errorf("%d listeners, want 1", len(answer.Status))
	}
	return fmt.Sprintf("127.0.0.1:%d", answer.Status[0].Local.Socket.Port), nil
}

// check makes sure that the subject answers, and that it refuses who has no token if it should.
func (b *bench) check(ctx context.Context, s *subject) error {
	if err := keepTo(s.pid, envoyCore, b.cores); err != nil {
		return err
	}
	if err := b.awaitAnswer(ctx, s); err != nil {
		return err
	}
	return b.refuses(ctx, s)
}

// awaitAnswer asks until the service answers: the control plane brings the last of the gateway's configuration a moment after its own word.
func (b *bench) awaitAnswer(ctx context.Context, s *subject) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := b.once(ctx, s, b.headers)
		if !errors.Is(err, errStatus) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// once makes one request over a connection of its own.
func (b *bench) once(ctx context.Context, s *subject, headers []field) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the answer is all that was wanted
	member, err := openHTTP1(conn, headers)
	if err != nil {
		return err
	}
	_, err = member.exchange()
	return err
}

// refuses makes sure that what has the authentication does authenticate: a filter that does nothing costs nothing.
func (b *bench) refuses(ctx context.Context, s *subject) error {
	text, err := json.Marshal(s.manager)
	if err != nil {
		return err
	}
	closed := s.key == stepGateway || strings.Contains(string(text), "inbound-auth")
	var without []field
	for _, h := range b.headers {
		if h.name != headerToken {
			without = append(without, h)
		}
	}
	if err := b.once(ctx, s, without); closed != errors.Is(err, errStatus) {
		return fmt.Errorf("a request without a token: %v; want it refused: %t", err, closed)
	}
	return nil
}

// measure lets everybody take turns. The order changes from round to round.
func (b *bench) measure(ctx context.Context) (err error) {
	b.began = time.Now()
	if b.before, err = b.now(); err != nil {
		return err
	}
	for round := range b.options.rounds {
		say("round %d of %d", round+1, b.options.rounds)
		for i := range b.subjects {
			s := b.subjects[(i+round)%len(b.subjects)]
			for _, p := range protocols() {
				if err := b.turn(ctx, s, p); err != nil {
					return fmt.Errorf("%s: %w", s.title, err)
				}
			}
		}
		b.relate(round)
	}
	after, err := b.now()
	b.took, b.others = time.Since(b.began), proc.Others(b.before, after)
	return err
}

// now reads the machine's CPU times, those of the Envoys among this program's own.
func (b *bench) now() (proc.Times, error) {
	t, err := proc.Now()
	for _, s := range b.subjects {
		used, failed := cpu(s.pid)
		t.Own += used
		err = errors.Join(err, failed)
	}
	return t, err
}

// turn measures one subject under one protocol, over connections that are opened for it: Envoy pings and then closes those that rest.
func (b *bench) turn(ctx context.Context, s *subject, p protocol) error {
	c, err := dialCrowd(ctx, p, s.address, b.headers)
	defer c.close()
	if err != nil {
		return err
	}
	if _, err := c.send(ctx, b.options.requests/20); err != nil { // its caches are another's by now
		return err
	}
	before, err := cpu(s.pid)
	if err != nil {
		return err
	}
	began := time.Now()
	n, err := c.send(ctx, b.options.requests)
	if err != nil {
		return err
	}
	wall := time.Since(began)
	after, err := cpu(s.pid)
	if err != nil {
		return err
	}
	used := after - before
	b.results.Add("CPU"+p.key, s.key, used.Seconds()/float64(n))
	b.results.Add("Rate"+p.key, s.key, float64(n)/wall.Seconds())
	b.results.Add("Busy"+p.key, s.key, used.Seconds()/wall.Seconds())
	return nil
}

// relate notes what the filters cost in this round beside the Envoy without them in the same round.
func (b *bench) relate(round int) {
	for _, p := range protocols() {
		without := b.results.Samples("CPU"+p.key, stepRouter)[round]
		for _, of := range []string{stepFilters, stepLogged, stepGateway} {
			b.results.Add("Ratio"+p.key, of, b.results.Samples("CPU"+p.key, of)[round]/without)
		}
	}
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "gateway: "+format+"\n", args...) }
