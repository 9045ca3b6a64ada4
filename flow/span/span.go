// Package span traces calls across the stages that they pass, for OpenTelemetry: how long the login took, the price, the
// decision, the money, the route and the record. It stands between an edge and what the edge asks and tells, so that a
// program without traces pays nothing. It decides nothing, and must not know SIP or who collects the spans.
package span

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/flow/door"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
)

// Bounds of what is remembered: concurrent traced calls, and logins whose call has not followed yet.
const (
	maxCalls  = 50_000
	maxLogins = 4096
)

// Tracer makes the spans. A call is the span "call"; its children are "authenticate", "rate", "decide" and "hold" (from gate.Lap),
// "connect", "talk" and "settle". Numbers are not in them: they name the call's id, which the journal and the record have.
type Tracer struct {
	spans trace.Tracer
	oneIn uint64
	count atomic.Uint64

	mu     sync.Mutex // owns all below
	logins map[caller]period
	calls  map[call.ID]*trip
}

type caller struct {
	line string
	at   netip.Addr
}

type period struct{ from, until time.Time }

// trip is one call under way. last is when its latest stage was over.
type trip struct {
	ctx  context.Context // with the span of the call
	last time.Time
	up   bool
}

// New traces one call in oneIn.
func New(spans trace.Tracer, oneIn int) *Tracer {
	return &Tracer{spans: spans, oneIn: uint64(max(oneIn, 1)), logins: map[caller]period{}, calls: map[call.ID]*trip{}}
}

// Door is a door whose calls are traced.
type Door struct {
	*door.Door
	t *Tracer
}

// Door wraps a door.
func (t *Tracer) Door(d *door.Door) Door { return Door{d, t} }

// Login remembers how long it took, until the call follows that it is for.
func (d Door) Login(l *door.Login) guard.Result {
	from := time.Now()
	res := d.Door.Login(l)
	if string(l.Method) == "INVITE" && res.Line != "" {
		d.t.mu.Lock()
		defer d.t.mu.Unlock()
		if len(d.t.logins) >= maxLogins {
			clear(d.t.logins)
		}
		d.t.logins[caller{res.Line, l.Src}] = period{from, time.Now()}
	}
	return res
}

// Admit begins the span of a call, and ends it where the call is refused.
func (d Door) Admit(ctx context.Context, try gate.Attempt) (*gate.Plan, error) {
	c := d.t.begin(&try)
	if c == nil {
		return d.Door.Admit(ctx, try)
	}
	plan, err := d.Door.Admit(context.WithValue(ctx, tripKey{}, c), try)
	span := trace.SpanFromContext(c.ctx)
	if r := (*gate.Refusal)(nil); errors.As(err, &r) {
		span.SetAttributes(attribute.String("ringfence.reason", r.Reason.Code()))
		span.SetStatus(codes.Error, r.Reason.Code())
	}
	if err != nil {
		span.End()
		return plan, err
	}
	span.SetAttributes(attribute.String("ringfence.call", string(plan.ID)))
	d.t.mu.Lock()
	defer d.t.mu.Unlock()
	if len(d.t.calls) >= maxCalls {
		span.End() // what follows is not traced
		return plan, nil
	}
	d.t.calls[plan.ID] = c
	return plan, nil
}

type tripKey struct{}

// begin is the trip of an attempt, if it is one of those that are traced.
func (t *Tracer) begin(try *gate.Attempt) *trip {
	if t.count.Add(1)%t.oneIn != 0 {
		return nil
	}
	now := time.Now()
	t.mu.Lock()
	who := caller{try.Line, try.Source.Addr()}
	login, logged := t.logins[who]
	delete(t.logins, who)
	t.mu.Unlock()
	if logged = logged && try.Line != ""; !logged {
		login.from = now
	}
	ctx, _ := t.spans.Start(context.Background(), "call", trace.WithTimestamp(login.from), trace.WithNewRoot(), trace.WithAttributes(
		attribute.String("ringfence.line", account.Handle(try.Line)), attribute.String("ringfence.trunk", account.Handle(try.Trunk)),
	))
	c := &trip{ctx: ctx, last: now}
	if logged {
		t.stage(c, "authenticate", login.from, login.until)
	}
	return c
}

func (t *Tracer) stage(c *trip, name string, from, until time.Time) {
	_, span := t.spans.Start(c.ctx, name, trace.WithTimestamp(from))
	span.End(trace.WithTimestamp(until))
}

// next ends the stage that began when the one before was over.
func (t *Tracer) next(c *trip, name string) {
	now := time.Now()
	t.stage(c, name, c.last, now)
	c.last = now
}

// Lap is gate.Options.Lap.
func (t *Tracer) Lap(ctx context.Context, stage string) {
	if c, ok := ctx.Value(tripKey{}).(*trip); ok {
		t.next(c, stage)
	}
}

// on calls f for a call that is traced.
func (t *Tracer) on(id call.ID, f func(c *trip)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.calls[id]; c != nil {
		f(c)
	}
}

// Answered ends the stage of the route.
func (d Door) Answered(ctx context.Context, id call.ID, route gate.Route, snapshot []byte) error {
	err := d.Door.Answered(ctx, id, route, snapshot)
	d.t.on(id, func(c *trip) {
		if !c.up {
			d.t.next(c, "connect")
			c.up = true
		}
	})
	return err
}

// Notify ends the talk, or a route that was not answered; the settlement ends the call.
func (d Door) Notify(id call.ID, event any) {
	if e, ok := event.(gate.End); ok {
		d.t.on(id, func(c *trip) {
			stage := "connect"
			if c.up {
				stage = "talk"
			}
			d.t.next(c, stage)
			trace.SpanFromContext(c.ctx).SetAttributes(attribute.String("ringfence.reason", e.Reason.Code()))
		})
	}
	d.Door.Notify(id, event)
	if _, ok := event.(gate.Over); ok {
		d.t.on(id, func(c *trip) {
			d.t.next(c, "settle")
			trace.SpanFromContext(c.ctx).End()
			delete(d.t.calls, id)
		})
	}
}
