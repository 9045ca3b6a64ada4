package message

import (
	"bytes"
	"slices"
)

var endMethods = [...][2]string{{"BYE", "bye"}, {"CANCEL", "cancel"}}

// Ends says that a request begins with BYE or CANCEL, in upper or lower case, and whatever comes before it.
func Ends(b []byte) bool { return endMethod(b) != "" }

// endMethod is the method of the end of a call that b begins with, "" if it is none.
func endMethod(b []byte) string {
	b = afterJunk(b)
	for _, one := range endMethods {
		if n := len(one[1]); len(b) > n && (b[n] == ' ' || b[n] == '\t') && equalFold(b[:n], one[1]) {
			return one[0]
		}
	}
	return ""
}

// afterJunk is b without the blanks, NULs and marks of encoding that stand before the start line.
func afterJunk(b []byte) []byte {
	for len(b) > 0 && (b[0] <= ' ' || b[0] >= 0x80) {
		b = b[1:]
	}
	return b
}

// essence is the request that ends a call, reduced to the headers that an end depends on: Via, From, To, Call-ID, CSeq,
// and Reason. If an end were refused for a fault in any other header, in the start line, or in the body, the call would go on being billed. Of a
// header that may appear once the first counts, or the first that has a tag; the others are kept for Another. A From, To or Via that cannot be read
// is reduced to its tag or branch. Nil: the dialog cannot be read.
func essence(b []byte) []byte {
	method := endMethod(b)
	if method == "" {
		return nil
	}
	_, rest, _ := bytes.Cut(afterJunk(b), lf)
	e := end{method: []byte(method)}
	for range maxEndLines {
		var name, value []byte
		if name, value, rest = nextHeader(rest); name == nil && rest == nil {
			break
		}
		e.take(HeaderOf(name), value)
	}
	return e.text()
}

// bareCallID is a Call-ID without what some peers write around or after it; nil when it cannot be read.
func bareCallID(v []byte) []byte {
	if i := bytes.IndexAny(v, ";( \t"); i >= 0 {
		v = v[:i]
	}
	if v = bytes.Trim(v, "<>\""); !all(v, cVisible) {
		return nil
	}
	return v
}

// maxEndLines bounds how much of a malformed request is read.
const maxEndLines = 4 * MaxHeaders

// nextHeader reads a header line, whatever ends it, with its continuations. name is empty when the line has none; rest is nil
// at the end of the headers.
func nextHeader(b []byte) (name, value, rest []byte) {
	line, rest, _ := bytes.Cut(b, lf)
	if line = trimEnd(line); len(line) == 0 {
		return nil, nil, nil
	}
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		var more []byte
		more, rest, _ = bytes.Cut(rest, lf)
		line = append(append(bytes.Clone(line), ' '), trimEnd(more)...)
	}
	if rest == nil {
		rest = []byte{}
	}
	name, value, found := bytes.Cut(line, []byte{':'})
	if !found {
		return []byte{}, nil, rest
	}
	return bytes.Trim(name, " \t\r"), appendClean(nil, trim(value)), rest
}

func trimEnd(line []byte) []byte { return bytes.TrimRight(line, " \t\r\x00") }

// end gathers what essence keeps.
type end struct {
	method           []byte
	vias, reasons    []byte // ready lines
	from, to, callID []byte // values
	more             []byte // ready lines: further Call-IDs, and From and To with a tag, of which one may be the call's
	tagged           [2]bool
	seq              []byte
}

func (e *end) take(id HeaderID, v []byte) {
	switch id {
	case HVia:
		if v = essentialVia(v); v != nil {
			e.vias = append(append(append(e.vias, "Via: "...), v...), "\r\n"...)
		}
	case HFrom:
		e.party(HFrom, &e.from, &e.tagged[0], v)
	case HTo:
		e.party(HTo, &e.to, &e.tagged[1], v)
	case HCallID:
		if !all(v, cVisible) {
			v = bareCallID(v)
		}
		if len(v) == 0 {
			return
		}
		if e.callID == nil {
			e.callID = v
		} else {
			e.again(HCallID, v)
		}
	case HCSeq:
		if _, big, ok := number(v[:span(v, 0, cDigit)], 1<<31-1); ok && !big && e.seq == nil {
			e.seq = v[:span(v, 0, cDigit)]
		}
	case HReason:
		e.reasons = append(append(append(e.reasons, "Reason: "...), v...), "\r\n"...)
	}
}

// party keeps From or To.
func (e *end) party(id HeaderID, kept *[]byte, tagged *bool, v []byte) {
	var a Addr
	next, ok := a.parseStrict(v, 0)
	tag, has := a.Param("tag")
	if !ok || next < len(v) || has && (len(tag) == 0 || !all(tag, cToken)) {
		tag = lastTag(v)
		v = append([]byte("<sip:unread.invalid>"), tagParam(tag)...)
	}
	switch {
	case *kept == nil || tag != nil && !*tagged:
		*kept, *tagged = v, tag != nil
	case tag != nil:
		e.again(id, v)
	}
}

func (e *end) again(id HeaderID, v []byte) {
	e.more = append(append(append(append(e.more, id.String()...), ": "...), v...), "\r\n"...)
}

