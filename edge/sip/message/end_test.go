package message

import (
	"fmt"
	"strings"
	"testing"
)

// soundEnd is an end of a call with nothing odd in it, and the headers of oddEnds put among its own.
func endWith(method string, odd ...string) string {
	return strings.Join(append(append([]string{
		method + " sip:c@192.0.2.1:5060 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKe", "Max-Forwards: 70",
		"From: <sip:a@192.0.2.9>;tag=theirs", "To: <sip:b@192.0.2.1>;tag=ours", "Call-ID: call@192.0.2.9", "CSeq: 7 " + method,
	}, odd...), "Content-Length: 0", "", ""), "\r\n")
}

var oddLines = [][]string{
	{"Date: x", "Date: x"},
	{"Contact: <sip:c@192.0.2.9;x=>"},
	{"Contact: <sip:c@192.0.2.9>;expires="},
	{"Contact: *"},
	{"Record-Route: <sip:192.0.2.9;lr;ftag=>"},
	{"Route: nonsense, <"},
	{"Expires: 1;x"},
	{"Max-Forwards: 69"},
	{"Max-Forwards: many"},
	{"garbage without colon"},
	{"X-Charge/Info: 1"},
	{": no name"},
	{"X(odd): 1", "Über: ü"},
	{"Content-Type: application/isup", "Content-Type: application/isup"},
	{"Content-Length: 10"},
	{"Content-Length: none"},
	{"Session-Expires: x", "Session-Expires: 90"},
	{"Reason: Q.850;cause=16;text="},
	{"Reason: ;;"},
	{"From: <sip:a@192.0.2.9>;tag=theirs", "To: <sip:b@192.0.2.1>;tag=ours"},
	{"Call-ID: call@192.0.2.9", "CSeq: 7 BYE"},
	{"X-Fold: one", "  two", "\tthree"},
	{"X-Bare: one\ntwo"},
	{"X-Nul: a\x00b"},
	{"Via: nonsense"},
	{"Timestamp: 1", "Timestamp: 2", "Event: x", "Event: y"},
}

// Guards against a BYE that is refused for a header which the end of a call does not depend on: the call was billed on.
func TestAnEndIsReadWhateverIsOddInIt(t *testing.T) {
	for _, method := range []string{"BYE", "CANCEL"} {
		for _, odd := range oddLines {
			readsAsEnd(t, endWith(method, odd...), method)
		}
		many := make([]string, 0, 2*MaxHeaders)
		for i := range cap(many) {
			many = append(many, fmt.Sprintf("X-Header-%d: %d", i, i))
		}
		readsAsEnd(t, endWith(method, many...), method)
		sound := endWith(method)
		readsAsEnd(t, strings.ReplaceAll(sound, "\r\n", "\n"), method)
		for _, c := range [][2]string{
			{"sip:c@192.0.2.1:5060", "sip:@@"},
			{"sip:c@192.0.2.1:5060", "h323:x"},
			{"sip:c@192.0.2.1:5060", "sip:c d@x"},
			{"SIP/2.0\r\nVia", "SIP/2.0 \r\nVia"},
			{"Max-Forwards: 70\r\n", ""},
			{"From: <sip:a@192.0.2.9>", "From: Odd \"name <sip:a@192.0.2.9>"},
			{"From: <sip:a@192.0.2.9>", "From: <sip:@@;x=>"},
			{"To: <sip:b@192.0.2.1>", "To: tag=other <tel:>"},
			{";tag=theirs", "; TAG = \"theirs\""},
			{";tag=ours", ";x=\";tag=no\";tag=\"ours\""},
			{"branch=z9hG4bKe", "alias=;branch=z9hG4bKe;x=\"open"},
			{"Content-Length: 0\r\n\r\n", "Content-Length: 99\r\n\r\nshort"},
			{"Content-Length: 0\r\n\r\n", "Content-Type: application/isup\r\n\r\n\x01\x02"},
		} {
			text := strings.Replace(sound, c[0], c[1], 1)
			if text == sound {
				t.Fatalf("%q is not in the message", c[0])
			}
			readsAsEnd(t, text, method)
		}
	}
	bye := endWith("BYE")
	for _, cseq := range []string{"CSeq: 7 INVITE", "CSeq: seven", "CSeq: 99999999999 BYE", "X: y"} { // its number does not matter
		readsAsEnd(t, strings.Replace(bye, "CSeq: 7 BYE", cseq, 1), "BYE")
	}
	readsAsEnd(t, strings.Replace(bye, "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKe\r\n", "", 1), "BYE")

	var m Message // the INVITE of a CANCEL is known without its To
	if f := Parse(&m, []byte(strings.Replace(endWith("CANCEL"), "To: <sip:b@192.0.2.1>;tag=ours\r\n", "", 1))); f != nil || string(m.Via().Branch) != "z9hG4bKe" {
		t.Errorf("a CANCEL without To is refused: %v", f)
	}
}

