//go:build e2e

package soak

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Timers of RFC 3261 section 17.
const (
	timerT1 = 500 * time.Millisecond
	timerT2 = 4 * time.Second
	timerB  = 64 * timerT1
)

// endpoint is one UDP socket on a network that loses packets, with the transactions begun there.
type endpoint struct {
	w    *world
	name string
	conn *net.UDPConn
	addr netip.AddrPort

	// hears gets each packet that came, also those that the network lost: they were sent all the same. It must not block.
	hears func(p *packet, lost bool)

	mu      sync.Mutex // owns all below
	rnd     *rand.Rand
	waiting map[string]chan *packet // responses by transaction
}

func newEndpoint(w *world, name string) (*endpoint, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	return &endpoint{
		w: w, name: name, conn: conn, addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(),
		rnd: w.random("network of " + name), waiting: map[string]chan *packet{},
	}, nil
}

// serve reads until the socket is closed.
func (e *endpoint) serve() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := e.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		p, err := parse(buf[:n])
		if err != nil {
			if n > 4 { // not a keep-alive
				e.w.failf("", "%s was sent what is no SIP message: %v\n%s", e.name, err, buf[:n])
			}
			continue
		}
		p.from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		lost := e.loses()
		e.note(p, p.from, false, lost)
		e.hears(p, lost)
		if p.status != 0 && !lost {
			e.mu.Lock()
			ch := e.waiting[p.transaction()]
			e.mu.Unlock()
			if ch != nil {
				select {
				case ch <- p:
				default:
				}
			}
		}
	}
}

// loses draws whether the network loses a packet now.
func (e *endpoint) loses() bool {
	e.mu.Lock()
	lost := e.rnd.Float64() < e.w.loss()
	e.mu.Unlock()
	e.w.count.packets.Add(1)
	if lost {
		e.w.count.lost.Add(1)
	}
	return lost
}

// send gives a packet to the network and says whether it got to a node that runs.
func (e *endpoint) send(p *packet, to netip.AddrPort) (arrived bool) {
	lost := e.loses()
	e.note(p, to, true, lost)
	if lost {
		return false
	}
	_, err := e.conn.WriteToUDPAddrPort(p.bytes(), to)
	return err == nil && e.w.runs(to)
}

func (e *endpoint) note(p *packet, peer netip.AddrPort, out, lost bool) {
	text := fmt.Sprintf("%s ← %s: %s", e.name, e.w.nameOf(peer), p.brief())
	if out {
		text = fmt.Sprintf("%s → %s: %s", e.name, e.w.nameOf(peer), p.brief())
	}
	if lost {
		text += " [lost]"
	}
	e.w.trace(p.get("Call-ID"), text)
}

// token is a fresh name for a tag, branch or Call-ID.
func (e *endpoint) token() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.ToLower(fmt.Sprintf("%016x", e.rnd.Uint64()))
}

// begin makes a request with a new transaction; from and to are whole values.
func (e *endpoint) begin(method, uri, from, to, callID string, seq int) *packet {
	p := &packet{method: method, uri: uri}
	p.add("Via", "SIP/2.0/UDP "+e.addr.String()+";rport;branch=z9hG4bK"+e.token())
	p.add("Max-Forwards", "70")
	p.add("From", from)
	p.add("To", to)
	p.add("Call-ID", callID)
	p.add("CSeq", fmt.Sprintf("%d %s", seq, method))
	return p
}

// listen gives the responses to a request until stop is called.
func (e *endpoint) listen(p *packet) (responses chan *packet, stop func()) {
	ch, key := make(chan *packet, 16), p.transaction()
	e.mu.Lock()
	e.waiting[key] = ch
	e.mu.Unlock()
	return ch, func() {
		e.mu.Lock()
		delete(e.waiting, key)
		e.mu.Unlock()
	}
}

// ask sends a request inside a dialog, again and again for 32 seconds, until it has a final answer; 408 stands for none.
// to is asked at each sending: the other end may have moved.
func (e *endpoint) ask(p *packet, to func() netip.AddrPort) (status int) {
	responses, stop := e.listen(p)
	defer stop()
	giveUp := time.NewTimer(timerB)
	defer giveUp.Stop()
	for wait := timerT1; ; wait = min(2*wait, timerT2) {
		e.send(p, to())
		again := time.NewTimer(wait)
		for repeat := false; !repeat; {
			select {
			case r := <-responses:
				if r.status >= 200 {
					again.Stop()
					return r.status
				}
			case <-again.C:
				repeat = true
			case <-giveUp.C:
				again.Stop()
				return 408
			case <-e.w.done:
				again.Stop()
				return 408
			}
		}
	}
}
