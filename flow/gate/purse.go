package gate

import (
	"context"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/state/store"
)

// PurseIDs names the purses that every call of line begun at now would draw on, indexed by policy.Purse. A call draws
// on the day and the month in which it was let out, whenever it ends: periods are of the customer's zone.
func PurseIDs(line, account string, zone *time.Location, now time.Time) [policy.Probation]string {
	if zone == nil {
		zone = time.UTC
	}
	// One text for all four: this is done for every call.
	var room [512]byte
	var ends [policy.Probation]int
	now = now.In(zone)
	b := room[:0]
	for p := range policy.Probation {
		if p == policy.LineDay || p == policy.LineMonth {
			b = append(append(b, "line/"...), line...)
		} else {
			b = append(append(b, "account/"...), account...)
		}
		if p == policy.LineDay || p == policy.AccountDay {
			b = now.AppendFormat(append(b, "/day/"...), time.DateOnly)
		} else {
			b = now.AppendFormat(append(b, "/month/"...), "2006-01")
		}
		ends[p] = len(b)
	}
	var ids [policy.Probation]string
	all, from := string(b), 0
	for p, end := range ends {
		ids[p], from = all[from:end], end
	}
	return ids
}

// free says that no second of this call can ever cost anything, so that no purse is asked.
func free(p *rating.Price) bool { return p.Dearest() == 0 && p.Connect == 0 && p.Minimum == 0 }

// costs says whether the call may cost the line anything.
func (s *subject) costs() bool { return s.dir != call.In && !free(&s.quote.Price) }

// holds are the purses that must have room, in the verdict's order.
func (s *subject) holds() []store.Hold {
	if !s.costs() {
		return nil
	}
	ids := PurseIDs(s.line, s.account, s.zone, s.now)
	holds := make([]store.Hold, 0, policy.NumPurses)
	for _, c := range s.verdict.Conditions[:s.verdict.N] {
		switch {
		case c.Kind != policy.CondPurse:
		case c.Purse == policy.Probation:
			holds = append(holds, store.Hold{Purse: s.probation(), Cap: money.Micro(c.Limit)})
		default:
			holds = append(holds, store.Hold{Purse: ids[c.Purse], Cap: money.Micro(c.Limit)})
		}
	}
	return holds
}

// probationPrefix begins the id of a purse that a login on probation has to itself: "probation/3001/192.0.2.7/2026-11-29".
const probationPrefix = "probation/"

// probation is the id of the purse of the attempt's login.
func (s *subject) probation() string { return probationPrefix + s.line + "/" + s.Tight }

// probationOf is the probation purse among those of a call; "" is none.
func probationOf(purses []string) string {
	for _, id := range purses {
		if purseOf(id) == policy.Probation {
			return id
		}
	}
	return ""
}

// whichPurse names the purse that refused the least that was asked: its cap, what is spent or held of it already, and
// the cap that would pass, and what calls other than id hold of it that are not up. Purses are told apart by their ids alone,
// so that a recovered call can too.
func (g *Gate) whichPurse(id call.ID, holds []store.Hold, out store.Outcome, least money.Micro) (policy.Reason, policy.Figures) {
	for _, h := range holds {
		if h.Purse == out.Purse {
			used := int64(h.Cap - out.Room)
			if out.Room <= 0 { // perhaps more than the cap: it was lowered since
				used = max(used, g.used(h.Purse))
			}
			return purseReasons[purseOf(h.Purse)], policy.Figures{Limit: int64(h.Cap), Value: used, Pass: used + int64(least), Waiting: g.Waiting(h.Purse, id)}
		}
	}
	return policy.LineDaySpent, policy.Figures{}
}

// Waiting is what the calls of this node other than one hold of a purse while nobody talks on them: they ring, or are ending.
func (g *Gate) Waiting(purse string, other call.ID) (w policy.Waiting) {
	for i := range g.calls {
		s := &g.calls[i]
		s.mu.Lock()
		for id, l := range s.m {
			if l.holds != nil && id != other {
				l.addWaiting(&w, purse)
			}
		}
		s.mu.Unlock()
	}
	return w
}

func (l *live) addWaiting(w *policy.Waiting, purse string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.call
	if c.State == call.Answered || c.Held <= 0 || !slices.Contains(c.Purses, purse) {
		return
	}
	w.Amount += int64(c.Held)
	if c.State == call.Ending {
		w.Ending++
	} else {
		w.Ringing++
	}
}

