package rating

import (
	"fmt"
	"strings"
	"time"
	"unicode"
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
	price := Price{Name: r.name(cells), Short: r.yes(cells, fieldShort)}
	prefixes := r.prefixes(cells)
	price.First, price.Step = r.increments(cells)
	blank := r.rates(cells, &price, status == stays)
	r.charges(cells, &price)
	if !start.IsZero() && !end.IsZero() && !end.After(start) {
		r.cellFault(r.columns.at[fieldEnd]-1, r.cell(cells, fieldEnd), "an end after the start")
	}
	if r.out.FaultCount > faults || !r.counts(status, start, end, blank) {
		return
	}
	r.spent += len(prefixes)
	for _, prefix := range prefixes {
		price.Prefix = prefix
		r.take(readRow{price: price, line: r.line, start: start})
	}
}

// counts says whether a sound row is a price today, and counts those that are not by why.
func (r *deckReader) counts(status rowStatus, start, end time.Time, blank bool) bool {
	s := &r.out.Summary
	at := r.opt.At
	switch {
	case status == gone:
		s.Blocked++
	case !at.IsZero() && start.After(at), status == future && start.IsZero():
		s.NotYet++
	case !at.IsZero() && !end.IsZero() && !end.After(at):
		s.Expired++
	case blank:
		s.Blank++
	default:
		return true
	}
	return false
}

// take adds a price; of two for one prefix the later start wins.
func (r *deckReader) take(row readRow) {
	key := prefixOf{row.price.Prefix, row.price.Short}
	if old, ok := r.seen[key]; ok {
		before := &r.rows[old.index-1]
		if before.start.Equal(row.start) {
			r.cellFault(max(r.columns.at[fieldPrefix], r.columns.at[fieldCountryCode])-1, row.price.Digits(),
				fmt.Sprintf("each prefix once for one start: line %d has it too", before.line))
			return
		}
		r.out.Summary.Superseded++
		if before.start.After(row.start) {
			return
		}
		before.dead = true
	}
	r.rows = append(r.rows, row)
	r.seen[key] = seenRow{len(r.rows)}
}

// checkCells checks the row's shape.
func (r *deckReader) checkCells(cells []string) bool {
	for i, c := range cells {
		switch {
		case len(c) > MaxCellBytes:
			r.cellFault(i, c, fmt.Sprintf("at most %d bytes in a cell", MaxCellBytes))
			return false
		case i >= len(r.header) && strings.TrimSpace(c) != "":
			r.cellFault(i, c, fmt.Sprintf("%d cells as in the header (a decimal comma without quotes makes two cells of one)", len(r.header)))
			return false
		}
	}
	return true
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
	at, whole, ok := r.dates.parse(text, r.opt.Zone, r.opt.MonthFirst)
	if !ok {
		r.fieldFault(f, text, "a date such as 2026-01-31, 2026-01-31 23:59:59, 31/01/2026 or 31-Jan-2026")
		return time.Time{}
	}
	if end && whole {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

// rowStatus is what the Status column makes of a row.
type rowStatus uint8

const (
	stays rowStatus = iota
	future
	gone
)

func (r *deckReader) status(cells []string) rowStatus {
	text := r.cell(cells, fieldStatus)
	switch strings.ToLower(text) {
	case "", "-", "current", "active", "open", "ok", "valid", "enabled", "in force", "new", "changed", "change", "increase", "decrease",
		"increased", "decreased", "true", "yes", "1", "no change", "unchanged", "same", "new code", "new rate", "rate increase", "rate decrease":
		return stays
	case "future", "pending", "planned":
		return future
	case "false", "no", "0", "blocked", "block", "barred", "closed", "suspended", "unavailable", "disabled", "inactive", "deleted", "delete", "removed",
		"remove", "discontinued", "expired", "withdrawn", "old", "deleted code":
		return gone
	}
	r.fieldFault(fieldStatus, text, "a status such as Current, New, Future, Blocked or Deleted")
	return stays
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
