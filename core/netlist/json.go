package netlist

import (
	"bytes"
	"cmp"
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

// listKeys are the keys of a document under which a list may stand.
var listKeys = []string{"entries", "ipaddress", "ipaddresses", "addresses", "ips", "new", "decisions", "bans", "data", "items", "numbers"}

// jsonRow is an entry under every name that lists in use have for its parts, in any case; null is none. By and Made stand in our own form only.
type jsonRow struct {
	Net, Value, IP, Address, IPAddress, CIDR, Network, Prefix string
	Number, Range, Digits, Direction                          string
	Until, Duration, Expires, Expiry, Expiration              string
	Why, Reason, Scenario, Comment                            string
	Type, Action, Scope                                       string
	By, Made                                                  string
	Decisions                                                 json.RawMessage // more rows
}

// jsonReader decodes a document row by row, so that each fault has its place and nothing is held twice.
type jsonReader struct {
	*reader
	data  []byte
	start int // where the decoder began in data
	dec   *json.Decoder
	// How far the lines are counted.
	counted, line, lineStart int
}

// place is the line and column of a byte. Asked in the order of the text, it looks at each byte once.
func (j *jsonReader) place(offset int) (line, column int) {
	offset = min(offset, len(j.data))
	if offset < j.counted {
		return place(j.data, offset)
	}
	between := j.data[j.counted:offset]
	j.line += bytes.Count(between, []byte{'\n'})
	if i := bytes.LastIndexByte(between, '\n'); i >= 0 {
		j.lineStart = j.counted + i + 1
	}
	j.counted = offset
	return j.line + 1, offset - j.lineStart + 1
}

// json reads a list, or an object that holds lists.
func (r *reader) json(data []byte) {
	j := &jsonReader{reader: r, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	j.dec.UseNumber()
	t, offset, ok := j.next()
	switch {
	case !ok:
	case t == json.Delim('['):
		j.rows(0)
	case t == json.Delim('{'):
		j.document()
	case t == nil: // CrowdSec writes null when it has no decisions.
	default:
		j.wrong(offset, t, "a JSON array or object")
	}
	if r.bad.Count > 0 {
		return
	}
	if _, err := j.dec.Token(); !errors.Is(err, io.EOF) {
		j.failed(err, "nothing after the list")
	}
}

// offset is where the next token or value begins.
func (j *jsonReader) offset() int {
	offset := j.start + int(j.dec.InputOffset())
	for offset < len(j.data) && strings.IndexByte(" \t\r\n,:", j.data[offset]) >= 0 {
		offset++
	}
	return offset
}

// next is a token and where it begins. When ok is false, the fault has been noted.
func (j *jsonReader) next() (t json.Token, offset int, ok bool) {
	offset = j.offset()
	t, err := j.dec.Token()
	if err != nil {
		return nil, offset, j.failed(err, "JSON")
	}
	return t, offset, true
}

// failed notes a fault of the JSON itself, and is always false.
func (j *jsonReader) failed(err error, expected string) bool {
	offset := j.start + int(j.dec.InputOffset())
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		offset, expected = max(j.start+int(syntax.Offset)-1, offset), "JSON ("+syntax.Error()+")"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		offset, expected = len(j.data), "the rest of the JSON; it ends here"
	}
	line, column := j.place(offset)
	j.fault(line, column, "", expected)
	return false
}

// wrong notes a fault of the content, and is always false.
func (j *jsonReader) wrong(offset int, found any, expected string) bool {
	line, column := j.place(offset)
	j.fault(line, column, fmt.Sprint(found), expected)
	return false
}

// document reads an object that holds lists. One that holds none is a list of nothing only if it is empty.
func (j *jsonReader) document() bool {
	known, others := false, ""
	for j.dec.More() {
		key, _, ok := j.next()
		if !ok {
			return false
		}
		name := strings.ToLower(fmt.Sprint(key))
		if !slices.Contains(listKeys, name) {
			others = name
			var skipped json.RawMessage
			if err := j.dec.Decode(&skipped); err != nil {
				return j.failed(err, "JSON")
			}
			continue
		}
		if known = true; !j.list(name, 0) {
			return false
		}
	}
	_, offset, ok := j.next()
	if ok && !known && others != "" {
		return j.wrong(offset, others, fmt.Sprintf("one of the keys %s with a list", strings.Join(listKeys, ", ")))
	}
	return ok
}

// list reads the value of a key that holds rows.
func (j *jsonReader) list(name string, depth int) bool {
	switch t, offset, ok := j.next(); {
	case !ok:
		return false
	case t == nil: // none
		return true
	case t == json.Delim('['):
		return j.rows(depth)
	default:
		return j.wrong(offset, t, fmt.Sprintf("a list in %q", name))
	}
}

// rows reads the rest of a list. False is a fault after which reading cannot go on.
func (j *jsonReader) rows(depth int) bool {
	for j.dec.More() {
		ok := false
		switch offset := j.offset(); {
		case offset < len(j.data) && j.data[offset] == '"':
			ok = j.address(offset)
		case offset < len(j.data) && j.data[offset] == '{' && depth <= maxDepth:
			ok = j.object(offset, depth)
		default:
			if t, offset, read := j.next(); read {
				j.wrong(offset, t, "an address, or an object with one")
			}
		}
		if !ok {
			return false
		}
	}
	_, _, ok := j.next()
	return ok
}

// address takes an element that is a text. APIBAN says in its place that there is nothing new.
func (j *jsonReader) address(offset int) bool {
	var text string
	if err := j.dec.Decode(&text); err != nil {
		return j.failed(err, "JSON")
	}
	if strings.EqualFold(text, "no new bans") {
		return true
	}
	line, column := j.place(offset)
	if !j.row(line) {
		return false
	}
	j.add(cell{text, line, column}, cell{}, cell{}, cell{})
	return true
}

// object reads a row, or something that holds rows. Of two names for one part the first of jsonRow that says something counts.
func (j *jsonReader) object(offset, depth int) bool {
	var row jsonRow
	err := j.dec.Decode(&row)
	if mistyped := (*json.UnmarshalTypeError)(nil); errors.As(err, &mistyped) {
		return j.wrong(offset, mistyped.Value, fmt.Sprintf("a text of at most %d bytes in %q", maxCell, strings.ToLower(mistyped.Field)))
	} else if err != nil {
		return j.failed(err, "JSON")
	}
	address := cmp.Or(row.Net, row.Value, row.IP, row.Address, row.IPAddress, row.CIDR, row.Network, row.Prefix, row.Number, row.Range, row.Digits)
	end := cmp.Or(row.Until, row.Duration, row.Expires, row.Expiry, row.Expiration)
	why := cmp.Or(row.Why, row.Reason, row.Scenario, row.Comment)
	if longest := max(len(address), len(end), len(why)); longest > maxCell {
		return j.wrong(offset, fmt.Sprint(longest, " bytes"), fmt.Sprintf("texts of at most %d bytes", maxCell))
	}
	if row.Decisions != nil {
		inner := *j
		inner.start = offset + max(bytes.Index(j.data[offset:], row.Decisions), 0)
		inner.dec = json.NewDecoder(bytes.NewReader(row.Decisions))
		if ok := inner.list("decisions", depth+1); !ok || address == "" {
			return ok
		}
	}
	line, column := j.place(offset)
	if !j.row(line) {
		return false
	}
	if j.foreign(cmp.Or(row.Type, row.Action), row.Scope, &address) {
		return true
	}
	before := len(j.reader.list.Entries)
	j.add(cell{address, line, column}, cell{end, line, column}, cell{text: why}, cell{row.Direction, line, column})
	if len(j.reader.list.Entries) > before {
		e := &j.reader.list.Entries[before]
		e.By = Clean(row.By)
		if made, err := time.Parse(time.RFC3339, row.Made); err == nil && sane(made) {
			e.Made = made.UTC()
		}
	}
	return true
}
