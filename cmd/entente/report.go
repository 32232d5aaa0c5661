package main

import (
	"slices"
	"sync"
	"time"

	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/internal/version"
)

// Status is what `entente status -o json` prints: one node as its own process sees it.
type Status struct {
	Version version.Info   `json:"version"`
	Domain  string         `json:"domain"`
	Mode    string         `json:"mode"`
	Home    string         `json:"home"`
	PID     int            `json:"pid"`
	Started time.Time      `json:"started"`
	State   State          `json:"state"`
	Took    string         `json:"readyAfter,omitempty"` // from the start of the process until everything was ready
	Parts   []Part         `json:"parts"`
	Cluster *ClusterStatus `json:"cluster,omitempty"` // nil until the API server is ready
	Gateway *GatewayStatus `json:"gateway,omitempty"` // nil until there is one
	Nodes   []NodeStatus   `json:"nodes,omitempty"`
	Problem string         `json:"problem,omitempty"` // why Cluster or Nodes could not be read
}

// A State is where a node, or a part of it, is in its life.
type State string

// The states.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Waiting  State = "waiting" // a part that failed and will be started again
	Stopping State = "stopping"
	Stopped  State = "stopped"
)

// A Part is one long-lived part of the process.
type Part struct {
	Name  string    `json:"name"`
	State State     `json:"state"`
	Since time.Time `json:"since"`
	Took  string    `json:"took,omitempty"`  // until it was ready
	Error string    `json:"error,omitempty"` // why it waits or stopped
}

// ClusterStatus describes the Kubernetes API under the node.
type ClusterStatus struct {
	Kind        string `json:"kind"`
	Server      string `json:"server"`
	Version     string `json:"version"`
	Datastore   string `json:"datastore,omitempty"`
	StoreBytes  int64  `json:"storeBytes,omitempty"`
	Definitions int    `json:"definitions"` // of ours that the API serves
	Wanted      int    `json:"definitionsWanted"`
}

// A NodeStatus is one Kubernetes node.
type NodeStatus struct {
	Name    string    `json:"name"`
	Domain  string    `json:"domain,omitempty"`
	Ready   bool      `json:"ready"`
	Version string    `json:"version,omitempty"`
	Created time.Time `json:"created"`
}

// progress gathers what the parts report.
type progress struct {
	mu sync.Mutex
	// Guarded by mu.
	parts []Part
	state State
	took  time.Duration
}

// observe takes in one event.
func (p *progress) observe(e run.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.parts, func(part Part) bool { return part.Name == e.Task })
	if i < 0 {
		i = len(p.parts)
		p.parts = append(p.parts, Part{Name: e.Task})
	}
	part := &p.parts[i]
	part.Since, part.Error = time.Now(), ""
	if e.Err != nil {
		part.Error = e.Err.Error()
	}
	switch e.Phase {
	case run.Started:
		part.State = Starting
	case run.Ready:
		part.State, part.Took = Ready, round(e.Took).String()
	case run.Waiting:
		part.State = Waiting
	case run.Stopped:
		part.State = Stopped
	}
}

// set moves the node as a whole.
func (p *progress) set(state State, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = state
	if took > 0 {
		p.took = took
	}
}

// fill writes the gathered facts into a status.
func (p *progress) fill(s *Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Parts, s.State = slices.Clone(p.parts), p.state
	if p.took > 0 {
		s.Took = round(p.took).String()
	}
}

// round keeps what a person can use of a duration.
func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}
