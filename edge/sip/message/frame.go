package message

import "bytes"

// Frame finds the first message in the bytes of a stream (RFC 3261 section 18.3). b starts at a start line. n is the
// message's length when it is all there, 0 when more bytes are needed. need is the least number of bytes the message
// takes as far as known, so that a caller can refuse it early. A fault means that the stream cannot be followed
// any further: no start line, more than MaxSize bytes, or a message, which is then the last (n is not 0), with several lengths, of which the least
// counts, or with none that can be read. Of a request that is too large n is its head, which Parse refuses with 513. A BYE or CANCEL whose length
// cannot be read has no body, and the stream goes on.
//
// What ends the start line ends every line: after one that ends with LF alone, the headers end with an empty line of either kind. After one that
// ends with CR LF they end with nothing else, so that a line break smuggled into a value makes no second message.
func Frame(b []byte) (n, need int, f *Fault) {
	lines, end := HeadEnd(b, 0)
	if end < 0 {
		if len(b) > MaxSize {
			return 0, 0, &faultSize.drop
		}
		return 0, len(b) + 1, nil
	}
	if start, _, _ := bytes.Cut(b[:lines], lf); !bytes.Contains(start, []byte("SIP/")) && !bytes.Contains(bytes.ToUpper(start), []byte("SIP/")) {
		return 0, 0, &faultStart.drop
	}
	length, sure := frameLength(b[:lines])
	if Ends(b) && (!sure || end+length > MaxSize) {
		length, sure = 0, true
	}
	total := end + length
	switch {
	case total > MaxSize && !bytes.HasPrefix(b, []byte("SIP/")) && end <= MaxSize:
		return end, 0, &faultSize.drop
	case total > MaxSize:
		return 0, 0, &faultSize.drop
	case total > len(b):
		return 0, total, nil
	case !sure:
		return total, total, &malformed[HContentLength].drop
	}
	return total, total, nil
}

// HeadEnd finds the empty line after the headers of the message at the start of b: its lines end before lines, its body begins at body.
// Both are -1 when it is not there yet. from says how many bytes of b are known to hold none.
func HeadEnd(b []byte, from int) (lines, body int) {
	first := bytes.IndexByte(b[:min(len(b), maxStart)], '\n')
	if first < 0 || first > 0 && b[first-1] == '\r' {
		from = max(0, from-3)
		if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
			return from + i + 2, from + i + 4
		}
		return -1, -1
	}
	for at := max(first, from-2); ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return -1, -1
		}
		at += i + 1
		switch {
		case at < len(b) && b[at] == '\n':
			return at, at + 1
		case at+1 < len(b) && b[at] == '\r' && b[at+1] == '\n':
			return at, at + 2
		}
	}
}

// maxStart bounds where the first line end is looked for again and again.
const maxStart = 2 * MaxURI

// Cut is the message at the start of b, when no more of it will come: up to the first empty line of any kind. It has no body. 0: there is none.
func Cut(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0
		}
		at += i + 1
		if rest := bytes.TrimPrefix(b[at:], []byte{'\r'}); len(rest) > 0 && rest[0] == '\n' {
			return len(b) - len(rest) + 1
		}
	}
}

// frameLength is the least Content-Length in a head, 0 when there is none, and whether it is the only one, or there is no body.
func frameLength(head []byte) (length int, sure bool) {
	least, body := -1, false
	sure = true
	for len(head) > 0 {
		eol := bytes.IndexByte(head, '\n')
		if eol < 0 {
			break
		}
		line := head[:eol]
		head = head[eol+1:]
		nameEnd := span(line, 0, cToken)
		if nameEnd != 1 && nameEnd != len("Content-Length") && nameEnd != len("Content-Type") {
			continue
		}
		id, at := HeaderOf(line[:nameEnd]), skipSpace(line, nameEnd)
		if body = body || id == HContentType; id != HContentLength {
			continue
		}
		if at >= len(line) || line[at] != ':' {
			sure = false
			continue
		}
		value := trim(bytes.TrimSuffix(line[at+1:], []byte{'\r'}))
		for len(head) > 0 && (head[0] == ' ' || head[0] == '\t') { // folded: the digits may stand on the next line
			if eol = bytes.IndexByte(head, '\n'); eol < 0 {
				break
			}
			if more := trim(bytes.TrimSuffix(head[:eol], []byte{'\r'})); len(value) == 0 {
				value = more
			} else if len(more) > 0 {
				value = nil // not a number
			}
			head = head[eol+1:]
		}
		n, _, ok := number(value, MaxSize)
		sure = sure && ok && (least < 0 || int(n) == least)
		if ok && (least < 0 || int(n) < least) {
			least = int(n)
		}
	}
	return max(least, 0), sure && (least >= 0 || !body)
}
