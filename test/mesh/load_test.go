package mesh

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entente-mesh/entente/api/names"
)

// A load is a steady stream of requests from a domain's pods to one host.
type load struct {
	sent   atomic.Int64
	failed atomic.Int64
	stop   context.CancelFunc
	wait   sync.WaitGroup

	mu    sync.Mutex
	first string // of the failures; guarded by mu
}

// startLoad begins a load of a few hundred requests per second over keep-alive connections; it ends with the test at the latest.
func startLoad(t *testing.T, from *domain, host string) *load {
	t.Helper()
	const (
		connections = 8
		pause       = 20 * time.Millisecond
	)
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	client := from.http1()
	for range connections {
		l.wait.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					l.request(ctx, client, host)
				}
			}
		})
	}
	t.Cleanup(func() { l.end(); client.CloseIdleConnections() })
	return l
}

func (l *load) request(ctx context.Context, client *http.Client, host string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/load", nil)
	if err != nil {
		panic(err) // the host is a constant of the test
	}
	answer, err := client.Do(request)
	if ctx.Err() != nil {
		if err == nil {
			answer.Body.Close()
		}
		return // cut off by the end of the load
	}
	l.sent.Add(1)
	if err != nil {
		l.fail(err.Error())
		return
	}
	_, _ = io.Copy(io.Discard, answer.Body) // the status counts
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		l.fail(answer.Status + " " + answer.Header.Get(names.HeaderErrorMessage))
	}
}

func (l *load) fail(why string) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = why
	}
}

// end stops the load and waits for its last answers.
func (l *load) end() {
	l.stop()
	l.wait.Wait()
}

// pass waits until the load has sent n more requests.
func (l *load) pass(t *testing.T, n int64) {
	t.Helper()
	want := l.sent.Load() + n
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); l.sent.Load() < want; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the load stands still at %d of %d requests", l.sent.Load(), want)
		}
	}
}

// checkFlawless ends the load and wants every request answered with 200.
func (l *load) checkFlawless(t *testing.T, atLeast int64) {
	t.Helper()
	l.end()
	if sent, failed := l.sent.Load(), l.failed.Load(); failed > 0 || sent < atLeast {
		t.Errorf("%s, the first: %s", fmt.Sprintf("%d of %d requests failed, want 0 of at least %d", failed, sent, atLeast), l.first)
	}
}