func readsAsEnd(t *testing.T, text, method string) {
	t.Helper()
	var m Message
	if f := Parse(&m, []byte(text)); f != nil {
		t.Errorf("refused (%v):\n%s", f, text)
		return
	}
	if m.Method().String() != method || string(m.CallID()) != "call@192.0.2.9" || string(m.From().Tag()) != "theirs" || string(m.To().Tag()) != "ours" {
		t.Errorf("read as %s of %s, tags %s and %s:\n%s", m.Method(), m.CallID(), m.From().Tag(), m.To().Tag(), text)
	}
	if method == "CANCEL" && (string(m.Via().Branch) != "z9hG4bKe" || m.CSeq() != 7) {
		t.Errorf("branch %q, number %d:\n%s", m.Via().Branch, m.CSeq(), text)
	}
	answer := AppendResponse(nil, &m, Reply{Code: 200})
	var back Message
	if strings.Contains(text, "Via: SIP") && Parse(&back, answer) != nil {
		t.Errorf("its answer does not parse:\n%s", answer)
	}
}

// What does not say which call is over is refused as before, and so is every other method.
func TestWhatIsNoEndIsRefused(t *testing.T) {
	bye := endWith("BYE")
	for _, text := range []string{
		strings.Replace(bye, "Call-ID: call@192.0.2.9\r\n", "", 1),
		strings.Replace(bye, "From: <sip:a@192.0.2.9>;tag=theirs\r\n", "", 1),
		strings.Replace(bye, "To: <sip:b@192.0.2.1>;tag=ours\r\n", "", 1),
		"BYE x", "BYE \r\n\r\n", "BYE  SIP/2.0\n",
		endWith("INFO", "Max-Forwards: 69", "garbage"),
		endWith("INVITE", "Contact: <c>", "garbage"),
	} {
		var m Message
		if Parse(&m, []byte(text)) == nil {
			t.Errorf("accepted:\n%s", text)
		}
	}
}

