package retention

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/retain"
	"ringfence/core/seal"
	"ringfence/flow/evidence"
	"ringfence/flow/journal"
	"ringfence/flow/replay"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

type world struct {
	t      *testing.T
	s      *sqlite.Engine
	e      *evidence.Evidence
	folder string
	p      Policy
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	s, err := sqlitetest.Open(t.Context(), filepath.Join(dir, "s.db"), sqlite.Options{})
	ok(t, err)
	t.Cleanup(func() { _ = s.Close() })
	e, err := evidence.Open(t.Context(), evidence.Options{Store: s, Seed: bytes.Repeat([]byte{7}, 32)})
	ok(t, err)
	keep := map[retain.Kind]retain.Period{}
	for _, k := range retain.Kinds() {
		keep[k] = retain.Period{Years: 2}
	}
	keep[retain.Archives], keep[retain.Audit] = retain.Period{Years: 6}, retain.Period{Years: 7}
	return &world{t: t, s: s, e: e, folder: filepath.Join(dir, "archive"), p: Policy{Keep: keep, Archive: true}}
}

func (w *world) retention(s Store, node string) *Retention {
	return New(Options{
		Store: s, Policy: func() Policy { return w.p }, Export: w.e.Export, Folder: w.folder, Node: node,
		Rest: func(context.Context, time.Duration) error { return nil },
	})
}

// calls writes refused calls from an instant on, a minute apart, each with two facts, and gives their ids.
func (w *world) calls(from time.Time, n int, line string) (ids []call.ID) {
	w.t.Helper()
	var ops []store.Op
	for i := range n {
		at := from.Add(time.Duration(i) * time.Minute)
		text := call.NewID(at, fmt.Appendf(nil, "%010d", i))
		id := call.ID(text[:])
		subject := fact.Subject{Line: line, Account: "k" + line, Call: id}
		refused, noted := fact.CallRefused{}, fact.CallDisputed{Case: 1, Dispute: "disputed"}
		facts := []store.Fact{refused.Row(at, subject), refused.Row(at, subject)}
		if i%10 == 0 {
			facts = append(facts, noted.Row(at, subject))
		}
		ops = append(ops, store.Op{Kind: store.OpRecord, ID: id, CDR: &call.CDR{
			ID: id, Direction: call.Out, Line: line, Account: "k" + line, Dialled: "020 7946 0000", Begun: at, Ended: at, Refused: true, Reason: "line-locked", UserAgent: `=cmd|'/C calc'!A0`,
		}, Facts: facts})
		ids = append(ids, id)
	}
	for part := range slices.Chunk(ops, 100) {
		_, err := w.s.Apply(w.t.Context(), part)
		ok(w.t, err)
	}
	return ids
}

// archived are the calls in the files of archives that the store knows.
func (w *world) archived() (ids []call.ID) {
	w.t.Helper()
	all, err := w.s.Archives(w.t.Context(), "")
	ok(w.t, err)
	for i := range all {
		calls, _ := Files(&all[i])
		rows, err := csv.NewReader(bytes.NewReader(w.unpack(calls))).ReadAll()
		ok(w.t, err)
		for _, row := range rows[1:] {
			if i := slices.IndexFunc(row, func(cell string) bool { return strings.HasPrefix(cell, "=") }); i >= 0 {
				w.t.Errorf("a spreadsheet takes %q of %s for a formula", row[i], row[0])
			}
			ids = append(ids, call.ID(row[0]))
		}
	}
	return ids
}

