package proc

import (
	"bytes"
	"strings"
	"sync"
)

const (
	tailLines = 40      // what an error message shows of a program that went wrong
	lineBytes = 1 << 16 // longer lines are cut into pieces
)

// An output takes what a program writes: it recognizes the one line that is waited for and keeps the last ones for messages.
type output struct {
	prefix string
	ready  chan struct{} // closed when a line with the prefix was seen
	rest   string        // of that line; written before ready is closed

	mu      sync.Mutex
	seen    bool     // guarded by mu, as are the following
	partial []byte   // a line without its end
	last    []string // the newest tailLines
}

func newOutput(prefix string) *output {
	return &output{prefix: prefix, ready: make(chan struct{})}
}

// Write takes some bytes, which need not end where a line ends.
func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.partial = append(o.partial, data...)
	for {
		end := bytes.IndexByte(o.partial, '\n')
		next := end + 1
		if end < 0 {
			if len(o.partial) < lineBytes {
				return len(data), nil
			}
			end, next = lineBytes, lineBytes
		}
		o.take(string(o.partial[:end]))
		o.partial = append(o.partial[:0], o.partial[next:]...)
	}
}

// take handles one line; the caller holds mu.
func (o *output) take(line string) {
	if rest, ok := strings.CutPrefix(line, o.prefix); ok && o.prefix != "" && !o.seen {
		o.seen = true
		o.rest = rest
		close(o.ready)
	}
	if len(o.last) == tailLines {
		o.last = append(o.last[:0], o.last[1:]...)
	}
	o.last = append(o.last, line)
}

// tail returns the newest lines, the unfinished one included.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(append(o.last[:len(o.last):len(o.last)], string(o.partial)), "\n")
}
