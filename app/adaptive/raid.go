package adaptive

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"ringfence/app/score"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/play"
)

// Outcome is what came of a strategy.
type Outcome struct {
	Loss    money.Micro    `json:"loss_week_micro"` // of the dearest week
	Total   money.Micro    `json:"loss_micro"`      // in all of the attacker's time
	Week    time.Time      `json:"week"`            // in which the dearest week begins
	Begin   time.Time      `json:"begin"`           // first call
	Calls   int            `json:"calls"`           // that were let out
	Stopped int            `json:"stopped"`         // calls, for what he did
	Capped  int            `json:"capped"`          // calls, by a cap or another limit
	First   *time.Duration `json:"first_action_ns"` // from his first call to the first that was stopped for what he did
	Honest  int            `json:"honest_stopped"`  // honest calls meanwhile
	// Answered is what would have been lost had somebody locked the lines a day after the first finding that closed something.
	Answered money.Micro `json:"loss_if_answered_micro"`
	Used     []int       `json:"-"` // lines, by their index
	Story    []string    `json:"story,omitempty"`

	paid []paid // in the order of time
}

// mostCalls bounds what a strategy may try: that many say what it is worth.
const mostCalls = 1000

// raid is a strategy that is being played.
type raid struct {
	g      *ground
	s      *Strategy
	under  *other
	story  *story
	r      *rand.Rand
	p      *play.Player
	now    time.Time
	rest   []play.Call // honest calls to come
	seats  []seat
	paused []time.Time // by line
	over   bool
	closed time.Time // when a finding closed something first

	pairs []pair // ranges in turn
	at    int
	left  int
	nth   int

	tests int // still to be made
	day   int
	spent money.Micro // this day
	calls []made      // by sequence number
	Outcome
}

// seat is a way to make one call at a time.
type seat struct {
	line int
	free time.Time
}

// pair is a range that is called, and what it has cost.
type pair struct {
	target, block int
	cost          money.Micro
}

// paid is what a call cost.
type paid struct {
	at   time.Time
	cost money.Micro
	line int
}

type made struct {
	seat, pair int
	line       int
}

// play plays a strategy on a copy of the ground, under other settings if there are some.
func (g *ground) play(s *Strategy, under *other, to *story) Outcome {
	if (g.locked || under.locked()) && s.Foreign {
		return Outcome{Begin: g.from, Week: g.from} // he does not get in
	}
	a := raid{g: g, s: s, under: under, story: to, r: rand.New(rand.NewPCG(s.Chance, 2)), now: g.from, rest: g.rest, tests: s.Tests, day: -1} //nolint:gosec // chance, not secrets
	var err error
	if a.p, err = g.player.Copy(a.done, a.found); err != nil {
		panic(err) // learn has tried it
	}
	g.change(a.p, under, g.from)
	a.seat()
	a.run()
	a.sum()
	return a.Outcome
}

// seat prepares lines and ranges.
func (a *raid) seat() {
	begin := a.g.from.Add(a.s.Begin)
	lines := min(a.s.Lines, len(a.g.lines))
	a.paused = make([]time.Time, len(a.g.lines))
	for n := range min(a.s.AtOnce, 60) {
		for line := range lines {
			a.seats = append(a.seats, seat{line, begin.Add(time.Duration(n*lines+line) * min(a.s.Gap/time.Duration(a.s.AtOnce*lines), 10*time.Minute))})
		}
	}
	for block := range min(a.s.Ranges, mostBlocks) {
		for _, t := range a.s.Targets {
			a.pairs = append(a.pairs, pair{target: t, block: block % len(a.g.targets[t].blocks)})
		}
	}
	a.left = a.s.Every
}

// run makes calls until the time is over.
func (a *raid) run() {
	for tries := 0; tries < 4*mostCalls && len(a.calls) < mostCalls && !a.over; tries++ {
		i, at := a.next()
		if !at.Before(a.g.until) {
			break
		}
		a.advance(at)
		if _, again := a.next(); again.After(at) || a.over {
			continue // an end has changed his mind
		}
		a.call(i, at)
	}
	a.advance(a.g.until)
	a.p.End()
}

// next is the seat that is free first, and when he calls from it.
func (a *raid) next() (seat int, at time.Time) {
	for i := range a.seats {
		s := &a.seats[i]
		free := s.free
		if p := a.paused[s.line]; p.After(free) {
			free = p
		}
		if i == 0 || free.Before(at) {
			seat, at = i, free
		}
	}
	if at.Before(a.now) {
		at = a.now
	}
	return seat, a.open(at, a.seats[seat].line)
}

// open is the next instant at which he calls.
func (a *raid) open(at time.Time, line int) time.Time {
	for range 24 * 8 {
		h := hourOf(at, a.g.zone)
		switch {
		case a.s.Hours == AnyHour, a.s.Hours == OwnHours && a.g.lines[line].usual[h], a.s.Hours == Window && (h%24-a.s.From+24)%24 < a.s.Long:
			return at
		}
		at = at.Truncate(time.Hour).Add(time.Hour)
	}
	return a.g.until
}

