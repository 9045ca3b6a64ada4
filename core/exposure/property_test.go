package exposure_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/exposure"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/flow/play"
)

const (
	customer = "acme"
	ring     = 90 * time.Second
)

// world is a customer with lines, prices and settings, and calls that were played.
type world struct {
	forwards     bool // of every line
	zone         *time.Location
	calendar     rating.Calendar
	provider     account.Settings
	own          account.Settings
	lines        []string
	settings     []account.Settings
	locked       []bool
	retail, cost *rating.Deck
	hot          *restrict.Hot
	from, until  time.Time

	results []play.Result
	held    map[call.ID][]hold
}

// hold is what a call held from an instant on.
type hold struct {
	at   time.Time
	held money.Micro
}

func (w *world) effective(i int, at time.Time) *account.Effective {
	e := account.Resolve(at, &w.provider, nil, &w.own, &w.settings[i])
	return &e
}

func (w *world) rules() engine.Rules {
	return engine.Rules{
		Plan:  phone.UK(),
		Owner: func(uint64) (string, bool) { return "", false },
		Hot:   func() *restrict.Hot { return w.hot },
		Line: func(id string, now time.Time) (engine.Line, bool) {
			i := slices.Index(w.lines, id)
			if i < 0 {
				return engine.Line{}, false
			}
			return engine.Line{Account: customer, Settings: w.effective(i, now), Zone: w.zone, Deck: w.retail, Calendar: w.calendar, Locked: w.locked[i]}, true
		},
	}
}

// play plays calls in the order of time.
func (w *world) play(calls []play.Call) {
	slices.SortStableFunc(calls, func(a, b play.Call) int { return a.At.Compare(b.At) })
	w.held = map[call.ID][]hold{}
	p := play.New(play.Options{
		Rules: w.rules(), Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}, RingTime: ring,
		Done: func(_ int, r *play.Result) { w.results = append(w.results, *r) },
		Facts: func(_ int, c *play.Call, facts []fact.Row) {
			for i := range facts {
				var admitted fact.CallAdmitted
				var more fact.SliceHeld
				switch facts[i].Kind {
				case fact.KindCallAdmitted:
					w.decode(&facts[i], &admitted)
					w.held[c.ID] = append(w.held[c.ID], hold{c.At, admitted.Held})
				case fact.KindSliceHeld:
					w.decode(&facts[i], &more)
					w.held[c.ID] = append(w.held[c.ID], hold{facts[i].At, more.Held})
				}
			}
		},
	})
	for i := range calls {
		calls[i].ID = call.ID(fmt.Sprintf("%026d", i))
		p.Play(&calls[i])
	}
	p.End()
}

func (w *world) decode(row *fact.Row, into interface{ Decode([]byte) error }) {
	if row.Body == nil {
		row.Encode()
	}
	if err := into.Decode(row.Body); err != nil {
		panic(err)
	}
}

func (w *world) heldAt(id call.ID, at time.Time) (held money.Micro) {
	for _, h := range w.held[id] {
		if !h.at.After(at) {
			held = h.held
		}
	}
	return held
}

// price is that of a played call, as it was when it began.
func price(d *rating.Deck, c *play.Call) (phone.Destination, *rating.Price) {
	dest, problem := phone.UK().Parse(c.Dialled)
	if problem != phone.NoProblem {
		return dest, nil
	}
	p, ok := d.Find(dest.Number, c.At)
	if !ok {
		return dest, nil
	}
	return dest, p
}

// answered is when a call was answered, if it was by an instant.
func answered(c *play.Call, at time.Time) (time.Time, bool) {
	when := c.At.Add(max(c.Rings, 0))
	return when, !c.Unanswered && c.Rings <= ring && when.Before(at)
}

