package cache_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/xds/cache"
)

var salt = []byte("a salt that stays the same over restarts")

// start is when the first commit of a test happens.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// body is a message of a type with a name and some content.
func body(t cache.Type, name, content string) proto.Message {
	switch t {
	case cache.Cluster:
		return &clusterv3.Cluster{Name: name, AltStatName: content}
	case cache.Endpoint:
		return &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints:   []*endpointv3.LocalityLbEndpoints{{Locality: &corev3.Locality{Region: content}}},
		}
	case cache.Secret:
		return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
			Secret: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: content}},
		}}}
	case cache.Filter:
		return &corev3.TypedExtensionConfig{Name: name, TypedConfig: &anypb.Any{TypeUrl: "type.googleapis.com/a.Filter", Value: []byte(content)}}
	case cache.Listener:
		return &listenerv3.Listener{Name: name, StatPrefix: content}
	case cache.Route:
		return &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{{Name: content}}}
	}
	panic("no such type")
}

func resource(t cache.Type, name, content string) cache.Resource {
	return cache.Resource{Key: cache.Key{Type: t, Name: name}, Body: body(t, name, content)}
}

// A stage is a cache, one stream of it, and what the stream's client would do.
type stage struct {
	testing.TB
	cache   *cache.Cache
	session *cache.Session
	commits int
}

func newStage(tb testing.TB) *stage {
	tb.Helper()
	s := &stage{TB: tb, cache: cache.New(salt)}
	s.connect()
	return s
}

// connect begins another stream.
func (s *stage) connect() {
	s.Helper()
	s.session = cache.NewDeltaSession(view(s, s.cache, s.cache))
}

func view(tb testing.TB, domain, listeners *cache.Cache) cache.View {
	tb.Helper()
	v, err := cache.NewView(domain, listeners)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// commit applies a delta, a second after the one before.
func (s *stage) commit(d cache.Delta) uint64 {
	s.Helper()
	seq, err := s.cache.Commit(d, start.Add(time.Duration(s.commits)*time.Second))
	if err != nil {
		s.Fatal(err)
	}
	s.commits++
	return seq
}

// set commits resources of one type, each given as name=content.
func (s *stage) set(t cache.Type, resources ...string) uint64 {
	s.Helper()
	var d cache.Delta
	for _, text := range resources {
		name, content, _ := strings.Cut(text, "=")
		d.Set = append(d.Set, resource(t, name, content))
	}
	return s.commit(d)
}

func (s *stage) remove(t cache.Type, names ...string) uint64 {
	s.Helper()
	var d cache.Delta
	for _, name := range names {
		d.Delete = append(d.Delete, cache.Key{Type: t, Name: name})
	}
	return s.commit(d)
}

// request feeds a request to the stream.
func (s *stage) request(r cache.Request) {
	s.Helper()
	if err := s.session.Receive(r); err != nil {
		s.Fatal(err)
	}
}

func (s *stage) subscribe(t cache.Type, names ...string) {
	s.Helper()
	s.request(cache.Request{Type: t, Subscribe: names})
}

// line is a response in short: the type's name, what is set as name=content, by name, what is removed as -name.
func line(r *cache.Response) string {
	words := []string{r.Type.String()}
	for _, e := range r.Set {
		words = append(words, e.Name+"="+content(e))
	}
	slices.Sort(words[1:])
	for _, name := range r.Removed {
		words = append(words, "-"+name)
	}
	return strings.Join(words, " ")
}

// content is what body put in.
func content(e *cache.Entry) string {
	switch m := decode(e).(type) {
	case *clusterv3.Cluster:
		return m.GetAltStatName()
	case *endpointv3.ClusterLoadAssignment:
		return m.GetEndpoints()[0].GetLocality().GetRegion()
	case *tlsv3.Secret:
		return m.GetGenericSecret().GetSecret().GetInlineString()
	case *corev3.TypedExtensionConfig:
		return string(m.GetTypedConfig().GetValue())
	case *listenerv3.Listener:
		return m.GetStatPrefix()
	case *routev3.RouteConfiguration:
		return m.GetVirtualHosts()[0].GetName()
	}
	return ""
}

// next is everything that the stream would send now, without answering any of it.
func (s *stage) next() []*cache.Response {
	s.Helper()
	var all []*cache.Response
	for r := s.session.Next(); r != nil; r = s.session.Next() {
		if all = append(all, r); len(all) > 10_000 {
			s.Fatal("the stream never ends its turn")
		}
	}
	return all
}

// want checks what the stream would send now, and returns it.
func (s *stage) want(lines ...string) []*cache.Response {
	s.Helper()
	all := s.next()
	var got []string
	for _, r := range all {
		got = append(got, line(r))
	}
	if !slices.Equal(lines, got) {
		s.Fatalf("the stream sends\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(lines, "\n\t"))
	}
	return all
}

func (s *stage) ack(responses ...*cache.Response) {
	s.Helper()
	for _, r := range responses {
		s.request(cache.Request{Type: r.Type, Nonce: r.Nonce})
	}
}

func (s *stage) nack(r *cache.Response, reason string) {
	s.Helper()
	s.request(cache.Request{Type: r.Type, Nonce: r.Nonce, Rejected: true, Reason: reason})
}

// settle answers everything until the stream has nothing more to send, and returns what it sent.
func (s *stage) settle() []string {
	s.Helper()
	var lines []string
	for all := s.next(); len(all) > 0; all = s.next() {
		for _, r := range all {
			lines = append(lines, line(r))
		}
		s.ack(all...)
	}
	return lines
}

func version(s *stage, t cache.Type, name string) string {
	s.Helper()
	e := s.cache.Get(cache.Key{Type: t, Name: name})
	if e == nil {
		s.Fatalf("there is no %s %q", t, name)
	}
	return e.Version
}

func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%06d", prefix, i)
	}
	return names
}
