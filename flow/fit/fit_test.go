package fit

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/exposure"
	"ringfence/flow/play"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const prices = `Destination,Prefix,Rate
UK,442,0.012
UK mobile,447,0.10
UK 0843,44843,0.50
Jersey,441534,0.30
France,33,0.015
France mobile,336,0.12
Germany,49,0.014
Cuba,53,0.90
Latvia,371,0.60
Premium,449,1.50
`

// world is a line with its own calls.
type world struct {
	book  *book.Book
	desk  *Desk
	exp   *exposure.Desk
	line  *book.Line
	calls []call.CDR // newest first
	asked []store.CDRFilter
}

func newWorld(t testing.TB) *world {
	t.Helper()
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	w := &world{}
	w.book, err = book.Open(t.Context(), &booktest.Store{}, book.Options{Plan: phone.UK(), Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "test"})
	must(t, err)
	c, err := w.book.AddCustomer(t.Context(), "t", "acme", book.CustomerEdit{})
	must(t, err)
	w.line, _, err = w.book.AddLine(t.Context(), "t", book.NewLine{ID: "2001", Customer: c.ID, NoPassword: true})
	must(t, err)
	_, err = w.book.Import(t.Context(), "t", []byte(prices), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
	must(t, err)
	w.exp, err = exposure.New(exposure.Options{Book: w.book, Money: memory.New(), Ring: time.Minute})
	must(t, err)
	w.desk, err = New(Options{Book: w.book, Exposure: w.exp, Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}, Ring: time.Minute, Calls: w.cdrs})
	must(t, err)
	t.Cleanup(w.desk.Close)
	return w
}

func (w *world) cdrs(_ context.Context, f store.CDRFilter) (page []call.CDR, err error) {
	w.asked = append(w.asked, f)
	for i := range w.calls {
		if f.Matches(&w.calls[i]) && len(page) < f.Limit {
			page = append(page, w.calls[i])
		}
	}
	return page, nil
}

// called adds a call, so many hours ago.
func (w *world) called(number string, ago, talk time.Duration) {
	w.calls = append(w.calls, call.CDR{Direction: call.Out, Line: w.line.ID(), Number: number, Begun: time.Now().Add(-ago), AnsweredAt: time.Now(), Talk: talk, Ring: 5 * time.Second})
}

// sort puts calls in order, the newest first, and names them.
func (w *world) sort() {
	slices.SortStableFunc(w.calls, func(a, b call.CDR) int { return b.Begun.Compare(a.Begun) })
	for i := range w.calls {
		var nth [10]byte
		binary.BigEndian.PutUint64(nth[:], uint64(len(w.calls)-i))
		id := call.NewID(w.calls[i].Begun, nth[:])
		w.calls[i].ID = call.ID(id[:])
	}
}

func (w *world) set(t testing.TB, f account.Field, n int64) {
	t.Helper()
	var err error
	w.line, err = w.book.EditLine(t.Context(), "t", w.line.ID(), book.LineEdit{Set: []book.Setting{{Field: f, N: n, Grant: true}}})
	must(t, err)
}

func (w *world) of(t testing.TB, stops int) *Answer {
	t.Helper()
	a, _, err := w.desk.Of(t.Context(), w.line, stops, time.Minute)
	must(t, err)
	if a == nil {
		t.Fatal("no answer within a minute")
	}
	return a
}

func (w *world) apply(t testing.TB, a *Answer) {
	t.Helper()
	var set []Set
	for _, p := range a.Parts {
		set = append(set, Set{p.Field, p.N})
	}
	var err error
	w.line, err = w.desk.Apply(t.Context(), "acme/ana", w.line, set, a.Only)
	must(t, err)
}

const day = 24 * time.Hour

// office is a year of ordinary calls, with one to Cuba.
func office(t testing.TB) *world {
	w := newWorld(t)
	w.set(t, account.InternationalCeiling, int64(money.PencePerMinute)*100)
	w.set(t, account.LineDayCap, int64(100*money.Pound))
	w.set(t, account.LineMonthCap, int64(500*money.Pound))
	for n := range 300 {
		at := time.Duration(n)*day + time.Hour
		w.called("+442079460000", at, 5*time.Minute)
		w.called([]string{"+447700900123", "+33142000000", "+33612345678"}[n%3], at-2*time.Minute, 7*time.Minute)
	}
	w.called("+5350000147", 40*day, 3*time.Minute)
	w.sort()
	return w
}

