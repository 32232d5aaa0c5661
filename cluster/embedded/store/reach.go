package store

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	kinetls "github.com/k3s-io/kine/pkg/tls"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// reachTime is how long an external datastore may take to answer before the start is given up; the original waits as long.
const reachTime = 5 * time.Second

const (
	mysqlUnknownDatabase    = 1049    // ER_BAD_DB_ERROR
	postgresUnknownDatabase = "3D000" // invalid_catalog_name
)

// reach asks an external datastore for one answer. A server that lacks the database counts as reached: kine creates it.
func (d Datastore) reach(ctx context.Context, files kinetls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	conf, err := files.ClientConfig()
	if err != nil {
		return fmt.Errorf("datastoreEndpoint: TLS files for %s: %w", d, err)
	}
	switch d.Kind {
	case MySQL:
		err = d.reachMySQL(ctx, conf)
	case PostgreSQL:
		err = d.reachPostgreSQL(ctx, files)
	case Etcd:
		err = d.reachEtcd(ctx, conf)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %v", reachTime)
	}
	return mark(ErrUnreachable, fmt.Errorf("datastoreEndpoint: %s is unreachable: %s; "+
		"check that the server runs, that this machine may reach it, and the user and password", d, d.scrub(err)))
}

func (d Datastore) reachMySQL(ctx context.Context, conf *tls.Config) error {
	dsn := strings.TrimPrefix(d.dsn, "mysql://")
	switch {
	case dsn == "" && conf == nil: // kine's defaults
		dsn = "root@unix(/var/run/mysqld/mysqld.sock)/"
	case dsn == "":
		dsn = "root@tcp(127.0.0.1:3306)/"
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return err
	}
	if conf != nil {
		cfg.TLS = conf
	}
	cfg.Logger = &mysql.NopLogger{} // its errors come back to us as well
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	err = pingSQL(ctx, sql.OpenDB(connector))
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok && e.Number == mysqlUnknownDatabase {
		return nil
	}
	return err
}

func (d Datastore) reachPostgreSQL(ctx context.Context, files kinetls.Config) error {
	dsn := d.dsn
	if dsn == "postgres://" { // kine's default
		dsn = "postgres://postgres:postgres@localhost/"
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return err
	}
	query := u.Query()
	for name, file := range map[string]string{"sslcert": files.CertFile, "sslkey": files.KeyFile, "sslrootcert": files.CAFile} {
		if file != "" && !query.Has(name) { // as kine does
			query.Set(name, file)
			if !query.Has("sslmode") {
				query.Set("sslmode", "verify-full")
			}
		}
	}
	u.Path, u.RawQuery = "/"+d.Database, query.Encode()
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		return err
	}
	err = pingSQL(ctx, stdlib.OpenDB(*cfg))
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == postgresUnknownDatabase {
		return nil
	}
	return err
}

func pingSQL(ctx context.Context, db *sql.DB) error {
	return errors.Join(db.PingContext(ctx), db.Close())
}

// reachEtcd is content with one server of the list: etcd itself says when it has no quorum.
func (d Datastore) reachEtcd(ctx context.Context, conf *tls.Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Context: ctx, Endpoints: d.Servers, TLS: conf, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	answers := make(chan error, len(d.Servers))
	for _, server := range d.Servers {
		go func() { answers <- askEtcd(ctx, client, server) }()
	}
	var problems []error
	reached := false
	for range d.Servers {
		err := <-answers
		if err == nil && !reached {
			reached = true
			cancel() // the others need not answer
		}
		problems = append(problems, err)
	}
	if closed := client.Close(); reached {
		return closed
	}
	return errors.Join(problems...)
}

// askEtcd connects by itself first, because etcd's client retries a refused connection until its time is up and then
// says only that.
func askEtcd(ctx context.Context, client *clientv3.Client, server string) error {
	_, address, _ := strings.Cut(server, "://")
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	if _, err := client.Status(ctx, server); err != nil {
		return fmt.Errorf("%s: %w", server, err)
	}
	return nil
}
