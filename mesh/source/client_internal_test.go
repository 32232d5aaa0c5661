package source

import "testing"

func TestOnlyAnAPIServerOnLoopbackIsOnThisMachine(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"https://127.0.0.1:6443":    true,
		"https://[::1]:6443":        true,
		"127.0.0.1:6443":            true,
		"127.0.0.1":                 true,
		"https://192.0.2.1:6443":    false,
		"https://master.example":    false,
		"https://127.example:6443/": false,
		"":                          false,
	} {
		if got := onThisMachine(host); got != want {
			t.Errorf("onThisMachine(%q) = %v, want %v", host, got, want)
		}
	}
}
