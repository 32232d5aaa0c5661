package oracle

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// A section is one part of envoy.admin.v3.ConfigDump, of any type.
type section struct {
	Clusters  []versioned `json:"dynamic_active_clusters"`
	Warming   []versioned `json:"dynamic_warming_clusters"`
	Routes    []versioned `json:"dynamic_route_configs"`
	Secrets   []versioned `json:"dynamic_active_secrets"`
	NoSecrets []versioned `json:"dynamic_warming_secrets"`
	Filters   []versioned `json:"ecds_filters"`
	Endpoints []versioned `json:"dynamic_endpoint_configs"`
	Listeners []struct {
		Name    string     `json:"name"`
		Active  *versioned `json:"active_state"`
		Warming *versioned `json:"warming_state"`
		Error   any        `json:"error_state"`
	} `json:"dynamic_listeners"`
}

// A versioned is one resource in a section. Which of the fields is there follows from the type.
type versioned struct {
	Version string `json:"version_info"`
	Name    string `json:"name"` // of a secret
	Error   any    `json:"error_state"`
	Cluster struct {
		named
		EDS any `json:"eds_cluster_config"`
	} `json:"cluster"`
	Routes   named           `json:"route_config"`
	Filter   named           `json:"ecds_filter"`
	Listener json.RawMessage `json:"listener"`
	Endpoint struct {
		Cluster   string `json:"cluster_name"`
		Endpoints []struct {
			Hosts []struct {
				Endpoint struct {
					Address struct {
						Socket struct {
							Address string `json:"address"`
							Port    uint16 `json:"port_value"`
						} `json:"socket_address"`
					} `json:"address"`
				} `json:"endpoint"`
			} `json:"lb_endpoints"`
		} `json:"endpoints"`
	} `json:"endpoint_config"`
}

type named struct {
	Name string `json:"name"`
}

// into adds the section to what Envoy has. seen keeps the digests of listeners: they are long, and seldom new.
func (s section) into(all, seen map[string]string) {
	for _, c := range s.Clusters {
		all["cluster "+c.Cluster.Name] = c.state()
	}
	for _, c := range s.Warming {
		all["warming cluster "+c.Cluster.Name] = c.state()
	}
	for _, r := range s.Routes {
		all["routes "+r.Routes.Name] = r.state()
	}
	for _, secret := range s.Secrets {
		all["secret "+secret.Name] = secret.state()
	}
	for _, secret := range s.NoSecrets {
		all["warming secret "+secret.Name] = secret.state()
	}
	for _, f := range s.Filters {
		all["filter "+f.Filter.Name] = f.state()
	}
	for _, e := range s.Endpoints {
		all["endpoints "+e.Endpoint.Cluster] = e.addresses()
	}
	for _, l := range s.Listeners {
		if l.Active != nil {
			all["listener "+l.Name] = l.Active.content(seen)
		}
		if l.Warming != nil || l.Error != nil {
			all["listener "+l.Name+" that warms or failed"] = fmt.Sprint(l.Error)
		}
	}
}

// state is the version, and what is wrong.
func (v versioned) state() string {
	if v.Error != nil {
		return fmt.Sprint(v.Version, " ", v.Error)
	}
	return v.Version
}

// content is a listener's. The version that Envoy tells is that of the listener which was there before, when a change left its address alone.
func (v versioned) content(seen map[string]string) string {
	if known, ok := seen[string(v.Listener)]; ok {
		return known
	}
	packed, listener := new(anypb.Any), new(listenerv3.Listener)
	if err := errors.Join(protojson.Unmarshal(v.Listener, packed), packed.UnmarshalTo(listener)); err != nil {
		return err.Error()
	}
	seen[string(v.Listener)] = digest(listener)
	return seen[string(v.Listener)]
}

// digest tells one listener's content from another's.
func digest(l *listenerv3.Listener) string {
	text, err := protojson.Marshal(l)
	if err != nil {
		return err.Error()
	}
	var plain any // protojson changes its spaces at random
	if err := json.Unmarshal(text, &plain); err != nil {
		return err.Error()
	}
	if text, err = json.Marshal(plain); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

func (v versioned) addresses() string {
	var all []string
	for _, locality := range v.Endpoint.Endpoints {
		for _, host := range locality.Hosts {
			at := host.Endpoint.Address.Socket
			all = append(all, fmt.Sprintf("%s:%d", at.Address, at.Port))
		}
	}
	return strings.Join(all, " ")
}