// TestAYearFits: each setting follows the calls with its margin, the answer says so in a sentence, and is applied as ordinary settings.
func TestAYearFits(t *testing.T) {
	w := office(t)
	a := w.of(t, 0)
	if a.Calls != 601 || a.Before != 0 || len(a.Stopped) > 0 || a.Little != "" {
		t.Fatalf("%+v", a)
	}
	want := map[account.Field]string{
		account.InternationalCeiling: "90p", account.NationalCeiling: "10p", account.MaxCalls: "2", account.LineDayCap: "£6.00", account.MaxInternational: "1", account.LongestCall: "30m",
	}
	for f, value := range want {
		if p, _ := a.Part(f); account.Format(f, p.N) != value && !(f == account.LineDayCap && p.N > 0) {
			t.Errorf("%s: %+v, want %s", f, p, value)
		}
	}
	if got := a.Only.String(); got != "CU, FR, GB" {
		t.Errorf("only %s", got)
	}
	if a.Then >= a.Now || !strings.Contains(a.Text(), "3 countries; exposure falls from ") {
		t.Errorf("%s → %s: %s", a.Now, a.Then, a.Text())
	}
	if again := w.of(t, 0); again.Until != a.Until || len(w.asked) != 1 {
		t.Errorf("it was worked out again: %d pages", len(w.asked))
	}
	w.apply(t, a)
	if after := w.of(t, 0); after.Fits() || after.Now != a.Then {
		t.Errorf("once it is applied: %s", after.Text())
	}
}

// TestOneCallGivenUp: who allows one call to be stopped gets tighter settings, and is told which call it is.
func TestOneCallGivenUp(t *testing.T) {
	w := office(t)
	none, one := w.of(t, 0), w.of(t, 1)
	if len(one.Stopped) != 1 || one.Stopped[0].Number != "+5350000147" || one.Stopped[0].Cost == 0 || !one.Stopped[0].Refused {
		t.Fatalf("%+v", one.Stopped)
	}
	if one.Then >= none.Then {
		t.Errorf("%s with none, %s with one", none.Then, one.Then)
	}
	if p, _ := one.Part(account.InternationalCeiling); p.N != 12*int64(money.PencePerMinute) {
		t.Errorf("%+v", p)
	}
}

// TestLittleIsKnown: a line with few or new calls gets no proposal, and is told why.
func TestLittleIsKnown(t *testing.T) {
	w := newWorld(t)
	if a := w.of(t, 0); a.Fits() || !strings.Contains(a.Text(), "no call within a year") {
		t.Error(a.Text())
	}
	for n := range 100 {
		w.called("+442079460000", time.Duration(n)*time.Hour, time.Minute)
	}
	w.sort()
	w.set(t, account.MaxCalls, 9) // the search is made anew
	if a := w.of(t, 0); a.Fits() || a.Text() != "The line made its first call 4 days ago. After 60 days its own calls say what fits." {
		t.Error(a.Text())
	}
}

// TestApplyNeverLoosens: what is looser than what is in force is refused whole, also when it is only looser once a grant has ended.
func TestApplyNeverLoosens(t *testing.T) {
	w := newWorld(t)
	looser := (*book.Loosening)(nil)
	var err error
	w.set(t, account.MaxCalls, 3)
	if _, err = w.desk.Apply(t.Context(), "ana", w.line, []Set{{account.MaxCalls, 2}, {account.NationalCeiling, 19 * int64(money.PencePerMinute)}, {account.MaxCalls, 4}}, restrict.Set{}); !errors.As(err, &looser) {
		t.Errorf("4 calls at once over 3: %v", err)
	}
	w.line, err = w.book.EditLine(t.Context(), "t", w.line.ID(), book.LineEdit{Set: []book.Setting{{Field: account.MaxCalls, N: 9, Grant: true, Until: time.Now().Add(time.Hour)}}})
	must(t, err)
	if _, err = w.desk.Apply(t.Context(), "ana", w.line, []Set{{account.MaxCalls, 5}}, restrict.Set{}); !errors.As(err, &looser) {
		t.Errorf("5 under a grant of 9, which gives way to 3: %v", err)
	}
	if l, _ := w.book.Line(w.line.ID()); l.Effective(time.Now()).Values[account.MaxCalls] != 9 {
		t.Error("something was changed")
	}
}

