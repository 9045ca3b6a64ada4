package book

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/state/store"
)

// lately is how far back the import looks for calls to what it would turn away.
const lately = 90 * 24 * time.Hour

// weigh says what a deck that was read would change, and what a person must say yes to. It gives the prices that the deck
// will have.
func (b *Book) weigh(ctx context.Context, out *Imported, o *ImportOptions) ([]rating.Price, error) {
	was := (*b.decks.Load())[o.Name]
	prices := out.File.Prices
	var before []rating.Price
	var old *rating.Deck
	if was != nil {
		old, before, out.Head.Covers = was.rows, was.rows.Prices(), was.head.Covers
	}
	if o.Merge {
		prices = rating.Merge(before, prices)
	}
	if o.Covers != nil {
		out.Head.Covers = strings.Join(o.Covers, " ")
	}
	if _, err := rating.ParseCovers(out.Head.Covers); err != nil {
		return nil, &Invalid{"covers", clip(out.Head.Covers), err.Error()}
	}
	out.Head.Rows = int64(len(prices))
	out.Changes = rating.Diff(before, prices)
	b.askScale(out, before, o)
	built, err := build(&out.Head, prices)
	if err != nil {
		return nil, &Invalid{"rows", "", err.Error()}
	}
	now := time.Now()
	retail, cost := b.compared(o.Name)
	out.Unpriced = rating.NotPriced(built, old, append(retail, cost...), now)
	for _, other := range map[rating.Kind][]*rating.Deck{rating.Retail: cost, rating.Cost: retail}[o.Kind] {
		sold, bought := built, other
		if o.Kind == rating.Cost {
			sold, bought = other, built
		}
		out.Below = append(out.Below, rating.BelowCost(sold, bought, now)...)
	}
	if dear := tenfold(out.Changes.Dearer); len(dear) > 0 {
		out.Questions = append(out.Questions, rating.Ask(rating.AskLostDecimal, fmt.Sprintf("Ten times the price before, or more, in %d of the changes: has a decimal point been lost?", len(dear)), dear))
	}
	if lost, all, examples := rating.Lost(before, prices, now); lost*10 > all {
		q := rating.Question{Code: rating.AskRemoves, Text: fmt.Sprintf("%d of %d prices in force would no longer have a row; --merge keeps them.", lost, all), Examples: examples}
		out.Questions = append(out.Questions, q)
	}
	if o.Kind != rating.Retail || old == nil {
		return prices, nil
	}
	turned, err := b.turnedAway(ctx, o.Name, old, built, now)
	if len(turned) > 0 {
		text := "1 destination that was called in the last 90 days would be refused."
		if len(turned) > 1 {
			text = fmt.Sprintf("%d destinations that were called in the last 90 days would be refused.", len(turned))
		}
		out.Questions = append(out.Questions, rating.Ask(rating.AskCalled, text, turned))
	}
	return prices, err
}

// askScale asks where pounds may be read as pence, or the other way round, as other prices of the provider show. What the
// unit of a list is needs no asking when its prices are like those of the version before.
func (b *Book) askScale(out *Imported, before []rating.Price, o *ImportOptions) {
	prices := out.File.Prices
	if rating.SameScale(before, prices) {
		out.Questions = slices.DeleteFunc(out.Questions, func(q rating.Question) bool { return q.Code == rating.AskUnit || q.Code == rating.AskScaled })
	}
	if slices.ContainsFunc(out.Questions, func(q rating.Question) bool { return q.Code == rating.AskUnit }) {
		return // the answer changes the prices
	}
	if q, asks := rating.AskScale(before, prices); asks {
		out.Questions = append(out.Questions, q)
	}
	for _, d := range b.decksInUse(o.Name) {
		if q, asks := rating.AskOther(prices, o.Kind, d.head.Name, d.rows.Prices(), d.head.Kind); asks {
			out.Questions = append(out.Questions, q)
		}
	}
}

// tenfold are the changes to ten times the price before and more, the dearest first.
func tenfold(changes []rating.Change) (texts []string) {
	var dear []rating.Change
	for _, c := range changes {
		if was := c.Old.FirstMinute(); was > 0 && !c.New.NoPrice && c.New.FirstMinute()/was >= 10 {
			dear = append(dear, c)
		}
	}
	slices.SortStableFunc(dear, func(a, b rating.Change) int { return cmp.Compare(b.New.FirstMinute(), a.New.FirstMinute()) })
	for _, c := range dear {
		texts = append(texts, fmt.Sprintf("%s (%s): %s instead of %s for a first minute", c.New.Digits(), clip(c.New.Name), c.New.FirstMinute(), c.Old.FirstMinute()))
	}
	return texts
}

