package netlist

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"ringfence/core/restrict"
)

// errNotNumbers is what is expected where a hot list names none.
var errNotNumbers = errors.New("a number or range in international form, of 3 to 15 digits: +25261")

// Parse reads a list, all of it or nothing: an error is a *Malformed. A list that is empty is a list with no entries.
func Parse(data []byte, o Options) (*List, error) {
	if o.Rows <= 0 || o.Rows > MaxRows {
		o.Rows = MaxRows
	}
	r := &reader{o: o, list: &List{Format: o.Format}, seen: map[named]int{}}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case len(data) > MaxBytes:
		r.fault(0, 0, "", fmt.Sprintf("at most %d MiB", MaxBytes>>20))
	case !utf8.Valid(data):
		at := firstInvalid(data)
		line, column := place(data, at)
		r.fault(line, column, string(data[at:min(at+1, len(data))]), "text in UTF-8")
	default:
		r.read(data)
	}
	if r.bad.Count > 0 {
		return nil, &r.bad
	}
	return r.list, nil
}

// named is what an entry names.
type named struct {
	net    netip.Prefix
	number restrict.Range
}

// reader is the state of reading one list.
type reader struct {
	o    Options
	list *List
	bad  Malformed
	seen map[named]int // index in list.Entries
	rows int
	full bool
}

func (r *reader) read(data []byte) {
	if r.list.Format == Auto {
		r.list.Format = guess(data)
	}
	switch r.list.Format {
	case JSON:
		r.json(data)
	case CSV:
		r.csv(data)
	case Text:
		r.text(data)
	default:
		r.fault(0, 0, string(r.list.Format), "one of the formats text, csv and json")
	}
}

// guess tells the form from the first row that is no comment. A "[" may also begin an IPv6 address.
func guess(data []byte) Format {
	for rest := data; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if line = bytes.TrimSpace(line); len(line) == 0 || comment(line) {
			rest = after
			continue
		}
		rest = bytes.TrimSpace(rest)
		inside := bytes.TrimSpace(rest[1:])
		body, _ := uncomment(string(line))
		switch {
		case rest[0] == '{', rest[0] == '[' && len(inside) > 0 && bytes.IndexByte([]byte(`"{]`), inside[0]) >= 0, string(line) == "null":
			return JSON
		case strings.ContainsRune(body, ','), headed(body):
			return CSV
		}
		return Text
	}
	return Text
}

// headed says that a line is the header of a single column.
func headed(line string) bool {
	_, ok := header([]string{line})
	return ok
}

func comment(line []byte) bool {
	return line[0] == '#' || line[0] == ';' || bytes.HasPrefix(line, []byte("//"))
}

func (r *reader) fault(line, column int, found, expected string) {
	r.bad.Count++
	if len(r.bad.Faults) < MaxNotes {
		if len(found) > 60 {
			found = strings.ToValidUTF8(found[:60], "") + "…"
		}
		r.bad.Faults = append(r.bad.Faults, Fault{line, column, found, expected})
	}
}

// row counts a row and says whether it may still be read.
func (r *reader) row(line int) bool {
	if r.rows++; r.rows > r.o.Rows {
		if !r.full {
			r.fault(line, 0, "", fmt.Sprintf("at most %d rows", r.o.Rows))
		}
		r.full = true
	}
	return !r.full
}

// cell is a text with its place.
type cell struct {
	text         string
	line, column int
}

// add takes one row: its address, its end ("" or "-" for none) and its reason.
func (r *reader) add(addr, end, reason, way cell) {
	e := Entry{Why: strings.Clone(Clean(reason.text))}
	loose := false
	var err error
	if r.o.Numbers {
		e.Range, err = restrict.ParseNumbers(addr.text)
		if err != nil {
			err = errNotNumbers
		}
	} else {
		e.Net, loose, err = ParseNet(addr.text)
	}
	if err != nil {
		r.fault(addr.line, addr.column, addr.text, err.Error())
		return
	}
	if r.o.Numbers {
		if e.Way, err = restrict.ParseWay(cmp.Or(way.text, string(r.o.Way))); err != nil {
			r.fault(way.line, way.column, way.text, "out, in, both or presented")
			return
		}
	}
	if end.text != "" && end.text != "-" {
		at, ok := parseEnd(end.text, r.o.Now)
		if !ok {
			r.fault(end.line, end.column, end.text, `an end as "2026-11-30", "2026-11-30T12:00:00Z" or "12h"`)
			return
		}
		e.Until = at
	}
	if loose {
		r.note("line %d: %.60s has bits set outside the network; read as %s", addr.line, addr.text, Show(e.Net))
	}
	r.keep(e)
}

func (r *reader) note(format string, args ...any) {
	if len(r.list.Notes) < MaxNotes {
		r.list.Notes = append(r.list.Notes, fmt.Sprintf(format, args...))
	}
}

func (r *reader) keep(e Entry) {
	if !e.Until.IsZero() && !r.o.Now.IsZero() && !e.Until.After(r.o.Now) {
		r.list.Ended++
		return
	}
	i, there := r.seen[named{e.Net, e.Range}]
	if !there {
		r.seen[named{e.Net, e.Range}] = len(r.list.Entries)
		r.list.Entries = append(r.list.Entries, e)
		return
	}
	if was := r.list.Entries[i].Until; !was.IsZero() && (e.Until.IsZero() || e.Until.After(was)) {
		r.list.Entries[i] = e
	}
}

