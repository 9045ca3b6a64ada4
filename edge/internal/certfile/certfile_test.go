package certfile_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"

	"ringfence/edge/internal/certfile"
	"ringfence/edge/internal/certfile/certtest"
)

// served is the certificate that the next connection is shown; nil when it is not spoken to.
func served(t *testing.T, at net.Addr) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", at.String(), &tls.Config{InsecureSkipVerify: true}) // the test looks at the certificate itself
	if err != nil {
		return nil
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

func TestTheCertificateIsReadAgain(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	cert, key, first := certtest.Write(t, dir, "first.test")
	c := certfile.New("the pages", true)
	if c.Names("first.test") {
		t.Error("a name before there is a certificate")
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := c.Listener(plain)
	defer l.Close()
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go func() { defer conn.Close(); _ = conn.(*tls.Conn).Handshake() }()
		}
	}()
	use := func(what, cert, key, fault string, want *x509.Certificate) {
		t.Helper()
		err := c.Use(cert, key)
		if fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), "the certificate of the pages: "+fault)) {
			t.Errorf("%s: %v", what, err)
		}
		if got := served(t, l.Addr()); !got.Equal(want) {
			t.Errorf("%s: connections are shown %v", what, got)
		}
	}
	use("at first", cert, key, "", first)
	_, _, second := certtest.Write(t, dir, "second.test")
	use("read again", cert, key, "", second)
	if !c.Names("second.test") || c.Names("first.test") || c.Names("") {
		t.Error("the names are not those of the present certificate")
	}
	if err := os.WriteFile(key, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	use("a broken key", cert, key, "tls: ", second)
	use("no file", "/none", "/none", "open /none", second)
	use("the end of TLS", "", "", "to begin or end TLS needs a restart", second)
	cert, key, third := certtest.Write(t, elsewhere, "third.test")
	use("other files", cert, key, "", third)
}

func TestPlain(t *testing.T) {
	c := certfile.New("the pages", false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := c.Use("", ""); err != nil || c.Listener(l) != l {
		t.Errorf("%v, or not as plain as before", err)
	}
	if err := c.Use("cert.pem", "key.pem"); err == nil {
		t.Error("TLS begins without a restart")
	}
}
