// Package storetest is the one test of the store: what the contract in package store says, run on every engine. It must
// not know how an engine works, and gives none of them an excuse.
package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// Run tests a whole engine. open makes an empty store that is closed at the end of the test.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	RunMoney(t, func(t *testing.T) store.Money { return open(t) })
	for _, c := range book {
		t.Run("Book/"+c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
	RunStages(t, open)
	for _, c := range accounts {
		t.Run("Accounts/"+c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
	t.Run("Marks", func(t *testing.T) { marks(t, open(t)) })
}

// accounts are of the parts that only whole engines have: what is owed, what is disputed, and what proves it.
var accounts = []struct {
	name string
	run  func(t *testing.T, s store.Store)
}{
	{"Archives", archives},
	{"Cases", casesOfFraud},
	{"Checkpoints", checkpoints},
	{"OldCalls", oldCalls},
	{"OldRest", oldRest},
	{"Seals", seals},
	{"Settling", settling},
	{"TheBooks", theBooks},
	{"TheDue", theDue},
	{"TheBills", theBills},
	{"CreditsByHand", creditsByHand},
	{"CallsAreLeft", callsAreLeft},
	{"Erasing", erasing},
	{"YearsOfBooks", yearsOfBooks},
}

// RunMoney tests the part of the ledger.
func RunMoney(t *testing.T, open func(t *testing.T) store.Money) {
	for _, c := range moneyCases {
		t.Run("Money/"+c.name, func(t *testing.T) {
			m := open(t)
			c.run(t, m)
			clean(t, m)
		})
	}
}

// T0 is the instant that tests count from; not a whole millisecond, so that a store of milliseconds is found out.
var T0 = time.Date(2026, 11, 22, 21, 30, 0, 123_456_000, time.UTC)

// ID makes the nth call id, in the order of n.
func ID(n int) call.ID { return call.ID(fmt.Sprintf("01kb%022d", n)) }

// Call is a call of line with an id and most fields set.
func Call(n int, line string) *call.Open {
	return &call.Open{
		ID: ID(n), Node: "a", Direction: call.Out, State: call.Setup, Line: line,
		Account: "acme", Dialled: "0207 946 0000", Number: "+442079460000", Class: "geographic", Country: "GB",
		Source: "192.0.2.7:5060", UserAgent: "phone/1", ALeg: "a@example", Quote: Quote(),
		PaidFor: time.Minute, Longest: 4 * time.Hour, Begun: T0.Add(time.Duration(n) * time.Second), Cause: call.ForwardBusy, Parent: ID(n + 1000),
	}
}

// Quote is a price with every part set.
func Quote() rating.Quote {
	return rating.Quote{
		Price: rating.Price{
			Prefix: 4420, Name: "UK \"geo\" – Londön\n", Connect: 10, Minimum: 20, First: 30, Step: 6,
			Rates: [rating.NumBands]money.Rate{20_000_000, 15_000_000, 1},
		},
		Calendar: rating.Calendar{Zone: London(), PeakFrom: 8 * time.Hour, PeakTill: 18 * time.Hour},
		Start:    T0,
	}
}

// London is a zone that is not UTC.
func London() *time.Location {
	z, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err) // tests only: a machine without zones
	}
	return z
}

// Open is an OpOpen of Amount in purses "p1", "p2" … with the caps given.
func Open(c *call.Open, amount money.Micro, holds ...store.Hold) store.Op {
	return store.Op{Kind: store.OpOpen, ID: c.ID, Holds: holds, Amount: amount, Call: c, Facts: []store.Fact{Fact("call.admitted", c)}}
}

// Extend holds more for a call, up to paid.
func Extend(c *call.Open, amount money.Micro, paid time.Duration, holds ...store.Hold) store.Op {
	next := *c
	next.PaidFor = paid
	return store.Op{Kind: store.OpExtend, ID: c.ID, Holds: holds, Amount: amount, Call: &next, Facts: []store.Fact{Fact("slice.held", c)}}
}

// Settle ends a call at a price.
func Settle(c *call.Open, retail money.Micro) store.Op {
	return store.Op{Kind: store.OpSettle, ID: c.ID, CDR: Record(c, retail), Facts: []store.Fact{Fact("call.settled", c)}}
}

// Record is the CDR of a call.
func Record(c *call.Open, retail money.Micro) *call.CDR {
	return &call.CDR{
		ID: c.ID, Direction: c.Direction, Line: c.Line, Account: c.Account, Peer: c.Peer, Trunk: "carrier", Dialled: c.Dialled,
		Number: c.Number, Class: c.Class, Country: c.Country, Rate: "UK", Prefix: "4420", PerMinute: 20_000_000,
		Source: c.Source, UserAgent: c.UserAgent, ALeg: c.ALeg, BLeg: "b@example", Begun: c.Begun, Cause: c.Cause, Parent: c.Parent,
		AnsweredAt: c.Begun.Add(time.Second), Ended: c.Begun.Add(time.Minute), Ring: time.Second, Talk: 59*time.Second + 1,
		Retail: retail, Cost: retail / 2, By: call.Callee, Reason: "hangup", Text: "the callee hung up", Status: 200, CarrierTalk: time.Minute + 1,
	}
}

// Fact is a fact about a call.
func Fact(kind string, c *call.Open) store.Fact {
	return store.Fact{At: T0, Kind: kind, Line: c.Line, Account: c.Account, Call: c.ID, Body: []byte(`{"a":1}`)}
}

// In names one purse and its cap.
func In(purse string, cap money.Micro) store.Hold { return store.Hold{Purse: purse, Cap: cap} }

// apply runs a group and wants no error.
func apply(t *testing.T, m store.Money, ops ...store.Op) []store.Outcome {
	t.Helper()
	out, err := m.Apply(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != len(ops) {
		t.Fatalf("%d outcomes of %d ops", len(out), len(ops))
	}
	return out
}

// want runs a group and compares its outcomes.
func want(t *testing.T, m store.Money, ops []store.Op, outs ...store.Outcome) {
	t.Helper()
	got := apply(t, m, ops...)
	for i := range got {
		if got[i] != outs[i] {
			t.Fatalf("op %d: %+v, want %+v", i, got[i], outs[i])
		}
	}
}

// wantPurse compares a balance.
func wantPurse(t *testing.T, m store.Money, id string, spent, held money.Micro) {
	t.Helper()
	got, err := m.Purses(t.Context(), []string{id})
	if err != nil {
		t.Fatal(err)
	}
	if w := []store.Purse{{ID: id, Spent: spent, Held: held}}; !slices.Equal(got, w) {
		t.Fatalf("purse %+v, want %+v", got, w)
	}
}

// kinds reads the journal's kinds in order.
func kinds(t *testing.T, m store.Money, f store.FactFilter) []string {
	t.Helper()
	facts, err := m.Facts(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	last := f.After
	for _, x := range facts {
		if x.Seq <= last {
			t.Fatalf("seq %d after %d", x.Seq, last)
		}
		last = x.Seq
		out = append(out, x.Kind)
	}
	return out
}

// clean wants Check to find nothing.
func clean(t *testing.T, m store.Money) {
	t.Helper()
	faults, err := m.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) > 0 {
		t.Fatalf("money does not add up: %q", faults)
	}
}

// same compares what came back with what went in.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// settings says something of every kind.
func settings() account.Settings {
	s := account.Settings{Nets: prefixes("192.0.2.0/24", "2001:db8::/32")}
	s.Values[account.LineDayCap] = account.Value{Set: true, N: 1<<63 - 1}
	s.Values[account.Premium] = account.Value{Set: true, N: 1, Granted: true, Until: T0}
	s.Restrictions = restrictions()
	return s
}

// restrictions are in the form in which they are read.
func restrictions() []restrict.Restriction {
	names, _ := restrict.ParseSet("abroad, LV, +44843")
	hours, _ := restrict.ParseHours("mon-fri 18:00-08:00, 2026-12-25")
	return []restrict.Restriction{{ID: 7, Names: names, Hours: hours, Since: T0, Until: T0.Add(time.Hour), Ends: true, By: "staff", Why: "x"}}
}
