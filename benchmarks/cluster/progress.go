package main

import (
	"fmt"
	"io"
	"time"
)

// A progress tells a person what happens, with the time since the begin.
type progress struct {
	to    io.Writer
	begun time.Time
}

func newProgress(to io.Writer) *progress { return &progress{to: to, begun: time.Now()} }

func (p *progress) elapsed() time.Duration { return time.Since(p.begun) }

// printf writes one line. A terminal that is gone is no reason to stop measuring.
func (p *progress) printf(format string, args ...any) {
	fmt.Fprintf(p.to, "[%4.0fs] %s\n", p.elapsed().Seconds(), fmt.Sprintf(format, args...))
}
