// Package table lays out what people read on a terminal: aligned columns, colours where they are wanted, text that cannot
// steer the terminal. It must not know what is being shown.
package table

import (
	"io"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Style is how a cell looks where colours are shown. The text must say the same without it.
type Style uint8

// Styles.
const (
	Plain Style = iota
	Good
	Warn
	Bad
	Dim
	Bold
)

var codes = [...]string{Plain: "", Good: "\x1b[32m", Warn: "\x1b[33m", Bad: "\x1b[31m", Dim: "\x1b[2m", Bold: "\x1b[1m"}

// Screen is where tables are written: how wide it is and whether it shows colours.
type Screen struct {
	io.Writer
	Width    int  // columns; 0 is no limit
	Terminal bool // somebody reads it
	Colour   bool
	Fault    error // the first of Write
}

// Write writes nothing more after a fault, so that one look at Fault in the end is enough.
func (s *Screen) Write(text []byte) (n int, err error) {
	if s.Fault == nil {
		n, s.Fault = s.Writer.Write(text)
	}
	return n, s.Fault
}

// Painted is a text that may hold colours of ours, and nothing else that steers a terminal.
type Painted string

// Paint is text, cleaned, in a style; without the style where colours are not shown.
func (s *Screen) Paint(style Style, text string) Painted {
	text = Clean(text)
	if !s.Colour || style == Plain || text == "" {
		return Painted(text)
	}
	return Painted(codes[style] + text + "\x1b[0m")
}

// Column heads a table's column.
type Column struct {
	Head  string
	Right bool // numbers
	Cut   bool // may be cut short when the screen is too narrow
	Spare bool // left out when the screen is still too narrow, the last first
	ID    bool // left out before anything is cut: it is long, and --json has it
	Wrap  bool // goes on in the next line when the screen is too narrow; the last column
}

// Left, Right and Cut make columns.
func Left(head string) Column { return Column{Head: head} }

// Right is a column of figures.
func Right(head string) Column { return Column{Head: head, Right: true} }

// Cut is a column of free text, which a narrow screen cuts short first.
func Cut(head string) Column { return Column{Head: head, Cut: true} }

// Wrap is a column of sentences, each of which is to be read whole.
func Wrap(head string) Column { return Column{Head: head, Wrap: true} }

// AsSpare is the column as one that a narrow screen does without.
func (c Column) AsSpare() Column {
	c.Spare = true
	return c
}

// Cell is a text with a style.
type Cell struct {
	Text  string
	Style Style
}

// Table gathers rows and writes them when all are known.
type Table struct {
	columns []Column
	rows    [][]Cell
	folded  bool // rows take several lines
}

// New is an empty table.
func New(columns ...Column) *Table { return &Table{columns: columns} }

// Row adds a row of cells: a string, or a Cell.
func (t *Table) Row(cells ...any) {
	row := make([]Cell, len(t.columns))
	for i, c := range cells {
		switch c := c.(type) {
		case string:
			row[i].Text = Clean(c)
		case Cell:
			row[i] = Cell{Clean(c.Text), c.Style}
		}
	}
	t.rows = append(t.rows, row)
}

// Len is how many rows there are.
func (t *Table) Len() int { return len(t.rows) }

const gap = 2

// leastCut is how wide a column that may be cut stays at least, leastWrap one that goes on in the next line; further is how far the
// second line of a row is indented where one line does not hold it.
const (
	leastCut  = 12
	leastWrap = 20
	further   = 4
)

// Write lays the table out on the screen, each line after indent spaces. Columns that are empty in every row are left out. No line is
// wider than the screen: a row that one line does not hold goes on in the next. It returns whether a column of ids was left out.
func (t *Table) Write(s *Screen, indent int) (withoutIDs bool, err error) {
	widths := t.widths()
	lines := [][]int{shown(widths)}
	if room := s.Width - indent; s.Width > 0 && whole(widths) > room {
		lines, withoutIDs = t.fit(widths, max(room, 2*further))
	}
	var b strings.Builder
	head := make([]Cell, len(t.columns))
	for i, c := range t.columns {
		head[i] = Cell{c.Head, Dim}
	}
	for _, row := range append([][]Cell{head}, t.rows...) {
		for n, columns := range lines {
			t.line(&b, s, row, columns, widths, indent+further*min(n, 1))
		}
	}
	_, err = io.WriteString(s, b.String())
	return withoutIDs, err
}

// shown are the columns that are not left out.
func shown(widths []int) (columns []int) {
	for i, w := range widths {
		if w >= 0 {
			columns = append(columns, i)
		}
	}
	return columns
}

// widths is what each column needs; -1 for one that is empty throughout.
func (t *Table) widths() []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		used := len(t.rows) == 0
		for _, row := range t.rows {
			used = used || row[i].Text != ""
			widths[i] = max(widths[i], Width(row[i].Text))
		}
		widths[i] = max(widths[i], Width(c.Head))
		if !used {
			widths[i] = -1
		}
	}
	return widths
}

// wraps says that a column goes on in the next line: one that is said to, the values of a table of names and values, and a last
// text in a row of several lines.
func (t *Table) wraps(i int) bool {
	c := t.columns[i]
	return i == len(t.columns)-1 && (c.Wrap || t.folded && c.Cut || i == 1 && c.Head == "" && !c.Right && !c.Cut)
}

