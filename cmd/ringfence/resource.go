package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/alecthomas/kong"

	"ringfence/cmd/ringfence/table"
	"ringfence/core/money"
	"ringfence/edge/rest/api"
)

// list is the command that lists things of a kind; F are its filters, as the server takes them.
type list[V api.View[V], F any] struct {
	Filter F   `embed:""`
	Limit  int `help:"Maximum number of results (0 = all)." default:"${limit=0}"`
}

func (*list[V, F]) summary() string { return describe[V]().List }

func (c *list[V, F]) Run(s *session) error {
	r := describe[V]()
	items, more, err := all[V](s, "/v1/"+r.Path, r.Next, c.Limit, &c.Filter)
	if err != nil {
		return err
	}
	empty := r.Empty
	if r.None != "" && !reflect.ValueOf(c.Filter).IsZero() {
		empty = r.None
	}
	return s.emit(items, func() error { return s.cutList(rows(items...), more, sentence(empty, &c.Filter)) })
}

// whole is the command that lists things of which there are few.
type whole[V api.View[V], F any] struct {
	Filter F `embed:""`
}

func (*whole[V, F]) summary() string { return describe[V]().List }

func (c *whole[V, F]) Run(s *session) error { return listAll[V](s, &c.Filter) }

// listAll lists things of which there are few; in holds the filters, and what the path names.
func listAll[V api.View[V]](s *session, in any) error {
	r := describe[V]()
	page, err := fetch[api.List[V]](s, "GET /v1/"+r.Path, in)
	if err != nil {
		return err
	}
	return s.emit(append([]V{}, page.Items...), func() error { return s.list(rows(page.Items...), sentence(r.Empty, in)) })
}

// listRemoved is list for what is kept under its identity after it was removed.
type listRemoved[V api.View[V], F any] struct {
	list[V, F]
	Removed bool `help:"Those that were removed, with the identity that their records are kept under." xor:"which"`
}

func (c *listRemoved[V, F]) Run(s *session) error {
	if !c.Removed {
		return c.list.Run(s)
	}
	what := describe[V]().Path
	page, err := fetch[api.List[api.Removed]](s, "GET /v1/removed/"+what)
	if err != nil {
		return err
	}
	items, more := page.Items, c.Limit > 0 && len(page.Items) > c.Limit
	if more {
		items = items[:c.Limit]
	}
	return s.emit(items, func() error { return s.cutList(rows(items...), more, "No "+what+" were removed.") })
}

// all reads a list page after page, to its end or to most items (0: no limit). cursor is the parameter that continues it, and
// more says that it was cut there.
func all[T any](s *session, path, cursor string, most int, in any) (items []T, more bool, err error) {
	path, q, _ := request(path, in)
	items = []T{}
	for {
		limit := pageSize
		if most > 0 {
			limit = min(limit, most-len(items))
		}
		q.Set("limit", strconv.Itoa(limit))
		var page api.List[T]
		if err := s.do(http.MethodGet, path+queryText(q), nil, &page); err != nil {
			return nil, false, err
		}
		items = append(items, page.Items...)
		if page.Next == "" || page.Next == q.Get(cursor) {
			return items, false, nil
		}
		if q.Set(cursor, page.Next); most > 0 && len(items) >= most {
			return items[:most], true, nil
		}
	}
}

// show is the command that shows one thing; I says which.
type show[V api.View[V], I any] struct {
	Which I `embed:""`
}

func (*show[V, I]) summary() string { return describe[V]().Get }

func (c *show[V, I]) Run(s *session, k *kong.Context) error {
	return perform(s, cmp.Or(k.Selected().Tag.Get("route"), "GET "+one[V]()), func(v *V) error { return showWhole(s, v) }, &c.Which)
}

// showWhole is a table of a thing, and tables of what it has several of.
func showWhole[V api.View[V]](s *session, v *V) error {
	s.table(card(v), 0)
	switch x := any(v).(type) {
	case *api.LineDetail:
		s.section("Settings in force", rows(x.Settings...))
		s.section("Money", rows(x.Purses...))
		if len(x.Phones) == 0 {
			s.say("\nNo phone is registered.")
		}
		s.section("Phones", rows(x.Phones...))
		s.section("Calls in progress", rows(x.Calls...))
	case *api.Customer:
		s.section("Settings in force", rows(x.Settings...))
		s.section("Money", rows(x.Purses...))
	case *api.Place:
		if len(x.Files) == 0 {
			s.say("\nNo files are loaded: set geo.files in the configuration.")
		}
		s.section("Files", rows(x.Files...))
	}
	return nil
}

