package dns

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/mesh/source"
)

func init() {
	plugin.Register(pluginName, func(c *caddy.Controller) error { return setup(c, fromAPIServer) })
}

// maxTTL is the longest time in seconds for which answers may be kept: tasks come and go.
const maxTTL = 3600

// options are what a Corefile says about the plugin.
type options struct {
	zones      []string
	domain     string
	gateway    []netip.Addr
	kubeconfig string // empty: the pod's own account
	context    string // of kubeconfig; empty: its current one
	ttl        time.Duration
	fall       []string // nil: never
}

// setup puts a Handler into a server block.
func setup(c *caddy.Controller, open func(options) (origin, error)) error {
	o, err := parse(c)
	if err != nil {
		return plugin.Error(pluginName, err)
	}
	from, err := open(o)
	if err != nil {
		return plugin.Error(pluginName, err)
	}
	h := New(Config{Domain: o.domain, Mesh: from.Mesh, Gateway: o.gateway, TTL: o.ttl, Metrics: prometheus.DefaultRegisterer})
	if !slices.Contains(o.zones, ".") {
		h.Zones = o.zones
	}
	if o.fall != nil {
		h.Fall.SetZonesFromArgs(o.fall)
	}
	config := dnsserver.GetConfig(c)
	config.Plugin = slices.Insert(config.Plugin, 0, func(next plugin.Handler) plugin.Handler { return &front{next: next} })
	config.AddPlugin(func(next plugin.Handler) plugin.Handler {
		h.Next = next
		return h
	})
	l := newLife(context.Background(), h, from)
	c.OnFirstStartup(l.first)
	c.OnStartup(func() error {
		h.packed = takesBytes(config.Handlers())
		if err := l.start(); err != nil {
			return plugin.Error(pluginName, err)
		}
		return nil
	})
	c.OnShutdown(l.stop)
	return nil
}

// parse reads the plugin's part of a server block.
func parse(c *caddy.Controller) (options, error) {
	var o options
	for i := 0; c.Next(); i++ {
		if i > 0 {
			return o, plugin.ErrOnce
		}
		o.zones = plugin.OriginsFromArgsOrServerBlock(c.RemainingArgs(), c.ServerBlockKeys)
		for c.NextBlock() {
			if err := o.set(c); err != nil {
				return o, err
			}
		}
	}
	if o.domain == "" {
		return o, c.Err("the option domain is missing: say whose names these are")
	}
	return o, nil
}

// set reads one option.
func (o *options) set(c *caddy.Controller) error {
	option, args := c.Val(), c.RemainingArgs()
	switch {
	case option == "fallthrough":
		o.fall = append([]string{}, args...)
		return nil
	case len(args) == 0:
		return c.ArgErr()
	}
	switch option {
	case "domain":
		if len(args) > 1 || len(validation.IsDNS1123Label(args[0])) > 0 {
			return c.Errf("%q is no domain id: write one name of lower-case letters, digits and '-'", args)
		}
		o.domain = args[0]
	case "gateway":
		for _, arg := range args {
			address, err := netip.ParseAddr(arg)
			if err != nil || address.IsUnspecified() || address.Zone() != "" {
				return c.Errf("%q is no address of a gateway: write an IP address that pods reach", arg)
			}
			o.gateway = append(o.gateway, address)
		}
	case "kubeconfig":
		if len(args) > 2 {
			return c.ArgErr()
		}
		o.kubeconfig = args[0]
		if len(args) == 2 {
			o.context = args[1]
		}
	case "ttl":
		seconds, err := strconv.Atoi(args[0])
		if err != nil || seconds < 1 || seconds > maxTTL || len(args) > 1 {
			return c.Errf("%q is no ttl: write seconds from 1 to %d", args, maxTTL)
		}
		o.ttl = time.Duration(seconds) * time.Second
	default:
		return c.Errf("unknown option %q", option)
	}
	return nil
}

// fromAPIServer reads meshes from the API server of the domain.
func fromAPIServer(o options) (origin, error) {
	reach, err := o.rest()
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	settings := &latest.Value[*mesh.Settings]{}
	settings.Set(&mesh.Settings{Domain: o.domain})
	s, err := source.New(source.Config{REST: reach, Namespace: o.domain, Settings: settings, Log: slog.New(toCoreDNS{})})
	if err != nil {
		return nil, err
	}
	return apiServer{s}, nil
}

// rest is how the options say to reach the API server.
func (o options) rest() (*rest.Config, error) {
	if o.kubeconfig == "" {
		return rest.InClusterConfig()
	}
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: o.kubeconfig}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context}).ClientConfig()
}

// An apiServer is the origin of everybody but tests.
type apiServer struct{ *source.Source }

func (a apiServer) Mesh() (newest *mesh.Mesh, since time.Time, changed <-chan struct{}) {
	wanted, changed := a.Wanted().Get()
	return wanted.Mesh, wanted.Since, changed
}
