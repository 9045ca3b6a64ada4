package gate

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/book"
	"ringfence/flow/ledger"
	"ringfence/state/store"
)

// subject is an attempt understood: who, where to, at what price, under which settings.
type subject struct {
	Attempt
	entry     *book.Line // nil: no such line
	dir       call.Direction
	line      string // charged, or called for In
	account   string
	peer      string
	present   string
	dest      phone.Destination
	number    string // dest's, as text
	problem   phone.Problem
	free      bool // of a block that nobody has
	quote     rating.Quote
	priced    bool
	silence   rating.Silence // why it is not priced
	settings  *account.Effective
	facts     policy.Facts
	zone      *time.Location
	now       time.Time
	verdict   policy.Verdict
	openTaken bool
	farTaken  bool
	tight     string // the probation purse, once its count is taken
	id        call.ID
}

// Admit decides on an attempt and, if it may go, holds its first slice durably. The error is always a *Refusal.
func (g *Gate) Admit(ctx context.Context, a Attempt) (*Plan, error) {
	s := g.understand(a, time.Now())
	if r := g.precheck(s); r != nil {
		return nil, g.refuse(s, r)
	}
	ways, r := g.ways(s)
	if r != nil {
		return nil, g.refuse(s, r)
	}
	if r := g.takeCounts(s); r != nil {
		return nil, g.refuse(s, r)
	}
	l, r := g.reserve(ctx, s)
	if r != nil {
		g.giveCounts(s)
		return nil, g.refuse(s, r)
	}
	g.put(l)
	g.stats.admitted.Add(1)
	if s.dir != call.In && !l.always {
		g.heed(l) // what changed of the line while the purse was asked did not find this call yet
	}
	return &Plan{ID: l.call.ID, Ways: ways, Present: s.present, Number: s.number, Show: s.dest.Show, Always: s.verdict.Always}, nil
}

// understand gathers everything a decision needs. It changes nothing.
func (g *Gate) understand(a Attempt, now time.Time) *subject {
	s := &subject{Attempt: a, now: now, dir: call.Out, line: a.Line, settings: &nobody}
	s.dest, s.problem = g.o.Plan.Parse(a.Dialled)
	if a.Context != "" && s.dest.Class != phone.Emergency {
		g.inContext(s)
	}
	s.number = s.dest.Number.String()
	if a.Trunk != "" {
		g.understandInbound(s)
		return s
	}
	l, ok := g.o.Book.Line(a.Line)
	if !ok {
		s.facts.Inactive = true
		return s
	}
	s.entry = l
	s.account, s.present = l.Customer(), l.Number()
	s.facts.Locked, s.facts.Tight = l.Locked(), a.Tight != ""
	s.settings = l.Effective(now)
	s.zone = l.Zone()
	if s.problem != phone.NoProblem {
		return s
	}
	if s.dest.Number.Short() {
		g.price(s)
		return s
	}
	if peer, ok := g.o.Book.ByNumber(s.dest.Number.Digits()); ok && s.dest.Relay == 0 { // text relay is the carrier's
		s.dir, s.peer, s.dest.Class, s.priced = call.Between, peer, phone.OnNet, true
		s.quote = noCharge(s, "on-net")
		return s
	}
	s.free = s.dest.National && g.o.Block != nil && g.o.Block(s.dest.Number, s.now) == phone.BlockFree
	g.price(s)
	return s
}

// inContext reads a number that is local to a phone-context (RFC 3966 5.1.5): the home country, where it is as it is dialled there or lacks
// its prefix, or an area of it. What is local to somewhere else is not to be guessed.
func (g *Gate) inContext(s *subject) {
	home := g.o.Plan.Home()
	if s.Context == home && s.problem == phone.NoProblem {
		return
	}
	if strings.HasPrefix(s.Context, home) {
		if dest, problem := g.o.Plan.Parse(s.Context + s.Dialled); problem == phone.NoProblem {
			s.dest, s.problem = dest, problem
			return
		}
	}
	s.dest, s.problem = phone.Destination{}, phone.NoPrefix
}

