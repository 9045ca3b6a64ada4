// Package table lays out what people read on a terminal: aligned columns, colours where they are wanted, text that cannot
// steer the terminal. It must not know what is being shown.
package table

import (
	"io"
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
	Width  int // columns; 0 is no limit
	Colour bool
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
	Spare bool // left out when the screen is too narrow even so, the last first
	ID    bool // left out before anything is cut: it is long, and --json has it
	Wrap  bool // goes on in the next line when the screen is too narrow; the last column
}

// Left, Right and Cut make columns.
func Left(head string) Column { return Column{Head: head} }

// Right is a column of figures.
func Right(head string) Column { return Column{Head: head, Right: true} }

// Cut is a column of free text, the first to give way on a narrow screen.
func Cut(head string) Column { return Column{Head: head, Cut: true} }

// Wrap is a column of sentences, each of which is to be read whole.
func Wrap(head string) Column { return Column{Head: head, Wrap: true} }

// AsID is the column as one of long ids, the first to be left out on a narrow screen.
func (c Column) AsID() Column {
	c.ID = true
	return c
}

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

// leastCut is how wide a column that may be cut stays at least, leastWrap one that goes on in the next line, and leastAny any other
// when nothing else helps.
const (
	leastCut  = 8
	leastWrap = 20
	leastAny  = 4
)

// Write lays the table out on the screen, each line after indent spaces. Columns that are empty in every row are left out. No line is
// wider than the screen. It returns whether a column of ids was left out for that.
func (t *Table) Write(s *Screen, indent int) (withoutIDs bool, err error) {
	widths := t.widths()
	if room := s.Width - indent; s.Width > 0 && whole(widths) > room {
		withoutIDs = t.fit(widths, max(room, leastAny))
	}
	var b strings.Builder
	head := make([]Cell, len(t.columns))
	headed := false
	for i, c := range t.columns {
		head[i] = Cell{c.Head, Dim}
		headed = headed || c.Head != ""
	}
	if headed {
		t.line(&b, s, head, widths, indent)
	}
	for _, row := range t.rows {
		t.line(&b, s, row, widths, indent)
	}
	_, err = io.WriteString(s, b.String())
	return withoutIDs, err
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

// wraps says that a column goes on in the next line: one that is said to, and the values of a table of names and values.
func (t *Table) wraps(i int) bool {
	c := t.columns[i]
	return i == len(t.columns)-1 && (c.Wrap || i == 1 && c.Head == "" && !c.Right && !c.Cut)
}

// fit makes the table as narrow as the screen: ids go first, then spare columns, then texts are cut, and only then whatever is widest.
func (t *Table) fit(widths []int, room int) (withoutIDs bool) {
	for i, c := range t.columns {
		if c.ID && widths[i] >= 0 && whole(widths) > room {
			widths[i], withoutIDs = -1, true
		}
	}
	t.drop(widths, room)
	t.shrink(widths, room, func(i int) int {
		switch {
		case t.wraps(i):
			return leastWrap
		case t.columns[i].Cut:
			return leastCut
		}
		return -1
	})
	t.shrink(widths, room, func(int) int { return leastAny })
	for i := len(widths) - 1; i > 0 && whole(widths) > room; i-- {
		widths[i] = -1
	}
	return withoutIDs
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

// shrink takes from the widest column until the table fits, but leaves each at least as wide as least says of it; -1: as it is.
func (t *Table) shrink(widths []int, room int, least func(i int) int) {
	for total := whole(widths); total > room; total-- {
		widest := -1
		for i, w := range widths {
			if l := least(i); l >= 0 && w > l && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// line writes a row, in several lines where a text goes on.
func (t *Table) line(b *strings.Builder, s *Screen, row []Cell, widths []int, indent int) {
	last := len(row) - 1
	lines := []string{row[last].Text}
	if t.wraps(last) && widths[last] > 0 {
		lines = Break(row[last].Text, widths[last])
	}
	for n, text := range lines {
		cells := row
		if n > 0 {
			cells = make([]Cell, len(row))
		}
		t.oneLine(b, s, cells, Cell{text, row[last].Style}, widths, indent)
	}
}

func (t *Table) oneLine(b *strings.Builder, s *Screen, row []Cell, end Cell, widths []int, indent int) {
	var line strings.Builder
	line.WriteString(strings.Repeat(" ", indent))
	first := true
	for i, c := range row {
		if i == len(row)-1 {
			c = end
		}
		if widths[i] < 0 {
			continue
		}
		if !first {
			line.WriteString(strings.Repeat(" ", gap))
		}
		first = false
		text := clip(c.Text, widths[i])
		pad := strings.Repeat(" ", widths[i]-Width(text))
		if t.columns[i].Right {
			line.WriteString(pad + string(s.Paint(c.Style, text)))
		} else {
			line.WriteString(string(s.Paint(c.Style, text)) + pad)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
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
// strangers. Line ends become spaces.
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
