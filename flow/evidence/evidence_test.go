package evidence

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/seal"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

type world struct {
	t    testing.TB
	path string
	s    *sqlite.Engine
	e    *Evidence
	copy string
	seed []byte
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, path: filepath.Join(dir, "a.db"), copy: filepath.Join(dir, "checkpoint"), seed: bytes.Repeat([]byte{7}, 32)}
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	s, err := sqlitetest.Open(w.t.Context(), w.path, sqlite.Options{})
	ok(w.t, err)
	w.t.Cleanup(func() { _ = s.Close() })
	w.s = s
	w.e, err = Open(w.t.Context(), Options{Store: s, Seed: w.seed, Copy: w.copy})
	ok(w.t, err)
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) write(n int) {
	w.t.Helper()
	var ops []store.Op
	for i := range n {
		id := call.ID(fmt.Sprintf("c%d", i%10))
		f := fact.Row{At: time.Now(), Kind: "call.admitted", Version: 1, Line: "l-1", Call: id, Body: fmt.Appendf(nil, `{"dialled":"%d","held_micro":%d}`, i, i)}
		ops = append(ops, store.Op{Kind: store.OpRecord, ID: id, Facts: []store.Fact{f}})
		if len(ops) == 100 || i == n-1 {
			_, err := w.s.Apply(w.t.Context(), ops)
			ok(w.t, err)
			ops = ops[:0]
		}
	}
}

func (w *world) seal() seal.Checkpoint {
	w.t.Helper()
	c, err := w.e.Seal(w.t.Context())
	ok(w.t, err)
	return c
}

func (w *world) export(f Filter) seal.Report {
	w.t.Helper()
	var out bytes.Buffer
	ok(w.t, w.e.Export(w.t.Context(), &out, f))
	r, err := seal.Verify(bytes.NewReader(out.Bytes()))
	ok(w.t, err)
	return r
}

func TestWhatIsWrittenIsProven(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{1, 255, 1, 700, 3000} {
		w.write(n)
		w.seal()
	}
	for name, c := range map[string]struct {
		f    Filter
		rows int64
	}{
		"all":    {Filter{All: true}, 3958},
		"calls":  {Filter{Calls: []call.ID{"c3"}, Checkpoints: []int64{2, 3}}, 396},
		"a line": {Filter{Lines: []string{"l-1"}}, 3957},
		"none":   {Filter{}, 0},
		"withheld": {Filter{All: true, Withhold: func(r *fact.Row, f *seal.Field) bool {
			return r.Call == "c1" && f.Name == "dialled"
		}}, 3958},
	} {
		r := w.export(c.f)
		if len(r.Findings) > 0 || r.Rows != c.rows || r.Unsealed != 0 || len(r.Passed) == 0 {
			t.Errorf("%s: %d rows, %v", name, r.Rows, r.Findings)
		}
	}
	// Another process builds the same trees from what is stored.
	before := w.seal()
	ok(t, w.s.Close())
	w.open()
	w.write(10)
	after := w.seal()
	if why := seal.Compare(&before, &after); why != "" || after.Number != before.Number+1 || after.Previous != before.Hash() {
		t.Error(why, after.Number)
	}
	if r := w.export(Filter{All: true}); len(r.Findings) > 0 || r.Rows != 3968 {
		t.Error(r.Rows, r.Findings)
	}
	if again := w.seal(); again.Number != after.Number {
		t.Error("a checkpoint although nothing was written")
	}
}

// What somebody with the database does to it.
func TestTheDatabaseTamperedWith(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{`UPDATE fact SET body = CAST('{"dialled":"5","held_micro":9}' AS BLOB) WHERE seq = 6`, "changed: row 5 of tree main"},
		{`UPDATE fact SET at = at - 1 WHERE seq = 6`, "changed: row 5 of tree main"},
		{`INSERT INTO fact (seq, at, kind, version, key, line, account, call, body) SELECT 5000, at + 3600000000, kind, version, '', line, account, call, body FROM fact WHERE seq = 6`, "inserted: fact 5000 of"},
		{`DELETE FROM seal_leaf WHERE seq = 101`, "the tree is not whole"},
	} {
		w := newWorld(t)
		w.write(300)
		w.seal()
		w.sql(c.sql)
		ok(t, w.s.Close())
		w.open()
		var out bytes.Buffer
		err := w.e.Export(t.Context(), &out, Filter{All: true})
		said := fmt.Sprint(err)
		if err == nil {
			r, err := seal.Verify(&out)
			ok(t, err)
			said = fmt.Sprint(r.Findings)
		}
		if !strings.Contains(said, c.want) {
			t.Errorf("%s: %s", c.sql, said)
		}
	}
}

