package book

import (
	"time"

	"ringfence/core/account"
	"ringfence/core/engine"
)

// Rules are the book's answers to what the engine asks of it; the regulator's table is not in the book.
func (b *Book) Rules() engine.Rules {
	return engine.Rules{Plan: b.Plan(), Owner: b.ByNumber, Short: b.Short, Hot: b.Hot, Shows: b.Shows, Strict: b.strict, Abroad: b.abroad, Line: func(id string, now time.Time) (engine.Line, bool) {
		l, ok := b.Line(id)
		if !ok {
			return engine.Line{}, false
		}
		x := engine.Line{Account: l.Customer(), Digits: l.Digits(), Settings: l.Effective(now), Zone: l.Zone(), Locked: l.Locked(), Since: l.Since()}
		x.Deck, x.Calendar = l.Retail()
		return x, true
	}}
}

// Shows says that lines of a customer may present a number: one of their own, or one that the customer has verified and that no line of another has by now.
func (b *Book) Shows(customer string, digits uint64) bool {
	if id, ok := b.ByNumber(digits); ok {
		l, ok := b.Line(id)
		return ok && l.Customer() == customer
	}
	c, ok := b.customer(customer)
	return ok && c.entry.Load().proven[digits]
}

func (b *Book) strict() bool { return b.provider.Load().strict }

func (b *Book) abroad(trunk string) string {
	if t, ok := b.Trunk(trunk); ok {
		return t.Abroad
	}
	return account.HomeCalls
}
