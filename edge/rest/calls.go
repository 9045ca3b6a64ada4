package rest

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/gate"
)

var _ = serves(func(s *Server) {
	route(s, op(http.MethodPost, "/v1/decide", "decide", "decide", "Explain how a call would be decided, without making it"), need(s.d.Decide != nil, "deciding", s.decide))
	listed[api.Call](s, s.listCalls)
	shown[api.Call](s, s.getCall)
	cut := op(http.MethodDelete, "/v1/calls/{id}", "cut-call", "calls", "Cut a call on both legs")
	cut.DefaultStatus = http.StatusAccepted
	route(s, cut, need(s.d.Cut != nil, "cutting calls", s.cutCall))
})

func (s *Server) decide(ctx context.Context, in *struct{ Body api.DecideRequest }) (out api.Decision, err error) {
	b := &in.Body
	var from netip.Addr
	if b.From != "" {
		if from, err = parseAddr("from", b.From); err != nil {
			return out, err
		}
	}
	zone := s.lineZone(b.Line)
	at, err := instant(when.At, "at", b.At, zone)
	if err != nil {
		return out, err
	}
	if at.IsZero() {
		at = time.Now()
	}
	l, err := s.line(ctx, b.Line)
	if err != nil {
		return out, err
	}
	d, err := s.d.Decide(ctx, gate.Question{Line: l.ID(), Dialled: b.To, Caller: b.Present, Source: from, At: at})
	if err != nil {
		return out, s.about(err, "line", b.Line)
	}
	out = decisionView(d, b.To, at.In(zone))
	if digits, err := s.d.Book.Presentable(b.Present); err == nil && out.Presented != "" && e164(digits) != out.Presented {
		out.NotShown = e164(digits)
	}
	if own(ctx) != "" {
		out.Routes, out.Trunks = []string{}, nil // who carries a call, and what it costs, is not the customer's to know
	}
	return out, nil
}

func choiceView(x *policy.Chosen) api.TrunkChoice {
	v := api.TrunkChoice{Trunk: account.Handle(x.Trunk), Chosen: x.Why == policy.OK, Reason: x.Why.Code(), Priority: x.Priority}
	if x.Priced {
		v.Cost, v.CostText = new(int64(x.First)), api.Amount(x.First)
	}
	return v
}

// e164 is a number as people write it, from its digits; "" is none.
func e164(digits string) string {
	if digits == "" {
		return ""
	}
	return "+" + digits
}

func decisionView(d *gate.Explanation, dialled string, at time.Time) api.Decision {
	v := &d.Verdict
	out := api.Decision{
		Allowed: v.Allowed(), Reason: v.Reason.Code(), Text: v.Reason.Text(v.Figures), SIPStatus: v.Reason.SIPStatus(),
		Figures: figures(v.Reason, v.Figures), Always: v.Always, Dialled: dialled, Longest: int64(v.Longest / time.Second),
		Presented: e164(d.Present), Network: e164(d.Network),
		Routes: views(d.Routes, routeText), Steps: []api.Step{}, At: at,
	}
	if v.Ask != nil && v.Allowed() {
		out.Asks, out.AsksBy = string(v.Ask.Ask), v.Ask.ID
	}
	for i := range d.Trunks {
		out.Trunks = append(out.Trunks, choiceView(&d.Trunks[i]))
	}
	if d.Problem == 0 {
		destination(&out, d.Dest)
	}
	if d.Quote != nil {
		cost := d.Quote.Cost(time.Minute)
		out.Price, out.FirstMinute, out.FirstText = priceView(&d.Quote.Price), int64(cost), api.Amount(cost)
	}
	for i := range d.Steps {
		st := &d.Steps[i]
		out.Steps = append(out.Steps, api.Step{
			Reason: st.Reason.Code(), Passed: st.Passed, Pending: st.Pending, Text: stepText(st),
			Figures: figures(st.Reason, st.Figures), From: st.From.String(),
		})
	}
	return out
}

// routeText is a trunk, or one of our lines.
func routeText(route *gate.Route) string { return account.Handle(route.Trunk + route.Line) }

// stepText is the refusal in words for a rule that refuses, and the figures for one that does not.
func stepText(st *policy.Step) string {
	if !st.Passed && !st.Pending {
		return st.Reason.Text(st.Figures)
	}
	f := figures(st.Reason, st.Figures)
	switch {
	case f.Unit == "none":
		return "passed"
	case st.Pending:
		return "at most " + f.LimitText + ", now " + f.ValueText + ": checked at the instant of connection"
	}
	return f.ValueText + " of at most " + f.LimitText
}

// liveCalls are those of a line (its identity; "" is all that who asks may see), oldest first.
func (s *Server) liveCalls(ctx context.Context, line string, now time.Time) []api.Call {
	out := []api.Call{}
	if s.d.Calls == nil {
		return out
	}
	all := s.d.Calls()
	for i := range all {
		if line == "" && theirs(ctx, all[i].Account) || all[i].Line == line || all[i].Direction == call.Between && all[i].Peer == line && line != "" {
			v := callView(&all[i], now)
			if l, ok := s.d.Book.Line(all[i].Line); ok && l.NoMoreSpent() && v.State == string(call.Answered) && costs(&all[i].Open) {
				v.Ending = true
				v.Text += "; its line is locked: it ends when its paid time ends"
			}
			hideCall(ctx, &v)
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b api.Call) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (s *Server) listCalls(ctx context.Context, in *struct {
	Page
	api.CallFilter
},
) (out api.List[api.Call], err error) {
	line, err := s.lineFilter(ctx, in.Line)
	if err != nil {
		return out, err
	}
	all := s.liveCalls(ctx, line, time.Now())
	if !in.All {
		all = slices.DeleteFunc(all, func(c api.Call) bool { return c.Priced })
	}
	i, found := slices.BinarySearchFunc(all, in.After, func(c api.Call, id string) int { return strings.Compare(c.ID, id) })
	if found {
		i++
	}
	all = all[i:]
	return list(all[:min(len(all), in.Limit+1)], in.Limit, func(c *api.Call) string { return c.ID }), nil
}

func (s *Server) findCall(ctx context.Context, id string) (api.Call, error) {
	for _, c := range s.liveCalls(ctx, "", time.Now()) {
		if c.ID == id {
			return c, nil
		}
	}
	return api.Call{}, missing("call in progress", id)
}

func (s *Server) getCall(ctx context.Context, in *api.CallID) (api.Call, error) {
	return s.findCall(ctx, in.ID)
}

func (s *Server) cutCall(ctx context.Context, in *api.CallCut) (out api.Call, err error) {
	if out, err = s.findCall(ctx, in.ID); err != nil {
		return out, err
	}
	text := by(ctx)
	if in.Why != "" {
		text += ": " + in.Why
	}
	reason := policy.CutByStaff
	if own(ctx) != "" {
		reason = policy.CutByOwner
	}
	if !s.d.Cut(call.ID(in.ID), reason, text) {
		return out, missing("call in progress", in.ID)
	}
	out.Cutting = true
	return out, nil
}
