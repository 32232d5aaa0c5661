package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/entente-mesh/entente/mesh"
)

// GatewayStatus describes the node's gateway and what it works from.
type GatewayStatus struct {
	Name     string `json:"name"`
	External string `json:"external"` // where partners come in
	Internal string `json:"internal"` // where pods come in
	Envoy    string `json:"envoy"`    // version of the program
	PID      int    `json:"pid,omitempty"`
	Live     bool   `json:"live"`
	Doors    string `json:"doors"`           // open or closed
	Error    string `json:"error,omitempty"` // why Envoy is not live, or the doors are closed

	Services int      `json:"services"`
	Routes   int      `json:"routes"`             // in both directions
	Problems []string `json:"problems,omitempty"` // objects that cannot be programmed as they are

	Streams int         `json:"streams"`
	Pending int         `json:"pending"` // streams whose Envoy has not confirmed everything yet
	Types   []FleetType `json:"types,omitempty"`
}

// maxProblems is how many problems a screen has room for.
const maxProblems = 20

// status describes the gateway; nil before it exists.
func (t *meshTask) status(context.Context) *GatewayStatus {
	envoy, doors := t.proxy.Load(), t.doors.Load()
	if envoy == nil || doors == nil {
		return nil
	}
	state, _ := envoy.State()
	door, _ := doors.State()
	s := &GatewayStatus{
		Name: t.plan.name, External: t.plan.external.String(), Internal: t.plan.internal.String(),
		Envoy: state.Version.String(), PID: state.PID, Live: state.Live, Doors: "closed",
	}
	switch {
	case door.Open:
		s.Doors = "open"
	case door.Err != nil:
		s.Error = oneLine(door.Err)
	case state.Err != nil:
		s.Error = oneLine(state.Err)
	}
	figures := t.served.Stats()
	s.Streams, s.Pending, s.Types = figures.Streams, figures.Pending, fleetTypes(figures)
	if wanted, _ := t.source.Wanted().Get(); wanted.Mesh != nil {
		s.describe(wanted.Mesh)
	}
	return s
}

// describe counts what the mesh has.
func (s *GatewayStatus) describe(m *mesh.Mesh) {
	s.Services, s.Routes = m.Services.Len(), m.Outbound.Len()+m.Inbound.Len()
	for _, p := range m.Problems.All() {
		if len(s.Problems) == maxProblems {
			s.Problems = append(s.Problems, fmt.Sprintf("and %d more", m.Problems.Len()-maxProblems))
			return
		}
		s.Problems = append(s.Problems, p.Error())
	}
}

// lines are what a screen shows of the gateway.
func (s *GatewayStatus) lines(line func(format string, args ...any)) {
	state := "live"
	if !s.Live {
		state = "not live"
	}
	line("GATEWAY\t%s\tEnvoy %s, process %d, %s, doors %s%s", s.Name, s.Envoy, s.PID, state, s.Doors, because(s.Error))
	line("\t%d services, %d routes\tpartners %s, pods %s", s.Services, s.Routes, s.External, s.Internal)
	for i, t := range s.Types {
		line("%s\t%s\t%d pushes, %d bytes, %d rejected%s", title(i, "XDS"), strings.ToUpper(t.Type), t.Pushes, t.Bytes, t.Rejections, t.pace())
	}
	for i, problem := range s.Problems {
		line("%s\t%s", title(i, "OBJECTS"), problem)
	}
}

// pace says how soon changes were confirmed, if any were.
func (t FleetType) pace() string {
	if t.Confirmed == 0 {
		return ""
	}
	return fmt.Sprintf(", confirmed within %s (half), %s (99 %%)", t.P50, t.P99)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
