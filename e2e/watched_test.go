//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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
	p, s := watching(t, watchedDeck, "[money]\nslice = \"2s\"\nextend-ahead = \"1s\"\n")
	password := s.line("2001")
	run := sipp{scenario: "call.xml", with: map[string]string{"TALK": "200"}, server: s.sip, line: "2001", password: password, to: "002203123456"}
	passed := 0
	for ; passed < 45 && !s.closed("2001"); passed++ {
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
	// One is the call home.
	let := s.billed("2001")
	if len(let) != passed+1 || let[0].Number != "+442079460000" {
		t.Errorf("%d calls are in the records, and %d passed", len(let), passed+1)
	}
	s.lifted(p, "2001", "+2203123456")
	run.run(t)
}

// watching is a server that watches calls, with a line's customer who may spend £100, and a mailbox for its owner.
func watching(t *testing.T, prices, sections string) (*post, *server) {
	return watchingWith(t, "", prices, sections)
}

// watchingWith is watching with another program.
func watchingWith(t *testing.T, serves, prices, sections string) (*post, *server) {
	p := newPost(t)
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startWith(t, setup{program: serves, sections: p.config() + fmt.Sprintf("[web]\nlisten = %q\n%s[watch]\ncalls = \"live\"\n"+
		"[provider.settings]\ninternational-ceiling = \"£5\"\nline-day-cap = \"£100\"\naccount-day-cap = \"£100\"\nline-month-cap = \"£100\"\naccount-month-cap = \"£100\"\n"+
		"calls-per-minute = \"600\"\nmax-calls = \"200\"\nmax-international = \"200\"\n", freePort(t), sections)}, c.Addr())
	deck := filepath.Join(t.TempDir(), "retail.csv")
	must(t, os.WriteFile(deck, []byte(prices), 0o600))
	s.cli("deck", "import", "retail", deck, "--kind", "retail", "--yes")
	s.contact("anna", anna)
	return p, s
}

// closed says that a finding has closed something to a line.
func (s *server) closed(line string) bool {
	return strings.Contains(s.cli("restriction", "list", "--line", line, "--json"), "unusual-calls/")
}

// billed are the line's records of calls that were connected, the newest first, when none is in progress. What its day has cost must be their sum.
func (s *server) billed(line string) (let []record) {
	s.t.Helper()
	eventually(s.t, 45*time.Second, "every call has a record", func() bool { return s.openCalls(line) == 0 && s.day(line).Held == 0 })
	decode(s.t, s.cli("cdr", "list", "--line", line, "--limit", "0", "--json"), &let)
	let = slices.DeleteFunc(let, func(r record) bool { return r.Refused || r.Line != line })
	sum := int64(0)
	for _, r := range let {
		sum += r.Retail
	}
	if day := s.day(line); day.Spent != sum {
		s.t.Errorf("the records of %s come to %d, and its day to %d", line, sum, day.Spent)
	}
	return let
}

// lifted: journal, findings and mail name the number, and "that was me" opens the line again.
func (s *server) lifted(p *post, line, number string) {
	t := s.t
	t.Helper()
	contains(t, s.cli("journal", "--kind", "calls.unusual", "--limit", "0", "--json"), number)
	contains(t, s.cli("finding", "list", "--json"), "unusual-calls")
	mail := p.one(anna, "Calls unlike", 20*time.Second)
	contains(t, mail.text, number)
	if status, page := press(t, mail.links(t)["mine"], "mine"); status != 200 || !strings.Contains(page, "open again") {
		t.Errorf("that was me: %d %s", status, page)
	}
	if s.closed(line) {
		t.Error("it is still closed")
	}
}

// The first minutes of a weekend on which a thief starts 167 calls, one every three seconds, each for as long as he is let: calls that are up end when their paid
// slice does, the rest are refused, and the owner opens it again. In real time, with the slices of a minute that servers have. WEEKEND=10m is ten minutes; make e2e
// plays 75 seconds.
func TestAWeekendOfCallsIsStopped(t *testing.T) {
	t.Parallel()
	lasts, err := time.ParseDuration(cmp.Or(os.Getenv("WEEKEND"), "75s"))
	must(t, err)
	const every = 3 * time.Second
	p, s := watching(t, "prefix,destination,rate,connection charge,first interval,sub interval\n4420,London,0.01,0,1,1\n220,Gambia,0.45,0,1,1\n", "")
	password := s.line("2001")
	r := rand.New(rand.NewPCG(167, 1))
	var numbers []string
	for range min(167, int(lasts/every)) {
		numbers = append(numbers, fmt.Sprintf("00220312%04d", r.IntN(1000)))
	}
	began := time.Now()
	night := sipp{
		scenario: "burst.xml", with: map[string]string{"TALK": fmt.Sprint(lasts.Milliseconds())}, server: s.sip, line: "2001", password: password,
		numbers: numbers, every: every, limit: 2*lasts + time.Minute,
	}.begin(t)
	eventually(t, lasts, "the first answer", func() bool { return s.closed("2001") })
	first := time.Since(began)
	night.done()
	let := s.billed("2001")
	spent, cut := s.day("2001").Spent, 0
	for _, call := range let {
		if call.Reason == "cut-restricted" {
			cut++
		}
		if talk := time.Duration(call.Talk); talk > 3*time.Minute {
			t.Errorf("a call to %s went on for %v: %+v", call.Number, talk, call)
		}
	}
	t.Logf("%d calls in %v: the first answer after %v; %d were let out, %d of them cut; they cost £%.2f", len(numbers), time.Since(began).Round(time.Second), first.Round(time.Second), len(let), cut, float64(spent)/1e6)
	if len(let) == len(numbers) || len(let) < 2 || cut == 0 || spent > 30_000_000 {
		t.Errorf("%d of %d calls were let out, %d cut, for %d", len(let), len(numbers), cut, spent)
	}
	refused := strings.Count(s.cli("journal", "--kind", "call.refused", "--limit", "0", "--json"), "destination-closed")
	if refused == 0 {
		t.Error("no call was refused")
	}
	again := sipp{scenario: "call.xml", with: map[string]string{"TALK": "200"}, server: s.sip, line: "2001", password: password, to: "002203120001"}
	s.lifted(p, "2001", "+220312")
	again.run(t)
}