// account is the part of the figure that concerns an instant.
func (w *world) account(tariff *exposure.Tariff) *exposure.Account {
	a := &exposure.Account{ID: customer, Zone: w.zone, Calendar: w.calendar, Tariff: tariff, Purses: map[string]engine.Purse{}}
	for i, id := range w.lines {
		a.Lines = append(a.Lines, exposure.Line{ID: id, Locked: w.locked[i], Forwards: w.forwards, Settings: func(at time.Time) *account.Effective { return w.effective(i, at) }})
	}
	for i := range w.results {
		r := &w.results[i]
		if r.Refused || !r.Call.At.Before(w.from) {
			continue
		}
		for _, id := range engine.PurseIDs(r.Call.Line, customer, w.zone, r.Call.At) {
			p := a.Purses[id]
			if !r.Ended.After(w.from) {
				p.Spent += r.Cost
			} else {
				p.Held += w.heldAt(r.Call.ID, w.from)
			}
			a.Purses[id] = p
		}
		if r.Ended.After(w.from) {
			a.Calls = append(a.Calls, w.running(r))
		}
	}
	return a
}

func (w *world) running(r *play.Result) exposure.Running {
	c := &r.Call
	dest, p := price(w.retail, c)
	e := w.effective(slices.Index(w.lines, c.Line), c.At)
	x := exposure.Running{
		Line: c.Line, Abroad: !dest.National, Begun: c.At, Quote: p.Quote(w.calendar, c.At), Held: w.heldAt(c.ID, w.from),
		Limit: time.Duration(e.Values[account.LongestCall]) * time.Second,
	}
	if at, ok := answered(c, w.from); ok {
		x.Quote.Start, x.Talk = at, w.from.Sub(at)
	}
	if _, k := price(w.cost, c); k != nil {
		x.Cost = k.Quote(w.calendar, x.Quote.Start)
	}
	return x
}

// costs is what calls of the time, and those in progress when it began, came to: of all lines, of each, and of carriers.
func (w *world) costs() (all money.Micro, each []money.Micro, carrier money.Micro) {
	each = make([]money.Micro, len(w.lines))
	for i := range w.results {
		r := &w.results[i]
		if r.Refused || !r.Call.At.Before(w.until) || !r.Ended.After(w.from) && r.Call.At.Before(w.from) {
			continue
		}
		all += r.Cost
		each[slices.Index(w.lines, r.Call.Line)] += r.Cost
		if _, k := price(w.cost, &r.Call); k != nil && r.Talk > 0 {
			q := k.Quote(w.calendar, r.Call.At.Add(max(r.Call.Rings, 0)))
			carrier += q.Cost(r.Talk)
		}
	}
	return all, each, carrier
}

func (w *world) figure() exposure.Figure {
	tariff := exposure.NewTariff(phone.UK(), w.retail, []exposure.Carrier{{Name: "carrier", Deck: w.cost}})
	q := exposure.Question{From: w.from, Until: w.until, Ring: ring, Hot: w.hot, Memo: exposure.NewMemo()}
	return q.Of(w.account(tariff))
}

// numbers are of every sort, with those who earn from them.
var numbers = []string{
	"02079460000", "01534123456", "07700900123", "08001111000", "09012345678", "07012345678", "07612345678", "08441234567", "08712345678", "118500", "101", "03001234567",
	"005350000147", "0037167123456", "00882161234567", "0033142685300", "0018765551234", "0012125551234", "00353871234567",
}

var prefixes = []string{"44", "441", "442", "447", "4479", "448", "449", "4470", "4476", "4487", "53", "371", "3716", "882", "33", "1", "1876", "353", "118", "101", "443"}

func instant(at string, zone *time.Location) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", at, zone)
	if err != nil {
		panic(err)
	}
	return t
}

// nights are beside a change of the clocks, the end of a month or of a year, or nothing.
var nights = []struct{ zone, at string }{
	{"Europe/London", "2027-03-27 20:00:00"},
	{"Europe/London", "2027-10-30 22:30:00"},
	{"Europe/London", "2027-10-31 01:30:00"},
	{"America/Havana", "2027-11-06 23:10:00"},
	{"America/Havana", "2027-03-13 22:00:00"},
	{"Australia/Lord_Howe", "2027-04-03 23:00:00"},
	{"Asia/Beirut", "2027-03-27 21:00:00"},
	{"Asia/Beirut", "2027-10-30 22:00:00"},
	{"Asia/Kolkata", "2027-04-30 18:00:00"},
	{"Europe/London", "2027-04-30 23:50:00"},
	{"Pacific/Auckland", "2027-12-31 20:00:00"},
	{"Europe/London", "2027-05-12 18:00:00"},
}

