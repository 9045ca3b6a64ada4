package probe_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/secret"
	"ringfence/edge/internal/certfile/certtest"
	"ringfence/edge/sip/probe"
	"ringfence/edge/sip/transport"
)

// carrier is one over UDP that answers by what it is told; "" stays silent.
func carrier(t *testing.T, answer func(request string) string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if text := answer(string(buf[:n])); text != "" {
				_, _ = conn.WriteTo([]byte(text), from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// reply is a response to a request, with what it repeats of it and a header more.
func reply(request, status, header string) string {
	var same string
	for line := range strings.Lines(request) {
		if name, _, _ := strings.Cut(line, ":"); slices.Contains([]string{"Via", "From", "To", "Call-ID", "CSeq"}, name) {
			same += line
		}
	}
	return "SIP/2.0 " + status + "\r\n" + same + header + "Content-Length: 0\r\n\r\n"
}

const challenge = "WWW-Authenticate: Digest realm=\"c\", nonce=\"n\", algorithm=MD5, qop=\"auth\"\r\n"

func TestAsk(t *testing.T) {
	asks := func(right string) func(string) string {
		return func(r string) string {
			if strings.Contains(r, "Authorization: Digest") && strings.Contains(r, `username="`+right+`"`) {
				return reply(r, "200 OK", "Server: Switch 1\r\n")
			}
			return reply(r, "401 Unauthorized", challenge)
		}
	}
	for name, c := range map[string]struct {
		answer func(string) string
		login  bool
		status int
		said   probe.Login
		ok     bool
		fault  string
	}{
		"answers":                   {func(r string) string { return reply(r, "200 OK", "") }, false, 200, probe.NotAsked, true, ""},
		"answers after a 100":       {func(r string) string { return reply(r, "100 Trying", "") + reply(r, "405 Not Allowed", "") }, false, 405, probe.NotAsked, true, ""},
		"takes the login":           {asks("me"), true, 200, probe.Accepted, true, ""},
		"refuses the login":         {asks("other"), true, 401, probe.Refused, false, ""},
		"wants a login":             {asks("me"), false, 401, probe.Missing, false, ""},
		"does not know our address": {func(r string) string { return reply(r, "403 Forbidden", "") }, false, 403, probe.NotAsked, false, ""},
		"is out of service":         {func(r string) string { return reply(r, "503 Service Unavailable", "") }, false, 503, probe.NotAsked, false, ""},
		"speaks something else":     {func(string) string { return "HTTP/1.1 200 OK\r\n\r\n" }, false, 0, "", false, "does not speak SIP"},
		"says nothing":              {func(string) string { return "" }, false, 0, "", false, "no answer within 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := probe.Target{Addresses: []string{carrier(t, c.answer)}, Transport: "udp", Timeout: time.Second}
			if c.login {
				target.User, target.Password, target.Login = "me", secret.NewPassword("x"), true
			}
			if c.status != 0 {
				target.Timeout = 20 * time.Second
			}
			all := probe.Ask(t.Context(), &target)
			if len(all) != 1 {
				t.Fatalf("%+v", all)
			}
			a := all[0]
			if a.Status != c.status || a.Login != c.said || a.OK() != c.ok || !strings.Contains(a.Fault, c.fault) || (c.fault == "") != (a.Fault == "") {
				t.Errorf("%+v", a)
			}
		})
	}
}

// Every address is asked, and each says for itself what came of it.
func TestAskSaysOfEachAddress(t *testing.T) {
	good := carrier(t, func(r string) string { return reply(r, "200 OK", "") })
	all := probe.Ask(t.Context(), &probe.Target{Addresses: []string{good, "no-such-host.invalid:5060", "127.0.0.1:sip"}, Transport: "udp"})
	if len(all) != 3 || !all[0].OK() || all[1].OK() || !strings.Contains(all[1].Fault, "does not resolve") || !strings.Contains(all[2].Fault, "no port number") {
		t.Errorf("%+v", all)
	}
}

func TestAskOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		var got bytes.Buffer
		buf := make([]byte, 4096)
		for !bytes.HasSuffix(got.Bytes(), []byte("\r\n\r\n")) {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			got.Write(buf[:n])
		}
		fmt.Fprint(c, reply(got.String(), "200 OK", ""))
	}()
	all := probe.Ask(t.Context(), &probe.Target{Addresses: []string{l.Addr().String()}, Transport: "tcp"})
	if len(all) != 1 || all[0].Status != 200 {
		t.Errorf("%+v", all)
	}
	l.Close()
	if all = probe.Ask(t.Context(), &probe.Target{Addresses: []string{l.Addr().String()}, Transport: "tcp"}); all[0].OK() || !strings.Contains(all[0].Fault, "cannot be reached") {
		t.Errorf("%+v", all)
	}
}

// Over TLS a carrier must have a certificate of its name, and the fault says what is wrong with it.
func TestAskOverTLS(t *testing.T) {
	a := certtest.NewAuthority(t)
	s := new(transport.Security)
	if err := s.Use(transport.Files{CA: a.File}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ends time.Duration
		host string
		want string
	}{"good": {time.Hour, "127.0.0.1", ""}, "expired": {-time.Hour, "127.0.0.1", "expired on"}, "wrong name": {time.Hour, "other.test", "is for other.test, not for 127.0.0.1"}} {
		pair, err := tls.LoadX509KeyPair(a.Sign(t, c.ends, c.host))
		if err != nil {
			t.Fatal(err)
		}
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			buf := make([]byte, 4096)
			if n, err := conn.Read(buf); err == nil {
				fmt.Fprint(conn, reply(string(buf[:n]), "200 OK", ""))
			}
		}()
		got := probe.Ask(t.Context(), &probe.Target{Addresses: []string{l.Addr().String()}, Transport: "tls", Security: s})[0]
		if got.OK() != (c.want == "") || !strings.Contains(got.Fault, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
