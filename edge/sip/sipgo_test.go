package sip

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	peersip "github.com/emiago/sipgo/sip"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/edge/sip/transport"
	"ringfence/flow/auth"
	"ringfence/flow/gate"
)

// agent is a user agent made with another SIP stack, on loopback.
type agent struct {
	client  *sipgo.Client
	server  *sipgo.Server
	contact peersip.ContactHeader
	at      string
}

func newAgent(t *testing.T, proto, user string) *agent {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	ua, err := sipgo.NewUA(sipgo.WithUserAgent(user))
	must(t, err)
	a := &agent{}
	a.server, err = sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
	must(t, err)
	if proto == "udp" {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		must(t, err)
		a.at = pc.LocalAddr().String()
		go a.server.ServeUDP(pc)
	} else {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		a.at = ln.Addr().String()
		go a.server.ServeTCP(ln)
	}
	host, port := netip.MustParseAddrPort(a.at).Addr().String(), int(netip.MustParseAddrPort(a.at).Port())
	options := []sipgo.ClientOption{sipgo.WithClientHostname(host), sipgo.WithClientPort(port), sipgo.WithClientLogger(quiet)}
	a.client, err = sipgo.NewClient(ua, options...)
	must(t, err)
	uri := peersip.Uri{Scheme: "sip", User: user, Host: host, Port: port, UriParams: peersip.NewParams()}
	if proto == "tcp" {
		uri.UriParams.Add("transport", "tcp")
	}
	a.contact = peersip.ContactHeader{Address: uri}
	t.Cleanup(func() { ua.Close() })
	return a
}

func tagged(tag string) peersip.HeaderParams {
	p := peersip.NewParams()
	p.Add("tag", tag)
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// onLoopback is an edge on real sockets with real logins, and a carrier of another make.
func onLoopback(t *testing.T, proto string) (*Edge, *books, *agent) {
	t.Helper()
	carrier := newAgent(t, proto, "carrier")
	w := newWorld(t)
	w.trunks = map[string]account.Trunk{"one": {Name: "one", Addresses: []string{carrier.at}, Transport: proto}}
	ha1 := secret.NewHA1("alice", "test", secret.NewPassword("correct horse battery"))
	logins, err := auth.New(auth.Options{Realm: "test", Line: func(user []byte, _ time.Time) (auth.Line, bool) {
		return auth.Line{ID: "alice", HA1: &ha1}, string(user) == "alice"
	}})
	must(t, err)
	d := w.deps()
	d.Check, d.Challenge = logins.Check, logins.AppendChallenge
	local := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	e, err := New(Options{UDP: local, TCP: local, Realm: "test", Log: testLog(t)}, d)
	must(t, err)
	must(t, e.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		must(t, e.Stop(ctx))
	})
	return e, w.gate, carrier
}

// uri is where a phone finds the edge.
func (e *Edge) uri(user, proto string) peersip.Uri {
	p := transport.UDP
	if proto == "tcp" {
		p = transport.TCP
	}
	at := e.Addr(p)
	u := peersip.Uri{Scheme: "sip", User: user, Host: at.Addr().String(), Port: int(at.Port()), UriParams: peersip.NewParams()}
	if proto == "tcp" {
		u.UriParams.Add("transport", "tcp")
	}
	return u
}

// register logs a phone in with a password and returns the status.
func (a *agent) register(t *testing.T, e *Edge, proto, user, password string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req := peersip.NewRequest(peersip.REGISTER, e.uri("", proto))
	aor := peersip.Uri{Scheme: "sip", User: user, Host: "test"}
	req.AppendHeader(&peersip.ToHeader{Address: aor})
	req.AppendHeader(&peersip.FromHeader{Address: aor, Params: tagged("x")})
	req.AppendHeader(&a.contact)
	req.AppendHeader(peersip.NewHeader("Expires", "300"))
	req.SetTransport(strings.ToUpper(proto))
	res, err := a.client.Do(ctx, req)
	must(t, err)
	if res.StatusCode != 401 {
		return int(res.StatusCode)
	}
	res, err = a.client.DoDigestAuth(ctx, req, res, sipgo.DigestAuth{Username: user, Password: password})
	must(t, err)
	return int(res.StatusCode)
}

