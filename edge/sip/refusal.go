package sip

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
)

// malformed answers a packet that cannot be accepted, with the reason, unless it is not SIP, is itself an answer, or comes from an attack tool.
func (e *Edge) malformed(p *transport.Packet, f *message.Fault) {
	e.stats.malformed.Add(1)
	if p.Msg.IsRequest() && e.scanner(p) {
		return
	}
	e.refuseHeader(p, f)
}

// refuseHeader answers a packet with the fault in one of its headers, which is logged once for each source and fault.
func (e *Edge) refuseHeader(p *transport.Packet, f *message.Fault) {
	if (f.Status != 0 || f.Header != "") && e.refusals.first(p.Src.Addr(), f.Why, time.Now()) {
		e.log.Warn("a malformed packet was refused", "source", p.Src, "header", f.Header, "why", f.Why, "answered", f.Status, "method", cleanText(string(p.Msg.MethodText()), 20))
	}
	if f.Status == 0 {
		return
	}
	r := message.Reply{Code: f.Status, Lines: appendWarning(nil, f.Why)}
	switch f.Status {
	case 400:
		r.Phrase = strings.ToUpper(f.Why[:1]) + f.Why[1:]
	case 500:
		r.Lines = append(r.Lines, retryAfter...)
	}
	e.answer(p, r)
}

// refusals remembers which refusals are in the log: each once for its source. It limits its memory and what is logged, because
// anyone can send rubbish from any address.
type refusals struct {
	mu    sync.Mutex // owns the rest
	seen  map[refusal]bool
	until time.Time // end of the minute that n counts in
	n     int
}

type refusal struct {
	source netip.Addr
	why    string
}

// Bounds of what is remembered, and logged in a minute.
const (
	maxRefusals       = 4096
	maxRefusalsLogged = 60
)

// first says whether a refusal goes to the log.
func (r *refusals) first(source netip.Addr, reason string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := refusal{source, reason}
	if r.seen[k] {
		return false
	}
	if now.After(r.until) {
		r.until, r.n = now.Add(time.Minute), 0
	}
	if r.n >= maxRefusalsLogged {
		return false // it comes again in another minute, or is unimportant
	}
	r.n++
	if r.seen == nil || len(r.seen) >= maxRefusals {
		r.seen = make(map[refusal]bool)
	}
	r.seen[k] = true
	return true
}
