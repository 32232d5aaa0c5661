// Package store keeps the API server's objects: every write that it acknowledged is there after any kind of stop, and
// what it cannot trust it refuses with the reason and the remedy.
//
// By default the objects live in an SQLite database in the data home, served to the API server as etcd on a Unix socket
// by kine. MySQL, PostgreSQL and etcd can take its place.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	kinetls "github.com/k3s-io/kine/pkg/tls"
	"google.golang.org/grpc"

	"github.com/entente-mesh/entente/internal/run"
)

const (
	socketFile = "kine.sock"
	maxSocket  = 107 // bytes; sun_path of unix(7) less its closing zero
	drainTime  = 2 * time.Second
)

// Config says where the objects live. Zero values mean the embedded store with full durability.
type Config struct {
	Dir    string // folder of the embedded store; created with mode 0700
	RunDir string // folder of the socket, short and of this process alone; created with mode 0700

	Datastore string // datastoreEndpoint as the user wrote it; empty for the embedded store

	// CAFile, CertFile and KeyFile are PEM files for TLS to an external datastore; empty for none.
	CAFile, CertFile, KeyFile string

	// Synchronous is SQLite's: empty or FULL survives power loss, NORMAL only the death of the process, at more writes
	// per second.
	Synchronous string

	Log *slog.Logger // nil discards
}

// Endpoint is what the API server's --etcd-* flags take.
type Endpoint struct {
	Servers                   []string // --etcd-servers
	CAFile, CertFile, KeyFile string   // --etcd-cafile, --etcd-certfile, --etcd-keyfile; empty for none
}

// Store is one datastore, opened by Run.
type Store struct {
	// Set once in New.
	cfg    Config
	ds     Datastore
	log    *slog.Logger
	socket string
	vacuum bool // the embedded store is mostly free space
	ready  chan struct{}
}

var _ run.Task = (*Store)(nil)

// New checks everything that people get wrong: the endpoint, the folders, the version and the health of the embedded
// store, whether another process holds it, whether an external one answers. For the embedded store that takes under a
// second, for an external one up to five. New holds nothing open.
func New(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{cfg: cfg, log: cfg.Log, ready: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.ds, err = ParseDatastore(cfg.Datastore); err != nil {
		return nil, err
	}
	switch cfg.Synchronous {
	case "":
		s.cfg.Synchronous = "FULL"
	case "FULL", "NORMAL":
	default:
		return nil, fmt.Errorf("store durability %q is unknown; use FULL or NORMAL", cfg.Synchronous)
	}
	if s.ds.Kind != Etcd {
		if err := s.placeSocket(); err != nil {
			return nil, err
		}
	}
	if s.ds.Kind != SQLite {
		if err := s.ds.reach(ctx, s.tlsFiles()); err != nil {
			return nil, err
		}
		return s, nil
	}
	if s.cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, fmt.Errorf("store folder: %w", err)
	}
	if err := plainPath(s.cfg.Dir); err != nil {
		return nil, err
	}
	if err := makeWritable(s.cfg.Dir); err != nil {
		return nil, err
	}
	release, err := hold(filepath.Join(s.cfg.Dir, lockFile))
	if err != nil {
		return nil, err
	}
	s.vacuum, err = s.examine(ctx)
	if err := errors.Join(err, release()); err != nil {
		return nil, err
	}
	return s, nil
}

// placeSocket decides where the socket will be and makes its folder.
func (s *Store) placeSocket() error {
	dir, err := filepath.Abs(s.cfg.RunDir)
	if err != nil {
		return fmt.Errorf("store's run folder: %w", err)
	}
	s.socket = filepath.Join(dir, socketFile)
	if len(s.socket) > maxSocket {
		return fmt.Errorf("socket path %s is %d bytes long, and the system allows %d; choose a run folder with a shorter path",
			s.socket, len(s.socket), maxSocket)
	}
	if err := plainPath(s.socket); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the store's run folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close the store's run folder to others: %w", err)
	}
	return nil
}

func (s *Store) database() string { return filepath.Join(s.cfg.Dir, databaseFile) }

func (s *Store) tlsFiles() kinetls.Config {
	return kinetls.Config{CAFile: s.cfg.CAFile, CertFile: s.cfg.CertFile, KeyFile: s.cfg.KeyFile}
}

// examine reads the marker and looks at the database.
func (s *Store) examine(ctx context.Context) (vacuum bool, err error) {
	old, err := readMarker(s.cfg.Dir)
	if err != nil {
		return false, err
	}
	vacuum, err = inspect(ctx, s.database(), old != nil)
	if d, ok := errors.AsType[damage](err); ok {
		err = mark(ErrCorrupt, fmt.Errorf("store %s is damaged: %w; %s", s.database(), d, remedy))
	}
	return vacuum, err
}

// String implements run.Task.
func (s *Store) String() string { return "store (" + s.ds.String() + ")" }

