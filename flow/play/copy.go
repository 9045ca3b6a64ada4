package play

import (
	"errors"
	"maps"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/state/counters/memory"
)

// ErrBusy says that a Player cannot be copied while calls are in progress.
var ErrBusy = errors.New("calls are in progress")

// Idle says that no call is in progress.
func (p *Player) Idle() bool { return len(p.queue) == 0 }

// Copy makes a Player that knows what this one does: habits, purses, and what findings have closed. Each goes its own way from there; several may be made at
// a time, as long as nobody plays this one. The copy shares the World, and so does not teach it anything. done and found take the place of Done and Finding.
// ErrBusy.
func (p *Player) Copy(done func(int, *Result), found func(int, *Found)) (*Player, error) {
	if !p.Idle() {
		return nil, ErrBusy
	}
	o := p.o
	o.Done, o.Finding, o.Facts = done, found, nil
	c := New(o)
	c.counts = memory.New() // attempts of a minute ago, at the most
	c.slots, c.nth, c.closings = maps.Clone(p.slots), p.nth, p.closings
	c.habits.state.Notes, c.habits.signs = nil, maps.Clone(p.habits.signs)
	for id, u := range p.accounts {
		c.accounts[id] = u.copy()
	}
	c.lines = make([]*line, len(p.lines))
	for i, ln := range p.lines {
		if ln == nil {
			continue
		}
		mine := *ln
		if mine.own != nil {
			mine.own, mine.account = ln.own.copy(), c.accounts[ln.Account]
		}
		c.lines[i] = &mine
	}
	return c, nil
}

// Change gives a line that is known other settings from now on, under which what findings have closed stays closed. The settings of Options do not come back.
func (p *Player) Change(id string, settings *account.Effective, now time.Time) {
	ln := p.line(&Call{Line: id}, now)
	if !ln.known {
		return
	}
	ln.Settings, ln.closedAt, ln.closedOf = settings, -1, nil
}

// copy is one of which nothing is shared.
func (u *purses) copy() *purses {
	c := *u
	for _, all := range [...]*[2]period{&c.days, &c.months} {
		for i := range all {
			if of := all[i].purse; of != nil {
				mine := *of
				all[i].purse = &mine
				for _, now := range [...]**engine.Purse{&c.now.day, &c.now.month} {
					if *now == of {
						*now = &mine
					}
				}
			}
		}
	}
	c.watched.memory = u.watched.memory.Copy()
	c.watched.closed, c.watched.would = slices.Clone(u.watched.closed), slices.Clone(u.watched.would)
	return &c
}
