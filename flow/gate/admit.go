package gate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/ledger"
	"ringfence/state/counters/memory"
)

// subject is an attempt on its way in: what the engine understood of it, and what it has taken so far.
type subject struct {
	engine.Subject
	openTaken bool
	farTaken  bool
	tight     string     // the probation purse, once its count is taken
	settings  string     // their hash, once it was asked for
	firstSeen []fact.Row // the facts about them, if this is their first time
}

// Admit decides on an attempt and, if it may go, holds its first slice durably. The error is always a *Refusal.
func (g *Gate) Admit(ctx context.Context, a Attempt) (*Plan, error) {
	var s subject
	g.rules.Understand(&s.Subject, &a, clock())
	s.From = fromOf(&s.Subject)
	g.confirmed(&s.Subject)
	id := g.ids.Next(s.Now)
	s.Spell(id[:])
	g.lap(ctx, "rate")
	plan, r := g.admit(ctx, &s)
	if r != nil {
		return nil, g.refuse(&s, r)
	}
	return plan, nil
}

// fromOf is where a call comes from, if a restriction may ask for it.
func fromOf(s *engine.Subject) restrict.From {
	if len(s.Settings.Restrictions) == 0 {
		return restrict.From{}
	}
	return s.Place(habit.From(s.Source.Addr(), s.UserAgent))
}

func (g *Gate) admit(ctx context.Context, s *subject) (*Plan, *Refusal) {
	r := s.Judge(g.stopping.Load())
	g.lap(ctx, "decide")
	if r != nil {
		return nil, r
	}
	var told struct { // one piece of memory: this is done for every call
		Plan
		room [2]Route
	}
	g.forwards(s, &told.Plan)
	routes, r := g.routes(s, &told.Plan, told.room[:0])
	if r != nil {
		return nil, r
	}
	if r := g.takeCounts(s); r != nil {
		return nil, r
	}
	if s.Verdict.Ask != nil {
		if r := g.trust.ask(s.Line, s.Verdict.Ask.ID, s.Now); r != nil {
			g.giveCounts(s)
			return nil, r
		}
	}
	l, r := g.reserve(ctx, s)
	g.lap(ctx, "hold")
	if r != nil {
		g.giveCounts(s)
		if s.Verdict.Ask != nil {
			g.trust.answered(s.Line)
		}
		return nil, r
	}
	if s.Verdict.Ask != nil {
		l.asked = g.confirm(ctx, s, l)
	}
	g.put(l)
	g.stats.admitted.Add(1)
	if line, ok := g.o.Book.Line(s.Line); s.Dir != call.In && !l.Always && (!ok || line.NoMoreSpent()) {
		g.heed(l) // what changed of the line while the purse was asked did not find this call yet
	}
	p := &told.Plan
	p.ID, p.Routes, p.Present, p.Number, p.Show, p.Always = l.Open.ID, routes, s.Text.Present, s.Text.Number, s.Dest.Show, s.Verdict.Always
	p.Network, p.Hide, p.Ask = s.Text.Network, s.Hide, l.asked
	return p, nil
}

func (g *Gate) lap(ctx context.Context, stage string) {
	if g.o.Lap != nil {
		g.o.Lap(ctx, stage)
	}
}

// forwards says in a plan which line of ours is called, and where its calls go that it does not take itself.
func (g *Gate) forwards(s *subject, p *Plan) {
	switch s.Dir {
	case call.In:
		p.Called = s.Line
	case call.Between:
		p.Called = s.Peer
	default:
		return
	}
	if l, ok := g.o.Book.Line(p.Called); ok {
		p.Forward = l.Forwards()
		p.Own = s.Dir == call.Between && l.Customer() == s.Account
	}
	if p.Forward.Always != "" {
		p.Now = call.ForwardAlways
	}
}

// routes lists the routes in room, the best first. A plan that goes on at once has none.
func (g *Gate) routes(s *subject, p *Plan, room []Route) ([]Route, *Refusal) {
	if s.Dir != call.Out {
		if p.Now != "" {
			return nil, nil
		}
		switch routes := g.rings(s, p.Called, room); {
		case len(routes) > 0:
			return routes, nil
		case p.Forward.Unreachable == "":
			return nil, &Refusal{Reason: policy.NotRegistered}
		}
		p.Now = call.ForwardUnreachable
		return nil, nil
	}
	number := cmp.Or(g.o.Plan.Relayed(s.Dest), s.Text.Number)
	if by := g.routing(); by != (policy.Routing{}) && s.Dest.Class != phone.Emergency {
		routes, _, r := g.chosen(room, s, by, number)
		return routes, r
	}
	routes := trunkRoutes(room, g.o.Book.Trunks(), s.Dest, number)
	if len(routes) == 0 {
		return nil, &Refusal{Reason: policy.NoTrunk}
	}
	return routes, nil
}

