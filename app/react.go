package app

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"ringfence/app/config"
	"ringfence/core/habit"
	"ringfence/flow/device"
	"ringfence/flow/react"
)

// openReact builds the stage that watches calls.
func (a *App) openReact() (err error) {
	rules := a.cfg.LiveRules()
	if rules == nil {
		return nil
	}
	a.react, err = react.New(react.Options{Store: a.store, Book: a.book, Rules: rules, Known: a.knownPhones, Log: a.log})
	return err
}

// knownPhones are the addresses and products that a line's phones have logged in from since before an instant, but those that are not its owner's.
func (a *App) knownPhones(line string, before time.Time) (at []netip.Addr, agents []string) {
	for _, d := range a.shield.devices.Of(line) {
		if addr, err := netip.ParseAddr(d.Address); err == nil && d.First.Before(before) && d.Verdict != device.NotMine {
			at, agents = append(at, addr), append(agents, d.Agent)
		}
	}
	return at, agents
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