// text reads plain lines: "ADDRESS [END] [# REASON]".
func (r *reader) text(data []byte) {
	n := 0
	for raw := range bytes.Lines(data) {
		n++
		line := string(raw)
		body, why := uncomment(line)
		fields := strings.Fields(body)
		if len(fields) == 0 {
			continue
		}
		if !r.row(n) {
			return
		}
		at := cell{fields[0], n, strings.Index(body, fields[0]) + 1}
		var end cell
		if len(fields) > 1 {
			rest := strings.TrimSpace(body[at.column-1+len(fields[0]):])
			end = cell{rest, n, strings.LastIndex(body, rest) + 1}
		}
		r.add(at, end, cell{text: why}, cell{})
	}
}

// uncomment parts a line from its comment. "//" counts at the beginning or after a blank only.
func uncomment(line string) (body, reason string) {
	cut := len(line)
	if i := strings.IndexAny(line, "#;"); i >= 0 {
		cut = i
	}
	for from := 0; ; {
		i := strings.Index(line[from:cut], "//")
		if i < 0 {
			break
		}
		if i += from; i == 0 || line[i-1] == ' ' || line[i-1] == '\t' {
			cut = i
			break
		}
		from = i + 2
	}
	return line[:cut], strings.TrimLeft(line[cut:], "#;/ \t")
}

// What a column holds.
const (
	inAddr = iota
	inEnd
	inWhy
	inKind
	inScope
	inWay
	numColumns
)

// columns says in which cell of a row what stands; -1 is nowhere.
type columns [numColumns]int

// names of columns, in small letters.
var names = map[string]int{
	"address": inAddr, "ip": inAddr, "net": inAddr, "network": inAddr, "cidr": inAddr, "value": inAddr, "ipaddress": inAddr,
	"ip_address": inAddr, "ip address": inAddr, "prefix": inAddr, "range": inAddr,
	"until": inEnd, "expires": inEnd, "expiry": inEnd, "end": inEnd, "expiration": inEnd, "duration": inEnd, "valid until": inEnd,
	"why": inWhy, "reason": inWhy, "comment": inWhy, "scenario": inWhy, "description": inWhy, "note": inWhy,
	"type": inKind, "action": inKind,
	"scope":  inScope,
	"number": inAddr, "numbers": inAddr, "digits": inAddr,
	"direction": inWay,
}

// header reads a row as a header; ok if it names the addresses' column.
func header(row []string) (columns, bool) {
	c := columns{-1, -1, -1, -1, -1, -1}
	for i, cell := range row {
		if what, ok := names[strings.ToLower(strings.TrimSpace(cell))]; ok && c[what] < 0 {
			c[what] = i
		}
	}
	return c, c[inAddr] >= 0
}

func (r *reader) csv(data []byte) {
	in := csv.NewReader(bytes.NewReader(data))
	in.Comma = separator(data)
	in.Comment = '#'
	in.FieldsPerRecord, in.ReuseRecord, in.TrimLeadingSpace = -1, true, true
	c := columns{0, 1, 2, -1, -1, -1}
	for first := true; ; first = false {
		row, err := in.Read()
		if err == io.EOF {
			return
		}
		if err != nil {
			r.csvFault(err)
			return
		}
		if first {
			if named, ok := header(row); ok {
				c = named
				continue
			}
		}
		if slices.IndexFunc(row, func(s string) bool { return strings.TrimSpace(s) != "" }) < 0 {
			continue
		}
		line, _ := in.FieldPos(0)
		if !r.row(line) {
			return
		}
		r.csvRow(in, row, c)
	}
}

func (r *reader) csvRow(in *csv.Reader, row []string, c columns) {
	at := func(i int) cell {
		if i < 0 || i >= len(row) {
			return cell{}
		}
		line, column := in.FieldPos(i)
		return cell{strings.TrimSpace(row[i]), line, column}
	}
	for i := range row {
		if len(row[i]) > maxCell {
			line, column := in.FieldPos(i)
			r.fault(line, column, row[i], fmt.Sprintf("a cell of at most %d bytes", maxCell))
			return
		}
	}
	addr := at(c[inAddr])
	if addr.line == 0 {
		addr.line, _ = in.FieldPos(0)
	}
	if r.foreign(at(c[inKind]).text, at(c[inScope]).text, &addr.text) {
		return
	}
	r.add(addr, at(c[inEnd]), at(c[inWhy]), at(c[inWay]))
}

// foreign leaves out what is no ban of an address: CrowdSec's other kinds and scopes. It takes "Ip:" and "Range:" off.
func (r *reader) foreign(kind, scope string, addr *string) bool {
	if r.o.Numbers {
		return false
	}
	if before, after, ok := strings.Cut(*addr, ":"); ok && scope == "" {
		switch strings.ToLower(before) {
		case "ip", "range", "country", "as", "username", "session":
			scope, *addr = before, after
		}
	}
	kind, scope = strings.ToLower(kind), strings.ToLower(scope)
	if kind != "" && kind != "ban" || scope != "" && scope != "ip" && scope != "range" {
		r.list.Skipped++
		return true
	}
	return false
}

func (r *reader) csvFault(err error) {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		r.fault(parse.Line, parse.Column, "", "a CSV row: "+parse.Err.Error())
		return
	}
	r.fault(0, 0, "", "CSV: "+err.Error())
}

// separator is what stands most often in the first row that is no comment.
func separator(data []byte) rune {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		best, most := ',', bytes.Count(line, []byte(","))
		for _, s := range ";\t" {
			if n := bytes.Count(line, []byte(string(s))); n > most {
				best, most = s, n
			}
		}
		return best
	}
	return ','
}

func firstInvalid(data []byte) int {
	at := 0
	for at < len(data) {
		if c := data[at]; c < utf8.RuneSelf {
			at++
			continue
		}
		r, n := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && n <= 1 {
			break
		}
		at += n
	}
	return at
}

// place is the line and column of a byte.
func place(data []byte, at int) (line, column int) {
	before := data[:min(at, len(data))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}
