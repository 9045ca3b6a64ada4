package rating

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Bounds of a deck file.
const (
	MaxFileBytes = 64 << 20
	MaxRows      = 2_000_000 // prices after lists and ranges of prefixes are spread
	MaxCellBytes = 1 << 10
	MaxFaults    = 1000 // kept; all are counted
	headerWithin = 50   // rows in which the header must come
	maxColumns   = 200
)

// ReadOptions say how to read a deck. The zero value reads pounds as a decimal and counts every row as in force.
type ReadOptions struct {
	At         time.Time      // rows must be in force at this instant; zero: dates are checked but leave no row out
	Zone       *time.Location // of dates without one; nil is UTC
	Pence      bool           // amounts are hundredths, when the header does not say
	SkipBlank  bool           // leave out rows whose rate is blank or "n/a", instead of a fault
	MonthFirst bool           // 01/02/2006 is the second of January
	Currency   string         // ISO code that a currency column or header must have; "" for any, but one only
	First      uint16         // increments when the file has none, seconds; 0 is 1
	Step       uint16
}

// Fault is one thing that is wrong with a file, with the place in it.
type Fault struct {
	Line     int    // 1 is the first; 0: the file as a whole
	Column   int    // cell of the row, 1 is the first; 0: the row as a whole
	Name     string // of the column, as the header has it
	Found    string // at most 60 characters of it
	Expected string
}

// String is one line: `line 7, column 3 "Rate": found "abc", expected a rate`.
func (f Fault) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d", f.Line)
		if f.Column > 0 {
			fmt.Fprintf(&b, ", column %d", f.Column)
		}
		if f.Name != "" {
			fmt.Fprintf(&b, " %q", f.Name)
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "found %q, expected %s", f.Found, f.Expected)
	return b.String()
}

// Format is what was recognised of the form of a file.
type Format struct {
	Separator    rune
	HeaderLine   int
	DecimalComma bool
	Pence        bool     // of the rate column
	Currency     string   // "" when the file does not say
	Columns      []string // "Rate → rate" for each column in use
	Ignored      []string // columns that are not understood and not used
}

// Import is a deck file that was read. Prices is empty when there is any fault: all or nothing.
type Import struct {
	Prices     []Price
	Faults     []Fault // the first MaxFaults, in the order of lines
	FaultCount int
	Warnings   []Warning
	Questions  []Question // to be settled before the prices are used
	Format     Format
	Summary    Summary
}

// OK says that the file can be taken as it is.
func (im *Import) OK() bool { return im.FaultCount == 0 }

// ReadCSV reads a deck of prices in the form that carriers send: the separator, the header's names, decimal comma,
// units and forms of dates are found out from the file. Every row is checked and every fault is named; nothing panics.
//
// A row counts when Start ≤ At < End (an End without a time of day lasts to the end of that day). Of two rows for one
// prefix in force together the one that started later wins; when they started together, it is a fault. Rows whose
// Status says blocked or removed are left out, so that their destinations are unpriced.
func ReadCSV(data []byte, opt ReadOptions) *Import {
	r := &deckReader{opt: opt, out: &Import{}, names: map[string]string{}, seen: map[prefixOf]seenRow{}}
	if opt.Zone == nil {
		r.opt.Zone = time.UTC
	}
	text, ok := r.asText(data)
	if ok {
		ok = r.findHeader(text)
	}
	if ok {
		r.learnNumbers(text)
		r.readRows(text)
	}
	r.finish()
	return r.out
}

// deckReader is the state of reading one file.
type deckReader struct {
	opt     ReadOptions
	out     *Import
	columns columns
	header  []string // as written, by cell
	numbers numberStyle
	names   map[string]string // destinations, so that equal ones share memory
	seen    map[prefixOf]seenRow
	rows    []readRow
	dates   dateReader
	spent   int // prefixes read, repeated ones too
	line    int // of the row at hand
}

// prefixOf names a row of a deck.
type prefixOf struct {
	prefix uint64
	short  bool
}

// seenRow remembers where a prefix is in rows, by index plus one.
type seenRow struct{ index int }

// readRow is a price with what decides between two of one prefix.
type readRow struct {
	price Price
	line  int
	start time.Time
	dead  bool // another won
}

func (r *deckReader) fault(f Fault) {
	r.out.FaultCount++
	if len(r.out.Faults) < MaxFaults {
		f.Found = clip(f.Found)
		r.out.Faults = append(r.out.Faults, f)
	}
}

// cellFault reports a cell of the row at hand; column counts from 0.
func (r *deckReader) cellFault(column int, found, expected string) {
	name := ""
	if column < len(r.header) {
		name = clip(strings.TrimSpace(r.header[column]))
	}
	r.fault(Fault{Line: r.line, Column: column + 1, Name: name, Found: found, Expected: expected})
}

