package adaptive

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"ringfence/core/call"
	"ringfence/flow/play"
	"ringfence/flow/replay"
	"ringfence/sim"
)

// weeks of calls of an invented customer: the last two go on while the attacker calls.
const weeks = 12

// Invented is a customer of a kind of the simulator, with settings of its own or, if there are some, with others.
func Invented(kind string, seed uint64, set replay.Set, settings []sim.Setting) (Case, error) {
	scenario := &sim.Scenario{Name: kind, About: "a customer", Seed: cmp.Or(seed, 1), Weeks: weeks, People: []sim.People{{Kind: kind, Customers: 4}}}
	if err := scenario.Check(); err != nil {
		return Case{}, err
	}
	w, err := scenario.World(sim.Options{})
	if err != nil {
		return Case{}, err
	}
	c := Case{Name: kind, Set: set}
	customer := ""
	for _, l := range w.Lines() {
		if customer == "" && l.FirstSeen.Before(w.Begin) {
			customer = l.Customer
		}
		if len(settings) > 0 {
			l.Settings = replaced(l.Settings, settings)
		}
	}
	if customer == "" {
		return c, fmt.Errorf("seed %d has no customer of the kind %s who has long been there: take another", scenario.Seed, kind)
	}
	var file bytes.Buffer
	if err := w.WriteLines(&file); err != nil {
		return c, err
	}
	if c.Lines, err = replay.ReadLines(&file, set.Plan); err != nil {
		return c, err
	}
	for x := range w.Calls() {
		if x.Customer != customer {
			continue
		}
		p := play.Call{
			ID: call.ID(x.ID), Account: x.Customer, At: x.At, Line: x.Line, Dialled: x.Dialled, Rings: x.Rings, Unanswered: !x.Answered, Inbound: x.Inbound,
			Place: replay.Place(x.Source), Device: replay.Device(x.UserAgent),
		}
		if x.Answered {
			p.Wants = x.Talk
		}
		c.Calls = append(c.Calls, p)
	}
	return c, nil
}

// replaced are settings of which some have other values; others come behind.
func replaced(all, other []sim.Setting) []sim.Setting {
	all = slices.Clone(all)
	for _, s := range other {
		i := slices.IndexFunc(all, func(x sim.Setting) bool { return x.Field == s.Field })
		if i < 0 {
			all = append(all, s)
			continue
		}
		all[i] = s
	}
	return all
}
