package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/internal/lab/postgres"
)

func TestPostgreSQLHoldsTheObjects(t *testing.T) {
	t.Parallel()
	at := postgres.Start(t)
	const encoded = "p%40ss%2Fword%3A%231"
	cfg := Config{RunDir: runDir(t), Datastore: "postgres://kuscia:" + encoded + "@" + at + "/alice?sslmode=disable"}
	first := start(t, cfg) // kine creates the database
	behaveLikeEtcd(t, first.client)
	want := fill(t, first.client, "pods", 20)
	must(t, first.stop())
	if diff := cmp.Diff(want, content(t, start(t, cfg).client)); diff != "" {
		t.Errorf("objects after a restart (-want +got):\n%s", diff)
	}

	_, err := New(t.Context(), Config{RunDir: runDir(t), Datastore: "postgres://kuscia:wrong-secret@" + at + "/alice?sslmode=disable"})
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "password authentication failed") || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("a wrong password: %v", err)
	}
	_, err = New(t.Context(), Config{RunDir: runDir(t), Datastore: "postgres://kuscia:" + encoded + "@" + at + "/alice?sslmode=require"})
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("TLS wanted from a server without it: %v", err)
	}
}