func (w *world) unpack(name string) []byte {
	w.t.Helper()
	f, err := os.Open(filepath.Join(w.folder, name))
	ok(w.t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	ok(w.t, err)
	out, err := io.ReadAll(z)
	ok(w.t, err)
	return out
}

// replays wants every call of an archive to be played again under today's rules.
func (w *world) replays(name string, calls int) {
	w.t.Helper()
	deck, err := replay.Deck([]byte("prefix,name,rate\n44,UK,0.02\n"), rating.ReadOptions{})
	ok(w.t, err)
	var verdicts bytes.Buffer
	_, err = replay.Run(w.t.Context(), bytes.NewReader(w.unpack(name)), replay.Options{
		Sets:     []replay.Set{{Name: "today", Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}, Plan: phone.UK(), Zone: time.UTC, Deck: deck}},
		Verdicts: &verdicts, Fault: func(f *replay.Fault) { w.t.Errorf("%+v", f) },
	})
	ok(w.t, err)
	rows, err := csv.NewReader(&verdicts).ReadAll()
	ok(w.t, err)
	if len(rows) != 1+calls {
		w.t.Fatalf("%d verdicts of %d calls", len(rows)-1, calls)
	}
	for _, row := range rows[1:] {
		if row[1] != "allowed" { // they were refused because the line was locked then
			w.t.Errorf("%q", row)
		}
	}
}

func (w *world) there() (ids []call.ID) {
	w.t.Helper()
	all, err := w.s.CDRs(w.t.Context(), store.CDRFilter{Limit: 10_000})
	ok(w.t, err)
	for i := range all {
		ids = append(ids, all[i].ID)
	}
	slices.Sort(ids)
	return ids
}

func (w *world) export() []byte {
	w.t.Helper()
	var out bytes.Buffer
	ok(w.t, w.e.Export(w.t.Context(), &out, evidence.Filter{All: true}))
	return out.Bytes()
}

// good wants both verifiers to find nothing wrong.
func (w *world) good(what string, file []byte, rows int64) {
	w.t.Helper()
	r, err := seal.Verify(bytes.NewReader(file))
	if err != nil || len(r.Findings) > 0 || rows >= 0 && r.Rows != rows {
		w.t.Errorf("%s: %d rows, want %d; %v %v", what, r.Rows, rows, r.Findings, err)
	}
	dir := w.t.TempDir()
	verifier, evidenceFile := filepath.Join(dir, "verify.py"), filepath.Join(dir, "file")
	ok(w.t, errors.Join(os.WriteFile(verifier, []byte(evidence.Verifier()), 0o600), os.WriteFile(evidenceFile, file, 0o600)))
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			w.t.Fatal("there is no python3: tools/deps.sh test installs it")
		}
		w.t.Skip("there is no python3")
	}
	if out, err := exec.CommandContext(w.t.Context(), python, verifier, evidenceFile).CombinedOutput(); err != nil {
		w.t.Errorf("%s: the second verifier: %v\n%s", what, err, out)
	}
}

