package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
)

// Line is a line of the simulated provider.
type Line struct {
	ID       string
	Customer string
	Kind     string
	KeptBack bool // its kind is kept back from tuning
	Zone     string
	// FirstSeen is when the line began: long before the calls do, or among them.
	FirstSeen time.Time
	Number    string // E.164, without a plus
	Settings  []Setting

	customer *customer
	nth      int // of the provider's lines
	from     int // day of its first call
	rate     float64
	seats    int
	plus     bool   // dials + rather than 00
	shift    int    // seconds by which its hours are later
	home     string // address of somebody who works from there
	device   string
	renewed  []change[string]
	limits   limits
}

// Setting is one of a line's own.
type Setting struct {
	Field account.Field
	Value string // as lines.csv has it: pence, pounds, a count, on or off
}

// change is what is the case from a day on.
type change[T any] struct {
	day int
	to  T
}

// limits are those that an attacker comes up against. Prices are hundredths of a penny.
type limits struct {
	national, abroad   int
	premium, satellite bool
	calls, callsAbroad int
	perMinute          int
	day, month         int // pounds
	accountDay         int
	accountMonth       int
}

// reaches says that a line may call a place.
func (l *limits) reaches(p *place) bool {
	switch {
	case p.kind == "premium" && !l.premium, p.kind == "satellite" && !l.satellite:
		return false
	case p.abroad():
		return p.first <= l.abroad
	}
	return p.first <= l.national
}

// customer is who pays for some lines.
type customer struct {
	id      string
	kind    *kind
	seed    uint64
	lines   []*Line
	nets    []change[string]
	away    [][2]int    // days without anybody, first and last
	streams [][]area    // for each stream of the kind
	books   [][]number  // shared by the lines, for each stream
	phases  []phaseSpan // in the order of their beginnings
	town    stem
	doomed  bool // an attack has chosen it
}

// area is a country, or a place at home.
type area struct{ fixed, mobile *place }

func (a area) number(r *rand.Rand) number {
	if a.mobile != nil && (a.fixed == nil || r.IntN(100) < 58) {
		return a.mobile.number(r)
	}
	return a.fixed.number(r)
}

// phaseSpan is one that a customer goes through.
type phaseSpan struct {
	*phase
	from, until int // days
	book        []number
	areas       []area
}

const (
	seedLine = iota + 1
	seedBook
	seedCustomer
	seedAttack
	seedWorld
	seedIsland
)

// source is a stream of random numbers of its own for each part of a world, so that one more customer changes nothing for the others.
func source(seed, part, nth uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed*0x9e3779b97f4a7c15+part, nth*0xbf58476d1ce4e5b9+0x94d049bb133111eb*part)) //nolint:gosec // chance, not secrets
}

// areas finds what a stream calls: countries by their names, with their mobiles, and places at home.
func areas(names []string) []area {
	t := places()
	all := make([]area, 0, len(names))
	for _, name := range names {
		a := area{fixed: t.named[name]}
		if a.fixed == nil || a.fixed.kind == "fixed" || a.fixed.kind == "national" && !strings.HasPrefix(name, "UK") {
			a.mobile = t.named[name+" - mobile"]
		}
		if a.fixed == nil && a.mobile == nil {
			panic("sim: no destination " + name) // a table of this package, which a test reads
		}
		all = append(all, a)
	}
	return all
}

// some are a few of the areas, in an order in which the first is called most.
func some(r *rand.Rand, all []area, choose [2]int) []area {
	if choose[1] == 0 {
		return all
	}
	all = slices.Clone(all)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(within(r, choose), len(all))]
}

// newCustomer makes one with its lines. from is the day it begins, 0: it has long been there. n is how many lines it has; 0 is what the kind has.
func (w *World) newCustomer(k *kind, from, n int) *customer {
	nth := len(w.customers)
	r := source(w.seed, seedCustomer, uint64(nth))
	c := &customer{id: fmt.Sprintf("c%05d", nth+1), kind: k, seed: r.Uint64()}
	towns := places().named["UK geographic"].stems
	c.town = towns[r.IntN(len(towns))]
	c.places(r)
	c.networks(r, len(w.days))
	if n == 0 {
		n = within(r, k.lines)
	}
	for i := range n {
		c.lines = append(c.lines, w.newLine(c, r, i, from))
	}
	c.settings(r)
	c.history(r, len(w.days))
	w.customers = append(w.customers, c)
	return c
}

