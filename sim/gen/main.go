// Command gen writes retail.csv and numbers.csv of package sim into the working folder: `go generate ./sim`. The prices are in prices.go; the prefixes of
// each destination are those of the sample deck; which digits make a number is asked of core/phone.
package main

import (
	"bytes"
	"encoding/csv"
	"log"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

// row is a row of the tariff, and the kind of its numbers; "" has none that are made up.
type row struct {
	cells []string // as retail.csv has them
	kind  string
}

func main() {
	rows := append(ours(), countries()...)
	head := []string{"Destination", "Prefix", "Short", "Rate (p/min)", "Connection charge (p)", "First interval", "Sub interval"}
	cells := [][]string{head}
	for _, r := range rows {
		cells = append(cells, r.cells)
	}
	tariff := write("retail.csv", cells)
	money.SetBilling(money.Currency{Code: "GBP"})
	im := rating.ReadCSV(tariff, rating.ReadOptions{Billing: money.Billing(), Short: phone.UK().OnlyShort})
	if !im.OK() {
		log.Fatal(im.Faults)
	}
	deck, err := rating.Build(im.Prices, nil)
	if err != nil {
		log.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	cells = [][]string{{"Destination", "Kind", "Numbers"}}
	for _, r := range rows {
		if r.kind == "" {
			continue
		}
		stems := stems(rnd, deck, &r)
		if len(stems) == 0 {
			log.Printf("%s has no numbers", r.cells[0])
			continue
		}
		cells = append(cells, []string{r.cells[0], r.kind, strings.Join(stems, " ")})
	}
	write("numbers.csv", cells)
}

func write(path string, rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.WriteAll(rows)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil { //nolint:gosec // a file of the sources
		log.Fatal(err)
	}
	return b.Bytes()
}

func ours() (rows []row) {
	for line := range strings.SplitSeq(strings.TrimSpace(fixedRows), "\n") {
		cells := strings.Split(line, "|")
		rows = append(rows, row{cells[:7], cells[7]})
	}
	return rows
}

var country = regexp.MustCompile(`^(\D*?) ([\d.]+) ([\d.]+|-)(?: ([\d.]+))?$`)

// countries are up to four rows each: fixed, mobile, premium, and what is neither ("special services"), which costs a little more than a mobile.
func countries() (rows []row) {
	prefixes := demoPrefixes()
	for text := range strings.FieldsFuncSeq(abroad, func(r rune) bool { return r == '\n' || r == ';' }) {
		m := country.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil || prefixes[m[1]] == "" {
			log.Fatalf("no country: %q", text)
		}
		add := func(suffix, rate, kind string, first, step string) {
			name := m[1] + suffix
			if in := prefixes[name]; in != "" && rate != "" && rate != "-" {
				rows = append(rows, row{[]string{name, in, "", rate, cmpOr(connects[name], "0"), first, step}, kind})
			}
		}
		dearer := m[3]
		if dearer == "-" {
			dearer = m[2]
		}
		n, _ := strconv.ParseFloat(dearer, 64)
		special := strconv.FormatFloat(max(float64(int(n*15))/10, 9), 'f', -1, 64)
		add("", m[2], "fixed", "1", "1")
		add(" - mobile", m[3], "mobile", "30", "6")
		add(" - premium rate", cmpOr(m[4], strconv.FormatFloat(100+n, 'f', -1, 64)), "premium", "60", "60")
		add(" - special services", special, "special", "60", "60")
	}
	return rows
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func demoPrefixes() map[string]string {
	sample, err := os.ReadFile("../app/demo/retail.csv")
	if err != nil {
		log.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(sample)).ReadAll()
	if err != nil {
		log.Fatal(err)
	}
	m := map[string]string{}
	for _, r := range all {
		m[r[0]] = r[1]
	}
	return m
}

// most is how many beginnings of numbers a destination has.
const most = 8

// stems are beginnings of numbers, each with how many digits follow: "220756:4". Whatever the digits are, the number is one of the destination and of the kind.
func stems(rnd *rand.Rand, deck *rating.Deck, r *row) (stems []string) {
	if r.cells[0] == "UK geographic" {
		for stem := range strings.SplitSeq(towns, " ") {
			if n := follows(rnd, deck, r, stem); n > 0 {
				stems = append(stems, stem+":"+strconv.Itoa(n))
			}
		}
		return stems
	}
	var prefixes []uint64
	for _, p := range deck.Prices() {
		if p.Name == r.cells[0] && !p.Short {
			prefixes = append(prefixes, p.Prefix)
		}
	}
	rnd.Shuffle(len(prefixes), func(i, j int) { prefixes[i], prefixes[j] = prefixes[j], prefixes[i] })
	for deeper := range 6 { // digits behind the prefix
		for _, p := range prefixes {
			for range min(60, pow(10, deeper)) {
				stem := strconv.FormatUint(p, 10)
				for range deeper {
					stem += strconv.Itoa(rnd.IntN(10))
				}
				if n := follows(rnd, deck, r, stem); n > 0 && !slices.Contains(stems, stem+":"+strconv.Itoa(n)) {
					if stems = append(stems, stem+":"+strconv.Itoa(n)); len(stems) == most {
						return stems
					}
				}
			}
		}
	}
	return stems
}

func pow(n, e int) int {
	x := 1
	for range e {
		x *= n
	}
	return x
}

// follows is how many digits always make a number behind a stem; 0: there are none.
func follows(rnd *rand.Rand, deck *rating.Deck, r *row, stem string) int {
	for n := 9; n >= 4; n-- {
		if total := len(stem) + n; total > 15 || total < 8 && !strings.HasPrefix(stem, "2") {
			continue
		}
		good := true
		for range 250 {
			number := "+" + stem
			for range n {
				number += strconv.Itoa(rnd.IntN(10))
			}
			dest, problem := phone.UK().Parse(number)
			if problem != phone.NoProblem || !fits(dest.Class, r.kind) {
				good = false
				break
			}
			if p, ok := deck.Find(dest.Number, time.Time{}); !ok || p.Name != r.cells[0] {
				good = false
				break
			}
		}
		if good {
			return n
		}
	}
	return 0
}

func fits(c phone.Class, kind string) bool {
	switch kind {
	case "national":
		return c == phone.Geographic || c == phone.Mobile || c == phone.UKWide || c == phone.VoIP
	case "free":
		return c == phone.Freephone
	case "revenue":
		return c == phone.Revenue084 || c == phone.Revenue087 || c == phone.Personal || c == phone.Pager
	case "premium":
		return c == phone.Premium || c == phone.IntlPremium
	case "satellite":
		return c == phone.Satellite
	case "mobile":
		return c == phone.IntlMobile
	case "special":
		return c == phone.IntlShared || c == phone.IntlFixed
	}
	return c == phone.IntlFixed || c == phone.IntlShared
}
