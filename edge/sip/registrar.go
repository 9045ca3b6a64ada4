package sip

import (
	"errors"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/guard"
	"ringfence/flow/location"
)

// register answers a REGISTER with credentials (RFC 3261 section 10.3). Only the bindings are kept of it, and, for a
// while, that it was accepted, because a retransmission cannot log in a second time.
func (s *shard) register(p *transport.Packet) {
	e, m := s.e, &p.Msg
	key := repeatKey(p)
	if line := s.accepted.find(key, s.now); line != "" {
		e.stats.repeats.Add(1)
		s.listPhones(p, s.phones(line))
		return
	}
	res, challenge, ok := e.login(p)
	if !ok {
		return
	}
	if res.Outcome == guard.Refuse {
		e.stats.refusedRegisters.Add(1)
		e.refuseStateless(p, res.Reason, res.Figures)
		return
	}
	if u, ok := m.To().ParseURI(); !ok || string(u.AppendUser(s.lines[:0])) != account.Handle(res.Line) {
		e.stats.refusedRegisters.Add(1) // no phone registers for another line (10.3, 5)
		e.refuseStateless(p, policy.BadCredentials, policy.Figures{})
		return
	}
	if lines := unsupported(m); lines != nil {
		e.stats.refusedRegisters.Add(1)
		e.answer(p, message.Reply{Code: 420, Lines: lines})
		return
	}
	s.bind(p, res.Line, challenge, key)
}

// bind changes the bindings and answers with those there are.
func (s *shard) bind(p *transport.Packet, line string, challenge, key uint64) {
	e := s.e
	u, fault := e.update(p, challenge, s.wall)
	var bindings []location.Binding
	if fault == nil {
		var err error
		bindings, err = e.door.Register(line, u)
		fault = registerFault(err)
	}
	if fault != nil {
		e.stats.refusedRegisters.Add(1)
		if fault == &tooBrief {
			e.answer(p, message.Reply{Code: tooBrief.Status, Lines: []byte("Min-Expires: " + seconds(e.o.MinExpires) + "\r\n")})
			return
		}
		e.refuseHeader(p, fault)
		return
	}
	e.stats.registers.Add(1)
	e.net.LoggedIn(p.From(), line)
	s.accepted.keep(key, line, s.now)
	s.listPhones(p, bindings)
}

// listPhones answers with the phones that are registered.
func (s *shard) listPhones(p *transport.Packet, all []location.Binding) {
	s.lines = appendContacts(s.lines[:0], all, s.wall)
	if outbound(&p.Msg) {
		s.lines = append(s.lines, "Require: outbound\r\n"...)
		if p.Proto != transport.UDP {
			s.lines = append(s.lines, keepOpen...)
		}
	}
	s.e.answer(p, message.Reply{Code: 200, Lines: s.lines})
}

// What a REGISTER may be refused for.
var (
	noOutbound   = message.Fault{Status: 439, Header: "Via", Why: "the proxy before us does not keep a phone's connection"}
	tooBrief     = message.Fault{Status: 423, Header: "Expires", Why: "interval too brief"}
	badStar      = message.Fault{Status: 400, Header: "Contact", Why: "Contact * requires Expires: 0 and no other contact"}
	badScheme    = message.Fault{Status: 400, Header: "Contact", Why: "a Contact that is not a SIP URI"}
	tooManyBinds = message.Fault{Status: 400, Header: "Contact", Why: "more contacts than a line may have"}
	badBinding   = message.Fault{Status: 400, Header: "Contact", Why: "a Contact or Call-ID that is empty or too long"}
	outOfOrder   = message.Fault{Status: 500, Header: "CSeq", Why: "a REGISTER with this CSeq or a higher one was received before"}
)

func registerFault(err error) *message.Fault {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, location.ErrStaleCSeq):
		return &outOfOrder
	case errors.Is(err, location.ErrTooMany):
		return &tooManyBinds
	}
	return &badBinding
}

