package mesh

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// TestTwoPiecesThatDifferInAnyFieldAreNotTheSame fills a piece, changes one field after the other, and expects each change to be seen: a
// field that the encoding forgets would never reach a gateway.
func TestTwoPiecesThatDifferInAnyFieldAreNotTheSame(t *testing.T) {
	t.Parallel()
	check(t, func(s *Service) { fill(reflect.ValueOf(s).Elem(), new(int)) })
	check(t, func(e *Endpoints) { fill(reflect.ValueOf(e).Elem(), new(int)) })
	check(t, func(p *Pod) { fill(reflect.ValueOf(p).Elem(), new(int)) })
	check(t, func(g *Gateway) { fill(reflect.ValueOf(g).Elem(), new(int)) })
	check(t, func(r *Route) { fill(reflect.ValueOf(r).Elem(), new(int)) })
	check(t, func(x *Tokens) { fill(reflect.ValueOf(x).Elem(), new(int)) })
	check(t, func(k *Keys) { fill(reflect.ValueOf(k).Elem(), new(int)) })
}

func check[T any, P interface {
	*T
	piece
}](t *testing.T, full func(P)) {
	t.Helper()
	a, b := P(new(T)), P(new(T))
	full(a)
	full(b)
	if !same(a, b) || version(a, Secret{}) != version(b, Secret{}) {
		t.Errorf("%T: two pieces with equal fields are not the same", a)
	}
	leaves := 0
	visit(reflect.ValueOf(b).Elem(), fmt.Sprintf("%T", b), func(string, func()) { leaves++ })
	for leaf := range leaves {
		b, n := P(new(T)), 0
		full(b)
		visit(reflect.ValueOf(b).Elem(), fmt.Sprintf("%T", b), func(path string, set func()) {
			if n++; n-1 != leaf {
				return
			}
			set()
			if same(a, b) || version(a, Secret{}) == version(b, Secret{}) {
				t.Errorf("a change of %s is not seen", path)
			}
		})
	}
	if leaves < 4 {
		t.Errorf("%T: only %d fields were visited", a, leaves)
	}
}

// fill gives every field a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Type() {
	case reflect.TypeFor[Secret]():
		v.Set(reflect.ValueOf(Hide(fmt.Sprint("secret ", *n))))
		return
	case reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{10, 0, 0, byte(*n)})))
		return
	case reflect.TypeFor[netip.AddrPort]():
		v.Set(reflect.ValueOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(*n)}), 7)))
		return
	case reflect.TypeFor[netip.Prefix]():
		v.Set(reflect.ValueOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(*n)}), 24)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(*n) * int64(time.Second))
	case reflect.Uint16, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("the test does not know how to fill a " + v.Type().String())
	}
}

// visit calls f with a way to change each leaf of v, and each list and pointer to nothing.
func visit(v reflect.Value, path string, f func(path string, set func())) {
	if v.Type().PkgPath() == "net/netip" || v.Type() == reflect.TypeFor[Secret]() {
		f(path, func() { v.SetZero() })
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" || path != "*mesh."+v.Type().Name() {
				if name == "Ref" {
					ref := v.Field(i)
					for _, part := range []string{"Kind", "Namespace", "Name"} { // the version is made from the rest
						visit(ref.FieldByName(part), path+".Ref."+part, f)
					}
					continue
				}
				visit(v.Field(i), path+"."+name, f)
			}
		}
	case reflect.Slice:
		f(path, func() { v.Set(v.Slice(0, 1)) })
		for i := range v.Len() {
			if i < v.Len() {
				visit(v.Index(i), fmt.Sprintf("%s[%d]", path, i), f)
			}
		}
	case reflect.Pointer:
		f(path, func() { v.SetZero() })
		if !v.IsNil() {
			visit(v.Elem(), path, f)
		}
	default:
		f(path, func() {
			if v.Kind() == reflect.Bool {
				v.SetBool(false)
				return
			}
			v.SetZero()
		})
	}
}

func TestAVersionHidesSecretsFromGuessing(t *testing.T) {
	t.Parallel()
	r := &Route{Headers: []Header{{Name: "authorization", Value: Hide("Basic YTpi")}}}
	if version(r, Hide("one key")) == version(r, Hide("another key")) {
		t.Error("whoever sees the version can try out header values: it does not depend on the domain's key")
	}
}
