package mesh

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/entente-mesh/entente/api/names"
)

// Lives of sticky cookies.
const (
	defaultCookieTTL = time.Hour            // as in the original
	maxCookieTTL     = 400 * 24 * time.Hour // browsers cut longer ones (RFC 6265bis, section 5.5)
)

// affinity is how the service keeps a client at one endpoint.
func affinity(v *review, name string, o *corev1.Service) Affinity {
	a := Affinity{Header: names.HeaderSessionID, ClientIP: o.Spec.SessionAffinity == corev1.ServiceAffinityClientIP}
	if name == names.ServiceTransport {
		a.Header = names.HeaderPTPSession
	}
	cookie := o.Annotations[names.AnnotationStickyCookie]
	if cookie == "" {
		return a
	}
	if !isToken(cookie) {
		v.fault(annotation(names.AnnotationStickyCookie), quote(cookie)+" cannot be the name of a cookie", "use letters, digits, '-' and '_'")
		return a
	}
	a.Cookie, a.CookieTTL = cookie, defaultCookieTTL
	text := o.Annotations[names.AnnotationStickyTTL]
	if text == "" {
		return a
	}
	ttl, ok := seconds(text)
	if !ok {
		v.fault(annotation(names.AnnotationStickyTTL), quote(text)+" is no life of a cookie: it lives an hour", "write seconds, 1 to 34560000, such as 86400")
		return a
	}
	a.CookieTTL = ttl
	return a
}

// seconds reads 86400 and 86400s alike: the original writes the one and documents the other.
func seconds(text string) (time.Duration, bool) {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		text = strconv.FormatUint(n, 10) + "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > maxCookieTTL {
		return 0, false
	}
	return d.Truncate(time.Second), true
}
