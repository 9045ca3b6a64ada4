package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/state/store"
)

// about is whom the facts of a decision are about.
func (s *subject) about(id call.ID) fact.Subject {
	return fact.Subject{Line: s.Line, Account: s.Account, Call: id}
}

func about(c *call.Open) fact.Subject {
	return fact.Subject{Line: c.Line, Account: c.Account, Call: c.ID}
}

// admitted says that a call was let out, what was held for it, and under which settings. It is encoded when the ledger writes it.
func (g *Gate) admitted(s *subject, c *call.Open) func() []store.Fact {
	f := &fact.CallAdmitted{
		Direction: string(s.Dir), Dialled: s.Dialled, Number: s.number, Class: c.Class, Country: c.Country,
		Source: fact.FromPort(s.Source), Agent: s.UserAgent, ALeg: s.ALeg, Trunk: s.Trunk, Peer: s.Peer, Caller: s.Caller, Withheld: s.Withheld,
		Locked: s.Locked, Held: c.Held, PaidFor: c.PaidFor, Longest: c.Longest, Emergency: s.Verdict.Always,
	}
	if s.Priced {
		f.Destination, f.Prefix, f.PerMinute = s.Quote.Price.Name, engine.PrefixText(&s.Quote.Price), engine.PerMinute(&s.Quote)
	}
	at, of, settings, free := s.Now, s.about(c.ID), s.Settings, s.Free && !s.Verdict.Always
	return func() []store.Fact {
		hash, first := g.settings.of(settings)
		f.Settings = hash
		facts := []store.Fact{f.Row(at, of)}
		if free {
			free := fact.CallUnallocated{Number: f.Number, Class: f.Class, Source: fact.FromAddr(f.Source.Addr)}
			facts = append(facts, free.Row(at, of))
		}
		return append(facts, first...)
	}
}

func (g *Gate) refusedFact(s *subject, r *Refusal, id call.ID) []store.Fact {
	hash, first := g.settings.of(s.Settings)
	f := fact.CallRefused{
		Direction: string(s.Dir), Dialled: s.Dialled, Number: s.number, Class: s.Dest.Class.String(), Country: s.Dest.Country.String(),
		Source: fact.FromPort(s.Source), Agent: s.UserAgent, ALeg: s.ALeg, Trunk: s.Trunk, Peer: s.Peer, Caller: s.Caller, Withheld: s.Withheld,
		Locked: s.Locked, Settings: hash, Reason: r.Reason.Code(), Text: r.Error(), Limit: r.Figures.Limit, Value: r.Figures.Value, Pass: r.Figures.Pass,
		Waiting: money.Micro(r.Figures.Waiting.Amount), Ringing: r.Figures.Waiting.Ringing, Ending: r.Figures.Waiting.Ending,
	}
	if s.Priced {
		f.Destination, f.Prefix, f.PerMinute = s.Quote.Price.Name, engine.PrefixText(&s.Quote.Price), engine.PerMinute(&s.Quote)
	}
	return append([]store.Fact{f.Row(s.Now, s.about(id))}, first...)
}

func answered(c *call.Open) []store.Fact {
	f := fact.CallAnswered{Trunk: c.Trunk, BLeg: c.BLeg}
	return []store.Fact{f.Row(c.AnsweredAt, about(c))}
}

func sliceHeld(c *call.Open, held money.Micro, paid time.Duration) []store.Fact {
	f := fact.SliceHeld{Held: held, PaidFor: paid}
	return []store.Fact{f.Row(clock(), about(c))}
}

func cutFact(c *call.Open, why policy.Reason, n policy.Figures, note string) store.Fact {
	f := fact.CallCut{
		Reason: why.Code(), Text: why.Text(n), Limit: n.Limit, Value: n.Value, Pass: n.Pass,
		Waiting: money.Micro(n.Waiting.Amount), Ringing: n.Waiting.Ringing, Ending: n.Waiting.Ending, Note: note,
	}
	return f.Row(clock(), about(c))
}

// endedElsewhere says that a party's end of the call came from where the party was not expected.
func endedElsewhere(c *call.Open, e *End) []store.Fact {
	f := fact.CallEndedElsewhere{Source: fact.FromPort(e.From), EndedBy: string(e.By), Trunk: c.Trunk}
	return []store.Fact{f.Row(c.End.At, about(c))}
}

// takenOver says that another node carries a call on.
func takenOver(c *call.Open, node string) store.Fact {
	f := fact.CallTakenOver{By: node}
	return f.Row(clock(), about(c))
}

// unconfirmed says which legs would not end: their BYE was never confirmed, so that the carrier may charge on.
func (g *Gate) unconfirmed(c *call.Open, legs []Leg) (facts []store.Fact) {
	for i := range legs {
		if l := &legs[i]; l.Refused != 0 {
			g.stats.refusedEnd(l.Trunk)
			f := fact.LegUnconfirmed{Trunk: l.Trunk, Direction: string(c.Direction), BLeg: l.CallID, Status: int64(l.Refused), Beyond: l.Beyond}
			facts = append(facts, f.Row(clock(), about(c)))
		}
	}
	return facts
}

// AnsweredAfter notes that a leg was answered when the record of its call was closed. It was hung up, once, so that nobody knows
// whether the carrier has taken that, and its cost is in no record: staff are told. A bounded number a second is written.
func (g *Gate) AnsweredAfter(id call.ID, trunk, leg string) {
	g.stats.refusedEnd(trunk)
	if !g.limits.pass(&g.limits.after, clock()) {
		return
	}
	f := fact.LegUnconfirmed{Trunk: trunk, Direction: string(call.Out), BLeg: leg, Status: 200}
	g.o.Ledger.Record(f.Row(clock(), fact.Subject{Call: id}))
}

func settled(r *call.CDR) []store.Fact {
	f := fact.CallSettled{
		Retail: r.Retail, Cost: r.Cost, Talk: r.Talk, CarrierTalk: r.CarrierTalk, EndedBy: string(r.By), Reason: r.Reason, Status: int64(r.Status),
	}
	return []store.Fact{f.Row(r.Ended, fact.Subject{Line: r.Line, Account: r.Account, Call: r.ID})}
}

// seen knows which settings were written to the journal, so that each decision names them by a short hash and the
// whole text stands there once for each run of the program.
type seen struct {
	mu    sync.Mutex // owns hash
	hash  map[*account.Effective]string
	known map[string]bool
}

// seenBound is how many settings are remembered before all are forgotten (and written again when next seen).
const seenBound = 50_000

// of gives the hash of settings, and the fact that writes them down if this is their first time.
func (s *seen) of(e *account.Effective) (string, []store.Fact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.hash[e]; ok {
		return h, nil
	}
	if len(s.hash) >= seenBound || s.hash == nil {
		s.hash, s.known = map[*account.Effective]string{}, map[string]bool{}
	}
	body, err := json.Marshal(settingsBody(e))
	if err != nil { // cannot happen: plain numbers and text
		return "", nil
	}
	sum := sha256.Sum256(body)
	h := hex.EncodeToString(sum[:8])
	s.hash[e] = h
	if s.known[h] {
		return h, nil
	}
	s.known[h] = true
	f := fact.SettingsSeen{Settings: h, Effective: body}
	return h, []store.Fact{f.Row(clock(), fact.Subject{})}
}

func settingsBody(e *account.Effective) map[string]any {
	m := map[string]any{}
	for f := range account.NumFields {
		m[f.String()] = map[string]any{"n": e.Values[f], "from": e.From[f].String()}
	}
	if len(e.Nets) > 0 {
		m["nets"] = e.Nets
	}
	return m
}
