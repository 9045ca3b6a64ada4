package rating

import (
	"fmt"
	"slices"
	"strings"
)

// evidence is what the cells of one column show, before any of them is used.
type evidence struct {
	line       int    // of the first telling cell
	text       string // that cell
	rows       int    // how many tell
	minor      int    // amounts written in hundredths: "5p"
	marked     int    // amounts with the sign of a currency
	bare       int    // other amounts but 0
	fractional bool   // an amount with decimals, or a sign
}

// learn looks at every cell: how decimals are written, whether a minimum is a charge or a time, and whether a column that has no
// place in a price has content. It is false after a fault.
func (r *deckReader) learn() bool {
	faults := r.out.FaultCount
	c := &r.columns
	seen := make([]evidence, len(r.header))
	money, telling := r.learntCells()
	remarks, said := r.remarks(), []string(nil)
	r.body(func(line int, cells []string, err error) bool {
		if err != nil {
			return true
		}
		for _, at := range money {
			if at < len(cells) {
				r.numbers.see(cells[at])
				seen[at].amount(line, cells[at])
			}
		}
		for _, at := range telling {
			if at < len(cells) && (!saysNothing(cells[at], c.meaningOf(at)) || endsPrice(cells[at])) {
				seen[at].tell(line, cells[at])
			}
		}
		for _, at := range c.unused {
			if at < len(cells) && c.mapped[at] == "" && endsPrice(cells[at]) {
				seen[at].tell(line, cells[at])
			}
		}
		for _, at := range remarks {
			if at < len(cells) && r.changesPrices(cells[at]) {
				said = append(said, fmt.Sprintf("line %d: %s", line, clip(cells[at])))
			}
		}
		return true
	})
	if len(said) > 0 {
		r.ask(Ask(askTitles, "Remarks mention something that may change prices and that no column contains: the prices are taken without it.", said))
	}
	r.numbers.decide()
	r.out.Format.DecimalComma = r.numbers.decimal == ','
	rate := &seen[c.at[c.bandSources()[Peak]]-1]
	r.saysMinor, r.saysHalf = rate.minor > 0, rate.marked > 0 && rate.bare > 0
	r.settleMinimum(seen)
	r.settleUnits(seen)
	r.settleColumns(seen)
	r.describe()
	if !c.has(fieldFirst) && !c.has(fieldStep) && !c.has(fieldIncrements) && r.opt.First == 0 && r.opt.Step == 0 {
		r.warn(Warning{Kind: WarnIncrements, Text: "no column says how time is rounded: calls are billed by the second (change that with --first and --step)"})
	}
	return r.out.FaultCount == faults
}

// learntCells are the cells, from 0, that hold money, and those that should hold nothing.
func (r *deckReader) learntCells() (money, telling []int) {
	c := &r.columns
	for _, f := range amountFields {
		if c.has(f) {
			money = append(money, c.at[f]-1)
		}
	}
	if c.minimum > 0 {
		money = append(money, c.minimum-1)
	}
	telling = slices.Clone(c.unknown)
	for _, n := range c.nothing {
		telling = append(telling, n.cell)
	}
	return money, telling
}

// remarks are the cells, from 0, of columns for people, which may contain anything.
func (r *deckReader) remarks() (cells []int) {
	for _, at := range r.columns.unused {
		switch strings.ToLower(strings.TrimSpace(r.headerName(at))) {
		case "notes", "note", "comment", "comments", "remark", "remarks":
			if r.columns.mapped[at] == "" {
				cells = append(cells, at)
			}
		}
	}
	return cells
}

func (c *columns) meaningOf(cell int) meaning {
	for _, n := range c.nothing {
		if n.cell == cell {
			return n.meaning
		}
	}
	return meaning{}
}

func (e *evidence) tell(line int, text string) {
	if e.rows++; e.rows == 1 {
		e.line, e.text = line, strings.Clone(text)
	}
}

func (e *evidence) amount(line int, cell string) {
	number, u := splitAmount(cell)
	if strings.Trim(number, "0.,") == "" {
		return
	}
	switch {
	case u.hundredths:
		e.minor++
	case u.currency != "":
		e.marked++
	default:
		e.bare++
	}
	if u.says() || fraction(number) {
		e.fractional = true
	}
	e.tell(line, cell)
}

// fraction says that a number has decimals that are not all zero: 0.5, but not 60.0, which a spreadsheet makes of 60.
func fraction(number string) bool {
	i := strings.LastIndexAny(number, ".,")
	return i >= 0 && (strings.Trim(number[i+1:], "0") != "" || len(number)-i == 3)
}

// saysNothing holds for cells that no bill depends on; of a column whose name is not known, for words.
func saysNothing(cell string, m meaning) bool {
	text := strings.ToLower(strings.TrimSpace(cell))
	switch text {
	case "", "-", "--", "0", "no", "none", "n/a", "na", "false", "n", "n.a.", "nil", "null":
		return true
	}
	if strings.Trim(text, "0.,") == "" || slices.Contains(m.says, text) {
		return true
	}
	return m.field == fieldNone && !strings.ContainsAny(text, "0123456789£€$¥¢%")
}

