package source

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/api/v1alpha1"
)

// parameters writes the options of lists and watches, which look the same in every group.
var parameters = metav1.ParameterCodec

// clients are the three groups that hold the mesh's objects. They share one connection. A client of all groups of Kubernetes would be several
// megabytes more of program.
type clients struct{ core, discovery, custom rest.Interface }

func connect(cfg *rest.Config) (clients, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return clients{}, fmt.Errorf("learn the kinds of objects: %w", err)
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	codecs := serializer.NewCodecFactory(scheme)

	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // no limit: a watch that fails has its own back-off
	cfg.RateLimiter = nil
	cfg.DisableCompression = cfg.DisableCompression || onThisMachine(cfg.Host)
	cfg.NegotiatedSerializer = codecs.WithoutConversion()
	transport, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return clients{}, err
	}
	client := func(path string, group schema.GroupVersion, accept string) rest.Interface {
		c := rest.CopyConfig(cfg)
		c.APIPath, c.GroupVersion, c.AcceptContentTypes, c.ContentType = path, &group, accept, runtime.ContentTypeJSON
		made, clientErr := rest.RESTClientForConfigAndClient(c, transport)
		if clientErr != nil && err == nil {
			err = clientErr
		}
		return made
	}
	const binary = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON // custom resources know JSON only
	all := clients{
		core:      client("/api", corev1.SchemeGroupVersion, binary),
		discovery: client("/apis", discoveryv1.SchemeGroupVersion, binary),
		custom:    client("/apis", v1alpha1.GroupVersion, runtime.ContentTypeJSON),
	}
	return all, err
}

// onThisMachine says whether the API server's address is one of loopback. Compression would cost such a server, and us, more than the bytes do.
func onThisMachine(host string) bool {
	if u, err := url.Parse(host); err == nil && u.Host != "" {
		host = u.Hostname()
	} else if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
