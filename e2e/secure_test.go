//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// certificate writes one that signs itself, for a host and 127.0.0.1, or for the host alone, and its key. It ends in a time from now.
func certificate(t *testing.T, ends time.Duration, host string, local bool) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(ends),
	}
	if local {
		tmpl.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return cert, key
}

// renew puts other files in the place of a certificate and its key, as programs do that renew them.
func renew(t *testing.T, cert, key, newCert, newKey string) {
	t.Helper()
	for to, from := range map[string]string{cert: newCert, key: newKey} {
		text, err := os.ReadFile(from)
		must(t, err)
		must(t, os.WriteFile(to+".new", text, 0o600))
		must(t, os.Rename(to+".new", to))
	}
}

// baresip calls over TLS, and a program calls as a browser does, over WSS. In the middle of a call the certificate is renewed: the call goes on, an expired
// one is refused, and the next one is shown to the next phone.
func TestTLSAndWSSWithRealClients(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Ring: 100 * time.Millisecond})
	cert, key := certificate(t, 90*24*time.Hour, "phones.test", true)
	at, wss := freePort(t), freePort(t)
	s := startWith(t, setup{sip: fmt.Sprintf("tls = [%q]\nwss = [%q]\ntls-cert = [%q]\ntls-key = [%q]\n", at, wss, cert, key)}, c.Addr())
	password := s.line("2001")
	out, _ := baresipOver(t, way{name: "TLS", server: at, transport: "tls"}, "2001", password, "/dial 02079460000", 5, "sip_cafile "+cert)
	contains(t, out, "200 OK", "Call established")
	if seen := next(t, ended); seen.Answered.IsZero() || seen.Called != "+442079460000" {
		t.Errorf("the carrier saw %+v", seen)
	}
	if r := s.cdrs("2001", 1)[0]; r.Retail != londonTwoSeconds || r.By != "caller" {
		t.Errorf("record: %+v", r)
	}

	pool := x509.NewCertPool()
	text, err := os.ReadFile(cert)
	must(t, err)
	pool.AppendCertsFromPEM(text)
	ph, err := phone.Dial(t.Context(), phone.Account{Server: wss.String(), Transport: "wss", Line: "2001", Password: password, Verify: pool})
	must(t, err)
	defer ph.Close()
	if a, err := ph.Register(t.Context(), 300); err != nil || !a.OK() {
		t.Fatalf("%v %v", a, err)
	}
	contains(t, s.cli("status"), "1 over WSS")
	call, a, err := ph.Invite(t.Context(), "02079460000", phone.Dialling{})
	if err != nil || call == nil {
		t.Fatalf("%v %v", a, err)
	}
	shown := func() string {
		conn, err := tls.Dial("tcp", at.String(), &tls.Config{InsecureSkipVerify: true}) // the name is all that is looked at
		must(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	expired, expiredKey := certificate(t, -time.Hour, "expired.test", true)
	renew(t, cert, key, expired, expiredKey)
	must(t, s.cmd.Process.Signal(syscall.SIGHUP))
	eventually(t, 10*time.Second, "the refusal of an expired certificate", func() bool {
		return strings.Contains(s.logText(), "the certificate for expired.test, 127.0.0.1 expired on")
	})
	if got := shown(); got != "phones.test" {
		t.Errorf("the certificate of %s is shown", got)
	}
	if out, errs, err := s.tryCLI("check"); err == nil || !strings.Contains(out, "expired.test") {
		t.Errorf("check: %v\n%s%s", err, out, errs)
	}
	fresh, freshKey := certificate(t, 90*24*time.Hour, "fresh.test", true)
	renew(t, cert, key, fresh, freshKey)
	must(t, s.cmd.Process.Signal(syscall.SIGHUP))
	eventually(t, 10*time.Second, "the renewed certificate", func() bool { return shown() == "fresh.test" })
	hanging, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	must(t, call.Hangup(hanging))
	if seen := next(t, ended); !seen.Theirs {
		t.Errorf("the carrier saw %+v", seen)
	}
}

// A trunk over TLS is tested as it is called: a certificate that is expired or of another name is refused, and the answer says so.
func TestATrunksCertificate(t *testing.T) {
	good, goodKey := certificate(t, time.Hour, "carrier.test", true)
	expired, expiredKey := certificate(t, -time.Hour, "carrier.test", true)
	other, otherKey := certificate(t, time.Hour, "other.test", false)
	all, err := os.ReadFile(good)
	must(t, err)
	for _, more := range []string{expired, other} {
		text, err := os.ReadFile(more)
		must(t, err)
		all = append(all, text...)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, all, 0o600))
	s := startWith(t, setup{sip: fmt.Sprintf("tls-ca = %q\n", ca)})
	for name, c := range map[string]struct{ cert, key, want string }{
		"good":    {good, goodKey, "200 OK"},
		"expired": {expired, expiredKey, "expired on"},
		"other":   {other, otherKey, "the certificate is for other.test, not for 127.0.0.1"},
	} {
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		must(t, err)
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
		must(t, err)
		defer l.Close()
		go answerOptions(l)
		s.cli("trunk", "add", name, l.Addr().String(), "--transport", "tls")
		out, errs, _ := s.tryCLI("trunk", "test", name, "--wide")
		if !strings.Contains(out+errs, c.want) {
			t.Errorf("%s: no %q in\n%s%s", name, c.want, out, errs)
		}
	}
}

