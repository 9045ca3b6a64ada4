package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"time"
)

// Attack is one that a script became under a seed.
type Attack struct {
	Label    string // class/number
	Class    string
	Number   int // of its class, from 1
	Customer string
	Lines    []*Line
	Begin    time.Time // of the attack itself, after its tests
	End      time.Time // no call of it begins later

	script *Script
	nth    int
}

// plot chooses a victim and a time for every attack.
func (w *World) plot() error {
	numbers := map[string]int{}
	for i := range w.Scenario.Attacks {
		s := &w.Scenario.Attacks[i]
		for range s.Count {
			numbers[s.Class]++
			a := &Attack{Label: fmt.Sprintf("%s/%d", s.Class, numbers[s.Class]), Class: s.Class, Number: numbers[s.Class], script: s, nth: len(w.attacks)}
			r := source(w.seed, seedAttack, uint64(2*a.nth))
			day, second := w.opening(r, s)
			begin := w.days[day].midnight + int64(second)
			span := s.Span[0] + Span(r.Int64N(int64(s.Span[1]-s.Span[0])+1))
			a.Begin, a.End = time.Unix(begin, 0).UTC(), time.Unix(begin, 0).Add(time.Duration(span)).UTC()
			if a.End.After(w.End) {
				a.End = w.End
			}
			if err := w.choose(r, a, day); err != nil {
				return fmt.Errorf("attack %s: %w", a.Label, err)
			}
			w.attacks = append(w.attacks, a)
		}
	}
	return nil
}

// opening is the day and the second at which an attack begins.
func (w *World) opening(r *rand.Rand, s *Script) (day, second int) {
	first := (within(r, [2]int{s.Week[0], s.Week[1]}) - 1) * 7 // a Monday
	const hour = 3600
	switch s.When {
	case "weekend":
		if r.IntN(3) == 0 {
			return first + 4, 19*hour + r.IntN(5*hour)
		}
		return first + 5, 12*hour + r.IntN(12*hour)
	case "night":
		return first + r.IntN(7), (21*hour + r.IntN(7*hour)) % (24 * hour)
	case "evening":
		return first + r.IntN(7), 17*hour + r.IntN(5*hour)
	case "office":
		return first + r.IntN(5), 9*hour + r.IntN(7*hour)
	}
	return first + r.IntN(7), r.IntN(24 * hour)
}

// established is how many days a victim has had calls, unless it is to be young.
const established = 14

// choose finds the victim.
func (w *World) choose(r *rand.Rand, a *Attack, day int) error {
	s := a.script
	var c *customer
	switch {
	case s.Newcomer[1] > 0:
		c = w.newCustomer(kindNamed("small-office"), max(day-r.IntN(6), 0), within(r, [2]int(s.Newcomer)))
		for _, l := range c.lines {
			l.rate, l.from = 0, max(c.lines[0].from, 1)
			l.limits.accountDay, l.limits.accountMonth = 500, 1500 // nobody grants more to a customer whom nobody knows
			l.Settings = l.limits.list()
		}
	case s.Young:
		c = w.newCustomer(kindNamed(s.Victims[r.IntN(len(s.Victims))]), max(day-1-r.IntN(6), 1), 0)
	case s.Baits[1] > 0:
		return nil
	default:
		c = w.victim(r, s, day)
	}
	if c == nil {
		return fmt.Errorf("there is no customer of the kinds %v", s.Victims)
	}
	c.doomed, a.Customer = true, c.id
	if err := c.replace(w.victims); err != nil {
		return err
	}
	a.Lines = slices.Clone(c.lines)
	if s.Newcomer[1] == 0 {
		r.Shuffle(len(a.Lines), func(i, j int) { a.Lines[i], a.Lines[j] = a.Lines[j], a.Lines[i] })
		slices.SortStableFunc(a.Lines, func(x, y *Line) int { return cmp.Compare(x.from/established, y.from/established) })
		a.Lines = a.Lines[:min(within(r, [2]int(s.Lines)), len(a.Lines))]
	}
	return nil
}

