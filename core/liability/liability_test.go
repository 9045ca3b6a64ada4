package liability

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
)

var (
	noon       = time.Date(2026, 7, 12, 12, 0, 0, 0, time.UTC)
	home, away = netip.MustParseAddrPort("192.0.2.7:5060"), netip.MustParseAddrPort("203.0.113.66:5060")
)

// tale is a journal as a test tells it, and one call in it.
type tale struct {
	t        testing.TB
	h        *History
	seq      int64
	settings map[string]any
	a        fact.CallAdmitted
	r        call.CDR
	ended    time.Time
	slices   []func()
}

func newTale(t testing.TB) *tale {
	x := &tale{t: t, settings: map[string]any{}, h: NewHistory(Options{Zone: func(string) *time.Location { return nil }, National: func(c string) bool { return c == "GB" }})}
	for f, n := range map[account.Field]int64{
		account.NationalCeiling: int64(20 * money.PencePerMinute), account.InternationalCeiling: int64(50 * money.PencePerMinute), account.LineDayCap: int64(50 * money.Pound),
		account.LineMonthCap: int64(100 * money.Pound), account.AccountDayCap: int64(100 * money.Pound), account.AccountMonthCap: int64(300 * money.Pound), account.LineWarning: int64(10 * money.Pound),
	} {
		x.set(f, n)
	}
	x.a = fact.CallAdmitted{Direction: "out", Class: "mobile", Country: "GB", Source: fact.FromPort(home), Settings: "s1", PerMinute: 10 * money.PencePerMinute, Held: 100_000, PaidFor: time.Minute}
	x.r = call.CDR{ID: "c1", Line: "2001", Account: "acme", Begun: noon, Retail: 50_000}
	x.ended = noon.Add(30 * time.Second)
	return x
}

func (x *tale) set(f account.Field, n int64) {
	x.settings[f.String()] = map[string]any{"n": n, "from": "line"}
}

func (x *tale) say(b interface {
	Row(at time.Time, about fact.Subject) fact.Row
}, at time.Time, of fact.Subject,
) {
	x.t.Helper()
	x.seq++
	row := b.Row(at, of)
	row.Seq = x.seq
	if err := x.h.Read(&row); err != nil {
		x.t.Fatal(err)
	}
}

var (
	ofLine = fact.Subject{Line: "2001", Account: "acme"}
	ofCall = fact.Subject{Line: "2001", Account: "acme", Call: "c1"}
)

// seen says that settings were in force for the first time.
func (x *tale) seen(name string, at time.Time) {
	body, err := json.Marshal(x.settings)
	if err != nil {
		x.t.Fatal(err)
	}
	x.say(&fact.SettingsSeen{Settings: name, Effective: body}, at, fact.Subject{})
}

// judged tells the call, and judges it.
func (x *tale) judged() Verdict {
	x.t.Helper()
	x.say(&fact.PromisesStated{Wordings: Body(All[:])}, noon.Add(-24*time.Hour), fact.Subject{})
	x.seen("s1", noon)
	x.say(&x.a, noon, ofCall)
	for _, s := range x.slices {
		s()
	}
	if !x.ended.IsZero() {
		x.say(&fact.CallSettled{Retail: x.r.Retail}, x.ended, ofCall)
	}
	return x.h.Judge(&x.r)
}

// lock says that the line was locked.
func (x *tale) lock(at time.Time, calls string) {
	x.say(&fact.LineLocked{After: json.RawMessage(fmt.Sprintf(`{"calls":%q}`, calls))}, at, ofLine)
}

// sets says that settings of the line were changed, so long after noon.
func (x *tale) sets(after time.Duration, was, is string) {
	x.say(&fact.SettingChanged{Before: json.RawMessage(was), After: json.RawMessage(is)}, noon.Add(after), ofLine)
}

// notice says that a message was due, and when it was sent.
func (x *tale) notice(kind string, sent time.Time) {
	x.h.Notices(Notice{Kind: kind, Line: "2001", Account: "acme", At: noon, Sent: sent})
}

func (x *tale) device(at time.Time) {
	x.say(&fact.DeviceNew{Source: fact.FromAddr(x.a.Source.Addr), New: "address"}, at, ofLine)
}

