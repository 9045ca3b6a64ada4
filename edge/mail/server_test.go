package mail

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// post is a mail server on loopback. Its hooks answer at each stage; nil takes everything.
type post struct {
	addr   string
	server *smtp.Server
	ca     string // PEM file, when it speaks TLS

	onMail, onRcpt func(c *smtp.Conn) error
	onData         func(c *smtp.Conn, body []byte) error
	onAuth         func(user, password string) error

	mu       sync.Mutex
	got      []letter // guarded by mu
	sessions int      // guarded by mu
	open     int      // guarded by mu: connections now
	most     int      // guarded by mu: connections at once
	logins   []string // guarded by mu
}

type letter struct {
	from, to string
	raw      []byte
}

// start runs a server: security is "starttls", "tls" or "none".
func (p *post) start(t *testing.T, security string) *post {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	p.server = smtp.NewServer(smtp.BackendFunc(p.session))
	p.server.Domain = "mx.test"
	p.server.AllowInsecureAuth = security == "none"
	p.server.ErrorLog = quiet{}
	if security != "none" {
		conf := &tls.Config{Certificates: []tls.Certificate{p.certificate(t)}}
		if security == "tls" {
			l = tls.NewListener(l, conf)
		} else {
			p.server.TLSConfig = conf
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = p.server.Serve(l) }()
	t.Cleanup(func() { _ = p.server.Close(); <-done })
	return p
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// certificate makes a certificate for 127.0.0.1 by a CA of its own, and writes the CA's to p.ca.
func (p *post) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	p.ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(p.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (p *post) session(c *smtp.Conn) (smtp.Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions++
	p.open++
	p.most = max(p.most, p.open)
	return &visit{p: p, c: c}, nil
}

func (p *post) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]letter(nil), p.got...)
}

// visit is one session at the server.
type visit struct {
	p        *post
	c        *smtp.Conn
	loggedIn bool
	from, to string
}

func (v *visit) AuthMechanisms() []string {
	if v.p.onAuth == nil {
		return nil
	}
	return []string{sasl.Plain}
}

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if err := v.p.onAuth(user, password); err != nil {
			return err
		}
		v.loggedIn = true
		v.p.mu.Lock()
		defer v.p.mu.Unlock()
		v.p.logins = append(v.p.logins, user)
		return nil
	}), nil
}

func (v *visit) Mail(from string, _ *smtp.MailOptions) error {
	if v.p.onAuth != nil && !v.loggedIn {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "log in first"}
	}
	v.from = from
	if v.p.onMail != nil {
		return v.p.onMail(v.c)
	}
	return nil
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	v.to = to
	if v.p.onRcpt != nil {
		return v.p.onRcpt(v.c)
	}
	return nil
}

func (v *visit) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if v.p.onData != nil {
		if err := v.p.onData(v.c, body); err != nil {
			return err
		}
	}
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	v.p.got = append(v.p.got, letter{v.from, v.to, body})
	return nil
}

func (v *visit) Reset() {}

func (v *visit) Logout() error {
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	v.p.open--
	return nil
}

// refusal is an answer of the server, about an address.
func refusal(code int, text string) error { return enhanced(code, 1, 1, text) }

func enhanced(code, subject, detail int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, subject, detail}, Message: text}
}

var errWrongPassword = errors.New("wrong password")
