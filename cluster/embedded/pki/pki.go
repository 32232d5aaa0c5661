// Package pki keeps the keys and certificates of one embedded control plane: whoever opens the folder gets a complete,
// currently valid set, and who keeps it open gets every certificate renewed in its place long before it ends.
package pki

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// lookAgain bounds how long Run trusts its timer: a machine that slept or whose clock was set is noticed within an hour.
const lookAgain = time.Hour

// Config says for whom the certificates are made. The zero value serves clients on this machine alone.
type Config struct {
	// SANs are names (or addresses in text form) under which clients reach the API server, besides localhost and the
	// names of the kubernetes service, which are always there.
	SANs []string
	// IPs are addresses under which clients reach the API server, besides 127.0.0.1 and ::1, which are always there. The
	// first address of the service range belongs here: pods connect to it.
	IPs []netip.Addr
	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// Log receives what was created, renewed and repaired; nil discards it.
	Log *slog.Logger
}

// PKI is an opened folder of keys and certificates. Its methods may be called from several goroutines; one process at a
// time may hold a folder open.
type PKI struct {
	// Files are the paths that the control plane's flags name; set once in Open.
	Files Files

	// Set once in Open.
	dir         string
	now         func() time.Time
	log         *slog.Logger
	leaves      []leaf
	authorities map[string]*authority
	ready       chan struct{}

	// current is replaced as a whole by Renew.
	current atomic.Pointer[map[string]*pair]
}

// TLS is what a client needs to speak to the API server as one user, in PEM.
type TLS struct {
	CA   []byte
	Cert []byte
	Key  []byte
}

