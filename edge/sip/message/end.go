package message

import "bytes"

// Ends says that what a request begins with is the end of a call: BYE or CANCEL.
func Ends(b []byte) bool {
	return bytes.HasPrefix(b, []byte("BYE ")) || bytes.HasPrefix(b, []byte("CANCEL "))
}

// essence is the request that ends a call with nothing but the headers that an end depends on: Via, From, To, Call-ID, CSeq,
// and Reason. A call whose end is refused for an oddity in any other header, or in the body, is billed on. Of headers that may
// stand once the first counts, or the first that has a tag. What cannot be read of From, To and Via is reduced to
// the tag and the branch. Nil: the dialog cannot be read.
func essence(b []byte) []byte {
	start, rest, _ := bytes.Cut(b, lf)
	start = bytes.TrimRight(start, " \r")
	if len(start) < 12 || !equalFold(start[len(start)-8:], " sip/2.0") {
		return nil
	}
	e := end{method: start[:bytes.IndexByte(start, ' ')]}
	for range maxEndLines {
		var name, value []byte
		if name, value, rest = nextHeader(rest); name == nil && rest == nil {
			break
		}
		e.take(HeaderOf(name), value)
	}
	return e.text()
}

// maxEndLines bounds how much of a broken request is looked at.
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
	return trim(name), appendClean(nil, trim(value)), rest
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

// text is the request anew; nil when its dialog is not known.
func (e *end) text() []byte {
	if e.to == nil && string(e.method) == "CANCEL" { // its INVITE is told by the rest (section 9.2)
		e.to = []byte("<sip:unread.invalid>")
	}
	if e.from == nil || e.to == nil || e.callID == nil {
		return nil
	}
	if e.seq == nil {
		e.seq = []byte{'0'} // a BYE ends the call whatever its number
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
