package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/xds/serve"
)

const (
	// settleTime is how long Envoys wait at the start for domains that are not there yet. Those that are late are refused until they are.
	settleTime = 10 * time.Second
	// probes is how many gateways are proved at a time.
	probes = 16
)

// fleetDomains serves each domain that has a folder, as long as it has one. What is wrong with one domain is said, and never stops another.
type fleetDomains struct {
	// Set once in newFleetDomains.
	fleet   *fleet
	objects client.Client
	salt    []byte
	probes  chan struct{} // full while as many gateways are proved as may be
	ready   chan struct{}

	mu sync.RWMutex
	// Guarded by mu.
	served map[string]*fleetDomain
	faults map[string]string // what is wrong with folders, by name
}

func newFleetDomains(f *fleet) (*fleetDomains, error) {
	objects, err := newObjects(f.rest)
	if err != nil {
		return nil, err
	}
	salt, err := f.home.salt()
	if err != nil {
		return nil, err
	}
	return &fleetDomains{
		fleet: f, objects: objects, salt: salt, probes: make(chan struct{}, probes), ready: make(chan struct{}),
		served: map[string]*fleetDomain{}, faults: map[string]string{},
	}, nil
}

// String names the part.
func (*fleetDomains) String() string { return "domains" }

// Ready is closed when each domain that was there at the start has become ready, or failed, or has had time enough.
func (d *fleetDomains) Ready() <-chan struct{} { return d.ready }

// Run follows the folders until ctx ends.
func (d *fleetDomains) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the domains: %w", err)
	}
	defer watcher.Close()
	if err := watcher.Add(d.fleet.flags.domains); err != nil {
		return fmt.Errorf("watch the domains: %w", err)
	}
	defer d.stopAll()
	if err := d.scan(ctx, watcher); err != nil {
		return err
	}
	if !d.settled(ctx) {
		return nil
	}
	close(d.ready)
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-watcher.Events:
			if !open {
				return fsnotify.ErrClosed
			}
		case err := <-watcher.Errors:
			d.fleet.log.Warn("watching the domains' folders; all are read anew", "error", err)
		}
		if err := d.scan(ctx, watcher); err != nil {
			d.fleet.log.Error("the domains stay as they are", "error", err)
		}
	}
}

// settled waits for the domains of the first scan. It is false when ctx has ended.
func (d *fleetDomains) settled(ctx context.Context) bool {
	patience := time.NewTimer(settleTime)
	defer patience.Stop()
	for _, one := range d.all() {
		select {
		case <-one.settled:
		case <-patience.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// scan makes what is served follow the folders.
func (d *fleetDomains) scan(ctx context.Context, watcher *fsnotify.Watcher) error {
	entries, err := os.ReadDir(d.fleet.flags.domains)
	if err != nil {
		return fmt.Errorf("read the folder of domains: %w", err)
	}
	found := map[string]bool{}
	for _, entry := range entries {
		dir := filepath.Join(d.fleet.flags.domains, entry.Name())
		if strings.HasPrefix(entry.Name(), ".") || !isDir(dir) {
			continue
		}
		found[entry.Name()] = true
		// Before it is read, so that no change is missed. A folder that is gone again is seen at the next event.
		if err := watcher.Add(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			d.fleet.log.Error("changes of a domain's folder will not be seen", "folder", dir, "error", err)
		}
		d.follow(ctx, dir)
	}
	for _, one := range d.all() {
		if !found[one.folder.domain] {
			d.fleet.log.Info("a domain is served no more", "domain", one.folder.domain)
			d.stop(one)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.faults {
		if !found[name] {
			delete(d.faults, name)
		}
	}
	return nil
}

// follow serves a domain as its folder says now. A folder that cannot be used leaves the domain as it is: files may be half written.
func (d *fleetDomains) follow(ctx context.Context, dir string) {
	name := filepath.Base(dir)
	folder, err := readFleetFolder(dir)
	if !d.judge(name, err) {
		return
	}
	d.mu.RLock()
	before := d.served[name]
	d.mu.RUnlock()
	if before != nil {
		if before.folder.sum == folder.sum {
			return
		}
		d.fleet.log.Info("the folder of a domain has changed; the domain is begun anew", "domain", name)
		d.stop(before)
	}
	if folder.shared {
		d.fleet.log.Warn("others can read the private key of a domain; close it: chmod 600", "domain", name, "file", filepath.Join(dir, folderKey))
	}
	one := newFleetDomain(d, folder)
	d.mu.Lock()
	d.served[name] = one
	d.mu.Unlock()
	one.start(ctx)
}

// judge notes whether a folder can be used, and says so when that has changed.
func (d *fleetDomains) judge(name string, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.faults, name)
		return true
	}
	if d.faults[name] != err.Error() {
		d.faults[name] = err.Error()
		d.fleet.log.Error("the folder of a domain cannot be used; it is read again when it changes", "domain", name, "served", d.served[name] != nil, "error", err)
	}
	return false
}

// stop ends a domain: first nobody gets in any more, then those who are in are sent away.
func (d *fleetDomains) stop(one *fleetDomain) {
	d.mu.Lock()
	delete(d.served, one.folder.domain)
	d.mu.Unlock()
	one.stop()
}

func (d *fleetDomains) stopAll() {
	for _, one := range d.all() {
		d.stop(one)
	}
}

// all are the domains that are served, by name.
func (d *fleetDomains) all() []*fleetDomain {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []*fleetDomain
	for _, one := range d.served {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *fleetDomain) int { return strings.Compare(a.folder.domain, b.folder.domain) })
	return all
}

// roots are the authorities of a domain; nil when it is not served.
func (d *fleetDomains) roots(domain string) *x509.CertPool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if one := d.served[domain]; one != nil {
		return one.folder.roots
	}
	return nil
}

// Open shows a stream what its gateway sees. It satisfies serve.Views.
func (d *fleetDomains) Open(domain, gateway string) (serve.View, error) {
	d.mu.RLock()
	one := d.served[domain]
	d.mu.RUnlock()
	if one == nil {
		return serve.View{}, fmt.Errorf("%w: the domain has no folder", serve.ErrUnknown)
	}
	life := one.life.Load()
	if life == nil {
		return serve.View{}, fmt.Errorf("%w yet: the domain is not ready; `entente gateway status` says why", serve.ErrUnknown)
	}
	return life.open(gateway)
}
