package rating

import (
	"math"
	"math/big"
	"strings"
	"unicode"

	"ringfence/core/money"
)

// numberStyle is how a file writes decimals, which is found from all its amounts before any is used.
type numberStyle struct {
	comma, point int  // cells that can only be decimals with a comma, with a point
	decimal      byte // '.' or ','
	certain      bool
	workbook     bool // numbers come from a workbook, which stores them with a point; only text can have a comma
}

// decide settles how the file writes decimals.
func (n *numberStyle) decide() {
	n.decimal, n.certain = '.', n.comma+n.point > 0
	if n.comma > n.point && !n.workbook {
		n.decimal = ','
	}
}

// see takes one cell as evidence if it is unambiguous.
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

// parse reads an amount without its sign as an integer of 10^-places. The second result is "" or what was expected instead.
func (n *numberStyle) parse(text string, places int) (int64, string) {
	if n.workbook {
		text = workbookNumber(text, places)
	}
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
			return 0, "a number with one possible reading: this separator may mark thousands or decimals"
		}
		whole = strings.ReplaceAll(whole, string(group), "")
	} else if couldGroup(text, n.decimal) && !n.certain && n.decimal == ',' {
		return 0, "a number with one possible reading: this separator may mark thousands or decimals"
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

// workbookNumber gives a number that is text in a workbook, with a decimal comma, its point, and rounds to the places that
// there are: the result of a formula has fifteen. A comma that could separate thousands stays, and is reported.
func workbookNumber(text string, places int) string {
	if strings.Count(text, ",") == 1 && !strings.Contains(text, ".") && !couldGroup(text, ',') {
		text = strings.Replace(text, ",", ".", 1)
	}
	if at := strings.IndexByte(text, '.'); at < 0 || len(text)-at-1 <= places || places < 0 {
		return text
	}
	x, ok := new(big.Rat).SetString(text)
	if !ok || strings.Trim(text, "0123456789.") != "" {
		return text
	}
	return x.FloatString(places)
}

// splitAmount takes sign, code and "p" off an amount.
func splitAmount(cell string) (number string, u unit) {
	number = strings.TrimFunc(cell, isBlankRune)
	if number == "" || isNumeric(number[0]) && isNumeric(number[len(number)-1]) {
		return number, u
	}
	for range 2 { // one before and one after
		number, u = cutMark(number, u)
	}
	return number, u
}

func isNumeric(b byte) bool { return b >= '0' && b <= '9' || b == '.' || b == ',' }

func isBlankRune(c rune) bool {
	return unicode.IsSpace(c) || c == '\u00a0' || c == '\u202f' || c == '\ufeff'
}

// cutMark takes one mark off an amount, from either end. Other characters stay, and are reported with the number.
func cutMark(text string, u unit) (string, unit) {
	before := strings.IndexFunc(text, isAmountRune)
	after := strings.LastIndexFunc(text, isAmountRune)
	if before < 0 {
		return text, u
	}
	mark, rest := text[:before], text[before:]
	if mark == "" {
		mark, rest = text[after+1:], text[:after+1]
	}
	found, ok := markUnit(strings.TrimFunc(mark, isBlankRune))
	if !ok || mark == "" || found.currency != "" && u.currency != "" && found.currency != u.currency {
		return text, u
	}
	u.merge(found)
	return strings.TrimFunc(rest, isBlankRune), u
}

func isAmountRune(c rune) bool { return c >= '0' && c <= '9' || c == '.' || c == ',' || c == '-' }

func markUnit(mark string) (unit, bool) {
	switch mark {
	case "p":
		return unit{hundredths: true, currency: "GBP"}, true
	case "c", "¢":
		return unit{hundredths: true}, true
	}
	if code, ok := money.Signs[mark]; ok {
		return unit{whole: true, currency: code}, true
	}
	if c, err := money.CurrencyOf(mark); err == nil {
		return unit{whole: true, currency: c.Code}, true
	}
	return unit{}, false
}
