package app

import (
	"context"
	"slices"

	"ringfence/app/config"
	"ringfence/core/habit"
	"ringfence/flow/react"
)

// openReact builds the stage that watches calls.
func (a *App) openReact() (err error) {
	rules := a.cfg.LiveRules()
	if rules == nil {
		return nil
	}
	a.react, err = react.New(react.Options{Store: a.store, Book: a.book, Rules: rules, Log: a.log})
	return err
}

// applyWatch has calls watched by the rules of a configuration. It returns what changed of that, and of all else.
func (a *App) applyWatch(next *config.Config, old *config.Config, applied []config.Change) []config.Change {
	rules := next.LiveRules()
	if a.react != nil {
		a.react.Use(rules)
		return applied
	}
	if rules == nil {
		return applied
	}
	a.log.Warn("needs a restart to take effect", "field", "watch.calls", "now", habit.Off.String(), "wanted", next.Watch.Calls)
	next.Watch.Calls = old.Watch.Calls
	return slices.DeleteFunc(applied, func(c config.Change) bool { return c.Key == "watch.calls" })
}

// vouch records that the calls of a finding were honest, and opens what it closed.
func (a *App) vouch(ctx context.Context, actor, line, customer, finding string) error {
	defer a.wrote()
	return react.Vouch(ctx, a.store, a.book, actor, line, customer, finding)
}

// wrote has calls watched immediately after their facts are durable.
func (a *App) wrote() {
	if a.react != nil {
		a.react.Wake()
	}
}
