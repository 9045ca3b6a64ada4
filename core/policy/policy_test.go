package policy

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/restrict"

	"pgregory.net/rapid"
)

var (
	now       = time.Date(2026, 11, 22, 22, 0, 0, 0, time.UTC)
	home      = netip.MustParseAddr("192.0.2.7")
	elsew     = netip.MustParseAddr("203.0.113.9")
	number, _ = phone.FromDigits(442079460000)
)

const p = money.PencePerMinute

// hourly bills a quote by the hour.
func hourly(q *rating.Quote) *rating.Quote {
	q.Price.First, q.Price.Step = 3600, 60
	return q
}

func quote(rate money.Rate, connect, minimum money.Micro) *rating.Quote {
	return &rating.Quote{Price: rating.Price{
		Name: "somewhere", Connect: connect, Minimum: minimum, First: 1, Step: 1,
		Rates: [rating.NumBands]money.Rate{rate, rate / 2, rate / 4},
	}}
}

func call(class phone.Class, national bool, q *rating.Quote) Attempt {
	return Attempt{Dest: phone.Destination{Number: number, Class: class, National: national}, Source: home, Quote: q}
}

// nobodys is a call to a number of a block that nobody has.
func nobodys(class phone.Class) Attempt {
	a := call(class, true, quote(p, 0, 0))
	a.Free = true
	return a
}

func effective(change ...func(*account.Settings)) *account.Effective {
	var s account.Settings
	for _, f := range change {
		f(&s)
	}
	e := account.Resolve(now, &s)
	return &e
}

func set(f account.Field, n int64) func(*account.Settings) {
	return func(s *account.Settings) { s.Values[f] = account.Value{Set: true, N: n} }
}

func lock(nets ...string) func(*account.Settings) {
	return func(s *account.Settings) {
		for _, n := range nets {
			s.Nets = append(s.Nets, netip.MustParsePrefix(n))
		}
	}
}

