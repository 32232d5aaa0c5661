package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/entente-mesh/entente/internal/config"
	"github.com/entente-mesh/entente/internal/kubelog"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/internal/version"
)

func newStart() *cobra.Command {
	var (
		flags  nodeFlags
		follow bool
	)
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Start the node and run it until it is told to stop",
		Long: `Start the node that the configuration describes and run it until SIGTERM or Ctrl-C.

What can be wrong is found before anything starts: each mistake is one line that names the file and line, the reason and the remedy.`,
		Example: "  entente start -c kuscia.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := newNode(&flags, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			n.follow = follow
			return n.run(cmd.Context())
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVarP(&follow, "loglevel-hot-reload", "l", true, "take up a changed logLevel of the configuration file while running")
	return cmd
}

// A node is the process of `entente start`: what it was told, what it holds, and how far it is.
type node struct {
	config   *config.Config
	home     home
	follow   bool // take up a changed logLevel
	started  time.Time
	log      *slog.Logger
	level    slog.LevelVar
	usualGC  int       // of the garbage collector, in percent; set by hurry before anything starts
	say      io.Writer // for people: progress and complaints
	progress progress
	cluster  *clusterTask
	mesh     *meshTask   // nil when neither gateway nor name server is wanted
	again    atomic.Bool // restart in place after the stop
}

// newNode reads the configuration and refuses what cannot work, without touching anything that belongs to a running node.
func newNode(flags *nodeFlags, say io.Writer) (*node, error) {
	cfg, h, err := flags.load()
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(say, "entente: warning: "+w.Error())
	}
	if info, err := os.Stat(cfg.File()); err == nil && cfg.DomainKeyData != "" && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(say, "entente: warning: %s holds the domain's private key and others can read it; close it: chmod 600 %s\n", cfg.File(), cfg.File())
	}
	if cfg.Mode == config.Lite {
		return nil, cfg.Problem("mode", "a lite node runs a gateway and an agent, and this version has neither", "nothing was started; use master or autonomy, or a later version")
	}
	return &node{config: cfg, home: h, started: time.Now(), say: say}, nil
}

// run is the whole life of the process: take the data folder, start the parts, stop them, and perhaps begin again.
func (n *node) run(ctx context.Context) (err error) {
	if err := n.home.create(); err != nil {
		return err
	}
	lock, err := n.home.lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	closeLog := n.openLog()
	defer func() { err = errors.Join(err, closeLog()) }()
	if err := n.finishRestore(); err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	control, err := newControl(n.home.control(), func(ctx context.Context) any { return n.status(ctx) }, func() { n.again.Store(true); stop() })
	if err != nil {
		return err
	}
	parts, err := n.parts(ctx, control)
	if err != nil {
		return errors.Join(err, control.listener.Close())
	}
	n.announce()
	if err := n.live(ctx, parts); err != nil {
		return err
	}
	if n.again.Load() {
		return n.beginAgain(lock)
	}
	return nil
}

// parts puts together what the node consists of.
func (n *node) parts(ctx context.Context, control *control) (*run.Group, error) {
	parts := run.NewGroup("node", n.observe)
	parts.Add(control)
	if n.config.Debug {
		profiles, err := n.newProfiles()
		if err != nil {
			return nil, err
		}
		parts.Add(profiles)
	}
	if n.follow {
		parts.Add(newReload(n.config.File(), &n.level, n.log))
	}
	var err error
	if n.cluster, err = newClusterTask(n); err != nil {
		return nil, err
	}
	parts.Add(n.cluster)
	if e := n.config.Entente; e.Gateway.Enabled || e.DNS.Enabled {
		if n.mesh, err = newMeshTask(ctx, n); err != nil {
			return nil, err
		}
		parts.Add(n.mesh, n.cluster)
	}
	return parts, nil
}

// live runs the parts to their end and says what a person waits for.
func (n *node) live(ctx context.Context, parts *run.Group) error {
	n.progress.set(Starting, 0)
	n.hurry()
	var asked time.Time // when it was told to stop; read when the teller has ended
	returned := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() {
		select {
		case <-parts.Ready():
			n.ready()
		case <-ctx.Done():
		case <-returned:
		}
		select {
		case <-ctx.Done():
			asked = time.Now()
			n.progress.set(Stopping, 0)
			fmt.Fprintln(n.say, "stopping; once more ends it at once")
		case <-returned:
			if ctx.Err() != nil { // it was over before this could be told
				asked = time.Now()
			}
		}
	})
	err := parts.Run(ctx)
	close(returned)
	teller.Wait()
	if err == nil && !asked.IsZero() {
		fmt.Fprintf(n.say, "stopped in %s\n", round(time.Since(asked)))
	}
	n.log.Info("stopped", "error", err)
	return err
}

