package envoy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// askTimeout bounds one question to the admin interface.
const askTimeout = 30 * time.Second

// ConfigDump is Envoy's whole configuration with its endpoints: JSON of envoy.admin.v3.ConfigDump. Secrets in it are redacted.
func (e *Envoy) ConfigDump() []byte {
	e.t.Helper()
	return []byte(e.Ask("/config_dump?include_eds"))
}

// Clusters is the state of the clusters and endpoints that traffic can use, as text: those that warm are not among them.
func (e *Envoy) Clusters() string {
	e.t.Helper()
	return e.Ask("/clusters")
}

// Stats are the counters and gauges whose names the regular expression matches somewhere.
func (e *Envoy) Stats(filter string) map[string]int64 {
	e.t.Helper()
	if _, err := regexp.Compile(filter); err != nil {
		e.t.Fatal(err)
	}
	var answer struct {
		Stats []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"stats"`
	}
	if err := json.Unmarshal([]byte(e.Ask("/stats?format=json&filter="+url.QueryEscape(filter))), &answer); err != nil {
		e.t.Fatalf("statistics: %v", err)
	}
	stats := make(map[string]int64, len(answer.Stats))
	for _, s := range answer.Stats {
		var value int64
		if s.Name != "" && json.Unmarshal(s.Value, &value) == nil { // else a histogram, or a text
			stats[s.Name] = value
		}
	}
	return stats
}

// Ask gets a path of the admin interface.
func (e *Envoy) Ask(path string) string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.t.Context()), askTimeout) // a cleanup may ask, too
	defer cancel()
	body, err := e.request(ctx, http.MethodGet, path)
	if err != nil {
		e.t.Fatal(err)
	}
	return body
}

// Tell posts to a path of the admin interface.
func (e *Envoy) Tell(path string) string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.t.Context()), askTimeout)
	defer cancel()
	body, err := e.request(ctx, http.MethodPost, path)
	if err != nil {
		e.t.Fatal(err)
	}
	return body
}

// Await asks for the statistics until ok, and fails the test when that takes too long. Envoy tells nobody of a change by itself.
func (e *Envoy) Await(what, filter string, ok func(map[string]int64) bool) {
	e.t.Helper()
	deadline := time.NewTimer(askTimeout)
	defer deadline.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		stats := e.Stats(filter)
		if ok(stats) {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-e.ended:
			e.t.Fatalf("%s: Envoy ended: %v", what, e.err)
		case <-deadline.C:
			e.t.Fatalf("%s: not within %s: %v", what, askTimeout, stats)
		case <-timer.C:
		}
	}
}

func (e *Envoy) get(ctx context.Context, path string) (string, error) {
	return e.request(ctx, http.MethodGet, path)
}

func (e *Envoy) request(ctx context.Context, method, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{
		DisableKeepAlives: true, // no connection outlives the question, so none is left at the test's end
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", e.Admin)
		},
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return "", fmt.Errorf("ask Envoy for %s: %w", path, err)
	}
	defer func() { _ = answer.Body.Close() }() // read to its end below
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", fmt.Errorf("ask Envoy for %s: %w", path, err)
	}
	if answer.StatusCode != http.StatusOK && !strings.HasPrefix(path, "/ready") { // which says 503 while it starts
		return "", fmt.Errorf("ask Envoy for %s: %s: %s", path, answer.Status, describe(body))
	}
	return string(body), nil
}
