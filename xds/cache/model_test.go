package cache_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
)

// The model test drives random streams over a random cache, and holds them against a model that is so simple that it can be believed: what
// the cache has is a map; what a client holds is a map; a client takes a response whole or not at all. After each operation it checks that
// everything that was sent is the newest, was subscribed to, had a reason to be sent, and came in order; that what the board calls confirmed
// is held; and now and then, after everything was answered, that nothing is missing and nobody repeats for ever.
func TestNoStreamMissesOrRepeatsOrDisorders(t *testing.T) {
	t.Parallel()
	operations := 100_000
	if os.Getenv("ENTENTE_LONG") != "" {
		operations = 1_000_000
	}
	seed := rand.Uint64()
	if text := os.Getenv("ENTENTE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("ENTENTE_SEED: %v", err)
		}
	}
	t.Logf("ENTENTE_SEED=%d", seed)
	const parts = 50
	for part := range uint64(parts) {
		t.Run(fmt.Sprintf("part %d", part), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, rand.New(rand.NewPCG(seed, part)), part%2 == 1)
			for range operations / parts {
				m.step()
				if t.Failed() {
					t.Fatalf("ENTENTE_SEED=%d part %d; the last operations:\n%s", seed, part, m.story())
				}
			}
		})
	}
}

const (
	modelNames   = 5
	modelClients = 3
	modelObjects = 4
)

// A model is the cache as it should be, and its clients.
type model struct {
	*testing.T
	rng      *rand.Rand
	cache    *cache.Cache
	has      map[cache.Key]string // what the cache has: the content
	object   map[int]int          // the version of each object
	bad      map[string]bool      // versions that clients refuse
	contents map[string]string    // of versions
	clients  []*modelClient
	now      time.Time
	history  []event
}

// An event is put into words only if it is shown.
type event struct {
	format string
	args   []any
}

func (e event) String() string { return fmt.Sprintf(e.format, e.args...) }

// newModel begins with an empty cache. mixed makes one of the clients a state-of-the-world client.
func newModel(t *testing.T, rng *rand.Rand, mixed bool) *model {
	t.Helper()
	m := &model{T: t, rng: rng, cache: cache.New(salt), has: map[cache.Key]string{}, object: map[int]int{}, bad: map[string]bool{}, contents: map[string]string{}, now: start}
	for i := range modelClients {
		c := &modelClient{m: m, name: fmt.Sprintf("gateway-%d", i), holds: map[cache.Key]string{}, state: mixed && i == 0}
		c.connect()
		m.clients = append(m.clients, c)
	}
	return m
}

func (m *model) note(format string, args ...any) {
	if m.history = append(m.history, event{format, args}); len(m.history) > 200 {
		m.history = m.history[1:]
	}
}

