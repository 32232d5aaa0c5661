package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// patience bounds every wait for a program. It is no measure of speed.
const patience = time.Minute

var errPatience = fmt.Errorf("gave up after %v", patience)

// A system is something that can be started on a folder, be it empty or one on which it ran before.
type system struct {
	report.System
	launch func(ctx context.Context, dir string) (*server, error)
}

// A server is a system that runs and has served its first request.
type server struct {
	parts  []*proc.Process // in the order of stopping
	folder string          // all that it keeps
	rest   *rest.Config    // of its administrator
	anyEnd bool            // it may end with any exit code when it is told to stop
	ready  time.Duration   // from the start of the first process until a client could list custom resources
	cost   time.Duration   // CPU time that all parts used until then
}

// stop asks one part after the other to stop and returns how long all of it took.
func (s *server) stop(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	var sum time.Duration
	for _, p := range s.parts {
		took, err := p.Stop(ctx)
		if err != nil && !(s.anyEnd && ctx.Err() == nil) {
			return 0, err
		}
		sum += took
	}
	return sum, nil
}

// kill ends what still runs.
func (s *server) kill() {
	for _, p := range s.parts {
		p.Kill()
	}
}

func (s *server) used() (proc.Usage, error) {
	var pids []int
	for _, p := range s.parts {
		pids = append(pids, p.PID())
	}
	return proc.Used(pids...)
}

// begun ends a launch: it waits until a client can list the custom resources and takes the time since the first process was started.
// When that fails, nothing of the server is left.
func (s *server) begun(ctx context.Context, first *proc.Process, connect func(context.Context) (*rest.Config, error)) (*server, error) {
	waiting, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	err := error(nil)
	if s.rest, err = connect(waiting); err == nil {
		err = served(waiting, s.rest)
	}
	if err != nil {
		err = s.explained(err)
		s.kill()
		return nil, err
	}
	s.ready = time.Since(first.Started())
	used, err := s.used()
	if err != nil {
		s.kill()
		return nil, err
	}
	s.cost = used.CPU
	return s, nil
}

// explained adds the last words of a part that has ended to an error that came of it.
func (s *server) explained(err error) error {
	for _, p := range slices.Backward(s.parts) {
		select {
		case <-p.Done():
			err = errors.Join(err, p.Wait(context.Background()))
		default:
		}
	}
	return err
}