// TestProofsOutliveTheFacts: old calls and their facts go to archives and leave the database; what was exported before, what remains and what is in the archives
// is proven all the same, and what was deleted is a fact that is sealed itself.
func TestProofsOutliveTheFacts(t *testing.T) {
	w := newWorld(t)
	now := time.Now().UTC()
	old := w.calls(now.AddDate(-3, 0, 0).Truncate(24*time.Hour), 120, "a")
	old = append(old, w.calls(now.AddDate(-3, 0, 1).Truncate(24*time.Hour), 30, "b")...)
	young := w.calls(now.AddDate(0, -1, 0), 20, "a")
	before := w.export()
	held := Hold{Hold: retain.Hold{Line: "b", Customer: "kb"}, By: "staff/priya", Why: "the police asked"}
	r := w.retention(w.s, "a")
	held, err := r.Set(t.Context(), held)
	ok(t, err)
	out, err := r.Sweep(t.Context())
	ok(t, err)
	if out.Deleted[retain.Calls] != 120 || out.Held[retain.Calls][retain.Held] != 30 { // a call counts once, however many facts go with it
		t.Fatalf("%+v", out)
	}
	if got := w.archived(); !slices.Equal(got, old[:120]) {
		t.Fatalf("archived: %d calls", len(got))
	}
	if got := w.there(); len(got) != 50 || !slices.Equal(got[30:], young) {
		t.Fatalf("left: %d calls", len(got))
	}
	other, err := w.retention(w.s, "b").Status(t.Context()) // a node that has deleted nothing itself
	ok(t, err)
	for _, k := range other.Kinds {
		if k.Kind == retain.Calls && k.Deleted != 120 || k.Kind == retain.Devices && k.Deleted != 0 {
			t.Errorf("deleted of %s: %d", k.Kind, k.Deleted)
		}
	}
	after := w.export()
	w.good("what was exported before", before, 170*2+17)
	w.good("what remains", after, -1)
	all, err := w.s.Archives(t.Context(), "")
	ok(t, err)
	if len(all) != 1 || all[0].Calls != 120 || all[0].Facts != 252 || all[0].State != store.ArchiveKept {
		t.Fatalf("%+v", all)
	}
	calls, facts := Files(&all[0])
	w.good("an archive", w.unpack(facts), 252)
	w.replays(calls, 120)
	if !bytes.Contains(after, []byte(all[0].CallsHash)) || !bytes.Contains(after, []byte(all[0].FactsHash)) {
		t.Error("the hashes of the archive are in no fact")
	}
	said, err := w.s.Facts(t.Context(), store.FactFilter{Kinds: []string{fact.KindRetentionDeleted}})
	ok(t, err)
	sum := int64(0)
	for i := range said {
		var f fact.RetentionDeleted
		ok(t, f.Decode(said[i].Body))
		if sum += f.Count; f.Archive != all[0].Name {
			t.Errorf("%+v", f)
		}
	}
	if left, err := w.s.Facts(t.Context(), store.FactFilter{Call: old[0]}); err != nil || sum != 120 || len(left) != 1 || left[0].Kind != fact.KindCallDisputed {
		t.Errorf("%d deleted by facts; of the first call are left %+v (%v)", sum, left, err)
	}
	_, err = r.Lift(t.Context(), held.ID, "staff/tom", "over")
	ok(t, err)
	_, err = r.Sweep(t.Context())
	ok(t, err)
	if got := w.archived(); len(got) != 150 {
		t.Errorf("after the hold: %d calls", len(got))
	}
	w.p.Keep[retain.Archives] = retain.Period{Years: 2}
	_, err = r.Set(t.Context(), Hold{Hold: retain.Hold{Call: young[0]}, Why: "a test"})
	ok(t, err)
	_, err = r.Set(t.Context(), Hold{Hold: retain.Hold{Line: "b", Customer: "kb"}, Why: "a test"})
	ok(t, err)
	_, err = r.Sweep(t.Context())
	ok(t, err)
	files, err := os.ReadDir(w.folder)
	ok(t, err)
	if got := w.archived(); !slices.Equal(got, old[120:]) || len(files) != 2 {
		t.Errorf("archives: %d calls, %d files", len(got), len(files))
	}
}

// faulty fails the n-th write, before it is done or after.
type faulty struct {
	Store
	left  *int
	after bool
}

var errFault = errors.New("a fault")

func (f faulty) step(write func() error) error {
	*f.left--
	if *f.left != 0 {
		return write()
	}
	if f.after {
		return errors.Join(write(), errFault)
	}
	return errFault
}

func (f faulty) PutArchive(ctx context.Context, a store.Archive, ids []call.ID, facts ...store.Fact) error {
	return f.step(func() error { return f.Store.PutArchive(ctx, a, ids, facts...) })
}

func (f faulty) MoveArchive(ctx context.Context, name, was, state string, facts ...store.Fact) error {
	return f.step(func() error { return f.Store.MoveArchive(ctx, name, was, state, facts...) })
}

func (f faulty) DropOld(ctx context.Context, of store.OldFilter, all []store.Old, may func(*retain.Item, []retain.Hold) bool, facts func(store.Dropped) []store.Fact) (out store.Dropped, err error) {
	err = f.step(func() (err error) { out, err = f.Store.DropOld(ctx, of, all, may, facts); return err })
	return out, err
}

