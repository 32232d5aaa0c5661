package doors

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/entente-mesh/entente/internal/lab/envoy"
	"github.com/entente-mesh/entente/xds/proxy"
)

const (
	// envVersions lists versions of Envoy, separated by spaces, on which the tests run beside the Envoy of envoy.Env. `make test` sets it.
	envVersions = "ENVOY_VERSIONS"
	// envLong asks for every version that deploy/envoy/find knows.
	envLong = "ENTENTE_LONG"
	finder  = "../../deploy/envoy/find"
)

func TestMain(m *testing.M) {
	// A rotating writer leaves one goroutine behind for good, which its library offers no way to end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

// eachEnvoy runs a test on each Envoy that the environment asks for, at least on the usual one.
func eachEnvoy(t *testing.T, test func(*testing.T, proxy.Binary)) {
	t.Helper()
	paths := []string{envoy.Binary(t)}
	for _, version := range versions(t) {
		paths = append(paths, find(t, "--version", version))
	}
	seen := map[proxy.Version]bool{}
	for _, path := range paths {
		binary, err := proxy.Ask(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if !seen[binary.Version] {
			seen[binary.Version] = true
			t.Run("Envoy "+binary.Version.String(), func(t *testing.T) { test(t, binary) })
		}
	}
}

func versions(t *testing.T) []string {
	t.Helper()
	if os.Getenv(envLong) != "" {
		return strings.Fields(find(t, "--versions"))
	}
	return strings.Fields(os.Getenv(envVersions))
}

// find asks deploy/envoy/find, which fetches an Envoy that is not there yet.
func find(t *testing.T, args ...string) string {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), finder, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, &said)
	}
	return strings.TrimSpace(string(out))
}
