package message

import "bytes"

// Frame finds the first message in the bytes of a stream (RFC 3261 section 18.3). b starts at a start line. n is the
// message's length when it is all there, 0 when more bytes are needed. need is the least number of bytes the message
// takes as far as known, so that a caller can refuse it early. A fault means that the stream cannot be followed
// any further: no start line, more than MaxSize bytes, or a message, which is then the last (n is not 0), with several lengths, of which the least
// counts, or with none that can be read. A BYE or CANCEL whose length
// cannot be read has no body, and the stream goes on.
func Frame(b []byte) (n, need int, f *Fault) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > MaxSize {
			return 0, 0, &faultSize.drop
		}
		return 0, len(b) + 1, nil
	}
	if start, _, _ := bytes.Cut(b[:end+2], lf); !bytes.Contains(start, []byte("SIP/")) && !bytes.Contains(bytes.ToUpper(start), []byte("SIP/")) {
		return 0, 0, &faultStart.drop
	}
	length, sure := frameLength(b[:end+2])
	if Ends(b) && (!sure || end+4+length > MaxSize) {
		length, sure = 0, true
	}
	total := end + 4 + length
	switch {
	case total > MaxSize:
		return 0, 0, &faultSize.drop
	case total > len(b):
		return 0, total, nil
	case !sure:
		return total, total, &malformed[HContentLength].drop
	}
	return total, total, nil
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
