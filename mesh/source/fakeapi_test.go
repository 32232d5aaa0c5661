package source_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// A fakeAPI is an API server as an http.RoundTripper, with lists, watches, bookmarks and versions, and without a network: a test in a synctest
// bubble can use it. It can be away.
type fakeAPI struct {
	mu sync.Mutex
	// Guarded by mu.
	version  int
	objects  map[string]map[string]apiObject // by resource and name
	log      []apiEvent                      // all that has happened
	oldest   int                             // watches from before this version are told that it is gone
	watchers map[*watcher]bool
	away     bool
	held     map[string]chan struct{} // requests for these resources wait
	requests map[string]int           // by resource and verb
}

type apiObject interface {
	metav1.Object
	runtime.Object
}

type apiEvent struct {
	resource string
	version  int
	body     []byte
}

func newAPI() *fakeAPI {
	return &fakeAPI{version: 1, objects: map[string]map[string]apiObject{}, watchers: map[*watcher]bool{}, held: map[string]chan struct{}{}, requests: map[string]int{}}
}

func (a *fakeAPI) config() *rest.Config { return &rest.Config{Host: "http://api.test", Transport: a} }

// set creates or updates an object.
func (a *fakeAPI) set(resource string, o apiObject) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kind := "MODIFIED"
	if a.objects[resource] == nil {
		a.objects[resource] = map[string]apiObject{}
	}
	if was, ok := a.objects[resource][o.GetName()]; ok {
		o.SetUID(was.GetUID())
	} else {
		kind = "ADDED"
		o.SetUID(types.UID(fmt.Sprint("uid-", a.version)))
	}
	a.version++
	o.SetResourceVersion(strconv.Itoa(a.version))
	a.objects[resource][o.GetName()] = o
	a.tell(resource, kind, o)
}

// remove deletes an object.
func (a *fakeAPI) remove(resource, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.objects[resource][name].DeepCopyObject().(apiObject)
	delete(a.objects[resource], name)
	a.version++
	o.SetResourceVersion(strconv.Itoa(a.version))
	a.tell(resource, "DELETED", o)
}

// leave makes the server go away, with all connections; forget drops the history, so that watches must begin anew.
func (a *fakeAPI) leave(forget bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = true
	if forget {
		a.version++
		a.oldest = a.version
	}
	for w := range a.watchers {
		w.end()
	}
	clear(a.watchers)
}

func (a *fakeAPI) comeBack() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = false
}

// hold lets requests for a resource wait until the returned function is called.
func (a *fakeAPI) hold(resource string) (release func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	held := make(chan struct{})
	a.held[resource] = held
	return func() { close(held) }
}

func (a *fakeAPI) tell(resource, kind string, o apiObject) {
	e := apiEvent{resource, a.version, encode(kind, o)}
	a.log = append(a.log, e)
	for w := range a.watchers {
		if w.resource == resource {
			w.send(e.body)
		}
	}
}

func encode(kind string, o any) []byte {
	data, err := json.Marshal(map[string]any{"type": kind, "object": o})
	if err != nil {
		panic(err)
	}
	return append(data, '\n')
}

// RoundTrip answers as the API server would.
func (a *fakeAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	resource := path.Base(r.URL.Path)
	a.mu.Lock()
	held := a.held[resource]
	a.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away {
		return nil, syscall.ECONNREFUSED
	}
	q := r.URL.Query()
	a.requests[resource+" "+q.Get("watch")]++
	if q.Get("watch") == "" {
		return answer(200, a.list(resource)), nil
	}
	from, _ := strconv.Atoi(q.Get("resourceVersion"))
	initial := q.Get("sendInitialEvents") == "true"
	if !initial && from < a.oldest {
		return answer(410, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonExpired, Code: 410}), nil
	}
	w := newWatcher(resource)
	if initial {
		for _, name := range slices.Sorted(keys(a.objects[resource])) {
			w.send(encode("ADDED", a.objects[resource][name]))
		}
		w.send(encode("BOOKMARK", a.bookmark(resource)))
	} else {
		for _, e := range a.log {
			if e.resource == resource && e.version > from {
				w.send(e.body)
			}
		}
	}
	a.watchers[w] = true
	context := r.Context()
	go func() {
		<-context.Done()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.watchers, w)
		w.end()
	}()
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: w}, nil
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (a *fakeAPI) list(resource string) any {
	items := []apiObject{}
	for _, name := range slices.Sorted(keys(a.objects[resource])) {
		items = append(items, a.objects[resource][name])
	}
	kind, group := kindOf(resource)
	return map[string]any{"kind": kind + "List", "apiVersion": group, "metadata": map[string]any{"resourceVersion": strconv.Itoa(a.version)}, "items": items}
}

func (a *fakeAPI) bookmark(resource string) any {
	kind, group := kindOf(resource)
	return map[string]any{"kind": kind, "apiVersion": group, "metadata": map[string]any{
		"resourceVersion": strconv.Itoa(a.version), "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}}
}

func kindOf(resource string) (kind, group string) {
	switch resource {
	case "services":
		return "Service", "v1"
	case "pods":
		return "Pod", "v1"
	case "endpointslices":
		return "EndpointSlice", "discovery.k8s.io/v1"
	case "domainroutes":
		return "DomainRoute", "kuscia.secretflow/v1alpha1"
	case "gateways":
		return "Gateway", "kuscia.secretflow/v1alpha1"
	}
	panic(resource)
}

func answer(code int, body any) *http.Response {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(data))}
}

// A watcher is the body of a watch: what is sent and not read yet waits without bound.
type watcher struct {
	resource string
	mu       sync.Mutex
	more     chan struct{}
	// Guarded by mu.
	buf   bytes.Buffer
	ended bool
}

func newWatcher(resource string) *watcher {
	return &watcher{resource: resource, more: make(chan struct{}, 1)}
}

func (w *watcher) send(data []byte) {
	w.mu.Lock()
	w.buf.Write(data)
	w.mu.Unlock()
	w.wake()
}

func (w *watcher) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.wake()
}

func (w *watcher) wake() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *watcher) Read(p []byte) (int, error) {
	for {
		w.mu.Lock()
		n, _ := w.buf.Read(p)
		ended := w.ended
		w.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		if ended {
			w.wake() // the next Read too
			return 0, io.ErrUnexpectedEOF
		}
		<-w.more
	}
}

func (w *watcher) Close() error {
	w.end()
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
