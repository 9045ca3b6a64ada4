package book

import (
	"time"

	"ringfence/core/engine"
)

// Rules are the book's answers to what the engine asks of it; the regulator's table is not in the book.
func (b *Book) Rules() engine.Rules {
	return engine.Rules{Plan: b.Plan(), Owner: b.ByNumber, Short: b.Short, Hot: b.Hot, Line: func(id string, now time.Time) (engine.Line, bool) {
		l, ok := b.Line(id)
		if !ok {
			return engine.Line{}, false
		}
		x := engine.Line{Account: l.Customer(), Digits: l.Digits(), Settings: l.Effective(now), Zone: l.Zone(), Locked: l.Locked(), Since: l.Since()}
		x.Deck, x.Calendar = l.Retail()
		return x, true
	}}
}
