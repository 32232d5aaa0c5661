package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/entente-mesh/entente/internal/lab/entente"
)

// A node is killed again and again, under writes and while it starts. What the API server has acknowledged is there at the end.
func TestWhatWasAcknowledgedSurvivesEveryKill(t *testing.T) {
	t.Parallel()
	const (
		perKill  = 60
		inFlight = 4
	)
	kills := 20
	if os.Getenv("ENTENTE_LONG") != "" {
		kills = 200
	}
	writes := 50 * kills
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	home := filepath.Join(t.TempDir(), "home")
	acknowledged := map[string]int{} // config map -> value, at least

	for round := range kills {
		node := entente.Start(t, entente.Config{Home: home})
		client, err := kubernetes.NewForConfig(node.REST(t))
		if err != nil {
			t.Fatal(err)
		}
		writeUntilKilled(t, client, node, round, perKill, inFlight, acknowledged)
		if round%5 == 0 { // one that dies while it starts, at any moment
			infant := entente.Launch(t, entente.Config{Home: home})
			<-time.After(time.Duration(chance.IntN(2500)) * time.Millisecond)
			infant.Kill()
		}
	}
	if len(acknowledged) < writes {
		t.Fatalf("only %d writes were acknowledged, want at least %d: the test proves too little", len(acknowledged), writes)
	}

	node := entente.Start(t, entente.Config{Home: home})
	client, err := kubernetes.NewForConfig(node.REST(t))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	list, err := client.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{LabelSelector: "story=kill"})
	if err != nil {
		t.Fatal(err)
	}
	for _, cm := range list.Items {
		found[cm.Name], _ = strconv.Atoi(cm.Data["n"]) // a missing value is 0, which is less than every acknowledged one
	}
	lost := 0
	for name, value := range acknowledged {
		if found[name] < value {
			lost++
			t.Errorf("%s = %d, but %d was acknowledged", name, found[name], value)
		}
	}
	t.Logf("%d writes acknowledged over %d kills, %d lost", len(acknowledged), kills, lost)
}

// writeUntilKilled creates and updates config maps until enough are acknowledged, then kills the node under the writers' hands.
func writeUntilKilled(t *testing.T, client kubernetes.Interface, node *entente.Process, round, enough, writers int, acknowledged map[string]int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var (
		mu    sync.Mutex
		count int
		wg    sync.WaitGroup
	)
	full := make(chan struct{})
	acknowledge := func(name string, value int) {
		mu.Lock()
		defer mu.Unlock()
		acknowledged[name] = value
		if count++; count == enough*2 {
			close(full)
		}
	}
	for w := range writers {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				cm := &corev1.ConfigMap{Data: map[string]string{"n": "1"}}
				cm.Name = fmt.Sprintf("kill-%d-%d-%d", round, w, i)
				cm.Labels = map[string]string{"story": "kill"}
				created, err := client.CoreV1().ConfigMaps("default").Create(ctx, cm, metav1.CreateOptions{})
				if err != nil {
					return // the node is dead
				}
				acknowledge(cm.Name, 1)
				created.Data["n"] = "2"
				if _, err := client.CoreV1().ConfigMaps("default").Update(ctx, created, metav1.UpdateOptions{}); err != nil {
					return
				}
				acknowledge(cm.Name, 2)
			}
		})
	}
	select {
	case <-full:
	case <-ctx.Done():
	}
	node.Kill()
	cancel()
	wg.Wait()
}