func TestDecide(t *testing.T) {
	far := call(phone.IntlMobile, false, quote(451*p/10, 0, 0))
	for _, c := range []struct {
		name     string
		settings *account.Effective
		facts    Facts
		attempt  Attempt
		want     Reason
		figures  Figures
	}{
		{name: "national within", attempt: call(phone.Mobile, true, quote(20*p, 0, 0))},
		{
			name: "national over", attempt: call(phone.Mobile, true, quote(20*p+1, 0, 0)), want: OverNational,
			figures: Figures{Limit: int64(20 * p), Value: int64(20*p + 1), Pass: int64(20*p + 1)},
		},
		{name: "international within", attempt: call(phone.IntlFixed, false, quote(2*p, 0, 0))},
		{name: "international over", attempt: far, want: OverInternational, figures: Figures{Limit: int64(2 * p), Value: int64(451 * p / 10), Pass: int64(451 * p / 10)}},
		{name: "what would pass passes", settings: effective(set(account.InternationalCeiling, int64(451*p/10))), attempt: far},
		{
			name: "satellite on", settings: effective(set(account.Satellite, 1), set(account.InternationalCeiling, int64(500*p))),
			attempt: call(phone.Satellite, false, quote(400*p, 0, 0)),
		},
		{
			name: "satellite on, over the ceiling", settings: effective(set(account.Satellite, 1)), attempt: call(phone.Satellite, false, quote(400*p, 0, 0)),
			want: OverInternational, figures: Figures{Limit: int64(2 * p), Value: int64(400 * p), Pass: int64(400 * p)},
		},
		{name: "satellite at 1p is a fault in the deck", attempt: call(phone.Satellite, false, quote(p, 0, 0)), want: SatelliteBarred, figures: Figures{Value: 1, Pass: 1}},
		{
			name: "premium on is not satellite on", settings: effective(set(account.Premium, 1)), attempt: call(phone.Satellite, false, quote(p, 0, 0)),
			want: SatelliteBarred, figures: Figures{Value: 1, Pass: 1},
		},
		{name: "pager", attempt: call(phone.Pager, true, quote(19*p, 0, 0))},
		{
			name: "pager off", settings: effective(set(account.Pager, 0)), attempt: call(phone.Pager, true, quote(0, 0, 0)),
			want: PagerBarred, figures: Figures{Value: 1, Pass: 1},
		},
		{
			name: "personal off", settings: effective(set(account.Personal, 0)), attempt: call(phone.Personal, true, quote(p, 0, 0)),
			want: PersonalBarred, figures: Figures{Value: 1, Pass: 1},
		},
		{
			name: "personal over the ceiling", attempt: call(phone.Personal, true, quote(51*p, 0, 0)),
			want: OverNational, figures: Figures{Limit: int64(20 * p), Value: int64(51 * p), Pass: int64(51 * p)},
		},
		{
			name: "the connection charge is part of a first minute", attempt: call(phone.IntlFixed, false, quote(p, 5_000_000, 0)), want: OverInternational,
			figures: Figures{Limit: int64(2 * p), Value: int64(501 * p), Pass: int64(501 * p)},
		},
		{
			name: "least charge counts as a minute", attempt: call(phone.IntlFixed, false, quote(p, 0, 20_001)), want: OverInternational,
			figures: Figures{Limit: int64(2 * p), Value: 20_001_000, Pass: 20_001_000},
		},
		{
			name: "charges are added", attempt: call(phone.IntlFixed, false, quote(2*p, 20_000, 20_000)), want: OverInternational,
			figures: Figures{Limit: int64(2 * p), Value: int64(4 * p), Pass: int64(4 * p)},
		},
		{name: "a minimum within the price of a minute", attempt: call(phone.IntlFixed, false, quote(2*p, 0, 20_000))},
		{
			name: "an increment of an hour is the price of an hour", attempt: call(phone.IntlFixed, false, hourly(quote(2*p, 0, 0))), want: OverInternational,
			figures: Figures{Limit: int64(2 * p), Value: int64(120 * p), Pass: int64(120 * p)},
		},
		{
			name: "absurd charge saturates", attempt: call(phone.Mobile, true, quote(p, money.Max, 0)), want: OverNational,
			figures: Figures{Limit: int64(20 * p), Value: 1<<63 - 1, Pass: 1<<63 - 1},
		},
		{name: "free only lets free pass", settings: effective(set(account.NationalCeiling, 0)), attempt: call(phone.Freephone, true, quote(0, 0, 0))},
		{
			name: "free only stops the rest", settings: effective(set(account.NationalCeiling, 0)), attempt: call(phone.Geographic, true, quote(1, 0, 0)),
			want: OverNational, figures: Figures{Value: 1, Pass: 1},
		},
		{name: "own line", attempt: call(phone.OnNet, false, quote(0, 0, 0))},
		{name: "own line without a number", attempt: Attempt{Dest: phone.Destination{Class: phone.OnNet}, Quote: quote(0, 0, 0)}},
		{name: "own line is judged as national", attempt: call(phone.OnNet, false, quote(20*p, 0, 0))},
		{name: "premium", attempt: call(phone.Premium, true, quote(p, 0, 0)), want: PremiumBarred, figures: Figures{Value: 1, Pass: 1}},
		{name: "free premium is premium", attempt: call(phone.Premium, true, quote(0, 0, 0)), want: PremiumBarred, figures: Figures{Value: 1, Pass: 1}},
		{name: "directory", attempt: call(phone.Directory, true, quote(p, 0, 0)), want: PremiumBarred, figures: Figures{Value: 1, Pass: 1}},
		{name: "premium abroad", attempt: call(phone.IntlPremium, false, quote(p, 0, 0)), want: PremiumBarred, figures: Figures{Value: 1, Pass: 1}},
		{name: "personal is not premium", attempt: call(phone.Personal, true, quote(20*p, 0, 0))},
		{name: "premium on", settings: effective(set(account.Premium, 1)), attempt: call(phone.Premium, true, quote(p, 0, 0))},
		{
			name: "premium on, over the ceiling", settings: effective(set(account.Premium, 1)), attempt: call(phone.Premium, true, quote(150*p, 0, 0)),
			want: OverNational, figures: Figures{Limit: int64(20 * p), Value: int64(150 * p), Pass: int64(150 * p)},
		},
		{name: "unpriced", attempt: call(phone.Mobile, true, nil), want: Unpriced},
		{name: "unpriced own line", attempt: call(phone.OnNet, true, nil), want: Unpriced},
		{name: "negative price is none", attempt: call(phone.Mobile, true, quote(-8, 0, 0)), want: Unpriced},
		{name: "negative charge is none", attempt: call(phone.Mobile, true, quote(0, -1, 0)), want: Unpriced},
		{name: "unknown class", attempt: call(phone.ClassUnknown, true, quote(p, 0, 0)), want: ClassBarred},
		{name: "class of the future", attempt: call(phone.NumClasses, true, quote(p, 0, 0)), want: ClassBarred},
		{name: "no number", attempt: Attempt{Invalid: phone.NoCountry}, want: NumberInvalid, figures: Figures{Value: int64(phone.NoCountry)}},
		{name: "no service", attempt: Attempt{Invalid: phone.NoService}, want: NoService},
		{name: "no service, locked", facts: Facts{Locked: true}, attempt: Attempt{Invalid: phone.NoService}, want: LineLocked},
		{name: "personal in a free block", attempt: nobodys(phone.Personal), want: NumberUnallocated},
		{name: "pager in a free block", attempt: nobodys(phone.Pager), want: NumberUnallocated},
		{name: "084 in a free block", attempt: nobodys(phone.Revenue084), want: NumberUnallocated},
		{name: "087 in a free block", attempt: nobodys(phone.Revenue087), want: NumberUnallocated},
		{name: "09 in a free block", settings: effective(set(account.Premium, 1)), attempt: nobodys(phone.Premium), want: NumberUnallocated},
		{name: "09 in a free block, barred besides", attempt: nobodys(phone.Premium), want: NumberUnallocated},
		{name: "mobile in a free block", attempt: nobodys(phone.Mobile)},
		{name: "geographic in a free block", attempt: nobodys(phone.Geographic)},
		{name: "03 in a free block", attempt: nobodys(phone.UKWide)},
		{name: "freephone in a free block", attempt: nobodys(phone.Freephone)},
		{name: "mobile in a free block, on probation", facts: Facts{Tight: true}, attempt: nobodys(phone.Mobile), want: ProbationClass},
		{name: "zero attempt", want: NumberInvalid},
		{name: "locked", facts: Facts{Locked: true}, attempt: call(phone.Freephone, true, quote(0, 0, 0)), want: LineLocked},
		{name: "inactive", facts: Facts{Inactive: true, Locked: true}, attempt: call(phone.Mobile, true, quote(p, 0, 0)), want: NoSuchLine},
		{name: "allowed address", settings: effective(lock("192.0.2.0/24")), attempt: call(phone.Mobile, true, quote(p, 0, 0))},
		{name: "wrong address", settings: effective(lock("198.51.100.0/24")), attempt: call(phone.Mobile, true, quote(p, 0, 0)), want: AddressLocked},
		{name: "no address, but a lock", settings: effective(lock("0.0.0.0/0", "::/0")), attempt: Attempt{Dest: far.Dest, Quote: far.Quote}, want: AddressLocked},
		{
			name: "wrong address learns nothing of the lock", settings: effective(lock("198.51.100.0/24")), facts: Facts{Locked: true},
			attempt: call(phone.Mobile, true, quote(p, 0, 0)), want: AddressLocked,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.settings
			if s == nil {
				s = effective()
			}
			v := Decide(s, c.facts, c.attempt, now)
			if v.Reason != c.want || v.Figures != c.figures || v.Always {
				t.Errorf("got %v %+v, want %v %+v", v.Reason, v.Figures, c.want, c.figures)
			}
			if (v.N > 0) != (c.want == OK) || (v.Longest > 0) != (c.want == OK) {
				t.Errorf("%v with %d conditions and %v", v.Reason, v.N, v.Longest)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	s := effective(set(account.CallsPerMinute, 7), set(account.MaxCalls, 5), set(account.MaxInternational, 1),
		set(account.LineDayCap, 11), set(account.LineMonthCap, 12), set(account.AccountDayCap, 13), set(account.AccountMonthCap, 14))
	rate := Condition{Kind: CondRate, Limit: 7, Window: time.Minute, Reason: TooManyPerMinute}
	open := Condition{Kind: CondOpen, Limit: 5, Reason: TooManyCalls}
	openAbroad := Condition{Kind: CondOpenAbroad, Limit: 1, Reason: TooManyInternational}
	purses := []Condition{
		{Kind: CondPurse, Purse: LineDay, Limit: 11, Reason: LineDaySpent},
		{Kind: CondPurse, Purse: LineMonth, Limit: 12, Reason: LineMonthSpent},
		{Kind: CondPurse, Purse: AccountDay, Limit: 13, Reason: AccountDaySpent},
		{Kind: CondPurse, Purse: AccountMonth, Limit: 14, Reason: AccountMonthSpent},
	}
	for _, c := range []struct {
		name    string
		attempt Attempt
		want    []Condition
	}{
		{"national", call(phone.Mobile, true, quote(p, 0, 0)), append([]Condition{rate, open}, purses...)},
		{"international", call(phone.IntlFixed, false, quote(p, 0, 0)), append([]Condition{rate, open, openAbroad}, purses...)},
		{"only a connection charge", call(phone.Mobile, true, quote(0, 1, 0)), append([]Condition{rate, open}, purses...)},
		{"free", call(phone.Freephone, true, quote(0, 0, 0)), []Condition{rate, open}},
		{"free abroad", call(phone.IntlFreephone, false, quote(0, 0, 0)), []Condition{rate, open, openAbroad}},
		{"own line", call(phone.OnNet, false, quote(0, 0, 0)), []Condition{rate, open}},
		{"emergency", call(phone.Emergency, true, nil), nil},
	} {
		v := Decide(s, Facts{}, c.attempt, now)
		if got := v.Conditions[:v.N]; !v.Allowed() || !equal(got, c.want) {
			t.Errorf("%s: %v %+v, want %+v", c.name, v.Reason, got, c.want)
		}
	}
}

func equal(a, b []Condition) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestExplainListsEveryRuleAndWhereItCameFrom(t *testing.T) {
	var provider, customer, line account.Settings
	customer.Values[account.InternationalCeiling] = account.Value{Set: true, N: int64(1 * p)}
	line.Values[account.MaxCalls] = account.Value{Set: true, N: 3}
	e := account.Resolve(now, &provider, nil, &customer, &line)
	v, steps := Explain(&e, Facts{Locked: true}, call(phone.IntlFixed, false, quote(3*p, 0, 0)), now)
	if v.Reason != LineLocked {
		t.Fatal(v.Reason)
	}
	got := map[Reason]Step{}
	for _, s := range steps {
		got[s.Reason] = s
	}
	if s := got[LineLocked]; s.Passed || s.Pending {
		t.Errorf("lock: %+v", s)
	}
	if s := got[OverInternational]; s.Passed || s.From != account.LevelCustomer || s.Figures.Limit != int64(p) || s.Figures.Pass != int64(3*p) {
		t.Errorf("ceiling behind the lock: %+v", s)
	}
	if s := got[TooManyCalls]; !s.Pending || s.From != account.LevelLine || s.Figures.Limit != 3 {
		t.Errorf("condition: %+v", s)
	}
	if _, there := got[OverNational]; there {
		t.Error("the national ceiling does not apply to a call abroad")
	}
	if len(steps) != 14 {
		t.Errorf("%d steps: %+v", len(steps), steps)
	}
}

// settingsGen draws a whole line: any mix of settings, facts and attempt, near enough to each other that all rules fire.
func attemptGen(t *rapid.T) (account.Settings, Facts, Attempt) {
	var s account.Settings
	for f := range account.NumFields {
		if rapid.Bool().Draw(t, f.String()) {
			_, most := f.Range()
			s.Values[f] = account.Value{Set: true, N: rapid.Int64Range(0, min(most, int64(40*p))).Draw(t, "n")}
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "lock") == 0 {
		s.Nets = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	}
	f := Facts{Locked: rapid.IntRange(0, 7).Draw(t, "locked") == 0, Inactive: rapid.IntRange(0, 7).Draw(t, "inactive") == 0}
	a := Attempt{
		Dest: phone.Destination{
			Number:   number,
			Class:    phone.Class(rapid.IntRange(0, int(phone.NumClasses)).Draw(t, "class")),
			National: rapid.Bool().Draw(t, "national"),
		},
		Source: rapid.SampledFrom([]netip.Addr{{}, home, elsew}).Draw(t, "source"),
	}
	if rapid.IntRange(0, 7).Draw(t, "invalid") == 0 {
		a.Dest, a.Invalid = phone.Destination{}, phone.Problem(rapid.IntRange(0, int(phone.NumProblems)-1).Draw(t, "problem"))
	}
	if rapid.IntRange(0, 7).Draw(t, "priced") != 0 {
		a.Quote = quote(money.Rate(rapid.Int64Range(0, int64(40*p)).Draw(t, "rate")),
			money.Micro(rapid.Int64Range(0, 100_000).Draw(t, "connect")), money.Micro(rapid.Int64Range(0, 100_000).Draw(t, "minimum")))
	}
	return s, f, a
}

func TestExplainAgreesWithDecide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, f, a := attemptGen(t)
		e := account.Resolve(now, &s)
		d := Decide(&e, f, a, now)
		v, steps := Explain(&e, f, a, now)
		if v != d {
			t.Fatalf("explain %+v, decide %+v", v, d)
		}
		first, pending := OK, 0
		for _, step := range steps {
			if !step.Passed && first == OK {
				first = step.Reason
				if step.Figures != d.Figures {
					t.Fatalf("figures %+v, decide %+v", step.Figures, d.Figures)
				}
			}
			if step.Pending {
				pending++
			}
		}
		if first != d.Reason || d.Allowed() && pending != d.N {
			t.Fatalf("steps say %v with %d conditions, decide %v with %d", first, pending, d.Reason, d.N)
		}
	})
}

// TestRestrictionsOnlyTighten: no restriction and no entry of a hot list lets a call through that was refused, or loosens a condition.
func TestRestrictionsOnlyTighten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, f, a := attemptGen(t)
		before := account.Resolve(now, &s)
		was := Decide(&before, f, a, now)
		names, err := restrict.ParseSet(rapid.SampledFrom([]string{"paid", "abroad", "GB, +3712", "+4420", "mobile, intl-premium", "above 5p"}).Draw(t, "names"))
		if err != nil {
			t.Fatal(err)
		}
		hours, err := restrict.ParseHours(rapid.SampledFrom([]string{"", "sun 21:00-23:00", "mon-sat"}).Draw(t, "hours"))
		if err != nil {
			t.Fatal(err)
		}
		s.Restrictions = []restrict.Restriction{{
			ID: 7, Names: names, Only: rapid.Bool().Draw(t, "only"), Hours: hours, Until: rapid.SampledFrom([]time.Time{{}, now, now.Add(1)}).Draw(t, "until"),
		}, {
			ID: 8, Names: names, AtOnce: rapid.IntRange(1, 9).Draw(t, "at once"), Hours: hours,
		}, {
			ID: 9, Login: true, Known: []uint32{1}, Products: rapid.SampledFrom([][]uint32{nil, {1}}).Draw(t, "products"), Hours: hours,
		}}
		a.From = rapid.SampledFrom([]restrict.From{{}, {Origin: 1}, {Origin: 2}, {Origin: 1, Product: 2}}).Draw(t, "from")
		listed := a
		if rapid.Bool().Draw(t, "listed") {
			listed.Listed = &restrict.Listed{List: "desk", Range: restrict.Range{Prefix: 4420, Digits: 4}, Way: restrict.Out}
		}
		after := account.Resolve(now, &s)
		got := Decide(&after, f, listed, now)
		switch {
		case !was.Allowed() && got.Allowed():
			t.Fatalf("refused for %v, and allowed with %v", was.Reason, s.Restrictions)
		case got.Allowed() && got.N != was.N:
			t.Fatalf("%+v became %+v", was, got)
		case a.From.Origin == 2 && hours.Has(now, time.UTC) && !emergency(&a) && got.Allowed():
			t.Fatalf("an unknown network's login passes: %+v", got)
		case listed.Listed != nil && !emergency(&a) && got.Allowed():
			t.Fatalf("a listed number is let through: %+v", a)
		}
		for i := range got.N {
			c := got.Conditions[i]
			if fewer := c.Closing != nil && c.Limit == int64(c.Closing.AtOnce) && c.Limit < was.Conditions[i].Limit; c != was.Conditions[i] && !fewer {
				t.Fatalf("%+v became %+v", was.Conditions[i], c)
			}
		}
	})
}

