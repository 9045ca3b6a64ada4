package message

import (
	"net/netip"
	"testing"
)

const inviteText = "INVITE sip:02079460123@sip.example.com SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-524287-1---a1b2c3d4e5f6;rport\r\n" +
	"Max-Forwards: 70\r\n" +
	"Contact: <sip:alice@192.0.2.10:5060;transport=UDP>\r\n" +
	"To: <sip:02079460123@sip.example.com>\r\n" +
	"From: \"Alice \\\"Al\\\" Example\"<sip:alice@sip.example.com;transport=UDP>;tag=7f8e9d0c\r\n" +
	"Call-ID: Zb5xT0e1r2Q3w4E5r6T7y8..\r\n" +
	"CSeq: 2 INVITE\r\n" +
	"Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE\r\n" +
	"Content-Type: application/sdp\r\n" +
	"Supported: replaces, norefersub, extended-refer, timer, outbound, path, X-cisco-serviceuri\r\n" +
	"User-Agent: Z 5.6.1 v2.10.19.9\r\n" +
	"Proxy-Authorization: Digest username=\"alice\",realm=\"sip.example.com\",nonce=\"bm9uY2Utb2YtdGhlLWRheQ==\",uri=\"sip:02079460123@sip.example.com\",response=\"0123456789abcdef0123456789abcdef\",cnonce=\"d41d8cd98f00b204\",nc=00000001,qop=auth,algorithm=MD5\r\n" +
	"Allow-Events: presence, kpml, talk, as-feature-event\r\n" +
	"Content-Length: 129\r\n" +
	"\r\n" +
	"v=0\r\no=Z 0 1 IN IP4 192.0.2.10\r\ns=Z\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 8000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"

const registerText = "REGISTER sip:sip.example.com SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport\r\n" +
	"Max-Forwards: 70\r\n" +
	"From: <sip:alice@sip.example.com>;tag=456248\r\n" +
	"To: <sip:alice@sip.example.com>\r\n" +
	"Call-ID: 843817637684230@998sdasdh09\r\n" +
	"CSeq: 1826 REGISTER\r\n" +
	"Contact: <sip:alice@192.0.2.10>;expires=3600\r\n" +
	"User-Agent: Yealink SIP-T46S 66.86.0.15\r\n" +
	"Authorization: Digest username=\"alice\", realm=\"sip.example.com\", nonce=\"bm9uY2U=\", uri=\"sip:sip.example.com\", response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5\r\n" +
	"Content-Length: 0\r\n\r\n"

func benchParse(b *testing.B, text string) {
	raw := []byte(text)
	var m Message
	if f := Parse(&m, raw); f != nil {
		b.Fatal(f)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		Parse(&m, raw)
	}
}

func BenchmarkParseInvite(b *testing.B)   { benchParse(b, inviteText) }
func BenchmarkParseRegister(b *testing.B) { benchParse(b, registerText) }

func BenchmarkCredentials(b *testing.B) {
	var m Message
	var c Credentials
	Parse(&m, []byte(registerText))
	b.ReportAllocs()
	for b.Loop() {
		m.Credentials(HAuthorization, "", &c)
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	var m Message
	if f := Parse(&m, []byte(registerText)); f != nil {
		b.Fatal(f)
	}
	dst := make([]byte, 0, 2048)
	r := Reply{
		Code: 401, ToTag: []byte("a6c85cf"), Src: netip.MustParseAddrPort("198.51.100.7:40001"),
		Lines: []byte("WWW-Authenticate: Digest realm=\"sip.example.com\", nonce=\"bm9uY2U=\", algorithm=MD5, qop=\"auth\"\r\n"),
	}
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendResponse(dst[:0], &m, r)
	}
}
