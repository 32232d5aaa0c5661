package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
)

// A stream is one xDS stream of one Envoy. Three goroutines see it: one waits for whatever comes next, one receives, and for each turn one of
// the crew works on it while the first stands still. All fields belong to the first, or to the one that it stands still for.
type stream struct {
	server   *Server
	wire     grpc.ServerStream
	dialect  dialect
	requests chan received // without a buffer: one request at most is decoded ahead of its turn
	done     chan error    // how a turn ended

	right    Right       // set by the first turn
	asked    *request    // the request that a turn is about; nil: there is something new to send
	deadline *time.Timer // when the first request must have come; later, when the right to be here ends; nil: never

	// Set by the first request.
	node    *node
	gateway string
	view    View
	session *cache.Session
	line    *live.Line

	pending bool // counted in Metrics.pending
}

// A received is a request, or the reason why there will be no more.
type received struct {
	request *request
	err     error
}

// stream serves one stream to its end.
func (s *Server) stream(wire grpc.ServerStream, d dialect) error {
	s.config.Metrics.streams[d].Inc()
	defer s.config.Metrics.streams[d].Dec()
	st := &stream{server: s, wire: wire, dialect: d, requests: make(chan received), done: make(chan error, 1), deadline: time.NewTimer(s.config.Hello)}
	err := st.work() // find out who is there, before a byte of theirs is decoded
	if err == nil {
		ctx := wire.Context()
		// The receiver ends when the stream does, which is after this function has returned, so it is Run that waits for it.
		s.receivers.Go(func() { st.receive(ctx) })
		err = st.run(ctx)
	}
	st.close(err)
	if st.session == nil && err != nil {
		return s.refuse(wire.Context(), err)
	}
	return err
}

