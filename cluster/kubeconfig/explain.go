package kubeconfig

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// answerError is an HTTP answer that is not the wanted one.
type answerError struct {
	path string
	code int
	body string
}

func (e *answerError) Error() string {
	return fmt.Sprintf("%s answers %d %s", e.path, e.code, http.StatusText(e.code))
}

// A verdict is what a failed question to an API server means for a person.
type verdict struct {
	reason string
	remedy string
	// again is set when the same question may well succeed later, without anyone doing anything.
	again bool
}

// explain finds out what a failed question means. It looks at the error alone.
func explain(err error) verdict {
	if v, ok := explainTLS(err); ok {
		return v
	}
	var answer *answerError
	if errors.As(err, &answer) {
		return explainAnswer(answer)
	}
	var dns *net.DNSError
	var op net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return verdict{"the connection is refused: nothing listens there", "start the cluster, or correct the server's address", true}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return verdict{"there is no route to it", "check the network, or correct the server's address", true}
	case errors.As(err, &dns):
		return verdict{fmt.Sprintf("its name %q cannot be resolved", dns.Name), "check DNS, or correct the server's address", true}
	case errors.Is(err, http.ErrSchemeMismatch):
		return verdict{"it speaks plain HTTP, not TLS", "correct the scheme or the port of the server's address", false}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &op) && op.Timeout():
		return verdict{"it does not answer in time", "check the network and the cluster's load", true}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return verdict{"it closes the connection", "check that this is the address of a Kubernetes API server and that it runs", true}
	}
	return verdict{err.Error(), "check that this is the address of a Kubernetes API server", false}
}

// explainTLS covers a server that cannot prove who it is.
func explainTLS(err error) (verdict, bool) {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &authority):
		return verdict{"its TLS certificate is signed by an unknown authority", "put the cluster's present CA into the kubeconfig (certificate-authority-data): fetch the kubeconfig again", false}, true
	case errors.As(err, &name):
		return verdict{fmt.Sprintf("its TLS certificate is not for %s", name.Host), "use an address that its certificate names, or add this one to the certificate", false}, true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return verdict{"its TLS certificate is not valid now", "renew the cluster's certificates, and check this machine's clock", false}, true
	case errors.As(err, &invalid):
		return verdict{"its TLS certificate cannot be used: " + invalid.Error(), "have the cluster's certificate made anew", false}, true
	}
	return verdict{}, false
}

// explainAnswer covers a server that answers, but not with what was asked for.
func explainAnswer(e *answerError) verdict {
	switch {
	case e.code == http.StatusUnauthorized:
		return verdict{"it does not accept the credentials (401)", "fetch the kubeconfig again: its certificate or token has ended or belongs to another cluster", false}
	case e.code == http.StatusForbidden:
		return verdict{fmt.Sprintf("the user may not read %s (403)", e.path), "use the credentials of a cluster administrator", false}
	case e.code == http.StatusTooManyRequests:
		return verdict{"it has too much to do (429)", "wait, or give the cluster more resources", true}
	case e.code >= 500 && failing(e.body) != "":
		return verdict{fmt.Sprintf("it is not ready: %s", failing(e.body)), "look into the cluster's own log", true}
	case e.code >= 500:
		return verdict{e.Error(), "look into the cluster's own log", true}
	}
	return verdict{e.Error(), "check that this is the address of a Kubernetes API server", false}
}

// failing lists the checks that /readyz reports as failed, which it marks with [-].
func failing(body string) string {
	var checks []string
	for line := range strings.Lines(body) {
		if check, ok := strings.CutPrefix(line, "[-]"); ok {
			name, _, _ := strings.Cut(strings.TrimSpace(check), " ")
			checks = append(checks, name)
		}
		if len(checks) == 5 {
			break
		}
	}
	return strings.Join(checks, ", ")
}
