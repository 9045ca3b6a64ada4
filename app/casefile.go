package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ringfence"
	"ringfence/core/liability"
	"ringfence/flow/casefile"
	"ringfence/flow/desk"
)

// pastDays is for how long the sample provider has been there: longer than the week of its calls.
const pastDays = 8

// openCasefile builds what judges calls.
func (a *App) openCasefile(context.Context) (err error) {
	own, err := liability.ParseWordings(a.cfg.Provider.Promises)
	if err != nil {
		return err
	}
	first := time.Time{}
	if a.cfg.DemoLife { // it has a week of calls behind it
		first = time.Now().AddDate(0, 0, -pastDays)
	}
	a.casefile, err = casefile.New(casefile.Options{
		First: first,
		Store: a.store, Book: a.book, Cases: func() *desk.Cases { return a.cases }, Evidence: a.evidence, Promises: own, Provider: a.cfg.Provider.Name, Version: Version, Changes: ringfence.Changelog, Checks: a.selfTests,
	})
	return err
}

// selfTests are what the program finds when it checks itself, as text.
func (a *App) selfTests(ctx context.Context) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ringfence check at %s\n", time.Now().UTC().Format(time.RFC3339))
	all := a.check(ctx)
	for _, f := range all {
		fmt.Fprintf(&b, "%s %s: %s\n", f.Level, f.What, f.Text)
	}
	if len(all) == 0 {
		b.WriteString("no faults\n")
	}
	return b.String()
}

// statePromises writes down what is promised from now on. A store that fails keeps nobody from calling: the journal then keeps the previous words.
func (a *App) statePromises(ctx context.Context) error {
	if err := a.casefile.State(ctx, time.Now()); err != nil {
		a.log.Error("what is promised could not be written to the journal", "error", err)
	}
	return nil
}
