package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ringfence/edge/internal/certfile/certtest"
	"ringfence/edge/sip/message"
)

// browse connects as a browser's page does.
func browse(t testing.TB, to netip.AddrPort, protocol, origin string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	o := &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{}}
	if protocol != "" {
		o.Subprotocols = strings.Split(protocol, ",")
	}
	if origin != "" {
		o.HTTPHeader.Set("Origin", origin)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, r, err := websocket.Dial(ctx, "wss://"+to.String()+"/", o)
	if err == nil {
		c.SetReadLimit(1 << 20)
		t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, r, err
}

func readWS(t testing.TB, c *websocket.Conn) (websocket.MessageType, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	kind, b, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return kind, string(b)
}

func writeWS(t testing.TB, c *websocket.Conn, kind websocket.MessageType, s string) {
	t.Helper()
	if err := c.Write(t.Context(), kind, []byte(s)); err != nil {
		t.Fatal(err)
	}
}

// Each WebSocket message is a SIP message, of text or of bytes, whole or in fragments, with a Content-Length or without one; both kinds
// of pings are answered.
func TestWSSMessages(t *testing.T) {
	a := certtest.NewAuthority(t)
	s, _ := securedFor(t, a, "one.test")
	var tr *Transport
	startAs(t, &tr, Config{WSS: []netip.AddrPort{loopback}, Security: s, Handle: func(p *Packet) {
		if f := p.Parse(); f != nil || p.Proto != WSS {
			t.Errorf("%v %v", f, p.Proto)
		}
		echo(&tr)(p)
	}})
	c, r, err := browse(t, tr.Addr(WSS), "chat,sip", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Get("Sec-WebSocket-Protocol"); got != "sip" || c.Subprotocol() != "sip" {
		t.Errorf("the subprotocol is %q", got)
	}
	short := strings.Replace(text("x", 0), "Content-Length: 0\r\n", "", 1)
	for _, msg := range []string{text("a", 0), text("b", 5), short, text("c", 30_000), text("d", message.MaxSize-1000)} {
		for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
			writeWS(t, c, kind, msg)
			if kind, got := readWS(t, c); got != msg || kind != websocket.MessageText {
				t.Errorf("%d bytes came back as %d, of type %v", len(msg), len(got), kind)
			}
		}
	}
	bytes := strings.Replace(text("e", 2), "\r\n\r\n00", "\r\n\r\n\xff\xfe", 1)
	writeWS(t, c, websocket.MessageBinary, bytes)
	if kind, got := readWS(t, c); got != bytes || kind != websocket.MessageBinary {
		t.Errorf("what is no text comes back as %q, of type %v", got, kind)
	}
	w, err := c.Writer(t.Context(), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{short[:10], short[10:40], short[40:]} {
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, got := readWS(t, c); got != short {
		t.Errorf("fragments come back as %q", got)
	}
	writeWS(t, c, websocket.MessageText, "\r\n\r\n")
	if _, got := readWS(t, c); got != "\r\n" {
		t.Errorf("pong is %q", got)
	}
	done := make(chan error, 1)
	go func() { _, _, err := c.Read(t.Context()); done <- err }()
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "the last message to be counted, which the server does after its client has it", func() bool { return tr.Stats().By[WSS].Out >= 13 })
	if st := tr.Stats().By[WSS]; st.Conns != 1 || st.In != 12 || st.Out != 13 {
		t.Errorf("%+v", st)
	}
	_ = c.CloseNow()
	<-done
	eventually(t, "the connection to be gone", func() bool { return tr.Stats().Conns == 0 })
}

// What is no WebSocket of SIP, or a page from elsewhere, is refused and closed.
func TestWSSRefusals(t *testing.T) {
	a := certtest.NewAuthority(t)
	s, files := securedFor(t, a, "one.test")
	tr := start(t, Config{WSS: []netip.AddrPort{loopback}, Security: s, Handle: func(*Packet) { t.Error("handled") }})
	at := tr.Addr(WSS)
	for _, c := range []struct {
		origins          []string
		protocol, origin string
		want             int
	}{
		{nil, "sip", "", 101},
		{nil, "sip", "https://" + at.String(), 101},
		{nil, "sip", "https://127.0.0.1", 101},
		{nil, "sip", "https://evil.example", 403},
		{nil, "sip", "https://127.0.0.1.evil.example", 403},
		{nil, "sip", "null", 403},
		{[]string{"https://phone.example"}, "sip", "https://phone.example", 101},
		{[]string{"https://phone.example"}, "sip", "https://PHONE.example", 101},
		{[]string{"https://phone.example"}, "sip", "http://phone.example", 403},
		{[]string{"https://phone.example"}, "sip", "https://phone.example.evil", 403},
		{[]string{"https://phone.example"}, "sip", "https://" + at.String(), 403},
		{[]string{"https://phone.example"}, "sip", "", 101},
		{[]string{"*"}, "sip", "https://evil.example", 101},
		{nil, "", "", 400},
		{nil, "sips,chat", "", 400},
	} {
		files.Origins = c.origins
		if err := s.Use(files); err != nil {
			t.Fatal(err)
		}
		_, r, _ := browse(t, at, c.protocol, c.origin)
		if r == nil || r.StatusCode != c.want {
			t.Errorf("%v from %q to %v: %+v, want %d", c.protocol, c.origin, c.origins, r, c.want)
		}
	}
	for name, in := range map[string]string{
		"a plain GET":  "GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: sip\r\n\r\n",
		"SIP":          text("x", 0),
		"endless":      "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 20_000),
		"no WebSocket": "POST / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: sip\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
	} {
		nc, err := dialTLS(t, at, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = nc.Write([]byte(in))
		_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		out, err := io.ReadAll(nc)
		if err != nil && !strings.Contains(err.Error(), "reset") || strings.Contains(string(out), "101") {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	eventually(t, "the refused connections to be gone", func() bool { return tr.Stats().Conns <= 7 })
}

// The limits of TCP hold: on the time of the upgrade and of the first message, whatever pings come, and on a message's size and time.
func TestWSSLimits(t *testing.T) {
	a := certtest.NewAuthority(t)
	s, _ := securedFor(t, a, "one.test")
	var tr *Transport
	startAs(t, &tr, Config{
		WSS: []netip.AddrPort{loopback}, Security: s, MessageTimeout: 400 * time.Millisecond, IdleTimeout: 2 * time.Second, Handle: func(p *Packet) { echo(&tr)(p) },
	})
	ended := func(name string, c *websocket.Conn, least time.Duration, begun time.Time) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for {
			if _, _, err := c.Read(ctx); err != nil {
				break
			}
		}
		if took := time.Since(begun); took < least || ctx.Err() != nil {
			t.Errorf("%s: ended after %v, want %v and hardly more", name, took, least)
		}
	}
	open := func() (*websocket.Conn, time.Time) {
		t.Helper()
		begun := time.Now()
		c, _, err := browse(t, tr.Addr(WSS), "sip", "")
		if err != nil {
			t.Fatal(err)
		}
		return c, begun
	}
	c, begun := open()
	stop := make(chan struct{})
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = c.Write(context.Background(), websocket.MessageText, []byte("\r\n\r\n"))
			}
		}
	}()
	ended("no message but pings", c, 300*time.Millisecond, begun)
	close(stop)

	c, _ = open()
	msg := text("x", 0)
	writeWS(t, c, websocket.MessageText, msg)
	_, _ = readWS(t, c)
	w, err := c.Writer(t.Context(), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, strings.Repeat("x", 5000)) // more than the library keeps: a fragment goes out
	ended("a message that does not end", c, 300*time.Millisecond, time.Now())

	c, _ = open()
	writeWS(t, c, websocket.MessageText, msg)
	_, _ = readWS(t, c)
	ended("idle", c, 1500*time.Millisecond, time.Now())

	c, _ = open()
	_ = c.Write(t.Context(), websocket.MessageText, bytes.Repeat([]byte("x"), message.MaxSize+1))
	ended("too large", c, 0, time.Now())
	eventually(t, "the connections to be gone", func() bool { return tr.Stats().Conns == 0 })
}
