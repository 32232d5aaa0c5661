package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAMistakeNamesLineKeyReasonAndRemedy(t *testing.T) {
	t.Parallel()
	const autonomy = "mode: autonomy\ndomainID: alice\n"
	const lite = "mode: lite\ndomainID: alice\ndomainKeyData: k\n"
	for _, c := range []struct{ name, text, want string }{
		{"an unknown key near a known one", autonomy + "domianID: b\n", `kuscia.yaml:3: domianID: unknown key; did you mean "domainID"?`},
		{"an unknown key that differs in case", autonomy + "logrotate:\n  maxfiles: 3\n", `kuscia.yaml:4: logrotate.maxfiles: unknown key; did you mean "maxFiles"?`},
		{"an unknown key in a list", autonomy + "image:\n  registries:\n    - name: a\n      user: b\n", `kuscia.yaml:6: image.registries[0].user: unknown key; the keys here are name, endpoint, username, password`},
		{"an unknown key near nothing", autonomy + "somethingElse: b\n", `kuscia.yaml:3: somethingElse: unknown key; remove it; docs/reference/config.md lists all keys`},
		{"a key in the wrong block", autonomy + "HTTPInternalPort: 8092\n", `kuscia.yaml:3: HTTPInternalPort: unknown key; did you mean "kusciaAPI.HTTPInternalPort"?`},
		{"an unknown key in our own block", autonomy + "entente:\n  cluster:\n    kinds: k3s\n", `kuscia.yaml:5: entente.cluster.kinds: unknown key; did you mean "kind"?`},
		{"a number as a key", autonomy + "7: b\n", `kuscia.yaml:3: ?: unknown key; remove it; docs/reference/config.md lists all keys`},
		{"a list as a key", autonomy + "? [a, b]\n: c\n", `kuscia.yaml:3: found a list as a key; keys are plain words`},
		{"nothing as a key", autonomy + "debug: true\n~: c\n", `kuscia.yaml:4: found nothing as a key; keys are plain words`},
		{"a key twice", autonomy + "debug: true\nlogLevel: INFO\ndebug: false\n", `kuscia.yaml:5: debug: this key is already on line 3; keep one of them`},
		{"a key twice inside a free value", autonomy + "agent:\n  plugins:\n    - config:\n        a: 1\n        a: 2\n", `kuscia.yaml:7: agent.plugins[0].config.a: this key is already on line 6; keep one of them`},

		{"no mode", "domainID: alice\n", `kuscia.yaml:1: mode: missing; write for example "mode: autonomy"`},
		{"an empty mode", "domainID: alice\nmode:\n", `kuscia.yaml:2: mode: missing; write for example "mode: autonomy"`},
		{"an unknown mode", "domainID: alice\nmode: p2p\n", `kuscia.yaml:2: mode: found "p2p", want one of master, lite, autonomy; write for example "mode: autonomy"`},
		{"a mode near a known one", "domainID: alice\nmode: autonomous\n", `kuscia.yaml:2: mode: found "autonomous", want one of master, lite, autonomy; did you mean "autonomy"?`},
		{"no domain", "mode: autonomy\n", `kuscia.yaml:1: domainID: missing; write the party's name, for example "domainID: alice"`},
		{"an empty domain", "mode: autonomy\ndomainID: \"\"\n", `kuscia.yaml:2: domainID: missing; write the party's name, for example "domainID: alice"`},
		{"a domain in capitals", "mode: autonomy\ndomainID: Alice\n", `kuscia.yaml:2: domainID: "Alice" is no valid name; did you mean "alice"?`},
		{"a domain with other signs", "mode: autonomy\ndomainID: a_b\n", `kuscia.yaml:2: domainID: "a_b" is no valid name; use 1 to 63 lower-case letters, digits and -, a letter or digit at both ends`},
		{"a domain that is too long", "mode: autonomy\ndomainID: " + strings.Repeat("a", 64) + "\n", `kuscia.yaml:2: domainID: "` + strings.Repeat("a", 64) + `" is no valid name; use 1 to 63 lower-case letters, digits and -, a letter or digit at both ends`},
		{"a reserved domain", "mode: autonomy\ndomainID: master\n", `kuscia.yaml:2: domainID: "master" is a reserved name; choose another name for the party`},
		{"a domain that is a list", "mode: autonomy\ndomainID: [a]\n", `kuscia.yaml:2: domainID: found a list, want text; write for example "domainID: alice"`},

		{"a bad protocol", autonomy + "protocol: SSL\n", `kuscia.yaml:3: protocol: found "SSL", want one of NOTLS, TLS, MTLS; write for example "protocol: TLS"`},
		{"a bad runtime", autonomy + "runtime: docker\n", `kuscia.yaml:3: runtime: found "docker", want one of runc, runp, runk; write for example "runtime: runc"`},
		{"a bad log level", autonomy + "logLevel: 7\n", `kuscia.yaml:3: logLevel: found 7, want one of INFO, DEBUG, WARN, ERROR, FATAL; write for example "logLevel: INFO"`},
		{"a bad quantity", autonomy + "capacity:\n  memory: 8 GB\n", `kuscia.yaml:4: capacity.memory: found "8 GB", want a quantity; write for example "memory: 8Gi"`},
		{"less than nothing", autonomy + "capacity:\n  cpu: -1\n", `kuscia.yaml:4: capacity.cpu: found -1, want a quantity; write for example "cpu: 4"`},
		{"a port too high", autonomy + "kusciaAPI:\n  HTTPPort: 70000\n", `kuscia.yaml:4: kusciaAPI.HTTPPort: found 70000, want a port from 1 to 65535; write for example "HTTPPort: 8082"`},
		{"a port in quotes", autonomy + "debugPort: \"8080\"\n", `kuscia.yaml:3: debugPort: found "8080", want a port from 1 to 65535; write for example "debugPort: 8082"`},
		{"half a port", autonomy + "debugPort: 80.5\n", `kuscia.yaml:3: debugPort: found 80.5, want a port from 1 to 65535; write for example "debugPort: 8082"`},
		{"a flag that is neither", autonomy + "debug: maybe\n", `kuscia.yaml:3: debug: found "maybe", want true or false; write for example "debug: true"`},
		{"a time with a unit", autonomy + "kusciaAPI: {readTimeout: 20s}\n", `kuscia.yaml:3: kusciaAPI.readTimeout: found "20s", want a whole number of seconds; write for example "readTimeout: 30"`},
		{"a text for a block", autonomy + "runk: namespace\n", `kuscia.yaml:3: runk: found "namespace", want a block of keys; write for example "runk: {…}"`},
		{"a text for a list", autonomy + "kusciaAPISans: a.example.com\n", `kuscia.yaml:3: kusciaAPISans: found "a.example.com", want a list of texts; write for example "kusciaAPISans: [192.0.2.10, api.example.com]"`},
		{"a list in a list", autonomy + "kusciaAPISans:\n- a\n- [b]\n", `kuscia.yaml:5: kusciaAPISans[1]: found a list, want a text; write for example "kusciaAPISans: [192.0.2.10, api.example.com]"`},
		{"a block for a list of blocks", autonomy + "image:\n  registries:\n    name: a\n", `kuscia.yaml:5: image.registries: found a block of keys, want a list of blocks; write for example "registries: [{…}]"`},
		{"a text for a block in a list", autonomy + "image: {registries: [a]}\n", `kuscia.yaml:3: image.registries[0]: found "a", want a block of keys; write for example "registries: [{…}]"`},
		{"a block for a label", autonomy + "agent: {provider: {k8s: {labelsToAdd: {a: {b: c}}}}}\n", `kuscia.yaml:3: agent.provider.k8s.labelsToAdd.a: found a block of keys, want a text; write for example "labelsToAdd: {name: text}"`},
		{"a bad pattern", "mode: master\ndomainID: m\nmaster:\n  apiWhitelist: ['(']\n", `kuscia.yaml:4: master.apiWhitelist[0]: found "(", want a regular expression; write for example "apiWhitelist: [\"^/api/v1/.*\"]"`},
		{"an address without a port", autonomy + "entente: {cluster: {listen: 127.0.0.1}}\n", `kuscia.yaml:3: entente.cluster.listen: found "127.0.0.1", want an IP address with a port; write for example "listen: 127.0.0.1:6443"`},
		{"a whitelist of something else", autonomy + "entente: {gateway: {whitelist: [{address: a b}]}}\n", `kuscia.yaml:3: entente.gateway.whitelist[0].address: "a b" is no address, network or host name; write for example "10.0.0.0/8"`},
		{"a whitelist with a port too high", autonomy + "entente:\n  gateway:\n    whitelist:\n    - address: 10.0.0.0/8\n      ports: [80, 70000]\n", `kuscia.yaml:7: entente.gateway.whitelist[0].ports[1]: "70000" is no port; write a number from 1 to 65535`},
		{"a name server by name", autonomy + "entente: {dns: {upstream: [dns.example.com]}}\n", `kuscia.yaml:3: entente.dns.upstream[0]: "dns.example.com" is no IP address; write for example "192.0.2.53" or "192.0.2.53:5353"`},
		{"a long value", autonomy + "logLevel: " + strings.Repeat("é", 100) + "\n", `kuscia.yaml:3: logLevel: found "` + strings.Repeat("é", 40) + `…", want one of INFO, DEBUG, WARN, ERROR, FATAL; write for example "logLevel: INFO"`},

		{"a lite without a key", "mode: lite\ndomainID: alice\nmasterEndpoint: http://m\n", `kuscia.yaml:1: domainKeyData: missing; a lite needs a key of its own; make the file with: entente init --mode lite`},
		{"a lite without a master", lite, `kuscia.yaml:1: masterEndpoint: missing; a lite needs its master; write the address of the master's gateway, for example "masterEndpoint: https://master.example.com:1080"`},
		{"a master without a scheme", lite + "masterEndpoint: master.example.com:1080\n", `kuscia.yaml:4: masterEndpoint: found no host in the address; write the address of the master's gateway, for example "masterEndpoint: https://master.example.com:1080"`},
		{"a master by another scheme", lite + "masterEndpoint: grpc://m:1\n", `kuscia.yaml:4: masterEndpoint: the address begins neither with http:// nor with https://; write the address of the master's gateway, for example "masterEndpoint: https://master.example.com:1080"`},
		{"a master with a password", lite + "masterEndpoint: http://u:secret@m:1\n", `kuscia.yaml:4: masterEndpoint: the address has more than host, port and path; write the address of the master's gateway, for example "masterEndpoint: https://master.example.com:1080"`},
		{"a master at a bad port", lite + "masterEndpoint: http://m:99999\n", `kuscia.yaml:4: masterEndpoint: the address has no port from 1 to 65535; write the address of the master's gateway, for example "masterEndpoint: https://master.example.com:1080"`},
		{"runk without what it offers", autonomy + "runtime: runk\ncapacity:\n  cpu: 4\n  storage: 1Gi\n", `kuscia.yaml:4: capacity.memory: missing; runtime runk cannot ask the machine; write what the cluster offers, for example "memory: 8Gi"`},
		{"a cluster that exists, without its file", autonomy + "entente:\n  cluster:\n    kind: kubeconfig\n", `kuscia.yaml:4: entente.cluster.kubeconfig: missing; kind kubeconfig needs the file that reaches the cluster; write for example "kubeconfig: /path/to/kubeconfig"`},
		{"a certificate without its key", autonomy + "domainRoute:\n  externalTLS:\n    certFile: c\n", `kuscia.yaml:4: domainRoute.externalTLS.keyFile: missing; the certificate has no private key; give keyFile or keyData`},
		{"a key without its certificate", autonomy + "domainRoute:\n  externalTLS:\n    keyData: c\n", `kuscia.yaml:4: domainRoute.externalTLS.certFile: missing; the private key has no certificate; give certFile or certData`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, problems(t, c.text).Error()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATextThatIsNoFileOfKeysIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	const empty = "kuscia.yaml:1: the file is empty; write one with: entente init"
	const check = "; check indentation, colons and quotes on this line and the one before"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", empty},
		{"comments only", "# a\n# b\n", empty},
		{"a null", "~\n", empty},
		{"an empty document", "---\n", empty},
		{"a list", "\n- mode\n", `kuscia.yaml:2: found a list, want keys with values; write for example "mode: autonomy"`},
		{"a text", "autonomy\n", `kuscia.yaml:1: found text, want keys with values; write for example "mode: autonomy"`},
		{"two documents", "mode: master\n---\nmode: lite\n", "kuscia.yaml:3: a second document starts here; keep one document in the file: remove the line --- and what follows it"},
		{"a key without a colon", "mode: lite\ndomainID alice\nruntime: runp\n", "kuscia.yaml:2: no valid YAML: could not find expected ':'" + check},
		{"two colons on a line", "mode: lite\ndomainID: alice: bob\n", "kuscia.yaml:2: no valid YAML: mapping values are not allowed in this context" + check},
		{"a mistake on the first line", "mode: lite: x\n", "kuscia.yaml:1: no valid YAML: mapping values are not allowed in this context" + check},
		{"a quote that does not end", "mode: lite\ndomainID: \"alice\n", "kuscia.yaml:2: no valid YAML: found unexpected end of stream" + check},
		{"a tab", "mode: lite\nrunk:\n\tnamespace: a\n", "kuscia.yaml:3: the line is indented with a tab; indent with spaces"},
		{"a password that begins with an asterisk", "mode: lite\nclusterToken: *s3cret\n", "kuscia.yaml:2: a value begins with * but names no anchor; put the value in quotes"},
		{"an anchor within itself", "mode: lite\nagent: &a\n  plugins: [*a]\n", "kuscia.yaml:3: agent.plugins[0]: an anchor contains itself; write the value out"},
		{"a merge of a text", "mode: master\ndomainID: m\nkusciaAPI: {<<: x}\n", "kuscia.yaml:3: kusciaAPI: found text to merge; merge a block of keys: <<: *anchor"},
		{"another encoding", "mode: lite\ndomainID: \xe9\n", "kuscia.yaml:2: the text is not UTF-8 here; save the file as plain text in UTF-8"},
		{"a wide encoding", "\xff\xfem\x00", "kuscia.yaml:1: the text is not UTF-8 here; save the file as plain text in UTF-8"},
		{"a control character", "mode: lite\r\n# \x01\r\n", "kuscia.yaml:2: found the control character U+0001; save the file as plain text in UTF-8"},
		{"a huge file", strings.Repeat("#", maxBytes+1), "kuscia.yaml:1: the file has 1048577 bytes, at most 1048576 are read; give the node's configuration file"},
		{"aliases of aliases", bomb(), "kuscia.yaml:1: secretBackends.b: aliases stand for more than 10000 values; write the values out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := problems(t, c.text).Error()
			if c.name == "aliases of aliases" { // where the bound is met is no promise
				if !strings.Contains(got, "aliases stand for more than 10000 values; write the values out") {
					t.Errorf("got %s", got)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// bomb is a file of a kilobyte that stands for 10^10 values.
func bomb() string {
	var b strings.Builder
	b.WriteString("secretBackends:\n  a0: &a0 [x]\n")
	for i := range 10 {
		fmt.Fprintf(&b, "  a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return b.String()
}

func TestAllMistakesAreReportedAtOnceInTheOrderOfLines(t *testing.T) {
	t.Parallel()
	ps := problems(t, "debug: maybe\ndomainID: Alice\nmoed: lite\ncapacity:\n  cpu: x\nnonsense: 1\n")
	want := `kuscia.yaml:1: debug: found "maybe", want true or false; write for example "debug: true"
kuscia.yaml:1: mode: missing; write for example "mode: autonomy"
kuscia.yaml:2: domainID: "Alice" is no valid name; did you mean "alice"?
kuscia.yaml:3: moed: unknown key; did you mean "mode"?
kuscia.yaml:5: capacity.cpu: found "x", want a quantity; write for example "cpu: 4"
kuscia.yaml:6: nonsense: unknown key; remove it; docs/reference/config.md lists all keys`
	if diff := cmp.Diff(want, ps.Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	var one Problem
	if !errors.As(error(ps), &one) || one != ps[0] {
		t.Errorf("errors.As gives %v, want the first problem", one)
	}
}

func TestAFileOfMistakesIsNotReportedWithoutEnd(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	if got := len(problems(t, b.String())); got != maxProblems {
		t.Errorf("got %d problems, want %d", got, maxProblems)
	}
}

func TestSecretsAreNeverRepeated(t *testing.T) {
	t.Parallel()
	const secret = "s3cret"
	var files []string
	walk("", new(Config).keys(), nil, func(path string, k key, _ []Mode) {
		if k.secret && !strings.Contains(path, "[]") {
			for _, value := range []string{"[" + secret + "]", "{" + secret + ": 1}", "{a: " + secret + "}", "*" + secret, "!!binary " + secret, secret + ": 1", "\"" + secret, "'" + secret + "' x", "@" + secret, "%" + secret, "{a, " + secret + "}"} {
				files = append(files, "x: 1\n"+nested(path)+value+"\n")
			}
		}
	})
	files = append(files,
		"x: 1\nimage: {registries: [{username: a, password: b,"+secret+"}]}\n",
		"x: 1\nimage:\n  registries:\n    - password: ["+secret+"]\n",
		"mode: lite\nx: 1\nmasterEndpoint: ftp://u:"+secret+"@host\n",
		"mode: lite\nx: 1\nmasterEndpoint: \"http://u:"+secret+"@[host\"\n",
	)
	for _, text := range files {
		if got := problems(t, text).Error(); strings.Contains(got, secret) {
			t.Errorf("%s\ngives a problem with the secret:\n%s", text, got)
		}
	}
	if len(files) < 80 {
		t.Errorf("only %d files tried: where have the secret keys gone?", len(files))
	}
}

// nested is a path as the beginning of a YAML value.
func nested(path string) string {
	var b strings.Builder
	for i, name := range strings.Split(path, ".") {
		if i > 0 {
			b.WriteString("\n" + strings.Repeat("  ", i))
		}
		b.WriteString(name + ": ")
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	for _, data := range fixtures(f) {
		f.Add(data)
	}
	for _, seed := range []string{
		"", "a: &a [*a]", "? [a]\n: b", "<<: {a: b}", "<<: [{mode: lite}]", "mode: !!binary AA==", "a: *b", "\t- x", "mode: 1e999\n", "debugPort: 0x1p-2",
		"agent: {plugins: [{config: !!float x}]}", "agent: {plugins: [{config: 2001-01-01}]}", "image: {registries: [~]}", bomb(),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if err == nil {
			if c.Mode == "" || c.DomainID == "" {
				t.Fatalf("accepted without mode or domain: %+v", c)
			}
			return
		}
		var ps Problems
		if !errors.As(err, &ps) || len(ps) == 0 {
			t.Fatalf("got %v, want Problems", err)
		}
		for _, p := range ps {
			if p.Line < 1 || p.Reason == "" || p.Remedy == "" || strings.ContainsAny(p.Error(), "\n\r") {
				t.Fatalf("a poor problem: %#v", p)
			}
		}
	})
}
