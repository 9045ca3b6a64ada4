// Package probe asks a carrier whether it is there: it resolves the name, sends OPTIONS over each address, and answers a challenge. It must
// not know trunks or calls: it speaks from a socket of its own, and changes nothing anywhere.
package probe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/icholy/digest"

	"ringfence/core/secret"
	"ringfence/edge/sip/challenge"
	"ringfence/edge/sip/locate"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
)

// Bounds of one probe.
const (
	Timeout      = 5 * time.Second // to wait for an answer of one address
	MaxAddresses = 32              // looked at in all
	firstRepeat  = 500 * time.Millisecond
)

// Target is a carrier to ask.
type Target struct {
	Addresses []string            // host[:port]
	Transport string              // "udp", "tcp", "tls" or locate.Auto
	DNS       []netip.AddrPort    // the servers that names are looked up at; none: the system's
	Security  *transport.Security // for TLS
	From      netip.Addr
	User      string
	Password  secret.Password
	Login     bool // there is a password
	Timeout   time.Duration
}

// Login is the result of the credentials.
type Login string

// The result of the credentials.
const (
	NotAsked Login = "not asked for" // the carrier knows us by our address, or answers OPTIONS from anyone
	Accepted Login = "accepted"
	Refused  Login = "refused"
	Missing  Login = "asked for, but none are set"
)