// price fixes the retail price that the call keeps, if the line's tariff has one.
func (g *Gate) price(s *subject) {
	deck, cal := s.entry.Retail()
	if deck == nil {
		s.silence = rating.NoRow
		return
	}
	p, silence := deck.Price(s.dest, s.now)
	if s.silence = silence; silence == rating.Priced {
		s.quote, s.priced = p.Quote(cal, s.now), true
	}
}

// noCharge is the price of calls that never cost anything.
func noCharge(s *subject, name string) rating.Quote {
	n := s.dest.Number
	return rating.Quote{Price: rating.Price{Prefix: n.Digits(), Short: n.Short(), Name: name, First: 1, Step: 1}, Start: s.now}
}

// understandInbound finds the line that a carrier's call is for. Such calls are free to it and not judged.
func (g *Gate) understandInbound(s *subject) {
	s.dir, s.peer, s.priced = call.In, s.Trunk, true
	s.dest.Show, s.dest.Relay = phone.AsSet, 0 // codes are a line's to dial: what a carrier sends of its callers, its headers say
	s.quote = noCharge(s, "inbound")
	if s.problem != phone.NoProblem {
		return
	}
	id, ok := g.o.Book.ByNumber(s.dest.Number.Digits())
	if !ok {
		return
	}
	if l, ok := g.o.Book.Line(id); ok {
		s.entry, s.line, s.account, s.settings = l, id, l.Customer(), l.Effective(s.now)
	}
}

// nobody is the settings of a line that does not exist: everything barred.
var nobody account.Effective

// precheck is everything that refuses without touching a count or a purse.
func (g *Gate) precheck(s *subject) *Refusal {
	if s.dir == call.In {
		return g.precheckInbound(s)
	}
	at := policy.Attempt{Silence: s.silence, Dest: s.dest, Invalid: s.problem, Source: s.Source.Addr(), Free: s.free}
	if s.priced {
		at.Quote = &s.quote
	}
	s.verdict = policy.Decide(s.settings, s.facts, at, s.now)
	switch {
	case s.verdict.Always:
		return nil
	case s.Restricted:
		return &Refusal{Reason: policy.AddressLocked}
	case !s.verdict.Allowed():
		return &Refusal{Reason: s.verdict.Reason, Figures: s.verdict.Figures}
	case s.Full:
		return &Refusal{Reason: policy.Overloaded}
	case g.stopping.Load():
		return &Refusal{Reason: policy.Stopping}
	}
	return nil
}

func (g *Gate) precheckInbound(s *subject) *Refusal {
	switch {
	case s.problem != phone.NoProblem || s.line == "":
		return &Refusal{Reason: policy.NoSuchLine}
	case s.Full:
		return &Refusal{Reason: policy.Overloaded}
	case g.stopping.Load():
		return &Refusal{Reason: policy.Stopping}
	}
	s.verdict.Longest = time.Duration(s.settings.Values[account.LongestCall]) * time.Second
	return nil
}

// ways lists the ways out, best first.
func (g *Gate) ways(s *subject) ([]Way, *Refusal) {
	to := s.peer
	if s.dir == call.In {
		to = s.line
	}
	if s.dir != call.Out {
		if g.o.Registered != nil && !g.o.Registered(to, s.now) {
			return nil, &Refusal{Reason: policy.NotRegistered}
		}
		return []Way{{Line: to}}, nil
	}
	ways := trunkWays(g.o.Book.Trunks(), s.dest, cmp.Or(g.o.Plan.Relayed(s.dest), s.number))
	if len(ways) == 0 {
		return nil, &Refusal{Reason: policy.NoTrunk}
	}
	return ways, nil
}

