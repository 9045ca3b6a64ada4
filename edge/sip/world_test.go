package sip

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/locate"
	"ringfence/edge/sip/message"
	"ringfence/flow/auth"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/location"
)

// network carries packets between addresses in memory, at once and in order.
type network struct {
	mu    sync.Mutex // owns socks, and guards mess
	socks map[string]*memory
	mess  func() (delays []time.Duration) // of each copy of a packet that arrives; nil: one, at once
}

type packet struct {
	from net.Addr
	text []byte
}

// memory is a net.PacketConn on a network.
type memory struct {
	n    *network
	addr *net.UDPAddr
	in   chan packet
	once sync.Once
	done chan struct{}
}

func (n *network) listen(addr string) *memory {
	m := &memory{n: n, addr: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)), in: make(chan packet, 4096), done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.socks[addr] = m
	return m
}

func (m *memory) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-m.in:
		return copy(b, p.text), p.from, nil
	case <-m.done:
		return 0, nil, net.ErrClosed
	}
}

func (m *memory) WriteTo(b []byte, to net.Addr) (int, error) {
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	o := m.n.socks[to.String()]
	if o == nil {
		return len(b), nil
	}
	p := packet{m.addr, bytes.Clone(b)}
	if m.n.mess == nil {
		o.arrive(p)
		return len(b), nil
	}
	for _, d := range m.n.mess() {
		go func() { // no AfterFunc: so many of them in a bubble crash the race detector of Go 1.26
			time.Sleep(d)
			o.arrive(p)
		}()
	}
	return len(b), nil
}

func (m *memory) arrive(p packet) {
	select {
	case m.in <- p:
	default: // lost
	}
}

func (m *memory) Close() error                     { m.once.Do(func() { close(m.done) }); return nil }
func (m *memory) LocalAddr() net.Addr              { return m.addr }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }

// books is a gate that lets calls out as a test says, and writes down what it hears.
type books struct {
	mu       sync.Mutex // owns all below
	n        int
	plan     func(a gate.Attempt) (*gate.Plan, error)
	attempts []gate.Attempt
	admitted []call.ID
	answered map[call.ID][]byte // snapshots
	ends     map[call.ID][]gate.End
	rang     map[call.ID]int
	tried    []string
	refuse   error // of Answered
	slow     time.Duration
	cut      func(call.ID, policy.Reason, policy.Figures)
	edge     gate.Edge
	priced   map[call.ID][][]gate.Leg // what Priced was told
	legs     map[call.ID][][]gate.Leg // what Over was told
}

