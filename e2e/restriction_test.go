//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// A hot list refuses calls to its numbers, names itself, spares other and emergency calls, survives a restart, and ends when it is removed.
func TestAHotListRefusesCalls(t *testing.T) {
	t.Parallel()
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	p := s.at("127.53.1.1", "2001", s.line("2001"), "desk/1")
	contains(t, s.cli("hotlist", "add", "+442079460", "--for", "1h", "--why", "test calls"), "is on the hot list desk (out) until")
	refused := func() {
		t.Helper()
		call, answer, err := p.Invite(t.Context(), "02079460001", phone.Dialling{})
		if err != nil || call != nil || answer.Status != 403 {
			t.Fatalf("%v %+v %v", call, answer, err)
		}
	}
	refused()
	eventually(t, 5*time.Second, "the refusal is recorded", func() bool {
		return strings.Contains(s.cli("cdr", "list", "--line", "2001", "--json"), "+442079460 is on the hot list desk until")
	})
	must(t, call(t, p, "02079469000").Hangup(t.Context()))
	must(t, call(t, p, "999").Hangup(t.Context()))
	s.end()
	s.run()
	refused()
	contains(t, s.cli("hotlist", "remove", "+442079460"), "is off the hot list desk")
	must(t, call(t, p, "02079460001").Hangup(t.Context()))
}

// A restriction refuses new calls, ends those in progress only where it says so, with their paid time,
// and never touches an emergency call.
func TestARestrictionClosesDestinations(t *testing.T) {
	t.Parallel()
	const slice = 3 * time.Second
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startWith(t, setup{sections: "[money]\nslice = \"3s\"\nextend-ahead = \"1s\"\n"}, c.Addr())
	up := map[string]*phone.Call{}
	phones := map[string]*phone.Phone{}
	for i, line := range []string{"2001", "2002"} {
		phones[line] = s.at("127.53.0."+string(rune('1'+i)), line, s.line(line), "desk/1")
		up[line] = call(t, phones[line], "02079469000")
	}
	up["help"] = call(t, phones["2001"], "999")
	contains(t, s.cli("restriction", "add", "--line", "2001", "--close", "+4420", "--end-calls", "--why", "odd calls"), "is in force")
	contains(t, s.cli("restriction", "add", "--line", "2002", "--close", "geographic"), "is in force")
	set := time.Now()
	for line, p := range phones {
		call, answer, err := p.Invite(t.Context(), "02079460001", phone.Dialling{})
		if err != nil || call != nil || answer.Status != 403 {
			t.Errorf("%s: %v %+v %v", line, call, answer, err)
		}
		eventually(t, slice, "the refusal is recorded", func() bool {
			return strings.Contains(s.cli("cdr", "list", "--line", line, "--json"), "closes this destination until it is lifted")
		})
	}
	select {
	case <-up["2001"].Done():
	case <-time.After(2*slice + time.Second):
		t.Fatalf("the call is up %v after the restriction", time.Since(set))
	}
	contains(t, up["2001"].End().Why, "cut-restricted")
	for _, other := range []string{"2002", "help"} {
		select {
		case <-up[other].Done():
			t.Errorf("%s: the call ended: %+v", other, up[other].End())
		default:
		}
	}
}
