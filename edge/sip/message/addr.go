package message

import "bytes"

// Addr is a name-addr or addr-spec with its header parameters (RFC 3261 section 20.10); slices point into the message.
type Addr struct {
	Display []byte // as sent, quotes and escapes included; nil when absent
	URI     []byte // without angle brackets
	Params  []byte // header parameters from the first ';' on
	Odd     bool   // it breaks the grammar: Text rewrites it
}

// ParseAddr reads the first address of a header value; rest is what follows its comma, nil at the end.
func ParseAddr(b []byte) (a Addr, rest []byte, ok bool) {
	next, ok := a.parse(b, 0)
	if !ok {
		return Addr{}, nil, false
	}
	if next < len(b) {
		return a, b[next+1:], true
	}
	return a, nil, true
}

// parse reads one address at i and stops at a comma or at the end of b. One that is not written by the grammar is read as far as that
// can be done, up to the next comma.
func (a *Addr) parse(b []byte, i int) (next int, ok bool) {
	if next, ok = a.parseStrict(b, i); ok {
		return next, true
	}
	if len(b) > maxOdd {
		*a = Addr{}
		return next, false
	}
	next = elementEnd(b, i)
	return next, a.parseOdd(b[i:next])
}

// parseFull reads the one address that b is.
func (a *Addr) parseFull(b []byte) bool {
	if next, ok := a.parseStrict(b, 0); ok {
		return next == len(b)
	}
	if len(b) > maxOdd {
		*a = Addr{}
		return false
	}
	return a.parseOdd(b)
}

// maxOdd bounds the header that is looked at more than once.
const maxOdd = 4096

// parseStrict reads one address as the grammar has it.
func (a *Addr) parseStrict(b []byte, i int) (next int, ok bool) {
	*a = Addr{}
	i = skipSpace(b, i)
	if i >= len(b) {
		return i, false
	}
	if b[i] == '"' {
		end := quotedEnd(b, i)
		if end < 0 {
			return i, false
		}
		a.Display = b[i:end]
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != '<' {
			return i, false
		}
	} else if end := span(b, i, cDisplay); end < len(b) && b[end] == '<' {
		if end > i {
			a.Display = trim(b[i:end])
		}
		i = end
	}
	if b[i] == '<' {
		end := bytes.IndexByte(b[i:], '>')
		if end < 0 {
			return i, false
		}
		a.URI = b[i+1 : i+end]
		i += end + 1
	} else {
		end := i
		for end < len(b) && b[end] != ';' && b[end] != ',' && b[end] != ' ' && b[end] != '\t' {
			if b[end] == '?' { // section 20: such a URI must stand in angle brackets
				return i, false
			}
			end++
		}
		a.URI = b[i:end]
		i = end
	}
	if _, ok := ParseURI(a.URI); !ok {
		return i, false
	}
	return a.parseParams(b, i)
}

func (a *Addr) parseParams(b []byte, i int) (next int, ok bool) {
	i = skipSpace(b, i)
	from := i
	for i < len(b) && b[i] == ';' {
		_, _, i = nextParam(b, i)
	}
	if i < len(b) && b[i] != ',' {
		return i, false
	}
	if i > from {
		a.Params = trim(b[from:i])
	}
	return i, true
}

// parseOdd reads the address in b, which is one element of a header: with a display name of any characters, with quotes that do not
// match, without one or both of its brackets. False: there is no URI in it. Its parameters are read nevertheless, for the tag.
func (a *Addr) parseOdd(b []byte) bool {
	*a = Addr{Odd: true}
	for at := 0; ; at++ {
		i := bytes.IndexByte(b[at:], '<')
		if i < 0 {
			break
		}
		at += i
		end := at + 1 + endOf(b[at+1:], ">")
		if end == len(b) {
			end = at + 1 + endOf(b[at+1:], ";,\" \t")
		}
		if a.takeOdd(b, at, at+1, end) {
			return true
		}
	}
	for at := range b {
		if b[at] == '<' { // what stands in brackets is all of the URI
			break
		}
		if at > 0 && class[b[at-1]]&cToken != 0 || !startsURI(b[at:]) {
			continue
		}
		if a.takeOdd(b, at, at, at+endOf(b[at:], ";,?<>\" \t")) {
			return true
		}
	}
	a.Params = paramsWithTag(b)
	return false
}

// takeOdd takes the URI between from and to, and what stands before at as the name.
func (a *Addr) takeOdd(b []byte, at, from, to int) bool {
	uri := trim(b[from:to])
	if u, ok := ParseURI(uri); !ok || u.Scheme == OtherScheme {
		return false
	}
	a.URI, a.Display = uri, bytes.Trim(b[:at], "\" \t")
	if i := bytes.IndexByte(b[to:], ';'); i >= 0 {
		a.Params = b[to+i:]
	}
	return true
}

// startsURI says that b begins with a scheme that calls are made to.
func startsURI(b []byte) bool {
	for _, s := range []string{"sip:", "sips:", "tel:"} {
		if len(b) > len(s) && equalFold(b[:len(s)], s) {
			return true
		}
	}
	return false
}

