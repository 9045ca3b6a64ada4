package sqlstore

import (
	"crypto/rand"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/seal"
	"ringfence/state/store"
)

var opens = table[call.Open]{
	"open_call", "open calls", 1,
	"id, node, lease, direction, state, line, account, peer, trunk, dialled, number, class, country, source, user_agent, " +
		"a_leg, b_leg, quote, cost, purses, held, paid_for, longest, begun, ringing, answered, anchor, ending, snapshot, unproven, cause, parent",
	func(c *call.Open) []any {
		return []any{
			&c.ID, &c.Node, &c.Lease, &c.Direction, &c.State, &c.Line, &c.Account, &c.Peer, &c.Trunk, &c.Dialled, &c.Number, &c.Class,
			&c.Country, &c.Source, &c.UserAgent, &c.ALeg, &c.BLeg, (*quote)(&c.Quote), (*quote)(&c.Cost), (*purses)(&c.Purses), &c.Held,
			&c.PaidFor, &c.Longest, &c.Begun, &c.Ringing, &c.AnsweredAt, (*anchor)(&c.Anchor), (*end)(&c.End), &c.Snapshot, &c.Unproven,
			&c.Cause, &c.Parent,
		}
	},
}

var cdrs = table[call.CDR]{
	"cdr", "call records", 1,
	"id, direction, line, account, peer, trunk, dialled, number, class, country, destination, prefix, per_minute, source, " +
		"user_agent, a_leg, b_leg, begun, answered, ended, ring, talk, retail, cost, ended_by, reason, words, status, " +
		"carrier_talk, refused, cause, parent",
	func(c *call.CDR) []any {
		return []any{
			&c.ID, &c.Direction, &c.Line, &c.Account, &c.Peer, &c.Trunk, &c.Dialled, &c.Number, &c.Class, &c.Country, &c.Rate, &c.Prefix,
			&c.PerMinute, &c.Source, &c.UserAgent, &c.ALeg, &c.BLeg, &c.Begun, &c.AnsweredAt, &c.Ended, &c.Ring, &c.Talk, &c.Retail,
			&c.Cost, &c.By, &c.Reason, &c.Text, &c.Status, &c.CarrierTalk, &c.Refused, &c.Cause, &c.Parent,
		}
	},
}

var facts = table[store.Fact]{
	"fact", "the journal", 1,
	"seq, at, kind, version, key, line, account, call, body, proof",
	func(f *store.Fact) []any {
		return []any{&f.Seq, &f.At, &f.Kind, &f.Version, &f.Key, &f.Line, &f.Account, &f.Call, &f.Body, &f.Proof}
	},
}

// Columns of the tables that engines write in bulk, in the order of the Values functions.
var (
	OpenColumns = opens.columns
	CDRColumns  = cdrs.columns
	FactColumns = strings.TrimPrefix(facts.columns, "seq, ")
)

// OnceFacts ends the statement that writes facts: one whose key is there is left out.
const OnceFacts = " ON CONFLICT (key) WHERE key <> '' DO NOTHING"

// OpenValues are the values of OpenColumns.
func OpenValues(c *call.Open) []any { return must(opens.row(c)) }

// CDRValues are the values of CDRColumns.
func CDRValues(c *call.CDR) []any { return must(cdrs.row(c)) }

// FactValues are the values of FactColumns, written out: every call has several.
func FactValues(f *store.Fact) []any {
	return []any{
		Micros(f.At), store.Clean(f.Kind), int64(f.Version), store.Clean(f.Key), store.Clean(f.Line), store.Clean(f.Account),
		store.Clean(string(f.Call)), blob(f.Body), blob(f.Proof),
	}
}

// Sealing seals facts as they are written. One goroutine has it at a time.
type Sealing struct{ sealer seal.Sealer }

// Row is FactValues with a fresh proof, and the leaf hash that goes into the tree.
func (s *Sealing) Row(f *store.Fact) ([]any, seal.Hash) {
	x := *f
	for _, text := range [...]*string{&x.Kind, &x.Key, &x.Line, &x.Account, (*string)(&x.Call)} {
		*text = store.Clean(*text)
	}
	var salt seal.Salt
	_, _ = rand.Read(salt[:]) // never fails
	x.Proof = seal.Proof(&salt)
	leaf := s.sealer.Leaf(&x, &salt)
	return FactValues(&x), leaf
}

// UpdateValues are what OpUpdate overwrites: state, trunk, b_leg, cost, ringing, answered, anchor, ending, the snapshot if
// there is one, and unproven.
func UpdateValues(c *call.Open) []any {
	return must([]any{
		&c.State, &c.Trunk, &c.BLeg, (*quote)(&c.Cost), &c.Ringing, &c.AnsweredAt, (*anchor)(&c.Anchor), (*end)(&c.End), &c.Snapshot, &c.Unproven,
	})
}

// must is for rows of the money path, whose values can always be written.
func must(row []any) []any {
	out, _ := values(row)
	return out
}

// HeldOf makes a Held of the columns node, purses, held and paid_for.
func HeldOf(node, list string, held, paidFor int64) Held {
	return Held{Node: node, Purses: splitPurses(list), Amount: money.Micro(held), PaidFor: time.Duration(paidFor)}
}
