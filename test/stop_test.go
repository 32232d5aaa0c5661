package test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/entente-mesh/entente/internal/lab/entente"
)

func TestANodeStopsCleanlyWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		signal syscall.Signal
		ready  bool
	}{
		"by a service manager":            {syscall.SIGTERM, true},
		"by Ctrl-C":                       {syscall.SIGINT, true},
		"by Ctrl-C while it still starts": {syscall.SIGINT, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := entente.Launch(t, entente.Config{})
			if tt.ready {
				if err := node.WaitReady(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else {
				node.AwaitWords(t, "entente v")
			}
			node.Signal(t, tt.signal)
			if err := node.Wait(t); err != nil {
				t.Fatalf("it ended with %v, want exit code 0; its own words:\n%s", err, node.Stderr())
			}
			if !strings.Contains(node.Stderr(), "stopped in ") {
				t.Errorf("it did not say that it stopped:\n%s", node.Stderr())
			}
		})
	}
}

func TestARestartedNodeHasItsObjectsAndItsKeys(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "home")
	first := entente.Start(t, entente.Config{Home: home})
	client, err := kubernetes.NewForConfig(first.REST(t))
	if err != nil {
		t.Fatal(err)
	}
	want, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	authority := first.REST(t).CAData
	if err := first.Stop(t); err != nil {
		t.Fatal(err)
	}

	second := entente.Start(t, entente.Config{Home: home})
	if client, err = kubernetes.NewForConfig(second.REST(t)); err != nil {
		t.Fatal(err)
	}
	got, err := client.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.UID != want.UID || got.ResourceVersion != want.ResourceVersion {
		t.Errorf("the object is another: %s/%s, want %s/%s", got.UID, got.ResourceVersion, want.UID, want.ResourceVersion)
	}
	if string(second.REST(t).CAData) != string(authority) {
		t.Error("the certificate authority is another: every client would have to be told")
	}
	if err := second.Stop(t); err != nil {
		t.Fatal(err)
	}
}

func TestASecondNodeOnTheSameFolderIsRefused(t *testing.T) {
	t.Parallel()
	second := entente.Launch(t, entente.Config{Home: node.Home, YAML: entente.Autonomy(""), ConfigFile: filepath.Join(t.TempDir(), "kuscia.yaml")})
	if err := second.Wait(t); err == nil {
		t.Fatal("it started")
	}
	if got := second.Stderr(); !strings.Contains(got, "in use by process") || strings.Count(got, "\n") != 1 {
		t.Errorf("it said:\n%s\nwant one line with who holds the folder", got)
	}
}