// Each protection kept, broken, not in force, and undecided.
var cases = []struct {
	promise Promise
	honour  Honour
	name    string
	tell    func(x *tale)
}{
	{IPLock, NotInForce, "no lock", func(*tale) {}},
	{IPLock, Honoured, "from a network of the list", func(x *tale) { x.settings["nets"] = [][]string{{"192.0.2.0/24"}} }},
	{IPLock, Broken, "from elsewhere", func(x *tale) { x.settings["nets"] = [][]string{{"198.51.100.0/24"}} }},
	{IPLock, Broken, "on one of two lists", func(x *tale) { x.settings["nets"] = [][]string{{"192.0.2.0/24"}, {"198.51.100.0/24"}} }},
	{IPLock, CannotTell, "no address", func(x *tale) { x.settings["nets"], x.a.Source = [][]string{{"192.0.2.0/24"}}, fact.Source{} }},
	{IPLock, CannotTell, "settings that are not known", func(x *tale) { x.a.Settings = "s9" }},
	{IPLock, Broken, "from elsewhere, on a node that did not know", func(x *tale) { x.sets(-time.Minute, `{}`, `{"nets":["198.51.100.0/24"]}`) }},
	{IPLock, Broken, "not from the customer's list, on a node that did not know", func(x *tale) {
		x.say(&fact.CustomerChanged{After: json.RawMessage(`{"nets":["198.51.100.0/24"]}`)}, noon.Add(-time.Minute), fact.Subject{Account: "acme"})
	}},
	{IPLock, NotInForce, "the node may not have heard yet", func(x *tale) { x.sets(-time.Second, `{}`, `{"nets":["198.51.100.0/24"]}`) }},
	{IPLock, NotInForce, "a list that was taken back", func(x *tale) {
		x.sets(-time.Hour, `{}`, `{"nets":["198.51.100.0/24"]}`)
		x.sets(-time.Minute, `{"nets":["198.51.100.0/24"]}`, `{}`)
	}},
	{IPLock, NotInForce, "set before the store was restored", func(x *tale) {
		x.sets(-time.Hour, `{}`, `{"nets":["198.51.100.0/24"]}`)
		x.say(&fact.StoreRestored{From: noon.AddDate(0, -3, 0), Until: noon.AddDate(0, -3, 1)}, noon.Add(-time.Minute), fact.Subject{})
	}},
	{Ceilings, Honoured, "below", func(*tale) {}},
	{Ceilings, Broken, "above one that the node did not know", func(x *tale) { x.sets(-time.Minute, `{}`, `{"national-ceiling":{"n":60000000}}`) }},
	{Ceilings, Honoured, "above one that has ended", func(x *tale) {
		x.sets(-time.Hour, `{}`, `{"national-ceiling":{"n":60000000,"granted":true,"until":"2026-07-12T11:30:00Z"}}`)
	}},
	{Ceilings, Honoured, "the line may more than its customer", func(x *tale) {
		x.say(&fact.CustomerChanged{After: json.RawMessage(`{"national-ceiling":{"n":60000000}}`)}, noon.Add(-time.Hour), fact.Subject{Account: "acme"})
		x.sets(-time.Minute, `{}`, `{"national-ceiling":{"n":150000000,"granted":true}}`)
	}},
	{Ceilings, Broken, "above the national one", func(x *tale) { x.a.PerMinute = 21 * money.PencePerMinute }},
	{Ceilings, Honoured, "between both, abroad", func(x *tale) { x.a.PerMinute, x.a.Country = 21*money.PencePerMinute, "FR" }},
	{Ceilings, Broken, "above the international one", func(x *tale) { x.a.PerMinute, x.a.Country = 51*money.PencePerMinute, "CU" }},
	{Ceilings, Broken, "by what it costs to connect", func(x *tale) { x.a.Held = 250_000 }},
	{Ceilings, NotInForce, "between lines", func(x *tale) { x.a.Class, x.a.PerMinute = "on-net", 90*money.PencePerMinute }},
	{Ceilings, CannotTell, "settings that are not known", func(x *tale) { x.a.Settings = "s9" }},
	{PremiumBar, NotInForce, "a mobile", func(*tale) {}},
	{PremiumBar, Broken, "a premium number", func(x *tale) { x.a.Class = "premium" }},
	{PremiumBar, NotInForce, "a premium number that is allowed", func(x *tale) { x.a.Class = "premium"; x.set(account.Premium, 1) }},
	{PremiumBar, Broken, "a premium number that was barred again, on a node that did not know", func(x *tale) {
		x.a.Class = "premium"
		x.set(account.Premium, 1)
		x.sets(-time.Minute, `{"premium":{"n":1,"granted":true}}`, `{"premium":{"n":0}}`)
	}},
	{PremiumBar, CannotTell, "a number of no known kind", func(x *tale) { x.a.Class = "unknown" }},
	{Caps, Honoured, "below all", func(*tale) {}},
	{Caps, Broken, "above the day's", func(x *tale) { x.set(account.LineDayCap, 99_999) }},
	{Caps, Broken, "above the account's", func(x *tale) { x.set(account.AccountMonthCap, 99_999) }},
	{Caps, Honoured, "exactly", func(x *tale) { x.set(account.LineDayCap, 100_000) }},
	{Caps, Broken, "charged more than it was given", func(x *tale) { x.r.Retail = 100_001 }},
	{Caps, Broken, "in a later slice", func(x *tale) {
		x.set(account.LineDayCap, 150_000)
		x.slices = append(x.slices, func() { x.say(&fact.SliceHeld{Settings: "s1", Held: 200_000}, noon.Add(50*time.Second), ofCall) })
	}},
	{Caps, Honoured, "in a later slice, after the cap was raised", func(x *tale) {
		x.set(account.LineDayCap, 150_000)
		x.slices = append(x.slices, func() {
			x.say(&fact.LineChanged{}, noon.Add(40*time.Second), ofLine)
			x.set(account.LineDayCap, 250_000)
			x.seen("s2", noon.Add(50*time.Second))
			x.say(&fact.SliceHeld{Settings: "s2", Held: 200_000}, noon.Add(50*time.Second), ofCall)
		})
	}},
	{Caps, Broken, "in a later slice, after the cap was lowered", func(x *tale) {
		x.slices = append(x.slices, func() {
			x.set(account.LineDayCap, 150_000)
			x.seen("s2", noon.Add(50*time.Second))
			x.say(&fact.SliceHeld{Settings: "s2", Held: 200_000}, noon.Add(50*time.Second), ofCall)
		})
	}},
	{Caps, CannotTell, "in a later slice of an older version, after a change", func(x *tale) {
		x.set(account.LineDayCap, 150_000)
		x.slices = append(x.slices, func() {
			x.say(&fact.LineChanged{}, noon.Add(40*time.Second), ofLine)
			x.say(&fact.SliceHeld{Held: 200_000}, noon.Add(50*time.Second), ofCall)
		})
	}},
	{Caps, CannotTell, "in a later slice under settings that are not known", func(x *tale) {
		x.slices = append(x.slices, func() { x.say(&fact.SliceHeld{Settings: "s9", Held: 200_000}, noon.Add(50*time.Second), ofCall) })
	}},
	{Caps, CannotTell, "records were lost", func(x *tale) {
		x.say(&fact.StoreRestored{From: noon.Add(-3 * time.Hour), Until: noon.Add(-time.Hour)}, noon.Add(-time.Hour), fact.Subject{})
	}},
	{CutOff, NotInForce, "no lock", func(*tale) {}},
	{CutOff, Broken, "locked before", func(x *tale) { x.lock(noon.Add(-time.Minute), "keep") }},
	{CutOff, Broken, "the gate knew", func(x *tale) { x.a.Locked = true }},
	{CutOff, NotInForce, "unlocked before", func(x *tale) {
		x.lock(noon.Add(-time.Hour), "keep")
		x.say(&fact.LineUnlocked{}, noon.Add(-time.Minute), ofLine)
	}},
	{CutOff, CannotTell, "a clock was set back after the unlocking", func(x *tale) {
		x.lock(noon.Add(-time.Hour), "keep")
		x.say(&fact.LineUnlocked{}, noon.Add(20*time.Minute), ofLine)
	}},
	{CutOff, NotInForce, "calls may go on", func(x *tale) { x.lock(noon.Add(10*time.Second), "keep") }},
	{CutOff, Honoured, "ended with its minute", func(x *tale) { x.lock(noon.Add(10*time.Second), "end") }},
	{CutOff, Broken, "went on for longer", func(x *tale) { x.lock(noon.Add(10*time.Second), "end"); x.ended = noon.Add(2 * time.Minute) }},
	{CutOff, Broken, "was to be cut", func(x *tale) { x.lock(noon.Add(time.Second), "cut") }},
	{CutOff, CannotTell, "nobody knows when it ended", func(x *tale) { x.lock(noon.Add(time.Second), "cut"); x.ended = time.Time{} }},
	{Secrecy, Honoured, "no sign", func(*tale) {}},
	{Secrecy, Broken, "from where a decoy's password was known", func(x *tale) { x.leak(home) }},
	{Secrecy, CannotTell, "a decoy's password was known elsewhere", func(x *tale) { x.leak(away) }},
	{Secrecy, Honoured, "the password is newer than that", func(x *tale) {
		x.leak(home)
		x.say(&fact.PasswordChanged{}, noon.Add(-time.Minute), ofLine)
	}},
	{Secrecy, Broken, "the password was changed after the call", func(x *tale) {
		x.leak(home)
		x.slices = append(x.slices, func() { x.say(&fact.PasswordChanged{}, noon.Add(time.Hour), ofLine) })
	}},
	{LockOut, Honoured, "no lock-out", func(*tale) {}},
	{LockOut, Broken, "from a source that was locked out", func(x *tale) {
		x.say(&fact.LoginLocked{Source: fact.FromAddr(home.Addr()), Scope: "address", Until: noon.Add(time.Hour)}, noon.Add(-time.Minute), ofLine)
	}},
	{LockOut, Honoured, "the lock-out was lifted", func(x *tale) {
		x.say(&fact.LoginLocked{Source: fact.FromAddr(home.Addr()), Scope: "line", Until: noon.Add(time.Hour)}, noon.Add(-2*time.Minute), ofLine)
		x.say(&fact.LoginReleased{Source: fact.FromAddr(home.Addr())}, noon.Add(-time.Minute), ofLine)
	}},
	{Courtesy, Honoured, "nothing was due", func(*tale) {}},
	{Courtesy, Honoured, "sent", func(x *tale) { x.device(noon); x.notice("new-device", noon.Add(time.Minute)) }},
	{Courtesy, Broken, "late", func(x *tale) { x.device(noon); x.notice("new-device", noon.Add(time.Hour)) }},
	{Courtesy, Broken, "never sent", func(x *tale) { x.device(noon); x.notice("new-device", time.Time{}) }},
	{Courtesy, CannotTell, "none is stored", func(x *tale) { x.device(noon) }},
	{WarningLevel, NotInForce, "off", func(x *tale) { x.set(account.LineWarning, 0) }},
	{WarningLevel, Honoured, "not reached", func(*tale) {}},
	{WarningLevel, Honoured, "passed and sent", func(x *tale) { x.set(account.LineWarning, 40_000); x.notice("usage-level", noon.Add(time.Minute)) }},
	{WarningLevel, Broken, "passed and never sent", func(x *tale) { x.set(account.LineWarning, 40_000); x.notice("usage-level", time.Time{}) }},
	{WarningLevel, CannotTell, "passed, and no message is stored", func(x *tale) { x.set(account.LineWarning, 40_000) }},
	{Watch, NotInForce, "at home", func(*tale) {}},
	{Watch, NotInForce, "switched off", func(x *tale) { x.a.Country = "CU"; x.set(account.Watch, account.Unwatched) }},
	{Watch, Honoured, "noticed", func(x *tale) {
		x.a.Country = "CU"
		x.slices = append(x.slices, func() { x.say(&fact.CallsUnusual{}, noon.Add(time.Minute), ofLine) })
	}},
	{Watch, CannotTell, "nothing was said", func(x *tale) { x.a.Country = "CU" }},
}

