//go:build e2e

package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	hookcheck "ringfence/docs/receiver"
	"ringfence/edge/phone"
	"ringfence/edge/webhook"
)

const (
	anna = "anna@customer.test"
	desk = "desk@provider.test"
)

// contact adds somebody who gets the customer's notices.
func (s *server) contact(id, address string) {
	s.t.Helper()
	s.cli("customer", "contact", "add", "acme", id, "--name", "Anna", "--mail", address)
}

// receiver takes the provider's webhooks and checks their signatures.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	kinds []string // mu
}

// hooks starts a receiver, with a key of the operator's own whose public half it knows; table is the configuration.
func hooks(t *testing.T, node string) (r *receiver, table string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	file := filepath.Join(t.TempDir(), "webhook.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), 0o600))
	signer, err := webhook.Ed25519("ringfence-"+node, private)
	must(t, err)
	public, err := hookcheck.ParseKey(signer.Public())
	must(t, err)
	r = &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		check := hookcheck.Check{Now: time.Now(), Key: func(id string) (ed25519.PublicKey, bool) { return public, id == signer.ID }}
		if err := hookcheck.Verify(q, body, check); err != nil {
			t.Errorf("a webhook with a wrong signature: %v", err)
		}
		var b struct{ Kind string }
		if err := json.Unmarshal(body, &b); err != nil || b.Kind == "" {
			t.Errorf("a webhook that says nothing: %v %s", err, body)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.kinds = append(r.kinds, b.Kind)
	}))
	t.Cleanup(r.Close)
	return r, fmt.Sprintf("[notify]\ndesk = [%q]\nstorm = 100\nwebhooks = [%q]\nwebhook-key-file = %q\n", desk, r.URL+"/hook", file)
}

// has counts the webhooks of a kind.
func (r *receiver) has(kind string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kinds {
		if k == kind {
			n++
		}
	}
	return n
}

// open is GET on a link: the page, and what its button does.
func open(t *testing.T, link string) (status int, page, does string) {
	t.Helper()
	r, err := http.Get(link)
	must(t, err)
	return readPage(t, r)
}

var button = regexp.MustCompile(`name="do" value="([a-z-]+)"`)

func readPage(t *testing.T, r *http.Response) (status int, page, does string) {
	t.Helper()
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	must(t, err)
	if m := button.FindSubmatch(text); m != nil {
		does = string(m[1])
	}
	return r.StatusCode, string(text), does
}

// press is the button of a link's page.
func press(t *testing.T, link, does string) (status int, page string) {
	t.Helper()
	r, err := http.PostForm(link, url.Values{"do": {does}})
	must(t, err)
	status, page, _ = readPage(t, r)
	return status, page
}

// links are a letter's answer links by what they do. Each is opened, which changes nothing, as mail scanners do.
func (l letter) links(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, link := range answerURL.FindAllString(l.text, -1) {
		status, page, does := open(t, link)
		if status != http.StatusOK || does == "" {
			t.Errorf("%s: %d %s", link, status, page)
		}
		if !strings.Contains(l.html, link) {
			t.Errorf("the HTML part lacks the link that does %q", does)
		}
		found[does] = link
	}
	return found
}

func (s *server) locked(line string) bool {
	s.t.Helper()
	var l struct{ Locked bool }
	decode(s.t, s.cli("line", "show", line, "--json"), &l)
	return l.Locked
}