// TestACrashLosesNothing breaks off at each step from the first file to the last deletion, both before the step and after it. The next look finds each call either in the
// database or in one archive, never in both nor in none.
func TestACrashLosesNothing(t *testing.T) {
	for n, after := 1, false; ; {
		w := newWorld(t)
		start := time.Now().UTC().AddDate(-3, 0, 0).Truncate(24 * time.Hour)
		all := append(w.calls(start, 70, "a"), w.calls(start.AddDate(0, 0, 1), 20, "a")...)
		left := n
		broken := w.retention(faulty{w.s, &left, after}, "a")
		export := broken.o.Export
		broken.o.Export = func(ctx context.Context, out io.Writer, f evidence.Filter) (err error) {
			return faulty{nil, &left, after}.step(func() error { return export(ctx, out, f) })
		}
		_, err := broken.Sweep(t.Context())
		if !errors.Is(err, errFault) {
			ok(t, err)
			if n < 8 {
				t.Errorf("only %d steps were broken", n)
			}
			return
		}
		_, err = w.retention(w.s, "a").Sweep(t.Context())
		ok(t, err)
		got := append(w.archived(), w.there()...)
		slices.Sort(got)
		if !slices.Equal(got, all) || len(w.there()) != 0 {
			t.Fatalf("broken at step %d (after it: %v): %d calls of %d", n, after, len(got), len(all))
		}
		if files, err := os.ReadDir(w.folder); err != nil || len(files) != 4 {
			t.Errorf("broken at step %d: %d files (%v)", n, len(files), err)
		}
		if after = !after; !after {
			n++
		}
	}
}

// TestOneNodeDeletes: a node leaves it to another one whose turn has not ended.
func TestOneNodeDeletes(t *testing.T) {
	w := newWorld(t)
	_, err := w.retention(w.s, "a").Sweep(t.Context())
	ok(t, err)
	if _, err := w.retention(w.s, "b").Sweep(t.Context()); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	marks, err := w.s.Marks(t.Context())
	ok(t, err)
	was := marks[markLease].Value
	ok(t, w.s.PutMark(t.Context(), store.Mark{Name: markLease, Value: strings.Replace(was, `"until":"2`, `"until":"1`, 1)}, was))
	_, err = w.retention(w.s, "b").Sweep(t.Context())
	ok(t, err)
}

// TestLiveCallsDoNotWait compares how long calls wait for the store while a large backlog is deleted with how long they wait without, in one run.
func TestLiveCallsDoNotWait(t *testing.T) {
	w := newWorld(t)
	w.p.Archive = false
	w.calls(time.Now().AddDate(-3, 0, 0), 4000, "a")
	var n atomic.Int64
	cycle := func() time.Duration {
		id := call.ID(fmt.Sprintf("zz%024d", n.Add(1)))
		f := fact.CallRefused{}
		op := store.Op{Kind: store.OpRecord, ID: id, Facts: []store.Fact{f.Row(time.Now(), fact.Subject{Line: "a", Call: id})}}
		began := time.Now()
		_, err := w.s.Apply(t.Context(), []store.Op{op})
		ok(t, err)
		return time.Since(began)
	}
	median := func(of []time.Duration) time.Duration { slices.Sort(of); return of[len(of)/2] }
	var alone, beside []time.Duration
	for range 300 {
		alone = append(alone, cycle())
	}
	r := w.retention(w.s, "a")
	r.o.Rest = rest
	done := make(chan error, 1)
	go func() { _, err := r.Sweep(t.Context()); done <- err }()
	for running := true; running; {
		select {
		case err := <-done:
			ok(t, err)
			running = false
		default:
			beside = append(beside, cycle())
		}
	}
	if len(w.there()) != 0 || len(beside) < 50 {
		t.Fatalf("%d calls are left; %d cycles beside", len(w.there()), len(beside))
	}
	t.Logf("alone %s, beside %s (%d cycles)", median(alone), median(beside), len(beside))
	if a, b := median(alone), median(beside); b > 5*a {
		t.Errorf("a call waits %s while what is old is deleted, and %s without", b, a)
	}
}

