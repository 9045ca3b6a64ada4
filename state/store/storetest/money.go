package storetest

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/state/store"
)

type moneyCase struct {
	name string
	run  func(t *testing.T, m store.Money)
}

var moneyCases = []moneyCase{
	{"LifeOfACall", lifeOfACall},
	{"RefusalLeavesNothing", refusalLeavesNothing},
	{"ExactCap", exactCap},
	{"RoomIsTheLeast", roomIsTheLeast},
	{"MostHolds", mostHolds},
	{"OrderWithinAGroup", orderWithinAGroup},
	{"RefusedOpsDoNotDisturbOthers", refusedOpsDoNotDisturbOthers},
	{"RepeatsAreHarmless", repeatsAreHarmless},
	{"MoreMoneyForLessTalk", moreMoneyForLessTalk},
	{"OpenAfterSettleIsARepeat", openAfterSettleIsARepeat},
	{"MissingCalls", missingCalls},
	{"Overspend", overspend},
	{"OpenAndSettleInOneGroup", openAndSettleInOneGroup},
	{"FreeCalls", freeCalls},
	{"Extremes", extremes},
	{"InvalidOps", invalidOps},
	{"EveryFieldOfACall", everyFieldOfACall},
	{"OnlyItsOwnNode", onlyItsOwnNode},
	{"SnapshotsStay", snapshotsStay},
	{"TakenByItsLeg", takenByItsLeg},
	{"EndedElsewhere", endedElsewhere},
	{"HeardElsewhere", heardElsewhere},
	{"HeardAtOnce", heardAtOnce},
	{"EveryFieldOfARecord", everyFieldOfARecord},
	{"AnyText", anyText},
	{"Leases", leases},
	{"CDRFilters", cdrFilters},
	{"FactFilters", factFilters},
	{"FactsByKind", factsByKind},
	{"FactsAreKeptOnce", factsAreKeptOnce},
	{"RefusedCalls", refusedCalls},
	{"CDRSides", cdrSides},
	{"FactsFromTheEnd", factsFromTheEnd},
	{"LargeGroup", largeGroup},
	{"HotPurse", hotPurse},
	{"Race", racing},
	{"Stampede", stampede},
	{"Ping", ping},
	{"CancelledContext", cancelledContext},
}

// mostHolds: a call holds in the four purses of its line and account and in that of a probation, all or none.
func mostHolds(t *testing.T, m store.Money) {
	c := Call(1, "100")
	holds := []store.Hold{In("a", 100), In("b", 100), In("c", 100), In("d", 100), In("probation/100/192.0.2.7/2026-11-29", 50)}
	want(t, m, []store.Op{Open(c, 30, holds...)}, store.Outcome{})
	want(t, m, []store.Op{Extend(c, 21, 2*time.Minute, holds...)}, store.Outcome{Refused: true, Purse: holds[4].Purse, Room: 20})
	want(t, m, []store.Op{Extend(c, 20, 2*time.Minute, holds...)}, store.Outcome{})
	for _, h := range holds {
		wantPurse(t, m, h.Purse, 0, 50)
	}
	want(t, m, []store.Op{Settle(c, 45)}, store.Outcome{})
	for _, h := range holds {
		wantPurse(t, m, h.Purse, 45, 0)
	}
	clean(t, m)
}

func lifeOfACall(t *testing.T, m store.Money) {
	c := Call(1, "100")
	want(t, m, []store.Op{Open(c, 40, In("line/100/day", 100), In("account/acme/day", 1000))}, store.Outcome{})
	wantPurse(t, m, "line/100/day", 0, 40)
	wantPurse(t, m, "account/acme/day", 0, 40)
	clean(t, m)

	answered := *c
	answered.State, answered.AnsweredAt, answered.Trunk, answered.Snapshot = call.Answered, T0, "carrier", []byte{0, 1, 255}
	want(t, m, []store.Op{{Kind: store.OpUpdate, ID: c.ID, Call: &answered}}, store.Outcome{})
	want(t, m, []store.Op{Extend(c, 30, 2*time.Minute, In("line/100/day", 100), In("account/acme/day", 1000))}, store.Outcome{})
	wantPurse(t, m, "line/100/day", 0, 70)
	clean(t, m)

	open, err := m.OpenCalls(t.Context(), "a")
	ok(t, err)
	if len(open) != 1 || open[0].Held != 70 || open[0].PaidFor != 2*time.Minute || open[0].State != call.Answered ||
		string(open[0].Snapshot) != "\x00\x01\xff" {
		t.Fatalf("open call %+v", open)
	}

	want(t, m, []store.Op{Settle(c, 55)}, store.Outcome{})
	wantPurse(t, m, "line/100/day", 55, 0)
	wantPurse(t, m, "account/acme/day", 55, 0)
	open, err = m.OpenCalls(t.Context(), "")
	ok(t, err)
	same(t, "open calls", open, []call.Open(nil))
	same(t, "journal", kinds(t, m, store.FactFilter{}), []string{"call.admitted", "slice.held", "call.settled"})
}

func refusalLeavesNothing(t *testing.T, m store.Money) {
	apply(t, m, Open(Call(1, "100"), 60, In("p1", 100), In("p2", 100)))
	c := Call(2, "100")
	want(t, m, []store.Op{Open(c, 50, In("p0", 100), In("p2", 100), In("p3", 100))},
		store.Outcome{Refused: true, Purse: "p2", Room: 40})
	wantPurse(t, m, "p0", 0, 0)
	wantPurse(t, m, "p2", 0, 60)
	wantPurse(t, m, "p3", 0, 0)
	open, err := m.OpenCalls(t.Context(), "")
	ok(t, err)
	if len(open) != 1 {
		t.Fatalf("%d open calls", len(open))
	}
	same(t, "journal", kinds(t, m, store.FactFilter{}), []string{"call.admitted"})
	want(t, m, []store.Op{Settle(c, 0)}, store.Outcome{Missing: true})
}

func exactCap(t *testing.T, m store.Money) {
	want(t, m, []store.Op{Open(Call(1, "l"), 100, In("p", 99))}, store.Outcome{Refused: true, Purse: "p", Room: 99})
	want(t, m, []store.Op{Open(Call(1, "l"), 100, In("p", 100))}, store.Outcome{})
	want(t, m, []store.Op{Open(Call(2, "l"), 1, In("p", 100))}, store.Outcome{Refused: true, Purse: "p"})
	want(t, m, []store.Op{Open(Call(2, "l"), 1, In("p", 101))}, store.Outcome{})
	// Spent money counts like held money.
	apply(t, m, Settle(Call(1, "l"), 70))
	want(t, m, []store.Op{Open(Call(3, "l"), 30, In("p", 100))}, store.Outcome{Refused: true, Purse: "p", Room: 29})
	// A cap lowered below what is spent leaves no room, not a negative one; nor for holding nothing.
	want(t, m, []store.Op{Open(Call(4, "l"), 0, In("p", 70))}, store.Outcome{Refused: true, Purse: "p"})
	want(t, m, []store.Op{Open(Call(4, "l"), 0, In("p", -1))}, store.Outcome{Refused: true, Purse: "p"})
}

