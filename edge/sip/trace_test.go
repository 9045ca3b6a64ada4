package sip

import (
	"strings"
	"testing"
)

// Guards: a trace is pasted into tickets and mails. Whatever form a secret takes in a message, it must not be in there.
func TestTraceHasNoSecrets(t *testing.T) {
	const message = "INVITE sip:02079460000:pw-uri@example.com SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n" +
		"From: \"Desk\" <sip:2001:pw-from@example.com;password=pw-arg>;tag=a\r\n" +
		"To: <sips:bob@example.com?auth=pw-query>\r\n" +
		"Call-ID: abc@192.0.2.1\r\n" +
		"authorization : Digest username=\"2001\", response=\"deadbeef\",\r\n" +
		" cnonce=\"folded-secret\"\r\n" +
		"PROXY-AUTHORIZATION: Basic c2VjcmV0\r\n" +
		"WWW-Authenticate: Digest nonce=\"nonce-secret\"\r\n" +
		"Content-Type: application/sdp\r\n\r\n" +
		"v=0\r\nc=IN IP4 192.0.2.1\r\nk=clear:key-secret\r\nm=audio 4000 RTP/SAVP 0\r\n" +
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:crypto-secret\r\na=ice-pwd:ice-secret\r\nA=KEY-MGMT:mikey mgmt-secret\r\na=sendrecv\r\n"
	got := withoutSecrets([]byte(message))
	for _, secret := range []string{"pw-uri", "pw-from", "pw-arg", "pw-query", "deadbeef", "folded-secret", "c2VjcmV0", "nonce-secret", "key-secret", "crypto-secret", "ice-secret", "mgmt-secret"} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is in it:\n%s", secret, got)
		}
	}
	for _, want := range []string{"INVITE sip:02079460000:(removed)@example.com SIP/2.0", "Call-ID: abc@192.0.2.1", "m=audio 4000 RTP/SAVP 0", "a=sendrecv", "PROXY-AUTHORIZATION: (removed)"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in it:\n%s", want, got)
		}
	}
	info := withoutSecrets([]byte("INFO sip:x@example.com SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=4\r\nDuration=160\r\n"))
	if strings.Contains(info, "Signal=4") || !strings.Contains(info, "(a body of") {
		t.Errorf("the digits that people press are in it:\n%s", info)
	}
}

func TestTraceFollowsOneLineOrCall(t *testing.T) {
	other := "rf-" + hex32(hashCallID([]byte("a-leg"))) + "-01jd8z6q4n8t7r5v3x1b9c7d5f-0123456789abcdef"
	invite := func(user, id string) []byte {
		return []byte("INVITE sip:123@example.com SIP/2.0\r\nFrom: <sip:" + user + "@example.com>;tag=1\r\nTo: <sip:123@example.com>\r\nCall-ID: " + id + "\r\n\r\n")
	}
	line := &traceTap{users: map[string]bool{"2001": true}, ids: map[string]bool{}, hashes: map[uint32]bool{}}
	for _, x := range []struct {
		user, id string
		want     bool
	}{
		{"2002", "stranger", false},
		{"20011", "longer", false},
		{"2001", "a-leg", true},
		{"anonymous", "a-leg", true},
		{"anonymous", other, true},
		{"x", "rf-00000000-01jd8z6q4n8t7r5v3x1b9c7d5f-0123456789abcdef", false},
	} {
		if got := line.wants(invite(x.user, x.id)); got != x.want {
			t.Errorf("%s in %s: %v", x.user, x.id, got)
		}
	}
	one := &traceTap{call: "01jd8z6q4n8t7r5v3x1b9c7d5f", ids: map[string]bool{}, hashes: map[uint32]bool{}}
	if !one.wants(invite("x", other)) || one.wants(invite("x", "stranger")) || !one.wants(invite("2001", "a-leg")) {
		t.Error("the call's legs are not told from others")
	}
}
