package location

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unique"

	"ringfence/state/store"
)

// never is after every instant.
const never = time.Duration(math.MaxInt64)

// binding is a Binding as kept: instants as elapsed time, and texts that many phones share only once.
type binding struct {
	key             string // tells the bindings of a line apart; never changes
	contact, callID string
	instance        string
	agent           unique.Handle[string]
	transport       unique.Handle[string]
	received        netip.AddrPort
	listener        unique.Handle[netip.AddrPort]
	expires, since  time.Duration
	heard           time.Duration // when it registered last
	gone            time.Duration // since when it is known to be unreachable; 0: it is not
	login           uint64
	cseq            uint32
	flow            uint32        // the connection that it registered on
	kept            time.Duration // as expires was written last, or is being written; 0: never, else its removal must be written too
	dirty           bool          // to be written
}

func (b *binding) public(begun time.Time) Binding {
	return Binding{
		Contact: b.contact, Instance: b.instance, Received: b.received, Transport: b.transport.Value(), Flow: b.flow, Listener: b.listener.Value(), CallID: b.callID, CSeq: b.cseq,
		UserAgent: b.agent.Value(), Expires: begun.Add(b.expires), Since: begun.Add(b.since), Heard: begun.Add(b.heard),
	}
}

// connects says that the phone is reached over a connection.
func (b *binding) connects() bool { return b.transport.Value() != "udp" }

func (b *binding) row(line string, begun time.Time) store.Registration {
	listener := ""
	if at := b.listener.Value(); at.IsValid() {
		listener = at.String()
	}
	return store.Registration{
		Key: b.key, Instance: b.instance, Listener: listener, Heard: begun.Add(b.heard).Round(0).UTC(),
		Line: line, Contact: b.contact, Received: b.received.String(), Transport: b.transport.Value(), CallID: b.callID,
		CSeq: int64(b.cseq), UserAgent: b.agent.Value(), Expires: begun.Add(b.expires).Round(0).UTC(), Since: begun.Add(b.since).Round(0).UTC(),
	}
}

// kind of a change.
type kind uint8

const (
	added kind = iota
	removed
	expired
	moved // other address, transport, contact or User-Agent of the same phone
)

// change of one binding.
type change struct {
	kind kind
	why  string
	now  binding // as it is, or was last
	was  binding // of moved
}

// plan works one REGISTER out on a copy of a line's bindings, so that it takes effect as a whole or not at all.
type plan struct {
	u       *Update
	at      time.Duration
	o       *Options
	list    []binding // begins as the line's, ends as what it shall be
	changes []change
}

func (p *plan) run() error {
	if p.u.All {
		return p.removeAll()
	}
	old := p.list // CSeq is judged against these: one REGISTER may name a contact twice
	if len(p.u.Contacts) > 1 {
		old = slices.Clone(old)
	}
	for i := range p.u.Contacts {
		c := &p.u.Contacts[i]
		if i := p.find(old, c); i >= 0 && p.stale(&old[i]) {
			return ErrStaleCSeq
		}
		p.contact(c)
	}
	for len(p.list) > p.o.MaxContacts {
		i := p.missedLeast()
		if i < 0 {
			return ErrTooMany
		}
		p.changes = append(p.changes, change{kind: removed, why: "too-many", now: p.list[i]})
		p.list = slices.Delete(p.list, i, i+1)
	}
	return nil
}

func (p *plan) removeAll() error {
	for i := range p.list {
		if p.stale(&p.list[i]) {
			return ErrStaleCSeq
		}
		p.changes = append(p.changes, change{kind: removed, why: "unregistered", now: p.list[i]})
	}
	p.list = nil
	return nil
}

// stale: out of order (RFC 3261 10.3, step 7). A phone that was restarted may count from the start under the Call-ID that it always
// has: it has forgotten the challenge that it answered before, and answers a new one.
func (p *plan) stale(b *binding) bool {
	return b.callID == p.u.CallID && p.u.CSeq <= b.cseq && b.login == p.u.Login
}

// find is the binding that a contact of the REGISTER is, -1 if it is a new one: what calls itself the same, else the same URI from the
// same place. A private address says little: two homes may have a phone at 192.168.1.10, and so may two floors behind one address.
func (p *plan) find(list []binding, c *Contact) int {
	found := -1
	for i := range list {
		switch b := &list[i]; {
		case c.Instance != "" && b.instance != "":
			if b.instance != c.Instance || p.mine(b) && !p.same(b, c) {
				continue
			}
			if p.same(b, c) {
				return i
			}
			found = i
		case found < 0 && p.from(b, c) && p.same(b, c):
			found = i
		}
	}
	return found
}

