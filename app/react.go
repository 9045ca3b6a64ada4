package app

import (
	"ringfence/core/habit"
	"ringfence/flow/react"
)

// openReact builds the stage that watches calls.
func (a *App) openReact() (err error) {
	calls := a.cfg.Watch.Calls
	if calls == "off" {
		return nil
	}
	a.react, err = react.New(react.Options{Store: a.store, Book: a.book, Rules: habit.Default(), Trial: calls != "live", Log: a.log})
	return err
}

// wrote has calls watched immediately after their facts are durable.
func (a *App) wrote() {
	if a.react != nil {
		a.react.Wake()
	}
}