// TestFewerCallsAtOnce: a call abroad is counted among those abroad, another among all; the refusal names the restriction and its end.
func TestFewerCallsAtOnce(t *testing.T) {
	abroad := restrict.Restriction{ID: 7, Names: restrict.Set{Abroad: true}, AtOnce: 1, Until: time.Date(2126, 1, 2, 3, 4, 0, 0, time.UTC)}
	paid := restrict.Restriction{ID: 8, Names: restrict.Set{Paid: true}, AtOnce: 3}
	s := effective(set(account.MaxCalls, 5), set(account.MaxInternational, 2))
	s.Restrictions = [][]restrict.Restriction{{abroad, paid}}
	limits := func(a Attempt) (open, far int64) {
		v := Decide(s, Facts{}, a, now)
		for _, c := range v.Conditions[:v.N] {
			switch c.Kind {
			case CondOpen:
				open = c.Limit
			case CondOpenAbroad:
				far = c.Limit
			}
		}
		return open, far
	}
	if open, far := limits(call(phone.IntlFixed, false, quote(p, 0, 0))); open != 5 || far != 1 {
		t.Errorf("abroad: %d and %d", open, far)
	}
	if open, _ := limits(call(phone.Mobile, true, quote(p, 0, 0))); open != 3 {
		t.Errorf("at home: %d", open)
	}
	if open, _ := limits(call(phone.Freephone, true, quote(0, 0, 0))); open != 5 {
		t.Errorf("a free call: %d", open)
	}
	want := "restriction 7 leaves this line fewer concurrent calls until 2126-01-02 03:04 UTC, and it has 1: try again when one has ended"
	if got := TooManyRestricted.Text(Figures{Limit: 7, Value: 1, Pass: abroad.Until.Unix()}); got != want {
		t.Error(got)
	}
}

