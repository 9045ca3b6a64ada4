package gate

import (
	"context"
	"net/netip"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/book"
)

// Question asks what would come of a call of a line. Source may be zero: an address that every IP lock allows.
type Question struct {
	Line, Dialled string
	Caller        string // the number that its phone asks to present; "" is none
	Source        netip.Addr
	At            time.Time
}

// Explanation is a decision taken apart, with nothing changed by it: no count, no purse, no journal.
type Explanation struct {
	Known   bool // there is such a line
	Dest    phone.Destination
	Problem phone.Problem   // why the digits are no number
	Quote   *rating.Quote   // nil: no price
	Routes  []Route         // where the call would go
	Trunks  []policy.Chosen // every trunk with the reason for its place, of a call out
	Verdict policy.Verdict
	Present string        // E.164 digits that the called party would be shown, "" is none,
	Network string        // and those that carriers are told beside them: the line's own
	Steps   []policy.Step // every rule, and the conditions with their present state where it is known
}

// Purse is the money of a line or a customer in a period, as it is now.
type Purse struct {
	Kind             policy.Purse
	ID               string // ends with the day or month
	Cap, Spent, Held money.Micro
}

// Purses are the four of a line, or with line "" the two of a customer, for the day and month of now; of a reseller those of its caps.
func (g *Gate) Purses(ctx context.Context, customer, line string, now time.Time) ([]Purse, error) {
	if pool := g.o.Book.Pool(customer); pool != nil && line == "" {
		return g.poolPurses(ctx, pool, now)
	}
	var caps account.Effective
	zone, first := g.o.Book.Zone(customer), policy.AccountDay
	if l, ok := g.o.Book.Line(line); ok {
		caps, zone, first = *l.Effective(now), l.Zone(), policy.LineDay
	} else if c, ok := g.o.Book.Customer(customer); ok {
		caps = c.Effective
	}
	ids := engine.PurseIDs(line, customer, zone, now)
	stored, err := g.money.Purses(ctx, ids[first:])
	if err != nil {
		return nil, err
	}
	out := make([]Purse, len(stored))
	for i, p := range stored {
		kind := first + policy.Purse(i)
		out[i] = Purse{Kind: kind, ID: ids[kind], Cap: engine.Cap(&caps, kind), Spent: p.Spent, Held: p.Held}
	}
	return out, nil
}

// poolPurses are what the customers of a reseller spent of its caps.
func (g *Gate) poolPurses(ctx context.Context, pool *account.Pool, now time.Time) (out []Purse, err error) {
	for _, kind := range []policy.Purse{policy.ResellerDay, policy.ResellerMonth} {
		limit := engine.PoolCap(pool, kind)
		if limit == money.Max {
			continue // without a cap nothing is counted
		}
		id := engine.PoolID(pool, kind, now)
		stored, err := g.money.Purses(ctx, []string{id})
		if err != nil {
			return nil, err
		}
		out = append(out, Purse{Kind: kind, ID: id, Cap: limit, Spent: stored[0].Spent, Held: stored[0].Held})
	}
	return out, nil
}

// Decide is Explain with what is spent or held of each purse, and refuses where Admit would. An error is the store's, or book.ErrNotFound for
// a line that does not exist.
func (g *Gate) Decide(ctx context.Context, q Question) (*Explanation, error) {
	x := g.Explain(q)
	l, ok := g.o.Book.Line(q.Line)
	if !ok {
		return nil, book.ErrNotFound
	}
	if x.Quote == nil {
		return &x, nil
	}
	ids := pursesOf(l, q.At)
	purses, err := g.money.Purses(ctx, ids[:])
	if err != nil {
		return nil, err
	}
	least := x.Quote.Cost(time.Nanosecond)
	for i := range x.Steps {
		s := &x.Steps[i]
		which, ok := engine.SpentPurse(s.Reason)
		if !ok || ids[which] == "" {
			continue
		}
		used := purses[which].Spent + purses[which].Held
		s.Figures.Value, s.Figures.Pass = int64(used), int64(used+least)
		if s.Passed = s.Figures.Pass <= s.Figures.Limit || least == 0; !s.Passed {
			s.Figures.Waiting = g.Waiting(ids[which], "")
		}
	}
	x.refusePending()
	return &x, nil
}

