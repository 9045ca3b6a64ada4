package adaptive

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/flow/play"
	"ringfence/flow/replay"
)

// horizon is how long the attacker has. What counts is the dearest week within it, so that he can prepare and wait.
const horizon = 14 * 24 * time.Hour

const week = 7 * 24 * time.Hour

// ground is where strategies are played: a customer with a history, of which every strategy gets a copy.
type ground struct {
	set         *replay.Set
	options     play.Options
	player      *play.Player // has played the history, and is only copied
	all         []play.Call
	rest        []play.Call // honest calls that go on while the attacker calls
	from, until time.Time
	zone        *time.Location
	lines       []victim // the busiest first
	places      map[uint32]int
	locked      bool   // nobody gets in from elsewhere
	earning     bool   // he calls only what pays somebody
	foreign     uint32 // network and product of somebody else
	gadget      uint32
	targets     []target
	weeks       []money.Micro // what the customer's own calls cost, week by week
	past        *past
}

// victim is a line that the attacker may use.
type victim struct {
	id            string
	settings      *account.Effective
	place, device uint32 // of its telephone
	usual         [168]bool
	week          money.Micro // its own median week
	calls         int
}

// target is a destination that the settings of the lines let through.
type target struct {
	name   string
	minute money.Micro // that the first minute costs
	talk   money.Micro // that ten minutes cost
	abroad bool
	blocks []block
}

// block is a thousand numbers of it, or fewer where its numbers are short.
type block struct {
	prefix uint64
	tail   int // digits behind
}

// most lines that an attacker uses, and blocks that are known of a destination.
const (
	mostLines  = 8
	mostBlocks = 48
)

// Bounds of what is played: of more honest calls the last, and of more while the attacker calls an even part.
const (
	mostHonest    = 300_000
	mostMeanwhile = 5000
)

func prepare(c *Case) (*ground, error) {
	if len(c.Calls) == 0 {
		return nil, ErrNoCalls
	}
	g := &ground{set: &c.Set, options: c.Set.Play(c.Lines), all: slices.Clone(c.Calls[max(len(c.Calls)-mostHonest, 0):]), places: map[uint32]int{}, locked: c.Locked, earning: c.Earning}
	g.options.World = &habit.World{}
	g.foreign, g.gadget = replay.Place("203.0.113.77:5060"), replay.Device("MicroSIP/3.21.3")
	for i := range g.all {
		g.all[i].Seq, g.all[i].Slot = int64(i+1), 0
	}
	if err := g.meet(c.Attacked); err != nil {
		return nil, err
	}
	g.past = g.honest(nil)
	g.summed()
	if err := g.learn(); err != nil {
		return nil, err
	}
	g.aim()
	if len(g.targets) == 0 {
		return nil, fmt.Errorf("line %s may call nothing that costs anything", g.lines[0].id)
	}
	return g, nil
}

// meet makes the lines known, and notes what their own calls are like.
func (g *ground) meet(attacked []string) error {
	at := map[string]int{}
	var hours [][168]int
	for i := range g.all {
		c := &g.all[i]
		n, ok := at[c.Line]
		if !ok {
			g.options.Meet(c)
			n = len(g.lines)
			at[c.Line], hours = n, append(hours, [168]int{})
			line, _ := g.options.Rules.Line(c.Line, c.At)
			g.zone = line.Zone
			g.lines = append(g.lines, victim{id: c.Line, settings: line.Settings})
		}
		if v := &g.lines[n]; !c.Inbound {
			v.calls++
			hours[n][hourOf(c.At, g.zone)]++
			if c.Place != 0 {
				v.place, v.device = c.Place, c.Device
				g.places[c.Place]++
			}
		}
	}
	for i := range g.lines {
		for h, n := range hours[i] {
			g.lines[i].usual[h] = n >= 2
		}
	}
	g.lines = slices.DeleteFunc(g.lines, func(v victim) bool {
		return v.calls == 0 || attacked != nil && !slices.Contains(attacked, v.id)
	})
	slices.SortStableFunc(g.lines, func(a, b victim) int { return b.calls - a.calls })
	if g.lines = g.lines[:min(len(g.lines), mostLines)]; len(g.lines) == 0 {
		return ErrNoCalls
	}
	return nil
}

// hourOf is that of the week, from Monday 00:00.
func hourOf(at time.Time, zone *time.Location) int {
	at = at.In(zone)
	return (int(at.Weekday())+6)%7*24 + at.Hour()
}

// summed are the weeks of the customer and of each line.
func (g *ground) summed() {
	g.weeks = wholeWeeks(g.past.weeks[""])
	for i := range g.lines {
		g.lines[i].week = middle(wholeWeeks(g.past.weeks[g.lines[i].id]))
	}
}

// wholeWeeks leaves out the first and the last, which are parts as a rule.
func wholeWeeks(all []money.Micro) []money.Micro {
	if len(all) > 4 {
		return all[1 : len(all)-1]
	}
	return all
}

