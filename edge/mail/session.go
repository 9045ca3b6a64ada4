package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// session is one connection to the server, greeted and logged in. One goroutine at a time uses it.
type session struct {
	conn   *boundedConn
	smtp   *smtp.Client
	sent   int
	broken bool        // must not be used again
	timer  *time.Timer // closes it when idle; set while it is in Sender.idle
}

// errAnswers ends a session with a server that talks without end.
var errAnswers = errors.New("the mail server said more than a mail server has to say")

// boundedConn limits what the other side may say; left is used by the goroutine that holds the session.
type boundedConn struct {
	net.Conn
	left int
}

// Read reads up to what is left.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errAnswers
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// deliver sends over a kept connection if there is one. A server may have closed that one in the meantime; if it fails
// before anything was taken, a new connection is made. written is called when only the answer to the message is missing.
func (s *Sender) deliver(ctx context.Context, recipient string, raw []byte, written func()) error {
	if c := s.take(); c != nil {
		started, err := c.mail(ctx, s.from.Address, recipient, raw, written)
		s.give(c)
		if started || ctx.Err() != nil {
			return err
		}
	}
	c, err := s.open(ctx)
	if err != nil {
		return err
	}
	_, err = c.mail(ctx, s.from.Address, recipient, raw, written)
	s.give(c)
	return err
}

// mail runs one transaction. It says whether the server had an opinion on it: not so if MAIL never got its answer.
func (c *session) mail(ctx context.Context, from, to string, raw []byte, written func()) (started bool, err error) {
	defer c.watch(ctx)()
	c.sent++
	if err := c.smtp.Mail("<" + from + ">"); err != nil {
		return c.fail(err), answer(ctx, atMail, err)
	}
	if err := c.smtp.Rcpt("<" + to + ">"); err != nil {
		c.fail(err)
		return true, answer(ctx, "RCPT", err)
	}
	w, err := c.smtp.Data()
	if err != nil {
		c.fail(err)
		return true, answer(ctx, "DATA", err)
	}
	if _, err := w.Write(raw); err != nil {
		c.broken = true // half a message may lie in the connection
		return true, answer(ctx, "the message", err)
	}
	written()
	if err := w.Close(); err != nil {
		c.fail(err)
		return true, answer(ctx, "the end of the message", err)
	}
	return true, nil
}

// watch gives the connection a fresh allowance and closes it when ctx ends. The returned function stops watching.
func (c *session) watch(ctx context.Context) func() {
	c.conn.left = maxAnswers
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() }) // breaks off whatever is waited for; that returns the error
	return func() {
		if !stop() {
			c.broken = true
		}
	}
}

// fail readies the connection for another transaction after a refusal, or marks it broken. It says whether the server
// answered; 421 means that it is closing.
func (c *session) fail(err error) (answered bool) {
	var said *textproto.Error
	if !errors.As(err, &said) || said.Code == 421 {
		c.broken = true
		return false
	}
	c.broken = c.smtp.Reset() != nil
	return true
}

// open connects, secures and logs in.
func (s *Sender) open(ctx context.Context) (*session, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.o.Server)
	if err != nil {
		return nil, fmt.Errorf("connecting to the mail server: %w", err)
	}
	if to, err := netip.ParseAddrPort(raw.RemoteAddr().String()); s.local && (err != nil || !to.Addr().Unmap().IsLoopback()) {
		return nil, errors.Join(fmt.Errorf("the mail server %s is not on loopback after all, but at %s", s.host, raw.RemoteAddr()), raw.Close())
	}
	c := &session{conn: &boundedConn{Conn: raw}}
	defer c.watch(ctx)()
	if err := s.greet(ctx, c); err != nil {
		_ = raw.Close() // the reason is err
		return nil, err
	}
	return c, nil
}

// greet prepares a new connection for MAIL. A failure here is not about a message, so it is never permanent.
func (s *Sender) greet(ctx context.Context, c *session) (err error) {
	var conn net.Conn = c.conn
	if s.o.TLS == "tls" {
		secured := tls.Client(conn, s.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			return cause(ctx, "securing the connection to the mail server", err)
		}
		conn = secured
	}
	if c.smtp, err = smtp.NewClient(conn, s.host); err != nil {
		return setup(ctx, "the greeting", err)
	}
	if err := c.smtp.Hello(s.o.Hello); err != nil {
		return setup(ctx, "EHLO", err)
	}
	if s.o.TLS == "starttls" {
		if ok, _ := c.smtp.Extension("STARTTLS"); !ok {
			return errors.New("the mail server does not offer STARTTLS, and nothing is sent in clear")
		}
		if err := c.smtp.StartTLS(s.tls); err != nil {
			return setup(ctx, "STARTTLS", err)
		}
	}
	return s.login(ctx, c)
}

// login authenticates if there is a user. The connection is secured by now, or on loopback.
func (s *Sender) login(ctx context.Context, c *session) error {
	if s.o.User == "" {
		return nil
	}
	_, offered := c.smtp.Extension("AUTH")
	methods := strings.Fields(strings.ToUpper(offered))
	password := s.o.Password.Reveal()
	var how smtp.Auth
	switch {
	case slices.Contains(methods, "PLAIN"):
		how = smtp.PlainAuth("", s.o.User, password, s.host, s.local)
	case slices.Contains(methods, "LOGIN"):
		how = smtp.LoginAuth(s.o.User, password, s.host, s.local)
	default:
		return errors.New("the mail server offers no login that Ringfence knows (PLAIN, LOGIN)")
	}
	if err := c.smtp.Auth(how); err != nil {
		return s.redact(setup(ctx, "the login of "+s.o.User, err))
	}
	return nil
}

// take hands out an idle connection, nil if there is none.
func (s *Sender) take() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.idle) > 0 {
		c := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		if c.timer.Stop() {
			return c
		}
	}
	return nil
}

// give keeps a connection for the next message, or closes it.
func (s *Sender) give(c *session) {
	if c.broken {
		_ = c.conn.Close() // nothing more is expected of it
		return
	}
	s.mu.Lock()
	keep := !s.closed && c.sent < maxPerConnection
	if keep {
		s.idle = append(s.idle, c)
		c.timer = time.AfterFunc(s.o.Idle, func() { s.expire(c) })
	}
	s.mu.Unlock()
	if !keep {
		c.quit()
	}
}

// expire closes an unused connection. Its timer has fired, so take leaves it alone.
func (s *Sender) expire(c *session) {
	s.mu.Lock()
	s.idle = slices.DeleteFunc(s.idle, func(x *session) bool { return x == c })
	s.mu.Unlock()
	c.quit()
}

// quit says goodbye, without waiting long for the answer.
func (c *session) quit() {
	_ = c.conn.SetDeadline(time.Now().Add(2 * time.Second))
	c.conn.left = maxAnswers
	_ = c.smtp.Quit() // the messages are with the server already
	_ = c.conn.Close()
}
