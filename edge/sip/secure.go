package sip

import (
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/edge/sip/locate"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
)

// What differs where packets go over TLS: whom we believe a carrier to be, and the flow on which a phone is reached (RFC 5626).

// portOf is the port where no other is given (RFC 3261 19.1.2).
func portOf(p transport.Proto) uint16 {
	if p.Secure() {
		return 5061
	}
	return 5060
}

// hostIn is the host of a trunk's address.
func hostIn(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// certified is whom the certificate of a trunk that we call over TLS must be of; "" when it is called otherwise.
func (e *Edge) certified(trunk string) string {
	if t := e.trunk(trunk); mayBeSecure(&t) && len(t.Addresses) > 0 {
		return hostIn(t.Addresses[0])
	}
	return ""
}

// provedBy is the trunk in use whose name is in the certificate that a packet's connection began with; "" is none. Carriers whose addresses change
// are known that way.
func (e *Edge) provedBy(p *transport.Packet) string {
	for _, name := range p.Proved {
		for _, at := range []string{net.JoinHostPort(name, strconv.Itoa(int(portOf(transport.TLS)))), name} {
			trunk := e.door.Peer(p.Src, at).Out
			if trunk == "" {
				continue
			}
			if t := e.trunk(trunk); mayBeSecure(&t) && !t.Disabled {
				return trunk
			}
		}
	}
	return ""
}

// mayBeSecure says that a trunk is called over TLS, or that its carrier may want that.
func mayBeSecure(t *account.Trunk) bool {
	return t.Transport == transport.TLS.Small() || t.Transport == locate.Auto
}

// newFlow finds the connection that the leg's phone has now, when that of the leg is gone: it has registered again, with the same Contact.
func (l *leg) newFlow() {
	e := l.b.s.e
	if !l.dest.Proto.Secure() || l.login == "" || e.net.Connected(l.dest) {
		return
	}
	for _, b := range l.b.s.phones(l.login) {
		if message.SameURI(requestURI(b.Contact), l.target) {
			l.dest = e.placeOf(&b)
			return
		}
	}
}

// protoIn is how a leg's record names the transport, where "tcp" does not say enough.
func protoIn(d transport.Dest) string {
	if d.Proto.Secure() && d.Proto != link {
		return d.Proto.Small()
	}
	return ""
}

// complaints say in the log why a carrier cannot be reached over TLS: each reason once a minute.
type complaints struct {
	mu   sync.Mutex
	last map[string]time.Time // owned by mu
}

// Bounds of what is remembered of them.
const (
	maxComplaints  = 1024
	complaintEvery = time.Minute
)

func (c *complaints) say(log *slog.Logger, d transport.Dest, err error) {
	key, now := d.Name+" "+err.Error(), time.Now()
	c.mu.Lock()
	said := now.Sub(c.last[key]) < complaintEvery
	if c.last == nil || len(c.last) >= maxComplaints {
		c.last = map[string]time.Time{}
	}
	if !said {
		c.last[key] = now
	}
	c.mu.Unlock()
	if !said {
		log.Warn("a message to a carrier could not be sent", "carrier", d.Name, "address", d.Addr.String(), "err", err)
	}
}
