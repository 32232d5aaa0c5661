package proxy

import (
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	const line = "\n/usr/bin/envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/%s/Clean/RELEASE/BoringSSL\n\n"
	for name, c := range map[string]struct {
		output string
		want   string // the version, or a part of the error
		good   bool
	}{
		"a release":                              {strings.Replace(line, "%s", "1.40.0", 1), "1.40.0", true},
		"a build before a release":               {strings.Replace(line, "%s", "1.41.0-dev", 1), "1.41.0-dev", true},
		"two digits are a number":                {strings.Replace(line, "%s", "1.9.10", 1), "1.9.10", true},
		"a program in a folder with spaces":      {strings.Replace(line, "/usr", "/my programs: version", 1), "%s", false},
		"nothing":                                {"", "is not what an Envoy says", false},
		"another program":                        {"nginx version: nginx/1.25.3\n", "is not what an Envoy says", false},
		"two numbers":                            {strings.Replace(line, "%s", "1.40", 1), `"1.40" has not the form 1.2.3`, false},
		"four numbers":                           {strings.Replace(line, "%s", "1.40.0.1", 1), "has not the form", false},
		"a negative number":                      {strings.Replace(line, "%s", "1.-40.0", 1), "has not the form", false},
		"a number that no program counts to":     {strings.Replace(line, "%s", "1.40.99999999999", 1), "has not the form", false},
		"a number with a zero in front":          {strings.Replace(line, "%s", "1.040.0", 1), "has not the form", false},
		"a mark without a word":                  {strings.Replace(line, "%s", "1.40.0-", 1), "has not the form", false},
		"a very long answer is cut in the error": {strings.Repeat("x", 10_000), "…", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, build, err := parseVersion(c.output)
			switch {
			case c.good && (err != nil || v.String() != c.want || !strings.Contains(build, c.want)):
				t.Errorf("got %s, %q, %v, want %s", v, build, err, c.want)
			case !c.good && (err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000):
				t.Errorf("got %s, %v, want an error that says %q", v, err, c.want)
			}
		})
	}
}

func TestVersionsAreOrderedByTheirNumbers(t *testing.T) {
	t.Parallel()
	ordered := []Version{
		{Major: 1, Minor: 9, Patch: 10},
		{Major: 1, Minor: 36, Patch: 3},
		{Major: 1, Minor: 36, Patch: 4, Pre: "dev"},
		Minimum(),
		{Major: 1, Minor: 37, Pre: "dev"},
		{Major: 1, Minor: 100},
		{Major: 2},
	}
	for i, v := range ordered {
		for j, w := range ordered {
			if got, want := v.Before(w), i < j; got != want {
				t.Errorf("%s before %s: %v, want %v", v, w, got, want)
			}
		}
	}
	dev, rc := Version{Major: 1, Pre: "dev"}, Version{Major: 1, Pre: "rc"}
	if dev.Before(rc) || rc.Before(dev) {
		t.Error("of two builds before a release one was said to be older")
	}
}

// What a program says of itself is foreign: whatever it is, it is refused or is a version that can be written down again.
func FuzzParseVersion(f *testing.F) {
	f.Add("envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL")
	f.Add("envoy  version: 9e55/1.41.0-dev/Modified/DEBUG/BoringSSL")
	f.Add(" version: //")
	f.Fuzz(func(t *testing.T, output string) {
		v, build, err := parseVersion(output)
		if err != nil {
			return
		}
		if parts := strings.Split(build, "/"); parts[1] != v.String() {
			t.Errorf("%q was read as %s", parts[1], v)
		}
		again, _, err := parseVersion("envoy  version: c/" + v.String() + "/Clean")
		if err != nil || again != v {
			t.Errorf("%s is read as %s, %v", v, again, err)
		}
	})
}

func FuzzParseStats(f *testing.F) {
	f.Add([]byte("cluster.a: b.membership_total: 3\nserver.state: 0\nx: P0(nan,1.0)\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for name := range parseStats(body) {
			if name == "" || strings.Contains(name, "\n") {
				t.Errorf("%q is no name", name)
			}
		}
	})
}

func FuzzParseServerInfo(f *testing.F) {
	f.Add([]byte(`{"version":"9e/1.40.0/Clean","state":"LIVE","uptime_current_epoch":"1s","command_line_options":{"base_id":"42","restart_epoch":1}}`))
	f.Add([]byte(`{"command_line_options":{"base_id":-1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		info, err := parseServerInfo(body)
		if err == nil && (info.Epoch < 0 || info.State == "") {
			t.Errorf("%+v", info)
		}
	})
}