// Answer is what one address answered.
type Answer struct {
	Address string         // as configured
	At      netip.AddrPort // resolved; not valid when it could not be
	Over    string         // transport, when it is resolved
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

// Ask asks every address of a carrier, concurrently, and answers in their order.
func Ask(ctx context.Context, t *Target) []Answer {
	var out []Answer
	for _, address := range t.Addresses {
		out = append(out, t.resolve(ctx, address)...)
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

// resolve is an answer to fill in for each server that a name has (RFC 3263).
func (t *Target) resolve(ctx context.Context, address string) []Answer {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	found, err := (&locate.Finder{Servers: t.DNS}).Find(ctx, address, cmp.Or(t.Transport, "udp"))
	if err != nil {
		return []Answer{{Address: address, Fault: err.Error()}}
	}
	var out []Answer
	for _, x := range found.All() {
		out = append(out, Answer{Address: address, At: x.Addr, Over: x.Proto.Small()})
	}
	return out
}

// ask sends OPTIONS to one address, and once more with credentials if it asks for them.
func (t *Target) ask(ctx context.Context, a *Answer) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Timeout, Timeout))
	defer cancel()
	began := time.Now()
	defer func() { a.Took = time.Since(began) }()
	conn, err := t.dial(ctx, a)
	if err != nil {
		a.Fault = "cannot be reached: " + plain(err)
		return
	}
	defer conn.Close()
	if a.Over == "tls" {
		if conn, err = t.encrypt(ctx, conn, a.Address); err != nil {
			a.Fault = "TLS: " + plain(err)
			return
		}
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	q := request{conn: conn, transport: a.Over, uri: uriOf(a.At, a.Over), callID: rand.Text(), tag: rand.Text()[:8]}
	m, err := q.send(nil)
	if err != nil {
		a.Fault = plain(err)
		if ctx.Err() != nil {
			a.Fault = fmt.Sprintf("no answer within %s", cmp.Or(t.Timeout, Timeout))
		}
		return
	}
	a.take(m, NotAsked)
	if asksLogin(m) {
		t.login(a, &q, m)
	}
}

// encrypt begins TLS with a carrier, whose certificate must be of the name in its address.
func (t *Target) encrypt(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	config, err := t.Security.Dialling(host)
	if err != nil {
		return conn, err
	}
	secured := tls.Client(conn, config)
	return secured, secured.HandshakeContext(ctx)
}

func uriOf(at netip.AddrPort, over string) string {
	if over == "tls" {
		return "sip:" + at.String() + ";transport=tls"
	}
	return "sip:" + at.String()
}

func asksLogin(m *message.Message) bool { return m.Status() == 401 || m.Status() == 407 }

func (t *Target) dial(ctx context.Context, a *Answer) (net.Conn, error) {
	to, d, network := a.At, net.Dialer{}, a.Over
	if network == "tls" {
		network = "tcp"
	}
	if from := t.From; from.IsValid() && !from.IsUnspecified() && from.Is4() == to.Addr().Is4() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		if network == "tcp" {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
	}
	return d.DialContext(ctx, network, to.String())
}

// login answers a challenge.
func (t *Target) login(a *Answer, q *request, m *message.Message) {
	a.Login = Missing
	if !t.Login || t.User == "" {
		return
	}
	c, ok := challenge.Answer(m, digest.Options{Method: "OPTIONS", URI: q.uri, Username: t.User, Password: t.Password.Reveal(), Count: 1})
	if !ok {
		a.Fault = "asks for a kind of login that is not supported"
		return
	}
	again, err := q.send(&c)
	if err != nil {
		a.Fault = "no answer to the login"
		return
	}
	a.take(again, Accepted)
	if asksLogin(again) || again.Status() == 403 {
		a.Login = Refused
	}
}

func (a *Answer) take(m *message.Message, l Login) {
	phrase := m.Phrase()
	a.Status, a.Phrase, a.Login = m.Status(), strings.ToValidUTF8(string(phrase[:min(len(phrase), 80)]), ""), l
	a.Server = cmp.Or(string(m.Get(message.HServer)), string(m.Get(message.HUserAgent)))
}

// request is OPTIONS outside of any dialog (RFC 3261 11).
type request struct {
	conn           net.Conn
	transport, uri string
	callID, tag    string
	seq            uint32
	in             []byte // read and not yet taken
}

// send sends the request, with credentials if there are some, and waits for its final answer.
func (q *request) send(c *challenge.Credentials) (*message.Message, error) {
	q.seq++
	local, branch := q.conn.LocalAddr().String(), message.Magic+rand.Text()
	var w message.Writer
	w.Begin(nil)
	w.Request(message.OPTIONS, []byte(q.uri))
	w.Via(strings.ToUpper(q.transport), local, []byte(branch))
	w.AddInt(message.HMaxForwards, 70)
	w.Addr(message.HFrom, nil, []byte("sip:ringfence@"+local), []byte(q.tag))
	w.Addr(message.HTo, nil, []byte(q.uri), nil)
	w.AddString(message.HCallID, q.callID)
	w.CSeq(q.seq, message.OPTIONS)
	w.Addr(message.HContact, nil, []byte("sip:ringfence@"+local), nil)
	w.AddString(message.HAccept, "application/sdp")
	w.AddString(message.HUserAgent, "Ringfence")
	if c != nil {
		w.AddString(c.Header, c.Value)
	}
	out := w.End("", nil)
	if _, err := q.conn.Write(out); err != nil {
		return nil, err
	}
	if q.transport == "udp" {
		stop := q.repeat(out)
		defer stop()
	}
	for {
		m, err := q.read()
		if err != nil {
			return nil, err
		}
		if m.Status() >= 200 && string(m.Via().Branch) == branch {
			return m, nil
		}
	}
}

// repeat retransmits a request over UDP at growing intervals until it is stopped (RFC 3261 17.1.2.2).
func (q *request) repeat(b []byte) (stop func()) {
	done, wait := make(chan struct{}), firstRepeat
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(wait):
				_, _ = q.conn.Write(b) // without an answer, send times out
				wait = min(2*wait, 4*time.Second)
			}
		}
	}()
	return func() { close(done) }
}

var errNoSIP = errors.New("what answers there does not speak SIP")

// read reads the next message. A datagram that holds half of one is never completed, and is no SIP once another follows.
func (q *request) read() (*message.Message, error) {
	for {
		q.in = bytes.TrimLeft(q.in, "\r\n")
		n, _, fault := message.Frame(q.in)
		if fault != nil {
			return nil, errNoSIP
		}
		if n > 0 {
			var m message.Message
			fault := message.Parse(&m, q.in[:n:n])
			if q.in = q.in[n:]; fault != nil {
				return nil, errNoSIP
			}
			return &m, nil
		}
		more := make([]byte, message.MaxSize) // a datagram is read whole
		n, err := q.conn.Read(more)
		if err != nil {
			return nil, err
		}
		q.in = append(q.in, more[:n]...)
	}
}

// plain is a network error without the addresses that are shown beside it.
func plain(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}