// TestLoginsThatAreRefused: from a network, or with a product, that is not long known. Emergency calls pass.
func TestLoginsThatAreRefused(t *testing.T) {
	s := effective()
	s.Restrictions = [][]restrict.Restriction{{{ID: 7, Login: true, Known: []uint32{1}, Products: []uint32{5}}}}
	for from, want := range map[restrict.From]Reason{{}: OK, {Origin: 1}: OK, {Origin: 1, Product: 5}: OK, {Origin: 2, Product: 5}: LoginClosed, {Origin: 1, Product: 6}: LoginClosed} {
		a := call(phone.Freephone, true, quote(0, 0, 0))
		a.From = from
		if v := Decide(s, Facts{}, a, now); v.Reason != want {
			t.Errorf("%+v: %v", from, v.Reason)
		}
		a.Dest.Class = phone.Emergency
		if v := Decide(s, Facts{}, a, now); !v.Always {
			t.Errorf("%+v: no help", from)
		}
	}
}

// TestAHotListRefuses: the refusal names the list, the range and the end.
func TestAHotListRefuses(t *testing.T) {
	a := call(phone.IntlMobile, false, quote(p, 0, 0))
	a.Listed = &restrict.Listed{List: "feed:irsf", Range: restrict.Range{Prefix: 25261, Digits: 5}, Until: time.Date(2026, 12, 29, 20, 0, 0, 0, time.UTC)}
	v := Decide(effective(), Facts{}, a, now)
	want := "this destination is closed: +25261 is on the hot list feed:irsf until 2026-12-29 20:00 UTC"
	if v.Reason != DestinationClosed || v.Reason.Text(v.Figures) != want {
		t.Errorf("%v: %s", v.Reason, v.Reason.Text(v.Figures))
	}
	a.Listed = &restrict.Listed{List: "desk", Range: restrict.Range{Prefix: 25261, Digits: 5}}
	want = "calls from this number are refused: +25261 is on the hot list desk until it is removed"
	if got := CallerListed.Text(ListedBy(a.Listed)); got != want {
		t.Error(got)
	}
}

func TestEmergencyAlwaysPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, f, a := attemptGen(t)
		a.Invalid, a.Dest.Class = phone.NoProblem, phone.Emergency
		e := account.Resolve(now, &s)
		if v := Decide(&e, f, a, now); v != (Verdict{Always: true}) {
			t.Fatalf("%+v", v)
		}
	})
}

// TestTighteningNeverAllows: whatever a customer lowers, no refused call begins to pass and no limit at connection grows.
func TestTighteningNeverAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, f, a := attemptGen(t)
		loose := account.Resolve(now, &s)
		var line account.Settings
		field := account.Field(rapid.IntRange(0, int(account.NumFields)-1).Draw(t, "field"))
		line.Values[field] = account.Value{Set: true, N: rapid.Int64Range(0, max(0, loose.Values[field])).Draw(t, "tighter")}
		tight := account.Resolve(now, &s, nil, nil, &line)
		before, after := Decide(&loose, f, a, now), Decide(&tight, f, a, now)
		if after.Allowed() && !before.Allowed() {
			t.Fatalf("%v became allowed by lowering %v", before.Reason, field)
		}
		if after.Longest > before.Longest {
			t.Fatalf("longest call grew from %v to %v", before.Longest, after.Longest)
		}
		for _, c := range before.Conditions[:before.N] {
			i := slices.IndexFunc(after.Conditions[:after.N], func(x Condition) bool { return x.Reason == c.Reason })
			if after.Allowed() && (i < 0 || after.Conditions[i].Limit > c.Limit) {
				t.Fatalf("%v is gone, or grew", c.Reason)
			}
		}
	})
}

