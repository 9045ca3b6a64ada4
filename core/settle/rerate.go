package settle

import (
	"fmt"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

// Version is one version of a deck.
type Version struct {
	Deck     string
	Version  int64
	Imported time.Time
}

// InForce is the version of a deck that was in force at an instant: the last one imported until then. False: there was none yet.
func InForce(versions []Version, deck string, at time.Time) (v Version, ok bool) {
	for _, x := range versions {
		if x.Deck != deck || x.Imported.After(at) {
			continue
		}
		if !ok || x.Imported.After(v.Imported) || x.Imported.Equal(v.Imported) && x.Version > v.Version {
			v, ok = x, true
		}
	}
	return v, ok
}

// Rerated is one call at cost price.
type Rerated struct {
	ID        call.ID       `json:"call"`
	Charged   money.Micro   `json:"charged_micro"`
	Cost      money.Micro   `json:"cost_micro"` // the cost price, if Priced
	Priced    bool          `json:"priced"`
	Talk      time.Duration `json:"talk_ns"`
	Deck      string        `json:"deck,omitempty"` // name and version of the deck that priced it
	Version   int64         `json:"version,omitempty"`
	Name      string        `json:"destination,omitempty"` // as the deck names it
	PerMinute money.Rate    `json:"per_minute_nano,omitempty"`
	Why       string        `json:"why,omitempty"` // it has no cost price
}

// Rerate prices a call by its carrier's deck: the time that the customer was charged for, not the time that the carrier charges us
// for, because a leg that stayed up longer is no fault of the customer's.
func Rerate(c *call.CDR, number phone.Number, v Version, deck *rating.Deck, calendar rating.Calendar) Rerated {
	r := Rerated{ID: c.ID, Charged: c.Retail, Talk: c.Talk, Deck: v.Deck, Version: v.Version}
	switch price, ok := deck.Find(number, c.Begun); {
	case c.AnsweredAt.IsZero():
		r.Priced = true // a call that nobody answered costs nothing
	case !ok || price.NoPrice:
		r.Why = fmt.Sprintf("version %d of deck %s has no price for %s", v.Version, v.Deck, c.Number)
	default:
		q := price.Quote(calendar, c.AnsweredAt)
		r.Priced, r.Cost, r.Name = true, q.Cost(c.Talk), price.Name
		r.PerMinute = price.Rates[calendar.Band(c.AnsweredAt)]
	}
	return r
}

// Unpriced is a call that has no cost price, and why.
func Unpriced(c *call.CDR, why string) Rerated {
	return Rerated{ID: c.ID, Charged: c.Retail, Talk: c.Talk, Why: why}
}
