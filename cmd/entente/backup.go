package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/entente-mesh/entente/cluster/embedded"
	"github.com/entente-mesh/entente/cluster/embedded/store"
	"github.com/entente-mesh/entente/internal/config"
)

func newBackup() *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write everything that the control plane keeps into one file",
		Long: `Write everything that the embedded control plane keeps, objects and keys, into one file. The node may run meanwhile: the file holds the
state at one moment. It contains private keys and is readable by its owner alone.

A node with a datastoreEndpoint is backed up with that database's own tools.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kept, _, err := flags.kept()
			if err != nil {
				return err
			}
			began := time.Now()
			manifest, err := store.BackupFile(cmd.Context(), kept, args[0])
			if err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %.1f MB, state of %s, in %s\n",
				args[0], float64(info.Size())/1e6, manifest.Created.Format(time.RFC3339), round(time.Since(began)))
			return err
		},
	}
	flags.register(cmd)
	return cmd
}

func newRestore() *cobra.Command {
	var (
		flags   nodeFlags
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of what the control plane keeps",
		Long: `Put a backup in the place of what the embedded control plane keeps. The whole file is verified before anything is touched, and what was
there is kept beside it. A node that runs is restarted in place; its tasks go on.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kept, h, err := flags.kept()
			if err != nil {
				return err
			}
			archive, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("open the backup: %w", err)
			}
			defer archive.Close()
			say := cmd.ErrOrStderr()
			fmt.Fprintln(say, "verifying "+args[0])
			staged, err := store.Stage(cmd.Context(), archive, kept)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			fmt.Fprintf(say, "the state of %s is complete and sound\n", staged.Manifest.Created.Format(time.RFC3339))
			return putInPlace(cmd.Context(), kept, h, timeout, say)
		},
	}
	flags.register(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait for a running node to come back")
	return cmd
}

// putInPlace applies a staged restore: by itself when nothing runs, else through the running node, which restarts in place.
func putInPlace(ctx context.Context, kept store.Home, h home, timeout time.Duration, say io.Writer) error {
	if err := h.create(); err != nil { // it may be a new one
		return err
	}
	lock, err := h.lock()
	switch {
	case err == nil:
		applied, err := store.Apply(kept)
		if err = errors.Join(err, lock.Close()); err != nil {
			return err
		}
		fmt.Fprintf(say, "restored; what was there is in %s. Start the node with `entente start`\n", applied.Before)
		return nil
	case !errors.Is(err, errLocked):
		return err
	}
	after, err := restartInPlace(ctx, h, timeout, say)
	if err != nil {
		return fmt.Errorf("the backup is staged: %w", err)
	}
	fmt.Fprintln(say, "restored; the node is ready after "+after.Took)
	return nil
}

// kept finds what backup and restore are about.
func (f *nodeFlags) kept() (store.Home, home, error) {
	cfg, h, err := f.load()
	if err != nil {
		return store.Home{}, h, err
	}
	if kind := cfg.Entente.Cluster.Kind; kind != config.Embedded {
		return store.Home{}, h, cfg.Problem("entente.cluster.kind", fmt.Sprintf("the objects of kind %s are not in the data folder", kind), "back up that cluster with its own tools")
	}
	return keptBy(cfg, h), h, nil
}

// keptBy lists what must be brought back together: objects, and the keys that they were written under.
func keptBy(cfg *config.Config, h home) store.Home {
	const cluster = "var/cluster"
	return store.Home{
		Dir:       h.dir,
		Store:     path.Join(cluster, path.Base(embedded.StoreDir(""))),
		Paths:     []string{path.Join(cluster, path.Base(embedded.PKIDir(""))), "var/certs", "var/domain.key", "etc/domain.crt"},
		Datastore: cfg.DatastoreEndpoint,
	}
}

// finishRestore puts a staged backup in place before the store is opened, and mends one that was interrupted.
func (n *node) finishRestore() error {
	if n.config.Entente.Cluster.Kind != config.Embedded || n.config.DatastoreEndpoint != "" {
		return nil
	}
	applied, err := store.Apply(keptBy(n.config, n.home))
	if err != nil {
		return fmt.Errorf("put the staged backup in place: %w", err)
	}
	if applied != nil {
		fmt.Fprintf(n.say, "restored the state of %s; what was there is in %s\n", applied.Manifest.Created.Format(time.RFC3339), applied.Before)
		n.log.Info("restored a backup", "created", applied.Manifest.Created, "before", applied.Before)
	}
	return nil
}

// beginAgain replaces this process by a new one of the same program, under the same id: Kubernetes' controllers can start only once in a
// process. Processes that survive `entente` are not touched.
func (n *node) beginAgain(lock io.Closer) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("restart in place: %w", err)
	}
	fmt.Fprintln(n.say, "starting again")
	if err := lock.Close(); err != nil {
		return fmt.Errorf("restart in place: %w", err)
	}
	return fmt.Errorf("restart in place: %w", syscall.Exec(program, os.Args, os.Environ()))
}
