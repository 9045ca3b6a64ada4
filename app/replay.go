package app

import (
	"fmt"
	"time"

	"ringfence/app/config"
	"ringfence/app/demo"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/flow/replay"
)

// ReplaySet is the rules of a configuration as past calls are played through them: the provider's settings, its numbering plan, zone and peak hours, and the
// slices in which calls pay. deck is a price list; nil is that of the demonstration. It sets the billing currency.
func ReplaySet(name string, cfg *config.Config, deck []byte) (replay.Set, error) {
	currency, err := money.CurrencyOf(cfg.Provider.Currency)
	if err != nil {
		return replay.Set{}, err
	}
	money.SetBilling(currency)
	o, err := bookOptions(cfg)
	if err != nil {
		return replay.Set{}, err
	}
	s := replay.Set{Name: name, Plan: o.Plan, Provider: o.Provider, RingTime: cfg.SIP.RingTime.Duration, Terms: engine.Terms{
		Slice: cfg.Money.Slice.Duration, Ahead: cfg.Money.ExtendAhead.Duration, WaiveLate: cfg.Provider.LateAnswers == "free",
	}, Calendar: rating.Calendar{PeakFrom: o.PeakFrom, PeakTill: o.PeakTill}, Habits: cfg.Rules()}
	if s.Zone, err = time.LoadLocation(o.Zone); err != nil {
		return s, fmt.Errorf("provider.zone: %w", err)
	}
	var blocks numbering
	if err := blocks.load(cfg.Provider.Numbering); err != nil {
		return s, fmt.Errorf("provider.numbering: %w", err)
	}
	s.Block = blocks.block
	if deck == nil {
		deck = demo.Retail
	}
	s.Deck, err = replay.Deck(deck, rating.ReadOptions{Zone: s.Zone, Billing: currency, Short: o.Plan.OnlyShort})
	return s, err
}