func tagParam(tag []byte) []byte {
	if tag == nil {
		return nil
	}
	return append([]byte(";tag="), tag...)
}

// lastTag finds the tag in a header that does not parse: the last one, since a display name may hold anything.
func lastTag(v []byte) []byte {
	i := lastFold(v, "tag=")
	if i < 0 {
		return nil
	}
	i += len("tag=")
	if end := span(v, i, cToken); end > i {
		return v[i:end]
	}
	return nil
}

// essentialVia is a Via with the parameters that can be read; nil when not even its address can.
func essentialVia(v []byte) []byte {
	if viasOK(v) {
		return v
	}
	out, params, _ := bytes.Cut(v, []byte{';'})
	if !viasOK(out) {
		return nil
	}
	for range maxViaParams {
		var p []byte
		if p, params, _ = bytes.Cut(params, []byte{';'}); len(p) > 0 {
			if more := append(append(bytes.Clone(out), ';'), p...); viasOK(more) {
				out = more
			}
		}
	}
	return out
}

const maxViaParams = 16

func viasOK(v []byte) bool {
	var one Via
	for i := 0; i < len(v); i++ {
		next, ok := one.parse(v, i)
		if !ok || string(one.Version) != "2.0" {
			return false
		}
		i = next
	}
	return len(v) > 0
}

// text is the rewritten request; nil when its dialog is not known.
func (e *end) text() []byte {
	if e.to == nil && string(e.method) == "CANCEL" { // the rest identifies its INVITE (section 9.2)
		e.to = []byte("<sip:unread.invalid>")
	}
	if e.from == nil || e.to == nil || e.callID == nil {
		return nil
	}
	if e.seq == nil {
		e.seq = []byte{'0'} // a BYE ends the call whatever its sequence number
	}
	b := append(append([]byte(nil), e.method...), " sip:ended.invalid SIP/2.0\r\n"...)
	b = append(b, e.vias...)
	for _, h := range []struct {
		name  string
		value []byte
	}{{"From: ", e.from}, {"To: ", e.to}, {"Call-ID: ", e.callID}, {"CSeq: ", append(append(bytes.Clone(e.seq), ' '), e.method...)}} {
		b = append(append(append(b, h.name...), h.value...), "\r\n"...)
	}
	b = append(append(b, e.more...), e.reasons...)
	if len(b) > MaxSize-64 {
		return nil
	}
	return append(b, "Content-Length: 0\r\n\r\n"...)
}

// Another takes the next combination of Call-ID and tags that an ACK, BYE or CANCEL may mean: there may be several, something may be written around
// them, or From and To may be swapped, which is tried for a Call-ID that is known. A call whose end was refused for that would go on being billed.
// False: there is none.
func (m *Message) Another(known bool) bool {
	if !m.request || !m.generous() || !known && m.plain() {
		return false
	}
	ids, from, to := m.callIDs(), m.tags(HFrom), m.tags(HTo)
	if len(to) == 0 {
		to = [][]byte{nil} // as in a CANCEL
	}
	n := len(ids) * len(from) * len(to)
	for m.meant++; int(m.meant) <= min(2*n, maxMeant); m.meant++ {
		i := int(m.meant) - 1
		f, t := from[i/len(ids)%len(from)], to[i/len(ids)/len(from)%len(to)]
		if i >= n {
			f, t = t, f
		}
		if id := ids[i%len(ids)]; !bytes.Equal(id, m.callID) || !bytes.Equal(f, m.from.Tag()) || !bytes.Equal(t, m.to.Tag()) {
			m.callID, m.from.Params, m.to.Params = id, tagParam(f), tagParam(t)
			return i < n || known
		}
	}
	return false
}

// plain says that there is one Call-ID and one tag of each party, with nothing around them.
func (m *Message) plain() bool {
	bare := bareCallID(m.callID)
	return len(bare) == len(m.callID) && m.Count(HCallID) == 1 && m.Count(HFrom) == 1 && m.Count(HTo) == 1 &&
		bytes.Equal(lastTag(m.Get(HFrom)), m.from.Tag()) && bytes.Equal(lastTag(m.Get(HTo)), m.to.Tag())
}

// Mean takes the combination that was taken of an equal message, and says whether it could.
func (m *Message) Mean(o *Message) bool {
	m.meant = o.meant - 1
	return m.Another(true) && m.meant == o.meant
}

// maxMeant bounds the combinations that are tried.
const maxMeant = 32

func (m *Message) callIDs() (all [][]byte) {
	for v := range m.All(HCallID) {
		all = appendNew(all, v, bareCallID(v))
	}
	return all
}

// tags are those of From or To: of each the first, and the last, which may stand where it does not belong.
func (m *Message) tags(id HeaderID) (all [][]byte) {
	var a Addr
	for v := range m.All(id) {
		if !a.parseFull(v) {
			a = Addr{}
		}
		all = appendNew(all, a.Tag(), lastTag(v))
	}
	return all
}

// appendNew appends what is something and is not there yet.
func appendNew(list [][]byte, more ...[]byte) [][]byte {
	for _, v := range more {
		if len(v) > 0 && len(list) < maxMeant && !slices.ContainsFunc(list, func(o []byte) bool { return bytes.Equal(o, v) }) {
			list = append(list, v)
		}
	}
	return list
}
