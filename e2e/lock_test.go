//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// Guards: a line that was locked without --cut went on spending, while its owner was told that nothing more could be
// spent. Its paid call ends when its paid time ends, with --cut immediately; with --keep-calls it continues. Emergency calls and
// free calls continue in any case, and each command says what it does.
func TestALockedLineSpendsNoMore(t *testing.T) {
	t.Parallel()
	const slice = 3 * time.Second
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startWith(t, setup{sections: "[money]\nslice = \"3s\"\nextend-ahead = \"1s\"\n"}, c.Addr())
	up := map[string]*phone.Call{}
	for i, line := range []string{"2001", "2002", "2003"} {
		at, password := "127.52.0."+string(rune('1'+i)), s.line(line)
		up[line] = call(t, s.at(at, line, password, "desk/1"), "02079469000") // £0.003 for each second begun
		if line == "2001" {
			up["help"] = call(t, s.at(at, line, password, "desk/1"), "999")
		}
	}
	eventually(t, 2*slice, "a further slice is held for each", func() bool { return len(s.facts("slice.held")) >= 3 })
	contains(t, s.cli("line", "lock", "2001", "--why", "odd calls"), "only emergency calls go out",
		"1 call in progress ends when its paid time ends, within a minute.", "1 call that costs the line nothing goes on.")
	locked := time.Now()
	contains(t, s.cli("calls", "list", "--line", "2001"), "ends when paid time ends")
	contains(t, s.cli("line", "show", "2001"), "paid calls end when their paid time ends, within a minute")
	contains(t, s.cli("line", "lock", "2002", "--why", "moves out", "--keep-calls"), "1 call in progress goes on, and may still cost up to the caps.")
	contains(t, s.cli("line", "lock", "2003", "--why", "fraud", "--cut"), "1 call in progress is cut at once.")
	over := func(line string, within time.Duration) {
		t.Helper()
		select {
		case <-up[line].Done():
		case <-time.After(within):
			t.Fatalf("%s: the call is up %v after the lock", line, time.Since(locked))
		}
		contains(t, up[line].End().Why, "cut-line-locked")
	}
	over("2003", time.Second)
	over("2001", slice+500*time.Millisecond)
	if late := time.Since(locked); late > slice+500*time.Millisecond {
		t.Errorf("the call ended %v after the lock, a slice is %v", late, slice)
	}
	for _, f := range s.facts("slice.held") {
		if f.Line == "2001" && f.At.After(locked) {
			t.Errorf("a slice was held %v after the lock", f.At.Sub(locked))
		}
	}
	r := s.cdrs("2001", 1)[0]
	if seconds := (r.Talk + int64(time.Second) - 1) / int64(time.Second); r.Reason != "cut-line-locked" || r.Retail != seconds*3000 {
		t.Errorf("record: %+v", r)
	}
	contains(t, r.Text, "no more talk time was bought, and its paid time ended")
	contains(t, s.cdrs("2003", 1)[0].Text, "which ended it at once")
	if p := s.day("2001"); p.Held != 0 || p.Spent != r.Retail {
		t.Errorf("purse: %+v", p)
	}
	later := time.After(2 * slice)
	for _, line := range []string{"help", "2002"} {
		select {
		case <-up[line].Done():
			t.Errorf("%s: the call ended: %+v", line, up[line].End())
		case <-later:
			later = time.After(0)
		}
	}
	if p := s.day("2002"); p.Held < 4*3000*3 {
		t.Errorf("the call that may go on holds %+v", p)
	}
	if out := s.cli("journal", "--line", "2002", "--json"); !strings.Contains(out, `"lock_calls"`) {
		t.Errorf("the journal says nothing of calls: %s", out)
	}
}