func trunkWays(trunks []account.Trunk, d phone.Destination, number string) []Way {
	emergency := d.Class == phone.Emergency
	var ways, rest []Way
	for i := range trunks {
		t := &trunks[i]
		w := Way{Trunk: t.Name, User: sendAs(t.Format, number)}
		if emergency && !t.Emergency {
			rest = append(rest, w)
			continue
		}
		ways = append(ways, w)
	}
	// An emergency call tries the trunks meant for it, then every other.
	return append(ways, rest...)
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
	if s.dir == call.In {
		return nil
	}
	if s.verdict.Always {
		g.counts.Put(openKey(s.line))
		s.openTaken = true
		return nil
	}
	for _, c := range s.verdict.Conditions[:s.verdict.N] {
		var n int64
		ok := true
		switch c.Kind {
		case policy.CondRate:
			n, ok = g.counts.Hit(rateKey(s.line), c.Limit, c.Window, s.now)
		case policy.CondOpen:
			n, ok = g.counts.Take(openKey(s.line), c.Limit)
			s.openTaken = ok
		case policy.CondOpenTight:
			if n, ok = g.counts.Take(tightKey(s.probation()), c.Limit); ok {
				s.tight = s.probation()
			}
		case policy.CondOpenAbroad:
			n, ok = g.counts.Take(abroadKey(s.line), c.Limit)
			s.farTaken = ok
		}
		if !ok {
			g.giveCounts(s)
			return &Refusal{Reason: c.Reason, Figures: policy.Figures{Limit: c.Limit, Value: n, Pass: n + 1}}
		}
	}
	return nil
}

func (g *Gate) giveCounts(s *subject) {
	if s.openTaken {
		g.counts.Give(openKey(s.line))
		s.openTaken = false
	}
	if s.tight != "" {
		g.counts.Give(tightKey(s.tight))
		s.tight = ""
	}
	if s.farTaken {
		g.counts.Give(abroadKey(s.line))
		s.farTaken = false
	}
}

func openKey(line string) string   { return "open/" + line }
func abroadKey(line string) string { return "abroad/" + line }
func tightKey(purse string) string { return purse }
func rateKey(line string) string   { return "rate/" + line }

// reserve makes the first slice durable: as much talk time as a slice, or as the purses still have room for.
func (g *Gate) reserve(ctx context.Context, s *subject) (*live, *Refusal) {
	l := g.newLive(s)
	s.id = l.call.ID
	if s.verdict.Always {
		g.o.Ledger.Post(g.opening(s, l, nil)) // an emergency call waits for nothing
		return l, nil
	}
	holds := s.holds()
	if why := g.closed(s.costs()); why != policy.OK {
		return nil, &Refusal{Reason: why}
	}
	least := s.quote.Cost(time.Nanosecond)
	amount := s.quote.Cost(min(g.o.Slice, l.call.Longest))
	var last store.Outcome
	for range reserveTries {
		l.call.Held, l.call.PaidFor = amount, l.call.Longest
		if len(holds) > 0 {
			l.call.PaidFor = s.quote.Affords(amount, l.call.Longest)
		}
		op := g.opening(s, l, holds)
		out, err := g.o.Ledger.Do(ctx, op)
		switch {
		case errors.Is(err, ledger.ErrUnavailable) && len(holds) == 0:
			g.o.Ledger.Post(op) // a free call goes on; it is written down when the store is back
			return l, nil
		case err != nil:
			g.void(l, policy.StoreUnavailable)
			return nil, &Refusal{Reason: policy.StoreUnavailable}
		case !out.Refused:
			return l, nil
		}
		if last = out; amount <= least {
			break
		}
		amount = max(s.quote.Cost(s.quote.Affords(out.Room, l.call.Longest)), least)
	}
	why, f := g.whichPurse(l.call.ID, holds, last, least)
	return nil, &Refusal{Reason: why, Figures: f}
}

// closed says why a call that may cost something is not taken at the moment.
func (g *Gate) closed(costs bool) policy.Reason {
	if !costs || g.o.Paid == nil {
		return policy.OK
	}
	return g.o.Paid()
}

// reserveTries bounds how often a shrinking purse is asked again; the last try asks for the least amount.
const reserveTries = 4
