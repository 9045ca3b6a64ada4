package message

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWriteRequest(t *testing.T) {
	in := mustParse(t, inviteText)
	var w Writer
	w.Begin([]byte("kept:"))
	w.Request(INVITE, []byte("sip:+442079460123@carrier.example"))
	w.Via("UDP", "[2001:db8::1]:5060", []byte("z9hG4bKxyz"))
	w.AddInt(HMaxForwards, 69)
	w.Addr(HFrom, []byte(`Al "the" \ Boss`), []byte("sip:anonymous@anonymous.invalid"), []byte("ftag"))
	w.Addr(HTo, nil, []byte("sip:+442079460123@carrier.example"), nil)
	w.AddString(HCallID, "b2b-1")
	w.CSeq(7, INVITE)
	w.Addr(HContact, nil, []byte("sip:gw@192.0.2.9:5060"), nil)
	w.AddNamed("X-Call", []byte("1"))
	w.Copy(in, HAllow, HSupported, HSubject, HContentLength)
	w.Lines([]byte("Warning: 399 x \"y\"\r\nX-Two: 2\r\n"))
	out := w.End("application/sdp", in.Body())
	if !bytes.HasPrefix(out, []byte("kept:")) {
		t.Fatal("Begin's bytes are gone")
	}
	m := mustParse(t, string(out[5:]))
	want(t, "method", m.Method(), INVITE)
	text(t, "via host", m.Via().Host, "2001:db8::1")
	want(t, "rport", m.Via().HasRPort, true)
	text(t, "display", m.From().AppendDisplay(nil), `Al "the" \ Boss`)
	text(t, "tag", m.From().Tag(), "ftag")
	want(t, "cseq", m.CSeq(), 7)
	text(t, "allow", m.Get(HAllow), string(in.Get(HAllow)))
	text(t, "lines", lookup(m, "X-Two"), "2")
	text(t, "body", m.Body(), string(in.Body()))
	want(t, "lengths", m.Count(HContentLength), 1)
}

// Nothing that comes in may add a line: header smuggling across the back-to-back agent (seen with sipgo).
func TestWriterLetsNoLineIn(t *testing.T) {
	evil := rapid.Custom(func(t *rapid.T) []byte {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"\r\n", "\n", "\r", "\x00", "Route: <sip:evil>", "a", " ", "\t", "\"", "\\", "<", ">", ";", ",", "é", "\x7f", "SIP/2.0"}), 0, 8).Draw(t, "parts")
		return []byte(strings.Join(parts, ""))
	})
	rapid.Check(t, func(t *rapid.T) {
		draw := func() []byte { return evil.Draw(t, "text") }
		var w Writer
		w.Begin(nil)
		if rapid.Bool().Draw(t, "response") {
			w.Status(200, string(draw()))
		} else {
			w.Request(INVITE, draw())
		}
		lines := 1
		w.Via(string(draw()), string(draw()), draw())
		w.Addr(HFrom, draw(), draw(), draw())
		w.Add(HSubject, draw())
		w.AddString(HUserAgent, string(draw()))
		lines += 4
		if name := string(draw()); all([]byte(name), cToken) {
			lines++
			w.AddNamed(name, draw())
		} else {
			w.AddNamed(name, draw())
		}
		out := w.End("", nil)
		lines += 2 // Content-Length, empty line
		if got := bytes.Count(out, []byte("\r\n")); got != lines || bytes.Count(out, []byte("\r")) != lines || bytes.Count(out, []byte("\n")) != lines || bytes.IndexByte(out, 0) >= 0 {
			t.Fatalf("%d line ends, want %d: %q", got, lines, out)
		}
	})
}

func TestLinesAreDroppedWhenUnsound(t *testing.T) {
	for _, bad := range []string{
		"X: y", "X: y\n", "X: y\r\n\r\n", "\r\n", "X y\r\n", ": y\r\n", "X: a\nb\r\n", "X: a\rb\r\n", "X: \x00\r\n",
		"Content-Length: 3\r\n", "l: 3\r\n", " fold\r\n", "X: y\r\n fold\r\n",
	} {
		var w Writer
		w.Begin(nil)
		w.Lines([]byte(bad))
		text(t, bad, w.Bytes(), "")
	}
}

func TestAppendResponse(t *testing.T) {
	req := mustParse(t, "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bK1;received=6.6.6.6;x=\"a,b\" , SIP/2.0/TCP p2;branch=z9hG4bK2\r\n"+
		"v: SIP/2.0/UDP [2001:db8::3];branch=z9hG4bK3\r\nFrom: \"folded\r\n name\" <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\nCSeq: 3 INVITE\r\n"+
		"Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\nTimestamp: 54\r\nContent-Length: 0\r\n\r\n")
	src := netip.MustParseAddrPort("[::ffff:198.51.100.7]:40001")
	out := string(AppendResponse(nil, req, Reply{Code: 180, ToTag: []byte("tt"), Src: src, Contact: []byte("sip:gw@192.0.2.1"), Lines: []byte("X-A: b\r\n"), ContentType: "text/plain", Body: []byte("hi")}))
	wanted := "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;x=\"a,b\";received=198.51.100.7;rport=40001\r\nVia: SIP/2.0/TCP p2;branch=z9hG4bK2\r\n" +
		"Via: SIP/2.0/UDP [2001:db8::3];branch=z9hG4bK3\r\nRecord-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\nFrom: \"folded   name\" <sip:a@example.com>;tag=1\r\n" +
		"To: <sip:b@example.com>;tag=tt\r\nCall-ID: c\r\nCSeq: 3 INVITE\r\nContact: <sip:gw@192.0.2.1>\r\nX-A: b\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
	want(t, "180", out, wanted)

	out = string(AppendResponse(nil, req, Reply{Code: 100, ToTag: []byte("tt"), Src: src}))
	want(t, "100 has no tag", strings.Contains(out, ";tag=tt"), false)
	want(t, "100 has the timestamp", strings.Contains(out, "Timestamp: 54\r\n"), true)
	out = string(AppendResponse(nil, req, Reply{Code: 486}))
	want(t, "no Record-Route in a refusal", strings.Contains(out, "Record-Route"), false)
	want(t, "Via untouched without a source", strings.Contains(out, "received=6.6.6.6"), true)

	plain := mustParse(t, options(""))
	out = string(AppendResponse(nil, plain, Reply{Code: 200, Src: netip.MustParseAddrPort("192.0.2.1:9")}))
	want(t, "sent-by is the source", strings.Contains(out, "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc\r\n"), true)
	out = string(AppendResponse(nil, plain, Reply{Code: 200, Src: netip.MustParseAddrPort("192.0.2.2:9")}))
	want(t, "sent-by is not the source", strings.Contains(out, ";received=192.0.2.2\r\n"), true)
}
