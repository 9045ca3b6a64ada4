package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"ringfence/flow/notify"
)

func started(t *testing.T, change ...func(*Options)) *Server {
	t.Helper()
	s := newServer(t, newLinks(), change...)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	return s
}

// hold opens a connection and asks for one page, which keeps it open. It says whether there was an answer.
func hold(t *testing.T, s *Server) (net.Conn, bool) {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(c, "GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return c, false
	}
	b, err := bufio.NewReader(c).ReadByte()
	return c, err == nil && b == 'H'
}

// TestOneAddressCannotTakeAllConnections: an address that opens all it can leaves room for others.
func TestOneAddressCannotTakeAllConnections(t *testing.T) {
	s := started(t)
	for range maxConnections + 8 {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = fmt.Fprint(c, "GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n") // it may be closed already
	}
	for i := range 2 * maxConnections { // and many, as far as each may
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(i/maxPerAddress), 1)}}
		c, err := d.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = fmt.Fprint(c, "GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: d.DialContext}}
	r, err := c.Get("http://" + s.Addr().String() + "/")
	if err != nil {
		t.Fatalf("somebody else is kept waiting: %v", err)
	}
	_ = r.Body.Close()
}

// TestShareOfAnAddress: the next connection beyond the share is answered, and the oldest one is closed for it.
func TestShareOfAnAddress(t *testing.T) {
	s := started(t)
	var all []net.Conn
	for n := range maxPerAddress + 3 {
		c, ok := hold(t, s)
		if !ok {
			t.Fatalf("connection %d is not answered", n+1)
		}
		all = append(all, c)
	}
	for n, c := range all {
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := io.Copy(io.Discard, c)
		if closed, want := err == nil || errors.Is(err, syscall.ECONNRESET), n < 3; closed != want {
			t.Errorf("connection %d: closed is %v, want %v (%v)", n+1, closed, want, err)
		}
	}
}

// TestProxiesAreFree: the operator's proxy speaks for everybody.
func TestProxiesAreFree(t *testing.T) {
	s := started(t, func(o *Options) { o.TrustProxy = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	for n := range 2 * maxPerAddress {
		if _, ok := hold(t, s); !ok {
			t.Fatalf("connection %d of a proxy is not answered", n+1)
		}
	}
}

// TestTooManyCloses: who asks too much does not keep the connection either.
func TestTooManyCloses(t *testing.T) {
	s := started(t)
	for range int(burst) + 1 {
		r, err := http.Get("http://" + s.Addr().String() + notify.LinkPath + notMine)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode == http.StatusTooManyRequests {
			if !r.Close {
				t.Error("the connection of a 429 stays open")
			}
			return
		}
	}
	t.Error("nobody is slowed")
}
