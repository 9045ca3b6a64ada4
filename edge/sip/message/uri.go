package message

import (
	"bytes"
	"net/netip"
	"unsafe"
)

// Scheme is the scheme of a URI.
type Scheme uint8

// The schemes we read; OtherScheme is any absolute URI (RFC 3986), kept whole in URI.Host.
const (
	OtherScheme Scheme = iota
	SIP
	SIPS
	TEL
)

// URI is a SIP, SIPS (RFC 3261 section 19.1) or tel URI (RFC 3966); slices point into the text it was read from.
type URI struct {
	Scheme   Scheme
	Port     uint16 // 0: not given
	User     []byte // still escaped; AppendUser decodes. The number of a tel URI
	Password []byte // still escaped
	Host     []byte // without the brackets of an IPv6 address
	Params   []byte // from the first ';' on, it included
	Headers  []byte // after '?'
}

// ParseURI reads an absolute URI without angle brackets. It is strict: no spaces, no stray characters, right escapes. An empty user, port,
// parameter or value is as none.
func ParseURI(b []byte) (u URI, ok bool) {
	colon := bytes.IndexByte(b, ':')
	if colon < 1 {
		return u, false
	}
	rest := b[colon+1:]
	switch scheme := b[:colon]; {
	case equalFold(scheme, "sip"):
		u.Scheme = SIP
	case equalFold(scheme, "sips"):
		u.Scheme = SIPS
	case equalFold(scheme, "tel"):
		u.Scheme = TEL
		return u, u.parseTel(rest)
	default:
		if c := scheme[0] | 0x20; c < 'a' || c > 'z' || !all(scheme, cScheme) {
			return u, false
		}
		u.Host = rest
		return u, all(rest, cVisible) && !bytes.ContainsAny(rest, `<>"`)
	}
	return u, u.parseSIP(rest)
}

func (u *URI) parseSIP(b []byte) bool {
	if at := bytes.IndexByte(b, '@'); at >= 0 {
		user := b[:at]
		if i := bytes.IndexByte(user, ':'); i >= 0 {
			u.Password = user[i+1:]
			user = user[:i]
			if len(u.Password) > 0 && (!all(u.Password, cPass) || !escapesOK(u.Password)) {
				return false
			}
		}
		if len(user) > 0 && !all(user, cUser) || !escapesOK(user) {
			return false
		}
		u.User = user // may be empty: "sip:@host" is what some write for no user
		b = b[at+1:]
	}
	i, ok := u.parseHost(b)
	return ok && u.parseTail(b[i:])
}

// parseHost reads host [":" port] at the start of b and returns where it ends.
func (u *URI) parseHost(b []byte) (int, bool) {
	host, i, _ := scanHost(b, 0)
	if host == nil {
		return 0, false
	}
	u.Host = host
	if i < len(b) && b[i] == ':' {
		end := span(b, i+1, cDigit)
		n, big, ok := number(b[i+1:end], 65535)
		if big || !ok && end > i+1 {
			return 0, false
		}
		u.Port = uint16(n)
		i = end
	}
	return i, true
}

// scanHost reads a host name, an IPv4 address or a bracketed IPv6 address at i. nil when there is none.
func scanHost(b []byte, i int) (host []byte, next int, v6 bool) {
	if i < len(b) && b[i] == '[' {
		end := bytes.IndexByte(b[i:], ']')
		if end < 0 {
			return nil, i, false
		}
		host = zoneless(b[i+1 : i+end])
		if !validIPv6(host) {
			return nil, i, false
		}
		return host, i + end + 1, true
	}
	end := span(b, i, cHost)
	if end == i || end-i > 255 {
		return nil, i, false
	}
	return b[i:end], end, false
}

// zoneless is an IPv6 address without its zone (RFC 6874), which means something on the host only that wrote it.
func zoneless(host []byte) []byte {
	if i := bytes.IndexByte(host, '%'); i >= 0 && i+1 < len(host) && all(host[i+1:], cHost|cUser) {
		return host[:i]
	}
	return host
}

// validIPv6 checks the text form of RFC 4291 section 2.2.
func validIPv6(b []byte) bool {
	a, err := netip.ParseAddr(TextOf(b))
	return err == nil && a.Is6() && a.Zone() == ""
}

// TextOf is a string over bytes of a message, without a copy: a caller that keeps it must clone it.
func TextOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// parseTail reads uri-parameters and headers.
func (u *URI) parseTail(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	params := b
	if q := bytes.IndexByte(b, '?'); q >= 0 {
		params = b[:q]
		u.Headers = b[q+1:]
		if !all(u.Headers, cHdr) || !escapesOK(u.Headers) {
			return false
		}
	}
	u.Params = params
	return uriParamsOK(params)
}

func uriParamsOK(b []byte) bool {
	for i := 0; i < len(b); {
		if b[i] != ';' {
			return false
		}
		end := span(b, i+1, cParam) // neither an empty name nor an empty value is in the grammar; nothing depends on either
		if end < len(b) && b[end] == '=' {
			end = span(b, end+1, cParam)
		}
		i = end
	}
	return escapesOK(b)
}

func (u *URI) parseTel(b []byte) bool {
	end := span(b, 0, cTel)
	if end == 0 || bytes.LastIndexByte(b[:end], '+') > 0 {
		return false
	}
	u.User, u.Params = b[:end], b[end:]
	return uriParamsOK(u.Params)
}

// Param finds a URI parameter by its lower-case name. Its value is still escaped and nil when it has none.
func (u *URI) Param(name string) (value []byte, ok bool) {
	for b := u.Params; len(b) > 0; {
		var key []byte
		if key, value, b = cutParam(b); equalFold(key, name) {
			return value, true
		}
	}
	return nil, false
}

// AppendUser appends the user part with its %-escapes decoded. The result may hold any byte.
func (u *URI) AppendUser(dst []byte) []byte { return unescape(dst, u.User) }

// Addr returns the host as an IP address; ok is false for names.
func (u *URI) Addr() (netip.Addr, bool) { return hostAddr(u.Host) }

func hostAddr(b []byte) (netip.Addr, bool) {
	if len(b) < 2 || len(b) > 45 || class[b[0]]&cHex == 0 && b[0] != ':' {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(TextOf(b))
	return a, err == nil
}

// HostText is an address as a URI names it: IPv6 in brackets and without its zone.
func HostText(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.WithZone("").String() + "]"
	}
	return a.String()
}
