package sim

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:generate go run ./gen

// retail is the tariff, as `ringfence deck import` and `ringfence replay --deck` read it.
//
//go:embed retail.csv
var retail string

//go:embed numbers.csv
var numbers string

// Deck is the price list of the simulator's provider.
func Deck() []byte { return []byte(retail) }

// place is a destination of the tariff that calls are made to.
type place struct {
	name  string
	kind  string // national, free, revenue, premium, satellite, fixed, mobile, special
	first int    // hundredths of a penny: the first minute, with the charge to connect
	rate  int    // hundredths of a penny a minute
	fee   int    // hundredths of a penny to connect
	stems []stem
}

// stem is how numbers of a place begin, and what the digits that follow count up to.
type stem struct{ prefix, room uint64 }

// number is one of a place.
type number struct {
	digits uint64 // country code first
	at     *place
}

func (p *place) home() bool { return p.kind == "national" || p.kind == "free" || p.kind == "revenue" }

// abroad says that it is the international ceiling that judges the price of the place.
func (p *place) abroad() bool { return !p.home() && !strings.HasPrefix(p.name, "UK ") }

// usual is the price from which on people talk less the more it costs, in hundredths of a penny a minute.
const usual = 1200

// thrift is how long people talk who know the price.
func (p *place) thrift(talk time.Duration) time.Duration {
	if p.rate <= usual {
		return talk
	}
	return max(time.Duration(float64(talk)*math.Sqrt(usual/float64(p.rate))).Truncate(time.Second), time.Second)
}

// number makes one up.
func (p *place) number(r *rand.Rand) number {
	s := p.stems[r.IntN(len(p.stems))]
	return number{s.prefix*s.room + r.Uint64N(s.room), p}
}

// beside is a number in the same block of a thousand.
func (n number) beside(r *rand.Rand) number {
	return number{n.digits - n.digits%1000 + r.Uint64N(1000), n.at}
}

// dialled is the number as people and their systems dial it.
func (n number) dialled(plus bool) string {
	buf := make([]byte, 2, 20)
	switch {
	case plus:
		buf = append(buf[:0], '+')
	case n.digits/1e10 == 44 || n.digits/1e9 == 44: // at home
		buf = strconv.AppendUint(append(buf[:0], "44"...), n.digits, 10)
		buf[3] = '0'
		return string(buf[3:])
	default:
		buf = append(buf[:0], "00"...)
	}
	return string(strconv.AppendUint(buf, n.digits, 10))
}

// tariff is every place, by name and in the order of the price list.
type tariff struct {
	places []*place
	named  map[string]*place
}

// places are read once. A fault in the embedded files is one of the build, which a test finds.
var places = sync.OnceValue(func() *tariff {
	prices := map[string][2]int{}
	for _, r := range rows(retail) {
		prices[r[0]] = [2]int{hundredths(r[3]), hundredths(r[4])}
	}
	t := &tariff{named: map[string]*place{}}
	for _, r := range rows(numbers) {
		price := prices[r[0]]
		p := &place{name: r[0], kind: r[1], rate: price[0], fee: price[1], first: price[0] + price[1]}
		for text := range strings.FieldsSeq(r[2]) {
			prefix, digits, _ := strings.Cut(text, ":")
			s := stem{room: 1}
			s.prefix, _ = strconv.ParseUint(prefix, 10, 64)
			n, _ := strconv.Atoi(digits)
			for range n {
				s.room *= 10
			}
			p.stems = append(p.stems, s)
		}
		t.places = append(t.places, p)
		t.named[p.name] = p
	}
	return t
})

func rows(text string) [][]string {
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		panic(err)
	}
	return all[1:]
}

// hundredths reads pence with up to two decimals.
func hundredths(text string) int {
	whole, part, _ := strings.Cut(text, ".")
	n, err := strconv.Atoi(whole + (part + "00")[:2])
	if err != nil {
		panic(err)
	}
	return n
}

// find is the place of a name, or an error that names some like it.
func (t *tariff) find(name string) (*place, error) {
	if p := t.named[name]; p != nil {
		return p, nil
	}
	var like []string
	for _, p := range t.places {
		if len(like) < 5 && len(name) >= 3 && strings.HasPrefix(strings.ToLower(p.name), strings.ToLower(name[:3])) {
			like = append(like, p.name)
		}
	}
	if len(like) > 0 {
		return nil, fmt.Errorf("no destination %q; there are %s", name, strings.Join(like, ", "))
	}
	return nil, fmt.Errorf("no destination %q", name)
}

// must are places by name, for the tables of this package.
func (t *tariff) must(names ...string) []*place {
	all := make([]*place, len(names))
	for i, name := range names {
		p, err := t.find(name)
		if err != nil {
			panic(err)
		}
		all[i] = p
	}
	return all
}

// dearest are the places a limit lets through, the dearest first.
func (t *tariff) dearest(reach func(*place) bool) []*place {
	var all []*place
	for _, p := range t.places {
		if reach(p) {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b *place) int { return b.first - a.first })
	return all
}