// change is the command that changes a thing: I says which, and field=value arguments are read into B. It shows what has become of it.
type change[V api.View[V], I, B any] struct {
	Which I        `embed:""`
	Set   []string `arg:"" name:"field=value" help:"${fields}" predict:"setting"`
	grantFlags
}

func (c *change[V, I, B]) Run(s *session) error {
	var in struct{ Body B }
	if err := assign(&in.Body, c.Set, c.grantFlags); err != nil {
		return err
	}
	return perform(s, "PATCH "+one[V](), func(v *V) error { return showWhole(s, v) }, &c.Which, &in)
}

// act is the command that does one thing. The tags of its field name the operation (route) and say in a template what is printed
// of the answer (says).
type act[I, O any] struct {
	In I `embed:""`
}

func (c *act[I, O]) Run(s *session, k *kong.Context) error {
	tag := k.Selected().Tag
	return perform(s, tag.Get("route"), func(out *O) error { return s.say("%s", sentence(tag.Get("says"), out)) }, &c.In)
}

// sure is act for what cannot be taken back: without --yes it looks only (look), and says what would be done (would).
type sure[I, Seen, O any] struct {
	In  I    `embed:""`
	Yes bool `help:"Do it. Without this flag, only say what would be done."`
}

func (c *sure[I, Seen, O]) Run(s *session, k *kong.Context) error {
	tag := k.Selected().Tag
	return ifSure[Seen, O](s, &c.In, c.Yes, tag.Get("look"), tag.Get("would"), tag.Get("route"), tag.Get("says"))
}

func ifSure[Seen, O any](s *session, in any, yes bool, look, would, route, says string) error {
	seen := new(Seen)
	path, q, _ := request(look, in)
	if err := s.do(http.MethodGet, path+queryText(q), nil, seen); err != nil {
		return err
	}
	if !yes {
		return s.dryRun(sentence(would, seen))
	}
	out, err := fetch[O](s, route, in)
	if err != nil {
		return err
	}
	var about any = out
	if v, ok := about.(*none); ok {
		v.Done, about = true, seen
	}
	return s.emit(out, func() error { return s.say("%s", sentence(says, about)) })
}

// remove is the command that removes a thing, with --yes; I says which.
type remove[V api.View[V], I any] struct {
	Which I    `embed:""`
	Yes   bool `help:"Do it. Without this flag, only say what would be done."`
}

func (*remove[V, I]) summary() string { return describe[V]().Delete }

func (c *remove[V, I]) Run(s *session) error {
	r := describe[V]()
	return ifSure[V, none](s, &c.Which, c.Yes, one[V](), r.Would, "DELETE "+one[V](), r.Gone)
}

// none is the answer of what says only that it is done.
type none struct {
	Done bool `json:"done"`
}

func describe[V api.View[V]]() api.Resource[V] { return (*new(V)).Resource() }

// one is the path of one thing.
func one[V api.View[V]]() string {
	r := describe[V]()
	return "/v1/" + r.Path + "/{" + cmp.Or(r.Key, "id") + "}"
}

// perform sends to an operation what a command was given, and prints the answer: JSON for programs, and for people what they
// make of it.
func perform[T any](s *session, operation string, people func(*T) error, in ...any) error {
	out, err := fetch[T](s, operation, in...)
	if err != nil {
		return err
	}
	return s.emit(out, func() error { return people(out) })
}

// fetch is perform without printing.
func fetch[T any](s *session, operation string, in ...any) (*T, error) {
	method, path, _ := strings.Cut(operation, " ")
	target, q, body := request(path, in...)
	out := new(T)
	return out, s.do(method, target+queryText(q), body, out)
}

// request puts the fields of structs where the server looks for them: into the path and the query by their tags of these
// names, and Body into the body. Flags that were not given are left out.
func request(path string, in ...any) (target string, q url.Values, body any) {
	path, given, _ := strings.Cut(path, "?")
	q, _ = url.ParseQuery(given) // our own words
	for _, one := range in {
		for f, v := range fields(one) {
			name, _, _ := strings.Cut(f.Tag.Get("query"), ",")
			switch key := f.Tag.Get("path"); {
			case f.Name == "Body":
				body = v.Interface()
			case key != "":
				path = strings.ReplaceAll(path, "{"+key+"}", url.PathEscape(fmt.Sprint(v)))
			case name != "" && v.Kind() == reflect.Slice:
				for i := range v.Len() {
					q.Add(name, fmt.Sprint(v.Index(i)))
				}
			case name != "" && !v.IsZero():
				q.Set(name, fmt.Sprint(v))
			}
		}
	}
	return path, q, body
}

