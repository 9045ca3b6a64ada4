package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/flow/play"
)

// Fault is a row that cannot be read.
type Fault struct {
	Line int    `json:"line"`         // of the file
	ID   string `json:"id,omitempty"` // as far as it was read
	Why  string `json:"why"`
}

func (f *Fault) Error() string { return fmt.Sprintf("line %d: %s", f.Line, f.Why) }

// Source says how a file of calls is read.
type Source struct {
	Format string            // name of a layout; "" is the one that fits
	Map    map[string]string // columns by hand: field → column
	Zone   *time.Location    // of times without an offset; nil is UTC
}

// reader makes calls of rows. Each goroutine has its own.
type reader struct {
	origins
	records
	zone   *time.Location
	at     [fCause + 1][]int // cells, by the index of the field
	layout Layout
	strict bool // the native layout: times have an offset, answered is 1 or 0
	names  *names
	known  map[string]*name // that this reader has met, by line and customer
	key    []byte
}

// names gives each line a number, from 1 on. Safe for concurrent use.
type names struct {
	mu    sync.Mutex // owns slots
	slots map[string]int
}

// name is a line, and the customer that a row named with it.
type name struct {
	line, customer string
	slot           int
}

// mostNames bounds what a reader remembers: a file may name a customer in each row.
const mostNames = 1 << 20

// of is the line that a row names, and its customer.
func (r *reader) of(line, customer []byte) *name {
	r.key = append(append(append(r.key[:0], line...), 0), customer...)
	if n := r.known[string(r.key)]; n != nil {
		return n
	}
	if len(r.known) >= mostNames {
		clear(r.known)
	}
	both := string(r.key)
	n := &name{line: both[:len(line)], customer: both[len(line)+1:]}
	r.names.mu.Lock()
	if n.slot = r.names.slots[n.line]; n.slot == 0 {
		n.slot = len(r.names.slots) + 1
		r.names.slots[n.line] = n.slot
	}
	r.names.mu.Unlock()
	r.known[both] = n
	return n
}

// field indexes, as in fields.
const (
	fID = iota
	fTime
	fLine
	fCustomer
	fKind
	fDialled
	fSeconds
	fRing
	fAnswered
	fSource
	fAgent
	fDuration
	fCause
)

// newReader reads the header, and what else a file begins with. An error says what is missing. first is the first piece of the file, of which the
// rows are still to be read.
func newReader(in io.Reader, src Source) (r *reader, file *chunks, first chunk, err error) {
	file = &chunks{in: in, size: chunkSize, free: make(chan []byte, 64)}
	file.rest = bytes.TrimPrefix(file.fill(file.buffer()), []byte("\xef\xbb\xbf"))
	file.comma = separator(file.rest)
	first, err = file.next()
	if errors.Is(err, io.EOF) {
		return nil, nil, first, errors.New("the file is empty")
	}
	if err != nil {
		return nil, nil, first, err
	}
	r = &reader{records: records{chunk: first, comma: file.comma}, zone: src.Zone, names: &names{slots: map[string]int{}}, known: map[string]*name{}}
	cells, line, why := r.next()
	if why != "" {
		return nil, nil, first, &Fault{Line: line, Why: why}
	}
	header := make([]string, len(cells))
	for i, c := range cells {
		header[i] = string(c)
	}
	at, l, headless, err := layoutOf(header, src.Format, src.Map)
	if err != nil {
		return nil, nil, first, err
	}
	for i, f := range fields {
		r.at[i] = at[f]
	}
	if !headless {
		first.begin, first.line = r.records.at, r.line
	}
	r.layout, r.strict = l, l.Name == "native"
	return r, file, first, nil
}

// another is a reader of the same file for another goroutine.
func (r *reader) another() *reader {
	other := *r
	other.records, other.known, other.origins, other.key = records{comma: r.comma}, map[string]*name{}, origins{}, nil
	return &other
}

