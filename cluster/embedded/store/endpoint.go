package store

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Kind names the database that holds the objects.
type Kind string

// The databases that K3s documents for its datastore endpoint, and the embedded one.
const (
	SQLite     Kind = "SQLite" // the embedded store in the data home
	MySQL      Kind = "MySQL"
	PostgreSQL Kind = "PostgreSQL"
	Etcd       Kind = "etcd"
)

// example is one right way to write the endpoint of each external database.
func (k Kind) example() string {
	switch k {
	case MySQL:
		return "mysql://user:password@tcp(db.example:3306)/kuscia"
	case PostgreSQL:
		return "postgres://user:password@db.example:5432/kuscia"
	case Etcd:
		return "https://etcd-1.example:2379,https://etcd-2.example:2379"
	default:
		return "mysql://user:password@tcp(db.example:3306)/kuscia, or leave it empty for the embedded store"
	}
}

// defaultDatabase is the name that kine gives to the database when the endpoint names none.
const defaultDatabase = "kubernetes"

// Datastore is a parsed datastoreEndpoint. Printing it in any way shows no password.
type Datastore struct {
	Kind     Kind
	Host     string   // the server as host:port or socket path; empty for SQLite and etcd
	Database string   // the database on that server; empty for SQLite and etcd
	Servers  []string // etcd's URLs; empty for the others

	dsn    string // scheme://… as kine takes it; holds the password
	secret string // the password alone, for scrubbing drivers' errors
}

// String names the datastore as a user would, without its credentials.
func (d Datastore) String() string {
	switch d.Kind {
	case MySQL, PostgreSQL:
		return fmt.Sprintf("%s database %s at %s", d.Kind, d.Database, d.Host)
	case Etcd:
		return "etcd at " + strings.Join(d.Servers, ",")
	default:
		return "embedded SQLite"
	}
}

// GoString keeps the password out of %#v too.
func (d Datastore) GoString() string { return "store.Datastore{" + d.String() + "}" }

// An EndpointError says why a datastoreEndpoint is refused. It never holds any part of a password: only what was
// recognized beyond doubt is repeated.
type EndpointError struct {
	Understood string // what the endpoint was taken for
	Reason     string
	Example    string // a right way to write it
}

// Error names the configuration key, what was understood, the reason, and a right example.
func (e *EndpointError) Error() string {
	return fmt.Sprintf("datastoreEndpoint (understood as %s): %s; write it like %s", e.Understood, e.Reason, e.Example)
}

func refuse(k Kind, reason string) error {
	return &EndpointError{Understood: string(k), Reason: reason, Example: k.example()}
}

// ParseDatastore reads a datastoreEndpoint as K3s documents it: empty for the embedded store, mysql://DSN,
// postgres://URL or postgresql://URL, or a comma-separated list of etcd's http:// or https:// URLs. It touches neither
// files nor the network.
func ParseDatastore(endpoint string) (Datastore, error) {
	endpoint = strings.TrimSpace(endpoint)
	if endpoint == "" {
		return Datastore{Kind: SQLite}, nil
	}
	scheme, rest, ok := strings.Cut(endpoint, "://")
	if !ok {
		return Datastore{}, &EndpointError{Understood: "unknown", Reason: "it has no scheme such as mysql://", Example: Kind("").example()}
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Datastore{}, &EndpointError{
			Understood: "unknown", Reason: "it contains a space or a control character", Example: Kind("").example(),
		}
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "mysql":
		return parseMySQL(rest)
	case "postgres", "postgresql":
		return parsePostgreSQL(rest)
	case "http", "https":
		return parseEtcd(endpoint)
	case "etcd":
		return Datastore{}, refuse(Etcd, "etcd's servers are written with http:// or https://")
	case "sqlite", "sqlite3":
		return Datastore{}, &EndpointError{
			Understood: string(SQLite), Example: `datastoreEndpoint: ""`,
			Reason: "the embedded store always lives in the data home, so that backup and restore find it",
		}
	default:
		return Datastore{}, &EndpointError{
			Understood: "unknown", Example: Kind("").example(),
			Reason: "its scheme is none of mysql, postgres, postgresql, http and https",
		}
	}
}

// databaseName admits what kine can quote in its CREATE DATABASE; it quotes nothing itself.
var databaseName = regexp.MustCompile(`^[A-Za-z0-9_$-]{1,64}$`)

const badDatabase = "the database name after the last / must be 1 to 64 letters, digits, '_', '$' or '-'"

