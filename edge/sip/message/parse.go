package message

import (
	"bytes"
	"math"
)

// Fault says why a message is refused. Status 0: drop it silently; else it may be answered with that status, and the
// Message holds what AppendResponse needs.
type Fault struct {
	Status int
	Why    string // fixed text, safe to log, to count by and to send as a reason phrase
}

// Error returns the reason.
func (f *Fault) Error() string { return f.Why }

// fault is a reason with both its forms made beforehand, so that a flood of bad packets allocates nothing.
type fault struct{ answer, drop Fault }

func because(status int, why string) *fault {
	return &fault{Fault{status, why}, Fault{0, why}}
}

// An answer repeats Via, From, To, Call-ID and CSeq, so what is wrong with those, and what leaves the end of the headers
// unknown, is not answered.
var (
	faultSize        = because(513, "message too large")
	faultStart       = because(0, "not a SIP start line")
	faultVersion     = because(505, "SIP version not supported")
	faultMethod      = because(400, "malformed method")
	faultURI         = because(400, "malformed Request-URI")
	faultURILong     = because(414, "Request-URI too long")
	faultScheme      = because(416, "URI scheme not supported")
	faultStatus      = because(0, "malformed status line")
	faultLine        = because(0, "malformed header line")
	faultBreak       = because(0, "bare CR, LF or NUL in the headers")
	faultUnended     = because(0, "headers not ended by an empty line")
	faultMany        = because(0, "too many header lines")
	faultTwice       = because(400, "header field repeated")
	faultMissing     = because(0, "mandatory header field missing")
	faultVia         = because(0, "malformed Via")
	faultFromTo      = because(0, "malformed From or To")
	faultCallID      = because(0, "malformed Call-ID")
	faultCSeq        = because(0, "malformed CSeq")
	faultMismatch    = because(400, "CSeq method is not the request's")
	faultMaxForwards = because(400, "malformed Max-Forwards")
	faultLength      = because(400, "malformed Content-Length")
	faultShort       = because(400, "body shorter than Content-Length")
	faultExpires     = because(400, "malformed Expires")
	faultContact     = because(400, "malformed Contact")
	faultRoute       = because(400, "malformed Route or Record-Route")
)

// Parse reads one message from b: a datagram, or one message of a stream as Frame cut it. It returns nil when the
// message may be dispatched. b belongs to m from then on: m points into it, and folded header lines are unfolded in
// place (CR LF become spaces). Bytes after the body are ignored, as are empty lines before the start line.
//
// A BYE or CANCEL that would be refused is read again by its essence: what is odd in it does not keep a call up.
func Parse(m *Message, b []byte) *Fault {
	for len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		b = b[2:]
	}
	f := m.parse(b)
	if f == nil || !Ends(b) {
		return f
	}
	if text := essence(b); text != nil && m.parse(text) == nil {
		return nil
	}
	return m.parse(b)
}

func (m *Message) parse(b []byte) *Fault {
	m.Reset()
	if len(b) > MaxSize {
		return &faultSize.drop
	}
	m.buf = b
	pos, ok := m.parseStart(b)
	if ok {
		if pos, ok = m.parseFields(pos); ok {
			m.parseBody(pos)
		}
	}
	return m.verdict()
}

// fail keeps the first fault found, or the first that forbids an answer.
func (m *Message) fail(f *fault) {
	if m.fault == nil || m.fault.answer.Status != 0 && f.answer.Status == 0 {
		m.fault = f
	}
}

// verdict decides whether a faulty message may be answered: a request other than ACK (which has no answer) whose
// headers that an answer repeats are all there and sound.
func (m *Message) verdict() *Fault {
	routed := m.viaCount > 0 || m.request && m.method == BYE // without a Via it still says which call is over
	complete := routed && m.from.URI != nil && m.to.URI != nil && m.callID != nil && m.cseqText != nil
	if m.fault == nil && !complete {
		m.fault = faultMissing
	}
	switch {
	case m.fault == nil:
		return nil
	case complete && m.request && m.method != ACK && m.fault.answer.Status != 0:
		return &m.fault.answer
	}
	return &m.fault.drop
}

// parseStart reads the start line and returns where the headers begin; false when this is not SIP at all.
func (m *Message) parseStart(b []byte) (int, bool) {
	end := bytes.IndexByte(b, '\r')
	if end < 12 || end+1 >= len(b) || b[end+1] != '\n' {
		m.fail(faultStart)
		return 0, false
	}
	line := b[:end]
	if bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line, 0) >= 0 {
		m.fail(faultBreak)
		return 0, false
	}
	if len(line) > 4 && equalFold(line[:4], "sip/") {
		return end + 2, m.parseStatusLine(line)
	}
	return end + 2, m.parseRequestLine(line)
}

