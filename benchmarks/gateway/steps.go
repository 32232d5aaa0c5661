package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"strings"
)

// Where the wire's type names begin.
const (
	typed      = "type.googleapis.com/envoy."
	typeRouter = typed + "extensions.filters.http.router.v3.Router"
	typeKeys   = typed + "extensions.filters.http.api_key_auth.v3.ApiKeyAuth"
)

// The keys of the steps that have a part in the report's first table.
const (
	stepPlain   = "plain"
	stepRouter  = "router-only"
	stepFilters = "all-filters"
	stepLogged  = "access-log"
	stepGateway = "gateway"
)

// A step is an Envoy with more of the gateway's configuration than the step before.
type step struct {
	key, title string
	manager    object // the connection manager
}

// steps leads from an Envoy that only forwards to one that has everything the gateway has for partners.
func steps(c *config) ([]step, error) {
	original, err := c.manager()
	if err != nil {
		return nil, err
	}
	filters, ok := original["http_filters"].([]any)
	if !ok || len(filters) < 2 {
		return nil, errors.New("the gateway has no filters for partners")
	}
	router := filters[len(filters)-1]

	plain := object{
		"@type": original["@type"], "stat_prefix": "plain", "route_config": c.plainRoutes(),
		"http_filters": []any{object{"name": "router", "typed_config": object{"@type": typeRouter}}},
	}
	all := []step{{stepPlain, "one route to the service", plain}}
	now := maps.Clone(original)
	delete(now, "rds")
	delete(now, "access_log")
	delete(now, "early_header_mutation_extensions")
	now["http_filters"], now["route_config"] = []any{router}, c.plainRoutes()
	add := func(key, title string, change func()) {
		change()
		all = append(all, step{key, title, maps.Clone(now)})
	}
	add("manager", "+ the manager's bounds, normal paths, replies", func() {})
	add("early", "+ headers taken off before routing", func() {
		now["early_header_mutation_extensions"] = original["early_header_mutation_extensions"]
	})
	add(stepRouter, "+ the routes for partners", func() { now["route_config"] = c.ownRoutes() })
	var chain, asleep []any
	var dormant []string
	for _, f := range filters[:len(filters)-1] {
		f := f.(object)
		if f["disabled"] == true {
			asleep, dormant = append(asleep, f), append(dormant, fmt.Sprint(f["name"]))
			continue
		}
		chain = append(chain, f)
		whole := append(append([]any{}, chain...), router)
		add(fmt.Sprint(f["name"]), fmt.Sprint("+ filter ", f["name"]), func() { now["http_filters"] = whole })
	}
	add(stepFilters, "+ filters that sleep: "+strings.Join(dormant, ", "), func() {
		now["http_filters"] = append(append(append([]any{}, chain...), asleep...), router)
	})
	add(stepLogged, "+ access log", func() { now["access_log"] = original["access_log"] })
	return all, nil
}

// plainRoutes send everything to the service.
func (c *config) plainRoutes() object {
	return object{"name": "plain", "validate_clusters": false, "virtual_hosts": []any{object{
		"name": "all", "domains": []any{"*"},
		"routes": []any{object{"match": object{"prefix": "/"}, "route": object{"cluster": serviceHost, "timeout": "0s"}}},
	}}}
}

func (c *config) ownRoutes() object {
	own := maps.Clone(c.routes)
	delete(own, "@type")
	own["validate_clusters"] = false // they name clusters that the copy does not have
	return own
}

