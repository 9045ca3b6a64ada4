//go:build e2e && linux

package e2e

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"ringfence/edge/phone"
)

// forger sends UDP packets that say they come from somebody else.
type forger struct {
	fd int
	to netip.AddrPort
	n  uint16
}

func newForger(t *testing.T, to netip.AddrPort) *forger {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW) // with IP_HDRINCL
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("forged sources need a raw socket, which needs root or CAP_NET_RAW")
	}
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return &forger{fd: fd, to: to}
}

func (f *forger) send(from netip.AddrPort, body string) error {
	const ip, udp = 20, 8
	p := make([]byte, ip+udp, ip+udp+len(body))
	p = append(p, body...)
	f.n++
	p[0], p[8], p[9] = 0x45, 64, syscall.IPPROTO_UDP
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[4:], f.n)
	src, dst := from.Addr().As4(), f.to.Addr().As4()
	copy(p[12:], src[:])
	copy(p[16:], dst[:]) // the kernel fills in the checksum
	binary.BigEndian.PutUint16(p[ip:], from.Port())
	binary.BigEndian.PutUint16(p[ip+2:], f.to.Port())
	binary.BigEndian.PutUint16(p[ip+4:], uint16(udp+len(body))) // checksum 0: none
	return syscall.Sendto(f.fd, p, 0, &syscall.SockaddrInet4{Addr: dst})
}

// wrongLogin is a REGISTER with a wrong answer to a nonce.
func wrongLogin(from netip.AddrPort, n int, nonce string) string {
	return fmt.Sprintf("REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKf%d\r\nMax-Forwards: 70\r\nFrom: <sip:2001@127.0.0.1>;tag=f%d\r\n"+
		"To: <sip:2001@127.0.0.1>\r\nCall-ID: f%d\r\nCSeq: 2 REGISTER\r\nContact: <sip:2001@%s>\r\nUser-Agent: forger\r\n"+
		"Authorization: Digest username=\"2001\", realm=\"ringfence\", nonce=\"%s\", uri=\"sip:127.0.0.1\", response=\"%032x\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"abc\"\r\nContent-Length: 0\r\n\r\n",
		from, n, n, n, from, nonce, n)
}

// Wrong logins that say they come from the honest phone, and from 10,000 others, with nonces that are made up or were given
// to the attacker: nobody is banned or locked out, the phone registers and calls all the while, and the journal hardly grows.
func TestForgedSourcesShutNobodyOut(t *testing.T) {
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	p := s.at("127.33.0.1", "2001", s.line("2001"), "desk/1")
	registers(t, p)
	f, thief := newForger(t, s.sip), s.stranger("127.66.6.6")
	var nonces []string
	for n := range 10 {
		_, chal := thief.challenge("REGISTER", fmt.Sprintf("20%02d", n))
		nonces = append(nonces, chal.Nonce)
	}
	before := len(s.facts(""))
	flooded := make(chan error, 1)
	go func() {
		for n := range 20_000 {
			from := p.Addr() // every other packet is the phone's
			if n%2 == 0 {
				from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 100 + byte(n/2%20), byte(n / 40 >> 3), byte(n/40) | 1}), 5060)
			}
			nonce := nonces[n%len(nonces)]
			if n%3 == 0 {
				nonce = fmt.Sprintf("awOhPU_TnKNIUBovIcvQuUngnR%02d", n%100)
			}
			if err := f.send(from, wrongLogin(from, n, nonce)); err != nil {
				flooded <- err
				return
			}
		}
		flooded <- nil
	}()
	for done, n := false, 0; !done || n < 10; n++ {
		registers(t, p)
		if n%5 == 0 {
			must(t, call(t, p, "02079460000").Hangup(t.Context()))
		}
		select {
		case err := <-flooded:
			must(t, err)
			done = true
		default:
		}
	}
	registers(t, s.at("127.33.0.1", "2002", s.line("2002"), "desk/2"))
	if n := s.metric("sip_strangers_total"); n < 10_000 {
		t.Errorf("only %.0f of 20,000 forged packets were judged", n)
	}
	s.nobodyShutOut()
	rows, bytes, others := s.facts(""), 0, 0
	for _, r := range rows[before:] {
		if text, _ := json.Marshal(r); r.Line != "2001" && r.Line != "2002" || r.Kind[:5] == "login" {
			others++
			bytes += len(text)
		}
	}
	if others > 20 || bytes > 8<<10 {
		t.Errorf("the journal grew by %d rows, %d bytes, that are not the phone's calls", others, bytes)
	}
}