// Notices that real events bring about arrive at a real mail server, once each, in both parts, signed; and the provider's
// webhook gets them too, signed.
func TestNoticesArrive(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	hook, table := hooks(t, "e2e")
	pages := freePort(t)
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startWith(t, setup{
		top:      "node = \"e2e\"",
		sections: table + p.config() + fmt.Sprintf("[web]\nlisten = %q\n[provider.help]\nmail = \"help@provider.test\"\nphone = \"020 7946 0000\"\nhours = \"at all times\"\n", pages),
	}, c.Addr())
	s.contact("anna", anna)
	defer func() {
		if t.Failed() {
			t.Logf("journal: %s", s.cli("journal", "--limit", "0"))
		}
	}()

	// A second phone at another place, on 2001. Its notice waits ten seconds for a more serious one; the test continues in that time.
	password := s.line("2001")
	registers(t, s.at("127.10.0.1", "2001", password, "Desk/1.0"))
	thief := s.at("127.11.0.1", "2001", password, "Softphone/3.2")
	registers(t, thief)

	x := s.stranger("127.12.0.1") // guesses on 2002
	s.line("2002")
	for n := range 6 {
		x.login("2002", fmt.Sprintf("guess-%d", n))
	}
	old := s.at("127.13.0.1", "2003", s.line("2003"), "OldPhone/1.0") // 2003's phone has an old password
	registers(t, old)
	s.cli("line", "password", "2003")
	for range 3 {
		_, _ = old.Register(t.Context(), 60)
	}
	s.line("2005")
	s.cli("line", "set", "2005", "honeypot=on")
	s.stranger("127.14.0.1").login("2005", "1234")
	s.line("2006")
	s.cli("line", "lock", "2006", "--why", "calls at night")

	// London dear costs 0.003 for each second begun: 2004's level of 0.01 is passed after three seconds.
	talker := s.at("127.15.0.1", "2004", s.line("2004", "line-warning=0.01"), "Desk/1.0")
	talk := call(t, talker, "02079469000")
	usage := p.one(anna, "2004", 15*time.Second)
	if late := usage.at.Sub(talk.Began().Add(3 * time.Second)); late > 5*time.Second || late < 0 {
		t.Errorf("the warning came %v after the level was passed", late)
	}
	if n := s.openCalls("2004"); n != 1 {
		t.Errorf("the call that was warned of is over")
	}
	must(t, talk.Hangup(t.Context()))

	device := p.one(anna, "2001", 20*time.Second)
	contains(t, device.text, "Softphone/3.2", "127.11.0.1", "2001", "help@provider.test", "020 7946 0000", "at all times")
	for _, tc := range []struct{ to, line, kind string }{
		{anna, "2001", "new-device"},
		{anna, "2002", "guessing"},
		{anna, "2003", "stale-phone"},
		{anna, "2004", "usage-level"},
		{desk, "2005", "honeypot"},
		{anna, "2006", "line-locked"},
		{anna, "2003", "password-changed"},
	} {
		p.one(tc.to, tc.line, 20*time.Second)
		eventually(t, 5*time.Second, "a webhook about "+tc.kind, func() bool { return hook.has(tc.kind) > 0 })
		if n := hook.has(tc.kind); n != 1 {
			t.Errorf("%d webhooks about %s", n, tc.kind)
		}
	}
	once(t, p)

	used := usage.links(t) // "that was me", once
	status, page := press(t, used["mine"], "mine")
	if status != http.StatusOK || strings.Contains(page, "answered already") {
		t.Errorf("that was me: %d %s", status, page)
	}
	if _, page = press(t, used["mine"], "mine"); !strings.Contains(page, "answered already") {
		t.Errorf("the second time it says %s", page)
	}
	if s.locked("2004") {
		t.Error("2004 is locked")
	}

	stolen := call(t, thief, "02079460000")
	links := device.links(t)
	if s.locked("2001") || s.openCalls("2001") != 1 {
		t.Error("opening links changed something")
	}
	if status, page := press(t, links["not-mine"], "not-mine"); status != http.StatusOK || !strings.Contains(page, "locked") {
		t.Errorf("not me: %d %s", status, page)
	}
	select {
	case <-stolen.Done():
	case <-time.After(5 * time.Second):
		t.Error("the thief's call goes on")
	}
	if !s.locked("2001") {
		t.Error("2001 is not locked")
	}
	for _, again := range []string{"not-mine", "mine"} {
		if _, page := press(t, links[again], again); !strings.Contains(page, "answered already") {
			t.Errorf("%s after the answer: %s", again, page)
		}
	}
	gone := s.stranger("127.11.0.1")
	gone.wait = 200 * time.Millisecond
	if status := gone.ask("OPTIONS", "x", ""); status != 0 {
		t.Errorf("the thief's address still gets an answer: %d", status)
	}
}

// once fails if any letter came twice.
func once(t *testing.T, p *post) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[string]bool{}
	for _, l := range p.letters {
		key := l.to + " " + l.subject
		if id := l.header.Get("Message-ID"); seen[id] || seen[key] {
			t.Errorf("twice: %s %s", key, id)
		} else {
			seen[id], seen[key] = true, true
		}
	}
}

// While the mail server is dead nothing is lost, though the program dies too; when both are back, each notice comes once.
func TestDeadMailServerLosesNothing(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	s := startWith(t, setup{sections: p.config() + "[notify]\nstorm = 100\n"})
	s.contact("anna", anna)
	s.line("2001")
	s.cli("line", "lock", "2001", "--why", "before")
	p.one(anna, "2001", 10*time.Second)

	tries, revive := p.die()
	for _, line := range []string{"2002", "2003", "2004"} {
		s.line(line)
		s.cli("line", "lock", line, "--why", "meanwhile")
	}
	eventually(t, 10*time.Second, "all three were tried in vain", func() bool { return tries.Load() >= 3 })
	elapse(500 * time.Millisecond) // so that it is on record that they failed
	s.signal(syscall.SIGKILL)
	s.run()
	s.line("2005")
	s.cli("line", "lock", "2005", "--why", "after the crash")
	revive()
	for _, line := range []string{"2002", "2003", "2004", "2005"} {
		p.one(anna, line, time.Minute)
	}
	once(t, p)
	if n := len(p.all(anna, "")); n != 5 {
		t.Errorf("%d letters", n)
	}
}
