package booktest_test

import (
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"ringfence/flow/book/booktest"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/storetest"
)

// TestStages guards that what is tested on this store would go the same way on a real one.
func TestStages(t *testing.T) {
	storetest.RunStages(t, func(*testing.T) store.Store { return &booktest.Store{} })
}

func TestSameAsSQLite(t *testing.T) {
	var last *sqlite.Engine
	defer func() { last.Close() }()
	storetest.DifferStages(t, func(r *rapid.T) (store.Store, store.Store) {
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
		return e, &booktest.Store{}
	})
}
