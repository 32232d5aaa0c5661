//go:build lite

package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/entente-mesh/entente/internal/golden"
	"github.com/entente-mesh/entente/internal/version"
)

func TestTheScreenOfAFleet(t *testing.T) {
	t.Parallel()
	s := FleetStatus{
		Version: version.Info{Version: "v0.1.0"}, Listen: "192.0.2.1:18000", PID: 4711, Started: noon.Add(-90 * time.Second), State: Ready, Took: "120ms",
		Parts: []Part{{Name: "domains", State: Ready, Took: "80ms"}}, Streams: 2, Pending: 1,
		Types: []FleetType{{Type: "cluster", Pushes: 3, Bytes: 4567, Confirmed: 2, P50: "1.2ms", P99: "5.01ms"}},
		Domains: []FleetDomain{
			{Name: "alice", State: Ready, Gateways: []FleetGateway{
				{Name: "gw-0", Doors: string(doorsProved)},
				{Name: "gw-1", Doors: string(doorsShut), Reason: "a request without a token got status 200"},
			}},
			{Name: "bob", State: Waiting, Error: "the API server has no namespace bob"},
		},
	}
	var out bytes.Buffer
	printFleet(&out, s, noon)
	golden.File(t, "testdata/fleet-status.txt", out.Bytes())
	if s.ready() {
		t.Error("a fleet is ready although a domain is not")
	}
	s.Domains = s.Domains[:1]
	if !s.ready() {
		t.Error("a fleet is not ready although its domains are")
	}
}