// Ready implements run.Task.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Endpoint tells the API server where to connect. It is valid after New; the embedded store answers there once Ready.
func (s *Store) Endpoint() Endpoint {
	if s.ds.Kind == Etcd {
		return Endpoint{Servers: s.ds.Servers, CAFile: s.cfg.CAFile, CertFile: s.cfg.CertFile, KeyFile: s.cfg.KeyFile}
	}
	return Endpoint{Servers: []string{"unix://" + s.socket}}
}

// Run serves until ctx ends, then answers what is in flight, writes the log back into the database and closes it. End
// the API server first: its watches would hold up the stop for two seconds.
func (s *Store) Run(ctx context.Context) (err error) {
	if s.ds.Kind == Etcd { // the API server speaks to it by itself
		close(s.ready)
		<-ctx.Done()
		return nil
	}
	endpoint := s.ds.dsn
	if s.ds.Kind == SQLite {
		release, held := hold(filepath.Join(s.cfg.Dir, lockFile))
		if held != nil {
			return held
		}
		defer func() { err = errors.Join(err, release()) }()
		if endpoint, err = s.prepare(); err != nil {
			return err
		}
	}
	k, err := openKine(ctx, endpoint, s.tlsFiles(), s.log)
	if ctx.Err() != nil {
		if k != nil {
			k.close()
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %s", s.ds, s.ds.scrub(err))
	}
	if s.ds.Kind == SQLite {
		if err := s.markOpened(); err != nil {
			k.close()
			return err
		}
	}
	err = s.serve(ctx, k)
	k.close()
	if s.ds.Kind == SQLite {
		err = errors.Join(err, s.checkpoint(context.WithoutCancel(ctx)))
	}
	return err
}

// prepare closes the database to others, now under the lock, and returns kine's endpoint for it.
func (s *Store) prepare() (endpoint string, err error) {
	// SQLite gives the mode of the database to the log beside it.
	f, err := os.OpenFile(s.database(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", fmt.Errorf("open the store: %w", err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return "", fmt.Errorf("close the store to others: %w", err)
	}
	endpoint = "sqlite://" + s.database() +
		"?_journal_mode=WAL&_busy_timeout=30000&_txlock=immediate&_stmt_cache_size=20&_synchronous=" + s.cfg.Synchronous
	if !s.vacuum { // rewriting a large store would delay every start
		endpoint += "&_kine_disable_startup_vacuum=true"
	}
	return endpoint, nil
}

// markOpened says in the marker that this version opened the store. The marker comes after the tables: a start that died
// between the two is seen as an old store or a fresh one, never as a damaged one.
func (s *Store) markOpened() error {
	old, err := readMarker(s.cfg.Dir)
	if err != nil {
		return err
	}
	next := nextMarker(old, time.Now())
	if old != nil && *old == next {
		return nil
	}
	if err := writeMarker(s.cfg.Dir, next); err != nil {
		return err
	}
	if old == nil || old.Product != next.Product {
		s.log.Info("store marked", "dir", s.cfg.Dir, "format", next.Format, "product", next.Product)
	}
	return nil
}

// serve answers on the socket until ctx ends or the listener fails.
func (s *Store) serve(ctx context.Context, k *kine) error {
	ln, err := s.listen(ctx)
	if err != nil {
		return err
	}
	srv := k.grpcServer()
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	close(s.ready)
	select {
	case err := <-failed:
		srv.Stop()
		return fmt.Errorf("serve the store on %s: %w", s.socket, err)
	case <-ctx.Done():
	}
	timer := time.AfterFunc(drainTime, srv.Stop)
	srv.GracefulStop()
	timer.Stop()
	if err := <-failed; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve the store on %s: %w", s.socket, err)
	}
	return nil
}

// listen takes the place of a socket that a killed process left, but not that of one that answers.
func (s *Store) listen(ctx context.Context) (net.Listener, error) {
	info, err := os.Lstat(s.socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("look at the store's socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is in the way of the store's socket; move it away", s.socket)
	default:
		dialer := net.Dialer{Timeout: time.Second}
		if c, err := dialer.DialContext(ctx, "unix", s.socket); err == nil {
			return nil, errors.Join(mark(ErrInUse, fmt.Errorf("another process serves on %s; stop it first", s.socket)), c.Close())
		}
		if err := os.Remove(s.socket); err != nil {
			return nil, fmt.Errorf("remove a stale socket: %w", err)
		}
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", s.socket)
	if err != nil {
		return nil, fmt.Errorf("open the store's socket: %w", err)
	}
	if err := os.Chmod(s.socket, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("close the store's socket to others: %w", err), ln.Close())
	}
	return ln, nil
}

// checkpoint moves what the write-ahead log holds into the database, after which the log is removed: the folder can then
// be copied by hand.
func (s *Store) checkpoint(ctx context.Context) error {
	if log, err := os.Stat(s.database() + "-wal"); err != nil || log.Size() == 0 {
		return nil // the last connection to close has done it
	}
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	db, err := sql.Open(sqliteDriver, "file:"+s.database()+"?_busy_timeout=1000")
	if err == nil {
		_, err = db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		return fmt.Errorf("write the log back into store %s: %w", s.database(), err)
	}
	return nil
}
