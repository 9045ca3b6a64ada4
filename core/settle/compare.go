package settle

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/carrier"
	"ringfence/core/money"
	"ringfence/core/rating"
)

// Kind is in what a carrier's invoice and our metering differ.
type Kind string

// Kinds of difference.
const (
	Early        Kind = "early"         // charged from before the called phone answered
	RanOn        Kind = "ran-on"        // charged beyond the end
	NeverCarried Kind = "never-carried" // we know of the call, and it was never answered
	NeverSeen    Kind = "never-seen"    // we know of no such call
	Twice        Kind = "twice"         // charged before, in another row
	Dearer       Kind = "dearer"        // above the carrier's own price list
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{Early, RanOn, NeverCarried, NeverSeen, Twice, Dearer} }

// Metered is one call as we metered it with a carrier.
type Metered struct {
	ID       call.ID
	Caller   string // E.164, as it was presented; "" is not known
	Called   string // E.164
	Leg      string // SIP Call-ID of the carrier's leg
	Begun    time.Time
	Answered time.Time // zero: it never was
	Talk     time.Duration
	Quote    *rating.Quote // of its price list, nil when there is none
}

// Tolerances: clocks of two networks differ, and durations are rounded to seconds.
const (
	Near  = 5 * time.Second // between the times of one call in two books
	Slack = 2 * time.Second // by which the lengths may differ
)

// Part is one difference of a row, and the money of it.
type Part struct {
	Kind  Kind          `json:"kind"`
	Time  time.Duration `json:"time_ns"` // charged and not metered
	Money money.Micro   `json:"amount_micro"`
}

// Pair is one row of the invoice beside our metering. The money of Parts is what the row charges above Expected, exactly.
type Pair struct {
	Line     int           `json:"line"`           // of the file
	Call     call.ID       `json:"call,omitempty"` // "" of one that we never saw
	Called   string        `json:"called"`
	Start    time.Time     `json:"start"`
	Talk     time.Duration `json:"talk_ns"`    // as charged
	Metered  time.Duration `json:"metered_ns"` // as we know it
	Charged  money.Micro   `json:"charged_micro"`
	Expected money.Micro   `json:"expected_micro"` // for the time that we metered, by the price list
	Parts    []Part        `json:"differences"`
}

// Over is what the row charges too much.
func (p *Pair) Over() money.Micro {
	sum := money.Micro(0)
	for _, x := range p.Parts {
		sum = sum.Add(x.Money)
	}
	return sum
}

// Comparison is an invoice beside our metering.
type Comparison struct {
	Rows     []Pair
	Missing  []call.ID // answered here, and not on the invoice
	Charged  money.Micro
	Expected money.Micro
	Over     money.Micro
	Kinds    map[Kind]Step
}

// Compare puts each row of a carrier's invoice beside the call that it charges for. Callers and called numbers of both are in the
// same form. A call is found by its Call-ID, or else by the number called, near the time, the closest first.
func Compare(calls []Metered, rows []carrier.Record) Comparison {
	m := newMatcher(calls)
	out := Comparison{Rows: make([]Pair, 0, len(rows)), Kinds: map[Kind]Step{}}
	found := make([]int, len(rows))
	for _, strict := range []bool{true, false} { // rows that name their leg take their calls first
		for i := range rows {
			if strict {
				found[i] = m.byLeg(&rows[i])
			} else if found[i] == none {
				found[i] = m.near(&rows[i])
			}
		}
	}
	for i := range rows {
		p := m.judge(&rows[i], found[i])
		out.Charged, out.Expected, out.Over = out.Charged.Add(p.Charged), out.Expected.Add(p.Expected), out.Over.Add(p.Over())
		for _, x := range p.Parts {
			s := out.Kinds[x.Kind]
			s.Calls, s.Amount = s.Calls+1, s.Amount.Add(x.Money)
			out.Kinds[x.Kind] = s
		}
		out.Rows = append(out.Rows, p)
	}
	for i := range calls {
		if c := &calls[i]; !c.Answered.IsZero() && !m.taken[i] {
			out.Missing = append(out.Missing, c.ID)
		}
	}
	return out
}

// none: no call of ours is the row's.
const none = -1

type matcher struct {
	calls  []Metered
	legs   map[string]int
	called map[string][]int // by the number called, in the order of Begun
	taken  []bool
	again  map[int]bool // rows of calls that another row charges for
}

func newMatcher(calls []Metered) *matcher {
	m := &matcher{calls: calls, legs: map[string]int{}, called: map[string][]int{}, taken: make([]bool, len(calls)), again: map[int]bool{}}
	for i := range calls {
		if leg := calls[i].Leg; leg != "" {
			m.legs[leg] = i
		}
		m.called[calls[i].Called] = append(m.called[calls[i].Called], i)
	}
	for _, list := range m.called {
		slices.SortFunc(list, func(a, b int) int { return calls[a].Begun.Compare(calls[b].Begun) })
	}
	return m
}

// byLeg is the call that a row names.
func (m *matcher) byLeg(r *carrier.Record) int {
	i, ok := m.legs[r.ID]
	if r.ID == "" || !ok || m.calls[i].Called != r.Called { // an id that belongs to a call to another number is chance
		return none
	}
	return m.take(i, r.Line)
}

