package message

// Character classes of RFC 3261 section 25.1, one bit each.
const (
	cToken   uint16 = 1 << iota // token
	cUser                       // user part of a URI, '%' left to the escape check
	cPass                       // password of a URI
	cHost                       // host name; '_' is not in the grammar and is common in the field
	cParam                      // URI parameter
	cHdr                        // URI header part
	cScheme                     // scheme after its first letter
	cVisible                    // any printable ASCII but space
	cDisplay                    // unquoted display name: token, space, and UTF-8, which phones send unquoted
	cTel                        // number of a tel URI (RFC 3966)
	cValue                      // value of a header parameter: token or host
	cDigit
	cHex
)

var class = buildClasses()

func buildClasses() (t [256]uint16) {
	set := func(bits uint16, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bits
		}
	}
	const (
		digits = "0123456789"
		alpha  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		mark   = "-_.!~*'()"
	)
	set(cToken|cUser|cPass|cHost|cParam|cHdr|cScheme|cDisplay|cValue, digits+alpha)
	set(cDigit|cTel|cHex, digits)
	set(cHex, "abcdefABCDEF")
	set(cToken|cDisplay|cValue, "-.!%*_+`'~")
	set(cDisplay, " \t")
	set(cUser|cPass|cParam|cHdr, mark+"%")
	set(cUser, "&=+$,;?/#") // '#' must be escaped by the grammar; phones that dial *21# do not
	set(cPass, "&=+$,")
	set(cHost, "-._")
	set(cParam, "[]/:&+$")
	set(cHdr, "[]/?:+$&=")
	set(cScheme, "+-.")
	set(cTel, "+-.()*#abcdefABCDEF")
	set(cValue, "[]:")
	for c := 0x21; c < 0x7f; c++ {
		t[c] |= cVisible
	}
	for c := 0x80; c < 0x100; c++ {
		t[c] |= cDisplay | cUser // UTF-8, which phones do not escape
	}
	return t
}

// all tells whether b is not empty and holds only characters of the class.
func all(b []byte, c uint16) bool {
	for _, x := range b {
		if class[x]&c == 0 {
			return false
		}
	}
	return len(b) > 0
}

// escapesOK tells whether each '%' is followed by two hex digits.
func escapesOK(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i] != '%' {
			continue
		}
		if i+2 >= len(b) || class[b[i+1]]&cHex == 0 || class[b[i+2]]&cHex == 0 {
			return false
		}
		i += 2
	}
	return true
}

// unescape appends b with %XX decoded. A '%' that starts no escape is kept.
func unescape(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) && class[b[i+1]]&cHex != 0 && class[b[i+2]]&cHex != 0 {
			dst = append(dst, unhex(b[i+1])<<4|unhex(b[i+2]))
			i += 2
			continue
		}
		dst = append(dst, b[i])
	}
	return dst
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// equalFold compares ASCII text without case.
func equalFold(b []byte, want string) bool {
	if len(b) != len(want) {
		return false
	}
	for i := range b {
		if b[i] != want[i] && lower(b[i]) != lower(want[i]) {
			return false
		}
	}
	return true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	return i
}

func trim(b []byte) []byte {
	i, j := 0, len(b)
	for i < j && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	for j > i && (b[j-1] == ' ' || b[j-1] == '\t') {
		j--
	}
	return b[i:j]
}

// span returns the first index at or after i whose byte is not in the class.
func span(b []byte, i int, c uint16) int {
	for i < len(b) && class[b[i]]&c != 0 {
		i++
	}
	return i
}

// quotedEnd returns the index after the closing quote of the quoted string that opens at i, or -1.
func quotedEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// unquote strips the quotes of a quoted string and keeps its escapes; other text is returned as it is.
func unquote(b []byte) []byte {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		return b[1 : len(b)-1]
	}
	return b
}

// number reads decimal digits up to limit; larger values are clamped to limit. ok is false when b is not all digits.
func number(b []byte, limit uint64) (n uint64, clamped, ok bool) {
	if len(b) == 0 {
		return 0, false, false
	}
	for _, c := range b {
		if class[c]&cDigit == 0 {
			return 0, false, false
		}
		if !clamped {
			n = n*10 + uint64(c-'0')
			clamped = n > limit
		}
	}
	if clamped {
		n = limit
	}
	return n, clamped, true
}
