package test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/entente-mesh/entente/internal/lab/entente"
)

// A backup is made while clients write, and restored while the node runs: then the objects of that moment are there, and nothing later.
func TestABackupIsMadeAndRestoredWhileTheNodeRuns(t *testing.T) {
	t.Parallel()
	node := entente.Start(t, entente.Config{})
	file := filepath.Join(t.TempDir(), "alice.backup")
	createConfigMap(t, node, "before")

	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	client, err := kubernetes.NewForConfig(node.REST(t))
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan struct{}, 1)
	for w := range 2 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("meanwhile-%d-%d", w, i)}}
				if _, err := client.CoreV1().ConfigMaps("default").Create(ctx, cm, metav1.CreateOptions{}); err != nil && ctx.Err() == nil {
					t.Errorf("a write beside the backup: %v", err)
					return
				}
				select {
				case written <- struct{}{}:
				default:
				}
			}
		})
	}
	<-written
	node.Output(t, "backup", file)
	stop()
	writers.Wait()
	createConfigMap(t, node, "after")
	pid := node.PID()

	node.Output(t, "restore", file)
	if node.PID() != pid {
		t.Fatal("the harness lost the process")
	}
	if err := node.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !hasConfigMap(t, node, "before") {
		t.Error("an object from before the backup is gone")
	}
	if hasConfigMap(t, node, "after") {
		t.Error("an object from after the backup is still there")
	}
	createConfigMap(t, node, "again")

	t.Run("it holds keys, so only its owner can read it", func(t *testing.T) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, want 0600", info.Mode().Perm())
		}
	})
	t.Run("a damaged file is refused and changes nothing", func(t *testing.T) {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, damaged := range map[string][]byte{
			"cut short":      whole[:len(whole)/2],
			"a flipped byte": flipped(whole, len(whole)/2),
			"something else": []byte("not a backup"),
		} {
			bad := filepath.Join(t.TempDir(), "bad.backup")
			if err := os.WriteFile(bad, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			cmd := node.Command(t, "restore", bad)
			cmd.Stderr = &said
			if err := cmd.Run(); err == nil || !strings.Contains(said.String(), bad) {
				t.Errorf("%s: %v, want a refusal that names the file:\n%s", name, err, said.String())
			}
		}
		if !hasConfigMap(t, node, "again") {
			t.Error("an object is gone")
		}
	})
	t.Run("another folder gets the same objects under the same keys", func(t *testing.T) {
		other := entente.Config{Home: filepath.Join(t.TempDir(), "home")}
		binary, err := entente.Binary()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), binary, "restore", file, "-c", node.ConfigFile, "--home", other.Home).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		moved := entente.Start(t, other)
		if !hasConfigMap(t, moved, "before") {
			t.Error("the object is not there")
		}
		if string(moved.REST(t).CAData) != string(node.REST(t).CAData) {
			t.Error("the certificate authority is another")
		}
	})
}

func flipped(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 0x55
	return data
}

func createConfigMap(t *testing.T, node *entente.Process, name string) {
	t.Helper()
	client, err := kubernetes.NewForConfig(node.REST(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func hasConfigMap(t *testing.T, node *entente.Process, name string) bool {
	t.Helper()
	client, err := kubernetes.NewForConfig(node.REST(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().ConfigMaps("default").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}
