package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/controllers/gateway"
	"github.com/entente-mesh/entente/internal/run"
)

// An envoyStub answers like an Envoy, or with an error.
type envoyStub struct {
	mu     sync.Mutex
	answer []v1alpha1.GatewayEndpointStatus // guarded by mu
	err    error                            // guarded by mu
}

func (e *envoyStub) set(err error, answer ...v1alpha1.GatewayEndpointStatus) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer, e.err = answer, err
}

func (e *envoyStub) NetworkStatus(context.Context) ([]v1alpha1.GatewayEndpointStatus, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.answer, e.err
}

// A stage is a reporter before a simulated API server. It lives in a bubble of synctest.
type stage struct {
	t      *testing.T
	api    client.WithWatch
	proven chan struct{}
	envoy  *envoyStub
	log    *bytes.Buffer // read while everything in the bubble waits
	task   *gateway.Reporter
	stop   func()

	mu      sync.Mutex
	outcome func(context.Context) error // of a write of the status; guarded by mu
	writes  []time.Duration             // when the status was written or that was tried, from began; guarded by mu
	began   time.Time
}

// newStage starts a reporter whose gateway is not proven yet.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, proven: make(chan struct{}), envoy: &envoyStub{}, log: &bytes.Buffer{}, began: time.Now()}
	s.api = interceptor.NewClient(simulated(t), interceptor.Funcs{
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, o runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			if err := s.attempt(ctx); err != nil {
				return err
			}
			return c.SubResource(sub).Apply(ctx, o, opts...)
		},
	})
	cfg := config(s.api)
	cfg.Stats, cfg.Proven, cfg.Log = s.envoy, s.proven, slog.New(slog.NewTextHandler(s.log, nil))
	s.task = reporter(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.task.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		asked := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("an orderly stop returned %v", err)
		}
		if took := time.Since(asked); took != 0 {
			t.Errorf("the stop took %v", took)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// attempt notes a write and says how it ends, without the lock: it may take its time.
func (s *stage) attempt(ctx context.Context) error {
	s.mu.Lock()
	s.writes = append(s.writes, time.Since(s.began))
	outcome := s.outcome
	s.mu.Unlock()
	if outcome == nil {
		return nil
	}
	return outcome(ctx)
}

// fail sets how writes end; nil means well.
func (s *stage) fail(outcome func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcome = outcome
}

// wait lets time pass and returns when the status was written in it, in seconds from the beginning.
func (s *stage) wait(d time.Duration) []float64 {
	time.Sleep(d)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	at := []float64{}
	for _, w := range s.writes {
		at = append(at, w.Seconds())
	}
	s.writes = nil
	return at
}

func (s *stage) ready() bool {
	select {
	case <-s.task.Ready():
		return true
	default:
		return false
	}
}

func (s *stage) expect(what string, want, got []float64) {
	s.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("%s: writes after so many seconds (-want +got):\n%s", what, diff)
	}
}

func TestNothingIsReportedBeforeTheDoorsAreProvenClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.expect("unproven", []float64{}, s.wait(time.Hour))
		if s.ready() || s.log.Len() > 0 {
			t.Errorf("an unproven gateway is ready: %t, or told of: %s", s.ready(), s.log)
		}
		if _, err := get(t, s.api); err == nil {
			t.Error("an unproven gateway has an object")
		}
		close(s.proven)
		s.expect("proven", []float64{3600, 3600}, s.wait(0))
		if !s.ready() {
			t.Error("a reported gateway is not ready")
		}
	})
}

func TestATaskThatIsNeverProvenStopsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.wait(time.Minute)
		s.stop()
		if s.ready() {
			t.Error("it became ready by stopping")
		}
	})
}

func TestTheHeartbeatComesEach15Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		close(s.proven)
		// The second write of the status at 0 is that after the object was made.
		s.expect("beats", []float64{0, 0, 15, 30, 45, 60}, s.wait(74*time.Second))
		first := object(t, s.api).Status
		s.wait(15 * time.Second)
		second := object(t, s.api).Status
		if got := second.HeartbeatTime.Sub(first.HeartbeatTime.Time); got != 15*time.Second {
			t.Errorf("heartbeatTime moved by %v, want 15s", got)
		}
		if !first.UpTime.Equal(&second.UpTime) || !first.UpTime.Time.Equal(s.began) {
			t.Errorf("uptime is %v and then %v, want %v for ever", first.UpTime, second.UpTime, s.began)
		}
	})
}

func TestAFailedReportIsRepeatedSoonAndThenLessOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		close(s.proven)
		s.wait(0)
		s.fail(func(context.Context) error { return errors.New("the API server is away") })
		s.expect("back-off", []float64{15, 15.5, 16.5, 18.5, 22.5}, s.wait(29*time.Second))
		s.wait(10 * time.Minute)
		if n := strings.Count(s.log.String(), "cannot be reported"); n != 1 {
			t.Errorf("the log tells %d times of one outage, want once:\n%s", n, s.log)
		}
		s.fail(nil)
		s.wait(15 * time.Second)
		if !strings.Contains(s.log.String(), "reported again") {
			t.Errorf("the log does not tell of the end of the outage:\n%s", s.log)
		}
		if age := time.Since(object(t, s.api).Status.HeartbeatTime.Time); age > 15*time.Second {
			t.Errorf("the heartbeat is %v old", age)
		}
		s.wait(15 * time.Second)
		if got := s.wait(45 * time.Second); len(got) != 3 {
			t.Errorf("after the outage 45 s have the heartbeats %v, want 3", got)
		}
	})
}

