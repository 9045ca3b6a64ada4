package app_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"ringfence/edge/phone"
	"ringfence/edge/rest/api"
)

// reader is a browser of the pages of a program, signed in as one of a customer's people.
type reader struct {
	t    *testing.T
	base string
	http.Client
}

func (p *program) signIn(t *testing.T, customer, role string) *reader {
	t.Helper()
	var made struct {
		Link string `json:"link"`
	}
	must(t, p.api.Do(context.Background(), "POST", "/v1/customers/"+customer+"/people", map[string]any{"id": "ana", "role": role}, &made))
	token := made.Link[strings.LastIndexByte(made.Link, '/')+1:]
	jar, err := cookiejar.New(nil)
	must(t, err)
	r := &reader{t: t, base: "http://" + p.app.WebAddr().String(), Client: http.Client{Jar: jar, Timeout: 20 * time.Second}}
	r.press("/in/link/"+token, nil)
	return r
}

func (r *reader) read(path string) (status int, body string) {
	r.t.Helper()
	answer, err := r.Get(r.base + path)
	must(r.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(r.t, err)
	return answer.StatusCode, string(text)
}

// press posts a form of a page, and gives the page that comes of it.
func (r *reader) press(path string, form url.Values) (status int, body string) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.base+path, strings.NewReader(form.Encode()))
	must(r.t, err)
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Origin", r.base)
	answer, err := r.Do(q)
	must(r.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(r.t, err)
	return answer.StatusCode, string(text)
}

// TestACallIsHungUpFromItsPage: the owner sees it while it is up, presses the button, the phone gets a BYE within five seconds, and the page says who
// ended it.
func TestACallIsHungUpFromItsPage(t *testing.T) {
	p := start(t, demoConfig(t))
	defer p.stop()
	c := call(t, p.phone("2001"), "02079460000")
	var live api.List[api.Call]
	p.get("/v1/calls", &live)
	if len(live.Items) != 1 {
		t.Fatalf("calls in progress: %+v", live.Items)
	}
	id, ana := live.Items[0].ID, p.signIn(t, live.Items[0].Customer, "manager")
	if status, body := ana.read("/calls"); status != 200 || !strings.Contains(body, id) || !strings.Contains(body, "Hang up") {
		t.Fatalf("the list: %d %s", status, body)
	}
	if status, body := ana.read("/calls/" + id); status != 200 || !strings.Contains(body, "is up") {
		t.Fatalf("the call: %d %s", status, body)
	}
	if status, body := ana.press("/calls", url.Values{"call": {id}, "to": {"call"}}); status != 200 {
		t.Fatalf("pressing the button: %d %s", status, body)
	}
	select {
	case <-c.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the phone was not told within five seconds")
	}
	if r := p.cdrs("2001", 1)[0]; r.Reason != "cut-by-owner" {
		t.Errorf("record %+v", r)
	}
	if status, body := ana.read("/calls/" + id); status != 200 || !strings.Contains(body, "A call of") {
		t.Errorf("the call afterwards: %d %s", status, body)
	}
	if status, body := ana.read("/calls?period=today"); status != 200 || !strings.Contains(body, "Cut by you") {
		t.Errorf("the list afterwards: %d %s", status, body)
	}
}

// TestAPageExplainsARefusal with every rule in its order, as `ringfence decide` does.
func TestAPageExplainsARefusal(t *testing.T) {
	p := start(t, demoConfig(t))
	defer p.stop()
	if _, _, err := p.phone("2001").Invite(context.Background(), "005371234567", phone.Dialling{}); err != nil {
		t.Fatal(err)
	}
	var all api.List[api.CDR]
	look, late := time.NewTicker(20*time.Millisecond), time.After(10*time.Second)
	defer look.Stop()
	for waiting := true; waiting && len(all.Items) == 0; { // the record of a refusal is written behind the answer
		p.get("/v1/cdrs?line=2001", &all)
		select {
		case <-look.C:
		case <-late:
			waiting = false
		}
	}
	if len(all.Items) != 1 || !all.Items[0].Refused {
		t.Fatalf("records %+v", all.Items)
	}
	ana := p.signIn(t, all.Items[0].Account, "reader")
	status, body := ana.read("/calls/" + string(all.Items[0].ID))
	for _, part := range []string{"We refused this call: Cuba costs more than your ceiling", "International ceiling", "deciding", "Not reached. Would pass"} {
		if !strings.Contains(body, part) {
			t.Errorf("%d without %q: %s", status, part, body)
		}
	}
}
