package engine

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
)

var (
	terms = Terms{Slice: time.Minute, Ahead: 10 * time.Second}
	began = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
)

// up is a call at 6p a minute that has held its first slice and was answered when it began.
func up(t testing.TB) *Call {
	c := &Call{Costs: true, Open: call.Open{ID: "id", Line: "2001", Account: "acme", State: call.Setup, Longest: time.Hour, Begun: began, Quote: rating.Quote{
		Start: began, Price: rating.Price{First: 1, Step: 1, Rates: [rating.NumBands]money.Rate{60_000_000, 60_000_000, 60_000_000}},
	}}}
	a := c.First(terms)
	c.Take(&a)
	if err := c.Answered("", call.Anchor{}, nil); err != nil {
		t.Fatal(err)
	}
	if s, ok := c.Heard(began, terms); !ok || !reflect.DeepEqual(s, Step{Wake: began.Add(50 * time.Second)}) {
		t.Fatalf("%+v", s)
	}
	return c
}

// TestSteps: a step is a value, so that each moment of a call is a row.
func TestSteps(t *testing.T) {
	spent := policy.Figures{Limit: 7}
	noMore := func(c *Call) { c.NoMore(policy.LineDaySpent, spent, began.Add(50*time.Second), terms) }
	for name, c := range map[string]struct {
		at      time.Duration
		prepare func(*Call)
		want    Step
	}{
		"before the next slice":       {20 * time.Second, nil, Step{Wake: began.Add(50 * time.Second)}},
		"when it is due":              {50 * time.Second, nil, Step{Buy: true}},
		"while it is bought":          {55 * time.Second, func(c *Call) { c.Look(began.Add(50*time.Second), terms) }, Step{}},
		"the meter was away":          {70 * time.Second, nil, Step{Buy: true}},
		"a purse refused, half way":   {58*time.Second + time.Millisecond, noMore, Step{Buy: true}},
		"the last second":             {59*time.Second + time.Millisecond, noMore, Step{Wake: began.Add(time.Minute)}},
		"where the money ends":        {time.Minute, noMore, Step{Cut: true, First: true, Why: policy.LineDaySpent, Figures: spent, Wake: began.Add(61 * time.Second)}},
		"the longest call":            {time.Hour, nil, Step{Cut: true, First: true, Why: policy.TooLong, Figures: policy.Figures{Limit: 3600, Value: 3600}, Wake: began.Add(time.Hour + time.Second)}},
		"locked just before a slice":  {50 * time.Second, func(c *Call) { c.NoMore(policy.CutLocked, policy.Figures{}, began.Add(40*time.Second), terms) }, Step{Buy: true}},
		"a minute after a lock":       {80 * time.Second, func(c *Call) { c.Locked(false, began.Add(20*time.Second), terms) }, Step{Cut: true, First: true, Why: policy.CutLocked, Figures: policy.Figures{Limit: 60, Value: 80}, Wake: began.Add(81 * time.Second)}},
		"told to end, not over yet":   {time.Second, func(c *Call) { c.Cut(policy.CutByStaff, policy.Figures{}, "", began) }, Step{Cut: true, Why: policy.CutByStaff, Wake: began.Add(3 * time.Second)}},
		"over":                        {time.Hour, func(c *Call) { c.Ended(End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: began}, began) }, Step{}},
		"unlocked before the slice":   {20 * time.Second, func(c *Call) { c.Locked(false, began, terms); c.Unlocked(began.Add(time.Second)) }, Step{Wake: began.Add(50 * time.Second)}},
		"the store failed at the end": {time.Minute, func(c *Call) { c.Later(true, began.Add(50*time.Second)) }, Step{Cut: true, First: true, Why: policy.StoreUnavailable, Wake: began.Add(61 * time.Second)}},
	} {
		t.Run(name, func(t *testing.T) {
			x := up(t)
			if c.prepare != nil {
				c.prepare(x)
			}
			if c.want.First { // a cut is told once
				c.want.Facts = []fact.Row{fact.Say(&fact.CallCut{
					Reason: c.want.Why.Code(), Text: c.want.Why.Text(c.want.Figures), Limit: c.want.Figures.Limit, Value: c.want.Figures.Value,
				}, began.Add(c.at), fact.Subject{Line: "2001", Account: "acme", Call: "id"})}
			}
			if got := x.Look(began.Add(c.at), terms); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestARestrictionEndsACall: within a minute, whatever the call has paid for.
func TestARestrictionEndsACall(t *testing.T) {
	closes, err := restrict.ParseSet("paid")
	if err != nil {
		t.Fatal(err)
	}
	settings := &account.Effective{Restrictions: [][]restrict.Restriction{{{ID: 7, Names: closes, Ends: true}}}}
	for _, paid := range []time.Duration{time.Minute, 61 * time.Second, 25 * time.Minute, 4 * time.Hour} {
		for _, came := range []time.Duration{0, 49 * time.Second, 51 * time.Second, 10 * time.Minute} {
			if came >= paid {
				continue
			}
			x := up(t)
			x.Costs, x.Open.PaidFor, x.Open.Longest = true, paid, 4*time.Hour
			ended, heard := time.Duration(0), time.Duration(0)
			for at := time.Duration(0); ended == 0 && at < 5*time.Hour; {
				now := began.Add(at)
				var r *Refusal
				if at >= came {
					r = x.Restricted(settings, time.UTC, now)
				}
				s, closed := x.Closed(r, now, terms)
				if !closed {
					s = x.Look(now, terms)
				}
				if s.Buy && r != nil {
					s = x.NoMore(r.Reason, r.Figures, now, terms)
				} else if s.Buy {
					ask := x.Next(now, terms)
					s = x.Bought(&ask, now, terms)
				}
				if s.Cut {
					ended = at
					if s.Why != policy.CutRestricted || s.Figures.Limit != 7 {
						t.Errorf("cut for %v, %+v", s.Why, s.Figures)
					}
				}
				heard, at = at, s.Wake.Sub(began)
			}
			if ended == 0 || ended-came > time.Minute+terms.Ahead {
				t.Errorf("paid for %v, restricted after %v: it ended after %v, and was last looked at after %v", paid, came, ended, heard)
			}
		}
	}
}

// TestAskFitsThePurse: whatever room a purse says it has, the ask comes to an end, never asks for more than the room or the least,
// and what it says is paid for costs no more than what is held.
func TestAskFitsThePurse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price := rating.Price{
			Connect: money.Micro(rapid.Int64Range(0, 200_000).Draw(t, "connect")), Minimum: money.Micro(rapid.Int64Range(0, 200_000).Draw(t, "minimum")),
			First: uint16(rapid.IntRange(1, 120).Draw(t, "first")), Step: uint16(rapid.IntRange(1, 120).Draw(t, "step")),
		}
		for b := range price.Rates {
			price.Rates[b] = money.Rate(rapid.Int64Range(0, 2_000_000_000).Draw(t, "rate"))
		}
		c := &Call{Costs: true, Open: call.Open{State: call.Setup, Begun: began, Longest: time.Hour, Quote: rating.Quote{Start: began, Price: price}}}
		room := money.Micro(rapid.Int64Range(0, 3_000_000).Draw(t, "room"))
		a := c.First(terms)
		for tries := 0; a.Amount() > room; tries++ {
			answer := a.Refused(room)
			if answer == NoRoom && a.Least() <= room {
				t.Fatalf("no room, but %v would do of %v", a.Least(), room)
			}
			if answer != Again {
				return
			}
			if tries > askTries || a.Want > max(room, a.Least()) {
				t.Fatalf("asks for %v of %v, the least is %v", a.Want, room, a.Least())
			}
		}
		c.Take(&a)
		if c.Open.Held > room || c.Open.PaidFor > 0 && c.Open.Quote.Cost(c.Open.PaidFor) > c.Open.Held {
			t.Fatalf("%v is said to be paid by %v of %v", c.Open.PaidFor, c.Open.Held, room)
		}
	})
}

