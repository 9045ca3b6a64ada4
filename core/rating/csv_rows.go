package rating

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// maxSpread bounds the prefixes of one cell.
const maxSpread = 10_000

// readRow reads one row. All its faults are named, not only the first.
func (r *deckReader) readRow(cells []string) {
	faults := r.out.FaultCount
	if !r.checkCells(cells) {
		return
	}
	status := r.status(cells)
	start, end := r.date(cells, fieldStart, false), r.date(cells, fieldEnd, true)
	r.currency(cells)
	short := r.yes(cells, fieldShort)
	price := Price{Name: r.name(cells)}
	prefixes := r.prefixes(cells)
	r.checkName(price.Name, price.Short, prefixes)
	price.First, price.Step = r.increments(cells)
	blank := r.rates(cells, &price, status == stays)
	r.charges(cells, &price)
	if !start.IsZero() && !end.IsZero() && !end.After(start) {
		r.cellFault(r.columns.at[fieldEnd]-1, r.cell(cells, fieldEnd), "an end after the start")
	}
	if r.out.FaultCount > faults || !r.counts(status, start, end, blank) {
		return
	}
	price.From, price.Until, price.NoPrice = max(MomentOf(start), 0), MomentOf(end), status == blocked || blank
	if price.NoPrice {
		price.Connect, price.Minimum, price.Rates = 0, 0, [NumBands]money.Rate{}
	}
	r.spent += len(prefixes)
	for _, prefix := range prefixes {
		price.Prefix, price.Short = prefix, short || r.opt.Short != nil && r.opt.Short(prefix)
		r.take(readRow{price: price, line: r.line})
	}
}

// checkName faults a name that clearly is another country's than one of its prefixes.
func (r *deckReader) checkName(name string, short bool, prefixes []uint64) {
	n, ok := r.said[name]
	if !ok {
		n = readName(name)
		r.said[name] = n
	}
	if short || n.first == nil {
		return
	}
	for _, prefix := range prefixes {
		if under := phone.Under(prefix); n.elsewhere(prefix, under) {
			f := fieldName
			if !r.columns.has(f) {
				f = fieldCountry
			}
			r.fieldFault(f, name, fmt.Sprintf("the name of a destination whose numbers begin with %d, which are those of %s", prefix, under[0].Country))
			return
		}
	}
}

// counts says whether a valid row belongs to the deck, and counts by reason the rows that are no price today.
func (r *deckReader) counts(status rowStatus, start, end time.Time, blank bool) bool {
	s := &r.out.Summary
	at := r.opt.At
	switch {
	case status == gone:
		s.Gone++
		return false
	case status == future && start.IsZero():
		s.NoStart++
		return false
	case !at.IsZero() && start.After(at):
		if s.NotYet++; s.First.IsZero() || start.Before(s.First) {
			s.First = start
		}
	case !at.IsZero() && !end.IsZero() && !end.After(at):
		s.Expired++
	case status == blocked:
		s.Blocked++
	case blank:
		s.Blank++
	}
	return true
}

// take adds a price. A prefix may have several, which begin at different times.
func (r *deckReader) take(row readRow) {
	key := prefixOf{row.price.Prefix, row.price.Short}
	seen := r.seen[key]
	for i := seen.first; i > 0; i = r.rows[i-1].next {
		if before := &r.rows[i-1]; before.price.From == row.price.From {
			r.prefixFault(&row.price, fmt.Sprintf("each prefix once for one start: line %d has it too", before.line))
			return
		}
	}
	if seen.n == MaxWindows {
		r.prefixFault(&row.price, fmt.Sprintf("at most %d rows for a prefix", MaxWindows))
		return
	}
	row.later = seen.n > 0
	r.rows = append(r.rows, row)
	if seen.n == 0 {
		seen.first = len(r.rows)
	} else {
		r.rows[seen.last-1].next = len(r.rows)
	}
	seen.last, seen.n = len(r.rows), seen.n+1
	r.seen[key] = seen
}

func (r *deckReader) prefixFault(p *Price, expected string) {
	r.cellFault(max(r.columns.at[fieldPrefix], r.columns.at[fieldCountryCode])-1, p.Digits(), expected)
}

// settled are the prices with the lines that they come from. The windows of rows for one prefix no longer overlap.
func (r *deckReader) settled() (prices []Price, lines []int) {
	prices, lines = make([]Price, 0, len(r.rows)), make([]int, 0, len(r.rows))
	for i := range r.rows {
		row := &r.rows[i]
		switch {
		case row.later:
		case row.next == 0:
			prices, lines = append(prices, row.price), append(lines, row.line)
		default:
			list, from := r.chain(i)
			resolved, origins := resolve(list)
			for j, p := range resolved {
				prices, lines = append(prices, p), append(lines, from[origins[j]])
			}
			slices.Sort(origins)
			r.out.Summary.Superseded += len(list) - len(slices.Compact(origins))
		}
	}
	return prices, lines
}

