package bootstrap_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/entente-mesh/entente/internal/golden"
	"github.com/entente-mesh/entente/xds/bootstrap"
)

// Each case is a configuration and the files that it leads to.
func TestTheSameConfigurationGivesTheSameFiles(t *testing.T) {
	t.Parallel()
	golden.Dir(t, "testdata", func(t testing.TB, in map[string][]byte) map[string][]byte {
		var c bootstrap.Config
		decoder := json.NewDecoder(bytes.NewReader(in["config.json"]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&c); err != nil {
			t.Fatal(err)
		}
		text, err := bootstrap.Make(c)
		if err != nil {
			t.Fatal(err)
		}
		var back bootstrapv3.Bootstrap
		if err := protojson.Unmarshal(text, &back); err != nil {
			t.Errorf("what was made cannot be read back: %v", err)
		}
		out := map[string][]byte{"bootstrap.json": text}
		if c.TLS != nil {
			files, err := c.TLS.Files()
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(out, files)
		}
		return out
	})
}

// protojson puts spaces where it likes, differently in each build; the file must not.
func TestTheFileIsIndentedInOneWay(t *testing.T) {
	t.Parallel()
	text, err := bootstrap.Make(node())
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := json.Indent(&again, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, again.Bytes()) {
		t.Errorf("indenting the file changes it:\n%s", text)
	}
}

func TestADomainCalledNoIsNotFalse(t *testing.T) {
	t.Parallel()
	c := node()
	c.Domain = "no"
	text, err := bootstrap.Make(c)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"id": "kuscia-gateway-no-gateway-0"`; !bytes.Contains(text, []byte(want)) {
		t.Errorf("no %s in\n%s", want, text)
	}
}

func TestWrongConfigurationsAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("d", bootstrap.MaxSocketPath-2)
	fleet := func(change func(*bootstrap.Config)) func(*bootstrap.Config) {
		return func(c *bootstrap.Config) {
			c.Socket, c.Address = "", "control.example:1081"
			c.TLS = &bootstrap.TLS{Folder: "/f", Certificate: "/f/c.pem", Key: "/f/k.pem", CA: "/f/ca.pem", ServerName: "control.example"}
			change(c)
		}
	}
	for name, c := range map[string]struct {
		change func(*bootstrap.Config)
		want   string // empty: accepted
	}{
		"a complete configuration is accepted":         {func(*bootstrap.Config) {}, ""},
		"a fleet is accepted":                          {fleet(func(*bootstrap.Config) {}), ""},
		"a fleet at an IPv6 address is accepted":       {fleet(func(c *bootstrap.Config) { c.Address = "[2001:db8::1]:1081" }), ""},
		"a socket path of 107 bytes is accepted":       {func(c *bootstrap.Config) { c.Admin = long + "a" }, ""},
		"a socket path of 108 bytes is too long":       {func(c *bootstrap.Config) { c.Admin = long + "aa" }, "108 bytes, but the kernel allows 107: choose a shorter folder"},
		"the server's socket path is bounded too":      {func(c *bootstrap.Config) { c.Socket = long + "aa" }, "socket of the control plane"},
		"a relative socket path has no fixed place":    {func(c *bootstrap.Config) { c.Admin = "admin.sock" }, `admin socket "admin.sock": give an absolute path`},
		"a socket path with a zero byte is cut off":    {func(c *bootstrap.Config) { c.Admin = "/run/a\x00b" }, "zero byte"},
		"a domain has a name":                          {func(c *bootstrap.Config) { c.Domain = "" }, "bootstrap of"},
		"a gateway has a name":                         {func(c *bootstrap.Config) { c.Gateway = "" }, "give the name of its Gateway object"},
		"a control plane is somewhere":                 {func(c *bootstrap.Config) { c.Socket = "" }, "either a unix socket or an address"},
		"a control plane is not in two places":         {func(c *bootstrap.Config) { c.Address = "x:1" }, "either a unix socket or an address"},
		"an address without TLS trusts the network":    {fleet(func(c *bootstrap.Config) { c.TLS = nil }), "an address needs TLS"},
		"TLS does not go over a unix socket":           {func(c *bootstrap.Config) { c.TLS = &bootstrap.TLS{} }, "a unix socket has none"},
		"an address has a port":                        {fleet(func(c *bootstrap.Config) { c.Address = "control.example" }), "give host:port"},
		"an address has a host":                        {fleet(func(c *bootstrap.Config) { c.Address = ":1081" }), "give host:port"},
		"a port is a number":                           {fleet(func(c *bootstrap.Config) { c.Address = "control.example:https" }), "give host:port"},
		"port 0 is nowhere":                            {fleet(func(c *bootstrap.Config) { c.Address = "control.example:0" }), "give host:port"},
		"port 65536 does not exist":                    {fleet(func(c *bootstrap.Config) { c.Address = "control.example:65536" }), "give host:port"},
		"an IPv6 host without brackets is ambiguous":   {fleet(func(c *bootstrap.Config) { c.Address = "2001:db8::1:1081" }), "give host:port"},
		"certificates have absolute paths":             {fleet(func(c *bootstrap.Config) { c.TLS.Key = "k.pem" }), `key "k.pem": give an absolute path`},
		"a server without a name could be anybody":     {fleet(func(c *bootstrap.Config) { c.TLS.ServerName = "" }), "no server name"},
		"a negative number of connections is no limit": {func(c *bootstrap.Config) { c.MaxConnections = -1 }, "give a positive number"},
		"parameters are text":                          {func(c *bootstrap.Config) { c.Parameters = map[string]string{"a": "\xff"} }, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := node()
			c.change(&config)
			_, err := bootstrap.Make(config)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}

func TestFilesOfTLSAreRefusedWithoutACompleteTLS(t *testing.T) {
	t.Parallel()
	if _, err := (&bootstrap.TLS{}).Files(); err == nil {
		t.Error("made files that lead nowhere")
	}
}

// Per-secret and per-shard statistics cost memory and time with each partner; see the comment at stats.
func TestStatisticsThatGrowWithPartnersAreOff(t *testing.T) {
	t.Parallel()
	text, err := bootstrap.Make(node())
	if err != nil {
		t.Fatal(err)
	}
	var b bootstrapv3.Bootstrap
	if err := protojson.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	patterns := b.GetStatsConfig().GetStatsMatcher().GetInclusionList().GetPatterns()
	kept := func(stat string) bool {
		for _, p := range patterns {
			if prefix := p.GetPrefix(); prefix != "" && strings.HasPrefix(stat, prefix) {
				return true
			}
			if suffix := p.GetSuffix(); suffix != "" && strings.HasSuffix(stat, suffix) {
				return true
			}
		}
		return false
	}
	want := map[string]bool{
		"cluster.echo.bob.svc.membership_healthy":    true,
		"cluster.echo.bob.svc.membership_total":      true,
		"cluster.xds.upstream_cx_active":             true,
		"http.external.downstream_rq_2xx":            true,
		"listener.0.0.0.0_1080.downstream_cx_active": true,
		"server.state":                                                        true,
		"cluster.echo.bob.svc.upstream_rq_total":                              false,
		"cluster.alice-to-bob.assignment_stale":                               false,
		"sds.egress-token/bob.update_success":                                 false,
		"extension_config_discovery.http_filter.inbound-auth/A.config_reload": false,
		"cluster.alice-to-bob.http2.keepalive_timeout":                        false,
		"cluster.alice-to-bob.upstream.http.credential_injector.injected":     false,
	}
	for _, stat := range slices.Sorted(maps.Keys(want)) {
		if got := kept(stat); got != want[stat] {
			t.Errorf("%s kept: %v, want %v", stat, got, want[stat])
		}
	}
}

func node() bootstrap.Config {
	return bootstrap.Config{Domain: "alice", Gateway: "gateway-0", Admin: "/run/entente/admin.sock", Socket: "/run/entente/xds.sock"}
}
