package rest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/edge/rest/api"
)

var _ = serves(func(s *Server) {
	const tag = "operations"
	route(s, op(http.MethodGet, "/v1/check", "check", tag, "Check configuration, book and store"), s.check)
	route(s, op(http.MethodPost, "/v1/keys/rotate", "rotate-key", tag, "Seal every secret with a new key"), need(s.d.Rotate != nil, "rotating the key", s.rotate))
	route(s, op(http.MethodGet, "/v1/status", "status", tag, "Show the status of this node"), s.status)
})

// check adds what the book knows of itself to what app looked at.
func (s *Server) check(ctx context.Context, _ *struct{}) (out api.Check, err error) {
	if s.d.Check != nil {
		out = s.d.Check(ctx)
	}
	out.Items = append(out.Items, s.checkBook()...)
	out.OK = true
	for _, i := range out.Items {
		out.OK = out.OK && i.Level != "error"
	}
	return out, nil
}

// checkBook finds what in the book does not fit together.
func (s *Server) checkBook() []api.CheckItem {
	items := []api.CheckItem{}
	add := func(what, level, format string, args ...any) {
		items = append(items, api.CheckItem{What: what, Level: level, Text: fmt.Sprintf(format, args...)})
	}
	trunks := s.d.Book.Trunks()
	emergency := false
	for i := range trunks {
		t := &trunks[i]
		emergency = emergency || t.Emergency
		if _, ok := s.d.Book.Cost(t); !ok {
			add("trunks", "warning", "trunk %s has no cost deck: its carrier's charges are recorded as zero", account.Handle(t.Name))
		}
	}
	if len(trunks) > 0 && !emergency {
		add("trunks", "warning", "no trunk is marked for emergency calls: all are tried in turn")
	}
	for _, id := range s.d.Book.UnknownZones() {
		add("book", "warning", "customer %s names a time zone that this machine does not know: the provider's is used for its caps; install tzdata", id)
	}
	for _, h := range s.d.Book.ForeignDecks() {
		add("decks", "error", "deck %s version %d is in %s and the provider bills in %s: it prices no calls; import it again, with --rate %s=… or in %s", h.Name, h.Version, h.Currency,
			money.Billing().Code, h.Currency, money.Billing().Code)
	}
	for _, name := range s.d.Book.MissingTariffs() {
		add("decks", "warning", "tariff %q is in use but no such retail deck was imported: every call of its customers is refused as unpriced", name)
	}
	for decks, below := range s.d.Book.BelowCost(time.Now()) {
		add("decks", "warning", "%d prices of deck %s are below cost by deck %s; the worst: %s", len(below), decks[0], decks[1], below[0].Text())
	}
	for deck, e := range s.d.Book.Elsewhere(time.Now()) {
		what := make([]string, 0, 3)
		for i := range e.What[:min(len(e.What), cap(what))] {
			what = append(what, e.What[i].Text())
		}
		add("decks", "warning", "deck %s: %s numbers of another country or kind, for which the carrier may charge more (%s): %s", deck, api.Count(e.Rows, "row prices", "rows price"),
			api.Count(len(e.What), "country", "countries"), strings.Join(what, "; "))
	}
	return items
}

func (s *Server) rotate(ctx context.Context, _ *struct{}) (api.Rotated, error) {
	return s.d.Rotate(ctx, by(ctx))
}

func (s *Server) status(ctx context.Context, _ *struct{}) (out api.Status, err error) {
	if s.d.Status != nil {
		out = s.d.Status(ctx)
	}
	if out.Version == "" {
		out.Version = s.o.Version
	}
	c := s.d.Book.Counts()
	out.Customers, out.Lines, out.Locked, out.Trunks, out.Decks = c.Customers, c.Lines, c.Locked, c.Trunks, c.Decks
	if s.d.Registrations != nil {
		out.Registrations = s.d.Registrations()
	}
	if s.d.Calls != nil && out.Calls == 0 {
		out.Calls = len(s.d.Calls())
	}
	return out, nil
}
