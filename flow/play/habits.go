package play

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/restrict"
)

// watched is what is remembered of a line's, or a customer's, habits, and what findings have closed.
type watched struct {
	memory habit.Memory
	closed []restrict.Restriction
	last   int64 // id of the last of closed
	// would is what rules that only watch would have closed.
	would []restrict.Restriction
}

// habits watches the calls of a Player.
type habits struct {
	rules *habit.Rules
	off   *habit.Rules // the same, of lines that are not watched
	state habit.State
	signs map[string]habit.Signs // of the findings, by key
}

// watch tells the rules what happened to a line, and applies their answer.
func (p *Player) watch(ln *line, c *Call, e *habit.Event, now time.Time) {
	if p.o.Habits == nil || !ln.known {
		return
	}
	h := &p.habits
	h.state.Line, h.state.Account = &ln.own.watched.memory, &ln.account.watched.memory
	e.Since = ln.Since
	rules := h.rules
	if ln.Settings.Values[account.Watch] == account.Unwatched {
		rules = h.off
	}
	f := rules.Step(&h.state, e, now)
	if f == nil {
		return
	}
	found := &Found{Finding: f, Call: c, Key: f.Meter.String() + "/" + string(c.ID) + "/" + strconv.FormatInt(now.Unix(), 10), At: now}
	if p.o.Finding != nil {
		p.o.Finding(p.worker, found)
	}
	if len(f.Answer.Restrictions) == 0 {
		return
	}
	h.signs[found.Key] = f.Signs
	to := &ln.own.watched
	if f.Answer.Whole {
		to = &ln.account.watched
	}
	if !f.Life.Acts() {
		to.would = closing(to.would, f.Answer.Restrictions, found.Key, now)
		return
	}
	to.close(f.Answer.Restrictions, found.Key, now)
	p.closings++
}

// signed gives a result the signs of the finding that it names.
func (p *Player) signed() {
	if key := cmp.Or(p.result.Finding, p.result.Would); key != "" {
		p.result.Signs = p.habits.signs[key]
	}
}

// closing adds restrictions to a list, without those that have ended.
func closing(list, more []restrict.Restriction, key string, now time.Time) []restrict.Restriction {
	list = slices.DeleteFunc(slices.Clone(list), func(r restrict.Restriction) bool { return r.Ended(now) })
	for _, r := range more {
		r.Finding = key
		r.Names.Ready()
		r.Except.Ready()
		list = append(list, r)
	}
	return list
}

// foresee notes the first instant at which a rule that only watches would have stopped a call, and what was paid for by then.
func (p *Player) foresee(l *live, paid money.Micro, now time.Time) {
	ln := l.line
	if l.would != "" || !l.Costs || ln.own == nil || len(ln.own.watched.would)+len(ln.account.watched.would) == 0 {
		return
	}
	c := restrict.Call{Dest: l.Dest, Price: &l.Open.Quote.Price, From: l.From}
	if r := restrict.Closing([][]restrict.Restriction{ln.own.watched.would, ln.account.watched.would}, &c, now, ln.Zone, false); r != nil {
		l.would, l.paid = r.Finding, paid
	}
}

// close adds restrictions, and drops those that have ended.
func (w *watched) close(more []restrict.Restriction, key string, now time.Time) {
	w.closed = closing(w.closed, more, key, now)
	for i := len(w.closed) - len(more); i < len(w.closed); i++ {
		w.last++
		w.closed[i].ID = w.last
	}
}

// Found is a finding of the rules for calls.
type Found struct {
	*habit.Finding
	Call *Call // the one that passed the allowance; it is not kept
	Key  string
	At   time.Time
}

// close puts what findings have closed on a line's settings. Mostly nothing was closed since, which is seen without a look at what belongs to it.
func (p *Player) close(ln *line) {
	world := p.o.World.Closed()
	same := ln.Settings == ln.closedOf && slices.EqualFunc(ln.world, world, sameList)
	if same && ln.closedAt == p.closings {
		return
	}
	ids := ln.own.watched.last + ln.account.watched.last
	ln.closedAt = p.closings
	if same && ln.closedIDs == ids {
		return
	}
	if ln.Settings != ln.closedOf {
		ln.base = ln.Settings
	}
	ln.closedIDs = ids
	ln.world = world
	if ids == 0 {
		ln.Settings = p.common.of(ln.base, world)
	} else {
		ln.Settings = ln.base.Closed(ln.own.watched.closed, ln.account.watched.closed, world)
	}
	ln.closedOf = ln.Settings
}

