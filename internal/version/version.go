// Package version says which Entente this is, however it was built.
package version

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// stamped is set by the Makefile: -ldflags "-X github.com/entente-mesh/entente/internal/version.stamped=v1.2.3".
// A binary made by `go install …@v1.2.3` carries its version in the build information instead.
var stamped string

// Info describes one build.
type Info struct {
	Version    string `json:"version"`              // such as v0.1.0, or v0.1.0-dev+0123456789ab for a build between releases
	Commit     string `json:"commit,omitempty"`     // 12 digits; empty when the build did not know it
	Modified   bool   `json:"modified,omitempty"`   // the work tree had uncommitted changes
	Go         string `json:"go"`                   // the compiler
	Platform   string `json:"platform"`             // GOOS/GOARCH
	Kubernetes string `json:"kubernetes,omitempty"` // the linked Kubernetes; empty in a lite build
}

// Get reads this binary's build information.
func Get() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	info := from(stamped, build)
	info.Go, info.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	return info
}

// String returns the version alone.
func String() string { return Get().Version }

// from decides from what the linker was told and what the compiler recorded. The stamp wins: it is a decision.
func from(stamp string, build *debug.BuildInfo) Info {
	var info Info
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	for _, dep := range build.Deps {
		if dep.Path == "k8s.io/kubernetes" {
			info.Kubernetes = dep.Version
		}
	}
	switch {
	case stamp != "":
		info.Version = stamp
		if _, commit, ok := strings.Cut(stamp, "+"); ok && info.Commit == "" {
			info.Commit, _, _ = strings.Cut(commit, ".")
		}
	case build.Main.Version != "" && build.Main.Version != "(devel)":
		info.Version = build.Main.Version
	default:
		info.Version = "v0.0.0-dev"
	}
	return info
}
