// Command gen makes kinds.go, kinds_test.go and docs/journal.md from core/fact/kinds.txt, which says how a kind is described. It is run by
// go generate in core/fact, and no part of the product.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	d, err := read(".")
	if err != nil {
		log.Fatal(err)
	}
	code, err := d.code()
	if err != nil {
		log.Fatal(err)
	}
	tests, err := d.testCode()
	if err != nil {
		log.Fatal(err)
	}
	for path, text := range map[string][]byte{"kinds.go": code, "kinds_test.go": tests, "../../docs/journal.md": d.page()} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// description is what kinds.txt says.
type description struct {
	fields  []*field
	records []*object
	kinds   []*object
}

// field is a word of the vocabulary.
type field struct {
	name, typ, meaning string
	stored             []string
}

// use is a field in a kind or record.
type use struct {
	*field
	stored   string
	optional bool
	beside   []use // an optional field is written where one of these is
}

// object is a kind, or a record within one.
type object struct {
	code, name, version, when string
	about, has                string
	key                       string
	uses                      []use
	example                   []byte
}

// read reads kinds.txt and the examples of a folder: the first line of each kind's golden file.
func read(dir string) (*description, error) {
	text, err := os.ReadFile(filepath.Join(dir, "kinds.txt"))
	if err != nil {
		return nil, err
	}
	d := &description{}
	for n, line := range strings.Split(string(text), "\n") {
		if err := d.line(line); err != nil {
			return nil, fmt.Errorf("kinds.txt:%d: %w", n+1, err)
		}
	}
	for _, o := range slices.Concat(d.records, d.kinds) {
		if err := d.resolve(o); err != nil {
			return nil, fmt.Errorf("%s: %w", o.name, err)
		}
	}
	for _, k := range d.kinds {
		golden, err := os.ReadFile(filepath.Join(dir, "testdata", "golden", k.code+".jsonl"))
		if err != nil {
			return nil, fmt.Errorf("%s wants an example, the JSON of its fields in a line of core/fact/testdata/golden/%s.jsonl: %w", k.code, k.code, err)
		}
		k.example, _, _ = bytes.Cut(golden, []byte("\n"))
	}
	return d, nil
}

func (d *description) line(line string) error {
	head, meaning, _ := strings.Cut(line, "; ")
	words := strings.Fields(head)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	var last *object
	if len(d.kinds) > 0 {
		last = d.kinds[len(d.kinds)-1]
	}
	rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), words[0]))
	switch {
	case words[0] == "field" && len(words) >= 4 && meaning != "":
		d.fields = append(d.fields, &field{name: words[1], typ: words[2], stored: words[3:], meaning: meaning})
	case words[0] == "record" && len(words) >= 3:
		d.records = append(d.records, &object{name: words[1], has: strings.Join(words[2:], " ")})
	case words[0] == "kind" && len(words) == 4 && meaning != "":
		d.kinds = append(d.kinds, &object{code: words[1], name: words[2], version: words[3], when: meaning})
	case words[0] == "about" && last != nil:
		last.about = rest
	case words[0] == "has" && last != nil:
		last.has = rest
	case words[0] == "key" && last != nil:
		last.key = rest
	default:
		return fmt.Errorf("cannot be read: %s", line)
	}
	return nil
}

// resolve finds the words of an object in the vocabulary.
func (d *description) resolve(o *object) error {
	for _, word := range strings.Fields(o.has) {
		u := use{}
		var beside string
		word, beside, u.optional = strings.Cut(word, "?")
		for _, f := range d.fields {
			if slices.Contains(strings.Split(beside, ","), f.name) {
				u.beside = append(u.beside, use{field: f})
			}
		}
		stored, name, _ := strings.Cut(word, ":")
		u.stored = stored
		for _, f := range d.fields {
			usual := f.stored[0] == stored // goes before a field that has the name beside another
			if (name == "" || f.name == name) && slices.Contains(f.stored, stored) && (u.field == nil || usual && u.field.stored[0] != stored) {
				u.field = f
			}
		}
		if u.field == nil {
			return fmt.Errorf("no field is called %s", word)
		}
		o.uses = append(o.uses, u)
	}
	return nil
}

// form says how a type of kinds.txt looks in Go, how it is written and read, when it is empty, and what docs/journal.md calls it.
type form struct{ typ, put, get, set, doc string }