// update reads the contacts of a REGISTER, or says what it is refused for. Its strings may point into the packet.
func (e *Edge) update(p *transport.Packet, challenge uint64, now time.Time) (u location.Update, fault *message.Fault) {
	m := &p.Msg
	u = location.Update{
		CallID: message.TextOf(m.CallID()), CSeq: m.CSeq(), Login: challenge, Received: replyTo(p).Addr, Transport: p.Proto.Small(),
		UserAgent: cleanText(message.TextOf(m.Get(message.HUserAgent)), 128), Now: now,
	}
	if p.Proto == transport.UDP {
		u.Listener = p.Local
	} else {
		u.Flow = p.Flow
	}
	if m.ViaCount() > 1 && outbound(m) {
		return u, &noOutbound // section 6 of RFC 5626: the connection is the proxy's
	}
	asked, given := m.Expires()
	if m.ContactStar() {
		u.All = true
		if !given || asked != 0 {
			return u, &badStar
		}
		return u, nil
	}
	for a := range m.Addrs(message.HContact) {
		secs, ok := a.Expires()
		if !ok {
			secs = asked
		}
		d := time.Duration(secs) * time.Second
		if !ok && !given {
			d = e.o.MaxExpires
		}
		if d > 0 && d < e.o.MinExpires {
			return u, &tooBrief
		}
		uri, ok := a.ParseURI()
		if !ok || uri.Scheme != message.SIP && uri.Scheme != message.SIPS {
			return u, &badScheme
		}
		u.Contacts = append(u.Contacts, location.Contact{
			URI: message.TextOf(a.URI), Expires: min(d, e.o.MaxExpires), Instance: instanceOf(a), Direct: direct(&uri, p),
		})
	}
	return u, nil
}

// instanceOf is a phone's instance ID and the number of its flow (RFC 5626), "" if it sends none.
func instanceOf(a *message.Addr) string {
	v, _ := a.Param("+sip.instance")
	name := strings.ToLower(strings.Trim(string(v), `"<>`))
	if name == "" {
		return ""
	}
	if id, ok := a.Param("reg-id"); ok {
		name += "#" + string(id)
	}
	return name
}

func appendContacts(b []byte, all []location.Binding, now time.Time) []byte {
	for i := range all {
		b = append(b, "Contact: <"...)
		b = append(b, all[i].Contact...)
		b = appendInstance(append(b, '>'), all[i].Instance)
		b = append(b, ";expires="...)
		b = strconv.AppendInt(b, int64(max(all[i].Expires.Sub(now)+time.Second-1, 0)/time.Second), 10)
		b = append(b, "\r\n"...)
	}
	return b
}

// accepted are the latest REGISTERs that were accepted: two generations of bounded size, of which the older is dropped.
type accepted struct{ current, last map[uint64]loggedIn }

// loggedIn is a REGISTER that was accepted.
type loggedIn struct {
	line string
	at   time.Duration
}

// Limits on what is kept: retransmissions come within 32 s, nearly all within one second.
const (
	maxAccepted  = 4096 // of a generation
	acceptedLife = 32 * time.Second
)

// find gives the line of a REGISTER that was accepted, by its repeatKey; "" is none.
func (a *accepted) find(key uint64, now time.Duration) string {
	r, ok := a.current[key]
	if !ok {
		r = a.last[key]
	}
	if now-r.at > acceptedLife {
		return ""
	}
	return r.line
}

func (a *accepted) keep(key uint64, line string, now time.Duration) {
	if a.current == nil || len(a.current) >= maxAccepted {
		a.current, a.last = make(map[uint64]loggedIn, maxAccepted), a.current
	}
	a.current[key] = loggedIn{line, now}
}

var repeatSeed = maphash.MakeSeed()

// repeatKey is the same for each retransmission of a request and for nothing else: it covers all of its bytes, and its source.
func repeatKey(p *transport.Packet) uint64 {
	return maphash.Bytes(repeatSeed, p.Msg.Bytes()) ^ maphash.Comparable(repeatSeed, p.Src)
}
