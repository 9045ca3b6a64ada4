package phone

import (
	"strings"
	"testing"

	"ringfence/edge/sip/transport"
)

const forbidden = "SIP/2.0 403 Forbidden\r\nv: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx, SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKy\r\n" +
	"f: <sip:a@b>;tag=1\r\nTo: \"x;tag=no\" <sip:c@d;tag=no>;tag=2\r\ni: abc\r\nCSeq: 7 INVITE\r\n" +
	"Reason: Q.850;cause=21;text=\"no, \\\"never\\\"; not today\"\r\nWarning: 399 host \"capped\"\r\nl: 3\r\n\r\nabcXX"

func TestExplain(t *testing.T) {
	p := transport.Packet{Buf: []byte(forbidden)}
	if f := p.Parse(); f != nil || !sound(&p) {
		t.Fatal(f)
	}
	if got, want := explain(&p.Msg), `no, "never"; not today; capped`; got != want {
		t.Errorf("explain = %q, want %q", got, want)
	}
}

// The parser is generous; the phone is not, as it tests a server.
func TestSound(t *testing.T) {
	for name, cut := range map[string][2]string{
		"no end of headers": {"\r\n\r\n", "\r\n"},
		"bare LF":           {"i: abc\r\n", "i: abc\nX: y\r\n"},
		"no Call-ID":        {"i: abc\r\n", ""},
		"no Via":            {"v: ", "X: "},
		"two CSeq":          {"CSeq: 7 INVITE\r\n", "CSeq: 7 INVITE\r\nCSeq: 8 INVITE\r\n"},
		"body too short":    {"l: 3", "l: 9"},
		"length negative":   {"l: 3", "l: -1"},
		"status":            {"403", "4o3"},
		"status range":      {"403", "1403"},
		"header no colon":   {"Warning: ", "Warning "},
	} {
		p := transport.Packet{Buf: []byte(strings.Replace(forbidden, cut[0], cut[1], 1))}
		if f := p.Parse(); f == nil && sound(&p) {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestHostOf(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:+44@127.0.0.1:5090;transport=udp": "127.0.0.1:5090",
		"sip:127.0.0.1":                        "127.0.0.1:5060",
		"sip:a@[::1]:7":                        "[::1]:7",
		"sip:a@[::1]":                          "[::1]:5060",
	} {
		if got, ok := hostOf(uri); !ok || got.String() != want {
			t.Errorf("hostOf(%q) = %v %v, want %s", uri, got, ok, want)
		}
	}
	if _, ok := hostOf("sip:a@example.com"); ok {
		t.Error("a name is no address")
	}
}
