package span

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/flow/door/doortest"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
)

// traced is a door whose calls are traced in memory.
type traced struct {
	*doortest.Scene
	t     *testing.T
	door  Door
	spans *tracetest.InMemoryExporter
}

func newTraced(t *testing.T, oneIn int) *traced {
	x := &traced{t: t, spans: tracetest.NewInMemoryExporter()}
	provider := trace.NewTracerProvider(trace.WithSyncer(x.spans))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	tracer := New(provider.Tracer("test"), oneIn)
	x.Scene = doortest.New(t, func(o *gate.Options) { o.Lap = tracer.Lap })
	x.door = tracer.Door(x.Scene.Door)
	return x
}

// login logs the line in for a call.
func (x *traced) login(method string) {
	x.t.Helper()
	if res := x.Login(x.door.Login, method, doortest.Home.Addr()); res.Outcome != guard.Accept {
		x.t.Fatalf("%+v", res)
	}
}

func (x *traced) admit(to string) (*gate.Plan, policy.Reason) {
	x.t.Helper()
	plan, err := x.door.Admit(x.t.Context(), gate.Attempt{Line: x.Line, Dialled: to, Source: doortest.Home, ALeg: "x"})
	if r := (*gate.Refusal)(nil); errors.As(err, &r) {
		return nil, r.Reason
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return plan, policy.OK
}

func (x *traced) answer(plan *gate.Plan) {
	x.t.Helper()
	if err := x.door.Answered(x.t.Context(), plan.ID, plan.Routes[0], nil); err != nil {
		x.t.Fatal(err)
	}
}

func (x *traced) end(id call.ID, why policy.Reason) {
	x.door.Notify(id, gate.End{By: call.Caller, Reason: why, Status: 200, At: time.Now()})
	x.door.Notify(id, gate.Over(nil))
}

// calls are the traces so far, oldest first: the stages of each in their order, and the attributes of the whole.
func (x *traced) calls() (all []string) {
	x.t.Helper()
	spans := x.spans.GetSpans()
	for _, root := range spans {
		if root.Name != "call" {
			continue
		}
		var stages []tracetest.SpanStub
		for _, s := range spans {
			if s.Name == "call" || s.SpanContext.TraceID() != root.SpanContext.TraceID() {
				continue
			}
			if s.Parent.SpanID() != root.SpanContext.SpanID() || s.StartTime.Before(root.StartTime) || s.EndTime.After(root.EndTime) || s.EndTime.Before(s.StartTime) {
				x.t.Errorf("%s is no part of its call", s.Name)
			}
			stages = append(stages, s)
		}
		slices.SortStableFunc(stages, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
		said := []string{}
		for _, s := range stages {
			said = append(said, s.Name)
		}
		for _, a := range root.Attributes {
			if a.Key == "ringfence.reason" {
				said = append(said, a.Value.AsString())
			}
			if strings.Contains(a.Value.AsString(), "7946") {
				x.t.Errorf("%s has a number: %s", a.Key, a.Value.AsString())
			}
		}
		if root.Status.Code == codes.Error {
			said = append(said, "refused")
		}
		all = append(all, strings.Join(said, " "))
	}
	return all
}

func (x *traced) want(calls ...string) {
	x.t.Helper()
	if got := x.calls(); !slices.Equal(got, calls) {
		x.t.Errorf("traced\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(calls, "\n"))
	}
	x.spans.Reset()
}

// TestStages: what a call passes, by how it ends.
func TestStages(t *testing.T) {
	const admitted = "rate decide hold "
	for name, c := range map[string]struct {
		do   func(x *traced)
		want string
	}{
		"answered": {func(x *traced) {
			x.login("INVITE")
			plan, _ := x.admit("02079460000")
			x.answer(plan)
			x.end(plan.ID, policy.Hangup)
		}, "authenticate " + admitted + "connect talk settle hangup"},
		"answered twice, as a second way out may be": {func(x *traced) {
			plan, _ := x.admit("02079460000")
			x.answer(plan)
			_ = x.door.Answered(x.t.Context(), plan.ID, plan.Routes[0], nil) // the gate refuses it
			x.end(plan.ID, policy.Hangup)
		}, admitted + "connect talk settle hangup"},
		"given up": {func(x *traced) {
			plan, _ := x.admit("02079460000")
			x.end(plan.ID, policy.Cancelled)
		}, admitted + "connect settle cancelled"},
		"refused": {func(x *traced) {
			x.login("INVITE")
			if _, why := x.admit("09098790123"); why == policy.OK {
				x.t.Error("a call without a price is let out")
			}
		}, "authenticate rate decide unpriced refused"},
		"a login of another request is none of the call": {func(x *traced) {
			x.login("REGISTER")
			plan, _ := x.admit("02079460000")
			x.end(plan.ID, policy.Cancelled)
		}, admitted + "connect settle cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTraced(t, 1)
			c.do(x)
			x.want(c.want)
			if len(x.door.t.calls)+len(x.door.t.logins) != 0 {
				t.Errorf("%d calls and %d logins are remembered", len(x.door.t.calls), len(x.door.t.logins))
			}
		})
	}
}

// TestALoginIsOfOneCall: it is that of the next call of its line from its address, and of no other.
func TestALoginIsOfOneCall(t *testing.T) {
	x := newTraced(t, 1)
	x.login("INVITE")
	for _, from := range []string{"198.51.100.7:5060", doortest.Home.String(), doortest.Home.String()} {
		_, _ = x.door.Admit(t.Context(), gate.Attempt{Line: x.Line, Dialled: "09098790123", Source: netip.MustParseAddrPort(from), ALeg: "x"})
	}
	x.want("rate decide unpriced refused", "authenticate rate decide unpriced refused", "rate decide unpriced refused")
}

// TestOneInSoMany calls is traced; the others, and calls that nobody began here, leave nothing.
func TestOneInSoMany(t *testing.T) {
	x := newTraced(t, 3)
	for range 7 {
		plan, _ := x.admit("02079460000")
		x.answer(plan)
		x.end(plan.ID, policy.Hangup)
	}
	x.want("rate decide hold connect talk settle hangup", "rate decide hold connect talk settle hangup")
	x.end("06h2a7m16bewhaefvpens9k1s8", policy.Hangup)
	x.want()
}

// TestBounds: logins without a call, and calls beyond the bound, are forgotten, and their spans end.
func TestBounds(t *testing.T) {
	x := newTraced(t, 1)
	for i := range maxLogins {
		x.door.t.logins[caller{"2001", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}] = period{}
	}
	x.login("INVITE")
	if n := len(x.door.t.logins); n != 1 {
		t.Errorf("%d logins are remembered", n)
	}
	for i := range maxCalls {
		x.door.t.calls[call.ID(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String())] = nil
	}
	plan, _ := x.admit("02079460000")
	x.want("authenticate rate decide hold")
	x.end(plan.ID, policy.Cancelled)
	x.want()
}