// parseMySQL reads [user[:password]@]net(address)/database[?parameters]. The driver's own errors repeat parts of the
// text, which may be parts of a password, so none of them is passed on.
func parseMySQL(rest string) (Datastore, error) {
	d := Datastore{Kind: MySQL, dsn: "mysql://" + rest, Database: defaultDatabase}
	if rest == "" { // kine's default: root on the local socket
		d.Host = "the local server"
		return d, nil
	}
	if !strings.Contains(rest, "/") {
		return Datastore{}, refuse(MySQL, "there is no / before the database name")
	}
	cfg, err := mysql.ParseDSN(rest)
	if err != nil || (cfg.Net != "tcp" && cfg.Net != "unix") {
		return Datastore{}, refuse(MySQL, "the server must be written as tcp(host:port) or unix(/path/to/socket), and parameters as ?name=value")
	}
	if cfg.DBName != "" {
		if d.Database = cfg.DBName; !databaseName.MatchString(d.Database) {
			return Datastore{}, refuse(MySQL, badDatabase)
		}
	}
	if cfg.Net == "tcp" && !hostPort(cfg.Addr) {
		return Datastore{}, refuse(MySQL, "tcp(…) must hold host:port with a port from 1 to 65535")
	}
	d.Host, d.secret = cfg.Addr, cfg.Passwd
	return d, nil
}

// sslModes are libpq's.
var sslModes = []string{"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// parsePostgreSQL reads user:password@host:port/database?parameters. A character such as @ / ? # that was not
// percent-encoded would move a part of the password into the host or the path, which are shown: so anything doubtful is
// refused without repeating it.
func parsePostgreSQL(rest string) (Datastore, error) {
	const encode = "it is not a URL; characters such as @ : / ? # % in the user or password must be percent-encoded, @ as %40"
	d := Datastore{Kind: PostgreSQL, dsn: "postgres://" + rest, Database: defaultDatabase}
	if rest == "" { // kine's default
		d.Host = "localhost:5432"
		return d, nil
	}
	u, err := url.Parse(d.dsn)
	if err != nil || strings.Count(rest, "@") > 1 || (u.User == nil && strings.Contains(rest, "@")) || strings.Contains(rest, "#") {
		return Datastore{}, refuse(PostgreSQL, encode)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Datastore{}, refuse(PostgreSQL, "its parameters must be written as ?name=value&name=value")
	}
	if name := strings.Trim(u.Path, "/"); name != "" {
		if !databaseName.MatchString(name) {
			return Datastore{}, refuse(PostgreSQL, badDatabase)
		}
		d.Database = strings.ToLower(name) // as kine does: an unquoted name is folded by the server
	}
	if !slices.Contains(sslModes, query.Get("sslmode")) {
		return Datastore{}, refuse(PostgreSQL, "sslmode must be one of "+strings.Join(sslModes[1:], ", "))
	}
	switch {
	case u.Host == "" && query.Get("host") == "":
		return Datastore{}, refuse(PostgreSQL, "it names no host")
	case u.Host == "":
		d.Host = query.Get("host")
	case u.Port() == "":
		d.Host = net.JoinHostPort(u.Hostname(), "5432")
	default:
		d.Host = u.Host
	}
	if u.Host != "" && !hostPort(d.Host) {
		return Datastore{}, refuse(PostgreSQL, "the host must be one host:port with a port from 1 to 65535")
	}
	if d.secret = query.Get("password"); u.User != nil {
		if password, ok := u.User.Password(); ok {
			d.secret = password
		}
	}
	return d, nil
}

// parseEtcd reads a comma-separated list of URLs of one scheme.
func parseEtcd(endpoint string) (Datastore, error) {
	d := Datastore{Kind: Etcd}
	var scheme string
	for i, server := range strings.Split(endpoint, ",") {
		nth := "server " + strconv.Itoa(i+1) + " of the list "
		u, err := url.Parse(server)
		switch {
		case err != nil || (u.Scheme != "http" && u.Scheme != "https"):
			return Datastore{}, refuse(Etcd, nth+"is not an http:// or https:// URL")
		case u.User != nil || strings.Contains(server, "@"):
			return Datastore{}, refuse(Etcd, nth+"carries a user or password; etcd is reached with client certificates instead")
		case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
			return Datastore{}, refuse(Etcd, nth+"has more than scheme, host and port")
		case !hostPort(u.Host):
			return Datastore{}, refuse(Etcd, nth+"lacks a host or a port (etcd's is 2379)")
		case scheme != "" && scheme != u.Scheme:
			return Datastore{}, refuse(Etcd, "http and https are mixed")
		}
		scheme = u.Scheme
		d.Servers = append(d.Servers, scheme+"://"+u.Host)
	}
	return d, nil
}

// hostPort tells whether address is host:port with a host and a usable port.
func hostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	n, perr := strconv.ParseUint(port, 10, 16)
	return err == nil && perr == nil && n > 0 && host != "" && !strings.ContainsAny(host, ",@/")
}

// scrub returns err's text in one line and without the password, raw or percent-encoded: drivers and servers repeat what
// they were sent.
func (d Datastore) scrub(err error) string {
	text := strings.ReplaceAll(strings.ReplaceAll(err.Error(), "\n\t", " "), "\n", "; ")
	for _, secret := range []string{d.dsn, d.secret, url.QueryEscape(d.secret), url.PathEscape(d.secret)} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}
