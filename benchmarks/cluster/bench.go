package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// A bench is one run. One goroutine owns it.
type bench struct {
	plan   plan
	binary string
	dir    string // for everything that the measured programs write
	say    *progress

	systems []system // ours first
	results report.Results
	machine []report.Fact
	ran     []report.Fact
	notes   []string
	ended   map[string]int // watches that a system's server has ended, by the system's title
	folders int            // made so far, to name the next
}

// measure runs all rounds. Within a round the systems take turns, so that whatever else the machine does hits them alike.
func (b *bench) measure(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.plan.limit(), fmt.Errorf("the run has taken longer than %v and was given up", b.plan.limit()))
	defer cancel()
	before, err := proc.Now()
	if err != nil {
		return err
	}
	if err := b.describe(); err != nil {
		return err
	}
	if err := b.warmUp(ctx); err != nil {
		return err
	}
	if err := b.measureSize(); err != nil {
		return err
	}
	if err := b.rounds(ctx); err != nil {
		return err
	}
	after, err := proc.Now()
	if err != nil {
		return err
	}
	b.tell("other-load", "%.0f %% of the machine's CPU time went to something else than this run", 100*proc.Others(before, after))
	b.tell("took", "%s", b.say.elapsed().Round(time.Second))
	return nil
}

func (b *bench) rounds(ctx context.Context) error {
	s := schedule{plan: b.plan}
	for {
		next, cut := s.next(b.say.elapsed())
		if next == noRound {
			b.tell("rounds", "%d of starting and stopping, %d of idling and load", s.startsDone, s.loadsDone)
			if cut {
				b.note("the budget of %v ended before all rounds were run", b.plan.budget)
			}
			return nil
		}
		begun := time.Now()
		for _, sys := range b.present() {
			var err error
			switch next {
			case startRound:
				b.say.printf("start round %d of %d: %s", s.startsDone+1, s.starts, sys.Title)
				err = b.start(ctx, sys)
			case loadRound:
				b.say.printf("load round %d of %d: %s", s.loadsDone+1, s.loads, sys.Title)
				err = b.load(ctx, sys)
			}
			if err != nil {
				return because(ctx, fmt.Errorf("%s: %w", sys.Title, err))
			}
		}
		if next == startRound {
			if err := b.refuse(ctx); err != nil {
				return because(ctx, err)
			}
		}
		s.did(next, time.Since(begun))
	}
}

// because says why a run ended when it was not for the error itself: programs that are killed at the end of a context complain too.
func because(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return errors.New("interrupted")
}

// warmUp starts everything once without counting, so that the first round does not pay for reading the programs from the disk, and
// takes the custom resource definitions from our server for those that lack them.
func (b *bench) warmUp(ctx context.Context) error {
	b.systems = []system{ours(b.binary), onEtcd(b.binary)}
	var definitions []unstructured.Unstructured
	for i := range b.systems {
		b.say.printf("first start, not counted: %s", b.systems[i].Title)
		err := b.on(ctx, b.systems[i], b.folder(), func(s *server) (err error) {
			if i == 0 {
				definitions, err = definitionsOf(ctx, s.rest)
			}
			return err
		})
		if err != nil {
			return because(ctx, fmt.Errorf("%s: %w", b.systems[i].Title, err))
		}
	}
	k3s := onK3s(definitions)
	b.systems = append(b.systems, k3s)
	if k3s.Absent != "" {
		return nil
	}
	b.say.printf("first start, not counted: %s", k3s.Title)
	if err := b.on(ctx, k3s, b.folder(), func(*server) error { return nil }); err != nil {
		return because(ctx, fmt.Errorf("%s: %w", k3s.Title, err))
	}
	return nil
}

// on starts a system in a folder, does something with it and stops it, and does not count any of it.
func (b *bench) on(ctx context.Context, sys system, dir string, do func(*server) error) error {
	s, err := b.launch(ctx, sys, dir)
	if err != nil {
		return err
	}
	defer s.kill()
	if err := do(s); err != nil {
		return err
	}
	_, err = s.stop(ctx)
	return err
}

func (b *bench) launch(ctx context.Context, sys system, dir string) (*server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a data folder: %w", err)
	}
	return sys.launch(ctx, dir)
}

// folder names a folder that was not used before.
func (b *bench) folder() string {
	b.folders++
	return filepath.Join(b.dir, fmt.Sprintf("%02d", b.folders))
}

func (b *bench) present() []system {
	var found []system
	for _, s := range b.systems {
		if s.Absent == "" {
			found = append(found, s)
		}
	}
	return found
}

func (b *bench) add(figure string, sys system, value float64) { b.results.Add(figure, sys.Key, value) }

func (b *bench) addSeconds(figure string, sys system, d time.Duration) {
	b.add(figure, sys, d.Seconds())
}

func (b *bench) tell(key, format string, args ...any) {
	b.ran = append(b.ran, report.Fact{Key: key, Value: fmt.Sprintf(format, args...)})
}

func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}
