package sip

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/locate"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

// tryRoute calls the next route; when none is left the call has failed.
func (b *bridge) tryRoute() {
	u := b.setup
	for u.route < len(u.plan.Routes) {
		route := u.plan.Routes[u.route]
		if u.carrier = route.Line == ""; !u.carrier {
			if b.ringNext() {
				return
			}
			continue
		}
		if b.tryTrunk(route) {
			return
		}
		u.route, u.address, u.targets = u.route+1, 0, nil
	}
	if !b.tryLeftOut() {
		b.allFailed()
	}
}

// passed is a server that a call has passed over.
type passed struct {
	route   gate.Route
	address string // whose server it is
	over    string
	target  locate.Target
}

// tryLeftOut calls a server that has been passed over, and says whether it does: every one for an emergency call, and one for another call that
// has found nothing else to try.
func (b *bridge) tryLeftOut() bool {
	u := b.setup
	if len(u.leftOut) == 0 || u.tried >= maxOuts || u.tried > 0 && !u.plan.Always {
		return false
	}
	p := u.leftOut[0]
	u.leftOut, u.carrier = u.leftOut[1:], true
	if t := b.s.e.trunk(p.route.Trunk); b.s.e.outs.take(&t, u.plan.Always, b.s.wall) != HasRoom {
		u.full++
		return false
	}
	b.dial(p.route, destOf(p.target, p.address), b.trunkURI(p.route.User, p.address, p.over, p.target.Proto))
	return true
}

// tryTrunk calls the next target of a trunk, and says whether there is one: the addresses of the trunk in their order, and of each the
// servers in theirs (RFC 3263 4.3).
func (b *bridge) tryTrunk(route gate.Route) bool {
	s, u := b.s, b.setup
	t := s.e.trunk(route.Trunk)
	for u.tried < maxOuts && !b.tooLong() {
		if len(u.targets) > 0 {
			target := u.targets[0]
			u.targets = u.targets[1:]
			if b.openly(target.Proto) {
				continue
			}
			if out, asked := s.e.avoided.leavesOut(target, s.wall); out {
				if !asked || u.plan.Always {
					u.leftOut = append(u.leftOut, passed{route, u.aimed, t.Transport, target})
				}
				continue
			}
			if s.e.outs.take(&t, u.plan.Always, s.wall) != HasRoom {
				u.full++
				return false
			}
			b.dial(route, destOf(target, u.aimed), b.trunkURI(route.User, u.aimed, t.Transport, target.Proto))
			return true
		}
		if u.address >= len(t.Addresses) {
			return false
		}
		u.address++
		address := t.Addresses[u.address-1]
		u.aimed = address
		servers, known := s.e.names.known(address, t.Transport, s.wall)
		if !known {
			b.findTrunk(route, address, t.Transport)
			return true
		}
		b.aim(servers)
	}
	return false
}

// destOf is where a server of a carrier's name is. The certificate must be of the name, and never of one in an SRV record (RFC 5922 section 4).
func destOf(t locate.Target, name string) transport.Dest {
	d := transport.Dest{Addr: t.Addr, Proto: t.Proto}
	if d.Proto == transport.TLS {
		d.Name = hostIn(name)
	}
	return d
}

// aim puts the servers of a trunk's address into the order for this call: those of a family that we do not speak are left out.
func (b *bridge) aim(servers *locate.Servers) {
	s, u := b.s, b.setup
	if servers == nil {
		return
	}
	u.targets = slices.DeleteFunc(servers.Order(rand.New(s.random).IntN), func(t locate.Target) bool {
		here, _ := s.e.localAddr(transport.Dest{Addr: t.Addr, Proto: t.Proto})
		return !here.IsValid()
	})
	u.targets = u.targets[:min(len(u.targets), maxTargets)]
}

// maxTargets bounds the servers of one address that a call tries.
const maxTargets = 8

// tooLong says that a call has looked for a carrier for so long that its caller has given up, as a rule (RFC 3261 timer B). An emergency call
// goes on.
func (b *bridge) tooLong() bool {
	u := b.setup
	if u.searchAt == 0 {
		u.searchAt = b.s.now
	}
	return !u.plan.Always && b.s.now-u.searchAt >= b.s.e.o.Timers.Patience()
}

// keepAfter is how long the first route may ring before what a restart needs to end it is stored: most calls are answered or
// over by then, and a leg that was not stored is found by the Call-ID of its answer.
const keepAfter = time.Second

// maxOuts bounds the legs that one call tries.
const maxOuts = 20

