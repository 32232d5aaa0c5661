package translate_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/entente-mesh/entente/mesh"
)

// A picture that Envoy refuses is worth nothing: one Envoy is shown the meshes of all golden files, one after the other.
func TestEnvoyTakesWhatTheGoldenFilesShow(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("golden files: %v, %v", cases, err)
	}
	g := newGate(t, newDraft("alice").done())
	for _, path := range cases {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		in := map[string][]byte{}
		for _, f := range archive.Files {
			if name, ok := strings.CutPrefix(f.Name, "in/"); ok {
				in[name] = f.Data
			}
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			part := g.in(t)
			part.set(mesh.Compile(readObjects(t, readSettings(t, in["settings.yaml"]), in), nil))
			g.mesh = part.mesh
		})
	}
}

func TestAClientStaysAtOneEndpoint(t *testing.T) {
	t.Parallel()
	var at []netip.AddrPort
	for i := range 4 {
		at = append(at, startService(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, i) })))
	}
	d := newDraft("alice")
	d.service(mesh.Service{Name: "by-session", Protocol: mesh.HTTP, Affinity: mesh.Affinity{Header: "Kuscia-Session-Id"}}, at...)
	d.service(mesh.Service{Name: "by-cookie", Protocol: mesh.HTTP, Affinity: mesh.Affinity{Cookie: "seat", CookieTTL: 3600e9}}, at...)
	d.service(mesh.Service{Name: "by-address", Protocol: mesh.HTTP, Affinity: mesh.Affinity{ClientIP: true}}, at...)
	d.service(mesh.Service{Name: "anywhere", Protocol: mesh.HTTP}, at...)
	g := newGate(t, d.done())
	to := g.address("internal")
	ask := func(t *testing.T, service string, header, value string) (endpoint string, cookies []*http.Cookie) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+to.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = service + ".alice.svc"
		if header != "" {
			r.Header.Set(header, value)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }() // was read
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %q, %v", service, answer.Status, body, err)
		}
		return string(body), answer.Cookies()
	}
	endpoints := func(t *testing.T, service string, header func(i int) (string, string)) map[string]bool {
		t.Helper()
		seen := map[string]bool{}
		for i := range 40 {
			name, value := header(i)
			endpoint, _ := ask(t, service, name, value)
			seen[endpoint] = true
		}
		return seen
	}
	none := func(int) (string, string) { return "", "" }
	for name, c := range map[string]struct {
		service string
		header  func(int) (string, string)
		one     bool
	}{
		"one session":                  {"by-session", func(int) (string, string) { return "Kuscia-Session-Id", "s" }, true},
		"many sessions":                {"by-session", func(i int) (string, string) { return "Kuscia-Session-Id", fmt.Sprint(i) }, false},
		"no session":                   {"by-session", none, false},
		"one cookie":                   {"by-cookie", func(int) (string, string) { return "Cookie", "seat=s" }, true},
		"one address":                  {"by-address", none, true},
		"a service that does not care": {"anywhere", none, false},
		"a session that the service does not ask": {"anywhere", func(int) (string, string) { return "Kuscia-Session-Id", "s" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if seen := endpoints(t, c.service, c.header); (len(seen) == 1) != c.one {
				t.Errorf("40 requests reached endpoints %v", seen)
			}
		})
	}
	if _, cookies := ask(t, "by-cookie", "", ""); len(cookies) != 1 || cookies[0].Name != "seat" || cookies[0].MaxAge != 3600 || cookies[0].Path != "/" {
		t.Errorf("a client without a cookie was given %v", cookies)
	}
}
