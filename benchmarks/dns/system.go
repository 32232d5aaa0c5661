package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/entente-mesh/entente/benchmarks/report"
)

// A system is CoreDNS with one plugin that has the names.
type system struct {
	report.System
	plugin string
	suffix string // of its names, behind the service
	// corefile is the plugin's part of a Corefile.
	corefile func(kubeconfig, hosts string) string
	watches  bool // the API server
}

// systems are ours and the peers, each as it is configured in use.
func systems() []system {
	return []system{
		{
			System: report.System{Key: "entente", Title: "entente"}, plugin: "entente", suffix: "." + domain + ".svc.", watches: true,
			corefile: func(kubeconfig, _ string) string {
				return fmt.Sprintf("entente {\n domain %s\n gateway 10.9.9.9\n kubeconfig %s\n }", domain, kubeconfig)
			},
		},
		{
			System: report.System{Key: "kubernetes", Title: "kubernetes"}, plugin: "kubernetes", suffix: "." + domain + ".svc.cluster.local.", watches: true,
			corefile: func(kubeconfig, _ string) string {
				return fmt.Sprintf("kubernetes cluster.local {\n kubeconfig %s\n }", kubeconfig)
			},
		},
		{
			System: report.System{Key: "hosts", Title: "hosts"}, plugin: "hosts", suffix: "." + domain + ".svc.",
			corefile: func(_, hosts string) string { return "hosts " + hosts },
		},
	}
}

// whole is the Corefile of one server block. The plugin probe only lets the benchmark into the process.
func (s system) whole(address, kubeconfig, hosts string) string {
	_, port, _ := strings.Cut(address, ":")
	return fmt.Sprintf(".:%s {\n probe\n errors\n %s\n}\n", port, s.corefile(kubeconfig, hosts))
}

// serviceName is service number i, named as tasks name theirs.
func serviceName(i int) string {
	return fmt.Sprintf("secretflow-task-20260101%06d-single-psi-0-spu", i)
}

// address is that of service number i.
func address(i int) string { return fmt.Sprintf("10.%d.%d.%d", 1+i>>16, i>>8&255, i&255) }

// names are the names of n services, not in the order in which they were made.
func (s system) names(n int) []string {
	const step = 7919 // a prime, so that every number comes once when n is no multiple of it
	all := make([]string, n)
	for i := range all {
		all[i] = serviceName(i*step%n) + s.suffix
	}
	return all
}

// write makes the files that Corefiles name: how to reach the API server, and the hosts.
func write(dir, url string, n int) (kubeconfig, hosts string, err error) {
	kubeconfig, hosts = filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "hosts")
	content := fmt.Sprintf("{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: %q}}], contexts: [{name: a, context: {cluster: a}}], current-context: a}", url)
	if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
		return "", "", fmt.Errorf("write a kubeconfig: %w", err)
	}
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "%s %s.%s.svc\n", address(i), serviceName(i), domain)
	}
	if err := os.WriteFile(hosts, []byte(lines.String()), 0o600); err != nil {
		return "", "", fmt.Errorf("write a hosts file: %w", err)
	}
	return kubeconfig, hosts, nil
}
