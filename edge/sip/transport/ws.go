package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"ringfence/edge/sip/message"
)

// A browser's phone sends each SIP message in a WebSocket message of its own (RFC 7118). The connection below is one of TLS like any other, with
// the same limits; only what is read from it and written to it differs.

const (
	subprotocol = "sip"
	maxUpgrade  = 8 << 10 // bytes of the HTTP request
	webBuf      = 2048    // of each direction
)

var errUpgrade = errors.New("transport: no WebSocket of SIP")

// upgrade answers the HTTP request by which a WebSocket begins. It and the first message must be there before the deadline.
func (c *conn) upgrade(nc net.Conn, deadline time.Time) (*websocket.Conn, error) {
	_ = nc.SetDeadline(deadline)
	in := bufio.NewReaderSize(io.LimitReader(nc, maxUpgrade), webBuf)
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, errors.Join(errUpgrade, err)
	}
	w := &upgrading{c: nc, in: in, header: http.Header{}}
	refuse := func(why string, code int) (*websocket.Conn, error) {
		w.header.Set("Connection", "close")
		http.Error(w, why, code)
		return nil, errUpgrade
	}
	if !c.t.cfg.Security.mayConnect(r.Header.Get("Origin"), r.Host) {
		return refuse("pages from there may not connect", http.StatusForbidden)
	}
	if !offers(r, subprotocol) {
		return refuse("the subprotocol is "+subprotocol, http.StatusBadRequest)
	}
	web, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, CompressionMode: websocket.CompressionDisabled,
		InsecureSkipVerify: true, // the origin was looked at above
		OnPingReceived:     func(context.Context, []byte) bool { c.pinged(); return true },
	})
	if err != nil {
		return nil, errors.Join(errUpgrade, err)
	}
	web.SetReadLimit(message.MaxSize)
	_ = nc.SetWriteDeadline(time.Time{})
	return web, nil
}

// pinged keeps a connection open whose phone is idle. It does not prolong the wait for a first message, or for the rest of one.
func (c *conn) pinged() {
	if c.idle {
		_ = c.nc.SetReadDeadline(time.Now().Add(c.t.cfg.IdleTimeout))
	}
}

// offers says whether a request offers a subprotocol.
func offers(r *http.Request, name string) bool {
	for _, v := range r.Header.Values("Sec-WebSocket-Protocol") {
		for one := range bytes.SplitSeq([]byte(v), []byte(",")) {
			if string(bytes.TrimSpace(one)) == name {
				return true
			}
		}
	}
	return false
}

// upgrading is what the library writes its answer to and takes the connection from. There is no server of HTTP: a connection has passed the
// limits of this package before anything is read from it.
type upgrading struct {
	c      net.Conn
	in     *bufio.Reader
	header http.Header
	begun  bool
}

// Header is http.ResponseWriter's.
func (w *upgrading) Header() http.Header { return w.header }

// WriteHeader is http.ResponseWriter's.
func (w *upgrading) WriteHeader(code int) {
	if w.begun {
		return
	}
	w.begun = true
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + strconv.Itoa(code) + " " + http.StatusText(code) + "\r\n")
	_ = w.header.Write(&b)
	b.WriteString("\r\n")
	_, _ = w.c.Write(b.Bytes()) // an error shows at the next read
}

// Write is http.ResponseWriter's.
func (w *upgrading) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.c.Write(b)
}

// Hijack is http.Hijacker's.
func (w *upgrading) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.c, bufio.NewReadWriter(w.in, bufio.NewWriterSize(w.c, webBuf)), nil
}

// readMessages reads until the connection ends. The first message has what time upgrade left, and every one MessageTimeout from its first
// frame to its last, as on TCP.
func (c *conn) readMessages() error {
	var slot *Packet
	var buf bytes.Buffer
	any := false // a SIP message has come
	for {
		_, r, err := c.web.Reader(context.Background())
		if err != nil {
			return err
		}
		if c.idle {
			c.idle = false
			_ = c.nc.SetReadDeadline(time.Now().Add(c.t.cfg.MessageTimeout))
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil {
			return err
		}
		sip, err := c.take(&slot, buf.Bytes())
		if err != nil {
			return err
		}
		if buf.Cap() > 4*smallBuf {
			buf = bytes.Buffer{}
		}
		slot, any = rest(slot), any || sip
		c.idle = any
		c.pinged()
	}
}

// take handles one WebSocket message, and says whether it is one of SIP; else it is a ping as on TCP, or nothing.
func (c *conn) take(slot **Packet, b []byte) (sip bool, err error) {
	if len(bytes.Trim(b, "\r\n\x00 ")) > 0 {
		return true, c.deliver(slot, b)
	}
	if bytes.Contains(b, []byte("\r\n\r\n")) {
		_ = c.send(outgoing{b: pong, quiet: true})
	}
	return false, nil
}

// putMessages writes messages as text, which is what browsers' phones read, if they can be that.
func (c *conn) putMessages(todo []outgoing) error {
	for _, o := range todo {
		kind := websocket.MessageText
		if !utf8.Valid(o.b) {
			kind = websocket.MessageBinary
		}
		if err := c.web.Write(context.Background(), kind, o.b); err != nil {
			return err
		}
	}
	return nil
}