// fields are those of a struct, or of what points to one, and of structs embedded in it.
func fields(in any) func(yield func(reflect.StructField, reflect.Value) bool) {
	v := reflect.Indirect(reflect.ValueOf(in))
	return func(yield func(reflect.StructField, reflect.Value) bool) {
		if v.Kind() != reflect.Struct {
			return
		}
		for _, f := range reflect.VisibleFields(v.Type()) {
			if !f.Anonymous && f.IsExported() && !yield(f, v.FieldByIndex(f.Index)) {
				return
			}
		}
	}
}

// rows is a table of things as their resource describes it.
func rows[V api.View[V]](items ...V) *table.Table {
	r, byName := describe[V](), jsonFields[V]()
	columns := api.ParseColumns(r.Columns)
	heads := make([]table.Column, len(columns))
	for i, c := range columns {
		heads[i] = table.Column{Head: c.Head, Cut: c.Cut, Spare: c.Spare, ID: c.ID, Right: c.Right, Wrap: c.Wrap}
		if f, ok := byName[c.Field]; ok && r.Cells[c.Field] == nil {
			heads[i].Right = f.Type.Kind() == reflect.Int64 || f.Type.Kind() == reflect.Int
		}
	}
	t := table.New(heads...)
	for i := range items {
		cells := make([]any, len(columns))
		for n, c := range columns {
			cells[n] = cell(&r, byName, &items[i], &c)
		}
		t.Row(cells...)
	}
	return t
}

// card is a table of one thing, a field a row.
func card[V api.View[V]](v *V) *table.Table {
	r, byName := describe[V](), jsonFields[V]()
	t := table.New(table.Left(""), table.Left(""))
	for _, c := range api.ParseColumns(r.Fields) {
		x := cell(&r, byName, v, &c)
		if c.Bold {
			x.Style = table.Bold
		}
		if x.Text != "" || !c.Spare {
			t.Row(c.Head, x)
		}
	}
	return t
}

var looks = map[string]table.Style{"good": table.Good, "warn": table.Warn, "bad": table.Bad, "dim": table.Dim, "bold": table.Bold}

func cellOf(c api.Cell) table.Cell { return table.Cell{Text: c.Text, Style: looks[c.Look]} }

func cell[V any](r *api.Resource[V], byName map[string]reflect.StructField, v *V, c *api.Column) (out table.Cell) {
	if make := r.Cells[c.Field]; make != nil {
		out = cellOf(make(v))
	}
	if f, ok := byName[c.Field]; ok && out.Text == "" {
		if value := reflect.ValueOf(v).Elem().FieldByIndex(f.Index); !c.Blank || !value.IsZero() {
			out.Text = textOf(c.Field, value)
		}
	}
	return out
}

// jsonFields are the fields of a view by their JSON names.
func jsonFields[V any]() map[string]reflect.StructField {
	out := map[string]reflect.StructField{}
	for f := range fields(new(V)) {
		out[jsonName(f)] = f
	}
	return out
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// textOf writes a field for people: its JSON name says what a figure counts.
func textOf(name string, v reflect.Value) string {
	if v.Kind() == reflect.Pointer { // a field that may be absent
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case bool:
		return yesNo(x)
	case time.Time:
		return api.Moment(x)
	case json.RawMessage:
		return string(x)
	case []string:
		return strings.Join(x, ", ")
	}
	switch {
	case strings.HasSuffix(name, "_micro"):
		return amount(v.Int())
	case strings.HasSuffix(name, "_nano"):
		return api.Rate(money.Rate(v.Int()))
	case strings.HasSuffix(name, "_seconds"):
		return api.Length(time.Duration(v.Int()) * time.Second)
	}
	if k := v.Kind(); k == reflect.Struct || k == reflect.Slice || k == reflect.Map {
		return "" // its Cell writes it, and had nothing to write
	}
	return fmt.Sprint(v)
}

// sentence is a template filled with what it is about. A test fills each, so that a fault in one is not met later.
func sentence(text string, about any) string {
	var b strings.Builder
	if err := template.Must(template.New("").Funcs(inSentences).Parse(text)).Execute(&b, about); err != nil {
		panic(err)
	}
	return b.String()
}

var inSentences = template.FuncMap{"amount": amount, "count": api.Count, "ends": api.End, "span": func(s int64) string { return api.Length(time.Duration(s) * time.Second) }, "join": strings.Join, "sent": sent, "trim": strings.TrimSpace, "until": until}

// sent says where a notice has gone.
func sent(n *api.Notice) string {
	if n.State == "kept" {
		return fmt.Sprintf("There is no mail server (mail.server), so it is kept as notice %d. Read it with: ringfence notice show %d", n.ID, n.ID)
	}
	return fmt.Sprintf("It is on its way to %s as notice %d. Its deliveries: ringfence notice show %d", n.To(), n.ID, n.ID)
}
