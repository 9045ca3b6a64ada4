package message

import "bytes"

// Addr is a name-addr or addr-spec with its header parameters (RFC 3261 section 20.10); slices point into the message.
type Addr struct {
	Display []byte // as sent, quotes and escapes included; nil when absent
	URI     []byte // without angle brackets
	Params  []byte // header parameters from the first ';' on
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

// parse reads one address at i and stops at a comma or at the end of b.
func (a *Addr) parse(b []byte, i int) (next int, ok bool) {
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
		if _, _, i, ok = nextParam(b, i); !ok {
			return i, false
		}
	}
	if i < len(b) && b[i] != ',' {
		return i, false
	}
	if i > from {
		a.Params = trim(b[from:i])
	}
	return i, true
}

// nextParam reads ";name[=value]" at i. A quoted value keeps its quotes. next is past trailing space.
func nextParam(b []byte, i int) (name, value []byte, next int, ok bool) {
	i = skipSpace(b, i+1)
	end := span(b, i, cToken)
	if end == i {
		return nil, nil, i, false
	}
	name = b[i:end]
	i = skipSpace(b, end)
	if i >= len(b) || b[i] != '=' {
		return name, nil, i, true
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '"' {
		if end = quotedEnd(b, i); end < 0 {
			return nil, nil, i, false
		}
	} else if end = span(b, i, cValue); end == i {
		return nil, nil, i, false
	}
	return name, b[i:end], skipSpace(b, end), true
}

// findParam finds a parameter by its lower-case name in checked text that starts with ';'.
func findParam(b []byte, want string) (value []byte, ok bool) {
	for i := 0; i < len(b) && b[i] == ';'; {
		name, val, next, good := nextParam(b, i)
		if !good {
			return nil, false
		}
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
func (a *Addr) Tag() []byte {
	v, _ := a.Param("tag")
	return v
}

// ParseURI reads the address's URI. After Parse accepted the message ok is true for From, To, Contact, Route and Record-Route.
func (a *Addr) ParseURI() (URI, bool) { return ParseURI(a.URI) }

// Expires returns the expires parameter of a Contact, clamped to 2^32-1; ok is false when absent or not a number
// (RFC 3261 section 20.10 then means 3600).
func (a *Addr) Expires() (seconds uint32, ok bool) {
	v, _ := a.Param("expires")
	n, _, ok := number(v, 1<<32-1)
	return uint32(n), ok
}

// Q returns the q parameter of a Contact in thousandths: 1000 when absent or malformed.
func (a *Addr) Q() int {
	v, ok := a.Param("q")
	if !ok || len(v) == 0 || len(v) > 5 || v[0] != '0' || len(v) > 1 && v[1] != '.' {
		return 1000
	}
	q, unit := 0, 100
	for _, c := range v[min(2, len(v)):] {
		if class[c]&cDigit == 0 {
			return 1000
		}
		q += int(c-'0') * unit
		unit /= 10
	}
	return q
}

// AppendDisplay appends the display name without quotes and escapes. The result may hold any byte.
func (a *Addr) AppendDisplay(dst []byte) []byte {
	d := a.Display
	if len(d) == 0 || d[0] != '"' {
		return append(dst, d...)
	}
	d = unquote(d)
	for i := 0; i < len(d); i++ {
		if d[i] == '\\' && i+1 < len(d) {
			i++
		}
		dst = append(dst, d[i])
	}
	return dst
}
