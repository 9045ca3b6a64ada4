package sqlite_test

import (
	"database/sql"
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// TestLeavesAreFoundByPlace asks for every range of a tree whose rows hold one to four leaves, some in the form that lists each seq.
func TestLeavesAreFoundByPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	e, err := sqlitetest.Open(t.Context(), path, sqlite.Options{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	defer e.Close()
	var seqs []int64 // by place
	for i := range 12 {
		facts := make([]store.Fact, i%4+1)
		for k := range facts {
			facts[k] = store.Fact{At: time.Now(), Kind: "a.b", Version: 1}
			seqs = append(seqs, int64(len(seqs)+1))
		}
		_, err := e.Apply(t.Context(), []store.Op{{Kind: store.OpRecord, ID: "x", Facts: facts}})
		must(err)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	must(err)
	defer db.Close()
	for _, first := range []int64{2, 7} { // the form of earlier versions
		listed := binary.BigEndian.AppendUint64(nil, uint64(first))
		var n int64
		must(db.QueryRowContext(t.Context(), "SELECT length(hashes) / 32 FROM seal_leaf WHERE seq = ?", first).Scan(&n))
		for k := int64(1); k < n; k++ {
			listed = binary.BigEndian.AppendUint64(listed, uint64(first+k))
		}
		_, err := db.ExecContext(t.Context(), "UPDATE seal_leaf SET seqs = ? WHERE seq = ?", listed, first)
		must(err)
	}
	size := int64(len(seqs))
	for from := range size + 2 {
		for until := from; until <= size+2; until++ {
			places := map[int64]int64{}
			rows := 0
			must(e.Leaves(t.Context(), "main", from, until, func(l store.Leaves) error {
				if rows++; l.First >= until || l.First+int64(len(l.Hashes)) <= from && l.First+int64(len(l.Hashes)) != size {
					t.Errorf("from %d until %d: leaves from %d on", from, until, l.First)
				}
				for i, seq := range l.Seqs {
					places[l.First+int64(i)] = seq
				}
				return nil
			}))
			for p := from; p < min(until, size); p++ {
				if places[p] != seqs[p] {
					t.Fatalf("from %d until %d: place %d has seq %d", from, until, p, places[p])
				}
			}
		}
	}
	if got, err := e.Trees(t.Context()); err != nil || len(got) != 1 || got["main"] != size {
		t.Errorf("%v, %v", got, err)
	}
}
