// Package probe asks a carrier whether it is there: it resolves the name, sends OPTIONS over each address, and answers a challenge. It must
// not know trunks, calls or the SIP edge: it speaks from a socket of its own, and changes nothing anywhere.
package probe

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/icholy/digest"

	"ringfence/core/secret"
)

// Bounds of one probe.
const (
	Timeout      = 5 * time.Second // to wait for an answer of one address
	MaxAddresses = 32              // looked at in all
	maxAnswer    = 64 << 10        // bytes of an answer
	firstRepeat  = 500 * time.Millisecond
)

// Target is a carrier to ask.
type Target struct {
	Addresses []string // host:port
	Transport string   // "udp" or "tcp"
	From      netip.Addr
	User      string
	Password  secret.Password
	Login     bool // there is a password
	Timeout   time.Duration
}

// Login says what came of the credentials.
type Login string

// What came of the credentials.
const (
	NotAsked Login = "not asked for" // the carrier knows us by our address, or answers OPTIONS to anybody
	Accepted Login = "accepted"
	Refused  Login = "refused"
	Missing  Login = "asked for, but none are set"
)

// Answer is what one address answered.
type Answer struct {
	Address string         // as configured
	At      netip.AddrPort // resolved; not valid when it could not be
	Status  int            // SIP status of the last answer (RFC 3261 21); 0: none came
	Phrase  string
	Server  string // what the carrier calls itself
	Login   Login  // "" when nothing was answered
	Took    time.Duration
	Fault   string // why there is no answer
}

// OK says that the address answers and does not refuse us.
func (a *Answer) OK() bool {
	return a.Status != 0 && a.Login != Refused && a.Login != Missing && a.Status != http.StatusForbidden && a.Status != http.StatusServiceUnavailable
}

// Ask asks every address of a carrier, all at once, and answers in their order.
func Ask(ctx context.Context, t *Target) []Answer {
	var out []Answer
	for _, address := range t.Addresses {
		out = append(out, resolve(ctx, address)...)
	}
	out = out[:min(len(out), MaxAddresses)]
	var all sync.WaitGroup
	for i := range out {
		if out[i].Fault == "" {
			all.Go(func() { t.ask(ctx, &out[i]) })
		}
	}
	all.Wait()
	return out
}

// resolve is an answer to fill in for each address that a name has.
func resolve(ctx context.Context, address string) []Answer {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		host, service = address, "5060"
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return []Answer{{Address: address, Fault: "no port number: " + service}}
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return []Answer{{Address: address, Fault: "the name does not resolve: " + err.Error()}}
	}
	var out []Answer
	for _, a := range found {
		out = append(out, Answer{Address: address, At: netip.AddrPortFrom(a.Unmap(), uint16(port))})
	}
	return out
}

// ask sends OPTIONS to one address, and once more with credentials if it asks for them.
func (t *Target) ask(ctx context.Context, a *Answer) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Timeout, Timeout))
	defer cancel()
	began := time.Now()
	defer func() { a.Took = time.Since(began) }()
	conn, err := t.dial(ctx, a.At)
	if err != nil {
		a.Fault = "cannot be reached: " + plain(err)
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	q := request{conn: conn, transport: t.Transport, to: a.At, callID: rand.Text(), tag: rand.Text()[:8]}
	m, err := q.send("")
	if err != nil {
		a.Fault = plain(err)
		if ctx.Err() != nil {
			a.Fault = fmt.Sprintf("no answer within %s", cmp.Or(t.Timeout, Timeout))
		}
		return
	}
	a.take(m, NotAsked)
	if m.status == http.StatusUnauthorized || m.status == http.StatusProxyAuthRequired {
		t.login(a, &q, m)
	}
}

func (t *Target) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{}
	if from := t.From; from.IsValid() && !from.IsUnspecified() && from.Is4() == to.Addr().Is4() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		if t.Transport == "tcp" {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
	}
	return d.DialContext(ctx, cmp.Or(t.Transport, "udp"), to.String())
}