// answerOptions answers each request on each connection with 200.
func answerOptions(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			b := make([]byte, 4096)
			n, err := c.Read(b)
			if err != nil {
				return
			}
			head := []string{"SIP/2.0 200 OK"}
			for _, line := range strings.Split(string(b[:n]), "\r\n") {
				for _, name := range []string{"Via:", "From:", "To:", "Call-ID:", "CSeq:"} {
					if strings.HasPrefix(line, name) {
						head = append(head, line)
					}
				}
			}
			fmt.Fprint(c, strings.Join(head, "\r\n")+"\r\nContent-Length: 0\r\n\r\n")
		}()
	}
}

// Keys of media (RFC 4568) cross a call from phone to carrier and back, and are in no log and in no entry of the journal.
func TestKeysOfMediaAreWrittenNowhere(t *testing.T) {
	keys := map[string]string{"phone": "UGhvbmVLZXlGb3JUaGVUZXN0MDEyMzQ1Njc4OTAxMjM0", "carrier": "Q2FycmllcktleUZvclRoZVRlc3QwMTIzNDU2Nzg5MDEy"}
	crypto := func(of string) string { return "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + keys[of] + "|2^20" }
	uas := sipp{scenario: "carrier.xml", media: crypto("carrier")}.begin(t).listening()
	s := startWith(t, setup{sections: "\n[log]\nlevel = \"debug\"\n"}, uas.at)
	uac := sipp{scenario: "call.xml", with: map[string]string{"TALK": "500"}, media: crypto("phone"), server: s.sip, line: "2001", password: s.line("2001"), to: "02079460000"}.begin(t)
	uac.done()
	uas.done()
	s.cdrs("2001", 1)
	for who, sees := range map[*running]string{uas: keys["phone"], uac: keys["carrier"]} {
		text, err := os.ReadFile(filepath.Join(who.dir, "messages"))
		must(t, err)
		if !strings.Contains(string(text), sees) {
			t.Errorf("a key did not cross the call:\n%s", text)
		}
	}
	journal := s.cli("journal", "--json", "--limit", "1000")
	contains(t, journal, "call.settled")
	for _, key := range keys {
		if strings.Contains(journal, key[:20]) || strings.Contains(s.logText(), key[:20]) || strings.Contains(s.cli("cdr", "list", "--json"), key[:20]) {
			t.Errorf("a key of media is written down")
		}
	}
}
