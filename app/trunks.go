package app

import (
	"context"
	"time"

	"ringfence/app/config"
	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/edge/sip"
	"ringfence/flow/desk"
)

// useRoutes takes over how trunks are chosen from a validated configuration.
func (a *App) useRoutes(cfg *config.Config) {
	if r, err := cfg.Routes(); err == nil {
		a.routes.Store(&r)
	}
}

// trunkFull says that a trunk has as many calls as it may. Before the edge is open none has.
func (a *App) trunkFull(t *account.Trunk) bool {
	if a.sip == nil || t.MaxCalls == 0 && t.MaxRate == 0 {
		return false
	}
	_, full := a.sip.TrunkCalls(t)
	return full != sip.HasRoom
}

// trunksNow is what all trunks do at the moment, and did within a day, by identity.
func (a *App) trunksNow(ctx context.Context) map[string]*api.TrunkNow {
	out := map[string]*api.TrunkNow{}
	figures := map[string]*desk.Trunk{}
	if lately, err := a.desk.Trunks(ctx, time.Now()); err == nil { // without a store the rest is known nevertheless
		for i := range lately {
			figures[lately[i].Name] = &lately[i]
		}
	}
	left, all := a.sip.LeftOut(), a.book.AllTrunks()
	for i := range all {
		t := &all[i]
		n, _ := a.sip.TrunkCalls(t)
		now := &api.TrunkNow{Calls: int64(n)}
		for _, x := range left[t.Name] {
			now.LeftOut = append(now.LeftOut, api.TrunkSilent{Address: x.At.String(), Transport: x.Over.Small(), Since: x.Since.UTC(), Until: x.Until.UTC(), Asked: x.Asked})
		}
		if f := figures[account.Handle(t.Name)]; f != nil {
			now.Day, now.Hour = trunkFigures(f.Sum(len(f.Quarters))), trunkFigures(f.Sum(4))
		}
		out[t.Name] = now
	}
	return out
}

func trunkFigures(q desk.Quarter) api.TrunkFigures {
	f := api.TrunkFigures{Tried: q.Tried, Answered: q.Answered, Failed: q.Failed}
	if r, ok := q.Ratio(); ok {
		f.Ratio = &r
	}
	if d, ok := q.Average(); ok {
		f.Delay = new(d.Milliseconds())
	}
	return f
}

// silentTrunks are the servers of carriers that calls pass over, for the status.
func (a *App) silentTrunks() map[string][]string {
	out := map[string][]string{}
	for name, all := range a.sip.LeftOut() {
		for _, x := range all {
			out[account.Handle(name)] = append(out[account.Handle(name)], x.At.String())
		}
	}
	return out
}