// victim is a customer of the kinds, one that no other attack has if there is one.
func (w *World) victim(r *rand.Rand, s *Script, day int) *customer {
	var fresh, any []*customer
	for _, c := range w.customers {
		wanted := len(s.Victims) == 0 && c.kind.every == 0 || slices.Contains(s.Victims, c.kind.name)
		if !wanted || c.lines[0].from > max(day-established, 0) || c.lines[0].rate == 0 {
			continue
		}
		if any = append(any, c); !c.doomed {
			fresh = append(fresh, c)
		}
	}
	switch {
	case len(fresh) > 0:
		return fresh[r.IntN(len(fresh))]
	case len(any) > 0:
		return any[r.IntN(len(any))]
	}
	return nil
}

// calls are those of the attack.
func (a *Attack) calls(w *World) generator {
	r := source(w.seed, seedAttack, uint64(2*a.nth+1))
	if a.script.Baits[1] > 0 {
		return newBait(w, a, r)
	}
	return newPump(w, a, r)
}

// pump makes the calls of an attacker who can use a line.
type pump struct {
	w       *World
	a       *Attack
	s       *Script
	r       *rand.Rand
	tests   []int64 // instants, in order
	tries   []int64
	main    []int64
	targets []target
	beyond  []*place // what the line may not call
	at      int      // of targets
	left    int      // calls until the next target
	talk    lengths
	busy    []int64 // ends of calls in progress, a heap as sort keeps it
	last    int64
	nets    []string
	device  string
	pending *Call // a call that came in, and is forwarded
}

// target is a destination, with the numbers in it that are called.
type target struct {
	at      *place
	numbers []number // none: each call is to another
	block   number
}

func newPump(w *World, a *Attack, r *rand.Rand) *pump {
	s := a.script
	p := &pump{w: w, a: a, s: s, r: r}
	p.aim()
	median := time.Duration(s.Talk[0] + Span(r.Int64N(int64(s.Talk[1]-s.Talk[0])+1)))
	p.talk = lengths{median.Seconds(), s.Sigma}
	p.busy = make([]int64, within(r, [2]int(s.Concurrent)))
	p.from()
	begin := a.Begin.Unix()
	for range within(r, [2]int(s.Tests)) {
		ahead := time.Duration(s.Ahead[0] + Span(r.Int64N(int64(s.Ahead[1]-s.Ahead[0])+1)))
		p.tests = append(p.tests, max(begin-int64(ahead/time.Second), w.days[0].midnight))
	}
	slices.Sort(p.tests)
	if len(p.beyond) > 0 {
		for range within(r, [2]int(s.Tries)) {
			p.tries = append(p.tries, begin)
			begin += 2 + int64(r.IntN(25))
		}
	}
	p.main = p.instants(begin, within(r, [2]int(s.Calls)))
	return p
}

// instants draws when n calls are made: uneven, and at the hours that the attack keeps to.
func (p *pump) instants(begin int64, n int) []int64 {
	const slot = 900
	slots := int(p.a.End.Unix()-begin)/slot + 1
	sums, sum := make([]float64, slots), 0.0
	for i := range sums {
		if p.open(begin + int64(i*slot)) {
			sum += swing(p.r, p.s.Waves)
		}
		sums[i] = sum
	}
	if sum == 0 { // the hours never come in so short a time
		for i := range sums {
			sum++
			sums[i] = sum
		}
	}
	length := min(slot, max(p.a.End.Unix()-begin, 1))
	all := make([]int64, n)
	for i := range all {
		at := sort.SearchFloat64s(sums, p.r.Float64()*sum)
		all[i] = begin + int64(min(at, slots-1)*slot) + p.r.Int64N(length)
	}
	slices.Sort(all)
	return all
}

// open says that the attack goes on at an instant.
func (p *pump) open(at int64) bool {
	day := p.w.dayOf(at)
	d := &p.w.days[day]
	second := int(at - d.midnight)
	switch p.s.Hours {
	case "day":
		return second >= 8*3600 && second < 20*3600
	case "night":
		return second < 7*3600 || second >= 20*3600
	case "own":
		k := p.a.Lines[0].customer.kind
		return k.week[d.weekday] > 0.2 && !(d.bank && k.bank < 0.2) && p.w.clocks[k.name].has(second)
	}
	return true
}

