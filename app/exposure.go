package app

import "ringfence/flow/exposure"

// openExposure builds what says how much a thief could cost.
func (a *App) openExposure() (err error) {
	a.exposure, err = exposure.New(exposure.Options{
		Book: a.book, Money: a.money, Ring: a.cfg.SIP.RingTime.Duration, Nodes: a.cfg.Store.Engine == "postgres", Log: a.log,
	})
	return err
}