func roomIsTheLeast(t *testing.T, m store.Money) {
	apply(t, m, Open(Call(1, "l"), 10, In("p1", 100), In("p2", 100)))
	want(t, m, []store.Op{Open(Call(2, "l"), 95, In("p0", 200), In("p1", 100), In("p2", 50), In("p3", 7))},
		store.Outcome{Refused: true, Purse: "p1", Room: 7})
	want(t, m, []store.Op{Extend(Call(1, "l"), 95, time.Hour, In("p2", 50), In("p1", 100))},
		store.Outcome{Refused: true, Purse: "p2", Room: 40})
}

func orderWithinAGroup(t *testing.T, m store.Money) {
	c1, c2, c3 := Call(1, "l"), Call(2, "l"), Call(3, "l")
	want(t, m, []store.Op{
		Open(c1, 60, In("p", 100)),
		Open(c2, 60, In("p", 100)), // before the settlement: no room
		Settle(c1, 10),
		Open(c2, 60, In("p", 100)), // after it: room
		Open(c3, 40, In("p", 100)), // 10 spent, 60 held
		Open(c3, 30, In("p", 100)),
	}, store.Outcome{}, store.Outcome{Refused: true, Purse: "p", Room: 40}, store.Outcome{}, store.Outcome{},
		store.Outcome{Refused: true, Purse: "p", Room: 30}, store.Outcome{})
	wantPurse(t, m, "p", 10, 90)
	// Caps differ from op to op.
	want(t, m, []store.Op{
		Open(Call(4, "l"), 1, In("p", 1000)), Open(Call(5, "l"), 1, In("p", 101)), Open(Call(6, "l"), 1, In("p", 103)),
	}, store.Outcome{}, store.Outcome{Refused: true, Purse: "p"}, store.Outcome{})
}

func refusedOpsDoNotDisturbOthers(t *testing.T, m store.Money) {
	var ops []store.Op
	var outs []store.Outcome
	for i := range 20 {
		ops = append(ops, Open(Call(i, "l"), 30, In("p", 100), In("q", 1000)))
		if i < 3 {
			outs = append(outs, store.Outcome{})
		} else {
			outs = append(outs, store.Outcome{Refused: true, Purse: "p", Room: 10})
		}
	}
	ops = append(ops, Open(Call(30, "l"), 10, In("p", 100), In("q", 1000)), Open(Call(31, "m"), 5, In("q", 1000)))
	want(t, m, ops, append(outs, store.Outcome{}, store.Outcome{})...)
	wantPurse(t, m, "p", 0, 100)
	wantPurse(t, m, "q", 0, 105)
	if got := kinds(t, m, store.FactFilter{}); len(got) != 5 {
		t.Fatalf("facts of refused ops: %q", got)
	}
}

func repeatsAreHarmless(t *testing.T, m store.Money) {
	c := Call(1, "l")
	open, extend := Open(c, 10, In("p", 100)), Extend(c, 10, 2*time.Minute, In("p", 100))
	dup := store.Outcome{Duplicate: true}
	want(t, m, []store.Op{open, open}, store.Outcome{}, dup)
	want(t, m, []store.Op{open}, dup)
	want(t, m, []store.Op{extend, extend}, store.Outcome{}, dup)
	want(t, m, []store.Op{extend, open}, dup, dup)
	wantPurse(t, m, "p", 0, 20)
	// A repeat is known even where there would be no room for it now.
	apply(t, m, Open(Call(2, "l"), 80, In("p", 100)))
	want(t, m, []store.Op{open, extend}, dup, dup)
	want(t, m, []store.Op{Settle(c, 15), Settle(c, 15)}, store.Outcome{}, dup)
	want(t, m, []store.Op{Settle(c, 20)}, dup)
	wantPurse(t, m, "p", 15, 80)
	same(t, "journal", kinds(t, m, store.FactFilter{Call: c.ID}), []string{"call.admitted", "slice.held", "call.settled"})
}

// moreMoneyForLessTalk: a call that rang into a dearer band holds more for less time than when it was opened. That is no repeat, and must be held.
func moreMoneyForLessTalk(t *testing.T, m store.Money) {
	c := Call(1, "l")
	c.Held = 10
	hold := In("p", 100)
	more := Extend(c, 20, 30*time.Second, hold)
	more.Call.Held = 30
	c.PaidFor = time.Hour
	want(t, m, []store.Op{Open(c, 10, hold), more, more}, store.Outcome{}, store.Outcome{}, store.Outcome{Duplicate: true})
	again := Extend(c, 5, 20*time.Second, hold)
	again.Call.Held = 35
	want(t, m, []store.Op{again, again}, store.Outcome{}, store.Outcome{Duplicate: true})
	longer := Extend(c, 0, 40*time.Second, hold) // a band without a price needs time, and no money
	longer.Call.Held = 35
	want(t, m, []store.Op{longer, longer}, store.Outcome{}, store.Outcome{Duplicate: true})
	want(t, m, []store.Op{Settle(c, 35)}, store.Outcome{})
}

func openAfterSettleIsARepeat(t *testing.T, m store.Money) {
	// An OpOpen whose answer was lost, voided, and then tried again must not hold money that nobody gives back.
	c := Call(1, "l")
	apply(t, m, Open(c, 10, In("p", 100)), Settle(c, 0))
	want(t, m, []store.Op{Open(c, 10, In("p", 100))}, store.Outcome{Duplicate: true})
	want(t, m, []store.Op{Open(c, 10, In("p", 100)), Settle(c, 0)}, store.Outcome{Duplicate: true}, store.Outcome{Duplicate: true})
	want(t, m, []store.Op{Extend(c, 10, time.Hour, In("p", 100))}, store.Outcome{Missing: true})
	wantPurse(t, m, "p", 0, 0)
}

func missingCalls(t *testing.T, m store.Money) {
	c := Call(1, "l")
	miss := store.Outcome{Missing: true}
	want(t, m, []store.Op{Extend(c, 1, time.Hour, In("p", 100)), {Kind: store.OpUpdate, ID: c.ID, Call: c}, Settle(c, 0)}, miss, miss, miss)
	wantPurse(t, m, "p", 0, 0)
	same(t, "journal", kinds(t, m, store.FactFilter{}), []string(nil))
	if _, err := m.CDR(t.Context(), c.ID); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a record of no call: %v", err)
	}
}

