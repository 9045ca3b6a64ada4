//go:build e2e

package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// What the real program decided is decided again from a backup of its journal, byte for byte: calls that were admitted and cut, and every refusal.
func TestTheJournalGivesEveryVerdictAgain(t *testing.T) {
	t.Parallel()
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startWith(t, setup{sections: "[money]\nslice = \"3s\"\nextend-ahead = \"1s\"\n"}, c.Addr())
	p := s.at("127.54.0.1", "2001", s.line("2001", "max-calls=2", "line-day-cap=0.05"), "desk/1")
	q := s.at("127.54.0.2", "2002", s.line("2002"), "desk/1")
	first := call(t, q, "02079460000")
	for _, x := range []struct {
		from *phone.Phone
		to   string
	}{
		{p, "02079460000"},
		{p, "09098790123"},
		{p, "0037167123456"},
		{p, "1471"},
		{p, "zzz"},
		{p, "02079460001"},
		{p, "02079460002"},
		{p, "999"},
		{q, "0033142685300"},
		{q, "02079460009"},
	} {
		if up, _, err := x.from.Invite(t.Context(), x.to, phone.Dialling{}); err == nil && up != nil {
			<-time.After(300 * time.Millisecond)
			must(t, up.Hangup(t.Context()))
		}
	}
	contains(t, s.cli("line", "lock", "2001", "--why", "test"), "locked")
	if up, answer, err := p.Invite(t.Context(), "02079460000", phone.Dialling{}); err != nil || up != nil || answer.Status != 403 {
		t.Errorf("%+v %v", answer, err)
	}
	contains(t, s.cli("line", "lock", "2002", "--why", "test"), "locked")
	select {
	case <-first.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the locked call is up")
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	local := func(args ...string) []byte {
		out, err := exec.Command(program, args...).Output()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		return out
	}
	local("backup", backup, "--config", s.config)
	for _, journal := range []string{backup, "live"} {
		var got struct{ Verdicts, Same, Different, Unknown, Outside int }
		must(t, json.Unmarshal(local("replay", "--journal", journal, "--rules", s.config, "--json"), &got))
		if got.Verdicts < 12 || got.Same != got.Verdicts || got.Different != 0 {
			t.Errorf("%s: %+v", journal, got)
		}
		t.Logf("%s: %+v", journal, got)
	}
}
