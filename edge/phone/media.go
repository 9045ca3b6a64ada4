package phone

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const sdpType = "application/sdp"

// sdp offers or answers one audio stream of A-law and µ-law at an address (RFC 4566), version counts up in one call.
func sdp(at netip.AddrPort, version int, direction string) []byte {
	family := "IP4"
	if at.Addr().Is6() {
		family = "IP6"
	}
	return []byte(fmt.Sprintf("v=0\r\no=ringfence %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"+
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=%s\r\n",
		at.Port(), version, family, at.Addr(), family, at.Addr(), at.Port(), direction))
}

// mediaOf is where a body wants its audio; ok is false without a usable stream.
func mediaOf(body []byte) (netip.AddrPort, bool) {
	var addr netip.Addr
	port := 0
	for line := range strings.SplitSeq(string(body), "\n") {
		f := strings.Fields(strings.TrimSpace(line))
		switch {
		case len(f) == 3 && f[0] == "c=IN":
			addr, _ = netip.ParseAddr(f[2])
		case len(f) > 2 && f[0] == "m=audio":
			port, _ = strconv.Atoi(f[1])
		}
	}
	return netip.AddrPortFrom(addr, uint16(port)), addr.IsValid() && port > 0 && port < 1<<16
}

// media is one RTP socket, shared by the calls of a phone or a carrier. It counts what it hears and can send a tone.
type media struct {
	conn    *net.UDPConn
	heard   atomic.Int64 // RTP packets in
	loud    atomic.Int64 // of them, those that are not silence
	done    chan struct{}
	address netip.AddrPort
}

func newMedia(at netip.Addr) (*media, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return nil, err
	}
	m := &media{conn: c, done: make(chan struct{}), address: addrPort(c.LocalAddr().(*net.UDPAddr).AddrPort())}
	go m.listen()
	return m, nil
}

func (m *media) listen() {
	defer close(m.done)
	buf := make([]byte, 2048)
	for {
		n, _, err := m.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if n <= 12 || buf[0]>>6 != 2 {
			continue
		}
		m.heard.Add(1)
		if varied(buf[12:n]) {
			m.loud.Add(1)
		}
	}
}

// varied says that a payload is sound: silence repeats one byte.
func varied(payload []byte) bool {
	for _, b := range payload {
		if b != payload[0] {
			return true
		}
	}
	return false
}

// play sends a 425 Hz tone in A-law, 20 ms a packet, until the context ends. Only loopback hears it: a test tool must not
// be made to send media at an address that an unknown source's SDP names.
func (m *media) play(ctx context.Context, to netip.AddrPort) {
	if !to.Addr().IsLoopback() {
		return
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	p := make([]byte, 12+160)
	p[0], p[1] = 0x80, 8
	binary.BigEndian.PutUint32(p[8:], 0x52494e47)
	for seq := 0; ; seq++ {
		binary.BigEndian.PutUint16(p[2:], uint16(seq))
		binary.BigEndian.PutUint32(p[4:], uint32(seq*160))
		for i := range 160 {
			s := math.Sin(2 * math.Pi * 425 * float64(seq*160+i) / 8000)
			p[12+i] = alaw(int16(s * 8000))
		}
		if _, err := m.conn.WriteToUDPAddrPort(p, to); err != nil && ctx.Err() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// alaw codes a sample (ITU-T G.711).
func alaw(s int16) byte {
	sign := byte(0x80)
	v := int(s)
	if v < 0 {
		sign, v = 0, -v-1
	}
	v >>= 3
	exp := 0
	for seg := v >> 5; seg > 0; seg >>= 1 {
		exp++
	}
	mant := v >> 1 & 0xf
	if exp > 1 {
		mant = v >> exp & 0xf
	}
	return (sign | byte(exp<<4) | byte(mant)) ^ 0x55
}

func (m *media) close() error {
	err := m.conn.Close()
	<-m.done
	return err
}