var forms = map[string]form{
	"text":   {"string", "putText(b, %q, f.%s)", "v.text(&f.%s)", `f.%s != ""`, "text"},
	"source": {"Source", "putSource(b, %q, f.%s)", "v.source(&f.%s)", "f.%s != (Source{})", "source"},
	"int":    {"int64", "putInt(b, %q, f.%s)", "v.int(&f.%s)", "f.%s != 0", "number"},
	"flag":   {"bool", "putFlag(b, %q, f.%s)", "v.flag(&f.%s)", "f.%s", "true or false"},
	"answer": {"*bool", "putFlag(b, %q, *f.%s)", "v.answer(&f.%s)", "f.%s != nil", "true or false"},
	"micro":  {"money.Micro", "putInt(b, %q, int64(f.%s))", "v.int((*int64)(&f.%s))", "f.%s != 0", "money"},
	"rate":   {"money.Rate", "putInt(b, %q, int64(f.%s))", "v.int((*int64)(&f.%s))", "f.%s != 0", "money"},
	"ms":     {"time.Duration", "putInt(b, %q, f.%s.Milliseconds())", "v.span(&f.%s, time.Millisecond)", "f.%s != 0", "duration"},
	"secs":   {"time.Duration", "putInt(b, %q, int64(f.%s/time.Second))", "v.span(&f.%s, time.Second)", "f.%s != 0", "duration"},
	"us":     {"time.Time", "putInt(b, %q, f.%s.UnixMicro())", "v.micros(&f.%s)", "!f.%s.IsZero()", "instant"},
	"time":   {"time.Time", "putTime(b, %q, f.%s)", "v.time(&f.%s)", "!f.%s.IsZero()", "instant (RFC 3339)"},
	"texts":  {"[]string", "putTexts(b, %q, f.%s)", "v.texts(&f.%s)", "len(f.%s) > 0", "texts"},
	"raw":    {"json.RawMessage", "putRaw(b, %q, f.%s)", "v.raw(&f.%s)", "len(f.%s) > 0", "object"},
	"counts": {"[]Count", "putCounts(b, f.%s)", "", "len(f.%s) > 0", "numbers"},
}

func (f *field) form() form {
	if record, many := strings.CutSuffix(f.typ, "*"); many {
		return form{"[]" + record, "putList[" + record + "](b, %q, f.%s)", "getList[" + record + "](v, &f.%s)", "len(f.%s) > 0", "list"}
	}
	if known, ok := forms[f.typ]; ok {
		return known
	}
	return form{"*" + f.typ, "f.%[2]s.Append(putKey(b, %[1]q))", "getRecord[" + f.typ + "](v, &f.%s)", "f.%s != nil", "object"}
}

// set is the condition under which an optional field is written.
func (u *use) set() string {
	all := []string{fmt.Sprintf(u.form().set, u.name)}
	for i := range u.beside {
		all = append(all, u.beside[i].set())
	}
	return strings.Join(all, " || ")
}

// code is kinds.go.
func (d *description) code() ([]byte, error) {
	var w bytes.Buffer
	w.WriteString("// Code generated by go generate from kinds.txt; DO NOT EDIT.\n\npackage fact\n\nimport (\n\t\"encoding/json\"\n\t\"time\"\n\n\t\"ringfence/core/money\"\n)\n\n")
	w.WriteString("// Codes of the kinds, as the journal stores them.\nconst (\n")
	for _, k := range d.kinds {
		fmt.Fprintf(&w, "\tKind%s = %q\n", k.name, k.code)
	}
	w.WriteString(")\n\n// Kinds are all codes, in the order of docs/journal.md.\nvar Kinds = [...]string{\n")
	for _, k := range d.kinds {
		fmt.Fprintf(&w, "\tKind%s,\n", k.name)
	}
	w.WriteString("}\n")
	for _, r := range d.records {
		fmt.Fprintf(&w, "\n// %s is an object within facts.\n", r.name)
		r.write(&w)
	}
	for _, k := range d.kinds {
		fmt.Fprintf(&w, "\n// %s is %s: %s.\n", k.name, k.code, k.when)
		k.write(&w)
		k.writeRow(&w)
	}
	return format.Source(w.Bytes())
}

// testCode is kinds_test.go: the product knows which kind it reads, only tests read them all.
func (d *description) testCode() ([]byte, error) {
	var w bytes.Buffer
	w.WriteString("// Code generated by go generate from kinds.txt; DO NOT EDIT.\n\npackage fact\n\n// empty makes a fact of a kind to decode into; nil: no such kind.\nfunc empty(kind string) Body {\n\tswitch kind {\n")
	for _, k := range d.kinds {
		fmt.Fprintf(&w, "\tcase Kind%s:\n\t\treturn new(%s)\n", k.name, k.name)
	}
	w.WriteString("\t}\n\treturn nil\n}\n")
	return format.Source(w.Bytes())
}