func FuzzEnd(f *testing.F) {
	for _, odd := range oddLines {
		f.Add([]byte(endWith("BYE", odd...)))
		f.Add([]byte(endWith("CANCEL", odd...)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !Ends(b) {
			b = append([]byte("BYE "), b...)
		}
		text := essence(b)
		if text == nil {
			return
		}
		var m Message
		if fault := m.parse(text); fault != nil && (m.Method() == BYE || m.ViaCount() > 0) {
			t.Fatalf("what is left of\n%q\ndoes not parse (%v):\n%q", b, fault, text)
		}
	})
}

// Of several Call-IDs and tags each combination is offered, in bounds.
func TestWhichCallAnEndMeans(t *testing.T) {
	for _, c := range []struct {
		odd   []string
		means string // in part, and in order
	}{
		{nil, "call@192.0.2.9 theirs ours|call@192.0.2.9 ours theirs"},
		{[]string{"Call-ID: other"}, "call@192.0.2.9 theirs ours|other theirs ours|"},
		{[]string{"Call-ID: call@192.0.2.9"}, "call@192.0.2.9 theirs ours|call@192.0.2.9 ours theirs"},
		{[]string{"From: <sip:x@y>;tag=f2", "To: <sip:x@y>;tag=t2"}, "call@192.0.2.9 theirs ours|call@192.0.2.9 f2 ours|call@192.0.2.9 theirs t2|call@192.0.2.9 f2 t2|call@192.0.2.9 ours theirs|"},
		{[]string{"i: other", "garbage", "f: <sip:x@y>;tag=f2", "X-Nul: a\x00b"}, "call@192.0.2.9 theirs ours|other theirs ours|call@192.0.2.9 f2 ours|other f2 ours|"},
		{[]string{"Call-ID: a", "Contact: *", "CSeq: 9 INVITE"}, "call@192.0.2.9 theirs ours|a theirs ours|"},
		{[]string{"Call-ID: <b>;x=1"}, "call@192.0.2.9 theirs ours|<b>;x=1 theirs ours|b theirs ours|"},
		{[]string{"To: <sip:x@y;tag=t3>", "To: <sip:x@y>;tag=t4;tag=t5"}, "call@192.0.2.9 theirs ours|call@192.0.2.9 theirs t3|call@192.0.2.9 theirs t4|call@192.0.2.9 theirs t5|"},
	} {
		m := mustParse(t, endWith("BYE", c.odd...))
		var all []string
		for more := true; more; more = m.Another(true) {
			all = append(all, fmt.Sprintf("%s %s %s", m.CallID(), m.From().Tag(), m.To().Tag()))
			again := mustParse(t, string(m.Bytes()))
			if m.meant > 0 && (!again.Mean(m) || string(again.CallID()) != string(m.CallID()) || string(again.To().Tag()) != string(m.To().Tag())) {
				t.Errorf("%q: the same is not meant by a copy", c.odd)
			}
		}
		if got := strings.Join(all, "|"); !strings.HasPrefix(got, c.means) {
			t.Errorf("%q may mean %s, want %s", c.odd, got, c.means)
		}
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprint("Call-ID: ", i)
	}
	m, n := mustParse(t, endWith("BYE", many...)), 0
	for m.Another(true) {
		n++
	}
	want(t, "combinations", n, maxMeant-1)
	want(t, "of a Call-ID that is unknown", mustParse(t, endWith("BYE")).Another(false), false)
	want(t, "of what is no end", mustParse(t, options("")).Another(true), false)
}

// Whatever the start line of an end says, and whatever stands before it or ends its lines, the end is read.
func TestAnEndIsReadWhateverItsStartLine(t *testing.T) {
	for _, method := range []string{"BYE", "CANCEL"} {
		sound := endWith(method)
		start, rest, _ := strings.Cut(sound, "\r\n")
		low := strings.ToLower(method)
		for _, odd := range []string{
			low + start[len(method):], method[:1] + low[1:] + start[len(method):], method + " sip:x SIP/1.0", method + " sip:x SIP/3.0", method + " sip:x", method + " SIP/2.0", method + " ",
			strings.ReplaceAll(start, " ", "\t"), " " + start, "\ufeff" + start, "\x00" + start, "  \r\n\x00\r\n" + start,
		} {
			readsAsEnd(t, odd+"\r\n"+rest, method)
		}
		for _, eol := range []string{"\r", "\n\r", "\r\r\n"} {
			readsAsEnd(t, strings.ReplaceAll(sound, "\r\n", eol), method)
		}
		readsAsEnd(t, strings.Replace(sound, " "+method+"\r\n", " "+low+"\r\n", 1), method)
		readsAsEnd(t, strings.Replace(sound, "Call-ID: call@192.0.2.9", "Call-ID: call@192.0.2.9 (x)", 1), method)
		readsAsEnd(t, strings.Replace(sound, "branch=z9hG4bKe", "branch=\"z9hG4bKe\"", 1), method)
	}
	for _, none := range []string{"BYEBYE sip:x SIP/2.0", "X BYE sip:x SIP/2.0", "SIP/2.0 200 BYE", "BYE"} {
		want(t, none, Ends([]byte(none)), false)
	}
}