// advance plays the honest calls and all ends up to an instant.
func (a *raid) advance(to time.Time) {
	for len(a.rest) > 0 && !a.rest[0].At.After(to) {
		c := a.rest[0]
		a.rest = a.rest[1:]
		if !a.under.refuses(&c) {
			a.p.Play(&c)
		}
	}
	a.p.Until(to)
	if to.After(a.now) {
		a.now = to
	}
}

// call makes the next call.
func (a *raid) call(i int, at time.Time) {
	if a.full(at, a.seats[i].line) {
		return
	}
	s, line := &a.seats[i], &a.g.lines[a.seats[i].line]
	talk := a.s.Talk * time.Duration(80+a.r.IntN(41)) / 100
	n, testing := a.whom(), a.tests > 0
	if testing {
		talk = a.s.TestTalk
	}
	number := a.g.targets[a.pairs[n].target].blocks[a.pairs[n].block].number(a.number(n, testing))
	c := play.Call{
		Seq: -int64(len(a.calls) + 1), At: at, Line: line.id, Dialled: "+" + strconv.FormatUint(number, 10), Rings: 4 * time.Second, Wants: max(talk, time.Second),
		Place: line.place, Device: line.device,
	}
	if a.s.Foreign {
		c.Place = a.g.foreign
	}
	if a.s.Gadget {
		c.Device = a.g.gadget
	}
	if len(a.calls) == 0 {
		a.Begin = at
	}
	a.calls = append(a.calls, made{i, n, s.line})
	s.free = at.Add(c.Rings + c.Wants + a.s.Gap)
	if testing {
		if a.tests--; a.tests == 0 {
			a.hold(-1, s.free.Add(a.s.Wait))
		} else {
			a.hold(-1, s.free)
		}
	}
	a.p.Play(&c)
}

// whom is the range that is called next.
func (a *raid) whom() int {
	if a.left <= 0 || a.worn(a.at) {
		a.at, a.left = (a.at+1)%len(a.pairs), a.s.Every
		if a.worn(a.at) {
			a.fresh(a.at)
		}
	}
	a.left--
	return a.at
}

// worn says that a range has cost enough.
func (a *raid) worn(n int) bool { return a.s.PerRange > 0 && a.pairs[n].cost >= a.s.PerRange }

// fresh puts a range that was not called in the place of one.
func (a *raid) fresh(n int) {
	p := &a.pairs[n]
	blocks := len(a.g.targets[p.target].blocks)
	*p = pair{target: p.target, block: (p.block + a.s.Ranges) % blocks}
}

// number is which of the range: tests go through them, so that each is known afterwards.
func (a *raid) number(n int, testing bool) int {
	a.nth++
	if testing {
		return (a.s.Tests - a.tests) / len(a.pairs) % a.s.Numbers * 7
	}
	return a.nth % a.s.Numbers * 7
}

// full says that he has spent what he wants to in a day, and waits.
func (a *raid) full(at time.Time, line int) bool {
	a.today(at)
	if a.s.PerDay == 0 || a.spent < a.s.PerDay {
		return false
	}
	a.hold(-1, a.tomorrow(at))
	return true
}

func (a *raid) today(at time.Time) {
	if day := at.In(a.g.zone).YearDay(); day != a.day {
		a.day, a.spent = day, 0
	}
}

func (a *raid) tomorrow(at time.Time) time.Time {
	y, m, d := at.In(a.g.zone).Date()
	return time.Date(y, m, d+1, 0, 1, 0, 0, a.g.zone)
}

// hold has a line wait; -1: all lines.
func (a *raid) hold(line int, until time.Time) {
	for i := range a.paused {
		if (line < 0 || i == line) && until.After(a.paused[i]) {
			a.paused[i] = until
		}
	}
}

// done takes the result of a call.
func (a *raid) done(_ int, r *play.Result) {
	if r.Call.Seq >= 0 {
		if r.Finding != "" {
			a.Honest++
		}
		return
	}
	m := a.calls[-r.Call.Seq-1]
	seat := &a.seats[m.seat]
	if free := r.Ended.Add(a.s.Gap); free.Before(seat.free) {
		seat.free = free
	}
	if !r.Refused {
		a.Calls++
	}
	if r.Cost > 0 {
		a.paid = append(a.paid, paid{r.Call.At, r.Cost, m.line})
		a.pairs[m.pair].cost += r.Cost
		a.today(r.Ended)
		a.spent += r.Cost
		if !slices.Contains(a.Used, m.line) {
			a.Used = append(a.Used, m.line)
		}
	}
	switch {
	case r.Finding != "":
		a.Stopped++
		if a.First == nil {
			after := r.Ended.Sub(a.Begin)
			a.First = &after
			a.story.note(r.Ended, "the first of his calls is stopped")
		}
		a.react(&m, r)
	case r.Refused || r.Reason != policy.Hangup:
		a.limited(seat, &m, r)
	}
}

