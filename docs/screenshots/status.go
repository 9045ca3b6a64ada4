package main

import (
	"context"
	"time"

	"ringfence/flow/status"
	"ringfence/state/store"
)

// public is the status of the provider: a quarter of a year of samples, and in a world with a late one, calls abroad that fail.
func (w *world) public(zone *time.Location) (*status.Status, error) {
	ctx, now := context.Background(), time.Now().UTC()
	var add []store.Tally
	for day := range 90 {
		at := now.AddDate(0, 0, -day).Truncate(15 * time.Minute)
		for _, c := range status.Components {
			add = append(add, store.Tally{What: "sample/" + string(c) + "/good", At: at, N: 8600})
		}
		for what, n := range map[string]int64{
			status.LoginsRefused: 40_000, status.CallsRefused: 217, status.CallsCut: 3, status.Saved: 61_000_000, status.Closed: int64(day % 2), status.HonestLocked: int64((day + 29) / 30 % 2), status.HonestStopped: int64(day % 9 / 8),
		} {
			add = append(add, store.Tally{What: "count/" + what, At: at.Truncate(24 * time.Hour), N: n})
		}
	}
	for what, day := range map[string]int{"calls-home/part": 59, "calls-abroad/part": 78, "calls-abroad/down": 32, "login/part": 59, "mail/part": 20} {
		add = append(add, store.Tally{What: "sample/" + what, At: now.AddDate(0, 0, -day).Truncate(15 * time.Minute), N: 120})
	}
	if err := w.db.AddTallies(ctx, add); err != nil {
		return nil, err
	}
	past := now.AddDate(0, 0, -32)
	updates := []store.IncidentUpdate{{At: past, Text: "Calls to other countries are not connected."}, {At: past.Add(9 * time.Minute), By: "tom", Text: "A router of ours had failed. Its spare carries the calls."}, {At: past.Add(11 * time.Minute), Text: "It works again."}}
	if _, err := w.db.PutIncident(ctx, store.Incident{Component: "calls-abroad", Node: "b", Kind: status.Measured, Title: "Calls abroad fail", Began: past, Ended: past.Add(11 * time.Minute), Updates: updates}); err != nil {
		return nil, err
	}
	plan := store.Incident{Kind: status.Planned, Title: "New version on both nodes", Began: now.AddDate(0, 0, 5).Truncate(time.Hour), Ended: now.AddDate(0, 0, 5).Truncate(time.Hour).Add(30 * time.Minute), Updates: []store.IncidentUpdate{{At: now, By: "tom", Text: "One after the other. Calls go on. A phone may log in again once."}}}
	if _, err := w.db.PutIncident(ctx, plan); err != nil {
		return nil, err
	}
	probes := map[status.Component]status.Probe{}
	for _, c := range status.Components {
		probes[c] = func(context.Context) status.State {
			if c == status.CallsAbroad && w.failing.Load() {
				return status.Part
			}
			return status.Good
		}
	}
	var err error
	w.status, err = status.New(status.Options{
		Store: w.db, Node: "a", Probes: probes, Home: func(string) bool { return true }, Zone: zone, Every: 50 * time.Millisecond, Mail: w.take, URL: w.base, Key: make([]byte, 32), Provider: help.Provider,
	})
	return w.status, err
}

// fail has calls abroad fail until the page says so, with what staff add.
func (w *world) fail(ctx context.Context) error {
	w.failing.Store(true)
	for range 200 {
		if v := w.status.View(time.Now()); len(v.Open) > 0 && v.Open[0].ID != 0 {
			_, err := w.status.Note(ctx, "tom", v.Open[0].ID, "One of our carriers abroad has found a broken link. We are moving your calls to the others: you should see few failures from now on.", false, time.Now())
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return context.DeadlineExceeded
}
