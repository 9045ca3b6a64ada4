package challenge

import (
	"strings"
	"testing"

	"github.com/icholy/digest"

	"ringfence/edge/sip/message"
)

func TestAnswer(t *testing.T) {
	const md5, sha, odd = `Digest realm="r", nonce="md5"`, `Digest realm="r", nonce="sha", algorithm=SHA-256, qop="auth", stale=TRUE`, `Digest realm="r", nonce="odd", algorithm=X`
	for _, c := range []struct {
		name, status string
		offers, asks []string
		header       message.HeaderID
		nonce        string
	}{
		{"the first that is known", "401", []string{odd, md5, sha}, nil, message.HAuthorization, "md5"},
		{"the best of a list", "407", []string{md5, sha}, []string{"SHA-256", "MD5"}, message.HProxyAuthorization, "sha"},
		{"in letters of any size", "401", []string{md5, sha}, []string{"sha-256"}, message.HAuthorization, "sha"},
		{"what is insisted on", "407", []string{sha, md5}, []string{"MD5"}, message.HProxyAuthorization, "md5"},
		{"nothing that is insisted on", "401", []string{md5}, []string{"SHA-256"}, 0, ""},
		{"another scheme", "401", []string{`Basic realm="r"`, odd}, nil, 0, ""},
		{"no challenge", "407", nil, nil, 0, ""},
	} {
		text := "SIP/2.0 " + c.status + " No\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>\r\nTo: <sip:a@h>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n"
		for _, v := range c.offers {
			text += map[string]string{"401": "WWW", "407": "Proxy"}[c.status] + "-Authenticate: " + v + "\r\n"
		}
		var m message.Message
		if f := message.Parse(&m, []byte(text+"\r\n")); f != nil {
			t.Fatal(f)
		}
		a, ok := Answer(&m, digest.Options{Method: "REGISTER", URI: "sip:h", Username: "me", Password: "x", Count: 1}, c.asks...)
		if ok != (c.nonce != "") || ok && (a.Header != c.header || !strings.Contains(a.Value, `nonce="`+c.nonce+`"`) || a.Stale != (c.nonce == "sha")) {
			t.Errorf("%s: %v %+v", c.name, ok, a)
		}
	}
}
