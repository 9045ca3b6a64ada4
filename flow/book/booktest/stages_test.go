package booktest_test

import (
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"ringfence/flow/book/booktest"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
	"ringfence/state/store/storetest"
)

// TestStages guards that what is tested on this store would go the same way on a real one.
func TestStages(t *testing.T) {
	storetest.RunStages(t, func(*testing.T) store.Store { return &booktest.Store{} })
}

func TestSameAsSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	empty := emptyDatabase(t, path)
	var last *sqlite.Engine
	defer func() { last.Close() }()
	storetest.DifferStages(t, func(r *rapid.T) (store.Store, store.Store) {
		if last != nil {
			if err := last.Close(); err != nil {
				r.Fatal(err)
			}
		}
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			r.Fatal(err)
		}
		e, err := sqlitetest.Open(r.Context(), path, sqlite.Options{})
		if err != nil {
			r.Fatal(err)
		}
		last = e
		return e, &booktest.Store{}
	})
}

// emptyDatabase is a new database's file. To make one anew for each case would take most of the test's time.
func emptyDatabase(t *testing.T, path string) []byte {
	t.Helper()
	e, err := sqlitetest.Open(t.Context(), path, sqlite.Options{})
	if err == nil {
		err = e.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
