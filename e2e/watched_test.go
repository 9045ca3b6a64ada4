//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// watchedDeck charges for the connection, so that a night of calls takes seconds.
const watchedDeck = `prefix,destination,rate,connection charge,first interval,sub interval
4420,London,0.01,0,1,1
220,Gambia,0.45,0.60,1,1
`

// A night of 45 calls to one mobile in Gambia, one after the other with short talk: the first ones pass, the rest are refused, the owner gets one mail
// about it, and "that was me" opens the destination again.
func TestANightOfCallsIsStopped(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	pages := freePort(t)
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startWith(t, setup{sections: p.config() + fmt.Sprintf("[web]\nlisten = %q\n[money]\nslice = \"2s\"\nextend-ahead = \"1s\"\n[watch]\ncalls = \"live\"\n"+
		"[provider.settings]\ninternational-ceiling = \"£5\"\nline-day-cap = \"£100\"\naccount-day-cap = \"£100\"\nline-month-cap = \"£100\"\naccount-month-cap = \"£100\"\ncalls-per-minute = \"600\"\n", pages)}, c.Addr())
	deck := filepath.Join(t.TempDir(), "retail.csv")
	must(t, os.WriteFile(deck, []byte(watchedDeck), 0o600))
	s.cli("deck", "import", "retail", deck, "--kind", "retail", "--yes")
	s.contact("anna", anna)
	password := s.line("2001")
	run := sipp{scenario: "call.xml", with: map[string]string{"TALK": "200"}, server: s.sip, line: "2001", password: password, to: "002203123456"}
	closed := func() bool {
		return strings.Contains(s.cli("restriction", "list", "--line", "2001", "--json"), "unusual-calls/")
	}
	passed := 0
	for ; passed < 45 && !closed(); passed++ {
		run.run(t)
		<-time.After(100 * time.Millisecond) // people pause for longer
	}
	if passed < 2 || passed > 30 {
		t.Fatalf("%d calls passed\n%s", passed, s.cli("journal", "--limit", "0"))
	}
	refused := run
	refused.scenario, refused.with = "refused.xml", map[string]string{"STATUS": "403"}
	for range 45 - passed {
		refused.run(t)
	}
	home := run
	home.to = "02079460000"
	home.run(t)
	t.Logf("%d of 45 calls passed", passed)
	contains(t, s.cli("journal", "--kind", "calls.unusual", "--json"), "+2203123456")
	contains(t, s.cli("finding", "list", "--json"), "unusual-calls")
	mail := p.one(anna, "Calls unlike", 20*time.Second)
	contains(t, mail.text, "+2203123456")
	if status, page := press(t, mail.links(t)["mine"], "mine"); status != 200 || !strings.Contains(page, "open again") {
		t.Errorf("that was me: %d %s", status, page)
	}
	if closed() {
		t.Error("it is still closed")
	}
	run.run(t)
}
