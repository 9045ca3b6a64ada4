package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/icholy/digest"
	"golang.org/x/sync/errgroup"

	sipchallenge "ringfence/edge/sip/challenge"
	"ringfence/edge/sip/message"
)

// Where the server of these parts listens on TLS and WSS.
var (
	tlsAt = netip.MustParseAddrPort("127.0.0.1:25061")
	wssAt = netip.MustParseAddrPort("127.0.0.1:25443")
)

// securely starts the program with TLS and WSS, and a certificate of its own.
func (b *bench) securely(ctx context.Context, users []login) (*peer, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"bench.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, err
	}
	cert, key := filepath.Join(b.dir, "cert.pem"), filepath.Join(b.dir, "key.pem")
	err = errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
	if err != nil {
		return nil, err
	}
	return b.ringfence(ctx, users, setup{money: "memory", sip: fmt.Sprintf("tls = [%q]\nwss = [%q]\ntls-cert = [%q]\ntls-key = [%q]", tlsAt, wssAt, cert, key)})
}

// kept is a phone with a connection (or a socket) that it keeps.
type kept struct {
	net.Conn
	over   string
	local  string // where it sends from
	who    login
	number int
	seq    int
	asked  *message.Message // the challenge that it answers
	count  int              // how often it has
	room   []byte
}

// connect opens the connection of a phone from an address of its own network, so that none of them is taken for a flood.
func connect(ctx context.Context, over string, at netip.AddrPort, who login, number int) (*kept, error) {
	from := net.IPv4(127, byte(1+number/100>>8), byte(number/100), byte(1+number%100))
	k := &kept{over: over, who: who, number: number, room: make([]byte, 4096)}
	if over == "UDP" {
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: from}, net.UDPAddrFromAddrPort(at))
		if err == nil {
			k.Conn, k.local = c, c.LocalAddr().String()
		}
		return k, err
	}
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}).DialContext(ctx, "tcp", at.String())
	if err != nil {
		return nil, err
	}
	k.local = c.LocalAddr().String()
	config := &tls.Config{InsecureSkipVerify: true} // the certificate is our own, on loopback
	if over == "TLS" {
		k.Conn = tls.Client(c, config)
		return k, nil
	}
	h := &http.Transport{TLSClientConfig: config, DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
	ws, _, err := websocket.Dial(ctx, "wss://bench.test", &websocket.DialOptions{Subprotocols: []string{"sip"}, HTTPClient: &http.Client{Transport: h}})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	k.Conn = websocket.NetConn(context.Background(), ws, websocket.MessageText)
	return k, nil
}

// register registers once, with the challenge that the phone has, or asks for one.
func (k *kept) register() error {
	for range 3 {
		k.seq++
		var w message.Writer
		w.Begin(k.room[:0])
		w.Request(message.REGISTER, []byte("sip:bench.test"))
		w.Via(k.over, k.local, fmt.Appendf(nil, "z9hG4bK%d-%d", k.number, k.seq))
		w.AddInt(message.HMaxForwards, 70)
		who := "<sip:" + k.who.line + "@bench.test>"
		w.AddString(message.HFrom, who+";tag=a")
		w.AddString(message.HTo, who)
		w.AddString(message.HCallID, fmt.Sprintf("%s-%d", k.over, k.number))
		w.CSeq(uint32(k.seq), message.REGISTER)
		w.AddString(message.HContact, fmt.Sprintf("<sip:%s-%d@phone.invalid>;expires=3600", k.who.line, k.number))
		if k.asked != nil {
			k.count++
			a, ok := sipchallenge.Answer(k.asked, digest.Options{Method: "REGISTER", URI: "sip:bench.test", Username: k.who.line, Password: k.who.password, Count: k.count})
			if !ok {
				return errors.New("a challenge that cannot be answered")
			}
			w.AddString(a.Header, a.Value)
		}
		if _, err := k.Write(w.End("", nil)); err != nil {
			return err
		}
		m, err := k.answer()
		if err != nil {
			return err
		}
		switch m.Status() {
		case 200:
			return nil
		case 401:
			k.asked, k.count = m, 0
		default:
			return fmt.Errorf("the answer is %d %s", m.Status(), m.Phrase())
		}
	}
	return errors.New("the login was refused")
}

// answer reads the next message, which comes whole.
func (k *kept) answer() (*message.Message, error) {
	_ = k.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, err := k.Read(k.room)
	if err != nil {
		return nil, err
	}
	m := new(message.Message)
	if f := message.Parse(m, bytes.Clone(k.room[:n])); f != nil {
		return nil, fmt.Errorf("%s: %q", f.Why, k.room[:n])
	}
	return m, nil
}

