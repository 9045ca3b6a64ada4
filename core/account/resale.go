package account

import (
	"time"

	"ringfence/core/money"
)

// Resale makes a customer a reseller: it has customers of its own in place of lines. Its settings stand between the provider's and theirs.
type Resale struct {
	Sells    bool        `json:"sells,omitempty"`
	DayCap   money.Micro `json:"day_cap,omitempty"`   // what all its customers may spend together in a day of its zone; 0: there is no such cap
	MonthCap money.Micro `json:"month_cap,omitempty"` // the same of a month
}

// Level is the link of the chain that the customer's settings are.
func (c *Customer) Level() Level {
	if c.Resale.Sells {
		return LevelReseller
	}
	return LevelCustomer
}

// Capped says that its customers together have a cap.
func (r *Resale) Capped() bool { return r.Sells && (r.DayCap > 0 || r.MonthCap > 0) }

// Pool is a reseller with a cap, as the calls of its customers need it.
type Pool struct {
	Reseller string         // identity
	Zone     *time.Location // in which its days and months begin
	Day      money.Micro    // 0 is none
	Month    money.Micro
}
