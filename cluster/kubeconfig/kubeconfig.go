// Package kubeconfig reaches a Kubernetes cluster that others run: New checks the credentials' file, Run makes sure that the
// API server behind it is ready and new enough, and from then on says in the log when it goes away and comes back.
package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// The waiting times.
const (
	// patience is how long Run waits for a server that may be starting just now.
	patience = 10 * time.Second
	// checkEvery is the time between two looks at a healthy server; clients notice a break by themselves, this is for the log.
	checkEvery = 15 * time.Second
	// firstRetry and lastRetry bound the growing time between two looks at a server that is away.
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// Config names the cluster.
type Config struct {
	// File is the kubeconfig. It is read once; credential files that it names are read again when they change.
	File string
	// Context is the context to use; empty means the file's current one.
	Context string
	// Log receives when the server goes away and comes back; nil discards it.
	Log *slog.Logger
}

// Server is an API server that others run.
type Server struct {
	// Set once in the constructor.
	name     string
	rest     *rest.Config
	log      *slog.Logger
	patience time.Duration
	ready    chan struct{}

	version atomic.Pointer[Version]
}

// New reads the kubeconfig and the credentials that it names. It does not connect.
func New(c Config) (*Server, error) {
	conf, err := load(c.File, c.Context)
	if err != nil {
		return nil, err
	}
	s := Of("cluster "+conf.Host, conf, c.Log)
	if _, _, err := s.client(); err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w: correct the entry, or fetch the kubeconfig again", c.File, err)
	}
	if conf.Insecure {
		s.log.Warn("the kubeconfig switches the check of the API server's certificate off: whoever is on the way to it can take its place", "file", c.File)
	}
	return s, nil
}

// Of is a server whose credentials the caller already has; name is how the log and errors call it. Files that conf names may
// still be missing: they are read when Run or Probe connects.
func Of(name string, conf *rest.Config, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	conf = rest.CopyConfig(conf)
	conf.UserAgent = "entente"
	// The API server shares itself out among its clients (priority and fairness); a second limit here would only slow starts.
	conf.QPS = -1
	return &Server{name: name, rest: conf, log: log, patience: patience, ready: make(chan struct{})}
}

// load reads one context of a kubeconfig.
func load(file, context string) (*rest.Config, error) {
	if file == "" {
		return nil, errors.New("no kubeconfig is named: give the path of the cluster's kubeconfig")
	}
	raw, err := clientcmd.LoadFromFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("kubeconfig %s does not exist: correct the path, or copy the cluster's kubeconfig there", file)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("kubeconfig %s may not be read by this user (uid %d): make a copy that this user owns, with mode 0600", file, os.Getuid())
	case err != nil:
		return nil, fmt.Errorf("kubeconfig %s cannot be read: %w: fetch it from the cluster again", file, oneLine(err))
	}
	if err := checkContext(file, context, raw); err != nil {
		return nil, err
	}
	if err := clientcmd.ResolveLocalPaths(raw); err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", file, oneLine(err))
	}
	conf, err := clientcmd.NewNonInteractiveClientConfig(*raw, context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w: correct the entry, or fetch the kubeconfig again", file, oneLine(err))
	}
	return conf, nil
}

// checkContext makes sure that the wanted context is there and whole, and lists the others when it is not there.
func checkContext(file, context string, raw *clientcmdapi.Config) error {
	names := strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", ")
	switch {
	case len(raw.Contexts) == 0:
		return fmt.Errorf("kubeconfig %s holds no context: fetch it from the cluster again", file)
	case context == "" && raw.CurrentContext == "":
		return fmt.Errorf("kubeconfig %s has no current context: name one of %s", file, names)
	case context == "":
		context = raw.CurrentContext
	}
	chosen := raw.Contexts[context]
	if chosen == nil {
		return fmt.Errorf("kubeconfig %s has no context %q: name one of %s", file, context, names)
	}
	if raw.Clusters[chosen.Cluster] == nil {
		return fmt.Errorf("kubeconfig %s: context %q names the cluster %q, which is not there: correct the entry, or fetch the kubeconfig again", file, context, chosen.Cluster)
	}
	// client-go would go on without a user, as nobody.
	if chosen.AuthInfo != "" && raw.AuthInfos[chosen.AuthInfo] == nil {
		return fmt.Errorf("kubeconfig %s: context %q names the user %q, which is not there: correct the entry, or fetch the kubeconfig again", file, context, chosen.AuthInfo)
	}
	return nil
}

// oneLine keeps an error of a library on one line.
func oneLine(err error) error { return errors.New(strings.Join(strings.Fields(err.Error()), " ")) }

// REST returns a copy of the client configuration.
func (s *Server) REST() *rest.Config { return rest.CopyConfig(s.rest) }

// ServerVersion is the version that the server had when it became ready; zero before that.
func (s *Server) ServerVersion() Version {
	if v := s.version.Load(); v != nil {
		return *v
	}
	return Version{}
}

// Ready is closed when the server is ready and new enough.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// String names the server.
func (s *Server) String() string { return s.name }

// Run connects and then watches over the connection until ctx ends. It fails only before it is ready: with the reason and
// the remedy, at once when waiting cannot help, else after ten seconds. A server that goes away later is reported, not
// returned: the clients try again by themselves.
func (s *Server) Run(ctx context.Context) error {
	v, err := s.connect(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	s.version.Store(&v)
	close(s.ready)
	s.watch(ctx)
	return nil
}

// connect asks until the server is ready, or until it is clear that it will not be.
func (s *Server) connect(ctx context.Context) (Version, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	var last error // the reason before time ran out
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		v, err := s.Probe(ctx)
		if err == nil && v.Before(Oldest()) {
			return Version{}, fmt.Errorf("%s has Kubernetes %s, which is older than %s: upgrade the cluster, or let Entente run its own (cluster kind embedded)", s.name, v, Oldest())
		}
		if err == nil {
			return v, nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		what := explain(last)
		if !what.again || !pause(ctx, wait) {
			return Version{}, fmt.Errorf("%s: %s: %s", s.name, what.reason, what.remedy)
		}
	}
}

// watch looks at the server from time to time and reports each change once.
func (s *Server) watch(ctx context.Context) {
	wait, away := checkEvery, false
	for pause(ctx, wait) {
		_, err := s.Probe(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && away:
			away = false
			s.log.Info("the API server is back", "server", s.name)
		case err != nil && !away:
			away = true
			what := explain(err)
			s.log.Warn("the API server is away; clients keep trying", "server", s.name, "reason", what.reason, "remedy", what.remedy)
			wait = firstRetry
			continue
		}
		if wait = checkEvery; away {
			wait = lastRetry
		}
	}
}

// pause waits, and says false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
