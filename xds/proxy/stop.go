package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/entente-mesh/entente/internal/child"
)

// Stop ends the Envoys of a private folder that were left running, and removes what they left. It lets their clients go elsewhere first, for
// at most so long; 0 means at once. No Proxy must be running on the folder. It returns nil when nothing is left, also if nothing was there.
func Stop(ctx context.Context, dir string, most time.Duration) error {
	all, err := readState(dir)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		drain(ctx, NewAdmin(AdminSocket(dir)), most)
	}
	var failures error
	for _, r := range slices.Backward(all) { // the newest first: at its end it looks for the one that it took over from
		if err := errors.Join(child.Stop(r.pidFile(dir), stopGrace), r.forget(dir, nil)); err != nil {
			failures = errors.Join(failures, fmt.Errorf("end Envoy of base id %d epoch %d: %w", r.Base, r.Epoch, err))
		}
	}
	if failures != nil {
		return failures
	}
	return remove(stateFile(dir))
}

// drain asks the clients of an Envoy to go elsewhere and waits until they have, but not longer than most. That it cannot ask is no reason
// not to go on: Envoy is about to be ended.
func drain(ctx context.Context, admin *Admin, most time.Duration) {
	if most <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if err := admin.DrainListeners(ctx); err != nil {
		return
	}
	// Envoy gives no sign when the last connection closes.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if stats, err := admin.Stats(ctx, `^listener\..*\.downstream_cx_active$`); err != nil || connections(stats) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// connections counts those of clients, from the statistics of listeners.
func connections(stats map[string]uint64) uint64 {
	var sum uint64
	for name, n := range stats {
		if !strings.HasPrefix(name, "listener.admin.") {
			sum += n
		}
	}
	return sum
}