func (g *books) admit(ctx context.Context, a gate.Attempt) (*gate.Plan, error) {
	select {
	case <-time.After(g.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.attempts = append(g.attempts, a)
	p, err := g.plan(a)
	if err != nil {
		return nil, err
	}
	g.n++
	p.ID = call.ID(fmt.Sprintf("call-%d", g.n))
	g.admitted = append(g.admitted, p.ID)
	return p, nil
}

func (g *books) answer(_ context.Context, id call.ID, _ gate.Route, snapshot []byte) error {
	time.Sleep(g.slow)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered[id] = snapshot
	return g.refuse
}

func (g *books) end(id call.ID, e gate.End) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ends[id] = append(g.ends[id], e)
}

func (g *books) price(id call.ID, legs []gate.Leg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.priced == nil {
		g.priced = map[call.ID][][]gate.Leg{}
	}
	g.priced[id] = append(g.priced[id], legs)
}

func (g *books) over(id call.ID, legs []gate.Leg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.legs[id] = append(g.legs[id], legs)
}

// only is the one end of the latest call. The phones may have heard of it a moment before the gate.
func (g *books) only(t *testing.T) gate.End {
	t.Helper()
	last := func() []gate.End {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.ends[g.admitted[len(g.admitted)-1]]
	}
	until(t, "the gate to hear of the end", func() bool { return len(last()) > 0 })
	e := last()
	if len(e) != 1 {
		t.Fatalf("the gate was told %d ends: %+v", len(e), e)
	}
	return e[0]
}

// world is an edge with a phone, a carrier and a second one around it, under virtual time.
type world struct {
	t       testing.TB
	net     *network
	edge    *Edge
	gate    *books
	phone   *peer // alice's
	carrier *peer // trunk "one"
	spare   *peer // trunk "two"
	where   *location.Location
	checks  atomic.Int64
	trunks  map[string]account.Trunk
	before  []gate.Recovered
	opts    Options
	loose   bool // the test leaves calls up
	fakes   *fakes
	change  func(*fakes)                                                             // changes what the edge asks; nil: nothing
	find    func(ctx context.Context, address, over string) (*locate.Servers, error) // instead of the DNS; nil: that
}

const (
	edgeAt    = "10.0.0.1:5060"
	phoneAt   = "10.0.1.1:5060"
	carrierAt = "10.0.9.1:5060"
	spareAt   = "10.0.9.2:5060"
)

// inWorld runs a test in a bubble and checks at its end that nothing is left: no call without exactly one end, no memory.
func inWorld(t *testing.T, test func(w *world), change ...func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, f := range change {
			f(w)
		}
		w.start()
		defer func() { w.stop() }()
		test(w)
		if !w.loose {
			time.Sleep(10 * time.Minute)
			w.empty()
		}
	})
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, net: &network{socks: map[string]*memory{}}, trunks: map[string]account.Trunk{
		"one": {Name: "one", Addresses: []string{carrierAt}}, "two": {Name: "two", Addresses: []string{spareAt}},
	}}
	w.gate = &books{answered: map[call.ID][]byte{}, ends: map[call.ID][]gate.End{}, rang: map[call.ID]int{}, legs: map[call.ID][][]gate.Leg{}}
	w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one"), nil }
	w.where = location.New(location.Options{Store: nil})
	w.phone, w.carrier, w.spare = w.peer(phoneAt), w.peer(carrierAt), w.peer(spareAt)
	w.opts = Options{Shards: 4}
	return w
}

func out(trunks ...string) *gate.Plan {
	p := &gate.Plan{Present: "442079460001", Network: "442079460001", Number: "+442079460000"}
	for _, name := range trunks {
		p.Routes = append(p.Routes, gate.Route{Trunk: name, User: "+442079460000"})
	}
	return p
}

