package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/netlist"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/ban"
)

// maxExport is more than the list can hold.
const maxExport = 4 << 20

var _ = serves(func(s *Server) {
	const path, tag = "/v1/bans", "bans"
	listed[api.Ban](s, staged(s.bans, s.listBans))
	added[api.Ban](s, staged(s.bans, s.addBan))
	route(s, op(http.MethodDelete, path, "remove-ban", tag, "Lift a ban, automatic or made by hand"), staged(s.bans, s.removeBan))
	route(s, op(http.MethodGet, path+"/why", "explain-ban", tag, "Show the status of an address: banned, locked out, exempt"), staged(s.bans, s.whyBanned))
	in := s.uploaded(op(http.MethodPost, path+"/import", "import-bans", tag, "Import a list of bans, in place of the previous list of that name"))
	route(s, in, staged(s.bans, s.importBans))
	route(s, op(http.MethodDelete, path+"/imports/{name}", "drop-bans", tag, "Lift all bans of an imported list"), staged(s.bans, s.dropImport))
	out := op(http.MethodGet, path+"/export", "export-bans", tag, "Export bans as a list that import reads")
	streamed(s, out, map[string]*huma.Schema{"text/plain": plainText, "text/csv": plainText, "application/json": {}}, s.exportBans)
	listed[api.Feed](s, need(s.d.Feeds != nil, "the list of feeds", s.listFeeds))
	route(s, op(http.MethodPost, "/v1/feeds/{name}/refresh", "refresh-feed", tag, "Fetch a feed now"), need(s.d.Feeds != nil && s.d.Refresh != nil, "fetching feeds", s.refreshFeed))
})

// bans is the list, or an answer that there is none.
func (s *Server) bans() (*ban.List, error) { return stage(s.d.Bans, "the list of bans") }

// stage is one that is built after the API.
func stage[T any](get func() *T, what string) (*T, error) {
	if get != nil {
		if t := get(); t != nil {
			return t, nil
		}
	}
	return nil, unavailable(what)
}

func banFilter(c *api.BanFilter) (f ban.Filter, err error) {
	f.By = c.By
	if c.Within != "" {
		f.Within, err = parseNet("within", c.Within)
	}
	return f, err
}

// parseNet reads an address or network of any width.
func parseNet(field, text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, invalid(field, text, "an IPv4 or IPv6 address, or a network such as 192.0.2.0/24")
	}
	return p, nil
}

func parseAddr(field, text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return a, invalid(field, text, "an IPv4 or IPv6 address")
	}
	return a.Unmap(), nil
}

func (s *Server) listBans(_ context.Context, bans *ban.List, in *struct {
	api.BanFilter
	Page
},
) (out api.List[api.Ban], err error) {
	f, err := banFilter(&in.BanFilter)
	if err == nil && in.After != "" {
		f.After, err = parseNet("after", in.After)
	}
	if err != nil {
		return out, err
	}
	found, _ := bans.List(f, in.Limit+1)
	return list(views(found, banView), in.Limit, func(b *api.Ban) string { return b.Net }), nil
}

func banView(e *ban.Entry) api.Ban {
	return api.Ban{Net: netlist.Show(e.Net), Until: e.Until.UTC(), Made: e.Made.UTC(), By: e.By, Why: e.Why}
}

func (s *Server) addBan(ctx context.Context, bans *ban.List, in *struct{ Body api.NewBan }) (out api.Ban, err error) {
	b := &in.Body
	net, err := parseNet("net", b.Net)
	if err != nil {
		return out, err
	}
	if !b.Force && ban.ThisMachine(net) {
		return out, newProblem(http.StatusConflict, api.ReasonExempt, netlist.Show(net)+" is this machine itself, with whatever talks to it from here; it can be banned with force")
	}
	until, err := instant(when.Until, "until", b.Until, s.d.Book.Zone(""))
	if err != nil {
		return out, err
	}
	e, err := bans.Add(ctx, ban.Request{
		Net: net, For: time.Duration(b.For) * time.Second, Until: until, Why: b.Why, By: by(ctx), Force: b.Force,
	})
	if err != nil {
		return out, s.explainBan(err)
	}
	return banView(&e), nil
}

