package rating

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"slices"
	"strconv"

	"ringfence/core/money"
)

// Change is one prefix whose price is not what it was; Old is zero when it is new, New when it is gone.
type Change struct{ Old, New Price }

// Difference is what a new deck changes, each list in the order of prefixes.
type Difference struct {
	Added, Removed []Price
	Dearer         []Change // a band, charge or increment costs more, whatever else costs less
	Cheaper        []Change // something costs less and nothing more
	Renamed        []Change // the price is the same
	Same           int
}

// Diff compares two decks prefix by prefix. Neither is changed.
func Diff(old, new []Price) Difference {
	var d Difference
	before := make(map[prefixOf]*Price, len(old))
	for i := range old {
		before[prefixOf{old[i].Prefix, old[i].Short}] = &old[i]
	}
	for i := range new {
		key := prefixOf{new[i].Prefix, new[i].Short}
		was, known := before[key]
		delete(before, key)
		switch {
		case !known:
			d.Added = append(d.Added, new[i])
		case *was == new[i]:
			d.Same++
		default:
			d.sort(Change{*was, new[i]})
		}
	}
	for _, p := range before {
		d.Removed = append(d.Removed, *p)
	}
	for _, list := range [][]Price{d.Added, d.Removed} {
		slices.SortFunc(list, byPrefix)
	}
	for _, list := range [][]Change{d.Dearer, d.Cheaper, d.Renamed} {
		slices.SortFunc(list, func(a, b Change) int { return byPrefix(a.New, b.New) })
	}
	return d
}

func byPrefix(a, b Price) int { return keyOf(&a, 0).compare(keyOf(&b, 0)) }

func (d *Difference) sort(c Change) {
	o, n := &c.Old, &c.New
	signs := []int{
		cmp.Compare(n.Connect, o.Connect), cmp.Compare(n.Minimum, o.Minimum), cmp.Compare(n.First, o.First), cmp.Compare(n.Step, o.Step),
	}
	for band := range o.Rates {
		signs = append(signs, cmp.Compare(n.Rates[band], o.Rates[band]))
	}
	switch {
	case slices.Max(signs) > 0:
		d.Dearer = append(d.Dearer, c)
	case slices.Min(signs) < 0:
		d.Cheaper = append(d.Cheaper, c)
	default:
		d.Renamed = append(d.Renamed, c)
	}
}

// FormatCSV writes prices as CSV that ReadCSV reads back to the same prices: whole units of the currency, exact.
func FormatCSV(prices []Price) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	// A bytes.Buffer takes every write, so that there is no error to look at.
	_ = w.Write([]string{"Destination", "Prefix", "Short", "Peak", "Off-peak", "Weekend", "Connection charge", "Minimum charge", "First interval", "Sub interval"})
	for i := range prices {
		p := &prices[i]
		_ = w.Write([]string{
			p.Name, p.Digits(), map[bool]string{true: "yes"}[p.Short],
			p.Rates[Peak].String(), p.Rates[OffPeak].String(), p.Rates[Weekend].String(), charge(p.Connect), charge(p.Minimum),
			strconv.Itoa(int(p.First)), strconv.Itoa(int(p.Step)),
		})
	}
	w.Flush()
	return out.Bytes()
}

func charge(m money.Micro) string {
	if m == 0 {
		return ""
	}
	return m.String()
}
