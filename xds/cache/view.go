package cache

import "errors"

// A View is what one stream may see: for each type a cache. The zero View has nothing.
type View struct {
	caches [Types]*Cache
	kin    *kin
}

var errStrangers = errors.New("a view over two unrelated caches would miss wake-ups: make the second one with Beside")

// NewView shows listeners from one cache, since they depend on the gateway's addresses, and everything else from the domain's. The caches
// must be related by Beside.
func NewView(domain, listeners *Cache) (View, error) {
	if domain.kin != listeners.kin {
		return View{}, errStrangers
	}
	v := View{kin: domain.kin}
	for t := range v.caches {
		v.caches[t] = domain
	}
	v.caches[Listener] = listeners
	return v, nil
}

func (v View) content(t Type) *content {
	if v.caches[t] == nil {
		return &content{}
	}
	return v.caches[t].now.Load()
}