// Another SIP stack registers, calls another one through us, and either side hangs up, over UDP and TCP.
func TestWithAnotherStack(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		for _, callerHangsUp := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, caller hangs up: %v", proto, callerHangsUp), func(t *testing.T) {
				e, books, carrier := onLoopback(t, proto)
				phone := newAgent(t, proto, "alice")
				if got := phone.register(t, e, proto, "alice", "correct horse battery"); got != 200 {
					t.Fatalf("REGISTER: %d", got)
				}
				if got := phone.register(t, e, proto, "alice", "wrong"); got == 200 {
					t.Fatalf("wrong password: %d", got)
				}
				talk(t, e, proto, phone, carrier, callerHangsUp)
				want := call.Callee
				if callerHangsUp {
					want = call.Caller
				}
				end := books.waitEnd(t)
				if end.By != want || end.Reason != policy.Hangup || end.Status != 200 {
					t.Errorf("end %+v", end)
				}
			})
		}
	}
}

// waitEnd waits for the end of the first call.
func (g *books) waitEnd(t *testing.T) gate.End {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(5 * time.Second)
	for {
		select {
		case <-tick.C:
			g.mu.Lock()
			ends := g.ends["call-1"]
			g.mu.Unlock()
			if len(ends) > 0 {
				return ends[0]
			}
		case <-late:
			t.Fatal("the gate was told no end")
		}
	}
}

func talk(t *testing.T, e *Edge, proto string, phone, carrier *agent, callerHangsUp bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answered, gone := make(chan *sipgo.DialogServerSession, 1), make(chan string, 4)
	servers := sipgo.NewDialogServerCache(carrier.client, carrier.contact)
	carrier.server.OnInvite(func(req *peersip.Request, tx peersip.ServerTransaction) {
		d, err := servers.ReadInvite(req, tx)
		if err != nil {
			t.Error(err)
			return
		}
		d.Respond(180, "Ringing", nil)
		if err := d.RespondSDP([]byte(sdpB)); err != nil {
			t.Error(err)
		}
		answered <- d
		<-tx.Done()
	})
	carrier.server.OnAck(func(req *peersip.Request, tx peersip.ServerTransaction) { servers.ReadAck(req, tx) })
	carrier.server.OnBye(func(req *peersip.Request, tx peersip.ServerTransaction) { servers.ReadBye(req, tx); gone <- "carrier" })
	clients := sipgo.NewDialogClientCache(phone.client, phone.contact)
	phone.server.OnBye(func(req *peersip.Request, tx peersip.ServerTransaction) { clients.ReadBye(req, tx); gone <- "phone" })

	d, err := clients.Invite(ctx, e.uri("02079460000", proto), []byte(sdp), peersip.NewHeader("Content-Type", "application/sdp"),
		&peersip.FromHeader{Address: peersip.Uri{Scheme: "sip", User: "alice", Host: "test"}, Params: tagged("f")})
	must(t, err)
	must(t, d.WaitAnswer(ctx, sipgo.AnswerOptions{Username: "alice", Password: "correct horse battery"}))
	if got := string(d.InviteResponse.Body()); got != sdpB {
		t.Errorf("answer %q", got)
	}
	must(t, d.Ack(ctx))
	other := <-answered
	want := "carrier"
	if callerHangsUp {
		must(t, d.Bye(ctx))
	} else {
		want = "phone"
		must(t, other.Bye(ctx))
	}
	select {
	case who := <-gone:
		if who != want {
			t.Errorf("%s got the BYE", who)
		}
	case <-ctx.Done():
		t.Error("no BYE")
	}
}
