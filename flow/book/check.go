package book

import (
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/check"
	"ringfence/core/money"
)

// Check finds what in the book does not fit together.
func (b *Book) Check(now time.Time) check.Findings {
	var out check.Findings
	n := b.Counts()
	if opened, failed := b.CheckSecrets(); failed > 0 {
		out.Fail("book", "%d of %d passwords cannot be opened with the present key: restore the key file that sealed them", failed, opened+failed)
	} else {
		out.OK("book", "%s, %s; the key opens every password", check.Count(n.Customers, "customer", "customers"), check.Count(n.Lines, "line", "lines"))
	}
	for _, id := range b.UnknownZones() {
		out.Warn("book", "customer %s names a time zone that this machine does not know: the provider's is used for its caps; install tzdata", id)
	}
	b.checkTrunks(&out)
	out.OK("decks", "%s in force", check.Count(n.Decks, "deck", "decks"))
	b.checkDecks(now, &out)
	return out
}

func (b *Book) checkTrunks(out *check.Findings) {
	trunks, emergency := b.Trunks(), false
	if len(trunks) == 0 {
		out.Warn("trunks", "there is no trunk, so no call can leave: ringfence trunk add NAME HOST:PORT")
		return
	}
	out.OK("trunks", "%s", check.Count(len(trunks), "trunk in use", "trunks in use"))
	for i := range trunks {
		t := &trunks[i]
		emergency = emergency || t.Emergency
		if _, ok := b.Cost(t); !ok {
			out.Warn("trunks", "trunk %s has no cost deck: its carrier's charges are recorded as zero", account.Handle(t.Name))
		}
	}
	if !emergency {
		out.Warn("trunks", "no trunk is marked for emergency calls: all are tried in turn")
	}
}

func (b *Book) checkDecks(now time.Time, out *check.Findings) {
	for _, h := range b.ForeignDecks() {
		out.Fail("decks", "deck %s version %d is in %s and the provider bills in %s: it prices no calls; import it again, with --rate %s=… or in %s", h.Name, h.Version, h.Currency,
			money.Billing().Code, h.Currency, money.Billing().Code)
	}
	for _, name := range b.MissingTariffs() {
		out.Warn("decks", "tariff %q is in use but no such retail deck was imported: every call of its customers is refused as unpriced", name)
	}
	for decks, below := range b.BelowCost(now) {
		out.Warn("decks", "%d prices of deck %s are below cost by deck %s; the worst: %s", len(below), decks[0], decks[1], below[0].Text())
	}
	for deck, e := range b.Elsewhere(now) {
		what := make([]string, 0, 3)
		for i := range e.What[:min(len(e.What), cap(what))] {
			what = append(what, e.What[i].Text())
		}
		out.Warn("decks", "deck %s: %s numbers of another country or kind, for which the carrier may charge more (%s): %s", deck, check.Count(e.Rows, "row prices", "rows price"),
			check.Count(len(e.What), "country", "countries"), strings.Join(what, "; "))
	}
}
