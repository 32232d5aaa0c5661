package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func newKubeconfig() *cobra.Command {
	var (
		node nodeFlags
		path bool
	)
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the administrator's kubeconfig",
		Long: `Print the administrator's kubeconfig of this node, for kubectl and other clients. It is a secret: whoever has it owns the cluster.

  export KUBECONFIG=$(entente kubeconfig --path)
  kubectl get crds`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := node.home()
			if err != nil {
				return err
			}
			text, err := os.ReadFile(h.kubeconfig())
			if errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("there is no kubeconfig in %s yet; it is written by the first `entente start`", h.dir)
			}
			if err != nil {
				return fmt.Errorf("read the kubeconfig: %w", err)
			}
			if path {
				text = []byte(h.kubeconfig() + "\n")
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	node.register(cmd)
	cmd.Flags().BoolVar(&path, "path", false, "print the file's path instead of its text")
	return cmd
}
