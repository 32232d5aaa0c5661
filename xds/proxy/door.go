package proxy

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/entente-mesh/entente/api/names"
)

const (
	// doorTimeout bounds each of the attempts at a door.
	doorTimeout = 5 * time.Second
	// maxDoorHeader bounds the headers of an answer, maxDoorBody what is read of its body: what answers may not be our gateway at all.
	maxDoorHeader = 64 << 10
	maxDoorBody   = 4 << 10
	// doorHost is the service that is asked for. Nobody has it: where the door is closed it does not come to that.
	doorHost = "entente-proof-of-closed-doors"
)

// A Dial opens a connection to a listener for partners, with TLS where the listener has it.
type Dial func(ctx context.Context) (net.Conn, error)

// A DoorError tells that a listener for partners does not refuse, or not in the way that only a working authentication does. The gateway
// must not be published.
type DoorError struct {
	Attempt string // such as "a request without a token"
	Reason  string // what came instead of 401
}

// Error says what was tried, what came and what to do.
func (e *DoorError) Error() string {
	return fmt.Sprintf("the gateway's door may be open: %s got %s, not status 401 with %s: the gateway stays unpublished; use an Envoy that is tested with this version, and look into Envoy's log for a rejected listener",
		e.Attempt, e.Reason, names.HeaderErrorMessage)
}

// errAnother tells that the answer lacks the mark.
var errAnother = errors.New("another Envoy answered, or this one does not know its newest listener yet")

// An attempt is one request that must be refused.
type attempt struct {
	what   string
	header http.Header
}

// Prove shows that a listener for partners is closed to those who have no token: a request without one, one with the token of routes that
// need none, and one with a token that nobody has must each be answered with 401 and names.HeaderErrorMessage.
//
// An Envoy that does not know a field of the authentication filter may ignore it and let everybody in without a word, so this is the last
// thing before a gateway is published. A DoorError says that the door may be open; any other error, that it could not be tried.
func Prove(ctx context.Context, dial Dial) error { return ProveMarked(ctx, dial, "") }

// ProveMarked is Prove for one Envoy of several that may answer: its refusals carry the mark in names.HeaderErrorMessage. That another one has
// answered says nothing about this one, so it is no DoorError.
func ProveMarked(ctx context.Context, dial Dial, mark string) error {
	token := make([]byte, 32)
	if _, err := rand.Read(token); err != nil {
		return fmt.Errorf("prove that the door is closed: %w", err)
	}
	source := http.Header{names.HeaderSource: {doorHost}}
	with := func(token string) http.Header {
		h := source.Clone()
		h.Set(names.HeaderToken, token)
		return h
	}
	for _, a := range []attempt{
		{"a request without a token", http.Header{}},
		{"a request that only claims a source", source},
		{"a request with the token " + names.TokenNoop, with(names.TokenNoop)},
		{"a request with an unknown token", with(base64.StdEncoding.EncodeToString(token))},
	} {
		if err := a.mustFail(ctx, dial, mark); err != nil {
			return err
		}
	}
	return nil
}

// mustFail makes the attempt on a connection of its own.
func (a attempt) mustFail(ctx context.Context, dial Dial, mark string) error {
	ctx, cancel := context.WithTimeout(ctx, doorTimeout)
	defer cancel()
	conn, err := dial(ctx)
	if err != nil {
		return fmt.Errorf("prove that the door is closed: %s: %w", a.what, err)
	}
	defer func() { _ = conn.Close() }() // nothing was kept in it
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+doorHost+"/", nil)
	if err != nil {
		return err
	}
	request.Header = a.header.Clone()
	request.Header.Set(names.HeaderHost, doorHost)
	request.Close = true
	if err := request.Write(conn); err != nil {
		return fmt.Errorf("prove that the door is closed: %s: %w", a.what, errors.Join(context.Cause(ctx), err))
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxDoorHeader)), request)
	if err != nil {
		return fmt.Errorf("prove that the door is closed: %s: no answer of HTTP: %w", a.what, errors.Join(context.Cause(ctx), err))
	}
	defer func() { _ = answer.Body.Close() }() // as above
	if reason := a.judge(answer); reason != "" {
		return &DoorError{Attempt: a.what, Reason: reason}
	}
	if !strings.Contains(answer.Header.Get(names.HeaderErrorMessage), mark) {
		return fmt.Errorf("prove that the door is closed: %s: %w", a.what, errAnother)
	}
	// The rest is read so that the listener counts a whole answer, and not a client that went away.
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxDoorBody))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("prove that the door is closed: %s: %w", a.what, err)
	}
	return nil
}

// judge says what is wrong with an answer; empty means nothing.
func (a attempt) judge(answer *http.Response) string {
	switch {
	case answer.StatusCode != http.StatusUnauthorized:
		return fmt.Sprintf("status %d", answer.StatusCode)
	case answer.Header.Get(names.HeaderErrorMessage) == "":
		return "status 401 without " + names.HeaderErrorMessage + ", which is not this gateway's own"
	}
	return ""
}