func (w *world) start() {
	o := w.opts
	o.PacketConn = w.net.listen(edgeAt)
	d := w.deps()
	if w.change != nil {
		w.change(d)
	}
	e, err := d.edge(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.edge = e
	if w.find != nil {
		e.names.find = w.find
	}
	if err := e.Start(w.before); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.edge.Stop(ctx); err != nil {
		w.t.Error(err)
	}
}

func (w *world) deps() *fakes {
	g := w.gate
	w.fakes = &fakes{
		check: func(c *auth.Credentials, _ netip.Addr, _ time.Time) guard.Result {
			w.checks.Add(1)
			switch string(c.Response) {
			case "good":
				return guard.Result{Outcome: guard.Accept, Line: string(c.User)}
			case "elsewhere":
				return guard.Result{Outcome: guard.Refuse, Line: string(c.User), Reason: policy.AddressLocked, EmergencyOK: true}
			case "old":
				return guard.Result{Outcome: guard.Challenge, Stale: true}
			}
			return guard.Result{Outcome: guard.Challenge}
		},
		challenge: func(dst []byte, proxy, stale bool, _ netip.Addr, _ time.Time) []byte {
			name := "WWW-Authenticate"
			if proxy {
				name = "Proxy-Authenticate"
			}
			return fmt.Appendf(dst, "%s: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", stale=%v\r\n", name, stale)
		},
		register: w.where.Update, lookup: w.where.Lookup,
		trunk:         func(name string) (account.Trunk, bool) { t, ok := w.trunks[name]; return t, ok },
		trunkPassword: func(name string) (string, bool) { return "secret-of-" + name, w.trunks[name].User != "" },
		trunkOf: func(src netip.AddrPort) (string, bool) {
			for name, t := range w.trunks {
				if t.Addresses[0] == src.String() {
					return name, true
				}
			}
			return "", false
		},
		admit: g.admit, answered: g.answer, ended: g.end,
		ringing: func(id call.ID) { g.mu.Lock(); g.rang[id]++; g.mu.Unlock() },
		trying: func(_ call.ID, route gate.Route, _ string) {
			g.mu.Lock()
			g.tried = append(g.tried, route.Trunk+route.Line)
			g.mu.Unlock()
		},
		snapshot: func(id call.ID, b []byte) { g.mu.Lock(); g.answered[id] = b; g.mu.Unlock() },
		priced:   g.price, over: g.over,
		serve: func(e gate.Edge) { g.cut, g.edge = e.Cut, e },
	}
	return w.fakes
}

// empty checks that all calls were ended once in the books, and that the edge remembers none of them.
func (w *world) empty() {
	w.t.Helper()
	w.gate.mu.Lock()
	for _, id := range w.gate.admitted {
		if n := len(w.gate.ends[id]); n != 1 {
			w.t.Errorf("%s: the gate was told %d ends: %+v", id, n, w.gate.ends[id])
		}
		if n := len(w.gate.legs[id]); n != 1 {
			w.t.Errorf("%s: the gate was told %d times that all legs are over: %+v", id, n, w.gate.legs[id])
		}
	}
	w.gate.mu.Unlock()
	if s := w.edge.Stats(); s.Calls != 0 || s.Kept != 0 {
		w.t.Errorf("left: %d calls, %d kept", s.Calls, s.Kept)
	}
	seats := w.edge.seats
	if seats.calls+seats.in+seats.help+len(seats.helpBy)+len(seats.helpAt)+len(seats.ringing) != 0 {
		w.t.Errorf("left: seats of %d calls, %d of them inbound, %d emergency calls, %v", seats.calls, seats.in, seats.help, seats.ringing)
	}
	for name, of := range seats.trunks {
		if of.n != 0 || of.unproven.Len() != 0 {
			w.t.Errorf("left: %d calls over trunk %s, %d unproven", of.n, name, of.unproven.Len())
		}
	}
	for name, of := range w.edge.outs.all {
		if of.calls != 0 {
			w.t.Errorf("left: %d calls out over trunk %s", of.calls, name)
		}
	}
	for _, s := range w.edge.shards {
		if n := len(s.uas) + len(s.uac) + len(s.byID) + len(s.tokens) + len(s.timers) + len(s.early); n != 0 || s.asking != 0 {
			w.t.Errorf("shard %d holds %d legs in, %d out, %d calls, %d tokens, %d timers, %d cuts, asks %d",
				s.index, len(s.uas), len(s.uac), len(s.byID), len(s.tokens), len(s.timers), len(s.early), s.asking)
			for _, l := range s.uas {
				for _, l := range l.b.all {
					w.t.Logf("leg %s state %d waits %v", l.callID, l.state, l.byeWaits)
					for _, c := range l.clients {
						w.t.Logf("  %v for %d: state %d until %v", c.method, c.why, c.State(), c.Deadline())
					}
					for _, c := range l.servers {
						w.t.Logf("  server of %v: state %d until %v, open %v", c.method, c.State(), c.Deadline(), c.head != nil)
					}
				}
			}
		}
	}
}

// peer is somebody on the wire who says exactly what a test wants.
type peer struct {
	t     testing.TB
	sock  *memory
	at    string
	to    string // the edge
	n     int
	sent  int    // bytes of its latest message
	offer string // of its INVITEs; "": sdp
}

func (w *world) peer(at string) *peer {
	return &peer{t: w.t, sock: w.net.listen(at), at: at, to: edgeAt}
}

// send sends text to the edge; lines may end with LF alone. Content-Length is added.
func (p *peer) send(text string) {
	p.t.Helper()
	head, body, _ := strings.Cut(strings.TrimLeft(text, "\n\t "), "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	out := strings.Join(lines, "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	p.sent = len(out)
	if _, err := p.sock.WriteTo([]byte(out), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(p.to))); err != nil {
		p.t.Fatal(err)
	}
}

var errSilence = errors.New("nothing came")

// next is the next message within a time.
func (p *peer) next(within time.Duration) (*message.Message, error) {
	select {
	case in := <-p.sock.in:
		m := new(message.Message)
		if f := message.Parse(m, in.text); f != nil {
			p.t.Fatalf("the edge sent what does not parse: %v\n%s", f, in.text)
		}
		return m, nil
	case <-time.After(within):
		return nil, errSilence
	}
}

// what is how tests name a message: "INVITE", "180 INVITE".
func what(m *message.Message) string {
	if m.IsRequest() {
		return m.Method().String()
	}
	return fmt.Sprint(m.Status(), " ", m.CSeqMethod())
}

// expect is the next message, which must be as named.
func (p *peer) expect(want string) *message.Message {
	p.t.Helper()
	m, err := p.next(40 * time.Second)
	if err != nil {
		p.t.Fatalf("%s waits for %s: %v", p.at, want, err)
	}
	if got := what(m); got != want {
		p.t.Fatalf("%s got %s, wants %s:\n%s", p.at, got, want, m.Bytes())
	}
	return m
}

// find skips messages until one is as named.
func (p *peer) find(want string) *message.Message {
	p.t.Helper()
	for {
		m, err := p.next(time.Hour)
		if err != nil {
			p.t.Fatalf("%s waits for %s: %v", p.at, want, err)
		}
		if what(m) == want {
			return m
		}
	}
}

// quiet fails when something comes within a time.
func (p *peer) quiet(d time.Duration) {
	p.t.Helper()
	if m, err := p.next(d); err == nil {
		p.t.Fatalf("%s wants silence, got\n%s", p.at, m.Bytes())
	}
}

// noOffer is the offer of a peer that makes none.
const noOffer = "none"

const (
	sdp  = "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
	sdpB = "v=0\r\no=- 2 2 IN IP4 10.0.9.1\r\ns=-\r\nc=IN IP4 10.0.9.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\n"
)

// dialog is a peer's end of a call.
type dialog struct {
	p          *peer
	callID     string
	from, to   string // header values of our requests
	target     string
	seq        int
	inviteSeq  int
	branch     string // of the INVITE
	lastBranch string
}

// invite is the INVITE that alice's phone sends, with extra header lines.
func (p *peer) invite(callID, to string, lines ...string) *dialog {
	p.n++
	d := &dialog{
		p: p, callID: callID, from: "\"Al\" <sip:alice@10.0.0.1>;tag=a" + callID, to: "<sip:" + to + "@10.0.0.1>",
		target: "sip:" + to + "@10.0.0.1", seq: 1, inviteSeq: 1, branch: fmt.Sprintf("z9hG4bKinv%s%d", callID, p.n),
	}
	d.sendInvite(lines...)
	return d
}

const goodLogin = `Authorization: Digest username="alice", realm="r", nonce="n", uri="sip:x", response="good", qop=auth, nc=00000001, cnonce="c"`

func (d *dialog) sendInvite(lines ...string) {
	d.p.send(fmt.Sprintf(`INVITE %s SIP/2.0
		Via: SIP/2.0/UDP %s;branch=%s;rport
		Max-Forwards: 30
		From: %s
		To: %s
		Call-ID: %s
		CSeq: %d INVITE
		Contact: <sip:alice@%s>
		User-Agent: Secret Phone 1.0
		X-Private: yes
		Supported: replaces
		%s
		Content-Type: application/sdp`, d.target, d.p.at, d.branch, d.from, d.to, d.callID, d.inviteSeq, d.p.at,
		strings.Join(append([]string{goodLogin}, lines...), "\n")) + "\n\n" + strings.TrimPrefix(cmp.Or(d.p.offer, sdp), noOffer))
}

// take learns the dialog from a 2xx.
func (d *dialog) take(m *message.Message) *dialog {
	d.to = string(m.Get(message.HTo))
	for a := range m.Addrs(message.HContact) {
		d.target = string(a.URI)
	}
	return d
}

// request sends a request in the dialog, with a body if one is given.
func (d *dialog) request(method, body string, lines ...string) {
	d.p.n++
	seq := d.inviteSeq
	if method != "ACK" && method != "CANCEL" {
		d.seq++
		seq = d.seq
	}
	d.lastBranch = fmt.Sprintf("z9hG4bK%s%d", method, d.p.n)
	if method == "INVITE" {
		d.inviteSeq = seq
	}
	if method == "CANCEL" {
		d.lastBranch = d.branch
	}
	text := fmt.Sprintf(`%s %s SIP/2.0
		Via: SIP/2.0/UDP %s;branch=%s;rport
		Max-Forwards: 70
		From: %s
		To: %s
		Call-ID: %s
		CSeq: %d %s`, method, d.target, d.p.at, d.lastBranch, d.from, d.to, d.callID, seq, method)
	if method == "INVITE" || method == "UPDATE" {
		text += "\nContact: <sip:me@" + d.p.at + ">"
	}
	for _, l := range lines {
		text += "\n" + l
	}
	if body != "" && !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Content-Type:") }) {
		text += "\nContent-Type: application/sdp"
	}
	d.p.send(text + "\n\n" + body)
}

// answer answers a request of the edge. The tag goes on To unless it has one.
func (p *peer) answer(m *message.Message, status int, tag, body string, lines ...string) {
	w := new(message.Writer)
	w.Begin(nil)
	w.Status(status, "")
	w.Copy(m, message.HVia, message.HFrom)
	to := string(m.Get(message.HTo))
	if m.To().Tag() == nil && tag != "" {
		to += ";tag=" + tag
	}
	w.AddString(message.HTo, to)
	w.Copy(m, message.HCallID, message.HCSeq)
	text := strings.TrimSpace(strings.ReplaceAll(string(w.Bytes()), "\r\n", "\n"))
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Contact:") }) {
		text += "\nContact: <sip:callee@" + p.at + ">"
	}
	for _, l := range lines {
		text += "\n" + l
	}
	if body != "" {
		text += "\nContent-Type: application/sdp"
	}
	p.send(text + "\n\n" + body)
}

