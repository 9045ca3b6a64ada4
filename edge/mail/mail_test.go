package mail

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-smtp"

	"ringfence/core/secret"
	"ringfence/flow/notify"
)

const (
	testUser     = "ringfence"
	testPassword = "gravel-unzip-lilac"
)

func login(user, password string) error {
	if user != testUser || password != testPassword {
		return errWrongPassword
	}
	return nil
}

func options(p *post, change ...func(*Options)) Options {
	o := Options{Server: p.addr, TLS: "none", From: "Example Telecom <notices@example.net>", Hello: "ringfence.test", Timeout: 10 * time.Second, CA: p.ca}
	for _, c := range change {
		c(&o)
	}
	return o
}

func sender(t *testing.T, o Options) *Sender {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func withLogin(o *Options) { o.User, o.Password = testUser, secret.NewPassword(testPassword) }

func starttls(o *Options) { o.TLS = "starttls" }

func notice(change ...func(*notify.Message)) notify.Message {
	m := notify.Message{
		ID: "n.17.ana@example.net", Channel: "mail", To: "ana@example.org", Name: "Ana Müller", Subject: "New phone on line 2001",
		Text: "Hello Ana,\n\na new phone used the login of line 2001.\n.\n", HTML: "<!doctype html><p>Hello Ana,</p><p>a new phone used the login of line 2001 – £3.</p>",
		Off: "https://calls.example.net/a/" + strings.Repeat("T0ken-", 12), At: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
	}
	for _, c := range change {
		c(&m)
	}
	return m
}

// parsed is a mail as the standard library reads it.
type parsed struct {
	head       mail.Header
	kinds      []string
	text, html string
}

func parse(t *testing.T, raw []byte) parsed {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q (%v)", kind, err)
	}
	out := parsed{head: msg.Header}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		kind := part.Header.Get("Content-Type")
		out.kinds = append(out.kinds, kind)
		if enc := part.Header.Get("Content-Transfer-Encoding"); enc != "quoted-printable" {
			t.Fatalf("encoding %q", enc)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.ReplaceAll(string(body), "\r\n", "\n"); strings.HasPrefix(kind, "text/plain") {
			out.text = text
		} else {
			out.html = text
		}
	}
}

