package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/edge/internal/certfile/certtest"
)

// secured is a Security with a certificate for each of the hosts.
func securedFor(t testing.TB, a *certtest.Authority, hosts ...string) (*Security, Files) {
	t.Helper()
	f := Files{CA: a.File}
	for _, host := range hosts {
		cert, key := a.Sign(t, time.Hour, host)
		f.Certs, f.Keys = append(f.Certs, cert), append(f.Keys, key)
	}
	s := new(Security)
	if err := s.Use(f); err != nil {
		t.Fatal(err)
	}
	return s, f
}

func dialTLS(t testing.TB, to netip.AddrPort, c *tls.Config) (*tls.Conn, error) {
	t.Helper()
	nc, err := tls.Dial("tcp", to.String(), c)
	if err == nil {
		t.Cleanup(func() { _ = nc.Close() })
	}
	return nc, err
}

func TestTLSVersionsAndNames(t *testing.T) {
	a := certtest.NewAuthority(t)
	s, files := securedFor(t, a, "one.test", "two.test")
	var tr *Transport
	startAs(t, &tr, Config{TLS: []netip.AddrPort{loopback}, Security: s, Handle: func(p *Packet) {
		if f := p.Parse(); f != nil || p.Proto != TLS || p.Proved != nil {
			t.Errorf("%v %v %v", f, p.Proto, p.Proved)
		}
		echo(&tr)(p)
	}})
	for _, c := range []struct {
		version    uint16
		asks, gets string
	}{{tls.VersionTLS12, "one.test", "one.test"}, {tls.VersionTLS13, "two.test", "two.test"}, {tls.VersionTLS13, "three.test", "one.test"}} {
		nc, err := dialTLS(t, tr.Addr(TLS), &tls.Config{
			ServerName: c.asks, RootCAs: a.Pool, MinVersion: c.version, MaxVersion: c.version, InsecureSkipVerify: c.asks != c.gets,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := nc.ConnectionState().PeerCertificates[0].DNSNames[0]; got != c.gets {
			t.Errorf("%s gets the certificate of %s", c.asks, got)
		}
		for i := range 3 {
			msg := text(fmt.Sprint(i), 30_000*i)
			send(t, nc, msg)
			if got := read(t, nc, len(msg)); got != msg {
				t.Error("not the same")
			}
		}
		send(t, nc, "\r\n\r\n")
		if got := read(t, nc, 2); got != "\r\n" {
			t.Errorf("pong is %q", got)
		}
	}
	if _, err := dialTLS(t, tr.Addr(TLS), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	files.Min = tls.VersionTLS13
	if err := s.Use(files); err != nil {
		t.Fatal(err)
	}
	if _, err := dialTLS(t, tr.Addr(TLS), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 is spoken, although 1.3 is the lowest")
	}
	eventually(t, "both failed handshakes to be counted, which the server notices after the client", func() bool { return tr.Stats().Unshaken == 2 })
	if st := tr.Stats(); st.By[TLS].In != 9 || st.Shaken != 3 || st.Unshaken != 2 || st.By[TLS].Conns != 3 || st.By[TCP] != (ProtoStats{}) {
		t.Errorf("%+v", st)
	}
}

// A certificate that is read again is shown to the next connection, those that are there go on, and a bad one changes nothing.
func TestTLSReload(t *testing.T) {
	a := certtest.NewAuthority(t)
	s, files := securedFor(t, a, "one.test")
	var tr *Transport
	startAs(t, &tr, Config{TLS: []netip.AddrPort{loopback}, Security: s, Handle: func(p *Packet) { echo(&tr)(p) }})
	shown := func() string {
		nc, err := dialTLS(t, tr.Addr(TLS), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return nc.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	old, err := dialTLS(t, tr.Addr(TLS), &tls.Config{InsecureSkipVerify: true})
	if err != nil || shown() != "one.test" {
		t.Fatal(err)
	}
	expired, expiredKey := a.Sign(t, -time.Minute, "old.test")
	open, openKey := a.Sign(t, time.Hour, "open.test")
	if err := os.Chmod(openKey, 0o644); err != nil {
		t.Fatal(err)
	}
	fresh, freshKey := a.Sign(t, time.Hour, "two.test")
	for name, c := range map[string]struct{ cert, key, want string }{
		"no file":         {"/none.pem", freshKey, "open /none.pem"},
		"no key":          {fresh, "/none.key", "stat /none.key"},
		"another's key":   {fresh, files.Keys[0], "private key does not match"},
		"expired":         {expired, expiredKey, "the certificate for old.test expired on"},
		"open to anybody": {open, openKey, "may be read by every user"},
	} {
		err := s.Use(Files{Certs: []string{c.cert}, Keys: []string{c.key}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if Unreadable(err) != strings.HasPrefix(name, "no ") {
			t.Errorf("%s: unreadable is %v", name, Unreadable(err))
		}
		if got := shown(); got != "one.test" {
			t.Errorf("%s: the certificate of %s is shown", name, got)
		}
	}
	if err := s.Use(Files{Certs: []string{fresh}, Keys: []string{freshKey}}); err != nil || shown() != "two.test" {
		t.Errorf("%v, shown %s", err, shown())
	}
	msg := text("x", 1)
	send(t, old, msg)
	if got := read(t, old, len(msg)); got != msg {
		t.Error("a connection did not survive")
	}
	if all := s.Certificates(); len(all) != 1 || !slices.Equal(all[0].Names, []string{"two.test"}) {
		t.Errorf("%+v", all)
	}
}

// What we dial must have a certificate of the name that we know it by, signed by an authority that we believe, and in its time.
func TestTLSToACarrier(t *testing.T) {
	a, other := certtest.NewAuthority(t), certtest.NewAuthority(t)
	ours, _ := securedFor(t, a, "us.test")
	failed := make(chan error, 1)
	us := start(t, Config{Security: ours, Handle: func(*Packet) {}, Failed: func(_ Dest, _ uint64, err error) { failed <- err }})
	for name, c := range map[string]struct {
		signs *certtest.Authority
		ends  time.Duration
		names []string
		calls string
		want  string // "" is success
	}{
		"good":             {a, time.Hour, []string{"carrier.test"}, "carrier.test", ""},
		"another case":     {a, time.Hour, []string{"carrier.test"}, "Carrier.test", ""},
		"an address":       {a, time.Hour, []string{"127.0.0.1"}, "127.0.0.1", ""},
		"a SIP URI":        {a, time.Hour, []string{"sip:carrier.test"}, "carrier.test", ""},
		"a user's URI":     {a, time.Hour, []string{"sip:bob@carrier.test"}, "carrier.test", "not for carrier.test"},
		"expired":          {a, -time.Minute, []string{"carrier.test"}, "carrier.test", "the certificate for carrier.test expired on"},
		"a wildcard":       {a, time.Hour, []string{"*.carrier.test"}, "sip.carrier.test", "a wildcard does not prove sip.carrier.test to SIP (RFC 5922 section 7.2)"},
		"a wildcard too":   {a, time.Hour, []string{"*.carrier.test", "sip.carrier.test"}, "sip.carrier.test", ""},
		"wrong name":       {a, time.Hour, []string{"other.test"}, "carrier.test", "the certificate is for other.test, not for carrier.test"},
		"a part of a name": {a, time.Hour, []string{"rier.test"}, "carrier.test", "not for carrier.test"},
		"unknown":          {other, time.Hour, []string{"carrier.test"}, "carrier.test", "the certificate for carrier.test is not trusted"},
	} {
		cert, key := c.signs.Sign(t, c.ends, c.names...)
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan string, 1)
		go func() {
			if nc, err := ln.Accept(); err == nil {
				b := make([]byte, 65536)
				n, _ := nc.Read(b)
				heard <- string(b[:n])
				_ = nc.Close()
			}
		}()
		msg := text("x", 3)
		at, _ := addrPort(ln.Addr())
		if err := us.Send(Dest{Addr: at, Proto: TLS, Name: c.calls}, []byte(msg)); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; c.want == "" && got != msg || c.want != "" && got != "" {
			t.Errorf("%s: the carrier heard %q", name, got)
		}
		if c.want != "" {
			if err := <-failed; !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_ = ln.Close()
	}
	if err := us.Send(Dest{Addr: netip.MustParseAddrPort("127.0.0.1:1"), Proto: TLS}, []byte("x")); !errors.Is(err, ErrGone) {
		t.Errorf("without a name: %v", err)
	}
}

// Who shows a certificate that an authority of ours has signed is known by its names; nobody has to; a bad one is refused.
func TestTLSClientCertificates(t *testing.T) {
	a, other := certtest.NewAuthority(t), certtest.NewAuthority(t)
	_, files := securedFor(t, a, "us.test")
	s := new(Security)
	files.ClientCA = a.File
	if err := s.Use(files); err != nil {
		t.Fatal(err)
	}
	proved := make(chan []string, 1)
	tr := start(t, Config{TLS: []netip.AddrPort{loopback}, Security: s, Handle: func(p *Packet) { proved <- p.Proved }})
	show := func(signs *certtest.Authority, names ...string) *tls.Config {
		c := &tls.Config{InsecureSkipVerify: true}
		if signs != nil {
			pair, err := tls.LoadX509KeyPair(signs.Sign(t, time.Hour, names...))
			if err != nil {
				t.Fatal(err)
			}
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		return c
	}
	for _, c := range []struct {
		config *tls.Config
		want   []string
	}{{show(nil), nil}, {show(a, "Carrier.test", "sip:carrier.example"), []string{"carrier.example", "carrier.test"}}} {
		nc, err := dialTLS(t, tr.Addr(TLS), c.config)
		if err != nil {
			t.Fatal(err)
		}
		send(t, nc, text("x", 0))
		if got := <-proved; !slices.Equal(got, c.want) {
			t.Errorf("proved %q, want %q", got, c.want)
		}
	}
	nc, err := dialTLS(t, tr.Addr(TLS), show(other, "carrier.test"))
	if err == nil { // TLS 1.3 says so with the first read
		_, err = nc.Read(make([]byte, 1))
	}
	if err == nil {
		t.Error("a certificate of an unknown authority is taken")
	}
}

// A certificate proves a carrier only if an authority of ours answers for its name as one of a client, and only as long as it is valid and that authority is
// believed: not by its common name, not on a connection that outlives it, and not by a ticket for another.
func TestTLSProofs(t *testing.T) {
	t.Parallel()
	a, other := certtest.NewAuthority(t), certtest.NewAuthority(t)
	_, files := securedFor(t, a, "us.test")
	s := new(Security)
	files.ClientCA = a.File
	if err := s.Use(files); err != nil {
		t.Fatal(err)
	}
	proved := make(chan []string, 1)
	tr := start(t, Config{TLS: []netip.AddrPort{loopback}, Security: s, Handle: func(p *Packet) { proved <- p.Proved }})
	tickets := tls.NewLRUClientSessionCache(8)
	shows := func(cert, key string) (*tls.Conn, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return dialTLS(t, tr.Addr(TLS), &tls.Config{
			InsecureSkipVerify: true, ServerName: "us.test", ClientSessionCache: tickets,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
		})
	}
	says := func(nc *tls.Conn) []string {
		t.Helper()
		send(t, nc, text("x", 0))
		select {
		case got := <-proved:
			return got
		case <-time.After(5 * time.Second):
			t.Error("the message did not arrive")
			return nil
		}
	}
	for name, change := range map[string]func(*x509.Certificate){
		"common name only":               func(c *x509.Certificate) { c.DNSNames = nil },
		"common name and a mail address": func(c *x509.Certificate) { c.DNSNames, c.EmailAddresses = nil, []string{"a@b"} },
		"a user's URI": func(c *x509.Certificate) {
			c.DNSNames, c.URIs = nil, []*url.URL{{Scheme: "sip", Opaque: "fraud@carrier.test"}}
		},
	} {
		nc, err := shows(a.SignAs(t, change, "carrier.test"))
		if err != nil {
			t.Fatal(err)
		}
		if got := says(nc); len(got) != 0 {
			t.Errorf("%s: proved %q", name, got)
		}
	}
	for name, change := range map[string]func(*x509.Certificate){
		"a server's": func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
		"expired":    func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
		"of later":   func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) },
	} {
		nc, err := shows(a.SignAs(t, change, "carrier.test"))
		if err == nil {
			_, err = nc.Read(make([]byte, 1))
		}
		if err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	brief, err := shows(a.Sign(t, 2*time.Second, "carrier.test"))
	if err != nil {
		t.Fatal(err)
	}
	if got := says(brief); len(got) != 1 {
		t.Errorf("at first: proved %q", got)
	}
	time.Sleep(2 * time.Second)
	if got := says(brief); len(got) != 0 {
		t.Errorf("expired on the connection: proved %q", got)
	}
	cert, key := a.Sign(t, time.Hour, "carrier.test")
	tickets = tls.NewLRUClientSessionCache(8)
	for n := range 2 { // TLS 1.3 sends its tickets after the handshake: the second connection comes with one
		nc, err := shows(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		if got := says(nc); len(got) != 1 || n == 1 && !nc.ConnectionState().DidResume {
			t.Errorf("%d: proved %q, resumed %v", n, got, nc.ConnectionState().DidResume)
		}
		_ = nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = nc.Read(make([]byte, 1))
	}
	lasting, err := shows(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	if got := says(lasting); len(got) != 1 {
		t.Errorf("before: proved %q", got)
	}
	if err := s.Use(files); err != nil { // the same again
		t.Fatal(err)
	}
	if got := says(lasting); len(got) != 1 {
		t.Errorf("read again: proved %q", got)
	}
	files.ClientCA = other.File
	if err := s.Use(files); err != nil {
		t.Fatal(err)
	}
	if got := says(lasting); len(got) != 0 {
		t.Errorf("without its authority: proved %q", got)
	}
	nc, err := shows(cert, key)
	if err == nil {
		_, err = nc.Read(make([]byte, 1))
	}
	if err == nil {
		t.Error("a ticket from before the change is accepted")
	}
}

// Who is slow with the handshake holds a connection for no longer than for a first message, and nobody else waits for it. A source that
// is banned gets no handshake, and a network where nobody is known only so many.
func TestTLSHandshakesOfAttackers(t *testing.T) {
	a := certtest.NewAuthority(t)
	s, _ := securedFor(t, a, "one.test")
	bans := NewBans(100)
	known := netip.MustParseAddr("127.0.9.1")
	var tr *Transport
	startAs(t, &tr, Config{
		TLS: []netip.AddrPort{loopback}, Security: s, Bans: bans, MessageTimeout: 3 * time.Second, Handle: func(p *Packet) { echo(&tr)(p) },
		Known: func(src netip.AddrPort) (bool, int) { return false, map[bool]int{true: 1}[src.Addr() == known] },
	})
	to := tr.Addr(TLS)
	from := func(ip string) net.Dialer {
		return net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: 5 * time.Second}
	}
	begun := time.Now()
	var slow []net.Conn
	for i := range 60 {
		d := from("127.0.7.1")
		c, err := d.Dial("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 {
			send(t, c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") // a hello that does not end
		}
		slow = append(slow, c)
	}
	nc, err := dialTLS(t, to, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	msg := text("x", 1)
	send(t, nc, msg)
	if read(t, nc, len(msg)) != msg {
		t.Error("another gets no answer")
	}
	if st := tr.Stats(); st.Unshaken != 0 {
		t.Errorf("another's answer came after %d slow handshakes had ended", st.Unshaken)
	}
	for _, c := range slow {
		_ = c.SetReadDeadline(begun.Add(time.Minute))
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a slow handshake is not ended")
		}
	}
	refused := tr.Stats().Refused
	for range 2 * shakeBurst {
		d := from("127.0.8.1")
		if c, err := d.Dial("tcp", to.String()); err == nil {
			_ = c.Close()
		}
	}
	eventually(t, "refusals", func() bool { return tr.Stats().Refused-refused > shakeBurst/2 })
	for range 2 * shakeBurst {
		d := from(known.String())
		if c, err := d.Dial("tcp", to.String()); err == nil {
			_ = c.Close()
		}
	}
	d := from(known.String())
	if c, err := tls.DialWithDialer(&d, "tcp", to.String(), &tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Errorf("a place with a registered phone: %v", err)
	} else {
		_ = c.Close()
	}
	bans.Add(netip.MustParsePrefix("127.0.0.0/24"), time.Hour)
	if _, err := dialTLS(t, to, &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("a banned source gets a handshake")
	}
	send(t, nc, msg)
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("a banned source is answered on its old connection")
	}
}

// A phone is reached on the connection that it began with, and nobody else ever is: not who has its address and port later, and not by dialling.
func TestTLSFlows(t *testing.T) {
	a := certtest.NewAuthority(t)
	s, _ := securedFor(t, a, "one.test")
	from := make(chan Dest, 1)
	tr := start(t, Config{TLS: []netip.AddrPort{loopback}, Security: s, Handle: func(p *Packet) { from <- p.From() }})
	nc, err := dialTLS(t, tr.Addr(TLS), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	send(t, nc, text("x", 0))
	d := <-from
	if !tr.Connected(d) || tr.LocalFor(d) != tr.Addr(TLS) {
		t.Errorf("connected %v, local %v", tr.Connected(d), tr.LocalFor(d))
	}
	for name, wrong := range map[string]Dest{
		"no flow":      {Addr: d.Addr, Proto: TLS},
		"another flow": {Addr: d.Addr, Proto: TLS, Flow: d.Flow + 1},
		"TCP":          {Addr: d.Addr, Proto: TCP, Flow: d.Flow},
		"WSS":          {Addr: d.Addr, Proto: WSS, Flow: d.Flow},
	} {
		if err := tr.Send(wrong, []byte("x")); !errors.Is(err, ErrGone) || tr.Connected(wrong) {
			t.Errorf("%s: %v, connected %v", name, err, tr.Connected(wrong))
		}
	}
	if err := tr.Send(d, []byte("back")); err != nil || read(t, nc, 4) != "back" {
		t.Error(err)
	}
	_ = nc.Close()
	eventually(t, "the connection to be gone", func() bool { return tr.Stats().Conns == 0 })
	if err := tr.Send(d, []byte("x")); !errors.Is(err, ErrGone) {
		t.Errorf("after the end: %v", err)
	}
}
