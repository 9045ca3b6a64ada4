package rating

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"slices"
	"strconv"

	"ringfence/core/money"
)

// Change is one prefix whose price has changed.
type Change struct{ Old, New Price }

// Difference is the changes of a new deck, each list in the order of prefixes.
type Difference struct {
	Added, Removed []Price
	Dearer         []Change // a band, charge or increment costs more, even if another costs less
	Cheaper        []Change // something costs less and nothing more
	Renamed        []Change // the price is the same; its name, its beginning or its end is not
	Same           int
}

// Diff compares two decks prefix by prefix. Of a prefix with several rows those that begin together are compared, and a
// prefix with one row in each has one change. Neither deck is changed.
func Diff(old, new []Price) Difference {
	var d Difference
	old, new = inOrder(old), inOrder(new)
	for i, j := 0, 0; i < len(old) || j < len(new); {
		m, n := i+windows(old[i:]), j+windows(new[j:])
		switch order := firstOf(old[i:], new[j:]); {
		case order < 0:
			d.Removed, i = append(d.Removed, old[i:m]...), m
		case order > 0:
			d.Added, j = append(d.Added, new[j:n]...), n
		default:
			d.prefix(old[i:m], new[j:n])
			i, j = m, n
		}
	}
	return d
}

// inOrder is a list in the order of prefixes and windows.
func inOrder(prices []Price) []Price {
	if slices.IsSortedFunc(prices, byPrefix) {
		return prices
	}
	prices = slices.Clone(prices)
	slices.SortFunc(prices, byPrefix)
	return prices
}

// windows is how many rows at the beginning are of one prefix.
func windows(prices []Price) int {
	n := 0
	for n < len(prices) && prices[n].Prefix == prices[0].Prefix && prices[n].Short == prices[0].Short {
		n++
	}
	return n
}

// firstOf says which of two lists begins with the lower prefix.
func firstOf(a, b []Price) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	x, y := keyOf(&a[0], 0), keyOf(&b[0], 0)
	x.from, y.from = 0, 0
	return x.compare(y)
}

// prefix compares the rows of one prefix.
func (d *Difference) prefix(old, new []Price) {
	single := len(old) == 1 && len(new) == 1
	for i, j := 0, 0; i < len(old) || j < len(new); {
		switch {
		case i < len(old) && j < len(new) && (single || old[i].From == new[j].From):
			if old[i] == new[j] {
				d.Same++
			} else {
				d.sort(Change{old[i], new[j]})
			}
			i, j = i+1, j+1
		case j == len(new) || i < len(old) && old[i].From < new[j].From:
			d.Removed, i = append(d.Removed, old[i]), i+1
		default:
			d.Added, j = append(d.Added, new[j]), j+1
		}
	}
}

func byPrefix(a, b Price) int { return keyOf(&a, 0).compare(keyOf(&b, 0)) }

func (d *Difference) sort(c Change) {
	o, n := &c.Old, &c.New
	if o.NoPrice != n.NoPrice { // what has no price any more is worse than any price
		if n.NoPrice {
			d.Dearer = append(d.Dearer, c)
		} else {
			d.Cheaper = append(d.Cheaper, c)
		}
		return
	}
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

// FormatCSV writes prices as CSV that ReadCSV reads back to the same prices: whole units of the currency that the header
// names, exact.
func FormatCSV(prices []Price, currency string) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	// A bytes.Buffer takes every write, so that there is no error to look at.
	perMinute, each := " ("+currency+"/min)", " ("+currency+")"
	header := []string{
		"Destination", "Prefix", "Short", "Peak" + perMinute, "Off-peak" + perMinute, "Weekend" + perMinute, "Connection charge" + each, "Minimum charge" + each,
		"First interval (s)", "Sub interval (s)",
	}
	special := slices.ContainsFunc(prices, func(p Price) bool { return p.Dated() || p.NoPrice })
	if special {
		header = append(header, "Start", "End", "Status")
	}
	_ = w.Write(header)
	for i := range prices {
		p := &prices[i]
		row := []string{
			p.Name, p.Digits(), map[bool]string{true: "yes"}[p.Short],
			p.Rates[Peak].String(), p.Rates[OffPeak].String(), p.Rates[Weekend].String(), charge(p.Connect), charge(p.Minimum),
			strconv.Itoa(int(p.First)), strconv.Itoa(int(p.Step)),
		}
		if special {
			row = append(row, momentText(p.From), momentText(p.Until), map[bool]string{true: "Blocked"}[p.NoPrice])
		}
		_ = w.Write(row)
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

// momentText is an instant to the microsecond, as ReadCSV reads it back.
func momentText(m Moment) string {
	if m == 0 {
		return ""
	}
	return m.Time().Format("2006-01-02T15:04:05.999999Z07:00")
}
