package version

import (
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFrom(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		stamp string
		build debug.BuildInfo
		want  Info
	}{
		"a stamped build says its stamp and takes the commit from it": {
			stamp: "v0.1.0-dev+0123456789ab.dirty",
			build: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}},
			want:  Info{Version: "v0.1.0-dev+0123456789ab.dirty", Commit: "0123456789ab"},
		},
		"go install of a release says the release": {
			build: debug.BuildInfo{Main: debug.Module{Version: "v0.3.1"}},
			want:  Info{Version: "v0.3.1"},
		},
		"a build in a work tree knows the commit, the changes and the linked Kubernetes": {
			build: debug.BuildInfo{
				Main:     debug.Module{Version: "(devel)"},
				Deps:     []*debug.Module{{Path: "k8s.io/api", Version: "v0.37.2"}, {Path: "k8s.io/kubernetes", Version: "v1.37.2"}},
				Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"}},
			},
			want: Info{Version: "v0.0.0-dev", Commit: "0123456789ab", Modified: true, Kubernetes: "v1.37.2"},
		},
		"a build that knows nothing says so": {
			want: Info{Version: "v0.0.0-dev"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, from(tt.stamp, &tt.build)); diff != "" {
				t.Errorf("from (-want +got):\n%s", diff)
			}
		})
	}
}
