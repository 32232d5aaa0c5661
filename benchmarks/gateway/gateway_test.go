package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheLoadAndTheServiceUnderstandEachOther(t *testing.T) {
	t.Parallel()
	u, err := startUpstream()
	if err != nil {
		t.Skip(err)
	}
	defer u.end()
	for _, p := range protocols() {
		t.Run(p.title, func(t *testing.T) {
			c, err := dialCrowd(t.Context(), p, u.address().String(), []field{{headerHost, serviceHost}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			const wanted = 20_000 // more than one window of HTTP/2 has room for
			if n, err := c.send(t.Context(), wanted); err != nil || n < wanted {
				t.Errorf("%d requests: %v", n, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			if _, err := c.send(ctx, 1<<30); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after its context: %v", err)
			}
		})
	}
}

// example is a gateway with two filters, one that sleeps, and the router.
func example() *config {
	filter := func(name string) object { return object{"name": name} }
	asleep := object{"name": "asleep", "disabled": true}
	return &config{
		routes:  object{"name": "external"},
		cluster: object{"name": serviceHost, "eds_cluster_config": object{}},
		listener: object{"filter_chains": []any{object{"filters": []any{object{"typed_config": object{
			"@type": "manager", "rds": object{}, "access_log": []any{object{"typed_config": object{"path": "/x/external.log"}}},
			"early_header_mutation_extensions": []any{"early"},
			"http_filters": []any{
				object{"name": "auth", "config_discovery": object{"config_source": object{"ads": object{}}}}, asleep, filter("late"), filter("router"),
			},
		}}}}}},
		filters: map[string]object{
			"auth":   {"name": "auth", "typed_config": object{"@type": "kept"}},
			"keys/T": {"name": "keys/T", "typed_config": object{"@type": typeKeys}},
		},
	}
}

func TestEachStepAddsOnePartUntilNothingIsMissing(t *testing.T) {
	t.Parallel()
	all, err := steps(example())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range all {
		var names []string
		for _, f := range s.manager["http_filters"].([]any) {
			names = append(names, f.(object)["name"].(string))
		}
		_, early := s.manager["early_header_mutation_extensions"]
		_, log := s.manager["access_log"]
		routes := s.manager["route_config"].(object)["name"].(string)
		if _, rds := s.manager["rds"]; rds {
			t.Errorf("%s asks a control plane for its routes", s.key)
		}
		got = append(got, s.key+": "+strings.Join(names, " ")+", "+routes+map[bool]string{true: ", early"}[early]+map[bool]string{true: ", log"}[log])
	}
	want := []string{
		"plain: router, plain",
		"manager: router, plain",
		"early: router, plain, early",
		"router-only: router, external, early",
		"auth: auth router, external, early",
		"late: auth late router, external, early",
		"all-filters: auth late asleep router, external, early",
		"access-log: auth late asleep router, external, early, log",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestACopyKnowsTheTokenAndNeedsNoControlPlane(t *testing.T) {
	t.Parallel()
	c := example().knowing("Token")
	all, err := steps(c)
	if err != nil {
		t.Fatal(err)
	}
	u, err := startUpstream()
	if err != nil {
		t.Skip(err)
	}
	defer u.end()
	text, err := c.still(all[len(all)-1], "/copy", u.address())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"default_config":{"@type":"kept"}`, `"path":"/copy/external.log"`, `"type":"STATIC"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(string(text), "eds_cluster_config") {
		t.Errorf("the copy asks for endpoints: %s", text)
	}
	keys := c.filters["keys/T"]["typed_config"].(object)["credentials"].([]any)
	if last := keys[len(keys)-1].(object); last["key"] != "Token" || last["client"] != partner || len(keys) < 10 {
		t.Errorf("%d tokens, the last is %v", len(keys), last)
	}
}
