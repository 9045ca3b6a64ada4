package account

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// Defaults is what holds when no link of the chain says anything.
func Defaults() Settings {
	var s Settings
	for f := range NumFields {
		s.Values[f] = Value{Set: true, N: f.builtin()}
	}
	return s
}

// Grant returns v loosened (or not) to n by staff, until an instant or for good (zero). What the link had set itself is
// kept under a grant that ends, and holds again afterwards.
func (v Value) Grant(n int64, until time.Time) Value {
	g := Value{Set: true, N: n, Granted: true, Until: until}
	switch {
	case until.IsZero():
	case v.Set && !v.Granted:
		g.Kept, g.KeptN = true, v.N
	default:
		g.Kept, g.KeptN = v.Kept, v.KeptN
	}
	return g
}

// At is what the value says at an instant: an ended grant says what the link had set before it, or nothing.
func (v Value) At(now time.Time) Value {
	if !v.Granted || v.Until.IsZero() || now.Before(v.Until) {
		return v
	}
	return Value{Set: v.Kept, N: v.KeptN}
}

// Resolve walks the chain built-in default → provider → reseller → customer → line; links are given in that order and may be nil
// (of a customer that no reseller has, the reseller's) or fewer (the provider's alone gives what a new customer has). The provider is the operator, so its word replaces the
// built-in default in either direction. Below it a link only tightens, unless staff granted the value and the grant has
// not ended. Of a free field the nearest word holds. Account fields end at the customer: a line's word on them is ignored.
func Resolve(now time.Time, links ...*Settings) Effective {
	var e Effective
	for f := range NumFields {
		ends := e.resolve(f, now, links)
		if !ends.IsZero() && (e.Expiry.IsZero() || ends.Before(e.Expiry)) {
			e.Expiry = ends
		}
	}
	for _, s := range links {
		if s != nil && len(s.Nets) > 0 {
			e.Nets = append(e.Nets, s.Nets)
		}
		if s != nil && len(s.Restrictions) > 0 {
			e.Restrictions = append(e.Restrictions, s.Restrictions)
		}
	}
	if len(e.Nets)+len(e.Restrictions) > 0 {
		sum := sha256.Sum256([]byte(fmt.Sprint(e.Nets, e.Restrictions)))
		e.Lists = string(sum[:])
	}
	return e
}

// resolve settles one field and returns when the outcome ends by itself. A grant hides the ends of grants above it; a
// tightening below does not, because what stands above may fall under it when they end.
func (e *Effective) resolve(f Field, now time.Time, links []*Settings) (ends time.Time) {
	n, from := f.builtin(), LevelDefault
	for i, s := range links {
		level := min(LevelProvider+Level(i), LevelLine)
		if s == nil || level == LevelLine && f.OfAccount() {
			continue
		}
		v := s.Values[f].At(now)
		if until := s.Values[f].Until; v.Until != until && until.After(e.Since) {
			e.Since = until
		}
		switch {
		case !v.Set:
		case v.Granted || level == LevelProvider || f.Free():
			n, from, ends = v.N, level, v.Until
		case v.N < n:
			n, from = v.N, level
		}
	}
	// Values from outside Validate must not turn into "no limit" further down: clamp to what the field can mean.
	least, most := f.Range()
	e.Values[f], e.From[f] = min(max(n, least), most), from
	return ends
}

// String names the link: "default", "provider", "reseller", "customer", "line".
func (l Level) String() string {
	if l > LevelLine {
		return "unknown"
	}
	return [...]string{"default", "provider", "reseller", "customer", "line"}[l]
}