// leak says that somebody had the password of a decoy.
func (x *tale) leak(from netip.AddrPort) {
	right := true
	x.say(&fact.LoginHoneypot{Source: fact.FromAddr(from.Addr()), Right: &right}, noon.Add(-time.Hour), fact.Subject{Line: "9001", Account: "own"})
}

// TestEachProtection: a promise that is broken makes the call free, one that is undecided leaves it so and names what is missing, and an aim changes nothing.
func TestEachProtection(t *testing.T) {
	for _, c := range cases {
		t.Run(string(c.promise)+"/"+c.name, func(t *testing.T) {
			x := newTale(t)
			c.tell(x)
			v := x.judged()
			f := v.Finding(c.promise)
			if f == nil || f.Honour != c.honour || len(f.Evidence) == 0 {
				t.Fatalf("%+v", f)
			}
			if (f.Missing != "") != (c.honour == CannotTell) {
				t.Errorf("missing: %q", f.Missing)
			}
			outcome := Owed
			if f.Kind == Promised {
				outcome = map[Honour]Outcome{Broken: Free, CannotTell: Undetermined, Honoured: Owed, NotInForce: Owed}[c.honour]
			}
			if v.Outcome != outcome || !v.Dated || v.Words() != string(outcome) {
				t.Errorf("%s (%s), want %s: broken %v, missing %v", v.Outcome, v.Words(), outcome, v.Broken(), v.Missing)
			}
		})
	}
	for _, w := range All { // none is forgotten
		for _, h := range []Honour{Honoured, Broken, NotInForce, CannotTell} {
			there := slices.ContainsFunc(cases, func(c struct {
				promise Promise
				honour  Honour
				name    string
				tell    func(x *tale)
			},
			) bool {
				return c.promise == w.ID && c.honour == h
			})
			never := map[Promise][]Honour{ // what such a protection cannot come to
				PremiumBar: {Honoured}, Ceilings: {}, Caps: {NotInForce}, Secrecy: {NotInForce}, LockOut: {NotInForce, CannotTell}, Courtesy: {NotInForce}, Watch: {Broken},
			}[w.ID]
			if !there && !slices.Contains(never, h) {
				t.Errorf("no case of %s is %s", w.ID, h)
			}
		}
	}
}

