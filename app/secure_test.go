package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/edge/phone"
	"ringfence/edge/rest/api"
)

// certificate writes one for 127.0.0.1 that signs itself, and its key.
func certificate(t testing.TB, ends time.Duration) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(ends),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(t, os.WriteFile(cert, text, 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return cert, key, pool
}

// freeTCP is a port of 127.0.0.1 that was free a moment ago.
func freeTCP(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// Phones register and call over TLS and over a WebSocket, with certificates that are read again by a reload: a bad one changes nothing, and
// the check says what is wrong with the files.
func TestPhonesOverTLSAndWSS(t *testing.T) {
	cfg := demoConfig(t)
	at := map[string]netip.AddrPort{"tls": freeTCP(t), "wss": freeTCP(t)}
	cert, key, pool := certificate(t, 72*time.Hour)
	cfg.SIP.TLS, cfg.SIP.WSS = []netip.AddrPort{at["tls"]}, []netip.AddrPort{at["wss"]}
	cfg.SIP.TLSCert, cfg.SIP.TLSKey = []string{cert}, []string{key}
	p := start(t, cfg)
	defer p.stop()
	for over, server := range at {
		ph, err := phone.Dial(t.Context(), phone.Account{Server: server.String(), Transport: over, Line: "2001", Password: p.password("2001"), Verify: pool})
		must(t, err)
		if a, err := ph.Register(t.Context(), 60); err != nil || a.Status != 200 || a.Expires != 60 {
			t.Fatalf("%s: %+v, %v", over, a, err)
		}
		c, a, err := ph.Invite(t.Context(), "02079460000", phone.Dialling{})
		if err != nil || c == nil {
			t.Fatalf("%s: %+v, %v", over, a, err)
		}
		must(t, c.Hangup(t.Context()))
		defer ph.Close()
	}
	var st api.Status
	must(t, p.api.Do(t.Context(), "GET", "/v1/status", nil, &st))
	if st.Over["tls"] != 1 || st.Over["wss"] != 1 {
		t.Errorf("%+v", st)
	}
	p.checks("certificates", "warning", "the certificate of SIP for 127.0.0.1 expires on")

	fresh, freshKey, freshPool := certificate(t, 90*24*time.Hour)
	expired, expiredKey, _ := certificate(t, -time.Hour)
	next := cfg
	for _, c := range []struct {
		cert, key, says string
		trusts          *x509.CertPool
	}{
		{expired, expiredKey, "expired on", pool},
		{fresh, "/none.pem", "no such file", pool},
		{fresh, freshKey, "msg=reloaded", freshPool},
	} {
		next.SIP.TLSCert, next.SIP.TLSKey = []string{c.cert}, []string{c.key}
		p.app.Reload(context.Background(), next)
		if !strings.Contains(p.log.String(), c.says) {
			t.Errorf("the log does not say %q", c.says)
		}
		ph, err := phone.Dial(t.Context(), phone.Account{Server: at["tls"].String(), Transport: "tls", Line: "2001", Verify: c.trusts})
		if err != nil {
			t.Errorf("%s: %v", c.says, err)
			continue
		}
		_ = ph.Close()
	}
	p.checks("certificates", "ok", "is valid until")
	must(t, os.Chmod(freshKey, 0o644))
	p.checks("certificates", "error", "may be read by every user of this machine")
	if strings.Count(p.log.String(), "msg=changed field=sip.tls-cert") != 1 {
		t.Error("a refused certificate is said to be in force")
	}
}

// What is wrong with the files is found before the server is started.
func TestFilesOfTLSAreChecked(t *testing.T) {
	cert, key, _ := certificate(t, time.Hour)
	_, other, _ := certificate(t, time.Hour)
	for name, c := range map[string]struct{ cert, key, ca, want string }{
		"right":            {cert, key, cert, ""},
		"no certificate":   {"/none", key, "", "open /none: no such file"},
		"no key":           {cert, "/none", "", "stat /none: no such file"},
		"the wrong key":    {cert, other, "", "private key does not match"},
		"no authorities":   {cert, key, "/none", "open /none"},
		"no PEM therein":   {cert, key, key, "holds no certificate in PEM"},
		"nothing is named": {},
	} {
		cfg := config.Default()
		if c.cert != "" {
			cfg.SIP.TLSCert, cfg.SIP.TLSKey, cfg.SIP.TLSCA = []string{c.cert}, []string{c.key}, c.ca
		}
		all := app.CheckFiles(&cfg)
		if c.want == "" && len(all) != 0 || c.want != "" && (len(all) != 1 || !strings.Contains(all[0].Text, c.want)) {
			t.Errorf("%s: %+v", name, all)
		}
	}
}