// Open loads the folder dir, creates what is missing, repairs file modes, and renews what is due. It fails, naming the file,
// the reason and the remedy, when a file cannot be read or used, or when an authority is not valid now.
func Open(dir string, c Config) (*PKI, error) {
	dns, ips, err := servingNames(c.SANs, c.IPs)
	if err != nil {
		return nil, err
	}
	p := &PKI{
		Files: layout(dir), dir: dir, now: c.Now, log: c.Log,
		leaves: leaves(dns, ips), authorities: map[string]*authority{}, ready: make(chan struct{}),
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if err := prepareFolder(dir, p.log); err != nil {
		return nil, err
	}
	now := p.now()
	for _, name := range authorityNames {
		a, err := openAuthority(dir, name, now, p.log)
		if err != nil {
			return nil, err
		}
		p.authorities[name] = a
	}
	if err := p.openServiceAccountKey(); err != nil {
		return nil, err
	}
	have := map[string]*pair{}
	for _, l := range p.leaves {
		h, err := readPair(dir, l.name, p.log)
		if err != nil {
			return nil, err
		}
		have[l.name] = h
	}
	p.current.Store(&have)
	if _, err := p.Renew(now); err != nil {
		return nil, err
	}
	return p, syncFolder(dir)
}

// openServiceAccountKey loads the key that signs service-account tokens, or makes it. Nothing but the tokens depends on it,
// so a lost key is replaced with a warning instead of stopping the control plane.
func (p *PKI) openServiceAccountKey() error {
	_, found, err := readKey(p.Files.ServiceAccountKey, p.log)
	if err != nil || found {
		return err
	}
	if p.authorities[serverCA].created {
		p.log.Info("service-account key created", "file", p.Files.ServiceAccountKey)
	} else {
		p.log.Warn("service-account key was missing and is made anew: tokens that it signed are no longer valid", "file", p.Files.ServiceAccountKey)
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	return writeSigner(p.Files.ServiceAccountKey, key)
}

// Renew signs every certificate that is due at now, each with a fresh key, and replaces its file in one step. It returns the
// names of the renewed certificates; a failure leaves the old file in place.
func (p *PKI) Renew(now time.Time) (renewed []string, err error) {
	have := maps.Clone(*p.current.Load())
	defer p.current.Store(&have) // also what was renewed before a failure
	for _, l := range p.leaves {
		a := p.authorities[l.authority]
		reason := due(l, have[l.name].certificate(), a.cert, now)
		if reason == "" {
			continue
		}
		signed, err := signLeaf(l, a, now)
		if err != nil {
			return renewed, err
		}
		if err := writePair(p.dir, l.name, signed); err != nil {
			return renewed, err
		}
		have[l.name] = signed
		renewed = append(renewed, l.name)
		p.log.Info("certificate signed", "certificate", l.name, "reason", reason, "notAfter", signed.cert.NotAfter)
	}
	return renewed, nil
}

// NextRenewal is the earliest time at which a certificate becomes due, zero when no renewal can prolong any of them
// because the authorities end first.
func (p *PKI) NextRenewal() time.Time {
	have := *p.current.Load()
	var next time.Time
	for _, l := range p.leaves {
		at := renewAt(have[l.name].certificate(), p.authorities[l.authority].cert)
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// Problems lists what a user must do something about before it breaks, in stable words; empty means all is well.
func (p *PKI) Problems() []string {
	now := p.now()
	var list []string
	for _, name := range authorityNames {
		if text := nearEnd(name, p.authorities[name].cert, now, p.dir); text != "" {
			list = append(list, text)
		}
	}
	return list
}

// AdminTLS returns the credentials of the local administrator (group system:masters). A client that lives long should
// name Files.AdminCert and Files.AdminKey instead, because the bytes returned here are not renewed.
func (p *PKI) AdminTLS() TLS {
	h := (*p.current.Load())[leafAdmin]
	return TLS{CA: pemCertificate(p.authorities[serverCA].cert), Cert: pemCertificate(h.cert), Key: h.keyPEM}
}

// Run renews certificates as they become due until ctx ends; it always returns nil. A renewal that fails (a full disk) is
// logged and tried again within the hour, which the renewal margin of months allows.
func (p *PKI) Run(ctx context.Context) error {
	close(p.ready)
	said := ""
	for {
		if problems := strings.Join(p.Problems(), "; "); problems != said {
			if said = problems; said != "" {
				p.log.Warn("control plane certificates need attention", "problems", said)
			}
		}
		wait := lookAgain
		if next := p.NextRenewal(); !next.IsZero() {
			wait = max(min(next.Sub(p.now()), lookAgain), time.Second)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if _, err := p.Renew(p.now()); err != nil {
			p.log.Error("renewing a certificate", "error", err)
		}
	}
}

// Ready is closed when Run watches over the certificates.
func (p *PKI) Ready() <-chan struct{} { return p.ready }

// String names the part.
func (p *PKI) String() string { return "certificates" }

// authority is one certificate authority with its key.
type authority struct {
	cert    *x509.Certificate
	key     signer
	created bool // in this Open
}

// openAuthority loads or creates one authority. A key without a certificate (a crash between the two writes, or a lost
// file) gets a certificate of the same name and key, so everything that the authority signed stays valid; a certificate
// without its key cannot be helped.
func openAuthority(dir, name string, now time.Time, log *slog.Logger) (*authority, error) {
	certFile, keyFile := authorityFiles(dir, name)
	key, haveKey, err := readKey(keyFile, log)
	if err != nil {
		return nil, err
	}
	cert, err := readCertificate(certFile, log)
	if err != nil {
		return nil, err
	}
	switch {
	case cert != nil && !haveKey:
		return nil, fmt.Errorf("authority %s: key file %s is missing: restore it from a backup, or remove %s to start a new authority (every kubeconfig must then be handed out again)", name, keyFile, certFile)
	case cert != nil:
		if !key.PublicKey.Equal(cert.PublicKey) {
			return nil, fmt.Errorf("authority %s: %s does not belong to the key %s: restore both from the same backup, or remove both to start a new authority (every kubeconfig must then be handed out again)", name, certFile, keyFile)
		}
		if err := usable(name, cert, now, dir); err != nil {
			return nil, err
		}
		return &authority{cert: cert, key: key}, nil
	}
	if !haveKey {
		if key, err = newKey(); err != nil {
			return nil, err
		}
		if err := writeKey(keyFile, key); err != nil {
			return nil, err
		}
	}
	if cert, err = signAuthority(name, key, now); err != nil {
		return nil, err
	}
	log.Info("certificate authority created", "authority", name, "notAfter", cert.NotAfter)
	return &authority{cert: cert, key: key, created: !haveKey}, writeFile(certFile, pemCertificate(cert))
}