func drawDeck(t *rapid.T, name string, from time.Time, factor float64) *rating.Deck {
	var rows []rating.Price
	increments := [][2]uint16{{1, 1}, {60, 60}, {60, 1}, {30, 6}, {1, 60}, {3600, 60}}
	for _, prefix := range prefixes {
		if rapid.IntRange(0, 4).Draw(t, name+" has "+prefix) == 0 && factor == 1 {
			continue
		}
		p := rating.Price{Name: "to " + prefix, Short: len(prefix) == 3 && (prefix == "118" || prefix == "101")}
		_, _ = fmt.Sscan(prefix, &p.Prefix)
		inc := rapid.SampledFrom(increments).Draw(t, "increments")
		p.First, p.Step = inc[0], inc[1]
		if rapid.IntRange(0, 3).Draw(t, "charges") == 0 {
			p.Connect = money.Micro(factor * float64(rapid.IntRange(0, 300_000).Draw(t, "connect")))
		}
		if rapid.IntRange(0, 5).Draw(t, "has a minimum") == 0 {
			p.Minimum = money.Micro(factor * float64(rapid.IntRange(0, 300_000).Draw(t, "minimum")))
		}
		rate := rapid.SampledFrom([]int64{0, 3, 10_000_000, 16_666_667, 77_777_777, 450_000_000, 1_500_000_000}).Draw(t, "rate")
		for b := range p.Rates {
			p.Rates[b] = money.Rate(factor * float64(rate) * float64(rapid.IntRange(1, 3).Draw(t, "band")) / 3)
		}
		if rapid.IntRange(0, 6).Draw(t, "dated") > 0 {
			rows = append(rows, p)
			continue
		}
		change := rating.MomentOf(from.Add(time.Duration(rapid.IntRange(-3, 30).Draw(t, "change")) * time.Hour))
		was := p
		was.Until, p.From = change, change
		was.Rates[0] /= 2
		rows = append(rows, was, p)
	}
	d, err := rating.Build(rows, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func drawValue(t *rapid.T, f account.Field, from time.Time, below bool) (v account.Value) {
	n := map[account.Field][]int64{
		account.NationalCeiling: {0, 20_000_000, 80_000_000, 500_000_000, 5_000_000_000}, account.InternationalCeiling: {0, 20_000_000, 100_000_000, 1_000_000_000, 5_000_000_000},
		account.Premium: {0, 1}, account.Satellite: {0, 1}, account.Personal: {0, 1}, account.Pager: {0, 1}, account.MaxCalls: {0, 1, 2, 5}, account.MaxInternational: {0, 1, 3},
		account.CallsPerMinute: {1, 5, 30}, account.CallsPerSecond: {1, account.NoCallsPerSecond}, account.LongestCall: {1, 60, 3600, 14400},
		account.LineDayCap: {0, 500_000, 6_000_000, 1_000_000_000}, account.LineMonthCap: {1_000_000, 20_000_000, 5_000_000_000},
		account.AccountDayCap: {500_000, 8_000_000, 1_000_000_000}, account.AccountMonthCap: {1_000_000, 20_000_000, 5_000_000_000},
	}[f]
	v = account.Value{Set: true, N: rapid.SampledFrom(n).Draw(t, f.String())}
	if below && rapid.IntRange(0, 3).Draw(t, "granted") == 0 {
		until := from.Add(time.Duration(rapid.IntRange(-60, 40*60).Draw(t, "grant ends")) * time.Minute)
		return v.Grant(rapid.SampledFrom(n).Draw(t, "grant of "+f.String()), until)
	}
	return v
}

func drawSettings(t *rapid.T, name string, from time.Time, chance int, below bool) (s account.Settings) {
	for f := range account.LineWarning {
		if below && rapid.IntRange(0, chance).Draw(t, name+" says "+f.String()) > 0 || name == "line" && f.OfAccount() {
			continue
		}
		s.Values[f] = drawValue(t, f, from, below)
	}
	for id := range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, name+" restrictions") {
		s.Restrictions = append(s.Restrictions, drawRestriction(t, int64(id+1), from))
	}
	return s
}

func drawRestriction(t *rapid.T, id int64, from time.Time) restrict.Restriction {
	r := restrict.Restriction{ID: id, Since: from.Add(-48 * time.Hour), Only: rapid.IntRange(0, 3).Draw(t, "only") == 0, Ends: rapid.Bool().Draw(t, "ends calls")}
	set := func(text string) restrict.Set {
		s, err := restrict.ParseSet(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	texts := []string{"paid", "abroad", "CU", "LV, GB", "above 10p", "mobile, premium", "+4479", "+44790", "+53500, +3716", "intl-mobile, geographic"}
	r.Names = set(rapid.SampledFrom(texts).Draw(t, "names"))
	if !r.Only && rapid.IntRange(0, 2).Draw(t, "excepts") == 0 {
		r.Except = set(rapid.SampledFrom(texts[2:]).Draw(t, "except"))
	}
	hours := rapid.SampledFrom([]string{"", "", "18:00-08:00", "mon-fri 00:30-03:00", "sat, sun", "22:00-24:00, 01:15-02:45"}).Draw(t, "hours")
	var err error
	if r.Hours, err = restrict.ParseHours(hours); err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "ends") {
		r.Until = from.Add(time.Duration(rapid.IntRange(1, 30*60).Draw(t, "until")) * time.Minute)
	}
	return r
}

func drawWorld(t *rapid.T) *world {
	night := rapid.SampledFrom(nights).Draw(t, "night")
	zone, err := time.LoadLocation(night.zone)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{zone: zone, from: instant(night.at, zone).Add(time.Duration(rapid.IntRange(0, 5999).Draw(t, "later")) * time.Second)}
	w.until = w.from.Add(time.Duration(rapid.SampledFrom([]int{1, 30, 600, 900, 3000}).Draw(t, "minutes")) * time.Minute)
	w.calendar = rating.Calendar{Zone: zone, PeakFrom: 8 * time.Hour, PeakTill: 18 * time.Hour}
	w.retail = drawDeck(t, "retail", w.from, 1)
	w.cost = drawDeck(t, "cost", w.from, rapid.SampledFrom([]float64{0.5, 1.5}).Draw(t, "dearness"))
	w.provider, w.own = drawSettings(t, "provider", w.from, 0, false), drawSettings(t, "customer", w.from, 3, true)
	for i := range rapid.IntRange(1, 3).Draw(t, "lines") {
		w.lines = append(w.lines, fmt.Sprintf("200%d", i))
		w.settings = append(w.settings, drawSettings(t, "line", w.from, 3, true))
		w.locked = append(w.locked, rapid.IntRange(0, 9).Draw(t, "locked") == 0)
	}
	if rapid.Bool().Draw(t, "hot") {
		numbers := rapid.SampledFrom([]string{"+4490", "+535", "+44790"}).Draw(t, "hot range")
		r, err := restrict.ParseNumbers(numbers)
		if err != nil {
			t.Fatal(err)
		}
		w.hot = restrict.HotOf([]restrict.Listed{{List: "x", Range: r, Way: restrict.Out, Until: w.from.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "hot until")) * time.Minute)}})
	}
	return w
}

