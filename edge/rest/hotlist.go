package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/netlist"
	"ringfence/core/restrict"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	const path, tag = "/v1/hotlist", "hotlist"
	listed[api.HotNumber](s, s.listHot)
	added[api.HotNumber](s, s.addHot)
	route(s, op(http.MethodDelete, path, "remove-hot-number", tag, "Take numbers off a hot list; those of a feed are exempted until it names them no more"), s.removeHot)
	in := s.uploaded(op(http.MethodPost, path+"/import", "import-hotlist", tag, "Import a hot list, in place of the previous list of that name"))
	route(s, in, s.importHot)
	route(s, op(http.MethodDelete, path+"/lists/{name}", "drop-hotlist", tag, "Remove a whole hot list that is no feed's"), s.dropHot)
	out := op(http.MethodGet, path+"/export", "export-hotlist", tag, "Export hot lists as a list that import reads")
	streamed(s, out, map[string]*huma.Schema{"text/plain": plainText, "text/csv": plainText, "application/json": {}}, s.exportHot)
})

// hotNumbers reads a range as people write it.
func hotNumbers(field, text string) (restrict.Range, error) {
	r, err := restrict.ParseNumbers(text)
	if err != nil {
		return r, invalid(field, text, "3 to 15 digits of a number with its country code, such as +25261")
	}
	return r, nil
}

