package rating

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ringfence/core/money"
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
	if r.columns.has(fieldConnect) {
		price.Connect = r.micro(cells, fieldConnect)
	}
	if r.columns.has(fieldMinimum) {
		price.Minimum = r.micro(cells, fieldMinimum)
	}
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

// prefixes are those of the prefix cell, or of country code and area code together.
func (r *deckReader) prefixes(cells []string) []uint64 {
	code := strings.TrimPrefix(r.cell(cells, fieldCountryCode), "+")
	if !r.columns.has(fieldCountryCode) || r.columns.has(fieldPrefix) && strings.Trim(code, "0123456789") != "" {
		code = "" // an ISO code beside whole prefixes
	}
	if !r.columns.has(fieldPrefix) {
		if code == "" || strings.Trim(code, "0123456789") != "" || code[0] == '0' {
			r.fieldFault(fieldCountryCode, code, "a country code of digits")
			return nil
		}
		f := fieldAreaCode
		if r.cell(cells, f) == "" {
			return r.spread(fieldCountryCode, code, "")
		}
		return r.spread(f, r.cell(cells, f), code)
	}
	list := r.spread(fieldPrefix, r.cell(cells, fieldPrefix), "")
	for _, prefix := range list {
		if code != "" && !strings.HasPrefix(strconv.FormatUint(prefix, 10), code) {
			r.fieldFault(fieldPrefix, r.cell(cells, fieldPrefix), "a whole prefix, that begins with the country code "+code)
			break
		}
	}
	return list
}

// spread makes prefixes of "7940, 7941-7949", each after lead.
func (r *deckReader) spread(f field, text, lead string) []uint64 {
	const expected = "digits, or a list such as 7940, 7941-7949"
	var list []uint64
	parts := strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ';' || c == '\n' })
	if len(parts) == 0 {
		r.fieldFault(f, text, expected)
	}
	for _, part := range parts {
		part = strings.TrimSpace(part)
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, okFrom := prefixDigits(low, lead)
		till, okTill := prefixDigits(high, lead)
		switch {
		case !okFrom || !okTill:
			r.fieldFault(f, text, expected+r.prefixHint(part))
			return nil
		case len(low) != len(high) || till < from:
			r.fieldFault(f, text, "a range whose ends have the same number of digits, the lower first")
			return nil
		case till-from >= maxSpread || len(list)+int(till-from) >= maxSpread:
			r.fieldFault(f, text, fmt.Sprintf("at most %d prefixes in a cell", maxSpread))
			return nil
		}
		for p := from; p <= till; p++ {
			list = append(list, p)
		}
	}
	return list
}

func (r *deckReader) prefixHint(part string) string {
	if strings.ContainsAny(part, ".eE") {
		return " (a spreadsheet has made a number of it)"
	}
	return fmt.Sprintf(" of at most %d digits that begin with the country code", maxPrefixDigits)
}

