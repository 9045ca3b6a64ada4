package locate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"ringfence/edge/sip/locate/dnstest"
)

func (t Target) String() string { return t.Addr.String() + "/" + t.Proto.Small() }

func text(all []Target) string {
	var words []string
	for _, x := range all {
		words = append(words, x.String())
	}
	return strings.Join(words, " ")
}

func TestFind(t *testing.T) {
	var many []string
	for i := range 60 { // too long for a datagram, and more than is taken
		many = append(many, fmt.Sprintf("_sip._udp.many.example 60 SRV %d 0 5060 h%d.example", i, i), fmt.Sprintf("h%d.example 60 A 192.0.2.%d", i, i+1))
	}
	dns := dnstest.Serve(t, append(many,
		"plain.example 300 A 192.0.2.1",
		"plain.example 200 A 192.0.2.2",
		"six.example 60 AAAA 2001:db8::1",
		"_sip._udp.srv.example 40 SRV 20 0 5080 b.example",
		"_sip._udp.srv.example 40 SRV 10 0 5070 a.example",
		"_sip._tcp.srv.example 40 SRV 10 0 5090 a.example",
		"_sips._tcp.srv.example 40 SRV 10 0 5091 a.example",
		"srv.example 60 A 192.0.2.99",
		"a.example 30 A 192.0.2.10",
		"b.example 90 A 192.0.2.11",
		"naptr.example 50 NAPTR 20 10 s SIP+D2U . _sip._udp.srv.example.",
		"naptr.example 50 NAPTR 10 20 S sip+d2t . _sip._tcp.srv.example.",
		"naptr.example 50 NAPTR 10 10 s SIPS+D2T . _sips._tcp.srv.example.",
		"naptr.example 50 NAPTR 5 10 s SIP+D2S . _sip._sctp.srv.example.",
		"naptr.example 50 NAPTR 5 10 u E2U+sip !^.*$!sip:x@evil.example! .",
		"naptr.example 50 NAPTR 5 10 a SIP+D2U . a.example.",
		"secure.example 50 NAPTR 5 10 s SIPS+D2T . _sips._tcp.secure.example.",
		"secure.example 50 A 192.0.2.77",
		"declines.example 60 A 192.0.2.1",
		"_sip._udp.declines.example 60 SRV 0 0 0 .",
		"_sip._udp.empty.example 60 SRV 0 0 5060 nowhere.example",
		"empty.example 60 A 192.0.2.1",
		"_sip._udp.half.example 60 SRV 1 0 5060 nowhere.example",
		"_sip._udp.half.example 60 SRV 2 0 5060 a.example",
		"alias.example 20 CNAME plain.example",
		"loop.example 20 CNAME pool.example",
		"pool.example 20 CNAME loop.example",
		"odd.example 20 A 0.0.0.0",
		"odd.example 20 A 255.255.255.255",
		"odd.example 20 A 224.0.0.1",
		"odd.example 0 A 192.0.2.5",
	)...)
	f := &Finder{Servers: []netip.AddrPort{dns.Addr}}
	for _, c := range []struct {
		address, over, want string
		life                time.Duration
	}{
		{"192.0.2.1", "udp", "192.0.2.1:5060/udp", time.Hour},
		{"192.0.2.1:5070", "auto", "192.0.2.1:5070/udp", time.Hour},
		{"[2001:db8::1]", "tls", "[2001:db8::1]:5061/tls", time.Hour},
		{"plain.example:5070", "udp", "192.0.2.1:5070/udp 192.0.2.2:5070/udp", time.Minute}, // an IPv6 address may come
		{"plain.example", "tls", "192.0.2.1:5061/tls 192.0.2.2:5061/tls", time.Minute},
		{"plain.example", "auto", "192.0.2.1:5060/udp 192.0.2.2:5060/udp", time.Minute},
		{"six.example:5060", "udp", "[2001:db8::1]:5060/udp", time.Minute},
		{"srv.example", "udp", "192.0.2.10:5070/udp 192.0.2.11:5080/udp", 30 * time.Second},
		{"SRV.Example.", "udp", "192.0.2.10:5070/udp 192.0.2.11:5080/udp", 30 * time.Second},
		{"srv.example:5060", "udp", "192.0.2.99:5060/udp", time.Minute},
		{"srv.example", "tcp", "192.0.2.10:5090/tcp", 30 * time.Second},
		{"srv.example", "auto", "192.0.2.10:5070/udp 192.0.2.11:5080/udp 192.0.2.10:5090/tcp 192.0.2.10:5091/tls", 30 * time.Second},
		{"naptr.example", "auto", "192.0.2.10:5091/tls 192.0.2.10:5090/tcp 192.0.2.10:5070/udp 192.0.2.11:5080/udp", 30 * time.Second},
		{"secure.example", "auto", "192.0.2.77:5061/tls", 50 * time.Second},
		{"declines.example", "udp", "the domain says that it has no SIP service: an SRV record declines it", 0},
		{"empty.example", "udp", "the name does not resolve: there is no such record", 0},
		{"half.example", "udp", "192.0.2.10:5060/udp", 30 * time.Second},
		{"alias.example:5060", "udp", "192.0.2.1:5060/udp 192.0.2.2:5060/udp", 20 * time.Second},
		{"loop.example:5060", "udp", "the name does not resolve: aliases of aliases without end", 0},
		{"odd.example:5060", "udp", "192.0.2.5:5060/udp", time.Second},
		{"missing.example", "udp", "the name does not resolve: there is no such record", 0},
		{"plain.example:0", "udp", "no port number: 0", 0},
		{strings.Repeat("a", 64) + ".example:1", "udp", "", 0},
	} {
		s, err := f.Find(t.Context(), c.address, c.over)
		if err != nil {
			if got := err.Error(); got != c.want && c.want != "" || c.life != 0 {
				t.Errorf("%s over %s: %s", c.address, c.over, got)
			}
			continue
		}
		if got := text(s.All()); got != c.want || s.Life != c.life {
			t.Errorf("%s over %s: %s for %s, want %s for %s", c.address, c.over, got, s.Life, c.want, c.life)
		}
	}
	s, err := f.Find(t.Context(), "many.example", "udp")
	if err != nil {
		t.Fatal(err)
	}
	if all := s.All(); len(all) != maxHosts || all[0].Addr.String() != "192.0.2.1:5060" {
		t.Errorf("of 60 hosts: %v", all)
	}
}