// rings are the routes to the phones of a line, and of a group to those of its members: together, or one after the other. What the members
// have set for their own calls does not count: no further call is made for one.
func (g *Gate) rings(s *subject, line string, routes []Route) []Route {
	add := func(r Route) {
		if g.o.Registered == nil || g.o.Registered(r.Line, s.Now) {
			r.With = r.With && len(routes) > 0
			routes = append(routes, r)
		}
	}
	l, ok := g.o.Book.Line(line)
	members, r := []*book.Line(nil), Route{Line: line}
	if ok {
		members = g.o.Book.Members(l)
	}
	if len(members) > 0 {
		reach := l.Reach()
		if r.With = !reach.InTurn; reach.InTurn {
			r.Rings = reach.Rings()
		}
	}
	if len(members) == 0 || l.Login() { // a group has phones of its own only with a login
		add(r)
	}
	for _, m := range members {
		r.Line = m.ID()
		add(r)
	}
	return routes
}

func trunkRoutes(room []Route, trunks []account.Trunk, d phone.Destination, number string) []Route {
	emergency := d.Class == phone.Emergency
	routes, rest := slices.Grow(room, len(trunks)), []Route(nil)
	for i := range trunks {
		t := &trunks[i]
		route := Route{Trunk: t.Name, User: sendAs(t.Format, number)}
		if emergency && !t.Emergency {
			rest = append(rest, route)
			continue
		}
		routes = append(routes, route)
	}
	// An emergency call tries the trunks meant for it, then every other.
	return append(routes, rest...)
}

// sendAs writes a number as a trunk wants it; short numbers go as they are.
func sendAs(format, text string) string {
	if text == "" || text[0] != '+' {
		return text
	}
	switch format {
	case "e164":
		return text[1:]
	case "00e164":
		return "00" + text[1:]
	}
	return text
}

// takeCounts takes the counting conditions in order; what was taken is given back by giveCounts if a later one refuses.
// An attempt within a window stays counted: a refused attempt is an attempt.
func (g *Gate) takeCounts(s *subject) *Refusal {
	if s.Dir == call.In {
		return nil
	}
	if s.Verdict.Always {
		g.counts.Put(openKey(s.Line))
		s.openTaken = true
		return nil
	}
	for _, c := range s.Verdict.Conditions[:s.Verdict.N] {
		var n int64
		ok := true
		switch c.Kind {
		case policy.CondRate:
			n, ok = g.counts.Hit(rateKey(s.Line, c.Window), c.Limit, s.Now)
		case policy.CondOpen:
			n, ok = g.counts.Take(openKey(s.Line), c.Limit)
			s.openTaken = ok
		case policy.CondOpenTight:
			if n, ok = g.counts.Take(tightKey(s.probation()), c.Limit); ok {
				s.tight = s.probation()
			}
		case policy.CondOpenAbroad:
			n, ok = g.counts.Take(abroadKey(s.Line), c.Limit)
			s.farTaken = ok
		}
		if !ok {
			g.giveCounts(s)
			return engine.Counted(&c, n)
		}
	}
	return nil
}

func (g *Gate) giveCounts(s *subject) {
	if s.openTaken {
		g.counts.Give(openKey(s.Line))
		s.openTaken = false
	}
	if s.tight != "" {
		g.counts.Give(tightKey(s.tight))
		s.tight = ""
	}
	if s.farTaken {
		g.counts.Give(abroadKey(s.Line))
		s.farTaken = false
	}
}

func openKey(line string) memory.Key   { return memory.Key{Sort: 'o', Of: line} }
func abroadKey(line string) memory.Key { return memory.Key{Sort: 'a', Of: line} }
func tightKey(purse string) memory.Key { return memory.Key{Sort: 't', Of: purse} }
func rateKey(line string, window time.Duration) memory.Key {
	return memory.Key{Sort: 'r', Of: line, Window: window}
}

// reserve makes the first slice durable: as much talk time as a slice, or as the purses still have room for.
func (g *Gate) reserve(ctx context.Context, s *subject) (*live, *Refusal) {
	l := g.newLive(s)
	if s.Verdict.Always {
		g.o.Ledger.Post(g.opening(s, &l.Open, nil)) // an emergency call waits for nothing
		return l, nil
	}
	holds, ids := s.holds()
	l.Open.Purses = ids
	if why := g.closed(s.Costs()); why != policy.OK {
		return nil, &Refusal{Reason: why}
	}
	for ask := l.First(g.o.terms()); ; {
		l.Take(&ask)
		op := g.opening(s, &l.Open, holds)
		out, err := g.o.Ledger.Do(ctx, op)
		switch {
		case errors.Is(err, ledger.ErrUnavailable) && len(holds) == 0:
			g.o.Ledger.Post(op) // a free call goes on; it is written down when the store is back
			return l, nil
		case err != nil:
			g.void(&live{Call: l.Call}, policy.StoreUnavailable) // what was asked may still be on its way, and is not to change
			return nil, &Refusal{Reason: policy.StoreUnavailable}
		case !out.Refused:
			return l, nil
		case ask.Refused(out.Room) != engine.Again:
			return nil, g.whichPurse(l.Open.ID, holds, out, ask.Least())
		}
	}
}

// closed says why a call that may cost something is not taken at the moment.
func (g *Gate) closed(costs bool) policy.Reason {
	if !costs || g.o.Paid == nil {
		return policy.OK
	}
	return g.o.Paid()
}