// TestAnEndInDoubt: whatever is not certain of an end, the customer pays for the least and the carrier charges for the most.
func TestAnEndInDoubt(t *testing.T) {
	const s = time.Second
	hangup := End{By: call.Callee, Reason: policy.Hangup, Status: 200}
	caller := hangup
	caller.By = call.Caller
	gone := End{By: call.System, Reason: policy.PeerGone, Status: 200}
	for name, c := range map[string]struct {
		end      End
		at       time.Duration
		doubt    time.Duration
		unproven time.Duration
		prepare  func(*Call)
		talk     time.Duration
		reason   policy.Reason
	}{
		"it is certain":                            {end: hangup, at: 28 * s, talk: 28 * s, reason: policy.Hangup},
		"the process stood still":                  {end: hangup, at: 28 * s, doubt: 26 * s, talk: 2 * s, reason: policy.Hangup},
		"by the caller":                            {end: caller, at: 28 * s, doubt: 26 * s, talk: 2 * s, reason: policy.Hangup},
		"by a peer that does not know it":          {end: gone, at: 28 * s, doubt: 26 * s, talk: 2 * s, reason: policy.PeerGone},
		"it was answered meanwhile":                {end: hangup, at: 2 * s, doubt: 26 * s, talk: time.Millisecond, reason: policy.Hangup},
		"in the moment of the answer":              {end: hangup, doubt: 26 * s, reason: policy.Hangup},
		"after what is paid":                       {end: hangup, at: 90 * s, doubt: 20 * s, talk: 60 * s, reason: policy.Hangup},
		"what was paid for when it was taken over": {end: hangup, at: 50 * s, doubt: 26 * s, unproven: 30 * s, talk: 30 * s, reason: policy.Hangup},
		"told to end when the process went on": {
			end: caller, at: 28 * s, doubt: 26 * s, talk: 2 * s, reason: policy.Hangup,
			prepare: func(c *Call) { c.Cut(policy.LineDaySpent, policy.Figures{}, "", began.Add(28*s)) },
		},
		"told to end, and then gone": {
			end: gone, at: 28 * s, doubt: 26 * s, talk: 2 * s, reason: policy.PeerGone,
			prepare: func(c *Call) { c.Cut(policy.LineDaySpent, policy.Figures{}, "", began.Add(28*s)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := up(t)
			x.Open.BLeg, x.Open.Cost = "b", x.Open.Quote
			x.Open.Unproven = c.unproven
			if c.prepare != nil {
				c.prepare(x)
			}
			c.end.At, c.end.Doubt = began.Add(c.at), c.doubt
			if why := x.Ended(c.end, c.end.At); why != c.reason {
				t.Errorf("it ended for %v", why)
			}
			again, _ := Revive(x.Open, call.Anchor{}, began.Add(c.at), terms) // the books alone know it
			for name, x := range map[string]*Call{"": x, "after a restart: ": &again} {
				leg := Leg{Trunk: "carrier", CallID: "b", Joined: true, OverAt: c.end.At}
				if x == &again && c.end.By == call.Callee {
					leg.OverAt = time.Time{}
				}
				if name == "" {
					leg.Answered, leg.Talk = began, c.at
				}
				b := x.Bill([]Leg{leg}, terms, nil)
				if leg.Waited = 5 * s; name == "" && x.Bill([]Leg{leg}, terms, nil).CarrierTalk != c.at+5*s {
					t.Errorf("its answer may have waited for 5 s, and the carrier charges for %v", x.Bill([]Leg{leg}, terms, nil).CarrierTalk)
				}
				leg.Waited = 0
				for _, leg.Beyond = range []time.Duration{5 * s, -16 * s} { // of a later process, and as another node has corrected it
					if name == "" && c.end.By == call.Callee && x.Bill([]Leg{leg}, terms, nil).CarrierTalk != b.CarrierTalk {
						t.Errorf("it had hung up, and the carrier charges for %v", x.Bill([]Leg{leg}, terms, nil).CarrierTalk)
					}
				}
				leg.Beyond = 5 * s
				if leg.OverAt = c.end.At.Add(5 * s); name != "" && c.end.By == call.Callee && c.end.Reason == policy.Hangup {
					if more := x.Bill([]Leg{leg}, terms, nil).CarrierTalk; more != b.CarrierTalk { // it hung up before; only our own BYE was not confirmed
						t.Errorf("after a restart our BYE went unanswered for 5 s, and the carrier charges for %v", more)
					}
				}
				if b.Talk != c.talk || c.at > 0 && b.CarrierTalk != c.at {
					t.Errorf("%scharged for %v, want %v; the carrier charges for %v", name, b.Talk, c.talk, b.CarrierTalk)
				}
				if b.Retail > x.Open.Held {
					t.Errorf("%s%v is more than is held, %v", name, b.Retail, x.Open.Held)
				}
			}
		})
	}
}

// TestASettledBillStays: whatever a call was doing when it ended, a bill that is shown before the call is over is the one that is stored, although
// a slice may still be bought or refused; and nothing is lost that was bought for what it has talked.
func TestASettledBillStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := up(nil)
		at := began
		for range rapid.IntRange(1, 6).Draw(t, "looks") {
			at = at.Add(time.Duration(rapid.SampledFrom([]int{1, 9, 30, 51, 59, 61, 70}).Draw(t, "later")) * time.Second)
			if !x.Look(at, terms).Buy {
				continue
			}
			a := x.Next(at, terms)
			switch rapid.SampledFrom([]string{"bought", "refused", "failed", "waits"}).Draw(t, "slice") {
			case "bought":
				x.Bought(&a, at, terms)
			case "refused":
				x.NoMore(policy.LineDaySpent, policy.Figures{}, at, terms)
			case "failed":
				x.Later(true, at)
			}
		}
		a := x.Next(at, terms)
		end := End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: at.Add(time.Second)}
		if rapid.Bool().Draw(t, "cut") {
			x.Cut(policy.CutByStaff, policy.Figures{}, "", at)
		}
		end.Doubt = time.Duration(rapid.SampledFrom([]int{0, 0, 26}).Draw(t, "doubt")) * time.Second
		x.Ended(end, end.At)
		seen, waits := x.Bill(nil, terms, nil), x.Unsettled()
		if x.buying {
			if rapid.Bool().Draw(t, "it comes") {
				x.Bought(&a, end.At, terms)
				if stored := x.Bill(nil, terms, nil); stored.Talk != min(x.Open.End.Talk, x.Open.Longest) {
					t.Fatalf("bought for %v, and charged for %v", x.Open.End.Talk, stored.Talk)
				}
			} else {
				x.NoMore(policy.LineDaySpent, policy.Figures{}, end.At, terms)
			}
		}
		stored := x.Bill(nil, terms, nil)
		if !waits && (stored.Talk != seen.Talk || stored.Retail != seen.Retail) {
			t.Fatalf("seen with %v, %v, stored with %v, %v", seen.Talk, seen.Retail, stored.Talk, stored.Retail)
		}
		if stored.Retail > x.Open.Held || stored.Talk > x.Open.PaidFor {
			t.Fatalf("%v for %v, with %v held for %v", stored.Retail, stored.Talk, x.Open.Held, x.Open.PaidFor)
		}
	})
}