func (m *Message) parseStatusLine(line []byte) bool {
	sp := bytes.IndexByte(line, ' ')
	if sp < 0 || !equalFold(line[:sp], "sip/2.0") {
		m.fail(faultVersion)
		return false
	}
	rest := line[sp+1:]
	if len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' {
		m.fail(faultStatus)
		return false
	}
	code, _, ok := number(rest[:3], 999)
	if !ok || code < 100 || code > 699 {
		m.fail(faultStatus)
		return false
	}
	m.status = uint16(code)
	if len(rest) > 4 {
		m.phrase = rest[4:]
	}
	return true
}

func (m *Message) parseRequestLine(line []byte) bool {
	text := line
	for len(text) > 0 && text[len(text)-1] == ' ' {
		m.fail(faultURI) // RFC 4475 section 3.1.2.11: space after the version
		text = text[:len(text)-1]
	}
	sp, last := bytes.IndexByte(text, ' '), bytes.LastIndexByte(text, ' ')
	if sp < 1 || last <= sp || len(text)-last < 5 || !equalFold(text[last+1:last+5], "sip/") {
		m.fail(faultStart)
		return false
	}
	m.request = true
	m.start, m.uri = text[:sp], text[sp+1:last]
	m.method = MethodOf(m.start)
	if m.method == Other && !all(m.start, cToken) {
		m.fail(faultMethod)
	}
	if !equalFold(text[last+1:], "sip/2.0") {
		m.fail(faultVersion)
	}
	m.checkURI()
	return true
}

// sosURN is the one other scheme that is dispatched: a call for help that names no number (RFC 5031).
var sosURN = []byte("urn:service:sos")

func (m *Message) checkURI() {
	if len(m.uri) > MaxURI {
		m.fail(faultURILong)
		return
	}
	u, ok := ParseURI(m.uri)
	switch {
	case !ok || u.Headers != nil: // section 19.1.1: headers have no place in a Request-URI
		m.fail(faultURI)
	case u.Scheme == OtherScheme && !bytes.HasPrefix(bytes.ToLower(m.uri[:min(len(m.uri), len(sosURN))]), sosURN):
		m.fail(faultScheme)
	}
	m.ruri = u
}

// parseFields reads the header lines and returns where the body begins; false when the end could not be found.
func (m *Message) parseFields(pos int) (int, bool) {
	b, head := m.buf, pos
	for {
		if pos+1 >= len(b) {
			m.fail(faultUnended)
			return 0, false
		}
		if b[pos] == '\r' && b[pos+1] == '\n' {
			break
		}
		if m.n == MaxHeaders {
			m.fail(faultMany)
			return 0, false
		}
		if pos = m.parseLine(pos); pos < 0 {
			return 0, false
		}
	}
	// One pass of the vectorised counters proves that no line break hides inside a value.
	if bytes.Count(b[head:pos], lf) != int(m.n) || !nulsEscaped(b[head:pos]) {
		m.fault = faultBreak
		return 0, false
	}
	for i := range int(m.n) {
		m.check(&m.fields[i])
	}
	return pos + 2, true
}

var lf = []byte{'\n'}

// nulsEscaped tells whether each NUL is the second half of a quoted pair, the only place where the grammar has it
// (RFC 4475 section 3.1.1.2).
func nulsEscaped(b []byte) bool {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return true
		}
		slashes := 0
		for j := i - 1; j >= 0 && b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return false
		}
		b = b[i+1:]
	}
}

// parseLine reads the header line at pos with its continuations and returns where the next one starts, -1 on a fault.
func (m *Message) parseLine(pos int) (next int) {
	b := m.buf
	i, h := pos, uint32(0)
	for i < len(b) && class[b[i]]&cToken != 0 {
		h = hashStep(h, b[i])
		i++
	}
	nameEnd := i
	i = skipSpace(b, i)
	if nameEnd == pos || nameEnd-pos > maxName || i >= len(b) || b[i] != ':' {
		m.fail(faultLine)
		return -1
	}
	i++
	end := i
	for {
		cr := bytes.IndexByte(b[end:], '\r')
		if cr < 0 {
			m.fail(faultUnended)
			return -1
		}
		end += cr
		if end+1 >= len(b) || b[end+1] != '\n' {
			m.fail(faultBreak)
			return -1
		}
		if end+2 >= len(b) || b[end+2] != ' ' && b[end+2] != '\t' {
			break
		}
		b[end], b[end+1] = ' ', ' '
	}
	m.addField(findName(b[pos:nameEnd], h), pos, nameEnd, i, end)
	return end + 2
}

