package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"
)

// domain is whose names are asked for, and the namespace of all objects.
const domain = "alice"

// An apiServer lists and watches the objects of which names are made, as a Kubernetes API server does, and changes them when it is told to. What a
// name server needs of it is the same for all that are measured.
type apiServer struct {
	http *http.Server
	url  string

	mu sync.Mutex
	// Guarded by mu.
	version  int
	objects  map[string]map[string]any // by resource and name
	watchers map[chan []byte]string    // their resources
}

// startAPI begins to serve on a port of its own.
func startAPI() (*apiServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // local
	if err != nil {
		return nil, fmt.Errorf("start an API server: %w", err)
	}
	a := &apiServer{url: "http://" + listener.Addr().String(), version: 1, objects: make(map[string]map[string]any), watchers: make(map[chan []byte]string)}
	a.http = &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}
	go func() { _ = a.http.Serve(listener) }() // ends with close
	a.set("namespaces", domain, "", nil, nil)
	return a, nil
}

func (a *apiServer) close() { _ = a.http.Close() } // everything that it served is gone already

// service sets a headless service, as those of tasks are.
func (a *apiServer) service(name, address string) {
	port := map[string]any{"name": "http", "port": 80, "protocol": "TCP"}
	a.set("services", name, domain, nil, map[string]any{"spec": map[string]any{"clusterIP": "None", "clusterIPs": []string{"None"}, "type": "ClusterIP", "ports": []any{port}}})
	a.endpoint(name, address)
}

// endpoint sets the only endpoint of a service.
func (a *apiServer) endpoint(service, address string) {
	port := map[string]any{"name": "http", "port": 80, "protocol": "TCP"}
	ready := map[string]any{"ready": true, "serving": true}
	a.set("endpointslices", service+"-x", domain, map[string]string{"kubernetes.io/service-name": service}, map[string]any{
		"addressType": "IPv4", "endpoints": []any{map[string]any{"addresses": []string{address}, "conditions": ready}}, "ports": []any{port},
	})
}

// set creates or changes an object and tells who watches.
func (a *apiServer) set(resource, name, namespace string, labels map[string]string, content map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	kind, group := kindOf(resource)
	o := map[string]any{"apiVersion": group, "kind": kind, "metadata": map[string]any{
		"namespace": namespace, "name": name, "uid": name, "resourceVersion": strconv.Itoa(a.version), "labels": labels,
	}}
	for field, value := range content {
		o[field] = value
	}
	if a.objects[resource] == nil {
		a.objects[resource] = make(map[string]any)
	}
	change := "ADDED"
	if a.objects[resource][name] != nil {
		change = "MODIFIED"
	}
	a.objects[resource][name] = o
	if len(a.watchers) == 0 {
		return
	}
	event, err := json.Marshal(map[string]any{"type": change, "object": o})
	if err != nil {
		panic(err) // maps of strings and numbers
	}
	for watcher, of := range a.watchers {
		if of == resource {
			watcher <- append(event, '\n')
		}
	}
}

func kindOf(resource string) (kind, group string) {
	switch resource {
	case "namespaces":
		return "Namespace", "v1"
	case "services":
		return "Service", "v1"
	case "pods":
		return "Pod", "v1"
	case "endpointslices":
		return "EndpointSlice", "discovery.k8s.io/v1"
	case "domainroutes":
		return "DomainRoute", "kuscia.secretflow/v1alpha1"
	}
	return "Gateway", "kuscia.secretflow/v1alpha1"
}

// ServeHTTP answers lists and watches.
func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	resource := path.Base(r.URL.Path)
	query := r.URL.Query()
	switch {
	case resource == "version":
		_, _ = fmt.Fprint(w, `{"major":"1","minor":"37","gitVersion":"v1.37.2"}`) // who does not read it asks again
	case query.Get("sendInitialEvents") == "true": // as an API server without that feature
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
	case query.Get("watch") == "":
		a.list(w, resource)
	default:
		a.watch(w, r, resource)
	}
}

func (a *apiServer) list(w http.ResponseWriter, resource string) {
	a.mu.Lock()
	items := []any{}
	for _, o := range a.objects[resource] {
		items = append(items, o)
	}
	kind, group := kindOf(resource)
	version := strconv.Itoa(a.version)
	a.mu.Unlock()
	list := map[string]any{"kind": kind + "List", "apiVersion": group, "metadata": map[string]any{"resourceVersion": version}, "items": items}
	_ = json.NewEncoder(w).Encode(list) // who does not read it asks again
}

// watch hands on events from now on. Nothing changes between a client's list and its watch here.
func (a *apiServer) watch(w http.ResponseWriter, r *http.Request, resource string) {
	const most = 1 << 12 // events that a slow watcher may be behind; then it holds up the benchmark
	watcher := make(chan []byte, most)
	a.mu.Lock()
	a.watchers[watcher] = resource
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.watchers, watcher)
		a.mu.Unlock()
	}()
	out := http.NewResponseController(w)
	_ = out.Flush() // see below
	for {
		select {
		case event := <-watcher:
			_, _ = w.Write(event) // a watcher that is gone ends the request
			_ = out.Flush()
		case <-r.Context().Done():
			return
		}
	}
}
