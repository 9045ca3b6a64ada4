package rating

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ringfence/core/money"
)

// Bounds of a deck file.
const (
	MaxFileBytes = 64 << 20
	MaxRows      = 2_000_000 // prices after lists and ranges of prefixes are spread
	MaxCellBytes = 1 << 10
	MaxFaults    = 1000 // kept; all are counted
	headerWithin = 50   // rows within which the header must appear
	maxColumns   = 200
)

// ReadOptions say how to read a deck. The zero value reads pounds as a decimal and counts every row as in force.
type ReadOptions struct {
	At    time.Time      // when "not yet" and "ended" are counted for; zero: they are not
	Zone  *time.Location // of dates without one; nil is UTC
	Pence bool           // amounts are hundredths, when the header does not say
	Whole bool           // amounts are whole units, as a person confirmed
	// Thousandths says that amounts are thousandths of a unit, such as fils, when the header does not say.
	Thousandths bool
	SkipBlank   bool           // leave out rows whose rate is blank or "n/a", instead of a fault
	Dates       DateOrder      // of 01/02/2006, when the file does not show it
	Kind        Kind           // of the deck: which price is used from a file with selling and buying prices; "" is Retail
	Billing     money.Currency // the currency of the deck; the zero value is Sterling
	Currency    string         // ISO code of the file's currency, which its header, column and signs must not contradict; "": the one that they name
	Exchange    money.Exchange // how a file in another currency is converted; the zero value: it is refused
	Mapping     Mapping        // columns that are named by hand
	// Short says that only short numbers begin with a prefix (phone.Plan.OnlyShort): a row for "101" is then one for a short
	// number, also in a file without a column that says so. Nil: no prefix is.
	Short func(prefix uint64) bool
	Sheet string // of a workbook: the one to read
	First uint16 // increments when the file has none, seconds; 0 is 1
	Step  uint16
}

// Fault is one error in a file, with its place.
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
	HeaderLine   int  // the last line above the prices
	Headless     bool // that is no header: the mapping names columns by their numbers
	DecimalComma bool
	Pence        bool     // of the rate column
	Currency     string   // of the amounts in the file
	Stated       bool     // the file says its currency
	Sheet        string   // of a workbook
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

// OK says that the file can be imported as it is.
func (im *Import) OK() bool { return im.FaultCount == 0 }

// ReadCSV reads a deck of prices in the form that carriers send: the separator, the header's names, decimal comma,
// units and forms of dates are found out from the file. Every row is checked and every fault is named; nothing panics.
//
// A row is a price for calls that begin from its Start to before its End (an End without a time of day lasts to the end of
// that day). Of two rows for one prefix in force together the one that started later wins; when they started together, it
// is a fault. A row whose Status says blocked, or one without a rate under SkipBlank, is a row without a price: its
// destination is unpriced. A row whose Status says removed is left out.
func ReadCSV(data []byte, opt ReadOptions) *Import {
	r := newReader(opt)
	text, ok := r.asText(data)
	if ok && r.findHeader(text) {
		r.read()
	}
	r.finish()
	return r.out
}

// ReadSheets reads a deck from a workbook: the one sheet of it that has prices, or the one that opt names. All else is as
// ReadCSV does it, but that numbers have a decimal point whatever other cells have.
func ReadSheets(sheets []Sheet, opt ReadOptions) *Import {
	r := newReader(opt)
	r.numbers.workbook = true
	if r.findSheet(sheets) {
		r.read()
	}
	r.finish()
	return r.out
}

func newReader(opt ReadOptions) *deckReader {
	opt.Zone = cmp.Or(opt.Zone, time.UTC)
	return &deckReader{opt: opt, out: &Import{}, names: map[string]string{}, said: map[string]named{}, seen: map[prefixOf]seenRow{}}
}

// read goes through the rows to learn what they are in, and then for their prices.
func (r *deckReader) read() {
	if r.out.FaultCount == 0 && r.titles() && r.checkCurrency() && r.checkHeader() && r.learn() {
		r.learnDates()
		r.readRows()
	}
}

// deckReader is the state of reading one file.
type deckReader struct {
	opt     ReadOptions
	out     *Import
	rowsOf  rowSource
	columns columns
	header  []string // as written, by cell
	numbers numberStyle
	names   map[string]string // destinations, so that equal ones share memory
	said    map[string]named  // by name
	seen    map[prefixOf]seenRow
	rows    []readRow
	dates   dateReader
	spent   int // prefixes read, repeated ones too
	line    int // of the row at hand

	saysPence    string // a row above the header that mentions hundredths
	saysMinor    bool   // amounts of the rate column are marked as hundredths
	saysHalf     bool   // some amounts of the rate column have a sign, and others have none
	lastCurrency string // of the row before, which was found right
}

// prefixOf names a row of a deck.
type prefixOf struct {
	prefix uint64
	short  bool
}

// seenRow remembers where a prefix is in rows, by index plus one, and how many it has.
type seenRow struct{ first, last, n int }

// readRow is a price and where it stands.
type readRow struct {
	price Price
	line  int
	later bool // it is not the first of its prefix
	next  int  // the next row of its prefix, by index plus one; 0 for none
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

// titled is a price's prefix with its destination: "33 (France)", or "33" where the file names none.
func titled(p *Price) string {
	if p.Name == "" {
		return p.Digits()
	}
	return p.Digits() + " (" + clip(p.Name) + ")"
}

// clip shortens a quotation from a file and removes its control characters.
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

// readRows reads all rows below the header.
func (r *deckReader) readRows() {
	r.body(func(line int, cells []string, err error) bool {
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

// finish keeps the prices if there was no fault, and then checks them as a whole.
func (r *deckReader) finish() {
	if r.out.FaultCount == 0 && r.out.Summary.Rows == 0 {
		r.fault(Fault{Found: "no rows below the header", Expected: "at least one price"})
	}
	if r.out.FaultCount > 0 {
		return
	}
	prices, lines := r.settled()
	r.out.Prices = prices
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
	if n := r.out.Summary.NoStart; n > 0 {
		r.ask(Ask(AskNoStart, plural(n, "row is", "rows are")+" for later, as the status says, but no start date says when: they will be left out.", nil))
	}
	r.askUnit()
	r.askCharge()
	if len(dear) > 0 {
		r.ask(Ask(AskLostDecimal, plural(len(dear), "price looks", "prices look")+" like a lost decimal point.", dear))
	}
}
