package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/state/store"
)

// object writes one JSON object by hand: facts are written for every call, and encoding/json costs more than the decision.
type object struct{ b []byte }

func newObject() *object { return &object{b: append(make([]byte, 0, 384), '{')} }

func (o *object) key(k string) {
	if len(o.b) > 1 {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, k...)
	o.b = append(o.b, '"', ':')
}

func (o *object) text(k, v string) *object {
	if v == "" {
		return o
	}
	o.key(k)
	if plain(v) {
		o.b = append(o.b, '"')
		o.b = append(o.b, v...)
		o.b = append(o.b, '"')
		return o
	}
	quoted, err := json.Marshal(v)
	if err != nil { // cannot happen: Marshal repairs invalid UTF-8
		quoted = []byte(`"?"`)
	}
	o.b = append(o.b, quoted...)
	return o
}

// plain says that a text needs no escapes in JSON, and none that a log or page could trip over.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

func (o *object) num(k string, v int64) *object {
	o.key(k)
	o.b = strconv.AppendInt(o.b, v, 10)
	return o
}

func (o *object) flag(k string, v bool) *object {
	if v {
		o.key(k)
		o.b = append(o.b, "true"...)
	}
	return o
}

// figures writes what a reason counts, and of a purse which part calls hold that are not up.
func (o *object) figures(f policy.Figures) *object {
	o.num("limit", f.Limit).num("value", f.Value).num("pass", f.Pass)
	if w := f.Waiting; w != (policy.Waiting{}) {
		o.num("waiting_micro", w.Amount).num("ringing_calls", w.Ringing).num("ending_calls", w.Ending)
	}
	return o
}

func (o *object) done() []byte { return append(o.b, '}') }

// decided is the body that every decision shares: who, where to, from where, at what price.
func decided(s *subject) *object {
	o := newObject().text("direction", string(s.dir)).text("dialled", s.Dialled).text("number", s.number).
		text("class", s.dest.Class.String()).text("country", s.dest.Country.String()).text("source", s.Source.String()).
		text("user_agent", s.UserAgent).text("a_call_id", s.ALeg).text("trunk", s.Trunk).text("peer", s.peer).
		text("caller", s.Caller).flag("withheld", s.Withheld)
	if s.priced {
		o.text("destination", s.quote.Price.Name).text("prefix", prefixText(&s.quote.Price)).num("per_minute_nano", int64(perMinute(&s.quote)))
	}
	return o.flag("locked", s.facts.Locked)
}

// admitted says that a call was let out, what was held for it, and under which settings.
func (g *Gate) admitted(s *subject, c *call.Open) []store.Fact {
	hash, first := g.settings.of(s.settings)
	body := decided(s).text("settings", hash).num("held_micro", int64(c.Held)).
		num("paid_for_ms", c.PaidFor.Milliseconds()).num("longest_s", int64(c.Longest/time.Second)).flag("emergency", s.verdict.Always).done()
	facts := []store.Fact{{At: s.now, Kind: "call.admitted", Line: s.line, Account: s.account, Call: c.ID, Body: body}}
	if s.free && !s.verdict.Always {
		facts = append(facts, unallocated(s, c))
	}
	return append(facts, first...)
}

// unallocated says that a call goes to a number of a block that nobody has.
func unallocated(s *subject, c *call.Open) store.Fact {
	body := newObject().text("number", s.number).text("class", s.dest.Class.String()).text("source", s.Source.Addr().String()).done()
	return store.Fact{At: s.now, Kind: "call.unallocated", Line: s.line, Account: s.account, Call: c.ID, Body: body}
}

func (g *Gate) refusedFact(s *subject, r *Refusal, id call.ID) []store.Fact {
	hash, first := g.settings.of(s.settings)
	body := decided(s).text("settings", hash).text("reason", r.Reason.Code()).text("text", r.Error()).
		figures(r.Figures).done()
	facts := []store.Fact{{At: s.now, Kind: "call.refused", Line: s.line, Account: s.account, Call: id, Body: body}}
	return append(facts, first...)
}

