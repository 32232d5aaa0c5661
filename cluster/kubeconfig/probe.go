package kubeconfig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"
)

const (
	// askFor bounds one question.
	askFor = 5 * time.Second
	// maxAnswer bounds what is read of an answer; the longest one, a failing /readyz, has a few KB.
	maxAnswer = 256 << 10
)

// Probe asks the server once whether it is ready and which version it has. It opens a connection of its own and closes it,
// and reads the credential files anew, so it tells what a new client would meet.
func (s *Server) Probe(ctx context.Context) (Version, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	client, hangUp, err := s.client()
	if err != nil {
		return Version{}, err
	}
	defer hangUp()
	body, err := s.ask(ctx, client, "/version")
	if err != nil {
		return Version{}, err
	}
	v, err := readVersion(body)
	if err != nil {
		return Version{}, err
	}
	_, err = s.ask(ctx, client, "/readyz")
	return v, err
}

// client builds an HTTP client with the credentials as they are on the disk now, and says how to close its connections. The
// transports of client-go are shared in the whole process and never end, so they are not used here.
func (s *Server) client() (client *http.Client, hangUp func(), err error) {
	conf, err := rest.TLSConfigFor(s.rest)
	if err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{TLSClientConfig: conf, Proxy: s.rest.Proxy, DialContext: s.rest.Dial, ForceAttemptHTTP2: true}
	if transport.Proxy == nil {
		transport.Proxy = http.ProxyFromEnvironment
	}
	wrapped, err := rest.HTTPWrappersForConfig(s.rest, transport)
	if err != nil {
		return nil, nil, err
	}
	return &http.Client{Transport: wrapped}, transport.CloseIdleConnections, nil
}

// ask fetches one path.
func (s *Server) ask(ctx context.Context, client *http.Client, path string) (body []byte, err error) {
	base, _, err := rest.DefaultServerUrlFor(s.rest)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(path).String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, */*")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &answerError{path: path, code: resp.StatusCode, body: string(body)}
	}
	return body, nil
}

// readVersion reads the answer of /version. Builds without a version of their own fill in only major and minor.
func readVersion(body []byte) (Version, error) {
	var info version.Info
	if err := json.Unmarshal(body, &info); err != nil {
		return Version{}, fmt.Errorf("/version does not answer as Kubernetes does: %w", err)
	}
	v, err := ParseVersion(info.GitVersion)
	if err != nil || v.Major == 0 {
		if short, shortErr := ParseVersion(info.Major + "." + info.Minor); shortErr == nil {
			return short, nil
		}
	}
	return v, err
}
