package phone

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

const ok = "SIP/2.0 403 Forbidden\r\nv: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx, SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKy\r\n" +
	"f: <sip:a@b>;tag=1\r\nTo: \"x;tag=no\" <sip:c@d;tag=no>;tag=2\r\ni: abc\r\nCSeq: 7 INVITE\r\n" +
	"Reason: Q.850;cause=21;text=\"no, \\\"never\\\"; not today\"\r\nWarning: 399 host \"capped\"\r\nl: 3\r\n\r\nabcXX"

func TestParse(t *testing.T) {
	p, err := parse([]byte(ok))
	if err != nil {
		t.Fatal(err)
	}
	if p.status != 403 || p.phrase != "Forbidden" || string(p.body) != "abc" {
		t.Errorf("start or body: %+v", p)
	}
	if p.branch() != "z9hG4bKx" || param(p.get("To"), "tag") != "2" || p.get("Call-ID") != "abc" {
		t.Errorf("branch %q, to tag %q, call id %q", p.branch(), param(p.get("To"), "tag"), p.get("Call-ID"))
	}
	if n, m := p.cseq(); n != 7 || m != "INVITE" {
		t.Errorf("cseq %d %q", n, m)
	}
	if want := `no, "never"; not today; capped`; p.explain() != want {
		t.Errorf("explain = %q, want %q", p.explain(), want)
	}
	again, err := parse(p.bytes())
	if err != nil || again.explain() != p.explain() || string(again.body) != "abc" {
		t.Errorf("written and read again: %v %+v", err, again)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, cut := range map[string][2]string{
		"no end of headers": {"\r\n\r\n", "\r\n"},
		"bare LF":           {"i: abc\r\n", "i: abc\nX: y\r\n"},
		"no Call-ID":        {"i: abc\r\n", ""},
		"two CSeq":          {"CSeq: 7 INVITE\r\n", "CSeq: 7 INVITE\r\nCSeq: 8 INVITE\r\n"},
		"body too short":    {"l: 3", "l: 9"},
		"length negative":   {"l: 3", "l: -1"},
		"status":            {"403", "4o3"},
		"status range":      {"403", "1403"},
		"header no colon":   {"Warning: ", "Warning "},
	} {
		if _, err := parse([]byte(strings.Replace(ok, cut[0], cut[1], 1))); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

func TestURIs(t *testing.T) {
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
	if got := userOf("sip:+442079460000;x=y@h"); got != "+442079460000" {
		t.Errorf("userOf = %q", got)
	}
}

func TestReadFrame(t *testing.T) {
	msg := strings.TrimSuffix(ok, "XX")
	r := bufio.NewReader(strings.NewReader("\r\n\r\n" + msg + msg))
	for i := range 2 {
		p, err := readFrame(r)
		if err != nil || string(p.body) != "abc" {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	if _, err := readFrame(r); err == nil {
		t.Error("a frame out of nothing")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(ok))
	f.Add([]byte("INVITE sip:a@b SIP/2.0\r\nVia: x;branch=\"\\\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parse(data)
		if err != nil {
			return
		}
		p.explain()
		p.list("Contact")
		p.branch()
		if q, err := parse(p.bytes()); err != nil || !bytes.Equal(q.body, p.body) {
			t.Fatalf("what was written cannot be read: %v\n%q", err, p.bytes())
		}
	})
}
