package play

import (
	"time"

	"ringfence/core/engine"
)

// purses are those of a line or an account. Calls come in the order of time, so that a period's purse is looked for once, and the one before it is
// kept for an hour that a zone repeats.
type purses struct {
	now    both
	days   [2]period
	months [2]period
	from   time.Time // now holds from then on
	until  time.Time // and before then

	watched watched
}

type both struct{ day, month *engine.Purse }

type period struct {
	number int // counts up with time
	purse  *engine.Purse
}

// at is what an owner draws on for a call that begins at an instant: periods are of the customer's zone.
func (u *purses) at(now time.Time, zone *time.Location) both {
	if !now.Before(u.from) && now.Before(u.until) {
		return u.now
	}
	if zone == nil {
		zone = time.UTC
	}
	local := now.In(zone)
	year, month, day := local.Date()
	of := year*12 + int(month)
	u.now = both{find(&u.days, of*32+day), find(&u.months, of)}
	u.from, u.until = now, time.Date(year, month, day+1, 0, 0, 0, 0, zone)
	if _, end := local.ZoneBounds(); !end.IsZero() && end.Before(u.until) {
		u.until = end
	}
	return u.now
}

// find is the purse of a period, a new one in the place of the older.
func find(known *[2]period, number int) *engine.Purse {
	for i := range known {
		if known[i].number == number {
			return known[i].purse
		}
	}
	known[1] = known[0]
	known[0] = period{number, &engine.Purse{}}
	return known[0].purse
}
