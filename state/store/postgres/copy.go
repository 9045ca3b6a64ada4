package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"ringfence/state/store"
	"ringfence/state/store/sqlstore"
)

// Beside connects to a store that others may be using, and migrates nothing.
func Beside(ctx context.Context, dsn string) (*Engine, error) {
	e, err := dial(ctx, dsn)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDBFromPool(e.pool)
	p, err := provider(db)
	if err == nil {
		err = sqlstore.Current(ctx, p, false)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres: %w", err), e.Close())
	}
	return e, nil
}

// Copy has pg_dump write a snapshot of everything into a new file at to.
func (e *Engine) Copy(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return tool(ctx, e.dsn, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file="+path)
}

// Staged is a copy in a database of its own, ready to take the store's place.
type Staged struct {
	*Engine
	dsn, name, staging string
}

// Stage restores a file of pg_dump into a database beside the one that dsn names, and brings it up to date. The store
// itself is as it was until Swap.
func Stage(ctx context.Context, dsn, from string) (*Staged, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("postgres: the data source name cannot be understood")
	}
	s := &Staged{dsn: dsn, name: cfg.Database, staging: cfg.Database + "_restoring"}
	if err := s.unused(ctx); err != nil {
		return nil, err
	}
	err = s.run(ctx, "DROP DATABASE IF EXISTS "+quoted(s.staging), "CREATE DATABASE "+quoted(s.staging)+" TEMPLATE template0")
	if err == nil {
		err = tool(ctx, named(dsn, s.staging), "pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", from)
	}
	if err == nil {
		err = ours(ctx, named(dsn, s.staging))
	}
	if err == nil {
		s.Engine, err = Open(ctx, named(dsn, s.staging))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", from, err), s.Drop())
	}
	return s, nil
}

// ours wants a database of this program.
func ours(ctx context.Context, dsn string) error {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var n int
	const sql = `SELECT count(*) FROM pg_tables WHERE schemaname = ANY (current_schemas(false))
		AND tablename IN ('goose_db_version', 'purse', 'open_call', 'cdr', 'fact', 'line')`
	if err := c.QueryRow(ctx, sql).Scan(&n); err != nil {
		return err
	}
	if n != 6 {
		return errors.New("it is not a database of this program")
	}
	return nil
}

// unused refuses while a server is connected.
func (s *Staged) unused(ctx context.Context) error {
	c, err := s.maintenance(ctx)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	n := 1
	for try := 0; n > 0 && try < 10; try++ { // sessions of a server that has just ended take a moment to go
		const sql = `SELECT count(*) FROM pg_stat_activity, pg_sleep(CASE WHEN $2 THEN 0.1 ELSE 0 END)
			WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'`
		if err := c.QueryRow(ctx, sql, s.name, try > 0).Scan(&n); err != nil {
			return err
		}
	}
	if n > 0 {
		return fmt.Errorf("%d sessions use the database %s: stop every server, and whatever else is connected, first", n, s.name)
	}
	return nil
}

// maintenance connects to a database that is not the store's: one cannot rename its own.
func (s *Staged) maintenance(ctx context.Context) (*pgx.Conn, error) {
	var errs []error
	for _, db := range []string{"postgres", "template1"} {
		c, err := pgx.Connect(ctx, named(s.dsn, db))
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("postgres: no database to rename others from: %w", errors.Join(errs...))
}

func (s *Staged) run(ctx context.Context, statements ...string) error {
	c, err := s.maintenance(ctx)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := c.Exec(ctx, sql); err != nil {
			return fmt.Errorf("postgres: %s: %w", sql, err)
		}
	}
	return nil
}

// Drop discards the copy.
func (s *Staged) Drop() error {
	var err error
	if s.Engine != nil {
		err = s.Engine.Close()
	}
	return errors.Join(err, s.run(context.Background(), "DROP DATABASE IF EXISTS "+quoted(s.staging)))
}

// Swap gives the copy the store's name, and what had it the name aside. PostgreSQL refuses it while there is any connection.
func (s *Staged) Swap(ctx context.Context, aside string) error {
	err := s.Engine.Close()
	if err == nil {
		err = s.run(ctx, "ALTER DATABASE "+quoted(s.name)+" RENAME TO "+quoted(aside))
	}
	if err != nil {
		return errors.Join(err, s.Drop())
	}
	if err := s.run(ctx, "ALTER DATABASE "+quoted(s.staging)+" RENAME TO "+quoted(s.name)); err != nil {
		return errors.Join(err, s.run(ctx, "ALTER DATABASE "+quoted(aside)+" RENAME TO "+quoted(s.name)), s.Drop())
	}
	return nil
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

var (
	passwordInURL  = regexp.MustCompile(`^(postgres(?:ql)?://[^:@/?]*):[^@/?]*@`)
	passwordInText = regexp.MustCompile(`(?i)\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|\S*)`)
	passwordInArgs = regexp.MustCompile(`([?&])password=[^&]*`)
	poolInText     = regexp.MustCompile(`\bpool_\w+\s*=\s*('(?:[^'\\]|\\.)*'|\S*)`)
	poolInArgs     = regexp.MustCompile(`([?&])pool_\w+=[^&]*`)
	databaseInURL  = regexp.MustCompile(`^(postgres(?:ql)?://[^/?]*)(?:/[^?]*)?`)
)

// named is a data source name of another database on the same server.
func named(dsn, database string) string {
	if databaseInURL.MatchString(dsn) {
		return databaseInURL.ReplaceAllString(dsn, "${1}/"+strings.ReplaceAll(database, "$", "$$"))
	}
	return dsn + " dbname='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(database) + "'" // the last one counts
}

// tool runs one of PostgreSQL's own programs on the database of a data source name. Passwords are passed in the environment, because every
// user of the machine can read command lines.
func tool(ctx context.Context, dsn, program string, args ...string) error {
	path, err := find(program)
	if err != nil {
		return err
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return errors.New("postgres: the data source name cannot be understood")
	}
	for _, r := range []struct {
		in   *regexp.Regexp
		with string
	}{{passwordInURL, "$1@"}, {passwordInText, ""}, {passwordInArgs, "$1"}, {poolInText, ""}, {poolInArgs, "$1"}} {
		dsn = r.in.ReplaceAllString(dsn, r.with)
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"--no-password", "--dbname=" + dsn}, args...)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+cfg.Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// find is a program of PostgreSQL: on the PATH, else of the newest version where Debian puts them.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program) // the pattern is right
	if len(found) == 0 {
		return "", fmt.Errorf("%s is not there: install PostgreSQL's client programs (Debian: postgresql-client)", program)
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}

var _ store.Store = (*Staged)(nil)
