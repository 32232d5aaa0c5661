package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/entente-mesh/entente/internal/version"
	"github.com/entente-mesh/entente/xds/serve"
)

// FleetStatus is what `entente gateway status -o json` prints: the process as it sees itself.
type FleetStatus struct {
	Version version.Info  `json:"version"`
	Listen  string        `json:"listen"`
	PID     int           `json:"pid"`
	Started time.Time     `json:"started"`
	State   State         `json:"state"`
	Took    string        `json:"readyAfter,omitempty"` // from the start of the process until everything was ready
	Parts   []Part        `json:"parts"`
	Streams int           `json:"streams"`
	Pending int           `json:"pending"` // streams whose Envoy has not confirmed everything yet
	Types   []FleetType   `json:"types,omitempty"`
	Domains []FleetDomain `json:"domains"`
}

// FleetType are the figures of one type of resource since the process started.
type FleetType struct {
	Type       string `json:"type"`
	Pushes     uint64 `json:"pushes"`
	Bytes      uint64 `json:"bytes"`
	Rejections uint64 `json:"rejections"`
	Confirmed  uint64 `json:"confirmed"`
	P50        string `json:"p50"` // from commit to confirmation
	P99        string `json:"p99"`
}

// FleetDomain is a domain that has a folder.
type FleetDomain struct {
	Name     string         `json:"name"`
	State    State          `json:"state"`
	Since    time.Time      `json:"since,omitzero"`
	Error    string         `json:"error,omitempty"` // why it is not served, or not as its folder says now
	Gateways []FleetGateway `json:"gateways,omitempty"`
}

// FleetGateway is a connected Envoy.
type FleetGateway struct {
	Name   string `json:"name"`
	Doors  string `json:"doors"`            // unproved, proved or shut
	Reason string `json:"reason,omitempty"` // why they are unproved or shut
}

// status describes the process.
func (f *fleet) status() FleetStatus {
	var node Status
	f.progress.fill(&node)
	figures := f.served.Stats()
	s := FleetStatus{
		Version: version.Get(), Listen: f.listener.Addr().String(), PID: os.Getpid(), Started: f.started,
		State: node.State, Took: node.Took, Parts: node.Parts, Streams: figures.Streams, Pending: figures.Pending,
		Types: fleetTypes(figures), Domains: f.domains.status(),
	}
	return s
}

func fleetTypes(figures serve.Stats) []FleetType {
	var types []FleetType
	for _, t := range figures.Types {
		types = append(types, FleetType{
			Type: t.Type.String(), Pushes: t.Pushes, Bytes: t.Bytes, Rejections: t.Rejections, Confirmed: t.Confirmed,
			P50: t.P50.Round(10 * time.Microsecond).String(), P99: t.P99.Round(10 * time.Microsecond).String(),
		})
	}
	return types
}

// status are the domains by name, those that cannot be served among them.
func (d *fleetDomains) status() []FleetDomain {
	d.mu.RLock()
	faults := maps.Clone(d.faults)
	d.mu.RUnlock()
	domains := []FleetDomain{}
	for _, one := range d.all() {
		one.mu.Lock()
		s := FleetDomain{Name: one.folder.domain, State: one.state.State, Since: one.state.Since, Error: one.state.Error}
		one.mu.Unlock()
		if fault := faults[s.Name]; fault != "" {
			s.Error = fault
			delete(faults, s.Name)
		}
		if life := one.life.Load(); life != nil {
			for _, line := range life.connected() {
				s.Gateways = append(s.Gateways, line.status())
			}
		}
		domains = append(domains, s)
	}
	for name, fault := range faults {
		domains = append(domains, FleetDomain{Name: name, State: Waiting, Error: fault})
	}
	slices.SortFunc(domains, func(a, b FleetDomain) int { return strings.Compare(a.Name, b.Name) })
	return domains
}

func newGatewayStatus() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the running `entente gateway` on one screen",
		Long: `Show the running ` + "`entente gateway`" + ` on one screen: its streams, what they were sent and how soon it was confirmed, its domains and their gateways.

The exit code is 0 when the process and all its domains are ready, else 1.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := fleetHome(dir)
			if err != nil {
				return err
			}
			var s FleetStatus
			if err := call(cmd.Context(), h, "GET", "/status", &s); err != nil {
				if errors.Is(err, errNotRunning) {
					return fmt.Errorf("%w; start it with `entente gateway --listen …`", err)
				}
				return err
			}
			if err := printed(cmd.OutOrStdout(), output, s, func(w io.Writer) { printFleet(w, s, time.Now()) }); err != nil {
				return err
			}
			if !s.ready() {
				return errSaid
			}
			return nil
		},
	}
	homeFlag(cmd, &dir)
	outputFlag(cmd, &output)
	return cmd
}

// ready says whether the process and all its domains are as they should be.
func (s *FleetStatus) ready() bool {
	return s.State == Ready && !slices.ContainsFunc(s.Domains, func(d FleetDomain) bool { return d.State != Ready || d.Error != "" })
}

// printFleet draws the screen.
func printFleet(w io.Writer, s FleetStatus, now time.Time) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(table, format+"\n", args...) }

	line("FLEET\t%s\t%s", s.Listen, stateText(Status{State: s.State, Took: s.Took}))
	line("\tentente %s, process %d, up %s", s.Version.Version, s.PID, age(s.Started, now))
	for i, part := range s.Parts {
		line("%s\t%s\t%s%s", title(i, "PARTS"), part.Name, part.State, detail(part))
	}
	line("STREAMS\t%d, of which %d are behind", s.Streams, s.Pending)
	for i, t := range s.Types {
		line("%s\t%s\t%d pushes\t%d bytes\t%d rejected\t%d confirmed\tp50 %s\tp99 %s", title(i, "SENT"), t.Type, t.Pushes, t.Bytes, t.Rejections, t.Confirmed, t.P50, t.P99)
	}
	for i, d := range s.Domains {
		problem := ""
		if d.Error != "" {
			problem = ": " + d.Error
		}
		line("%s\t%s\t%s%s", title(i, "DOMAINS"), d.Name, d.State, problem)
		for _, g := range d.Gateways {
			reason := ""
			if g.Reason != "" {
				reason = ": " + g.Reason
			}
			line("\t  %s\tdoors %s%s", g.Name, g.Doors, reason)
		}
	}
	if len(s.Domains) == 0 {
		line("DOMAINS\tnone yet")
	}
	_ = table.Flush() // the writer under it remembers a failure
}