// TestWordsOfTheDay: what was promised on the day of the call counts, whatever is promised later.
func TestWordsOfTheDay(t *testing.T) {
	h := NewHistory(Options{})
	for i, text := range []string{"first", "second", "third"} {
		words, err := State(map[string]string{"ip-lock": text})
		if err != nil {
			t.Fatal(err)
		}
		row := (&fact.PromisesStated{Wordings: Body(words)}).Row(noon.Add(time.Duration(i)*time.Hour), fact.Subject{})
		row.Seq = int64(i + 1)
		if err := h.Read(&row); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		at    time.Duration
		want  string
		dated bool
	}{{-time.Hour, "first", false}, {0, "first", true}, {time.Hour - 1, "first", true}, {time.Hour, "second", true}, {90 * time.Minute, "second", true}, {9 * time.Hour, "third", true}} {
		v := h.Judge(&call.CDR{ID: "x", Begun: noon.Add(c.at)})
		if got := v.Finding(IPLock).Wording; got != c.want || v.Dated != c.dated {
			t.Errorf("%v: %q, dated %v", c.at, got, v.Dated)
		}
	}
	if _, err := State(map[string]string{"free-beer": "x"}); err == nil || !strings.Contains(err.Error(), "ip-lock") {
		t.Error(err)
	}
}

