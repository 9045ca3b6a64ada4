package sqlstore

import (
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/state/store"
)

// Columns of the tables that engines write in bulk, in the order of the Values functions.
const (
	OpenColumns = "id, node, lease, direction, state, line, account, peer, trunk, dialled, number, class, country, " +
		"source, user_agent, a_leg, b_leg, quote, cost, purses, held, paid_for, longest, begun, ringing, answered, " +
		"anchor, ending, snapshot, unproven"
	CDRColumns = "id, direction, line, account, peer, trunk, dialled, number, class, country, destination, prefix, " +
		"per_minute, source, user_agent, a_leg, b_leg, begun, answered, ended, ring, talk, retail, cost, ended_by, reason, " +
		"words, status, carrier_talk, refused"
	FactColumns = "at, kind, version, key, line, account, call, body, proof"
	// OnceFacts ends the statement that writes facts: one whose key is there is left out.
	OnceFacts = " ON CONFLICT (key) WHERE key <> '' DO NOTHING"
)

// OpenValues are the values of OpenColumns.
func OpenValues(c *call.Open) []any {
	return []any{
		string(c.ID), clean(c.Node), Micros(c.Lease), clean(string(c.Direction)), clean(string(c.State)), clean(c.Line),
		clean(c.Account), clean(c.Peer), clean(c.Trunk), clean(c.Dialled), clean(c.Number), clean(c.Class), clean(c.Country),
		clean(c.Source), clean(c.UserAgent), clean(c.ALeg), clean(c.BLeg), QuoteText(&c.Quote), QuoteText(&c.Cost),
		PurseList(c.Purses), int64(c.Held), int64(c.PaidFor), int64(c.Longest), Micros(c.Begun), Micros(c.Ringing),
		Micros(c.AnsweredAt), AnchorText(&c.Anchor), EndText(&c.End), blob(c.Snapshot), int64(c.Unproven),
	}
}

func scanOpen(rows Rows) (call.Open, error) {
	var c call.Open
	var id, dir, state, retail, cost, purses, anchored, ending string
	var lease, held, paid, longest, begun, ringing, answered, unproven int64
	err := rows.Scan(&id, &c.Node, &lease, &dir, &state, &c.Line, &c.Account, &c.Peer, &c.Trunk, &c.Dialled, &c.Number,
		&c.Class, &c.Country, &c.Source, &c.UserAgent, &c.ALeg, &c.BLeg, &retail, &cost, &purses, &held, &paid, &longest,
		&begun, &ringing, &answered, &anchored, &ending, &c.Snapshot, &unproven)
	if err != nil {
		return c, err
	}
	if c.Quote, err = quote(retail); err != nil {
		return c, err
	}
	if c.Cost, err = quote(cost); err != nil {
		return c, err
	}
	if c.Anchor, err = anchor(anchored); err != nil {
		return c, err
	}
	if c.End, err = end(ending); err != nil {
		return c, err
	}
	c.ID, c.Direction, c.State, c.Lease = call.ID(id), call.Direction(dir), call.State(state), instant(lease)
	c.Purses, c.Held = Purses(purses), money.Micro(held)
	c.PaidFor, c.Longest, c.Unproven = time.Duration(paid), time.Duration(longest), time.Duration(unproven)
	c.Begun, c.Ringing, c.AnsweredAt = instant(begun), instant(ringing), instant(answered)
	return c, nil
}

// CDRValues are the values of CDRColumns.
func CDRValues(c *call.CDR) []any {
	return []any{
		string(c.ID), clean(string(c.Direction)), clean(c.Line), clean(c.Account), clean(c.Peer), clean(c.Trunk),
		clean(c.Dialled), clean(c.Number), clean(c.Class), clean(c.Country), clean(c.Rate), clean(c.Prefix),
		int64(c.PerMinute), clean(c.Source), clean(c.UserAgent), clean(c.ALeg), clean(c.BLeg), Micros(c.Begun),
		Micros(c.AnsweredAt), Micros(c.Ended), int64(c.Ring), int64(c.Talk), int64(c.Retail), int64(c.Cost),
		clean(string(c.By)), clean(c.Reason), clean(c.Text), int64(c.Status),
		int64(c.CarrierTalk), flag(c.Refused),
	}
}

func scanCDR(rows Rows) (call.CDR, error) {
	var c call.CDR
	var id, dir, by string
	var perMinute, begun, answered, ended, ring, talk, retail, cost, status, carrier, refused int64
	err := rows.Scan(&id, &dir, &c.Line, &c.Account, &c.Peer, &c.Trunk, &c.Dialled, &c.Number, &c.Class, &c.Country,
		&c.Rate, &c.Prefix, &perMinute, &c.Source, &c.UserAgent, &c.ALeg, &c.BLeg, &begun, &answered, &ended, &ring, &talk,
		&retail, &cost, &by, &c.Reason, &c.Text, &status, &carrier, &refused)
	c.ID, c.Direction, c.By, c.PerMinute = call.ID(id), call.Direction(dir), call.Party(by), money.Rate(perMinute)
	c.Begun, c.AnsweredAt, c.Ended = instant(begun), instant(answered), instant(ended)
	c.Ring, c.Talk, c.Status = time.Duration(ring), time.Duration(talk), int(status)
	c.Retail, c.Cost, c.CarrierTalk, c.Refused = money.Micro(retail), money.Micro(cost), time.Duration(carrier), refused != 0
	return c, err
}

// FactValues are the values of FactColumns.
func FactValues(f *store.Fact) []any {
	return []any{
		Micros(f.At), clean(f.Kind), int64(f.Version), clean(f.Key), clean(f.Line), clean(f.Account), clean(string(f.Call)), blob(f.Body), blob(f.Proof),
	}
}

func scanFact(rows Rows) (store.Fact, error) {
	var f store.Fact
	var at, version int64
	var id string
	err := rows.Scan(&f.Seq, &at, &f.Kind, &version, &f.Key, &f.Line, &f.Account, &id, &f.Body, &f.Proof)
	f.Version = int(version)
	f.At, f.Call = instant(at), call.ID(id)
	return f, err
}

func clean(s string) string { return store.Clean(s) }

// HeldOf makes a Held of the columns node, purses, held and paid_for.
func HeldOf(node, purses string, held, paidFor int64) Held {
	return Held{Node: node, Purses: Purses(purses), Amount: money.Micro(held), PaidFor: time.Duration(paidFor)}
}

// UpdateValues are what OpUpdate overwrites: state, trunk, b_leg, cost, ringing, answered, anchor, ending, the snapshot if
// there is one, and unproven.
func UpdateValues(c *call.Open) []any {
	return []any{
		clean(string(c.State)), clean(c.Trunk), clean(c.BLeg), QuoteText(&c.Cost), Micros(c.Ringing), Micros(c.AnsweredAt),
		AnchorText(&c.Anchor), EndText(&c.End), blob(c.Snapshot), int64(c.Unproven),
	}
}
