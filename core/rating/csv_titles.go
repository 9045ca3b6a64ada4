package rating

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"ringfence/core/money"
)

// titles looks at the rows above the header. They are for people, and what they say about all prices ("all rates in USD, 60/60") is
// in no column. Another currency is a fault; a person is asked about the rest. It is false after a fault.
func (r *deckReader) titles() bool {
	if r.out.Format.Headless || r.out.Format.HeaderLine < 2 {
		return true
	}
	faults := r.out.FaultCount
	var currencies, telling []string
	line, foreign, pence := 0, "", ""
	r.rowsOf(func(at int, cells []string, err error) bool {
		if at >= r.out.Format.HeaderLine {
			return false
		}
		text := strings.Join(strings.Fields(strings.Join(cells, " ")), " ")
		if err != nil || text == "" {
			return true
		}
		codes, hundredths := titleUnits(text)
		currencies = append(currencies, codes...)
		if foreign == "" && len(codes) > 0 && codes[0] != r.wanted() {
			line, foreign = at, text
		}
		if hundredths {
			pence = text
		}
		if r.changesPrices(text) {
			telling = append(telling, fmt.Sprintf("line %d: %s", at, clip(text)))
		}
		return true
	})
	if foreign != "" && r.opt.Currency == "" && !slices.Contains(currencies, r.wanted()) {
		codes, _ := titleUnits(foreign)
		r.line = line
		r.fault(Fault{Line: line, Found: foreign, Expected: r.currencyWanted(codes[0]) + ", and --currency " + r.wanted() + " says that the row is not about the prices"})
	}
	r.saysPence = pence
	if len(telling) > 0 {
		r.ask(Ask(askTitles, "Rows above the header mention something that may change all prices and that no column contains: the prices are taken without it.", telling))
	}
	return r.out.FaultCount == faults
}

// titleUnits are the currencies that a row of text names, and whether it mentions hundredths.
func titleUnits(text string) (currencies []string, hundredths bool) {
	for _, word := range headerWords(text) {
		switch strings.ToLower(word) {
		case "pence", "penny", "cents", "ppm", "gbx", "pps":
			hundredths = true
		case "euro", "euros":
			currencies = append(currencies, "EUR")
		case "pounds", "sterling":
			currencies = append(currencies, money.Sterling.Code)
		}
		if isCurrencyWord(word, false, false) && word == strings.ToUpper(word) {
			currencies = append(currencies, word)
		}
	}
	return currencies, hundredths
}

// pairOfSeconds is "60/60" or "30+6", and no date.
var pairOfSeconds = regexp.MustCompile(`(^|[^\d/+.-])\d{1,4} ?[/+] ?\d{1,3}($|[^\d/+.-])`)

// changesPrices says that a row of text has a number or a period with a word of dates, increments or charges that no column has.
func (r *deckReader) changesPrices(text string) bool {
	if !strings.ContainsFunc(text, unicode.IsDigit) && !strings.Contains(strings.ToLower(text), "per second") && !strings.Contains(strings.ToLower(text), "per minute") {
		return false
	}
	c := &r.columns
	rounded := c.has(fieldFirst) || c.has(fieldStep) || c.has(fieldIncrements) || r.opt.First > 0 || r.opt.Step > 0
	if !rounded && pairOfSeconds.MatchString(text) {
		return true
	}
	for _, word := range headerWords(text) {
		switch strings.ToLower(word) {
		case "effective", "valid", "validity", "applicable", "commencing":
			if !c.has(fieldStart) {
				return true
			}
		case "increment", "increments", "pulse", "pulses", "rounding", "rounded":
			if !rounded {
				return true
			}
		case "surcharge", "connection", "setup", "connect":
			if !c.has(fieldConnect) {
				return true
			}
		}
	}
	return false
}
