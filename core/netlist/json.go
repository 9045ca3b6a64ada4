package netlist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// maxDepth of lists within lists: CrowdSec's alerts hold decisions.
const maxDepth = 4

// keys under which lists and fields of a row stand.
var (
	listKeys = []string{"entries", "ipaddress", "ipaddresses", "addresses", "ips", "new", "decisions", "bans", "data", "items"}
	fields   = map[string]int{
		"net": inAddr, "value": inAddr, "ip": inAddr, "address": inAddr, "ipaddress": inAddr, "cidr": inAddr, "network": inAddr, "prefix": inAddr,
		"until": inEnd, "duration": inEnd, "expires": inEnd, "expiry": inEnd, "expiration": inEnd,
		"why": inWhy, "reason": inWhy, "scenario": inWhy, "comment": inWhy,
		"type": inKind, "action": inKind, "scope": inScope,
		"by": inBy, "made": inMade,
	}
)

// Fields that only our own form has.
const (
	inBy = numColumns + iota
	inMade
	numFields
)

// jsonReader walks the tokens of a document, so that each fault has its place and nothing is held twice.
type jsonReader struct {
	*reader
	data []byte
	dec  *json.Decoder
	// How far the lines are counted.
	counted, line, begins int
}

// place is the line and column of a byte. Asked in the order of the text, it looks at each byte once.
func (j *jsonReader) place(at int) (line, column int) {
	at = min(at, len(j.data))
	if at < j.counted {
		return place(j.data, at)
	}
	for {
		i := bytes.IndexByte(j.data[j.counted:at], '\n')
		if i < 0 {
			break
		}
		j.counted += i + 1
		j.line, j.begins = j.line+1, j.counted
	}
	j.counted = at
	return j.line + 1, at - j.begins + 1
}

func (r *reader) json(data []byte) {
	j := &jsonReader{reader: r, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	j.dec.UseNumber()
	t, at, ok := j.next()
	switch {
	case !ok:
	case t == json.Delim('['):
		j.array(0)
	case t == json.Delim('{'):
		j.document()
	case t == nil: // CrowdSec's way to say: none
	default:
		j.wrong(at, t, "a JSON array or object")
	}
	if r.bad.Count > 0 {
		return
	}
	if _, err := j.dec.Token(); !errors.Is(err, io.EOF) {
		j.failed(err, "nothing after the list")
	}
}

// next is a token and where it begins; not ok is a fault that is told already.
func (j *jsonReader) next() (t json.Token, at int, ok bool) {
	at = int(j.dec.InputOffset())
	for at < len(j.data) && strings.IndexByte(" \t\r\n,:", j.data[at]) >= 0 {
		at++
	}
	t, err := j.dec.Token()
	if err != nil {
		j.failed(err, "JSON")
		return nil, at, false
	}
	return t, at, true
}

func (j *jsonReader) failed(err error, expected string) {
	at := int(j.dec.InputOffset())
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		at, expected = max(int(syntax.Offset)-1, at), "JSON ("+syntax.Error()+")"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		at, expected = len(j.data), "the rest of the JSON; it ends here"
	}
	line, column := j.place(at)
	j.fault(line, column, "", expected)
}

func (j *jsonReader) wrong(at int, t json.Token, expected string) {
	line, column := j.place(at)
	j.fault(line, column, fmt.Sprint(t), expected)
}

// document reads an object that holds lists. One that holds none is a list of nothing only if it is empty.
func (j *jsonReader) document() {
	known, others := false, ""
	for j.dec.More() {
		key, _, ok := j.next()
		if !ok {
			return
		}
		name := strings.ToLower(fmt.Sprint(key))
		if !slices.Contains(listKeys, name) {
			others = name
			if !j.skip() {
				return
			}
			continue
		}
		known = true
		t, at, ok := j.next()
		switch {
		case !ok:
			return
		case t == nil: // none
		case t == json.Delim('['):
			if !j.array(0) {
				return
			}
		default:
			j.wrong(at, t, fmt.Sprintf("a list in %q", name))
			return
		}
	}
	if _, at, ok := j.next(); ok && !known && others != "" {
		j.wrong(at, others, fmt.Sprintf("one of the keys %s with a list", strings.Join(listKeys, ", ")))
	}
}

