package gate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/verify"
	"ringfence/state/store"
	"ringfence/state/store/postgres"
	"ringfence/state/store/postgres/pgtest"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

var onDiskLines = []string{"2001", "2002", "2003", "2004", "2005", "2006", "2007", "2008"}

// disk is an engine that keeps a journal.
type disk interface {
	store.Store
	Close() error
}

// disks open each engine that keeps a journal, empty.
var disks = map[string]func(*testing.T) (disk, error){
	"sqlite": func(t *testing.T) (disk, error) {
		return sqlitetest.Open(t.Context(), filepath.Join(t.TempDir(), "ringfence.db"), sqlite.Options{})
	},
	"postgres": func(t *testing.T) (disk, error) { return postgres.Open(t.Context(), pgtest.Shared(t).Database(t)) },
}

// onDisk is a house whose book, money and journal are in one database.
func onDisk(t *testing.T, engine func(*testing.T) (disk, error)) (*house, disk) {
	ctx := context.Background()
	db, err := engine(t)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(ctx, db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "test", Identify: booktest.Plain})
	must(t, err)
	_, err = b.AddCustomer(ctx, "test", "acme", book.CustomerEdit{})
	must(t, err)
	for i, id := range onDiskLines {
		number := fmt.Sprintf("0207946010%d", i+1)
		_, _, err := b.AddLine(ctx, "test", book.NewLine{ID: id, Customer: "acme", Edit: book.LineEdit{Number: &number}})
		must(t, err)
	}
	addr := []string{"127.0.0.1:5090"}
	_, err = b.AddTrunk(ctx, "test", "carrier", book.TrunkEdit{Addresses: &addr})
	must(t, err)
	_, err = b.Import(ctx, "test", []byte(bandedCSV), book.ImportOptions{Name: "retail", Kind: rating.Retail})
	must(t, err)
	return open(t, b, db), db
}

// TestTheJournalGivesEveryVerdictAgain: what a gate decided, as each database has it, is decided again from the journal alone, byte for byte: with calls one after the
// other and at once, while settings, locks, restrictions and prices change.
func TestTheJournalGivesEveryVerdictAgain(t *testing.T) {
	for name, engine := range disks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			givesEveryVerdictAgain(t, engine, map[string]int{"sqlite": 36, "postgres": 12}[name])
		})
	}
}

func givesEveryVerdictAgain(t *testing.T, disk func(*testing.T) (disk, error), rounds int) {
	h, db := onDisk(t, disk)
	r := rand.New(rand.NewPCG(3, 1))
	for _, line := range onDiskLines {
		must(t, h.book.Set(t.Context(), "test", account.LevelLine, line, book.Setting{Field: account.CallsPerMinute, N: 480, Grant: true}))
	}
	login := int64(0) // the restriction of logins in force
	change := func(n int) {
		ctx, line := t.Context(), onDiskLines[n/12]
		set := func(f account.Field, n int64) {
			must(t, h.book.Set(ctx, "test", account.LevelLine, line, book.Setting{Field: f, N: n, Grant: true}))
		}
		switch n % 12 {
		case 0:
			set(account.LineDayCap, 50_000+int64(n)*1_000)
		case 1:
			set(account.InternationalCeiling, int64(n)*5_000_000)
		case 2:
			set(account.MaxCalls, int64(n/12%2))
		case 3:
			_, err := h.book.Lock(ctx, "test", line, "test", account.CallsEnd)
			must(t, err)
		case 4:
			_, err := h.book.Unlock(ctx, "test", line)
			must(t, err)
		case 5:
			names, err := restrict.ParseSet("FR")
			must(t, err)
			_, err = h.book.EditLine(ctx, "test", line, book.LineEdit{Restrict: &restrict.Restriction{Names: names, Since: time.Now()}})
			must(t, err)
		case 6:
			_, err := h.book.Import(ctx, "test", []byte(strings.ReplaceAll(bandedCSV, "0.10,0.07", "0.11,0.08")), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
			must(t, err)
		case 7:
			must(t, h.book.Set(ctx, "test", account.LevelCustomer, "acme", book.Setting{Field: account.AccountDayCap, N: 900_000 + int64(n)*30_000, Grant: true}))
		case 8:
			names, err := restrict.ParseSet("LV, GB")
			must(t, err)
			_, err = h.book.EditLine(ctx, "test", line, book.LineEdit{Restrict: &restrict.Restriction{Names: names, AtOnce: 1, Since: time.Now()}})
			must(t, err)
			set(account.MaxCalls, 5)
			try := Attempt{Line: line, Dialled: "08001111", Source: phoneAt, UserAgent: "desk/1", ALeg: "a"}
			p, err := h.gate.Admit(ctx, try)
			must(t, err)
			if _, err := h.gate.Admit(ctx, try); err == nil {
				t.Error("two calls at once")
			}
			h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
		case 9:
			l, err := h.book.EditLine(ctx, "test", line, book.LineEdit{Restrict: &restrict.Restriction{Login: true, Known: []uint32{1}, Since: time.Now()}})
			must(t, err)
			all := l.Settings().Restrictions
			login = all[len(all)-1].ID
		case 10:
			_, err := h.book.EditLine(ctx, "test", line, book.LineEdit{Lift: login})
			must(t, err)
		}
	}
	for n := range rounds {
		change(n)
		for range 20 {
			h.quick(r, nil)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 10 {
			wg.Go(func() { h.quick(r, &mu) })
		}
		wg.Wait()
	}
	h.close()
	report, err := verify.Journal(t.Context(), db, h.book, verify.Options{Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}})
	must(t, err)
	if report.Others > 0 || report.Unknown > 0 || report.Verdicts < int64(22*rounds) || report.Outside > 0 {
		t.Errorf("%+v", report)
	}
	kinds := map[string]int{}
	facts, err := db.Facts(t.Context(), store.FactFilter{Kind: "call.refused", Limit: 10_000})
	must(t, err)
	for i := range facts {
		var f fact.CallRefused
		must(t, f.Decode(facts[i].Body))
		kinds[f.Reason]++
	}
	t.Log(report, kinds)
	for _, why := range []policy.Reason{policy.LineDaySpent, policy.AccountDaySpent, policy.TooManyCalls, policy.LineLocked, policy.DestinationClosed, policy.TooManyRestricted, policy.LoginClosed, policy.OverInternational, policy.NumberInvalid, policy.PremiumBarred} {
		if kinds[why.Code()] == 0 {
			t.Errorf("no call was refused for %s: the test says nothing about it", why.Code())
		}
	}
	// A verdict that was changed is found.
	before := report.Same
	report, err = verify.Journal(t.Context(), tampered{db}, h.book, verify.Options{Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}})
	must(t, err)
	if report.Others == 0 || report.Same >= before || len(report.First) == 0 {
		t.Errorf("what was changed was not found: %+v", report)
	}
}

