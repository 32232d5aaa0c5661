package store

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAKilledProcessLosesNothingThatItAcknowledged(t *testing.T) {
	t.Parallel()
	dir, run := filepath.Join(t.TempDir(), "store"), runDir(t)
	const kills, writers, each = 4, 4, 60
	acknowledged := make(map[string]string)
	var mu sync.Mutex
	for round := range kills {
		h := startHelper(t, dir, run)
		var wg sync.WaitGroup
		half := make(chan struct{}, writers)
		for w := range writers {
			wg.Go(func() {
				for i := 0; ; i++ {
					key := fmt.Sprintf("/registry/leases/%d/%d/%04d", round, w, i)
					if _, created, err := create(t.Context(), h.client, key, key); err != nil || !created {
						return // killed
					}
					mu.Lock()
					acknowledged[key] = key
					mu.Unlock()
					if i == each {
						half <- struct{}{}
					}
				}
			})
		}
		for range writers {
			<-half
		}
		h.kill() // in the middle of every writer's work
		if err := h.client.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	}
	s := start(t, Config{Dir: dir, RunDir: run}) // New judges the log that the killed process left
	there := content(t, s.client)
	missing := make(map[string]string)
	for key, value := range acknowledged {
		if there[key] != value {
			missing[key] = there[key]
		}
	}
	if len(acknowledged) < kills*writers*each {
		t.Errorf("only %d writes were acknowledged", len(acknowledged))
	}
	if diff := cmp.Diff(map[string]string{}, missing); diff != "" {
		t.Errorf("%d of %d acknowledged writes are lost: %s", len(missing), len(acknowledged), diff)
	}
	t.Logf("%d writes acknowledged over %d kills, %d lost", len(acknowledged), kills, len(missing))
}