func (p *plan) same(b *binding, c *Contact) bool {
	return b.contact == c.URI || p.o.Same(b.contact, c.URI)
}

// from says whether a binding is of the phone that sent the REGISTER, if it has the same URI: it registered under this Call-ID, or
// from there; a phone that is not behind address translation may use another port, and so may one whose connection is gone.
func (p *plan) from(b *binding, c *Contact) bool {
	if b.callID == p.u.CallID || b.received == p.u.Received {
		return true
	}
	return b.received.Addr() == p.u.Received.Addr() && (c.Direct || p.unreachable(b) != never)
}

// mine says that this REGISTER has made or refreshed a binding.
func (p *plan) mine(b *binding) bool {
	return b.heard == p.at && b.callID == p.u.CallID && b.cseq == p.u.CSeq && b.login == p.u.Login
}

// unreachable is since when a phone cannot be reached as far as is known, never if it can.
func (p *plan) unreachable(b *binding) time.Duration {
	switch {
	case b.gone != 0:
		return b.gone
	case b.connects() && !p.o.Connected(b.received, b.transport.Value(), b.flow):
		return b.heard
	}
	return never
}

// missedLeast is the binding to give up when there are too many: the one that has been unreachable longest, else the one that has not
// registered for longest, those with a connection last. -1: all are of this REGISTER.
func (p *plan) missedLeast() int {
	best := -1
	var since time.Duration
	var up bool
	for i := range p.list {
		b := &p.list[i]
		if p.mine(b) {
			continue
		}
		gone, connected := p.unreachable(b), false
		if gone == never {
			gone, connected = never/2+b.heard/2, b.connects()
		}
		if best < 0 || up && !connected || up == connected && gone < since {
			best, since, up = i, gone, connected
		}
	}
	return best
}

func (p *plan) contact(c *Contact) {
	i := p.find(p.list, c)
	switch {
	case c.Expires <= 0 && i < 0:
	case c.Expires <= 0:
		p.changes = append(p.changes, change{kind: removed, why: "unregistered", now: p.list[i]})
		p.list = slices.Delete(p.list, i, i+1)
	case i < 0:
		b := binding{key: p.newKey(c), since: p.at}
		if b.key == c.URI {
			b.contact = b.key
		}
		p.refresh(&b, c)
		p.list = append(p.list, b)
		p.changes = append(p.changes, change{kind: added, now: b})
	default:
		was := p.list[i]
		b := &p.list[i]
		p.refresh(b, c)
		if was.received != b.received || was.transport != b.transport || was.agent != b.agent || was.contact != b.contact {
			p.changes = append(p.changes, change{kind: moved, now: *b, was: was})
		}
	}
}

// newKey is a key that no other binding of the line has: the contact, and a number where that is taken.
func (p *plan) newKey(c *Contact) string {
	key := strings.Clone(c.URI)
	for n := 2; slices.ContainsFunc(p.list, func(b binding) bool { return b.key == key }); n++ {
		key = c.URI + " " + strconv.Itoa(n)
	}
	return key
}

// refresh sets what every REGISTER of a contact brings. When its expiry, its CSeq and perhaps its Call-ID are all that is new, it is
// written only once a quarter of the time that the store knows of is over: phones behind address translation register every minute for
// an hour. A number from before a restart causes no refusal: an older REGISTER than the last has an older nonce too.
func (p *plan) refresh(b *binding, c *Contact) {
	b.dirty = b.dirty || b.contact != c.URI || b.instance != c.Instance || b.received != p.u.Received
	if b.callID != p.u.CallID {
		b.callID = strings.Clone(p.u.CallID)
	}
	if b.contact != c.URI {
		b.contact = strings.Clone(c.URI)
	}
	if b.instance != c.Instance {
		b.instance = strings.Clone(c.Instance)
	}
	b.cseq, b.login, b.received, b.flow = p.u.CSeq, p.u.Login, p.u.Received, p.u.Flow
	b.heard, b.gone = p.at, 0
	if b.transport == (unique.Handle[string]{}) || b.agent.Value() != p.u.UserAgent || b.transport.Value() != p.u.Transport || b.listener.Value() != p.u.Listener {
		b.agent, b.transport, b.listener = unique.Make(p.u.UserAgent), unique.Make(p.u.Transport), unique.Make(p.u.Listener)
		b.dirty = true
	}
	b.expires = p.at + min(c.Expires, maxExpires)
	b.dirty = b.dirty || b.kept > b.expires || b.kept-p.at <= (b.expires-p.at)/4*3
}
