package dns

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/miekg/dns"
)

// An apiFake is an API server that lists and watches, and may be away.
type apiFake struct {
	mu sync.Mutex
	// Guarded by mu.
	version  int
	objects  map[string]map[string]any // by resource and name
	watchers map[chan []byte]string    // their resources
	log      []apiEvent                // all that has happened
	away     bool
}

type apiEvent struct {
	version  int
	resource string
	text     []byte
}

func newAPIFake(t testing.TB) (api *apiFake, kubeconfig string) {
	t.Helper()
	api = &apiFake{version: 1, objects: map[string]map[string]any{}, watchers: map[chan []byte]string{}}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	t.Cleanup(func() { api.leave(true) })
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	content := fmt.Sprintf("{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: %q}}], contexts: [{name: a, context: {cluster: a}}], current-context: a}", server.URL)
	if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return api, kubeconfig
}

// set creates or changes an object.
func (a *apiFake) set(resource, apiVersion, kind, name string, labels map[string]string, content map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	o := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{
		"namespace": "alice", "name": name, "uid": name, "resourceVersion": fmt.Sprint(a.version), "labels": labels,
	}}
	for field, value := range content {
		o[field] = value
	}
	change := "MODIFIED"
	if a.objects[resource] == nil {
		a.objects[resource] = map[string]any{}
	}
	if a.objects[resource][name] == nil {
		change = "ADDED"
	}
	a.objects[resource][name] = o
	event, err := json.Marshal(map[string]any{"type": change, "object": o})
	if err != nil {
		panic(err)
	}
	a.log = append(a.log, apiEvent{a.version, resource, event})
	for watcher, of := range a.watchers {
		if of == resource {
			watcher <- event
		}
	}
}

// service sets a service with one endpoint.
func (a *apiFake) service(name, address string) {
	a.set("services", "v1", "Service", name, nil, map[string]any{"spec": map[string]any{"clusterIP": "None", "ports": []any{map[string]any{"name": "http", "port": 80}}}})
	a.endpoint(name, address)
}

func (a *apiFake) endpoint(service, address string) {
	a.set("endpointslices", "discovery.k8s.io/v1", "EndpointSlice", service+"-x", map[string]string{"kubernetes.io/service-name": service}, map[string]any{
		"addressType": "IPv4", "endpoints": []any{map[string]any{"addresses": []string{address}}}, "ports": []any{map[string]any{"name": "http", "port": 80}},
	})
}

// leave ends all watches and refuses everything, or comes back.
func (a *apiFake) leave(away bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = away
	for watcher := range a.watchers {
		close(watcher)
	}
	clear(a.watchers)
}

// ServeHTTP answers lists and watches.
func (a *apiFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	resource := path.Base(r.URL.Path)
	watcher := make(chan []byte, 1<<16)
	a.mu.Lock()
	switch {
	case a.away:
		a.mu.Unlock()
		panic(http.ErrAbortHandler)
	case r.URL.Query().Get("sendInitialEvents") == "true":
		a.mu.Unlock()
		w.WriteHeader(http.StatusUnprocessableEntity) // as an older API server
		_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
		return
	case r.URL.Query().Get("watch") == "":
		items := []any{}
		for _, o := range a.objects[resource] {
			items = append(items, o)
		}
		list := map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": fmt.Sprint(a.version)}, "items": items}
		list["kind"], list["apiVersion"] = kindOf(resource)
		a.mu.Unlock()
		_ = json.NewEncoder(w).Encode(list) // who does not read it asks again
		return
	}
	a.watchers[watcher] = resource
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion")) // 0 for any: everything
	for _, e := range a.log {
		if e.resource == resource && e.version > from {
			watcher <- e.text
		}
	}
	a.mu.Unlock()
	w.(http.Flusher).Flush()
	for {
		select {
		case event, ok := <-watcher:
			if !ok {
				return
			}
			_, _ = w.Write(append(event, '\n')) // who does not read it asks again
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			a.mu.Lock()
			delete(a.watchers, watcher)
			a.mu.Unlock()
			return
		}
	}
}

func kindOf(resource string) (kind, apiVersion string) {
	switch resource {
	case "services":
		return "ServiceList", "v1"
	case "pods":
		return "PodList", "v1"
	case "endpointslices":
		return "EndpointSliceList", "discovery.k8s.io/v1"
	case "domainroutes":
		return "DomainRouteList", "kuscia.secretflow/v1alpha1"
	}
	return "GatewayList", "kuscia.secretflow/v1alpha1"
}