func overspend(t *testing.T, m store.Money) {
	c := Call(1, "l")
	apply(t, m, Open(c, 10, In("p", 100), In("q", 100)))
	want(t, m, []store.Op{Settle(c, 11)}, store.Outcome{Overspend: true})
	wantPurse(t, m, "p", 0, 10)
	want(t, m, []store.Op{Settle(c, 10)}, store.Outcome{})
	wantPurse(t, m, "q", 10, 0)
}

func openAndSettleInOneGroup(t *testing.T, m store.Money) {
	c := Call(1, "l")
	update := store.Op{Kind: store.OpUpdate, ID: c.ID, Call: c}
	want(t, m, []store.Op{Open(c, 50, In("p", 100)), Extend(c, 10, time.Hour, In("p", 100)), update, Settle(c, 60)},
		store.Outcome{}, store.Outcome{}, store.Outcome{}, store.Outcome{})
	wantPurse(t, m, "p", 60, 0)
	// The same group again, as after a lost answer.
	dup := store.Outcome{Duplicate: true}
	want(t, m, []store.Op{Open(c, 50, In("p", 100)), Extend(c, 10, time.Hour, In("p", 100)), update, Settle(c, 60)},
		dup, store.Outcome{Missing: true}, store.Outcome{Missing: true}, dup)
	// And one whose opening alone took effect before.
	d := Call(2, "l")
	apply(t, m, Open(d, 20, In("p", 100)))
	want(t, m, []store.Op{Open(d, 20, In("p", 100)), Settle(d, 5)}, dup, store.Outcome{})
	wantPurse(t, m, "p", 65, 0)
	clean(t, m)
}

