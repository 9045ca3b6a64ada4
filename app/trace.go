package app

import (
	"context"
	"errors"
	"time"

	"ringfence/core/fact"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/edge/sip"
)

// trace hands over the messages of a line or call. Who looks, at what and for how long is in the journal before anything is seen, and what was
// seen after it.
func (a *App) trace(ctx context.Context, actor string, q *rest.TraceQuery, yield func(api.TraceMessage) error) error {
	what := sip.TraceWhat{Call: q.Call, For: q.For, Most: q.Most}
	if l, ok := a.book.Line(q.Line); ok {
		what.Users = []string{l.Handle()}
		if n := l.Number(); n != "" {
			what.Users = append(what.Users, n, "+"+n, "00"+n)
			if home := a.book.Plan().Home(); len(home) > 1 && len(n) > len(home)-1 && "+"+n[:len(home)-1] == home {
				what.Users = append(what.Users, "0"+n[len(home)-1:])
			}
		}
	}
	for _, c := range a.gate.Calls() {
		if q.Call != "" && c.ID == q.Call || q.Line != "" && (c.Line == q.Line || c.Peer == q.Line) {
			what.CallIDs = append(what.CallIDs, c.ALeg, c.BLeg)
		}
	}
	a.traceFact(q, &fact.TraceBegun{By: actor, For: q.For, Messages: int64(q.Most)})
	end, err := a.sip.Trace(ctx, what, func(m sip.Traced) error {
		direction := "out"
		if m.In {
			direction = "in"
		}
		return yield(api.TraceMessage{At: m.At.UTC(), Direction: direction, Peer: m.Peer.String(), Transport: m.Proto, Text: m.Text})
	})
	if errors.Is(err, sip.ErrTraces) {
		end.Why, err = "as many run as may", rest.ErrTraces
	}
	a.traceFact(q, &fact.TraceEnded{By: actor, Bytes: int64(end.Bytes), Messages: int64(end.Messages), Missed: int64(end.Missed), Why: end.Why})
	if err == nil {
		err = yield(api.TraceMessage{End: end.Why, Missed: end.Missed})
	}
	return err
}

func (a *App) traceFact(q *rest.TraceQuery, f fact.Body) {
	a.ledger.Record(f.Row(time.Now(), fact.Subject{Line: q.Line, Account: a.accountOf(q.Line), Call: q.Call}))
}
