package api

import (
	"cmp"
	"encoding/json"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
)

// CDR is a finished call: the record, and its prices for people.
type CDR struct {
	call.CDR
	RetailText string `json:"retail" doc:"£0.07"`
	CostText   string `json:"cost"`
	LineID     string `json:"line_identity" doc:"distinguishes lines that have had the same id in turn"`
	AccountID  string `json:"account_identity"`
}

// Resource describes call records.
func (CDR) Resource() Resource[CDR] {
	return Resource[CDR]{
		Name: "cdr", Path: "cdrs", Tag: "records", Next: "before", Get: "Show a call record",
		Columns: "begun, direction, from~, to, destination~?, talk>, price>?, cost: charge>?, ended by: ended_by?, reason~, call: id#",
		Fields: "call: id?, direction?, refused?, unconfirmed?, line?, identity: line_identity?, dialled?, number?, kind?, destination: priced as?, " +
			"a minute: per_minute_nano?, begun: begun exactly?, rang: ring_ns?, answered?, ended?, talk: talk_ns?, price: retail?, cost?, " +
			"carrier talk: carrier_talk_ns-?, ended by: ended_by?, reason: reason code?, in words: text?, sip status: sip_status?, trunk?, peer?, " +
			"from: source?, user agent: user_agent?, a leg: a_call_id?, b leg: b_call_id?",
		Empty: "No calls yet.",
		Cells: map[string]func(*CDR) Cell{
			"begun":         func(x *CDR) Cell { return Cell{Text: Clock(x.Begun)} },
			"begun exactly": func(x *CDR) Cell { return Cell{Text: Clock(x.Begun) + x.Begun.Format(" -0700")} },
			"answered":      func(x *CDR) Cell { return Cell{Text: Clock(x.AnsweredAt)} },
			"ended":         func(x *CDR) Cell { return Cell{Text: Clock(x.Ended)} },
			"direction": func(x *CDR) Cell {
				return Cell{Text: map[call.Direction]string{call.Out: "outbound", call.In: "inbound", call.Between: "on-net"}[x.Direction]}
			},
			"from":        (*CDR).from,
			"to":          (*CDR).to,
			"talk":        (*CDR).talk,
			"price":       func(x *CDR) Cell { return x.unlessRefused(x.RetailText) },
			"charge":      func(x *CDR) Cell { return x.unlessRefused(x.CostText) },
			"reason":      func(x *CDR) Cell { return Cell{x.Reason, map[bool]string{true: "warn"}[x.AnsweredAt.IsZero()]} },
			"reason code": func(x *CDR) Cell { return Cell{Text: x.Reason} },
			"refused":     func(x *CDR) Cell { return Cell{Text: map[bool]string{true: "yes: it was never connected"}[x.Refused]} },
			"unconfirmed": func(x *CDR) Cell {
				return Cell{Text: map[bool]string{true: "over and priced: a phone has yet to confirm its end"}[x.Unconfirmed]}
			},
			"line":      func(x *CDR) Cell { return Cell{Text: x.Line + " (" + x.Account + ")"} },
			"kind":      func(x *CDR) Cell { return Cell{Text: x.Class + " " + x.Country} },
			"priced as": func(x *CDR) Cell { return Cell{Text: x.Rate + " " + x.Prefix} },
		},
	}
}

// called is the number called, or what was dialled when it was none.
func (x *CDR) called() string { return cmp.Or(x.Number, x.Dialled) }

// from is who called: a line, or the trunk that a call came in by.
func (x *CDR) from() Cell {
	if x.Direction == call.In {
		return Cell{Text: x.Peer}
	}
	return Cell{Text: x.Line}
}

// to is who was called: a line or a number.
func (x *CDR) to() Cell {
	switch x.Direction {
	case call.In:
		return Cell{Text: cmp.Or(x.Line, x.called())}
	case call.Between:
		return Cell{Text: x.Peer}
	}
	return Cell{Text: x.called()}
}

func (x *CDR) talk() Cell {
	if x.Refused {
		return Cell{"refused", "warn"}
	}
	return Cell{Text: Length(x.Talk)}
}