// until asks over and over until the answer is as wanted, and returns how long that took.
func until(t testing.TB, address, name, want string) time.Duration {
	t.Helper()
	const most = 30 * time.Second // no measure of speed: it ends a test that would never
	begin := time.Now()
	for {
		reply, took := over(t, "udp", address, ask(name, dns.TypeA)), time.Since(begin)
		if addressesOf(reply) == want {
			return took
		}
		if took > most {
			t.Fatalf("%s does not become %s:\n%s", name, want, reply)
		}
	}
}

const fromAPI = ".:%s {\n errors\n entente {\n domain alice\n gateway 10.9.9.9\n kubeconfig %s\n ttl %d\n }\n}"

func TestAnswersFollowTheAPIServer(t *testing.T) {
	t.Parallel()
	api, kubeconfig := newAPIFake(t)
	api.service("web", "10.0.0.1")
	instance, address := start(t, fromAPI, kubeconfig, 5)
	defer func() { end(t, instance) }()
	if reply := over(t, "udp", address, ask("web.alice.svc.", dns.TypeA)); addressesOf(reply) != "10.0.0.1" {
		t.Fatalf("right after the start:\n%s", reply)
	}
	api.endpoint("web", "10.0.0.2")
	until(t, address, "web.alice.svc.", "10.0.0.2")
	api.service("more", "10.0.0.3")
	until(t, address, "more.alice.svc.", "10.0.0.3")

	api.leave(true)
	for name, want := range map[string]string{"web.alice.svc.": "10.0.0.2", "more.": "10.0.0.3", "psi.bob.svc.": "10.9.9.9"} {
		if reply := over(t, "udp", address, ask(name, dns.TypeA)); addressesOf(reply) != want {
			t.Errorf("while the API server is away:\n%s", reply)
		}
	}
	if os.Getenv("ENTENTE_LONG") != "" { // it waits for the API server
		_, port, _ := strings.Cut(address, ":")
		if _, err := instance.Restart(caddy.CaddyfileInput{ServerTypeName: "dns", Contents: fmt.Appendf(nil, fromAPI, port, kubeconfig, 6)}); err == nil {
			t.Error("a reload without an API server did not fail")
		}
		if reply := over(t, "udp", address, ask("web.alice.svc.", dns.TypeA)); addressesOf(reply) != "10.0.0.2" {
			t.Errorf("after a reload without an API server:\n%s", reply)
		}
	}
	api.leave(false)
	api.endpoint("web", "10.0.0.4")
	until(t, address, "web.alice.svc.", "10.0.0.4")
}

func TestWithoutAnAPIServerNothingIsDenied(t *testing.T) {
	if os.Getenv("ENTENTE_LONG") == "" {
		t.Skip("it waits 5 seconds for an API server: set ENTENTE_LONG=1")
	}
	t.Parallel()
	api, kubeconfig := newAPIFake(t)
	api.leave(true)
	instance, address := start(t, fromAPI, kubeconfig, 5)
	defer end(t, instance)
	if reply := over(t, "udp", address, ask("web.alice.svc.", dns.TypeA)); reply.Rcode != dns.RcodeServerFailure {
		t.Errorf("without an API server:\n%s", reply)
	}
	api.leave(false)
	api.service("web", "10.0.0.1")
	until(t, address, "web.alice.svc.", "10.0.0.1")
}

func TestAKubeconfigThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	input := caddy.CaddyfileInput{ServerTypeName: "dns", Contents: fmt.Appendf(nil, fromAPI, "0", "/nowhere/kubeconfig", 5)}
	if _, err := caddy.Start(input); err == nil || !strings.Contains(err.Error(), "/nowhere/kubeconfig") {
		t.Errorf("error %v", err)
	}
}

// BenchmarkEvent is the time from an event in the API server until CoreDNS gives the new answer over UDP, at 10,000 services.
func BenchmarkEvent(b *testing.B) {
	api, kubeconfig := newAPIFake(b)
	for i := range 10_000 {
		api.service(fmt.Sprintf("s%d", i), fmt.Sprintf("10.1.%d.%d", i>>8, i&255))
	}
	instance, address := start(b, fromAPI, kubeconfig, 5)
	defer end(b, instance)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		want := fmt.Sprintf("10.2.%d.%d", i>>8&255, i&255)
		api.endpoint("s0", want)
		took = append(took, until(b, address, "s0.alice.svc.", want))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}
