package cache_test

import (
	"testing"

	"github.com/entente-mesh/entente/xds/cache"
)

// A client may send anything in any order. The stream must stay sane: it ends its turns, sends each name once in a response, and nothing that
// was not asked for.
func FuzzAnyRequestInAnyOrder(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 40, 3, 200, 9, 8, 7}, false)
	f.Add([]byte{255, 254, 1, 2, 3, 128, 64, 32, 16, 8, 4, 2, 1}, true)
	f.Fuzz(func(t *testing.T, script []byte, state bool) {
		s := newStage(t)
		if state {
			s.connectState()
		}
		names := []string{"a", "b", "c", "*", ""}
		asked := map[cache.Key]bool{}
		var nonces []string
		for i, op := range script {
			typ, name := cache.Type(op)%cache.Types, names[int(op>>3)%len(names)]
			r := cache.Request{Type: typ, Rejected: op&1 != 0, Reason: name}
			if len(nonces) > 0 {
				r.Nonce = nonces[int(op)*i%len(nonces)]
			}
			asked[cache.Key{Type: typ, Name: name}] = true
			switch op % 5 {
			case 0:
				r.Subscribe, r.Names = []string{name, name}, []string{name, name}
			case 1:
				r.Unsubscribe = []string{name}
			case 2:
				r.Initial, r.Version = map[string]string{name: "x", "b": "y"}, name
				asked[cache.Key{Type: typ, Name: "*"}] = true
			case 3:
				s.set(typ, "a=1", "b="+string(rune('0'+op%10)))
				asked[cache.Key{Type: typ, Name: "*"}] = true
			default:
				s.remove(typ, "a")
				asked[cache.Key{Type: typ, Name: "*"}] = true
			}
			s.request(r)
			for _, response := range s.next() {
				nonces = append(nonces, response.Nonce)
				seen := map[string]bool{}
				for _, e := range response.Set {
					if seen[e.Name] || !asked[e.Key] && !asked[cache.Key{Type: e.Type, Name: "*"}] {
						t.Fatalf("%s is sent twice, or was not asked for", e.Name)
					}
					seen[e.Name] = true
				}
			}
			s.session.Progress()
		}
	})
}
