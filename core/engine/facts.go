package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
)

// The facts about a call. They are encoded when they are written, if ever.

func about(o *call.Open) fact.Subject {
	return fact.Subject{Line: o.Line, Account: o.Account, Call: o.ID}
}

// Admitted says that the call was admitted, what is held for it, and under which settings: see Settings.
func (s *Subject) Admitted(o *call.Open, settings string) []fact.Row {
	var told struct { // one piece of memory: this is done for every call
		rows [1]fact.Row
		f    fact.CallAdmitted
	}
	f := &told.f
	*f = fact.CallAdmitted{
		Direction: string(s.Dir), Dialled: s.Dialled, Number: o.Number, Class: o.Class, Country: o.Country,
		Source: fact.FromPort(s.Source), Agent: s.UserAgent, ALeg: s.ALeg, Trunk: s.Trunk, Peer: s.Peer, Caller: s.Caller, Presented: s.presented(), Hidden: s.Hide, Withheld: s.Withheld,
		Locked: s.Locked, Settings: settings, Held: o.Held, PaidFor: o.PaidFor, Longest: o.Longest, Emergency: s.Verdict.Always, Asked: s.asked(),
		Cause: string(s.Cause), Parent: string(s.Parent),
	}
	if s.Priced {
		f.Destination, f.Prefix, f.PerMinute = s.Quote.Price.Name, s.Text.Prefix, PerMinute(&s.Quote)
	}
	facts := append(told.rows[:0], fact.Say(f, s.Now, about(o)))
	if s.Free && !s.Verdict.Always {
		free := &fact.CallUnallocated{Number: f.Number, Class: f.Class, Source: fact.FromAddr(f.Source.Addr)}
		facts = append(facts, fact.Say(free, s.Now, about(o)))
	}
	return facts
}

// asked is how the call is confirmed, or "trusted" where a question is left out; "" is not at all.
func (s *Subject) asked() string {
	switch {
	case s.Verdict.Ask != nil:
		return string(s.Verdict.Ask.Ask)
	case s.Trusted:
		return trusted
	}
	return ""
}

// trusted is what the fact of an admitted call says where an earlier confirmation counts.
const trusted = "trusted"

// TrustedIn says that the fact of an admitted call says so.
func TrustedIn(f *fact.CallAdmitted) bool { return f.Asked == trusted }

// presented is the number that the called party is shown, where it is another than those which the fact has anyway.
func (s *Subject) presented() string {
	switch {
	case s.Dir == call.In:
		return s.Shown
	case s.Present != s.Network:
		return "+" + s.Text.Present
	}
	return ""
}

// Refused says that the call was not let out, and why.
func (s *Subject) Refused(r *Refusal, settings string) fact.Row {
	f := &fact.CallRefused{
		Direction: string(s.Dir), Dialled: s.Dialled, Number: s.Text.Number, Class: s.Dest.Class.String(), Country: s.Dest.Country.String(),
		Source: fact.FromPort(s.Source), Agent: s.UserAgent, ALeg: s.ALeg, Trunk: s.Trunk, Peer: s.Peer, Caller: s.Caller, Presented: s.presented(), Withheld: s.Withheld,
		Locked: s.Locked, Settings: settings, Reason: r.Reason.Code(), Text: r.Error(), Limit: r.Figures.Limit, Value: r.Figures.Value, Pass: r.Figures.Pass,
		Waiting: money.Micro(r.Figures.Waiting.Amount), Ringing: r.Figures.Waiting.Ringing, Ending: r.Figures.Waiting.Ending,
		Cause: string(s.Cause), Parent: string(s.Parent),
	}
	if s.Priced {
		f.Destination, f.Prefix, f.PerMinute = s.Quote.Price.Name, s.Text.Prefix, PerMinute(&s.Quote)
	}
	return fact.Say(f, s.Now, fact.Subject{Line: s.Line, Account: s.Account, Call: s.Text.ID})
}

// AnsweredBy says that the call was answered, and which route answered.
func (c *Call) AnsweredBy() fact.Row {
	o := &c.Open
	return fact.Say(&fact.CallAnswered{Trunk: o.Trunk, BLeg: o.BLeg}, o.AnsweredAt, about(o))
}

// Held says that a slice was held, and under which settings: what the journal is told if the purses do not refuse the ask.
func (c *Call) Held(a *Ask, settings string, now time.Time) fact.Row {
	return fact.Say(&fact.SliceHeld{Settings: settings, Held: a.Want, PaidFor: a.Paid}, now, about(&c.Open))
}