func (m *Message) addField(id HeaderID, name, nameEnd, from, to int) {
	from = skipSpace(m.buf[:to], from)
	for to > from && (m.buf[to-1] == ' ' || m.buf[to-1] == '\t') {
		to--
	}
	m.fields[m.n] = field{value: uint16(from), length: uint16(to - from), name: uint16(name), nameLen: uint8(nameEnd - name), id: id}
	m.n++
	if id == HOther {
		return
	}
	if m.first[id] == 0 {
		m.first[id] = m.n
	} else if single[id] {
		m.fail(faultTwice)
	}
}

// check reads the headers that matching, routing and framing depend on. Repeated ones keep their first value, so that
// the refusal can be answered.
func (m *Message) check(f *field) {
	v := m.value(f)
	switch f.id {
	case HVia:
		m.checkVia(v)
	case HFrom:
		m.checkFromTo(&m.from, v)
	case HTo:
		m.checkFromTo(&m.to, v)
	case HCallID:
		m.checkCallID(v)
	case HCSeq:
		m.checkCSeq(v)
	case HMaxForwards:
		n, big, ok := number(v, 255)
		if !ok || big {
			m.fail(faultMaxForwards)
		}
		m.maxFwd = int16(n)
	case HContentLength:
		n, big, ok := number(v, MaxSize)
		if !ok || big {
			m.fail(faultLength)
		}
		m.bodyLen = int32(n)
	case HExpires, HMinExpires:
		if _, _, ok := number(v, math.MaxUint32); !ok {
			m.fail(faultExpires)
		}
	case HContact:
		m.checkContact(v)
	case HRoute, HRecordRoute:
		if !addrListOK(v) {
			m.fail(faultRoute)
		}
	}
}

func (m *Message) checkVia(b []byte) {
	var other Via
	for i := 0; ; i++ {
		v := &other
		if m.viaCount == 0 {
			v = &m.via
		}
		next, ok := v.parse(b, i)
		if !ok || m.viaCount == 255 || string(v.Version) != "2.0" && (m.fault != faultVersion || v == &other) {
			m.fail(faultVia)
			return
		}
		if m.viaCount++; m.viaCount == 1 {
			m.viaNext = uint16(next)
		}
		if i = next; i >= len(b) {
			return
		}
	}
}

func (m *Message) checkFromTo(a *Addr, v []byte) {
	if a.URI != nil {
		return
	}
	next, ok := a.parse(v, 0)
	if !ok || next < len(v) {
		*a = Addr{}
		m.fail(faultFromTo)
		return
	}
	if tag, has := a.Param("tag"); has && (len(tag) == 0 || !all(tag, cToken)) {
		m.fail(faultFromTo)
	}
}

func (m *Message) checkCallID(v []byte) {
	if m.callID != nil {
		return
	}
	if !all(v, cVisible) {
		m.fail(faultCallID)
		return
	}
	m.callID = v
}

func (m *Message) checkCSeq(v []byte) {
	if m.cseqText != nil {
		return
	}
	end := span(v, 0, cDigit)
	n, big, ok := number(v[:end], 1<<31-1)
	at := skipSpace(v, end)
	if !ok || big || at == end || !all(v[at:], cToken) {
		m.fail(faultCSeq)
		return
	}
	m.cseq, m.cseqText = uint32(n), v[at:]
	m.cseqMethod = MethodOf(m.cseqText)
	if m.request && !bytes.Equal(m.cseqText, m.start) {
		m.fail(faultMismatch)
	}
}

func (m *Message) checkContact(v []byte) {
	if len(v) == 1 && v[0] == '*' {
		if m.Count(HContact) != 1 || m.method != REGISTER {
			m.fail(faultContact)
		}
		return
	}
	if !addrListOK(v) {
		m.fail(faultContact)
	}
}

func addrListOK(v []byte) bool {
	var a Addr
	for i := 0; ; i++ {
		next, ok := a.parse(v, i)
		if !ok {
			return false
		}
		if i = next; i >= len(v) {
			return true
		}
	}
}

// parseBody cuts the body. Without Content-Length it is the rest of the datagram (section 18.3).
func (m *Message) parseBody(pos int) {
	rest := m.buf[pos:]
	switch {
	case m.bodyLen < 0:
		m.body = rest
	case int(m.bodyLen) > len(rest):
		m.fail(faultShort)
	default:
		m.body = rest[:m.bodyLen]
	}
	m.buf = m.buf[:pos+len(m.body)]
}
