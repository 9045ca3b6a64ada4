package desk

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"ringfence/core/casework"
)

// How often what was left half done is looked for, and how far back. Another node may have ended a moment ago, and not come back.
const (
	resumeEvery = 10 * time.Minute
	resumeBack  = 2 * resumeEvery
)

// Run carries out what was decided before the program ended, and did not come to be done or credited; later what another node leaves.
func (c *Cases) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(resumeEvery)
	defer tick.Stop()
	for since := (time.Time{}); ; since = time.Now().Add(-resumeBack) {
		if err := c.Resume(ctx, since); err != nil && ctx.Err() == nil {
			log.Warn("what was decided in cases was not carried out", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Resume carries out the decisions of all cases that were made at an instant or later, as far as that is not done. One case that fails does not keep the others.
func (c *Cases) Resume(ctx context.Context, since time.Time) (failed error) {
	us := Who{Actor: "auto"}
	for f := (CaseFilter{Limit: perPage}); ; {
		page, err := c.o.Store.Cases(ctx, f)
		if err != nil {
			return errors.Join(failed, err)
		}
		for i := range page {
			x := &page[i]
			if f.Before = x.ID; x.State == casework.Closed && x.Finished.Before(since) {
				continue
			}
			items, err := c.o.Store.CaseItems(ctx, x.ID)
			if err == nil && slices.ContainsFunc(items, func(i casework.Item) bool {
				return i.Kind == casework.Decision && !i.Waits() && !i.Ended.Before(since)
			}) {
				err = c.settled(ctx, us, x.ID)
			}
			if failed = errors.Join(failed, err); ctx.Err() != nil {
				return failed
			}
		}
		if len(page) < f.Limit {
			return failed
		}
	}
}