// array reads the rest of a list; false is a fault after which there is no going on.
func (j *jsonReader) array(depth int) bool {
	for j.dec.More() {
		t, at, ok := j.next()
		if !ok {
			return false
		}
		switch t := t.(type) {
		case string:
			if !j.address(t, at) {
				return false
			}
		case json.Delim:
			if t != '{' || depth >= maxDepth {
				j.wrong(at, t, "an address, or an object with one")
				return false
			}
			if !j.object(at, depth) {
				return false
			}
		default:
			j.wrong(at, t, "an address, or an object with one")
			return false
		}
	}
	_, _, ok := j.next()
	return ok
}

// address takes an element that is a text. APIBAN says in its place that there is nothing new.
func (j *jsonReader) address(s string, at int) bool {
	if strings.EqualFold(s, "no new bans") {
		return true
	}
	line, column := j.place(at)
	if !j.row(line) {
		return false
	}
	j.add(cell{s, line, column}, cell{}, cell{})
	return true
}

// object reads a row, or something that holds rows.
func (j *jsonReader) object(at, depth int) bool {
	var row [numFields]cell
	line, column := j.place(at)
	nested := false
	for j.dec.More() {
		key, _, ok := j.next()
		if !ok {
			return false
		}
		name := strings.ToLower(fmt.Sprint(key))
		if name == "decisions" {
			nested = true
			if ok = j.nested(depth); !ok {
				return false
			}
			continue
		}
		what, known := fields[name]
		if !known {
			ok = j.skip()
		} else {
			ok = j.field(name, &row[what])
		}
		if !ok {
			return false
		}
	}
	if _, _, ok := j.next(); !ok {
		return false
	}
	if nested && row[inAddr].text == "" {
		return true
	}
	if row[inAddr].line == 0 {
		row[inAddr].line, row[inAddr].column = line, column
	}
	return j.take(&row)
}

func (j *jsonReader) nested(depth int) bool {
	t, at, ok := j.next()
	switch {
	case !ok:
		return false
	case t == nil:
		return true
	case t == json.Delim('['):
		return j.array(depth + 1)
	}
	j.wrong(at, t, `a list in "decisions"`)
	return false
}

// field reads one text of a row; null is none. Of two names for one thing the first that says something stands.
func (j *jsonReader) field(name string, into *cell) bool {
	t, at, ok := j.next()
	if !ok {
		return false
	}
	if t == nil {
		return true
	}
	s, isText := t.(string)
	if !isText || len(s) > maxCell {
		if d, isDelim := t.(json.Delim); isDelim {
			s = d.String()
		}
		j.wrong(at, s, fmt.Sprintf("a text of at most %d bytes in %q", maxCell, name))
		return false
	}
	if into.text == "" {
		into.text = s
		into.line, into.column = j.place(at)
	}
	return true
}

// take adds a row.
func (j *jsonReader) take(row *[numFields]cell) bool {
	if !j.row(row[inAddr].line) {
		return false
	}
	if j.foreign(row[inKind].text, row[inScope].text, &row[inAddr].text) {
		return true
	}
	before := len(j.list.Entries)
	j.add(row[inAddr], row[inEnd], row[inWhy])
	if len(j.list.Entries) > before {
		e := &j.list.Entries[before]
		e.By = Clean(row[inBy].text)
		if made, err := time.Parse(time.RFC3339, row[inMade].text); err == nil && sane(made) {
			e.Made = made.UTC()
		}
	}
	return true
}

// skip passes over a value that is of no interest.
func (j *jsonReader) skip() bool {
	var raw json.RawMessage
	if err := j.dec.Decode(&raw); err != nil {
		j.failed(err, "JSON")
		return false
	}
	return true
}