// clip shortens what is quoted from a file and takes control characters out of it.
func clip(s string) string {
	const most = 60
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// asText takes off the byte order mark, and refuses what is no text of one byte to the letter.
func (r *deckReader) asText(data []byte) ([]byte, bool) {
	refuse := func(found, expected string) ([]byte, bool) {
		r.fault(Fault{Found: found, Expected: expected})
		return nil, false
	}
	switch {
	case len(data) > MaxFileBytes:
		return refuse(fmt.Sprintf("%d bytes", len(data)), fmt.Sprintf("a file of at most %d bytes", MaxFileBytes))
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return refuse("an Excel workbook or zip archive", "CSV: save the sheet as “CSV UTF-8”")
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return refuse("UTF-16 text", "UTF-8: save the sheet as “CSV UTF-8”")
	case bytes.IndexByte(data, 0) >= 0:
		return refuse("a zero byte: UTF-16 text or no text at all", "UTF-8: save the sheet as “CSV UTF-8”")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		converted, err := charmap.Windows1252.NewDecoder().Bytes(data)
		if err != nil {
			return refuse("text that is neither UTF-8 nor Windows-1252", "UTF-8")
		}
		r.warn(Warning{Kind: WarnEncoding, Text: "the file is not UTF-8: it was read as Windows-1252"})
		data = converted
	}
	if bytes.IndexByte(data, '\n') < 0 { // line ends of an old Macintosh
		data = bytes.ReplaceAll(data, []byte{'\r'}, []byte{'\n'})
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return refuse("an empty file", "a header and rows")
	}
	return data, true
}

// records calls do with every row of cells and its line, until it says false. Cells live until the next call.
func (r *deckReader) records(text []byte, separator rune, do func(line int, cells []string, err error) bool) {
	in := csv.NewReader(bytes.NewReader(text))
	in.Comma, in.FieldsPerRecord, in.ReuseRecord = separator, -1, true
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		line := 0
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad):
			line = bad.StartLine
		case len(cells) > 0:
			line, _ = in.FieldPos(0)
		}
		if !do(line, cells, err) {
			return
		}
	}
}

// findHeader finds separator and header: the first row that names a prefix and a rate, under the separator for which
// one comes first.
func (r *deckReader) findHeader(text []byte) bool {
	type candidate struct {
		separator rune
		line      int
		cells     []string
	}
	var best *candidate
	first := ""
	for _, separator := range []rune{',', ';', '\t', '|'} {
		rows := 0
		r.records(text, separator, func(line int, cells []string, err error) bool {
			rows++
			if rows == 1 && separator == ',' {
				first = strings.Join(cells, ",")
			}
			if err == nil && len(cells) <= maxColumns && recognise(cells).usable() {
				if best == nil || line < best.line || line == best.line && len(cells) > len(best.cells) {
					best = &candidate{separator, line, slices.Clone(cells)}
				}
				return false
			}
			return rows < headerWithin
		})
	}
	if best == nil {
		r.fault(Fault{Line: 1, Found: first, Expected: fmt.Sprintf(
			"a header of at most %d columns in the first %d rows with a column for the prefix (such as Prefix, Code, Dial code) and one for the rate (such as Rate, Price, Peak)", maxColumns, headerWithin)})
		return false
	}
	r.header, r.line = best.cells, best.line
	r.columns = recognise(best.cells)
	r.out.Format = Format{Separator: best.separator, HeaderLine: best.line}
	return r.checkHeader()
}

// readRows reads all rows below the header.
func (r *deckReader) readRows(text []byte) {
	r.records(text, r.out.Format.Separator, func(line int, cells []string, err error) bool {
		if line <= r.out.Format.HeaderLine || err == nil && isBlank(cells) {
			return true
		}
		r.line = line
		r.out.Summary.Rows++
		if err != nil {
			var bad *csv.ParseError
			errors.As(err, &bad)
			r.fault(Fault{Line: line, Found: bad.Err.Error(), Expected: `cells with matching quotes; a quote inside quotes is written twice`})
			return true
		}
		r.readRow(cells)
		if r.spent > MaxRows || r.out.Summary.Rows > MaxRows {
			r.fault(Fault{Line: line, Found: "more prices", Expected: fmt.Sprintf("at most %d", MaxRows)})
			return false
		}
		return true
	})
}

func isBlank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// finish takes the prices over if there was no fault, and looks at the whole.
func (r *deckReader) finish() {
	if r.out.FaultCount == 0 && r.out.Summary.Rows == 0 {
		r.fault(Fault{Found: "no rows below the header", Expected: "at least one price"})
	}
	if r.out.FaultCount > 0 {
		return
	}
	lines := make([]int, 0, len(r.rows))
	for i := range r.rows {
		if !r.rows[i].dead {
			r.out.Prices = append(r.out.Prices, r.rows[i].price)
			lines = append(lines, r.rows[i].line)
		}
	}
	r.out.Summary.count(r.out.Prices)
	var dear []string
	for _, w := range Suspicious(r.out.Prices) {
		if w.row > 0 {
			w.Line = lines[w.row-1]
		}
		if w.Kind == WarnDear {
			dear = append(dear, fmt.Sprintf("line %d, %s", w.Line, w.Text))
		}
		r.warn(w)
	}
	if len(dear) > 0 {
		r.ask(Ask(AskLostDecimal, plural(len(dear), "price looks", "prices look")+" like a lost decimal point.", dear))
	}
}