// pursesOf are the ids of the purses that a call of a line draws on, by kind; "" where there is none of a kind.
func pursesOf(l *book.Line, at time.Time) (ids [policy.NumPurses]string) {
	of := engine.PurseIDs(l.ID(), l.Customer(), l.Zone(), at)
	copy(ids[:], of[:])
	if pool := l.Effective(at).Pool; pool != nil {
		ids[policy.ResellerDay], ids[policy.ResellerMonth] = engine.PoolID(pool, policy.ResellerDay, at), engine.PoolID(pool, policy.ResellerMonth, at)
	}
	return ids
}

// refusePending turns an allowed verdict into the first condition that would refuse now.
func (x *Explanation) refusePending() {
	if !x.Verdict.Allowed() || x.Verdict.Always {
		return
	}
	for _, s := range x.Steps {
		if s.Pending && !s.Passed {
			x.Verdict.Reason, x.Verdict.Figures = s.Reason, s.Figures
			return
		}
	}
}

// Explain says what Admit would decide on a call. Conditions that only the
// moment of connection can answer (purses) are left to Decide.
func (g *Gate) Explain(q Question) Explanation {
	s := &subject{}
	g.rules.Understand(&s.Subject, &Attempt{Line: q.Line, Dialled: q.Dialled, Caller: q.Caller, Source: netip.AddrPortFrom(q.Source, 0)}, q.At)
	s.From = fromOf(&s.Subject)
	g.confirmed(&s.Subject)
	s.Spell(nil)
	x := Explanation{Known: s.Known, Dest: s.Dest, Problem: s.Problem, Present: s.Text.Present, Network: s.Text.Network}
	if s.Priced {
		x.Quote = &s.Quote
	}
	facts, asked := s.Asked()
	x.Verdict, x.Steps = policy.Explain(s.Settings, facts, asked, q.At)
	for i := range x.Steps {
		g.present(&x.Steps[i], q.Line, q.At)
	}
	if !x.Verdict.Allowed() {
		return x
	}
	if why := g.closed(!x.Verdict.Always && s.Costs()); why != policy.OK {
		x.Verdict.Reason = why
		return x
	}
	p := &Plan{}
	g.forwards(s, p)
	routes, r := g.routes(s, p, nil)
	x.Routes = routes
	if r != nil {
		x.Verdict.Reason, x.Verdict.Figures = r.Reason, r.Figures
	}
	if s.Dir == call.Out {
		x.choose(g, s)
	}
	return x
}

// choose says of each trunk why it has its place. When every one is full, the call is refused.
func (x *Explanation) choose(g *Gate, s *subject) {
	_, x.Trunks, _ = g.chosen(nil, s, g.routing(), s.Text.Number)
	full := int64(0)
	for _, t := range x.Trunks {
		if t.Why == policy.TrunksFull {
			full++
		}
	}
	if len(x.Routes) > 0 && full == int64(len(x.Routes)) && !x.Verdict.Always {
		x.Verdict.Reason, x.Verdict.Figures = policy.TrunksFull, policy.Figures{Value: full}
	}
}

// present fills in how many are counted now, without this call.
func (g *Gate) present(step *policy.Step, line string, at time.Time) {
	if !step.Pending {
		return
	}
	var n int64
	switch step.Taken.Kind {
	case policy.CondOpen:
		n = g.counts.Open(openKey(line))
	case policy.CondOpenAbroad:
		n = g.counts.Open(abroadKey(line))
	case policy.CondRate:
		n = g.counts.Hits(rateKey(line, step.Taken.Window), at)
	default:
		return
	}
	step.Passed, step.Figures = n < step.Taken.Limit, engine.Counted(&step.Taken, n).Figures
}