// TestAnUnknownCall: a call of which the journal has nothing is undetermined, and one that was charged nothing owes nothing.
func TestAnUnknownCall(t *testing.T) {
	h := NewHistory(Options{})
	v := h.Judge(&call.CDR{ID: "x", Begun: noon, Retail: 5})
	if v.Outcome != Undetermined || len(v.Missing) == 0 {
		t.Errorf("%+v", v)
	}
	if v := h.Judge(&call.CDR{ID: "x", Begun: noon}); v.Words() != "nothing to pay" {
		t.Errorf("%s", v.Words())
	}
}

// TestACapFreesWhatItWouldHaveStopped: of calls one after the other under a cap of the day, exactly those are free that a cap would have refused, counting only those
// that it would have let through.
func TestACapFreesWhatItWouldHaveStopped(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := newTale(t)
		limit := money.Micro(rapid.IntRange(1, 500_000).Draw(r, "cap"))
		x.set(account.LineDayCap, int64(limit))
		x.say(&fact.PromisesStated{Wordings: Body(All[:])}, noon.Add(-time.Hour), fact.Subject{})
		x.seen("s1", noon)
		spent, free := money.Micro(0), map[call.ID]bool{}
		var records []call.CDR
		for i := range rapid.IntRange(1, 30).Draw(r, "calls") {
			at, id := noon.Add(time.Duration(i)*time.Minute), call.ID(fmt.Sprint("c", i))
			held := money.Micro(rapid.IntRange(1, 100_000).Draw(r, "held"))
			cost := money.Micro(rapid.IntRange(1, int(held)).Draw(r, "cost"))
			of := fact.Subject{Line: "2001", Account: "acme", Call: id}
			a := x.a
			a.Held = held
			x.say(&a, at, of)
			x.say(&fact.CallSettled{Retail: cost}, at.Add(time.Second), of)
			records = append(records, call.CDR{ID: id, Line: "2001", Account: "acme", Begun: at, Retail: cost})
			if free[id] = spent+held > limit; !free[id] {
				spent += cost
			}
		}
		for i := range records {
			if v := x.h.Judge(&records[i]); (v.Outcome == Free) != free[records[i].ID] {
				r.Fatalf("call %d: %s, want free %v: %+v", i, v.Outcome, free[records[i].ID], v.Finding(Caps))
			}
		}
	})
}

