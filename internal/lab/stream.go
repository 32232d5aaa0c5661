package lab

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"
)

// streams are the files that a process in a node is to have, and the copying that its output needs.
type streams struct {
	files  []*os.File // From 0 on; not all are ours.
	handed []*os.File // Ours to close once the process has its duplicates.
	copies []outputCopy
}

// outputCopy moves one pipe's bytes into a writer.
type outputCopy struct {
	from *os.File
	to   io.Writer
}

// newStreams opens what c needs.
func newStreams(c *Cmd) (*streams, error) {
	s := &streams{}
	stdin, err := s.input(c.Stdin)
	if err != nil {
		return nil, err
	}
	stdout, err := s.output(c.Stdout)
	if err != nil {
		s.abandon()
		return nil, err
	}
	stderr := stdout
	if c.Stderr == nil || !sameWriter(c.Stdout, c.Stderr) {
		if stderr, err = s.output(c.Stderr); err != nil {
			s.abandon()
			return nil, err
		}
	}
	s.files = append([]*os.File{stdin, stdout, stderr}, c.ExtraFiles...)
	return s, nil
}

func (s *streams) input(f *os.File) (*os.File, error) {
	if f != nil {
		return f, nil
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	s.handed = append(s.handed, null)
	return null, nil
}

func (s *streams) output(w io.Writer) (*os.File, error) {
	if f, ok := w.(*os.File); ok && f != nil {
		return f, nil
	}
	if w == nil {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		s.handed = append(s.handed, null)
		return null, nil
	}
	r, pipe, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.handed = append(s.handed, pipe)
	s.copies = append(s.copies, outputCopy{from: r, to: w})
	return pipe, nil
}

// descriptors are the numbers of the files. The standard three become blocking, as programs expect of them; the others stay
// as they are, since a listener that its owner still uses must not start to block.
func (s *streams) descriptors() ([]int, error) {
	fds := make([]int, len(s.files))
	for i, f := range s.files {
		if i < 3 {
			fds[i] = int(f.Fd())
			continue
		}
		raw, err := f.SyscallConn()
		if err != nil {
			return nil, fmt.Errorf("extra file %d: %w", i-3, err)
		}
		if err := raw.Control(func(fd uintptr) { fds[i] = int(fd) }); err != nil {
			return nil, fmt.Errorf("extra file %d: %w", i-3, err)
		}
	}
	return fds, nil
}

// copyTo starts the copying; it ends when no process holds the other end of a pipe any more.
func (s *streams) copyTo(g *errgroup.Group) {
	for _, c := range s.copies {
		g.Go(func() error {
			defer c.from.Close()
			_, err := io.Copy(c.to, c.from)
			return err
		})
	}
}

// closeHanded closes this process's side of what the new process has now.
func (s *streams) closeHanded() { closeAll(s.handed) }

// abandon closes everything that newStreams opened, for a process that did not start.
func (s *streams) abandon() {
	closeAll(s.handed)
	for _, c := range s.copies {
		c.from.Close()
	}
}

// sameWriter compares two writers; types that cannot be compared are different.
func sameWriter(a, b io.Writer) bool {
	defer func() {
		_ = recover() // Comparing such types panics, and the result stays false.
	}()
	return a == b
}
