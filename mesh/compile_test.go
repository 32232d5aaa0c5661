package mesh_test

import (
	"testing"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

const story = `
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
kind: EndpointSlice
addressType: IPv4
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
endpoints: [{addresses: [10.0.0.1]}]
ports: [{port: 80}]
---
kind: DomainRoute
metadata: {name: alice-bob}
spec: {source: alice, destination: bob, authenticationType: Token}
status: {tokenStatus: {tokens: [{token: "sealed:one", revision: 1}]}}
---
kind: DomainRoute
metadata: {name: bob-alice}
spec: {source: bob, destination: alice, authenticationType: Token, endpoint: {host: h, ports: [{name: http, protocol: HTTP, port: 1080}]}}
status: {tokenStatus: {tokens: [{token: "sealed:two", revision: 1}]}}
`

func TestWritesThatNoGatewayReadsChangeNothing(t *testing.T) {
	t.Parallel()
	o := objects(t, story)
	before := mesh.Compile(o, nil)

	s, _ := o.Services.Get("web")
	s = s.DeepCopy()
	s.Annotations = map[string]string{names.AnnotationReadyTime: "2026-01-01T00:00:00Z", names.AnnotationProgrammed: "true"}
	s.ResourceVersion = "7"
	o.Services = o.Services.With("web", s)
	for _, name := range []string{"alice-bob", "bob-alice"} {
		r, _ := o.Routes.Get(name)
		r = r.DeepCopy()
		r.Annotations = map[string]string{names.AnnotationProgrammed: "true"}
		r.Status.IsDestinationAuthorized = true
		r.Status.TokenStatus.Tokens[0].IsReady = true
		r.Status.TokenStatus.Tokens[0].EffectiveInstances = []string{"node-1"}
		o.Routes = o.Routes.With(name, r)
	}
	if after := mesh.Compile(o, before); !after.Same(before) {
		t.Errorf("the mesh changed:\n%s\n%s", dump(t, before), dump(t, after))
	}
}

func TestAChangeReplacesItsOwnPiecesAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"another endpoint replaces the endpoints of its service", "10.0.0.1", "10.0.0.2", []string{"endpoints web"}},
		{"another port of a service replaces the service", "{port: 80}]}\n---\nkind: EndpointSlice", "{port: 81}]}\n---\nkind: EndpointSlice", []string{"service web"}},
		{"a rotation at the source replaces the tokens of the route", `"sealed:two", revision: 1`, `"sealed:three", revision: 2`, []string{"tokens alice"}},
		{"a rotation at the destination replaces what is accepted", `"sealed:one", revision: 1`, `"sealed:three", revision: 2`, []string{"accepted", "accepted"}},
		{"another endpoint of a partner replaces the route", "host: h,", "host: i,", []string{"outbound alice"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := mesh.Compile(objects(t, story), nil)
			o := objects(t, replace(t, story, c.old, c.new))
			o.Settings = before.Settings
			after := mesh.Compile(o, before)
			var got []string
			got = append(got, changes("service", before.Services, after.Services)...)
			got = append(got, changes("endpoints", before.Endpoints, after.Endpoints)...)
			got = append(got, changes("outbound", before.Outbound, after.Outbound)...)
			got = append(got, changes("inbound", before.Inbound, after.Inbound)...)
			got = append(got, changes("tokens", before.Tokens, after.Tokens)...)
			for range sorted.Diff(before.Accepted, after.Accepted) {
				got = append(got, "accepted")
			}
			equal(t, c.want, got)
		})
	}
}

func changes[P comparable](what string, before, after sorted.Map[P]) []string {
	var found []string
	for change := range sorted.Diff(before, after) {
		found = append(found, what+" "+change.Key)
	}
	return found
}

func TestATokenThatWaitsLeavesTheOlderOneInUse(t *testing.T) {
	t.Parallel()
	o := objects(t, replace(t, story, `{token: "sealed:two", revision: 1}`, `{token: "sealed:two", revision: 1}, {token: waits, revision: 2}`))
	m := mesh.Compile(o, nil)
	got, _ := m.Tokens.Get("alice")
	if got.Current.Reveal() != token("two") || got.Credential.Version != "1" || m.Unopened != 1 {
		t.Errorf("got %q of revision %s with %d unopened, want token two of revision 1 with 1", word(got.Current.Reveal()), got.Credential.Version, m.Unopened)
	}
	o.Opened = o.Opened.With("waits", mesh.Opened{Token: mesh.Hide(token("three"))})
	m = mesh.Compile(o, m)
	got, _ = m.Tokens.Get("alice")
	if got.Current.Reveal() != token("three") || got.Credential.Version != "2" || len(got.All) != 2 || m.Unopened != 0 {
		t.Errorf("got %q of revision %s with %d unopened, want token three of revision 2 with none", word(got.Current.Reveal()), got.Credential.Version, m.Unopened)
	}
}

func TestSealedTokensAreThoseThatTheRouteNeeds(t *testing.T) {
	t.Parallel()
	const doc = `kind: DomainRoute
metadata: {name: r}
spec: {source: alice, destination: bob, authenticationType: Token}
status: {tokenStatus: {tokens: [{token: a}, {token: ""}, {token: b}], revisionToken: {token: c}}}`
	for _, c := range []struct {
		name, auth string
		want       []string
	}{
		{"all listed tokens of a route with tokens", "authenticationType: Token", []string{"a", "b"}},
		{"none without tokens", "authenticationType: None", nil},
		{"none through a third domain", "authenticationType: Token, transit: {domain: {domainID: c}}", nil},
		{"all through a reverse tunnel", "authenticationType: Token, transit: {transitMethod: REVERSE-TUNNEL}", []string{"a", "b"}},
		{"all where bodies are encrypted", "authenticationType: None, bodyEncryption: {algorithm: AES}", []string{"a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			o := objects(t, replace(t, doc, "authenticationType: Token", c.auth))
			r, _ := o.Routes.Get("r")
			for s := range mesh.Sealed(r) {
				got = append(got, s)
			}
			equal(t, c.want, got)
		})
	}
}
