package phone

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
)

// Account is a line's login, and where and how it is used.
type Account struct {
	Server    string         // host:port of the SIP server
	Transport string         // "udp", "tcp", "tls" or "wss"; "" is udp
	Verify    *x509.CertPool // for tls and wss: authorities that the server's certificate must be signed by; nil: those of the system
	Line      string         // SIP user name
	Password  string         //
	Domain    string         // of the address of record; "" is the server's host
	Algorithm string         // "MD5" or "SHA-256" to insist; "" takes the strongest offered
	Local     netip.Addr     // source address; zero lets the system choose
	Port      uint16         // source port on UDP; 0 takes a free one
	UserAgent string         // "" is "ringfence-phone"
}

// Phone is one SIP phone with one socket and one line. Safe for concurrent use after Dial.
type Phone struct {
	account Account
	server  netip.AddrPort
	end     *endpoint
	media   *media
	inbox   chan *Inbound
	regCSeq atomic.Uint32
	regID   string
}

// Answer is the final answer to a request.
type Answer struct {
	Status  int
	Phrase  string
	Why     string   // texts of its Reason and Warning headers
	Reason  []string // Reason header lines as sent
	Warning []string // Warning header lines as sent
	Contact []string // registered contacts, of a REGISTER
	Expires int      // seconds granted to our contact, of a REGISTER
}

// OK says that the request was accepted.
func (a Answer) OK() bool { return a.Status/100 == 2 }

// String is "403 Forbidden (why)".
func (a Answer) String() string {
	s := strconv.Itoa(a.Status) + " " + a.Phrase
	if a.Why != "" {
		s += " (" + a.Why + ")"
	}
	return s
}

func answerOf(m *message.Message) Answer {
	a := Answer{Status: m.Status(), Phrase: string(m.Phrase()), Why: explain(m)}
	for v := range m.All(message.HReason) {
		a.Reason = append(a.Reason, string(v))
	}
	for v := range m.All(message.HWarning) {
		a.Warning = append(a.Warning, string(v))
	}
	return a
}

// Dial opens a phone. It sends nothing yet on UDP; on the others it connects.
func Dial(ctx context.Context, a Account) (*Phone, error) {
	server, err := resolve(ctx, a.Server)
	if err != nil {
		return nil, err
	}
	local := a.Local
	if !local.IsValid() {
		if local, err = sourceFor(server); err != nil {
			return nil, err
		}
	}
	var l *link
	switch a.Transport {
	case "", "udp":
		l, err = listenUDP(netip.AddrPortFrom(local, a.Port))
	case "tcp", "tls", "wss":
		host, _, splitErr := net.SplitHostPort(a.Server)
		if splitErr != nil {
			host = a.Server
		}
		l, err = dialStream(ctx, transport.ProtoOf(a.Transport), local, server, &tls.Config{ServerName: host, RootCAs: a.Verify})
	default:
		err = fmt.Errorf("transport %q: want udp, tcp, tls or wss", a.Transport)
	}
	if err != nil {
		return nil, err
	}
	m, err := newMedia(local)
	if err != nil {
		l.close()
		return nil, err
	}
	if a.Domain == "" {
		a.Domain = message.HostText(server.Addr())
	}
	a.UserAgent = cmp.Or(a.UserAgent, "ringfence-phone")
	p := &Phone{account: a, server: server, media: m, inbox: make(chan *Inbound, 64), regID: token()}
	p.end = newEndpoint(l, a.UserAgent, a.Line)
	p.end.serve = p.incoming
	p.end.start()
	return p, nil
}

func resolve(ctx context.Context, server string) (netip.AddrPort, error) {
	all, err := transport.Resolve(ctx, server, net.DefaultResolver.LookupNetIP)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("server %q: %w", server, err)
	}
	return all[0], nil
}

// sourceFor is the address the system would send from; connecting a UDP socket sends nothing.
func sourceFor(server netip.AddrPort) (netip.Addr, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	return addrPort(c.LocalAddr().(*net.UDPAddr).AddrPort()).Addr(), nil
}

// Close ends the phone. Calls that are up are left to the other end.
func (p *Phone) Close() error {
	p.end.link.close()
	return p.media.close()
}

// Addr is the phone's own SIP address.
func (p *Phone) Addr() netip.AddrPort { return p.end.link.local }

// Heard is how many RTP packets came in, and how many of them were sound and not silence.
func (p *Phone) Heard() (packets, loud int64) { return p.media.heard.Load(), p.media.loud.Load() }

// aor is the line's address of record.
func (p *Phone) aor() string { return "sip:" + p.account.Line + "@" + p.account.Domain }

// Register registers the phone for some seconds, or unregisters it with 0. A refusal is an Answer, not an error.
func (p *Phone) Register(ctx context.Context, seconds int) (Answer, error) {
	r := &request{
		method: message.REGISTER, uri: "sip:" + p.account.Domain, from: "<" + p.aor() + ">;tag=" + token(), to: "<" + p.aor() + ">",
		callID: p.regID, dest: p.end.link.dest(p.server), lines: fmt.Appendf(nil, "Expires: %d\r\n", seconds),
	}
	for try := 0; ; try++ {
		r.cseq = p.regCSeq.Add(1)
		_, m, err := p.end.transact(ctx, r)
		if err != nil {
			return Answer{}, err
		}
		if again, err := p.challenged(r, m, try); err != nil || !again {
			return p.registered(m), err
		}
	}
}

