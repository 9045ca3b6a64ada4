//go:build e2e

package e2e

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// post is a mail server on loopback that insists on STARTTLS and a login, and can be stopped and started again.
type post struct {
	t    *testing.T
	addr string
	dir  string // holds ca.pem, password, dkim.pem
	cert tls.Certificate
	dns  map[string]string // TXT records
	srv  *smtp.Server

	mu      sync.Mutex
	letters []letter // mu
}

// letter is a mail that came in, taken apart.
type letter struct {
	at         time.Time
	to         string
	header     mail.Header
	subject    string
	text, html string
	attached   []string // kinds of what is attached
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{t: t, dir: t.TempDir(), dns: map[string]string{}}
	p.makeKeys()
	p.addr = freePort(t).String()
	p.start()
	t.Cleanup(p.stop)
	return p
}

func (p *post) makeKeys() {
	t := p.t
	public, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	must(t, err)
	p.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	p.file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	p.file("password", []byte("letter-box\n"))
	public, key, err = ed25519.GenerateKey(rand.Reader)
	must(t, err)
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	p.file("dkim.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}))
	p.dns["e2e._domainkey.provider.test"] = "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
}

func (p *post) file(name string, text []byte) {
	must(p.t, os.WriteFile(filepath.Join(p.dir, name), text, 0o600))
}

// config is the [mail] table that reaches this server.
func (p *post) config() string {
	at := func(name string) string { return filepath.Join(p.dir, name) }
	return fmt.Sprintf("[mail]\nserver = %q\ntls = \"starttls\"\nca-file = %q\nuser = \"ringfence\"\npassword-file = %q\nfrom = \"Provider <calls@provider.test>\"\n"+
		"dkim-domain = \"provider.test\"\ndkim-selector = \"e2e\"\ndkim-key = %q\n", p.addr, at("ca.pem"), at("password"), at("dkim.pem"))
}

func (p *post) start() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.addr)
	must(p.t, err)
	p.srv = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &visit{p: p}, nil }))
	p.srv.Domain, p.srv.TLSConfig = "mx.test", &tls.Config{Certificates: []tls.Certificate{p.cert}}
	srv := p.srv
	go func() { _ = srv.Serve(l) }()
}

func (p *post) stop() { _ = p.srv.Close() }

// die replaces the server by one that hangs up on everybody, until revive; tries counts them.
func (p *post) die() (tries *atomic.Int64, revive func()) {
	p.t.Helper()
	p.stop()
	l, err := net.Listen("tcp", p.addr)
	must(p.t, err)
	tries = &atomic.Int64{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
			tries.Add(1)
		}
	}()
	return tries, func() {
		l.Close()
		p.start()
	}
}

// visit is one session at the server.
type visit struct {
	p        *post
	loggedIn bool
	to       string
}

func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if v.loggedIn = user == "ringfence" && password == "letter-box"; !v.loggedIn {
			return errors.New("a wrong login")
		}
		return nil
	}), nil
}

func (v *visit) Mail(string, *smtp.MailOptions) error {
	if !v.loggedIn {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	v.to = to
	return nil
}

func (v *visit) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l, err := v.p.read(raw)
	if err != nil {
		v.p.t.Errorf("a mail that cannot be read: %v\n%s", err, raw)
	}
	l.at, l.to = time.Now(), v.to
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	v.p.letters = append(v.p.letters, l)
	return nil
}

func (v *visit) Reset()        { v.to = "" }
func (v *visit) Logout() error { return nil }

// read takes a mail apart and checks what every mail must have: one good signature and both parts.
func (p *post) read(raw []byte) (letter, error) {
	found, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		return []string{p.dns[strings.TrimSuffix(name, ".")]}, nil
	}})
	if err != nil || len(found) != 1 || found[0].Err != nil || found[0].Domain != "provider.test" {
		return letter{}, fmt.Errorf("signatures %+v: %w", found, err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return letter{}, err
	}
	l := letter{header: m.Header}
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return l, err
	}
	if err := l.part(m.Header.Get("Content-Type"), "", m.Body); err != nil {
		return l, err
	}
	if l.text == "" || l.html == "" {
		return l, errors.New("a part is missing")
	}
	return l, nil
}

// part reads one part of a mail, with those inside it.
func (l *letter) part(kind, encoding string, r io.Reader) error {
	kind, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return err
	}
	if strings.HasPrefix(kind, "multipart/") {
		for parts := multipart.NewReader(r, params["boundary"]); ; {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := l.part(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part); err != nil {
				return err
			}
		}
	}
	if strings.EqualFold(encoding, "quoted-printable") {
		r = quotedprintable.NewReader(r)
	}
	body, err := io.ReadAll(r)
	switch kind {
	case "text/plain":
		l.text = strings.ReplaceAll(string(body), "\r\n", "\n")
	case "text/html":
		l.html = string(body)
	default:
		l.attached = append(l.attached, kind)
	}
	return err
}

// all gives the letters to an address whose subject has a text in it.
func (p *post) all(to, subject string) (found []letter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.letters {
		if l.to == to && strings.Contains(l.subject, subject) {
			found = append(found, l)
		}
	}
	return found
}

// one waits for a letter.
func (p *post) one(to, subject string, within time.Duration) letter {
	p.t.Helper()
	defer func() {
		if p.t.Failed() {
			for _, l := range p.all(to, "") {
				p.t.Logf("%s %s: %s", l.at.Format(time.TimeOnly), l.to, l.subject)
			}
		}
	}()
	eventually(p.t, within, fmt.Sprintf("a letter to %s about %q", to, subject), func() bool { return len(p.all(to, subject)) > 0 })
	return p.all(to, subject)[0]
}

var answerURL = regexp.MustCompile(`http://\S+/answer/\S+`)