// allFailed goes on to what the called line forwards to, or ends a call for which nothing is left to try.
func (b *bridge) allFailed() {
	u := b.setup
	if u.rangOut && !u.sentOn { // although others were busy
		u.failed = &ending{by: call.Callee, why: policy.NoAnswer, status: 480}
	}
	if u.failed != nil {
		if !b.goesOn(u.failed, u.failed.silent) {
			b.finish(*u.failed)
		}
		return
	}
	end := ending{by: call.System, why: policy.TrunksFailed, f: policy.Figures{Value: u.tried}}
	if b.sips && u.tried == 0 && len(u.plan.Routes) > 0 && u.full == 0 {
		end = ending{by: call.System, why: policy.NotSecure}
	} else if u.full > 0 && u.tried == 0 {
		end = ending{by: call.System, why: policy.TrunksFull, f: policy.Figures{Value: int64(u.full)}}
	} else if routes := u.plan.Routes; len(routes) > 0 && routes[len(routes)-1].Line != "" { // its phones have gone since the call was admitted
		end = ending{by: call.System, why: policy.NotRegistered}
	}
	if b.goesOn(&end, false) {
		return
	}
	b.finish(end)
}

// ringNext calls the phones of the next line, and of those that ring with it, and says whether there is one.
func (b *bridge) ringNext() (rang bool) {
	u := b.setup
	first := u.plan.Routes[u.route]
	for n := u.route; u.route < len(u.plan.Routes) && (u.route == n || u.plan.Routes[u.route].With); u.route++ {
		rang = b.ringPhones(u.plan.Routes[u.route]) || rang
	}
	if !rang || u.sentOn {
		return rang
	}
	if f := &u.plan.Forward; first.Rings > 0 {
		u.turnAt = b.s.now + first.Rings
	} else if f.NoAnswer != "" {
		u.ringAt = b.s.now + f.Rings()
	}
	return true
}

// nextTurn gives up the line of a group that rings, and calls the next.
func (b *bridge) nextTurn() {
	b.setup.rangOut = true
	b.silence()
	b.tryRoute()
}

// ringPhones calls every phone registered for a line, and says whether there is one.
func (b *bridge) ringPhones(route gate.Route) bool {
	s, rang := b.s, false
	for _, flows := range flowsOf(s.phones(route.Line)) {
		if b.setup.tried >= maxOuts {
			break
		}
		flows = slices.DeleteFunc(flows, func(f location.Binding) bool { return b.openly(transport.ProtoOf(f.Transport)) })
		if len(flows) == 0 {
			continue
		}
		b.dialPhone(route, flows)
		rang = true
	}
	return rang
}

// openly says that a call must not go over a transport, because it asked to be encrypted. Help does not wait for that.
func (b *bridge) openly(p transport.Proto) bool {
	return b.sips && !p.Secure() && !b.setup.plan.Always
}

// findTrunk asks for the servers of a carrier's name beside the shard, and then goes on.
func (b *bridge) findTrunk(route gate.Route, address, over string) {
	e := b.s.e
	b.s.ask(b, func() func() {
		ctx, cancel := context.WithTimeout(e.ctx, e.o.Silence)
		defer cancel()
		servers, err := e.names.resolve(ctx, address, over, time.Now())
		return func() {
			if b.state != calling {
				return
			}
			if err != nil {
				e.log.Warn("the address of a trunk does not resolve", "trunk", account.Handle(route.Trunk), "address", address, "err", err)
				b.routeFailed(nil, nil, 503)
				return
			}
			b.aim(servers)
			b.tryRoute()
		}
	})
}

// trunkURI is the Request-URI at a carrier: sips: if the call asked for that and goes over TLS.
func (b *bridge) trunkURI(user, address, over string, goes transport.Proto) string {
	uri := "sip:" + user + "@" + address
	if b.sips && goes.Secure() {
		uri = "sips:" + user + "@" + address
	}
	if proto := transport.ProtoOf(over); proto != transport.UDP {
		uri += ";transport=" + proto.Small()
	}
	return uri
}

// dial sends the INVITE of a new leg.
func (b *bridge) dial(route gate.Route, to transport.Dest, uri string) {
	s, u := b.s, b.setup
	l := &leg{
		b: b, callID: s.newCallID(b.home(), b.id), localTag: hex64(s.random.Uint64()), remote: "<" + uri + ">", target: uri,
		dest: to, trunk: route.Trunk, line: route.Line, login: route.Line, unansweredAt: s.wall, counted: route.Trunk != "",
	}
	lines := append([]byte(s.e.offerTimer()), u.location...)
	l.local, lines = b.present(l, lines)
	lines = b.trailLines(l, lines)
	b.all = append(b.all, l)
	b.newFork(l)
	s.uac[l.callID] = l
	u.tried++
	if u.keepAt = s.now + keepAfter; u.tried > 1 {
		u.keepAt = s.now
	}
	if u.silentAt = transaction.Never; route.Trunk != "" {
		u.silentAt = s.now + s.e.o.Silence
	}
	l.session = u.offer.session()
	s.e.door.Notify(b.id, gate.Trying{Route: route, BLeg: l.callID})
	l.asked = l.send(request{method: message.INVITE, why: forInvite, lines: lines, content: u.offer, hops: u.hops})
}