// endsPrice holds for the words that say that a row has no price any more, in columns of remarks and changes. "No" and 0 say nothing
// there.
func endsPrice(cell string) bool {
	if len(cell) < 5 {
		return false
	}
	status, known := statusOf(cell)
	return known && (status == gone || status == blocked) && !strings.EqualFold(strings.TrimSpace(cell), "false")
}

// soundsLikeMoney holds for names that contain a word about prices or times.
func soundsLikeMoney(name string) bool {
	for _, w := range headerWords(name) {
		if billWords[strings.ToLower(w)] {
			return true
		}
	}
	return false
}

// settleMinimum decides by the values whether a minimum is a charge or a time. Where they do not show it, it asks.
func (r *deckReader) settleMinimum(seen []evidence) {
	c := &r.columns
	if at := c.minimum - 1; at >= 0 {
		e := &seen[at]
		switch {
		case e.rows == 0:
			c.unused = append(c.unused, at)
		case e.fractional && !c.has(fieldMinimum):
			c.at[fieldMinimum] = at + 1
		case !e.fractional && !c.has(fieldFirst) && (c.has(fieldStep) || c.has(fieldIncrements)):
			c.at[fieldFirst] = at + 1
		default:
			r.line = e.line
			r.cellFault(at, e.text, "a minimum that says what it is of: "+r.mapHint(at, "first interval")+" (seconds), and "+r.mapHint(at, "minimum charge")+" (money)")
		}
	}
	if at := c.at[fieldMinimum] - 1; at >= 0 && c.mapped[at] == "" && at != c.minimum-1 {
		if e, u := &seen[at], c.units[fieldMinimum]; e.rows > 0 && !e.fractional && !u.says() {
			r.line = e.line
			r.cellFault(at, e.text, "a minimum that says what it is of: "+r.mapHint(at, "first interval")+" (seconds), and "+r.mapHint(at, "minimum charge")+" (money)")
		}
	}
}

// settleUnits faults columns of amounts that are in pence for some rows or columns and have no unit for others.
func (r *deckReader) settleUnits(seen []evidence) {
	c := &r.columns
	minor := slices.ContainsFunc(amountFields, func(f field) bool { return c.has(f) && c.units[f].hundredths })
	for _, f := range amountFields {
		at, u := c.at[f]-1, c.units[f]
		if at < 0 || u.says() || r.unitGiven() || c.mapped[at] != "" {
			continue
		}
		e := &seen[at]
		r.line = e.line
		switch {
		case e.minor > 0 && e.bare > 0:
			r.cellFault(at, e.text, "one unit in the whole column: some amounts say pence and others say nothing; "+r.mapHint(at, fieldNames[f]+" (p)"))
		case minor && e.bare > 0:
			r.cellFault(at, e.text, "a unit: other columns are in hundredths and this one does not say; "+r.mapHint(at, fieldNames[f]+" (p)"))
		}
	}
}

// settleColumns faults columns that may affect a bill and are not understood, each once.
func (r *deckReader) settleColumns(seen []evidence) {
	c := &r.columns
	for _, n := range c.nothing {
		if e := &seen[n.cell]; e.rows > 0 {
			r.line = e.line
			r.cellFault(n.cell, e.text, fmt.Sprintf("nothing: the column is %s, for which a price here has no place (%s); %s",
				n.why, plural(e.rows, "row", "rows"), r.mapHint(n.cell, "ignore")))
		}
	}
	for _, at := range c.unused {
		if e := &seen[at]; at != c.minimum-1 && e.rows > 0 && endsPrice(e.text) {
			r.line = e.line
			r.cellFault(at, e.text, "a row that has its price: the column says that it has none; map it to status if it is one, or "+r.mapHint(at, "ignore"))
		}
	}
	for _, at := range c.unknown {
		e, name := &seen[at], r.headerName(at)
		if soundsLikeMoney(name) {
			r.sureOf(at, e)
		} else if e.rows > 0 {
			r.line = e.line
			r.cellFault(at, e.text, fmt.Sprintf("a column that is understood, because it may change a bill (%s); %s, or names what it is", plural(e.rows, "row", "rows"), r.mapHint(at, "ignore")))
		}
	}
}

// sureOf faults a column whose name is about money or time, unless it is empty.
func (r *deckReader) sureOf(at int, e *evidence) {
	empty := true
	r.body(func(line int, cells []string, err error) bool {
		if err == nil && at < len(cells) && !saysNothing(cells[at], meaning{field: fieldNothing}) {
			empty, e.line, e.text = false, line, strings.Clone(cells[at])
		}
		return empty
	})
	if !empty {
		r.line = e.line
		r.cellFault(at, e.text, "a column that is understood, because its name speaks of a price, a time or a condition; "+r.mapHint(at, "ignore")+", or names what it is")
	}
}
