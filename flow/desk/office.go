package desk

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/restrict"
	"ringfence/flow/ban"
	"ringfence/flow/guard"
	"ringfence/flow/react"
	"ringfence/state/store"
)

// Trunk is a carrier as it has done lately: calls whose last try it was, by quarter of an hour, as the stage of the public status counts them.
type Trunk struct {
	Name     string // handle
	Calls    int    // now, on this node
	Quarters []Quarter
}

// Quarter is a quarter of an hour.
type Quarter struct {
	At                      time.Time
	Tried, Answered, Failed int64
	Rang                    int64         // of those tried, calls with a known delay
	Delay                   time.Duration // of these together: from the beginning of a call to its first ringing or answer
}

// Ratio is the share of calls that were answered; false: there were none.
func (q *Quarter) Ratio() (float64, bool) {
	if q.Tried == 0 {
		return 0, false
	}
	return float64(q.Answered) / float64(q.Tried), true
}

// Average is the delay of a call; false: none is known.
func (q *Quarter) Average() (time.Duration, bool) {
	if q.Rang == 0 {
		return 0, false
	}
	return q.Delay / time.Duration(q.Rang), true
}

// quarters are those of a day.
const quarters = 24 * 4

// Sum adds up the last n quarters.
func (t *Trunk) Sum(n int) (q Quarter) {
	for _, x := range t.Quarters[len(t.Quarters)-n:] {
		q.Tried, q.Answered, q.Failed = q.Tried+x.Tried, q.Answered+x.Answered, q.Failed+x.Failed
		q.Rang, q.Delay = q.Rang+x.Rang, q.Delay+x.Delay
	}
	return q
}

// Trunks are all trunks over the last day.
func (d *Desk) Trunks(ctx context.Context, now time.Time) ([]Trunk, error) {
	from := now.UTC().Truncate(15 * time.Minute).Add(-(quarters - 1) * 15 * time.Minute)
	byName := map[string]*Trunk{}
	var all []Trunk
	for _, t := range d.o.Book.AllTrunks() {
		x := Trunk{Name: account.Handle(t.Name), Quarters: make([]Quarter, quarters)}
		for i := range x.Quarters {
			x.Quarters[i].At = from.Add(time.Duration(i) * 15 * time.Minute)
		}
		all = append(all, x)
	}
	for i, t := range d.o.Book.AllTrunks() {
		byName[t.Name] = &all[i]
	}
	if d.o.Tallies == nil {
		return all, nil
	}
	err := d.o.Tallies(ctx, "trunk/", from, func(t store.Tally) error {
		name, what, ok := strings.Cut(strings.TrimPrefix(t.What, "trunk/"), "/")
		x, i := byName[name], int(t.At.Sub(from)/(15*time.Minute))
		if !ok || x == nil || i < 0 || i >= quarters {
			return nil
		}
		switch q := &x.Quarters[i]; what {
		case "tried":
			q.Tried += t.N
		case "answered":
			q.Answered += t.N
		case "failed":
			q.Failed += t.N
		case "rang":
			q.Rang += t.N
		case "delay":
			q.Delay += time.Duration(t.N) * time.Millisecond
		}
		return nil
	})
	if d.o.Calls != nil {
		for _, c := range d.o.Calls() {
			if x := byName[c.Trunk]; x != nil {
				x.Calls++
			}
		}
	}
	return all, err
}

// Rules are those that watch calls, with what they did. None: nothing is watched.
func (d *Desk) Rules(ctx context.Context) ([]react.Rule, error) {
	if d.o.Rules == nil {
		return nil, nil
	}
	return d.o.Rules(ctx)
}

// Agree lets a rule act although it would have stopped many of last month's calls. ErrNothing: it is not held back.
func (d *Desk) Agree(actor, rule string) error {
	if d.o.Agree == nil || !d.o.Agree(actor, rule) {
		return ErrNothing
	}
	return nil
}

// Rule is one of Rules; ErrNotFound.
func (d *Desk) Rule(ctx context.Context, name string) (react.Rule, error) {
	all, err := d.Rules(ctx)
	if err != nil {
		return react.Rule{}, err
	}
	for i := range all {
		if all[i].Name == name {
			return all[i], nil
		}
	}
	return react.Rule{}, store.ErrNotFound
}

// Lives are the stages of a rule, the least trusted first.
func Lives() []habit.Life { return habit.Lives() }

// Bans are those in force by address, at most limit from after on, and how many there are.
func (d *Desk) Bans(f ban.Filter, limit int) ([]ban.Entry, int) {
	if bans := d.bans(); bans != nil {
		return bans.List(f, limit)
	}
	return nil, 0
}

// AddBan bans by hand.
func (d *Desk) AddBan(ctx context.Context, r ban.Request) error {
	if d.bans() == nil || ban.ThisMachine(r.Net) {
		return ErrNothing
	}
	_, err := d.bans().Add(ctx, r)
	return err
}

// Lockouts are those in force on this node.
func (d *Desk) Lockouts(now time.Time) []guard.LockedOut {
	if d.o.Guard == nil {
		return nil
	}
	return d.o.Guard.Locked(now)
}

// Release ends the lock-outs of a line, an address or a network. ErrNothing: there was none.
func (d *Desk) Release(actor, what string) error {
	if d.o.Guard == nil || !d.o.Guard.Release(what, actor, time.Now()) {
		return ErrNothing
	}
	return nil
}

// HotNumbers are the entries of all hot lists by number, at most limit above after, a range as its text.
func (d *Desk) HotNumbers(after string, limit int) (all []restrict.Listed, more bool) {
	all = d.o.Book.Hot().All()
	if r, err := restrict.ParseNumbers(after); err == nil {
		all = slices.DeleteFunc(slices.Clone(all), func(l restrict.Listed) bool { return l.Range.Compare(r) <= 0 })
	}
	more = len(all) > limit
	return all[:min(limit, len(all))], more
}

// audited are the kinds of fact that somebody causes.
var audited = slices.DeleteFunc(slices.Clone(fact.Kinds[:]), func(kind string) bool {
	switch fact.Noun(kind) {
	case "person", "token", "change", "trace", "key", "notice", "status":
		return kind == fact.KindChangeWaiting
	}
	switch kind {
	case fact.KindFindingNoted, fact.KindFindingClosed, fact.KindBanAdded, fact.KindBanRemoved, fact.KindLoginReleased, fact.KindLoginAdmitted, fact.KindDeviceVerdict, fact.KindCallsVouched, fact.KindLinkDone:
		return false
	}
	return !fact.OfBook(kind)
})

// Audit is who did what, the newest first, at most limit rows of the journal below before; 0 is the end of it. It goes by the index of
// the kinds that people cause, and never over calls.
func (d *Desk) Audit(ctx context.Context, before int64, limit int) ([]Deed, error) {
	facts, err := d.o.Store.Facts(ctx, store.FactFilter{Before: cmp.Or(before, math.MaxInt64), Kinds: audited, Limit: limit})
	out := make([]Deed, 0, len(facts))
	for i := range facts {
		out = append(out, deedOf(&facts[i]))
	}
	return out, err
}
