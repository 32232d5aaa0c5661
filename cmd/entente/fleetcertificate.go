package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A fleetCertificate is what the server proves itself with, taken up anew when its files change.
type fleetCertificate struct {
	// Set once in newFleetCertificate.
	file, key string
	log       *slog.Logger
	ready     chan struct{}

	newest atomic.Pointer[tls.Certificate] // written by newFleetCertificate and Run
}

// newFleetCertificate reads the files, or says what is wrong with them.
func newFleetCertificate(file, key string, log *slog.Logger) (*fleetCertificate, error) {
	c := &fleetCertificate{file: file, key: key, log: log, ready: make(chan struct{})}
	return c, c.load(time.Now())
}

// load reads the files and judges them as Envoys will.
func (c *fleetCertificate) load(now time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.file, c.key)
	if err != nil {
		return fmt.Errorf("--certificate %s and --key %s: %w; give a certificate and its own key in PEM", c.file, c.key, err)
	}
	switch leaf := pair.Leaf; {
	case now.After(leaf.NotAfter):
		err = fmt.Errorf("it expired at %s; renew it", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		err = fmt.Errorf("it is valid only from %s; check the clock", leaf.NotBefore.UTC().Format(time.RFC3339))
	case len(leaf.DNSNames) == 0:
		err = errors.New("it has no DNS name, by which Envoys know the server; have it issued with one")
	}
	if err != nil {
		return fmt.Errorf("--certificate %s: %w", c.file, err)
	}
	c.newest.Store(&pair)
	return nil
}

// get is the certificate of now.
func (c *fleetCertificate) get() (*tls.Certificate, error) { return c.newest.Load(), nil }

// String names the part.
func (*fleetCertificate) String() string { return "server certificate" }

// Ready is closed when no change can be missed any more.
func (c *fleetCertificate) Ready() <-chan struct{} { return c.ready }

// Run follows the files until ctx ends. It watches their folders, since files are replaced and not written.
func (c *fleetCertificate) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the certificate: %w", err)
	}
	defer watcher.Close()
	for _, file := range []string{c.file, c.key} {
		if err := watcher.Add(filepath.Dir(file)); err != nil {
			return fmt.Errorf("watch the certificate: %w", err)
		}
	}
	close(c.ready)
	for said := ""; ; {
		err := c.load(time.Now())
		switch {
		case err == nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			c.log.Warn("the server keeps its certificate: the new one cannot be used", "error", err) // files may be half written
		}
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-watcher.Events:
			if !open {
				return fsnotify.ErrClosed
			}
		case err := <-watcher.Errors:
			c.log.Warn("watching the certificate; a change may be missed", "error", err)
		}
	}
}
