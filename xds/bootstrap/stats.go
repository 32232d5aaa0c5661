package bootstrap

import (
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// stats keeps few statistics of each cluster and none of each secret and filter shard: by default they are half of Envoy's memory at
// 10,000 services, two thirds of its time to start and nearly all of its idle CPU.
//
// What stays: how many endpoints of each cluster are healthy, which is the Gateway object's network status, and what does not grow with the
// number of services, for operators.
func stats() *metricsv3.StatsConfig {
	prefix := func(p string) *matcherv3.StringMatcher {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: p}}
	}
	suffix := func(s string) *matcherv3.StringMatcher {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: s}}
	}
	return &metricsv3.StatsConfig{StatsMatcher: &metricsv3.StatsMatcher{
		StatsMatcher: &metricsv3.StatsMatcher_InclusionList{InclusionList: &matcherv3.ListStringMatcher{Patterns: []*matcherv3.StringMatcher{
			prefix("cluster." + ServerCluster + "."),
			prefix("cluster_manager."),
			prefix("control_plane."),
			prefix("filesystem."), // lost lines of access logs
			prefix("http."),
			prefix("listener."),
			prefix("listener_manager."),
			prefix("overload."),
			prefix("server."),
			suffix(".membership_healthy"),
			suffix(".membership_total"),
		}}},
	}}
}
