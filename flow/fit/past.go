package fit

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/play"
	"ringfence/flow/replay"
)

// past are a line's own calls, to be made again in the weeks to come: at the prices of then, on the same days of the week, at the same time of day.
type past struct {
	line  string
	rules engine.Rules // Line is answered by play
	of    engine.Line
	terms engine.Terms
	ring  time.Duration
	calls []play.Call // in the order of time; Seq counts them from 0
	began []time.Time // when each was made
	ids   []call.ID
}

// weeksOn is the least whole number of weeks that brings a call beyond now.
func weeksOn(first, now time.Time) int {
	return max(0, int(now.Sub(first)/(7*24*time.Hour))+1)
}

// newPast takes records, newest first.
func newPast(records []call.CDR, of engine.Line, now time.Time) *past {
	p := &past{of: of}
	if len(records) == 0 {
		return p
	}
	zone := cmp.Or(of.Zone, time.UTC)
	days := 7 * weeksOn(records[len(records)-1].Begun, now)
	slices.Reverse(records)
	type made struct {
		play.Call
		began time.Time
		id    call.ID
	}
	all := make([]made, 0, len(records))
	for i := range records {
		r := &records[i]
		c := play.Call{
			At: r.Begun.In(zone).AddDate(0, 0, days), Line: r.Line, Dialled: cmp.Or(r.Number, r.Dialled), Rings: r.Ring, Unanswered: r.AnsweredAt.IsZero(),
			Place: replay.Place(r.Source), Device: replay.Device(r.UserAgent),
		}
		if !c.Unanswered {
			c.Wants = r.Talk
		}
		all = append(all, made{c, r.Begun, r.ID})
	}
	slices.SortStableFunc(all, func(a, b made) int { return a.At.Compare(b.At) })
	for i := range all {
		all[i].Seq = int64(i)
		p.calls, p.began, p.ids = append(p.calls, all[i].Call), append(p.began, all[i].began), append(p.ids, all[i].id)
	}
	return p
}

// play makes those calls again that are wanted, under settings which do not change meanwhile.
func (p *past) play(e *account.Effective, wanted []bool, done func(*play.Result)) {
	still := *e
	still.Nets, still.Since, still.Expiry = nil, time.Time{}, time.Time{}
	rules := p.rules
	rules.Line = func(id string, _ time.Time) (engine.Line, bool) {
		l := p.of
		l.Settings, l.Locked = &still, false
		return l, id == p.line
	}
	x := play.New(play.Options{Rules: rules, Terms: p.terms, RingTime: p.ring, Done: func(_ int, r *play.Result) { done(r) }})
	for i := range p.calls {
		if wanted == nil || wanted[i] {
			c := p.calls[i]
			x.Play(&c)
		}
	}
	x.End()
}

// passes says that a call went as its caller wanted.
func passes(r *play.Result) bool {
	return !r.Refused && (r.Reason == policy.Hangup || r.Reason == policy.Cancelled || r.Reason == policy.NoAnswer)
}

// made is what a call that passes asks of settings.
type made struct {
	call      int // index
	from, end time.Time
	day       int // by the customer's clocks
	talk      time.Duration
	cost      money.Micro
	minute    money.Rate
	abroad    bool
	paid      bool
	free      bool // an emergency call: nothing limits it
	class     phone.Class
	country   phone.Country
}

// learn finds the calls that pass under settings with no others among them, and describes them. It plays until none is stopped any more: where calls come close
// together, one that is left out can move the window in which those around it are counted.
func (p *past) learn(e *account.Effective) (passed []made, stopped int) {
	wanted := make([]bool, len(p.calls))
	for i := range wanted {
		wanted[i] = true
	}
	for before := -1; before != stopped; {
		before = stopped
		passed = passed[:0]
		p.play(e, wanted, func(r *play.Result) {
			if passes(r) {
				passed = append(passed, p.describe(r))
				return
			}
			wanted[r.Call.Seq] = false
			stopped++
		})
	}
	slices.SortFunc(passed, func(a, b made) int { return cmp.Compare(a.call, b.call) })
	return passed, stopped
}

// describe is what a call that passes asks of settings.
func (p *past) describe(r *play.Result) made {
	d, problem := p.rules.Plan.Parse(r.Call.Dialled)
	if problem != phone.NoProblem { // it passed, so that it is a short number of the customer's own
		d, _ = p.rules.Plan.Internal(r.Call.Dialled)
	}
	year, month, day := r.Call.At.In(cmp.Or(p.of.Zone, time.UTC)).Date()
	m := made{
		call: int(r.Call.Seq), from: r.Call.At, end: r.Ended, day: (year*12+int(month))*32 + day, talk: r.Talk, cost: r.Cost,
		abroad: !d.National && d.Class != phone.OnNet, free: d.Class == phone.Emergency, class: d.Class, country: d.Country,
	}
	if p.of.Deck == nil || m.free {
		return m
	}
	if price, silence := p.of.Deck.Price(d, r.Call.At); silence == rating.Priced {
		m.minute = policy.Minute(price)
		m.paid = price.Dearest() != 0 || price.Connect != 0 || price.Minimum != 0
	}
	return m
}

// ends are when calls in progress end, the first on top.
type ends []time.Time

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].Before(e[j]) }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push and Pop are for the heap.
func (e *ends) Push(x any) { *e = append(*e, x.(time.Time)) } //nolint:forcetypeassert // of this file

// Pop takes the last.
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// crowd counts calls at once as they begin.
type crowd struct{ up ends }

// joined is how many are up with one that begins now.
func (c *crowd) joined(m *made) int {
	for len(c.up) > 0 && !c.up[0].After(m.from) {
		heap.Pop(&c.up)
	}
	heap.Push(&c.up, m.end)
	return len(c.up)
}