// unlessRefused leaves out what a refused call, which can have cost nothing, has cost.
func (x *CDR) unlessRefused(text string) Cell {
	if x.Refused {
		text = ""
	}
	return Cell{Text: text}
}

// CDRFilter selects call records.
type CDRFilter struct {
	Line      string `query:"line" maxLength:"80" help:"Only this line; its name or telephone number." placeholder:"LINE" predict:"line"`
	Customer  string `query:"customer" maxLength:"60" help:"Only this customer." placeholder:"CUSTOMER" predict:"customer"`
	Country   string `query:"country" maxLength:"60" doc:"of the number called: DE, Germany" help:"Only to numbers of this country (\"DE\", \"Germany\")." placeholder:"COUNTRY"`
	Number    string `query:"number" maxLength:"128" doc:"called, in any form it can be dialled in" help:"Only to this number, in any format." placeholder:"NUMBER"`
	Reason    string `query:"reason" maxLength:"60" doc:"a code of a reason: hangup, premium-barred" help:"Only calls that ended or were refused for this reason." placeholder:"REASON" predict:"reason"`
	Direction string `query:"direction" maxLength:"20" doc:"outbound, inbound or on-net" help:"Only outbound, inbound or on-net (between lines)." placeholder:"DIRECTION" predict:"direction"`
	From      string `query:"from" maxLength:"40" doc:"started at or after: a time, or as people write it (friday, yesterday, 2026-12-01) in the time zone of the line's customer, else of the customer, else of the provider" type:"when" help:"Only calls that started at or after this time (\"2026-11-01\", \"yesterday\", \"monday\", \"-24h\" as --from=-24h)." placeholder:"WHEN"`
	Until     string `query:"until" maxLength:"40" doc:"started before; a day includes all of it" type:"when" help:"Only calls that started before this time, or on or before this day." placeholder:"WHEN" aliases:"till"`
}

// NewCDR adds the texts to a record, and calls who is in it by the ids that people know.
func NewCDR(c call.CDR) CDR {
	out := CDR{CDR: c, RetailText: Amount(c.Retail), CostText: Amount(c.Cost), LineID: account.FullIdentity(c.Line), AccountID: account.FullIdentity(c.Account)}
	for _, id := range []*string{&out.Line, &out.Account, &out.Peer, &out.Trunk} {
		*id = account.Handle(*id)
	}
	return out
}

// Fact is one row of the journal.
type Fact struct {
	Seq      int64           `json:"seq"`
	At       time.Time       `json:"at"`
	Kind     string          `json:"kind" doc:"noun.verb: call.refused, setting.changed, …"`
	Line     string          `json:"line,omitempty"`
	LineID   string          `json:"line_identity,omitempty"`
	Customer string          `json:"customer,omitempty"`
	Account  string          `json:"customer_identity,omitempty"`
	Call     string          `json:"call,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// Resource describes facts.
func (Fact) Resource() Resource[Fact] {
	return Resource[Fact]{
		Name: "fact", Path: "journal", Tag: "records", List: "List facts of the journal, oldest first or newest first",
		Columns: "fact: seq, at, kind~, line~, customer~?, call#, what: body~",
		Empty:   "No such facts.",
	}
}

// FactFilter selects facts.
type FactFilter struct {
	Line  string `query:"line" maxLength:"80" help:"Only this line." placeholder:"LINE" predict:"line"`
	Call  string `query:"call" maxLength:"64" help:"Only this call's." placeholder:"CALL"`
	Kind  string `query:"kind" maxLength:"64" doc:"a prefix: call. or call.refused" help:"Only kinds with this prefix: call., call.refused, setting." placeholder:"KIND"`
	From  string `query:"from" maxLength:"40" doc:"at or after: as in the list of records" type:"when" help:"Only facts at or after this time (\"yesterday\", \"-2h\" as --from=-2h)." placeholder:"WHEN"`
	Until string `query:"until" maxLength:"40" doc:"before; a day includes all of it" type:"when" help:"Only facts before this time, or on or before this day." placeholder:"WHEN"`
}
