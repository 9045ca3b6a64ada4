package replay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Row is a past call.
type Row struct {
	Line       int // of the file that it stands on, the first is 1
	ID         string
	At         time.Time
	Caller     string // the line
	Customer   string
	Inbound    bool
	Dialled    string
	Talk       time.Duration // that its caller wanted
	Rings      time.Duration
	Unanswered bool
	Source     string
	UserAgent  string
}

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

// reader reads rows one after another.
type reader struct {
	records
	zone   *time.Location
	at     [12][]int // cells, by the index of the field
	layout Layout
	pushed []string // a first record that was no header
	first  int      // line of the first record
	strict bool     // the native layout: times have an offset, answered is 1 or 0
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
)

// newReader reads the header. An error says what is missing.
func newReader(in io.Reader, src Source) (*reader, error) {
	b := bufio.NewReaderSize(in, 256<<10)
	if bom, _ := b.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = b.Discard(3)
	}
	r := &reader{records: records{in: b, comma: separator(b)}, zone: src.Zone}
	first, line, err := r.records.next()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, err
	}
	first, r.first = slices.Clone(first), line
	at, l, headless, err := layoutOf(first, src.Format, src.Map)
	if err != nil {
		return nil, err
	}
	for i, f := range fields {
		r.at[i] = at[f]
	}
	if headless {
		r.pushed = first
	}
	r.layout, r.strict = l, l.Name == "native"
	return r, nil
}

// separator is what stands between the columns of the header.
func separator(b *bufio.Reader) byte {
	head, _ := b.Peek(4096)
	line, _, _ := strings.Cut(string(head), "\n")
	best, most := byte(','), 0
	for _, c := range []byte(",;\t|") {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// next reads a row. A *Fault names one that cannot be read; the next call goes on behind it. io.EOF ends the file.
func (r *reader) next(row *Row) error {
	cells, line := r.pushed, r.first
	if r.pushed = nil; cells == nil {
		var err error
		if cells, line, err = r.records.next(); err != nil {
			return err
		}
	}
	*row = Row{Line: line, ID: r.cell(cells, fID)}
	if why := r.read(row, cells); why != "" {
		return &Fault{line, row.ID, why}
	}
	return nil
}

// cell is the first of a field's columns that is not empty.
func (r *reader) cell(cells []string, field int) string {
	for _, i := range r.at[field] {
		if i < len(cells) {
			if s := strings.TrimSpace(cells[i]); s != "" {
				return s
			}
		}
	}
	return ""
}

// maxCell bounds what is kept of a row.
const maxCell = 256

// read fills in the row, or says why it cannot.
func (r *reader) read(row *Row, cells []string) (reason string) {
	row.Caller, row.Customer = r.cell(cells, fLine), r.cell(cells, fCustomer)
	row.Dialled, row.Source, row.UserAgent = r.cell(cells, fDialled), r.cell(cells, fSource), r.cell(cells, fAgent)
	if max(len(row.ID), len(row.Caller), len(row.Customer), len(row.Dialled)) > maxCell {
		return fmt.Sprintf("a cell is longer than %d characters", maxCell)
	}
	if row.Caller == "" {
		return "there is no line"
	}
	var ok bool
	if row.At, ok = r.time(r.cell(cells, fTime)); !ok {
		return r.unlike(cells, fTime, "a time such as 2026-11-28T21:40:00Z")
	}
	if row.Inbound, ok = inbound(r.cell(cells, fKind)); !ok {
		return r.unlike(cells, fKind, "out or in")
	}
	if row.Talk, ok = r.span(r.cell(cells, fSeconds)); !ok {
		return r.unlike(cells, fSeconds, "seconds")
	}
	if row.Rings, ok = r.span(r.cell(cells, fRing)); !ok {
		return r.unlike(cells, fRing, "seconds")
	}
	if long, ok := r.span(r.cell(cells, fDuration)); ok && len(r.at[fRing]) == 0 {
		row.Rings = max(long-row.Talk, 0)
	}
	answered, ok := r.answered(r.cell(cells, fAnswered), row.Talk)
	if !ok {
		return r.unlike(cells, fAnswered, "1 or 0")
	}
	if row.Unanswered = !answered; row.Unanswered {
		row.Talk = 0
	}
	return ""
}

func (r *reader) unlike(cells []string, field int, want string) string {
	return fmt.Sprintf("%s is %.60q, want %s", fields[field], r.cell(cells, field), want)
}

func (r *reader) time(s string) (time.Time, bool) {
	if r.strict {
		at, err := time.Parse(time.RFC3339Nano, s)
		return at, err == nil && inRange(at)
	}
	return parseTime(s, r.zone)
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

func inbound(s string) (in, ok bool) {
	switch strings.ToLower(s) {
	case "", "out", "outbound", "between", "internal":
		return false, true
	case "in", "inbound":
		return true, true
	}
	return false, false
}

// longest bounds what is taken for a duration.
const longest = 10 * 24 * time.Hour

func (r *reader) span(s string) (time.Duration, bool) {
	if s == "" {
		return 0, true
	}
	unit := time.Second
	if r.layout.Nanos {
		unit = 1
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Duration(n) * unit, n >= 0 && n <= int64(longest/unit)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= float64(longest/unit)) {
		return 0, false
	}
	return time.Duration(f * float64(unit)).Round(time.Millisecond), true
}

// answered reads whether a call was answered: 1 or 0, what a switch says of it, or when it was.
func (r *reader) answered(s string, talk time.Duration) (yes, ok bool) {
	switch s {
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
	switch strings.ToLower(s) {
	case "answered", "true", "yes":
		return true, true
	case "no answer", "busy", "failed", "congestion", "false", "no", "no_answer":
		return false, true
	}
	_, ok = parseTime(s, r.zone)
	return ok, ok
}
