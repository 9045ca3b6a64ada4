package app_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/state/store/postgres"
	"ringfence/state/store/postgres/pgtest"
)

func onPostgres(t *testing.T, node, dsn string) config.Config {
	t.Helper()
	cfg := emptyConfig(t)
	cfg.Node, cfg.Store.Engine, cfg.Store.DSN = node, "postgres", config.Secret(dsn)
	cfg.Secret.Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	return cfg
}

func refusesToStart(t *testing.T, cfg config.Config, words ...string) {
	t.Helper()
	second, err := app.New(context.Background(), cfg, app.Options{})
	if err == nil {
		must(t, second.Stop(context.Background()))
		t.Fatal("a second server starts")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v; want %q", err, w)
		}
	}
}

// TestTwoServersOfOneName guards that a second server does not take the first one's calls for its own.
func TestTwoServersOfOneName(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	p := start(t, onPostgres(t, "a", dsn))
	c := call(t, p.phone("2001"), "02079460000")
	refusesToStart(t, onPostgres(t, "a", dsn), `the node name "a"`, `give this one another "node", or stop that one`)
	if n := len(p.openCalls()); n != 1 {
		t.Errorf("%d calls are open after a second server was refused", n)
	}
	hangup(t, c)
	start(t, onPostgres(t, "b", dsn)).stop()
	p.stop()
	start(t, onPostgres(t, "a", dsn)).stop()
}

func (p *program) openCalls() []string {
	p.t.Helper()
	var l struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	p.get("/v1/calls", &l)
	ids := make([]string, len(l.Items))
	for i, c := range l.Items {
		ids[i] = c.ID
	}
	return ids
}

// TestTheNodeIsLost guards that a server that is no longer the node takes no more paid calls and ends.
func TestTheNodeIsLost(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	p := start(t, onPostgres(t, "a", dsn))
	defer p.stop()
	if !stolen(t, dsn) {
		t.Fatal("the name was never free")
	}
	select {
	case err := <-p.app.Failed():
		if !strings.Contains(err.Error(), "no longer the node") || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it goes on")
	}
	// A probe that was on its way when the session ended says that first.
	said, _ := p.storeSays(false)
	for late := time.Now().Add(5 * time.Second); !strings.Contains(said, "no longer the node") && time.Now().Before(late); said, _ = p.storeSays(false) {
		<-time.After(20 * time.Millisecond)
	}
	if !strings.Contains(said, "no longer the node") {
		t.Errorf("status says %q", said)
	}
	p.refused("2001", "02079460000", "store-unavailable")
	hangup(t, call(t, p.phone("2001"), "999"))
}

// dropSession ends the session that holds the node's name, when there is one, and gives its number.
func dropSession(t *testing.T, c *pgx.Conn, but int32) (pid int32) {
	t.Helper()
	const sql = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> $1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	for pid == 0 {
		if err := c.QueryRow(t.Context(), sql, but).Scan(&pid); !errors.Is(err, pgx.ErrNoRows) {
			must(t, err)
		}
	}
	_, err := c.Exec(t.Context(), "SELECT pg_terminate_backend($1)", pid)
	must(t, err)
	return pid
}

// stolen takes the name of a server that is quick to take it again.
func stolen(t *testing.T, dsn string) bool {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	must(t, err)
	defer c.Close(context.Background())
	other, err := postgres.Open(t.Context(), dsn)
	must(t, err)
	t.Cleanup(func() { other.Close() })
	gone := dropSession(t, c, 0)
	for range 10 {
		gone = dropSession(t, c, gone) // it has the name again, and loses it
		if err := other.Hold(t.Context(), "a"); err == nil {
			return true
		} else if !errors.Is(err, postgres.ErrNodeTaken) {
			t.Fatal(err)
		}
	}
	return false
}

// TestTwoServersInOneFolder guards the key file and the lock-outs, which are in the folder wherever the database is.
func TestTwoServersInOneFolder(t *testing.T) {
	ctx := context.Background()
	dsn := pgtest.Shared(t).Empty(t)
	cfg := onPostgres(t, "a", dsn)
	p := start(t, cfg)
	second := onPostgres(t, "b", dsn)
	second.Data, second.Admin.Socket = cfg.Data, filepath.Join(t.TempDir(), "s")
	refusesToStart(t, second, cfg.Data, `give this one another "data" folder, or stop that one`)
	onSQLite := demoConfig(t)
	onSQLite.Data = cfg.Data
	refusesToStart(t, onSQLite, cfg.Data)
	_, err := app.Backup(ctx, cfg, filepath.Join(t.TempDir(), "copy.dump"), false)
	must(t, err)
	p.stop()
	start(t, second).stop()
}
