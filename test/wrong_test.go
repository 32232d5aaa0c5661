package test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/entente-mesh/entente/internal/lab/entente"
)

// What people get wrong: one line that names the place, the reason and the remedy, and a failure.
func TestWhatIsWrongIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	binary, err := entente.Binary()
	if err != nil {
		t.Fatal(err)
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	tests := map[string]struct {
		yaml string
		home func(t *testing.T) string // nil: a new folder
		want []string                  // words of the line, in this order
	}{
		"an unknown key names its line and the nearest key": {
			yaml: "mode: autonomy\ndomianID: alice\ndomainID: alice\n",
			want: []string{"kuscia.yaml:2: ", "domianID", "domainID"},
		},
		"a wrong type names its line, what was found and what is wanted": {
			yaml: "mode: autonomy\ndomainID: alice\nentente:\n  cluster:\n    sans: 7\n",
			want: []string{"kuscia.yaml:5: ", "sans", "list"},
		},
		"a missing domain id is asked for": {
			yaml: "mode: autonomy\n",
			want: []string{"kuscia.yaml", "domainID"},
		},
		"a bad key says what is wrong with it and shows none of it": {
			yaml: "mode: autonomy\ndomainID: alice\ndomainKeyData: bm90IGEga2V5\n",
			want: []string{"kuscia.yaml:3: ", "domainKeyData"},
		},
		"a busy port names the address and how to find who has it": {
			yaml: fmt.Sprintf("mode: autonomy\ndomainID: alice\nentente:\n  cluster:\n    listen: %s\n", busy.Addr()),
			want: []string{"kuscia.yaml:5: ", "entente.cluster.listen", busy.Addr().String(), "in use", "ss -ltnp"},
		},
		"an unwritable folder is named": {
			yaml: entente.Autonomy(""),
			home: func(t *testing.T) string { return "/proc/entente" },
			want: []string{"/proc/entente", "--home"},
		},
		"a corrupt store is named, and the way back": {
			yaml: entente.Autonomy(""),
			home: corruptStore,
			want: []string{"var/cluster/store/", "entente restore"},
		},
		"an unknown database is refused without its password": {
			yaml: "mode: autonomy\ndomainID: alice\ndatastoreEndpoint: oracle://u:secret@h/db\nentente:\n  cluster:\n    listen: 127.0.0.1:0\n",
			want: []string{"kuscia.yaml:3: ", "datastoreEndpoint", "mysql://"},
		},
		"a kubeconfig that is not there is named": {
			yaml: "mode: autonomy\ndomainID: alice\nentente:\n" + entente.Unmeshed + "  cluster:\n    kind: kubeconfig\n    kubeconfig: /nowhere/kubeconfig\n",
			want: []string{"/nowhere/kubeconfig"},
		},
		"an Envoy that is not there is named, and where to get one": {
			yaml: gatewayed("    envoy: /nowhere/envoy"),
			want: []string{"kuscia.yaml:6: ", "entente.gateway.envoy", "/nowhere/envoy", "make envoy"},
		},
		"an Envoy that is too old is named with the least that is needed": {
			yaml: gatewayed("    envoy: " + oldEnvoy(t)),
			want: []string{"entente.gateway.envoy", "1.30.1", "1.36.4"},
		},
		"a busy port of the gateway names the address and how to find who has it": {
			yaml: gatewayed(fmt.Sprintf("    envoy: %s\n    external: %s", newEnvoy(t), busy.Addr())),
			want: []string{"kuscia.yaml:7: ", "entente.gateway.external", busy.Addr().String(), "in use", "ss -lntup"},
		},
		"an address of another machine is named": {
			yaml: gatewayed(fmt.Sprintf("    envoy: %s\n    external: 127.0.0.1:0\n    internal: 192.0.2.1:80", newEnvoy(t))),
			want: []string{"kuscia.yaml:8: ", "entente.gateway.internal", "192.0.2.1:80", "ip address"},
		},
		"a lite node says what this version lacks": {
			yaml: "mode: lite\ndomainID: alice\nmasterEndpoint: https://master.example.org:1080\ndomainKeyData: " + someKey(t, binary) + "\n",
			want: []string{"kuscia.yaml:1: mode", "gateway", "agent"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "kuscia.yaml")
			if err := os.WriteFile(file, []byte(tt.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			home := filepath.Join(t.TempDir(), "home")
			if tt.home != nil {
				home = tt.home(t)
			}
			cmd := exec.CommandContext(t.Context(), binary, "start", "-c", file, "--home", home)
			var said bytes.Buffer
			cmd.Stderr = &said
			err := cmd.Run()
			if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("it ended with %v, want exit code 1", err)
			}
			checkLine(t, said.String(), tt.want)
		})
	}
}

