package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestADatastoreEndpointIsReadAsK3sDoes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, endpoint string
		want           Datastore
		shown          string
	}{
		{"nothing means the embedded store", "", Datastore{Kind: SQLite}, "embedded SQLite"},
		{"a line break from a YAML block is not an endpoint", " \n", Datastore{Kind: SQLite}, "embedded SQLite"},
		{
			"MySQL with everything", "mysql://kuscia:p@ss/w:rd@tcp(db.example:3307)/alice?tls=true",
			Datastore{Kind: MySQL, Host: "db.example:3307", Database: "alice"},
			"MySQL database alice at db.example:3307",
		},
		{
			"MySQL on its default port and database", "mysql://root@tcp(db)/",
			Datastore{Kind: MySQL, Host: "db:3306", Database: "kubernetes"},
			"MySQL database kubernetes at db:3306",
		},
		{
			"MySQL on a socket", "mysql://root@unix(/run/mysqld/mysqld.sock)/alice",
			Datastore{Kind: MySQL, Host: "/run/mysqld/mysqld.sock", Database: "alice"},
			"MySQL database alice at /run/mysqld/mysqld.sock",
		},
		{"MySQL as it is on this machine", "mysql://", Datastore{Kind: MySQL, Host: "the local server", Database: "kubernetes"}, "MySQL database kubernetes at the local server"},
		{
			"PostgreSQL with everything", "postgres://kuscia:p%40ss%2Fword@db.example:5433/Alice?sslmode=disable",
			Datastore{Kind: PostgreSQL, Host: "db.example:5433", Database: "alice"},
			"PostgreSQL database alice at db.example:5433",
		},
		{
			"PostgreSQL by its long name, default port and database", "postgresql://kuscia:secret@db.example",
			Datastore{Kind: PostgreSQL, Host: "db.example:5432", Database: "kubernetes"},
			"PostgreSQL database kubernetes at db.example:5432",
		},
		{
			"PostgreSQL on IPv6", "postgres://u:p@[::1]:5432/alice",
			Datastore{Kind: PostgreSQL, Host: "[::1]:5432", Database: "alice"},
			"PostgreSQL database alice at [::1]:5432",
		},
		{
			"PostgreSQL on a socket", "postgres://kuscia@/alice?host=/run/postgresql",
			Datastore{Kind: PostgreSQL, Host: "/run/postgresql", Database: "alice"},
			"PostgreSQL database alice at /run/postgresql",
		},
		{"PostgreSQL as it is on this machine", "postgres://", Datastore{Kind: PostgreSQL, Host: "localhost:5432", Database: "kubernetes"}, "PostgreSQL database kubernetes at localhost:5432"},
		{
			"three etcds", "https://e1:2379,https://e2:2379,https://[fd00::3]:2379/",
			Datastore{Kind: Etcd, Servers: []string{"https://e1:2379", "https://e2:2379", "https://[fd00::3]:2379"}},
			"etcd at https://e1:2379,https://e2:2379,https://[fd00::3]:2379",
		},
		{"a scheme in capitals", "MySQL://u:p@tcp(db)/a", Datastore{Kind: MySQL, Host: "db:3306", Database: "a"}, "MySQL database a at db:3306"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseDatastore(tt.endpoint)
			if err != nil {
				t.Fatal(err)
			}
			seen := Datastore{Kind: got.Kind, Host: got.Host, Database: got.Database, Servers: got.Servers}
			if diff := cmp.Diff(tt.want, seen, cmp.AllowUnexported(Datastore{})); diff != "" {
				t.Errorf("datastore (-want +got):\n%s", diff)
			}
			if got.String() != tt.shown {
				t.Errorf("shown as %q, want %q", got, tt.shown)
			}
		})
	}
}

