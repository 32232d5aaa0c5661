package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/internal/config"
)

func newInit() *cobra.Command {
	var (
		in                                              config.Init
		mode, runtime, logLevel, protocol, keyFile, out string
	)
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration file for a new node",
		Long: `Write a configuration file for a new node, with a new domain key unless one is given. The file holds that key: keep it secret.

The file goes to --output, or to standard output; messages never get into it.`,
		Example: `  entente init --mode autonomy --domain alice -o kuscia.yaml
  entente init --mode lite --domain bob --master-endpoint https://master.example.org:1080 --lite-deploy-token TOKEN -o kuscia.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in.Mode = config.Mode(strings.ToLower(mode))
			in.Runtime = config.Runtime(strings.ToLower(runtime))
			if in.Mode == config.Master && !cmd.Flags().Changed("runtime") {
				in.Runtime = ""
			}
			in.LogLevel = config.LogLevel(strings.ToUpper(logLevel))
			in.Protocol = config.Protocol(strings.ToUpper(protocol))
			in.HighPorts = !lowPorts()
			var err error
			if in.DomainKeyData, err = domainKey(keyFile); err != nil {
				return err
			}
			text, err := config.Render(in)
			if err != nil {
				return usageError{err}
			}
			if out == "" {
				_, err = cmd.OutOrStdout().Write(text)
				return err
			}
			return writeNew(out, text)
		},
	}
	f := cmd.Flags()
	f.StringVar(&mode, "mode", "", "what the node is: master, lite or autonomy (required)")
	f.StringVarP(&in.DomainID, "domain", "d", "", "domain id, lower-case letters, digits, - and . (required)")
	f.StringVarP(&runtime, "runtime", "r", string(config.RunC), "what runs tasks: runc, runp or runk")
	f.StringVarP(&keyFile, "domain-key-file", "f", "", "file with the domain's RSA key in PEM (default a new key of 2048 bits)")
	f.StringVarP(&logLevel, "log-level", "l", string(config.Info), "DEBUG, INFO, WARN or ERROR")
	f.StringVarP(&in.LiteDeployToken, "lite-deploy-token", "t", "", "token that the master has issued for this lite")
	f.StringVarP(&in.MasterEndpoint, "master-endpoint", "m", "", "the master's gateway, http(s)://host:port (mode lite)")
	f.StringVarP(&in.DatastoreEndpoint, "datastore-endpoint", "e", "", "database instead of SQLite, such as postgres://user:password@host/db")
	f.StringVarP(&protocol, "protocol", "p", "", "what the external gateway speaks: NOTLS, TLS or MTLS")
	f.BoolVar(&in.EnableWorkloadApprove, "enable-workload-approve", false, "jobs that other parties start wait for this party's approval")
	f.StringVarP(&out, "output", "o", "", "file to write (must not exist yet); default standard output")
	for _, name := range []string{"mode", "domain"} {
		_ = cmd.MarkFlagRequired(name) // the flag exists
	}
	for name, values := range map[string][]string{
		"mode": {"master", "lite", "autonomy"}, "runtime": {"runc", "runp", "runk"},
		"log-level": {"DEBUG", "INFO", "WARN", "ERROR"}, "protocol": {"NOTLS", "TLS", "MTLS"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	}
	return cmd
}

// lowPorts says whether this user may open the ports below 1024 that the gateway and the name server have by default.
func lowPorts() bool {
	if os.Geteuid() == 0 {
		return true
	}
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return false
	}
	first, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && first <= names.PortDNS
}

// domainKey returns the domain key as the configuration file holds it: that of the file, or a new one.
func domainKey(file string) (string, error) {
	if file == "" {
		key, err := keys.GeneratePrivate(rand.Reader)
		if err != nil {
			return "", err
		}
		return keys.EncodePrivate(key), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read the domain key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return "", fmt.Errorf("read the domain key: %w", err)
	}
	data := base64.StdEncoding.EncodeToString(text)
	if _, err := keys.ParsePrivate(data); err != nil {
		return "", fmt.Errorf("domain key %s: %w", file, err)
	}
	return data, nil
}

// writeNew writes a secret file that must not exist: a configuration that is in use holds the only copy of a key.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists and may hold the only copy of a domain key; remove it, or choose another name", name)
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
