package app

import (
	"context"

	"ringfence/core/engine"
	"ringfence/flow/book"
	"ringfence/flow/exposure"
	"ringfence/flow/fit"
)

// openExposure builds what says how much a thief could cost, and what puts each new figure in the journal.
func (a *App) openExposure() (err error) {
	a.exposure, err = exposure.New(exposure.Options{
		Book: a.book, Money: a.money, Eyes: exposure.Eyes{Phones: a.location.Lookup, Devices: a.shield.devices.Of, Records: a.money.CDRs}, Ring: a.cfg.SIP.RingTime.Duration, Nodes: a.cfg.Store.Engine == "postgres", Log: a.log,
	})
	if err != nil {
		return err
	}
	a.fit, err = fit.New(fit.Options{
		Book: a.book, Exposure: a.exposure, Calls: a.money.CDRs, Ring: a.cfg.SIP.RingTime.Duration, Log: a.log,
		Terms: engine.Terms{Slice: a.cfg.Money.Slice.Duration, Ahead: a.cfg.Money.ExtendAhead.Duration, WaiveLate: a.cfg.Provider.LateAnswers == "free"},
	})
	if err != nil {
		return err
	}
	a.onStop("what fits", func(context.Context) error { a.fit.Close(); return nil })
	a.figures, err = exposure.Follow(exposure.FollowOptions{
		Desk: a.exposure, Store: a.store, Promise: func() bool { return a.config().Provider.ExposurePromise }, Every: pace, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.book.OnChange(func(c book.Change) {
		if c.Kind == book.ProviderChanged {
			a.figures.Provider()
		}
	})
	return nil
}
