package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/entente-mesh/entente/internal/version"
)

func newVersion() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := version.Get()
			return printed(cmd.OutOrStdout(), output, info, func(w io.Writer) {
				table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintf(table, "entente\t%s\n", info.Version)
				if info.Kubernetes != "" {
					fmt.Fprintf(table, "kubernetes\t%s\n", info.Kubernetes)
				} else {
					fmt.Fprintf(table, "kubernetes\tnone (lite build)\n")
				}
				fmt.Fprintf(table, "go\t%s %s\n", info.Go, info.Platform)
				_ = table.Flush() // printed reports what could not be written
			})
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// outputFlag registers -o, the format of commands that print facts.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "format: text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
}

// printed writes a value in the format that the user chose.
func printed(w io.Writer, output string, value any, text func(io.Writer)) error {
	failing := &errWriter{w: w}
	switch output {
	case "text":
		text(failing)
	case "json":
		encoder := json.NewEncoder(failing)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(value); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	default:
		return usageError{fmt.Errorf("unknown output format %q: use text or json", output)}
	}
	return failing.err
}

// errWriter remembers the first failure, so that printing code need not look at each line.
type errWriter struct {
	w   io.Writer
	err error
}

func (e *errWriter) Write(data []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	n, err := e.w.Write(data)
	if err != nil {
		e.err = fmt.Errorf("print: %w", err)
	}
	return n, err
}