// A server that does not answer is passed over for the next one.
func TestTheDNSDoesNotAnswer(t *testing.T) {
	dead, live := dnstest.Serve(t), dnstest.Serve(t, "plain.example 300 A 192.0.2.1")
	dead.Mute(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := (&Finder{Servers: []netip.AddrPort{dead.Addr}}).Find(ctx, "plain.example:5060", "udp"); err == nil || !strings.Contains(err.Error(), "the DNS does not answer") {
		t.Errorf("error %v", err)
	}
	closed := netip.MustParseAddrPort("127.0.0.1:1")
	s, err := (&Finder{Servers: []netip.AddrPort{closed, live.Addr}}).Find(t.Context(), "plain.example:5060", "udp")
	if err != nil || text(s.All()) != "192.0.2.1:5060/udp" {
		t.Errorf("%v, %v", s, err)
	}
}

// RFC 2782: within a priority, hosts come first as often as their weights say; the others follow.
func TestWeights(t *testing.T) {
	at := func(a string, priority, weight uint16) host {
		return host{priority: priority, weight: weight, at: []netip.Addr{netip.MustParseAddr(a)}, port: 5060}
	}
	s := &Servers{hosts: []host{at("10.0.0.1", 1, 75), at("10.0.0.2", 1, 25), at("10.0.0.3", 1, 0), at("10.0.0.9", 2, 65535)}}
	rnd := rand.New(rand.NewPCG(1, 2))
	first := map[string]int{}
	for range 10_000 {
		all := s.Order(rnd.IntN)
		if len(all) != 4 || all[3].Addr.String() != "10.0.0.9:5060" {
			t.Fatalf("order %v", all)
		}
		first[all[0].Addr.Addr().String()]++
	}
	if a, b, c := first["10.0.0.1"], first["10.0.0.2"], first["10.0.0.3"]; a < 7200 || a > 7600 || b < 2300 || b > 2700 || c < 50 || c > 150 {
		t.Errorf("first: %v", first)
	}
}

// What comes as an answer must never do harm, whatever is in it.
func FuzzAnswer(f *testing.F) {
	var q *query
	for _, t := range []dnsmessage.Type{dnsmessage.TypeSRV, typeNAPTR, dnsmessage.TypeA} {
		var err error
		if q, err = newQuery("x.example", t); err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(t), q.text)
	}
	zone := "x.example 60 CNAME y.example"
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true}, Questions: []dnsmessage.Question{{Name: q.name, Type: q.t, Class: dnsmessage.ClassINET}}}
	for _, line := range []string{zone, "y.example 60 CNAME x.example", "y.example 60 SRV 1 2 3 z.example", "x.example 1 A 1.2.3.4"} {
		r, err := dnstest.Read(line)
		if err != nil {
			f.Fatal(err)
		}
		m.Answers = append(m.Answers, r)
	}
	b, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(dnsmessage.TypeSRV), b)
	f.Fuzz(func(t *testing.T, kind uint16, b []byte) {
		q := &query{name: q.name, t: dnsmessage.Type(kind)}
		q.answeredBy(b)
		a, cut, err := q.read(b)
		if err != nil || cut {
			return
		}
		if n := len(a.addresses) + len(a.srvs) + len(a.naptrs); n > maxRecords || a.life > maxLife || a.life < 0 {
			t.Errorf("%d records for %s", n, a.life)
		}
		for _, r := range a.naptrs {
			if s, ok := r.service(); ok && (len(s.name) > 253 || strings.ContainsAny(s.name, " \r\n")) {
				t.Errorf("service %q", s.name)
			}
		}
	})
}

// FuzzNAPTR: the data of a record, which nobody has read before us.
func FuzzNAPTR(f *testing.F) {
	f.Add([]byte("\x00\x0a\x00\x14\x01s\x07SIP+D2U\x00\x04_sip\x04_udp\x01x\x00"))
	f.Add([]byte("\x00\x0a\x00\x14\x01s\x07SIP+D2U\x00\xc0\x0c"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readNAPTR(b)
		if err == nil && (len(r.replacement) > 253 || strings.ContainsAny(r.replacement, " \r\n\x00")) {
			t.Errorf("%+v", r)
		}
	})
}
