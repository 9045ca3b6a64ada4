package gate

import (
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// opened are the facts of a call that is let out.
func (g *Gate) opened(s *subject, c *call.Open) []fact.Row {
	return append(s.Admitted(c, g.settingsOf(s)), s.firstSeen...)
}

func (g *Gate) refusedFacts(s *subject, r *Refusal) []fact.Row {
	settings := g.settingsOf(s)
	return append([]fact.Row{s.Refused(r, settings)}, s.firstSeen...)
}

// settingsOf is the hash of an attempt's settings. If this is their first time, the fact that writes them down goes with the attempt's
// own.
func (g *Gate) settingsOf(s *subject) string {
	if s.settings == "" {
		g.seen.mu.Lock()
		defer g.seen.mu.Unlock()
		s.settings, s.firstSeen = g.seen.Of(s.Settings, s.Now)
	}
	return s.settings
}

// settingsNow is the hash of settings that a call meets later than at its admission. They are written down before the call asks for money under them, because the ask
// may be refused.
func (g *Gate) settingsNow(e *account.Effective, now time.Time) string {
	g.seen.mu.Lock()
	hash, first := g.seen.Of(e, now)
	g.seen.mu.Unlock()
	if len(first) > 0 {
		g.o.Ledger.Post(store.Op{Kind: store.OpRecord, Facts: first})
	}
	return hash
}

// unconfirmed says which legs would not end.
func (g *Gate) unconfirmed(c *engine.Call, legs []Leg, now time.Time) (facts []fact.Row) {
	for i := range legs {
		if l := &legs[i]; l.Refused != 0 {
			g.stats.refusedEnd(l.Trunk)
			facts = append(facts, c.Unconfirmed(l, now))
		}
	}
	return facts
}

// AnsweredAfter notes that a leg was answered when the record of its call was closed. It was hung up, once, so that nobody knows
// whether the carrier has taken that, and its cost is in no record: staff are told. A bounded number a second is written.
func (g *Gate) AnsweredAfter(id call.ID, trunk, leg string) {
	g.stats.refusedEnd(trunk)
	now := clock()
	if !g.limits.pass(&g.limits.after, now) {
		return
	}
	f := fact.LegUnconfirmed{Trunk: trunk, Direction: string(call.Out), BLeg: leg, Status: 200}
	g.o.Ledger.Record(f.Row(now, fact.Subject{Call: id}))
}
