package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// A Side is one side of a measurement, such as a server or its clients: the benchmark's own program in another process, which is told what to
// do by calls.
type Side struct {
	process *Process
	control *rpc.Client
	dir     string
}

// Play is the life of a side: it takes the calls of the benchmark for the methods of what build returns (see net/rpc), until it is ended. Build
// gets the side's context and a folder for its files. Main calls Play with the arguments that StartSide has given the program.
func Play(role, dir string, core int, build func(ctx context.Context, dir string) any) error {
	if err := Pin(core); err != nil && !errors.Is(err, ErrOneCore) {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	s := rpc.NewServer()
	if err := s.Register(build(ctx, dir)); err != nil {
		return fmt.Errorf("be %s: %w", role, err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", filepath.Join(dir, "control"))
	if err != nil {
		return fmt.Errorf("be %s: %w", role, err)
	}
	go s.Accept(listener) // ends with the process
	fmt.Println(role)
	<-ctx.Done()
	return nil
}

// StartSide starts this program anew with two arguments, the role and the folder.
func StartSide(ctx context.Context, role string) (*Side, error) {
	dir, err := os.MkdirTemp("", "entente-bench-") // a unix socket's path must be short
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", role, err), os.RemoveAll(dir))
	}
	s := &Side{dir: dir}
	if s.process, err = Start(ctx, Command{Name: role, Path: self, Args: []string{role, dir}, Ready: role}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	const patience = 30 * time.Second
	waiting, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("gave up after %v", patience))
	defer cancel()
	if _, err = s.process.AwaitReady(waiting); err == nil {
		s.control, err = rpc.Dial("unix", filepath.Join(dir, "control"))
	}
	if err != nil {
		return nil, errors.Join(err, s.End())
	}
	return s, nil
}

// Ask calls a method of what the other side has built and waits for its reply.
func (s *Side) Ask(ctx context.Context, method string, args, reply any) error {
	call := s.control.Go(method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error != nil {
			return fmt.Errorf("%s: %w; its last words:\n%s", method, call.Error, s.process.Words())
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
}

// Used returns what the side costs.
func (s *Side) Used() (Usage, error) { return Used(s.process.PID()) }

// End ends the process at once and removes its folder.
func (s *Side) End() error {
	s.process.Kill()
	if s.control != nil {
		_ = s.control.Close() // its other end is gone
	}
	return os.RemoveAll(s.dir)
}