// chain is the rows of one prefix in the order of their starts, with their lines.
func (r *deckReader) chain(first int) (list []Price, lines []int) {
	var rows []*readRow
	for i := first + 1; i > 0; i = r.rows[i-1].next {
		rows = append(rows, &r.rows[i-1])
	}
	slices.SortFunc(rows, func(a, b *readRow) int { return cmp.Compare(a.price.From, b.price.From) })
	for _, row := range rows {
		list, lines = append(list, row.price), append(lines, row.line)
	}
	return list, lines
}

// checkCells checks the row's shape.
func (r *deckReader) checkCells(cells []string) bool {
	for i, c := range cells {
		switch {
		case len(c) > MaxCellBytes:
			r.cellFault(i, c, fmt.Sprintf("at most %d bytes in a cell", MaxCellBytes))
			return false
		case r.swallowed(c):
			r.cellFault(i, c, "a quote that is closed on its line: this cell has other rows in it")
			return false
		case i >= len(r.header) && strings.TrimSpace(c) != "":
			r.cellFault(i, c, fmt.Sprintf("%d cells as in the header (a decimal comma without quotes makes two cells of one)", len(r.header)))
			return false
		}
	}
	return true
}

// swallowed says that a cell has a line with as many separators as a row: a quote that was left open in one row and closed by
// another made one cell of all rows between.
func (r *deckReader) swallowed(cell string) bool {
	if r.out.Format.Separator == 0 || strings.IndexByte(cell, '\n') < 0 {
		return false
	}
	for _, line := range strings.Split(cell, "\n") {
		if strings.Count(line, string(r.out.Format.Separator)) >= max(1, len(r.header)-1) {
			return true
		}
	}
	return false
}

// cell is the text of a field, "" when the row is too short for it.
func (r *deckReader) cell(cells []string, f field) string {
	if at := r.columns.at[f]; at > 0 && at <= len(cells) {
		return strings.TrimFunc(cells[at-1], func(c rune) bool { return unicode.IsSpace(c) || c == '\ufeff' })
	}
	return ""
}

func (r *deckReader) fieldFault(f field, found, expected string) {
	r.cellFault(r.columns.at[f]-1, found, expected)
}

func (r *deckReader) name(cells []string) string {
	name, country := r.cell(cells, fieldName), r.cell(cells, fieldCountry)
	switch {
	case name == "":
		name = country
	case country != "" && !strings.Contains(strings.ToLower(name), strings.ToLower(country)):
		name = country + " - " + name
	}
	f := fieldName
	if !r.columns.has(f) {
		f = fieldCountry
	}
	switch {
	case strings.ContainsFunc(name, func(c rune) bool { return unicode.IsControl(c) && c != '\t' && c != '\n' }):
		r.fieldFault(f, name, "a name without control characters")
	case strings.HasPrefix(name, "=") || strings.HasPrefix(name, "@"):
		r.fieldFault(f, name, "a name, not a spreadsheet formula")
	}
	name = strings.Join(strings.Fields(name), " ")
	if known, ok := r.names[name]; ok {
		return known
	}
	name = strings.Clone(name) // cells share the memory of a whole row
	r.names[name] = name
	return name
}

// date reads Start or End; a blank is the zero time. An End without a time of day lasts to the end of the day.
func (r *deckReader) date(cells []string, f field, end bool) time.Time {
	text := r.cell(cells, f)
	if text == "" || text == "-" {
		return time.Time{}
	}
	at, whole, ok := r.dates.parse(text, r.opt.Zone)
	if !ok {
		r.fieldFault(f, text, "a date such as 2026-01-31, 2026-01-31 23:59:59, 31/01/2026 or 31-Jan-2026")
		return time.Time{}
	}
	if end && at.Year() == 9999 {
		return time.Time{} // how some systems write that there is no end
	}
	if end && whole {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

// rowStatus is what the Status column says about a row.
type rowStatus uint8

const (
	stays rowStatus = iota
	future
	blocked // there is no price, whatever a shorter prefix costs
	gone    // as if the row were not there
)

func (r *deckReader) status(cells []string) rowStatus {
	text := r.cell(cells, fieldStatus)
	if s, known := statusOf(text); known {
		return s
	}
	r.fieldFault(fieldStatus, text, "a status such as Current, New, Future, Blocked or Deleted")
	return stays
}

func statusOf(text string) (status rowStatus, known bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "-", "current", "active", "add", "added", "open", "ok", "valid", "enabled", "in force", "new", "changed", "change", "increase", "decrease",
		"increased", "decreased", "true", "yes", "1", "no change", "unchanged", "same", "new code", "new rate", "rate increase", "rate decrease":
		return stays, true
	case "future", "pending", "planned":
		return future, true
	case "false", "no", "0", "blocked", "block", "barred", "closed", "suspended", "unavailable", "disabled", "inactive":
		return blocked, true
	case "deleted", "delete", "removed", "remove", "discontinued", "expired", "withdrawn", "old", "deleted code":
		return gone, true
	}
	return stays, false
}

func (r *deckReader) yes(cells []string, f field) bool {
	text := r.cell(cells, f)
	switch strings.ToLower(text) {
	case "", "no", "n", "0", "false", "-":
		return false
	case "yes", "y", "1", "true", "short":
		return true
	}
	r.fieldFault(f, text, "yes or no")
	return false
}
