package transport

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
)

// errRoom ends a connection that had to make room for another.
var errRoom = errors.New("transport: closed to make room")

// standing says how far a connection is trusted, and so which of them close first when room is short.
type standing uint8

const (
	stranger standing = iota // accepted, without a login
	phone                    // a line has logged in on it
	trusted                  // a carrier's, or one that we dialled
)

// connTable finds connections, and decides which one is closed when there are too many. Unknown sources come first, by network. They
// may use what others leave, up to half of all; a sixteenth of all is reserved for them, so that a phone can always connect
// and log in. Phones are next, by line, but never the only connection of a line.
type connTable struct {
	max, maxNet, maxLine int

	mu        sync.Mutex
	byID      map[uint32]*conn
	byPeer    map[peer]*conn // the newest connection to each
	each      [protocols]int // connections of each protocol
	strangers crowd[netip.Prefix]
	phones    crowd[string]
	from      map[netip.Addr]int // connections accepted from each address
	next      uint32
	ages      uint64
	closed    bool
}

// peer is who is at the other end of connections, as far as the sender of a message can choose.
type peer struct {
	addr  netip.AddrPort
	proto Proto
	name  string // TLS that we dialled: whose certificate it showed
}

// place is where a connection stands in the table; guarded by connTable.mu.
type place struct {
	standing standing
	line     string       // phone: whose
	net      netip.Prefix // unknown source: counted under
	age      uint64       // the larger, the younger
	elem     *list.Element
}

func (ct *connTable) init(cfg *Config) {
	ct.max, ct.maxNet, ct.maxLine = cfg.MaxConns, cfg.MaxPerNet, cfg.MaxPerLine
	ct.byID = map[uint32]*conn{}
	ct.byPeer = map[peer]*conn{}
	ct.from = map[netip.Addr]int{}
}

func (ct *connTable) counts() (each [protocols]int, strangers int) {
	ct.mu.Lock()
	defer ct.mu.Unlock()
	return ct.each, ct.strangers.n
}

// reserved is how many connections are kept free for those who have yet to log in.
func (ct *connTable) reserved() int { return (ct.max + 15) / 16 }

// accept enters a connection that came in. known says how many phones are registered at its address; that of a carrier is
// trusted. The connection that has to be closed for it, which may be the new one itself, is returned for the caller to close.
func (ct *connTable) accept(c *conn, carrier bool, known int) (gone *conn, err error) {
	ct.mu.Lock()
	defer ct.mu.Unlock()
	if ct.closed {
		return nil, ErrClosed
	}
	if carrier {
		return ct.trust(c)
	}
	free := 0
	if known > 0 {
		free = known + 4 // some of whose old connections are dead but still open
	}
	c.standing, c.net = stranger, strangersOf(c.remote.Addr(), known)
	ct.enter(c)
	g := ct.strangers.add(c.net, c, free)
	switch {
	case g.conns.Len() > ct.maxNet:
		gone = g.first(ct.from)
	case ct.strangers.n > max(ct.max/2, 1) || len(ct.byID) > ct.max:
		gone = ct.strangers.order[0].first(ct.from)
	}
	if gone != nil {
		ct.drop(gone)
	}
	return gone, nil
}

// trust enters a connection that does not have to log in. The caller holds mu.
func (ct *connTable) trust(c *conn) (gone *conn, err error) {
	if len(ct.byID) >= ct.max {
		if gone = ct.least(); gone == nil {
			return nil, ErrTooMany
		}
		ct.drop(gone)
	}
	c.standing = trusted
	ct.enter(c)
	return gone, nil
}

// least is the connection to close first; nil when none may be closed. The caller holds mu.
func (ct *connTable) least() *conn {
	switch {
	case ct.strangers.n > 0:
		return ct.strangers.order[0].first(ct.from)
	case ct.phones.n > 0 && ct.phones.order[0].conns.Len() > 1:
		return ct.phones.order[0].first(ct.from)
	}
	return nil
}

// login notes that a line has logged in on a connection that had no login; "" is a carrier. The connection that has to be closed for it is returned.
func (ct *connTable) login(d Dest, line string) (gone *conn) {
	ct.mu.Lock()
	defer ct.mu.Unlock()
	c := ct.byID[d.Flow]
	if c == nil || c.remote != d.Addr || c.standing != stranger {
		return nil
	}
	ct.strangers.remove(c.net, c)
	if line == "" {
		c.standing = trusted
		return nil
	}
	c.standing, c.line = phone, line
	g := ct.phones.add(line, c, 0)
	switch top := ct.phones.order[0]; {
	case g.conns.Len() > ct.maxLine:
		gone = g.first(ct.from)
	case len(ct.byID)-ct.strangers.n <= ct.max-ct.reserved():
		return nil
	case top.conns.Len() > 1:
		gone = top.first(ct.from)
	default:
		gone = c // each line has one: those stay
	}
	ct.drop(gone)
	return gone
}

// giveWay removes a connection without a login, because file descriptors have run out.
func (ct *connTable) giveWay() *conn {
	ct.mu.Lock()
	defer ct.mu.Unlock()
	if ct.strangers.n == 0 {
		return nil
	}
	c := ct.strangers.order[0].first(ct.from)
	ct.drop(c)
	return c
}

// enter gives the connection its flow. The caller holds mu.
func (ct *connTable) enter(c *conn) {
	for ct.next++; ct.next == 0 || ct.byID[ct.next] != nil; ct.next++ {
	}
	ct.ages++
	c.id, c.age = ct.next, ct.ages
	ct.byID[c.id] = c
	ct.byPeer[c.peer()] = c
	ct.each[c.proto]++
	if c.source {
		ct.from[c.remote.Addr()]++
	}
}

// remove takes a connection out and says which line had logged in on it, "" none.
func (ct *connTable) remove(c *conn) (line string) {
	ct.mu.Lock()
	defer ct.mu.Unlock()
	ct.drop(c)
	return c.line
}

// drop takes a connection out. The caller holds mu.
func (ct *connTable) drop(c *conn) {
	if ct.byID[c.id] != c {
		return
	}
	delete(ct.byID, c.id)
	if ct.byPeer[c.peer()] == c {
		delete(ct.byPeer, c.peer())
	}
	ct.each[c.proto]--
	switch c.standing {
	case stranger:
		ct.strangers.remove(c.net, c)
	case phone:
		ct.phones.remove(c.line, c)
	}
	if !c.source {
		return
	}
	if ct.from[c.remote.Addr()]--; ct.from[c.remote.Addr()] <= 0 {
		delete(ct.from, c.remote.Addr())
	}
}

// find returns the flow's connection, else one to the address, else nil. A phone that began with TLS is reached on that connection only: who
// has its address and port later may be another behind the same address translation.
func (ct *connTable) find(d Dest) *conn {
	ct.mu.Lock()
	defer ct.mu.Unlock()
	if c := ct.byID[d.Flow]; c != nil && c.remote == d.Addr && c.proto == d.Proto {
		return c
	}
	if d.Proto.Secure() && d.Name == "" {
		return nil
	}
	return ct.byPeer[peer{d.Addr, d.Proto, d.Name}]
}

func (ct *connTable) closeAll() {
	ct.mu.Lock()
	ct.closed = true
	all := make([]*conn, 0, len(ct.byID))
	for _, c := range ct.byID {
		all = append(all, c)
	}
	ct.mu.Unlock()
	for _, c := range all {
		c.close(ErrClosed)
	}
}