// crowd registers phones, several at once, and keeps them.
func crowd(ctx context.Context, over string, at netip.AddrPort, users []login, n int) (all []*kept, err error) {
	all = make([]*kept, n)
	var g errgroup.Group
	var next atomic.Int64
	for range 16 {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				k, err := connect(ctx, over, at, users[i%len(users)], i)
				if err == nil {
					all[i] = k
					err = k.register()
				}
				if err != nil {
					return fmt.Errorf("phone %d over %s: %w", i, over, err)
				}
			}
			return ctx.Err()
		})
	}
	return all, g.Wait()
}

func hangUp(all []*kept) {
	for _, k := range all {
		if k != nil {
			_ = k.Close()
		}
	}
}

// idlePhones measures the memory of phones that are registered over TLS, and over WSS, and do nothing.
func (b *bench) idlePhones(ctx context.Context) error {
	users := logins(known)
	for _, over := range []string{"TLS", "WSS"} {
		p, err := b.securely(ctx, users)
		if err != nil {
			return err
		}
		empty := resident(p.cmd.Process.Pid)
		at := map[string]netip.AddrPort{"TLS": tlsAt, "WSS": wssAt}[over]
		begun := time.Now()
		all, err := crowd(ctx, over, at, users, b.idle)
		took, peak := time.Since(begun), resident(p.cmd.Process.Pid)
		if err == nil {
			err = waitFor(ctx, 4*time.Minute, "the memory to settle", func() bool { return time.Since(begun) > took+3*time.Minute })
		}
		rest, conns := resident(p.cmd.Process.Pid), p.gauge(ctx, `ringfence_sip_connections_open{transport="`+strings.ToLower(over)+`"}`)
		hangUp(all)
		p.stop()
		if err != nil {
			return err
		}
		b.report.row(fmt.Sprintf("%.0f idle phones over %s", conns, over), fmt.Sprintf("%s, %.1f KiB a phone", mib(rest), float64(rest-empty)/1024/float64(b.idle)), "≤ 1 GiB for 20,000",
			fmt.Sprintf("VmRSS three minutes after the last has registered; %s at the start, %s when all had registered, which took %.0f s", mib(empty), mib(peak), took.Seconds()))
	}
	return nil
}

// secureRegistrations measures the CPU of a registration over a connection that is kept, beside one over UDP, in turns.
func (b *bench) secureRegistrations(ctx context.Context) error {
	users := logins(200)
	p, err := b.securely(ctx, users)
	if err != nil {
		return err
	}
	defer p.stop()
	phones, ways := map[string][]*kept{}, []string{"UDP", "TLS", "WSS"}
	for _, over := range ways {
		at := map[string]netip.AddrPort{"UDP": p.at, "TLS": tlsAt, "WSS": wssAt}[over]
		phones[over], err = crowd(ctx, over, at, users, len(users))
		defer hangUp(phones[over])
		if err != nil {
			return err
		}
	}
	each := max(b.regs/len(users)/2, 1)
	for _, load := range []struct {
		name  string
		pause time.Duration // between two registrations of a phone
	}{{"in a burst", 0}, {"at 1,000 a second", time.Duration(len(users)) * time.Millisecond}} {
		cost := map[string][]float64{}
		for range max(b.runs, 1) {
			for _, over := range ways {
				begun := cpuSeconds(p.cmd.Process.Pid)
				if err := again(phones[over], each, load.pause); err != nil {
					return fmt.Errorf("over %s: %w", over, err)
				}
				cost[over] = append(cost[over], (cpuSeconds(p.cmd.Process.Pid)-begun)/float64(each*len(users))*1e6)
			}
		}
		udp := median(cost["UDP"])
		for _, over := range ways {
			v := median(cost[over])
			b.report.row("CPU of a registration over a kept "+over+" flow, "+load.name, fmt.Sprintf("%.1f µs (%.2f×)", v, v/udp), map[string]string{"TLS": "1.3× UDP"}[over],
				fmt.Sprintf("median of %d turns of %d, one request and one answer each, money in memory", len(cost[over]), each*len(users)))
		}
	}
	return nil
}

// again has phones register so many times: all at once, 32 of them at a time, or each with a pause between, in which the others have theirs.
func again(phones []*kept, each int, pause time.Duration) error {
	var g errgroup.Group
	if pause == 0 {
		g.SetLimit(32)
	}
	for i, k := range phones {
		g.Go(func() error {
			next := time.Now().Add(pause * time.Duration(i) / time.Duration(len(phones)))
			for range each {
				time.Sleep(time.Until(next))
				if err := k.register(); err != nil {
					return err
				}
				next = next.Add(pause)
			}
			return nil
		})
	}
	return g.Wait()
}
