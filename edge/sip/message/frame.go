package message

import "bytes"

// Frame finds the first message in the bytes of a stream (RFC 3261 section 18.3). b starts at a start line. n is the
// message's length when it is all there, 0 when more bytes are needed. need is the least number of bytes the message
// takes as far as known, so that a caller can refuse it early. A fault means that the stream cannot be followed any further: no or more
// than one Content-Length, or a malformed one, or more than MaxSize bytes. A BYE or CANCEL whose Content-Length cannot be read has no body.
func Frame(b []byte) (n, need int, f *Fault) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > MaxSize {
			return 0, 0, &faultSize.drop
		}
		return 0, len(b) + 1, nil
	}
	length, ok := frameLength(b[:end+2])
	switch fits := end+4+length <= MaxSize; {
	case ok && fits:
	case Ends(b) && end+4 <= MaxSize:
		length = 0
	case !ok:
		return 0, 0, &faultLength.drop
	default:
		return 0, 0, &faultSize.drop
	}
	total := end + 4 + length
	if total > len(b) {
		return 0, total, nil
	}
	return total, total, nil
}

// frameLength finds the one Content-Length in a head.
func frameLength(head []byte) (length int, ok bool) {
	for len(head) > 0 {
		eol := bytes.IndexByte(head, '\n')
		if eol < 0 {
			break
		}
		line := head[:eol]
		head = head[eol+1:]
		nameEnd := span(line, 0, cToken)
		if nameEnd != 1 && nameEnd != len("Content-Length") || HeaderOf(line[:nameEnd]) != HContentLength {
			continue
		}
		at := skipSpace(line, nameEnd)
		if at >= len(line) || line[at] != ':' || ok {
			return 0, false
		}
		value := line[at+1:]
		for len(head) > 0 && (head[0] == ' ' || head[0] == '\t') { // folded: the digits may stand on the next line
			if len(trim(bytes.TrimSuffix(value, []byte{'\r'}))) > 0 {
				return 0, false
			}
			if eol = bytes.IndexByte(head, '\n'); eol < 0 {
				return 0, false
			}
			value, head = head[:eol], head[eol+1:]
		}
		n, big, good := number(trim(bytes.TrimSuffix(value, []byte{'\r'})), MaxSize)
		if !good || big {
			return 0, false
		}
		length, ok = int(n), true
	}
	return length, ok
}
