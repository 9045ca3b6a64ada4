package book

import (
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/restrict"
)

// Draft is a line's settings as an edit would leave them. Nothing is changed by it.
type Draft struct {
	Settings account.Settings
	was      account.Settings
	above    []*account.Settings
	pool     *account.Pool
}

// Draft makes one with these settings, and a restriction more unless it is nil.
func (b *Book) Draft(l *Line, now time.Time, set []Setting, add *restrict.Restriction) (*Draft, error) {
	d := &Draft{was: l.Settings(), above: l.Above(), pool: l.cust.entry.Load().pool()}
	var err error
	d.Settings, err = change(d.was, account.LevelLine, d.above, set, now)
	if add != nil {
		d.Settings.Restrictions = append(slices.Clone(d.Settings.Restrictions), *add)
	}
	return d, err
}

// Effective is what would be in force.
func (d *Draft) Effective(at time.Time) *account.Effective {
	e := account.Resolve(at, append(slices.Clone(d.above), &d.Settings)...)
	e.Pool = d.pool
	return &e
}

// Loosens says what the edit would loosen, now or when grants have ended.
func (d *Draft) Loosens(now time.Time) []string {
	return account.Loosens(&d.was, &d.Settings, now, d.above...)
}
