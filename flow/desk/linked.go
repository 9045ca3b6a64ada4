package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/core/casework"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// Link is a line that has something in common with a case.
type Link struct {
	Subject
	Why  string // "address", "network", "number", "range" or "device"; "hand": staff linked it
	What string // which
	At   time.Time
	Ours bool // of the case's own customer
}

// scene is where and when the calls of a case were made.
type scene struct {
	lines       []string
	from, until time.Time
	numbers     []string // that were called, the dearest first; no short ones, which mean something else to each customer
	addresses   []netip.Addr
	calls       int
}

// A look at a case goes so far.
const (
	sceneCalls   = 2000
	sceneNumbers = 8
	sceneFacts   = 4000
	maxLinks     = 20
	maxTimeline  = 120
	beside       = 7 * 24 * time.Hour // before and after, in which links are looked for
)

// scene reads the calls of a case. Without any it is the day before the finding, or before the case.
func (c *Cases) scene(ctx context.Context, x *casework.Case) (s scene, err error) {
	calls, err := c.o.Store.CaseCalls(ctx, CaseCallFilter{Case: x.ID, Limit: sceneCalls})
	if err != nil {
		return s, err
	}
	s.calls = len(calls)
	for i := range calls {
		t := &calls[i]
		if !slices.Contains(s.lines, t.Line) {
			s.lines = append(s.lines, t.Line)
		}
		if s.from.IsZero() || t.Begun.Before(s.from) {
			s.from = t.Begun
		}
		if t.Begun.After(s.until) {
			s.until = t.Begun
		}
	}
	if x.Line != "" && !slices.Contains(s.lines, x.Line) {
		s.lines = append(s.lines, x.Line)
	}
	if s.from.IsZero() {
		s.from, s.until = x.Opened.Add(-24*time.Hour), x.Opened
		if x.Finding != 0 {
			if f, err := c.o.Store.Finding(ctx, x.Finding); err == nil {
				s.from, s.until = f.At, f.Last
			}
		}
	}
	slices.SortStableFunc(calls, func(a, b casework.CaseCall) int { return cmp.Compare(b.Retail, a.Retail) })
	for i := 0; i < len(calls) && i < 3*sceneNumbers && len(s.numbers) < sceneNumbers; i++ {
		r, err := c.o.Records.CDR(ctx, calls[i].Call)
		if err == nil && strings.HasPrefix(r.Number, "+") && !slices.Contains(s.numbers, r.Number) {
			s.numbers = append(s.numbers, r.Number)
		}
		if at := addressOf(r.Source); err == nil && at.IsValid() && len(s.addresses) < sceneNumbers && !slices.Contains(s.addresses, at) {
			s.addresses = append(s.addresses, at)
		}
	}
	return s, nil
}

// Linked are lines of anybody that share an address, a network, a device, a number or a range of numbers with a case, near its time.
func (c *Cases) Linked(ctx context.Context, id int64) ([]Link, error) {
	x, err := c.o.Store.Case(ctx, id)
	if err != nil {
		return nil, err
	}
	s, err := c.scene(ctx, &x)
	if err != nil {
		return nil, err
	}
	var all []Link
	add := func(l Link) {
		if l.Line == "" || slices.Contains(s.lines, l.Line) {
			return
		}
		if i := slices.IndexFunc(all, func(o Link) bool { return o.Line == l.Line }); i >= 0 {
			if rank(l.Why) < rank(all[i].Why) {
				all[i] = l
			}
			return
		}
		l.Ours = l.Customer == x.Customer
		all = append(all, l)
	}
	for _, line := range x.Linked {
		if l, ok := c.o.Book.Line(line); ok {
			add(Link{Subject: Subject{line, l.Customer()}, Why: "hand", At: s.from})
		}
	}
	if err := c.linkedByPlace(ctx, &s, add); err != nil {
		return nil, err
	}
	if err := c.linkedByNumber(ctx, &s, add); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b Link) int { return cmp.Or(cmp.Compare(rank(a.Why), rank(b.Why)), b.At.Compare(a.At)) })
	return all[:min(len(all), maxLinks)], nil
}

// rank orders reasons, the strongest first.
func rank(why string) int {
	return slices.Index([]string{"hand", "address", "number", "range", "network", "device"}, why)
}

