package message

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// options is a request with a place to spoil.
func options(extra string) string {
	return "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc\r\n" +
		"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: a@b\r\nCSeq: 1 OPTIONS\r\n" + extra + "\r\n"
}

func mustParse(t testing.TB, text string) *Message {
	t.Helper()
	m := new(Message)
	if f := Parse(m, []byte(text)); f != nil {
		t.Fatalf("refused: %d %s\n%q", f.Status, f.Why, text)
	}
	return m
}

// without is the request without a header.
func without(name string) string {
	var kept []string
	for _, l := range strings.SplitAfter(options(""), "\r\n") {
		if !strings.HasPrefix(l, name+":") {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "")
}

func swap(from, to string) string { return strings.Replace(options(""), from, to, 1) }

var refusals = []struct {
	name, text string
	status     int
	header     string
	why        string
}{
	{"empty", "", 0, "", "not a SIP start line"},
	{"noise", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, "", "not a SIP start line"},
	{"no Via", without("Via"), 400, "Via", "missing Via"},
	{"no From", without("From"), 400, "From", "missing From"},
	{"no To", without("To"), 400, "To", "missing To"},
	{"no Call-ID", without("Call-ID"), 400, "Call-ID", "missing Call-ID"},
	{"no CSeq", without("CSeq"), 400, "CSeq", "missing CSeq"},
	{"nothing to answer by", "OPTIONS sip:b@c SIP/2.0\r\n\r\n", 0, "Call-ID", "missing Call-ID"},
	{"two From", options("f: <sip:x@y>;tag=2\r\n"), 400, "From", "more than one From"},
	{"two To", options("t: <sip:x@y>\r\n"), 400, "To", "more than one To"},
	{"two Call-ID", options("i: x\r\n"), 400, "Call-ID", "more than one Call-ID"},
	{"two CSeq", options("CSeq: 2 OPTIONS\r\n"), 400, "CSeq", "more than one CSeq"},
	{"two lengths", options("l: 0\r\nContent-Length: 1\r\n"), 400, "Content-Length", "more than one Content-Length"},
	{"two Max-Forwards", options("Max-Forwards: 70\r\nMax-Forwards: 0\r\n"), 400, "Max-Forwards", "more than one Max-Forwards"},
	{"two types", options("Content-Type: application/sdp\r\nc: text/plain\r\n"), 400, "Content-Type", "more than one Content-Type"},
	{"two Expires", strings.ReplaceAll(options("Expires: 1\r\nexpires: 2\r\n"), "OPTIONS", "REGISTER"), 400, "Expires", "more than one Expires"},
	{"length beyond the datagram", options("Content-Length: 65000\r\n"), 400, "Content-Length", "body shorter than Content-Length"},
	{"length not a number", options("Content-Length: 1e3\r\n"), 400, "Content-Length", "malformed Content-Length"},
	{"length with sign", options("Content-Length: +1\r\n"), 400, "Content-Length", "malformed Content-Length"},
	{"length overflow", options("Content-Length: 18446744073709551617\r\n"), 513, "", "message too large"},
	{"length list", options("Content-Length: 0, 0\r\n"), 400, "Content-Length", "malformed Content-Length"},
	{"empty length", options("Content-Length:\r\n"), 400, "Content-Length", "malformed Content-Length"},
	{"Max-Forwards 256", options("Max-Forwards: 256\r\n"), 400, "Max-Forwards", "malformed Max-Forwards"},
	{"Max-Forwards empty", options("Max-Forwards: \r\n"), 400, "Max-Forwards", "malformed Max-Forwards"},
	{"Expires text", strings.ReplaceAll(options("Expires: soon\r\n"), "OPTIONS", "REGISTER"), 400, "Expires", "malformed Expires"},
	{"CSeq 2^31", swap("1 OPTIONS", "2147483648 OPTIONS"), 400, "CSeq", "malformed CSeq"},
	{"CSeq without method", swap("1 OPTIONS", "1"), 400, "CSeq", "malformed CSeq"},
	{"CSeq glued", swap("1 OPTIONS", "1OPTIONS"), 400, "CSeq", "malformed CSeq"},
	{"CSeq method", swap("1 OPTIONS", "1 INVITE"), 400, "CSeq", "CSeq method is not the request's"},
	{"CSeq method case", swap("1 OPTIONS", "1 options"), 400, "CSeq", "CSeq method is not the request's"},
	{"CSeq empty", swap("1 OPTIONS", ""), 400, "CSeq", "malformed CSeq"},
	{"Call-ID with space", swap("a@b", "a b"), 400, "Call-ID", "malformed Call-ID"},
	{"Call-ID empty", swap("a@b", ""), 400, "Call-ID", "malformed Call-ID"},
	{"Via of another version", swap("SIP/2.0/UDP", "SIP/3.0/UDP"), 400, "Via", "malformed Via"},
	{"Via without transport", swap("SIP/2.0/UDP", "SIP/2.0"), 400, "Via", "malformed Via"},
	{"Via port 65536", swap(":5060", ":65536"), 400, "Via", "malformed Via"},
	{"Via empty", swap("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc", ""), 400, "Via", "malformed Via"},
	{"From list", swap(";tag=1", ";tag=1, <sip:x@y>"), 400, "From", "malformed From"},
	{"From tag empty", swap(";tag=1", ";tag="), 400, "From", "malformed From"},
	{"To tag empty", swap("com>\r\nCall", "com>;tag\r\nCall"), 400, "To", "malformed To"},
	{"From empty", swap("<sip:alice@example.com>;tag=1", ""), 400, "From", "malformed From"},
	{"From rubbish", swap("<sip:alice@example.com>", "<alice>"), 400, "From", "malformed From"},
	{"From with a space in its URI", swap("sip:alice@", "sip:al ice@"), 400, "From", "malformed From"},
	{"space in URI", swap("sip:bob@example.com SIP", "sip:bo b@example.com SIP"), 400, "", "malformed Request-URI"},
	{"bad escape", swap("sip:bob@", "sip:%4@"), 400, "", "malformed Request-URI"},
	{"bad IPv6", swap("bob@example.com SIP", "bob@[::1::] SIP"), 400, "", "malformed Request-URI"},
	{"unknown scheme", swap("sip:bob@example.com SIP", "http://example.com/ SIP"), 416, "", "URI scheme not supported"},
	{"long URI", swap("sip:bob@", "sip:"+strings.Repeat("b", MaxURI)+"@"), 414, "", "Request-URI too long"},
	{"version", swap("SIP/2.0\r", "SIP/2.1\r"), 505, "", "SIP version not supported"},
	{"Contact star", options("Contact: *\r\n"), 400, "Contact", "malformed Contact"},
	{"no version", swap(" SIP/2.0\r", "\r"), 400, "", "malformed request line"},
	{"Contact rubbish", options("Contact: here, there\r\n"), 400, "Contact", "malformed Contact"},
	{"Route rubbish", options("Route: sip\r\n"), 400, "Route", "malformed Route"},
	{"Record-Route rubbish", options("Record-Route: <sip:a@b;lr>, c\r\n"), 400, "Record-Route", "malformed Record-Route"},
	{"status that is no number", "SIP/2.0 abc x\r\nVia: x\r\n\r\n", 0, "Status-Line", "malformed status line"},
	{"no status at all", "SIP/2.0      \r\nVia: x\r\n\r\n", 0, "Status-Line", "malformed status line"},
	{"a response of no call", "SIP/2.0 200 OK\r\nVia: x\r\n\r\n", 0, "Call-ID", "missing Call-ID"},
	{"ACK is never answered", strings.ReplaceAll(without("To"), "OPTIONS", "ACK"), 0, "To", "missing To"},
	{"too large", options("") + strings.Repeat("x", MaxSize), 0, "", "message too large"},
}

// Seen with sipgo: BYE without Call-ID killed the process, and OPTIONS with Via and CSeq alone reached handlers.
func TestParseRefuses(t *testing.T) {
	for _, tc := range refusals {
		t.Run(tc.name, func(t *testing.T) {
			var m Message
			f := Parse(&m, []byte(tc.text))
			if f == nil {
				t.Fatalf("accepted, want %d %s", tc.status, tc.why)
			}
			want(t, "why", f.Why, tc.why)
			want(t, "header", f.Header, tc.header)
			want(t, "status", f.Status, tc.status)
			if f.Status != 0 && tc.header != "Via" && tc.header != "Call-ID" {
				answer := AppendResponse(nil, &m, Reply{Code: f.Status, ToTag: []byte("t"), Src: netip.MustParseAddrPort("192.0.2.1:5060")})
				got := mustParse(t, string(answer))
				want(t, "answer", got.Status(), f.Status)
				text(t, "branch of the answer", got.Via().Branch, "z9hG4bKabc")
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	for name, s := range map[string]string{
		"leading line breaks":   "\r\n\r\n" + options(""),
		"trailing bytes":        options("Content-Length: 2\r\n") + "hitrailing",
		"names in any case":     strings.NewReplacer("Via", "vIA", "From", "FROM", "Call-ID", "CALL-id").Replace(options("")),
		"compact names":         strings.NewReplacer("Via", "v", "From", "f", "To:", "t:", "Call-ID", "i").Replace(options("")),
		"version in lower case": strings.Replace(options(""), "SIP/2.0\r", "sip/2.0\r", 1),
		"IPv6 everywhere": strings.NewReplacer("192.0.2.1:5060", "[2001:db8::1]:5060", "@example.com", "@[2001:DB8::9:192.0.2.3]:5070").
			Replace(options("Contact: <sip:a@[::1]>\r\n")),
		"quoted comma and brackets":   options("Contact: \"a, <b>\\\"\" <sip:a@b>;x=\"y,;z\", sip:c@d;q=0.5\r\n"),
		"unquoted UTF-8 display name": strings.Replace(options(""), "<sip:alice", "José <sip:alice", 1),
		"raw # in a dialled code":     strings.Replace(options(""), "sip:bob@", "sip:*21*0123#@", 1),
		"tel URI":                     strings.Replace(options(""), "sip:bob@example.com SIP", "tel:+44-20-7946-0123;ext=1 SIP", 1),
		"tel URI with a context":      strings.Replace(options(""), "sip:bob@example.com SIP", "tel:020-7946-0123;phone-context=+44 SIP", 1),
		"tel URI with a domain":       strings.Replace(options(""), "sip:bob@example.com SIP", "tel:0123;phone-context=example.com SIP", 1),
		"an empty context":            strings.Replace(options(""), "sip:bob@example.com SIP", "sip:0123;phone-context=@example.com;user=phone SIP", 1),
		"as many headers as allowed":  options(strings.Repeat("X-A: y\r\n", MaxHeaders-5)),
		"more headers than allowed":   options(strings.Repeat("X-A: y\r\n", MaxHeaders) + "Contact: <sip:a@b>\r\n"),
		"empty header at the end":     options("Subject:\r\n"),
		"empty headers":               options("Subject:\r\nSupported: \r\nAllow:\r\nX-A:\r\nExpires:\r\nRecord-Route:\r\nPath:\r\nDate: \r\n"),
		"an empty Contact":            options("Contact:\r\nm: <sip:a@b>\r\n"),
		"fold of nothing":             options("Subject: a\r\n \r\n"),
		"folds":                       strings.NewReplacer("Via: ", "Via:\r\n ", "From: ", "From:\r\n\t", " OPTIONS\r", "\r\n  OPTIONS\r").Replace(options("")),
		"blanks around everything": strings.NewReplacer("Via: ", "Via \t:\t", "192.0.2.1:5060;branch=z", "192.0.2.1 : 5060 ; branch = z", "<sip:alice@example.com>;tag=1", "  <sip:alice@example.com> ; tag = 1 ",
			"1 OPTIONS\r", "1 \t OPTIONS \r", "a@b", " a@b\t").Replace(options("")),
		"an empty rport":                    swap(";branch", ";rport=;branch"),
		"an empty parameter":                swap(";branch", ";;branch"),
		"an rport that is no number":        swap(";branch", ";rport=yes;branch"),
		"an unknown parameter left empty":   swap(";branch", ";alias=;maddr=;x=\"open;branch"),
		"a trailing semicolon":              swap("=z9hG4bKabc", "=z9hG4bKabc;"),
		"a trailing comma":                  swap("=z9hG4bKabc", "=z9hG4bKabc,"),
		"port 0 in Via":                     swap(":5060", ":0"),
		"no port after its colon":           swap(":5060", ":"),
		"a second branch":                   swap("=z9hG4bKabc", "=z9hG4bKabc;branch=x"),
		"a second Via that is not one":      options("Via: rubbish\r\n"),
		"no user":                           strings.ReplaceAll(options("Contact: <sip:@192.0.2.1>\r\n"), "sip:bob@", "sip:@"),
		"empty URI parameters":              swap("bob@example.com SIP", "bob@example.com;;lr;x=;transport= SIP"),
		"UTF-8 in a user":                   swap("<sip:alice", "<sip:älice"),
		"empty Contact parameters":          options("Contact: <sip:a@b>;;expires=;q=\r\n"),
		"one Contact that can be read":      options("Contact: <here>, O'Brien, John <sip:a@b>\r\n"),
		"a Contact without brackets":        options("Contact: Al sip:a@b;expires=60\r\n"),
		"headers of a URI without brackets": options("Contact: sip:a@b?subject=x\r\n"),
		"half a bracket":                    swap("<sip:alice@example.com>", "<sip:alice@example.com"),
		"half a quote":                      swap("<sip:alice", "\"al <sip:alice"),
		"the other bracket":                 swap("<sip:alice@example.com>", "sip:alice@example.com>"),
		"blanks within brackets":            swap("<sip:alice@example.com>", "< sip:alice@example.com >"),
		"a quoted tag":                      swap(";tag=1", ";tag=\"x\""),
		"a tag of odd characters":           swap(";tag=1", ";tag=a/b@c:d=e"),
		"the same twice": options("f: <sip:alice@example.com>;tag=1\r\nt: <sip:bob@example.com>\r\ni: a@b\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nMax-Forwards: 70\r\n" +
			"l: 0\r\nContent-Length: 0\r\nc: a/b\r\nContent-Type: a/b\r\n"),
		"different ones that nobody needs": options("Date: a\r\nDate: b\r\nTimestamp: 1\r\nTimestamp: 2\r\nExpires: 1\r\nExpires: 2\r\nSession-Expires: 1\r\nx: 2\r\nEvent: a\r\no: b\r\n" +
			"Retry-After: 1\r\nRetry-After: 2\r\nMin-SE: 1\r\nMin-SE: 2\r\nRSeq: 1\r\nRSeq: 2\r\n"),
		"malformed ones that nobody needs":  options("Date: a\r\nTimestamp: ?\r\nExpires: soon\r\nSession-Expires: ;\r\nReason: ;;\r\nAllow: ,,\r\nP-Asserted-Identity: x, <\r\n"),
		"bare LF in a value":                options("Subject: a\nRoute: <sip:evil>\r\n"),
		"bare CR in a value":                options("Subject: a\rb\r\n"),
		"NUL in a value":                    options("Subject: a\x00b\r\n"),
		"NUL after an escaped backslash":    swap("<sip:alice", "\"\\\\\x00\" <sip:alice"),
		"LF line ends":                      strings.ReplaceAll(options("Subject: a\r\n b\r\n"), "\r\n", "\n"),
		"no empty line":                     strings.TrimSuffix(options("Subject: a\r\n"), "\r\n"),
		"no line end at all after the last": strings.TrimSuffix(options("Subject: a\r\n"), "\r\n\r\n"),
		"a line without a colon":            options("Nonsense\r\n"),
		"a space in a name":                 options("Bad Name: x\r\n"),
		"no name":                           options(": x\r\n"),
		"a name that is too long":           options(strings.Repeat("x", 256) + ": y\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			m := mustParse(t, s)
			want(t, "status", m.Status(), 0)
			text(t, "method", m.MethodText(), "OPTIONS")
			text(t, "call", m.CallID(), "a@b")
			if !strings.Contains(name, "tag") {
				text(t, "tag", m.From().Tag(), "1")
			}
			if u, ok := m.From().ParseURI(); !ok || u.Scheme != SIP {
				t.Errorf("From is %q", m.From().URI)
			}
			text(t, "branch", m.Via().Branch, "z9hG4bKabc")
			contacts := 0
			for range m.Addrs(HContact) {
				contacts++
			}
			if m.Has(HContact) && contacts == 0 {
				t.Error("no Contact")
			}
			if bytes.ContainsAny(m.Get(HSubject), "\r\n") {
				t.Error("fold not undone")
			}
			if m.Has(HRoute) {
				t.Error("a value became a header")
			}
		})
	}
}

// How phones and carriers write names.
func TestDisplayNames(t *testing.T) {
	for written, read := range map[string]string{
		`""unknown""`: "unknown", "O'Brien, John": "O'Brien, John", "Smith (Sales)": "Smith (Sales)", "Foo; Bar": "Foo; Bar", `"Anonymous`: "Anonymous", `Anonymous"`: "Anonymous",
		"A & B": "A & B", "Tel: 123": "Tel: 123", "名前": "名前", "#1 Taxi": "#1 Taxi", "50% off": "50% off", "a@b.c": "a@b.c", `""`: "", `"-"`: "-", "J/K Ltd": "J/K Ltd",
		"[ext]": "[ext]", "x=y": "x=y", "?": "?", "{a|b}": "{a|b}", `\`: `\`, ",": ",", "sip:a@b": "sip:a@b", "a <b> c": "a <b> c", `"a" b "c"`: `a" b "c`, "\"tab\there\"": "tab\there",
		`"q \" q"`: `q " q`, "<>": "<>", "it's > that": "it's > that", "": "", "2001": "2001", "+44 20 7946 0000": "+44 20 7946 0000", "'single'": "'single'",
	} {
		for _, gap := range []string{" ", "", "\t "} {
			if written == "sip:a@b" && gap == "" {
				continue // one word
			}
			m := mustParse(t, strings.NewReplacer("From: ", "From: "+written+gap, "To: ", "To: "+written+gap).Replace(options("")))
			text(t, written, m.From().AppendDisplay(nil), read)
			text(t, written, m.From().URI, "sip:alice@example.com")
			text(t, written, m.From().Tag(), "1")
			text(t, written, m.To().URI, "sip:bob@example.com")
		}
	}
}

// Of a response nothing is refused but what says of which call it is: the other side would be left up.
func TestParseAcceptsOddResponses(t *testing.T) {
	const sound = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;received=192.0.2.1\r\nFrom: <sip:alice@example.com>;tag=1\r\n" +
		"To: <sip:bob@example.com>;tag=2\r\nCall-ID: a@b\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@192.0.2.9>\r\nContent-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n"
	for _, c := range [][2]string{
		{"SIP/2.0 200 OK", "SIP/2.0 200"},
		{"SIP/2.0 200 OK", "SIP/2.0  200  OK"},
		{"SIP/2.0 200 OK", "SIP/2.0 200OK"},
		{"SIP/2.0 200 OK", "sip/2.0 200 OK "},
		{"SIP/2.0 200 OK", "SIP/2.1 200 Œuvre \x80"},
		{"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;received=192.0.2.1\r\n", ""},
		{"Via: SIP/2.0", "Via: 2.0"},
		{"Via: ", "Via: SIP/2.0/UDP other;branch=z9hG4bKother\r\nVia: "},
		{";received=192.0.2.1", ";rport=;received=;;x=\"open"},
		{"From: <sip:alice@example.com>;tag=1\r\n", ""},
		{"From: <sip:alice@example.com>", "From: alice"},
		{"To: <sip:bob@example.com>", "To: bob smith"},
		{"To: <sip:bob@example.com>", "To: <sip:bo b@@>"},
		{"To: <sip:bob@example.com>", "To: O'Brien, John <sip:bob@example.com>"},
		{"To: ", "To: <sip:bob@example.com>;tag=2\r\nTo: "},
		{"Call-ID: a@b\r\n", "Call-ID: a@b\r\nCall-ID: c@d\r\n"},
		{"CSeq: 1 INVITE", "CSeq: 1 INVITE\r\nCSeq: 2 BYE"},
		{"CSeq: 1 INVITE", "CSeq: 1"},
		{"Contact: <sip:bob@192.0.2.9>", "Contact: <sip:bob@192.0.2.9>\r\nContact: <sip:bob@192.0.2.10>"},
		{"Contact: <sip:bob@192.0.2.9>", "Contact: bob"},
		{"Contact: <sip:bob@192.0.2.9>", "Contact: *"},
		{"Contact: ", "Record-Route: rubbish, <\r\nContact: "},
		{"Contact: ", "Max-Forwards: many\r\nExpires: x\r\nMin-Expires:\r\nContact: "},
		{"Contact: ", "Session-Expires: 1\r\nSession-Expires: 2\r\nDate: a\r\nDate: b\r\nRequire: timer\r\nRequire: timer\r\nContact: "},
		{"Content-Type: ", "c: text/plain\r\nContent-Type: "},
		{"Content-Length: 4", "Content-Length: 999"},
		{"Content-Length: 4", "Content-Length: 999\r\nContent-Length: 4"},
		{"Content-Length: 4", "Content-Length: 4\r\nl: 0"},
		{"Content-Length: 4", "Content-Length: four"},
		{"Content-Length: 4", "Content-Length:"},
		{"Contact: ", "no colon\r\nX Y: z\r\n: q\r\nContact: "},
		{"Contact: ", "X-Bare: a\nb\rc\x00d\r\nContact: "},
		{"Contact: ", strings.Repeat("X-A: b\r\n", 2*MaxHeaders) + "Contact: "},
	} {
		odd := strings.Replace(sound, c[0], c[1], 1)
		if odd == sound {
			t.Fatalf("%q is not in the response", c[0])
		}
		m := mustParse(t, odd)
		want(t, c[1], m.Status(), 200)
		text(t, c[1], m.CallID(), "a@b")
		text(t, c[1], m.To().Tag(), "2")
		text(t, c[1], m.Body(), "v=0\n")
	}
	want(t, "method in small letters", mustParse(t, strings.Replace(sound, "CSeq: 1 INVITE", "cseq: 1 invite", 1)).CSeqMethod(), INVITE)
	for _, end := range []string{"\n", "\r\n"} {
		m := mustParse(t, strings.ReplaceAll(strings.TrimSuffix(sound, "v=0\n"), "\r\n", end))
		text(t, "line end", m.To().Tag(), "2")
	}
}

// Blanks of another kind in the request line, and what stands before it, are no reason for silence.
func TestOddRequestLines(t *testing.T) {
	sound := options("")
	start, rest, _ := strings.Cut(sound, "\r\n")
	for _, odd := range []string{strings.ReplaceAll(start, " ", "\t"), " " + start, "\t\t" + start, "\ufeff" + start, "\x00" + start, " \r\n\t\r\n" + start} {
		m := mustParse(t, odd+"\r\n"+rest)
		want(t, odd, m.Method(), OPTIONS)
		text(t, odd, m.RequestURI(), "sip:bob@example.com")
	}
}

// A status that is none is a failure: who asked waits for no other answer.
func TestAStatusThatIsNone(t *testing.T) {
	for code, fault := range map[string]bool{"000": true, "099": true, "100": false, "699": false, "700": true, "999": true, "20": true, "2000": true, "-200": true} {
		m := mustParse(t, strings.Replace(options(""), "OPTIONS sip:bob@example.com SIP/2.0", "SIP/2.0 "+code+" x", 1))
		if f := m.Uncoded(); (f != nil) != fault || fault && (m.Status() != 500 || f.Header != "Status-Line" || f.Status != 0) {
			t.Errorf("%s: status %d, %v", code, m.Status(), f)
		}
	}
}

// An odd ACK ends the repeats of an answer all the same.
func TestParseAcceptsOddACKs(t *testing.T) {
	for _, extra := range []string{"Contact: *\r\n", "Route: x\r\n", "Max-Forwards: y\r\n", "Content-Length: 99\r\n", "Max-Forwards: 1\r\nMax-Forwards: 2\r\n", "From: <sip:other@x>\r\n", "nonsense\r\n"} {
		m := mustParse(t, strings.ReplaceAll(options(extra), "OPTIONS", "ACK"))
		text(t, extra, m.From().Tag(), "1")
	}
	sound := strings.ReplaceAll(options(""), "OPTIONS", "ACK")
	bare := mustParse(t, regexp.MustCompile("(?m)^Via:.*\r\n").ReplaceAllString(sound, ""))
	want(t, "without a Via", bare.Method() == ACK && bare.ViaCount() == 0, true)
	start, rest, _ := strings.Cut(sound, "\r\n")
	for _, odd := range []string{
		"ACK x SIP/2.0\r\n" + rest, "ACK <sip:bob@192.0.2.1> SIP/2.0\r\n" + rest, "ACK h323:bob SIP/2.0\r\n" + rest,
		"ACK sip:bob@192.0.2.1?Subject=x SIP/2.0\r\n" + rest, start + "\r\n" + strings.Replace(rest, " ACK\r\n", " INVITE\r\n", 1), start + "\r\n" + strings.Replace(rest, " ACK\r\n", " ack\r\n", 1),
	} {
		m := mustParse(t, odd)
		want(t, odd, m.Method(), ACK)
		want(t, odd, m.CSeq(), mustParse(t, sound).CSeq())
	}
}

func TestAccessors(t *testing.T) {
	m := mustParse(t, "SIP/2.0 183 Session Progress\r\nVia: SIP/2.0/TCP host.example.com ; rport = 40001 ; received=[2001:db8::7];branch=z9hG4bKx , SIP/2.0/UDP b;branch=z9hG4bKy\r\n"+
		"From: \"A \\\"B\\\"\" <sips:a%20b:pw@h.example:5061;transport=tcp?x=y>;tag=f1;foo=bar\r\nTo: sip:bob@example.com;tag=t1\r\nCall-ID: x\r\nCSeq: 2147483647 INVITE\r\n"+
		"RSeq: 4294967295\r\nRAck: 776656 1 INVITE\r\nSession-Expires: 1800 ;refresher=uac\r\nMin-SE: 90\r\nRetry-After: 120 (busy);duration=3\r\n"+
		"Reason: Q.850 ;cause=16 ;text=\"Normal, \\\"ok\\\"\"\r\nSupported: timer\r\nk: 100rel , replaces;x\r\nExpires: 99999999999\r\nMin-Expires: 60\r\n"+
		"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\nContact: <sip:b@h>;expires=99999999999;q=0.725, sip:c@h;q=2\r\n"+
		"WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Digest realm=\"r1\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth,auth-int\", stale=TRUE\r\nWWW-Authenticate: Digest realm=\"r2\",nonce=\"n2\"\r\n"+
		"Content-Type: Application/SDP ;charset=x\r\nContent-Length: 2\r\n\r\nok")
	want(t, "status", m.Status(), 183)
	text(t, "phrase", m.Phrase(), "Session Progress")
	v := m.Via()
	text(t, "via transport", v.Transport, "TCP")
	want(t, "rport", v.HasRPort, true)
	text(t, "received", v.Received, "[2001:db8::7]")
	want(t, "vias", m.ViaCount(), 2)
	u, ok := m.From().ParseURI()
	want(t, "from uri", ok, true)
	want(t, "scheme", u.Scheme, SIPS)
	text(t, "user", u.AppendUser(nil), "a b")
	text(t, "password", u.Password, "pw")
	want(t, "port", u.Port, 5061)
	tr, _ := u.Param("transport")
	text(t, "transport", tr, "tcp")
	text(t, "headers", u.Headers, "x=y")
	text(t, "display", m.From().AppendDisplay(nil), `A "B"`)
	text(t, "to tag", m.To().Tag(), "t1")
	text(t, "to uri", m.To().URI, "sip:bob@example.com")
	want(t, "cseq", m.CSeq(), 1<<31-1)
	want(t, "cseq method", m.CSeqMethod(), INVITE)
	rs, ok := m.RSeq()
	want(t, "rseq", rs == 1<<32-1 && ok, true)
	a, b, meth, ok := m.RAck()
	want(t, "rack", fmt.Sprintln(a, b, string(meth), ok), "776656 1 INVITE true\n")
	secs, who, ok := m.SessionExpires()
	want(t, "session", fmt.Sprintln(secs, string(who), ok), "1800 uac true\n")
	se, _ := m.MinSE()
	ex, _ := m.Expires()
	want(t, "numbers", fmt.Sprint(se, ex), "90 4294967295")
	for r := range m.Reasons() {
		text(t, "reason", ReasonText(r), `Normal, "ok"`)
		text(t, "cause", BareReason(r), "Q.850;cause=16")
	}
	want(t, "100rel", m.HasToken(HSupported, "100REL"), true)
	want(t, "replaces", m.HasToken(HSupported, "replaces"), true)
	want(t, "rel", m.HasToken(HSupported, "rel"), false)
	var routes []string
	for a := range m.Addrs(HRecordRoute) {
		routes = append(routes, string(a.URI))
	}
	want(t, "routes", strings.Join(routes, " "), "sip:p1;lr sip:p2;lr sip:p3;lr")
	var contacts []string
	for a := range m.Addrs(HContact) {
		e, ok := a.Expires()
		contacts = append(contacts, strings.TrimSpace(fmt.Sprintln(string(a.URI), e, ok)))
	}
	want(t, "contacts", strings.Join(contacts, " "), "sip:b@h 4294967295 true sip:c@h 0 false")
	text(t, "body", m.Body(), "ok")
	want(t, "absent", m.Get(HSubject) == nil && lookup(m, "x") == nil && !m.Has(HDate), true)
}

func TestHeaderTable(t *testing.T) {
	for id := HVia; id < numHeaders; id++ {
		n := headerNames[id]
		for _, s := range []string{n.name, strings.ToLower(n.name), strings.ToUpper(n.name), n.short} {
			if s != "" && HeaderOf([]byte(s)) != id {
				t.Errorf("%s is found as %v", s, HeaderOf([]byte(s)))
			}
		}
	}
	want(t, "unknown", HeaderOf([]byte("X-Unknown")), HOther)
	for m := INVITE; m.String() != ""; m++ {
		want(t, m.String(), MethodOf([]byte(m.String())), m)
	}
	want(t, "case", MethodOf([]byte("invite")), Other)
}

func TestCredentials(t *testing.T) {
	m := mustParse(t, options("Authorization: Basic Zm9v\r\n"+
		"Authorization: Digest username=\"a\", realm=\"one\", nonce=\"n\", uri=\"sip:x\", response=\"r\", username=\"b\"\r\n"+
		"Authorization: dIGEST  username = \"a\\\"l\" ,realm=\"one\",nonce=\"n\",uri=\"sip:x\",response=\"r\",NC=00000001,qop=auth,cnonce=\"\",algorithm=SHA-256,opaque=\"o\",extra=1\r\n"+
		"Authorization: Digest username=\"b\",realm=\"two\",nonce=n==,uri=\"sip:x\",response=\"r\"\r\n"+
		"Authorization: Digest username=\"unended,realm=\"three\",nonce=\"n\",uri=\"sip:x\",response=\"r\"\r\n"))
	var c Credentials
	want(t, "first", m.Credentials(HAuthorization, "", &c), true)
	text(t, "user keeps escapes", c.User, `a\"l`)
	text(t, "method", c.Method, "OPTIONS")
	text(t, "nc", c.NC, "00000001")
	text(t, "opaque", c.Opaque, "o")
	want(t, "by realm", m.Credentials(HAuthorization, "two", &c), true)
	text(t, "user", c.User, "b")
	text(t, "unquoted nonce", c.Nonce, "n==")
	want(t, "malformed", m.Credentials(HAuthorization, "three", &c), false)
	want(t, "cleared", c.User == nil, true)
	want(t, "proxy", m.Credentials(HProxyAuthorization, "", &c), false)
}

func TestIPv6Text(t *testing.T) {
	for _, s := range []string{"::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:7::"} {
		want(t, s, validIPv6([]byte(s)), true)
	}
	for _, s := range []string{"", ":", ":::", "1:2:3:4:5:6:7", "1::2::3", "1:2:3:4:5:6:7:192.0.2.1", "::1%eth0", "::192.0.2.256", "1:2:3:4:5:6:7:8:", "12345::"} {
		want(t, s, validIPv6([]byte(s)), false)
	}
}

func TestFrame(t *testing.T) {
	one := options("Content-Length: 4\r\n") + "body"
	stream := one + options("l:\r\n 0\r\n") + "rest"
	n, _, f := Frame([]byte(stream))
	want(t, "first", n == len(one) && f == nil, true)
	second := stream[n:]
	n, _, f = Frame([]byte(second))
	want(t, "folded length", n == len(second)-len("rest") && f == nil, true)
	for i := range len(one) {
		if n, need, f := Frame([]byte(one[:i])); n != 0 || f != nil || need <= i {
			t.Fatalf("%d of %d bytes: %d %d %v", i, len(one), n, need, f)
		}
	}
	for _, bad := range []string{
		options("l: 1\r\nContent-Length: 0\r\n"), options("l: -1\r\n"), options("l: 65535\r\n"), options("c: application/sdp\r\n"),
		options("l: 1\r\n 2\r\n"), options("l\r\n"), options("l: 0 \nContent-Length: 9\r\n"),
	} {
		if n, _, f := Frame([]byte(bad)); f == nil {
			t.Errorf("%q is framed as %d", bad, n)
		}
		end := strings.ReplaceAll(bad, "OPTIONS", "BYE")
		if n, _, f := Frame([]byte(end)); f != nil || n != len(end) {
			t.Errorf("%q is framed as %d, %v", end, n, f)
		}
	}
	if n, _, f := Frame([]byte("v=0\r\n\r\n")); f == nil {
		t.Errorf("a body is framed as %d", n)
	}
	for _, length := range []string{"65535", "65400", "70000", "99999999999999999999999"} { // the head is answered
		head := options("Content-Length: " + length + "\r\n")
		n, _, f := Frame([]byte(head + "some of it"))
		if n != len(head) || f == nil {
			t.Errorf("length %s: framed as %d, %v", length, n, f)
		}
		var m Message
		if f := Parse(&m, []byte(head)); f == nil || f.Status != 513 {
			t.Errorf("length %s: %v", length, f)
		}
		if n, _, f := Frame([]byte("SIP/2.0 200 OK\r\nContent-Length: " + length + "\r\n\r\n")); length != "65400" && (n != 0 || f == nil) {
			t.Errorf("a response of length %s is framed as %d, %v", length, n, f)
		}
	}
}

// A message whose lines end with LF alone is cut from a stream as it is read from a datagram. In one whose lines end with CR LF, a line break of another
// kind is no end of the headers: somebody else may have written it into a value, and a message behind it.
func TestFrameOfBareLineFeeds(t *testing.T) {
	crlf := options("Content-Length: 4\r\n") + "body"
	bare := strings.ReplaceAll(crlf, "\r\n", "\n")
	for _, c := range []struct {
		name, text string
		cut        bool
	}{
		{"LF", bare, true},
		{"LF, ended by CR LF", strings.Replace(bare, "\n\n", "\n\r\n", 1), true},
		{"LF in the first line alone", strings.Replace(crlf, "\r\n", "\n", 1), true},
		{"CR LF, with LF in a value", strings.Replace(crlf, "To:", "X: a\n\nINVITE sip:x SIP/2.0\nX-To: b\r\nTo:", 1), true},
		{"CR LF, ended by LF", strings.Replace(options(""), "\r\n\r\n", "\n\n", 1), false},
	} {
		n, _, f := Frame([]byte(c.text + "OPTIONS"))
		if f != nil || c.cut && n != len(c.text) || !c.cut && n != 0 {
			t.Errorf("%s: %d of %d bytes, %v", c.name, n, len(c.text), f)
		}
		for i := range len(c.text) {
			if n, _, f := Frame([]byte(c.text[:i])); n != 0 || f != nil {
				t.Errorf("%s: %d of %d bytes are a message, %v", c.name, i, n, f)
			}
		}
		if !c.cut {
			n = Cut([]byte(c.text))
		}
		m := mustParse(t, c.text[:n])
		text(t, c.name, m.From().Tag(), "1")
		want(t, c.name, m.Method(), OPTIONS)
		if c.cut {
			text(t, c.name, m.Body(), "body")
		}
	}
	want(t, "nothing to cut", Cut([]byte(strings.TrimSuffix(options(""), "\r\n"))), 0)
}

func TestParseAllocatesNothing(t *testing.T) {
	raws := [][]byte{[]byte(inviteText), []byte(registerText), []byte(options("Contact: <sip:a@[2001:db8::1]>\r\n")), []byte(options("Max-Forwards: a\r\n")), []byte("rubbish")}
	var m Message
	var c Credentials
	dst := make([]byte, 0, 4096)
	allocs := testing.AllocsPerRun(100, func() {
		for _, raw := range raws {
			if Parse(&m, raw) == nil {
				m.Credentials(HAuthorization, "", &c)
				dst = AppendResponse(dst[:0], &m, Reply{Code: 200, ToTag: m.CallID(), Src: netip.AddrPortFrom(netip.IPv6Loopback(), 5060)})
			}
		}
	})
	want(t, "allocations", allocs, 0)
}

func TestMessageIsSmall(t *testing.T) {
	m := mustParse(t, options(""))
	if !slices.Equal(m.Bytes(), []byte(options(""))) {
		t.Error("Bytes is not the message")
	}
}

func TestReasons(t *testing.T) {
	for in, wanted := range map[string]string{
		"SIP;cause=200;text=\"Call completed elsewhere\"":                     "SIP;cause=200;text=\"Call completed elsewhere\"",
		"SIP ;cause=200 ; text=\"a, \\\"b\\\"\" , Q.850;cause=26;location=LN": "SIP ;cause=200 ; text=\"a, \\\"b\\\"\"|Q.850;cause=26;location=LN",
		"Q.850;cause=16\r\nReason: SIP;cause=486,, preemption;cause=1":        "Q.850;cause=16|SIP;cause=486|preemption;cause=1",
		"SIP;text=\"unended, Q.850;cause=16":                                  "Q.850;cause=16",
		";cause=3, Q.850 cause=16, SIP":                                       "SIP",
		"":                                                                    "",
		"SIP;cause=200\r\nReason: \"x\"\r\nReason: Q.850;cause=26 ;text=\"\" ,\t": "SIP;cause=200|Q.850;cause=26 ;text=\"\"",
	} {
		m := mustParse(t, strings.Replace(options(""), "CSeq:", "Reason: "+in+"\r\nCSeq:", 1))
		var all []string
		for r := range m.Reasons() {
			all = append(all, string(r))
		}
		text(t, in, []byte(strings.Join(all, "|")), wanted)
	}
}

// Where a number is withheld, a Reason keeps what says nothing of people.
func TestBareReason(t *testing.T) {
	for in, wanted := range map[string]string{
		`SIP;cause=200;text="Call completed elsewhere"`: "SIP;cause=200",
		`Q.850 ; cause = 16`:                            "Q.850;cause=16",
		`Q.850;text="+44;cause=1";cause=16`:             "Q.850",
		`Q.850;x=442079460001;Cause=21`:                 "Q.850;cause=21",
		`Q.850;cause=442079460001`:                      "Q.850",
		`SIP`:                                           "SIP",
	} {
		text(t, in, BareReason([]byte(in)), wanted)
	}
}

// Link-local addresses are written with a zone, with and without its escape (RFC 6874).
func TestZones(t *testing.T) {
	for _, zone := range []string{"%25eth0", "%eth0", "%25en-1.2_~", "%1"} {
		u, ok := ParseURI([]byte("sip:a@[fe80::1" + zone + "]:5062;transport=tcp"))
		addr, isAddr := u.Addr()
		if !ok || !isAddr || addr.String() != "fe80::1" || u.Port != 5062 {
			t.Errorf("%s: %v %v %v, port %d", zone, ok, isAddr, addr, u.Port)
		}
		m := mustParse(t, options("Contact: <sip:a@[fe80::1"+zone+"]:5062>\r\nVia: SIP/2.0/UDP [fe80::1"+zone+"]:5062;branch=z9hG4bKx\r\n"))
		want(t, zone, m.ViaCount(), 2)
	}
	for _, bad := range []string{"sip:a@[fe80::1%]", "sip:a@[fe80::1%a b]", "sip:a@[%eth0]", "sip:a@[fe80::1%eth0", "sip:a@[fe80::1%a\"]"} {
		if u, ok := ParseURI([]byte(bad)); ok {
			t.Errorf("%s is read as %s", bad, u.Host)
		}
	}
}
