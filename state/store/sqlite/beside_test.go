package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringfence/state/lockfile"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
	"ringfence/state/store/storetest"
)

// commits makes n of them, from the number first on.
func commits(t testing.TB, e *sqlite.Engine, first, n int) {
	t.Helper()
	for i := range n {
		c := storetest.Call(first+i, "l")
		if _, err := e.Apply(context.Background(), []store.Op{storetest.Open(c, 1, storetest.In("p", 1<<40)), storetest.Settle(c, 1)}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLocksStay guards that this process keeps its locks on the wal-index: it opened and closed that file itself, which
// drops them all, and the next process that opened the database thought itself alone and rebuilt the index underneath.
func TestLocksStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	e, err := sqlitetest.Open(t.Context(), path, sqlite.Options{WALPages: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for round := range 5 {
		commits(t, e, round*100, 40)
		if !locked(t, path+"-shm") {
			t.Fatalf("after %d commits nobody holds a lock on the wal-index", (round+1)*40)
		}
	}
}

// locked looks for any lock on a file, without opening it.
func locked(t *testing.T, path string) bool {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Skip("no table of locks here:", err)
	}
	return strings.Contains(string(table), fmt.Sprintf(":%d ", info.Sys().(*syscall.Stat_t).Ino))
}

// TestAnotherProcessReads guards the documented use of sqlite3 beside a server: copies are whole, and nothing is lost.
func TestAnotherProcessReads(t *testing.T) {
	cli, err := exec.LookPath("sqlite3")
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skip("no sqlite3 to test with")
		}
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	e, err := sqlitetest.Open(t.Context(), path, sqlite.Options{WALPages: 50, Sync: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 4, 150
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { commits(t, e, w*1000, each) })
	}
	over := make(chan struct{})
	go func() { wg.Wait(); close(over) }()
	ask := func(db, sql string) string {
		t.Helper()
		out, err := exec.Command(cli, "-cmd", ".timeout 5000", db, sql).CombinedOutput()
		if err != nil {
			t.Fatalf("sqlite3 %s: %v: %s", sql, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for n, busy := 0, true; busy || n < 3; n++ {
		select {
		case <-over:
			busy = false
		default:
		}
		ask(path, "PRAGMA wal_checkpoint(TRUNCATE)")
		copied := filepath.Join(dir, fmt.Sprintf("copy%d.db", n))
		ask(path, ".backup "+copied)
		if got := ask(copied, "PRAGMA integrity_check"); got != "ok" {
			t.Fatalf("copy %d: %s", n, got)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ask(path, "PRAGMA integrity_check; SELECT count(*) FROM cdr"); got != fmt.Sprintf("ok\n%d", writers*each) {
		t.Fatalf("after all: %s", got)
	}
}

// TestLogStaysShort guards that the write-ahead log is folded while readers never leave it alone: every one of them kept
// it from beginning anew, and it grew as long as there was load.
func TestLogStaysShort(t *testing.T) {
	const pages = 300
	path := filepath.Join(t.TempDir(), "s.db")
	e, err := sqlitetest.Open(t.Context(), path, sqlite.Options{WALPages: pages, Sync: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	commits(t, e, 0, 200)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				if _, err := e.CDRs(context.Background(), store.CDRFilter{Limit: 50}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	longest := int64(0)
	for i := range 20 {
		commits(t, e, 1000+i*100, 60)
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		longest = max(longest, info.Size())
	}
	stop.Store(true)
	wg.Wait()
	t.Logf("the log was %d pages long at most", longest/4120)
	// A commit writes a dozen pages and a busy machine folds late: some 2,000 pages, however many commits there are. Without folding it
	// is 15,000 after these, and more after more.
	if longest > 16*pages*4120 {
		t.Errorf("the log grew to %d pages, of which each fold leaves %d", longest/4120, pages)
	}
}

// TestReaderThatStays guards that one long read does not stop the writer for more than a moment at a time, and that the
// log is folded once it ends.
func TestReaderThatStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	e, err := sqlitetest.Open(t.Context(), path, sqlite.Options{WALPages: 50, Sync: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	commits(t, e, 0, 10)
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM cdr").Scan(&n); err != nil || n != 10 {
		t.Fatal(n, err)
	}
	begun := time.Now()
	commits(t, e, 1000, 300)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("300 commits beside a reader took %v", took)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	<-time.After(1200 * time.Millisecond) // the folder rests for a second after a failure; SQLite's locks know no other clock
	commits(t, e, 2000, 400)
	if now, err := os.Stat(path + "-wal"); err != nil || now.Size() > 1000*4120 {
		t.Errorf("the log is not folded after the reader has left: %v bytes, %v", now.Size(), err)
	}
}

// TestBackup guards that a copy made beside writers is whole and of one moment, and that a restore gives back exactly what
// was in it, keeps what was there, and never leaves the log of one beside the other.
func TestBackup(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	e, err := sqlitetest.Open(ctx, path, sqlite.Options{WALPages: 50, Sync: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() { commits(t, e, w*1000, 100) })
	}
	copied := func(name string) string {
		t.Helper()
		b, err := sqlite.Beside(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if err := b.Copy(ctx, file); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		return file
	}
	copied("while-writing.db")
	wg.Wait()
	before := storetest.Everything(t, e)
	file := copied("quiet.db")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	commits(t, e, 5000, 20)
	after := storetest.Everything(t, e)
	if _, err := sqlite.Stage(ctx, path, file); !errors.Is(err, lockfile.ErrHeld) {
		t.Fatalf("restored under a server: %v", err)
	}
	leaveLog(t, e, path)
	for _, f := range []string{"while-writing.db", "quiet.db"} {
		s, err := sqlite.Stage(ctx, path, filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if faults, err := s.Check(ctx); err != nil || len(faults) > 0 {
			t.Fatal(f, err, faults)
		}
		if f == "while-writing.db" {
			err = s.Drop()
		} else {
			err = s.Swap(ctx, path+".before")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Fatal("an old log lies beside the restored database")
	}
	for at, want := range map[string]string{path: before, path + ".before": after} {
		e, err := sqlitetest.Open(ctx, at, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := storetest.Everything(t, e); got != want {
			t.Errorf("%s is not what it was", at)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// leaveLog closes an engine and leaves its database as a crash does: with the last commits in the log only.
func leaveLog(t *testing.T, e *sqlite.Engine, path string) {
	t.Helper()
	saved := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		b, err := exec.Command("cat", path+suffix).Output() // another process: this one must not open them
		if err != nil {
			t.Fatal(err)
		}
		saved[suffix] = b
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for suffix, b := range saved {
		if err := os.WriteFile(path+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
