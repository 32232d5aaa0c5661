package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/entente-mesh/entente/xds/cache"
)

// A dialogue is one stream with a patient, in either dialect, led as an Envoy leads it.
type dialogue struct {
	silence time.Duration // after which the patient has nothing to say
	send    func(ask) error
	said    chan reply
	asked   map[cache.Type][]string // what is subscribed to, by type
	newest  map[cache.Type]string   // accepted version of each type
}

// An ask is a request in terms of both dialects.
type ask struct {
	of                     cache.Type
	names                  []string // state of the world: all that are wanted
	subscribe, unsubscribe []string // delta
	version, nonce         string
	rejected               bool
}

// A reply is what came.
type reply struct {
	url            string
	version, nonce string
	content        map[string]string // by name
	removed        []string
	err            error
}

func (r reply) String() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(r.content)) {
		words = append(words, name+"="+r.content[name])
	}
	for _, name := range r.removed {
		words = append(words, "-"+name)
	}
	return r.url[strings.LastIndex(r.url, ".")+1:] + " " + strings.Join(words, " ")
}

// envoy is what every client says of itself.
func envoy() *corev3.Node {
	return &corev3.Node{
		Id: nodeID, Cluster: "kuscia-gateway-" + domain,
		UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 40}}},
	}
}

// talk opens a stream. It ends with ctx.
func talk(ctx context.Context, target string, state bool, silence time.Duration) (*dialogue, error) {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // nobody is left to be told
	d := &dialogue{silence: silence, said: make(chan reply, 1), asked: make(map[cache.Type][]string), newest: make(map[cache.Type]string)}
	client := discoveryv3.NewAggregatedDiscoveryServiceClient(conn)
	var receive func() (reply, error)
	if state {
		receive, d.send, err = talkState(ctx, client)
	} else {
		receive, d.send, err = talkDelta(ctx, client)
	}
	if err != nil {
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	go func() { // ends with ctx
		for {
			r, err := receive()
			r.err = err
			select {
			case d.said <- r:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return d, nil
}

func talkState(ctx context.Context, client discoveryv3.AggregatedDiscoveryServiceClient) (func() (reply, error), func(ask) error, error) {
	s, err := client.StreamAggregatedResources(ctx)
	if err != nil {
		return nil, nil, err
	}
	receive := func() (reply, error) {
		m, err := s.Recv()
		if err != nil {
			return reply{}, err
		}
		r := reply{url: m.GetTypeUrl(), version: m.GetVersionInfo(), nonce: m.GetNonce(), content: make(map[string]string)}
		for _, wire := range m.GetResources() {
			name, text, err := content(wire)
			if err != nil {
				return r, err
			}
			r.content[name] = text
		}
		return r, nil
	}
	send := func(a ask) error {
		return s.Send(&discoveryv3.DiscoveryRequest{
			Node: envoy(), TypeUrl: a.of.URL(), ResourceNames: a.names, VersionInfo: a.version, ResponseNonce: a.nonce, ErrorDetail: detail(a),
		})
	}
	return receive, send, nil
}

func talkDelta(ctx context.Context, client discoveryv3.AggregatedDiscoveryServiceClient) (func() (reply, error), func(ask) error, error) {
	s, err := client.DeltaAggregatedResources(ctx)
	if err != nil {
		return nil, nil, err
	}
	receive := func() (reply, error) {
		m, err := s.Recv()
		if err != nil {
			return reply{}, err
		}
		r := reply{url: m.GetTypeUrl(), version: m.GetSystemVersionInfo(), nonce: m.GetNonce(), content: make(map[string]string), removed: m.GetRemovedResources()}
		for _, wire := range m.GetResources() {
			_, text, err := content(wire.GetResource())
			if err != nil {
				return r, err
			}
			r.content[wire.GetName()] = text
		}
		return r, nil
	}
	send := func(a ask) error {
		return s.Send(&discoveryv3.DeltaDiscoveryRequest{
			Node: envoy(), TypeUrl: a.of.URL(), ResourceNamesSubscribe: a.subscribe, ResourceNamesUnsubscribe: a.unsubscribe, ResponseNonce: a.nonce, ErrorDetail: detail(a),
		})
	}
	return receive, send, nil
}

func detail(a ask) *status.Status {
	if !a.rejected {
		return nil
	}
	return &status.Status{Code: int32(codes.InvalidArgument), Message: "no"}
}

// want asks for resources by name, or for all of a type.
func (d *dialogue) want(of cache.Type, names ...string) error {
	d.asked[of] = append(d.asked[of], names...)
	return d.send(ask{of: of, names: d.asked[of], subscribe: names, version: d.newest[of]})
}

// forgo gives a name up.
func (d *dialogue) forgo(of cache.Type, name string) error {
	d.asked[of] = slices.DeleteFunc(d.asked[of], func(n string) bool { return n == name })
	return d.send(ask{of: of, names: d.asked[of], unsubscribe: []string{name}, version: d.newest[of]})
}

// accept confirms a reply.
func (d *dialogue) accept(of cache.Type, r reply) error {
	d.newest[of] = r.version
	return d.send(ask{of: of, names: d.asked[of], version: r.version, nonce: r.nonce})
}

// reject refuses a reply.
func (d *dialogue) reject(of cache.Type, r reply) error {
	return d.send(ask{of: of, names: d.asked[of], version: d.newest[of], nonce: r.nonce, rejected: true})
}

// errSilence is what next returns when nothing comes.
var errSilence = errors.New("nothing came")

// next waits for what the patient says next.
func (d *dialogue) next() (reply, error) {
	patience := time.NewTimer(d.silence)
	defer patience.Stop()
	select {
	case r := <-d.said:
		return r, r.err
	case <-patience.C:
		return reply{}, errSilence
	}
}

// get waits until a resource has come with the content, and accepts whatever comes until then. What comes of another type is an error.
func (d *dialogue) get(of cache.Type, name, text string) error {
	for {
		r, err := d.next()
		if err != nil {
			return fmt.Errorf("%s=%s was not sent: %w", name, text, err)
		}
		if r.url != of.URL() {
			return fmt.Errorf("instead of %s=%s came %s", name, text, r)
		}
		if err := d.accept(of, r); err != nil {
			return err
		}
		if r.content[name] == text {
			return nil
		}
	}
}

// quiet checks that nothing comes any more.
func (d *dialogue) quiet() error {
	switch r, err := d.next(); {
	case errors.Is(err, errSilence):
		return nil
	case err != nil:
		return err
	default:
		return fmt.Errorf("unasked for came %s", r)
	}
}