func (m *matcher) take(i, line int) int {
	if m.taken[i] {
		m.again[line] = true
	}
	m.taken[i] = true
	return i
}

// near is the call to the number that was up, or being set up, when the row says that it began. One that no other row has comes
// before one that is charged already, and an answered one before one that was not.
func (m *matcher) near(r *carrier.Record) int {
	best, rank := none, [3]int64{}
	list := m.called[r.Called]
	from, _ := slices.BinarySearchFunc(list, r.Start.Add(-longestSetup), func(i int, at time.Time) int { return m.calls[i].Begun.Compare(at) })
	for _, i := range list[from:] {
		c := &m.calls[i]
		if c.Begun.After(r.Start.Add(Near)) {
			break
		}
		if !m.mayBe(c, r) {
			continue
		}
		at := c.Answered
		if at.IsZero() {
			at = c.Begun
		}
		mine := [3]int64{flag(m.taken[i]), flag(c.Answered.IsZero()), int64(r.Start.Sub(at).Abs() + (r.Talk - c.Talk).Abs())}
		if best == none || slices.Compare(mine[:], rank[:]) < 0 {
			best, rank = i, mine
		}
	}
	if best == none {
		return none
	}
	return m.take(best, r.Line)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// longestSetup is longer than any phone rings.
const longestSetup = 20 * time.Minute

func (m *matcher) mayBe(c *Metered, r *carrier.Record) bool {
	if c.Caller != "" && r.Caller != "" && c.Caller != r.Caller {
		return false
	}
	last := c.Answered
	if last.IsZero() {
		last = c.Begun.Add(longestSetup)
		if c.Talk > 0 {
			last = c.Begun.Add(c.Talk)
		}
	}
	return !r.Start.Before(c.Begun.Add(-Near)) && !r.Start.After(last.Add(Near))
}

// judge names the differences of a row.
func (m *matcher) judge(r *carrier.Record, at int) Pair {
	p := Pair{Line: r.Line, Called: r.Called, Start: r.Start, Talk: r.Talk, Charged: r.Cost}
	if at == none {
		p.whole(NeverSeen)
		return p
	}
	c := &m.calls[at]
	p.Call = c.ID
	if !r.Priced && c.Quote != nil { // an invoice of times alone: what the price list makes of them
		p.Charged = c.Quote.Cost(r.Talk)
	}
	switch {
	case m.again[r.Line]:
		p.whole(Twice)
	case c.Answered.IsZero():
		p.whole(NeverCarried)
	default:
		p.differ(c, r)
	}
	return p
}

// whole says that nothing of a row was to be charged.
func (p *Pair) whole(k Kind) { p.Parts = []Part{{k, p.Talk, p.Charged}} }

// differ divides what a row charges too much between the time before the answer, the time after the end, and the price.
func (p *Pair) differ(c *Metered, r *carrier.Record) {
	p.Metered = c.Talk
	early, late := excess(c, r)
	metered := c.Talk
	if early+late == 0 {
		metered = max(metered, r.Talk) // lengths that are rounded otherwise than ours are the same
	}
	cost := func(talk time.Duration) money.Micro { return costOf(c, r, p.Charged, talk) }
	p.Expected = min(p.Charged, cost(metered))
	rest := p.Charged - p.Expected
	for _, x := range []Part{{Kind: Early, Time: early}, {Kind: RanOn, Time: late}} {
		if x.Time == 0 {
			continue
		}
		x.Money = min(rest, max(0, cost(metered+x.Time)-cost(metered)))
		metered, rest = metered+x.Time, rest-x.Money
		p.Parts = append(p.Parts, x)
	}
	if c.Quote == nil || rest <= Coin()/100 { // amounts are rounded otherwise than ours
		p.Expected += rest
		return
	}
	p.Parts = append(p.Parts, Part{Kind: Dearer, Money: rest})
}

// excess is how much longer than we metered a row is, and where: before the answer and after the end. Some carriers write when a call
// was set up and not when it was answered, so that a beginning before the answer counts only as far as the length is too long.
func excess(c *Metered, r *carrier.Record) (early, late time.Duration) {
	over := r.Talk - c.Talk
	if over <= Slack {
		return 0, 0
	}
	if before := c.Answered.Sub(r.Start); before > Slack {
		early = min(before, over)
	}
	return early, over - early
}

// costOf is what a time costs by the price list, or without one in proportion to what the row charges for its own.
func costOf(c *Metered, r *carrier.Record, charged money.Micro, talk time.Duration) money.Micro {
	switch {
	case c.Quote != nil:
		return c.Quote.Cost(talk)
	case talk >= r.Talk:
		return charged
	}
	hi, lo := bits.Mul64(uint64(charged), uint64(talk))
	q, _ := bits.Div64(hi, lo, uint64(r.Talk))
	return money.Micro(q)
}

// Faulty says what is wrong with a file, in one sentence for its first fault. "" is nothing.
func Faulty(f *carrier.File) string {
	if f.FaultCount == 0 {
		return ""
	}
	first := slices.MinFunc(f.Faults, func(a, b rating.Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	what, _, _ := strings.Cut(first.Expected, ",")
	return Sentence(first.Line, first.Column, first.Found, what, f.FaultCount-1)
}
