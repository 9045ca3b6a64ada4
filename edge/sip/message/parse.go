package message

import (
	"bytes"
	"math"
)

// Fault says why a message is refused. Status 0: drop it silently; else it may be answered with that status, and the
// Message holds what AppendResponse needs.
type Fault struct {
	Status int
	Header string // the header field at fault, or "Status-Line"; "" if it is neither
	Why    string // fixed text, safe to log, to count by and to send as a reason phrase
}

// Error returns the reason.
func (f *Fault) Error() string { return f.Why }

// fault is a reason in both its forms, made in advance so that a flood of bad packets allocates nothing.
type fault struct{ answer, drop Fault }

func because(status int, header, reason string) *fault {
	return &fault{Fault{status, header, reason}, Fault{0, header, reason}}
}

// A packet that is not SIP is not answered; everything else is, so that its sender learns why.
var (
	faultSize     = because(513, "", "message too large")
	faultStart    = because(0, "", "not a SIP start line")
	faultVersion  = because(505, "", "SIP version not supported")
	faultMethod   = because(400, "", "malformed method")
	faultRequest  = because(400, "", "malformed request line")
	faultURI      = because(400, "", "malformed Request-URI")
	faultURILong  = because(414, "", "Request-URI too long")
	faultScheme   = because(416, "", "URI scheme not supported")
	faultStatus   = because(0, "Status-Line", "malformed status line")
	faultLine     = because(400, "", "malformed header line")
	faultBreak    = because(400, "", "bare CR, LF or NUL in the headers")
	faultUnended  = because(400, "", "headers not ended by an empty line")
	faultMany     = because(400, "", "too many header lines")
	faultMismatch = because(400, "CSeq", "CSeq method is not the request's")
	faultShort    = because(400, "Content-Length", "body shorter than Content-Length")
	malformed     = eachHeader("malformed ")
	repeated      = eachHeader("more than one ")
	missing       = eachHeader("missing ")
)

func eachHeader(what string) (all [numHeaders]*fault) {
	for id := HVia; id < numHeaders; id++ {
		all[id] = because(400, id.String(), what+id.String())
	}
	return all
}

