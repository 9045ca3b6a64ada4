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

// fakes stand in for the door and the gate. What a test does not set knows nothing and allows everything.
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
	scanner       func(agent, from, to, sdp []byte) bool
	wrongTags     func(src netip.Addr)
	emergency     func(dialled string) bool
	lineCalls     func(line string) int
	admit         func(ctx context.Context, a gate.Attempt) (*gate.Plan, error)

	crowded       func(what gate.CrowdKind, c gate.Crowd)
	ringing       func(id call.ID)
	trying        func(id call.ID, w gate.Way, bleg string)
	answered      func(ctx context.Context, id call.ID, w gate.Way, snapshot []byte) error
	snapshot      func(id call.ID, snapshot []byte)
	ended         func(id call.ID, e gate.End)
	answeredAfter func(id call.ID, trunk, leg string)
	priced        func(id call.ID, legs []gate.Leg)
	over          func(id call.ID, legs []gate.Leg)
	serve         func(e gate.Edge)
	recovered     func() []gate.Recovered
	seek          func(id call.ID, leg string) (found bool, err error) // nil: there are no other nodes
}

// deps is what an edge under test asks and tells.
func (f *fakes) deps() Deps { return Deps{Door: f, Gate: f} }

// options are those of a world with the nodes that the fakes know of.
func (f *fakes) options(o Options) Options {
	o.Nodes = f.seek != nil
	return o
}

func (f *fakes) Login(c *auth.Credentials, src netip.Addr, now time.Time) guard.Result {
	return f.check(c, src, now)
}

func (f *fakes) Challenge(dst []byte, proxy, stale bool, src netip.Addr, now time.Time) []byte {
	return f.challenge(dst, proxy, stale, src, now)
}

func (f *fakes) Scanner(agent, from, to, sdp []byte) bool {
	return f.scanner != nil && f.scanner(agent, from, to, sdp)
}

func (f *fakes) Peer(src netip.AddrPort) (p door.Peer) {
	if name, ok := f.trunkOf(src); ok {
		p.Trunk = name
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

func (f *fakes) Admit(ctx context.Context, a gate.Attempt) (*gate.Plan, error) {
	return f.admit(ctx, a)
}

func (f *fakes) Trunk(name string) (account.Trunk, bool) { return f.trunk(name) }

func (f *fakes) TrunkPassword(name string) (string, bool) { return f.trunkPassword(name) }

func (f *fakes) TrunkAt(src netip.AddrPort, host string) (name string, ok bool) {
	if f.trunkAt == nil {
		return "", false
	}
	return f.trunkAt(src, host)
}

func (f *fakes) LineCalls(line string) int {
	if f.lineCalls == nil {
		return 10
	}
	return f.lineCalls(line)
}

func (f *fakes) Emergency(dialled string) bool { return f.emergency != nil && f.emergency(dialled) }

func (f *fakes) Register(line string, u location.Update) ([]location.Binding, error) {
	return f.register(line, u)
}

func (f *fakes) Registered(line string, now time.Time) []location.Binding { return f.lookup(line, now) }

func (f *fakes) Unreachable(line string, at netip.AddrPort, now time.Time) {
	if f.unreachable != nil {
		f.unreachable(line, at, now)
	}
}

func (f *fakes) WrongTags(src netip.Addr) {
	if f.wrongTags != nil {
		f.wrongTags(src)
	}
}

func (f *fakes) Ringing(id call.ID)                         { f.ringing(id) }
func (f *fakes) Trying(id call.ID, w gate.Way, bleg string) { f.trying(id, w, bleg) }
func (f *fakes) Snapshot(id call.ID, snapshot []byte)       { f.snapshot(id, snapshot) }
func (f *fakes) Proved(call.ID)                             {}
func (f *fakes) Ended(id call.ID, e gate.End)               { f.ended(id, e) }
func (f *fakes) Over(id call.ID, legs []gate.Leg)           { f.over(id, legs) }

func (f *fakes) Answered(ctx context.Context, id call.ID, w gate.Way, snapshot []byte) error {
	return f.answered(ctx, id, w, snapshot)
}

func (f *fakes) Priced(id call.ID, legs []gate.Leg) {
	if f.priced != nil {
		f.priced(id, legs)
	}
}

func (f *fakes) AnsweredAfter(id call.ID, trunk, leg string) {
	if f.answeredAfter != nil {
		f.answeredAfter(id, trunk, leg)
	}
}

func (f *fakes) Crowded(what gate.CrowdKind, c gate.Crowd) {
	if f.crowded != nil {
		f.crowded(what, c)
	}
}

func (f *fakes) Serve(e gate.Edge) {
	if f.serve != nil {
		f.serve(e)
	}
}

func (f *fakes) Recovered() []gate.Recovered {
	if f.recovered == nil {
		return nil
	}
	return f.recovered()
}

func (f *fakes) Seek(id call.ID, leg string) (found bool, err error) { return f.seek(id, leg) }
