package exposure_test

import (
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/exposure"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/flow/play"
)

// evening is an ordinary one, with a line that may call abroad at 12p a minute, twice at once, for £6 a day.
func evening(t testing.TB) *world {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{zone: zone, calendar: rating.Calendar{Zone: zone}, lines: []string{"2001"}, settings: make([]account.Settings, 1), locked: []bool{false}}
	w.from, w.until = instant("2027-05-12 18:00:00", zone), instant("2027-05-13 09:00:00", zone)
	w.retail, w.cost = deck(t, 1), deck(t, 0.5)
	w.set(account.InternationalCeiling, int64(12*money.PencePerMinute))
	w.set(account.LineDayCap, int64(6*money.Pound))
	return w
}

// deck has a landline at home for 2p a minute, and 12p a minute abroad.
func deck(t testing.TB, factor float64) *rating.Deck {
	t.Helper()
	row := func(prefix uint64, name string, pence float64) rating.Price {
		r := money.Rate(pence * factor * float64(money.PencePerMinute))
		return rating.Price{Prefix: prefix, Name: name, Rates: [rating.NumBands]money.Rate{r, r, r}, First: 1, Step: 1}
	}
	d, err := rating.Build([]rating.Price{row(442, "UK", 2), row(33, "France", 12), row(53, "Cuba", 90)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) set(f account.Field, n int64) {
	w.settings[0].Values[f] = account.Value{Set: true, N: n, Granted: true}
}

func at(w *world, after time.Duration, dialled string, wants time.Duration) play.Call {
	return play.Call{At: w.from.Add(after), Line: "2001", Dialled: dialled, Wants: wants}
}

// TestTheFigureIsReached: two calls of 25 minutes at 12p reach a cap of £6, and after midnight two others reach it again. The figure is that, to the
// last millionth: one that was higher would be no figure but a guess.
func TestTheFigureIsReached(t *testing.T) {
	w := evening(t)
	w.play([]play.Call{
		at(w, 0, "0033142685300", 25*time.Minute), at(w, 0, "0033142685300", 25*time.Minute),
		at(w, 7*time.Hour, "0033142685300", 25*time.Minute), at(w, 7*time.Hour, "0033142685300", 25*time.Minute),
	})
	f := w.figure()
	if all, each, carrier := w.costs(); all != 12*money.Pound || f.Retail != all || f.Lines[0].Retail != each[0] || f.Carrier < carrier || f.Carrier > carrier*101/100 {
		t.Errorf("calls cost %s (carriers %s), the figure is %s (carriers %s)", all, carrier, f.Retail, f.Carrier)
	}
	if len(f.Days) != 2 || f.Days[0].Amount != 6*money.Pound || f.Days[0].Purse != policy.LineDay || f.ByTime {
		t.Errorf("days %+v", f.Days)
	}
	if f.Dearest.Name != "France (+33)" || f.Dearest.Calls != 2 || f.Dearest.Reached != 15*time.Minute || f.Dearest.Others != 8 {
		t.Errorf("dearest %+v", f.Dearest)
	}
}

// TestTimeBoundsTheFigure: where there is less time than money, one call after the other comes within a hundredth of the figure.
func TestTimeBoundsTheFigure(t *testing.T) {
	w := evening(t)
	w.set(account.LineDayCap, int64(5000*money.Pound))
	w.set(account.AccountDayCap, int64(5000*money.Pound))
	for _, f := range []account.Field{account.LineMonthCap, account.AccountMonthCap} {
		w.own.Values[f] = account.Value{Set: true, N: int64(5000 * money.Pound), Granted: true}
	}
	w.own.Values[account.AccountDayCap] = w.own.Values[account.AccountMonthCap]
	w.set(account.MaxCalls, 1)
	w.set(account.CallsPerMinute, 1)
	w.play([]play.Call{
		at(w, 0, "0033142685300", 4*time.Hour), at(w, 4*time.Hour+1, "0033142685300", 4*time.Hour), at(w, 8*time.Hour+2, "0033142685300", 4*time.Hour),
		at(w, 12*time.Hour+3, "0033142685300", 3*time.Hour-time.Second), at(w, 15*time.Hour-time.Millisecond, "0033142685300", 4*time.Hour),
	})
	f := w.figure()
	all, _, carrier := w.costs()
	if all > f.Retail || all < f.Retail*98/100 || !f.ByTime {
		t.Errorf("calls cost %s, the figure is %s", all, f.Retail)
	}
	if f.NoLimit != "" || carrier > f.Carrier || carrier < f.Carrier*96/100 {
		t.Errorf("carriers charge %s, the figure is %s %s", carrier, f.Carrier, f.NoLimit)
	}
}

// TestScheduledLoosenings: what ends by itself before the time is over counts from then on, and not before.
func TestScheduledLoosenings(t *testing.T) {
	w := evening(t)
	closed, err := restrict.ParseSet("abroad")
	if err != nil {
		t.Fatal(err)
	}
	w.settings[0].Restrictions = []restrict.Restriction{{ID: 1, Names: closed, Since: w.from.Add(-time.Hour), Until: w.until.Add(-time.Hour)}}
	f := w.figure()
	if f.Dearest.Name != "France (+33)" || f.Days[1].Amount != 6*money.Pound {
		t.Errorf("closed until an hour before the end: %+v", f.Days)
	}
	w.settings[0].Restrictions[0].Until = w.until
	if f = w.figure(); f.Dearest.Name != "UK (+442)" {
		t.Errorf("closed until the end: %+v", f.Dearest)
	}
	w.settings[0].Restrictions = nil
	raised := account.Value{Set: true, N: int64(6 * money.Pound)}.Grant(int64(40*money.Pound), w.from.Add(2*time.Hour))
	w.settings[0].Values[account.LineDayCap] = raised
	if f = w.figure(); f.Days[0].Amount != 40*money.Pound || f.Days[1].Amount != 6*money.Pound {
		t.Errorf("a raise that ends at eight: %+v", f.Days)
	}
}

// TestNobodyElsewhere: an IP lock leaves nothing to a thief elsewhere, and all of it to one at home.
func TestNobodyElsewhere(t *testing.T) {
	w := evening(t)
	nets, err := account.ParseNets("192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	if f := w.figure(); f.Known || f.Elsewhere != f.Retail {
		t.Errorf("without a lock: %+v", f)
	}
	w.settings[0].Nets = nets
	if f := w.figure(); !f.Known || f.Elsewhere != 0 || f.Retail != 12*money.Pound {
		t.Errorf("with a lock: %s elsewhere, %s in all", f.Elsewhere, f.Retail)
	}
	w.forwards = true
	if f := w.figure(); !f.Known || f.Elsewhere != f.Retail || f.Retail != 12*money.Pound {
		t.Errorf("with a lock, and a forward that anyone can cause: %s elsewhere, %s in all", f.Elsewhere, f.Retail)
	}
}

// TestSomeLinesAreLocked: a thief elsewhere has the lines without an IP lock, and those that forward.
func TestSomeLinesAreLocked(t *testing.T) {
	w := evening(t)
	nets, err := account.ParseNets("192.0.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	w.lines, w.settings, w.locked = append(w.lines, "2002"), append(w.settings, w.settings[0]), append(w.locked, false)
	w.settings[1].Nets = nets
	if f := w.figure(); !f.Known || f.Elsewhere != 12*money.Pound || f.Retail != 24*money.Pound || f.Lines[1].Retail != 12*money.Pound {
		t.Errorf("one of two: %s elsewhere, %s in all", f.Elsewhere, f.Retail)
	}
	w.forwards = true
	if f := w.figure(); !f.Known || f.Elsewhere != f.Retail || f.Retail != 24*money.Pound {
		t.Errorf("both forward: %s elsewhere, %s in all", f.Elsewhere, f.Retail)
	}
}

// TestNoLimit: where nobody knows what a carrier charges, there is no figure, and never a large number.
func TestNoLimit(t *testing.T) {
	w := evening(t)
	tariff := exposure.NewTariff(phone.UK(), w.retail, []exposure.Carrier{{Name: "blue"}})
	q := exposure.Question{From: w.from, Until: w.until, Ring: ring, Memo: exposure.NewMemo()}
	if f := q.Of(w.account(tariff)); f.NoLimit == "" || f.Carrier != 0 {
		t.Errorf("carrier %s, no limit %q", f.Carrier, f.NoLimit)
	}
	tariff = exposure.NewTariff(phone.UK(), w.retail, []exposure.Carrier{{Name: "blue", Deck: w.cost}})
	q.Nodes = true
	if f := q.Of(w.account(tariff)); f.NoLimit != "" || f.Carrier < 6*money.Pound || f.Carrier > 7*money.Pound || f.Retail != 12*money.Pound {
		t.Errorf("on several servers: carrier %s %q, retail %s", f.Carrier, f.NoLimit, f.Retail)
	}
}

// TestSharedPurse: lines that share an account cost together what the account may.
func TestSharedPurse(t *testing.T) {
	w := evening(t)
	w.lines, w.settings, w.locked = append(w.lines, "2002"), append(w.settings, w.settings[0]), append(w.locked, false)
	w.own.Values[account.AccountDayCap] = account.Value{Set: true, N: int64(8 * money.Pound)}
	f := w.figure()
	if f.Retail != 16*money.Pound || f.Lines[0].Retail != 12*money.Pound || f.Days[0].Purse != policy.AccountDay {
		t.Errorf("%s, lines %s and %s, %+v", f.Retail, f.Lines[0].Retail, f.Lines[1].Retail, f.Days[0])
	}
	w.locked[0] = true
	if f = w.figure(); f.Retail != 12*money.Pound || f.Lines[0].Retail != 0 {
		t.Errorf("one locked: %s, lines %s and %s", f.Retail, f.Lines[0].Retail, f.Lines[1].Retail)
	}
}
