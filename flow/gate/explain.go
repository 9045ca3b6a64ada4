package gate

import (
	"net/netip"
	"time"

	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
)

// Explanation is a decision taken apart, with nothing changed by it: no count, no purse, no journal.
type Explanation struct {
	Known   bool // there is such a line
	Dest    phone.Destination
	Problem phone.Problem // why the digits are no number
	Quote   *rating.Quote // nil: no price
	Ways    []Way         // where the call would go
	Verdict policy.Verdict
	Steps   []policy.Step // every rule, and the conditions with their present state where it is known
}

// Explain says what Admit would decide on a call of line to dialled, from source, at an instant. Conditions that only the
// moment of connection can answer (purses) are checked by the caller against present balances.
func (g *Gate) Explain(line, dialled string, source netip.Addr, at time.Time) Explanation {
	s := &subject{}
	g.understand(s, &Attempt{Line: line, Dialled: dialled, Source: netip.AddrPortFrom(source, 0)}, at)
	x := Explanation{Known: s.Known, Dest: s.Dest, Problem: s.Problem}
	if s.Priced {
		x.Quote = &s.Quote
	}
	facts, asked := s.Asked()
	x.Verdict, x.Steps = policy.Explain(s.Settings, facts, asked, at)
	for i := range x.Steps {
		g.present(&x.Steps[i], line, at)
	}
	if !x.Verdict.Allowed() {
		return x
	}
	if why := g.closed(!x.Verdict.Always && s.Costs()); why != policy.OK {
		x.Verdict.Reason = why
		return x
	}
	ways, r := g.ways(s)
	x.Ways = ways
	if r != nil {
		x.Verdict.Reason, x.Verdict.Figures = r.Reason, r.Figures
	}
	return x
}

// present fills in how many are counted now, without this call.
func (g *Gate) present(step *policy.Step, line string, at time.Time) {
	if !step.Pending {
		return
	}
	switch step.Reason {
	case policy.TooManyCalls:
		step.Figures.Value = g.counts.Open(openKey(line))
	case policy.TooManyInternational:
		step.Figures.Value = g.counts.Open(abroadKey(line))
	case policy.TooManyPerMinute:
		step.Figures.Value = g.counts.Hits(rateKey(line, time.Minute), at)
	default:
		return
	}
	step.Passed = step.Figures.Value < step.Figures.Limit
	step.Figures.Pass = step.Figures.Value + 1
}