// learn plays the history up to the point from which every strategy starts. Of a long one the last two weeks go on while the attacker calls.
func (g *ground) learn() error {
	first, last := g.all[0].At, g.all[len(g.all)-1].At
	g.from = last.Truncate(time.Hour).Add(time.Hour)
	if last.Sub(first) >= 35*24*time.Hour {
		g.from = last.Add(-horizon).Truncate(time.Hour)
	}
	o := g.options
	o.Done = func(int, *play.Result) {}
	g.player = play.New(o)
	n := 0
	for ; n < len(g.all); n++ {
		c := g.all[n]
		if !c.At.Before(g.from) {
			g.player.Until(c.At.Add(-1))
			if g.player.Idle() {
				g.from = c.At
				break
			}
		}
		g.player.Play(&c)
	}
	if g.player.Until(g.from); !g.player.Idle() {
		g.player.End()
	}
	for _, c := range g.all[n:] { // those that come in change nothing
		if !c.Inbound {
			g.rest = append(g.rest, c)
		}
	}
	if part := (len(g.rest) + mostMeanwhile - 1) / mostMeanwhile; part > 1 {
		nth := 0
		g.rest = slices.DeleteFunc(g.rest, func(play.Call) bool { nth++; return nth%part != 0 })
	}
	g.until = g.from.Add(horizon)
	_, err := g.player.Copy(o.Done, nil)
	return err
}

// dear is the price of a first minute from which a number at home may pay somebody.
const dear = 5 * money.PencePerMinute

// aim finds the destinations, and numbers of each that nobody has called.
func (g *ground) aim() {
	r := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // chance, not secrets
	named := map[string]int{}
	for _, p := range g.set.Deck.Prices() {
		if p.Short || p.NoPrice || p.From != 0 && p.From > rating.MomentOf(g.from) || p.Until != 0 && p.Until <= rating.MomentOf(g.from) {
			continue
		}
		for range 4 {
			b, dest, ok := g.block(r, &p)
			if !ok || g.earning && dest.National && p.FirstMinute() < dear {
				continue
			}
			i, known := named[p.Name]
			if !known {
				i = len(g.targets)
				named[p.Name] = i
				q := p.Quote(rating.Calendar{Zone: g.zone, PeakFrom: g.set.Calendar.PeakFrom, PeakTill: g.set.Calendar.PeakTill}, g.from)
				g.targets = append(g.targets, target{name: p.Name, minute: q.Cost(time.Minute), talk: q.Cost(10 * time.Minute), abroad: !dest.National})
			}
			if t := &g.targets[i]; len(t.blocks) < mostBlocks && !slices.Contains(t.blocks, b) {
				t.blocks = append(t.blocks, b)
			}
		}
	}
	for i := range g.targets { // more of those that have few prefixes
		t := &g.targets[i]
		for n := 0; len(t.blocks) < mostBlocks && n < 4*mostBlocks; n++ {
			price, _ := g.set.Deck.Find(g.parsed(t.blocks[n%len(t.blocks)].number(0)).Number, g.from)
			if price == nil {
				break
			}
			if b, _, ok := g.block(r, price); ok && !slices.Contains(t.blocks, b) {
				t.blocks = append(t.blocks, b)
			}
		}
	}
	slices.SortStableFunc(g.targets, func(a, b target) int { return cmpMicro(b.talk, a.talk) })
}

func (g *ground) parsed(digits uint64) phone.Destination {
	d, _ := g.set.Plan.Parse("+" + strconv.FormatUint(digits, 10))
	return d
}

// block makes up a thousand numbers behind a prefix, which every line of the victim may call: their settings are asked as they would be for a call.
func (g *ground) block(r *rand.Rand, p *rating.Price) (b block, dest phone.Destination, ok bool) {
	for _, length := range r.Perm(5) {
		missing := 9 + length - len(strconv.FormatUint(p.Prefix, 10))
		if missing < 1 {
			continue
		}
		b = block{p.Prefix, min(missing, 3)}
		for ; missing > 3; missing-- {
			b.prefix = b.prefix*10 + r.Uint64N(10)
		}
		if dest = g.parsed(b.number(7)); dest.Number.IsZero() {
			continue
		}
		price, silence := g.set.Deck.Price(dest, g.from)
		if silence != rating.Priced || price.Name != p.Name || price.FirstMinute() <= 0 {
			continue
		}
		if g.allowed(b.number(7)) && g.allowed(b.number(1)) {
			return b, dest, true
		}
	}
	return b, dest, false
}

// allowed says that the settings of the first line let a number through.
func (g *ground) allowed(digits uint64) bool {
	var s engine.Subject
	g.options.Rules.Understand(&s, &engine.Attempt{Line: g.lines[0].id, Dialled: "+" + strconv.FormatUint(digits, 10), From: restrict.From{Origin: g.lines[0].place, Product: g.lines[0].device}}, g.from)
	return s.Judge(false) == nil && s.Costs()
}