// fit makes the table as narrow as the screen: ids go first, then spare columns, then texts are cut; a table that is still too wide
// has rows of several lines, which are the columns of each.
func (t *Table) fit(widths []int, room int) (lines [][]int, withoutIDs bool) {
	for i, c := range t.columns {
		if c.ID && widths[i] >= 0 && whole(widths) > room {
			widths[i], withoutIDs = -1, true
		}
	}
	t.drop(widths, room)
	cut := slices.Clone(widths)
	t.shrink(cut, room)
	if whole(cut) <= room {
		copy(widths, cut)
		return [][]int{shown(widths)}, withoutIDs
	}
	return t.fold(widths, room), withoutIDs
}

// fold spreads the columns over lines, all but the first of which are indented.
func (t *Table) fold(widths []int, room int) (lines [][]int) {
	t.folded = true
	left := 0
	for _, i := range shown(widths) {
		need := widths[i]
		if t.wraps(i) {
			need = min(need, leastWrap)
		}
		if lines == nil || need+gap > left {
			left = room + gap
			if lines != nil {
				left -= further
			}
			lines = append(lines, nil)
		}
		last := len(lines) - 1
		lines[last] = append(lines[last], i)
		widths[i] = min(widths[i], left-gap)
		left -= widths[i] + gap
	}
	return lines
}

// drop leaves out spare columns, the last first, until the table fits with all that may be cut as narrow as they may be.
func (t *Table) drop(widths []int, room int) {
	least := make([]int, len(widths))
	for i, w := range widths {
		switch least[i] = w; {
		case t.wraps(i):
			least[i] = min(w, leastWrap)
		case t.columns[i].Cut:
			least[i] = min(w, leastCut)
		}
	}
	for i := len(widths) - 1; i >= 0 && whole(least) > room; i-- {
		if t.columns[i].Spare {
			widths[i], least[i] = -1, -1
		}
	}
}

// whole is how wide a table is.
func whole(widths []int) int {
	total := -gap
	for _, w := range widths {
		if w >= 0 {
			total += w + gap
		}
	}
	return total
}

// shrink takes from the widest of the columns that may be cut or go on in the next line until the table fits.
func (t *Table) shrink(widths []int, room int) {
	least := func(i int) int {
		switch {
		case t.wraps(i):
			return leastWrap
		case t.columns[i].Cut:
			return leastCut
		}
		return widths[i]
	}
	for total := whole(widths); total > room; total-- {
		widest := -1
		for i, w := range widths {
			if w > least(i) && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// line writes some columns of a row, in several lines where a text goes on, and nothing where all of them are empty.
func (t *Table) line(b *strings.Builder, s *Screen, row []Cell, columns, widths []int, indent int) {
	last := len(row) - 1
	texts := []string{""}
	if n := len(columns); n > 0 && columns[n-1] == last && t.wraps(last) && widths[last] > 0 {
		texts = Break(row[last].Text, widths[last])
	} else {
		texts[0] = row[last].Text
	}
	for n, text := range texts {
		cells := row
		if n > 0 {
			cells = make([]Cell, len(row))
		}
		if line := t.oneLine(s, cells, Cell{text, row[last].Style}, columns, widths); line != "" {
			b.WriteString(strings.Repeat(" ", indent) + line + "\n")
		}
	}
}

// oneLine is a line without its indent; end is the cell of the last column.
func (t *Table) oneLine(s *Screen, row []Cell, end Cell, columns, widths []int) string {
	var line strings.Builder
	some := false
	for n, i := range columns {
		c := row[i]
		if i == len(row)-1 {
			c = end
		}
		some = some || c.Text != ""
		if n > 0 {
			line.WriteString(strings.Repeat(" ", gap))
		}
		text := clip(c.Text, widths[i])
		pad := strings.Repeat(" ", widths[i]-Width(text))
		if t.columns[i].Right {
			line.WriteString(pad + string(s.Paint(c.Style, text)))
		} else {
			line.WriteString(string(s.Paint(c.Style, text)) + pad)
		}
	}
	if !some {
		return ""
	}
	return strings.TrimRight(line.String(), " ")
}

// Break cuts a text at blanks into lines of at most n columns, and within a word that is longer than that.
func Break(text string, n int) []string {
	if Width(text) <= n {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && Width(line)+1+Width(word) <= n {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for Width(word) > n {
			at := fitting(word, n)
			lines, word = append(lines, word[:at]), word[at:]
		}
		line = word
	}
	return append(lines, line)
}

// fitting is how many bytes of a word n columns hold, at least one letter.
func fitting(word string, n int) int {
	used := 0
	for i, r := range word {
		if used += runeWidth(r); used > n && i > 0 {
			return i
		}
	}
	return len(word)
}

// clip cuts text to n columns, the last being "…".
func clip(text string, n int) string {
	if n < 1 {
		return ""
	}
	if Width(text) <= n {
		return text
	}
	used := 0
	for i, r := range text {
		w := runeWidth(r)
		if used+w > n-1 {
			return text[:i] + "…"
		}
		used += w
	}
	return text
}

// Width is how many columns a text takes on a terminal.
func Width(text string) int {
	n := 0
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// Clean takes out what could steer a terminal or turn the order of letters around: names and User-Agents are chosen by
// unknown sources. Line ends become spaces.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == 0x200c || r == 0x200d: // joiners, which some scripts need
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp), r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, text)
}
