package sip

import (
	"net/netip"
	"sync"
	"time"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
)

// A request to a carrier that is too large for a datagram goes over TCP, although the trunk is one of UDP (RFC 3261 section 18.1.1): a datagram in several
// fragments is lost with any of them, and many firewalls drop fragments. The Contact stays one of UDP. A server that takes no TCP, or does not answer over it, is
// sent the request over UDP, and is not tried over TCP again for a while. A phone is reached only at the place that its packets come from, so its requests stay on UDP.

// largest is the size of a request, in bytes, up to which UDP carries it where the MTU of the path is not known.
const largest = 1300

// noTCPFor is how long a server that took no TCP is not asked for it again.
const noTCPFor = 10 * time.Minute

// maxNoTCP bounds the servers that are remembered.
const maxNoTCP = 1024

// noTCP are the servers that took no TCP. Safe for concurrent use; the zero value is ready.
type noTCP struct {
	mu    sync.Mutex // owns until
	until map[netip.AddrPort]time.Time
}

func (n *noTCP) add(at netip.AddrPort, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.until == nil || len(n.until) >= maxNoTCP {
		n.until = map[netip.AddrPort]time.Time{}
	}
	n.until[at] = now.Add(noTCPFor)
}

func (n *noTCP) has(at netip.AddrPort, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return now.Before(n.until[at])
}

// overTCP is where a request of a size goes instead of to a place, if TCP is to carry it. We must listen on TCP too, for who answers over a new connection.
func (l *leg) overTCP(to transport.Dest, size int) (transport.Dest, bool) {
	e := l.b.s.e
	if size <= largest || to.Proto != transport.UDP || l.trunk == "" || e.noTCP.has(to.Addr, l.b.s.wall) {
		return to, false
	}
	over := transport.Dest{Addr: to.Addr, Proto: transport.TCP}
	return over, e.net.LocalFor(over).IsValid()
}

// overUDP sends a request over UDP that TCP was to carry because of its size, and says whether it does: there is no connection, or no answer over it.
func (s *shard) overUDP(c *client) bool {
	if !c.udp.Addr.IsValid() || c.cancelled || c.State() != transaction.Calling {
		return false
	}
	s.e.noTCP.add(c.udp.Addr, s.wall)
	was := c.to
	c.to = c.udp
	c.tries-- // nobody has seen it
	s.reissue(c, func(*message.Writer) {})
	c.to = was
	c.leg.drop(c)
	if u := c.leg.b.setup; u != nil && c.why == forInvite {
		u.silentAt = s.now + s.e.o.Silence
	}
	return true
}

// sentTo is where a request of a previous process went: to the place of its leg, over the transport that its Via names.
func (s *shard) sentTo(to transport.Dest, req []byte) transport.Dest {
	if v := s.own(req).Via(); v != nil && to.Proto == transport.UDP && string(v.Transport) == transport.TCP.String() {
		return transport.Dest{Addr: to.Addr, Proto: transport.TCP}
	}
	return to
}