func TestAMailArrivesWhole(t *testing.T) {
	for _, security := range []string{"none", "starttls", "tls"} {
		t.Run(security, func(t *testing.T) {
			p := (&post{onAuth: login}).start(t, security)
			s := sender(t, options(p, withLogin, func(o *Options) { o.TLS, o.ReplyTo = security, "help@example.net" }))
			m := notice()
			m.Checkpoint = "17-2f0c"
			if err := s.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			got := p.letters()
			if len(got) != 1 || got[0].from != "notices@example.net" || got[0].to != "ana@example.org" {
				t.Fatalf("%d letters, the first %+v", len(got), got)
			}
			checkLines(t, got[0].raw)
			mail := parse(t, got[0].raw)
			if len(mail.kinds) != 2 || !strings.HasPrefix(mail.kinds[0], "text/plain") || !strings.HasPrefix(mail.kinds[1], "text/html") {
				t.Errorf("parts %q: the last is the best for a reader (RFC 2046, 5.1.4)", mail.kinds)
			}
			if mail.text != m.Text || mail.html != m.HTML {
				t.Errorf("text %q\nhtml %q", mail.text, mail.html)
			}
			to, err := mail.head.AddressList("To")
			if err != nil || len(to) != 1 || to[0].Name != m.Name || to[0].Address != m.To {
				t.Errorf("To %v (%v)", to, err)
			}
			for name, want := range map[string]string{
				"Message-ID": "<n.17.ana@example.net>", "Date": "Mon, 23 Nov 2026 09:30:00 +0000", "Auto-Submitted": "auto-generated",
				"Subject": m.Subject, "From": `"Example Telecom" <notices@example.net>`, "Reply-To": "<help@example.net>", "Mime-Version": "1.0",
				"List-Unsubscribe": "<" + m.Off + ">", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
				"Ringfence-Checkpoint": m.Checkpoint,
			} {
				if got := mail.head[textKey(name)]; len(got) != 1 || got[0] != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func textKey(name string) string {
	if name == "Message-ID" {
		return "Message-Id"
	}
	return name
}

// checkLines wants CRLF everywhere and lines of at most 998 bytes.
func checkLines(t *testing.T, raw []byte) {
	t.Helper()
	for i, line := range bytes.Split(raw, []byte("\r\n")) {
		if len(line) > 998 {
			t.Errorf("line %d has %d bytes", i, len(line))
		}
		if bytes.ContainsAny(line, "\r\n") {
			t.Errorf("line %d has a bare line break: %q", i, line)
		}
	}
}

func TestWithoutOffThereIsNoUnsubscribe(t *testing.T) {
	p := (&post{}).start(t, "none")
	if err := sender(t, options(p)).Send(t.Context(), notice(func(m *notify.Message) { m.Off = "" })); err != nil {
		t.Fatal(err)
	}
	if h := parse(t, p.letters()[0].raw).head; h["List-Unsubscribe"] != nil || h["List-Unsubscribe-Post"] != nil {
		t.Errorf("headers %v", h)
	}
}

// TestABillIsAttached guards that a file comes as it is, under its name, beside both texts; and that one that no server takes is not sent.
func TestABillIsAttached(t *testing.T) {
	p := (&post{}).start(t, "none")
	s := sender(t, options(p))
	pdf := bytes.Repeat([]byte("%PDF-1.7\x00\xff\r\n.\r\n"), 1000)
	attach := func(data []byte) func(*notify.Message) {
		return func(m *notify.Message) {
			m.Files = []notify.File{{Name: "bill-17.pdf", Type: "application/pdf", Data: data}}
		}
	}
	if err := s.Send(t.Context(), notice(attach(pdf))); err != nil {
		t.Fatal(err)
	}
	raw := p.letters()[0].raw
	checkLines(t, raw)
	_, file, ok := bytes.Cut(raw, []byte(`filename="bill-17.pdf"`))
	_, file, _ = bytes.Cut(file, []byte("\r\n\r\n"))
	file, _, _ = bytes.Cut(file, []byte("\r\n--"))
	got, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(file), "\r\n", ""))
	if !ok || err != nil || !bytes.Equal(got, pdf) {
		t.Errorf("%d bytes of %d arrived (%v)", len(got), len(pdf), err)
	}
	if err := s.Send(t.Context(), notice(attach(make([]byte, 8<<20)))); !errors.Is(err, notify.ErrPermanent) {
		t.Errorf("8 MiB: %v", err)
	}
}

// TestHostileTextStaysText: names and User-Agents that attackers chose come into subjects.
func TestHostileTextStaysText(t *testing.T) {
	p := (&post{}).start(t, "none")
	s := sender(t, options(p))
	for _, evil := range []string{
		"x\r\nBcc: victim@example.com", "x\nBcc: victim@example.com\n\n<b>body</b>", "=?utf-8?q?x=0D=0ABcc:_victim@example.com?=",
		"\x00\x1b[31mred", strings.Repeat("A", 8192), strings.Repeat("é ", 4096), "\xff\xfe", "\u202egnp.exe", "a\u2028b", `"<evil@example.com>, "`, "",
	} {
		m := notice(func(m *notify.Message) { m.Subject, m.Name, m.Text = evil, evil, evil+"\r\n.\r\nMAIL FROM:<x@y>\r\n" })
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatalf("%q: %v", evil, err)
		}
		got := p.letters()
		raw := got[len(got)-1].raw
		checkLines(t, raw)
		mail := parse(t, raw)
		if mail.head["Bcc"] != nil || len(mail.head) != 10 {
			t.Errorf("%.40q: headers %v", evil, mail.head)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(mail.head.Get("Subject"))
		if err != nil || strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' || r == 0x202e || r == 0x2028 }) || len([]rune(subject)) > maxSubject+5 {
			t.Errorf("%.40q: subject %q (%v)", evil, subject, err)
		}
		to, err := mail.head.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Address != "ana@example.org" {
			t.Errorf("%.40q: To %q (%v)", evil, mail.head["To"], err)
		}
	}
	if n := len(p.letters()); n != 11 {
		t.Errorf("%d letters, want 11: a body ended its own message", n)
	}
}

func TestBadMessagesArePermanent(t *testing.T) {
	s := sender(t, Options{Server: "127.0.0.1:1", TLS: "none", From: "notices@example.net"})
	for name, change := range map[string]func(*notify.Message){
		"no address":           func(m *notify.Message) { m.To = "" },
		"no domain":            func(m *notify.Message) { m.To = "ana" },
		"two addresses":        func(m *notify.Message) { m.To = "ana@example.org, eve@example.org" },
		"a line break":         func(m *notify.Message) { m.To = "ana@example.org\r\nRCPT TO:<eve@example.org>" },
		"a quoted local part":  func(m *notify.Message) { m.To = `"ana> RCPT"@example.org` },
		"letters before the @": func(m *notify.Message) { m.To = "añá@example.org" },
		"a long address":       func(m *notify.Message) { m.To = strings.Repeat("a", 250) + "@example.org" },
		"an odd message ID":    func(m *notify.Message) { m.ID = "x> <y@z" },
		"no message ID":        func(m *notify.Message) { m.ID = "" },
		"a bad off link":       func(m *notify.Message) { m.Off = "https://x/\r\nBcc: y@z" },
		"a long off link":      func(m *notify.Message) { m.Off = "https://x/" + strings.Repeat("a", 1000) },
		"a huge body":          func(m *notify.Message) { m.Text = strings.Repeat("a", maxBody) },
	} {
		if err := s.Send(t.Context(), notice(change)); !errors.Is(err, notify.ErrPermanent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADomainInLetters(t *testing.T) {
	p := (&post{}).start(t, "none")
	if err := sender(t, options(p)).Send(t.Context(), notice(func(m *notify.Message) { m.To = "ana@bücher.example" })); err != nil {
		t.Fatal(err)
	}
	if to := p.letters()[0].to; to != "ana@xn--bcher-kva.example" {
		t.Errorf("RCPT %q", to)
	}
}

func TestWhatTheServerAnswers(t *testing.T) {
	for _, code := range []int{550, 553, 530, 552, 554, 451, 421} {
		for stage, hook := range map[string]func(p *post, err error){
			"MAIL":                   func(p *post, err error) { p.onMail = func(*smtp.Conn) error { return err } },
			"RCPT":                   func(p *post, err error) { p.onRcpt = func(*smtp.Conn) error { return err } },
			"the end of the message": func(p *post, err error) { p.onData = func(*smtp.Conn, []byte) error { return err } },
		} {
			t.Run(fmt.Sprint(code, " ", stage), func(t *testing.T) {
				p := &post{}
				hook(p, refusal(code, "no such\x07 person"))
				p.start(t, "none")
				err := sender(t, options(p)).Send(t.Context(), notice())
				if permanent := stage != "MAIL" && (code == 550 || code == 553); errors.Is(err, notify.ErrPermanent) != permanent {
					t.Errorf("permanent is not %v: %v", permanent, err)
				}
				if want := fmt.Sprintf("answered %d at %s: %d.1.1 no such person", code, stage, code/100); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			})
		}
	}
}

// Guards: a mail server that is set up wrongly must not lose notices: what it says of us is tried again till an operator
// has put it right.
func TestWhatIsOurFaultIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		code, subject, detail int
		permanent             bool
	}{
		{550, 1, 1, true},   // no such mailbox
		{550, 2, 1, true},   // disabled
		{550, 7, 1, false},  // relaying denied
		{550, 7, 26, false}, // SPF, DKIM
		{554, 7, 1, false},
		{554, 1, 1, false},
		{552, 2, 2, false},
		{550, 2, 2, false}, // full
		{550, 4, 4, false},
		{553, 3, 4, true},
		{550, 3, 0, false},
	} {
		for stage, hook := range map[string]func(p *post, err error){
			"RCPT":           func(p *post, err error) { p.onRcpt = func(*smtp.Conn) error { return err } },
			"end of message": func(p *post, err error) { p.onData = func(*smtp.Conn, []byte) error { return err } },
		} {
			p := &post{}
			hook(p, enhanced(c.code, c.subject, c.detail, "no"))
			p.start(t, "none")
			if err := sender(t, options(p)).Send(t.Context(), notice()); err == nil || errors.Is(err, notify.ErrPermanent) != c.permanent {
				t.Errorf("%d 5.%d.%d at %s: %v", c.code, c.subject, c.detail, stage, err)
			}
		}
	}
}

func TestAServerWithoutCodes(t *testing.T) {
	for words, permanent := range map[string]bool{"relay not permitted": false, "Relaying denied": false, "Authentication required": false, "Unrouteable address": true, "5.x": true} {
		err := answer(t.Context(), "RCPT", &textproto.Error{Code: 550, Msg: words})
		if errors.Is(err, notify.ErrPermanent) != permanent {
			t.Errorf("%s: %v", words, err)
		}
	}
}

// Guards: a server that takes its time over a whole message must not get it twice: the clock for it is another.
func TestAVerdictMayTakeLong(t *testing.T) {
	p := &post{}
	over := make(chan struct{})
	p.onData = func(*smtp.Conn, []byte) error { <-over; return nil }
	p.start(t, "none")
	s := sender(t, options(p, func(o *Options) { o.Timeout = 300 * time.Millisecond }))
	clock := time.AfterFunc(time.Second, func() { close(over) })
	defer clock.Stop()
	if err := s.Send(t.Context(), notice()); err != nil || len(p.letters()) != 1 {
		t.Errorf("%d letters, %v", len(p.letters()), err)
	}
	p.onData = func(c *smtp.Conn, _ []byte) error { _, _ = io.ReadAll(c.Conn()); return nil } // never an answer
	s = sender(t, options(p, func(o *Options) { o.Verdict = 50 * time.Millisecond }))
	if err := s.Send(t.Context(), notice()); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, notify.ErrPermanent) {
		t.Errorf("%v, want the time limit", err)
	}
}

// TestAfterARefusalTheConnectionGoesOn sends to somebody else over the same connection.
func TestAfterARefusalTheConnectionGoesOn(t *testing.T) {
	p := &post{}
	refuse := true
	p.onRcpt = func(*smtp.Conn) error { // one connection: no race
		if refuse {
			refuse = false
			return refusal(550, "no")
		}
		return nil
	}
	p.start(t, "none")
	s := sender(t, options(p))
	if err := s.Send(t.Context(), notice()); !errors.Is(err, notify.ErrPermanent) {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), notice()); err != nil {
		t.Fatal(err)
	}
	if p.sessions != 1 || len(p.letters()) != 1 {
		t.Errorf("%d connections, %d letters", p.sessions, len(p.letters()))
	}
}

func TestNoDowngrade(t *testing.T) {
	var asked bool
	p := (&post{onAuth: func(string, string) error { asked = true; return nil }}).start(t, "none") // offers AUTH, but no STARTTLS
	err := sender(t, options(p, starttls, withLogin)).Send(t.Context(), notice())
	if err == nil || !strings.Contains(err.Error(), "STARTTLS") || errors.Is(err, notify.ErrPermanent) {
		t.Errorf("without STARTTLS: %v", err)
	}
	if asked || len(p.letters()) != 0 {
		t.Error("something went out in clear")
	}
}

func TestAnUnknownCertificateIsRefused(t *testing.T) {
	for _, security := range []string{"starttls", "tls"} {
		p := (&post{onAuth: login}).start(t, security)
		err := sender(t, options(p, withLogin, func(o *Options) { o.TLS, o.CA = security, "" })).Send(t.Context(), notice())
		if err == nil || !strings.Contains(err.Error(), "certificate") || errors.Is(err, notify.ErrPermanent) {
			t.Errorf("%s: %v", security, err)
		}
	}
}

// TestAWrongPasswordIsNoBounce: the operator can put it right, and the notice must not be lost till then. Nor is the
// password in the error when the server repeats it.
func TestAWrongPasswordIsNoBounce(t *testing.T) {
	p := &post{onAuth: func(user, password string) error {
		all := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
		return refusal(535, "you said "+password+" and "+all)
	}}
	p.start(t, "starttls")
	o := options(p, starttls, withLogin)
	err := sender(t, o).Send(t.Context(), notice())
	if err == nil || errors.Is(err, notify.ErrPermanent) || !strings.Contains(err.Error(), "535") {
		t.Fatalf("%v", err)
	}
	if text := fmt.Sprintf("%v %+v %v", err, err, o); strings.Contains(text, testPassword) || strings.Contains(text, "Z3JhdmVs") || strings.Contains(text, "Z3JhdmVsLX") {
		t.Errorf("the password is in %s", text)
	}
}

func TestABurstSharesAConnection(t *testing.T) {
	p := (&post{onAuth: login}).start(t, "starttls")
	s := sender(t, options(p, starttls, withLogin))
	for i := range 10 {
		if err := s.Send(t.Context(), notice(func(m *notify.Message) { m.ID = fmt.Sprintf("n.%d@example.net", i) })); err != nil {
			t.Fatal(err)
		}
	}
	// A server makes its session at EHLO, and another after STARTTLS.
	if len(p.letters()) != 10 || len(p.logins) != 1 {
		t.Errorf("%d letters, %d logins; want 10 over one", len(p.letters()), len(p.logins))
	}
}

func TestNoMoreConnectionsThanAllowed(t *testing.T) {
	p := &post{}
	all := make(chan struct{})
	var once sync.Once
	p.onMail = func(*smtp.Conn) error {
		p.mu.Lock()
		full := p.open == 2
		p.mu.Unlock()
		if full { // both are inside at once: let everybody go on
			once.Do(func() { close(all) })
		}
		<-all
		return nil
	}
	p.start(t, "none")
	s := sender(t, options(p))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := s.Send(t.Context(), notice()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if p.most != 2 || len(p.letters()) != 20 {
		t.Errorf("%d connections at once and %d letters, want 2 and 20", p.most, len(p.letters()))
	}
}

// TestAConnectionThatTheServerClosed is one that was kept: the message goes out over a new one, once.
func TestAConnectionThatTheServerClosed(t *testing.T) {
	p, mails := &post{}, 0
	p.onMail = func(c *smtp.Conn) error { // one connection after another: no race
		if mails++; mails == 2 {
			_ = c.Conn().Close()
		}
		return nil
	}
	p.start(t, "none")
	s := sender(t, options(p))
	if err := s.Send(t.Context(), notice()); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), notice()); err != nil {
		t.Fatal(err)
	}
	if p.sessions != 2 || len(p.letters()) != 2 {
		t.Errorf("%d connections, %d letters; want 2 and 2", p.sessions, len(p.letters()))
	}
}

