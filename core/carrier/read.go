package carrier

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/core/rating"
)

// Read reads a carrier's call records. It finds separator, header, units and forms of times from the file, and asks a question
// where the file does not show them. The error is an *Unread: nothing of the file could be read. Rows with a fault are named; the
// others are still read.
func Read(data []byte, opt Options) (*File, error) {
	text, err := asText(data)
	if err != nil {
		return nil, err
	}
	r := &reader{opt: opt, out: &File{}}
	if err := r.findHeader(text); err != nil {
		return nil, err
	}
	var question *rating.Question
	r.dates, question = rating.DatesOf(opt.Dates, func(yield func(int, string) bool) {
		for _, row := range r.rows {
			if !yield(row.line, row.cell(&r.columns, fieldStart)) || !yield(row.line, row.cell(&r.columns, fieldDay)) {
				return
			}
		}
	})
	if question != nil {
		return nil, &Unread{Question: question}
	}
	r.findSigns()
	for i := range r.rows {
		r.take(&r.rows[i])
	}
	return r.out, nil
}

// findSigns looks whether costs have a minus, as some carriers write charges. Where some have none and are more than nothing, those that have one are credits.
func (r *reader) findSigns() {
	minus, plus := false, false
	for i := range r.rows {
		switch text := r.rows[i].cell(&r.columns, fieldCost); {
		case strings.Contains(text, "-"):
			minus = true
		case strings.ContainsAny(text, "123456789"):
			plus = true
		}
	}
	r.credits = minus && plus
}

type reader struct {
	opt     Options
	columns columns
	rows    []row // below the header
	dates   *rating.Dates
	credits bool // costs with a minus are not charges
	out     *File
}

type row struct {
	line  int
	cells []string
}

func (r *row) cell(c *columns, f field) string {
	if at := c.at[f]; at > 0 && at <= len(r.cells) {
		return strings.TrimSpace(r.cells[at-1])
	}
	return ""
}

func unread(format string, args ...any) error { return &Unread{Text: fmt.Sprintf(format, args...)} }

func asText(data []byte) ([]byte, error) {
	switch {
	case len(data) > MaxBytes:
		return nil, unread("the file has more than %d MB: split it, and give each part with --more but the last", MaxBytes>>20)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")), bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")):
		return nil, unread("the file is a workbook or an archive: save the sheet as “CSV UTF-8”")
	case bytes.HasPrefix(data, []byte("\x1f\x8b")):
		return nil, unread("the file is packed with gzip: unpack it first")
	}
	text, _, err := rating.Decode(data)
	if err != nil {
		return nil, unread("the file is not text: %v", err)
	}
	if bytes.IndexByte(text, '\n') < 0 {
		text = bytes.ReplaceAll(text, []byte{'\r'}, []byte{'\n'})
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, unread("the file is empty")
	}
	return text, nil
}

// headerWithin is how many rows may come before the header: titles, addresses, the name of the customer.
const headerWithin = 20

// findHeader chooses the separator and the row with most known column names.
func (r *reader) findHeader(text []byte) error {
	best, why := 0, ""
	var first []string
	for _, separator := range []rune{',', ';', '\t', '|'} {
		rows, err := split(text, separator)
		if err != nil {
			if why == "" && separator == ',' {
				why = err.Error()
			}
			continue
		}
		for i := range rows[:min(len(rows), headerWithin)] {
			c, doubt := recognise(rows[i].cells, r.opt.Map)
			if n := c.score(); n > best {
				best, why, r.columns, r.rows = n, doubt, c, rows[i+1:]
			} else if best == 0 && len(rows[i].cells) > len(first) {
				first = rows[i].cells
				if len(r.opt.Map) > 0 {
					why = doubt
				}
			}
		}
	}
	switch lacks := r.columns.lacks(r.opt.NoCaller); {
	case why != "":
		return unread("%s", why)
	case best == 0:
		return unread("no row names columns that are known: want at least %s. Name its columns with --map, such as --map %q. The file begins with: %s",
			r.needed(), clip(append(first, "1")[0], 60)+"=start", clip(strings.Join(first, ", "), 200))
	case len(lacks) > 0:
		return unread("there is no column for %s; the header has: %s. Name them with --map, such as --map %q", strings.Join(lacks, ", "), clip(strings.Join(r.columns.head, ", "), 300), r.columns.head[0]+"="+lacks[0])
	case len(r.rows) > MaxRows:
		return unread("the file has more than %d rows: split it, and give each part with --more but the last", MaxRows)
	}
	for i, cell := range r.columns.head {
		for f := fieldStart; f < fieldIgnored; f++ {
			if r.columns.at[f] == i+1 {
				r.out.Columns = append(r.out.Columns, clip(cell, 60)+" → "+f.String())
			}
		}
	}
	return nil
}

func (r *reader) needed() string {
	if r.opt.NoCaller {
		return "start, called and seconds"
	}
	return "start, caller, called and seconds"
}

// split reads all rows; blank ones are left out.
func split(text []byte, separator rune) (rows []row, err error) {
	in := csv.NewReader(bytes.NewReader(text))
	in.Comma, in.FieldsPerRecord, in.LazyQuotes, in.TrimLeadingSpace = separator, -1, true, separator != '\t'
	for {
		cells, err := in.Read()
		switch {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return nil, err
		case len(cells) > maxColumn:
			cells = cells[:maxColumn]
		}
		if strings.TrimSpace(strings.Join(cells, "")) == "" {
			continue
		}
		line, _ := in.FieldPos(0)
		rows = append(rows, row{line, cells})
		if len(rows) > MaxRows+headerWithin {
			return rows, nil
		}
	}
}