// dayOf is the index of the day of an instant.
func (w *World) dayOf(at int64) int {
	i := sort.Search(len(w.days), func(i int) bool { return w.days[i].midnight > at })
	return max(i-1, 0)
}

// from chooses where the calls come from and by what they are made.
func (p *pump) from() {
	own := func(word string) bool { return word == "own" || word == "either" && p.r.IntN(3) > 0 }
	if own(p.s.Place) {
		for range 1 + p.r.IntN(3) {
			p.nets = append(p.nets, address(p.r))
		}
		if p.r.IntN(4) == 0 { // where honest phones are too
			p.nets[0] = p.w.mobiles[p.r.IntN(len(p.w.mobiles))]
		}
	}
	if own(p.s.Device) {
		p.device = thieves[p.r.IntN(len(thieves))]
	}
}

// thieves are what attackers use, which honest people do as well.
var thieves = []string{"MicroSIP/3.21.3", "Zoiper rv2.10.19", "Asterisk PBX 13.38.3", "eyeBeam release 1105a stamp 56793", "Linphone/5.2.4", "FreeSWITCH-mod_sofia/1.10.11", "Z 5.6.4 v2.10.20.4", "PBX", "FPBX-13.0.197.28(13.38.2)", "Bria 6.5.2"}

// aim chooses the destinations and the numbers.
func (p *pump) aim() {
	reach := func(x *place) bool {
		for _, l := range p.a.Lines {
			if !l.limits.reaches(x) {
				return false
			}
		}
		return true
	}
	for _, x := range places().places {
		if !reach(x) {
			p.beyond = append(p.beyond, x)
		}
	}
	n := within(p.r, [2]int(p.s.Choose))
	if slices.Contains(p.s.Targets, known) {
		p.familiar(n)
		return
	}
	anywhere := slices.Contains(p.s.Targets, sold) || slices.Contains(p.s.Targets, ordinary)
	for _, x := range p.candidates(reach, n) {
		t := target{at: x, block: x.number(p.r)}
		for range within(p.r, [2]int(p.s.Numbers)) {
			t.numbers = append(t.numbers, t.block.beside(p.r))
		}
		if anywhere {
			t.block = number{}
		}
		p.targets = append(p.targets, t)
	}
}

