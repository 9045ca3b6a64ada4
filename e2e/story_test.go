//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// storyDeck is what customers pay in the story, and storyCost what the carrier charges us.
const (
	storyDeck = `prefix,destination,rate,connection charge,first interval,sub interval
4420,London,0.01,0,1,1
220,Gambia,0.45,0.60,1,1
`
	storyCost = `prefix,destination,rate,connection charge,first interval,sub interval
4420,London,0.002,0,1,1
220,Gambia,0.20,0.25,1,1
`
)

// story is a server on which a login was stolen, with the people who settle it.
type story struct {
	*server
	p        *post
	password string
	site     string // of the pages
	number   string // of the case
}

// tell starts a server that has a cost deck, an owner who may sign in, and two of staff.
func tell(t *testing.T) *story {
	p, s := watching(t, storyDeck, "[money]\nslice = \"2s\"\nextend-ahead = \"1s\"\n[desk]\nsecond-above = 1\n")
	cost := filepath.Join(t.TempDir(), "cost.csv")
	must(t, os.WriteFile(cost, []byte(storyCost), 0o600))
	s.cli("deck", "import", "carrier", cost, "--kind", "cost", "--yes")
	s.cli("trunk", "set", "carrier-1", "deck=carrier")
	return &story{server: s, p: p, password: s.line("2001")}
}

// steal plays a thief who has the password and calls Gambia until the ladder stops him, and a few times more.
func (s *story) steal() (connected int) {
	s.t.Helper()
	thief := sipp{scenario: "call.xml", with: map[string]string{"TALK": "200"}, server: s.sip, from: "127.11.0.1", line: "2001", password: s.password, to: "002203123456"}
	for ; connected < 45 && !s.closed("2001"); connected++ {
		thief.run(s.t)
		elapse(100 * time.Millisecond) // people pause for longer
	}
	thief.scenario, thief.with = "refused.xml", map[string]string{"STATUS": "403"}
	for range 3 {
		thief.run(s.t)
	}
	return connected
}

var caseNumber = regexp.MustCompile(`opened case (\d+)`)

// disown is the owner's answer to the mail: the line is locked, and there is a case.
func (s *story) disown() {
	s.t.Helper()
	mail := s.p.one(anna, "Calls unlike", 20*time.Second)
	link := mail.links(s.t)["not-mine"]
	status, page := press(s.t, link, "not-mine")
	m := caseNumber.FindStringSubmatch(page)
	if status != 200 || m == nil || !s.locked("2001") {
		s.t.Fatalf("not me: %d, locked %v: %s", status, s.locked("2001"), page)
	}
	s.number, s.site = m[1], link[:strings.Index(link, "/answer/")]
}

var signInURL = regexp.MustCompile(`http://\S+/in/link/\S+`)

// report signs the owner in, and has the calls that are theirs to dispute ticked.
func (s *story) report(anna *visitor) {
	t := s.t
	t.Helper()
	anna.signIn(signInURL.FindString(s.cli("customer", "person", "add", "acme", "ana", "--role", "owner", "--name", "Ana Baker")))
	anna.sees("Line 2001 is locked")
	anna.open("/report")
	anna.fill(`textarea[name="calls"]`, "Calls to Gambia in the night; we were closed.")
	anna.press("Send it to the fraud desk")
	anna.at("code=")
	anna.open("/calls")
	_, ok := ask[bool](anna, `document.querySelectorAll("input.tick").forEach((x) => x.click()), true`)
	if !ok {
		t.Fatal("nothing can be ticked")
	}
	anna.press("Dispute the ticked calls") // in the case that the answer opened
	anna.at("/cases/" + s.number)
}

// TestAStolenLoginIsSettled: a thief plays, the ladder stops him, the owner answers the mail, reports it and disputes the calls, the desk judges, brings them down to
// cost, claims from the carrier, passes its credit on, and lets the rest be paid in instalments; the file of the case is accepted by a verifier that is not ours.
func TestAStolenLoginIsSettled(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	s := tell(t)
	stolen := s.steal()
	if stolen < 2 || stolen > 30 {
		t.Fatalf("%d calls passed", stolen)
	}
	s.disown()
	s.report(newVisitor(browser, t, 390, s.site))
	var calls []struct {
		Call  string
		State string
	}
	decode(t, s.cli("case", "calls", s.number, "--json"), &calls)
	if len(calls) != stolen {
		t.Fatalf("%d calls are in dispute, and the thief made %d: %+v", len(calls), stolen, calls)
	}
	fmt.Println(s.cli("case", "show", s.number))
}
