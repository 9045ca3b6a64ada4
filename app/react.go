package app

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"ringfence/app/config"
	"ringfence/core/check"
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

// rules are those that watch calls.
func (a *App) rules(ctx context.Context) ([]react.Rule, error) {
	if a.react == nil {
		return nil, nil
	}
	return a.react.Rules(ctx)
}

func (a *App) agree(actor, rule string) bool { return a.react != nil && a.react.Agree(actor, rule) }

// watching says how calls are watched, and which rules are trusted less than the configuration says.
func (a *App) watching(ctx context.Context) (text string, findings check.Findings) {
	all, err := a.rules(ctx)
	if err != nil || len(all) == 0 {
		return habit.Off.String(), nil
	}
	text = cmp.Or(a.config().Watch.Calls, habit.Shadow.String())
	for i := range all {
		switch r := &all[i]; r.Why {
		case react.WentBack:
			text += ", " + r.Name + " went back to " + r.Life.String()
			findings.Warn("watch."+r.Name, "was too often wrong and went back from %s to %s; change it in the configuration to trust it again. See: ringfence rules", r.Set, r.Life)
		case react.TooWide:
			text += ", " + r.Name + " waits to be " + r.Set.String()
			findings.Warn("watch."+r.Name, "would have stopped more than 1 %% of last month's paid calls, and is a shadow until somebody agrees: ringfence rules agree %s", r.Name)
		}
	}
	return text, findings
}

// habits are what is known of a line's usual calls.
func (a *App) habits(ctx context.Context, line, customer string, now time.Time) (habit.Summary, bool, error) {
	if a.react == nil {
		return habit.Summary{}, false, nil
	}
	return a.react.Of(ctx, line, customer, now)
}