func (s *Server) removeBan(ctx context.Context, bans *ban.List, in *api.BanRemoval) (out api.Ban, err error) {
	net, err := parseNet("net", in.Net)
	if err != nil {
		return out, err
	}
	e, err := bans.Remove(ctx, net, by(ctx), in.Why)
	if err != nil {
		return out, s.explainBan(err)
	}
	return banView(&e), nil
}

// explainBan turns the errors of bans into problems.
func (s *Server) explainBan(err error) error {
	var exempt *ban.ExemptError
	var never *ban.NeverError
	switch {
	case errors.As(err, &exempt):
		return newProblem(http.StatusConflict, api.ReasonExempt, exempt.Error())
	case errors.As(err, &never):
		return newProblem(http.StatusConflict, api.ReasonNever, never.Error())
	case errors.Is(err, ban.ErrFull):
		return newProblem(http.StatusConflict, api.ReasonFull, ban.ErrFull.Error()+": remove some first")
	case errors.Is(err, ban.ErrNotBanned):
		return newProblem(http.StatusNotFound, api.ReasonNotFound, err.Error())
	case errors.Is(err, ban.ErrInvalid), errors.Is(err, netlist.ErrTooWide):
		return newProblem(http.StatusUnprocessableEntity, api.ReasonInvalid, err.Error())
	case errors.Is(err, ban.ErrUnsaved):
		s.log.Error("a ban was not saved", "error", err)
		return newProblem(http.StatusServiceUnavailable, api.ReasonStore, ban.ErrUnsaved.Error()+"; it is tried again by itself")
	}
	return s.explain(err)
}

func (s *Server) whyBanned(_ context.Context, bans *ban.List, in *api.BanQuestion) (out api.BanAnswer, err error) {
	addr, err := parseAddr("address", in.Address)
	if err != nil {
		return out, err
	}
	a := bans.Why(addr)
	out = api.BanAnswer{
		Address: addr.String(), Banned: a.Banned, Bans: views(a.Held, banView), Exempt: a.Exempt, Lockouts: []api.Lockout{}, Place: s.place(addr, false),
	}
	if a.Never.IsValid() {
		out.Never = netlist.Show(a.Never)
	}
	for _, l := range s.lockouts(time.Now()) {
		if under(addr, out.Place.ASN, l.Source) {
			out.Lockouts = append(out.Lockouts, l)
		}
	}
	return out, nil
}

// under says whether an address is one that a lock-out's source names.
func under(addr netip.Addr, asn uint32, source string) bool {
	if p, err := parseNet("", source); err == nil {
		return p.Contains(addr)
	}
	return asn != 0 && source == fmt.Sprintf("AS%d", asn)
}

// banImport is a list and how to read it.
type banImport struct {
	Name    string `query:"name" required:"true" minLength:"1" maxLength:"57" doc:"of the list: letters, digits, dots, dashes and underscores"`
	Format  string `query:"format" enum:"auto,text,csv,json" default:"auto"`
	Until   string `query:"until" maxLength:"40" doc:"for entries without an end; a time, or as people write it in the provider's zone; absent: a week"`
	DryRun  bool   `query:"dry_run" doc:"read and check only"`
	RawBody []byte `contentType:"text/plain"`
}

func (s *Server) importBans(ctx context.Context, bans *ban.List, in *banImport) (out api.BanImport, err error) {
	now := time.Now()
	until, err := instant(when.Until, "until", in.Until, s.d.Book.Zone(""))
	switch {
	case err != nil:
		return out, err
	case !ban.ValidFeed(ban.ByHand + in.Name):
		return out, invalid("name", in.Name, "1 to 57 letters, digits, dots, dashes and underscores")
	case !until.IsZero() && !until.After(now):
		return out, invalid("until", in.Until, "a time in the future")
	case until.Sub(now) > ban.Longest:
		return out, invalid("until", in.Until, "a time within ten years")
	}
	format, err := netlist.ParseFormat(in.Format)
	if err != nil {
		return out, invalid("format", in.Format, "auto, text, csv or json")
	}
	read, err := netlist.Parse(in.RawBody, netlist.Options{Format: format, Now: now})
	if err != nil {
		return out, s.explainList(err)
	}
	for i := range read.Entries {
		if e := &read.Entries[i]; e.Until.IsZero() {
			e.Until = until
		}
	}
	out = api.BanImport{
		Name: in.Name, Format: string(read.Format), DryRun: in.DryRun, Listed: len(read.Entries), Ended: read.Ended, Skipped: read.Skipped, Notes: read.Notes,
	}
	if in.DryRun {
		entries := "entries"
		if out.Listed == 1 {
			entries = "entry"
		}
		out.Text = fmt.Sprintf("%d %s would be taken as the list %s, in place of what it named before", out.Listed, entries, in.Name)
		return out, nil
	}
	return s.takeList(ctx, bans, out, read.Entries)
}

