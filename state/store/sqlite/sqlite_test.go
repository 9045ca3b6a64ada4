package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	"pgregory.net/rapid"

	"ringfence/core/call"
	"ringfence/state/store"
	"ringfence/state/store/memory"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/storetest"
)

func open(t *testing.T) store.Store {
	t.Helper()
	e, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a b%#?.db"), sqlite.Options{})
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

func TestSameAsMemory(t *testing.T) {
	var last *sqlite.Engine
	defer func() { last.Close() }()
	storetest.Differ(t, func(r *rapid.T) (store.Money, store.Money) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		e, err := sqlite.Open(r.Context(), filepath.Join(dir, "s.db"), sqlite.Options{Sync: sqlite.Normal})
		if err != nil {
			r.Fatal(err)
		}
		if last != nil {
			if err := last.Close(); err != nil {
				r.Fatal(err)
			}
		}
		last = e
		return e, memory.New()
	})
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	first, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), path, sqlite.Options{})
	if !errors.Is(err, sqlite.ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("a second opening: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk guards the promise that a full disk refuses what cannot be written, and heals by itself.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	fill := func(e *sqlite.Engine, n int) error {
		for i := range n {
			c := storetest.Call(i, "l")
			c.Snapshot = make([]byte, 4000)
			if _, err := e.Apply(t.Context(), []store.Op{storetest.Open(c, 1, storetest.In("p", 1<<40))}); err != nil {
				return err
			}
		}
		return nil
	}
	e, err := sqlite.Open(t.Context(), path, sqlite.Options{MaxPages: 100})
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(e, 200); err == nil {
		t.Fatal("more than the disk holds was written")
	}
	open, err := e.OpenCalls(t.Context(), "")
	if err != nil || len(open) == 0 {
		t.Fatalf("reading while it is full: %d %v", len(open), err)
	}
	// Room comes back: what is there is settled, by the same engine.
	for i := range open {
		if _, err := e.Apply(t.Context(), []store.Op{{Kind: store.OpSettle, ID: open[i].ID, CDR: &call.CDR{ID: open[i].ID, Retail: 1}}}); err != nil {
			t.Fatalf("settling %d of %d: %v", i, len(open), err)
		}
	}
	if faults, err := e.Check(t.Context()); err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestUpgrade guards that a file of the first version keeps everything.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	storetest.FillVersion1(t, goose.DialectSQLite3, db, "migrations")
	for _, see := range []func(*testing.T, store.Store){storetest.UpgradedVersion1, func(*testing.T, store.Store) {}} {
		e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		see(t, e)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