// common are settings under what is closed to everybody: one, so that lines which have set nothing share it.
type common struct {
	base, closed *account.Effective
	world        []restrict.Restriction
}

func (c *common) of(base *account.Effective, world []restrict.Restriction) *account.Effective {
	if c.base != base || !slices.EqualFunc(c.world, world, sameList) {
		*c = common{base, base.Closed(world), world}
	}
	return c.closed
}

// sameList says that two lists of the world's are the same one.
func sameList(a, b restrict.Restriction) bool { return &a.Names.Ranges[0] == &b.Names.Ranges[0] }

// finding is the key of the finding that closed a destination, and until when it is closed.
func (ln *line) finding(dest phone.Destination, price *rating.Price, from restrict.From, now time.Time) (key string, until time.Time) {
	if ln.own == nil {
		return "", time.Time{}
	}
	c := restrict.Call{Dest: dest, Price: price, From: from}
	lists := [][]restrict.Restriction{ln.own.watched.closed, ln.account.watched.closed, ln.world}
	r := restrict.Closing(lists, &c, now, ln.Zone, false)
	if r == nil {
		r = restrict.Tightest(lists, &c, now, ln.Zone)
	}
	if r == nil {
		return "", time.Time{}
	}
	return r.Finding, r.Until
}

// begins watches a call that was let out.
func (p *Player) begins(l *live, s *engine.Subject) {
	if p.o.Habits == nil || !l.Costs {
		return
	}
	l.habit = habit.NewCall(&s.Dest, &s.Quote.Price)
	l.habit.Listed = p.listed(s)
	p.about(&l.habit, l.line, &l.call)
	p.foresee(l, 0, s.Now)
	p.watch(l.line, &l.call, &habit.Event{Kind: habit.Began, Call: &l.habit, Amount: l.Open.Held}, s.Now)
}

// listed says that the hot lists name a number, or one beside it.
func (p *Player) listed(s *engine.Subject) bool {
	return p.rules.Hot != nil && p.rules.Hot().Near(s.Dest.Number, s.Now)
}

// about fills in who calls from where.
func (p *Player) about(h *habit.Call, ln *line, c *Call) {
	if ln.hash == 0 {
		ln.hash, ln.accountHash = habit.Hash(c.Line), habit.Hash(ln.Account)
	}
	h.Line, h.Account, h.Place, h.Device = ln.hash, ln.accountHash, c.Place, c.Device
	h.Hour = hour(c.At, ln.Zone)
}

// hour is that of the week in a zone; 0 is Monday 00:00 to 00:59.
func hour(at time.Time, zone *time.Location) uint8 {
	if zone != nil {
		at = at.In(zone)
	}
	return uint8((int(at.Weekday())+6)%7*24 + at.Hour())
}

// holds watches what is bought for a call.
func (p *Player) holds(l *live, now time.Time) {
	if p.o.Habits != nil && l.Costs {
		p.watch(l.line, &l.call, &habit.Event{Kind: habit.Held, Call: &l.habit, Amount: l.Open.Held}, now)
	}
}

// ended watches the end of a call.
func (p *Player) ended(l *live, talk time.Duration, cost money.Micro, now time.Time) {
	if p.o.Habits != nil && l.Costs {
		p.watch(l.line, &l.call, &habit.Event{Kind: habit.Ended, Call: &l.habit, Amount: cost, Talk: talk, Answered: l.Open.State != call.Setup && !l.call.Unanswered}, now)
	}
}

// tried watches a refused call.
func (p *Player) tried(c *Call, s *engine.Subject, r *engine.Refusal) {
	if p.o.Habits == nil || !s.Known || s.Problem != phone.NoProblem || !r.Reason.OfDestination() {
		return
	}
	var price *rating.Price
	if s.Priced {
		price = &s.Quote.Price
	}
	h := habit.NewCall(&s.Dest, price)
	h.Listed = p.listed(s)
	p.about(&h, p.current, c)
	p.watch(p.current, c, &habit.Event{Kind: habit.Refused, Call: &h}, s.Now)
}

// rang watches the end of a call that came in.
func (p *Player) rang(l *live, talk time.Duration, now time.Time) {
	if p.o.Habits == nil {
		return
	}
	dest, problem := p.rules.Plan.Parse(l.call.Dialled)
	if problem != phone.NoProblem {
		return
	}
	h := habit.NewCall(&dest, nil)
	p.about(&h, l.line, &l.call)
	p.watch(l.line, &l.call, &habit.Event{Kind: habit.Rang, Call: &h, Talk: talk, Answered: l.Open.End.Status == 200}, now)
}