func (p *Phone) registered(m *message.Message) Answer {
	a := answerOf(m)
	seconds, _ := m.Expires()
	a.Expires = int(seconds)
	for v := range m.List(message.HContact) {
		a.Contact = append(a.Contact, string(v))
	}
	for c := range m.Addrs(message.HContact) {
		if string(c.URI) == p.end.contactURI() {
			v, _ := c.Param("expires")
			if n, err := strconv.Atoi(string(v)); err == nil {
				a.Expires = n
			}
		}
	}
	return a
}

// Dialling is what a call does besides being made.
type Dialling struct {
	Early func(status int, phrase string) // each provisional answer but 100; may be nil
	Anon  bool                            // hide the caller's identity: From anonymous, Privacy: id
	// From is the user part presented in From; "" is the line. The login is always the line's.
	From string
}

// Invite places a call. An accepted one is a Call, already acknowledged; a refused one is an Answer with a nil Call. When
// the context ends while it rings, the call is cancelled and the context's error returned.
func (p *Phone) Invite(ctx context.Context, number string, d Dialling) (*Call, Answer, error) {
	user := p.account.Line
	if d.From != "" {
		user = d.From
	}
	c := &Call{e: p.end, id: token(), peer: p.end.link.dest(p.server), rtp: p.media.address, localTag: token(), version: 1, done: make(chan struct{})}
	c.local = "<sip:" + user + "@" + p.account.Domain + ">;tag=" + c.localTag
	uri := "sip:" + number + "@" + p.account.Domain
	r := &request{method: message.INVITE, uri: uri, to: "<" + uri + ">", callID: c.id, dest: c.peer, body: sdp(c.rtp, 1, "sendrecv")}
	if d.Anon {
		c.local = `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=` + c.localTag
		r.lines = []byte("Privacy: id\r\n")
	}
	r.from = c.local
	for try := 0; ; try++ {
		c.cseq++
		r.cseq = c.cseq
		m, err := c.ring(ctx, r, d.Early)
		if err != nil {
			return nil, Answer{}, err
		}
		if m.Status()/100 == 2 {
			return c, answerOf(m), nil
		}
		if again, err := p.challenged(r, m, try); err != nil || !again {
			return nil, answerOf(m), err
		}
	}
}

// ring carries one INVITE to its final answer. When ctx ends first it cancels, and ends a call whose 200 crossed the CANCEL.
func (c *Call) ring(ctx context.Context, r *request, early func(int, string)) (*message.Message, error) {
	tx, err := c.e.launch(*r)
	if err != nil {
		return nil, err
	}
	heard := false
	m, err := tx.await(ctx, func(m *message.Message) {
		heard = true
		if early != nil && m.Status() != 100 {
			early(m.Status(), string(m.Phrase()))
		}
	})
	if err == nil && m.Status()/100 == 2 {
		c.established(tx, m)
	}
	if err == nil || ctx.Err() == nil {
		return m, err
	}
	defer tx.forget()
	late, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	cancel := sync.OnceFunc(tx.cancel) // it may only follow a provisional answer
	if heard {
		cancel()
	}
	if m, err := tx.await(late, func(*message.Message) { cancel() }); err == nil && m.Status()/100 == 2 {
		c.established(tx, m)
		_ = c.Hangup(late)
	}
	return nil, ctx.Err()
}

// Inbound is a call that rings this phone.
type Inbound struct {
	Call *Call
	From string // user part of the From URI
}

func (p *Phone) incoming(s *server) {
	m := &s.p.Msg
	if m.Method() != message.INVITE {
		s.respond(message.Reply{Code: 405})
		return
	}
	c := p.end.incoming(s, p.media.address)
	c.provisional(180, false)
	go func() { // the caller gave up before anyone answered
		select {
		case <-c.done:
			if c.End().Theirs && c.Began().IsZero() {
				c.refuse(message.Reply{Code: 487})
			}
		case <-p.end.link.gone:
		}
	}()
	select {
	case p.inbox <- &Inbound{Call: c, From: callerOf(m)}:
	default:
		go c.refuse(message.Reply{Code: 486})
	}
}

// Inbox gives the calls that ring this phone, already answered with 180. Each must be accepted or refused.
func (p *Phone) Inbox() <-chan *Inbound { return p.inbox }

// Accept answers the call; it returns once the caller has acknowledged.
func (in *Inbound) Accept(ctx context.Context) error { return in.Call.answer(ctx) }

// Refuse declines the call with a status such as 486 "Busy Here" and waits for the ACK.
func (in *Inbound) Refuse(status int, phrase string) {
	in.Call.refuse(message.Reply{Code: status, Phrase: phrase})
}