// attack is what a thief would do who knows every setting: from an instant on, as many calls as may begin, to the number that costs most, each as
// long as it is worth it. With them come calls of all sorts at any time.
func (w *world) attack(t *rapid.T) (calls []play.Call) {
	src := rand.New(rand.NewPCG(uint64(rapid.Int64().Draw(t, "seed")), 1))
	begins := w.from.Add(-6 * time.Hour)
	span := w.until.Sub(begins) + time.Hour
	for range rapid.IntRange(0, 60).Draw(t, "calls") {
		calls = append(calls, play.Call{
			At: begins.Add(time.Duration(src.Int64N(int64(span)))), Line: w.lines[src.IntN(len(w.lines))], Dialled: numbers[src.IntN(len(numbers))],
			Rings: time.Duration(src.IntN(100)) * time.Second, Unanswered: src.IntN(8) == 0, Wants: time.Duration(src.ExpFloat64() * float64(30*time.Minute)),
		})
	}
	if rapid.Bool().Draw(t, "knows the prices") {
		calls = append(calls, w.greedy()...)
	}
	waves := rapid.IntRange(0, 6).Draw(t, "waves")
	for range waves {
		at := w.from.Add(time.Duration(rapid.IntRange(-120, int(w.until.Sub(w.from)/time.Minute)).Draw(t, "wave")) * time.Minute)
		dialled := rapid.SampledFrom(numbers).Draw(t, "dialled")
		wants := time.Duration(rapid.SampledFrom([]int{0, 1, 59, 61, 600, 20_000, 90_000}).Draw(t, "wants")) * time.Second
		for n := range rapid.SampledFrom([]int{5, 40, 300}).Draw(t, "of a wave") {
			calls = append(calls, play.Call{At: at.Add(time.Duration(n) * time.Second / 3), Line: w.lines[n%len(w.lines)], Dialled: dialled, Wants: wants})
		}
	}
	return calls
}

