package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/slip"
	"ringfence/edge/rest/api"
	"ringfence/flow/watch"
)

// number is a path parameter of findings and notices.
type number struct {
	ID int64 `path:"id" minimum:"1"`
}

func (s *Server) findingRoutes() {
	const path, one, tag = "/v1/findings", "/v1/findings/{id}", "findings"
	huma.Register(s.api, op(http.MethodGet, path, "list-findings", tag, "List findings, newest first"), s.listFindings)
	huma.Register(s.api, op(http.MethodGet, one, "get-finding", tag, "Show a finding: what it means, what to do, its evidence"), s.getFinding)
	note := created(op(http.MethodPost, one+"/notes", "note-finding", tag, "Write a note to a finding"))
	huma.Register(s.api, note, s.noteFinding)
	done := op(http.MethodPost, one+"/close", "close-finding", tag, "Say that a finding was dealt with")
	done.Errors = append(done.Errors, http.StatusConflict)
	huma.Register(s.api, done, s.closeFinding)
}

func (s *Server) watch() (*watch.Watch, error) { return stage(s.d.Watch, "the list of findings") }

func (s *Server) listFindings(ctx context.Context, in *struct {
	Line     string `query:"line" maxLength:"80"`
	Customer string `query:"customer" maxLength:"60"`
	Kind     string `query:"kind" maxLength:"40"`
	Open     bool   `query:"open" doc:"only those that nobody has closed"`
	Before   int64  `query:"before" minimum:"0" doc:"continue below this id: next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
},
) (*answer[api.List[api.Finding]], error) {
	w, err := s.watch()
	if err != nil {
		return nil, err
	}
	if _, known := detect.ParseKind(in.Kind); in.Kind != "" && !known {
		want := "a kind of finding: guessing, siege, spray, usage-level …"
		if near := slip.Nearest(in.Kind, findingKinds()); near != "" {
			want += "; did you mean " + near + "?"
		}
		return nil, s.explain(invalid("kind", in.Kind, want))
	}
	line, err := s.lineFilter(ctx, in.Line)
	if err != nil {
		return nil, err
	}
	customer, err := s.customerFilter(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	all, err := w.Findings(ctx, watch.Filter{
		Line: line, Account: customer, Kind: in.Kind, Open: in.Open, Before: in.Before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, s.explain(err)
	}
	out := make([]api.Finding, len(all))
	for i := range all {
		out[i] = findingView(&all[i])
	}
	return reply(list(out, in.Limit, func(f *api.Finding) string { return strconv.FormatInt(f.ID, 10) }), nil)
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

func (s *Server) getFinding(ctx context.Context, in *number) (*answer[api.Finding], error) {
	w, err := s.watch()
	if err != nil {
		return nil, err
	}
	return reply(s.finding(ctx, w, in.ID))
}

// finding is one with all that is to be said about it.
func (s *Server) finding(ctx context.Context, w *watch.Watch, id int64) (api.Finding, error) {
	f, err := w.Finding(ctx, id)
	if err != nil {
		return api.Finding{}, s.about(err, "finding", strconv.FormatInt(id, 10))
	}
	out := findingView(&f)
	kind, _ := detect.ParseKind(f.Kind)
	out.Meaning, out.Advice = kind.Meaning(), kind.Advice()
	for _, n := range f.Notes {
		out.Notes = append(out.Notes, api.Note{At: n.At, By: n.By, Text: n.Text})
	}
	if json.Valid(f.Evidence) {
		out.Evidence = f.Evidence
	}
	return out, nil
}

func (s *Server) noteFinding(ctx context.Context, in *struct {
	ID   int64 `path:"id" minimum:"1"`
	Body api.NewNote
},
) (*answer[api.Finding], error) {
	w, err := s.watch()
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(in.Body.Text)
	if text == "" {
		return nil, s.explain(invalid("text", in.Body.Text, "what is to be noted"))
	}
	switch err := w.Note(ctx, in.ID, by(ctx), text); {
	case errors.Is(err, watch.ErrFull):
		return nil, newProblem(http.StatusConflict, api.ReasonClosed, "the finding has as many notes as it may have")
	case err != nil:
		return nil, s.about(err, "finding", strconv.FormatInt(in.ID, 10))
	}
	return reply(s.finding(ctx, w, in.ID))
}

func (s *Server) closeFinding(ctx context.Context, in *number) (*answer[api.Finding], error) {
	w, err := s.watch()
	if err != nil {
		return nil, err
	}
	switch err := w.Close(ctx, in.ID, by(ctx)); {
	case errors.Is(err, watch.ErrClosed):
		return nil, newProblem(http.StatusConflict, api.ReasonClosed, "the finding was closed before")
	case err != nil:
		return nil, s.about(err, "finding", strconv.FormatInt(in.ID, 10))
	}
	return reply(s.finding(ctx, w, in.ID))
}
