// Package dnstest is a DNS server on loopback for tests. It must not be used outside of them.
package dnstest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers over UDP and TCP from its zone.
type Server struct {
	Addr netip.AddrPort

	mu    sync.Mutex // owns all below
	zone  map[string][]dnsmessage.Resource
	mute  bool
	asked map[string]int
}

// Serve begins a server that ends with the test. Each record is a line: "NAME TTL TYPE DATA", as in a zone file, with the types A, AAAA, CNAME, SRV
// and NAPTR, whose texts have no quotes ("10 50 s SIP+D2U . _sip._udp.example." without an expression: ".").
func Serve(t testing.TB, records ...string) *Server {
	t.Helper()
	var udp net.PacketConn
	var tcp net.Listener
	for range 20 { // until a port is free in both
		var err error
		if udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			break
		}
		udp.Close()
	}
	if tcp == nil {
		t.Fatal("no port is free")
	}
	s := &Server{Addr: udp.LocalAddr().(*net.UDPAddr).AddrPort(), asked: map[string]int{}}
	s.Set(t, records...)
	t.Cleanup(func() { udp.Close(); tcp.Close() })
	go s.serveUDP(udp)
	go s.serveTCP(tcp)
	return s
}

// Set replaces the zone.
func (s *Server) Set(t testing.TB, records ...string) {
	t.Helper()
	zone := map[string][]dnsmessage.Resource{}
	for _, line := range records {
		r, err := Read(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		key := strings.ToLower(r.Header.Name.String())
		zone[key] = append(zone[key], r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone = zone
}

// Mute makes it answer nothing, or answer again.
func (s *Server) Mute(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = on
}

// Asked is how often a question came: "NAME. TYPE".
func (s *Server) Asked(question string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[question]
}

// Read is one record.
func Read(line string) (r dnsmessage.Resource, err error) {
	f := strings.Fields(line)
	if len(f) < 4 {
		return r, fmt.Errorf("want NAME TTL TYPE DATA")
	}
	name := func(s string) dnsmessage.Name { return dnsmessage.MustNewName(strings.TrimSuffix(s, ".") + ".") }
	var ttl uint32
	if _, err := fmt.Sscan(f[1], &ttl); err != nil {
		return r, err
	}
	r.Header = dnsmessage.ResourceHeader{Name: name(f[0]), Class: dnsmessage.ClassINET, TTL: ttl}
	var a, b, c uint16
	switch data := f[3:]; f[2] {
	case "A":
		r.Body = &dnsmessage.AResource{A: netip.MustParseAddr(data[0]).As4()}
	case "AAAA":
		r.Body = &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(data[0]).As16()}
	case "CNAME":
		r.Body = &dnsmessage.CNAMEResource{CNAME: name(data[0])}
	case "SRV":
		if _, err := fmt.Sscan(strings.Join(data, " "), &a, &b, &c); err != nil {
			return r, err
		}
		r.Body = &dnsmessage.SRVResource{Priority: a, Weight: b, Port: c, Target: name(data[3])}
	case "NAPTR":
		if _, err := fmt.Sscan(strings.Join(data, " "), &a, &b); err != nil {
			return r, err
		}
		r.Body = &dnsmessage.UnknownResource{Type: 35, Data: naptr(a, b, data[2], data[3], strings.Trim(data[4], "."), data[5])}
	default:
		return r, fmt.Errorf("no such type")
	}
	return r, nil
}

func naptr(order, preference uint16, flags, services, expression, replacement string) []byte {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, order), preference)
	for _, text := range []string{flags, services, expression} {
		b = append(append(b, byte(len(text))), text...)
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(replacement, "."), ".") {
		if label != "" {
			b = append(append(b, byte(len(label))), label...)
		}
	}
	return append(b, 0)
}

func (s *Server) serveUDP(c net.PacketConn) {
	b := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if out := s.answer(b[:n], 512); out != nil {
			_, _ = c.WriteTo(out, from)
		}
	}
}

func (s *Server) serveTCP(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			var size [2]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return
			}
			b := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(c, b); err != nil {
				return
			}
			if out := s.answer(b, 1<<16-1); out != nil {
				_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
			}
		}()
	}
}

// answer answers one question; one that is longer than most is cut.
func (s *Server) answer(b []byte, most int) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := strings.TrimPrefix(q.Type.String(), "Type")
	if q.Type == 35 {
		kind = "NAPTR"
	}
	s.asked[q.Name.String()+" "+kind]++
	if s.mute {
		return nil
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: h.ID, Response: true, RecursionAvailable: true}, Questions: []dnsmessage.Question{q}}
	all, ok := s.zone[strings.ToLower(q.Name.String())]
	if !ok {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, r := range all {
		if t := typeOf(r.Body); t == q.Type || t == dnsmessage.TypeCNAME {
			m.Answers = append(m.Answers, r)
		}
	}
	out, err := m.Pack()
	if err == nil && len(out) > most {
		m.Answers, m.Truncated = nil, true
		out, err = m.Pack()
	}
	if err != nil {
		return nil
	}
	return out
}

func typeOf(body dnsmessage.ResourceBody) dnsmessage.Type {
	switch b := body.(type) {
	case *dnsmessage.AResource:
		return dnsmessage.TypeA
	case *dnsmessage.AAAAResource:
		return dnsmessage.TypeAAAA
	case *dnsmessage.CNAMEResource:
		return dnsmessage.TypeCNAME
	case *dnsmessage.SRVResource:
		return dnsmessage.TypeSRV
	case *dnsmessage.UnknownResource:
		return b.Type
	}
	return 0
}
