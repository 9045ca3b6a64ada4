package postgres_test

import (
	"testing"

	"ringfence/state/store"
	"ringfence/state/store/postgres"
	"ringfence/state/store/postgres/pgtest"
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