func TestAnAPIServerThatNeverAnswersCostsNoMoreThanItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.fail(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		close(s.proven)
		s.expect("silent", []float64{0, 10.5, 20.5}, s.wait(30*time.Second))
		if !strings.Contains(s.log.String(), "no answer within 10s") {
			t.Errorf("the log does not say why:\n%s", s.log)
		}
		s.stop() // while one report is on its way
	})
}

func TestAGatewayWhoseEnvoyDoesNotAnswerFallsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		close(s.proven)
		s.wait(0)
		s.envoy.set(errors.New("connection refused"))
		s.expect("dead Envoy", []float64{}, s.wait(time.Minute))
		if !strings.Contains(s.log.String(), "connection refused") {
			t.Errorf("the log does not say why:\n%s", s.log)
		}
		s.envoy.set(nil, status(v1alpha1.GatewayTargetEndpoints, "web", 2, 1))
		if got := s.wait(15 * time.Second); len(got) != 1 && len(got) != 2 {
			t.Errorf("got the heartbeats %v, want one or two", got)
		}
		want := []v1alpha1.GatewayEndpointStatus{status(v1alpha1.GatewayTargetEndpoints, "web", 2, 1)}
		if diff := cmp.Diff(want, object(t, s.api).Status.NetworkStatus); diff != "" {
			t.Errorf("network status (-want +got):\n%s", diff)
		}
	})
}

func TestAStoppedGatewayLeavesItsObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		close(s.proven)
		s.wait(time.Minute)
		s.stop()
		s.expect("stopped", []float64{}, s.wait(time.Hour))
		if age := time.Since(object(t, s.api).Status.HeartbeatTime.Time); age != time.Hour {
			t.Errorf("the heartbeat is %v old, want 1h: it gets stale by itself", age)
		}
	})
}

func TestTheFiguresTellReportsFromFailures(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	cfg := config(simulated(t))
	cfg.Metrics = registry
	ctx, cancel := context.WithCancel(t.Context())
	task := reporter(t, cfg)
	done := make(chan error, 1)
	go func() { done <- task.Run(ctx) }()
	<-task.Ready()
	cancel()
	<-done
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue()
			if g := m.GetGauge(); g != nil {
				got[name] = float64(time.Since(time.Unix(int64(g.GetValue()), 0)) / time.Hour) // of just now is 0
			}
		}
	}
	want := map[string]float64{
		"entente_gateway_reports_total alice gw-0 ok":              1,
		"entente_gateway_reports_total alice gw-0 failed":          0,
		"entente_gateway_last_report_timestamp_seconds alice gw-0": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if _, err := gateway.New(cfg); err == nil {
		t.Error("the same gateway was made twice over one registry")
	}
	cfg.Name = "gw-1"
	if _, err := gateway.New(cfg); err != nil {
		t.Errorf("a second gateway of the process: %v", err)
	}
}

func TestWhatCannotBeReportedIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*gateway.Config){
		"a reserved domain":        func(c *gateway.Config) { c.Domain = "master" },
		"a name with capitals":     func(c *gateway.Config) { c.Name = "Host" },
		"no address":               func(c *gateway.Config) { c.Address = netip.Addr{} },
		"an IPv6 address":          func(c *gateway.Config) { c.Address = netip.MustParseAddr("fd00::1") },
		"the unspecified address":  func(c *gateway.Config) { c.Address = netip.IPv4Unspecified() },
		"no public key":            func(c *gateway.Config) { c.PublicKey = nil },
		"no API client":            func(c *gateway.Config) { c.Client = nil },
		"nobody to ask for Envoys": func(c *gateway.Config) { c.Stats = nil },
	} {
		cfg := config(simulated(t))
		change(&cfg)
		if _, err := gateway.New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	var task run.Task = reporter(t, config(simulated(t)))
	if task.String() == "" {
		t.Error("the task has no name")
	}
}

// simulated is an API server without one. What it gets wrong is put right: a status cannot be applied to an object that is not there.
func simulated(tb testing.TB) client.WithWatch {
	tb.Helper()
	objects := fake.NewClientBuilder().WithScheme(scheme(tb)).WithStatusSubresource(&v1alpha1.Gateway{}).Build()
	return interceptor.NewClient(objects, interceptor.Funcs{
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, o runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			if err := c.Get(ctx, client.ObjectKey{Namespace: "alice", Name: "gw-0"}, &v1alpha1.Gateway{}); err != nil {
				return err
			}
			return c.SubResource(sub).Apply(ctx, o, opts...)
		},
	})
}
