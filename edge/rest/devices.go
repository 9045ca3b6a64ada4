package rest

import (
	"context"
	"fmt"
	"net/http"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/money"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/watch"
)

var _ = serves(func(s *Server) {
	const one, tag = "/v1/lines/{id}", "lines"
	listed[api.Device](s, need(s.d.Devices != nil, "the list of devices", named(s, "line", s.line, s.listDevices)))
	route(s, op(http.MethodPost, one+"/devices/verdict", "judge-device", tag, "Record whether a device is the owner's"), need(s.d.Devices != nil, "the list of devices", s.judgeDevice))
	route(s, op(http.MethodGet, one+"/usage", "get-line-usage", tag, "Show a line's un-billed usage"), named(s, "line", s.line, s.lineUsage))
	route(s, op(http.MethodGet, "/v1/customers/{id}/usage", "get-customer-usage", "customers", "Show a customer's un-billed usage"), named(s, "customer", s.customer, s.customerUsage))
})

// listDevices lists all of a line; there are a few dozen at most.
func (s *Server) listDevices(_ context.Context, l *book.Line, _ *api.LineID) (out api.List[api.Device], err error) {
	out.Items = []api.Device{}
	for _, d := range s.d.Devices.Of(l.ID()) {
		out.Items = append(out.Items, api.Device{
			Place: d.Place, Family: d.Family, Address: d.Address, Agent: d.Agent, Country: d.Country, ASN: d.ASN, Network: d.Network,
			Hosting: detect.Hosting(uint32(d.ASN), d.Network), First: d.First, Last: d.Last, Days: d.Count, Verdict: d.Verdict,
		})
	}
	return out, nil
}

func (s *Server) judgeDevice(ctx context.Context, in *api.LineVerdict) (out api.List[api.Device], err error) {
	l, err := s.line(ctx, in.ID)
	if err != nil {
		return out, err
	}
	b := &in.Body
	verdict := b.Verdict
	if verdict == "none" {
		verdict = ""
	}
	if err := s.d.Devices.SetVerdict(ctx, l.ID(), b.Place, b.Family, verdict, by(ctx)); err != nil {
		return out, s.about(err, "device of line "+in.ID+" at", b.Place)
	}
	return s.listDevices(ctx, l, &in.LineID)
}

func (s *Server) lineUsage(_ context.Context, l *book.Line, _ *api.LineID) (api.Usage, error) {
	return s.usage("line/" + l.ID())
}

func (s *Server) customerUsage(_ context.Context, c book.CustomerView, _ *api.CustomerID) (api.Usage, error) {
	return s.usage("account/" + c.ID)
}

func (s *Server) usage(subject string) (api.Usage, error) {
	w, err := s.watch()
	if err != nil {
		return api.Usage{}, err
	}
	return usageView(&w.Used(subject)[0]), nil
}

func usageView(u *watch.Used) api.Usage {
	total := u.Settled + u.Running
	v := api.Usage{
		Subject: account.Handle(u.Subject), Settled: int64(u.Settled), Running: int64(u.Running), Total: int64(total),
		Level: int64(u.Level), Multiple: u.Multiple, Told: int64(u.Told), Text: api.Amount(total) + " un-billed",
	}
	if u.Running > 0 {
		v.Text += ", " + api.Amount(u.Running) + " of it for calls in progress"
	}
	if u.Level <= 0 {
		v.Text += "; warnings are off"
		return v
	}
	// What is above the level already is notified within moments: the next is the first multiple without a notice.
	next := (u.Told/u.Level + 1) * u.Level
	v.Next = int64(next)
	if u.Multiple > 0 {
		v.Text += fmt.Sprintf("; warned at %s", api.Amount(u.Level*money.Micro(u.Multiple)))
	}
	v.Text += "; the next warning is at " + api.Amount(next)
	return v
}
