package sip

import (
	"cmp"
	"net/netip"
	"strings"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/door"
	"ringfence/flow/location"
)

// A phone is reached where it sends from, because that is what its NAT lets in. Without a NAT it may also be where it says: at the port in its
// Via, when it does not send from the one where it listens, and at its Contact, when its connection is gone. It is believed only about
// its own address, so that an attacker cannot make us send to a third party.

// replyTo is where answers to a request go, and later requests to a phone: to where it came from, but to the port in its Via when it
// asks for that by leaving out rport and is not behind address translation (RFC 3261 18.2.2, RFC 3581).
func replyTo(p *transport.Packet) transport.Dest {
	d, v := p.From(), p.Msg.Via()
	if d.Proto != transport.UDP || v.HasRPort || v.Port == 0 || v.Port == d.Addr.Port() || !fromVia(p) {
		return d
	}
	d.Addr = netip.AddrPortFrom(d.Addr.Addr(), v.Port)
	return d
}

// fromVia says that a request comes from the address in its Via: there is no address translation.
func fromVia(p *transport.Packet) bool {
	a, ok := p.Msg.Via().Addr()
	return ok && a.Unmap() == p.Src.Addr().Unmap().WithZone("")
}

// atContact is where a phone that was last at an address listens by its Contact, if that is believed.
func (e *Edge) atContact(contact string, last netip.Addr) (transport.Dest, bool) {
	u, ok := message.ParseURI([]byte(contact))
	if !ok || u.Scheme != message.SIP {
		return transport.Dest{}, false
	}
	a, ok := u.Addr()
	if !ok || !sameHost(a.Unmap(), last.Unmap()) {
		return transport.Dest{}, false
	}
	d := transport.Dest{Addr: netip.AddrPortFrom(a.Unmap(), cmp.Or(u.Port, 5060)), Proto: transport.UDP}
	over, _ := u.Param("transport")
	switch strings.ToLower(string(over)) {
	case "tcp":
		d.Proto = transport.TCP
	case "tls", "ws", "wss": // it chose that before, and is not called in the clear
		return transport.Dest{}, false
	}
	return d, true
}

// sameHost says whether two addresses belong to one host: they are equal, in one /64 of IPv6, of which a host has several addresses, or both
// loopback.
func sameHost(a, b netip.Addr) bool {
	switch {
	case a == b.WithZone("") || a.IsLoopback() && b.IsLoopback():
		return true
	case !a.Is6() || !b.Is6():
		return false
	}
	p, err := a.Prefix(64)
	return err == nil && p.Contains(b.WithZone(""))
}

// direct says whether a contact names the address that its REGISTER came from.
func direct(u *message.URI, p *transport.Packet) bool {
	a, ok := u.Addr()
	return ok && a.Unmap() == p.Src.Addr().Unmap().WithZone("")
}

// placeOf is where a registered phone is called.
func (e *Edge) placeOf(b *location.Binding) transport.Dest {
	d := transport.Dest{Addr: b.Received, Proto: transport.ProtoOf(b.Transport)}
	switch {
	case d.Proto == transport.UDP:
		d.Flow = e.net.FlowAt(b.Listener)
		return d
	case d.Proto.Secure():
		d.Flow = b.Flow
	}
	return e.reach(d, b.Contact)
}

// reach is where to send to a phone that was at d: at its Contact when the connection is gone, unless that was encrypted.
func (e *Edge) reach(d transport.Dest, contact string) transport.Dest {
	if d.Proto == transport.UDP || d.Proto == link || d.Proto.Secure() || e.net.Connected(d) {
		return d
	}
	if at, ok := e.atContact(contact, d.Addr.Addr()); ok {
		return at
	}
	return d
}

// heard notes where a leg's packets come from: requests go there, so that phones behind NAT are reached. An answer may leave from
// another port than the one where its phone listens. Carriers are sent to by the rules (nextHop).
func (l *leg) heard(p *transport.Packet) {
	switch {
	case l.trunk != "":
	case p.Msg.IsRequest():
		l.dest = replyTo(p)
	case p.Proto != transport.UDP || l.dest.Proto != transport.UDP || p.Src.Addr() != l.dest.Addr.Addr():
		l.dest = p.From()
	}
}

// sendReply sends an answer back the way its request came; over a new connection when that one is gone and the phone says where it
// listens (RFC 3261 18.2.2).
func (s *shard) sendReply(t *server, out []byte) {
	to := t.to
	if t.back.IsValid() && !s.e.net.Connected(to) {
		to = transport.Dest{Addr: t.back, Proto: transport.TCP}
	}
	s.e.send(to, out, 0)
}

// backOf is where the sender of a request over TCP listens by its Via; zero: there is address translation, or no TCP.
func backOf(p *transport.Packet) netip.AddrPort {
	if p.Proto != transport.TCP || !fromVia(p) {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(p.Src.Addr(), cmp.Or(p.Msg.Via().Port, 5060))
}

// atItsContact sends a request that its connection did not carry to where the phone listens by its Contact, and says whether it did.
func (s *shard) atItsContact(c *client) bool {
	l := c.leg
	if l.trunk != "" || c.cancelled || c.why == forCancel {
		return false
	}
	to := l.nextHop()
	if to.Addr == c.to.Addr && to.Proto == c.to.Proto {
		return false
	}
	was := c.to
	c.to = to
	sent := s.reissue(c, func(*message.Writer) {})
	if c.to = was; sent {
		l.drop(c)
	}
	return sent
}

// connectionClosed takes the transport's report that a connection on which a line had logged in is gone.
func (e *Edge) connectionClosed(d transport.Dest, line string) {
	e.door.Notify("", door.Unreachable{Line: line, At: d.Addr})
}

// silentHere notes that a called phone, or a carrier's server, does not respond at all.
func (c *client) silentHere() {
	l := c.leg
	if c.why == forInvite && l.trunk != "" && !l.uas && l.state == early && c.to == l.dest {
		l.b.s.e.avoided.silent(l.trunk, c.to, l.target, l.b.s.wall)
	}
	if e := l.b.s.e; c.why == forInvite && l.line != "" && l.trunk == "" && !l.uas {
		e.door.Notify("", door.Unreachable{Line: l.line, At: c.to.Addr})
	}
}

// Connected says whether there is a connection from a phone: on TLS and WSS the one that it registered on.
func (e *Edge) Connected(at netip.AddrPort, over string, flow uint32) bool {
	d := transport.Dest{Addr: at, Proto: transport.ProtoOf(over)}
	if d.Proto.Secure() {
		d.Flow = flow
	}
	return e.net.Connected(d)
}
