package detect

import (
	"bytes"
	_ "embed"
	"strings"
)

//go:embed scanners.txt
var scannerMarks string

// scanners are the marks of tools, by their first byte.
var scanners = func() (table [256][]scanner) {
	for line := range strings.Lines(scannerMarks) {
		if begins, tool, ok := strings.Cut(strings.TrimSpace(line), " = "); ok {
			table[begins[0]] = append(table[begins[0]], scanner{begins, tool})
		}
	}
	return table
}()

// inNames is what the From or To of a tool says whatever its User-Agent is changed to.
var inNames = []byte("sipvicious")

// scanner is one mark.
type scanner struct{ begins, tool string }

// Scanner tells a known scanner by its marks, and names it. It takes raw bytes of a packet, each of which may be empty:
// the User-Agent, what From and To say (the display name, the user, or the header's whole value) and the SDP. It allocates
// nothing.
func Scanner(userAgent, from, to, sdp []byte) (name string, ok bool) {
	if name, ok = mark(userAgent); ok {
		return name, true
	}
	if bytes.Contains(from, inNames) || bytes.Contains(to, inNames) {
		return "sipvicious", true
	}
	return sessionMark(sdp)
}

// mark finds a scanner whose mark the text begins with, as a whole word.
func mark(text []byte) (string, bool) {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '"') {
		text = text[1:]
	}
	if len(text) == 0 {
		return "", false
	}
	for _, s := range scanners[small(text[0])] {
		if hasFold(text, s.begins) && (len(text) == len(s.begins) || !wordByte(text[len(s.begins)])) {
			return s.tool, true
		}
	}
	return "", false
}

// sessionMark looks at the origin and the name of a session, which stand in the first lines of SDP (RFC 4566 5).
func sessionMark(sdp []byte) (string, bool) {
	for range 4 {
		line, rest, more := bytes.Cut(sdp, []byte("\n"))
		if len(line) > 2 && line[1] == '=' && (line[0] == 'o' || line[0] == 's') {
			if name, ok := mark(bytes.TrimRight(line[2:], "\r")); ok {
				return name, true
			}
		}
		if !more {
			break
		}
		sdp = rest
	}
	return "", false
}

func small(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// wordByte continues a word: "sipsakura" is not "sipsak".
func wordByte(c byte) bool { c = small(c); return c >= 'a' && c <= 'z' || c >= 0x80 }

// hasFold says whether text begins with what is given in small letters.
func hasFold(text []byte, begins string) bool {
	if len(text) < len(begins) {
		return false
	}
	for i := range len(begins) {
		if small(text[i]) != begins[i] {
			return false
		}
	}
	return true
}
