package rating

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// rowSource calls do with every row of cells and its line until it says false. Cells live until the next call.
type rowSource func(do func(line int, cells []string, err error) bool)

// noText are kinds of file that are not text, by their first bytes, and what to do with each.
var noText = []struct{ begins, found, expected string }{
	{"PK\x03\x04", "a workbook or zip archive", "a workbook as .xlsx, or CSV"},
	{"\xd0\xcf\x11\xe0", "a workbook of Excel 97 to 2003 (.xls) or one with a password", "the same workbook saved as .xlsx without a password, or as “CSV UTF-8”"},
	{"%PDF", "a PDF", "the price list as .xlsx or CSV: ask the carrier for it"},
	{"\x1f\x8b", "a file packed with gzip", "the file unpacked: zcat FILE | ringfence deck import NAME -"},
	{"{\\rtf", "a text document", "the price list as .xlsx or CSV"},
}

// asText converts a file to UTF-8 without a byte order mark, and refuses a file that is not text.
func (r *deckReader) asText(data []byte) ([]byte, bool) {
	refuse := func(found, expected string) ([]byte, bool) {
		r.fault(Fault{Found: found, Expected: expected})
		return nil, false
	}
	if len(data) > MaxFileBytes {
		return refuse(fmt.Sprintf("%d bytes", len(data)), fmt.Sprintf("a file of at most %d bytes", MaxFileBytes))
	}
	for _, n := range noText {
		if bytes.HasPrefix(data, []byte(n.begins)) {
			return refuse(n.found, n.expected)
		}
	}
	if start := bytes.ToLower(bytes.TrimSpace(data[:min(len(data), 200)])); bytes.HasPrefix(start, []byte("<html")) || bytes.HasPrefix(start, []byte("<!doctype")) ||
		bytes.HasPrefix(start, []byte("<table")) || bytes.HasPrefix(start, []byte("<?xml")) {
		return refuse("a web page (some systems call one .xls)", "the list opened in a spreadsheet and saved as .xlsx or “CSV UTF-8”")
	}
	data, what, err := Decode(data)
	if err != nil {
		return refuse(err.Error(), "UTF-8: save the sheet as “CSV UTF-8”")
	}
	if what != "" {
		r.warn(Warning{Kind: WarnEncoding, Text: "the file is not UTF-8: it was read as " + what})
	}
	if bytes.IndexByte(data, '\n') < 0 { // line ends of an old Macintosh
		data = bytes.ReplaceAll(data, []byte{'\r'}, []byte{'\n'})
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return refuse("an empty file", "a header and rows")
	}
	return data, true
}

// Decode makes UTF-8 of UTF-16 and of Windows-1252, without a byte order mark; what names the latter two.
func Decode(data []byte) (text []byte, what string, err error) {
	var from encoding.Encoding
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		from, what = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "UTF-16"
	case zeroes(data, 1):
		from, what = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "UTF-16"
	case zeroes(data, 0):
		from, what = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "UTF-16"
	case !utf8.Valid(data):
		from, what = charmap.Windows1252, "Windows-1252"
	}
	if from != nil {
		odd := what == "UTF-16" && len(data)%2 == 1
		if data, err = from.NewDecoder().Bytes(data); err != nil || odd || what == "UTF-16" && bytes.ContainsRune(data, utf8.RuneError) {
			return nil, what, errors.New("damaged " + what + " text")
		}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return nil, what, fmt.Errorf("a zero byte in line %d: a damaged file, or no text at all", bytes.Count(data[:i], []byte{'\n'})+1)
	}
	return data, what, nil
}

// zeroes says that nearly every second byte of a file's start is zero, from the given one on: UTF-16 of Latin letters.
func zeroes(data []byte, from int) bool {
	start, n := data[:min(len(data), 200)], 0
	for i := from; i < len(start); i += 2 {
		if start[i] == 0 {
			n++
		}
	}
	return n > 0 && n >= len(start)/2*9/10
}