func freeCalls(t *testing.T, m store.Money) {
	c := Call(1, "l")
	want(t, m, []store.Op{Open(c, 0), Extend(c, 0, time.Hour), Settle(c, 0)}, store.Outcome{}, store.Outcome{}, store.Outcome{})
	if _, err := m.CDR(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
}

func extremes(t *testing.T, m store.Money) {
	c := Call(1, "l")
	want(t, m, []store.Op{Open(c, math.MaxInt64, In("p", math.MaxInt64))}, store.Outcome{})
	want(t, m, []store.Op{Open(Call(2, "l"), 1, In("p", math.MaxInt64))}, store.Outcome{Refused: true, Purse: "p"})
	want(t, m, []store.Op{Open(Call(2, "l"), math.MaxInt64, In("p", math.MaxInt64))}, store.Outcome{Refused: true, Purse: "p"})
	want(t, m, []store.Op{Open(Call(2, "l"), 0, In("p", math.MinInt64))}, store.Outcome{Refused: true, Purse: "p"})
	want(t, m, []store.Op{Settle(c, math.MaxInt64)}, store.Outcome{})
	wantPurse(t, m, "p", math.MaxInt64, 0)
	// Two in one group that together overflow, in a purse that nobody has read yet.
	want(t, m, []store.Op{Open(Call(3, "l"), math.MaxInt64, In("q", math.MaxInt64)), Open(Call(4, "l"), math.MaxInt64, In("q", math.MaxInt64))},
		store.Outcome{}, store.Outcome{Refused: true, Purse: "q"})
	wantPurse(t, m, "q", 0, math.MaxInt64)
}

func invalidOps(t *testing.T, m store.Money) {
	c, other := Call(1, "l"), Call(2, "l")
	apply(t, m, Open(Call(9, "l"), 5, In("p", 100), In("q", 100)))
	for name, op := range map[string]store.Op{
		"negative amount":   Open(c, -1, In("p", 100)),
		"no call":           {Kind: store.OpOpen, ID: c.ID},
		"another id":        {Kind: store.OpOpen, ID: ID(7), Call: c},
		"no id":             {Kind: store.OpOpen, Call: &call.Open{Node: "a"}},
		"twice the purse":   Open(c, 1, In("p", 100), In("p", 100)),
		"six purses":        Open(c, 1, In("1", 9), In("2", 9), In("3", 9), In("4", 9), In("5", 9), In("6", 9)),
		"purse of no name":  Open(c, 1, In("", 100)),
		"purse of two":      Open(c, 1, In("a\nb", 100)),
		"invalid UTF-8":     Open(c, 1, In("\xff", 100)),
		"no record":         {Kind: store.OpSettle, ID: c.ID},
		"negative charge":   Settle(c, -1),
		"unknown kind":      {Kind: 99, ID: c.ID},
		"extends elsewhere": Extend(Call(9, "l"), 1, time.Hour, In("p", 100), In("r", 100)),
		"extends too few":   Extend(Call(9, "l"), 1, time.Hour, In("p", 100)),
	} {
		var bad *store.OpError
		_, err := m.Apply(t.Context(), []store.Op{Open(other, 1, In("p", 100)), op})
		if !errors.As(err, &bad) || bad.Index != 1 || !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantPurse(t, m, "p", 0, 5)
	same(t, "journal", kinds(t, m, store.FactFilter{}), []string{"call.admitted"})
	if out, err := m.Apply(t.Context(), nil); err != nil || len(out) != 0 {
		t.Errorf("an empty group: %v %v", out, err)
	}
}

func everyFieldOfACall(t *testing.T, m store.Money) {
	c := Call(1, "100")
	c.Peer, c.Trunk, c.BLeg, c.Cost = "200", "carrier", "b@example", Quote()
	c.Cost.Calendar.Zone = nil
	c.Cost.Price.Short, c.Cost.Price.Prefix = true, math.MaxUint64
	c.Ringing, c.AnsweredAt, c.Snapshot = T0, T0.Add(time.Microsecond), []byte("x")
	c.Anchor = call.Anchor{Boot: "b00t", Uptime: 3*time.Hour + 1, Store: T0.Add(time.Second)}
	apply(t, m, Open(c, 12, In("p1", 100), In("p2", 100)))
	w := *c
	w.Purses, w.Held = []string{"p1", "p2"}, 12
	same(t, "call", openCalls(t, m, "a"), []call.Open{w})
	// OpUpdate overwrites what may change and nothing else.
	u := *c
	u.State, u.Trunk, u.BLeg, u.Cost, u.Ringing, u.AnsweredAt, u.Snapshot = call.Answered, "t2", "b2", Quote(), T0.Add(1000), T0.Add(2000), nil
	u.Anchor = call.Anchor{Uptime: 1, Store: T0}
	u.End = call.End{At: T0.Add(time.Minute), Talk: 59*time.Second + 1, Doubt: 26*time.Second + 1, By: call.Callee, Reason: "hangup", Text: "the \"other\" party\nhung up", Status: 200}
	u.Unproven = 90*time.Second + 1
	u.Line, u.Number, u.PaidFor, u.Node, u.Held = "x", "x", 1, "x", 999
	apply(t, m, store.Op{Kind: store.OpUpdate, ID: c.ID, Call: &u})
	w.State, w.Trunk, w.BLeg, w.Cost, w.Ringing, w.AnsweredAt, w.Snapshot = u.State, u.Trunk, u.BLeg, u.Cost, u.Ringing, u.AnsweredAt, c.Snapshot
	w.Anchor, w.End, w.Unproven = u.Anchor, u.End, u.Unproven
	w.Ringing, w.AnsweredAt = w.Ringing.Truncate(time.Microsecond), w.AnsweredAt.Truncate(time.Microsecond)
	same(t, "updated call", openCalls(t, m, ""), []call.Open{w})
	// What is not set comes back as the zero value.
	apply(t, m, Settle(c, 0), Open(&call.Open{ID: ID(2), Node: "b"}, 0))
	same(t, "empty call", openCalls(t, m, ""), []call.Open{{ID: ID(2), Node: "b"}})
}

// A call that another node has taken over is not extended, changed or settled by the node that had it, which may have
// been away and not know: two nodes would meter one call.
func onlyItsOwnNode(t *testing.T, m store.Money) {
	c := Call(1, "100")
	left := Open(c, 10, In("p", 100))
	left.Lease = -time.Hour
	apply(t, m, left)
	as := func(node string, op store.Op) store.Op { op.Node = node; return op }
	moved := store.Outcome{Moved: true}
	update := store.Op{Kind: store.OpUpdate, ID: c.ID, Call: c, Facts: []store.Fact{Fact("call.updated", c)}}
	want(t, m, []store.Op{as("b", Extend(c, 5, time.Hour, In("p", 100))), as("b", update), as("b", Settle(c, 1))}, moved, moved, moved)
	wantPurse(t, m, "p", 0, 10)
	_, err := m.Claim(t.Context(), "b", time.Hour)
	ok(t, err)
	want(t, m, []store.Op{as("a", Extend(c, 5, time.Hour, In("p", 100))), as("a", update), as("a", Settle(c, 1))}, moved, moved, moved)
	want(t, m, []store.Op{as("b", Extend(c, 5, time.Hour, In("p", 100))), as("b", update), as("b", Settle(c, 7))}, store.Outcome{}, store.Outcome{}, store.Outcome{})
	wantPurse(t, m, "p", 7, 0)
	same(t, "journal", kinds(t, m, store.FactFilter{}), []string{"call.admitted", "slice.held", "call.updated", "call.settled"})
	// Once it is settled a repeat is a repeat, no matter who sends it.
	want(t, m, []store.Op{as("a", Settle(c, 7))}, store.Outcome{Duplicate: true})
}

// A call whose peer speaks to another node is taken over by that one, whatever its lease says.
func takenByItsLeg(t *testing.T, m store.Money) {
	one, two := Call(1, "100"), Call(2, "100")
	one.ALeg, one.BLeg, two.ALeg, two.BLeg = "a-1", "b-1", "a-2", "b-2"
	for _, c := range []*call.Open{one, two} {
		op := Open(c, 10, In("p", 100))
		op.Lease = time.Hour
		apply(t, m, op)
	}
	for _, c := range []struct {
		node, leg string
		want      []call.ID
	}{
		{"b", "nobody's", nil},
		{"b", "", nil},
		{"a", "a-1", nil},
		{"b", "a-1", []call.ID{one.ID}},
		{"b", "b-1", nil},
		{"b", "b-2", []call.ID{two.ID}},
		{"a", "b-1", []call.ID{one.ID}},
	} {
		got, err := m.Take(t.Context(), c.node, time.Hour, "", c.leg, false)
		ok(t, err)
		var ids []call.ID
		for _, x := range got {
			ids = append(ids, x.ID)
			if x.Node != c.node || x.Held != 10 {
				t.Errorf("taken as %+v", x)
			}
		}
		same(t, c.node+" takes "+c.leg, ids, c.want)
	}
	if got, err := m.Take(t.Context(), "c", time.Hour, one.ID, "not yet known", false); err != nil || len(got) != 1 || got[0].ID != one.ID {
		t.Errorf("by its id: %+v %v", got, err)
	}
	apply(t, m, Settle(one, 1), Settle(two, 1))
}

// A node that stood still while another one took its call over, and ended it, hears of that end too. The record is the other's, who knows when
// each leg was over, unless that node has died.
func endedElsewhere(t *testing.T, m store.Money) {
	for i, c := range []struct {
		state  call.State
		lease  time.Duration // of the call itself, and
		node   time.Duration // of its node; 0: none
		ending bool          // what this node heard is news also then
		stays  bool
	}{
		{call.Setup, time.Hour, 0, false, false},
		{call.Answered, time.Hour, 0, false, false},
		{call.Ending, time.Hour, 0, false, true},
		{call.Ending, -time.Hour, time.Hour, false, true},
		{call.Ending, -time.Hour, 0, false, false},
		{call.Ending, time.Hour, 0, true, false},
	} {
		o := Call(i+1, "100")
		o.Node, o.BLeg = fmt.Sprintf("holder-%d", i), fmt.Sprintf("b-%d", i)
		op := Open(o, 10, In("p", 100))
		op.Lease = c.lease
		apply(t, m, op)
		o.State, o.End = c.state, call.End{At: T0, Talk: time.Minute, By: call.Callee, Reason: "hangup", Status: 200}
		apply(t, m, store.Op{Kind: store.OpUpdate, ID: o.ID, Node: o.Node, Call: o})
		if c.node != 0 {
			ok(t, m.Renew(t.Context(), o.Node, c.node))
		}
		got, err := m.Take(t.Context(), "woken", time.Hour, o.ID, "", c.ending)
		ok(t, err)
		holder := "woken"
		if c.stays {
			holder = o.Node
		}
		if len(got) != 1 || got[0].Node != holder || got[0].End != o.End {
			t.Errorf("%+v: got %+v", c, got)
		}
		for _, as := range []string{o.Node, "woken"} {
			end := Settle(o, 1)
			end.Node = as
			out, err := m.Apply(t.Context(), []store.Op{end})
			ok(t, err)
			if wrote := out[0] == (store.Outcome{}); wrote != (as == holder) {
				t.Errorf("%+v: settled by %s: %+v", c, as, out[0])
			}
			if as == holder {
				break
			}
		}
	}
}

// An update without a snapshot leaves the dialogs that are stored, also when both come in one group.
func snapshotsStay(t *testing.T, m store.Money) {
	c := Call(1, "100")
	c.Snapshot = []byte("first")
	with, without := *c, *c
	with.Snapshot, without.Snapshot, without.State = []byte("second"), nil, call.Ending
	update := func(c call.Open) store.Op { return store.Op{Kind: store.OpUpdate, ID: c.ID, Call: &c} }
	snapshot := func() string {
		open, err := m.OpenCalls(t.Context(), "")
		ok(t, err)
		return string(open[0].State) + " " + string(open[0].Snapshot)
	}
	apply(t, m, Open(c, 0), update(without))
	same(t, "opened and updated", snapshot(), "ending first")
	apply(t, m, update(without))
	same(t, "updated", snapshot(), "ending first")
	apply(t, m, update(with), update(without))
	same(t, "in one group", snapshot(), "ending second")
}

func everyFieldOfARecord(t *testing.T, m store.Money) {
	c := Call(1, "100")
	c.Peer = "200"
	op := Settle(c, 7)
	op.CDR.AnsweredAt = op.CDR.AnsweredAt.In(London())
	apply(t, m, Open(c, 12, In("p", 100)), op)
	got, err := m.CDR(t.Context(), c.ID)
	ok(t, err)
	same(t, "record", got, *Record(c, 7))
	apply(t, m, Open(Call(2, "l"), 0), store.Op{Kind: store.OpSettle, ID: ID(2), CDR: &call.CDR{ID: ID(2)}})
	got, err = m.CDR(t.Context(), ID(2))
	ok(t, err)
	same(t, "empty record", got, call.CDR{ID: ID(2)})
	facts, err := m.Facts(t.Context(), store.FactFilter{})
	ok(t, err)
	f := Fact("call.admitted", c)
	f.Seq = facts[0].Seq
	same(t, "fact", facts[0], f)
}

func anyText(t *testing.T, m store.Money) {
	c := Call(1, "lïne ☎ 'q' \"dq\" \\ %_")
	c.UserAgent, c.Dialled = "bad \xff\xfe nul\x00end \U0001F4DE", "\x00"
	f := Fact("x.y", c)
	f.Body = []byte{0, 0xff, '{'}
	apply(t, m, Open(c, 1, In("line/☎/day", 10)), store.Op{Kind: store.OpRecord, Facts: []store.Fact{f}})
	got, err := m.OpenCalls(t.Context(), "")
	ok(t, err)
	if got[0].UserAgent != "bad \uFFFD nulend \U0001F4DE" || got[0].Dialled != "" || got[0].Line != c.Line {
		t.Fatalf("text came back as %q %q %q", got[0].UserAgent, got[0].Dialled, got[0].Line)
	}
	facts, err := m.Facts(t.Context(), store.FactFilter{Line: c.Line, Kind: "x."})
	ok(t, err)
	if len(facts) != 1 || string(facts[0].Body) != "\x00\xff{" {
		t.Fatalf("facts %+v", facts)
	}
	_, err = m.CDRs(t.Context(), store.CDRFilter{Line: "\xff\x00'; DROP TABLE cdr; --"})
	ok(t, err)
	_, err = m.Purses(t.Context(), []string{"\xff\x00", ""})
	ok(t, err)
	wantPurse(t, m, "line/☎/day", 0, 1)
}

// leases guards that a call is its node's for as long as the node said, and no longer. All instants are of the store's
// clock, so the test gives durations: those of an hour last, those below zero are over.
func leases(t *testing.T, m store.Money) {
	for i, node := range []string{"a", "a", "b", "b"} {
		c := Call(i, "l")
		c.Node = node
		op := Open(c, 1, In("p", 100))
		op.Lease = []time.Duration{-time.Minute, time.Hour, -time.Minute, -time.Minute}[i]
		apply(t, m, op)
	}
	claimed := func(node string, lease time.Duration) []call.ID {
		t.Helper()
		before, err := m.Clock(t.Context())
		ok(t, err)
		calls, err := m.Claim(t.Context(), node, lease)
		ok(t, err)
		after, err := m.Clock(t.Context())
		ok(t, err)
		var out []call.ID
		for _, c := range calls {
			out = append(out, c.ID)
			from := c.Lease.Add(-lease)
			if c.Node != node || from.Before(before.Truncate(time.Microsecond)) || from.After(after) || c.Held != 1 || len(c.Purses) != 1 {
				t.Fatalf("claimed %+v between %v and %v", c, before, after)
			}
		}
		return out
	}
	ok(t, m.Renew(t.Context(), "b", time.Hour))
	same(t, "a node claims none of its own", claimed("a", time.Hour), []call.ID(nil))
	same(t, "one lease is over, two are renewed with their node's", claimed("c", time.Hour), []call.ID{ID(0)})
	same(t, "again", claimed("d", time.Hour), []call.ID(nil))
	ok(t, m.Renew(t.Context(), "b", -time.Second)) // a shorter lease holds too
	same(t, "the node's lease is over", claimed("c", -time.Second), []call.ID{ID(2), ID(3)})
	open, err := m.OpenCalls(t.Context(), "a")
	ok(t, err)
	if len(open) != 1 || open[0].ID != ID(1) {
		t.Fatalf("node a has %+v", open)
	}
	open, err = m.OpenCalls(t.Context(), "c")
	ok(t, err)
	if len(open) != 3 || open[0].ID != ID(0) || open[2].ID != ID(3) {
		t.Fatalf("node c has %+v", open)
	}
	ok(t, m.Renew(t.Context(), "c", time.Hour))
	same(t, "claimed calls are renewed too", claimed("e", time.Hour), []call.ID(nil))
	longer := Extend(Call(1, "l"), 0, 2*time.Minute)
	longer.Lease = -time.Second
	apply(t, m, longer)
	same(t, "an extension sets the lease", claimed("e", time.Hour), []call.ID{ID(1)})
	// The claimed ones are settled as ever.
	want(t, m, []store.Op{Settle(Call(2, "l"), 1)}, store.Outcome{})
	wantPurse(t, m, "p", 1, 3)
}

// openCalls reads open calls without their leases, which are of the store's clock.
func openCalls(t *testing.T, m store.Money, node string) []call.Open {
	t.Helper()
	got, err := m.OpenCalls(t.Context(), node)
	ok(t, err)
	for i := range got {
		got[i].Lease = time.Time{}
	}
	return got
}

func cdrFilters(t *testing.T, m store.Money) {
	var ops []store.Op
	for i := range 250 {
		c := Call(i, []string{"100", "200", "Ä"}[i%3])
		c.Account = []string{"acme", "beta"}[i%2]
		ops = append(ops, Open(c, 0), Settle(c, 0))
	}
	apply(t, m, ops...)
	for _, x := range []struct {
		name string
		f    store.CDRFilter
		ids  []int
	}{
		{"line, from, until", store.CDRFilter{Line: "100", From: T0.Add(10 * time.Second), Until: T0.Add(18 * time.Second)}, []int{15, 12}},
		{"account, before", store.CDRFilter{Account: "beta", Before: ID(8), Limit: 3}, []int{7, 5, 3}},
		{"both", store.CDRFilter{Account: "beta", Line: "Ä", Limit: 2}, []int{245, 239}},
		{"nothing", store.CDRFilter{Line: "300"}, nil},
	} {
		got, err := m.CDRs(t.Context(), x.f)
		ok(t, err)
		var ids, w []call.ID
		for _, c := range got {
			ids = append(ids, c.ID)
		}
		for _, n := range x.ids {
			w = append(w, ID(n))
		}
		same(t, x.name, ids, w)
	}
	got, err := m.CDRs(t.Context(), store.CDRFilter{})
	ok(t, err)
	if len(got) != 100 || got[0].ID != ID(249) {
		t.Fatalf("%d records by default, first %s", len(got), got[0].ID)
	}
	n := 0
	for before := call.ID(""); ; n++ {
		page, err := m.CDRs(t.Context(), store.CDRFilter{Before: before, Limit: 1 + n%40})
		ok(t, err)
		if len(page) == 0 {
			break
		}
		before = page[len(page)-1].ID
	}
}

func factFilters(t *testing.T, m store.Money) {
	var facts []store.Fact
	for _, k := range []string{"call.admitted", "call.refused", "callx.y", "slice.held", "Call.admitted", "cäll.x", "%.x"} {
		facts = append(facts, store.Fact{At: T0, Kind: k, Line: "100", Call: ID(1)}, store.Fact{At: T0, Kind: k})
	}
	apply(t, m, store.Op{Kind: store.OpRecord, Facts: facts})
	same(t, "prefix", kinds(t, m, store.FactFilter{Kind: "call.", Line: "100"}), []string{"call.admitted", "call.refused"})
	same(t, "unicode prefix", kinds(t, m, store.FactFilter{Kind: "cä", Call: ID(1)}), []string{"cäll.x"})
	same(t, "of calls", kinds(t, m, store.FactFilter{Calls: []call.ID{ID(7), ID(1)}, Kind: "call."}), []string{"call.admitted", "call.refused"})
	same(t, "of other calls", kinds(t, m, store.FactFilter{Calls: []call.ID{ID(7), ID(8)}}), []string(nil))
	same(t, "no wildcard", kinds(t, m, store.FactFilter{Kind: "%"}), []string{"%.x", "%.x"})
	if n := len(kinds(t, m, store.FactFilter{})); n != 14 {
		t.Fatalf("%d facts", n)
	}
	all, err := m.Facts(t.Context(), store.FactFilter{Limit: 3})
	ok(t, err)
	rest, err := m.Facts(t.Context(), store.FactFilter{After: all[2].Seq})
	ok(t, err)
	if len(all) != 3 || len(rest) != 11 || rest[0].Kind != "call.refused" || rest[0].Line != "" {
		t.Fatalf("pages of %d and %d, %+v", len(all), len(rest), rest[0])
	}
}

// factsByKind wants the same of a filter by kinds, whether or not an index helps.
func factsByKind(t *testing.T, m store.Money) {
	var facts []store.Fact
	all := []string{"call.admitted", "login.locked", "call.settled", "login.held", "ban.added", "login.locked", "call.refused", "call.refused.counted"}
	for i, k := range all {
		facts = append(facts, store.Fact{At: T0.Add(time.Duration(i) * time.Minute), Kind: k})
	}
	apply(t, m, store.Op{Kind: store.OpRecord, Facts: facts})
	for name, c := range map[string]struct {
		f    store.FactFilter
		want []string
	}{
		"a family":        {store.FactFilter{Kind: "login."}, []string{"login.locked", "login.held", "login.locked"}},
		"of a time":       {store.FactFilter{Kind: "l", From: T0.Add(2 * time.Minute)}, []string{"login.held", "login.locked"}},
		"one":             {store.FactFilter{Kind: "ban.added"}, []string{"ban.added"}},
		"none":            {store.FactFilter{Kind: "moon."}, nil},
		"often":           {store.FactFilter{Kind: "call.refused"}, []string{"call.refused", "call.refused.counted"}},
		"several":         {store.FactFilter{Kinds: []string{"login.held", "ban.added", "x"}}, []string{"login.held", "ban.added"}},
		"several, often":  {store.FactFilter{Kinds: []string{"login.held", "call.settled"}}, []string{"call.settled", "login.held"}},
		"of a family too": {store.FactFilter{Kind: "ban.", Kinds: []string{"login.held", "ban.added"}}, []string{"ban.added"}},
	} {
		same(t, name, kinds(t, m, c.f), c.want)
	}
	last, err := m.Facts(t.Context(), store.FactFilter{Kind: "login.", Before: 1 << 40, Limit: 2})
	if ok(t, err); len(last) != 2 || last[0].Kind != "login.locked" || last[1].Kind != "login.held" || last[0].Seq < last[1].Seq {
		t.Errorf("from the end: %+v", last)
	}
	page, err := m.Facts(t.Context(), store.FactFilter{Kinds: []string{"login.locked"}, Limit: 1})
	ok(t, err)
	same(t, "the next page", kinds(t, m, store.FactFilter{Kinds: []string{"login.locked", "login.held"}, After: page[0].Seq}), []string{"login.held", "login.locked"})
}

// factsAreKeptOnce: a fact whose key is there is refused and said to be a repeat; what stands beside it is written.
func factsAreKeptOnce(t *testing.T, m store.Money) {
	once := store.Fact{At: T0, Kind: "a.x", Version: 2, Key: "☎/1", Line: "100", Account: "acme", Body: []byte(`{}`)}
	plain := store.Fact{At: T0, Kind: "b.x", Version: 1}
	record := func(facts ...store.Fact) store.Op { return store.Op{Kind: store.OpRecord, Facts: facts} }
	same(t, "in a group", apply(t, m, record(plain, once, once), record(once, plain), record(plain)), []store.Outcome{{Repeated: 1}, {Repeated: 1}, {}})
	same(t, "later", apply(t, m, record(once, plain), record(plain)), []store.Outcome{{Repeated: 1}, {}})
	other := once
	other.Key = "☎/2"
	same(t, "another", apply(t, m, record(other)), []store.Outcome{{}})
	same(t, "journal", kinds(t, m, store.FactFilter{}), []string{"b.x", "a.x", "b.x", "b.x", "b.x", "b.x", "a.x"})
	facts, err := m.Facts(t.Context(), store.FactFilter{Kind: "a.", Limit: 1})
	ok(t, err)
	facts[0].Seq = 0
	same(t, "every field", facts[0], once)
	c := Call(1, "100")
	open := Open(c, 10, In("line/100/day", 100))
	open.Facts = append(open.Facts, once)
	want(t, m, []store.Op{open}, store.Outcome{Repeated: 1})
	wantPurse(t, m, "line/100/day", 0, 10)
}

// A refused call leaves its record without ever having been open, and once only however often it is said.
func refusedCalls(t *testing.T, m store.Money) {
	c := Call(1, "100")
	r := Record(c, 0)
	r.Refused, r.AnsweredAt, r.BLeg, r.Reason, r.Status = true, time.Time{}, "", "over-national-ceiling", 403
	op := store.Op{Kind: store.OpRecord, ID: r.ID, CDR: r, Facts: []store.Fact{Fact("call.refused", c)}}
	same(t, "outcomes", apply(t, m, op, op), []store.Outcome{{}, {Duplicate: true}})
	same(t, "again", apply(t, m, op, store.Op{Kind: store.OpRecord, Facts: []store.Fact{Fact("call.refused", c)}}), []store.Outcome{{Duplicate: true}, {}})
	got, err := m.CDR(t.Context(), r.ID)
	ok(t, err)
	same(t, "record", got, *r)
	same(t, "facts", kinds(t, m, store.FactFilter{}), []string{"call.refused", "call.refused"})
	clean(t, m)
	r.ID = ""
	if _, err := m.Apply(t.Context(), []store.Op{{Kind: store.OpRecord, CDR: r}}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a record without an id: %v", err)
	}
}

func cdrSides(t *testing.T, m store.Money) {
	var ops []store.Op
	for i, x := range []struct{ line, peer, country, number, reason string }{
		{"100", "200", "GB", "+442079460200", "hangup"}, // 0: between, as every third
		{"100", "", "DE", "+4930123456", "busy"},
		{"200", "", "CU", "+5351234567", "line-day-cap"},
		{"200", "100", "GB", "+442079460100", "hangup"}, // 3: between
		{"300", "", "GB", "", "not-a-number"},
		{"300", "100", "GB", "+442079460100", "hangup"}, // in, from a trunk that is called like a line
	} {
		c := Call(i, x.line)
		c.Direction = []call.Direction{call.Between, call.Out, call.In}[i%3]
		c.Peer, c.Country, c.Number, c.Dialled = x.peer, x.country, x.number, "d"+x.number
		r := Record(c, 0)
		r.Reason, r.Retail, r.Refused = x.reason, money.Micro(100*i), i == 4
		if r.Talk = time.Duration(i) * time.Second; i == 1 || i == 2 {
			r.Talk = 0
		}
		if i == 0 {
			r.Talk = time.Minute
		}
		r.Begun = T0.Add(time.Duration(i) * 10 * time.Minute)
		ops = append(ops, store.Op{Kind: store.OpRecord, ID: c.ID, CDR: r})
	}
	apply(t, m, ops...)
	for _, x := range []struct {
		name string
		f    store.CDRFilter
		ids  []int
	}{
		{"who pays", store.CDRFilter{Line: "100"}, []int{1, 0}},
		{"both sides", store.CDRFilter{Line: "100", Called: true}, []int{3, 1, 0}},
		{"both sides, a page", store.CDRFilter{Line: "100", Called: true, Limit: 2}, []int{3, 1}},
		{"both sides, the next", store.CDRFilter{Line: "100", Called: true, Limit: 2, Before: ID(1)}, []int{0}},
		{"both sides of all", store.CDRFilter{Called: true, Limit: 2}, []int{5, 4}},
		{"country", store.CDRFilter{Country: "GB"}, []int{5, 4, 3, 0}},
		{"some", store.CDRFilter{Calls: []call.ID{ID(0), ID(4), "nobody's", "\xff"}}, []int{4, 0}},
		{"number", store.CDRFilter{Number: "+5351234567"}, []int{2}},
		{"no number", store.CDRFilter{Number: "d"}, []int{4}},
		{"a number and not what was dialled", store.CDRFilter{Number: "d", Exact: true}, nil},
		{"reason", store.CDRFilter{Reason: "hangup", Line: "200"}, []int{3}},
		{"direction", store.CDRFilter{Direction: call.In}, []int{5, 2}},
		{"digits", store.CDRFilter{Digits: "9460"}, []int{5, 3, 0}},
		{"since", store.CDRFilter{Since: ID(4)}, []int{5, 4}},
		{"refused", store.CDRFilter{Outcome: call.Refused}, []int{4}},
		{"missed", store.CDRFilter{Outcome: call.Missed}, []int{2, 1}},
		{"talked", store.CDRFilter{Outcome: call.Talked, Below: 500}, []int{3, 0}},
		{"amount", store.CDRFilter{Least: 300, Below: 501}, []int{5, 4, 3}},
		{"all at once", store.CDRFilter{Line: "100", Called: true, Country: "GB", Number: "+442079460100", Reason: "hangup", Direction: call.Between, From: T0}, []int{3}},
		{"none", store.CDRFilter{Country: "FR"}, nil},
	} {
		got, err := m.CDRs(t.Context(), x.f)
		ok(t, err)
		var ids, w []call.ID
		for _, c := range got {
			ids = append(ids, c.ID)
		}
		for _, n := range x.ids {
			w = append(w, ID(n))
		}
		same(t, x.name, ids, w)
		for _, by := range []store.SumBy{store.SumAll, store.SumQuarter, store.SumLineCountry, store.SumReason} {
			sums, err := m.Sums(t.Context(), x.f, by)
			ok(t, err)
			if x.f.Limit == 0 {
				same(t, fmt.Sprint("sums of ", x.name, " by ", by), sums, store.SumUp(got, by))
			}
		}
	}
	latest, err := m.Sums(t.Context(), store.CDRFilter{Limit: 2}, store.SumAll)
	ok(t, err)
	same(t, "the sum of the latest", latest, []store.CDRSum{{Calls: 2, Refused: 1, Answered: 1, Talk: 9 * time.Second, Retail: 900}})
}

func factsFromTheEnd(t *testing.T, m store.Money) {
	var facts []store.Fact
	for i, k := range []string{"a.x", "b.x", "a.x", "b.x", "a.x"} {
		facts = append(facts, store.Fact{At: T0.Add(time.Duration(i) * time.Minute), Kind: k, Line: "100"})
	}
	apply(t, m, store.Op{Kind: store.OpRecord, Facts: facts})
	at := func(f store.FactFilter) (minutes []int) {
		got, err := m.Facts(t.Context(), f)
		ok(t, err)
		for _, x := range got {
			minutes = append(minutes, int(x.At.Sub(T0)/time.Minute))
		}
		return minutes
	}
	all, err := m.Facts(t.Context(), store.FactFilter{})
	ok(t, err)
	const end = 1 << 62
	same(t, "newest first", at(store.FactFilter{Before: end}), []int{4, 3, 2, 1, 0})
	same(t, "a page", at(store.FactFilter{Before: end, Limit: 2}), []int{4, 3})
	same(t, "the next", at(store.FactFilter{Before: all[3].Seq, Limit: 2}), []int{2, 1})
	same(t, "of a line and kind", at(store.FactFilter{Before: end, Line: "100", Kind: "a."}), []int{4, 2, 0})
	same(t, "between two", at(store.FactFilter{Before: all[4].Seq, After: all[0].Seq}), []int{3, 2, 1})
	same(t, "from", at(store.FactFilter{From: T0.Add(3 * time.Minute)}), []int{3, 4})
	same(t, "from and until", at(store.FactFilter{Before: end, From: T0.Add(time.Minute), Until: T0.Add(3 * time.Minute)}), []int{2, 1})
}

func largeGroup(t *testing.T, m store.Money) {
	var opens, ends []store.Op
	for i := range 1000 {
		c := Call(i, "l")
		opens = append(opens, Open(c, 3, In("a", 10_000), In("b", 10_000), In(string(c.ID), 3)))
		ends = append(ends, Settle(c, money.Micro(i%4)))
	}
	for i, o := range apply(t, m, opens...) {
		if o != (store.Outcome{}) {
			t.Fatalf("%d: %+v", i, o)
		}
	}
	wantPurse(t, m, "a", 0, 3000)
	clean(t, m)
	apply(t, m, ends...)
	wantPurse(t, m, "b", 1500, 0)
}

func hotPurse(t *testing.T, m store.Money) {
	// Refusals by the hundred in group after group, with single grants between them.
	granted := 0
	for g := range 5 {
		var ops []store.Op
		for i := range 100 {
			ops = append(ops, Open(Call(g*100+i, "l"), 10, In("hot", money.Micro(100*(g+1))), In("side", 1<<40)))
		}
		for _, o := range apply(t, m, ops...) {
			if !o.Refused {
				granted++
			} else if o.Room != 0 || o.Purse != "hot" {
				t.Fatalf("%+v", o)
			}
		}
	}
	wantPurse(t, m, "hot", 0, 500)
	wantPurse(t, m, "side", 0, 500)
	if granted != 50 {
		t.Fatalf("%d granted", granted)
	}
}

func ping(t *testing.T, m store.Money) {
	ok(t, m.Ping(t.Context()))
	ok(t, m.Ping(t.Context()))
}

func cancelledContext(t *testing.T, m store.Money) {
	ctx, cancel := contextThatEnds(t)
	cancel()
	if _, err := m.Apply(ctx, []store.Op{Open(Call(1, "l"), 1, In("p", 10))}); err == nil {
		t.Fatal("a group under a context that had ended before it began")
	}
	wantPurse(t, m, "p", 0, 0)
}

// heardElsewhere guards that what a node heard of a call of another one is there for the one that settles it, changes nothing else, and goes with it.
func heardElsewhere(t *testing.T, m store.Money) {
	heard := func(node string, o *call.Open, text []byte, want ...string) {
		t.Helper()
		all, err := m.Hear(t.Context(), node, o.ID, text)
		ok(t, err)
		if got := fmt.Sprintf("%q", all); got != fmt.Sprintf("%q", want) {
			t.Errorf("heard %s, want %q", got, want)
		}
	}
	o, other := Call(1, "100"), Call(2, "100")
	apply(t, m, Open(o, 10, In("p", 100)), Open(other, 10, In("p", 100)))
	before, err := m.OpenCalls(t.Context(), "")
	ok(t, err)
	heard("a", o, nil)
	heard("c", o, []byte("the first"), "the first")
	heard("b", o, []byte{0xff, 0, '\''}, "\xff\x00'", "the first")
	heard("c", o, []byte("the last"), "\xff\x00'", "the last") // in the place of what it wrote before
	heard("a", o, nil, "\xff\x00'", "the last")
	heard("a", other, nil)
	after, err := m.OpenCalls(t.Context(), "")
	ok(t, err)
	same(t, "the calls", after, before)
	_, err = m.Take(t.Context(), "z", time.Hour, o.ID, "", true)
	ok(t, err)
	u := *o
	u.State = call.Ending
	want(t, m, []store.Op{{Kind: store.OpUpdate, ID: o.ID, Node: "z", Call: &u}}, store.Outcome{})
	heard("z", o, nil, "\xff\x00'", "the last")
	want(t, m, []store.Op{Settle(o, 5)}, store.Outcome{})
	heard("c", o, []byte("too late"))
	heard("c", Call(3, "100"), []byte("of no call"))
	next := Call(4, "100") // in the memory of the one that was settled
	apply(t, m, Open(next, 10, In("p", 100)))
	heard("a", next, nil)
}

// heardAtOnce guards that nodes that hear something at one moment do not overwrite each other's, while the call goes on.
func heardAtOnce(t *testing.T, m store.Money) {
	o := Call(1, "100")
	apply(t, m, Open(o, 10, In("p", 1000)))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 5 {
				if _, err := m.Hear(t.Context(), fmt.Sprintf("node-%d", i), o.ID, fmt.Appendf(nil, "%d %d", i, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range 5 {
		want(t, m, []store.Op{Extend(o, 10, time.Duration(n+2)*time.Minute, In("p", 1000))}, store.Outcome{})
	}
	wg.Wait()
	all, err := m.Hear(t.Context(), "a", o.ID, nil)
	ok(t, err)
	if len(all) != 8 || string(all[0]) != "0 4" || string(all[7]) != "7 4" {
		t.Errorf("heard %q", all)
	}
	want(t, m, []store.Op{Settle(o, 5)}, store.Outcome{})
}