// react is what he does about it.
func (a *raid) react(m *made, r *play.Result) {
	resume := r.Ended.Add(max(a.s.Rest, time.Minute))
	switch a.s.Then {
	case GoOn:
		a.hold(m.line, resume)
	case Turn:
		a.at, a.left = (m.pair+1)%len(a.pairs), a.s.Every
		a.hold(m.line, resume)
	case NextRange:
		a.fresh(m.pair)
		a.hold(m.line, resume)
	case WaitOut:
		if r.Until.After(resume) {
			resume = r.Until.Add(time.Minute)
		}
		a.hold(m.line, resume)
	case NextLine:
		if r.Until.After(resume) {
			resume = r.Until.Add(time.Minute)
		}
		a.hold(m.line, resume)
		a.another()
	case GiveUp:
		a.over = true
	}
}

// another gives a seat of a line that waits to one that was not used.
func (a *raid) another() {
	next := 0
	for _, s := range a.seats {
		next = max(next, s.line+1)
	}
	if next >= len(a.g.lines) {
		return
	}
	for i := range a.seats {
		if a.paused[a.seats[i].line].After(a.now) {
			a.seats[i].line = next
		}
	}
}

// limited is what he does about a setting that stopped a call.
func (a *raid) limited(s *seat, m *made, r *play.Result) {
	a.Capped++
	switch r.Reason {
	case policy.LineDaySpent:
		a.story.note(r.Ended, "the day's cap of line "+a.g.lines[m.line].id+" is spent")
		a.hold(m.line, a.tomorrow(r.Ended))
	case policy.AccountDaySpent:
		a.story.note(r.Ended, "the customer's cap of the day is spent")
		a.hold(-1, a.tomorrow(r.Ended))
	case policy.LineMonthSpent, policy.AccountMonthSpent:
		a.story.note(r.Ended, "the month's cap is spent")
		y, month, _ := r.Ended.In(a.g.zone).Date()
		of := m.line
		if r.Reason == policy.AccountMonthSpent {
			of = -1
		}
		a.hold(of, time.Date(y, month+1, 1, 0, 1, 0, 0, a.g.zone))
	case policy.TooManyCalls, policy.TooManyInternational:
		s.free = r.Ended.Add(10 * time.Minute)
	case policy.TooManyPerMinute, policy.TooManyPerSecond:
		s.free = r.Ended.Add(time.Minute)
	case policy.TooLong:
	default: // a setting does not want this destination
		a.left = 0
		s.free = r.Ended.Add(time.Minute)
	}
}

// found notes when something was closed, and tells the story.
func (a *raid) found(_ int, f *play.Found) {
	if a.closed.IsZero() && f.Call.Seq < 0 && f.Life.Acts() && len(f.Answer.Restrictions) > 0 {
		a.closed = f.At
	}
	if a.story != nil && f.Call.Seq < 0 {
		a.story.note(f.At, score.Words(f))
	}
}

// sum finds the dearest week.
func (a *raid) sum() {
	slices.SortStableFunc(a.paid, func(x, y paid) int { return x.at.Compare(y.at) })
	sum, from := money.Micro(0), 0
	for i := range a.paid {
		sum += a.paid[i].cost
		a.Total += a.paid[i].cost
		if a.closed.IsZero() || a.paid[i].at.Before(a.closed.Add(24*time.Hour)) {
			a.Answered += a.paid[i].cost
		}
		for a.paid[i].at.Sub(a.paid[from].at) >= week {
			sum -= a.paid[from].cost
			from++
		}
		if sum > a.Loss {
			a.Loss, a.Week = sum, a.paid[from].at
		}
	}
	slices.Sort(a.Used)
	if len(a.calls) > 0 {
		a.story.note(a.Begin, "his first call")
	}
}

// story is what happened, for people. A nil story is not told.
type story struct{ all []moment }

type moment struct {
	at   time.Time
	text string
}

func (s *story) note(at time.Time, text string) {
	if s != nil {
		s.all = append(s.all, moment{at, text})
	}
}

// mostTold bounds a story.
const mostTold = 40

func (s *story) lines(zone *time.Location) (all []string) {
	slices.SortStableFunc(s.all, func(a, b moment) int { return a.at.Compare(b.at) })
	last := ""
	for _, m := range s.all {
		if m.text == last {
			continue
		}
		if last = m.text; len(all) == mostTold {
			return append(all, fmt.Sprintf("and %d more", len(s.all)-mostTold))
		}
		all = append(all, m.at.In(zone).Format("Mon 2 Jan 15:04:05")+" "+m.text)
	}
	return all
}
