package sip

import (
	"bufio"
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
	sipmsg "github.com/emiago/sipgo/sip"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/auth"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
)

// onTheWire is a world on real sockets in real time, with real logins.
func onTheWire(t *testing.T, change ...func(w *world, d *fakes)) *world {
	w := newWorld(t)
	h := secret.NewHA1("alice", "r", secret.NewPassword("correct horse"))
	a, err := guard.New(guard.Options{Options: auth.Options{Realm: "r"}, Line: func(user []byte, _ time.Time) (guard.Line, bool) {
		return guard.Line{ID: "alice", HA1: &h}, string(user) == "alice"
	}})
	if err != nil {
		t.Fatal(err)
	}
	local := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	d := w.deps()
	d.check, d.challenge = a.Check, a.AppendChallenge
	d.trunkOf = func(netip.AddrPort) (string, bool) { return "", false }
	w.opts = Options{UDP: local, TCP: local, Realm: "r", Log: testLog(t), Timers: transaction.Timers{T1: 20 * time.Millisecond, T2: 80 * time.Millisecond, T4: 100 * time.Millisecond}}
	for _, f := range change {
		f(w, d)
	}
	if w.edge, err = d.edge(w.opts); err != nil {
		t.Fatal(err)
	}
	if err := w.edge.Start(w.before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	return w
}

// goes waits until all is over.
func (w *world) goes() {
	w.t.Helper()
	until(w.t, "the edge to forget its calls", func() bool { s := w.edge.Stats(); return s.Calls == 0 && s.Kept == 0 })
	w.empty()
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

var silent = slog.New(slog.DiscardHandler)

func init() { sipmsg.SetDefaultLogger(silent) }

// sipgoCarrier answers calls with sipgo and says when one was hung up.
func sipgoCarrier(t *testing.T, network string) (at string, byes chan string) {
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("carrier"))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := sipgo.NewServer(ua, sipgo.WithServerLogger(silent))
	if err != nil {
		t.Fatal(err)
	}
	byes = make(chan string, 4)
	var serve func()
	if network == "udp" {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at, serve = c.LocalAddr().String(), func() { _ = srv.ServeUDP(c) }
	} else {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at, serve = l.Addr().String(), func() { _ = srv.ServeTCP(l) }
		t.Cleanup(func() { _ = l.Close() })
	}
	me := sipmsg.ContactHeader{Address: sipmsg.Uri{Scheme: "sip", User: "carrier", Host: "127.0.0.1", Port: int(netip.MustParseAddrPort(at).Port())}}
	if network == "tcp" {
		me.Address.UriParams = sipmsg.NewParams()
		me.Address.UriParams.Add("transport", "tcp")
	}
	client, err := sipgo.NewClient(ua, sipgo.WithClientLogger(silent))
	if err != nil {
		t.Fatal(err)
	}
	calls := sipgo.NewDialogServerCache(client, me)
	srv.OnInvite(func(req *sipmsg.Request, tx sipmsg.ServerTransaction) {
		d, err := calls.ReadInvite(req, tx)
		if err != nil {
			return
		}
		_ = d.Respond(180, "Ringing", nil)
		_ = d.RespondSDP([]byte(sdpB))
		<-d.Context().Done()
	})
	srv.OnAck(func(req *sipmsg.Request, tx sipmsg.ServerTransaction) { _ = calls.ReadAck(req, tx) })
	srv.OnBye(func(req *sipmsg.Request, tx sipmsg.ServerTransaction) {
		_ = calls.ReadBye(req, tx)
		reason := ""
		if h := req.GetHeader("Reason"); h != nil {
			reason = h.Value()
		}
		byes <- reason
	})
	go serve()
	t.Cleanup(func() { _ = ua.Close() })
	return at, byes
}

// sipgo registers, calls through sipgo, and hangs up; or the gate cuts the call. Each way over UDP and TCP.
func TestWithSipgo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		phone, carrier string
		cut            bool
	}{{"udp", "udp", false}, {"tcp", "udp", true}, {"udp", "tcp", true}, {"tcp", "tcp", false}} {
		t.Run(fmt.Sprint(c.phone, " to ", c.carrier, " cut ", c.cut), func(t *testing.T) {
			t.Parallel()
			at, byes := sipgoCarrier(t, c.carrier)
			w := onTheWire(t, func(w *world, _ *fakes) {
				w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{at}, Transport: c.carrier}
			})
			proto := transport.UDP
			if c.phone == "tcp" {
				proto = transport.TCP
			}
			sipgoCall(t, w, c.phone, int(w.edge.Addr(proto).Port()), c.cut)
			select {
			case reason := <-byes:
				if cut := strings.Contains(reason, "cut-by-owner"); cut != c.cut {
					t.Errorf("the carrier's BYE says %q", reason)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the carrier heard no BYE")
			}
			w.goes()
			if end := w.gate.only(t); end.Status != 200 || (end.Reason == policy.CutByOwner) != c.cut || w.gate.rang["call-1"] != 1 {
				t.Errorf("end %+v, rang %v", end, w.gate.rang)
			}
		})
	}
}

