package exposure

import (
	"cmp"
	"slices"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/flow/book"
)

// Country is what a price list has of one.
type Country struct {
	Code     phone.Country
	National bool
	Dearest  money.Rate // of a first minute
	Cheapest money.Rate
	Name     string            // of the cheapest, as the list has it
	Dest     phone.Destination // of the cheapest
	Price    *rating.Price
}

// Countries are those that a line's price list prices now, by their codes. What has no country is not among them. It is worked out once for a price
// list within an hour.
func (d *Desk) Countries(l *book.Line) []Country {
	deck, _ := l.Retail()
	if deck == nil {
		return nil
	}
	now := time.Now()
	d.mu.Lock()
	known, ok := d.countries[deck]
	d.mu.Unlock()
	if ok && now.Sub(known.at) < habitsFor {
		return known.all
	}
	found := map[phone.Country]*Country{}
	for _, p := range deck.Prices() {
		if p.Short || p.NoPrice {
			continue
		}
		for _, dest := range d.o.Book.Plan().Sorts(p.Prefix) {
			price, silence := deck.Price(dest, now)
			if silence != rating.Priced || dest.Country == (phone.Country{}) {
				continue
			}
			rate := price.FirstMinute()
			c := found[dest.Country]
			if c == nil {
				c = &Country{Code: dest.Country, National: dest.National, Cheapest: rate, Name: price.Name, Dest: dest, Price: price}
				found[dest.Country] = c
			}
			if c.Dearest = max(c.Dearest, rate); rate < c.Cheapest {
				c.Cheapest, c.Name, c.Dest, c.Price = rate, price.Name, dest, price
			}
		}
	}
	all := make([]Country, 0, len(found))
	for _, c := range found {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Country) int { return cmp.Compare(a.Code.String(), b.Code.String()) })
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.countries) >= mostTariffs {
		clear(d.countries)
	}
	d.countries[deck] = priced{now, all}
	return all
}

// priced are the countries of a price list, as of an instant; never written again.
type priced struct {
	at  time.Time
	all []Country
}
