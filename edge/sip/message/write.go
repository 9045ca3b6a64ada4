package message

import (
	"bytes"
	"strconv"
)

// Writer appends one message to a buffer: Begin, then Request or Status, then headers, then End. It writes no line
// break that it did not make itself: CR, LF and NUL in values become spaces, bytes that a URI cannot hold are escaped.
// The zero value is ready for Begin. Not safe for concurrent use.
type Writer struct{ b []byte }

// Begin starts a message at the end of dst.
func (w *Writer) Begin(dst []byte) { w.b = dst }

// Bytes returns what is written so far, with what Begin was given.
func (w *Writer) Bytes() []byte { return w.b }

// Request writes the request line.
func (w *Writer) Request(m Method, uri []byte) {
	b := append(append(w.b, m.String()...), ' ')
	w.b = append(appendURI(b, uri), " SIP/2.0\r\n"...)
}

// Status writes the status line; an empty phrase means the standard one.
func (w *Writer) Status(code int, phrase string) {
	if phrase == "" {
		phrase = PhraseFor(code)
	}
	b := append(w.b, "SIP/2.0 "...)
	b = strconv.AppendInt(b, int64(min(max(code, 100), 699)), 10)
	b = appendClean(append(b, ' '), phrase)
	w.b = append(b, "\r\n"...)
}

func (w *Writer) name(id HeaderID) []byte {
	b := append(w.b, headerNames[id].name...)
	return append(b, ": "...)
}

// Add writes a header. Nothing is written for HOther and HContentLength, which End writes.
func (w *Writer) Add(id HeaderID, value []byte) {
	if id == HOther || id >= numHeaders || id == HContentLength {
		return
	}
	w.b = append(appendClean(w.name(id), value), "\r\n"...)
}

// AddString writes a header.
func (w *Writer) AddString(id HeaderID, value string) {
	if id == HOther || id >= numHeaders || id == HContentLength {
		return
	}
	w.b = append(appendClean(w.name(id), value), "\r\n"...)
}

// AddInt writes a header with a number.
func (w *Writer) AddInt(id HeaderID, n int64) {
	if id == HOther || id >= numHeaders || id == HContentLength {
		return
	}
	w.b = append(strconv.AppendInt(w.name(id), n, 10), "\r\n"...)
}

// AddNamed writes a header by name. Nothing is written when the name is no token or is Content-Length.
func (w *Writer) AddNamed(name string, value []byte) {
	if !all([]byte(name), cToken) || HeaderOf([]byte(name)) == HContentLength {
		return
	}
	b := append(append(w.b, name...), ": "...)
	w.b = append(appendClean(b, value), "\r\n"...)
}

// Via writes a Via of ours, with rport (RFC 3581). hostport has brackets around an IPv6 address.
func (w *Writer) Via(transport, hostport string, branch []byte) {
	b := append(w.name(HVia), "SIP/2.0/"...)
	b = appendToken(b, transport)
	b = appendURI(append(b, ' '), hostport)
	b = appendToken(append(b, ";rport;branch="...), branch)
	w.b = append(b, "\r\n"...)
}

// Addr writes an address header: From, To, Contact, P-Asserted-Identity … display is plain text, escaped here; display
// and tag are left out when empty.
func (w *Writer) Addr(id HeaderID, display, uri, tag []byte) {
	if id == HOther || id >= numHeaders || id == HContentLength {
		return
	}
	b := w.name(id)
	if len(display) > 0 {
		b = append(AppendQuoted(b, display), ' ')
	}
	b = append(appendURI(append(b, '<'), uri), '>')
	if len(tag) > 0 {
		b = appendToken(append(b, ";tag="...), tag)
	}
	w.b = append(b, "\r\n"...)
}

// CSeq writes the CSeq header.
func (w *Writer) CSeq(n uint32, m Method) {
	b := strconv.AppendUint(w.name(HCSeq), uint64(n), 10)
	w.b = append(append(append(b, ' '), m.String()...), "\r\n"...)
}

// Copy writes each header line of m that has one of the ids, in the order of the ids.
func (w *Writer) Copy(m *Message, ids ...HeaderID) {
	for _, id := range ids {
		if id == HOther || id == HContentLength || !m.Has(id) {
			continue
		}
		for i := int(m.first[id]) - 1; i < int(m.n); i++ {
			if m.fields[i].id == id {
				w.Add(id, m.value(&m.fields[i]))
			}
		}
	}
}

// Lines writes ready header lines, each ended by CR LF, such as a challenge. They are dropped, all of them, when they
// are not sound header lines: no names, line breaks astray, a blank line, a Content-Length.
func (w *Writer) Lines(raw []byte) {
	if linesOK(raw) {
		w.b = append(w.b, raw...)
	}
}

func linesOK(b []byte) bool {
	if bytes.IndexByte(b, 0) >= 0 {
		return false
	}
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\r')
		if end < 0 || end+1 >= len(b) || b[end+1] != '\n' || bytes.IndexByte(b[:end], '\n') >= 0 {
			return false
		}
		colon := span(b[:end], 0, cToken)
		if colon == 0 || colon >= end || b[colon] != ':' || HeaderOf(b[:colon]) == HContentLength {
			return false
		}
		b = b[end+2:]
	}
	return true
}

// End writes Content-Type, Content-Length, the empty line and the body, and returns the whole buffer. The content type
// is left out when the body is empty.
func (w *Writer) End(contentType string, body []byte) []byte {
	if len(body) > 0 && contentType != "" {
		w.AddString(HContentType, contentType)
	}
	b := strconv.AppendInt(w.name(HContentLength), int64(len(body)), 10)
	b = append(append(b, "\r\n\r\n"...), body...)
	w.b = nil
	return b
}

// AppendQuoted appends text as a quoted string: quotes and backslashes escaped, control characters as spaces.
func AppendQuoted[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendClean appends a header value with CR, LF and NUL as spaces.
func appendClean[T string | []byte](dst []byte, v T) []byte {
	at := len(dst)
	dst = append(dst, v...)
	for i := at; i < len(dst); i++ {
		if c := dst[i]; c == '\r' || c == '\n' || c == 0 {
			dst[i] = ' '
		}
	}
	return dst
}

// appendToken appends a token; other characters become '-'.
func appendToken[T string | []byte](dst []byte, v T) []byte {
	for i := range len(v) {
		c := v[i]
		if class[c]&cToken == 0 {
			c = '-'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendURI appends a URI or a host and port; bytes that cannot stand in one are escaped.
func appendURI[T string | []byte](dst []byte, v T) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(v) {
		c := v[i]
		if class[c]&cVisible == 0 || c == '<' || c == '>' || c == '"' {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
