package rating

import (
	"slices"
	"time"
)

// Moment is an instant in microseconds since 1970, UTC; 0 is none.
type Moment int64

// MomentOf is the moment of an instant; the zero instant is none.
func MomentOf(t time.Time) Moment {
	if t.IsZero() {
		return 0
	}
	return Moment(t.UnixMicro())
}

// Time is the instant of a moment in UTC, the zero instant for none.
func (m Moment) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}

// InForce says that calls which begin at the moment have this price.
func (p *Price) InForce(at Moment) bool {
	return (p.From == 0 || p.From <= at) && (p.Until == 0 || at < p.Until)
}

// Dated says that the price begins or ends.
func (p *Price) Dated() bool { return p.From != 0 || p.Until != 0 }

// Quote fixes the price for a call that begins at an instant. A fixed price has no window.
func (p *Price) Quote(calendar Calendar, start time.Time) Quote {
	q := Quote{Price: *p, Calendar: calendar, Start: start}
	q.Price.From, q.Price.Until = 0, 0
	return q
}

// InForceAt are the prices of a deck that calls at an instant have.
func InForceAt(prices []Price, at time.Time) []Price {
	moment, out := MomentOf(at), []Price{}
	for i := range prices {
		if prices[i].InForce(moment) {
			out = append(out, prices[i])
		}
	}
	return out
}

// MaxWindows bounds the rows of one prefix, so that a look-up never takes long.
const MaxWindows = 100

// resolve makes the windows of rows for one prefix disjoint: of several in force together the one that began last has the
// price, and when it ends the one before has it again. Rows are in the order of their starts, which differ; origins says which row
// each price is.
func resolve(rows []Price) (out []Price, origins []int) {
	var edges []Moment
	for i := range rows {
		edges = append(edges, rows[i].From)
		if rows[i].Until != 0 {
			edges = append(edges, rows[i].Until)
		}
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	last := -1
	for i, from := range edges {
		winner := -1
		for j := range rows {
			if rows[j].From <= from && (rows[j].Until == 0 || from < rows[j].Until) {
				winner = j
			}
		}
		until := Moment(0)
		if i+1 < len(edges) {
			until = edges[i+1]
		}
		switch {
		case winner < 0:
		case winner == last && out[len(out)-1].Until == from:
			out[len(out)-1].Until = until
		default:
			p := rows[winner]
			p.From, p.Until = from, until
			out, origins = append(out, p), append(origins, winner)
		}
		last = winner
	}
	return out, origins
}

// Merge is a deck to which rows are added: a prefix that the new rows name has their prices from where the first of them
// begins, and until then those that it had; everything else stays as it was. Neither list is changed.
func Merge(before, rows []Price) []Price {
	added := map[prefixOf][]Price{}
	for i := range rows {
		key := prefixOf{rows[i].Prefix, rows[i].Short}
		added[key] = append(added[key], rows[i])
	}
	for _, list := range added {
		slices.SortFunc(list, byPrefix)
	}
	out, kept := make([]Price, 0, len(before)+len(rows)), map[prefixOf][]Price{}
	for i := range before {
		key := prefixOf{before[i].Prefix, before[i].Short}
		switch list := added[key]; {
		case list == nil:
			out = append(out, before[i])
		case before[i].From < list[0].From:
			kept[key] = append(kept[key], before[i])
		}
	}
	for key, list := range added {
		merged, _ := resolve(append(kept[key], list...))
		out = append(out, merged...)
	}
	slices.SortFunc(out, byPrefix)
	return out
}
