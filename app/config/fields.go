package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// field is one key of the configuration, found by reflection over Config.
type field struct {
	Key      string // whole, dotted: "sip.max-calls"
	Former   string // the key by which earlier versions knew it; "" is none
	Go       string // "SIP.MaxCalls"
	Default  string // as its tag says it; "" where there is none, or it depends on the machine
	Form     string // the name of one of forms, or "path"
	One      []string
	Min, Max string
	Live     bool
	index    []int
	typ      reflect.Type
}

// allFields is every key in the order of the file; allTables every table.
var allFields, allTables = collect(reflect.TypeFor[Config](), "", "", nil)

func collect(t reflect.Type, key, name string, index []int) (fields []field, tables []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("toml")
		if tag == "-" || tag == "" {
			continue
		}
		at := append(append([]int(nil), index...), i)
		x := field{
			Key: key + tag, Go: name + f.Name, index: at, typ: f.Type, Min: f.Tag.Get("min"), Max: f.Tag.Get("max"),
			Live: f.Tag.Get("reload") == "live", Default: f.Tag.Get("default"), Form: f.Tag.Get("form"),
		}
		if former := f.Tag.Get("former"); former != "" {
			x.Former = key + former
		}
		if one := f.Tag.Get("one"); one != "" {
			x.One = strings.Split(one, ",")
		}
		if !isTable(f.Type) {
			fields = append(fields, x)
			continue
		}
		tables = append(tables, x)
		sub, subTables := collect(f.Type, x.Key+".", x.Go+".", at)
		fields, tables = append(fields, sub...), append(tables, subTables...)
	}
	return fields, tables
}

// isTable tells tables from values that happen to be structs.
func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func fieldOf(key string) (field, bool) {
	for _, f := range allFields {
		if f.Key == key {
			return f, true
		}
	}
	return field{}, false
}

// table is "sip" of "sip.max-calls", "" of "data".
func (f field) table() string {
	if i := strings.LastIndexByte(f.Key, '.'); i >= 0 {
		return f.Key[:i]
	}
	return ""
}

// name is "max-calls" of "sip.max-calls".
func (f field) name() string { return f.Key[strings.LastIndexByte(f.Key, '.')+1:] }

func (f field) of(c *Config) reflect.Value { return reflect.ValueOf(c).Elem().FieldByIndex(f.index) }

// want says in words what may stand in a field.
func (f field) want() string {
	switch {
	case len(f.One) > 0 && f.typ.Kind() == reflect.Slice:
		return "a list of " + quoted(f.One, " and ")
	case len(f.One) > 0:
		return quoted(f.One, " or ")
	case f.Min != "":
		return kindOf(f.typ) + " from " + f.Min + " to " + f.Max
	}
	return kindOf(f.typ)
}

func kindOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return `a length of time ("90s", "10m", "1h30m")`
	case reflect.TypeFor[Clock]():
		return `a time of day ("08:00")`
	case reflect.TypeFor[Period]():
		return `a period ("6 years 3 months", "400 days", "for ever")`
	case reflect.TypeFor[netip.AddrPort]():
		return `an address and port ("127.0.0.1:5060", "[::1]:5060")`
	case reflect.TypeFor[Secret](), reflect.TypeFor[Setting]():
		return "a text in quotes"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "a list in brackets, each " + kindOf(t.Elem())
	case reflect.Int:
		return "a whole number"
	}
	return "a text in quotes"
}

// show writes a field's value as TOML would have it, secrets hidden.
func show(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = show(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if v.IsZero() && v.Kind() == reflect.Struct {
		return `""`
	}
	if s, ok := v.Interface().(Secret); ok {
		return strconv.Quote(s.String())
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, _ := m.MarshalText() // none of ours fails
		return strconv.Quote(string(text))
	}
	if v.Kind() == reflect.String {
		return strconv.Quote(v.String())
	}
	return fmt.Sprint(v.Interface())
}

func quoted(words []string, last string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = strconv.Quote(w)
	}
	if len(q) == 1 {
		return q[0]
	}
	return strings.Join(q[:len(q)-1], ", ") + last + q[len(q)-1]
}