// worthSaying is how long a part must take to become ready for people to read about it.
const worthSaying = 10 * time.Millisecond

// announce says what is about to start, and what this version cannot start.
func (n *node) announce() {
	fmt.Fprintf(n.say, "entente %s: domain %s (%s) in %s\n", version.String(), n.config.DomainID, n.config.Mode, n.home.dir)
	n.log.Info("starting", "version", version.String(), "domain", n.config.DomainID, "mode", n.config.Mode)
}

// ready says how to go on.
func (n *node) ready() {
	took := time.Since(n.started)
	n.progress.set(Ready, took)
	n.settle()
	n.log.Info("ready", "took", took)
	fmt.Fprintf(n.say, "ready after %s. In another terminal:\n  export KUBECONFIG=%s\n  kubectl get crds\n", round(took), n.home.kubeconfig())
}

// startGC is how much garbage may gather while everything starts, in percent of what is in use. A start makes most of the garbage of an hour
// within two seconds, and collecting it at the usual pace takes a sixth of the processor time until ready. GOGC in the environment overrules it.
const startGC = 400

// hurry lets garbage gather until settle is called.
func (n *node) hurry() {
	if os.Getenv("GOGC") == "" {
		n.usualGC = debug.SetGCPercent(startGC)
	}
}

// settle goes back to the usual pace and gives back what the start has used.
func (n *node) settle() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(n.usualGC)
	}
	debug.FreeOSMemory()
}

// observe takes in what the parts report and passes on what a person waits for. The cluster and the mesh as a whole are left out: their
// parts report for themselves.
func (n *node) observe(e run.Event) {
	if n.cluster != nil && e.Task == n.cluster.String() || n.mesh != nil && e.Task == n.mesh.String() {
		return
	}
	n.progress.observe(e)
	switch {
	case e.Phase == run.Ready && e.Took >= worthSaying:
		fmt.Fprintf(n.say, "  %s ready in %s\n", e.Task, round(e.Took))
	case e.Phase == run.Waiting:
		fmt.Fprintf(n.say, "  %s failed, starting it again in %s: %v\n", e.Task, round(e.Retry), e.Err)
	}
	n.log.Debug("part "+e.Phase.String(), "part", e.Task, "took", e.Took, "error", e.Err)
}

// openLog sends the node's log to a rotated file, and what someone should know also to the terminal. Kubernetes' own libraries go to the
// file alone: they call many a thing an error that they mend by themselves.
func (n *node) openLog() (closeLog func() error) {
	rotation := n.config.LogRotate
	file := &lumberjack.Logger{
		Filename:   filepath.Join(n.home.logs(), "entente.log"),
		MaxSize:    rotation.MaxFileSizeMB,
		MaxBackups: rotation.MaxFiles,
		MaxAge:     rotation.MaxAgeDays,
	}
	n.level.Set(n.config.LogLevel.Slog())
	toFile := slog.NewTextHandler(file, &slog.HandlerOptions{Level: &n.level})
	toPeople := slog.NewTextHandler(n.say, &slog.HandlerOptions{Level: slog.LevelWarn})
	n.log = slog.New(slog.NewMultiHandler(toFile, toPeople))
	kubelog.Redirect(slog.New(toFile))
	return file.Close
}

// listen opens the API server's address, so that a busy port is found before anything starts.
func (n *node) listen() (net.Listener, error) {
	address := n.config.Entente.Cluster.Listen
	listener, err := net.Listen("tcp", address.String())
	if err == nil {
		return listener, nil
	}
	return nil, n.config.Problem("entente.cluster.listen", fmt.Sprintf("the API server cannot listen on %s: %v", address, innermost(err)),
		fmt.Sprintf("end what uses the address (ss -ltnp 'sport = :%d' names it), or choose another", address.Port()))
}

// innermost is the operating system's word on a failed network call, without the address that the message has already.
func innermost(err error) error {
	var system *os.SyscallError
	if errors.As(err, &system) {
		return system.Err
	}
	return err
}
