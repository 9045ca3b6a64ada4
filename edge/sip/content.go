package sip

import (
	"bytes"
	"mime"
	"strings"

	"ringfence/edge/sip/message"
)

// content is a body with the headers that describe it: it crosses a call with all of them, or not at all (RFC 3261 20.11 to 20.15).
type content struct {
	ctype string
	about []byte // the header lines beside Content-Type
	body  []byte
}

// contentOf is the body of a message. It points into the message; kept makes a copy.
func contentOf(m *message.Message) content {
	if len(m.Body()) == 0 {
		return content{}
	}
	c := content{ctype: string(m.Get(message.HContentType)), body: m.Body()}
	for _, id := range describing {
		if m.Has(id) {
			c.about = appendHeaders(c.about, m, describing[:]...)
			break
		}
	}
	if len(c.about) > maxAbout {
		return content{}
	}
	return c
}

// describing are the headers that describe a body.
var describing = [...]message.HeaderID{
	message.HContentDisposition, message.HContentEncoding, message.HContentLanguage, message.HContentID, message.HMIMEVersion,
}

// maxAbout bounds the bytes of those headers, and of those that say where a caller is.
const maxAbout = 2048

// appendHeaders appends a message's header lines of some names.
func appendHeaders(dst []byte, m *message.Message, ids ...message.HeaderID) []byte {
	var w message.Writer
	w.Begin(dst)
	w.Copy(m, ids...)
	return w.Bytes()
}

func (c content) empty() bool { return len(c.body) == 0 }

// kept is a copy that outlives the message.
func (c content) kept() content {
	c.body, c.about = bytes.Clone(c.body), bytes.Clone(c.about)
	return c
}

// end ends a message with the body.
func (c content) end(w *message.Writer) []byte {
	if !c.empty() {
		w.Lines(c.about)
	}
	return w.End(c.ctype, c.body)
}

// kind is the media type in lower case, with its parameters.
func (c content) kind() (string, map[string]string) {
	if c.ctype == "application/sdp" { // nearly always
		return c.ctype, nil
	}
	kind, params, err := mime.ParseMediaType(c.ctype)
	if err != nil && kind == "" {
		kind, _, _ = strings.Cut(strings.ToLower(c.ctype), ";")
		kind = strings.TrimSpace(kind)
	}
	return kind, params
}

// session is the session description in a body, which is an offer or an answer. It is empty when there is none, as in a body that describes
// only an early session (RFC 3959).
func (c content) session() content {
	if c.empty() || !c.ofSession() {
		return content{}
	}
	switch kind, params := c.kind(); {
	case kind == "" || kind == "application/sdp":
		return c
	case strings.HasPrefix(kind, "multipart/"):
		if sdp := sdpOf(c.body, params["boundary"]); sdp != nil {
			return content{ctype: "application/sdp", body: sdp}
		}
	}
	return content{}
}

// ofSession says whether the body's disposition is the session, which it is unless it says otherwise.
func (c content) ofSession() bool {
	const header = "Content-Disposition:"
	if kind, _ := c.kind(); strings.HasPrefix(kind, "multipart/") {
		return true // each part has a disposition of its own
	}
	for line := range bytes.Lines(c.about) {
		if len(line) > len(header) && strings.EqualFold(string(line[:len(header)]), header) {
			kind, _, _ := bytes.Cut(line[len(header):], []byte{';'})
			return strings.EqualFold(string(bytes.TrimSpace(kind)), "session")
		}
	}
	return true
}

// locating are the headers that say where a caller is (RFC 6442).
var locating = [...]message.HeaderID{message.HGeolocation, message.HGeolocationRouting}

// locationOf is where a caller is, as header lines.
func locationOf(m *message.Message) []byte {
	if !m.Has(message.HGeolocation) {
		return nil
	}
	if lines := appendHeaders(nil, m, locating[:]...); len(lines) <= maxAbout {
		return lines
	}
	return nil
}

// withoutLocation is the body as it may cross an ordinary call: the caller's location is for the emergency services only.
func (c content) withoutLocation() content {
	switch kind, params := c.kind(); {
	case kind == "application/pidf+xml":
		return content{}
	case strings.HasPrefix(kind, "multipart/") && bytes.Contains(bytes.ToLower(c.body), []byte("pidf+xml")):
		if sdp := sdpOf(c.body, params["boundary"]); sdp != nil {
			return content{ctype: "application/sdp", body: sdp}
		}
		return content{}
	}
	return c
}

// crossing is what is passed on of a request inside a call: its body, and on an emergency call the caller's location.
func (b *bridge) crossing(m *message.Message) (lines []byte, c content) {
	lines, c = b.passReason(m), contentOf(m)
	if _, help := b.isHelp(); help {
		return append(lines, locationOf(m)...), c
	}
	return lines, c.withoutLocation()
}
