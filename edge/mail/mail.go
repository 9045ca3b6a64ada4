// Package mail sends notices over SMTP: it makes the MIME message, signs it (DKIM) and hands it to the operator's mail
// server. It must not know why a notice is sent, who may get it, or when to try again: it says what the server answered.
package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"ringfence/core/secret"
	"ringfence/flow/notify"
)

// Options of New. Server and From must be set; the rest is usable at zero.
type Options struct {
	Server   string          // "host:port"
	TLS      string          // "starttls" (the default), "tls" (from the first byte), or "none": loopback only
	User     string          // "" is no login
	Password secret.Password // sent only under TLS, or to loopback
	From     string          // "Example Telecom <notices@example.net>"; bounces go to its address
	ReplyTo  string          // where answers go; "" is From
	Hello    string          // name for EHLO; "" is this machine's
	DKIM     DKIM            // zero is unsigned
	CA       string          // PEM file of certificates to trust instead of the system's; "" is the system's

	Timeout     time.Duration // for one message up to its last byte, connecting included; 0 is 1 minute
	Verdict     time.Duration // for the answer to the whole message; 0 is 10 minutes (RFC 5321, 4.5.3.2.6): who goes sooner sends it twice
	Connections int           // concurrent; 0 is 2, as many as notify wants
	Idle        time.Duration // how long a connection is kept for the next message; 0 is 15 seconds
}

// Limits of a connection: messages before it is closed, and bytes that the server may say during one message.
const (
	maxPerConnection = 100
	maxAnswers       = 64 << 10
)

// Sender hands messages to one SMTP server. Send may be called from any goroutine.
type Sender struct {
	o     Options
	host  string
	local bool // the server is on loopback: a clear connection and login are allowed
	tls   *tls.Config
	from  *mail.Address
	reply *mail.Address // nil is none
	sign  func(message []byte) ([]byte, error)
	slots chan struct{} // holds one token for each connection in use

	mu     sync.Mutex
	idle   []*session // newest last; guarded by mu
	closed bool       // guarded by mu
}

// New checks the options and reads the key and certificate files; it connects to nothing.
func New(o Options) (*Sender, error) {
	s := &Sender{o: o}
	for _, step := range []func() error{s.setServer, s.setTLS, s.setNames, s.setSigner} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	s.o.Timeout = cmp.Or(max(s.o.Timeout, 0), time.Minute)
	s.o.Verdict = cmp.Or(max(s.o.Verdict, 0), 10*time.Minute)
	s.o.Connections = cmp.Or(max(s.o.Connections, 0), 2)
	s.o.Idle = cmp.Or(max(s.o.Idle, 0), 15*time.Second)
	s.slots = make(chan struct{}, s.o.Connections)
	return s, nil
}

func (s *Sender) setServer() error {
	host, port, err := net.SplitHostPort(s.o.Server)
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("mail server %q: want HOST:PORT, such as mail.example.net:587", s.o.Server)
	}
	s.host = host
	addr, err := netip.ParseAddr(host)
	s.local = strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
	if s.o.User == "" && !s.o.Password.IsZero() {
		return errors.New("mail: there is a password but no user")
	}
	if s.o.User != "" && s.o.Password.IsZero() {
		return errors.New("mail: there is a user but no password")
	}
	return nil
}

func (s *Sender) setTLS() error {
	switch s.o.TLS {
	case "":
		s.o.TLS = "starttls"
	case "starttls", "tls":
	case "none":
		if !s.local {
			return fmt.Errorf(`mail: tls "none" would send to %s in clear; that is for a server on loopback only`, s.host)
		}
	default:
		return fmt.Errorf(`mail: tls %q: want "starttls", "tls" or "none"`, s.o.TLS)
	}
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if s.o.CA == "" {
		return nil
	}
	pem, err := os.ReadFile(s.o.CA)
	if err != nil {
		return fmt.Errorf("mail: certificates to trust: %w", err)
	}
	s.tls.RootCAs = x509.NewCertPool()
	if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("mail: %s holds no certificate", s.o.CA)
	}
	return nil
}

func (s *Sender) setNames() (err error) {
	if s.from, err = address(s.o.From); err != nil {
		return fmt.Errorf("mail: from: %w", err)
	}
	if s.o.ReplyTo != "" {
		if s.reply, err = address(s.o.ReplyTo); err != nil {
			return fmt.Errorf("mail: reply-to: %w", err)
		}
	}
	if s.o.Hello == "" {
		if s.o.Hello, err = os.Hostname(); err != nil {
			return fmt.Errorf("mail: this machine's name for EHLO: %w", err)
		}
	}
	if strings.ContainsFunc(s.o.Hello, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("mail: hello %q is not a host name", s.o.Hello)
	}
	return nil
}

func (s *Sender) setSigner() (err error) {
	s.sign, err = s.o.DKIM.signer()
	return err
}

// Send returns nil when the server has taken the message. An error that is notify.ErrPermanent will not go away: the
// address is bad, or the server refused it or the message for good (5xx), in whose words. Any other is worth another try:
// 4xx, the network, ctx, a full mailbox, and what is wrong with us (login, sender, relaying), which an operator can put right.
// If the connection breaks after the whole message was sent, its outcome is unknown: the next try has the same Message-ID.
func (s *Sender) Send(ctx context.Context, m notify.Message) error {
	to, err := address(m.To)
	if err != nil {
		return fmt.Errorf("%w: %w", notify.ErrPermanent, err)
	}
	to.Name = clean(m.Name, maxName)
	raw, err := s.compose(m, to)
	if err != nil {
		return fmt.Errorf("%w: %w", notify.ErrPermanent, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	clock := time.AfterFunc(s.o.Timeout, func() { cancel(context.DeadlineExceeded) })
	defer clock.Stop()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for a connection to the mail server: %w", context.Cause(ctx))
	}
	return s.deliver(ctx, to.Address, raw, func() { clock.Reset(s.o.Verdict) })
}

// Close ends idle connections; those in use end with their message.
func (s *Sender) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	for _, c := range idle {
		if c.timer.Stop() { // else expire is about to
			c.quit()
		}
	}
	return nil
}