// write gives the struct of an object with how it is written and read.
func (o *object) write(w *bytes.Buffer) {
	fmt.Fprintf(w, "type %s struct {", o.name)
	for i, u := range o.uses {
		if i == 0 {
			w.WriteString("\n")
		}
		fmt.Fprintf(w, "\t%s %s // %s\n", u.name, u.form().typ, u.meaning)
	}
	fmt.Fprintf(w, "}\n\n// Append writes the JSON object after b.\nfunc (f *%s) Append(b []byte) []byte {\n\tb = append(b, '{')\n", o.name)
	for _, u := range o.uses {
		put := fmt.Sprintf("b = "+u.form().put, u.stored, u.name)
		if u.typ == "counts" {
			put = fmt.Sprintf("b = "+u.form().put, u.name)
		}
		if u.optional {
			put = "if " + u.set() + " {\n" + put + "\n}"
		}
		w.WriteString(put + "\n")
	}
	fmt.Fprintf(w, "\treturn append(b, '}')\n}\n\n// Decode reads what Append writes, under any name that a field ever had. ErrBody.\nfunc (f *%s) Decode(body []byte) error {\n\t*f = %s{}\n\treturn eachField(body, func(name string, v value) error {\n\t\tswitch name {\n", o.name, o.name)
	taken := map[string]bool{}
	for _, u := range o.uses {
		taken[u.stored] = true
	}
	last := "nil"
	for _, u := range o.uses {
		if u.typ == "counts" {
			last = fmt.Sprintf("v.count(&f.%s, name)", u.name)
			continue
		}
		names := []string{u.stored}
		for _, also := range u.field.stored {
			if !taken[also] {
				taken[also] = true
				names = append(names, also)
			}
		}
		fmt.Fprintf(w, "\t\tcase \"%s\":\n\t\t\treturn "+u.form().get+"\n", strings.Join(names, `", "`), u.name)
	}
	fmt.Fprintf(w, "\t\t}\n\t\treturn %s\n\t})\n}\n", last)
}

func (o *object) writeRow(w *bytes.Buffer) {
	key := fmt.Sprintf("%q", o.key)
	fmt.Fprintf(w, "\n// Kind is the code.\nfunc (f *%[1]s) Kind() string { return Kind%[1]s }\n", o.name)
	fmt.Fprintf(w, "\n// Row is the fact as the journal keeps it.\nfunc (f *%[1]s) Row(at time.Time, s Subject) Row {\n\treturn row(at, Kind%[1]s, %[2]s, %[3]s, s, f.Append(buffer()))\n}\n", o.name, o.version, key)
}

const pageHead = `# The journal

Everything that happens, and every decision with its figures, is a fact in the journal: one row, never changed. ` + "`ringfence journal`" + `
shows it, ` + "`GET /api/v1/journal`" + ` gives it to programs. This page is made from core/fact/kinds.txt by ` + "`go generate ./core/fact`" + `.

A row has a number that only grows, an instant, a kind, the version of that kind, a line, a customer and a call (each may be
empty), and a body: a JSON object with the fields below. Fields marked "–" are left out when they are empty, zero or false. A
reader ignores fields that it does not know, and takes a kind that it does not know as it is. Codes and names are never
changed: a kind that must change gets its next version, and the versions before it are read on.

A **source** is an address, an address with a port, a network, or an AS ("AS64496"). **Money** is in 1e-6 of the currency, and
what a minute costs in 1e-9. An **instant** is UTC.

`

// page is docs/journal.md.
func (d *description) page() []byte {
	var w bytes.Buffer
	w.WriteString(pageHead)
	w.WriteString("| kind | version | written when |\n|---|---|---|\n")
	for _, k := range d.kinds {
		fmt.Fprintf(&w, "| [%s](#%s) | %s | %s |\n", k.code, anchor(k.code), k.version, k.when)
	}
	for _, k := range d.kinds {
		fmt.Fprintf(&w, "\n## %s\n\nVersion %s; %s.\nIt is about: %s.", k.code, k.version, k.when, strings.ReplaceAll(k.about, " ", ", "))
		if k.key != "" {
			fmt.Fprintf(&w, " It is stored once, under the key `%s`.", k.key)
		}
		w.WriteString("\n")
		if len(k.uses) > 0 {
			w.WriteString("\n| field | | form | meaning |\n|---|---|---|---|\n")
		}
		for _, u := range k.uses {
			d.row(&w, &u, "")
		}
		fmt.Fprintf(&w, "\n```json\n%s\n```\n", k.example)
	}
	return w.Bytes()
}

// row is a field, and the fields of the record in it.
func (d *description) row(w *bytes.Buffer, u *use, within string) {
	optional, name := "", "`"+within+u.stored+"`"
	if u.optional {
		optional = "–"
	}
	if u.stored == "*" {
		name = "a reason's code"
	}
	fmt.Fprintf(w, "| %s | %s | %s | %s |\n", name, optional, u.form().doc, u.meaning)
	for _, r := range d.records {
		if r.name == strings.TrimSuffix(u.typ, "*") {
			for i := range r.uses {
				d.row(w, &r.uses[i], u.stored+".")
			}
		}
	}
}

// anchor is how GitHub names a heading.
func anchor(code string) string { return strings.ReplaceAll(code, ".", "") }
