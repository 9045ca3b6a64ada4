package transport

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// login is a handler under which a packet is a login: of the line that its Call-ID names, if it begins with "line".
func login(tr **Transport) func(*Packet) {
	return func(p *Packet) {
		if p.Parse() == nil && len(p.Msg.CallID()) > 4 && string(p.Msg.CallID()[:4]) == "line" {
			(*tr).LoggedIn(p.From(), string(p.Msg.CallID()))
		}
	}
}

// open says whether the far end still holds a connection.
func open(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Nanosecond))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func logIn(c net.Conn, line string) {
	_, _ = io.WriteString(c, text(line, 0))
	synctest.Wait()
}

// Guards against issue 7, R9: ten addresses held every connection without ever logging in.
func TestStrangersMakeRoom(t *testing.T) {
	const limit = 64
	for _, nets := range []int{1, 4, 10, 100, 1000} {
		t.Run(fmt.Sprint(nets, " networks"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipes()
				var tr *Transport
				startAs(t, &tr, Config{Listener: ln, MaxConns: limit, Handle: login(&tr)})
				attack := func(from, n int) {
					for i := from; i < from+n; i++ {
						ln.connect(fmt.Sprintf("10.%d.%d.%d:%d", i%nets/256, i%nets%256, 1+i/nets%200, 1000+i))
					}
					synctest.Wait()
				}
				early := ln.connect("192.0.2.1:1")
				logIn(early, "line-1")
				attack(0, 4*limit)
				if s := tr.Stats(); s.Strangers > limit/2 {
					t.Errorf("%d strangers of %d connections", s.Strangers, limit)
				}
				late := ln.connect("198.51.100.7:1")
				attack(4*limit, limit/4) // while the phone is about to log in
				logIn(late, "line-2")
				attack(5*limit, 4*limit)
				if !open(early) || !open(late) {
					t.Errorf("phones that logged in before and during the attack: %v, %v; want both to stay", open(early), open(late))
				}
				tr.Stop()
			})
		})
	}
}

// Where phones are registered a few connections do not weigh, whatever comes from the network around and from elsewhere.
func TestRegisteredPhonesComeBackFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		office := netip.MustParseAddr("192.0.2.1")
		known := func(src netip.AddrPort) (bool, int) {
			if src.Addr() == office {
				return false, 3
			}
			return src.Addr() == netip.MustParseAddr("203.0.113.1"), 0
		}
		tr := start(t, Config{Listener: ln, MaxConns: 32, Known: known, Handle: func(*Packet) {}})
		carrier := ln.connect("203.0.113.1:1")
		var phones []net.Conn
		for i := range 7 {
			phones = append(phones, ln.connect(fmt.Sprintf("192.0.2.1:%d", 1+i)))
		}
		for i := range 1000 {
			ln.connect(fmt.Sprintf("192.0.2.%d:%d", 2+i%200, 1+i)) // its neighbours
			ln.connect(fmt.Sprintf("10.0.%d.1:%d", i%250, 1+i))
		}
		synctest.Wait()
		for i, c := range append(phones, carrier) {
			if !open(c) {
				t.Errorf("connection %d of the office and the carrier was closed", i)
			}
		}
		tr.Stop()
	})
}

// A stolen login, or one of the attacker's own, holds its share and no more, and the owner's phone stays on.
func TestALineHasItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		var tr *Transport
		startAs(t, &tr, Config{Listener: ln, MaxConns: 64, MaxPerLine: 8, Handle: login(&tr)})
		owner := ln.connect("192.0.2.1:1")
		logIn(owner, "line-1")
		for i := range 100 {
			logIn(ln.connect(fmt.Sprintf("10.0.0.1:%d", 1+i)), "line-1")
		}
		if s := tr.Stats(); s.Conns != 8 || !open(owner) {
			t.Errorf("%d connections of one line, want 8; the owner's is open: %v", s.Conns, open(owner))
		}
		// Twenty stolen logins fill what there is; lines with one connection each still find room.
		for i := range 200 {
			logIn(ln.connect(fmt.Sprintf("10.0.1.%d:%d", 1+i%20, 1+i)), fmt.Sprint("line-stolen", i%20))
		}
		var phones []net.Conn
		for i := range 20 {
			c := ln.connect(fmt.Sprintf("198.51.100.%d:1", 1+i))
			logIn(c, fmt.Sprint("line-honest", i))
			phones = append(phones, c)
		}
		for i, c := range phones {
			if !open(c) {
				t.Errorf("phone %d was closed", i)
			}
		}
		tr.Stop()
	})
}

