package message

import "net/netip"

// Via is one Via value (RFC 3261 section 20.42); slices point into the message.
type Via struct {
	Version   []byte // "2.0"
	Transport []byte // "UDP", "TCP" … as sent
	Host      []byte // sent-by without the brackets of an IPv6 address
	Port      uint16 // 0: not given
	IPv6      bool
	HasRPort  bool   // RFC 3581: the parameter is there, with or without a value
	Branch    []byte // nil when absent
	Received  []byte // nil when absent
	Params    []byte // all parameters, from the first ';' on
}

// Magic is the start of every branch of RFC 3261.
const Magic = "z9hG4bK"

// Addr returns sent-by as an IP address; ok is false for names.
func (v *Via) Addr() (netip.Addr, bool) { return hostAddr(v.Host) }

// parse reads one Via value at i and stops at a comma or at the end of b.
func (v *Via) parse(b []byte, i int) (next int, ok bool) {
	*v = Via{}
	if i, ok = v.parseProtocol(b, skipSpace(b, i)); !ok {
		return i, false
	}
	if v.Host, i, v.IPv6 = scanHost(b, i); v.Host == nil {
		return i, false
	}
	i = skipSpace(b, i)
	if i < len(b) && b[i] == ':' {
		i = skipSpace(b, i+1)
		end := span(b, i, cDigit)
		n, big, ok := number(b[i:end], 65535)
		if big || !ok && end > i {
			return i, false
		}
		v.Port = uint16(n)
		i = skipSpace(b, end)
	}
	from := i
	for i < len(b) && b[i] == ';' {
		var name, value []byte
		name, value, i = nextParam(b, i)
		v.setParam(name, value)
	}
	if i < len(b) && b[i] != ',' {
		return i, false
	}
	v.Params = trim(b[from:i])
	return i, true
}

// parseProtocol reads "SIP / 2.0 / UDP " and returns where sent-by starts.
func (v *Via) parseProtocol(b []byte, i int) (next int, ok bool) {
	var part [3][]byte
	for n := range part {
		end := span(b, i, cToken)
		if end == i {
			return i, false
		}
		part[n] = b[i:end]
		i = skipSpace(b, end)
		if n == 2 {
			v.Version, v.Transport = part[1], part[2]
			return i, i > end && equalFold(part[0], "sip")
		}
		if i >= len(b) || b[i] != '/' {
			return i, false
		}
		i = skipSpace(b, i+1)
	}
	return i, false
}

// unquoted is a tag or branch without the quotation marks that some peers put around it.
func unquoted(v []byte) []byte {
	if n := len(v) - 1; n > 1 && v[0] == '"' && v[n] == '"' && all(v[1:n], cToken) {
		return v[1:n]
	}
	return v
}

// setParam keeps the parameters that routing uses: of several with one name the first.
func (v *Via) setParam(name, value []byte) {
	switch {
	case equalFold(name, "branch"):
		if v.Branch == nil {
			v.Branch = unquoted(value)
		}
	case equalFold(name, "received"):
		if v.Received == nil {
			v.Received = value
		}
	case equalFold(name, "rport"):
		v.HasRPort = true
	}
}
