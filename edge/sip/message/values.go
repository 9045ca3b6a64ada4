package message

import (
	"bytes"
	"iter"
	"math"
)

func (m *Message) seconds(id HeaderID) (uint32, bool) {
	v := m.Get(id)
	n, _, ok := number(v[:span(v, 0, cDigit)], math.MaxUint32)
	return uint32(n), ok
}

// Expires returns the Expires header in seconds, clamped to 2^32-1.
func (m *Message) Expires() (uint32, bool) { return m.seconds(HExpires) }

// RetryAfter returns the Retry-After header in seconds, clamped to 2^32-1.
func (m *Message) RetryAfter() (uint32, bool) { return m.seconds(HRetryAfter) }

// MinSE returns the Min-SE header in seconds (RFC 4028).
func (m *Message) MinSE() (uint32, bool) { return m.seconds(HMinSE) }

// SessionExpires returns the session interval in seconds and its refresher, "uac", "uas" or nil (RFC 4028).
func (m *Message) SessionExpires() (secs uint32, refresher []byte, ok bool) {
	secs, ok = m.seconds(HSessionExpires)
	if !ok {
		return 0, nil, false
	}
	v := m.Get(HSessionExpires)
	if i := bytes.IndexByte(v, ';'); i >= 0 {
		refresher, _ = findParam(v[i:], "refresher")
	}
	return secs, refresher, true
}

// RSeq returns the number of a reliable provisional answer (RFC 3262).
func (m *Message) RSeq() (uint32, bool) {
	n, big, ok := number(m.Get(HRSeq), math.MaxUint32)
	return uint32(n), ok && !big && n > 0
}

// RAck returns what a PRACK acknowledges (RFC 3262).
func (m *Message) RAck() (rseq, cseq uint32, method []byte, ok bool) {
	v := m.Get(HRAck)
	i := span(v, 0, cDigit)
	a, bigA, okA := number(v[:i], math.MaxUint32)
	j := skipSpace(v, i)
	k := span(v, j, cDigit)
	b, bigB, okB := number(v[j:k], 1<<31-1)
	method = v[skipSpace(v, k):]
	if !okA || !okB || bigA || bigB || j == i || !all(method, cToken) || class[v[k]]&cToken != 0 {
		return 0, 0, nil, false
	}
	return uint32(a), uint32(b), method, true
}

// HasToken tells whether a comma list such as Supported, Require or Allow holds the token, without regard to case.
// Parameters of an element are ignored.
func (m *Message) HasToken(id HeaderID, token string) bool {
	for v := range m.All(id) {
		for len(v) > 0 {
			one := v
			if i := bytes.IndexByte(v, ','); i >= 0 {
				one, v = v[:i], v[i+1:]
			} else {
				v = nil
			}
			if i := bytes.IndexByte(one, ';'); i >= 0 {
				one = one[:i]
			}
			if equalFold(trim(one), token) {
				return true
			}
		}
	}
	return false
}

// ReasonText is the text of a Reason value, as Reasons yields them, without quotes and escapes.
func ReasonText(v []byte) []byte {
	i := bytes.IndexByte(v, ';')
	if i < 0 {
		return nil
	}
	text, _ := findParam(v[i:], "text")
	return AppendUnquoted(nil, text)
}

// Reasons yields each Reason value (RFC 3326) of every Reason header, in order. Malformed values are left out.
func (m *Message) Reasons() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for v := range m.List(HReason) {
			if reasonOK(v) && !yield(v) {
				return
			}
		}
	}
}

// reasonOK says whether a Reason value is written by the grammar: it is passed on as it is.
func reasonOK(v []byte) bool {
	end := span(v, 0, cToken)
	at, ok := skipSpace(v, end), end > 0
	for ok && at < len(v) && v[at] == ';' {
		at, ok = paramEnd(v, at)
		at = skipSpace(v, max(at, 0))
	}
	return ok && at == len(v)
}

// paramEnd is where a parameter at i ends that is written by the grammar.
func paramEnd(b []byte, i int) (next int, ok bool) {
	i = skipSpace(b, i+1)
	end := span(b, i, cToken)
	if end == i {
		return i, false
	}
	i = skipSpace(b, end)
	if i >= len(b) || b[i] != '=' {
		return i, true
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '"' {
		end = quotedEnd(b, i)
	} else if end = span(b, i, cValue); end == i {
		end = -1
	}
	return end, end > 0
}

// BareReason is the text of a Reason value with nothing but its protocol and cause.
func BareReason(v []byte) []byte {
	name, params, _ := bytes.Cut(v, []byte{';'})
	out := bytes.Clone(trim(name))
	for len(params) > 0 {
		var one []byte
		if one, params, _ = bytes.Cut(params, []byte{';'}); bytes.IndexByte(one, '"') >= 0 {
			break // a text may hold anything, semicolons too
		}
		key, value, _ := bytes.Cut(one, []byte{'='})
		if value = trim(value); equalFold(trim(key), "cause") && len(value) <= 3 && span(value, 0, cDigit) == len(value) {
			out = append(append(out, ";cause="...), value...)
		}
	}
	return out
}
