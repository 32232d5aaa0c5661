package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	corev1 "k8s.io/api/core/v1"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/cluster"
	"github.com/entente-mesh/entente/cluster/embedded"
	"github.com/entente-mesh/entente/cluster/embedded/store"
	"github.com/entente-mesh/entente/cluster/k3s"
	"github.com/entente-mesh/entente/cluster/kubeconfig"
	"github.com/entente-mesh/entente/internal/config"
	"github.com/entente-mesh/entente/internal/version"
)

// wantedKinds is how many kinds of ours the API serves.
const wantedKinds = 18

// A clusterTask holds the cluster open as a part of the node.
type clusterTask struct {
	config     cluster.Config
	kubeconfig string // file to write when the cluster is ready
	ready      chan struct{}
	open       atomic.Pointer[cluster.Cluster] // nil until it is ready
}

// newClusterTask turns the node's configuration into the cluster's, and opens what can fail because others were here first.
func newClusterTask(n *node) (*clusterTask, error) {
	wanted := n.config.Entente.Cluster
	if err := n.checkDatastore(); err != nil {
		return nil, err
	}
	identity, err := n.home.ownIdentity()
	if err != nil {
		return nil, err
	}
	cfg := cluster.Config{Identity: identity, Observe: n.observe, Log: n.log}
	switch wanted.Kind {
	case config.Embedded:
		listener, err := n.listen()
		if err != nil {
			return nil, err
		}
		cfg.Kind, cfg.Embedded = cluster.Embedded, n.embedded(listener)
	case config.K3s:
		cfg.Kind, cfg.K3s = cluster.K3s, n.k3s()
	case config.Kubeconfig:
		cfg.Kind = cluster.Kubeconfig
		cfg.Kubeconfig = kubeconfig.Config{File: besideFile(n.config.File(), wanted.Kubeconfig), Context: wanted.Context, Log: n.log}
	}
	return &clusterTask{config: cfg, kubeconfig: n.home.kubeconfig(), ready: make(chan struct{})}, nil
}

// checkDatastore refuses a database that nobody understands, at its place in the file.
func (n *node) checkDatastore() error {
	_, err := store.ParseDatastore(n.config.DatastoreEndpoint)
	if bad := new(store.EndpointError); errors.As(err, &bad) {
		return n.config.Problem("datastoreEndpoint", fmt.Sprintf("understood as %s: %s", bad.Understood, bad.Reason), "write it like "+bad.Example)
	}
	return err
}

func (n *node) embedded(listener net.Listener) embedded.Config {
	wanted := n.config.Entente.Cluster
	return embedded.Config{
		Dir:              n.home.cluster(),
		RunDir:           n.home.run(),
		Listener:         listener,
		AdvertiseAddress: wanted.Advertise,
		SANs:             wanted.SANs,
		Datastore:        n.config.DatastoreEndpoint,
		Synchronous:      string(wanted.Synchronous),

		DatastoreCAFile:   besideFile(n.config.File(), wanted.Datastore.CAFile),
		DatastoreCertFile: besideFile(n.config.File(), wanted.Datastore.CertFile),
		DatastoreKeyFile:  besideFile(n.config.File(), wanted.Datastore.KeyFile),

		Version: version.String(),
		Log:     n.log,
	}
}

func (n *node) k3s() k3s.Config {
	wanted := n.config.Entente.Cluster
	return k3s.Config{
		Binary:    wanted.K3s.Binary,
		Installed: wanted.K3s.Installed,
		Dir:       n.home.k3s(),
		Listen:    wanted.Listen,
		NodeIP:    wanted.Advertise,
		Datastore: n.config.DatastoreEndpoint,
		Token:     n.config.ClusterToken,
		LogDir:    n.home.logs(),
		Log:       n.log,
	}
}

// String names the part.
func (t *clusterTask) String() string { return "cluster" }

// Ready is closed when the API serves Entente's kinds and the administrator's kubeconfig is written.
func (t *clusterTask) Ready() <-chan struct{} { return t.ready }

// Run opens the cluster, keeps it until ctx ends, and closes it.
func (t *clusterTask) Run(ctx context.Context) error {
	c, err := cluster.Open(ctx, t.config)
	if err != nil {
		return err
	}
	if err := t.write(c); err != nil {
		return errors.Join(err, c.Close())
	}
	t.open.Store(c)
	close(t.ready)
	daily := time.NewTicker(24 * time.Hour) // certificates are renewed months before they end
	defer daily.Stop()
	for {
		select {
		case <-ctx.Done():
			return c.Close()
		case <-c.Done():
			return c.Err()
		case <-daily.C:
			if err := t.write(c); err != nil {
				t.config.Log.Warn("the administrator's kubeconfig is not renewed; the old one works until its certificate ends", "error", err)
			}
		}
	}
}

// write gives the administrator today's credentials, unless the file has them.
func (t *clusterTask) write(c *cluster.Cluster) error {
	text, err := c.Kubeconfig()
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(t.kubeconfig); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := replaceFile(t.kubeconfig, text); err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return nil
}

// replaceFile writes a secret file so that a reader sees the old text or the new, never a part.
func replaceFile(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// status describes the node and, once it is there, the cluster under it.
func (n *node) status(ctx context.Context) Status {
	s := Status{
		Version: version.Get(), Domain: n.config.DomainID, Mode: string(n.config.Mode), Home: n.home.dir,
		PID: os.Getpid(), Started: n.started,
	}
	n.progress.fill(&s)
	if n.mesh != nil {
		s.Gateway = n.mesh.status(ctx)
	}
	c := n.cluster.open.Load()
	if c == nil {
		return s
	}
	if err := n.describe(ctx, c, &s); err != nil {
		s.Problem = oneLine(err)
	}
	return s
}

// describe asks the API server what only it knows.
func (n *node) describe(ctx context.Context, c *cluster.Cluster, s *Status) error {
	s.Cluster = &ClusterStatus{Kind: string(c.Kind()), Server: c.REST().Host, Version: c.Version(), Wanted: wantedKinds}
	if c.Kind() == cluster.Embedded {
		s.Cluster.Datastore, s.Cluster.StoreBytes = n.datastore()
	}
	client, err := kubernetes.NewForConfig(c.REST())
	if err != nil {
		return err
	}
	served, err := client.Discovery().ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
	if err != nil {
		return fmt.Errorf("ask for the resource kinds: %w", err)
	}
	kinds := map[string]bool{}
	for _, r := range served.APIResources {
		kinds[r.Kind] = true
	}
	s.Cluster.Definitions = len(kinds)
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return fmt.Errorf("ask for the nodes: %w", err)
	}
	for _, node := range nodes.Items {
		s.Nodes = append(s.Nodes, nodeStatus(node))
	}
	return nil
}

func nodeStatus(node corev1.Node) NodeStatus {
	s := NodeStatus{
		Name: node.Name, Domain: node.Labels[names.LabelNamespace],
		Version: node.Status.NodeInfo.KubeletVersion, Created: node.CreationTimestamp.Time,
	}
	for _, c := range node.Status.Conditions {
		s.Ready = s.Ready || c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	}
	return s
}

// datastore says where the objects are, and how much they take where that is a folder of ours.
func (n *node) datastore() (where string, bytes int64) {
	if n.config.DatastoreEndpoint != "" {
		return "an external datastore", 0
	}
	_ = filepath.WalkDir(embedded.StoreDir(n.home.cluster()), func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil // a file that went away meanwhile is not counted
	})
	return "SQLite", bytes
}