// prefixDigits reads one prefix: "+44", "0044", "'44" are 44. A prefix of an area keeps its zeroes.
func prefixDigits(text, lead string) (uint64, bool) {
	text = strings.TrimPrefix(text, "'")
	if lead == "" {
		text = strings.TrimPrefix(text, "+")
		text = strings.TrimPrefix(text, "00")
	}
	all := lead + text
	if text == "" || len(all) > maxPrefixDigits || all[0] == '0' {
		return 0, false
	}
	n := uint64(0)
	for i := range len(all) {
		if all[i] < '0' || all[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(all[i]-'0')
	}
	return n, true
}

// rates fills the bands, and says that the row has no price and is to be left out.
func (r *deckReader) rates(cells []string, p *Price, needed bool) (blank bool) {
	sources := r.columns.bandSources()
	for band, f := range sources {
		if i := slices.Index(sources[:band], f); i >= 0 {
			p.Rates[band] = p.Rates[i]
			continue
		}
		text := r.cell(cells, f)
		if !isNoRate(text) {
			p.Rates[band] = money.Rate(r.amount(cells, f, 9))
			continue
		}
		blank = true
		if needed && !r.opt.SkipBlank {
			r.fieldFault(f, text, "a rate (rows without one can be left out on request: their destinations are then refused)")
		}
	}
	return blank
}

// bandSources is the column of each band's rate: its own, else the rate for all, else off-peak for weekends and any
// other there is.
func (c *columns) bandSources() (sources [NumBands]field) {
	orders := [NumBands][]field{
		Peak:    {fieldPeak, fieldRate, fieldOffPeak},
		OffPeak: {fieldOffPeak, fieldRate, fieldPeak},
		Weekend: {fieldWeekend, fieldOffPeak, fieldRate, fieldPeak},
	}
	for band, order := range orders {
		sources[band] = order[slices.IndexFunc(order, c.has)]
	}
	return sources
}

func isNoRate(text string) bool {
	switch strings.ToLower(text) {
	case "", "-", "--", "n/a", "na", "nil", "none", "blocked", "tba", "tbc", "#n/a":
		return true
	}
	return false
}

// amount reads money as an integer of 10^-places of the currency, 0 after a fault.
func (r *deckReader) amount(cells []string, f field, places int) int64 {
	text, pence := r.cell(cells, f), r.pence(f)
	if cut, ok := strings.CutSuffix(text, "p"); ok {
		text, pence = strings.TrimSpace(cut), true
	}
	if pence {
		places -= 2
	}
	n, expected := r.numbers.parse(text, places)
	if expected != "" {
		r.fieldFault(f, r.cell(cells, f), expected)
		return 0
	}
	return n
}

// micro reads a charge; blank is none.
func (r *deckReader) micro(cells []string, f field) money.Micro {
	if text := r.cell(cells, f); text == "" || text == "-" {
		return 0
	}
	return money.Micro(r.amount(cells, f, 6))
}

// increments come from "30/6" in one cell or from two columns; the file that has neither gets those of the options.
func (r *deckReader) increments(cells []string) (first, step uint16) {
	c := &r.columns
	switch {
	case c.has(fieldFirst) && c.has(fieldStep):
		return r.seconds(fieldFirst, r.cell(cells, fieldFirst)), r.seconds(fieldStep, r.cell(cells, fieldStep))
	case c.has(fieldIncrements) || c.has(fieldFirst) || c.has(fieldStep):
		f := fieldIncrements
		if !c.has(f) {
			f = fieldFirst
			if !c.has(f) {
				f = fieldStep
			}
		}
		text := r.cell(cells, f)
		a, b, two := cutAny(text, "/+-:")
		if !two {
			b = a
		}
		return r.seconds(f, a), r.seconds(f, b)
	}
	return max(1, r.opt.First), max(1, r.opt.Step)
}

func cutAny(text, separators string) (before, after string, found bool) {
	if i := strings.IndexAny(text, separators); i >= 0 {
		return text[:i], text[i+1:], true
	}
	return text, "", false
}

func (r *deckReader) seconds(f field, text string) uint16 {
	number := strings.TrimSpace(text)
	for _, suffix := range []string{"seconds", "secs", "sec", "s"} {
		if cut, ok := strings.CutSuffix(strings.ToLower(number), suffix); ok {
			number = strings.TrimSpace(cut)
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 {
		r.fieldFault(f, text, "seconds, 1 to 65535 (30/6 where one cell holds both)")
		return 1
	}
	return uint16(n)
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
		"increased", "decreased", "no change", "unchanged", "same", "new code", "new rate", "rate increase", "rate decrease":
		return stays
	case "future", "pending", "planned":
		return future
	case "blocked", "block", "barred", "closed", "suspended", "unavailable", "disabled", "inactive", "deleted", "delete", "removed",
		"remove", "discontinued", "expired", "withdrawn", "old", "deleted code":
		return gone
	}
	r.fieldFault(fieldStatus, text, "a status such as Current, New, Future, Blocked or Deleted")
	return stays
}

func (r *deckReader) currency(cells []string) {
	if text := r.cell(cells, fieldCurrency); r.columns.has(fieldCurrency) {
		code := strings.ToUpper(text)
		if len(code) != 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			r.fieldFault(fieldCurrency, text, "a currency of three letters such as GBP")
			return
		}
		r.sameCurrency(r.columns.at[fieldCurrency]-1, strings.Clone(code))
	}
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
