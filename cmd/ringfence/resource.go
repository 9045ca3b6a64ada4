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
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/core/money"
	"ringfence/edge/rest/api"
)

// list is the command that lists things of a kind; F are its filters, as the server takes them.
type list[V api.View[V], F any] struct {
	Filter F   `embed:""`
	Limit  int `help:"Show no more than this (0: all)." default:"${limit=0}"`
}

func (*list[V, F]) summary() string { return describe[V]().List }

// Run lists them.
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
	return s.emit(items, func() error { return s.cutList(rows(items...), more, filled(empty, &c.Filter)) })
}

// whole is the command that lists things of which there are few.
type whole[V api.View[V], F any] struct {
	Filter F `embed:""`
}

func (*whole[V, F]) summary() string { return describe[V]().List }

// Run lists them.
func (c *whole[V, F]) Run(s *session) error {
	return listAll[V](s, &c.Filter)
}

// listAll lists things of which there are few; of are the filters, and what the path names.
func listAll[V api.View[V]](s *session, of any) error {
	r := describe[V]()
	page, err := fetch[api.List[V]](s, "GET /v1/"+r.Path, of)
	if err != nil {
		return err
	}
	return s.emit(append([]V{}, page.Items...), func() error { return s.list(rows(page.Items...), filled(r.Empty, of)) })
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

// Run shows it.
func (c *show[V, I]) Run(s *session) error {
	return perform(s, "GET "+one[V](), &c.Which, func(v *V) error { return s.table(card(v), 0) })
}

// remove is the command that removes a thing, if told twice; I says which.
type remove[V api.View[V], I any] struct {
	Which I    `embed:""`
	Yes   bool `help:"Do it; without, only say what would be done."`
}

func (*remove[V, I]) summary() string { return describe[V]().Delete }

// Run removes it.
func (c *remove[V, I]) Run(s *session) error {
	r := describe[V]()
	v, err := fetch[V](s, "GET "+one[V](), &c.Which)
	if err != nil {
		return err
	}
	if !c.Yes {
		return s.dryRun(filled(r.Would, v))
	}
	if _, err := fetch[none](s, "DELETE "+one[V](), &c.Which); err != nil {
		return err
	}
	return s.done("%s", filled(r.Gone, v))
}

// none is the answer of what says only that it is done.
type none struct{}

func describe[V api.View[V]]() api.Resource[V] { return (*new(V)).Resource() }

// one is the path of one thing.
func one[V api.View[V]]() string {
	r := describe[V]()
	return "/v1/" + r.Path + "/{" + cmp.Or(r.Key, "id") + "}"
}

// perform sends to an operation what a command was given, and prints the answer: JSON for programs, and for people what they
// make of it.
func perform[T any](s *session, operation string, in any, people func(*T) error) error {
	out, err := fetch[T](s, operation, in)
	if err != nil {
		return err
	}
	return s.emit(out, func() error { return people(out) })
}

// fetch is perform without printing.
func fetch[T any](s *session, operation string, in any) (*T, error) {
	method, path, _ := strings.Cut(operation, " ")
	target, q, body := request(path, in)
	out := new(T)
	return out, s.do(method, target+queryText(q), body, out)
}

// request puts the fields of a struct where the server looks for them: into the path and the query by their tags of these
// names, and Body into the body. Flags that were not given are left out.
func request(path string, in any) (target string, q url.Values, body any) {
	path, given, _ := strings.Cut(path, "?")
	q, _ = url.ParseQuery(given) // our own words
	for f, v := range fields(in) {
		name, _, _ := strings.Cut(f.Tag.Get("query"), ",")
		switch key := f.Tag.Get("path"); {
		case f.Name == "Body":
			body = v.Interface()
		case key != "":
			path = strings.ReplaceAll(path, "{"+key+"}", url.PathEscape(fmt.Sprint(v)))
		case name != "" && v.Kind() == reflect.Slice:
			q[name] = v.Interface().([]string)
		case name != "" && !v.IsZero():
			q.Set(name, fmt.Sprint(v))
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
		heads[i] = table.Column{Head: c.Head, Cut: c.Cut, Spare: c.Spare, ID: c.ID, Right: c.Right}
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
	return fmt.Sprint(v)
}

// filled is a sentence with fields in the place of their names in braces: JSON names, or those that a path has for them.
func filled(text string, of any) string {
	for f, v := range fields(of) {
		name := cmp.Or(jsonName(f), f.Tag.Get("path"))
		if in := "{" + name + "}"; strings.Contains(text, in) {
			text = strings.ReplaceAll(text, in, textOf(name, v))
		}
	}
	return text
}