// TestMerge: what another node has heard of a leg is taken where it is more than what is known here.
func TestMerge(t *testing.T) {
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	const s = time.Second
	answered := Leg{Trunk: "carrier", CallID: "b", Tag: "b", Answered: at(0), Talk: 10 * s, Beyond: 6 * s, OverAt: at(16)}
	with := func(change func(*Leg)) Leg { g := answered; change(&g); return g }
	joined := Leg{Trunk: "carrier", CallID: "b", Tag: "b", Joined: true, OverAt: at(16)}
	for name, c := range map[string]struct {
		ours  []Leg
		heard Leg
		want  []Leg
	}{
		"an answer":                    {nil, answered, []Leg{answered}},
		"the answer of another fork":   {[]Leg{answered}, with(func(g *Leg) { g.Tag = "fork" }), []Leg{answered, with(func(g *Leg) { g.Tag = "fork" })}},
		"no answer":                    {nil, with(func(g *Leg) { g.Answered = time.Time{} }), nil},
		"an earlier end":               {[]Leg{answered}, with(func(g *Leg) { g.OverAt = at(12) }), []Leg{with(func(g *Leg) { g.OverAt, g.Beyond = at(12), 2*s })}},
		"before our own BYE":           {[]Leg{answered}, with(func(g *Leg) { g.OverAt = at(7) }), []Leg{with(func(g *Leg) { g.OverAt, g.Beyond = at(7), -3*s })}},
		"a later end":                  {[]Leg{answered}, with(func(g *Leg) { g.OverAt, g.Talk = at(20), 12*s }), []Leg{answered}},
		"no end":                       {[]Leg{answered}, with(func(g *Leg) { g.OverAt = time.Time{} }), []Leg{answered}},
		"an end, and none here":        {[]Leg{with(func(g *Leg) { g.OverAt, g.Beyond = time.Time{}, 0 })}, answered, []Leg{answered}},
		"of the call's own leg":        {[]Leg{joined}, with(func(g *Leg) { g.Joined, g.OverAt = true, at(12) }), []Leg{{Trunk: "carrier", CallID: "b", Tag: "b", Joined: true, OverAt: at(12)}}},
		"here it was given up":         {[]Leg{with(func(g *Leg) { g.Refused, g.OverAt, g.Beyond = 408, at(42), 32*s })}, with(func(g *Leg) { g.OverAt, g.Beyond = at(50), 40*s }), []Leg{with(func(g *Leg) { g.OverAt, g.Beyond = at(50), 40*s })}},
		"there it was given up":        {[]Leg{answered}, with(func(g *Leg) { g.Refused, g.OverAt = 408, at(12) }), []Leg{answered}},
		"here it was found to be up":   {[]Leg{with(func(g *Leg) { g.Answered, g.Talk, g.Beyond, g.OverAt = at(-9), 0, 21*s, at(12) })}, answered, []Leg{with(func(g *Leg) { g.OverAt, g.Beyond = at(12), 2*s })}},
		"and there nobody saw the end": {[]Leg{with(func(g *Leg) { g.Answered, g.Talk, g.Beyond, g.OverAt = at(-9), 0, 21*s, at(12) })}, with(func(g *Leg) { g.OverAt, g.Beyond = time.Time{}, 0 }), []Leg{with(func(g *Leg) { g.OverAt, g.Beyond = at(12), 2*s })}},
	} {
		for range 2 { // it may be heard again
			if c.ours = Merge(c.ours, []Leg{c.heard}); !reflect.DeepEqual(c.ours, c.want) {
				t.Errorf("%s: %+v, want %+v", name, c.ours, c.want)
			}
		}
	}
}

// TestPursesAreOfTheCustomersDay: the ids are stored, so that their dates must stay as time.DateOnly writes them.
func TestPursesAreOfTheCustomersDay(t *testing.T) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for day := range 800 {
		now := time.Date(2026, 1, 1, 23, 30, 0, 0, time.UTC).AddDate(0, 0, day)
		ids, date := PurseIDs("2001", "acme", zone, now), now.In(zone).Format(time.DateOnly)
		if ids != [...]string{"line/2001/day/" + date, "line/2001/month/" + date[:7], "account/acme/day/" + date, "account/acme/month/" + date[:7]} {
			t.Fatalf("%s: %q", date, ids)
		}
	}
}