// A deleted fact leaves its leaf: what remains is still proven.
func TestDeletedFactsLeaveTheProofs(t *testing.T) {
	w := newWorld(t)
	w.write(300)
	w.seal()
	w.sql("DELETE FROM fact WHERE seq BETWEEN 10 AND 99")
	if r := w.export(Filter{All: true}); len(r.Findings) > 0 || r.Rows != 211 { // with that of the key
		t.Error(r.Rows, r.Findings)
	}
}

func (w *world) sql(text string) {
	w.t.Helper()
	ok(w.t, tamper(w.t.Context(), w.path, text))
}

func TestARestoredStoreBeginsAnEpoch(t *testing.T) {
	w := newWorld(t)
	w.write(300)
	w.seal()
	backup := filepath.Join(t.TempDir(), "backup.db")
	ok(t, w.s.Copy(t.Context(), backup))
	w.write(500)
	known := w.seal()
	ok(t, w.s.Close())
	w.path = backup
	w.open()
	w.write(20)
	c := w.seal()
	if c.Epoch != 2 || c.Lost != known.Number || c.LostHash != known.Hash() || c.Number != known.Number+1 {
		t.Errorf("%+v", c)
	}
	if why := seal.Compare(&known, &c); why != "" {
		t.Error(why)
	}
	facts, err := w.s.Facts(t.Context(), store.FactFilter{Kind: "evidence.epoch"})
	ok(t, err)
	if len(facts) != 1 || !strings.Contains(string(facts[0].Body), "restored") {
		t.Error(facts)
	}
	if r := w.export(Filter{All: true}); len(r.Findings) > 0 {
		t.Error(r.Findings)
	}
}

// Two people are shown two stories under one number.
func TestAForkIsFound(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	a.write(10)
	b.write(10)
	one, other := a.seal(), b.seal()
	if why := seal.Compare(&one, &other); why != "fork: there are two checkpoints with number 1" {
		t.Error(why)
	}
}

// wrong is a store whose clock is off.
type wrong struct {
	store.Store
	by time.Duration
}

func (w *wrong) Clock(ctx context.Context) (time.Time, error) {
	now, err := w.Store.Clock(ctx)
	return now.Add(w.by), err
}

// A clock that jumped back never makes a checkpoint older than the last, and what was sealed meanwhile is proven.
func TestAClockThatJumpsBack(t *testing.T) {
	w := newWorld(t)
	clock := &wrong{Store: w.s}
	w.e.o.Store = clock
	last := seal.Checkpoint{}
	for _, clock.by = range []time.Duration{0, -time.Hour, -24 * time.Hour, time.Minute, 0} {
		w.write(5)
		c := w.seal()
		if c.At.Before(last.At) || c.Number != last.Number+1 {
			t.Errorf("%v: checkpoint %d of %v follows %d of %v", clock.by, c.Number, c.At, last.Number, last.At)
		}
		if why := seal.Compare(&last, &c); last.Number > 0 && why != "" {
			t.Error(why)
		}
		last = c
	}
	if r := w.export(Filter{All: true}); len(r.Findings) > 0 || r.Rows != 26 {
		t.Error(r.Rows, r.Findings)
	}
}

// A secret key is replaced, and the old one taken away: what it signed is still proven, by the key that the journal has of it.
func TestAnotherKey(t *testing.T) {
	w := newWorld(t)
	w.write(5)
	first := w.seal()
	_, old := w.e.Latest()
	before, _ := w.e.PublicKey()
	ok(t, w.s.Close())
	w.seed = bytes.Repeat([]byte{8}, 32)
	w.open()
	w.write(5)
	second := w.seal()
	now, _ := w.e.PublicKey()
	if before == now || second.Epoch != first.Epoch || second.Previous != first.Hash() {
		t.Fatalf("%s and %s, %+v", before, now, second)
	}
	r := w.export(Filter{All: true})
	if len(r.Findings) > 0 || r.Rows != 12 || len(r.Passed) < 2 || !slices.Equal(r.Keys, []string{before, now}) {
		t.Errorf("%d rows, %d checkpoints, keys %v: %v", r.Rows, len(r.Passed), r.Keys, r.Findings)
	}
	if _, err := seal.CompareAll([][]byte{old, func() []byte { _, n := w.e.Latest(); return n }()}, before, now); err != nil {
		t.Error(err)
	}
}

func tamper(ctx context.Context, path, text string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, text)
	return errors.Join(err, db.Close())
}
