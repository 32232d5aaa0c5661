package kubeconfig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, text string
		want       Version
		fails      bool
	}{
		{name: "a release of Kubernetes", text: "v1.37.2", want: Version{1, 37, "v1.37.2"}},
		{name: "a release of K3s", text: "v1.36.3+k3s1", want: Version{1, 36, "v1.36.3+k3s1"}},
		{name: "a release of a provider", text: "v1.34.2-eks-0a1b2c", want: Version{1, 34, "v1.34.2-eks-0a1b2c"}},
		{name: "a release candidate", text: "v1.35.0-rc.1", want: Version{1, 35, "v1.35.0-rc.1"}},
		{name: "major and minor alone", text: "1.34", want: Version{1, 34, "1.34"}},
		{name: "the plus that providers append to the minor number", text: "1.34+", want: Version{1, 34, "1.34+"}},
		{name: "a build without a version of its own", text: "v0.0.0-master+$Format", want: Version{0, 0, "v0.0.0-master+$Format"}},
		{name: "nothing", text: "", fails: true},
		{name: "a word", text: "latest", fails: true},
		{name: "no minor number", text: "v1.", fails: true},
		{name: "no major number", text: "v.34", fails: true},
		{name: "a negative number", text: "v1.-34", fails: true},
		{name: "a number beyond reason", text: "v1.99999", fails: true},
		{name: "letters in the minor number", text: "v1.34x", fails: true},
		{name: "a second v", text: "vv1.34", fails: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseVersion(c.text)
			if (err != nil) != c.fails {
				t.Fatalf("error %v, want one: %t", err, c.fails)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("version (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVersionBefore(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		v, w Version
		want bool
	}{
		{"an older minor version is before", Version{Major: 1, Minor: 33}, Oldest(), true},
		{"the same minor version is not, whatever the patch", Version{Major: 1, Minor: 34, Full: "v1.34.0"}, Oldest(), false},
		{"a newer minor version is not", Version{Major: 1, Minor: 40}, Oldest(), false},
		{"a newer major version is not, whatever the minor", Version{Major: 2, Minor: 0}, Oldest(), false},
		{"an older major version is, whatever the minor", Version{Major: 0, Minor: 99}, Oldest(), true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.v.Before(c.w); got != c.want {
				t.Errorf("Before says %t", got)
			}
		})
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"v1.36.3+k3s1", "1.34", "v1.34+", "", "v0.0.0-master+$Format", "v1.-3", "1.1.1.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseVersion(s)
		if err != nil {
			return
		}
		if v.Major < 0 || v.Minor < 0 || v.Major > 9999 || v.Minor > 9999 || v.Full != s {
			t.Errorf("%q was read as %+v", s, v)
		}
		short, err := ParseVersion(v.MajorMinor())
		if err != nil || short.Before(v) || v.Before(short) {
			t.Errorf("the short form of %q is another version: %+v, %v", s, short, err)
		}
	})
}

func FuzzReadVersion(f *testing.F) {
	f.Add([]byte(`{"major":"1","minor":"34+","gitVersion":"v1.34.2"}`))
	f.Add([]byte(`{"major":"1","minor":"34","gitVersion":"v0.0.0-master+$Format"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := readVersion(data); err == nil && v.Full == "" {
			t.Errorf("%q was read as a version without text", data)
		}
	})
}