// tampered is a journal in which refusals tell of one unit more.
type tampered struct{ disk }

func (d tampered) Facts(ctx context.Context, q store.FactFilter) ([]store.Fact, error) {
	facts, err := d.disk.Facts(ctx, q)
	for i := range facts {
		if facts[i].Kind == fact.KindCallRefused {
			facts[i].Body = []byte(strings.Replace(string(facts[i].Body), `"limit":`, `"limit":1`, 1))
		}
	}
	return facts, err
}

// quick makes a random call that ends at once, or stays up for a moment.
func (h *house) quick(r *rand.Rand, mu *sync.Mutex) {
	if mu != nil {
		mu.Lock()
	}
	line := onDiskLines[r.IntN(len(onDiskLines))]
	numbers := []string{"02079460000", "07700900123", "0037167123456", "0033142685300", "09098790123", "999", "02079460102", "981046500729221", "08451234567", "08451234567"}
	a, up := Attempt{Line: line, Dialled: numbers[r.IntN(len(numbers))], Source: phoneAt, UserAgent: "desk/1", ALeg: "a"}, time.Duration(r.IntN(3))*time.Millisecond
	if r.IntN(10) == 0 {
		a = Attempt{Trunk: "carrier", Dialled: "+442079460101", Caller: "+33142685300"}
	}
	if mu != nil {
		mu.Unlock()
	}
	p, err := h.gate.Admit(context.Background(), a)
	if err != nil {
		return
	}
	if h.gate.Answered(context.Background(), p.ID, Route{}, nil) == nil {
		time.Sleep(up)
	}
	h.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
}

// TestVerdictsByHotLists: a refusal for a hot list is given again by the entry that it names, whatever the lists say by now.
func TestVerdictsByHotLists(t *testing.T) {
	h, db := onDisk(t, disks["sqlite"])
	ctx := t.Context()
	must(t, h.book.Set(ctx, "test", account.LevelLine, "2001", book.Setting{Field: account.InternationalCeiling, N: 1_000_000_000, Grant: true}))
	entry := func(list string, prefix uint64, way restrict.Way, until time.Time) restrict.Listed {
		return restrict.Listed{List: list, Range: restrict.Range{Prefix: prefix, Digits: len(fmt.Sprint(prefix))}, Way: way, Until: until}
	}
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	was := []restrict.Listed{entry("desk", 3712, restrict.Out, soon), entry("dno-2026.uk", 44800, restrict.Presented, time.Time{}), entry("desk", 33, restrict.In, time.Time{})}
	was[2].Range = restrict.Range{Prefix: 331, Digits: 3}
	for _, l := range was {
		_, err := h.book.AddHot(ctx, "anna", l)
		must(t, err)
	}
	ask := func(a Attempt, want policy.Reason) {
		t.Helper()
		a.Source, a.UserAgent, a.ALeg = phoneAt, "desk/1", "a"
		p, err := h.gate.Admit(ctx, a)
		got := policy.OK
		if r := (*Refusal)(nil); errors.As(err, &r) {
			got = r.Reason
		}
		if got != want {
			t.Errorf("%+v: %s, want %s", a, got.Code(), want.Code())
		}
		if p != nil {
			h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
		}
	}
	ask(Attempt{Line: "2001", Dialled: "0037123456789"}, policy.DestinationClosed)
	ask(Attempt{Line: "2001", Dialled: "02079460000", Caller: "+44800000111"}, policy.PresentedListed)
	ask(Attempt{Trunk: "carrier", Dialled: "+442079460101", Caller: "+33142685300"}, policy.CallerListed)
	ask(Attempt{Line: "2001", Dialled: "02079460000"}, policy.OK)
	for _, l := range was {
		_, err := h.book.RemoveHot(ctx, "anna", l.List, l.Range, "over")
		must(t, err)
	}
	_, err := h.book.AddHot(ctx, "anna", entry("desk", 4420, restrict.Out, time.Time{})) // where a call went that was let out
	must(t, err)
	h.close()
	report, err := verify.Journal(ctx, db, h.book, verify.Options{Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}})
	must(t, err)
	if report.Others > 0 || report.Verdicts != 4 || report.Outside != 3 {
		t.Errorf("%+v", report)
	}
}