// greedy dials the dearest numbers first, at once and after each midnight, and stays on the line.
func (w *world) greedy() (calls []play.Call) {
	cost := func(number string) money.Rate {
		if _, p := price(w.retail, &play.Call{Dialled: number, At: w.from}); p != nil {
			return policy.Minute(p)
		}
		return 0
	}
	dearest := slices.SortedFunc(slices.Values(numbers), func(a, b string) int { return cmp.Compare(cost(b), cost(a)) })
	for at := w.from; at.Before(w.until); {
		for i, number := range dearest[:8] {
			for n := range 2 * len(w.lines) {
				calls = append(calls, play.Call{
					At: at.Add(time.Duration(i*10+n) * 700 * time.Millisecond), Line: w.lines[n%len(w.lines)], Dialled: number, Wants: 20_000 * time.Second,
				})
			}
		}
		year, month, day := at.In(w.zone).Date()
		at = time.Date(year, month, day+1, 1, 0, 1, 0, w.zone)
	}
	return calls
}

// TestNoCallsCostMoreThanTheFigure: whatever calls the gate lets begin in a time, they cost no more than the figure that was in force when the
// time began: the customer, each line and the carriers. Settings, prices, restrictions, zones, nights and calls are drawn.
func TestNoCallsCostMoreThanTheFigure(t *testing.T) {
	reached, bounded := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.play(w.attack(t))
		f := w.figure()
		all, each, carrier := w.costs()
		if all > f.Retail {
			t.Fatalf("%s to %s: calls cost %d, the figure is %d\n%s", w.from, w.until, all, f.Retail, w.dump(&f))
		}
		for i := range each {
			if each[i] > f.Lines[i].Retail {
				t.Fatalf("%s to %s: calls of %s cost %d, its figure is %d\n%s", w.from, w.until, w.lines[i], each[i], f.Lines[i].Retail, w.dump(&f))
			}
		}
		if f.NoLimit == "" {
			bounded++
			if carrier > f.Carrier {
				t.Fatalf("%s to %s: carriers charge %d, the figure is %d\n%s", w.from, w.until, carrier, f.Carrier, w.dump(&f))
			}
		}
		if all > 0 && all >= f.Retail/2 {
			reached++
		}
	})
	t.Logf("%d came to half of the figure or more; carriers' charges were bounded in %d", reached, bounded)
	if reached == 0 || bounded == 0 {
		t.Error("no calls came to half of the figure, or carriers' charges were never bounded: the test shows nothing")
	}
}

func (w *world) dump(f *exposure.Figure) string {
	var b strings.Builder
	for _, d := range f.Days {
		fmt.Fprintf(&b, "  day %s to %s: %d by %d\n", d.From, d.Until, d.Amount, d.Purse)
	}
	for i := range w.results {
		r := &w.results[i]
		if _, k := price(w.cost, &r.Call); !r.Refused && (r.Cost > 0 || k != nil && r.Talk > 0) {
			fmt.Fprintf(&b, "  %s %s %s rings %s ended %s talk %s cost %d %s at %+v\n", r.Call.At.In(w.zone), r.Call.Line, r.Call.Dialled, r.Call.Rings, r.Ended.In(w.zone), r.Talk, r.Cost, r.Reason, k)
		}
		if b.Len() > 20_000 {
			break
		}
	}
	return b.String()
}