// compared are the other decks in use: retail ones of customers, and cost ones of carriers in service.
func (b *Book) compared(name string) (retail, cost []*rating.Deck) {
	for _, d := range b.decksInUse(name) {
		if d.head.Kind == rating.Retail {
			retail = append(retail, d.rows)
		} else {
			cost = append(cost, d.rows)
		}
	}
	return retail, cost
}

// decksInUse are those that customers or carriers use, but one, by name.
func (b *Book) decksInUse(but string) (list []*deck) {
	used := b.deckUsers()
	for name, d := range *b.decks.Load() {
		if name != but && len(used[name]) > 0 {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(x, y *deck) int { return strings.Compare(x.head.Name, y.head.Name) })
	return list
}

// deckUsers says what uses each deck, in words.
func (b *Book) deckUsers() map[string][]string {
	used := map[string][]string{}
	add := func(deck, actor string) {
		if deck != "" {
			used[deck] = append(used[deck], actor)
		}
	}
	add(b.provider.Load().tariff, "the provider, for customers without a tariff of their own (provider.tariff)")
	for _, c := range b.customers.All() {
		if e := c.entry.Load(); e.Customer.Tariff != "" {
			add(e.Customer.Tariff, "customer "+e.Customer.ID)
		}
	}
	for _, t := range b.Trunks() {
		add(t.Deck, "trunk "+t.Name)
	}
	return used
}

// turnedAway are the destinations that customers of a tariff called lately, that it prices now and will not price.
func (b *Book) turnedAway(ctx context.Context, tariff string, old, built *rating.Deck, now time.Time) ([]string, error) {
	accounts := map[string]bool{}
	for id, c := range b.customers.All() {
		accounts[id] = c.entry.Load().tariff == tariff
	}
	var list []string
	err := b.db.Called(ctx, now.Add(-lately), func(c store.Called) error {
		n, ok := phone.FromString(c.Number)
		class, known := phone.ParseClass(c.Class)
		if !ok || !known || !accounts[c.Account] {
			return nil
		}
		to := phone.Destination{Number: n, Class: class}
		copy(to.Country[:], c.Country)
		if _, silence := old.Price(to, now); silence != rating.Priced {
			return nil
		}
		if _, silence := built.Price(to, now); silence != rating.Priced {
			list = append(list, fmt.Sprintf("%s (%s): %s, last on %s", c.Number, clip(c.Name), times(c.Calls), c.Last.Format(time.DateOnly)))
		}
		return nil
	})
	return list, err
}

func times(n int64) string {
	if n == 1 {
		return "1 call"
	}
	return fmt.Sprintf("%d calls", n)
}

// Elsewhere says how many rows of each carrier's deck in use price numbers of another country or kind than they stand for,
// and which.
func (b *Book) Elsewhere(at time.Time) map[string]Elsewhere {
	found := map[string]Elsewhere{}
	for _, d := range b.decksInUse("") {
		if d.head.Kind != rating.Cost {
			continue
		}
		if rows, list := rating.Elsewhere(d.rows, at); rows > 0 {
			found[d.head.Name] = Elsewhere{rows, list}
		}
	}
	return found
}

// Elsewhere is what a carrier's deck prices by rows that stand for something else.
type Elsewhere struct {
	Rows int
	What []rating.Unpriced // the dearest country first
}

// BelowCost says which prices of each retail deck in use are below what each carrier in service charges: the greatest loss
// first, by the names of both decks.
func (b *Book) BelowCost(at time.Time) map[[2]string][]rating.Below {
	found, used, all := map[[2]string][]rating.Below{}, b.deckUsers(), *b.decks.Load()
	for sold, retail := range all {
		for bought, cost := range all {
			if retail.head.Kind != rating.Retail || cost.head.Kind != rating.Cost || len(used[sold]) == 0 || len(used[bought]) == 0 {
				continue
			}
			if below := rating.BelowCost(retail.rows, cost.rows, at); len(below) > 0 {
				found[[2]string{sold, bought}] = below
			}
		}
	}
	return found
}