// receive decodes requests until the stream ends, and then says so by closing the channel. Two take turns: while one is being dealt with,
// the next is decoded into the other, which is not handed over before run asks for it.
func (st *stream) receive(ctx context.Context) {
	defer close(st.requests)
	one := request{dialect: st.dialect, bounds: &st.server.config.Bounds}
	turns := [2]request{one, one}
	for i := 0; ; i++ {
		r := &turns[i%2]
		err := st.wire.RecvMsg(r)
		if err == nil {
			err = r.fault
		}
		select {
		case st.requests <- received{request: r, err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// run is the life of the stream: it waits for what comes next and has it dealt with.
func (st *stream) run(ctx context.Context) error {
	for {
		var wake <-chan struct{}
		if st.session != nil {
			wake = st.session.Wait()
		}
		var deadline <-chan time.Time
		if st.deadline != nil {
			deadline = st.deadline.C
		}
		select {
		case r, ok := <-st.requests:
			if !ok {
				return status.FromContextError(ctx.Err()).Err()
			}
			if r.err != nil {
				return ended(r.err)
			}
			st.asked = r.request
		case <-wake:
		case <-deadline:
			return st.late()
		case <-st.view.Done:
			return status.Error(codes.Unavailable, "the domain is served anew, or no more: connect again")
		case <-st.server.stopping:
			return status.Error(codes.Unavailable, "the server stops: connect again")
		}
		if err := st.work(); err != nil {
			return err
		}
	}
}

// work has the crew do a turn, and waits for it.
func (st *stream) work() error {
	st.server.crew.work(st)
	return <-st.done
}

// turn finds out who is there, if nobody has yet; else it deals with what was asked, if anything was, and sends what is new. It puts what it
// sends into out.
func (st *stream) turn(out *response) (err error) {
	if st.right.Domain == "" {
		st.right, err = rightOf(st.wire.Context(), time.Now())
		return err
	}
	if r := st.asked; r != nil {
		st.asked = nil
		err := st.take(r)
		r.clear()
		if err != nil {
			return err
		}
	}
	return st.push(out)
}

// ended is what becomes of a stream from which nothing more can be received.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil // the client has no more to say
	}
	return err // a status already: the connection broke, or the request could not be decoded
}

// late is the end of a stream whose deadline has passed.
func (st *stream) late() error {
	if st.session == nil {
		return status.Error(codes.DeadlineExceeded, fmt.Sprintf("no request came within %v of the stream's beginning", st.server.config.Hello))
	}
	return status.Error(codes.Unauthenticated, fmt.Sprintf("the certificate of gateway %s of domain %s expired at %s: connect again with a new one",
		st.gateway, st.right.Domain, st.right.Until.UTC().Format(time.RFC3339)))
}

// take deals with one request.
func (st *stream) take(r *request) error {
	if st.session == nil {
		if err := st.begin(r.node); err != nil {
			return err
		}
	} else if r.node != nil && !r.node.same(st.node) {
		return refuseNode(fmt.Sprintf("the stream began as node %.80q and goes on as %.80q", st.node.id, r.node.id))
	}
	t := r.kind
	if t == cache.Types {
		return st.takeForeign(r)
	}
	if r.rejected {
		st.server.config.Metrics.rejected[t].Inc()
		st.server.config.Log.Warn("an Envoy rejected resources", "domain", st.right.Domain, "gateway", st.gateway, "type", t.String(), "code", codes.Code(uint32(r.code)).String())
	}
	asked := cache.Request{Type: t, Nonce: r.nonce, Rejected: r.rejected, Reason: r.reason}
	if st.dialect == sotw {
		asked.Names, asked.Version = r.names, r.version
	} else {
		asked.Subscribe, asked.Unsubscribe, asked.Initial = r.names, r.unsubscribe, r.initial
	}
	if err := st.session.Receive(asked); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return nil
}

// begin finds out from the first request which gateway the stream belongs to.
func (st *stream) begin(n *node) error {
	gateway, err := n.gateway(st.right)
	if err != nil {
		return err
	}
	view, err := st.server.config.Views.Open(st.right.Domain, gateway)
	if errors.Is(err, ErrUnknown) {
		return status.Error(codes.NotFound, err.Error())
	} else if err != nil {
		st.server.config.Log.Error("a gateway cannot be served", "domain", st.right.Domain, "gateway", gateway, "error", err)
		return status.Error(codes.Unavailable, fmt.Sprintf("gateway %s of domain %s cannot be served now: see the server's log", gateway, st.right.Domain))
	}
	st.node, st.gateway, st.view = n, gateway, view
	st.session = cache.NewDeltaSession(view.Resources)
	if st.dialect == sotw {
		st.session = cache.NewStateSession(view.Resources)
	}
	st.line = view.Board.Connect(gateway)
	st.deadline.Stop()
	st.deadline = nil
	if !st.right.Until.IsZero() {
		st.deadline = time.NewTimer(time.Until(st.right.Until))
	}
	st.server.config.Log.Info("an Envoy connected", "domain", st.right.Domain, "gateway", gateway, "envoy", n.version.String(), "dialect", st.dialect.String())
	return nil
}

// takeForeign answers a request for a type that is not served: none of the names exists. Left without an answer, Envoy would wait.
func (st *stream) takeForeign(r *request) error {
	if st.dialect == sotw || len(r.names) == 0 {
		return nil
	}
	return st.wire.SendMsg(&response{dialect: st.dialect, typeURL: r.typeURL, nonce: "0", removed: r.names})
}

// push sends what is new and passes on what has been confirmed.
func (st *stream) push(out *response) error {
	m := st.server.config.Metrics
	for {
		next := st.session.Next()
		if next == nil {
			break
		}
		st.setPending(true)
		*out = response{dialect: st.dialect, typeURL: st.server.urls[next.Type], nonce: next.Nonce, version: next.Version, set: next.Set, removed: next.Removed}
		if err := st.wire.SendMsg(out); err != nil {
			return err
		}
		m.pushes[next.Type].Inc()
		m.bytes[next.Type].Add(float64(out.size))
	}
	st.setPending(st.session.Backlog())
	report, confirmed, ok := st.session.Progress()
	if !ok {
		return nil
	}
	now := time.Now()
	st.line.Report(report, now)
	for _, c := range confirmed {
		m.confirmed[c.Type].Observe(now.Sub(c.Since).Seconds())
	}
	return nil
}

func (st *stream) setPending(pending bool) {
	if pending == st.pending {
		return
	}
	if st.pending = pending; pending {
		st.server.config.Metrics.pending.Inc()
	} else {
		st.server.config.Metrics.pending.Dec()
	}
}

// close gives back what the stream held. The reason is why it ended.
func (st *stream) close(reason error) {
	if st.deadline != nil {
		st.deadline.Stop()
	}
	st.setPending(false)
	if st.session == nil {
		return
	}
	st.line.Close(time.Now())
	if st.view.Release != nil {
		st.view.Release()
	}
	st.server.config.Log.Info("an Envoy disconnected", "domain", st.right.Domain, "gateway", st.gateway, "reason", status.Convert(reason).Message())
}