// gatewayed is the configuration of a node with a gateway; more is put under entente.gateway, which is on line 6 and after.
func gatewayed(more string) string {
	return "mode: autonomy\ndomainID: alice\nentente:\n  dns: {enabled: false}\n  gateway:\n" + more + "\n  cluster:\n    listen: 127.0.0.1:0\n"
}

// oldEnvoy and newEnvoy are programs that say that they are an Envoy of some version; nothing else is asked of them here.
func oldEnvoy(t *testing.T) string { return saysEnvoy(t, "1.30.1") }
func newEnvoy(t *testing.T) string { return saysEnvoy(t, "1.40.0") }

func saysEnvoy(t *testing.T, version string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "envoy")
	script := "#!/bin/sh\necho 'envoy  version: 0123456789abcdef0123456789abcdef01234567/" + version + "/Clean/RELEASE/BoringSSL'\n"
	if err := os.WriteFile(file, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// checkLine wants one complaint that has all words in their order, and no secret. Progress may stand before it.
func checkLine(t *testing.T, said string, want []string) {
	t.Helper()
	var complaints []string
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "entente: ") {
			complaints = append(complaints, line)
		}
	}
	if len(complaints) != 1 {
		t.Fatalf("%d complaints, want 1:\n%s", len(complaints), said)
	}
	rest := complaints[0]
	for _, word := range want {
		_, after, ok := strings.Cut(rest, word)
		if !ok {
			t.Errorf("no %q (in this order) in: %s", word, complaints[0])
			return
		}
		rest = after
	}
	if strings.Contains(said, "secret") || strings.Contains(said, "bm90IGEga2V5") {
		t.Errorf("a secret was printed: %s", said)
	}
}

// corruptStore makes a data folder whose database is no database.
func corruptStore(t *testing.T) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	node := entente.Start(t, entente.Config{Home: home})
	node.Kill()
	files, err := filepath.Glob(filepath.Join(home, "var", "cluster", "store", "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("store files: %v, %v", files, err)
	}
	if err := os.WriteFile(files[0], bytes.Repeat([]byte("no database "), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// someKey returns a valid domain key, as `entente init` makes it.
func someKey(t *testing.T, binary string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "init", "--mode", "autonomy", "--domain", "alice").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if key, ok := strings.CutPrefix(line, "domainKeyData: "); ok {
			return strings.TrimSpace(key)
		}
	}
	t.Fatalf("no key in:\n%s", out)
	return ""
}

// What a command complains about never lands in its output.
func TestMessagesNeverMixWithOutput(t *testing.T) {
	t.Parallel()
	binary, err := entente.Binary()
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (stdout, stderr string, code int) {
		cmd := exec.CommandContext(t.Context(), binary, args...)
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		_ = cmd.Run() // the exit code is what counts
		return out.String(), said.String(), cmd.ProcessState.ExitCode()
	}
	t.Run("a mistake leaves standard output empty", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{
			{"init", "--mode", "autonomy", "--domain", "kube-system"},
			{"init", "--mode", "sovereign", "--domain", "alice"},
			{"init", "--mode", "autonomy"},
			{"init", "--mode", "autonomy", "--domain", "alice", "--domain-key-file", "/nowhere"},
			{"init", "--mode", "autonomy", "--domain", "alice", "--colour", "red"},
		} {
			out, said, code := run(args...)
			if out != "" || code == 0 || strings.Count(said, "\n") != 1 {
				t.Errorf("%v: exit %d, stdout %q, stderr %q; want a failure, nothing, and one line", args, code, out, said)
			}
		}
	})
	t.Run("a wrong call ends with 2 and names the way on", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"frobnicate"}, {"start", "--colour"}, {"backup", "a", "b"}, {"version", "-o", "xml"}} {
			if out, said, code := run(args...); out != "" || code != 2 || strings.Count(said, "\n") != 1 {
				t.Errorf("%v: exit %d, stdout %q, stderr %q; want 2, nothing, and one line", args, code, out, said)
			}
		}
	})
	t.Run("a file that exists is kept", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "kuscia.yaml")
		if _, said, code := run("init", "--mode", "autonomy", "--domain", "alice", "-o", file); code != 0 {
			t.Fatal(said)
		}
		first, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, code := run("init", "--mode", "autonomy", "--domain", "alice", "-o", file); code == 0 {
			t.Error("it was overwritten")
		}
		if again, err := os.ReadFile(file); err != nil || !bytes.Equal(first, again) {
			t.Errorf("the file changed: %v", err)
		}
		var info syscall.Stat_t
		if err := syscall.Stat(file, &info); err != nil || info.Mode&0o777 != 0o600 {
			t.Errorf("mode %o, want 600: it holds a key", info.Mode&0o777)
		}
	})
}
