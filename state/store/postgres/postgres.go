// Package postgres is the store on a PostgreSQL server, for one node or several. Every condition is part of the write
// that depends on it, so nodes need not know of each other. It must not know rules; shared queries are in sqlstore.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"ringfence/state/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Engine is an open store. Safe for concurrent use, and beside engines of other nodes on the same database.
type Engine struct {
	*sqlstore.Queries
	dsn  string
	pool *pgxpool.Pool
	// money is a pool of one connection for groups: its planner is told to follow the order in which rows are given.
	money *pgxpool.Pool
	seat  seat
	node  atomic.Pointer[string] // nil: the process is none
}

// tree is the name of the tree that this process seals its facts in: that of its node, because trees of several nodes need not wait for each other. A
// command beside the servers has one that is no node's.
func (e *Engine) tree() string {
	if n := e.node.Load(); n != nil {
		return "node/" + url.PathEscape(*n)
	}
	return "tools"
}

// Open connects to the database that dsn names (a URL or key=value pairs) and brings its tables up to date. The dsn may
// hold a password, so no error repeats it.
func Open(ctx context.Context, dsn string) (*Engine, error) {
	e, err := dial(ctx, dsn)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, e.pool); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres: bringing the tables up to date: %w", err), e.Close())
	}
	return e, nil
}

// dial connects and changes nothing.
func dial(ctx context.Context, dsn string) (*Engine, error) {
	pool, err := connect(ctx, dsn, nil)
	if err != nil {
		return nil, err
	}
	e := &Engine{dsn: dsn, pool: pool}
	e.Queries = sqlstore.New(&database{e})
	e.money, err = connect(ctx, dsn, func(cfg *pgxpool.Config) {
		cfg.MaxConns, cfg.MinConns = 1, 1
		for k, v := range map[string]string{
			// Rows are locked in the order given, so that two nodes never wait for each other in a circle.
			"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off", "enable_bitmapscan": "off",
			"plan_cache_mode": "force_generic_plan", "jit": "off",
		} {
			cfg.ConnConfig.RuntimeParams[k] = v
		}
	})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return e, nil
}

func connect(ctx context.Context, dsn string, change func(*pgxpool.Config)) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("postgres: the data source name cannot be understood")
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "ringfence"
	// The order of conditions within a group rests on reading what others have committed.
	cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed"
	if change != nil {
		change(cfg)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return pool, nil
}

func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	db := stdlib.OpenDBFromPool(pool)
	p, err := provider(db)
	if err == nil {
		err = sqlstore.Migrate(ctx, p)
	}
	return errors.Join(err, db.Close())
}

func provider(db *sql.DB) (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, dir, goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
}

// Ping makes a durable write, so that a full disk or a read-only standby is seen.
func (e *Engine) Ping(ctx context.Context) error {
	_, err := e.pool.Exec(ctx, "UPDATE ping SET n = n + 1 WHERE id = 1")
	return err
}

// Close ends all connections.
func (e *Engine) Close() error {
	e.money.Close()
	e.pool.Close()
	e.closeSeat() // this comes last, because until here the others may write as the node
	return nil
}

// inTransaction runs f in one transaction, and again a few times when the server ends it in favour of another one.
func inTransaction(ctx context.Context, pool *pgxpool.Pool, f func(pgx.Tx) error) error {
	var err error
	for range maxTries {
		err = pgx.BeginFunc(ctx, pool, f)
		if !errors.Is(err, errStale) && !transient(err) {
			return err
		}
	}
	return err
}

const maxTries = 20