// TestReadingEnds: nobody who closes the program waits for a search, and a failure is not kept.
func TestReadingEnds(t *testing.T) {
	w := newWorld(t)
	fails := errors.New("the store is away")
	w.desk.o.Calls = func(context.Context, store.CDRFilter) ([]call.CDR, error) { return nil, fails }
	if _, _, err := w.desk.Of(t.Context(), w.line, 0, time.Minute); !errors.Is(err, fails) {
		t.Error(err)
	}
	w.desk.o.Calls = func(ctx context.Context, _ store.CDRFilter) ([]call.CDR, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if a, _, err := w.desk.Of(t.Context(), w.line, 0, time.Millisecond); a != nil || err != nil {
		t.Error(a, err)
	}
	w.desk.Close()
}

// TestWhatIsClaimedPasses: of any calls under any settings, every call that an answer does not name as stopped passes when it is played under the settings that were
// applied; no more are stopped than were allowed; and the figure is the one that flow/exposure has afterwards.
func TestWhatIsClaimedPasses(t *testing.T) {
	numbers := []string{"+442079460000", "+447700900123", "+448431234567", "+441534123456", "+33142000000", "+33612345678", "+4930123456", "+5350000147", "+37120000000", "+449098790000", "+35315550000", "999", "+442079460001"}
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		for _, f := range []account.Field{account.NationalCeiling, account.InternationalCeiling} {
			w.set(t, f, int64(money.PencePerMinute)*rapid.Int64Range(0, 200).Draw(r, f.String()))
		}
		for _, f := range []account.Field{account.LineDayCap, account.LineMonthCap} {
			w.set(t, f, int64(money.Pound)*rapid.Int64Range(1, 400).Draw(r, f.String()))
		}
		w.set(t, account.MaxCalls, rapid.Int64Range(1, 12).Draw(r, "calls"))
		w.set(t, account.MaxInternational, rapid.Int64Range(1, 6).Draw(r, "abroad"))
		w.set(t, account.CallsPerMinute, rapid.Int64Range(2, 30).Draw(r, "minute"))
		w.set(t, account.Premium, rapid.Int64Range(0, 1).Draw(r, "premium"))
		w.set(t, account.LongestCall, rapid.Int64Range(60, 24*3600).Draw(r, "longest"))
		span := rapid.SampledFrom([]time.Duration{70 * day, 200 * day, 364 * day}).Draw(r, "span")
		w.called("+442079460000", span, time.Minute)
		for range rapid.IntRange(LeastCalls, 160).Draw(r, "number") {
			ago := time.Duration(rapid.Int64Range(0, int64(span/time.Second)).Draw(r, "ago")) * time.Second
			if rapid.Bool().Draw(r, "crowded") {
				ago = ago.Truncate(10*day) + ago%(5*time.Minute)
			}
			w.called(rapid.SampledFrom(numbers).Draw(r, "to"), min(ago, span), time.Duration(rapid.Int64Range(0, 4*3600).Draw(r, "talk"))*time.Second)
		}
		w.sort()
		stops := rapid.SampledFrom([]int{0, 0, 1, 5}).Draw(r, "stops")
		a := w.of(t, stops)
		if len(a.Stopped) > stops || a.Then > a.Now {
			r.Fatalf("%d stopped of %d, %s → %s", len(a.Stopped), stops, a.Now, a.Then)
		}
		before := map[call.ID]bool{}
		for more := true; more; { // until all the others pass
			n := len(before)
			maps.Copy(before, w.stopped(t, a, w.line.Effective(time.Now()), before))
			more = len(before) > n
		}
		if len(before) != a.Before {
			r.Fatalf("%d calls do not pass what is in force, the answer says %d", len(before), a.Before)
		}
		if a.Fits() {
			w.apply(t, a)
		}
		named := map[call.ID]bool{}
		for _, s := range a.Stopped {
			named[s.ID] = true
		}
		for id := range w.stopped(t, a, w.line.Effective(time.Now()), before) {
			if !named[id] {
				r.Fatalf("call %s does not pass under %s", id, a.Text())
			}
		}
		x, err := w.exp.Line(t.Context(), w.line, exposure.Tonight, nil)
		must(t, err)
		if x.Retail != a.Then {
			r.Fatalf("the figure is %s, the answer says %s: %s", x.Retail, a.Then, a.Text())
		}
	})
}

// stopped are the calls that do not pass under settings, but for those that are left out.
func (w *world) stopped(t testing.TB, a *Answer, e *account.Effective, without map[call.ID]bool) map[call.ID]bool {
	t.Helper()
	var all []call.CDR
	for i := range w.calls {
		all = append(all, slim(&w.calls[i]))
	}
	p := newPast(all, lineOf(w.line), a.Until)
	p.line, p.rules, p.terms, p.ring = w.line.ID(), w.book.Rules(), w.desk.o.Terms, w.desk.o.Ring
	wanted := make([]bool, len(p.calls))
	for i := range wanted {
		wanted[i] = !without[p.ids[i]]
	}
	out := map[call.ID]bool{}
	p.play(e, wanted, func(r *play.Result) {
		if !passes(r) {
			out[p.ids[r.Call.Seq]] = true
		}
	})
	return out
}

// TestShortNumbersAreNotAbroad: what the numbering plan does not read and what passed is a call to another line of the customer.
func TestShortNumbersAreNotAbroad(t *testing.T) {
	p := &past{rules: engine.Rules{Plan: phone.UK()}}
	for dialled, abroad := range map[string]bool{"21": false, "02079460000": false, "+53 7 123 4567": true} {
		if m := p.describe(&play.Result{Call: play.Call{Dialled: dialled}}); m.abroad != abroad {
			t.Errorf("%s: %+v", dialled, m)
		}
	}
}