// separator is what stands between the columns of the header.
func separator(head []byte) byte {
	line, _, _ := bytes.Cut(head[:min(len(head), 4096)], []byte{'\n'})
	best, most := byte(','), 0
	for _, c := range []byte(",;\t|") {
		if n := bytes.Count(line, []byte{c}); n > most {
			best, most = c, n
		}
	}
	return best
}

// batch is what a piece of a file holds: its calls, of which Seq counts the rows from its beginning, and the rows that are none.
type batch struct {
	rows     int64
	calls    []play.Call
	faults   []faulty
	from, to time.Time // of the calls
}

type faulty struct {
	Fault
	seq int64
}

// read takes a piece of the file apart.
func (r *reader) read(c chunk, b *batch) {
	*b = batch{calls: b.calls[:0], faults: b.faults[:0]}
	r.chunk, r.records.at = c, c.begin
	var texts strings.Builder // of ids and numbers
	texts.Grow(len(c.data) / 3)
	for ; ; b.rows++ {
		cells, line, why := r.next()
		if line == 0 {
			return
		}
		if why == "" {
			b.calls = append(b.calls, play.Call{Seq: b.rows})
			if why = r.row(&b.calls[len(b.calls)-1], cells, &texts); why == "" {
				b.spans(b.calls[len(b.calls)-1].At)
				continue
			}
			b.calls = b.calls[:len(b.calls)-1]
		}
		b.faults = append(b.faults, faulty{Fault{line, string(r.cell(cells, fID)), why}, b.rows})
	}
}

func (b *batch) spans(at time.Time) {
	if b.from.IsZero() || at.Before(b.from) {
		b.from = at
	}
	if at.After(b.to) {
		b.to = at
	}
}

// cell is the first of a field's columns that is not empty.
func (r *reader) cell(cells [][]byte, field int) []byte {
	for _, i := range r.at[field] {
		if i < len(cells) {
			if s := trimmed(cells[i]); len(s) > 0 {
				return s
			}
		}
	}
	return nil
}

// trimmed is a cell without white space around it, which hardly any has.
func trimmed(s []byte) []byte {
	if len(s) > 0 && (s[0]-'!' > '~'-'!' || s[len(s)-1]-'!' > '~'-'!') {
		return bytes.TrimSpace(s)
	}
	return s
}

// maxCell bounds what is kept of a row.
const maxCell = 256

// row fills in a call, or says why it cannot.
func (r *reader) row(c *play.Call, cells [][]byte, texts *strings.Builder) (why string) {
	id, line, customer, dialled := r.cell(cells, fID), r.cell(cells, fLine), r.cell(cells, fCustomer), r.cell(cells, fDialled)
	if max(len(id), len(line), len(customer), len(dialled)) > maxCell {
		return fmt.Sprintf("a cell is longer than %d characters", maxCell)
	}
	if len(line) == 0 {
		return "there is no line"
	}
	var ok bool
	if c.At, ok = r.time(r.cell(cells, fTime)); !ok {
		return r.unlike(cells, fTime, "a time such as 2026-11-28T21:40:00Z")
	}
	if c.Inbound, ok = inbound(r.cell(cells, fKind)); !ok {
		return r.unlike(cells, fKind, "out or in")
	}
	if c.Wants, ok = r.span(r.cell(cells, fSeconds)); !ok {
		return r.unlike(cells, fSeconds, "seconds")
	}
	if c.Rings, ok = r.span(r.cell(cells, fRing)); !ok {
		return r.unlike(cells, fRing, "seconds")
	}
	if len(r.at[fRing]) == 0 {
		if long, ok := r.span(r.cell(cells, fDuration)); ok {
			c.Rings = max(long-c.Wants, 0)
		}
	}
	answered, ok := r.answered(r.cell(cells, fAnswered), c.Wants)
	if !ok {
		return r.unlike(cells, fAnswered, "1 or 0")
	}
	if c.Unanswered = !answered; c.Unanswered {
		c.Wants = 0
	}
	if c.Cause, ok = call.ParseCause(string(r.cell(cells, fCause))); !ok {
		return r.unlike(cells, fCause, "a cause as records have it, or nothing")
	}
	n := r.of(line, customer)
	c.Place, c.Device = r.origins.place(r.cell(cells, fSource)), r.origins.device(r.cell(cells, fAgent))
	c.Line, c.Slot, c.Account = n.line, n.slot, n.customer
	c.ID, c.Dialled = call.ID(kept(texts, id)), kept(texts, dialled)
	return ""
}

