package transport

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsg is a UDP socket read and written with recvmmsg and sendmmsg. x/net's ReadBatch would do the same with two
// allocations a packet for the address.
//
// Its reader waits in the system call itself, on a thread of its own, and not in Go's poller: there every packet wakes a
// thread that wakes another, also while the reader naps.
type mmsg struct {
	file   *os.File
	raw    syscall.RawConn // of file: keeps the descriptor from being closed, and its number used again, under a system call
	closed atomic.Bool
	in     batchIn  // the reader's
	out    batchOut // the flusher's
}

// header is struct mmsghdr.
type header struct {
	unix.Msghdr
	n uint32
}

// batchIn holds what recvmmsg fills. Each message is read into its packet's small buffer, and what does not fit there
// into an overflow that belongs to the slot and costs memory only once it is touched.
type batchIn struct {
	hdrs     [batchSize]header
	iovs     [batchSize][2]unix.Iovec
	names    [batchSize]unix.RawSockaddrInet6 // large enough for Inet4
	overflow []byte
	recv     func(fd uintptr) bool
	n        int
	err      syscall.Errno
	last     int64 // nanotime of the last read that brought packets
	gap      int64 // running mean of the nanoseconds between packets
	yielded  int64 // nanotime of the last yield
}

type batchOut struct {
	hdrs  [batchSize]header
	iovs  [batchSize]unix.Iovec
	names [batchSize]unix.RawSockaddrInet6
	send  func(fd uintptr) bool
	todo  int
	n     int
	err   syscall.Errno
	wait  bool
}

const overflowSize = 1<<16 - smallBuf

// listenUDP makes the nth socket of those that share an address.
func listenUDP(a netip.AddrPort, nth, sharing, bufSize int) (datagrams, netip.AddrPort, error) {
	family := unix.AF_INET
	if a.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, netip.AddrPort{}, os.NewSyscallError("socket", err)
	}
	s := &mmsg{file: os.NewFile(uintptr(fd), "udp "+a.String())}
	local, err := bindUDP(fd, a, nth, sharing, bufSize)
	if err == nil {
		s.raw, err = s.file.SyscallConn()
	}
	if err != nil {
		return nil, netip.AddrPort{}, errors.Join(err, s.file.Close())
	}
	s.init()
	return s, local, nil
}

// bindUDP gives a new socket its options and address, and says which one it has got. The first socket takes the address
// alone and lets others beside it only then: a second server, started by mistake, would get half of the packets.
func bindUDP(fd int, a netip.AddrPort, nth, sharing, bufSize int) (local netip.AddrPort, err error) {
	if nth > 0 {
		if err := mayShare(fd); err != nil {
			return local, err
		}
	}
	socketOptions(fd, bufSize)
	var to unix.Sockaddr = &unix.SockaddrInet4{Port: int(a.Port())}
	if a.Addr().Is6() {
		zone, err := zoneID(a.Addr().Zone())
		if err != nil {
			return local, err
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return local, os.NewSyscallError("setsockopt IPV6_V6ONLY", err)
		}
		to = &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: zone}
	} else {
		to.(*unix.SockaddrInet4).Addr = a.Addr().As4()
	}
	if err := unix.Bind(fd, to); err != nil {
		return local, os.NewSyscallError("bind", err)
	}
	if nth == 0 && sharing > 1 {
		if err := mayShare(fd); err != nil {
			return local, err
		}
	}
	name, err := unix.Getsockname(fd)
	switch n := name.(type) {
	case *unix.SockaddrInet4:
		local = netip.AddrPortFrom(netip.AddrFrom4(n.Addr), uint16(n.Port))
	case *unix.SockaddrInet6:
		local = netip.AddrPortFrom(netip.AddrFrom16(n.Addr).WithZone(a.Addr().Zone()), uint16(n.Port))
	}
	return local, os.NewSyscallError("getsockname", err)
}

// zoneID is the number of the interface that an address of fe80::/10 is of.
func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, err
	}
	return uint32(i.Index), nil
}

func mayShare(fd int) error {
	return os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

func socketOptions(fd, size int) {
	// As much buffer as is allowed: beyond net.core.rmem_max needs CAP_NET_ADMIN, and less is no reason to fail.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 0) // Go sets it; no SIP answer goes to everyone (RFC 4475 section 3.3.8)
}

func (s *mmsg) init() {
	in := &s.in
	in.overflow = make([]byte, batchSize*overflowSize)
	for i := range in.hdrs {
		over := in.overflow[i*overflowSize:]
		in.iovs[i][1].Base = &over[0]
		in.iovs[i][1].SetLen(overflowSize)
		h := &in.hdrs[i]
		h.Name = (*byte)(unsafe.Pointer(&in.names[i]))
		h.Iov = &in.iovs[i][0]
		h.SetIovlen(2)
	}
	in.recv, in.gap = s.recv, 2*busyGap
	out := &s.out
	for i := range out.hdrs {
		out.hdrs[i].Name = (*byte)(unsafe.Pointer(&out.names[i]))
		out.hdrs[i].Iov = &out.iovs[i]
		out.hdrs[i].SetIovlen(1)
	}
	out.send = s.sendSome
}

// nap lets packets gather under a flood, as network cards do: to be woken for each of 50,000 packets/s costs more than to
// look at them. Below that every packet is taken as it comes. The clock is the kernel's, as Go's timers are rounded up to a
// millisecond.
func (in *batchIn) nap() {
	now := nanotime()
	if in.n > 0 {
		in.gap += (min((now-in.last)/int64(in.n), longGap) - in.gap) / 64
		in.last = now
	}
	if in.gap < busyGap && in.n < batchSize/2 {
		d := unix.NsecToTimespec(napTime)
		// This keeps the thread's processor: handing it on and taking it back (what the runtime does around an ordinary
		// system call) costs more than others would gain from the half millisecond.
		_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&d)), 0, 0)
	}
}