func (c *customer) places(r *rand.Rand) {
	for i := range c.kind.streams {
		s := &c.kind.streams[i]
		mine := some(r, areas(s.places), s.choose)
		c.streams = append(c.streams, mine)
		var book []number
		if c.kind.shared > 0 {
			for range within(r, s.book) {
				book = append(book, c.fresh(r, mine, book))
			}
		}
		c.books = append(c.books, book)
	}
}

// fresh is a number never called: of the own town as a rule, now and then beside one that is known, as the numbers of one firm are.
func (c *customer) fresh(r *rand.Rand, from []area, known []number) number {
	n := r.IntN(100)
	if n < 6 && len(known) > 0 {
		return known[zipf(r, len(known))].beside(r)
	}
	a := from[zipf(r, len(from))]
	if a.fixed != nil && a.fixed.name == "UK geographic" && n < 70 {
		return number{c.town.prefix*c.town.room + r.Uint64N(c.town.room), a.fixed}
	}
	return a.number(r)
}

// history is when there is nobody, and what phases the customer goes through.
func (c *customer) history(r *rand.Rand, days int) {
	years := float64(days) / 364
	for range poisson(r, c.kind.away*years) {
		from := r.IntN(days)
		c.away = append(c.away, [2]int{from, from + 6})
	}
	for i := range c.kind.phases {
		p := &c.kind.phases[i]
		for range poisson(r, p.perYear*(years+0.1)) {
			span := phaseSpan{phase: p, from: r.IntN(days+36) - 36, areas: c.reachable(r, c.somewhere(r, p))}
			span.until = span.from + within(r, p.days)
			for range within(r, p.contacts) {
				span.book = append(span.book, c.fresh(r, span.areas, span.book))
			}
			c.phases = append(c.phases, span)
		}
	}
	slices.SortStableFunc(c.phases, func(a, b phaseSpan) int { return cmp.Compare(a.from, b.from) })
}

// somewhere is where a phase calls: as a rule where the customer has called before.
func (c *customer) somewhere(r *rand.Rand, p *phase) []area {
	for i := range c.kind.streams {
		if c.kind.streams[i].choose[1] > 1 && p.choose[1] > 0 && r.IntN(100) < 75 {
			return some(r, c.streams[i], p.choose)
		}
	}
	return some(r, areas(p.places), p.choose)
}

// reachable leaves out what the lines may not call: nobody begins what he cannot do, or hardly anybody.
func (c *customer) reachable(r *rand.Rand, all []area) []area {
	within := slices.DeleteFunc(slices.Clone(all), func(a area) bool {
		l := &c.lines[0].limits
		return a.fixed != nil && !l.reaches(a.fixed) || a.mobile != nil && !l.reaches(a.mobile)
	})
	switch {
	case r.IntN(40) == 0:
		return all
	case len(within) == 0:
		return c.streams[len(c.streams)-1]
	}
	return within
}

// address makes one up in the reserved class E, so that no address of the simulator is anybody's.
func address(r *rand.Rand) string {
	return endpoint(240+r.Uint32N(15), r.Uint32N(256), r.Uint32N(256), r)
}

func endpoint(a, b, c uint32, r *rand.Rand) string {
	return fmt.Sprintf("%d.%d.%d.%d:5060", a, b, c, 1+r.IntN(254))
}

func (c *customer) networks(r *rand.Rand, days int) {
	top, second, third := 240+r.Uint32N(15), r.Uint32N(256), r.Uint32N(256)
	c.nets = []change[string]{{0, endpoint(top, second, third, r)}}
	for range poisson(r, c.kind.moves*float64(days)/364) {
		c.nets = append(c.nets, change[string]{1 + r.IntN(days), address(r)})
	}
	if c.kind.dynamic > 0 { // the next address is the same provider's, near the one before
		for day := 1 + r.IntN(c.kind.dynamic); day < days; day += 1 + r.IntN(2*c.kind.dynamic) {
			c.nets = append(c.nets, change[string]{day, endpoint(top, second, third&0xf8|r.Uint32N(8), r)})
		}
	}
	slices.SortStableFunc(c.nets, func(a, b change[string]) int { return cmp.Compare(a.day, b.day) })
}