// Parse reads one message from b: a datagram, or one message of a stream as Frame cut it. It returns nil when the
// message may be dispatched. b belongs to m from then on: m points into it, and folded header lines are unfolded in
// place (CR LF become spaces). Bytes after the body are ignored, as are empty lines before the start line.
//
// It is strict where something depends on a header, and generous where nothing does. A response, an ACK, a BYE or a CANCEL is
// refused only for headers that say which call it belongs to: its sender expects no answer, or has finished with the call. Lines that are not
// ended as the grammar says, or are not header lines, are mended.
func Parse(m *Message, b []byte) *Fault {
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	f := m.parse(b)
	if f == nil && (m.method != Other || !m.request) {
		return nil
	}
	if m.broken {
		if text := mend(b); text != nil {
			f, b = m.parse(text), text
		}
	}
	if f == nil && (m.method != Other || !m.request) || !Ends(b) { // "bye" is no method, but an end
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

// fail keeps the first fault found.
func (m *Message) fail(f *fault) {
	if m.fault == nil {
		m.fault = f
	}
}

// lines records a fault in the lines of the message, which mend may correct.
func (m *Message) lines(f *fault) {
	m.broken = true
	m.fail(f)
}

// generous says that a message is accepted despite a faulty header: a refusal would not be read, or the call is over in any case.
func (m *Message) generous() bool {
	return !m.request || m.method == ACK || m.method == BYE || m.method == CANCEL
}

// odd records a fault in a header that only matters where the message may begin or change something.
func (m *Message) odd(f *fault) {
	if !m.generous() {
		m.fail(f)
	}
}

// verdict decides whether a message is taken, and whether a faulty one may be answered: a request other than ACK (which has no
// answer) that says where to or of which call it is.
func (m *Message) verdict() *Fault {
	if m.fault == nil {
		m.fault = m.incomplete()
	}
	switch {
	case m.fault == nil:
		return nil
	case m.request && m.method != ACK && (m.Has(HVia) || m.callID != nil) && m.fault.answer.Status != 0:
		return &m.fault.answer
	}
	return &m.fault.drop
}

// incomplete is the fault of a message without a header that says which call it belongs to; nil if it has them all.
func (m *Message) incomplete() *fault {
	switch {
	case m.callID == nil:
		return missing[HCallID]
	case !m.request:
		return nil // its branch identifies it
	case m.viaCount == 0 && m.method != BYE && m.method != ACK: // these say which call they belong to without a Via too
		return missing[HVia]
	case m.from.URI == nil:
		return missing[HFrom]
	case m.to.URI == nil:
		return missing[HTo]
	case m.cseqText == nil:
		return missing[HCSeq]
	}
	return nil
}

// Unframed is the fault of a request that came over a stream with a body of unknown length (section 20.14); nil if it has none.
func (m *Message) Unframed() *Fault {
	if !m.Has(HContentType) || m.Has(HContentLength) || m.generous() {
		return nil
	}
	return &missing[HContentLength].answer
}

// parseStart reads the start line and returns where the headers begin; false when this is not SIP at all.
func (m *Message) parseStart(b []byte) (int, bool) {
	end := bytes.IndexByte(b, '\r')
	if end < 11 || end+1 >= len(b) || b[end+1] != '\n' {
		m.lines(faultStart)
		return 0, false
	}
	line := b[:end]
	if bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line, 0) >= 0 {
		m.lines(faultBreak)
		return 0, false
	}
	if len(line) > 4 && equalFold(line[:4], "sip/") {
		return end + 2, m.parseStatusLine(line)
	}
	return end + 2, m.parseRequestLine(line)
}

func (m *Message) parseStatusLine(line []byte) bool {
	end := endOf(line, " \t")
	rest := trim(line[end:])
	from := len(rest) - len(bytes.TrimLeft(rest, "-"))
	after := span(rest, from, cDigit)
	code, big, ok := number(rest[from:after], 999)
	if !ok || after > 5 { // RFC 4475 section 3.1.2.19: not even a wrong one
		m.fail(faultStatus)
		return false
	}
	if m.status = uint16(code); big || from > 0 || after != 3 || code < 100 || code > 699 {
		m.status, m.noCode = 500, true
	}
	if phrase := trim(rest[after:]); len(phrase) > 0 {
		m.phrase = phrase
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
		if sp < 1 || MethodOf(text[:sp]) == Other {
			m.fail(faultStart)
			m.broken = bytes.IndexByte(text, '\t') >= 0 || len(afterJunk(text)) < len(text) // blanks of another kind, or before it
			return false
		}
		m.request, m.start, m.method = true, text[:sp], MethodOf(text[:sp])
		m.fault = faultRequest
		return true
	}
	m.request = true
	m.start, m.uri = text[:sp], text[sp+1:last]
	m.method = MethodOf(m.start)
	if m.method == Other && !all(m.start, cToken) {
		m.fail(faultMethod)
		m.broken = len(afterJunk(m.start)) < len(m.start)
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
		m.odd(faultURILong)
		return
	}
	u, ok := ParseURI(m.uri)
	switch {
	case !ok || u.Headers != nil: // section 19.1.1: headers have no place in a Request-URI
		m.odd(faultURI)
	case u.Scheme == OtherScheme && !bytes.HasPrefix(bytes.ToLower(m.uri[:min(len(m.uri), len(sosURN))]), sosURN):
		m.odd(faultScheme)
	}
	m.ruri = u
}

// parseFields reads the header lines and returns where the body begins; false when the end could not be found.
func (m *Message) parseFields(pos int) (int, bool) {
	b, head := m.buf, pos
	for {
		if pos+1 >= len(b) {
			m.lines(faultUnended)
			return 0, false
		}
		if b[pos] == '\r' && b[pos+1] == '\n' {
			break
		}
		if m.n == MaxHeaders {
			m.lines(faultMany)
			return 0, false
		}
		if pos = m.parseLine(pos); pos < 0 {
			return 0, false
		}
	}
	// One pass of the vectorised counters proves that no line break hides inside a value.
	if bytes.Count(b[head:pos], lf) != int(m.n) || !nulsEscaped(b[head:pos]) {
		m.fault, m.broken = faultBreak, true
		return 0, false
	}
	for i := range int(m.n) {
		f := &m.fields[i]
		if !single[f.id] || int(m.first[f.id]) == i+1 {
			m.check(f)
		} else if m.generous() {
			m.tagged(f, i)
		}
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
		m.lines(faultLine)
		return -1
	}
	i++
	end := i
	for {
		cr := bytes.IndexByte(b[end:], '\r')
		if cr < 0 {
			m.lines(faultUnended)
			return -1
		}
		end += cr
		if end+1 >= len(b) || b[end+1] != '\n' {
			m.lines(faultBreak)
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
		m.again(id, m.value(&m.fields[m.n-1]))
	}
}

// tagged takes another From or To when the first had no tag: it is the tag that says of which call a response is.
func (m *Message) tagged(f *field, i int) {
	a := &m.to
	if f.id == HFrom {
		a = &m.from
	} else if f.id != HTo {
		return
	}
	var other Addr
	if v := m.value(f); a.Tag() == nil && (other.parseFull(v) || other.Params != nil) && other.Tag() != nil {
		*a, m.first[f.id] = other, uint8(i+1)
	}
}

// again takes another header of a kind that may appear once. The first one counts. The other may be equal, or of a kind that nothing depends on;
// otherwise two readers of the message could disagree, which is how requests are smuggled.
func (m *Message) again(id HeaderID, v []byte) {
	if bytes.Equal(v, m.Get(id)) {
		return
	}
	if id == HContentLength {
		m.bodyTwice = true
	}
	if m.needs(id) {
		m.odd(repeated[id])
	}
}

// needs says whether something depends on a header in such a request.
func (m *Message) needs(id HeaderID) bool {
	switch id {
	case HFrom, HTo, HCallID, HCSeq, HMaxForwards, HContentLength, HContentType:
		return true
	case HExpires, HMinExpires:
		return m.method == REGISTER
	case HSessionExpires, HMinSE:
		return m.method == INVITE || m.method == UPDATE
	case HRAck:
		return m.method == PRACK
	case HReferTo, HReplaces:
		return m.method == REFER || m.method == INVITE
	}
	return false
}

// check reads the headers that matching, routing and framing depend on. Repeated ones keep their first value, so that
// the refusal can be answered.
func (m *Message) check(f *field) {
	v := m.value(f)
	switch f.id {
	case HVia:
		m.checkVia(v)
	case HFrom:
		m.checkFromTo(&m.from, HFrom, v)
	case HTo:
		m.checkFromTo(&m.to, HTo, v)
	case HCallID:
		m.checkCallID(v)
	case HCSeq:
		m.checkCSeq(v)
	case HMaxForwards:
		n, big, ok := number(v, 255)
		if !ok || big {
			m.odd(malformed[HMaxForwards])
			return
		}
		m.maxFwd = int16(n)
	case HContentLength:
		n, big, ok := number(v, MaxSize)
		switch {
		case !ok:
			m.odd(malformed[HContentLength])
			return
		case big:
			m.odd(faultSize)
			return
		}
		m.bodyLen = int32(n)
	case HExpires, HMinExpires:
		if _, _, ok := number(v, math.MaxUint32); !ok && m.needs(f.id) {
			m.odd(malformed[f.id])
		}
	case HContact:
		m.checkContact(v)
	case HRoute, HRecordRoute:
		if !m.generous() && len(v) > 0 && !addrListOK(v) {
			m.fail(malformed[f.id])
		}
	}
}

// checkVia counts what can be read; only the topmost one is needed, the others are repeated as they came.
func (m *Message) checkVia(b []byte) {
	var other Via
	for i := 0; i < len(b) || m.viaCount == 0; i++ {
		v := &other
		if m.viaCount == 0 {
			v = &m.via
		}
		next, ok := v.parse(b, i)
		if (!ok || string(v.Version) != "2.0" && m.fault != faultVersion) && m.viaCount == 0 {
			*v = Via{}
			m.odd(malformed[HVia])
			return
		}
		if !ok || m.viaCount == 255 {
			return
		}
		if m.viaCount++; m.viaCount == 1 {
			m.viaNext = uint16(next)
		}
		i = next
	}
}

func (m *Message) checkFromTo(a *Addr, id HeaderID, v []byte) {
	if !a.parseFull(v) {
		m.odd(malformed[id])
		if m.request || a.Params == nil {
			*a = Addr{}
		}
	}
	if tag, has := a.Param("tag"); has && len(tag) == 0 && m.request {
		m.odd(malformed[id])
	}
}

func (m *Message) checkCallID(v []byte) {
	if !all(v, cVisible) {
		m.odd(malformed[HCallID])
		return
	}
	m.callID = v
}

func (m *Message) checkCSeq(v []byte) {
	end := span(v, 0, cDigit)
	n, big, ok := number(v[:end], 1<<31-1)
	at := skipSpace(v, end)
	if !ok || big || at == end || !all(v[at:], cToken) {
		m.odd(malformed[HCSeq])
		return
	}
	m.cseq, m.cseqText = uint32(n), v[at:]
	if m.cseqMethod = MethodOf(m.cseqText); m.cseqMethod == Other && !m.request { // an answer in lower case is accepted
		m.cseqMethod = MethodOf(bytes.ToUpper(m.cseqText))
	}
	if m.request && m.method != ACK && !bytes.Equal(m.cseqText, m.start) { // an ACK is identified by its number
		m.fail(faultMismatch)
	}
}

// checkContact requires one address that can be read: a comma in a display name splits an element in two.
func (m *Message) checkContact(v []byte) {
	if len(v) == 1 && v[0] == '*' {
		if m.Count(HContact) != 1 || m.method != REGISTER {
			m.odd(malformed[HContact])
		}
		return
	}
	if !m.generous() && len(v) > 0 && !someAddr(v) {
		m.fail(malformed[HContact])
	}
}

// someAddr says that one address of a list can be read.
func someAddr(v []byte) bool {
	var a Addr
	for i := 0; i < len(v); i++ {
		next, ok := a.parse(v, i)
		if ok || len(v) > maxOdd {
			return ok
		}
		i = next
	}
	return false
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

// parseBody cuts the body. Without Content-Length it is the rest of the datagram (section 18.3), as it is when there are two of them, or
// it is longer than that, in a message that is not refused.
func (m *Message) parseBody(pos int) {
	rest := m.buf[pos:]
	switch {
	case m.bodyLen < 0 || m.bodyTwice:
		m.body = rest
	case int(m.bodyLen) > len(rest):
		if pos+int(m.bodyLen) > MaxSize {
			m.odd(faultSize)
		}
		m.odd(faultShort)
		m.body = rest
	default:
		m.body = rest[:m.bodyLen]
	}
	m.buf = m.buf[:pos+len(m.body)]
}
