package proxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/xds/proxy"
)

func refuse(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(names.HeaderErrorMessage, "<bob/bob-0/external $missing_api_key$ unauthorized>")
	w.WriteHeader(http.StatusUnauthorized)
}

func dial(server *httptest.Server) proxy.Dial {
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
}

func TestADoorThatRefusesEverybodyIsClosed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var came []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get(names.HeaderToken)
		if len(token) > 4 {
			token = fmt.Sprintf("%d characters", len(token))
		}
		mu.Lock()
		came = append(came, fmt.Sprintf("%s source %t token %q", r.Proto, r.Header.Get(names.HeaderSource) != "", token))
		mu.Unlock()
		refuse(w, r)
	}))
	defer server.Close()
	if err := proxy.Prove(t.Context(), dial(server)); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{
		`HTTP/1.1 source false token ""`,
		`HTTP/1.1 source true token ""`,
		`HTTP/1.1 source true token "noop"`,
		`HTTP/1.1 source true token "44 characters"`,
	}
	if diff := cmp.Diff(want, came); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestADoorThatDoesNotRefuseInItsOwnWayIsTakenForOpen(t *testing.T) {
	t.Parallel()
	unless := func(refused func(*http.Request) bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if refused(r) {
				refuse(w, r)
			}
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		attempt string
		reason  string
	}{
		"one that lets everybody in": {
			func(http.ResponseWriter, *http.Request) {}, "a request without a token", "status 200",
		},
		"one that has nothing to show, as without authentication": {
			http.NotFound, "a request without a token", "status 404",
		},
		"one whose authentication fails": {
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "a request without a token", "status 500",
		},
		"one that refuses in a later step": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(names.HeaderErrorMessage, "rbac")
				w.WriteHeader(http.StatusForbidden)
			}, "a request without a token", "status 403",
		},
		"somebody else's": {
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "a request without a token", "without " + names.HeaderErrorMessage,
		},
		"one that sends elsewhere": {
			func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "a request without a token", "status 302",
		},
		"one that believes a claimed source": {
			unless(func(r *http.Request) bool { return r.Header.Get(names.HeaderSource) == "" }), "only claims a source", "status 200",
		},
		"one that takes the token of routes that need none": {
			unless(func(r *http.Request) bool { return r.Header.Get(names.HeaderToken) != names.TokenNoop }), "token noop", "status 200",
		},
		"one that takes every token": {
			unless(func(r *http.Request) bool { return len(r.Header.Get(names.HeaderToken)) < 10 }), "unknown token", "status 200",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.handler)
			defer server.Close()
			err := proxy.Prove(t.Context(), dial(server))
			var open *proxy.DoorError
			if !errors.As(err, &open) {
				t.Fatalf("got %v, want a DoorError", err)
			}
			if !strings.Contains(open.Attempt, c.attempt) || !strings.Contains(open.Reason, c.reason) {
				t.Errorf("attempt %q got %q, want %q and %q", open.Attempt, open.Reason, c.attempt, c.reason)
			}
			if !strings.Contains(err.Error(), "stays unpublished") {
				t.Errorf("%q does not say what follows", err)
			}
		})
	}
}

// That a door could not be tried says nothing about it, in either way.
func TestADoorThatCannotBeTriedIsNeitherOpenNorClosed(t *testing.T) {
	t.Parallel()
	answer := func(says string) proxy.Dial {
		return func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer func() { _ = theirs.Close() }() // the end of the story
				if _, err := theirs.Read(make([]byte, 4096)); err == nil {
					_, _ = io.WriteString(theirs, says) // the reader may be gone
				}
			}()
			return ours, nil
		}
	}
	for name, dial := range map[string]proxy.Dial{
		"nobody is there":          func(context.Context) (net.Conn, error) { return nil, errors.New("nobody") },
		"it hangs up":              answer(""),
		"it speaks something else": answer("SSH-2.0-OpenSSH_9.2\r\n"),
		"its headers have no end":  answer("HTTP/1.1 401 Unauthorized\r\nx: " + strings.Repeat("y", 1<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := proxy.Prove(t.Context(), dial)
			var open *proxy.DoorError
			if err == nil || errors.As(err, &open) {
				t.Errorf("got %v, want an error that is no DoorError", err)
			}
		})
	}
}

func TestADoorThatDoesNotAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := proxy.Prove(ctx, func(context.Context) (net.Conn, error) {
		ours, _ := net.Pipe()
		return ours, nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the time is over", err)
	}
}

func TestADoorBehindTLSIsTriedThroughIt(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(refuse))
	defer server.Close()
	config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com"
	err := proxy.Prove(t.Context(), func(ctx context.Context) (net.Conn, error) {
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	})
	if err != nil {
		t.Error(err)
	}
}
