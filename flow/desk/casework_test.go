package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/watch"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// office is a provider with two customers and calls of theirs.
type office struct {
	*Cases
	db            *sqlite.Engine
	acme, other   string
	line, another string
	vouched       []string
	mu            sync.Mutex
	credited      map[string]int       // guarded by mu
	settle        func(id int64) error // nil: nothing is to be settled
}

var (
	priya = Who{Actor: "staff/priya"}
	maya  = Who{Actor: "staff/maya"}
)

func (o *office) ana() Who { return Who{Actor: "acme/ana", Customer: o.acme} }

func newOffice(t testing.TB) *office {
	t.Helper()
	ctx := context.Background()
	db, err := sqlitetest.Open(ctx, filepath.Join(t.TempDir(), "s.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	plan, err := phone.NewPlan(phone.UKConfig())
	must(t, err)
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(ctx, db, book.Options{Plan: plan, Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "sip.test"})
	must(t, err)
	o := &office{db: db, credited: map[string]int{}}
	for name, at := range map[string][2]*string{"acme": {&o.acme, &o.line}, "other": {&o.other, &o.another}} {
		c, err := b.AddCustomer(ctx, "t", name, book.CustomerEdit{})
		must(t, err)
		l, _, err := b.AddLine(ctx, "t", book.NewLine{ID: name + "-1", Customer: c.ID, NoPassword: true})
		must(t, err)
		*at[0], *at[1] = c.ID, l.ID()
	}
	w, err := watch.New(watch.Options{Store: db, Book: b})
	must(t, err)
	o.Cases, err = NewCases(CasesOptions{
		Store: db, Records: db, Book: b, Watch: func() *watch.Watch { return w }, SecondAbove: func() money.Micro { return 10 * money.Pound },
		Vouch: func(_ context.Context, _, _, _, key string) error { o.vouched = append(o.vouched, key); return nil },
		Credit: func(_ context.Context, c *casework.Case, i *casework.Item) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.credited[fmt.Sprintf("%d/%d", c.ID, i.N)]++
			return nil
		},
		Settle: func(_ context.Context, id int64) error {
			if o.settle == nil {
				return nil
			}
			return o.settle(id)
		},
	})
	must(t, err)
	return o
}

var began = time.Now().Add(-2 * time.Hour).Truncate(time.Second)

// calls settles n calls of a customer at a price.
func (o *office) calls(t testing.TB, customer, line string, from, n int, price money.Micro) (ids []CallID) {
	t.Helper()
	return o.callsTo(t, "+37190000112", customer, line, from, n, price)
}

func (o *office) callsTo(t testing.TB, number, customer, line string, from, n int, price money.Micro) (ids []CallID) {
	t.Helper()
	var ops []store.Op
	for i := range n {
		r := call.CDR{ID: call.ID(fmt.Sprintf("01kb%022d", from+i)), Direction: call.Out, Account: customer, Line: line, Number: number, Country: "LV", Begun: began.Add(time.Duration(i) * time.Second), AnsweredAt: began, Ended: began.Add(time.Minute), Talk: time.Minute, Retail: price, Reason: "hangup"}
		open := call.Open{ID: r.ID, Node: "a", Direction: call.Out, State: call.Answered, Line: line, Account: customer, Number: r.Number, Begun: r.Begun}
		ops = append(ops, store.Op{Kind: store.OpOpen, ID: r.ID, Holds: []store.Hold{{Purse: "p", Cap: 1_000_000 * money.Pound}}, Amount: price, Call: &open}, store.Op{Kind: store.OpSettle, ID: r.ID, CDR: &r})
		ids = append(ids, r.ID)
	}
	out, err := o.db.Apply(t.Context(), ops)
	must(t, err)
	for _, x := range out {
		if x != (store.Outcome{}) {
			t.Fatalf("%+v", x)
		}
	}
	return ids
}

func (o *office) states(t testing.TB, id int64) map[casework.Dispute]int64 {
	t.Helper()
	f, err := o.Case(t.Context(), priya, id)
	must(t, err)
	all := map[casework.Dispute]int64{}
	for _, s := range f.Sums {
		all[s.State] = s.Calls
	}
	return all
}

// TestAReportedFraud walks a case from the report to its outcome.
func TestAReportedFraud(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	ids := o.calls(t, o.acme, o.line, 1, 900, 100_000)
	theirs := o.calls(t, o.other, o.another, 5000, 2, 100_000)
	code, id, err := o.Report(ctx, o.ana(), o.acme, o.line, "Calls to Latvia at night.")
	must(t, err)
	if code == "" || id != 1 {
		t.Fatalf("%q %d", code, id)
	}
	if _, again, err := o.Report(ctx, o.ana(), o.acme, o.line, "And more."); err != nil || again != id {
		t.Fatalf("a second report about the line is case %d: %v", again, err)
	}
	if _, again, err := o.Report(ctx, o.ana(), o.acme, "", "I do not know which line."); err != nil || again != id {
		t.Errorf("a report without a line went into case %d, %v", again, err)
	}
	if _, err := o.Dispute(ctx, o.ana(), id, Pick{Calls: theirs}, "x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("calls of another customer: %v", err)
	}
	added, err := o.Dispute(ctx, priya, id, Pick{Line: o.line, From: began, Until: began.Add(time.Hour)}, "nobody was there")
	must(t, err)
	if added != 900 {
		t.Fatalf("%d calls", added)
	}
	if added, err = o.Dispute(ctx, o.ana(), id, Pick{Calls: ids[:3]}, "again"); err != nil || added != 0 {
		t.Errorf("the same calls again: %d %v", added, err)
	}
	must(t, o.Judged(ctx, priya, id, map[CallID]Verdict{ids[0]: {"free", "IP lock"}, ids[1]: {"owed", ""}}))
	if n, err := o.Withdraw(ctx, o.ana(), id, Pick{Calls: ids[2:3]}, "that was me"); err != nil || n != 1 {
		t.Errorf("withdrawn: %d %v", n, err)
	}
	if got := o.states(t, id); got[casework.Disputed] != 897 || got[casework.Judged] != 2 || got[casework.Withdrawn] != 1 {
		t.Errorf("%v", got)
	}
	if err := o.Close(ctx, priya, id, casework.Ours, "the lock was late"); !errors.Is(err, casework.ErrStep) {
		t.Errorf("closed with calls in dispute: %v", err)
	}
	d, err := o.Decide(ctx, priya, id, Ruling{What: string(casework.Upheld), Pick: Pick{All: true}, Why: "The lock was late."})
	must(t, err)
	if !d.Waits() || d.Amount != 899*100_000 || d.Calls != 899 {
		t.Fatalf("£89.90 is above £10: %+v", d)
	}
	if _, err := o.Decide(ctx, priya, id, Ruling{What: string(casework.Goodwill), Pick: Pick{Calls: ids[:1]}, Why: "x"}); !errors.Is(err, casework.ErrStep) {
		t.Errorf("a call that waits for a decision: %v", err)
	}
	if err := o.Second(ctx, priya, id, d.N, true, ""); !errors.Is(err, casework.ErrStep) {
		t.Errorf("agreed to her own: %v", err)
	}
	must(t, o.Second(ctx, maya, id, d.N, true, "Seen."))
	if got := o.states(t, id); got[casework.Upheld] != 899 {
		t.Errorf("%v", got)
	}
	must(t, o.Close(ctx, priya, id, casework.Ours, "the lock was late"))
	facts, err := o.db.Facts(ctx, store.FactFilter{Kind: "case.call.decided", Limit: 2000})
	must(t, err)
	if len(facts) != 900 || facts[899].Call == "" || facts[899].Account != o.acme {
		t.Errorf("%d facts of decided calls", len(facts))
	}
	if _, err := o.Dispute(ctx, o.ana(), id, Pick{Calls: ids[2:3]}, "not me after all"); !errors.Is(err, casework.ErrStep) {
		t.Errorf("a closed case: %v", err)
	}
}

// TestManySmallDecisions: two people who decide at the same time see each other's decisions, so that together they give away no more than one may.
func TestManySmallDecisions(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	x, err := o.Open(ctx, priya, NewCase{Customer: o.acme, Title: "Calls", Origin: casework.ByHand})
	must(t, err)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if _, err := o.Decide(context.Background(), priya, x.ID, Ruling{What: casework.Refund, Amount: 3 * money.Pound, Why: "x"}); err != nil && !errors.Is(err, ErrMoved) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	f, err := o.Case(ctx, priya, x.ID)
	must(t, err)
	if got := casework.Alone(f.Items); got > 10*money.Pound || got < 3*money.Pound {
		t.Errorf("%v was given away alone", got)
	}
	for i := range f.Items {
		if d := &f.Items[i]; d.How == casework.Made && o.credited[fmt.Sprintf("%d/%d", x.ID, d.N)] == 0 {
			t.Errorf("decision %d was not carried out", d.N)
		}
	}
}

func TestWhatCustomersSee(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	x, err := o.Open(ctx, priya, NewCase{Customer: o.acme, Line: o.line, Title: "Calls", Text: "internal", Origin: casework.ByHand})
	must(t, err)
	stranger := Who{Actor: "other/eve", Customer: o.other}
	if _, err := o.Case(ctx, stranger, x.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another customer's: %v", err)
	}
	_, _, err = o.Attached(ctx, stranger, x.ID, 1)
	_, err2 := o.Write(ctx, stranger, x.ID, Entered{Kind: casework.Message, Text: "x"})
	_, err3 := o.Dispute(ctx, stranger, x.ID, Pick{Line: o.line, From: began}, "x")
	_, err4 := o.Calls(ctx, stranger, CaseCallFilter{Case: x.ID})
	for _, err := range []error{err, err2, err3, err4, o.End(ctx, stranger, x.ID, 1, "done", "x")} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another customer's: %v", err)
		}
	}
	all, err := o.List(ctx, stranger, CaseFilter{Customer: o.acme})
	if must(t, err); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	for _, kind := range []casework.Kind{casework.Note, casework.Task, casework.Decision} {
		var wrong *book.Invalid
		if _, err := o.Write(ctx, o.ana(), x.ID, Entered{Kind: kind, Text: "x"}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	_, err = o.Write(ctx, priya, x.ID, Entered{Kind: casework.Message, Text: "Was anybody there?"})
	must(t, err)
	f, err := o.Case(ctx, o.ana(), x.ID)
	must(t, err)
	if len(f.Items) != 1 || f.State != casework.Asked || f.Items[0].Kind != casework.Message {
		t.Errorf("%+v", f)
	}
	data := bytes.Repeat([]byte("evidence\x00<script>"), 40_000)
	e, err := o.Write(ctx, o.ana(), x.ID, Entered{Kind: casework.Evidence, Text: "The alarm's log.", Name: `..\"alarm".html`, File: bytes.NewReader(data)})
	must(t, err)
	if f, err = o.Case(ctx, o.ana(), x.ID); err != nil || f.State != casework.Open {
		t.Errorf("answered: %s %v", f.State, err)
	}
	file, write, err := o.Attached(ctx, priya, x.ID, e.N)
	must(t, err)
	var got bytes.Buffer
	must(t, write(&got))
	if !bytes.Equal(got.Bytes(), data) || file.Size != int64(len(data)) || strings.ContainsAny(file.Name, `"\/`) {
		t.Errorf("%d bytes of %+v", got.Len(), file)
	}
	if err := o.End(ctx, priya, x.ID, e.N, casework.Accepted, " "); !errors.Is(err, casework.ErrStep) {
		t.Errorf("an answer without a reason: %v", err)
	}
	must(t, o.End(ctx, priya, x.ID, e.N, casework.Accepted, "The alarm was on."))
}

// TestFilesHaveLimits: what is too long leaves nothing behind.
func TestFilesHaveLimits(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	x, err := o.Open(ctx, priya, NewCase{Customer: o.acme, Title: "Calls", Origin: casework.ByHand})
	must(t, err)
	var wrong *book.Invalid
	for name, r := range map[string]io.Reader{"long": io.LimitReader(zeros{}, casework.MaxFile+1), "empty": strings.NewReader("")} {
		if _, err := o.Write(ctx, o.ana(), x.ID, Entered{Kind: casework.Evidence, Text: "x", Name: name, File: r}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range casework.MaxFiles {
		_, err := o.Write(ctx, o.ana(), x.ID, Entered{Kind: casework.Evidence, Text: "x", Name: "a", File: strings.NewReader("a")})
		must(t, err)
	}
	if _, err := o.Write(ctx, o.ana(), x.ID, Entered{Kind: casework.Evidence, Text: "x", Name: "a", File: strings.NewReader("a")}); !errors.Is(err, ErrFull) {
		t.Errorf("one file more: %v", err)
	}
	for range casework.MaxTheirs - casework.MaxFiles {
		_, err := o.Write(ctx, o.ana(), x.ID, Entered{Kind: casework.Evidence, Text: "x"})
		must(t, err)
	}
	if _, err := o.Write(ctx, o.ana(), x.ID, Entered{Kind: casework.Evidence, Text: "x"}); !errors.Is(err, ErrFull) {
		t.Errorf("one item more: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestRulesLearnFromCases: a case that was opened from a finding tells its rule what came of it.
func TestRulesLearnFromCases(t *testing.T) {
	for _, c := range []struct {
		outcome   casework.Outcome
		vouched   int
		confirmed int
		stillOpen int
	}{
		{outcome: casework.Honest, vouched: 1}, {outcome: casework.Fraud, confirmed: 1}, {outcome: casework.Ours, confirmed: 1}, {outcome: casework.Unclear, stillOpen: 1},
	} {
		o, ctx := newOffice(t), t.Context()
		_, err := o.db.Advance(ctx, store.Step{Stage: "t", Findings: []store.Finding{{Key: "unusual-calls/range/1", Kind: detect.UnusualCalls.String(), Severity: "critical", Line: o.line, Account: o.acme, Text: "Calls to Latvia.", At: began, Last: began, Count: 1}}})
		must(t, err)
		x, err := o.Open(ctx, priya, NewCase{Finding: 1})
		must(t, err)
		if again, err := o.Open(ctx, maya, NewCase{Finding: 1}); err != nil || again.ID != x.ID {
			t.Errorf("a second case of the finding: %+v %v", again, err)
		}
		must(t, o.Close(ctx, priya, x.ID, c.outcome, "looked at"))
		facts, err := o.db.Facts(ctx, store.FactFilter{Kind: fact.KindCallsConfirmed})
		must(t, err)
		open, err := o.db.Findings(ctx, store.FindingFilter{Open: true})
		must(t, err)
		if len(o.vouched) != c.vouched || len(facts) != c.confirmed || len(open) != c.stillOpen {
			t.Errorf("%s: vouched %v, confirmed %d, open %d", c.outcome, o.vouched, len(facts), len(open))
		}
	}
}

// TestFoundCalls: a case that was opened from a finding has the calls that it is about, and none that its line made after it was locked.
func TestFoundCalls(t *testing.T) {
	for _, c := range []struct {
		name   string
		kind   detect.Kind
		locked time.Duration // after the first call; 0: not
		last   time.Time     // zero: now
		closed time.Time
		calls  int64
	}{
		{"open", detect.UnusualCalls, 0, time.Time{}, time.Time{}, 60},
		{"locked", detect.UnusualCalls, 20 * time.Second, time.Time{}, time.Time{}, 20},
		{"closed", detect.HostingLogin, 0, time.Time{}, began.Add(30 * time.Second), 30},
		{"of long ago", detect.UnusualCalls, 0, began.Add(-sameMatter), time.Time{}, 0},
		{"about no calls", detect.Guessing, 0, time.Time{}, time.Time{}, 0},
	} {
		o, ctx := newOffice(t), t.Context()
		o.calls(t, o.acme, o.line, 1, 60, 100_000)
		f := store.Finding{Key: "k/1", Kind: c.kind.String(), Severity: "critical", Line: o.line, Account: o.acme, Text: "Calls to Latvia.", At: began, Last: began, Count: 1, ClosedAt: c.closed}
		if !c.last.IsZero() {
			f.At, f.Last = c.last, c.last
		}
		step := store.Step{Stage: "t", Findings: []store.Finding{f}}
		if c.locked > 0 {
			locked := fact.LineLocked{By: "staff/priya"}
			step.Facts = []store.Fact{locked.Row(began.Add(c.locked), fact.Subject{Line: o.line, Account: o.acme})}
		}
		_, err := o.db.Advance(ctx, step)
		must(t, err)
		if !c.closed.IsZero() {
			f, err = o.db.Finding(ctx, 1)
			must(t, err)
		}
		x, err := o.Open(ctx, priya, NewCase{Finding: 1})
		must(t, err)
		if again, err := o.Open(ctx, maya, NewCase{Finding: 1}); err != nil || again.ID != x.ID {
			t.Errorf("%s: a second case of the finding: %+v %v", c.name, again, err)
		}
		if got := o.states(t, x.ID)[casework.Disputed]; got != c.calls {
			t.Errorf("%s: %d calls, not %d; finding closed at %v", c.name, got, c.calls, f.ClosedAt)
		}
	}
}

// TestShortNumbersLinkNobody: a short number is another line of each customer.
func TestShortNumbersLinkNobody(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	ids := o.callsTo(t, "21", o.acme, o.line, 1, 2, 0)
	o.callsTo(t, "21", o.other, o.another, 100, 1, 0)
	x, err := o.Open(ctx, priya, NewCase{Customer: o.acme, Line: o.line, Title: "Calls", Origin: casework.ByHand})
	must(t, err)
	_, err = o.Dispute(ctx, priya, x.ID, Pick{Calls: ids}, "")
	must(t, err)
	if links, err := o.Linked(ctx, x.ID); err != nil || len(links) != 0 {
		t.Errorf("%+v %v", links, err)
	}
}

// TestLinkedLines: others who called the same number, or logged in from the same place, are named.
func TestLinkedLines(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	ids := o.calls(t, o.acme, o.line, 1, 2, 100_000)
	o.calls(t, o.other, o.another, 100, 1, 100_000)
	x, err := o.Open(ctx, priya, NewCase{Customer: o.acme, Line: o.line, Title: "Calls", Origin: casework.ByHand})
	must(t, err)
	_, err = o.Dispute(ctx, priya, x.ID, Pick{Calls: ids}, "")
	must(t, err)
	links, err := o.Linked(ctx, x.ID)
	must(t, err)
	if len(links) != 1 || links[0].Line != o.another || links[0].Why != "number" || links[0].Ours {
		t.Fatalf("%+v", links)
	}
	from := func(line, customer string) store.Fact {
		d := fact.DeviceNew{Source: fact.FromAddr(netip.MustParseAddr("198.51.100.77")), Agent: "pplsip"}
		return d.Row(began, fact.Subject{Line: line, Account: customer})
	}
	_, err = o.db.Advance(ctx, store.Step{Stage: "t", Facts: []store.Fact{from(o.line, o.acme), from(o.another, o.other)}})
	must(t, err)
	if links, err = o.Linked(ctx, x.ID); err != nil || len(links) != 1 || links[0].Why != "address" || links[0].What != "198.51.100.77" {
		t.Fatalf("%+v %v", links, err)
	}
	story, err := o.Timeline(ctx, x.ID, links)
	must(t, err)
	lines := map[string]int{}
	for _, m := range story {
		lines[m.Line]++
	}
	if lines[o.line] == 0 || lines[o.another] == 0 {
		t.Errorf("%+v", story)
	}
	must(t, o.Edit(ctx, priya, x.ID, Edit{Link: o.another}))
	must(t, o.Edit(ctx, priya, x.ID, Edit{Link: o.another})) // once
	if links, err = o.Linked(ctx, x.ID); err != nil || len(links) != 1 || links[0].Why != "hand" {
		t.Errorf("linked by hand: %+v %v", links, err)
	}
	if err := o.Edit(ctx, priya, x.ID, Edit{Link: "~none"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a line that is not there: %v", err)
	}
	must(t, o.Edit(ctx, priya, x.ID, Edit{Unlink: o.another}))
	if links, err = o.Linked(ctx, x.ID); err != nil || len(links) != 1 || links[0].Why != "address" {
		t.Errorf("not by hand any more: %+v %v", links, err)
	}
	if places, err := o.Places(ctx, x.ID); err != nil || len(places.Lines) != 1 || len(places.Numbers) == 0 {
		t.Errorf("%+v %v", places, err)
	}
}

// TestDecideByVerdict: of the calls in dispute only those that were judged so.
func TestDecideByVerdict(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	ids := o.calls(t, o.acme, o.line, 1, 2, 100_000)
	x, err := o.Open(ctx, priya, NewCase{Customer: o.acme, Line: o.line, Title: "Calls", Origin: casework.ByHand})
	must(t, err)
	_, err = o.Dispute(ctx, priya, x.ID, Pick{Calls: ids}, "")
	must(t, err)
	must(t, o.Judged(ctx, priya, x.ID, map[CallID]Verdict{ids[0]: {"free", "the lock"}, ids[1]: {"owed", "nothing broken"}}))
	sums, err := o.Verdicts(ctx, priya, x.ID)
	must(t, err)
	if len(sums) != 2 || sums[0].Verdict != "free" || sums[0].Calls != 1 {
		t.Errorf("%+v", sums)
	}
	i, err := o.Decide(ctx, priya, x.ID, Ruling{What: string(casework.Owed), Pick: Pick{All: true, Verdict: "owed"}, Why: "nothing was broken"})
	must(t, err)
	if i.Calls != 1 {
		t.Errorf("%+v", i)
	}
}

// TestADecisionIsCarriedOutAfterACrash: a program that ends between a decision and what comes of it does that when it starts again, also when nobody opens the case any more.
func TestADecisionIsCarriedOutAfterACrash(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	ids := o.calls(t, o.acme, o.line, 1, 2, 100_000)
	x, err := o.Open(ctx, priya, NewCase{Customer: o.acme, Line: o.line, Title: "Calls", Origin: casework.ByHand})
	must(t, err)
	_, err = o.Dispute(ctx, priya, x.ID, Pick{Calls: ids}, "")
	must(t, err)
	must(t, o.Resume(ctx, time.Time{})) // nothing was decided
	settled, crash := 0, errors.New("the program ends here")
	o.settle = func(int64) error { return crash }
	_, err = o.Decide(ctx, priya, x.ID, Ruling{What: string(casework.Upheld), Pick: Pick{All: true}, Why: "it was our fault"})
	if !errors.Is(err, crash) {
		t.Fatal(err)
	}
	o.settle = func(id int64) error { settled++; return nil }
	must(t, o.Resume(ctx, time.Now().Add(time.Minute)))
	if settled != 0 {
		t.Error("an old decision was looked at again")
	}
	must(t, o.Resume(ctx, time.Time{}))
	if settled != 1 || o.states(t, x.ID)[casework.Upheld] != 2 {
		t.Errorf("settled %d times: %v", settled, o.states(t, x.ID))
	}
}
