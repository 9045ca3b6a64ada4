package detect

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of User-Agents: what is looked at of one, and how long a family may be, in bytes.
const (
	maxAgent  = 256
	maxFamily = 60
)

// Family is the product that a User-Agent names, without version, firmware or MAC address, so that a phone that updates
// itself stays the same phone: "Yealink SIP-T46S 66.84.0.15" is "yealink sip-t46s". Any text is fit to be given; what comes
// back is at most 60 bytes of lower case letters, digits, single spaces and !#+._-; "" if it names nothing.
//
// Words are taken up to the first version; what follows is detail. Comments in parentheses are left out, unless there is
// nothing else.
func Family(userAgent string) string {
	text := userAgent[:min(len(userAgent), maxAgent)]
	if f := family(withoutComments(text)); f != "" {
		return f
	}
	return family(text)
}

func family(text string) string {
	var words []string
	size := 0
	for _, raw := range strings.FieldsFunc(text, betweenWords) {
		word, last := product(strings.Map(plain, raw))
		if word != "" && size < maxFamily {
			words = append(words, word)
			size += len(word) + 1
		}
		if last && len(words) > 0 {
			break
		}
	}
	f := strings.Join(words, " ")
	if len(f) > maxFamily {
		f = f[:maxFamily]
		for !utf8.ValidString(f) {
			f = f[:len(f)-1]
		}
	}
	return strings.Trim(f, trimmed)
}

const trimmed = " -_.+#"

// product is what a word says of the product; last: a version began here, and what follows it is detail.
func product(word string) (name string, last bool) {
	if at := versionAt(word); at >= 0 {
		word, last = word[:at], true
	}
	if isSerial(word) {
		return "", last
	}
	word = strings.Trim(strings.ReplaceAll(word, ":", ""), trimmed)
	// "SPA942-000E08ABCDEF": parts after hyphens that are the number of this very phone, or announce its version.
	for {
		cut := strings.LastIndexAny(word, "-_")
		if cut < 0 || !isSerial(word[cut+1:]) && !(last && versionWords[word[cut+1:]]) {
			break
		}
		word = strings.Trim(word[:cut], trimmed)
	}
	if versionWords[word] || isPlainVersion(word) {
		return "", true
	}
	return word, last
}

// versionWords come before a version, or stand for one.
var versionWords = map[string]bool{
	"v": true, "rv": true, "r": true, "ver": true, "version": true, "rel": true, "release": true, "build": true, "stamp": true,
	"fw": true, "firmware": true, "rev": true, "revision": true, "git": true, "svn": true,
}

// versionAt finds digits, a dot and a digit, with a "v" or "rv" before them: "2.10", "v1.0", "jitsi2.10.5550"; or what
// follows "git-" and "svn-". -1: there is none.
func versionAt(s string) int {
	for _, p := range []string{"git-", "svn-"} {
		if strings.HasPrefix(s, p) {
			return 0
		}
	}
	for i := 1; i+1 < len(s); i++ {
		if s[i] != '.' || !isDigit(s[i-1]) || !isDigit(s[i+1]) && s[i+1] != 'x' {
			continue
		}
		at := i
		for at > 0 && isDigit(s[at-1]) {
			at--
		}
		return at
	}
	return -1
}

// isPlainVersion is "v12" and "rv2".
func isPlainVersion(s string) bool {
	digits := strings.TrimPrefix(strings.TrimPrefix(s, "r"), "v")
	return len(digits) > 0 && len(digits) < len(s) && strings.Contains(s[:len(s)-len(digits)], "v") && strings.Trim(digits, "0123456789") == ""
}

// isSerial says that a word is the number of one phone: a MAC address or a long number, in hexadecimal with at least one
// digit, with or without colons and hyphens.
func isSerial(s string) bool {
	n, digits := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c):
			digits++
			n++
		case c >= 'a' && c <= 'f':
			n++
		case c == ':' || c == '-':
		default:
			return false
		}
	}
	return n >= 8 && digits > 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func betweenWords(r rune) bool {
	return r == '/' || r == ',' || r == ';' || r == '(' || r == ')' || r == '|' || unicode.IsSpace(r) || unicode.IsControl(r)
}

// plain keeps what names of products are made of, in lower case. Colons are for MAC addresses and go with them.
func plain(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9', strings.ContainsRune("!#+._-:", r):
		return r
	case r > unicode.MaxASCII && r != utf8.RuneError && unicode.IsLetter(r):
		return unicode.ToLower(r)
	}
	return -1
}

// withoutComments drops what is in parentheses, which nest; an unclosed one takes all that follows.
func withoutComments(s string) string {
	if strings.IndexByte(s, '(') < 0 {
		return s
	}
	var out strings.Builder
	depth := 0
	for i := range len(s) {
		switch {
		case s[i] == '(':
			depth++
			out.WriteByte(' ')
		case s[i] == ')' && depth > 0:
			depth--
		case depth == 0:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}
