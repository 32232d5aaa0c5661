package mesh

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/names"
)

// TestServicesComeAndGoUnderLoad: a hundred changes of other services do not cost one request.
func TestServicesComeAndGoUnderLoad(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8003")
	if err := bob.serve(t.Context(), "steady", 8003); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "steady.bob.svc")
	load := startLoad(t, alice, "steady.bob.svc")
	const changes = 100
	for i := range changes / 4 {
		name := fmt.Sprintf("passing-%d", i)
		restricted := func(s *corev1.Service) {
			if i%2 == 0 {
				s.Annotations = map[string]string{names.AnnotationAccessDomain: "alice"}
			}
		}
		if err := bob.serve(t.Context(), name, 8003, restricted); err != nil { // two changes
			t.Fatal(err)
		}
		if i%5 == 0 {
			await(t, alice, name+".bob.svc")
		}
		for _, object := range []client.Object{
			&discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "bob", Name: name}},
			&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "bob", Name: name}},
		} {
			if err := client.IgnoreNotFound(bob.client.Delete(t.Context(), object)); err != nil {
				t.Fatal(err)
			}
		}
	}
	load.pass(t, 100)
	load.checkFlawless(t, 100)
}

// TestTrafficFlowsWhileTheControlPlaneIsDown: Envoy keeps what it has while nobody can tell it anything, and goes on as if nothing had been
// when the control plane is back.
func TestTrafficFlowsWhileTheControlPlaneIsDown(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8004")
	if err := bob.serve(t.Context(), "durable", 8004); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "durable.bob.svc")
	load := startLoad(t, alice, "durable.bob.svc")
	load.pass(t, 50)
	for _, d := range []*domain{alice, bob} {
		if err := d.kill(); err != nil {
			t.Fatal(err)
		}
	}
	away := time.NewTimer(5 * time.Second)
	defer away.Stop()
	select {
	case <-away.C:
	case <-t.Context().Done():
	}
	for _, d := range []*domain{alice, bob} {
		if err := d.start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := bob.serve(t.Context(), "afterwards", 8004); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "afterwards.bob.svc")
	load.checkFlawless(t, 500)
}

// TestARestartInPlaceCostsNoRequest: the way to take up another version of the program.
func TestARestartInPlaceCostsNoRequest(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8008")
	if err := bob.serve(t.Context(), "upgraded", 8008); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "upgraded.bob.svc")
	load := startLoad(t, alice, "upgraded.bob.svc")
	load.pass(t, 50)
	pid := bob.envoy(t)
	out, err := exec.CommandContext(t.Context(), bob.binary, "restart", "--home", bob.home).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if now := bob.envoy(t); now != pid {
		t.Errorf("the Envoy is process %d, was %d", now, pid)
	}
	load.pass(t, 50)
	load.checkFlawless(t, 100)
}

// TestAKilledEnvoyIsBackWithItsDoorsProvedAgain: what a gateway carries breaks with its process; a new one is there at once and serves only after
// it has been seen to refuse who has no token.
func TestAKilledEnvoyIsBackWithItsDoorsProvedAgain(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8007")
	if err := bob.serve(t.Context(), "surviving", 8007); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "surviving.bob.svc")
	for _, d := range []*domain{bob, alice} {
		pid := d.envoy(t)
		proof := filepath.Join(d.home, "var", "run", "envoy", "proven")
		before, err := os.ReadFile(proof)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		awaitEnvoy(t, d, pid)
		await(t, alice, "surviving.bob.svc")
		if after, err := os.ReadFile(proof); err != nil || bytes.Equal(before, after) {
			t.Errorf("the Envoy of %s serves without a proof of its own: %v", d.id, err)
		}
	}
}

// envoy is the process id of the domain's Envoy, as this machine counts. The domain counts in a namespace of its own.
func (d *domain) envoy(t *testing.T) int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		line, err := os.ReadFile(file)
		if err == nil && bytes.HasPrefix(line, []byte(os.Getenv("ENVOY")+"\x00-c\x00"+d.home+"/")) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	return 0
}

// awaitEnvoy waits until the domain has another Envoy than the one that was killed.
func awaitEnvoy(t *testing.T, d *domain, killed int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if pid := d.envoy(t); pid != 0 && pid != killed {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no Envoy came after the one of %s that was killed", d.id)
		}
	}
}