// inForce is what a test knows of a line at a moment.
type inForce struct {
	nets     bool  // calls may come from home alone
	ceiling  int64 // of the line; 0 is none
	premium  bool
	locked   bool
	password int // which one the line has
}

// stops says whether the promises forbid a call that was let in.
func (s *inForce) stops(a *fact.CallAdmitted) bool {
	from := a.Source.Addr == away.Addr()
	return s.nets && from || s.ceiling > 0 && int64(a.PerMinute) > s.ceiling || a.Class == "premium" && !s.premium || s.locked
}

// TestAPromiseFreesWhatItWouldHaveStopped: of calls that a node lets in by settings which may be older than those in force, exactly those are free that the settings, the locks and the
// secrets in force would have stopped.
func TestAPromiseFreesWhatItWouldHaveStopped(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := newTale(t)
		x.say(&fact.PromisesStated{Wordings: Body(All[:])}, noon.Add(-time.Hour), fact.Subject{})
		now, past := inForce{}, []inForce{{}}
		said, with, leaked := map[call.ID]bool{}, map[call.ID]int{}, map[int]bool{} // leaked: the password of a decoy was known at home while the line had that one
		var records []call.CDR
		for i := range rapid.IntRange(1, 30).Draw(r, "steps") {
			at := noon.Add(time.Duration(i) * time.Minute)
			step := rapid.SampledFrom([]string{"nets", "ceiling", "premium", "lock", "leak", "password", "call", "call", "call", "call"}).Draw(r, "step")
			if step != "call" {
				x.change(step, &now, at, rapid.Int64Range(1, 300_000_000).Draw(r, "ceiling"))
				past = append(past, now)
				leaked[now.password] = leaked[now.password] || step == "leak"
				continue
			}
			a := x.a
			a.Class = rapid.SampledFrom([]string{"mobile", "premium"}).Draw(r, "class")
			a.Source = fact.FromPort(rapid.SampledFrom([]netip.AddrPort{home, away}).Draw(r, "from"))
			a.PerMinute = money.Rate(rapid.Int64Range(100_000_000, 200_000_000).Draw(r, "price"))
			believed := past[rapid.IntRange(0, len(past)-1).Draw(r, "the node knows")]
			if believed.locked = false; believed.stops(&a) {
				continue // the node did its part
			}
			id := call.ID(fmt.Sprint("c", i))
			a.Settings = string(id)
			x.believes(&believed, a.Settings, at)
			of := fact.Subject{Line: "2001", Account: "acme", Call: id}
			x.say(&a, at, of)
			x.say(&fact.CallSettled{Retail: 1000}, at.Add(10*time.Second), of)
			if with[id] = -1; a.Source.Addr == home.Addr() {
				with[id] = now.password
			}
			records, said[id] = append(records, call.CDR{ID: id, Line: "2001", Account: "acme", Begun: at, Retail: 1000}), now.stops(&a)
		}
		for i := range records {
			id := records[i].ID
			free := said[id] || leaked[with[id]]
			if v := x.h.Judge(&records[i]); (v.Outcome == Free) != free {
				r.Fatalf("call %s: %s, want free %v: %+v", id, v.Outcome, free, v.Findings)
			}
		}
	})
}