func (s *Server) takeList(ctx context.Context, bans *ban.List, out api.BanImport, entries []netlist.Entry) (api.BanImport, error) {
	got, err := bans.Import(ctx, ban.ByHand+out.Name, entries)
	if err != nil {
		return out, s.explainBan(err)
	}
	s.log.Info("an imported list of bans changed", "by", by(ctx), "list", out.Name, "result", got.String())
	out.Held, out.Added, out.Removed, out.LeftOut, out.Sample, out.Text = got.Held, got.Added, got.Removed, got.LeftOut(), got.Sample, got.String()
	return out, nil
}

// explainList tells what is wrong with a list, each fault with its place.
func (s *Server) explainList(err error) error {
	var bad *netlist.Malformed
	if !errors.As(err, &bad) {
		return newProblem(http.StatusUnprocessableEntity, api.ReasonInvalid, err.Error())
	}
	p := newProblem(http.StatusUnprocessableEntity, api.ReasonInvalid, "nothing was imported: "+bad.Error())
	for _, f := range bad.Faults {
		p.Errors = append(p.Errors, api.Fault{Line: f.Line, Column: f.Column, Found: clip(netlist.Clean(f.Found), 80), Want: f.Expected, Text: f.String()})
	}
	return p
}

func (s *Server) dropImport(ctx context.Context, bans *ban.List, in *struct {
	Name string `path:"name" maxLength:"57"`
},
) (out api.BanImport, err error) {
	if held, _ := bans.List(ban.Filter{By: "feed:" + ban.ByHand + in.Name}, 1); len(held) == 0 {
		return out, missing("imported list", in.Name)
	}
	return s.takeList(ctx, bans, api.BanImport{Name: in.Name}, nil)
}

var listTypes = map[netlist.Format]string{
	netlist.Text: "text/plain; charset=utf-8", netlist.CSV: "text/csv; charset=utf-8", netlist.JSON: "application/json",
}

func (s *Server) exportBans(_ context.Context, in *struct {
	api.BanFilter
	Format string `query:"format" enum:"text,csv,json" default:"text"`
},
) (*huma.StreamResponse, error) {
	bans, err := s.bans()
	if err != nil {
		return nil, err
	}
	f, err := banFilter(&in.BanFilter)
	if err != nil {
		return nil, err
	}
	found, _ := bans.List(f, maxExport)
	entries := make([]netlist.Entry, len(found))
	for i := range found {
		e := &found[i]
		entries[i] = netlist.Entry{Net: e.Net, Until: e.Until.Round(0).UTC(), Why: e.Why, By: e.By, Made: e.Made.Round(0).UTC()}
	}
	format := netlist.Format(in.Format)
	text, err := netlist.Write(entries, format)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", listTypes[format])
		_, _ = hc.BodyWriter().Write(text) // a client that went away is no fault of ours
	}}, nil
}

func (s *Server) listFeeds(context.Context, *struct{}) (api.List[api.Feed], error) {
	return api.List[api.Feed]{Items: append([]api.Feed{}, s.d.Feeds()...)}, nil
}

func (s *Server) refreshFeed(ctx context.Context, in *api.FeedName) (out api.Feed, err error) {
	fault := s.d.Refresh(ctx, in.Name)
	if errors.Is(fault, ErrNoFeed) {
		return out, missing("feed", in.Name)
	}
	all := slices.Clone(s.d.Feeds())
	i := slices.IndexFunc(all, func(f api.Feed) bool { return f.Name == in.Name })
	if i < 0 {
		return out, missing("feed", in.Name)
	}
	if fault != nil {
		all[i].Fault = cmp.Or(all[i].Fault, "it was not fetched to its end")
	}
	return all[i], nil
}
