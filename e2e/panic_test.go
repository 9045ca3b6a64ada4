//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// Guards: an owner who sees calls that are not theirs, at night and with every cap reached, and no page or telephone number at hand. The code locks the line from
// any of its phones, says so on the display, cuts its calls within five seconds, costs nothing and leaves help within reach. Dialled again it changes nothing.
func TestThePanicCode(t *testing.T) {
	t.Parallel()
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	password := s.line("2001")
	p := s.at("127.58.0.1", "2001", password, "desk/1")
	up := call(t, p, "02079469000")
	s.cli("line", "set", "2001", "line-day-cap=0", "max-calls=1")
	dialled := time.Now()
	for range 3 {
		a := refusedBy(t, p, "*5625*", "locked-by-code")
		if a.Status != 480 {
			t.Errorf("%+v", a)
		}
		contains(t, a.Why, "the line is locked", "Only emergency calls")
	}
	select {
	case <-up.Done():
		contains(t, up.End().Why, "cut-line-locked")
	case <-time.After(5*time.Second - time.Since(dialled)):
		t.Error("the call is up after five seconds")
	}
	refusedBy(t, p, "02079469000", "line-locked")
	call(t, p, "999")
	contains(t, s.cli("line", "show", "2001"), "the panic code was dialled on one of its phones")
	if all := s.facts("line.locked"); len(all) != 1 {
		t.Errorf("%d facts", len(all))
	}
	if out := s.cli("cdr", "list", "--line", "2001", "--json"); strings.Contains(out, `"*5625`) {
		t.Errorf("the code has a record: %s", out)
	}
	eventually(t, 10*time.Second, "a notice", func() bool { return strings.Contains(s.cli("notice", "list", "--line", "2001"), "line-locked") })
}