// endOf is the index of the first of some characters in b, or its length.
func endOf(b []byte, chars string) int {
	if i := bytes.IndexAny(b, chars); i >= 0 {
		return i
	}
	return len(b)
}

// elementEnd is where the element at i of a comma list ends: at a comma outside quotes and brackets, or at the end of b.
func elementEnd(b []byte, i int) int {
	bracket, last := false, bytes.LastIndexByte(b, '>')
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			if end := quotedEnd(b, i); end > 0 {
				i = end - 1
			}
		case '<':
			bracket = i < last
		case '>':
			bracket = false
		case ',':
			if !bracket {
				return i
			}
		}
	}
	return len(b)
}

// lastFold is the index of the last text in b, without regard to case; -1: there is none. want is lower case.
func lastFold(b []byte, want string) int {
	for i := len(b) - len(want); i >= 0; i-- {
		if equalFold(b[i:i+len(want)], want) {
			return i
		}
	}
	return -1
}

// paramsWithTag are the parameters from the last tag on, nil when there is none: a display name may hold anything.
func paramsWithTag(b []byte) []byte {
	i := lastFold(b, "tag=")
	for i > 0 && (b[i-1] == ' ' || b[i-1] == '\t') {
		i--
	}
	if i < 1 || b[i-1] != ';' {
		return nil
	}
	return b[i-1:]
}

// nextParam reads ";name[=value]" at i. A quoted value keeps its quotes; an empty one is nil. next is past trailing space, and past what
// the grammar has no place for.
func nextParam(b []byte, i int) (name, value []byte, next int) {
	i = skipSpace(b, i+1)
	end := span(b, i, cToken)
	name = b[i:end]
	if i = skipSpace(b, end); i < len(b) && b[i] == '=' {
		i = skipSpace(b, i+1)
		if end = valueEnd(b, i); end > i {
			value = b[i:end]
		}
		i = skipSpace(b, end)
	}
	for i < len(b) && b[i] != ';' && b[i] != ',' {
		i++
	}
	return name, value, i
}

// valueEnd is where the value of a parameter at i ends.
func valueEnd(b []byte, i int) int {
	if i < len(b) && b[i] == '"' {
		if end := quotedEnd(b, i); end > 0 {
			return end
		}
	}
	end := span(b, i, cValue)
	for end < len(b) && b[end] != ';' && b[end] != ',' && b[end] != ' ' && b[end] != '\t' {
		end++
	}
	return end
}

// findParam finds a parameter by its lower-case name in checked text that starts with ';'.
func findParam(b []byte, want string) (value []byte, ok bool) {
	for i := 0; i < len(b) && b[i] == ';'; {
		name, val, next := nextParam(b, i)
		if equalFold(name, want) {
			return val, true
		}
		i = next
	}
	return nil, false
}

// Param finds a header parameter by its lower-case name; value is nil when it has none, and keeps its quotes.
func (a *Addr) Param(name string) (value []byte, ok bool) { return findParam(a.Params, name) }

// Tag returns the tag parameter of From and To, nil when absent.
//
// A tag is a token; quotes around it, which some peers send, do not belong to it.
func (a *Addr) Tag() []byte {
	v, _ := a.Param("tag")
	return unquoted(v)
}

// ParseURI reads the address's URI. After Parse accepted a request that may begin or change something, ok is true for From, To, Contact,
// Route and Record-Route.
func (a *Addr) ParseURI() (URI, bool) { return ParseURI(a.URI) }

// Text is the address as a header of ours may repeat it, with its tag: raw as it came, or rewritten when it was odd. An address without a
// URI that can be read gets unread in its place.
func (a *Addr) Text(raw, unread []byte) []byte {
	if a.URI != nil && !a.Odd {
		return raw
	}
	var b []byte
	if len(a.Display) > 0 {
		b = append(AppendQuoted(b, a.Display), ' ')
	}
	uri := a.URI
	if uri == nil {
		uri = unread
	}
	b = append(appendURI(append(b, '<'), uri), '>')
	if tag := a.Tag(); len(tag) > 0 {
		b = append(append(b, ";tag="...), tag...)
	}
	return b
}

// Expires returns the expires parameter of a Contact, clamped to 2^32-1; ok is false when absent or not a number
// (RFC 3261 section 20.10 then means 3600).
func (a *Addr) Expires() (seconds uint32, ok bool) {
	v, _ := a.Param("expires")
	n, _, ok := number(v, 1<<32-1)
	return uint32(n), ok
}

// AppendDisplay appends the display name without quotes and escapes. The result may hold any byte.
func (a *Addr) AppendDisplay(dst []byte) []byte { return AppendUnquoted(dst, a.Display) }

// AppendUnquoted appends a quoted string without its quotes and escapes, and other text as it is. The result may hold any byte.
func AppendUnquoted(dst, text []byte) []byte {
	if len(text) == 0 || text[0] != '"' {
		return append(dst, text...)
	}
	text = unquote(text)
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		dst = append(dst, text[i])
	}
	return dst
}
