package transport

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/netip"
	"testing"
	"time"
)

// stunRequest is a binding request with attributes; marked ones end with a fingerprint.
func stunRequest(marked bool, attributes ...[]byte) []byte {
	body := bytes.Join(attributes, nil)
	size := len(body)
	if marked {
		size += 8
	}
	b := binary.BigEndian.AppendUint16([]byte{0, 1}, uint16(size))
	b = append(append(b, 0x21, 0x12, 0xa4, 0x42), "twelve bytes"...)
	b = append(b, body...)
	if marked {
		sum := crc32.ChecksumIEEE(b) ^ stunXOR
		b = binary.BigEndian.AppendUint32(append(b, 0x80, 0x28, 0, 4), sum)
	}
	return b
}

func attribute(kind uint16, value string) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(value))), value...)
	return append(b, make([]byte, -len(value)&3)...)
}

// The vector of RFC 5769 section 2.1 has attributes of ICE that a server on the SIP port does not know: it says so (RFC 8489 section 6.3.1).
const rfc5769Request = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36" +
	"00060009" + "6576746a3a68367659202020" + "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"

func TestSTUN(t *testing.T) {
	vector, err := hex.DecodeString(rfc5769Request)
	if err != nil {
		t.Fatal(err)
	}
	change := func(b []byte, at int, to ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], to)
		return b
	}
	for name, c := range map[string]struct {
		in, src, want string // want is the type and the attributes in hex; "" is no answer
	}{
		"plain":                   {string(stunRequest(false)), "192.0.2.1:32853", "0101 00200008 0001a147e112a643"}, // the mapped address of RFC 5769 section 2.2
		"IPv6":                    {string(stunRequest(false)), "[2001:db8::1]:5060", "0101 00200014 000232d6" + xored6("2001:db8::1")},
		"mapped IPv4":             {string(stunRequest(false)), "[::ffff:192.0.2.1]:32853", "0101 00200008 0001a147e112a643"},
		"with a name of software": {string(stunRequest(false, attribute(0x8022, "a phone"))), "192.0.2.1:32853", "0101 00200008 0001a147e112a643"},
		"unknown":                 {string(stunRequest(false, attribute(0x0003, "\x00\x00\x00\x06"))), "192.0.2.1:1", "0111 00090004 00000414 000a0002 00030000"},
		"of ICE":                  {string(vector), "192.0.2.1:1", "0111 00090004 00000414 000a0002 00240000 fingerprint"},
		"with a fingerprint":      {string(stunRequest(true)), "192.0.2.1:32853", "0101 00200008 0001a147e112a643 fingerprint"},
		"a wrong one":             {string(change(stunRequest(true), 27, 0xff)), "192.0.2.1:1", ""},
		"not the last":            {string(append(change(stunRequest(true), 2, 0, 12), attribute(0x8022, "")...)), "192.0.2.1:1", ""},
		"after a signature":       {string(stunRequest(false, attribute(stunIntegrity, "01234567890123456789"), attribute(0x0024, "1234"))), "192.0.2.1:32853", "0101 00200008 0001a147e112a643"},
		"a response":              {string(change(stunRequest(false), 0, 1, 1)), "192.0.2.1:1", ""},
		"an indication":           {string(change(stunRequest(false), 0, 0, 0x11)), "192.0.2.1:1", ""},
		"an allocation":           {string(change(stunRequest(false), 0, 0, 3)), "192.0.2.1:1", ""},
		"RFC 3489":                {string(change(stunRequest(false), 4, 1, 2, 3, 4)), "192.0.2.1:1", ""},
		"too short":               {string(stunRequest(false)[:19]), "192.0.2.1:1", ""},
		"a wrong length":          {string(change(stunRequest(false), 2, 0, 4)), "192.0.2.1:1", ""},
		"no multiple of four":     {string(append(change(stunRequest(false), 2, 0, 2), 0, 0)), "192.0.2.1:1", ""},
		"an attribute too long":   {string(stunRequest(false, []byte{0x80, 0x22, 0, 5, 1, 2, 3, 4})), "192.0.2.1:1", ""},
		"nothing":                 {"", "192.0.2.1:1", ""},
	} {
		out := appendSTUN(nil, []byte(c.in), netip.MustParseAddrPort(c.src))
		if got := shownSTUN(t, c.in, out); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	many := make([][]byte, 0, 10)
	for i := range 10 {
		many = append(many, attribute(uint16(0x0100+i), ""))
	}
	if out := appendSTUN(nil, stunRequest(true, many...), netip.MustParseAddrPort("192.0.2.1:1")); len(out) != 20+8+12+8 {
		t.Errorf("a refusal of many attributes has %d bytes", len(out))
	}
}

