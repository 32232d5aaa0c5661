package main

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/auth/seal"
)

// domain is whose mesh is measured. Its namespace has the same name.
const domain = "alice"

// serviceName is the name of one of the services that all are there before anything is measured.
func serviceName(i int) string { return fmt.Sprintf("web-%05d", i) }

// addedName is the name of a service that comes while something is measured.
func addedName(i int) string { return fmt.Sprintf("added-%05d", i) }

func partnerName(i int) string { return fmt.Sprintf("partner-%05d", i) }
func callerName(i int) string  { return fmt.Sprintf("caller-%05d", i) }

func routeName(source, destination string) string { return source + "-" + destination }

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: domain, Name: name} }

// service is a service of a task, as the original makes them: headless, with endpoints that somebody else writes.
func service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: meta(name),
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "http", Port: 8080, Protocol: corev1.ProtocolTCP}}},
	}
}

// address is where the i-th of all endpoints is. Nobody calls it.
func address(i int) string { return fmt.Sprintf("10.%d.%d.%d", 64+i>>16, i>>8&255, i&255) }

func slice(service, address string) *discoveryv1.EndpointSlice {
	ready, port, protocol, name := true, int32(8080), corev1.ProtocolTCP, "http"
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  meta(service),
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
	}
	s.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	return s
}

// route is a route that is proved by a token. Partners' gateways are all at the same port of this machine.
func route(source, destination string, port int) *v1alpha1.DomainRoute {
	return &v1alpha1.DomainRoute{
		ObjectMeta: meta(routeName(source, destination)),
		Spec: v1alpha1.RouteSpec{
			Source: source, Destination: destination, AuthenticationType: v1alpha1.AuthToken,
			Endpoint: v1alpha1.RouteEndpoint{Host: "127.0.0.1", Ports: []v1alpha1.RoutePort{{Name: "http", Port: port, Protocol: v1alpha1.PortHTTP}}},
		},
	}
}

// newTokens makes the token list of a route: each revision a new token, sealed for the domain.
func newTokens(key *rsa.PublicKey, revisions ...int64) ([]v1alpha1.RouteToken, error) {
	tokens := make([]v1alpha1.RouteToken, 0, len(revisions))
	for _, revision := range revisions {
		token, err := seal.NewToken(rand.Reader)
		if err != nil {
			return nil, err
		}
		sealed, err := token.Seal(key, rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("seal a token: %w", err)
		}
		tokens = append(tokens, v1alpha1.RouteToken{Token: sealed, Revision: revision})
	}
	return tokens, nil
}
