package rest

import (
	"cmp"
	"context"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/edge/workbook"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	const path, one, tag = "/v1/decks", "/v1/decks/{name}", "decks"
	listed[api.Deck](s, s.listDecks)
	in := s.uploaded(op(http.MethodPost, one+"/import", "import-deck", tag, "Import a deck file, all or nothing"))
	in.Errors = append(in.Errors, http.StatusUnsupportedMediaType)
	route(s, in, s.importDeck)
	route(s, op(http.MethodPost, path+"/reload", "reload-decks", tag, "Reload the decks in force from the store"), s.reloadDecks)
	deleted[api.Deck](s, s.deleteDeck)
	route(s, op(http.MethodGet, one+"/diff", "diff-deck", tag, "Compare two versions of a deck"), s.diffDeck)
	route(s, op(http.MethodGet, one+"/rows", "list-deck-rows", tag, "List the prices of a deck"), s.deckRows)
})

func (s *Server) listDecks(ctx context.Context, _ *struct{}) (out api.List[api.Deck], err error) {
	heads, err := s.d.Book.Decks(ctx)
	out.Items = views(heads, func(h *book.DeckHead) api.Deck {
		now, _, ok := s.d.Book.Deck(h.Name)
		return deckView(h, ok && now.Version == h.Version)
	})
	return out, err
}

func (s *Server) reloadDecks(ctx context.Context, _ *struct{}) (out api.List[api.Deck], err error) {
	err = s.d.Book.ReloadDecks(ctx)
	out.Items = views(s.d.Book.DecksInForce(), func(h *book.DeckHead) api.Deck { return deckView(h, true) })
	return out, err
}

// oneUpload lets one file in at a time, before its body is read: each may take a hundred megabytes while it is looked at.
func (s *Server) oneUpload(hc huma.Context, next func(huma.Context)) {
	select {
	case s.uploading <- struct{}{}:
		defer func() { <-s.uploading }()
		next(hc)
	case <-hc.Context().Done():
	case <-time.After(uploadWait):
		_ = huma.WriteErr(s.api, hc, http.StatusServiceUnavailable, "another file is being imported; try again when it is done")
	}
}

// importInput is the file and how to read it.
type importInput struct {
	api.DeckImport
	ContentType string `header:"Content-Type"`
	RawBody     []byte `contentType:"text/csv"`
}

// read is how the file is to be read.
func (in *importInput) read() (rating.ReadOptions, error) {
	opt := rating.ReadOptions{
		SkipBlank: in.SkipBlank, Pence: in.Pence || in.Unit == "hundredths", Whole: in.Unit == "whole", Thousandths: in.Unit == "thousandths", Dates: rating.DateOrder(in.Dates), Currency: in.Currency,
		First: uint16(in.First), Step: uint16(in.Step), Sheet: in.Sheet,
	}
	var err error
	if opt.Mapping, err = rating.ParseMapping(in.Map); err != nil {
		return opt, invalidText("map", err)
	}
	if in.Rate != "" {
		if opt.Exchange, err = money.ParseExchange(in.Rate); err != nil {
			return opt, invalidText("rate", err)
		}
	}
	return opt, nil
}

// invalidText says what is wrong with a parameter or field, in the words of what read it.
func invalidText(name string, err error) error {
	p := newProblem(http.StatusUnprocessableEntity, api.ReasonInvalid, err.Error())
	p.Errors = []api.Fault{{Field: name, Text: err.Error()}}
	return p
}

