// Command entente is the control plane: it starts a node and talks to a running one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/entente-mesh/entente/internal/version"
)

func main() {
	// Kubernetes' packages put flags of their own here, and cobra shows them as if they were ours.
	pflag.CommandLine = pflag.NewFlagSet("entente", pflag.ContinueOnError)
	os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Main runs the command line and returns the exit code: 0 done, 1 failed, 2 called wrongly.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	go func() { // ends with the process; a second signal finds the default action and ends it at once
		<-ctx.Done()
		stop()
	}()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errSaid) {
		fmt.Fprintln(stderr, "entente: "+oneLine(err))
	}
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// errSaid is returned by commands that have told the user already why they fail.
var errSaid = errors.New("said")

// A usageError is a mistake in the call itself.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// newRoot returns the whole command line.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "entente",
		Short: "Control plane for institutions that compute together",
		Long: `Entente starts both halves of a computation between institutions at the same moment, lets exactly these processes talk
through both gateways, and proves who calls whom.

Start with:  entente init --mode autonomy --domain alice -o kuscia.yaml
             entente start -c kuscia.yaml`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version.String(),
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.AddCommand(newInit(), newStart(), newRestart(), newStatus(), newKubeconfig(), newBackup(), newRestore(), newGateway(), newVersion())
	for _, cmd := range append(root.Commands(), root) {
		wrapArgs(cmd)
	}
	return root
}

// wrapArgs makes a wrong number of arguments a usage error with a way on.
func wrapArgs(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
		}
		return nil
	}
}
