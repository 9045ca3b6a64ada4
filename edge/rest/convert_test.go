package rest

import (
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/gate"
)

// Calls that ring or end hold money: staff must see which they are, and that nobody talks on them.
func TestACallSaysWhetherItRings(t *testing.T) {
	begun := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	now := begun.Add(2 * time.Minute)
	quote := rating.Quote{Start: begun, Price: rating.Price{First: 1, Step: 1, Rates: [rating.NumBands]money.Rate{60_000_000, 60_000_000, 60_000_000}}}
	base := call.Open{ID: "c", Quote: quote, Held: 60_000, Begun: begun}
	for _, c := range []struct {
		name, state, text string
		change            func(*call.Open)
		talk              int64
	}{
		{"connecting", "setup", "connecting", func(o *call.Open) { o.State = call.Setup }, 0},
		{"ringing", "ringing", "ringing", func(o *call.Open) { o.State, o.Ringing = call.Setup, begun }, 0},
		{"up", "answered", "1m0s at 6p a minute, £0.06 so far", func(o *call.Open) { o.State, o.AnsweredAt = call.Answered, now.Add(-time.Minute) }, 60},
		{
			"over, after an answer", "ending", "over, waiting for a leg to confirm that it has ended",
			func(o *call.Open) { o.State, o.AnsweredAt, o.End.Talk = call.Ending, begun, 30*time.Second }, 30,
		},
		{
			"given up while it rang", "ending", "over, waiting for a leg to confirm that it has ended",
			func(o *call.Open) { o.State, o.Ringing = call.Ending, begun }, 0,
		},
		{
			"over, but for a phone", "ending", "over and no more is charged, waiting for a phone to confirm it",
			func(o *call.Open) { o.State, o.AnsweredAt, o.End.Talk = call.Ending, begun, 30*time.Second }, 30,
		},
	} {
		o := base
		c.change(&o)
		v := callView(&gate.InProgress{Open: o, Priced: strings.Contains(c.name, "phone")}, now)
		if v.State != c.state || v.Text != c.text || v.Held != 60_000 || v.Talk != c.talk || v.SoFar != c.talk*1000 {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

// The part of a purse that calls hold which are not up is in the figures too, for those who do not read sentences.
func TestFiguresSayWhatWaits(t *testing.T) {
	if f := figures(policy.ResellerDaySpent, policy.Figures{Limit: 5, Value: 5}); f.Limit != 0 || f.Value != 0 {
		t.Errorf("what others spend is told: %+v", f)
	}
	f := figures(policy.LineDaySpent, policy.Figures{Limit: 5, Value: 5, Pass: 6, Waiting: policy.Waiting{Amount: 3, Ringing: 2, Ending: 1}})
	if f.Waiting != 3 || f.Ringing != 2 || f.Ending != 1 {
		t.Errorf("%+v", f)
	}
}
