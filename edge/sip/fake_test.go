package sip

import (
	"context"
	"net/netip"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/flow/auth"
	"ringfence/flow/door"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/location"
)

// fakes stand in for the door. What a test does not set knows nothing and allows everything.
type fakes struct {
	check         func(c *auth.Credentials, src netip.Addr, now time.Time) guard.Result
	challenge     func(dst []byte, proxy, stale bool, src netip.Addr, now time.Time) []byte
	register      func(line string, u location.Update) ([]location.Binding, error)
	lookup        func(line string, now time.Time) []location.Binding
	unreachable   func(line string, at netip.AddrPort, now time.Time)
	isPhone       func(src netip.AddrPort) bool
	trunk         func(name string) (account.Trunk, bool)
	trunkPassword func(name string) (string, bool)
	trunkOf       func(src netip.AddrPort) (name string, ok bool)
	trunkAt       func(src netip.AddrPort, host string) (name string, ok bool)
	allowed       func(line string, src netip.Addr, now time.Time) bool
	trunkMay      func(name string, src netip.Addr) bool
	wrongTags     func(src netip.Addr)
	emergency     func(dialled string) bool
	lineCalls     func(line string) int
	admit         func(ctx context.Context, a gate.Attempt) (*gate.Plan, error)

	crowded       func(c gate.Crowd)
	questioned    func(id call.ID, q gate.Questioned)
	ringing       func(id call.ID)
	trying        func(id call.ID, route gate.Route, bleg string)
	answered      func(ctx context.Context, id call.ID, route gate.Route, snapshot []byte) error
	snapshot      func(id call.ID, snapshot []byte)
	ended         func(id call.ID, e gate.End)
	answeredAfter func(id call.ID, trunk, leg string)
	priced        func(id call.ID, legs []gate.Leg)
	over          func(id call.ID, legs []gate.Leg)
	serve         func(e gate.Edge)
	seek          func(id call.ID, leg string) (found bool, err error) // nil: there are no other nodes
}

// edge makes one that knows of other nodes if the fakes do.
func (f *fakes) edge(o Options) (*Edge, error) {
	o.Nodes, o.Emergency = f.seek != nil, f.emergency
	if f.emergency == nil {
		o.Emergency = func(string) bool { return false }
	}
	e, err := New(o, f)
	if err == nil && f.serve != nil {
		f.serve(e.Obeys())
	}
	return e, err
}

func (f *fakes) Login(l *door.Login) (res guard.Result) {
	if l.Nonce != nil {
		res = f.check(&l.Credentials, l.Src, l.Now)
	}
	if res.Outcome == guard.Challenge {
		l.Ask = f.challenge(l.Ask, l.Proxy, res.Stale, l.Src, l.Now)
	}
	return res
}

func (f *fakes) Peer(src netip.AddrPort, host string) (p door.Peer) {
	if name, ok := f.trunkOf(src); ok {
		p.Trunk = name
	}
	if f.trunkAt != nil {
		if name, ok := f.trunkAt(src, host); ok {
			p.Out = name
		}
	}
	p.Phone = f.isPhone != nil && f.isPhone(src)
	return p
}

func (f *fakes) May(p door.Party, src netip.Addr, now time.Time) bool {
	if p.Trunk != "" {
		return f.trunkMay == nil || f.trunkMay(p.Trunk, src)
	}
	return f.allowed == nil || f.allowed(p.Line, src, now)
}

func (f *fakes) Reach(p door.Party, now time.Time) (r door.Reach) {
	if p.Trunk != "" {
		r.Trunk, _ = f.trunk(p.Trunk)
		r.Password = func() (string, bool) { return f.trunkPassword(p.Trunk) }
		return r
	}
	r.Phones, r.Calls = f.lookup(p.Line, now), 10
	if f.lineCalls != nil {
		r.Calls = f.lineCalls(p.Line)
	}
	return r
}

func (f *fakes) Register(line string, u location.Update) ([]location.Binding, error) {
	return f.register(line, u)
}

func (f *fakes) Admit(ctx context.Context, a gate.Attempt) (*gate.Plan, error) {
	return f.admit(ctx, a)
}

func (f *fakes) Answered(ctx context.Context, id call.ID, route gate.Route, snapshot []byte) error {
	return f.answered(ctx, id, route, snapshot)
}

func (f *fakes) Seek(id call.ID, leg string, _ bool) (found bool, err error) { return f.seek(id, leg) }

func (f *fakes) Notify(id call.ID, event any) {
	switch e := event.(type) {
	case gate.Ringing:
		f.ringing(id)
	case gate.Trying:
		f.trying(id, e.Route, e.BLeg)
	case gate.Snapshot:
		f.snapshot(id, e)
	case gate.End:
		f.ended(id, e)
	case gate.Over:
		f.over(id, e)
	case gate.Priced:
		if f.priced != nil {
			f.priced(id, e)
		}
	case gate.AnsweredAfter:
		if f.answeredAfter != nil {
			f.answeredAfter(id, e.Trunk, e.BLeg)
		}
	case gate.Questioned:
		if f.questioned != nil {
			f.questioned(id, e)
		}
	case gate.Crowd:
		if f.crowded != nil {
			f.crowded(e)
		}
	case door.Unreachable:
		if f.unreachable != nil {
			f.unreachable(e.Line, e.At, time.Now())
		}
	case door.WrongTags:
		if f.wrongTags != nil {
			f.wrongTags(netip.Addr(e))
		}
	}
}