// In nanoseconds: busyGap is the mean time between packets below which the reader naps, over enough reads for a burst
// of ordinary traffic not to count as a flood; longGap limits the weight of a quiet hour, so that a flood after it is noticed quickly.
const (
	busyGap = 50_000
	longGap = 1_000_000
	napTime = 500_000
)

// yield goes through Go's scheduler now and then. A goroutine that never does, as it only makes system calls, looks hung to
// the runtime, which then takes its processor away fifty thousand times a second (Go 1.26, retake in runtime/proc.go; measured: a sixth of
// all CPU at 8,000 packets/s).
func (in *batchIn) yield() {
	if now := nanotime(); now-in.yielded > yieldEvery {
		in.yielded = now
		runtime.Gosched()
	}
}

// yieldEvery is in nanoseconds, half of the runtime's patience (forcePreemptNS): nearer to it, the processor is sometimes taken away nevertheless.
const yieldEvery = 5_000_000

// recv waits for one packet and takes what more there is.
func (s *mmsg) recv(fd uintptr) bool {
	in := &s.in
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&in.hdrs[0])), batchSize, unix.MSG_WAITFORONE, 0, 0)
	for errno == unix.EINTR && !s.closed.Load() {
		n, _, errno = unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&in.hdrs[0])), batchSize, unix.MSG_WAITFORONE, 0, 0)
	}
	in.n, in.err = int(n), errno
	return true
}

func (s *mmsg) read(slots []*Packet) (int, error) {
	in := &s.in
	for i := range slots {
		if slots[i] == nil {
			slots[i] = newPacket()
		}
		in.iovs[i][0].Base = &slots[i].store[0]
		in.iovs[i][0].SetLen(smallBuf)
		in.hdrs[i].Namelen = uint32(unsafe.Sizeof(in.names[i]))
	}
	in.nap()
	in.yield()
	in.n, in.err = 0, 0
	if err := s.raw.Read(in.recv); err != nil {
		return 0, err
	}
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	if in.err != 0 {
		return 0, in.err
	}
	for i := range in.n {
		s.take(i, slots[i])
	}
	return in.n, nil
}

// take turns the i-th message into a packet; one that was too long is empty.
func (s *mmsg) take(i int, p *Packet) {
	in := &s.in
	h := &in.hdrs[i]
	p.Src = addrOf(&in.names[i])
	size := int(h.n)
	switch {
	case h.Flags&unix.MSG_TRUNC != 0 || size > maxDatagram:
		p.Buf = p.store[:0]
	case size <= smallBuf:
		p.Buf = p.store[:size]
	default:
		p.Buf = append(append(make([]byte, 0, size), p.store...), in.overflow[i*overflowSize:][:size-smallBuf]...)
	}
}

func addrOf(sa *unix.RawSockaddrInet6) netip.AddrPort {
	switch sa.Family {
	case unix.AF_INET:
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(sa4.Addr), ntohs(sa4.Port))
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), ntohs(sa.Port))
	}
	return netip.AddrPort{}
}

func putAddr(sa *unix.RawSockaddrInet6, a netip.AddrPort) uint32 {
	if a.Addr().Is4() {
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		*sa4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: ntohs(a.Port()), Addr: a.Addr().As4()}
		return uint32(unsafe.Sizeof(*sa4))
	}
	*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: ntohs(a.Port()), Addr: a.Addr().As16()}
	return uint32(unsafe.Sizeof(*sa))
}

// ntohs turns a port between the network's order and ours; it is its own inverse.
func ntohs(p uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], p)
	return binary.NativeEndian.Uint16(b[:])
}

// sendSome sends out.hdrs[out.n:out.todo] as far as the kernel takes them without blocking.
func (s *mmsg) sendSome(fd uintptr) bool {
	out := &s.out
	out.err = 0
	for out.n < out.todo {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&out.hdrs[out.n])), uintptr(out.todo-out.n), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN && out.wait:
			// The send buffer is full. Wait for it, but only briefly, because this may be the reader's goroutine, and packets would be lost.
			out.wait = false
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 5)
			continue
		case errno != 0:
			out.err = errno
			return true
		}
		out.n += int(n)
	}
	return true
}

func (s *mmsg) write(q *queue) (sent int) {
	for items := range slices.Chunk(q.items, batchSize) {
		n, ok := s.writeBatch(q.arena, items)
		if sent += n; !ok {
			break
		}
	}
	return sent
}

// writeBatch sends up to batchSize packets. A packet that the kernel refuses is skipped; ok is false when the socket
// took nothing for a while.
func (s *mmsg) writeBatch(arena []byte, items []item) (sent int, ok bool) {
	out := &s.out
	for i, it := range items {
		out.iovs[i].Base = unsafe.SliceData(arena[it.start:])
		out.iovs[i].SetLen(it.end - it.start)
		out.hdrs[i].Namelen = putAddr(&out.names[i], it.to)
	}
	out.n, out.todo, out.wait = 0, len(items), true
	refused := 0
	for out.n < out.todo {
		switch err := s.raw.Write(out.send); {
		case err != nil || out.err == unix.EAGAIN: // closed, or still full
			return out.n - refused, false
		case out.err != 0:
			refused++
			out.n++
		}
	}
	return out.n - refused, true
}

// close wakes the reader: the kernel does so also for a socket that is not connected, though it says ENOTCONN.
func (s *mmsg) close() error {
	s.closed.Store(true)
	_ = s.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) })
	return s.file.Close()
}