// records are the rows of a text.
func records(text []byte, separator rune) rowSource {
	return func(do func(line int, cells []string, err error) bool) {
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
}

// body calls do with the rows below the header; blank ones are left out.
func (r *deckReader) body(do func(line int, cells []string, err error) bool) {
	r.rowsOf(func(line int, cells []string, err error) bool {
		if line <= r.out.Format.HeaderLine || err == nil && isBlank(cells) {
			return true
		}
		return do(line, cells, err)
	})
}

// candidate is a row that may be the header.
type candidate struct {
	separator rune
	line      int
	cells     []string
	columns   columns
	priced    bool // it has everything that a header must have
}

// findHeader finds separator and header: the first row that names a prefix and a rate, under the separator for which
// one comes first. A file whose columns are mapped by their numbers needs none.
func (r *deckReader) findHeader(text []byte) bool {
	var best *candidate
	first, separators := "", []rune{',', ';', '\t', '|'}
	for _, separator := range separators {
		found, row := r.headerIn(records(text, separator))
		if found != nil {
			found.separator = separator
		}
		if found.better(best) {
			best = found
		}
		if separator == ',' {
			first = row
		}
	}
	if best == nil || !best.priced {
		var wide *candidate
		for _, separator := range separators {
			if c := r.headless(records(text, separator)); c != nil && (wide == nil || len(c.cells) > len(wide.cells)) {
				wide = c
				wide.separator = separator
			}
		}
		best = cmp.Or(wide, best)
	}
	if !r.isHeader(best, first) {
		return false
	}
	r.rowsOf = records(text, best.separator)
	r.begin(best)
	return true
}

// better prefers a complete header, then the first, then the one with more cells.
func (c *candidate) better(than *candidate) bool {
	switch {
	case c == nil || than == nil:
		return c != nil
	case c.priced != than.priced:
		return c.priced
	case c.line != than.line:
		return c.line < than.line
	}
	return len(c.cells) > len(than.cells)
}

// headerIn looks through the first rows. Without a whole header the first that has a prefix only is given, so that the
// fault can say what is missing.
func (r *deckReader) headerIn(rows rowSource) (best *candidate, first string) {
	n := 0
	rows(func(line int, cells []string, err error) bool {
		if n++; n == 1 {
			first = strings.Join(cells, ",")
		}
		if err != nil || len(cells) > maxColumns {
			return n < headerWithin
		}
		if byName := recognise(cells, r.opt.Mapping.byName(), r.opt.Kind); byName.known() >= 2 || byName.usable() {
			c := recognise(cells, r.opt.Mapping, r.opt.Kind)
			switch {
			case c.usable():
				best = &candidate{0, line, slices.Clone(cells), c, true}
				return false
			case best == nil && (c.has(fieldPrefix) || c.has(fieldCountryCode) || c.has(fieldAreaCode)):
				best = &candidate{0, line, slices.Clone(cells), c, false}
			}
		}
		return n < headerWithin
	})
	return best, first
}

// headless is a table without a header, whose columns the mapping names by their numbers; nil: it does not name enough.
func (r *deckReader) headless(rows rowSource) *candidate {
	width, line := 0, 0
	rows(func(at int, cells []string, err error) bool {
		if err == nil {
			width, line = max(width, len(cells)), at
		}
		return err == nil && line < headerWithin
	})
	cells := make([]string, min(width, maxColumns))
	if c := recognise(cells, r.opt.Mapping, r.opt.Kind); c.usable() {
		return &candidate{0, 0, cells, c, true}
	}
	return nil
}

// isHeader faults a file without a header, with what it has of one.
func (r *deckReader) isHeader(c *candidate, first string) bool {
	switch {
	case c == nil:
		r.fault(Fault{Line: 1, Found: first, Expected: fmt.Sprintf(
			"a header of at most %d columns in the first %d rows with a column for the prefix (such as Prefix, Code, Dial code) and one for the rate (such as Rate, Price, Peak); "+
				"--map names columns by hand, by their numbers where there is no header: --map 1=prefix --map 2=rate", maxColumns, headerWithin)})
		return false
	case c.priced:
		return true
	}
	r.header, r.line = c.cells, c.line
	faults := r.out.FaultCount
	if at := c.columns.at[fieldAreaCode] - 1; at >= 0 && !c.columns.has(fieldPrefix) && !c.columns.has(fieldCountryCode) {
		r.cellFault(at, c.cells[at], "a column for the country code beside it, unless these are whole prefixes; "+r.mapHint(at, "prefix"))
	}
	for _, i := range c.columns.unknown {
		if soundsLikeMoney(c.cells[i]) {
			r.cellFault(i, c.cells[i], "the rate of every call in one column; "+r.mapHint(i, "rate"))
		}
	}
	if r.out.FaultCount == faults {
		r.fault(Fault{Line: c.line, Found: strings.Join(c.cells, ","), Expected: "a column for the rate too (such as Rate, Price, Peak); --map \"COLUMN=rate\" names it by hand"})
	}
	return false
}

// begin takes the header over.
func (r *deckReader) begin(c *candidate) {
	r.header, r.line, r.columns = c.cells, c.line, c.columns
	r.out.Format = Format{Separator: c.separator, HeaderLine: c.line}
	if c.line == 0 {
		r.out.Format.Headless = true
		r.skipTitles()
	}
	r.pricesAbove()
	if missing := r.opt.Mapping.unmatched(c.cells); len(missing) > 0 {
		r.fault(Fault{Line: c.line, Found: strings.Join(c.cells, ","), Expected: "the columns that --map names: there is none called " + strings.Join(missing, ", ") +
			" (names that were kept from the last import are forgotten with --map none)"})
	}
}

// pricesAbove faults rows above the header that look like prices: a list that was sorted with its header would lose them.
func (r *deckReader) pricesAbove() {
	c := &r.columns
	prefix := max(c.at[fieldPrefix], c.at[fieldCountryCode]) - 1
	rate := max(c.at[fieldRate], c.at[fieldPeak], c.at[fieldOffPeak]) - 1
	header := r.line
	r.rowsOf(func(line int, cells []string, err error) bool {
		if line >= header {
			return false
		}
		if err == nil && max(prefix, rate) < len(cells) && startsWithDigit(cells[prefix]) && strings.ContainsAny(cells[rate], "0123456789") {
			r.line = line
			r.fault(Fault{Line: line, Found: strings.Join(cells, ","), Expected: fmt.Sprintf("the header above all prices: it is in line %d", header)})
		}
		return true
	})
	r.line = header
}

// skipTitles finds where a table without a header begins: at the first row that has a number where its prefix should be.
func (r *deckReader) skipTitles() {
	at := max(r.columns.at[fieldPrefix], r.columns.at[fieldCountryCode]) - 1
	titles := 0
	r.rowsOf(func(line int, cells []string, err error) bool {
		if err != nil || at < len(cells) && startsWithDigit(cells[at]) {
			return false
		}
		if !isBlank(cells) {
			titles++
		}
		r.out.Format.HeaderLine = line
		return line < headerWithin
	})
	if titles > 0 {
		r.warn(Warning{Kind: WarnIgnored, Text: fmt.Sprintf("the table begins below line %d: %s above it %s no number where the prefix should be", r.out.Format.HeaderLine,
			plural(titles, "row", "rows"), map[bool]string{true: "has", false: "have"}[titles == 1])})
	}
}

func startsWithDigit(cell string) bool {
	text := strings.TrimLeft(cell, " +'^")
	return text != "" && text[0] >= '0' && text[0] <= '9'
}
