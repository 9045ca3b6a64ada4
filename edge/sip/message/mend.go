package message

import "bytes"

// mend rewrites a message whose lines break the grammar: ended by LF alone, not ended by an empty line, without a name, or too
// many of them. What ends the start line ends every line; a line break of another kind becomes a blank, so that an attacker cannot make a header out of
// part of a value. Nil: this is not SIP, or would be too long.
func mend(b []byte) []byte {
	if bytes.IndexByte(b, '\n') < 0 {
		if bytes.IndexByte(b, '\r') < 0 {
			return nil
		}
		b = bytes.ReplaceAll(b, []byte{'\r'}, lf)
	}
	b = afterJunk(b)
	start, rest, found := bytes.Cut(b, lf)
	if !found || !bytes.Contains(bytes.ToLower(start), []byte("sip/")) {
		return nil
	}
	eol := []byte("\n")
	if bytes.HasSuffix(start, []byte("\r")) {
		eol = []byte("\r\n")
	}
	head, body := rest, []byte(nil)
	if bytes.HasPrefix(rest, eol) {
		head, body = nil, rest[len(eol):]
	} else if lines, end := HeadEnd(b, 0); end >= 0 {
		head, body = b[len(start)+1:lines], b[end:]
	}
	out := append(appendClean(make([]byte, 0, len(b)+256), bytes.ReplaceAll(bytes.TrimRight(start, "\r"), []byte{'\t'}, []byte{' '})), "\r\n"...)
	out = appendLines(out, head, eol)
	if len(out)+2+len(body) > MaxSize {
		return nil
	}
	return append(append(out, "\r\n"...), body...)
}

// appendLines appends the header lines that have a name. When there are too many, those that we do not use are left out.
func appendLines(out, head, eol []byte) []byte {
	tooMany, n := bytes.Count(head, eol) >= MaxHeaders, 0
	for len(head) > 0 && n < MaxHeaders {
		line, rest, _ := bytes.Cut(head, eol)
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			var more []byte
			more, rest, _ = bytes.Cut(rest, eol)
			line = line[:len(line)+len(eol)+len(more)] // the line break becomes blank below
		}
		head = rest
		name, value, found := bytes.Cut(line, []byte{':'})
		if name = bytes.Trim(name, " \t\r"); !found || len(name) > maxName || !all(name, cToken) || tooMany && HeaderOf(name) == HOther {
			continue
		}
		out = append(append(out, name...), ": "...)
		out = append(appendClean(out, trim(value)), "\r\n"...)
		n++
	}
	return out
}
