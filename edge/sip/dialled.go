package sip

import (
	"bytes"
	"net/url"
	"strings"
	"unicode"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// sosNumber stands for emergency calls without a number. 112 is an emergency number in every plan that has any.
const sosNumber = "112"

// dialled is what was dialled: the user part without its parameters (RFC 3261 19.1.6), and the context that makes a local
// number global (RFC 3966 5.1.5), "" if there is none.
func dialled(m *message.Message) (digits, context string) {
	if isSOS(m) {
		return sosNumber, ""
	}
	return dialledIn(m.URI())
}

// dialledIn is what a URI says is dialled.
func dialledIn(u *message.URI) (digits, context string) {
	user := string(u.AppendUser(nil))
	if c, ok := u.Param("phone-context"); ok {
		context = string(c)
	}
	digits, rest, _ := strings.Cut(strings.Map(visible, user), ";")
	for param := range strings.SplitSeq(rest, ";") {
		if name, value, _ := strings.Cut(param, "="); strings.EqualFold(name, "phone-context") {
			context = value
		}
	}
	return digits, plainContext(digits, clipText(context, 64))
}

// visible leaves out what nobody can dial, and what would steer a terminal or turn a page's text round: control characters and marks of direction. Numbers that are
// copied come with such marks.
func visible(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && unicode.In(r, unicode.Cc, unicode.Cf) {
		return -1
	}
	return r
}

// plainContext is a phone-context without escapes and visual separators. A number that begins with '+' needs none (RFC 3966 5.1.5).
func plainContext(digits, context string) string {
	if strings.HasPrefix(digits, "+") {
		return ""
	}
	if plain, err := url.PathUnescape(context); err == nil {
		context = strings.Map(visible, plain)
	}
	if !strings.HasPrefix(context, "+") {
		return strings.ToLower(context)
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-.() ", r) {
			return -1
		}
		return r
	}, context)
}

// localContext leaves out a context that is our own: a number that is local to us is taken as it was dialled.
func (e *Edge) localContext(context string, m *message.Message) string {
	return e.ownContext(context, m.URI())
}

// ownContext is localContext for a URI that names us.
func (e *Edge) ownContext(context string, u *message.URI) string {
	if strings.EqualFold(context, string(u.Host)) || strings.EqualFold(context, e.o.Realm) {
		return ""
	}
	return context
}

// isSOS says that a request is for the emergency services by name: urn:service:sos and below (RFC 5031), or sip:sos@.
func isSOS(m *message.Message) bool {
	uri := m.RequestURI()
	const urn = "urn:service:sos"
	if len(uri) >= len(urn) && bytes.EqualFold(uri[:len(urn)], []byte(urn)) {
		return len(uri) == len(urn) || uri[len(urn)] == '.'
	}
	u := m.URI()
	return (u.Scheme == message.SIP || u.Scheme == message.SIPS) && strings.EqualFold(string(u.User), "sos")
}

// emergency says that a line's call goes to an emergency number.
func (e *Edge) emergency(a *gate.Attempt) bool {
	return a.Trunk == "" && e.o.Emergency(a.Dialled)
}

// inboundFrom says which trunk a request without credentials of ours comes from. What it says of its caller proves nothing: a
// carrier's call may present the number of one of our lines. A phone that is registered at that very address and port is asked to
// log in, unless our own calls to the trunk go there.
func (e *Edge) inboundFrom(p *transport.Packet) (trunk string, ok bool) {
	if trunk := e.provedBy(p); trunk != "" {
		return trunk, true
	}
	trunk, is := e.trunkFrom(p.Src)
	if trunk == "" || !is.Phone {
		return trunk, trunk != ""
	}
	if e.door.Peer(p.Src, e.names.host(p.Src)).Out != "" {
		return trunk, true
	}
	return "", false
}

// calledAtContact takes the number of a carrier's call from To when the carrier called the Contact that we registered there, which is a
// user and no number.
func (e *Edge) calledAtContact(a *gate.Attempt, m *message.Message) {
	t := e.trunk(a.Trunk)
	if t.Registrar == "" || a.Dialled != t.User || m.To().URI == nil {
		return
	}
	if u, ok := m.To().ParseURI(); ok {
		a.Dialled, a.Context = dialledIn(&u)
		a.Context = e.ownContext(a.Context, &u)
	}
}

// fits says whether the uri of a digest is of this request. Many phones leave out the user part, so only one that names
// another user is refused.
func fits(uri []byte, m *message.Message) bool {
	if bytes.Equal(uri, m.RequestURI()) {
		return true
	}
	signed, ok := message.ParseURI(uri)
	if !ok || len(signed.User) == 0 {
		return true
	}
	return bytes.Equal(signed.AppendUser(nil), m.URI().AppendUser(nil))
}
