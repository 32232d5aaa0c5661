package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// fixtureEndpoint is for whoever makes a new fixture; see testdata/README.md.
var fixtureEndpoint = flag.String("fixture-endpoint", "", "write the fixtures' objects to the etcd at this address")

func TestWriteFixture(t *testing.T) {
	t.Parallel()
	if *fixtureEndpoint == "" {
		t.Skip("only makes fixtures: -fixture-endpoint is not given")
	}
	if err := writeHistory(t.Context(), dial(t, Endpoint{Servers: []string{*fixtureEndpoint}})); err != nil {
		t.Fatal(err)
	}
}

// writeHistory gives every kind of row to a store: created, updated twice, deleted, created again after a deletion.
func writeHistory(ctx context.Context, c *clientv3.Client) error {
	for i := range 12 {
		key := historyKey(i)
		rev, created, err := create(ctx, c, key, fmt.Sprintf(`{"n":%d}`, i))
		if err != nil || !created {
			return fmt.Errorf("create %s: created %v, %w", key, created, err)
		}
		for u := range i % 3 {
			r, err := update(ctx, c, key, fmt.Sprintf(`{"n":%d,"update":%d}`, i, u), rev)
			if err != nil || !r.Succeeded {
				return fmt.Errorf("update %s: %w", key, err)
			}
			rev = r.Header.Revision
		}
		if i%4 == 3 {
			r, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", rev)).
				Then(clientv3.OpDelete(key)).Else(clientv3.OpGet(key)).Commit()
			if err != nil || !r.Succeeded {
				return fmt.Errorf("delete %s: %w", key, err)
			}
		}
		if i == 7 {
			if _, created, err := create(ctx, c, key, `{"n":7,"again":true}`); err != nil || !created {
				return fmt.Errorf("create %s again: created %v, %w", key, created, err)
			}
		}
	}
	return nil
}

func historyKey(i int) string {
	return fmt.Sprintf("/registry/kuscia.secretflow/kusciajobs/cross-domain/job-%02d", i)
}

// history is what writeHistory leaves.
func history() map[string]string {
	left := make(map[string]string)
	for i := range 12 {
		switch {
		case i == 7:
			left[historyKey(i)] = `{"n":7,"again":true}`
		case i%4 == 3:
		case i%3 == 0:
			left[historyKey(i)] = fmt.Sprintf(`{"n":%d}`, i)
		default:
			left[historyKey(i)] = fmt.Sprintf(`{"n":%d,"update":%d}`, i, i%3-1)
		}
	}
	return left
}

func TestAStoreWrittenByAnOlderVersionOpens(t *testing.T) {
	t.Parallel()
	fixtures, err := filepath.Glob("testdata/*/" + databaseFile + ".gz")
	must(t, err)
	if len(fixtures) < 2 {
		t.Fatalf("only %v is there", fixtures)
	}
	for _, fixture := range fixtures {
		t.Run(filepath.Base(filepath.Dir(fixture)), func(t *testing.T) {
			t.Parallel()
			dir := thaw(t, filepath.Dir(fixture))
			old, err := readMarker(dir)
			must(t, err)
			s := start(t, Config{Dir: dir, RunDir: runDir(t)})
			if diff := cmp.Diff(history(), content(t, s.client)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			must(t, keepsWriting(t.Context(), s.client))
			if _, deleted, err := create(t.Context(), s.client, historyKey(3), "back"); err != nil || !deleted {
				t.Errorf("create what the old version deleted: created %v, %v", deleted, err)
			}
			must(t, s.stop())
			got, err := readMarker(dir)
			must(t, err)
			want := nextMarker(old, got.Created)
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("marker (-want +got):\n%s", diff)
			}
			again := start(t, Config{Dir: dir, RunDir: runDir(t)})
			if got := content(t, again.client); got[historyKey(0)] != "updated" || got[historyKey(3)] != "back" {
				t.Errorf("after a restart: %v", got)
			}
		})
	}
}

// keepsWriting updates an old object at its old revision: revisions must go on where the old version stopped.
func keepsWriting(ctx context.Context, c *clientv3.Client) error {
	old, err := c.Get(ctx, historyKey(0))
	if err != nil {
		return err
	}
	r, err := update(ctx, c, historyKey(0), "updated", old.Kvs[0].ModRevision)
	if err != nil {
		return err
	}
	if !r.Succeeded || r.Header.Revision <= old.Header.Revision {
		return fmt.Errorf("update at old revision %d of %d: %+v", old.Kvs[0].ModRevision, old.Header.Revision, r)
	}
	return nil
}

// thaw unpacks a fixture into a folder of its own.
func thaw(t *testing.T, fixture string) string {
	t.Helper()
	dir := t.TempDir()
	packed, err := os.ReadFile(filepath.Join(fixture, databaseFile+".gz"))
	must(t, err)
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	must(t, err)
	raw, err := io.ReadAll(unzipped)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, databaseFile), raw, 0o600))
	marker, err := os.ReadFile(filepath.Join(fixture, markerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return dir // older than markers
	}
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, markerFile), marker, 0o600))
	return dir
}
