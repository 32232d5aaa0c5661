package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Bounds of one question to the admin interface. Both are far above what an Envoy with 10,000 services needs.
const (
	adminTimeout = 10 * time.Second
	maxConfig    = 512 << 20
	maxStats     = 64 << 20
	maxWords     = 1 << 20
)

// live is the state of an Envoy that serves.
const live = "LIVE"

// An Admin asks and tells a running Envoy through its admin interface. It is safe for use by many goroutines and holds no connection.
type Admin struct{ client http.Client }

// NewAdmin returns an Admin for the unix socket.
func NewAdmin(socket string) *Admin {
	return &Admin{http.Client{Transport: &http.Transport{
		// A kept connection would be to a process that a hot restart has replaced.
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// ServerInfo is what an Envoy says of itself.
type ServerInfo struct {
	Version string // the build, as in Binary.Build
	State   string // LIVE, DRAINING, PRE_INITIALIZING or INITIALIZING
	NodeID  string
	BaseID  uint32 // names the line of processes that took over from each other
	Epoch   int    // counts these processes from 0
	Uptime  time.Duration
}

// Ready returns nil when Envoy is live, else an error that says what it is doing.
func (a *Admin) Ready(ctx context.Context) error {
	body, err := a.ask(ctx, http.MethodGet, "/ready", maxWords)
	var refused *statusError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable: // also the way to say that it initializes
		return fmt.Errorf("not live: %s", quote(refused.body))
	case err != nil:
		return err
	}
	if state := string(trim(body)); state != live {
		return fmt.Errorf("not live: %s", quote(state))
	}
	return nil
}

// ServerInfo asks Envoy about itself.
func (a *Admin) ServerInfo(ctx context.Context) (ServerInfo, error) {
	body, err := a.ask(ctx, http.MethodGet, "/server_info", maxWords)
	if err != nil {
		return ServerInfo{}, err
	}
	info, err := parseServerInfo(body)
	if err != nil {
		return ServerInfo{}, fmt.Errorf("admin interface: /server_info: %w", err)
	}
	return info, nil
}

// parseServerInfo reads the JSON form of envoy.admin.v3.ServerInfo, in which numbers may be text and what is zero may be missing.
func parseServerInfo(body []byte) (ServerInfo, error) {
	var answer struct {
		Version string `json:"version"`
		State   string `json:"state"`
		Uptime  string `json:"uptime_current_epoch"`
		Options struct {
			BaseID json.Number `json:"base_id"`
			Epoch  json.Number `json:"restart_epoch"`
		} `json:"command_line_options"`
		Node struct {
			ID string `json:"id"`
		} `json:"node"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return ServerInfo{}, err
	}
	info := ServerInfo{Version: answer.Version, State: answer.State, NodeID: answer.Node.ID}
	if answer.State == "" {
		info.State = live // the first of its values
	}
	if answer.Options.BaseID != "" {
		base, err := strconv.ParseUint(answer.Options.BaseID.String(), 10, 32)
		if err != nil {
			return ServerInfo{}, fmt.Errorf("base id: %w", err)
		}
		info.BaseID = uint32(base)
	}
	if answer.Options.Epoch != "" {
		epoch, err := strconv.ParseUint(answer.Options.Epoch.String(), 10, 31)
		if err != nil {
			return ServerInfo{}, fmt.Errorf("restart epoch: %w", err)
		}
		info.Epoch = int(epoch)
	}
	if answer.Uptime != "" {
		uptime, err := time.ParseDuration(answer.Uptime)
		if err != nil {
			return ServerInfo{}, fmt.Errorf("uptime: %w", err)
		}
		info.Uptime = uptime
	}
	return info, nil
}

// Stats returns the counters and gauges whose names the regular expression matches somewhere; an empty one matches all.
func (a *Admin) Stats(ctx context.Context, filter string) (map[string]uint64, error) {
	path := "/stats?type=All&format=text"
	if filter != "" {
		path += "&filter=" + url.QueryEscape(filter)
	}
	body, err := a.ask(ctx, http.MethodGet, path, maxStats)
	if err != nil {
		return nil, err
	}
	return parseStats(body), nil
}

// Get returns the answer to a GET of a path, such as /stats?format=json, for those who read another form than Stats gives.
func (a *Admin) Get(ctx context.Context, path string) ([]byte, error) {
	return a.ask(ctx, http.MethodGet, path, maxStats)
}

// ConfigDump returns what Envoy runs on, as JSON of envoy.admin.v3.ConfigDump: everything with its endpoints, or only one resource field of
// it, such as dynamic_active_clusters. Envoy leaves secrets out.
func (a *Admin) ConfigDump(ctx context.Context, resource string) (json.RawMessage, error) {
	path := "/config_dump?include_eds"
	if resource != "" {
		path = "/config_dump?resource=" + url.QueryEscape(resource)
	}
	body, err := a.ask(ctx, http.MethodGet, path, maxConfig)
	if err != nil {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, errors.New("admin interface: /config_dump: the answer is not JSON")
	}
	return body, nil
}

// DrainListeners lets Envoy ask its clients to go elsewhere. After its drain time it closes the listeners; it does not end.
func (a *Admin) DrainListeners(ctx context.Context) error {
	_, err := a.ask(ctx, http.MethodPost, "/drain_listeners?graceful&skip_exit", maxWords)
	return err
}

// ReopenLogs lets Envoy open its access logs anew, by their names.
func (a *Admin) ReopenLogs(ctx context.Context) error {
	_, err := a.ask(ctx, http.MethodPost, "/reopen_logs", maxWords)
	return err
}

// A statusError is an answer that is not 200.
type statusError struct {
	path   string
	status int
	body   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("admin interface: %s: status %d: %s", e.path, e.status, quote(e.body))
}

// ask sends one request and reads its answer, within a time and a size.
func (a *Admin) ask(ctx context.Context, method, path string, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("admin interface: %s: %w", path, err)
	}
	answer, err := a.client.Do(request)
	if err != nil {
		var where *url.Error
		if errors.As(err, &where) { // its text repeats the address that only we can read
			err = where.Err
		}
		return nil, fmt.Errorf("admin interface: %s: %w", path, err)
	}
	defer func() { _ = answer.Body.Close() }() // nothing is written to it
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("admin interface: %s: %w", path, err)
	case int64(len(body)) > most:
		return nil, fmt.Errorf("admin interface: %s: the answer is larger than %d bytes", path, most)
	case answer.StatusCode != http.StatusOK:
		return nil, &statusError{path: path, status: answer.StatusCode, body: string(trim(body))}
	}
	return body, nil
}