func xored6(addr string) string {
	a, key := netip.MustParseAddr(addr).As16(), append([]byte{0x21, 0x12, 0xa4, 0x42}, "twelve bytes"...)
	for i := range a {
		a[i] ^= key[i]
	}
	return hex.EncodeToString(a[:])
}

// shownSTUN checks the frame of an answer, and shows the rest.
func shownSTUN(t *testing.T, in string, out []byte) string {
	t.Helper()
	if len(out) == 0 {
		return ""
	}
	if int(binary.BigEndian.Uint16(out[2:])) != len(out)-20 || string(out[4:20]) != in[4:20] || len(out) > len(in)+24 {
		t.Errorf("the header %x of %d bytes does not fit", out[:20], len(out))
	}
	text := hex.EncodeToString(out[:2])
	for b := out[20:]; len(b) > 0; {
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		n = (n + 3) &^ 3
		if kind == stunFingerprint {
			if binary.BigEndian.Uint32(b[4:]) != crc32.ChecksumIEEE(out[:len(out)-8])^stunXOR {
				t.Error("a wrong fingerprint")
			}
			text += " fingerprint"
		} else {
			text += " " + hex.EncodeToString(b[:4]) + " " + hex.EncodeToString(b[4:4+n])
		}
		b = b[4+n:]
	}
	return text
}

// The SIP port answers a binding request, costs no memory for it, and does not answer one source without end: who forges it gains nothing.
func TestSTUNOnTheSIPPort(t *testing.T) {
	bans := NewBans(100)
	var tr *Transport
	startAs(t, &tr, Config{UDP: []netip.AddrPort{loopback}, Bans: bans, Handle: func(p *Packet) { echo(&tr)(p) }})
	c := client(t, tr.Addr(UDP))
	send(t, c, string(stunRequest(false)))
	got := read(t, c, 0)
	local, _ := addrPort(c.LocalAddr())
	if want := string(appendSTUN(nil, stunRequest(false), local)); got != want {
		t.Errorf("%x, want %x", got, want)
	}
	for range 3 * stunBurst {
		send(t, c, string(stunRequest(false)))
	}
	msg := text("x", 0)
	send(t, c, msg)
	answers := 0
	for read(t, c, 0) != msg {
		answers++
	}
	if answers < stunBurst-1 || answers > stunBurst+stunRate*10 {
		t.Errorf("%d answers, the burst is %d", answers, stunBurst)
	}
	other := clientFrom(t, "127.0.0.2:0", tr.Addr(UDP))
	send(t, other, string(stunRequest(true)))
	read(t, other, 0)
	stuns := tr.Stats().STUN
	banAddr(bans, netip.MustParseAddr("127.0.0.2"), time.Hour)
	send(t, other, string(stunRequest(true)))
	eventually(t, "a packet to be dropped", func() bool { return tr.Stats().Banned == 1 })
	if tr.Stats().STUN != stuns {
		t.Error("a banned source is answered")
	}
	s, p := &socket{t: tr, held: true}, &Packet{store: make([]byte, smallBuf), Src: netip.MustParseAddrPort("192.0.2.1:5060")}
	p.Buf = append(p.store[:0], stunRequest(true)...)
	s.waiting.items, s.waiting.arena = make([]item, 0, 1000), make([]byte, 0, 1<<20)
	if n := testing.AllocsPerRun(20, func() { s.keepAlive(p, nanotime()) }); n != 0 {
		t.Errorf("%v allocations for an answer", n)
	}
}

func FuzzSTUN(f *testing.F) {
	vector, _ := hex.DecodeString(rfc5769Request)
	for _, b := range [][]byte{vector, stunRequest(false), stunRequest(true), stunRequest(false, attribute(3, "1234"))} {
		f.Add(b)
	}
	src := netip.MustParseAddrPort("[2001:db8::1]:5060")
	f.Fuzz(func(t *testing.T, b []byte) {
		out := appendSTUN(nil, b, src)
		if len(out) > len(b)+24 {
			t.Errorf("%d bytes for %d", len(out), len(b))
		}
		if len(out) > 0 && (len(b) < 20 || out[0] != 1 || int(binary.BigEndian.Uint16(out[2:])) != len(out)-20) {
			t.Errorf("%x is answered %x", b, out)
		}
	})
}