// candidates are n destinations that the line may call, as the script wants them: the first is called most.
func (p *pump) candidates(reach func(*place) bool, n int) []*place {
	var all []*place
	for _, name := range p.s.Targets {
		var more []*place
		switch name {
		case dear:
			more = top(places().dearest(reach), func(x *place) int { return x.first })
		case charged:
			more = top(places().dearest(func(x *place) bool { return reach(x) && x.fee > 0 }), func(x *place) int { return x.fee })
		case sold:
			more = p.wanted(reach)
		case ordinary:
			for _, x := range places().must("UK mobile", "UK geographic", "United States", "India - mobile", "France", "Ireland", "Poland", "Germany", "Spain", "UK-wide 03") {
				if reach(x) {
					more = append(more, x)
				}
			}
		default:
			if x := places().named[name]; reach(x) {
				more = append(more, x)
			}
		}
		all = append(all, more...)
	}
	if len(all) == 0 { // the line may call none of them: the attacker takes what there is
		all = top(places().dearest(reach), func(x *place) int { return x.first })
		p.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	} else if p.s.Main == 0 {
		p.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	return all[:min(n, len(all))]
}

// top are the places whose price is not much below that of the first.
func top(all []*place, price func(*place) int) []*place {
	slices.SortStableFunc(all, func(a, b *place) int { return price(b) - price(a) })
	for i, x := range all {
		if i >= 4 && price(x) < price(all[0])*6/10 {
			return all[:i]
		}
	}
	return all
}

// wanted is what people buy cheap calls to: abroad, not cheap in themselves.
func (p *pump) wanted(reach func(*place) bool) (all []*place) {
	for _, x := range places().places {
		if reach(x) && (x.kind == "mobile" || x.kind == "fixed") {
			all = append(all, x)
		}
	}
	slices.SortStableFunc(all, func(a, b *place) int { return b.rate - a.rate })
	return all[:min(len(all), max(len(all)*2/3, 3))]
}

// familiar aims at n numbers of the victim's own address book, abroad if it has any there.
func (p *pump) familiar(n int) {
	var far, near []number
	for _, book := range p.a.Lines[0].books(p.w) {
		for _, x := range book {
			switch {
			case !p.a.Lines[0].limits.reaches(x.at):
			case x.at.abroad():
				far = append(far, x)
			default:
				near = append(near, x)
			}
		}
	}
	if len(far) == 0 {
		far = near
	}
	p.r.Shuffle(len(far), func(i, j int) { far[i], far[j] = far[j], far[i] })
	for _, x := range far[:min(n, len(far))] {
		p.targets = append(p.targets, target{at: x.at, numbers: []number{x}, block: x})
	}
}

// next gives the next call of the attack.
func (p *pump) next(c *Call) bool {
	switch {
	case p.pending != nil:
		*c = *p.pending
		p.pending = nil
		return true
	case len(p.targets) == 0:
		return false
	case len(p.tests) > 0:
		at := p.tests[0]
		p.tests = p.tests[1:]
		p.call(c, at, p.whom())
		c.Talk, c.Test = time.Duration(2+p.r.IntN(30))*time.Second, true
		c.Answered = true
		return true
	case len(p.tries) > 0:
		at := p.tries[0]
		p.tries = p.tries[1:]
		p.call(c, at, p.beyond[p.r.IntN(len(p.beyond))].number(p.r))
		return true
	}
	if len(p.main) == 0 {
		return false
	}
	at := p.seat(p.main[0])
	p.main = p.main[1:]
	if at > p.a.End.Unix() {
		p.main = nil
		return false
	}
	p.call(c, at, p.whom())
	p.take(c)
	if p.s.Forward {
		p.forward(c)
	}
	return true
}

// seat is when a call can be made: not while as many as the attacker has are in progress.
func (p *pump) seat(at int64) int64 {
	if first := p.busy[0]; first > at { // the heap's least is first
		at = first + 1 + int64(p.r.IntN(4))
	}
	return max(at, p.last)
}

// take puts the end of a call in the place of the least.
func (p *pump) take(c *Call) {
	p.last = c.At.Unix()
	p.busy[0] = p.last + int64((c.Rings+c.Talk)/time.Second)
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < len(p.busy) && p.busy[child+1] < p.busy[child] {
			child++
		}
		if child >= len(p.busy) || p.busy[i] <= p.busy[child] {
			return
		}
		p.busy[i], p.busy[child] = p.busy[child], p.busy[i]
		i = child
	}
}

// whom is the number that is called next.
func (p *pump) whom() number {
	switch {
	case p.s.Rotate[1] == 0 && p.s.Main > 0 && p.r.Float64() < p.s.Main:
		p.at = 0
	case p.s.Rotate[1] == 0:
		p.at = zipf(p.r, len(p.targets))
	case p.left == 0:
		p.left = within(p.r, [2]int(p.s.Rotate))
		p.at = (p.at + 1) % len(p.targets)
	}
	p.left = max(p.left-1, 0)
	t := &p.targets[p.at]
	switch {
	case len(t.numbers) > 0 && p.s.Main > 0 && p.r.Float64() < p.s.Main:
		return t.numbers[0]
	case len(t.numbers) > 0:
		return t.numbers[p.r.IntN(len(t.numbers))]
	case t.block.at != nil:
		return t.block.beside(p.r)
	}
	return t.at.number(p.r)
}

func (p *pump) call(c *Call, at int64, n number) {
	l := p.a.Lines[p.r.IntN(len(p.a.Lines))]
	*c = Call{At: time.Unix(at, 0), Line: l.ID, Customer: l.Customer, Dialled: n.dialled(p.r.IntN(2) == 0), Attack: p.a, UserAgent: p.device, to: n.at}
	c.Rings = time.Duration(1+p.r.IntN(8)) * time.Second
	if c.Answered = p.r.Float64() < p.s.Answered; c.Answered {
		c.Talk = p.talk.draw(p.r)
	}
	if p.s.Class == "false-answers" {
		c.Rings = 0
	}
	day := p.w.dayOf(at)
	if c.Source = inForce(l.customer.nets, day); len(p.nets) > 0 {
		if c.Source = p.nets[0]; p.r.IntN(50) == 0 {
			p.r.Shuffle(len(p.nets), func(i, j int) { p.nets[i], p.nets[j] = p.nets[j], p.nets[i] })
		}
	}
	if c.UserAgent == "" {
		c.UserAgent = l.agent(day)
	}
}