// still is the configuration of an Envoy that stands still at a step: what the gateway gets from its control plane is in it.
func (c *config) still(s step, dir string, at *net.TCPAddr) ([]byte, error) {
	manager := maps.Clone(s.manager)
	manager["access_log"] = inFolder(manager["access_log"], dir)
	cluster := maps.Clone(c.cluster)
	delete(cluster, "@type") // of the dump
	delete(cluster, "eds_cluster_config")
	cluster["type"] = "STATIC"
	cluster["load_assignment"] = object{"cluster_name": serviceHost, "endpoints": []any{object{"lb_endpoints": []any{
		object{"endpoint": object{"address": object{"socket_address": object{"address": at.IP.String(), "port_value": at.Port}}}},
	}}}}
	listener := maps.Clone(c.listener)
	delete(listener, "@type")
	listener["address"] = object{"socket_address": object{"address": "127.0.0.1", "port_value": 0}}
	listener["filter_chains"] = []any{object{"filters": []any{object{"name": "http", "typed_config": manager}}}}
	whole := object{
		"node":             object{"id": s.key, "cluster": domain},
		"admin":            object{"address": object{"pipe": object{"path": filepath.Join(dir, "admin.sock")}}},
		"static_resources": object{"listeners": []any{listener}, "clusters": []any{cluster, silent(dir)}},
		"dynamic_resources": object{"ads_config": object{
			"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": []any{object{"envoy_grpc": object{"cluster_name": "silent"}}},
		}},
	}
	for _, same := range []string{"stats_config", "layered_runtime", "overload_manager", "bootstrap_extensions"} {
		if value, ok := c.bootstrap[same]; ok {
			whole[same] = value
		}
	}
	return json.Marshal(withDefaults(whole, c.filters))
}

// inFolder moves access logs.
func inFolder(logs any, dir string) any {
	list, _ := logs.([]any)
	var moved []any
	for _, l := range list {
		l := maps.Clone(l.(object))
		file := maps.Clone(l["typed_config"].(object))
		file["path"] = filepath.Join(dir, filepath.Base(fmt.Sprint(file["path"])))
		l["typed_config"] = file
		moved = append(moved, l)
	}
	return moved
}

// withDefaults copies a configuration in which what comes from a control plane has its content as a default: the copies' control plane never
// answers.
func withDefaults(value any, filters map[string]object) any {
	switch value := value.(type) {
	case []any:
		list := make([]any, len(value))
		for i, v := range value {
			list[i] = withDefaults(v, filters)
		}
		return list
	case object:
		copied := make(object, len(value))
		for k, v := range value {
			copied[k] = withDefaults(v, filters)
		}
		if discovery, ok := copied["config_discovery"].(object); ok {
			discovery["default_config"] = filters[fmt.Sprint(copied["name"])]["typed_config"]
			discovery["apply_default_config_without_warming"] = true
		}
		return copied
	}
	return value
}

// silent is a cluster for a control plane at which nobody listens.
func silent(dir string) object {
	return object{
		"name": "silent", "type": "STATIC", "connect_timeout": "1s",
		"typed_extension_protocol_options": object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
			"@type": typed + "extensions.upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": object{"http2_protocol_options": object{}},
		}},
		"load_assignment": object{"cluster_name": "silent", "endpoints": []any{object{"lb_endpoints": []any{
			object{"endpoint": object{"address": object{"pipe": object{"path": filepath.Join(dir, "silent.sock")}}}},
		}}}},
	}
}

// knowing is the configuration with lists of tokens that know one token. Envoy does not tell what tokens it knows, so the lists are made anew: each
// has as many as one of 64 has that share 1,000 partners.
func (c *config) knowing(token string) *config {
	const partnersPerList = 1000 / 64
	known := *c
	known.filters = maps.Clone(c.filters)
	for name, filter := range c.filters {
		keys, _ := filter["typed_config"].(object)
		if keys["@type"] != typeKeys {
			continue
		}
		keys = maps.Clone(keys)
		first := name[len(name)-1:]
		var credentials []any
		for i := range partnersPerList {
			credentials = append(credentials, object{"key": first + fmt.Sprintf("%043d", i), "client": fmt.Sprintf("partner-%d", i)})
		}
		if strings.HasPrefix(token, first) {
			credentials = append(credentials, object{"key": token, "client": partner})
		}
		keys["credentials"] = credentials
		known.filters[name] = object{"name": name, "typed_config": keys}
	}
	return &known
}
