//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// chosenPassword gives a line a password that a person chose: good, but not beyond guessing.
func (s *server) chosenPassword(line string) string {
	s.t.Helper()
	const chosen = "Umber-Quilt-Trombone-41-kestrel"
	cmd := exec.Command(program, "line", "password", line, "--ask-password", "--socket", filepath.Join(s.dir, "ringfence.sock"))
	cmd.Stdin = strings.NewReader(chosen + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("line password: %v\n%s", err, out)
	}
	return chosen
}

// guessFromMany has 66 addresses of two networks try one wrong password each.
func (s *server) guessFromMany(line string, net int) {
	s.t.Helper()
	for i := range 66 {
		x := s.stranger(fmt.Sprintf("127.%d.%d.%d", net, i%2, 10+i))
		x.wait = 250 * time.Millisecond
		x.login(line, fmt.Sprintf("guess-%d", i))
		x.c.Close()
	}
}

// refusedBy wants a call refused with a reason's code.
func refusedBy(t *testing.T, p *phone.Phone, to, code string) phone.Answer {
	t.Helper()
	c, a, err := p.Invite(t.Context(), to, phone.Dialling{})
	must(t, err)
	if c != nil || !strings.Contains(strings.Join(append(a.Warning, a.Reason...), " ")+a.Why, code) {
		t.Errorf("call to %s: %+v; want it refused: %s", to, a, code)
	}
	return a
}

// 66 addresses with one wrong password each must not keep a line's owner out of a new place for a day (R10). With a generated
// password, the phone there logs in immediately, with tight limits. With a guessable one, it is answered like a wrong
// password until the owner admits it: on the page behind a mail's link, or by dialling *236 at a usual place.
func TestDistributedGuessingKeepsNoOwnerOut(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startWith(t, setup{sections: p.config() + fmt.Sprintf("[notify]\nstorm = 100\n[web]\nlisten = %q\n", freePort(t))}, c.Addr())
	s.contact("anna", anna)
	loose := []string{"international-ceiling=£20", "national-ceiling=£20", "premium=on"}
	s.cli(append([]string{"customer", "set", "acme", "--grant"}, loose...)...)

	generated := s.line("2001")
	desk := s.at("127.70.0.1", "2001", generated, "Desk/1.0")
	registers(t, desk)
	s.guessFromMany("2001", 71)
	moved := s.at("127.72.0.1", "2001", generated, "Desk/1.0")
	registers(t, moved)
	first, second := call(t, moved, "02079460000"), call(t, moved, "02079460001")
	contains(t, refusedBy(t, moved, "02079460002", "probation-calls").Why, "try again when one has ended")
	must(t, first.Hangup(t.Context()))
	must(t, second.Hangup(t.Context()))
	contains(t, refusedBy(t, moved, "0033123456789", "probation-class").Why, "ordinary national")
	must(t, call(t, moved, "999").Hangup(t.Context()))
	must(t, call(t, desk, "02079460000").Hangup(t.Context()))
	told := p.one(anna, "tight limits: line 2001", 20*time.Second)
	contains(t, told.text, "127.72.0.1", "127.72.0.0/24", "Desk/1.0", "£2.00", "two calls at a time")
	told.links(t)

	s.line("2002")
	chosen := s.chosenPassword("2002")
	office := s.at("127.73.0.1", "2002", chosen, "Office/1.0")
	registers(t, office)
	s.guessFromMany("2002", 74)
	home := s.stranger("127.75.0.1")
	home.agent = "Home/1.0"
	if right, wrong := home.login("2002", chosen), s.stranger("127.76.0.1").login("2002", "wrong"); right != 403 || wrong != 403 {
		t.Errorf("the right password gets %d, a wrong one %d", right, wrong)
	}
	held := p.one(anna, "confirmation: line 2002", 20*time.Second)
	links := held.links(t) // opens them, which changes nothing
	if status := home.login("2002", chosen); status != 403 {
		t.Fatalf("opening a link let the login in: %d", status)
	}
	_, page, _ := open(t, links["admit"])
	contains(t, page, "127.75.0.1", "127.75.0.0/24", "Home/1.0")
	if status, page := press(t, links["admit"], "admit"); status != http.StatusOK || !strings.Contains(page, "may log in until") {
		t.Fatalf("admit: %d %s", status, page)
	}
	if status := s.stranger("127.75.0.2").login("2002", chosen); status != 403 {
		t.Errorf("the address beside it: %d", status)
	}
	phoneAtHome := s.at("127.75.0.1", "2002", chosen, "Home/1.0")
	registers(t, phoneAtHome)
	refusedBy(t, phoneAtHome, "0033123456789", "probation-class")
	p.one(anna, "tight limits: line 2002", 20*time.Second)

	refusedBy(t, phoneAtHome, "*236", "number-invalid") // it speaks for nobody
	s.signal(syscall.SIGTERM)
	s.run()
	registers(t, phoneAtHome)
	refusedBy(t, phoneAtHome, "0033123456789", "probation-class") // a restart ends nothing
	refusedBy(t, office, "*236", "login-admitted")                // 127.75.0.2 waits
	registers(t, s.at("127.75.0.2", "2002", chosen, "Home/2.0"))
	refusedBy(t, office, "*236", "no-login-held")
}