// Descriptors can run out before the limit of connections is reached: strangers give way then too.
func TestStrangersGiveDescriptorsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		var tr *Transport
		startAs(t, &tr, Config{Listener: ln, Handle: login(&tr)})
		phone, attacker := ln.connect("192.0.2.1:1"), ln.connect("10.0.0.1:1")
		logIn(phone, "line-1")
		begun := time.Now()
		ln.errs <- &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		synctest.Wait()
		if open(attacker) || !open(phone) || time.Since(begun) > time.Millisecond {
			t.Errorf("the attacker's is open: %v, the phone's: %v, after %v", open(attacker), open(phone), time.Since(begun))
		}
		tr.Stop()
	})
}

func TestBannedConnectionsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		bans := NewBans(64)
		banAddr(bans, netip.MustParseAddr("192.0.2.66"), time.Hour)
		tr := start(t, Config{Listener: ln, Bans: bans, Handle: func(*Packet) {}})
		c := ln.connect("192.0.2.66:1")
		synctest.Wait()
		if s := tr.Stats(); open(c) || s.Refused != 1 || s.Conns != 0 {
			t.Errorf("%+v", s)
		}
		tr.Stop()
	})
}

// The table's counts are right after any sequence, and its bounds are never passed.
func TestConnTable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var ct connTable
	ct.init(&Config{MaxConns: 40, MaxPerNet: 12, MaxPerLine: 6})
	live := map[*conn]bool{}
	drop := func(c *conn) {
		if c != nil {
			delete(live, c)
		}
	}
	for i := range 20_000 {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(rnd.IntN(6)), byte(rnd.IntN(3))}), uint16(1+i))
		switch rnd.IntN(6) {
		case 0, 1, 2:
			c := &conn{remote: at, source: true}
			gone, err := ct.accept(c, rnd.IntN(50) == 0, rnd.IntN(2)*rnd.IntN(4))
			if err == nil {
				live[c] = true
			}
			drop(gone)
		case 3, 4:
			for c := range live {
				drop(ct.login(Dest{Addr: c.remote, Flow: c.id}, fmt.Sprint("line", rnd.IntN(9))))
				break
			}
		case 5:
			for c := range live {
				ct.remove(c)
				drop(c)
				break
			}
		}
		strangers, lines := 0, map[string]int{}
		for c := range live {
			if ct.byID[c.id] != c {
				t.Fatal("a connection is lost")
			}
			switch c.standing {
			case stranger:
				strangers++
			case phone:
				lines[c.line]++
			}
		}
		if len(live) != len(ct.byID) || len(live) > 40 || strangers != ct.strangers.n || strangers > 20 {
			t.Fatalf("step %d: %d connections, %d in the table, %d strangers, counted %d", i, len(live), len(ct.byID), strangers, ct.strangers.n)
		}
		for line, n := range lines {
			if n > 6 {
				t.Fatalf("%s has %d connections", line, n)
			}
		}
	}
	for c := range live {
		ct.remove(c)
	}
	if len(ct.byID)+len(ct.byPeer)+len(ct.from)+len(ct.strangers.groups)+len(ct.phones.groups)+len(ct.strangers.order)+len(ct.phones.order) != 0 {
		t.Error("the tables are not empty in the end")
	}
}