// sipgoCall registers and makes one call as alice.
func sipgoCall(t *testing.T, w *world, network string, port int, cut bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("alice"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ua.Close() })
	client, err := sipgo.NewClient(ua, sipgo.WithClientLogger(silent), sipgo.WithClientHostname("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	to := sipmsg.Uri{Scheme: "sip", User: "02079460000", Host: "127.0.0.1", Port: port, UriParams: sipmsg.NewParams()}
	to.UriParams.Add("transport", network)
	me := sipmsg.ContactHeader{Address: sipmsg.Uri{Scheme: "sip", User: "alice", Host: "127.0.0.1", Port: 5999}}

	reg := sipmsg.NewRequest(sipmsg.REGISTER, sipmsg.Uri{Scheme: "sip", Host: "127.0.0.1", Port: port, UriParams: to.UriParams})
	reg.SetTransport(strings.ToUpper(network))
	reg.AppendHeader(sipmsg.NewHeader("To", "<sip:alice@127.0.0.1>"))
	reg.AppendHeader(&me)
	res, err := client.Do(ctx, reg, sipgo.ClientRequestRegisterBuild)
	if err != nil || res.StatusCode != 401 {
		t.Fatal(res, err)
	}
	res, err = client.DoDigestAuth(ctx, reg, res, sipgo.DigestAuth{Username: "alice", Password: "correct horse"})
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	if b := w.where.Lookup("alice", time.Now()); len(b) != 1 || b[0].Transport != network {
		t.Errorf("bindings %+v", b)
	}

	calls := sipgo.NewDialogClientCache(client, me)
	invite := sipmsg.NewRequest(sipmsg.INVITE, to)
	invite.SetTransport(strings.ToUpper(network))
	invite.AppendHeader(&me)
	invite.AppendHeader(sipmsg.NewHeader("Content-Type", "application/sdp"))
	invite.SetBody([]byte(sdp))
	d, err := calls.WriteInvite(ctx, invite)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.WaitAnswer(ctx, sipgo.AnswerOptions{Username: "alice", Password: "correct horse"})
	if err != nil || string(d.InviteResponse.Body()) != sdpB {
		t.Fatal(err)
	}
	if err := d.Ack(ctx); err != nil {
		t.Fatal(err)
	}
	until(t, "the ACK", func() bool { return w.edge.Stats().Answered == 1 })
	if cut {
		w.gate.cut("call-1", policy.CutByOwner, policy.Figures{})
		return
	}
	if err := d.Bye(ctx); err != nil {
		t.Error(err)
	}
}

// A carrier whose connection is refused is left for the next at once.
func TestRefusedConnectionFailsOver(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	at, _ := sipgoCarrier(t, "udp")
	w := onTheWire(t, func(w *world, _ *fakes) {
		w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{dead}, Transport: "tcp"}
		w.trunks["two"] = account.Trunk{Name: "two", Addresses: []string{at}}
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("one", "two"), nil }
	})
	sipgoCall(t, w, "udp", int(w.edge.Addr(transport.UDP).Port()), false)
	w.goes()
	if got := strings.Join(w.gate.tried, " "); got != "one two" || w.edge.Stats().Failovers != 1 {
		t.Errorf("tried %s", got)
	}
}

// A phone's connection breaks during a call: the call goes on, and ends when the phone cannot be reached to be told.
func TestConnectionLostDuringACall(t *testing.T) {
	t.Parallel()
	at, byes := sipgoCarrier(t, "udp")
	w := onTheWire(t, func(w *world, d *fakes) {
		w.trunks["one"] = account.Trunk{Name: "one", Addresses: []string{at}}
		d.check = func(*auth.Credentials, netip.Addr, time.Time) guard.Result {
			return guard.Result{Outcome: guard.Accept, Line: "alice"}
		}
		w.opts.PingInterval = 300 * time.Millisecond
	})
	c, err := net.Dial("tcp4", w.edge.Addr(transport.TCP).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "INVITE sip:020@x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:alice@x>;tag=1\r\nTo: <sip:020@x>\r\nCall-ID: lost\r\n"+
		"CSeq: 1 INVITE\r\nContact: <sip:alice@127.0.0.1:9;transport=tcp>\r\n%s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", goodLogin, len(sdp), sdp)
	r := bufio.NewReader(c)
	to := ""
	for answered := false; !answered || !strings.HasPrefix(to, "To: "); {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if answered = answered || strings.HasPrefix(line, "SIP/2.0 200"); answered {
			to = line
		}
	}
	fmt.Fprintf(c, "ACK sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK2\r\nFrom: <sip:alice@x>;tag=1\r\n%sCall-ID: lost\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n", to)
	go func() { _, _ = io.Copy(io.Discard, r) }()
	_ = c.Close()
	select {
	case <-byes:
	case <-time.After(15 * time.Second):
		t.Fatal("the carrier heard no BYE")
	}
	w.goes()
	if end := w.gate.only(t); end.By != call.System || end.Reason != policy.PeerGone && end.Reason != policy.NoAck {
		t.Errorf("end %+v", end)
	}
}
