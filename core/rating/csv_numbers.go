package rating

import (
	"math"
	"strings"
)

// numberStyle is how a file writes decimals, found out from all its amounts before any is believed.
type numberStyle struct {
	comma, point int  // cells that can only be decimals with a comma, with a point
	decimal      byte // '.' or ','
	certain      bool
}

// learnNumbers looks at every amount of the file.
func (r *deckReader) learnNumbers(text []byte) {
	r.records(text, r.out.Format.Separator, func(line int, cells []string, err error) bool {
		if line <= r.out.Format.HeaderLine || err != nil {
			return true
		}
		for _, f := range amountFields {
			if at := r.columns.at[f]; at > 0 && at <= len(cells) {
				r.numbers.see(cells[at-1])
			}
		}
		return true
	})
	n := &r.numbers
	n.decimal, n.certain = '.', n.comma+n.point > 0
	if n.comma > n.point {
		n.decimal = ','
	}
	r.out.Format.DecimalComma = n.decimal == ','
}

// see takes one cell as evidence if it can be read in one way only.
func (n *numberStyle) see(cell string) {
	commas, points := strings.Count(cell, ","), strings.Count(cell, ".")
	switch {
	case commas > 0 && points > 0:
		if strings.LastIndexByte(cell, ',') > strings.LastIndexByte(cell, '.') {
			n.comma++
		} else {
			n.point++
		}
	case commas == 1 && !couldGroup(cell, ','):
		n.comma++
	case points == 1 && !couldGroup(cell, '.'):
		n.point++
	}
}

// couldGroup says that a separator may stand between thousands: 1,234 but neither 0,234 nor 1,23.
func couldGroup(cell string, separator byte) bool {
	digits := strings.TrimFunc(cell, func(c rune) bool { return c != ',' && c != '.' && (c < '0' || c > '9') })
	whole, rest, _ := strings.Cut(digits, string(separator))
	return len(whole) >= 1 && len(whole) <= 3 && whole[0] != '0' && len(rest) == 3
}

// decimal reads an amount as an integer of 10^-places. The second result is "" or what was expected instead.
func (n *numberStyle) parse(cell string, places int) (int64, string) {
	text := strings.TrimFunc(cell, func(c rune) bool { return strings.ContainsRune(" \u00a0\u202f£€$", c) })
	if i := strings.IndexByte(text, n.decimal); i >= 0 && strings.IndexByte(text[i+1:], n.decimal) >= 0 {
		return 0, "a number with one decimal sign"
	}
	group := byte(',' + '.' - n.decimal)
	whole, frac, _ := strings.Cut(text, string(n.decimal))
	if strings.IndexByte(text, group) >= 0 {
		if strings.IndexByte(frac, group) >= 0 || !groups(whole, group) {
			return 0, "a number with decimals after “" + string(n.decimal) + "”, as in the rest of the file"
		}
		if !n.certain {
			return 0, "a number that can be read in one way: this may be thousands or decimals"
		}
		whole = strings.ReplaceAll(whole, string(group), "")
	} else if couldGroup(text, n.decimal) && !n.certain && n.decimal == ',' {
		return 0, "a number that can be read in one way: this may be thousands or decimals"
	}
	return fixedPoint(whole, frac, places)
}

// groups checks thousands: one to three digits, then threes.
func groups(whole string, separator byte) bool {
	parts := strings.Split(whole, string(separator))
	for i, p := range parts {
		if i == 0 && (len(p) < 1 || len(p) > 3 || p[0] == '0') || i > 0 && len(p) != 3 {
			return false
		}
	}
	return true
}

func fixedPoint(whole, frac string, places int) (int64, string) {
	const expected = "a number, 0 or more"
	frac = strings.TrimRight(frac, "0")
	if whole == "" && frac == "" {
		return 0, expected
	}
	for len(whole) > 1 && whole[0] == '0' {
		whole = whole[1:]
	}
	n := int64(0)
	for i := range len(whole) + places {
		digit := byte('0')
		if i < len(whole) {
			digit = whole[i]
		} else if i-len(whole) < len(frac) {
			digit = frac[i-len(whole)]
		}
		if digit < '0' || digit > '9' {
			return 0, expected
		}
		if n > (math.MaxInt64-9)/10 {
			return 0, "a smaller number"
		}
		n = n*10 + int64(digit-'0')
	}
	if len(frac) > places {
		return 0, "a number with at most " + string(rune('0'+places)) + " decimals"
	}
	return n, ""
}
