package message

import "bytes"

// SameURI compares two URIs as RFC 3261 section 19.1.4 says: user and password by case once their escapes are decoded, the rest
// without regard to case; a port that is left out is another one than 5060; transport, user, ttl, method and maddr must stand in
// both or in neither, other parameters may stand in one; headers must all be there. URIs of other schemes are the same when their
// texts are.
func SameURI(a, b string) bool {
	if a == b {
		return true
	}
	x, okX := ParseURI([]byte(a))
	y, okY := ParseURI([]byte(b))
	if !okX || !okY || x.Scheme != y.Scheme || x.Scheme != SIP && x.Scheme != SIPS {
		return false
	}
	return x.Port == y.Port && x.sameHost(&y) &&
		bytes.Equal(x.AppendUser(nil), y.AppendUser(nil)) && bytes.Equal(unescape(nil, x.Password), unescape(nil, y.Password)) &&
		x.paramsFit(&y) && y.paramsFit(&x) && x.headersIn(&y) && y.headersIn(&x)
}

func (u *URI) sameHost(o *URI) bool {
	if bytes.EqualFold(u.Host, o.Host) {
		return true
	}
	a, okA := u.Addr()
	b, okB := o.Addr()
	return okA && okB && a == b // IPv6 has several texts for one address
}

// paramsFit says whether each parameter of u has the same value in o, or may be missing there.
func (u *URI) paramsFit(o *URI) bool {
	for b := u.Params; len(b) > 0; {
		name, value, rest := cutParam(b)
		b = rest
		if len(name) == 0 {
			continue
		}
		other, there := o.Param(string(bytes.ToLower(name)))
		if there && !bytes.EqualFold(unescape(nil, value), unescape(nil, other)) || !there && decisive(name) {
			return false
		}
	}
	return true
}

// cutParam takes the first parameter off text that starts with ';'.
func cutParam(b []byte) (name, value, rest []byte) {
	one := b[1:]
	if i := bytes.IndexByte(one, ';'); i >= 0 {
		one, rest = one[:i], one[i:]
	}
	name, value, _ = bytes.Cut(one, []byte{'='})
	return name, value, rest
}

// decisive names the parameters that no default stands for.
func decisive(name []byte) bool {
	for _, p := range []string{"transport", "user", "ttl", "method", "maddr"} {
		if equalFold(name, p) {
			return true
		}
	}
	return false
}

func (u *URI) headersIn(o *URI) bool {
	for h := range bytes.SplitSeq(u.Headers, []byte{'&'}) {
		found := false
		for other := range bytes.SplitSeq(o.Headers, []byte{'&'}) {
			found = found || bytes.EqualFold(unescape(nil, h), unescape(nil, other))
		}
		if !found {
			return false
		}
	}
	return true
}
