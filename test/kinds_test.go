package test

import (
	"maps"
	"strings"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/internal/lab/entente"
)

// A second process works on a cluster that another one runs, through its kubeconfig: the standing case of kind kubeconfig. One
// such process is the build without Kubernetes, under the race detector.
func TestASecondProcessWorksThroughAKubeconfig(t *testing.T) {
	t.Parallel()
	tests := map[string]func() (string, error){
		"the full binary, with a scheduler that stands by": entente.Binary,
		"the lite binary under the race detector":          entente.LiteBinary,
	}
	for name, binary := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := binary()
			if err != nil {
				t.Fatal(err)
			}
			host := entente.Start(t, entente.Config{})
			before := definitionVersions(t, host)
			second := entente.Start(t, entente.Config{
				Binary: program,
				YAML:   "mode: autonomy\ndomainID: alice\nentente:\n" + entente.Unmeshed + "  cluster:\n    kind: kubeconfig\n    kubeconfig: " + host.Kubeconfig() + "\n",
			})
			if after := definitionVersions(t, host); !maps.Equal(before, after) {
				t.Errorf("it wrote definitions that were there already: %v, before %v", after, before)
			}
			createConfigMap(t, second, "through-the-second")
			if !hasConfigMap(t, host, "through-the-second") {
				t.Error("the two do not see the same cluster")
			}
			if out := second.Output(t, "status"); !strings.Contains(out, "kubeconfig") || !strings.Contains(out, "18 of 18") {
				t.Errorf("its status does not show the cluster:\n%s", out)
			}
			if err := second.Stop(t); err != nil {
				t.Errorf("it ended with %v, want exit code 0; its own words:\n%s", err, second.Stderr())
			}
			if strings.Contains(second.Stderr(), "DATA RACE") {
				t.Errorf("a data race:\n%s", second.Stderr())
			}
			if out := host.Output(t, "status"); !strings.Contains(out, "ready") {
				t.Errorf("the cluster did not outlive its guest:\n%s", out)
			}
		})
	}
}

// The API server goes away under a guest and comes back: the guest waits and goes on.
func TestAGuestOutlivesAnAbsenceOfItsCluster(t *testing.T) {
	t.Parallel()
	home := t.TempDir() + "/home"
	port := freePort(t)
	yaml := strings.Replace(entente.Autonomy(""), "127.0.0.1:0", "127.0.0.1:"+port, 1)
	host := entente.Start(t, entente.Config{Home: home, YAML: yaml})
	guest := entente.Start(t, entente.Config{
		YAML: "mode: autonomy\ndomainID: alice\nentente:\n" + entente.Unmeshed + "  cluster:\n    kind: kubeconfig\n    kubeconfig: " + host.Kubeconfig() + "\n",
	})
	host.Kill()
	guest.AwaitWords(t, "API server")
	host = entente.Start(t, entente.Config{Home: home, YAML: yaml})
	if err := guest.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	createConfigMap(t, guest, "after-the-absence")
	if !hasConfigMap(t, host, "after-the-absence") {
		t.Error("the guest does not write to the cluster that came back")
	}
}

// definitionVersions returns the resource version of each definition: a write changes it.
func definitionVersions(t *testing.T, node *entente.Process) map[string]string {
	t.Helper()
	client, err := apiextensions.NewForConfig(node.REST(t))
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.ApiextensionsV1().CustomResourceDefinitions().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, crd := range list.Items {
		if strings.HasSuffix(crd.Name, ".kuscia.secretflow") {
			versions[crd.Name] = crd.ResourceVersion
		}
	}
	if len(versions) != 18 {
		t.Fatalf("%d definitions, want 18", len(versions))
	}
	return versions
}
