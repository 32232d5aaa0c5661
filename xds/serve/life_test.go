package serve_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/serve"
)

func TestAStreamGetsWhatThereIsThenEachChange(t *testing.T) {
	t.Parallel()
	d := newDomains("alice")
	d.set(t, "alice", time.Second, "a", "b")
	c := start(t, d, nil).connect(t)

	c.subscribe(nil)
	first := c.receive()
	if diff := cmp.Diff([]string{"a", "b"}, names(first)); diff != "" {
		t.Errorf("the first response (-want +got):\n%s", diff)
	}
	var got clusterv3.Cluster
	if err := first.GetResources()[1].GetResource().UnmarshalTo(&got); err != nil {
		t.Fatal(err)
	}
	if want := (&clusterv3.Cluster{Name: "b", AltStatName: "1s"}); !proto.Equal(want, &got) {
		t.Errorf("resource b is %v, want %v", &got, want)
	}
	c.ack(first)

	d.set(t, "alice", time.Minute, "b")
	second := c.receive()
	if diff := cmp.Diff([]string{"b"}, names(second)); diff != "" {
		t.Errorf("the second response (-want +got):\n%s", diff)
	}
	if first.GetNonce() == second.GetNonce() || second.GetNonce() == "" {
		t.Errorf("nonces %q and %q, want two different ones", first.GetNonce(), second.GetNonce())
	}
	c.ack(second)

	if _, err := d.caches["alice"].Commit(cache.Delta{Delete: []cache.Key{{Type: cache.Cluster, Name: "a"}}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a"}, c.receive().GetRemovedResources()); diff != "" {
		t.Errorf("the removal (-want +got):\n%s", diff)
	}
}

func TestWhatAnEnvoyConfirmsIsOnTheBoard(t *testing.T) {
	t.Parallel()
	d := newDomains("alice")
	s := start(t, d, nil)
	c := s.connect(t)
	c.subscribe(nil)
	d.set(t, "alice", time.Second, "a")
	r := c.receive()
	if got := d.caches["alice"].Board().Object(service("a", time.Second)); got.State != live.Waiting {
		t.Errorf("before the ACK the object is in state %v, want %v", got.State, live.Waiting)
	}
	c.ack(r)
	d.until(t, "alice", service("a", time.Second), live.Confirmed)

	c.cancel()
	c.end()
	s.shutdown()
	if n := d.unreleased(); n != 0 {
		t.Errorf("%d views were not released", n)
	}
	if got := d.caches["alice"].Board().Gateways(); len(got) != 0 {
		t.Errorf("gateways %v are connected, want none", got)
	}
}

func TestWhatAnEnvoyRejectsIsOnTheBoardWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	d := newDomains("alice")
	c := start(t, d, nil).connect(t)
	c.subscribe(nil)
	d.set(t, "alice", time.Second, "a")
	c.reject(c.receive(), `Duplicate credential "`+secret+`" in cluster a`)
	verdict := d.until(t, "alice", service("a", time.Second), live.Rejected)
	if verdict.Gateway != "gw0" {
		t.Errorf("gateway %q rejected, want gw0", verdict.Gateway)
	}
	if containsSecret(verdict.Reason) {
		t.Errorf("the reason %q shows a credential", verdict.Reason)
	}
}

func TestATypeThatIsNotServedIsAnswered(t *testing.T) {
	t.Parallel()
	c := start(t, newDomains("alice"), nil).connect(t)
	const runtime = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
	c.send(&discoveryv3.DeltaDiscoveryRequest{Node: envoy, TypeUrl: runtime, ResourceNamesSubscribe: []string{"layer"}})
	r := c.receive()
	if r.GetTypeUrl() != runtime || len(r.GetResources()) != 0 {
		t.Errorf("response %v, want one of type %s without resources", r, runtime)
	}
	if diff := cmp.Diff([]string{"layer"}, r.GetRemovedResources()); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
}

func TestAStreamThatSaysNothingIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, newDomains("alice"), nil).connect(t)
		began := time.Now()
		if got := c.end(); got.Code() != codes.DeadlineExceeded {
			t.Errorf("the stream ended with %v, want %v", got, codes.DeadlineExceeded)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it ended after %v, want 10s", took)
		}
	})
}

func TestAClientThatHasNoMoreToSayEndsItsStreamInOrder(t *testing.T) {
	t.Parallel()
	c := start(t, newDomains("alice"), nil).connect(t)
	c.subscribe(nil)
	if err := c.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got := c.end(); got.Message() != "EOF" {
		t.Errorf("the stream ended with %v, want an orderly end", got)
	}
}

func TestAStreamEndsWhenItsDomainIsServedAnew(t *testing.T) {
	t.Parallel()
	d := newDomains("alice")
	d.done = make(chan struct{})
	c := start(t, d, nil).connect(t)
	d.set(t, "alice", time.Second, "a")
	c.subscribe(nil)
	c.ack(c.receive())
	close(d.done)
	if got := c.end(); got.Code() != codes.Unavailable || !strings.Contains(got.Message(), "connect again") {
		t.Errorf("the stream ended with %v, want %v", got, codes.Unavailable)
	}
}

func TestAViewThatCannotBeOpenedShowsNoInternals(t *testing.T) {
	t.Parallel()
	d := newDomains("alice")
	d.broken = errors.New("open /secret/path: no such file")
	var log bytes.Buffer
	c := start(t, d, func(c *serve.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	client := c.connect(t)
	client.subscribe(nil)
	got := client.end()
	if got.Code() != codes.Unavailable || strings.Contains(got.Message(), "secret") {
		t.Errorf("the stream ended with %v, want %v without the reason", got, codes.Unavailable)
	}
	c.shutdown()
	if !strings.Contains(log.String(), "/secret/path") {
		t.Errorf("the log does not say why: %s", log.String())
	}
}
