package dns

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNameServers(t *testing.T) {
	t.Parallel()
	local := []netip.Addr{addr("127.0.0.1"), addr("192.0.2.10"), addr("::1")}
	cases := []struct {
		name, content, listen string
		want                  []string
	}{
		{"those of the file in its order", "search example.org\nnameserver 192.0.2.54\nnameserver 192.0.2.53 # second\n", "192.0.2.10:53", []string{"192.0.2.54:53", "192.0.2.53:53"}},
		{"not the server itself", "nameserver 192.0.2.10\nnameserver 192.0.2.53\n", "192.0.2.10:53", []string{"192.0.2.53:53"}},
		{"not the server itself where it listens everywhere", "nameserver 192.0.2.10\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53", "0.0.0.0:53", []string{"192.0.2.53:53"}},
		{"another server on this machine", "nameserver 127.0.0.53\n", "192.0.2.10:53", []string{"127.0.0.53:53"}},
		{"this machine where the server has another port", "nameserver 192.0.2.10\n", "192.0.2.10:5353", []string{"192.0.2.10:53"}},
		{"each once", "nameserver 192.0.2.53\nnameserver 192.0.2.53\n", "192.0.2.10:53", []string{"192.0.2.53:53"}},
		{"IPv6 with a zone", "nameserver fe80::1%eth0\n", "192.0.2.10:53", []string{"[fe80::1%eth0]:53"}},
		{"bad lines are passed over", "nameserver\nnameserver here\n#nameserver 192.0.2.1\n;\nnameserver 0.0.0.0\nnameserver 192.0.2.53", "192.0.2.10:53", []string{"192.0.2.53:53"}},
		{"none in an empty file", "", "192.0.2.10:53", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, s := range nameServers(c.content, []netip.AddrPort{netip.MustParseAddrPort(c.listen)}, local) {
				got = append(got, s.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("name servers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpstreamsReadsTheFile(t *testing.T) {
	t.Parallel()
	if _, err := Upstreams(t.TempDir()+"/resolv.conf", nil); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func FuzzNameServers(f *testing.F) {
	f.Add("nameserver 192.0.2.53\nsearch example.org\n")
	f.Add("nameserver fe80::1%eth0\r\nnameserver\x00")
	f.Fuzz(func(t *testing.T, content string) {
		for _, s := range nameServers(content, nil, nil) {
			if !s.IsValid() || s.Addr().IsUnspecified() {
				t.Errorf("%v cannot be asked", s)
			}
		}
	})
}