// kept is a text that outlives the piece of the file in which it stands. It shares its memory with the others of the piece.
func kept(texts *strings.Builder, s []byte) string {
	from := texts.Len()
	_, _ = texts.Write(s)
	return texts.String()[from:]
}

func (r *reader) unlike(cells [][]byte, field int, want string) string {
	return fmt.Sprintf("%s is %.60q, want %s", fields[field], r.cell(cells, field), want)
}

func (r *reader) time(s []byte) (time.Time, bool) {
	if at, ok := instant(s); ok {
		return at, inRange(at)
	}
	if r.strict {
		at, err := time.Parse(time.RFC3339Nano, string(s))
		return at, err == nil && inRange(at)
	}
	return parseTime(string(s), r.zone)
}

// instant reads the usual form of a time, "2026-11-28T21:40:00Z". False: it is another, or none.
func instant(s []byte) (at time.Time, ok bool) {
	const form = "dddd-dd-ddTdd:dd:ddZ"
	if len(s) != len(form) {
		return at, false
	}
	for i := range s {
		if form[i] == 'd' && s[i]-'0' > 9 || form[i] != 'd' && s[i] != form[i] {
			return at, false
		}
	}
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return at, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC), true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month+1), 0, 0, 0, 0, 0, time.UTC).Day()
}

// inRange keeps times where nanoseconds since 1970 can count them.
func inRange(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 2200 }

// parseTime reads the forms that switches write.
func parseTime(s string, zone *time.Location) (time.Time, bool) {
	if zone == nil {
		zone = time.UTC
	}
	for _, form := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00"} {
		if at, err := time.ParseInLocation(form, s, zone); err == nil {
			return at, inRange(at)
		}
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && n > 1e8 && n < 7e9 { // seconds since 1970
		return time.UnixMicro(int64(n * 1e6)), true
	}
	return time.Time{}, false
}

func inbound(s []byte) (in, ok bool) {
	switch string(s) {
	case "", "out":
		return false, true
	case "in":
		return true, true
	}
	switch strings.ToLower(string(s)) {
	case "out", "outbound", "between", "internal":
		return false, true
	case "in", "inbound":
		return true, true
	}
	return false, false
}

// longest bounds what is taken for a duration.
const longest = 10 * 24 * time.Hour

func (r *reader) span(s []byte) (time.Duration, bool) {
	unit := time.Second
	if r.layout.Nanos {
		unit = 1
	}
	if n, ok := whole(s); ok {
		return time.Duration(n) * unit, n <= int64(longest/unit)
	}
	f, err := strconv.ParseFloat(string(s), 64)
	if err != nil || !(f >= 0 && f <= float64(longest/unit)) {
		return 0, false
	}
	return time.Duration(f * float64(unit)).Round(time.Millisecond), true
}

// whole reads a number of digits alone; none is 0.
func whole(s []byte) (n int64, ok bool) {
	if len(s) > 18 {
		return 0, false
	}
	for _, d := range s {
		if d -= '0'; d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}

// answered reads whether a call was answered: 1 or 0, what a switch says of it, or when it was.
func (r *reader) answered(s []byte, talk time.Duration) (yes, ok bool) {
	switch string(s) {
	case "1":
		return true, true
	case "0":
		return false, true
	case "":
		return talk > 0 && (len(r.at[fAnswered]) == 0 || r.strict), true
	}
	if r.strict {
		return false, false
	}
	switch strings.ToLower(string(s)) {
	case "answered", "true", "yes":
		return true, true
	case "no answer", "busy", "failed", "congestion", "false", "no", "no_answer":
		return false, true
	}
	_, ok = parseTime(string(s), r.zone)
	return ok, ok
}
