package sqlite_test

import (
	"path/filepath"
	"testing"

	"ringfence/state/store"
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
