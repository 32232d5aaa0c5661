package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/controllers/gateway"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/xds/proxy"
	"github.com/entente-mesh/entente/xds/publish"
)

// A doorsState says what is known of a gateway's listener for partners.
type doorsState string

const (
	doorsUnproved doorsState = "unproved" // it serves: nobody could look yet
	doorsProved   doorsState = "proved"   // it was seen to refuse who has no token
	doorsShut     doorsState = "shut"     // it was seen not to, and was taken away
)

// A fleetLine is one connected Envoy.
//
// Its doors cannot be proved before they are open, as those of a node's own Envoy are: that Envoy has a private socket with the same
// filters, which cannot be reached on another machine. What remains is to let in only releases of Envoy that are known to be good, which the
// server does; to look as soon as the doors are open; to shut them at once when they do not refuse; and to publish only what was proved.
type fleetLine struct {
	// Set once in newFleetLine.
	life    *fleetLife
	name    string
	gateway fleetGateway
	door    *publish.Door
	ctx     context.Context
	cancel  context.CancelFunc

	mu sync.Mutex
	// Guarded by mu.
	doors doorsState
	why   error // why they are unproved or shut
}

func newFleetLine(l *fleetLife, name string, at fleetGateway, door *publish.Door) *fleetLine {
	ctx, cancel := context.WithCancel(l.ctx)
	return &fleetLine{life: l, name: name, gateway: at, door: door, ctx: ctx, cancel: cancel, doors: doorsUnproved, why: errors.New("it is being tried")}
}

// run proves the doors and then reports the gateway, until its Envoy disconnects.
func (l *fleetLine) run() {
	at, known := l.gateway.door()
	if !known {
		l.tell(doorsUnproved, errors.New("its address is not known; give it in gateways.yaml"))
		return
	}
	dial := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", at.String())
	}
	for failures := 1; ; failures++ {
		err := l.prove(dial)
		open := new(proxy.DoorError)
		switch {
		case l.ctx.Err() != nil:
			return
		case err == nil:
			l.tell(doorsProved, nil)
			l.report()
			return
		case errors.As(err, &open):
			l.life.condemn(l.name, err)
			l.life.domain.domains.fleet.log.Error("a gateway was shut; it stays so until its domain's folder changes or this process restarts",
				"domain", l.life.domain.folder.domain, "gateway", l.name, "error", err)
			return
		}
		l.tell(doorsUnproved, err)
		again := time.NewTimer(run.Backoff{First: 10 * time.Millisecond, Most: 30 * time.Second}.Pause(failures)) // Envoy gives no sign when it has opened a port
		select {
		case <-again.C:
		case <-l.ctx.Done():
			again.Stop()
			return
		}
	}
}

// prove tries the door when it is its turn.
func (l *fleetLine) prove(dial proxy.Dial) error {
	turn := l.life.domain.domains.probes
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
		return proxy.Prove(l.ctx, dial)
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}

// report keeps the gateway's object alive.
func (l *fleetLine) report() {
	domain := l.life.domain
	proven := make(chan struct{})
	close(proven)
	log := domain.domains.fleet.log
	reporter, err := gateway.New(gateway.Config{
		Client: domain.domains.objects, Domain: domain.folder.domain, Name: l.name, Address: l.gateway.Address, PublicKey: &domain.folder.key.PublicKey,
		Stats: unseen{}, Proven: proven, Log: log,
	})
	if err == nil {
		err = reporter.Run(l.ctx)
	}
	if err != nil {
		log.Error("a gateway is not reported", "domain", domain.folder.domain, "gateway", l.name, "error", err)
	}
}

// unseen is the network status of an Envoy whose statistics cannot be reached from here: none.
type unseen struct{}

func (unseen) NetworkStatus(context.Context) ([]v1alpha1.GatewayEndpointStatus, error) {
	return nil, nil
}

func (l *fleetLine) tell(doors doorsState, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doors, l.why = doors, why
}

// status is the line as people see it.
func (l *fleetLine) status() FleetGateway {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := FleetGateway{Name: l.name, Doors: string(l.doors)}
	if l.why != nil {
		s.Reason = l.why.Error()
	}
	return s
}
