package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/slip"
	"ringfence/edge/rest/api"
	"ringfence/flow/watch"
)

var _ = serves(func(s *Server) {
	const one, tag = "/v1/findings/{id}", "findings"
	listed[api.Finding](s, staged(s.watch, s.listFindings))
	shown[api.Finding](s, staged(s.watch, s.getFinding))
	route(s, created(op(http.MethodPost, one+"/notes", "note-finding", tag, "Add a note to a finding")), staged(s.watch, s.noteFinding))
	route(s, created(op(http.MethodPost, "/v1/reports", "report-fraud", tag, "Report a fraud to the provider's staff; a finding comes of it")), staged(s.watch, s.reportFraud))
	done := op(http.MethodPost, one+"/close", "close-finding", tag, "Close a finding that has been dealt with")
	done.Errors = append(done.Errors, http.StatusConflict)
	route(s, done, staged(s.watch, s.closeFinding))
})

func (s *Server) watch() (*watch.Watch, error) { return stage(s.d.Watch, "the list of findings") }

func (s *Server) listFindings(ctx context.Context, w *watch.Watch, in *struct {
	api.FindingFilter
	Below
},
) (out api.List[api.Finding], err error) {
	if _, known := detect.ParseKind(in.Kind); in.Kind != "" && !known {
		want := "a kind of finding: guessing, spray, usage-level …"
		if near := slip.Nearest(in.Kind, findingKinds()); near != "" {
			want += "; did you mean " + near + "?"
		}
		return out, invalid("kind", in.Kind, want)
	}
	line, customer, err := s.filters(ctx, in.Line, in.Customer)
	if err != nil {
		return out, err
	}
	all, err := w.Findings(ctx, watch.Filter{
		Line: line, Account: customer, Kind: in.Kind, Open: in.Open, Before: in.Before, Limit: in.Limit + 1,
	})
	out = list(views(all, findingView), in.Limit, func(f *api.Finding) string { return strconv.FormatInt(f.ID, 10) })
	if own(ctx) != "" {
		out.Items = slices.DeleteFunc(out.Items, func(f api.Finding) bool { return !forOwners(f.Kind) })
	}
	return out, err
}

// forOwners says that findings of a kind are told to the customer, and not to the fraud desk alone.
func forOwners(kind string) bool {
	k, ok := detect.ParseKind(kind)
	return ok && k.Audience().Has(detect.Owner)
}

func findingKinds() (all []string) {
	for k := detect.NoKind + 1; k < detect.NumKinds; k++ {
		all = append(all, k.String())
	}
	return all
}

func findingView(f *watch.Finding) api.Finding {
	kind, _ := detect.ParseKind(f.Kind)
	return api.Finding{
		ID: f.ID, Kind: f.Kind, Title: kind.Title(), Severity: f.Severity, Line: account.Handle(f.Line), LineID: account.FullIdentity(f.Line),
		Customer: account.Handle(f.Account), Account: account.FullIdentity(f.Account), Source: f.Source,
		Text: f.Text, At: f.At, Last: f.Last, Count: f.Count, Open: f.ClosedAt.IsZero(), Closed: f.ClosedAt, ClosedBy: f.ClosedBy,
	}
}

// getFinding is one with all that is to be said about it.
func (s *Server) getFinding(ctx context.Context, w *watch.Watch, in *api.FindingID) (api.Finding, error) {
	f, err := w.Finding(ctx, in.ID)
	if err != nil {
		return api.Finding{}, s.about(err, "finding", strconv.FormatInt(in.ID, 10))
	}
	if !theirs(ctx, f.Account) || own(ctx) != "" && !forOwners(f.Kind) {
		return api.Finding{}, missing("finding", strconv.FormatInt(in.ID, 10))
	}
	out := findingView(&f)
	kind, _ := detect.ParseKind(f.Kind)
	out.Meaning, out.Advice = kind.Meaning(), kind.Advice()
	if own(ctx) != "" { // notes are between members of staff
		f.Notes = nil
	}
	for _, n := range f.Notes {
		out.Notes = append(out.Notes, api.Note{At: n.At, By: n.By, Text: n.Text})
	}
	if json.Valid(f.Evidence) {
		out.Evidence = f.Evidence
	}
	return out, nil
}

func (s *Server) noteFinding(ctx context.Context, w *watch.Watch, in *api.FindingNote) (out api.Finding, err error) {
	text := strings.TrimSpace(in.Body.Text)
	if text == "" {
		return out, invalid("text", in.Body.Text, "what is to be noted")
	}
	switch err := w.Note(ctx, in.ID, by(ctx), text); {
	case errors.Is(err, watch.ErrFull):
		return out, newProblem(http.StatusConflict, api.ReasonClosed, "the finding has as many notes as it may have")
	case err != nil:
		return out, s.about(err, "finding", strconv.FormatInt(in.ID, 10))
	}
	return s.getFinding(ctx, w, &in.FindingID)
}

func (s *Server) reportFraud(ctx context.Context, w *watch.Watch, in *api.FraudReport) (out api.Reported, err error) {
	b := &in.Body
	text := strings.TrimSpace(b.Text)
	if text == "" {
		return out, invalid("text", b.Text, "what happened")
	}
	line := ""
	if b.Line != "" {
		l, err := s.line(ctx, b.Line)
		if err != nil {
			return out, err
		}
		line = l.ID()
		if b.Customer == "" {
			b.Customer = account.FullIdentity(l.Customer())
		}
	}
	if ours := own(ctx); ours != "" && b.Customer == "" {
		b.Customer = account.FullIdentity(ours)
	}
	c, err := s.customer(ctx, b.Customer)
	if err != nil {
		return out, err
	}
	if l, ok := s.d.Book.Line(line); ok && l.Customer() != c.ID {
		return out, invalid("customer", b.Customer, "the customer of line "+b.Line)
	}
	if s.d.Cases != nil {
		out.Code, out.Case, err = s.d.Cases().Report(ctx, asker(ctx), c.ID, line, text)
		return out, err
	}
	out.Code, err = w.Report(ctx, by(ctx), c.ID, line, text)
	return out, err
}

func (s *Server) closeFinding(ctx context.Context, w *watch.Watch, in *api.FindingID) (out api.Finding, err error) {
	switch err := w.Close(ctx, in.ID, by(ctx)); {
	case errors.Is(err, watch.ErrClosed):
		return out, newProblem(http.StatusConflict, api.ReasonClosed, "the finding was closed before")
	case err != nil:
		return out, s.about(err, "finding", strconv.FormatInt(in.ID, 10))
	}
	return s.getFinding(ctx, w, in)
}
