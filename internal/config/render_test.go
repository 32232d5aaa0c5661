package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatInitWritesLoadsAndSaysTheSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   Init
		keys []string // in the order of the file
	}{
		{"the least", Init{Mode: Autonomy, DomainID: "alice"}, []string{"mode", "domainID"}},
		{
			"a master",
			Init{Mode: Master, DomainID: "m", DomainKeyData: "LS0t", LogLevel: Debug, Protocol: TLS, Runtime: RunC, DatastoreEndpoint: "mysql://u:p@tcp(h:1)/d", EnableWorkloadApprove: true},
			[]string{"mode", "domainID", "domainKeyData", "logLevel", "protocol", "datastoreEndpoint", "enableWorkloadApprove"},
		},
		{
			"a lite",
			Init{Mode: Lite, DomainID: "alice", DomainKeyData: "LS0t", LogLevel: Info, Runtime: RunP, LiteDeployToken: "- # : {", MasterEndpoint: "https://m:1080"},
			[]string{"mode", "domainID", "domainKeyData", "logLevel", "liteDeployToken", "masterEndpoint", "runtime"},
		},
		{"texts that look like something else", Init{Mode: Autonomy, DomainID: "123", DomainKeyData: "true", DatastoreEndpoint: "~"}, []string{"mode", "domainID", "domainKeyData", "datastoreEndpoint"}},
		{"runk with figures to change", Init{Mode: Autonomy, DomainID: "a", Runtime: RunK}, []string{"mode", "domainID", "runtime", "capacity"}},
		{"ports for an ordinary user", Init{Mode: Autonomy, DomainID: "a", HighPorts: true}, []string{"mode", "domainID", "entente"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, err := Render(c.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse("f", text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if len(got.Warnings) > 0 {
				t.Errorf("warnings:\n%v", got.Warnings)
			}
			var keys []string
			for line := range strings.Lines(string(text)) {
				if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, " ") {
					name, _, _ := strings.Cut(line, ":")
					keys = append(keys, name)
				}
			}
			if diff := cmp.Diff(c.keys, keys); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			want := c.in
			if want.LogLevel == "" {
				want.LogLevel = Info
			}
			if want.Runtime == "" {
				want.Runtime = RunC
			}
			back := Init{
				Mode: got.Mode, DomainID: got.DomainID, DomainKeyData: got.DomainKeyData, LogLevel: got.LogLevel, Protocol: got.Protocol, Runtime: got.Runtime,
				LiteDeployToken: got.LiteDeployToken, MasterEndpoint: got.MasterEndpoint, DatastoreEndpoint: got.DatastoreEndpoint, EnableWorkloadApprove: got.EnableWorkloadApprove,
				HighPorts: got.Entente.Gateway.Internal.Port() == 8080 && got.Entente.DNS.Listen.Port() == 5353,
			}
			if diff := cmp.Diff(want, back); diff != "" {
				t.Errorf("what came back (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInitRefusesWhatStartWouldRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   Init
		want string
	}{
		{"no domain", Init{Mode: Autonomy}, `domainID: missing; write the party's name, for example "domainID: alice"`},
		{"a bad mode", Init{Mode: "p2p", DomainID: "a"}, `mode: found "p2p", want one of master, lite, autonomy; write for example "mode: autonomy"`},
		{"a token that the mode has no use for", Init{Mode: Autonomy, DomainID: "a", LiteDeployToken: "t"}, "liteDeployToken: no effect in mode autonomy, only in lite; remove it"},
		{"a lite without its master", Init{Mode: Lite, DomainID: "a", DomainKeyData: "k"}, `masterEndpoint: missing; a lite needs its master; write the address of the master's gateway, for example "masterEndpoint: https://master.example.com:1080"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, err := Render(c.in)
			if err == nil || text != nil {
				t.Fatalf("got the file\n%s", text)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzRender(f *testing.F) {
	f.Add("alice", "LS0t", "token", "http://m")
	f.Add("a", "- x", "*a", "http://m:1/ #x")
	f.Add("a", " x ", "a\r\nb", "http://\u2028")
	f.Fuzz(func(t *testing.T, domain, key, token, endpoint string) {
		in := Init{Mode: Lite, DomainID: domain, DomainKeyData: key, LiteDeployToken: token, MasterEndpoint: endpoint}
		text, err := Render(in)
		if err != nil {
			return
		}
		c, err := Parse("f", text)
		if err != nil {
			t.Fatal(err)
		}
		back := Init{Mode: c.Mode, DomainID: c.DomainID, DomainKeyData: c.DomainKeyData, LiteDeployToken: c.LiteDeployToken, MasterEndpoint: c.MasterEndpoint}
		if diff := cmp.Diff(in, back); diff != "" {
			t.Fatalf("what came back (-want +got):\n%s\nfrom\n%s", diff, text)
		}
	})
}