// linkedByPlace compares where logins came from, and with what phone.
func (c *Cases) linkedByPlace(ctx context.Context, s *scene, add func(Link)) error {
	facts, err := c.o.Store.Facts(ctx, store.FactFilter{
		Kinds: []string{fact.KindDeviceNew, fact.KindDeviceMoved, fact.KindLoginLocked, fact.KindLoginOld}, From: s.from.Add(-beside), Until: s.until.Add(beside), Limit: sceneFacts,
	})
	if err != nil {
		return err
	}
	addrs, nets, agents := map[netip.Addr]bool{}, map[netip.Prefix]bool{}, map[string]bool{}
	seen := make([]Event, len(facts))
	for i := range facts {
		f := &facts[i]
		seen[i] = eventOf(f)
		if at := addressOf(seen[i].Addr); slices.Contains(s.lines, f.Line) && !f.At.Before(s.from.Add(-24*time.Hour)) && !f.At.After(s.until.Add(24*time.Hour)) {
			if at.IsValid() {
				addrs[at], nets[detect.Net(at)] = true, true
			}
			agents[seen[i].Agent] = seen[i].Agent != ""
		}
	}
	for i := range facts {
		f, e := &facts[i], &seen[i]
		l := Link{Subject: Subject{f.Line, f.Account}, At: f.At}
		at := addressOf(e.Addr)
		switch {
		case addrs[at]:
			l.Why, l.What = "address", at.String()
		case at.IsValid() && nets[detect.Net(at)]:
			l.Why, l.What = "network", detect.Net(at).String()
		case agents[e.Agent] && !f.At.Before(s.from.Add(-lead)) && !f.At.After(s.until.Add(lead)):
			l.Why, l.What = "device", e.Agent
		default:
			continue
		}
		add(l)
	}
	return nil
}

// addressOf reads an address, with or without a port.
func addressOf(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// thousand is the range of a thousand numbers that one is in.
func thousand(number string) string {
	if len(number) < 8 {
		return ""
	}
	return number[:len(number)-3]
}

// linkedByNumber looks for others who called the same numbers, and for findings about numbers beside them.
func (c *Cases) linkedByNumber(ctx context.Context, s *scene, add func(Link)) error {
	ranges := map[string]bool{}
	for _, number := range s.numbers {
		ranges[thousand(number)] = true
		calls, err := c.o.Records.CDRs(ctx, store.CDRFilter{Number: number, Exact: true, From: s.from.Add(-beside), Until: s.until.Add(beside), Limit: maxCalls})
		if err != nil {
			return err
		}
		for i := range calls {
			add(Link{Subject: Subject{calls[i].Line, calls[i].Account}, Why: "number", What: number, At: calls[i].Begun})
		}
	}
	found, err := c.o.Store.Findings(ctx, store.FindingFilter{Kind: detect.UnusualCalls.String(), Limit: maxQueue})
	if err != nil {
		return err
	}
	for i := range found {
		f := &found[i]
		var p proof
		_ = json.Unmarshal(f.Evidence, &p) // what cannot be read says nothing
		if r := thousand(p.Number); r != "" && ranges[r] && !f.At.Before(s.from.Add(-beside)) && !f.At.After(s.until.Add(beside)) {
			add(Link{Subject: Subject{f.Line, f.Account}, Why: "range", What: strings.TrimSuffix(r, "+") + "xxx", At: f.At})
		}
	}
	return nil
}

// Moment is an event of a timeline, and the line that it is about.
type Moment struct {
	Event
	Subject
}

// Timeline is what the journal has of the lines of a case and of those that staff looked at with it, from an hour before its first call to an
// hour after its last.
func (c *Cases) Timeline(ctx context.Context, id int64, links []Link) ([]Moment, error) {
	x, err := c.o.Store.Case(ctx, id)
	if err != nil {
		return nil, err
	}
	s, err := c.scene(ctx, &x)
	if err != nil {
		return nil, err
	}
	lines := s.lines[:min(len(s.lines), maxLinks)]
	for _, l := range links {
		lines = append(slices.Clone(lines), l.Line)
	}
	var all []Moment
	for _, line := range lines {
		facts, err := c.o.Store.Facts(ctx, store.FactFilter{Line: line, From: s.from.Add(-lead), Until: s.until.Add(lead), Limit: maxFacts})
		if err != nil {
			return nil, err
		}
		var story []Event
		account := x.Customer
		for i := range facts {
			if f := &facts[i]; told[f.Kind] {
				story, account = foldIn(story, eventOf(f)), f.Account
			}
		}
		for _, e := range story {
			all = append(all, Moment{e, Subject{line, account}})
		}
	}
	slices.SortStableFunc(all, func(a, b Moment) int { return a.At.Compare(b.At) })
	return all[max(len(all)-maxTimeline, 0):], nil
}
