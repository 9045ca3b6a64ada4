package sqlstore

import (
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/state/store"
)

var opens = table[call.Open]{"open_call", "open calls", 1, func(c *call.Open) []column {
	return []column{
		{"id", &c.ID},
		{"node", &c.Node},
		{"lease", &c.Lease},
		{"direction", &c.Direction},
		{"state", &c.State},
		{"line", &c.Line},
		{"account", &c.Account},
		{"peer", &c.Peer},
		{"trunk", &c.Trunk},
		{"dialled", &c.Dialled},
		{"number", &c.Number},
		{"class", &c.Class},
		{"country", &c.Country},
		{"source", &c.Source},
		{"user_agent", &c.UserAgent},
		{"a_leg", &c.ALeg},
		{"b_leg", &c.BLeg},
		{"quote", quote{&c.Quote}},
		{"cost", quote{&c.Cost}},
		{"purses", purses{&c.Purses}},
		{"held", &c.Held},
		{"paid_for", &c.PaidFor},
		{"longest", &c.Longest},
		{"begun", &c.Begun},
		{"ringing", &c.Ringing},
		{"answered", &c.AnsweredAt},
		{"anchor", anchor{&c.Anchor}},
		{"ending", end{&c.End}},
		{"snapshot", &c.Snapshot},
		{"unproven", &c.Unproven},
	}
}}

var cdrs = table[call.CDR]{"cdr", "call records", 1, func(c *call.CDR) []column {
	return []column{
		{"id", &c.ID},
		{"direction", &c.Direction},
		{"line", &c.Line},
		{"account", &c.Account},
		{"peer", &c.Peer},
		{"trunk", &c.Trunk},
		{"dialled", &c.Dialled},
		{"number", &c.Number},
		{"class", &c.Class},
		{"country", &c.Country},
		{"destination", &c.Rate},
		{"prefix", &c.Prefix},
		{"per_minute", &c.PerMinute},
		{"source", &c.Source},
		{"user_agent", &c.UserAgent},
		{"a_leg", &c.ALeg},
		{"b_leg", &c.BLeg},
		{"begun", &c.Begun},
		{"answered", &c.AnsweredAt},
		{"ended", &c.Ended},
		{"ring", &c.Ring},
		{"talk", &c.Talk},
		{"retail", &c.Retail},
		{"cost", &c.Cost},
		{"ended_by", &c.By},
		{"reason", &c.Reason},
		{"words", &c.Text},
		{"status", &c.Status},
		{"carrier_talk", &c.CarrierTalk},
		{"refused", &c.Refused},
	}
}}

var facts = table[store.Fact]{"fact", "the journal", 1, func(f *store.Fact) []column {
	return []column{
		{"seq", &f.Seq},
		{"at", &f.At},
		{"kind", &f.Kind},
		{"version", &f.Version},
		{"key", &f.Key},
		{"line", &f.Line},
		{"account", &f.Account},
		{"call", &f.Call},
		{"body", &f.Body},
		{"proof", &f.Proof},
	}
}}

// Columns of the tables that engines write in bulk, in the order of the Values functions.
var (
	OpenColumns = strings.Join(opens.columns(), ", ")
	CDRColumns  = strings.Join(cdrs.columns(), ", ")
	FactColumns = strings.Join(facts.columns()[1:], ", ")
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

// UpdateValues are what OpUpdate overwrites: state, trunk, b_leg, cost, ringing, answered, anchor, ending, the snapshot if
// there is one, and unproven.
func UpdateValues(c *call.Open) []any {
	return must([]column{
		{"state", &c.State},
		{"trunk", &c.Trunk},
		{"b_leg", &c.BLeg},
		{"cost", quote{&c.Cost}},
		{"ringing", &c.Ringing},
		{"answered", &c.AnsweredAt},
		{"anchor", anchor{&c.Anchor}},
		{"ending", end{&c.End}},
		{"snapshot", &c.Snapshot},
		{"unproven", &c.Unproven},
	})
}

// must is for rows of the money path: whatever is in them can be written.
func must(row []column) []any {
	out, _ := values(row)
	return out
}

// HeldOf makes a Held of the columns node, purses, held and paid_for.
func HeldOf(node, list string, held, paidFor int64) Held {
	return Held{Node: node, Purses: splitPurses(list), Amount: money.Micro(held), PaidFor: time.Duration(paidFor)}
}