// take reads one row.
func (r *reader) take(row *row) {
	talk, ok := r.talk(row)
	if !ok {
		return
	}
	if talk == 0 {
		r.out.Unanswered++
		return
	}
	start, ok := r.start(row)
	if !ok {
		return
	}
	called := row.cell(&r.columns, fieldCalled)
	if called == "" {
		r.fault(row, fieldCalled, "the number called")
		return
	}
	cost, priced, ok := r.cost(row)
	if !ok {
		return
	}
	r.out.Rows = append(r.out.Rows, Record{
		Line: row.line, Start: start, Talk: talk, Called: clip(called, maxCell), Caller: clip(row.cell(&r.columns, fieldCaller), maxCell),
		ID: clip(row.cell(&r.columns, fieldID), maxCell), Cost: cost, Priced: priced,
	})
}

func (r *reader) fault(row *row, f field, expected string) {
	if r.out.FaultCount++; len(r.out.Faults) >= MaxFaults {
		return
	}
	at := r.columns.at[f]
	r.out.Faults = append(r.out.Faults, rating.Fault{Line: row.line, Column: at, Name: clip(r.columns.head[at-1], 60), Found: clip(row.cell(&r.columns, f), 60), Expected: expected})
}

// maxTalk is longer than any call.
const maxTalk = 7 * 24 * time.Hour

// talk is how long a call lasted: 73, 73.4, 1:13, 00:01:13, 1m13s, or minutes when the header says so.
func (r *reader) talk(row *row) (time.Duration, bool) {
	text := row.cell(&r.columns, fieldTalk)
	d, ok := seconds(strings.ToLower(text))
	if ok && r.columns.of[fieldTalk].minutes && !strings.ContainsAny(text, ":ms") {
		d *= 60
	}
	if !ok || d < 0 || d > maxTalk {
		r.fault(row, fieldTalk, "a length, in seconds or in hours, minutes and seconds, such as 73 or 0:01:13")
		return 0, false
	}
	return d, true
}

func seconds(text string) (time.Duration, bool) {
	if text == "" {
		return 0, true // a call that was not answered has none
	}
	if strings.Contains(text, ":") {
		total := int64(0)
		parts := strings.Split(text, ":")
		for _, p := range parts {
			n, err := strconv.ParseUint(p, 10, 24)
			if err != nil || len(parts) > 3 {
				return 0, false
			}
			total = total*60 + int64(n)
		}
		return time.Duration(total) * time.Second, true
	}
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(text, "seconds"), "sec"))
	if d, err := time.ParseDuration(text); err == nil {
		return d, true
	}
	f, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > maxTalk.Seconds() {
		return 0, false
	}
	return time.Duration(math.Round(f*1000)) * time.Millisecond, true
}

// start is when a call began.
func (r *reader) start(row *row) (time.Time, bool) {
	f, text := fieldStart, row.cell(&r.columns, fieldStart)
	if r.columns.at[fieldStart] == 0 {
		f = fieldDay
		text = strings.TrimSpace(row.cell(&r.columns, fieldDay) + " " + row.cell(&r.columns, fieldClock))
	}
	zone := r.opt.Zone
	if r.columns.of[f].utc || r.columns.of[fieldClock].utc {
		zone = time.UTC
	}
	at, ok := r.instant(text, zone)
	if !ok {
		r.fault(row, f, "the day and time when the call began, such as 2026-11-28 14:05:30 or 2026-11-28T14:05:30Z")
	}
	return at, ok
}

// zonedForms are forms with a zone that price lists do not have.
var zonedForms = []string{time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05 -0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 -07:00", "2006-01-02T15:04:05-0700", "2006-01-02 15:04:05Z0700"}

// instant reads a time: with a zone of its own, as seconds or milliseconds since 1970, or in the zone given.
func (r *reader) instant(text string, zone *time.Location) (time.Time, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		switch len(text) {
		case 10:
			return time.Unix(n, 0).UTC(), true
		case 13:
			return time.UnixMilli(n).UTC(), true
		}
	}
	for _, form := range zonedForms {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC(), true
		}
	}
	for _, mark := range []string{" UTC", " GMT", " Z"} {
		if cut, ok := strings.CutSuffix(text, mark); ok {
			text, zone = cut, time.UTC
		}
	}
	at, whole, ok := r.dates.Parse(text, zone)
	return at.UTC(), ok && !whole
}

// cost is what the carrier charges, if the file says.
func (r *reader) cost(row *row) (cost money.Micro, priced, ok bool) {
	text := row.cell(&r.columns, fieldCost)
	if text == "" {
		return 0, false, true
	}
	if r.credits && strings.Contains(text, "-") {
		r.fault(row, fieldCost, "a charge as the other rows have it: one with a minus is a credit, and belongs in no list of calls")
		return 0, false, false
	}
	number := text
	if strings.Contains(number, ",") && !strings.Contains(number, ".") { // a decimal comma
		number = strings.Replace(number, ",", ".", 1)
	}
	shift := 0
	if r.columns.of[fieldCost].hundredths {
		shift = 2
	}
	cost, ok = amount(number, shift)
	if !ok {
		r.fault(row, fieldCost, "a price, in "+money.Billing().Code+", such as 0.0123")
	}
	return cost, ok, ok
}

// amount reads a cost, rounded to the nearest unit that we store. Some carriers write charges with a minus.
func amount(text string, shift int) (money.Micro, bool) {
	c := money.Billing()
	for _, mark := range []string{c.Sign, c.Code} {
		if mark != "" {
			text = strings.TrimSpace(strings.Replace(text, mark, "", 1))
		}
	}
	f, err := strconv.ParseFloat(strings.TrimPrefix(text, "-"), 64)
	if err != nil || !(f >= 0 && f < 1e9) {
		return 0, false
	}
	return money.Micro(math.Round(f * 1e6 / math.Pow10(shift))), true
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