func (c *Call) wasCut(note string, now time.Time) fact.Row {
	n := &c.figures
	return fact.Say(&fact.CallCut{
		Reason: c.cut.Code(), Text: c.cut.Text(*n), Limit: n.Limit, Value: n.Value, Pass: n.Pass,
		Waiting: money.Micro(n.Waiting.Amount), Ringing: n.Waiting.Ringing, Ending: n.Waiting.Ending, Note: note,
	}, now, about(&c.Open))
}

// EndedElsewhere says that a party's end of the call came from where the party was not expected.
func (c *Call) EndedElsewhere(e *End) fact.Row {
	o := &c.Open
	return fact.Say(&fact.CallEndedElsewhere{Source: fact.FromPort(e.From), EndedBy: string(o.End.By), Trunk: o.Trunk}, o.End.At, about(o))
}

// TakenOver says that another node carries the call on.
func (c *Call) TakenOver(actor string, now time.Time) fact.Row {
	return fact.Say(&fact.CallTakenOver{By: actor}, now, about(&c.Open))
}

// Unconfirmed says that a leg would not end: its BYE was never confirmed, so that the carrier may charge on.
func (c *Call) Unconfirmed(l *Leg, now time.Time) fact.Row {
	f := &fact.LegUnconfirmed{Trunk: l.Trunk, Direction: string(c.Open.Direction), BLeg: l.CallID, Status: int64(l.Refused), Beyond: l.Beyond}
	return fact.Say(f, now, about(&c.Open))
}

// Settled says what a record says of money, after other facts of its end.
func Settled(r *call.CDR, others ...fact.Row) []fact.Row {
	var told struct { // one piece of memory, as of Admitted
		rows [1]fact.Row
		f    fact.CallSettled
	}
	told.f = fact.CallSettled{
		Retail: r.Retail, Cost: r.Cost, Talk: r.Talk, CarrierTalk: r.CarrierTalk, EndedBy: string(r.By), Reason: r.Reason, Status: int64(r.Status),
		Trunk: r.Trunk, Delay: delayOf(r),
	}
	told.rows[0] = fact.Say(&told.f, r.Ended, fact.Subject{Line: r.Line, Account: r.Account, Call: r.ID})
	if len(others) == 0 {
		return told.rows[:]
	}
	return append(slices.Clip(others), told.rows[0])
}

// delayOf is the post-dial delay of a call out that rang or was answered; 0: it was neither.
func delayOf(r *call.CDR) time.Duration {
	heard := r.AnsweredAt
	if heard.IsZero() {
		heard = r.Ended
	}
	if r.Direction != call.Out || r.Ring == 0 && r.AnsweredAt.IsZero() {
		return 0
	}
	return max(heard.Add(-r.Ring).Sub(r.Begun), 0).Truncate(time.Millisecond)
}

// Settings knows which settings the journal was told, so that each decision names them by a short hash and the whole text stands there
// once for each run of a shell.
type Settings struct{ hash map[settings]string }

// settings are what an account.Effective says, comparable.
type settings struct {
	values [account.NumFields]int64
	from   [account.NumFields]account.Level
	lists  string
}

// settingsBound is how many settings are remembered before all are forgotten (and written again when next seen).
const settingsBound = 50_000

// Of gives the hash of settings, and the fact that writes them down if this is their first time.
func (s *Settings) Of(e *account.Effective, now time.Time) (string, []fact.Row) {
	key := settings{e.Values, e.From, e.Lists}
	if h, ok := s.hash[key]; ok {
		return h, nil
	}
	if len(s.hash) >= settingsBound || s.hash == nil {
		s.hash = map[settings]string{}
	}
	body, err := json.Marshal(settingsBody(e))
	if err != nil { // cannot happen: plain numbers and text
		return "", nil
	}
	sum := sha256.Sum256(body)
	h := hex.EncodeToString(sum[:8])
	s.hash[key] = h
	return h, []fact.Row{fact.Say(&fact.SettingsSeen{Settings: h, Effective: body}, now, fact.Subject{})}
}

func settingsBody(e *account.Effective) map[string]any {
	m := map[string]any{}
	for f := range account.NumFields {
		m[f.String()] = map[string]any{"n": e.Values[f], "from": e.From[f].String()}
	}
	if len(e.Nets) > 0 {
		m["nets"] = e.Nets
	}
	if len(e.Restrictions) > 0 {
		m["restrictions"] = e.Restrictions
	}
	return m
}