func TestABadDatastoreEndpointIsRefusedWithARightExample(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, endpoint, want string }{
		{"no scheme", "kuscia:hunter2secret@tcp(db:3306)/alice", "has no scheme"},
		{"a scheme of another world", "nats://hunter2secret@db", "none of mysql"},
		{"etcd's name as a scheme", "etcd://e1:2379", "http:// or https://"},
		{"an SQLite file elsewhere", "sqlite:///var/lib/x.db", "always lives in the data home"},
		{"a space", "mysql://kuscia:hunter2secret @tcp(db)/alice", "a space"},
		{"MySQL written like PostgreSQL", "mysql://kuscia:hunter2secret@db:3306/alice", "tcp(host:port)"},
		{"MySQL without a database slash", "mysql://kuscia:hunter2secret@tcp(db:3306)", "no / before"},
		{"MySQL without a server", "mysql://kuscia:hunter2secret/alice", "tcp(host:port)"},
		{"MySQL with a strange port", "mysql://kuscia:hunter2secret@tcp(db:99999)/alice", "port from 1 to 65535"},
		{"MySQL with a quoted database", "mysql://kuscia:hunter2secret@tcp(db)/a`b", "database name"},
		{"MySQL with an unreadable parameter", "mysql://kuscia:hunter2secret@tcp(db)/a?timeout=hunter2secret", "?name=value"},
		{"PostgreSQL with an unescaped slash in the password", "postgres://kuscia:12/hunter2secret@db/alice", "percent-encoded"},
		{"PostgreSQL with an unescaped # in the password", "postgres://kuscia:12#hunter2secret@db/alice", "percent-encoded"},
		{"PostgreSQL with an unescaped @ in the password", "postgres://kuscia:a@hunter2secret@db/alice", "percent-encoded"},
		{"PostgreSQL with an unescaped % in the password", "postgres://kuscia:%hunter2secret@db/alice", "percent-encoded"},
		{"PostgreSQL without a host", "postgres://kuscia:hunter2secret@/alice", "names no host"},
		{"PostgreSQL with a strange sslmode", "postgres://kuscia:hunter2secret@db/alice?sslmode=maybe", "verify-full"},
		{"PostgreSQL with two hosts", "postgres://kuscia:hunter2secret@a:1,b:2/alice", "host"},
		{"PostgreSQL with a quoted database", `postgres://kuscia:hunter2secret@db/a"b`, "database name"},
		{"etcd with a password", "https://root:hunter2secret@e1:2379", "client certificates"},
		{"etcd without a port", "https://e1", "etcd's is 2379"},
		{"etcd with a path", "https://e1:2379/v3", "more than scheme, host and port"},
		{"etcd half encrypted", "https://e1:2379,http://e2:2379", "mixed"},
		{"etcd with a bare second server", "https://e1:2379,e2:2379", "server 2 of the list"},
		{"etcd with an empty server", "https://e1:2379,", "server 2 of the list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseDatastore(tt.endpoint)
			if _, ok := errors.AsType[*EndpointError](err); !ok {
				t.Fatalf("error %v, want an EndpointError", err)
			}
			for _, want := range []string{"datastoreEndpoint", "understood as", tt.want, "write it like"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q repeats the password", err)
			}
		})
	}
}

func TestADriversErrorIsScrubbedOfThePassword(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"mysql://u:hunter2@secret@tcp(db)/a", "postgres://u:hunter2%40secret@db/a", "postgres://u@db/a?password=hunter2%40secret"} {
		d, err := ParseDatastore(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		text := d.scrub(fmt.Errorf("dial %s with hunter2@secret or hunter2%%40secret", endpoint))
		if strings.Contains(text, "hunter2") {
			t.Errorf("scrubbed error %q still holds the password", text)
		}
	}
}

// FuzzParseDatastore: no endpoint makes the parser panic, and none with a marked password shows it.
func FuzzParseDatastore(f *testing.F) {
	for _, seed := range [][3]string{
		{"mysql://kuscia:", "@tcp(db:3306)/alice", ""},
		{"postgres://kuscia:", "@db:5432/alice?sslmode=disable", "/"},
		{"https://root:", "@e1:2379", ",https://e2:2379"},
		{"postgres://", "@db", "#"},
		{"mysql://u:1/", "", "@tcp(x)/y"},
		{"postgres://u:1/", "@h/d", ""},
		{"postgres://u:p@", "", "@h:5432/d"},
		{"mysql://u:", "@tcp(x:1)/", "?"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	const secret = "Hunter2Secret"
	f.Fuzz(func(t *testing.T, before, after, more string) {
		if d, err := ParseDatastore(before + after + more); err == nil && d.Kind == "" {
			t.Error("accepted without a kind")
		}
		// A password stands between the first colon of the credentials and an @; the fuzzer chooses what is around it.
		scheme, _, ok := strings.Cut(before, "://")
		if !ok {
			return
		}
		for _, endpoint := range []string{
			scheme + "://user:" + secret + more + "@" + after,
			scheme + "://user:" + more + secret + "@" + after,
		} {
			d, err := ParseDatastore(endpoint)
			shown := fmt.Sprintf("%v %+v %#v %s", d, d, d, d)
			if err != nil {
				shown = err.Error()
			}
			if strings.Contains(strings.ToLower(shown), strings.ToLower(secret)) {
				t.Errorf("%q is shown as %q", endpoint, shown)
			}
		}
	})
}
