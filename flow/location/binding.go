package location

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unique"

	"ringfence/state/store"
)

// never is after every instant.
const never = time.Duration(math.MaxInt64)

// binding is a Binding as kept: instants as elapsed time, and texts that many phones share only once.
type binding struct {
	contact, callID string
	agent           unique.Handle[string]
	transport       unique.Handle[string]
	received        netip.AddrPort
	expires, since  time.Duration
	cseq            uint32
	dirty           bool // to be written
	stored          bool // written once, or being written: its removal must be written too
}

func (b *binding) public(begun time.Time) Binding {
	return Binding{
		Contact: b.contact, Received: b.received, Transport: b.transport.Value(), CallID: b.callID, CSeq: b.cseq,
		UserAgent: b.agent.Value(), Expires: begun.Add(b.expires), Since: begun.Add(b.since),
	}
}

func (b *binding) row(line string, begun time.Time) store.Registration {
	return store.Registration{
		Line: line, Contact: b.contact, Received: b.received.String(), Transport: b.transport.Value(), CallID: b.callID,
		CSeq: int64(b.cseq), UserAgent: b.agent.Value(), Expires: begun.Add(b.expires).Round(0).UTC(), Since: begun.Add(b.since).Round(0).UTC(),
	}
}

// kind of a change, as the journal names it.
type kind string

const (
	added   kind = "registration.added"
	removed kind = "registration.removed"
	expired kind = "registration.expired"
	moved   kind = "registration.moved" // other address, transport or User-Agent under the same contact
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
	limit   int
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
	for _, c := range p.u.Contacts {
		if i := slices.IndexFunc(old, func(b binding) bool { return b.contact == c.URI }); i >= 0 && p.stale(&old[i]) {
			return ErrStaleCSeq
		}
		p.contact(c)
	}
	if len(p.list) > p.limit {
		return ErrTooMany
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

// stale: out of order, or an old one played again (RFC 3261 10.3, step 7).
func (p *plan) stale(b *binding) bool { return b.callID == p.u.CallID && p.u.CSeq <= b.cseq }

func (p *plan) contact(c Contact) {
	i := slices.IndexFunc(p.list, func(b binding) bool { return b.contact == c.URI })
	switch {
	case c.Expires <= 0 && i < 0:
	case c.Expires <= 0:
		p.changes = append(p.changes, change{kind: removed, why: "unregistered", now: p.list[i]})
		p.list = slices.Delete(p.list, i, i+1)
	case i < 0:
		b := binding{contact: strings.Clone(c.URI), since: p.at}
		p.refresh(&b, c)
		p.list = append(p.list, b)
		p.changes = append(p.changes, change{kind: added, now: b})
	default:
		was := p.list[i]
		b := &p.list[i]
		p.refresh(b, c)
		if was.received != b.received || was.transport != b.transport || was.agent != b.agent {
			p.changes = append(p.changes, change{kind: moved, now: *b, was: was})
		}
	}
}

// refresh sets what every REGISTER of a contact brings.
func (p *plan) refresh(b *binding, c Contact) {
	if b.callID != p.u.CallID {
		b.callID = strings.Clone(p.u.CallID)
	}
	b.cseq, b.received, b.dirty = p.u.CSeq, p.u.Received, true
	b.agent, b.transport = unique.Make(p.u.UserAgent), unique.Make(p.u.Transport)
	b.expires = p.at + min(c.Expires, maxExpires)
}
