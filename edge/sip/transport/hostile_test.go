package transport

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ringfence/edge/internal/certfile/certtest"
	"ringfence/edge/sip/message"
)

// frameOf is a WebSocket frame of a client, under a mask of zeros; an honest length is not required of it.
func frameOf(first byte, masked bool, length uint64, payload string) []byte {
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	b := []byte{first}
	switch {
	case length < 126:
		b = append(b, mask|byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), length)
	}
	if masked {
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, payload...)
}

// upgraded is a WebSocket whose frames the test writes itself.
func upgraded(t *testing.T, to netip.AddrPort) *tls.Conn {
	t.Helper()
	nc, err := dialTLS(t, to, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	send(t, nc, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
	var got []byte
	for b := make([]byte, 1); !bytes.HasSuffix(got, []byte("\r\n\r\n")); got = append(got, b[0]) {
		if _, err := nc.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(string(got), "HTTP/1.1 101 ") {
		t.Fatalf("%s", got)
	}
	return nc
}

// Who breaks the rules of WebSockets loses the connection in the time of one message at the most; who sends pings and reads no answers holds up nobody else.
func TestHostileWebSockets(t *testing.T) {
	t.Parallel()
	a := certtest.NewAuthority(t)
	s, _ := securedFor(t, a, "one.test")
	var tr *Transport
	startAs(t, &tr, Config{
		WSS: []netip.AddrPort{loopback}, Security: s, MessageTimeout: time.Second, IdleTimeout: time.Minute, WriteTimeout: 2 * time.Second, Handle: func(p *Packet) { echo(&tr)(p) },
	})
	for name, attack := range map[string]func(w io.Writer) error{
		"not masked":    func(w io.Writer) error { _, err := w.Write(frameOf(0x81, false, 4, "x\r\n\r")); return err },
		"reserved bits": func(w io.Writer) error { _, err := w.Write(frameOf(0xf1, true, 4, "x\r\n\r")); return err },
		"unknown kind":  func(w io.Writer) error { _, err := w.Write(frameOf(0x83, true, 4, "x\r\n\r")); return err },
		"a long ping": func(w io.Writer) error {
			_, err := w.Write(frameOf(0x89, true, 200, strings.Repeat("x", 200)))
			return err
		},
		"negative length": func(w io.Writer) error { _, err := w.Write(frameOf(0x81, true, 1<<63, "x")); return err },
		"a frame without end": func(w io.Writer) (err error) {
			if _, err = w.Write(frameOf(0x81, true, 1<<40, "")); err != nil {
				return err
			}
			for part := make([]byte, 1000); err == nil; _, err = w.Write(part) {
			}
			return err
		},
		"fragments without end": func(w io.Writer) (err error) {
			if _, err = w.Write(frameOf(0x01, true, 1, "x")); err != nil {
				return err
			}
			for err == nil {
				_, err = w.Write(frameOf(0x00, true, 0, ""))
				time.Sleep(time.Millisecond)
			}
			return err
		},
		"a slow frame": func(w io.Writer) error { _, err := w.Write(frameOf(0x81, true, message.MaxSize, "x")); return err },
	} {
		nc := upgraded(t, tr.Addr(WSS))
		begun, done := time.Now(), make(chan bool)
		go func() {
			_ = attack(nc) // it ends when the connection does
			close(done)
		}()
		_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, nc); time.Since(begun) > 4*time.Second {
			t.Errorf("%s: ended after %v: %v", name, time.Since(begun), err)
		}
		_ = nc.NetConn().Close()
		<-done
	}

	flood := upgraded(t, tr.Addr(WSS))
	msg := text("x", 0)
	_, _ = flood.Write(frameOf(0x81, true, uint64(len(msg)), msg))
	go func() {
		pings := bytes.Repeat(frameOf(0x89, true, 125, strings.Repeat("x", 125)), 100)
		for {
			if _, err := flood.Write(pings); err != nil {
				return
			}
		}
	}()
	honest, _, err := browse(t, tr.Addr(WSS), "sip", "")
	if err != nil {
		t.Fatal(err)
	}
	worst := time.Duration(0)
	for range 100 {
		begun := time.Now()
		writeWS(t, honest, websocket.MessageText, msg)
		if _, got := readWS(t, honest); got != msg {
			t.Fatalf("%q", got)
		}
		worst = max(worst, time.Since(begun))
	}
	if worst > 1500*time.Millisecond { // less than the writing to one who does not read may take
		t.Errorf("others wait %v", worst)
	}
	t.Logf("the longest of others: %v", worst)
}
