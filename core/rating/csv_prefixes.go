package rating

import (
	"fmt"
	"strconv"
	"strings"

	"ringfence/core/phone"
)

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
		list := r.spread(f, r.cell(cells, f), code)
		if len(list) > 0 && r.cell(cells, f)[0] == '0' && len(phone.Under(list[0])) == 0 {
			r.fieldFault(f, r.cell(cells, f), "an area code without the 0 that is dialled at home")
		}
		return list
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
	if hasThousands(text) {
		r.fieldFault(f, text, "digits without thousands separators; a list has a space after each comma, as in 1242, 1268")
		return nil
	}
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
	if strings.ContainsAny(part, ".eE'") {
		return " (a spreadsheet has made a number of it)"
	}
	return fmt.Sprintf(" of at most %d digits that begin with the country code", maxPrefixDigits)
}

// prefixDigits reads one prefix: "+44", "0044", "'44", "^44.*" and "44.0" are 44, as billing systems and spreadsheets write
// it. A prefix of an area keeps its zeroes.
func prefixDigits(text, lead string) (uint64, bool) {
	text = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(text), "'"), "^")
	text = strings.TrimSuffix(strings.TrimSuffix(text, ".*"), ".0")
	if lead == "" {
		text = strings.TrimPrefix(text, "+")
		text = strings.TrimPrefix(text, "00")
	}
	all := lead + text
	if text == "" || len(all) > maxPrefixDigits || all[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(all, 10, 64)
	return n, err == nil
}

// hasThousands says that one of the numbers in a cell may have been written with thousands separators, or with those of
// lakhs. Taken for a list, 1,242 would price all of North America at the rate of the Bahamas.
func hasThousands(text string) bool {
	for _, part := range strings.FieldsFunc(text, func(c rune) bool { return c == ';' || c == '\n' }) {
		part = strings.TrimLeft(strings.TrimSpace(part), "+'")
		if strings.Contains(part, ",") && (groups(part, ',') || lakhs(part)) {
			return true
		}
	}
	return false
}

// lakhs checks an Indian number: one or two digits, then twos, then three.
func lakhs(text string) bool {
	parts := strings.Split(text, ",")
	for i, p := range parts {
		if last := i == len(parts)-1; last && len(p) != 3 || !last && i > 0 && len(p) != 2 || i == 0 && (len(p) < 1 || len(p) > 2) {
			return false
		}
	}
	return len(parts) > 2
}