func callFact(c *call.Open, at time.Time, kind string, o *object) []store.Fact {
	return []store.Fact{{At: at, Kind: kind, Line: c.Line, Account: c.Account, Call: c.ID, Body: o.done()}}
}

func answered(c *call.Open) []store.Fact {
	return callFact(c, c.AnsweredAt, "call.answered", newObject().text("trunk", c.Trunk).text("b_call_id", c.BLeg))
}

func sliceHeld(c *call.Open, held money.Micro, paid time.Duration) []store.Fact {
	return callFact(c, time.Now(), "slice.held", newObject().num("held_micro", int64(held)).num("paid_for_ms", paid.Milliseconds()))
}

func cutFact(c *call.Open, why policy.Reason, f policy.Figures, note string) store.Fact {
	return callFact(c, time.Now(), "call.cut", newObject().text("reason", why.Code()).text("text", why.Text(f)).
		figures(f).text("note", note))[0]
}

// endedElsewhere says that a party's end of the call came from where the party was not expected.
func endedElsewhere(c *call.Open, e *End) []store.Fact {
	return callFact(c, c.End.At, "call.ended-elsewhere", newObject().text("from", e.From.String()).text("ended_by", string(e.By)).
		text("trunk", c.Trunk))
}

// takenOver says that another node carries a call on.
func takenOver(c *call.Open, node string) store.Fact {
	return callFact(c, time.Now(), "call.taken-over", newObject().text("by", node))[0]
}

// unconfirmed says which legs would not end: their BYE was never confirmed, so that the carrier may charge on.
func (g *Gate) unconfirmed(c *call.Open, legs []Leg) (facts []store.Fact) {
	for i := range legs {
		if l := &legs[i]; l.Refused != 0 {
			g.stats.refusedEnd(l.Trunk)
			facts = append(facts, callFact(c, time.Now(), "leg.unconfirmed", newObject().text("trunk", l.Trunk).
				text("direction", string(c.Direction)).text("b_call_id", l.CallID).num("sip_status", int64(l.Refused)).num("beyond_ms", l.Beyond.Milliseconds()))...)
		}
	}
	return facts
}

// AnsweredAfter notes that a leg was answered when the record of its call was closed. It was hung up, once, so that nobody knows
// whether the carrier has taken that, and its cost is in no record: staff are told. A bounded number a second is written.
func (g *Gate) AnsweredAfter(id call.ID, trunk, leg string) {
	g.stats.refusedEnd(trunk)
	if !g.after.allow(time.Now()) {
		return
	}
	c := call.Open{ID: id, Trunk: trunk, Direction: call.Out}
	g.o.Ledger.Record(callFact(&c, time.Now(), "leg.unconfirmed", newObject().text("trunk", trunk).
		text("direction", string(call.Out)).text("b_call_id", leg).num("sip_status", 200))...)
}

func settled(r *call.CDR) []store.Fact {
	o := newObject().num("retail_micro", int64(r.Retail)).num("cost_micro", int64(r.Cost)).num("talk_ms", r.Talk.Milliseconds()).
		num("carrier_talk_ms", r.CarrierTalk.Milliseconds()).
		text("ended_by", string(r.By)).text("reason", r.Reason).num("sip_status", int64(r.Status))
	return []store.Fact{{At: r.Ended, Kind: "call.settled", Line: r.Line, Account: r.Account, Call: r.ID, Body: o.done()}}
}

// perMinute is the rate at the moment from which the call is priced.
func perMinute(q *rating.Quote) money.Rate { return q.Price.Rates[q.Calendar.Band(q.Start)] }

func prefixText(p *rating.Price) string {
	if p.Prefix == 0 {
		return ""
	}
	return strconv.FormatUint(p.Prefix, 10)
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
	return h, []store.Fact{{At: time.Now(), Kind: "settings.seen", Body: append(append([]byte(`{"settings":"`+h+`","effective":`), body...), '}')}}
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
