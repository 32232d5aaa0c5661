package translate

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	connectionlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/connection_limit/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

const (
	placeExternal = "external"
	placeInternal = "internal"

	logExternal = "external.log"
	logInternal = "internal.log"

	ownerOnly  = 0o600
	handshakes = 10 // seconds that TLS may take
)

// Listeners are one Envoy's. They depend on nothing that changes while it carries traffic: a listener that is modified cuts its streams. Whatever
// changes comes by routes, clusters, endpoints, secrets and filters.
//
// It panics when Envoy's own rules refuse a listener, which no Settings and Gateway of this process can cause, whatever objects there are.
func Listeners(s *mesh.Settings, g Gateway) []cache.Resource {
	p := &piece{}
	l := listening{piece: p, settings: s, gateway: g}
	l.inside(ListenerTransit, l.transit())
	l.inside(ListenerTunnel, l.tunnel())
	if g.Proof != "" {
		l.socket(ListenerProof, g.Proof, l.proof())
	}
	if !g.Closed {
		l.doors()
	}
	if len(p.faults) > 0 {
		panic(fmt.Sprintf("translate: listeners of gateway %s of domain %s: %v", g.Name, s.Domain, errors.Join(p.faults...)))
	}
	return p.resources
}

// A listening collects the listeners of a gateway.
type listening struct {
	*piece
	settings *mesh.Settings
	gateway  Gateway
}

// doors are the listeners that carry traffic from outside this process.
func (l *listening) doors() {
	g := l.gateway
	if g.External.IsValid() {
		external := l.port(ListenerExternal, g.External, l.external())
		external.FilterChains[0].TransportSocket = l.downstreamTLS(l.settings)
		external.FilterChains[0].TransportSocketConnectTimeout = seconds(handshakes)
		external.SocketOptions = keepalive()
		l.listen(external)
	}
	for i, address := range g.Internal {
		l.listen(l.port(internalName(i, len(g.Internal)), address, l.internal()))
	}
	if g.Control != "" {
		l.socket(ListenerControl, g.Control, l.control())
	}
}

func internalName(i, of int) string {
	if of == 1 {
		return ListenerInternal
	}
	return fmt.Sprintf("%s/%d", ListenerInternal, i+1)
}

// external is for partners.
func (l *listening) external() side {
	return side{
		name: "external", place: placeExternal, routes: RoutesExternal, early: fromPartners(), filters: l.inboundFilters(),
		discreet: true, partners: true, log: logExternal, columns: columnsExternal, upgrades: []string{upgradeWebSocket, upgradeConnect},
	}
}

// proof is external, behind another address, with statistics of its own, and marked.
func (l *listening) proof() side {
	proof := l.external()
	proof.name = ListenerProof
	if l.gateway.Mark != "" {
		proof.place = ListenerProof + "/" + l.gateway.Mark
	}
	return proof
}

// internal is for the domain's pods, and for nobody else who reaches the address.
func (l *listening) internal() side {
	internal := l.control()
	internal.name, internal.routes = "internal", RoutesInternal
	internal.filters = slices.Insert(internal.filters, 0, discoveredRBAC(FilterAdmission))
	internal.upgrades = append(internal.upgrades, upgradeConnect)
	return internal
}

// control is for Entente itself.
func (l *listening) control() side {
	return side{
		name: "control", place: placeInternal, routes: RoutesEgress, early: fromInside(l.settings.Domain), filters: l.outboundFilters(),
		log: logInternal, columns: columnsInternal, upgrades: []string{upgradeWebSocket},
	}
}

// tunnel is for pods that have passed internal already. There is no CONNECT inside CONNECT: one connection would become any number.
func (l *listening) tunnel() side {
	tunnel := l.control()
	tunnel.name, tunnel.routes = ListenerTunnel, RoutesInternal
	tunnel.filters = slices.Insert(tunnel.filters, 0, l.noConnect())
	return tunnel
}

// transit is for partners' requests that external has proved and judged: they keep where they began, and learn nothing of what is behind.
func (l *listening) transit() side {
	transit := l.control()
	transit.name, transit.early, transit.discreet = ListenerTransit, nil, true
	return transit
}

// port listens on an address of the network.
func (l *listening) port(name string, at netip.AddrPort, side side) *listenerv3.Listener {
	listener := l.listener(name, side)
	listener.Address = tcp(at.Addr().Unmap().String(), at.Port())
	if most := l.gateway.Connections; most > 0 {
		listener.FilterChains[0].Filters = slices.Insert(listener.FilterChains[0].Filters, 0, l.limit(name, most))
	}
	return listener
}

// socket listens on a unix socket of the process's owner. The gateway's own calls get in however many strangers there are.
func (l *listening) socket(name, path string, side side) {
	listener := l.listener(name, side)
	listener.Address = &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path, Mode: ownerOnly}}}
	listener.IgnoreGlobalConnLimit = true
	l.listen(listener)
}

// inside listens for this Envoy alone.
func (l *listening) inside(name string, side side) {
	listener := l.listener(name, side)
	listener.ListenerSpecifier = &listenerv3.Listener_InternalListener{InternalListener: &listenerv3.Listener_InternalListenerConfig{}}
	l.listen(listener)
}

func (l *listening) listener(name string, side side) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                          name,
		PerConnectionBufferLimitBytes: u32(bufferLimit),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{
			l.network("envoy.filters.network.http_connection_manager", l.http(l.settings, l.gateway, side)),
		}}},
	}
}

func (l *listening) listen(listener *listenerv3.Listener) {
	l.add(cache.Listener, listener.GetName(), listener)
}

// limit closes what is more than that many connections of one listener at once.
func (l *listening) limit(name string, connections uint32) *listenerv3.Filter {
	return l.network("envoy.filters.network.connection_limit", &connectionlimitv3.ConnectionLimit{
		StatPrefix: name, MaxConnections: wrapperspb.UInt64(uint64(connections)),
	})
}

func (l *listening) network(name string, m message) *listenerv3.Filter {
	return &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: l.pack(m)}}
}

// keepalive makes the kernel notice partners that have gone without a word.
func keepalive() []*corev3.SocketOption {
	const level, name = 1, 9 // SOL_SOCKET, SO_KEEPALIVE of Linux
	return []*corev3.SocketOption{{
		Description: "SO_KEEPALIVE", Level: level, Name: name,
		Value: &corev3.SocketOption_IntValue{IntValue: 1}, State: corev3.SocketOption_STATE_PREBIND,
	}}
}