// used is what is spent and held of a purse now; 0 when the store does not say.
func (g *Gate) used(purse string) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	p, err := g.money.Purses(ctx, []string{purse})
	if err != nil || len(p) != 1 {
		return 0
	}
	return int64(p[0].Spent + p[0].Held)
}

var purseReasons = [policy.NumPurses]policy.Reason{
	policy.LineDay: policy.LineDaySpent, policy.LineMonth: policy.LineMonthSpent,
	policy.AccountDay: policy.AccountDaySpent, policy.AccountMonth: policy.AccountMonthSpent,
	policy.Probation: policy.ProbationSpent,
}

// purseOf reads the kind from an id of a purse.
func purseOf(id string) policy.Purse {
	if strings.HasPrefix(id, probationPrefix) {
		return policy.Probation
	}
	month := strings.Contains(id, "/month/")
	switch line := strings.HasPrefix(id, "line/"); {
	case line && month:
		return policy.LineMonth
	case line:
		return policy.LineDay
	case month:
		return policy.AccountMonth
	}
	return policy.AccountDay
}

// capNow is the cap in force of the purse of an id.
func capNow(e *account.Effective, id string) money.Micro {
	p := purseOf(id)
	if p == policy.Probation {
		return policy.ProbationCap()
	}
	return e.Cap(purseCaps[p])
}

var purseCaps = [policy.Probation]account.Field{
	policy.LineDay: account.LineDayCap, policy.LineMonth: account.LineMonthCap,
	policy.AccountDay: account.AccountDayCap, policy.AccountMonth: account.AccountMonthCap,
}

// capsNow are the call's purses with the caps in force now: a cap lowered or raised during a call counts from its next slice.
func (g *Gate) capsNow(l *live) []store.Hold {
	line, ok := g.o.Book.Line(l.call.Line)
	if !ok {
		return l.holds
	}
	e := line.Effective(time.Now())
	now := make([]store.Hold, len(l.holds))
	for i, h := range l.holds {
		now[i] = store.Hold{Purse: h.Purse, Cap: capNow(e, h.Purse)}
	}
	return now
}

// newLive is the call as it will be remembered, with nothing held yet.
func (g *Gate) newLive(s *subject) *live {
	longest := s.verdict.Longest
	if longest <= 0 {
		longest = alwaysLongest
	}
	l := &live{always: s.verdict.Always, abroad: s.farTaken, counted: s.openTaken, tight: s.tight}
	l.call = call.Open{
		ID: g.ids.next(s.now), Node: g.o.Node, Direction: s.dir, State: call.Setup,
		Line: s.line, Account: s.account, Peer: s.peer, Dialled: s.Dialled, Number: s.number,
		Class: s.dest.Class.String(), Country: s.dest.Country.String(), Source: s.Source.String(),
		UserAgent: s.UserAgent, ALeg: s.ALeg, Quote: s.quote, Longest: longest, PaidFor: longest, Begun: s.now,
	}
	if s.dir == call.In {
		l.call.Trunk = s.Trunk
	}
	if s.verdict.Always {
		l.call.Quote = noCharge(s, phone.Emergency.String()) // never charged, whatever a deck says of the number
	}
	return l
}

// alwaysLongest bounds calls that no setting bounds, so that nothing is open for ever.
const alwaysLongest = 24 * time.Hour

// opening is the op that lets a call out.
func (g *Gate) opening(s *subject, l *live, holds []store.Hold) store.Op {
	l.call.Purses = l.call.Purses[:0]
	for _, h := range holds {
		l.call.Purses = append(l.call.Purses, h.Purse)
	}
	l.holds = holds
	c := l.call // the store keeps a copy of its own: the live one goes on changing
	return store.Op{Kind: store.OpOpen, ID: c.ID, Holds: holds, Amount: c.Held, Call: &c, Lease: g.o.Lease, Facts: g.admitted(s, &c)}
}

// PurseOf says which purse a reason speaks of; false: it speaks of none.
func PurseOf(r policy.Reason) (policy.Purse, bool) {
	for p, of := range purseReasons {
		if of == r {
			return policy.Purse(p), true
		}
	}
	return 0, false
}