// forward has a call come in, of which the other is the forwarded one.
func (p *pump) forward(c *Call) {
	out := *c
	p.pending = &out
	caller := places().named["UK mobile"].number(p.r)
	*c = Call{At: out.At, Line: out.Line, Customer: out.Customer, Inbound: true, Dialled: caller.dialled(true), Answered: out.Answered, Talk: out.Talk, Rings: out.Rings, Attack: p.a}
}

// bait rings many lines once from a dear range, and has some of their owners call back.
type bait struct {
	a     *Attack
	r     *rand.Rand
	w     *World
	calls []bite
	talk  lengths
}

type bite struct {
	at   int64
	line *Line
	from number
	back bool
}

func newBait(w *World, a *Attack, r *rand.Rand) *bait {
	s := a.script
	median := time.Duration(s.Talk[0] + Span(r.Int64N(int64(s.Talk[1]-s.Talk[0])+1)))
	b := &bait{a: a, r: r, w: w, talk: lengths{median.Seconds(), s.Sigma}}
	var from []*place
	for _, name := range s.Targets {
		if x := places().named[name]; x != nil {
			from = append(from, x)
		}
	}
	if len(from) == 0 {
		from = places().dearest(func(x *place) bool { return x.abroad() && x.kind != "satellite" && x.first >= 800 && x.first <= 10000 })
	}
	r.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	var blocks []number
	for i := range within(r, [2]int(s.Choose)) {
		blocks = append(blocks, from[i%len(from)].number(r))
	}
	span := a.End.Unix() - a.Begin.Unix() + 1
	for range within(r, [2]int(s.Baits)) {
		l := w.lines[r.IntN(len(w.lines))]
		if l.customer.kind.every > 0 || l.from >= w.dayOf(a.Begin.Unix()) {
			continue
		}
		at := a.Begin.Unix() + r.Int64N(span)
		n := blocks[r.IntN(len(blocks))].beside(r)
		b.calls = append(b.calls, bite{at, l, n, false})
		for again := s.CallBack; r.Float64() < again; again = 0.25 {
			at = b.awake(l, at+60+int64(1200*swing(r, 1.2)))
			b.calls = append(b.calls, bite{at, l, n, true})
		}
	}
	slices.SortStableFunc(b.calls, func(x, y bite) int { return cmp.Compare(x.at, y.at) })
	return b
}

// awake is when the people of a line are next there.
func (b *bait) awake(l *Line, at int64) int64 {
	k := l.customer.kind
	for range 24 * 8 {
		d := &b.w.days[b.w.dayOf(at)]
		if k.week[d.weekday] > 0.2 && b.w.clocks[k.name].has(int(at-d.midnight)) {
			break
		}
		at += 3600
	}
	return at
}

func (b *bait) next(c *Call) bool {
	if len(b.calls) == 0 {
		return false
	}
	x := b.calls[0]
	b.calls = b.calls[1:]
	*c = Call{At: time.Unix(x.at, 0), Line: x.line.ID, Customer: x.line.Customer, Inbound: !x.back, Dialled: x.from.dialled(!x.back || x.line.plus), Attack: b.a, to: x.from.at}
	if !x.back {
		c.Rings = time.Duration(1+b.r.IntN(3)) * time.Second
		return true
	}
	day := b.w.dayOf(x.at)
	c.Source, c.UserAgent = inForce(x.line.customer.nets, day), x.line.agent(day)
	c.Rings = time.Duration(1+b.r.IntN(5)) * time.Second
	if c.Answered = b.r.Float64() < b.a.script.Answered; c.Answered {
		c.Talk = b.talk.draw(b.r)
	}
	return true
}