// change changes what is in force, and tells it.
func (x *tale) change(step string, now *inForce, at time.Time, n int64) {
	set := func(name, was, is string) {
		x.sets(at.Sub(noon), fmt.Sprintf(`{%q:%s}`, name, was), fmt.Sprintf(`{%q:%s}`, name, is))
	}
	switch step {
	case "nets":
		if now.nets = !now.nets; now.nets {
			x.sets(at.Sub(noon), `{}`, `{"nets":["192.0.2.0/24"]}`)
		} else {
			x.sets(at.Sub(noon), `{"nets":["192.0.2.0/24"]}`, `{}`)
		}
	case "ceiling":
		set("national-ceiling", fmt.Sprintf(`{"n":%d}`, now.ceiling), fmt.Sprintf(`{"n":%d}`, n))
		now.ceiling = n
	case "premium":
		if now.premium = !now.premium; now.premium {
			set("premium", `{"n":0}`, `{"n":1,"granted":true}`)
		} else {
			set("premium", `{"n":1,"granted":true}`, `{"n":0}`)
		}
	case "lock":
		if now.locked = !now.locked; now.locked {
			x.lock(at, "end")
		} else {
			x.say(&fact.LineUnlocked{}, at, ofLine)
		}
	case "leak":
		right := true
		x.say(&fact.LoginHoneypot{Source: fact.FromAddr(home.Addr()), Right: &right}, at, fact.Subject{Line: "9001", Account: "own"})
	case "password":
		x.say(&fact.PasswordChanged{}, at, ofLine)
		now.password++
	}
}

// believes says under what settings a node let a call in.
func (x *tale) believes(s *inForce, name string, at time.Time) {
	delete(x.settings, "nets")
	if s.nets {
		x.settings["nets"] = [][]string{{"192.0.2.0/24"}}
	}
	x.set(account.Premium, map[bool]int64{true: 1}[s.premium])
	x.set(account.NationalCeiling, int64(20*money.PencePerMinute))
	if s.ceiling > 0 {
		x.set(account.NationalCeiling, min(s.ceiling, int64(20*money.PencePerMinute)))
	}
	x.seen(name, at)
}

// TestACutOffFreesWhatWentOn: of calls that were up when their line was locked, once or more, exactly those are free that a lock would have ended and that went on for longer than it allows.
func TestACutOffFreesWhatWentOn(t *testing.T) {
	allowed := map[string]time.Duration{"end": 75 * time.Second, "cut": 10 * time.Second}
	rapid.Check(t, func(r *rapid.T) {
		x := newTale(t)
		x.say(&fact.PromisesStated{Wordings: Body(All[:])}, noon.Add(-time.Hour), fact.Subject{})
		x.seen("s1", noon)
		x.say(&x.a, noon, ofCall)
		some := func(what string) time.Duration { // around what is allowed
			return time.Duration(rapid.SampledFrom([]int{1, 9, 10, 11, 40, 74, 75, 76, 200}).Draw(r, what)) * time.Second
		}
		at, free := noon.Add(some("until the lock")), false
		end := at.Add(some("talk after it"))
		for locked := true; locked && at.Before(end); locked = rapid.Bool().Draw(r, "locked again") {
			how, until := rapid.SampledFrom([]string{"end", "cut", "keep"}).Draw(r, "calls"), time.Time{}
			x.lock(at, how)
			if rapid.Bool().Draw(r, "unlocked") {
				until = at.Add(some("the lock"))
			}
			if most, ends := allowed[how]; ends && end.Sub(at) > most && (until.IsZero() || until.Sub(at) > most) {
				free = true
			}
			if until.IsZero() {
				break
			}
			if until.Before(end) {
				x.say(&fact.LineUnlocked{}, until, ofLine)
			}
			at = until.Add(some("until the next lock"))
		}
		x.say(&fact.CallSettled{Retail: 50_000}, end, ofCall)
		v := x.h.Judge(&x.r)
		if (v.Outcome == Free) != free || free && (len(v.Broken()) != 1 || v.Broken()[0] != CutOff) {
			r.Fatalf("%s after %s, want free %v: %+v", v.Outcome, end.Sub(noon), free, v.Finding(CutOff))
		}
	})
}