// inForce is what is the case on a day.
func inForce[T any](changes []change[T], day int) (x T) {
	for _, c := range changes {
		if c.day > day {
			break
		}
		x = c.to
	}
	return x
}

func (w *World) newLine(c *customer, r *rand.Rand, i, from int) *Line {
	k := c.kind
	l := &Line{
		ID: strconv.Itoa(20001 + len(w.lines)), Customer: c.id, Kind: k.name, KeptBack: k.kept, Zone: w.zone.String(), customer: c, nth: len(w.lines),
		rate: k.perDay * swing(r, k.spread), seats: within(r, k.seats), plus: r.IntN(4) == 0, shift: r.IntN(5400) - 2700, home: address(r),
	}
	days := len(w.days)
	if l.from = from; from == 0 && i > 0 && i*8 > k.lines[0]*7 && r.IntN(4) == 0 { // a new seat
		l.from = r.IntN(days)
	}
	l.FirstSeen = time.Unix(w.days[min(l.from, days-1)].midnight+9*3600, 0).UTC()
	if l.from == 0 {
		l.FirstSeen = l.FirstSeen.AddDate(0, 0, -30-r.IntN(2000))
	}
	for l.Number == "" || w.taken[l.Number] {
		l.Number = strconv.FormatUint(c.town.prefix*c.town.room+r.Uint64N(c.town.room), 10)
	}
	w.taken[l.Number] = true
	first := c.lines // the telephones of a customer are of one make as a rule
	if len(first) > 0 && r.IntN(10) < 7 {
		l.device = first[0].device
	} else {
		l.device = k.devices[r.IntN(len(k.devices))]
	}
	for range poisson(r, k.renewals*float64(days)/364) {
		l.renewed = append(l.renewed, change[string]{1 + r.IntN(days), k.devices[r.IntN(len(k.devices))]})
	}
	slices.SortStableFunc(l.renewed, func(a, b change[string]) int { return cmp.Compare(a.day, b.day) })
	w.lines = append(w.lines, l)
	return l
}

// agent is the telephone that a line has on a day.
func (l *Line) agent(day int) string {
	if a := inForce(l.renewed, day); a != "" {
		return a
	}
	return l.device
}

// The profiles of settings: a line has the smallest of each ladder that suits its customer.
var (
	ceilings  = []int{2, 5, 10, 20, 40, 60, 100} // pence
	dayCaps   = []int{50, 100, 200, 500, 1000, 2500}
	monthCaps = []int{150, 300, 600, 1500, 4000, 10000}
	openCalls = []int{10, 20, 50, 200}
	abroad    = []int{2, 5, 10, 30}
)

func suits(ladder []int, want float64) int {
	for _, n := range ladder {
		if float64(n) >= want {
			return n
		}
	}
	return ladder[len(ladder)-1]
}

