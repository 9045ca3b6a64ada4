package app_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/edge/phone"
	"ringfence/edge/rest/api"
	"ringfence/state/store/postgres/pgtest"
)

// status waits until the store is said to be well or not, and gives what is said of it and how long it took.
func (p *program) storeSays(well bool) (string, time.Duration) {
	p.t.Helper()
	begun := time.Now()
	look, late := time.NewTicker(20*time.Millisecond), time.After(10*time.Second)
	defer look.Stop()
	for {
		var st api.Status
		p.get("/v1/status", &st)
		if st.Ready == well && (st.Store == "ok") == well {
			return st.Store, time.Since(begun)
		}
		select {
		case <-look.C:
		case <-late:
			p.t.Fatalf("the store is said to be %q, ready %v", st.Store, st.Ready)
		}
	}
}

// TestLostRecordsCloseThePaidCalls guards that nobody spends beyond his caps by what a restored store has forgotten.
func TestLostRecordsCloseThePaidCalls(t *testing.T) {
	ctx := context.Background()
	cfg := demoConfig(t)
	p := start(t, cfg)
	file := filepath.Join(t.TempDir(), "copy.db")
	_, err := app.Backup(ctx, cfg, file, false)
	must(t, err)
	hangup(t, call(t, p.phone("2001"), "02079460000"))
	p.cdrs("2001", 1)
	p.stop()
	out, err := app.Restore(ctx, cfg, file, "test", true)
	must(t, err)
	if !out.Done || out.From.After(out.Until) || time.Since(out.From) > time.Minute {
		t.Errorf("restored %+v", out)
	}
	for range 2 { // it is the store that knows, so a restart does not forget
		p = start(t, cfg)
		var st api.Status
		p.get("/v1/status", &st)
		if st.Ready || !strings.Contains(st.Store, "--accept-gap") {
			t.Errorf("status %+v", st)
		}
		p.refused("2001", "02079460000", "records-lost")
		if r := p.phone("2011"); r != nil {
			_, err := r.Register(ctx, 300)
			must(t, err)
			go func() {
				ring := <-r.Inbox()
				_ = ring.Accept(ctx) // the caller's side says what came of it
			}()
		}
		hangup(t, call(t, p.phone("2001"), "02079460111")) // free
		hangup(t, call(t, p.phone("2001"), "999"))
		p.stop()
	}
	p = start(t, cfg)
	defer p.stop()
	gap, err := app.AcceptGap(ctx, cfg, "test")
	must(t, err)
	if !gap.From.Equal(out.From) {
		t.Errorf("accepted %+v, restored %+v", gap, out)
	}
	p.storeSays(true)
	hangup(t, call(t, p.phone("2001"), "02079460000"))
}

func (p *program) refused(line, to, why string) {
	p.t.Helper()
	c, a, err := p.phone(line).Invite(context.Background(), to, phone.Dialling{})
	must(p.t, err)
	if c != nil || !strings.Contains(strings.Join(a.Reason, " "), why) {
		p.t.Errorf("%s: %d %s, Reason %q; want %s", to, a.Status, a.Phrase, a.Reason, why)
	}
}

// TestDeletedStore guards that calls are not charged to files that are gone with the process.
func TestDeletedStore(t *testing.T) {
	p := start(t, demoConfig(t))
	must(t, os.Rename(p.cfg.DatabasePath(), p.cfg.DatabasePath()+".moved"))
	said, took := p.storeSays(false)
	if !strings.Contains(said, "deleted or replaced") || took > 2*time.Second {
		t.Errorf("%q after %v", said, took)
	}
	p.refused("2001", "02079460000", "store-unavailable")
	hangup(t, call(t, p.phone("2001"), "999"))
	must(t, os.Rename(p.cfg.DatabasePath()+".moved", p.cfg.DatabasePath()))
	p.storeSays(true)
	p.stop()
}

// TestFrozenStore guards that a store that hangs is noticed within two seconds when no call is writing.
func TestFrozenStore(t *testing.T) {
	server := pgtest.Own(t, "fsync=off")
	cfg := emptyConfig(t)
	cfg.Store.Engine = "postgres"
	cfg.Store.DSN = config.Secret(server.Database(t))
	p := start(t, cfg)
	p.storeSays(true)
	server.Freeze(true)
	said, took := p.storeSays(false)
	server.Freeze(false)
	t.Logf("noticed after %v: %s", took, said)
	if took > 2*time.Second {
		t.Errorf("noticed after %v", took)
	}
	p.storeSays(true)
	p.stop()
}

// TestAnotherKey guards that a node with a wrong key does not start: every right login would be a wrong password.
func TestAnotherKey(t *testing.T) {
	cfg := demoConfig(t)
	p := start(t, cfg)
	p.stop()
	must(t, os.Remove(cfg.Secret.KeyFile))
	_, err := app.New(context.Background(), cfg, app.Options{})
	if err == nil || !strings.Contains(err.Error(), "copy the key file") {
		t.Fatalf("started: %v", err)
	}
}

// TestKeyRotatedElsewhere guards that a node says so when another has rotated the key and this one has not got it.
func TestKeyRotatedElsewhere(t *testing.T) {
	ctx := context.Background()
	dsn := pgtest.Shared(t).Database(t)
	cfg := emptyConfig(t)
	cfg.Store.Engine = "postgres"
	cfg.Store.DSN = config.Secret(dsn)
	p := start(t, cfg)
	other := emptyConfig(t)
	other.Node, other.Store = "other", cfg.Store
	key, err := os.ReadFile(cfg.Secret.KeyFile)
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(other.Secret.KeyFile), 0o700))
	must(t, os.WriteFile(other.Secret.KeyFile, key, 0o600))
	q := start(t, other)
	q.storeSays(true)
	must(t, p.api.Do(ctx, http.MethodPost, "/v1/keys/rotate", nil, nil))
	p.storeSays(true)
	if said, _ := q.storeSays(false); !strings.Contains(said, "copy the key file") {
		t.Errorf("it says %q", said)
	}
	q.stop()
	p.stop()
}

// TestRestoreOfPostgres guards the whole way on PostgreSQL: backup beside a server, restore, the gap, the way out.
func TestRestoreOfPostgres(t *testing.T) {
	ctx := context.Background()
	cfg := emptyConfig(t)
	cfg.Store.Engine, cfg.Store.DSN = "postgres", config.Secret(pgtest.Own(t, "fsync=off").Database(t))
	p := start(t, cfg)
	file := filepath.Join(t.TempDir(), "copy.dump")
	_, err := app.Backup(ctx, cfg, file, false)
	must(t, err)
	if _, err := app.Restore(ctx, cfg, file, "test", true); err == nil || !strings.Contains(err.Error(), "stop every server") {
		t.Errorf("restored under a server: %v", err)
	}
	hangup(t, call(t, p.phone("2001"), "02079460000"))
	p.cdrs("2001", 1)
	p.stop()
	out, err := app.Restore(ctx, cfg, file, "test", true)
	must(t, err)
	p = start(t, cfg)
	defer p.stop()
	if n := len(p.cdrs("2001", 0)); n != 0 || !out.Done {
		t.Errorf("%d records of after the backup, %+v", n, out)
	}
	p.refused("2001", "02079460000", "records-lost")
	_, err = app.AcceptGap(ctx, cfg, "test")
	must(t, err)
	p.storeSays(true)
	hangup(t, call(t, p.phone("2001"), "02079460000"))
}