// accepted is the callee's end of a dialog after its 200.
func (p *peer) accepted(m *message.Message, tag string) *dialog {
	d := &dialog{p: p, callID: string(m.CallID()), from: string(m.Get(message.HTo)) + ";tag=" + tag, to: string(m.Get(message.HFrom)), seq: 100}
	for a := range m.Addrs(message.HContact) {
		d.target = string(a.URI)
	}
	return d
}

// connect makes a call from alice through the first trunk and returns both ends.
func (w *world) connect(callID string) (a, b *dialog) {
	w.t.Helper()
	a = w.phone.invite(callID, "02079460000")
	inv := w.carrier.expect("INVITE")
	w.carrier.answer(inv, 180, "b"+callID, "")
	w.phone.expect("180 INVITE")
	w.carrier.answer(inv, 200, "b"+callID, sdpB, "Allow: INVITE, BYE, UPDATE, INFO")
	a.take(w.phone.expect("200 INVITE"))
	w.carrier.expect("ACK")
	a.request("ACK", "")
	synctest.Wait()
	return a, w.carrier.accepted(inv, "b"+callID)
}

// register binds a phone of a line.
func (w *world) register(line, contact string) {
	w.t.Helper()
	p := w.peer(contact)
	p.register(line, "reg-"+contact, 1, "Contact: <sip:"+line+"@"+contact+">")
	p.expect("200 REGISTER")
}

func (p *peer) register(line, callID string, seq int, lines ...string) {
	login := strings.Replace(goodLogin, `"alice"`, `"`+line+`"`, 1)
	p.send(fmt.Sprintf(`REGISTER sip:10.0.0.1 SIP/2.0
		Via: SIP/2.0/UDP 192.168.7.7:5060;branch=z9hG4bKr%s%d;rport
		Max-Forwards: 70
		From: <sip:%s@10.0.0.1>;tag=r
		To: <sip:%s@10.0.0.1>
		Call-ID: %s
		CSeq: %d REGISTER
		%s`, callID, seq, line, line, callID, seq, strings.Join(append([]string{login}, lines...), "\n")))
}

// why is the text of a message's first Reason; "": there is none.
func why(m *message.Message) string {
	for r := range m.Reasons() {
		return string(message.ReasonText(r))
	}
	return ""
}
