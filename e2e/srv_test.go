//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"ringfence/edge/phone"
	"ringfence/edge/sip/locate/dnstest"
)

// A carrier is known by its SRV records only, and the first of its hosts is dead: the call is placed over the second. The dead one is left out, so that the
// next call does not wait for it, and is called again once it answers.
func TestACarrierBySRVWithADeadFirstHost(t *testing.T) {
	live, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	dead := freePort(t)
	dns := dnstest.Serve(t,
		fmt.Sprintf("_sip._udp.carrier.example 60 SRV 10 0 %d one.carrier.example", dead.Port()),
		fmt.Sprintf("_sip._udp.carrier.example 60 SRV 20 0 %d two.carrier.example", live.Addr().Port()),
		"one.carrier.example 60 A 127.0.0.1", "two.carrier.example 60 A 127.0.0.1",
		"carrier.example 60 A 127.0.0.99", // what has SRV records is not called at its own address
	)
	s := startIn(t, t.TempDir(), "dns = ["+strconv.Quote(dns.Addr.String())+"]\n")
	s.cli("trunk", "add", "by-name", "carrier.example")
	password := s.line("2001")
	call := func() time.Duration {
		began := time.Now()
		sipp{scenario: "call.xml", with: map[string]string{"TALK": "100"}, server: s.sip, line: "2001", password: password, to: "02079460000"}.run(t)
		return time.Since(began)
	}
	first := call()
	if n := live.Stats().Offered; n != 1 || first < time.Second {
		t.Fatalf("the second host was offered %d calls, after %s", n, first)
	}
	var trunk struct {
		State string `json:"state"`
		Now   struct {
			LeftOut []struct {
				Address netip.AddrPort `json:"address"`
			} `json:"left_out"`
		} `json:"now"`
	}
	look := func() int {
		trunk.Now.LeftOut = nil
		must(t, json.Unmarshal([]byte(s.cli("trunk", "show", "by-name", "--json")), &trunk))
		return len(trunk.Now.LeftOut)
	}
	if look() != 1 || trunk.Now.LeftOut[0].Address != dead {
		t.Errorf("left out: %+v, want %s", trunk.Now.LeftOut, dead)
	}
	contains(t, s.cli("status"), "by-name", dead.String())
	if second := call(); second >= first {
		t.Errorf("the second call took %s, the first %s", second, first)
	}
	back, _ := carrier(t, phone.CarrierOptions{Listen: dead, Quiet: true})
	eventually(t, 30*time.Second, "the first host is called again", func() bool { return look() == 0 })
	call()
	if n := back.Stats().Offered; n != 1 {
		t.Errorf("the first host was offered %d calls", n)
	}
}