func TestAConnectionClosedInDataIsTriedAgain(t *testing.T) {
	p := &post{onData: func(c *smtp.Conn, _ []byte) error { _ = c.Conn().Close(); return nil }}
	p.start(t, "none")
	s := sender(t, options(p))
	err := s.Send(t.Context(), notice())
	if err == nil || errors.Is(err, notify.ErrPermanent) {
		t.Fatalf("%v, want an error that is tried again", err)
	}
	if p.sessions != 1 {
		t.Errorf("%d connections: Send must not repeat a message that may have been taken", p.sessions)
	}
}

func TestAHangingServer(t *testing.T) {
	for stage, hook := range map[string]func(p *post, wait func()){
		"MAIL": func(p *post, wait func()) { p.onMail = func(*smtp.Conn) error { wait(); return nil } },
		"DATA": func(p *post, wait func()) { p.onData = func(*smtp.Conn, []byte) error { wait(); return nil } },
	} {
		t.Run(stage, func(t *testing.T) {
			p, over := &post{}, make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			hook(p, func() { cancel(); <-over })
			p.start(t, "none")
			defer close(over)
			err := sender(t, options(p)).Send(ctx, notice())
			if !errors.Is(err, context.Canceled) || errors.Is(err, notify.ErrPermanent) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

func TestAServerThatNeverGreets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := sender(t, Options{Server: l.Addr().String(), TLS: "none", From: "a@example.net", Timeout: 50 * time.Millisecond})
	if err := s.Send(t.Context(), notice()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the time limit", err)
	}
}

// TestAServerWithOddAnswers: what fails before MAIL is nobody's message; a server without end is cut off.
func TestAServerWithOddAnswers(t *testing.T) {
	for name, c := range map[string]struct{ says, want string }{
		"refuses all":   {"554 go away\r\n", "554"},
		"talks rubbish": {"HTTP/1.1 400 Bad Request\r\n\r\n", "greeting"},
		"never stops":   {strings.Repeat("220-"+strings.Repeat("x", 1000)+"\r\n", 200), errAnswers.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				c2, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c2, c.says)
				_, _ = bufio.NewReader(c2).ReadString('\n') // until the client is gone
				_ = c2.Close()
			}()
			s := sender(t, Options{Server: l.Addr().String(), TLS: "none", From: "a@example.net", Timeout: 5 * time.Second})
			err = s.Send(t.Context(), notice())
			if err == nil || errors.Is(err, notify.ErrPermanent) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want one with %q that is tried again", err, c.want)
			}
		})
	}
}