func TestWhatWouldPassPasses(t *testing.T) {
	fields := map[Reason]account.Field{
		PremiumBarred: account.Premium, SatelliteBarred: account.Satellite, PersonalBarred: account.Personal, PagerBarred: account.Pager, OverNational: account.NationalCeiling, OverInternational: account.InternationalCeiling,
	}
	rapid.Check(t, func(t *rapid.T) {
		s, f, a := attemptGen(t)
		e := account.Resolve(now, &s)
		v := Decide(&e, f, a, now)
		field, ok := fields[v.Reason]
		if !ok {
			return
		}
		e.Values[field] = v.Figures.Pass
		if again := Decide(&e, f, a, now); again.Reason == v.Reason {
			t.Fatalf("%v: %s, and it did not", v.Reason, v.Reason.Text(v.Figures))
		}
		e.Values[field] = v.Figures.Pass - 1
		if again := Decide(&e, f, a, now); again.Reason != v.Reason {
			t.Fatalf("%v: less than %s passed", v.Reason, v.Reason.Text(v.Figures))
		}
	})
}

func TestDecideAllocatesNothing(t *testing.T) {
	s := effective(lock("192.0.2.0/24"))
	a := call(phone.IntlFixed, false, quote(p, 0, 0))
	if n := testing.AllocsPerRun(100, func() {
		if v := Decide(s, Facts{}, a, now); !v.Allowed() {
			t.Fatal(v.Reason)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	s := effective(lock("198.51.100.0/24", "2001:db8::/32", "192.0.2.0/24"))
	a := call(phone.IntlFixed, false, quote(p, 0, 0))
	b.ReportAllocs()
	for b.Loop() {
		if v := Decide(s, Facts{}, a, now); !v.Allowed() {
			b.Fatal(v.Reason)
		}
	}
}