// login answers a challenge.
func (t *Target) login(a *Answer, q *request, m *message) {
	a.Login = Missing
	if !t.Login || t.User == "" {
		return
	}
	ask, reply := "Www-Authenticate", "Authorization"
	if m.status == http.StatusProxyAuthRequired {
		ask, reply = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, v := range m.header[ask] {
		ch, err := digest.ParseChallenge(v)
		if err != nil || !digest.CanDigest(ch) {
			continue
		}
		c, err := digest.Digest(ch, digest.Options{Method: "OPTIONS", URI: q.uri(), Username: t.User, Password: t.Password.Reveal(), Count: 1})
		if err != nil {
			continue
		}
		again, err := q.send(reply + ": " + c.String() + "\r\n")
		if err != nil {
			a.Fault = "no answer to the login"
			return
		}
		a.take(again, Accepted)
		if again.status == http.StatusUnauthorized || again.status == http.StatusProxyAuthRequired || again.status == http.StatusForbidden {
			a.Login = Refused
		}
		return
	}
	a.Fault = "asks for a kind of login that is not known here"
}

func (a *Answer) take(m *message, l Login) {
	a.Status, a.Phrase, a.Login = m.status, m.phrase, l
	a.Server = cmp.Or(m.header.Get("Server"), m.header.Get("User-Agent"))
}

// request is OPTIONS outside of any dialog (RFC 3261 11).
type request struct {
	conn        net.Conn
	transport   string
	to          netip.AddrPort
	callID, tag string
	seq         int
}

func (q *request) uri() string { return "sip:" + q.to.String() }

// send sends the request with a header more, and waits for its final answer.
func (q *request) send(header string) (*message, error) {
	q.seq++
	local, branch := q.conn.LocalAddr().String(), "z9hG4bK"+rand.Text()
	var b bytes.Buffer
	fmt.Fprintf(&b, "OPTIONS %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=%s;rport\r\nMax-Forwards: 70\r\n", q.uri(), strings.ToUpper(cmp.Or(q.transport, "udp")), local, branch)
	fmt.Fprintf(&b, "From: <sip:ringfence@%s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %d OPTIONS\r\n", local, q.tag, q.uri(), q.callID, q.seq)
	fmt.Fprintf(&b, "Contact: <sip:ringfence@%s>\r\nAccept: application/sdp\r\nUser-Agent: Ringfence\r\n%sContent-Length: 0\r\n\r\n", local, header)
	if _, err := q.conn.Write(b.Bytes()); err != nil {
		return nil, err
	}
	if q.transport != "tcp" {
		stop := q.repeat(b.Bytes())
		defer stop()
	}
	in := bufio.NewReaderSize(io.LimitReader(q.conn, maxAnswer), maxAnswer) // a datagram is read whole
	for {
		m, err := read(in)
		if err != nil {
			return nil, err
		}
		if m.status >= 200 && strings.Contains(m.header.Get("Via")+m.header.Get("V"), branch) {
			return m, nil
		}
	}
}

// repeat sends a request over UDP again and again, at growing intervals, until it is stopped (RFC 3261 17.1.2.2).
func (q *request) repeat(b []byte) (stop func()) {
	done, wait := make(chan struct{}), firstRepeat
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(wait):
				_, _ = q.conn.Write(b) // that nobody answers is seen elsewhere
				wait = min(2*wait, 4*time.Second)
			}
		}
	}()
	return func() { close(done) }
}

type message struct {
	status int
	phrase string
	header textproto.MIMEHeader
}

var errNoSIP = errors.New("what answers there does not speak SIP")

// read reads a response without its body.
func read(in *bufio.Reader) (*message, error) {
	r := textproto.NewReader(in)
	line := ""
	for line == "" {
		var err error
		if line, err = r.ReadLine(); err != nil {
			return nil, err
		}
	}
	rest, ok := strings.CutPrefix(line, "SIP/2.0 ")
	code, phrase, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if !ok || err != nil || status < 100 || status > 699 {
		return nil, errNoSIP
	}
	h, err := r.ReadMIMEHeader()
	if err != nil {
		return nil, errNoSIP
	}
	if n, err := strconv.Atoi(cmp.Or(h.Get("Content-Length"), h.Get("L"))); err == nil && n > 0 && n <= in.Buffered() {
		_, _ = in.Discard(n)
	}
	return &message{status: status, phrase: strings.ToValidUTF8(phrase[:min(len(phrase), 80)], ""), header: h}, nil
}

// plain is a network error without the addresses that are shown beside it.
func plain(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}
