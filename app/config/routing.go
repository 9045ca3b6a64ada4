package config

import (
	"ringfence/core/money"
	"ringfence/core/policy"
)

// Routes is how trunks are chosen.
func (c *Config) Routes() (policy.Routing, error) {
	r := policy.Routing{ByCost: c.Routing.Order == "cost", Bounded: c.Routing.Margin != ""}
	if !r.Bounded {
		return r, nil
	}
	currency, err := money.CurrencyOf(c.Provider.Currency)
	if err != nil {
		return r, nil // said of provider.currency
	}
	rate, err := currency.ParseRate(string(c.Routing.Margin))
	r.Margin = money.Micro((rate + 999) / 1000)
	return r, err
}
