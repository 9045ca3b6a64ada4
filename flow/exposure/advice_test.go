package exposure

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"ringfence/state/store/memory"
)

// TestAdvice: each sign has its advice, with the setting that helps and what that does; a line that has none of them gets none.
func TestAdvice(t *testing.T) {
	_, b := office(t)
	desk, err := New(Options{Book: b, Money: memory.New(), Ring: time.Minute})
	must(t, err)
	l, _ := b.LineCalled("2001")
	now := time.Now()
	codes := func(s *Seen) (all []string) {
		advice, err := desk.Advice(t.Context(), l, s)
		must(t, err)
		for _, a := range advice {
			if all = append(all, a.Code); (a.Set == "") != (a.Effect == "") {
				t.Errorf("%+v: what is set has an effect, and nothing else has", a)
			}
		}
		return all
	}
	out := netip.MustParseAddr("203.0.113.7")
	bad := &Seen{
		Phones:   []Phone{{Agent: "Cisco/SPA112-1.4.1(002)", Transport: "udp", Contact: "sip:2001@203.0.113.7:5060", From: out}},
		Places:   []Place{{Address: "203.0.113.7", First: now.Add(-60 * 24 * time.Hour), Last: now}},
		Password: now.Add(-400 * 24 * time.Hour),
	}
	if got := codes(bad); !slices.Equal(got, []string{"ip-lock", "abroad-unused", "firmware", "public-address", "plain-udp", "password-age"}) {
		t.Errorf("%q", got)
	}
	good := &Seen{
		Phones:   []Phone{{Agent: "Yealink SIP-T46S 66.86.0.15", Transport: "tcp", Contact: "<sip:2001@192.168.1.20:5060>;x=1", From: out}},
		Places:   []Place{{Address: "203.0.113.7", First: now.Add(-60 * 24 * time.Hour), Last: now}, {Address: "198.51.100.9", First: now.Add(-2 * time.Hour), Last: now}},
		Password: now.Add(-time.Hour), Abroad: true,
	}
	if got := codes(good); len(got) > 0 {
		t.Errorf("%q", got)
	}
}
