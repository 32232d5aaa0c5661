package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"time"
)

// An object is JSON that this program knows only in parts.
type object = map[string]any

// errNotThere tells that Envoy's configuration lacks a part.
var errNotThere = errors.New("Envoy has no such thing")

// A config is what an Envoy says of its configuration, as far as it concerns partners' requests to one service.
type config struct {
	bootstrap object
	listener  object
	routes    object
	cluster   object
	filters   map[string]object // those that came apart from the listener, by name
}

// awaitConfig asks until Envoy has everything. It tells nobody of a change by itself.
func awaitConfig(ctx context.Context, socket string) (*config, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := readConfig(ctx, socket)
		if !errors.Is(err, errNotThere) {
			return c, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(err, context.Cause(ctx))
		}
	}
}

func readConfig(ctx context.Context, socket string) (*config, error) {
	text, err := ask(ctx, socket, "/config_dump")
	if err != nil {
		return nil, err
	}
	var dump struct {
		Configs []struct {
			Type      string   `json:"@type"`
			Bootstrap object   `json:"bootstrap"`
			Listeners []object `json:"dynamic_listeners"`
			Routes    []object `json:"dynamic_route_configs"`
			Clusters  []object `json:"dynamic_active_clusters"`
			Filters   []object `json:"ecds_filters"`
		} `json:"configs"`
	}
	if err := json.Unmarshal(text, &dump); err != nil {
		return nil, fmt.Errorf("read Envoy's configuration: %w", err)
	}
	c := &config{filters: map[string]object{}}
	for _, part := range dump.Configs {
		if part.Bootstrap != nil {
			c.bootstrap = part.Bootstrap
		}
		for _, l := range part.Listeners {
			if l["name"] == "external" {
				state, _ := l["active_state"].(object)
				c.listener, _ = state["listener"].(object)
			}
		}
		c.routes = named(part.Routes, "route_config", "external", c.routes)
		c.cluster = named(part.Clusters, "cluster", serviceHost, c.cluster)
		for _, f := range part.Filters {
			filter, _ := f["ecds_filter"].(object)
			name, _ := filter["name"].(string)
			c.filters[name] = filter
		}
	}
	if c.listener == nil || c.routes == nil || c.cluster == nil || len(c.filters) == 0 {
		return nil, fmt.Errorf("%w: listener %t, routes %t, cluster %t, %d filters", errNotThere, c.listener != nil, c.routes != nil, c.cluster != nil, len(c.filters))
	}
	return c, nil
}

// named is the part under key of the item whose part has that name, or otherwise.
func named(items []object, key, name string, otherwise object) object {
	for _, item := range items {
		if part, _ := item[key].(object); part["name"] == name {
			return part
		}
	}
	return otherwise
}

// manager is the connection manager of the listener.
func (c *config) manager() (object, error) {
	chains, _ := c.listener["filter_chains"].([]any)
	if len(chains) != 1 {
		return nil, fmt.Errorf("the listener for partners has %d filter chains, want 1", len(chains))
	}
	filters, _ := chains[0].(object)["filters"].([]any)
	last, _ := filters[len(filters)-1].(object)
	manager, _ := last["typed_config"].(object)
	if manager == nil {
		return nil, fmt.Errorf("the listener for partners has no connection manager: %v", last["name"])
	}
	return manager, nil
}

// ask gets a path of an admin interface.
func ask(ctx context.Context, socket, what string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+path.Join("envoy", what), nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("ask Envoy for %s: %w", what, err)
	}
	defer func() { _ = answer.Body.Close() }() // nothing is written to it
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("ask Envoy for %s: %w", what, err)
	}
	return text, nil
}