// settings are what somebody who knows the customer would have set: a ceiling for the countries it calls, caps of several usual days.
func (c *customer) settings(r *rand.Rand) {
	k := c.kind
	ceiling, satellite := k.ceiling, false
	for _, mine := range c.streams {
		for _, a := range mine {
			for _, p := range []*place{a.fixed, a.mobile} {
				switch {
				case p == nil:
				case p.kind == "satellite":
					satellite = true
				case p.abroad():
					ceiling = max(ceiling, (p.first+99)/100)
				}
			}
		}
	}
	if r.IntN(4) == 0 {
		ceiling++ // somebody was generous
	}
	sum, most := 0.0, 0.0
	for _, l := range c.lines {
		spend := c.spend(l.rate)
		sum, most = sum+spend, max(most, spend)
	}
	lim := limits{
		national: max(k.national, 20) * 100, abroad: suits(ceilings, float64(ceiling)) * 100, satellite: satellite, premium: k.national > 20 && r.IntN(3) == 0,
		day: suits(dayCaps, 9*most), month: suits(monthCaps, 60*most), perMinute: 30, accountDay: suits(dayCaps, 7*sum), accountMonth: suits(monthCaps, 50*sum),
	}
	if satellite {
		lim.abroad = 600 * 100
	}
	lim.accountDay, lim.accountMonth = max(lim.accountDay, lim.day), max(lim.accountMonth, lim.month)
	if k.perDay > 1000 {
		lim.perMinute = 200
	}
	for _, l := range c.lines {
		l.limits = lim
		l.limits.calls = suits(openCalls, float64(l.seats)*1.2+1)
		l.limits.callsAbroad = suits(abroad, max(float64(l.seats)*0.7, float64(k.meeting.people[1])*0.8))
		l.Settings = l.limits.list()
	}
}

// spend is what a line costs on a usual day, in pounds.
func (c *customer) spend(calls float64) (pounds float64) {
	for i := range c.kind.streams {
		s := &c.kind.streams[i]
		var minute float64
		for _, a := range c.streams[i] {
			p := a.fixed
			if a.mobile != nil {
				p = a.mobile
			}
			minute += float64(p.rate) / 10000 / float64(len(c.streams[i]))
		}
		pounds += calls * s.share * s.answered * s.talk.mean() * minute
	}
	return pounds
}

// replace gives all lines of a customer other settings.
func (c *customer) replace(by []Setting) error {
	for _, l := range c.lines {
		for _, s := range by {
			if err := l.limits.set(s); err != nil {
				return err
			}
		}
		l.Settings = l.limits.list()
	}
	return nil
}

// Knows says that a setting is one of those that attackers of the simulator come up against.
func Knows(f account.Field) bool { return (&limits{}).set(Setting{f, "0"}) == nil }

// set reads a setting as lines.csv has it.
func (l *limits) set(s Setting) error {
	switch s.Field {
	case account.Premium, account.Satellite:
		on := s.Value == "on"
		if s.Field == account.Premium {
			l.premium = on
		} else {
			l.satellite = on
		}
		return nil
	}
	n, err := strconv.ParseFloat(s.Value, 64)
	if err != nil || n < 0 || n > 1e7 {
		return fmt.Errorf("%s is %q: want a number", s.Field, s.Value)
	}
	for field, to := range map[account.Field]*int{
		account.MaxCalls: &l.calls, account.MaxInternational: &l.callsAbroad, account.CallsPerMinute: &l.perMinute,
		account.LineDayCap: &l.day, account.LineMonthCap: &l.month, account.AccountDayCap: &l.accountDay, account.AccountMonthCap: &l.accountMonth,
	} {
		if field == s.Field {
			*to = int(n)
			return nil
		}
	}
	switch s.Field {
	case account.NationalCeiling:
		l.national = int(n * 100)
	case account.InternationalCeiling:
		l.abroad = int(n * 100)
	default:
		return fmt.Errorf("%s is no setting of the simulator", s.Field)
	}
	return nil
}

func (l *limits) list() []Setting {
	pence := func(n int) string { return strconv.FormatFloat(float64(n)/100, 'f', -1, 64) }
	onOff := map[bool]string{true: "on", false: "off"}
	return []Setting{
		{account.NationalCeiling, pence(l.national)},
		{account.InternationalCeiling, pence(l.abroad)},
		{account.Premium, onOff[l.premium]},
		{account.Satellite, onOff[l.satellite]},
		{account.MaxCalls, strconv.Itoa(l.calls)},
		{account.MaxInternational, strconv.Itoa(l.callsAbroad)},
		{account.CallsPerMinute, strconv.Itoa(l.perMinute)},
		{account.LineDayCap, strconv.Itoa(l.day)},
		{account.LineMonthCap, strconv.Itoa(l.month)},
		{account.AccountDayCap, strconv.Itoa(l.accountDay)},
		{account.AccountMonthCap, strconv.Itoa(l.accountMonth)},
	}
}