func TestIdleConnectionsGo(t *testing.T) {
	p := (&post{}).start(t, "none")
	s := sender(t, options(p, func(o *Options) { o.Idle = time.Millisecond }))
	for range 5 {
		if err := s.Send(t.Context(), notice()); err != nil {
			t.Fatal(err)
		}
	}
	gone := time.NewTicker(time.Millisecond)
	defer gone.Stop()
	for left := 1; left > 0; <-gone.C { // the test's own time limit is the other way out
		p.mu.Lock()
		left = p.open
		p.mu.Unlock()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Send(t.Context(), notice()); err != nil {
		t.Errorf("after Close: %v; it closes what is idle and no more", err)
	}
}

func writeKey(t *testing.T, key crypto.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dkim.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDKIM(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaPublic, err := x509.MarshalPKIXPublicKey(rsaKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for kind, c := range map[string]struct {
		key    crypto.PrivateKey
		record string
	}{
		"rsa":     {rsaKey, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(rsaPublic)},
		"ed25519": {edKey, "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(edPublic)},
	} {
		t.Run(kind, func(t *testing.T) {
			p := (&post{}).start(t, "none")
			s := sender(t, options(p, func(o *Options) { o.DKIM = DKIM{"example.net", "rf1", writeKey(t, c.key)} }))
			if err := s.Send(t.Context(), notice(func(m *notify.Message) { m.Subject = strings.Repeat("Ünïcode ", 20) })); err != nil {
				t.Fatal(err)
			}
			raw := p.letters()[0].raw
			check := func(raw []byte) error {
				t.Helper()
				found, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
					if name != "rf1._domainkey.example.net" {
						t.Errorf("asked for %s", name)
					}
					return []string{c.record}, nil
				}})
				if err != nil || len(found) != 1 {
					t.Fatalf("%d signatures, %v", len(found), err)
				}
				return found[0].Err
			}
			if err := check(raw); err != nil {
				t.Error(err)
			}
			checkLines(t, raw)
			cut := bytes.Index(raw, []byte("\r\nFrom:")) + 2
			for _, added := range []string{"Subject: You owe us\r\n", "From: eve@example.com\r\n", "List-Unsubscribe: <https://evil.example/>\r\n", "Reply-To: eve@example.com\r\n"} {
				if check(bytes.Join([][]byte{raw[:cut], raw[cut:]}, []byte(added))) == nil {
					t.Errorf("the signature holds with another %q", added)
				}
			}
			if check(bytes.Replace(raw, []byte("2001"), []byte("2002"), 1)) == nil {
				t.Error("the signature holds for another body")
			}
		})
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no short keys:", err)
	}
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"HOST:PORT":      func(o *Options) { o.Server = "mail.example.net" },
		"loopback":       func(o *Options) { o.Server, o.TLS = "mail.example.net:25", "none" },
		"tls":            func(o *Options) { o.TLS = "maybe" },
		"no user":        func(o *Options) { o.Password = secret.NewPassword("x") },
		"no password":    func(o *Options) { o.User = "x" },
		"from":           func(o *Options) { o.From = "" },
		"reply-to":       func(o *Options) { o.ReplyTo = "nobody" },
		"hello":          func(o *Options) { o.Hello = "a b" },
		"no certificate": func(o *Options) { o.CA = garbage },
		"a selector":     func(o *Options) { o.DKIM.Domain = "example.net" },
		"PEM":            func(o *Options) { o.DKIM = DKIM{"example.net", "s", garbage} },
		"too short":      func(o *Options) { o.DKIM = DKIM{"example.net", "s", writeKey(t, short)} },
		"DNS name":       func(o *Options) { o.DKIM = DKIM{"example.net; l=0", "s", garbage} },
	} {
		o := Options{Server: "127.0.0.1:25", TLS: "none", From: "a@example.net"}
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v, want an error about %q", err, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("New phone: =?utf-8?q?=0D=0A?=\r\nBcc: x")
	f.Add("\u202e\xff\x00")
	f.Fuzz(func(t *testing.T, text string) {
		got := clean(text, 50)
		if n := len([]rune(got)); n > 60 { // the mark of a cut, and blanks put into "=?"
			t.Skip()
		}
		if strings.ContainsAny(got, "\r\n\x00") || strings.Contains(got, "=?") {
			t.Errorf("%q became %q", text, got)
		}
		if clean(got, 80) != got {
			t.Errorf("%q is not clean", got)
		}
	})
}