// deckTypes are media types that a deck file may come with. The first bytes say which it is.
var deckTypes = []string{"text/csv", "application/octet-stream", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

func (s *Server) importDeck(ctx context.Context, in *importInput) (out api.Import, err error) {
	if kind, _, err := mime.ParseMediaType(in.ContentType); err != nil || !slices.Contains(deckTypes, kind) {
		return out, newProblem(http.StatusUnsupportedMediaType, api.ReasonMediaType, "send the file with Content-Type: text/csv")
	}
	read, err := in.read()
	if err != nil {
		return out, err
	}
	var sheets []rating.Sheet
	if workbook.Is(in.RawBody) {
		var fault *rating.Fault
		if sheets, fault = workbook.Read(in.RawBody); fault != nil {
			return out, deckProblem(&book.DeckFaults{Faults: []rating.Fault{*fault}, Count: 1})
		}
	}
	got, err := s.d.Book.Import(ctx, by(ctx), in.RawBody, book.ImportOptions{
		Name: in.Name, Kind: rating.Kind(in.Kind), Source: in.Source, DryRun: in.DryRun, Yes: in.Yes, Merge: in.Merge, Covers: in.Covers,
		Sheets: sheets, Read: read,
	})
	if err != nil {
		return out, err
	}
	return importView(got, in.DryRun), nil
}

func questions(qs []rating.Question) (out []api.Question) {
	for _, q := range qs {
		out = append(out, api.Question{Code: q.Code, Text: q.Text, Examples: q.Examples, Flag: q.Flag, Choices: q.Choices})
	}
	return out
}

func importView(got *book.Imported, dryRun bool) api.Import {
	sum, d := &got.File.Summary, &got.Changes
	out := api.Import{
		Name: got.Head.Name, Kind: string(got.Head.Kind), Version: got.Head.Version, DryRun: dryRun, Rows: len(got.File.Prices),
		Skipped: sum.Blank, Countries: sum.Countries, Layout: layout(&got.File.Format), Added: len(d.Added), Removed: len(d.Removed),
		Changed: len(d.Dearer) + len(d.Cheaper) + len(d.Renamed), Dearer: len(d.Dearer), Cheaper: len(d.Cheaper), Outliers: []api.Outlier{},
		Questions: questions(got.Questions), Covers: got.Head.Covers, Unpriced: []api.Unpriced{}, BelowCost: []string{},
	}
	if sum.Cheapest.Prefix != 0 {
		out.Cheapest, out.Dearest = priceView(&sum.Cheapest), priceView(&sum.Dearest)
	}
	for _, w := range got.File.Warnings {
		if w.Line == 0 {
			out.Notes = append(out.Notes, w.Text)
			continue
		}
		out.Outliers = append(out.Outliers, api.Outlier{Line: w.Line, Kind: string(w.Kind), Text: w.Text})
	}
	for _, n := range []struct {
		count     int
		one, many string
	}{
		{sum.Free, "price is free of charge", "prices are free of charge"},
		{sum.Blocked, "row is blocked: its destinations have no price", "rows are blocked: their destinations have no price"},
		{sum.Gone, "row is removed, as its status says, and was left out", "rows are removed, as their status says, and were left out"},
		{sum.NotYet, "row begins later, " + sum.First.Format(firstForm), "rows begin later, the first " + sum.First.Format(firstForm)},
		{sum.Expired, "row has ended: calls have its price no more", "rows have ended: calls have their prices no more"},
		{sum.Superseded, "row is never in force, for others of its prefix are", "rows are never in force, for others of their prefixes are"},
	} {
		if n.count > 0 {
			out.Notes = append(out.Notes, api.Count(n.count, n.one, n.many))
		}
	}
	for i := range got.Unpriced {
		u := &got.Unpriced[i]
		out.Unpriced = append(out.Unpriced, api.Unpriced{
			Country: u.Country.String(), Kinds: rating.KindNames(u.Kinds), Was: u.Was, Name: u.Name, PerMinute: int64(u.Rate), Text: u.Text(),
		})
	}
	for i := range got.Below[:min(len(got.Below), rating.MaxWarnings)] {
		out.BelowCost = append(out.BelowCost, got.Below[i].Text())
	}
	return out
}

const firstForm = "on 2 January 2006 at 15:04 MST"

// layout says how a file was understood, so that a person can object.
func layout(f *rating.Format) string {
	var parts []string
	if f.Sheet != "" {
		parts = append(parts, fmt.Sprintf("sheet %q", f.Sheet))
	} else {
		parts = append(parts, fmt.Sprintf("separator %q", f.Separator))
	}
	if f.Headless {
		parts = append(parts, "no header")
	} else {
		parts = append(parts, fmt.Sprintf("header in line %d", f.HeaderLine))
	}
	if f.DecimalComma {
		parts = append(parts, "decimal comma")
	}
	if f.Pence {
		parts = append(parts, "rates in pence")
	}
	if f.Currency != "" {
		parts = append(parts, f.Currency+map[bool]string{false: " (the file does not say)"}[f.Stated])
	}
	return strings.Join(append(parts, f.Columns...), ", ")
}

// deckProblem lists every fault of a file.
func deckProblem(e *book.DeckFaults) *problem {
	p := newProblem(http.StatusUnprocessableEntity, api.ReasonDeckFaults, e.Error())
	for _, f := range e.Faults {
		p.Errors = append(p.Errors, api.Fault{
			Field: f.Name, Line: f.Line, Column: f.Column, Found: f.Found, Want: f.Expected, Text: f.String(),
		})
	}
	if over := e.Count - len(e.Faults); over > 0 {
		p.Errors = append(p.Errors, api.Fault{Text: fmt.Sprintf("and %d faults more", over)})
	}
	return p
}

func (s *Server) deleteDeck(ctx context.Context, in *api.DeckName) (none, error) {
	if err := s.d.Book.RemoveDeck(ctx, by(ctx), in.Name); err != nil {
		return none{}, s.about(err, "deck", in.Name)
	}
	return none{}, nil
}

func (s *Server) diffDeck(ctx context.Context, in *struct {
	api.DeckName
	From  int64  `query:"from" minimum:"0"`
	To    int64  `query:"to" minimum:"0"`
	At    string `query:"at" doc:"compare only prices in force at a time, in the provider's time zone"`
	After int    `query:"after" minimum:"0" doc:"number of rows to skip: next of the previous page"`
	Limit int    `query:"limit" minimum:"0" maximum:"10000" default:"1000"`
},
) (out api.DeckDiff, err error) {
	at, err := instant(when.At, "at", in.At, s.d.Book.Zone(""))
	if err != nil {
		return out, err
	}
	from, to, d, err := s.d.Book.Diff(ctx, in.Name, in.From, in.To, at)
	if err != nil {
		return out, s.about(err, "such version of deck", in.Name)
	}
	out = api.DeckDiff{
		Name: in.Name, From: from, To: to, Added: len(d.Added), Removed: len(d.Removed),
		Changed: len(d.Dearer) + len(d.Cheaper) + len(d.Renamed), Dearer: len(d.Dearer), Cheaper: len(d.Cheaper),
	}
	all := deltas(&d)
	end := min(in.After+in.Limit, len(all))
	out.Rows = all[min(in.After, end):end]
	if end < len(all) {
		out.Next = strconv.Itoa(end)
	}
	return out, nil
}

// deltas are all changes by prefix.
func deltas(d *rating.Difference) []api.Delta {
	out := []api.Delta{}
	for i := range d.Added {
		out = append(out, api.Delta{Prefix: d.Added[i].Digits(), After: priceView(&d.Added[i])})
	}
	for i := range d.Removed {
		out = append(out, api.Delta{Prefix: d.Removed[i].Digits(), Before: priceView(&d.Removed[i])})
	}
	for _, list := range [][]rating.Change{d.Dearer, d.Cheaper, d.Renamed} {
		for i := range list {
			out = append(out, api.Delta{Prefix: list[i].New.Digits(), Before: priceView(&list[i].Old), After: priceView(&list[i].New)})
		}
	}
	slices.SortStableFunc(out, func(a, b api.Delta) int { return strings.Compare(a.Prefix, b.Prefix) })
	return out
}

func (s *Server) deckRows(ctx context.Context, in *struct {
	api.PriceFilter
	After string `query:"after" pattern:"^s?[0-9]{0,15}(@-?[0-9]{1,19})?$"`
	Limit int    `query:"limit" minimum:"1" maximum:"10000" default:"100"`
},
) (out api.List[api.Price], err error) {
	rows, err := s.d.Book.DeckRows(ctx, in.Name, in.Version)
	if err != nil {
		return out, s.about(err, "such version of deck", in.Name)
	}
	at, err := instant(when.At, "at", in.At, s.d.Book.Zone(""))
	if err != nil {
		return out, err
	}
	if !at.IsZero() {
		rows = rating.InForceAt(rows, at)
	}
	var page []api.Price
	after := cursorOf(in.After)
	for i := range rows {
		p := &rows[i]
		here := rowCursor{p.Short, p.Digits(), p.From}
		if !strings.HasPrefix(p.Digits(), in.Prefix) || in.After != "" && here.compare(after) <= 0 {
			continue
		}
		if page = append(page, *priceView(p)); len(page) > in.Limit {
			break
		}
	}
	return list(page, in.Limit, func(p *api.Price) string {
		return rowCursor{p.Short, p.Prefix, rating.MomentOf(p.From)}.String()
	}), nil
}

// rowCursor sorts as a deck does: digits as text, then by beginning, short numbers last.
type rowCursor struct {
	short  bool
	digits string
	from   rating.Moment
}

func (c rowCursor) compare(other rowCursor) int {
	if c.short != other.short {
		return map[bool]int{true: 1, false: -1}[c.short]
	}
	return cmp.Or(strings.Compare(c.digits, other.digits), cmp.Compare(c.from, other.from))
}

// String is "44", "s118" for a short number, and "44@1700000000000000" for a price with a beginning.
func (c rowCursor) String() string {
	text := map[bool]string{true: "s"}[c.short] + c.digits
	if c.from != 0 {
		text += "@" + strconv.FormatInt(int64(c.from), 10)
	}
	return text
}

func cursorOf(after string) rowCursor {
	rest, short := strings.CutPrefix(after, "s")
	digits, from, _ := strings.Cut(rest, "@")
	moment, _ := strconv.ParseInt(from, 10, 64) // its form was checked, and "" is none
	return rowCursor{short, digits, rating.Moment(moment)}
}