// TestWhatIsUnreadStays: however old they are, calls and facts that a stage has still to read are not deleted before it has.
func TestWhatIsUnreadStays(t *testing.T) {
	w := newWorld(t)
	w.p.Archive = false
	w.calls(time.Now().AddDate(-3, 0, 0), 20, "a")
	failed := fact.LoginFailed{Failures: 1}
	_, err := w.s.Advance(t.Context(), store.Step{Stage: "watch", Facts: []store.Fact{failed.Row(time.Now().AddDate(-3, 0, 0), fact.Subject{Line: "a"})}})
	ok(t, err)
	r := w.retention(w.s, "a")
	r.o.Readers = func() []journal.Reader {
		return []journal.Reader{{Stage: "watch"}, {Stage: "notify", Kinds: []string{fact.KindFindingRaised}}} // which has read nothing, and wants none of these
	}
	out, err := r.Sweep(t.Context())
	ok(t, err)
	if len(w.there()) != 20 || out.Held[retain.Calls][retain.Open] != 20 || out.Held[retain.Journal][retain.Open] != 1 {
		t.Fatalf("%d calls are left: %+v", len(w.there()), out)
	}
	facts, err := w.s.Facts(t.Context(), store.FactFilter{Limit: 1000})
	ok(t, err)
	_, err = w.s.Advance(t.Context(), store.Step{Stage: "watch", To: facts[20].Seq}) // ten calls and their facts, and the note about the first
	ok(t, err)
	_, err = r.Sweep(t.Context())
	ok(t, err)
	if len(w.there()) != 10 {
		t.Fatalf("%d calls are left", len(w.there()))
	}
	_, err = w.s.Advance(t.Context(), store.Step{Stage: "watch", From: facts[20].Seq, To: facts[len(facts)-1].Seq})
	ok(t, err)
	out, err = r.Sweep(t.Context())
	ok(t, err)
	if len(w.there()) != 0 || out.Deleted[retain.Journal] != 1 {
		t.Fatalf("%d calls are left: %+v", len(w.there()), out)
	}
}

// TestOldPursesGo: purses of days and months long over are deleted, unless they hold something; those of this month and the last ones stay.
func TestOldPursesGo(t *testing.T) {
	w := newWorld(t)
	now := time.Now().UTC()
	day := func(days int) string { return "line/a/day/" + now.AddDate(0, 0, -days).Format(time.DateOnly) }
	month := func(months int) string {
		return "account/ka/month/" + time.Date(now.Year(), now.Month()-time.Month(months), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
	}
	old, kept := []string{day(63), day(800), month(6), month(30)}, []string{day(0), day(30), month(0), month(3)}
	for i, purse := range append(slices.Concat(old, kept), day(900)) {
		id := call.ID(fmt.Sprintf("01kb%022d", i))
		open := call.Open{ID: id, Node: "a", State: call.Answered, Direction: call.Out, Line: "a", Account: "ka", Begun: now}
		ops := []store.Op{{Kind: store.OpOpen, ID: id, Holds: []store.Hold{{Purse: purse, Cap: 100}}, Amount: 5, Call: &open}}
		if purse != day(900) {
			ops = append(ops, store.Op{Kind: store.OpSettle, ID: id, CDR: &call.CDR{ID: id, Direction: call.Out, Line: "a", Account: "ka", Begun: now, Ended: now, Retail: 5}})
		}
		_, err := w.s.Apply(t.Context(), ops)
		ok(t, err)
	}
	_, err := w.retention(w.s, "a").Sweep(t.Context())
	ok(t, err)
	purses, err := w.s.Purses(t.Context(), slices.Concat(old, kept, []string{day(900)}))
	ok(t, err)
	for i, p := range purses {
		if gone := p.Spent+p.Held == 0; gone != (i < len(old)) {
			t.Errorf("%+v", p)
		}
	}
	faults, err := w.s.Check(t.Context())
	if err != nil || len(faults) > 0 {
		t.Errorf("%v %v", faults, err)
	}
}
