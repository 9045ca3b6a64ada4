package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// rules is our table in the kernel:
//
//	table inet ringfence {
//	  counter dropped
//	  set v4_32 { type ipv4_addr; flags timeout }    one for each length of prefix in use
//	  chain input { type filter hook input priority raw   for each of our sockets:
//	    ip daddr … udp dport 5060 jump banned4 … }
//	  chain banned4 { ip saddr & 255.255.255.255 == @v4_32 counter name dropped drop … }
//	  chain banned6 { … }
//	}
//
// A set for each length, and not one of intervals: networks may lie in one another (an address, and the /24 around it)
// without being an error, each ends by itself, and a change costs the same however many there are.
type rules struct {
	conn   *nftables.Conn
	table  *nftables.Table
	banned [2]*nftables.Chain // by family
	sets   map[length]*nftables.Set
	count  *nftables.NamedObj
}

// length is a length of prefix of a family.
type length struct {
	v6   bool
	bits int
}

func lengthOf(p netip.Prefix) length { return length{p.Addr().Is6(), p.Bits()} }

func (l length) name() string {
	if l.v6 {
		return fmt.Sprintf("v6_%d", l.bits)
	}
	return fmt.Sprintf("v4_%d", l.bits)
}

// build makes the table in one transaction, in place of one of the same name.
func (r *rules) build(o Options) error {
	r.sets = map[length]*nftables.Set{}
	r.table = &nftables.Table{Family: nftables.TableFamilyINet, Name: o.Table}
	r.conn.AddTable(r.table) // so that deleting is no error
	r.conn.DelTable(r.table)
	r.conn.AddTable(r.table)
	r.count = &nftables.NamedObj{Table: r.table, Name: "dropped", Type: nftables.ObjTypeCounter, Obj: &expr.Counter{}}
	r.conn.AddObj(r.count)
	for i, name := range []string{"banned4", "banned6"} {
		r.banned[i] = r.conn.AddChain(&nftables.Chain{Name: name, Table: r.table})
	}
	accept := nftables.ChainPolicyAccept
	input := r.conn.AddChain(&nftables.Chain{
		Name: "input", Table: r.table, Type: nftables.ChainTypeFilter, Policy: &accept,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityRaw,
	})
	for _, socket := range o.Ports {
		for _, proto := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			r.addSocket(input, socket, proto)
		}
	}
	return r.conn.Flush()
}

// addSocket has the packets to one of our sockets checked. A socket on the unspecified IPv6 address receives IPv4 too.
func (r *rules) addSocket(input *nftables.Chain, socket netip.AddrPort, proto byte) {
	addr := socket.Addr().Unmap().WithZone("")
	for i, v6 := range []bool{false, true} {
		if addr.Is6() != v6 && !(addr.Is6() && addr.IsUnspecified()) {
			continue
		}
		rule := onlyFamily(v6)
		if !addr.IsUnspecified() {
			rule = append(rule, loadAddr(v6, true), same(addr.AsSlice()))
		}
		rule = append(rule,
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, same([]byte{proto}),
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, same(binaryutil.BigEndian.PutUint16(socket.Port())),
			&expr.Verdict{Kind: expr.VerdictJump, Chain: r.banned[i].Name})
		r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: input, Exprs: rule})
	}
}

func onlyFamily(v6 bool) []expr.Any {
	family := byte(unix.NFPROTO_IPV4)
	if v6 {
		family = unix.NFPROTO_IPV6
	}
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, same([]byte{family})}
}

func same(data []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data}
}

// loadAddr loads a packet's source or destination.
func loadAddr(v6, destination bool) *expr.Payload {
	at, size := uint32(12), uint32(4)
	if v6 {
		at, size = 8, 16
	}
	if destination {
		at += size
	}
	return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: at, Len: size}
}

// set is the set of a length, made with its rule when it is first needed.
func (r *rules) set(l length) (*nftables.Set, error) {
	if s := r.sets[l]; s != nil {
		return s, nil
	}
	id := uint32(1 + l.bits) // ours, or the library counts in a global of its own
	if l.v6 {
		id += 1000
	}
	s := &nftables.Set{Table: r.table, ID: id, Name: l.name(), KeyType: nftables.TypeIPAddr, HasTimeout: true, KeyByteOrder: binaryutil.BigEndian}
	chain, size := r.banned[0], 32
	if l.v6 {
		s.KeyType, chain, size = nftables.TypeIP6Addr, r.banned[1], 128
	}
	if err := r.conn.AddSet(s, nil); err != nil {
		return nil, err
	}
	rule := []expr.Any{loadAddr(l.v6, false)}
	if l.bits < size {
		rule = append(rule, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: uint32(size / 8), Mask: net.CIDRMask(l.bits, size), Xor: make([]byte, size/8)})
	}
	rule = append(rule, &expr.Lookup{SourceRegister: 1, SetName: s.Name, SetID: s.ID},
		&expr.Objref{Type: int(nftables.ObjTypeCounter), Name: r.count.Name}, &expr.Verdict{Kind: expr.VerdictDrop})
	r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: chain, Exprs: rule})
	r.sets[l] = s
	return s, nil
}

// apply makes a change in one transaction. After an error the table must be rebuilt. An element cannot be given another
// timeout, and one that is missing cannot be deleted, and it may have expired a moment ago: so it is added, which does nothing
// if it is there, deleted, and added again.
func (r *rules) apply(c *change, now time.Time) error {
	byLength := func(list []element, do func(*nftables.Set, []nftables.SetElement) error) error {
		groups := map[length][]nftables.SetElement{}
		for _, e := range list {
			l := lengthOf(e.net)
			groups[l] = append(groups[l], nftables.SetElement{Key: e.net.Addr().AsSlice(), Timeout: max(e.until.Sub(now), 100*time.Millisecond)})
		}
		for l, elements := range groups {
			s, err := r.set(l)
			if err != nil {
				return err
			}
			if err = do(s, elements); err != nil {
				return err
			}
		}
		return nil
	}
	err := errors.Join(
		byLength(c.drop, r.conn.SetAddElements), byLength(c.drop, r.conn.SetDeleteElements),
		byLength(c.renew, r.conn.SetAddElements), byLength(c.renew, r.conn.SetDeleteElements),
		byLength(c.renew, r.conn.SetAddElements), byLength(c.put, r.conn.SetAddElements),
	)
	return errors.Join(err, r.conn.Flush())
}

// dropped is how many packets this table has dropped; 0 when it has been removed from outside, which work notices.
func (r *rules) dropped() uint64 {
	obj, _ := r.conn.GetObject(r.count)
	if named, ok := obj.(*nftables.NamedObj); ok {
		if counter, ok := named.Obj.(*expr.Counter); ok {
			return counter.Packets
		}
	}
	return 0
}

// remove deletes the table, whether it still exists or not.
func (r *rules) remove() error {
	r.conn.AddTable(r.table)
	r.conn.DelTable(r.table)
	return r.conn.Flush()
}