// findHot selects entries, those after one.
func (s *Server) findHot(f *api.HotFilter) ([]restrict.Listed, error) {
	var within restrict.Range
	var err error
	if f.Numbers != "" {
		if within, err = hotNumbers("numbers", f.Numbers); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(s.d.Book.Hot().All(), func(l restrict.Listed) bool {
		return f.List != "" && l.List != f.List || within.Digits > 0 && !within.Overlaps(l.Range)
	}), nil
}

// listHot pages by number and list, as they are ordered.
func (s *Server) listHot(_ context.Context, in *struct {
	api.HotFilter
	After string `query:"after" maxLength:"100" doc:"continue above this: next of the previous page"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
},
) (out api.List[api.HotNumber], err error) {
	found, err := s.findHot(&in.HotFilter)
	if err != nil {
		return out, err
	}
	if in.After != "" {
		numbers, name, _ := strings.Cut(in.After, " ")
		r, err := hotNumbers("after", numbers)
		if err != nil {
			return out, err
		}
		found = slices.DeleteFunc(found, func(l restrict.Listed) bool { return cmp.Or(l.Range.Compare(r), strings.Compare(l.List, name)) <= 0 })
	}
	return list(views(found[:min(len(found), in.Limit+1)], s.hotView), in.Limit, func(n *api.HotNumber) string { return n.Numbers + " " + n.List }), nil
}

func (s *Server) hotView(l *restrict.Listed) api.HotNumber {
	zone := s.d.Book.Zone("")
	return api.HotNumber{
		Numbers: l.Range.String(), List: l.List, Direction: string(l.Way), Until: in(zone, l.Until), Made: in(zone, l.Made), By: l.By, Why: l.Why,
	}
}

func (s *Server) addHot(ctx context.Context, in *api.HotNew) (out api.HotNumber, err error) {
	b, now := &in.Body, time.Now()
	l := restrict.Listed{List: cmp.Or(b.List, book.HotDesk), Why: netlist.Clean(b.Why)}
	if l.Range, err = hotNumbers("numbers", b.Numbers); err != nil {
		return out, err
	}
	if l.Way, err = restrict.ParseWay(b.Direction); err != nil {
		return out, invalidText("direction", err)
	}
	if l.Until, err = instant(when.Until, "until", b.Until, s.d.Book.Zone("")); err != nil {
		return out, err
	}
	if b.For > 0 {
		l.Until = now.Add(time.Duration(b.For) * time.Second).Truncate(time.Second)
	}
	if strings.Contains(l.List, ":") {
		return out, invalid("list", l.List, "letters, digits, dots, dashes and underscores")
	}
	if l, err = s.d.Book.AddHot(ctx, by(ctx), l); err != nil {
		return out, err
	}
	return s.hotView(&l), nil
}

func (s *Server) removeHot(ctx context.Context, in *api.HotRemoval) (out api.HotNumber, err error) {
	r, err := hotNumbers("numbers", in.Numbers)
	if err != nil {
		return out, err
	}
	name := cmp.Or(in.List, book.HotDesk)
	l, err := s.d.Book.RemoveHot(ctx, by(ctx), name, r, netlist.Clean(in.Why))
	if errors.Is(err, book.ErrNotFound) {
		return out, missing("numbers on the hot list "+name, r.String())
	}
	return s.hotView(&l), err
}

// hotUpload is a list and how to read it.
type hotUpload struct {
	Name      string `query:"name" required:"true" minLength:"1" maxLength:"64" doc:"of the list: letters, digits, dots, dashes and underscores"`
	Format    string `query:"format" enum:"auto,text,csv,json" default:"auto"`
	Direction string `query:"direction" enum:"out,in,both,presented" default:"out" doc:"of entries that give none"`
	Until     string `query:"until" maxLength:"40" doc:"for entries without an end; a time, or as people write it in the provider's zone; absent: none"`
	DryRun    bool   `query:"dry_run" doc:"read and check only"`
	RawBody   []byte `contentType:"text/plain"`
}

func (s *Server) importHot(ctx context.Context, in *hotUpload) (out api.HotImport, err error) {
	now := time.Now()
	until, err := instant(when.Until, "until", in.Until, s.d.Book.Zone(""))
	switch {
	case err != nil:
		return out, err
	case strings.Contains(in.Name, ":"):
		return out, invalid("name", in.Name, "letters, digits, dots, dashes and underscores")
	case !until.IsZero() && !until.After(now):
		return out, invalid("until", in.Until, "a time in the future")
	}
	format, err := netlist.ParseFormat(in.Format)
	if err != nil {
		return out, invalid("format", in.Format, "auto, text, csv or json")
	}
	read, err := netlist.Parse(in.RawBody, netlist.Options{Format: format, Now: now, Numbers: true, Way: restrict.Way(in.Direction)})
	if err != nil {
		return out, s.explainList(err)
	}
	out = api.HotImport{Name: in.Name, Format: string(read.Format), DryRun: in.DryRun, Listed: len(read.Entries), Ended: read.Ended}
	if in.DryRun {
		out.Text = fmt.Sprintf("%d listed; nothing was changed", out.Listed)
		return out, nil
	}
	entries := make([]restrict.Listed, len(read.Entries))
	for i, e := range read.Entries {
		entries[i] = restrict.Listed{Range: e.Range, Way: e.Way, Until: e.Until, Why: e.Why}
		if e.Until.IsZero() {
			entries[i].Until = until
		}
	}
	return s.takeHot(ctx, out, entries)
}

func (s *Server) takeHot(ctx context.Context, out api.HotImport, entries []restrict.Listed) (api.HotImport, error) {
	got, err := s.d.Book.ImportHot(ctx, by(ctx), out.Name, entries)
	if err != nil {
		return out, err
	}
	out.Held, out.Added, out.Changed, out.Removed, out.LeftOut, out.Sample, out.Text = got.Held, got.Added, got.Changed, got.Removed, got.LeftOut, got.Sample, got.String()
	return out, nil
}

func (s *Server) dropHot(ctx context.Context, in *struct {
	Name string `path:"name" maxLength:"70"`
},
) (out api.HotImport, err error) {
	switch {
	case strings.HasPrefix(in.Name, book.HotFeed):
		return out, invalid("name", in.Name, "a list that is no feed's: take the feed out of the configuration")
	case !slices.Contains(s.d.Book.HotLists(), in.Name):
		return out, missing("hot list", in.Name)
	}
	return s.takeHot(ctx, api.HotImport{Name: in.Name}, nil)
}

func (s *Server) exportHot(_ context.Context, in *struct {
	api.HotFilter
	Format string `query:"format" enum:"text,csv,json" default:"csv"`
},
) (*huma.StreamResponse, error) {
	found, err := s.findHot(&in.HotFilter)
	if err != nil {
		return nil, err
	}
	entries := make([]netlist.Entry, 0, len(found))
	for i := range found {
		if l := &found[i]; l.Way != restrict.Off {
			entries = append(entries, netlist.Entry{Range: l.Range, Way: l.Way, Until: l.Until, Why: l.Why, By: l.By, Made: l.Made})
		}
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
