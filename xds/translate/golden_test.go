package translate_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/golden"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/translate"
)

// Each archive holds API objects (in/objects.yaml), what else the translation depends on (in/settings.yaml, in/opened.yaml, in/gateway.yaml, all
// optional), and patterns of the resources to show (in/show, one a line, such as cds/svc/*; without it all are shown). Out come the resources,
// one a file, and what is wrong with the objects.
func TestGolden(t *testing.T) {
	golden.Dir(t, "testdata/golden", picture)
}

func picture(t testing.TB, in map[string][]byte) map[string][]byte {
	settings := readSettings(t, in["settings.yaml"])
	m := mesh.Compile(readObjects(t, settings, in), nil)
	delta, faults := translate.Delta(nil, m)
	resources := delta.Set
	if text, ok := in["gateway.yaml"]; ok {
		var g translate.Gateway
		strictly(t, text, &g)
		resources = append(resources, translate.Listeners(settings, g)...)
	}
	out := map[string][]byte{}
	for _, r := range resources {
		if name := folders[r.Type] + "/" + r.Name + ".yaml"; shown(in["show"], strings.TrimSuffix(name, ".yaml")) {
			out[name] = render(t, r)
		}
	}
	for _, p := range m.Problems.All() {
		out["problems.txt"] = append(out["problems.txt"], p.Error()+"\n"...)
	}
	for _, f := range faults {
		out["problems.txt"] = append(out["problems.txt"], strings.TrimSpace(f.Table+" "+f.Error())+"\n"...)
	}
	return out
}

var folders = map[cache.Type]string{
	cache.Cluster: "cds", cache.Endpoint: "eds", cache.Secret: "sds", cache.Filter: "ecds", cache.Listener: "lds", cache.Route: "rds",
}

// shown says whether one of the patterns matches the name as a whole, or the folders that it stands in.
func shown(patterns []byte, name string) bool {
	if len(patterns) == 0 {
		return true
	}
	lines := bufio.NewScanner(bytes.NewReader(patterns))
	for lines.Scan() {
		if ok, err := path.Match(lines.Text(), name); err == nil && ok {
			return true
		}
	}
	return false
}

// render is a resource as people read it: a line on what travels with it, then its body.
func render(t testing.TB, r cache.Resource) []byte {
	body, err := protojson.Marshal(r.Body)
	if err != nil {
		t.Fatalf("%v as JSON: %v", r.Key, err)
	}
	text, err := yaml.JSONToYAML(body)
	if err != nil {
		t.Fatalf("%v as YAML: %v", r.Key, err)
	}
	var head strings.Builder
	for _, ref := range r.From {
		head.WriteString("# from " + ref.Kind + " " + ref.Namespace + "/" + ref.Name + "\n")
	}
	for _, key := range r.Follow {
		head.WriteString("# followed by " + folders[key.Type] + "/" + key.Name + "\n")
	}
	if r.Secret {
		head.WriteString("# secret\n")
	}
	return append([]byte(head.String()), text...)
}

// settingsFile is mesh.Settings as a file can hold it.
type settingsFile struct {
	Domain, MasterDomain, Address, Authorities, DomainKey string
	Master                                                bool
	Builtins                                              []mesh.Builtin
	Whitelist                                             []mesh.Upstream
	StreamIdle                                            string
	ExternalTLS                                           *struct{ Certificate, Key, ClientCA string }
}

func readSettings(t testing.TB, text []byte) *mesh.Settings {
	f := settingsFile{Domain: "alice"}
	if text != nil {
		strictly(t, text, &f)
	}
	s := &mesh.Settings{
		Domain: f.Domain, Master: f.Master, MasterDomain: f.MasterDomain, Builtins: f.Builtins, Whitelist: f.Whitelist,
		Authorities: f.Authorities, DomainKey: mesh.Hide(f.DomainKey),
	}
	if f.Address != "" {
		if err := s.Address.UnmarshalText([]byte(f.Address)); err != nil {
			t.Fatalf("settings: address: %v", err)
		}
	}
	if f.StreamIdle != "" {
		idle, err := time.ParseDuration(f.StreamIdle)
		if err != nil {
			t.Fatalf("settings: streamIdle: %v", err)
		}
		s.StreamIdle = idle
	}
	if tls := f.ExternalTLS; tls != nil {
		s.ExternalTLS = &mesh.ServerTLS{Certificate: tls.Certificate, Key: mesh.Hide(tls.Key), ClientCA: tls.ClientCA}
	}
	return s
}

// readObjects reads the API objects, and the opened tokens, which in/opened.yaml maps from what stands in the routes' status.
func readObjects(t testing.TB, s *mesh.Settings, in map[string][]byte) mesh.Objects {
	o := mesh.Objects{Settings: s}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(in["objects.yaml"])))
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("objects.yaml: %v", err)
		}
		addObject(t, &o, text)
	}
	var opened map[string]string
	strictly(t, in["opened.yaml"], &opened)
	for sealed, token := range opened {
		o.Opened = o.Opened.With(sealed, mesh.Opened{Token: mesh.Hide(token)})
	}
	return o
}

func addObject(t testing.TB, o *mesh.Objects, text []byte) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(text, &kind); err != nil {
		t.Fatalf("objects.yaml: %v", err)
	}
	switch kind.Kind {
	case "Service":
		var s corev1.Service
		strictly(t, text, &s)
		o.Services = o.Services.With(s.Name, &s)
	case "EndpointSlice":
		var e discoveryv1.EndpointSlice
		strictly(t, text, &e)
		o.Slices = o.Slices.With(mesh.SliceKey(e.Labels[discoveryv1.LabelServiceName], e.Name), &e)
	case "Pod":
		var p corev1.Pod
		strictly(t, text, &p)
		o.Pods = o.Pods.With(p.Name, &p)
	case "DomainRoute":
		var r v1alpha1.DomainRoute
		strictly(t, text, &r)
		o.Routes = o.Routes.With(r.Name, &r)
	case "Gateway":
		var g v1alpha1.Gateway
		strictly(t, text, &g)
		o.Gateways = o.Gateways.With(g.Name, &g)
	default:
		t.Fatalf("objects.yaml: kind %q has no place in a mesh", kind.Kind)
	}
}

// strictly reads YAML and refuses fields that do not exist: a misspelt one would make a case that shows nothing.
func strictly(t testing.TB, text []byte, into any) {
	t.Helper()
	if err := yaml.Unmarshal(text, into, func(d *json.Decoder) *json.Decoder { d.DisallowUnknownFields(); return d }); err != nil {
		t.Fatalf("%s: %v", strings.TrimSpace(string(text)), err)
	}
}