// number is one of the block.
func (b *block) number(n int) uint64 {
	room := [...]uint64{1, 10, 100, 1000}[b.tail]
	return b.prefix*room + uint64(n)%room
}

// past is what the honest calls of a customer are like.
type past struct {
	paid      int // calls that cost something and were let out
	stopped   int // calls that were refused or cut
	abroad    money.Rate
	home      money.Rate // dearest first minute of a call that was let out
	day       map[string]money.Micro
	days      map[string]money.Micro // most of a day by line, "" is all
	months    map[string]money.Micro
	weeks     map[string][]money.Micro
	longest   time.Duration
	open, far int // most at once of a line, and abroad
	minute    int // most in a minute
	countries map[phone.Country]bool
	hours     [168]bool
	premium   bool
	satellite bool
}

// honest plays all honest calls under other settings, or the customer's own.
func (g *ground) honest(under *other) *past {
	x := &past{day: map[string]money.Micro{}, days: map[string]money.Micro{}, months: map[string]money.Micro{}, weeks: map[string][]money.Micro{}, countries: map[phone.Country]bool{}}
	o := g.options
	first := g.all[0].At
	var talks []talk
	o.Done = func(_ int, r *play.Result) {
		if r.Call.Inbound {
			return
		}
		if r.Refused || r.Saved > 0 {
			x.stopped++
		}
		if !r.Refused {
			g.add(x, r, first)
			talks = append(talks, talk{r.Call.Line, r.Call.At, r.Ended, !g.destination(&r.Call).National})
		}
	}
	p := play.New(o)
	g.change(p, under, g.all[0].At)
	for i := range g.all {
		c := g.all[i]
		if under.refuses(&c) {
			x.stopped++
			continue
		}
		p.Play(&c)
	}
	p.End()
	x.measure(talks)
	return x
}

// talk is a call of the past.
type talk struct {
	line        string
	from, until time.Time
	abroad      bool
}

// measure finds the most calls at once, and in a minute, of any line.
func (x *past) measure(all []talk) {
	slices.SortStableFunc(all, func(a, b talk) int { return a.from.Compare(b.from) })
	open := map[string][]talk{}
	for _, t := range all {
		mine := open[t.line]
		far, minute := 0, 0
		live := mine[:0]
		for _, o := range mine {
			recent := t.from.Sub(o.from) < time.Minute
			if recent {
				minute++
			}
			if o.until.After(t.from) {
				if o.abroad {
					far++
				}
			} else if !recent {
				continue
			}
			live = append(live, o)
		}
		n := 1
		for _, o := range live {
			if o.until.After(t.from) {
				n++
			}
		}
		if t.abroad {
			far++
		}
		open[t.line] = append(live, t)
		x.open, x.far, x.minute = max(x.open, n), max(x.far, far), max(x.minute, minute+1)
	}
}

// change puts other settings on all lines.
func (g *ground) change(p *play.Player, under *other, now time.Time) {
	if under == nil || under.change == nil {
		return
	}
	for i := range g.lines {
		e := *g.lines[i].settings
		under.change(&e)
		p.Change(g.lines[i].id, &e, now)
	}
}

func (g *ground) add(x *past, r *play.Result, first time.Time) {
	d := g.destination(&r.Call)
	price, silence := g.set.Deck.Price(d, r.Call.At)
	if silence != rating.Priced || d.Number.IsZero() || price.FirstMinute() <= 0 {
		return
	}
	x.paid++
	at := r.Call.At.In(g.zone)
	x.hours[hourOf(at, g.zone)] = true
	rate := policy.Minute(price)
	if d.National {
		x.home = max(x.home, rate)
	} else {
		x.abroad = max(x.abroad, rate)
		x.countries[d.Country] = true
	}
	x.premium = x.premium || d.Class == phone.Premium || d.Class == phone.Directory || d.Class == phone.IntlPremium
	x.satellite = x.satellite || d.Class == phone.Satellite
	x.longest = max(x.longest, r.Talk)
	n := int(r.Call.At.Sub(first) / week)
	for _, who := range [...]string{"", r.Call.Line} {
		for _, sum := range [...]struct {
			period string
			most   map[string]money.Micro
		}{{at.Format(time.DateOnly), x.days}, {at.Format("2006-01"), x.months}} {
			key := who + " " + sum.period
			x.day[key] += r.Cost
			sum.most[who] = max(sum.most[who], x.day[key])
		}
		for len(x.weeks[who]) <= n {
			x.weeks[who] = append(x.weeks[who], 0)
		}
		x.weeks[who][n] += r.Cost
	}
}

func (g *ground) destination(c *play.Call) phone.Destination {
	d, problem := g.set.Plan.Parse(c.Dialled)
	if problem != phone.NoProblem {
		return phone.Destination{}
	}
	return d
}
