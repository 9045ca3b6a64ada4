package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
	"pgregory.net/rapid"

	"ringfence/core/call"
	"ringfence/state/store"
	"ringfence/state/store/memory"
	"ringfence/state/store/postgres"
	"ringfence/state/store/postgres/pgtest"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
	"ringfence/state/store/storetest"
)

func open(t *testing.T) store.Store { return engine(t, pgtest.Shared(t).Database(t)) }

func engine(t *testing.T, dsn string) *postgres.Engine {
	t.Helper()
	e, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestConformance(t *testing.T) { storetest.Run(t, open) }

// TestTwoNodes guards what contract 2 of the design is about: two engines that know nothing of each other.
func TestTwoNodes(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	a, b := engine(t, dsn), engine(t, dsn)
	storetest.Stampede(t, 500, 100, a, b)
	storetest.Race(t, 16, 80, a, b)
	storetest.RaceStages(t, a, b)
}

func TestSameAsMemory(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	e := engine(t, dsn)
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	storetest.Differ(t, func(r *rapid.T) (store.Money, store.Money) {
		if _, err := c.Exec(r.Context(), "TRUNCATE purse, node_lease, open_call, cdr, fact"); err != nil {
			r.Fatal(err)
		}
		return e, memory.New()
	})
}

// TestStagesSameAsSQLite plays the stages on both engines.
func TestStagesSameAsSQLite(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	e := engine(t, dsn)
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	var last *sqlite.Engine
	defer func() { last.Close() }()
	storetest.DifferStages(t, func(r *rapid.T) (store.Store, store.Store) {
		if _, err := c.Exec(r.Context(), "TRUNCATE stage_cursor, finding, unbilled, memory, device, ban, notice, delivery, link, fact"); err != nil {
			r.Fatal(err)
		}
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		lite, err := sqlitetest.Open(r.Context(), filepath.Join(dir, "s.db"), sqlite.Options{})
		if err != nil {
			r.Fatal(err)
		}
		if last != nil {
			if err := last.Close(); err != nil {
				r.Fatal(err)
			}
		}
		last = lite
		return e, lite
	})
}

func TestServerStopsAndComesBack(t *testing.T) {
	s := pgtest.Own(t, "fsync=off")
	e := engine(t, s.Database(t))
	c := storetest.Call(1, "l")
	group := []store.Op{storetest.Open(c, 5, storetest.In("p", 10))}
	if _, err := e.Apply(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := e.Apply(t.Context(), []store.Op{storetest.Settle(c, 3)}); err == nil {
		t.Fatal("a write without a server")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	var out []store.Outcome
	var err error
	for range 10 { // each failure throws away one dead connection
		if out, err = e.Apply(t.Context(), []store.Op{storetest.Settle(c, 3)}); err == nil {
			break
		}
	}
	if err != nil || out[0] != (store.Outcome{}) {
		t.Fatalf("after the server came back: %+v %v", out, err)
	}
	var faults []string
	for range 10 {
		if faults, err = e.Check(t.Context()); err == nil {
			break
		}
	}
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
}

// TestUpgrade guards that a database of the first version keeps everything.
func TestUpgrade(t *testing.T) {
	dsn := pgtest.Shared(t).Empty(t)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	storetest.FillVersion1(t, goose.DialectPostgres, db, "migrations")
	storetest.UpgradedVersion1(t, engine(t, dsn))
	engine(t, dsn) // and that it is opened again
}

// TestLateCommit guards that followers miss no fact that got its seq early and was committed late: a writer who appends
// after it waits for it, so a seq that can be read has no other before it to come.
func TestLateCommit(t *testing.T) {
	ctx := t.Context()
	dsn := pgtest.Shared(t).Database(t)
	a, b := engine(t, dsn), engine(t, dsn)
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	exec := func(sql string) {
		t.Helper()
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	// A transaction of an engine that stops just before its commit, as one does whose machine swaps.
	exec("BEGIN")
	exec("SELECT pg_advisory_xact_lock('fact'::regclass::oid::bigint)")
	exec("INSERT INTO fact (at, kind, line, account, call) VALUES (0, 'late', '', '', '')")
	done := make(chan error, 2)
	go func() {
		_, err := a.Advance(context.Background(), store.Step{Stage: "watch", To: 1, Facts: []store.Fact{{Kind: "after"}}})
		done <- err
	}()
	go func() {
		_, err := b.Apply(context.Background(), []store.Op{{Kind: store.OpRecord, Facts: []store.Fact{{Kind: "after"}}}})
		done <- err
	}()
	for waiting := 0; waiting < 2; {
		sql := "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() WHERE locktype = 'advisory' AND NOT granted"
		if err := c.QueryRow(ctx, sql).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			t.Fatalf("a later fact was committed before an earlier one (%v)", err)
		default:
		}
	}
	if facts, err := b.Facts(ctx, store.FactFilter{}); err != nil || len(facts) != 0 {
		t.Fatalf("facts %+v, %v", facts, err)
	}
	exec("COMMIT")
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	facts, err := b.Facts(ctx, store.FactFilter{})
	if err != nil || len(facts) != 3 || facts[0].Kind != "late" {
		t.Fatalf("facts %+v, %v", facts, err)
	}
}

// TestDatabaseClock guards that leases count by the server's clock and not by the node's: a node whose clock is minutes
// ahead ended every call of the others.
func TestDatabaseClock(t *testing.T) {
	ctx := t.Context()
	dsn := pgtest.Shared(t).Database(t)
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	// Sessions of this database find this clock before the server's own.
	for _, sql := range []string{
		"CREATE SCHEMA ahead",
		`CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
			AS 'SELECT pg_catalog.clock_timestamp() + interval ''1 hour'''`,
		"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, ahead, pg_catalog', current_database()); END $$",
	} {
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	e := engine(t, dsn)
	now, err := e.Clock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	theirs := time.Now().Add(time.Hour)
	near := func(got, want time.Time) bool { return got.Sub(want).Abs() < 10*time.Minute }
	if !near(now, theirs) {
		t.Fatalf("the clock is %v, not the server's %v", now, theirs)
	}
	mine, other := storetest.Call(1, "l"), storetest.Call(2, "l")
	other.Node = "b"
	for _, call := range []*call.Open{mine, other} {
		op := storetest.Open(call, 1, storetest.In("p", 10))
		op.Lease = time.Minute // over long ago, if one of the two clocks were the node's
		if _, err := e.Apply(ctx, []store.Op{op}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Renew(ctx, "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	if calls, err := e.Claim(ctx, "a", time.Minute); err != nil || len(calls) != 0 {
		t.Fatalf("claimed %+v, %v", calls, err)
	}
	open, err := e.OpenCalls(ctx, "")
	if err != nil || len(open) != 2 || !near(open[0].Lease, theirs) || !near(open[1].Lease, theirs) {
		t.Fatalf("open calls %+v, %v", open, err)
	}
}

// TestUpgradeOfVersion2 guards that an upgrade in the middle of calls loses none of them.
func TestUpgradeOfVersion2(t *testing.T) {
	for _, last := range storetest.Versions {
		dsn := pgtest.Shared(t).Empty(t)
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		storetest.FillVersion2(t, goose.DialectPostgres, db, "migrations", last)
		storetest.UpgradedVersion2(t, engine(t, dsn))
	}
}

// TestTablesOfTheFuture guards that an older program does not write into what a newer one has changed.
func TestTablesOfTheFuture(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	engine(t, dsn)
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, true)"); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(t.Context(), dsn); !errors.Is(err, store.ErrNewer) {
		t.Fatalf("opened: %v", err)
	}
}

// TestBackup guards that a copy made beside a server that writes is whole, and that a restore gives back what was in it,
// keeps what was there, and is refused while anybody is connected.
func TestBackup(t *testing.T) {
	ctx := t.Context()
	dsn := pgtest.Own(t, "fsync=off").Database(t)
	e, err := postgres.Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if _, err := e.Apply(ctx, []store.Op{storetest.Open(storetest.Call(i, "l"), 5, storetest.In("p", 1000))}); err != nil {
			t.Fatal(err)
		}
	}
	beside, err := postgres.Beside(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "copy.dump")
	if err := errors.Join(beside.Copy(ctx, file), beside.Close()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	before := storetest.Everything(t, e)
	if _, err := e.Apply(ctx, []store.Op{storetest.Settle(storetest.Call(0, "l"), 5)}); err != nil {
		t.Fatal(err)
	}
	after := storetest.Everything(t, e)
	if _, err := postgres.Stage(ctx, dsn, file); err == nil || !strings.Contains(err.Error(), "stop every server") {
		t.Fatalf("restored under a server: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	staged, err := postgres.Stage(ctx, dsn, file)
	if err == nil {
		err = staged.Swap(ctx, "kept")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := storetest.Everything(t, engine(t, dsn)); got != before {
		t.Fatalf("restored:\n%s\nwant\n%s", got, before)
	}
	if got := storetest.Everything(t, engine(t, dsn+" dbname=kept")); got != after {
		t.Fatalf("kept:\n%s\nwant\n%s", got, after)
	}
}
