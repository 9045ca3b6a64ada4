package fair

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
)

// fake is a connection from an address.
type fake struct {
	net.Conn
	from   netip.AddrPort
	closed *int
}

func (f fake) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(f.from) }
func (f fake) Close() error         { *f.closed++; return nil }

// queue is a listener that gives what it holds.
type queue struct{ next fake }

func (q *queue) Accept() (net.Conn, error) { return q.next, nil }
func (q *queue) Close() error              { return nil }
func (q *queue) Addr() net.Addr            { return nil }

// TestCounts: whatever is opened and closed, the bounds hold, the counts are right, and the newest is let in.
func TestCounts(t *testing.T) {
	const most, each = 20, 6
	rnd := rand.New(rand.NewPCG(3, 4))
	q, closed := &queue{}, 0
	proxy := netip.MustParseAddr("10.9.9.9")
	l := Limit(q, Options{Max: most, PerAddress: each, Free: func(a netip.Addr) bool { return a == proxy }})
	var live []net.Conn
	for i := range 5000 {
		a := netip.AddrFrom4([4]byte{10, 0, byte(rnd.IntN(9)), byte(rnd.IntN(3))})
		switch rnd.IntN(20) {
		case 0:
			a = netip.AddrFrom16([16]byte{0x20, 1, 7: byte(rnd.IntN(3)), 15: byte(i)})
		case 1:
			a = proxy
		}
		if a == proxy && l.free == most {
			continue // the queue would be asked for ever
		}
		q.next = fake{from: netip.AddrPortFrom(a, 1), closed: &closed}
		c, err := l.Accept()
		if err != nil || c.(*conn).gone {
			t.Fatalf("the newest is not let in: %v", err)
		}
		live = append(live, c)
		for rnd.IntN(3) == 0 && len(live) > 0 {
			at := rnd.IntN(len(live))
			_, _ = live[at].Close(), live[at].Close()
			live = append(live[:at], live[at+1:]...)
		}
		if l.open.Len() > most || l.count[Address(a)] > each || l.free > most {
			t.Fatalf("%d open, %d from %v, %d free", l.open.Len(), l.count[Address(a)], a, l.free)
		}
	}
	for _, c := range live {
		_ = c.Close()
	}
	if l.open.Len() != 0 || len(l.count) != 0 || l.free != 0 {
		t.Errorf("left: %d open, %v, %d free", l.open.Len(), l.count, l.free)
	}
}