// story is the history in words.
func (m *model) story() string {
	var b strings.Builder
	for _, e := range m.history {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// step is one operation and all checks.
func (m *model) step() {
	m.now = m.now.Add(time.Millisecond)
	c := m.clients[m.rng.IntN(len(m.clients))]
	switch n := m.rng.IntN(100); {
	case n < 20:
		m.commit()
	case n < 30:
		c.subscribe()
	case n < 38:
		c.unsubscribe()
	case n < 41:
		c.toggleStar()
	case n < 70:
		c.pump()
	case n < 96:
		c.answer()
	case n < 98:
		c.drop()
	default:
		m.quiet()
	}
	m.checkBoard()
}

// objectOf is the object that a resource is made from.
func objectOf(key cache.Key) int {
	return (int(key.Type)*7 + int(key.Name[len(key.Name)-1])) % modelObjects
}

func (m *model) ref(o int) live.Ref {
	return live.Ref{Kind: "Thing", Namespace: "n", Name: strconv.Itoa(o), Version: strconv.Itoa(m.object[o])}
}

// commit changes one object: some of its resources are set, some go, and all that stay come from its new version.
func (m *model) commit() {
	o := m.rng.IntN(modelObjects)
	m.object[o]++
	var d cache.Delta
	for t := range cache.Types {
		for i := range modelNames {
			key := cache.Key{Type: t, Name: fmt.Sprintf("r%d", i)}
			if objectOf(key) != o {
				continue
			}
			old, was := m.has[key]
			switch n := m.rng.IntN(10); {
			case n < 3:
				m.put(&d, key, fmt.Sprintf("%s%d", []string{"good", "good", "good", "bad"}[m.rng.IntN(4)], m.rng.IntN(3)))
			case n == 3:
				d.Delete = append(d.Delete, key)
				delete(m.has, key)
			case was:
				m.put(&d, key, old)
			}
			if now, is := m.has[key]; now != old || is != was {
				for _, c := range m.clients {
					c.credit(key, 1)
				}
			}
		}
	}
	m.note("commit of object %d version %d: %d set, %d removed", o, m.object[o], len(d.Set), len(d.Delete))
	if _, err := m.cache.Commit(d, m.now); err != nil {
		m.Fatal(err)
	}
	for _, r := range d.Set {
		version, content := m.cache.Get(r.Key).Version, m.has[r.Key]
		m.contents[version] = content
		if strings.HasPrefix(content, "bad") {
			m.bad[version] = true
		}
	}
}

func (m *model) put(d *cache.Delta, key cache.Key, content string) {
	r := from(resource(key.Type, key.Name, content), m.ref(objectOf(key)))
	if key.Type == cache.Cluster {
		r.Follow = []cache.Key{{Type: cache.Endpoint, Name: key.Name}}
	}
	d.Set = append(d.Set, r)
	m.has[key] = content
}

// version is what the cache calls the newest content, or nothing.
func (m *model) version(key cache.Key) string {
	if e := m.cache.Get(key); e != nil {
		return e.Version
	}
	return ""
}

// quiet answers everything and checks that everybody has everything.
func (m *model) quiet() {
	for rounds := 0; ; rounds++ {
		if rounds > 200 {
			m.Error("the streams never come to rest")
			return
		}
		busy := false
		for _, c := range m.clients {
			c.pump()
			busy = busy || len(c.inbox) > 0
			for len(c.inbox) > 0 {
				c.answer()
			}
		}
		if !busy {
			break
		}
	}
	m.note("everything is answered")
	for _, c := range m.clients {
		c.checkInSync()
	}
	if !m.clients[0].state { // which refuses whole types, and with them what is good
		m.checkVerdicts()
	}
}

// checkBoard holds what the board calls confirmed against what the clients hold.
func (m *model) checkBoard() {
	var confirmed [modelObjects]bool
	for o := range modelObjects {
		confirmed[o] = m.cache.Board().Object(m.ref(o)).State == live.Confirmed
	}
	for key := range m.has {
		if !confirmed[objectOf(key)] {
			continue
		}
		for _, c := range m.clients {
			if c.subscribed(key) && !c.asked[key] && c.holds[key] != m.version(key) {
				m.Errorf("%v is confirmed, but %s does not hold %s %s", m.ref(objectOf(key)), c.name, key.Type, key.Name)
			}
		}
	}
}

// checkVerdicts checks, when everything is answered, that each object is confirmed or rejected, whichever is true.
func (m *model) checkVerdicts() {
	for o := range modelObjects {
		made, refused := false, false
		for key, content := range m.has {
			if objectOf(key) != o {
				continue
			}
			made = true
			for _, c := range m.clients {
				refused = refused || strings.HasPrefix(content, "bad") && c.subscribed(key)
			}
		}
		ref, want := m.ref(o), live.Confirmed
		if !made {
			ref.Version = ""
		} else if refused {
			want = live.Rejected
		}
		if v := m.cache.Board().Object(ref); v.State != want {
			m.Errorf("when everything is answered, %v is %+v, want state %d", ref, v, want)
		}
	}
}

// anyBad says whether a client wants something of a type that it will refuse.
func (m *model) anyBad(c *modelClient, t cache.Type) bool {
	for key, content := range m.has {
		if key.Type == t && c.subscribed(key) && strings.HasPrefix(content, "bad") {
			return true
		}
	}
	return false
}
