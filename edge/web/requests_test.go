package web

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/flow/book"
)

// TestARaiseIsAskedGrantedAndEndsByItself: asked on a page, granted by the desk on another until a day, and after that day the limit is what it was.
func TestARaiseIsAskedGrantedAndEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouseWith(t, func(h *house, d *Deps) { d.Book = h.book })
		_, _, err := h.book.AddLine(t.Context(), "t", book.NewLine{ID: "2001", Customer: h.acme, Edit: book.LineEdit{}})
		fatal(t, err)
		ceiling := func() int64 {
			l, _ := h.book.LineCalled("2001")
			return l.Effective(time.Now()).Values[account.InternationalCeiling]
		}
		was := ceiling()
		_, ana := h.enter(h.acme, "ana", person.Manager)
		day := time.Now().AddDate(0, 0, 3).Format(time.DateOnly)
		want(t, "asking", ana.post("/requests/new", "line", "2001", "field", "international-ceiling", "value", "71.4p", "until", day, "why", "A cousin in Cuba"), 303, "/requests")
		want(t, "the list", ana.get("/requests"), 200, "1 request waits for an answer")
		_, desk := h.enter("", "tom", person.Fraud)
		desk.secure(t)
		want(t, "what is asked", desk.get("/staff/requests/1"), 200, "A cousin in Cuba")
		want(t, "granting", desk.post("/staff/requests/1", "do", "grant", "until", day, "note", "Until then"), 303, "/staff/requests/1")
		if ceiling() != int64(71.4*float64(money.PencePerMinute)) {
			t.Fatalf("the ceiling is %d", ceiling())
		}
		want(t, "granted", ana.get("/requests"), 200, "Granted")
		time.Sleep(4 * 24 * time.Hour)
		if ceiling() != was {
			t.Errorf("after its end the ceiling is %d, was %d", ceiling(), was)
		}
		_, ana = h.enter(h.acme, "eve", person.Reader)
		want(t, "over", ana.get("/requests"), 200, "Ended")
	})
}

func TestRequests(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Manager)
	c.shows("none", b.get("/requests"), "No request waits", "You have not asked for anything yet.")
	c.shows("a form", b.get("/requests/new?line=2001&field=international-ceiling&value=71.4p"), "Ask for more")
	for name, form := range map[string][]string{
		"another's line": {"line", "3001", "field", "max-calls", "value", "20"}, "no line": {"line", "9999", "field", "max-calls", "value", "20"}, "no value": {"line", "2001", "field", "max-calls", "value", "many"},
		"a lower one": {"line", "2001", "field", "max-calls", "value", "1"}, "a day that has passed": {"line", "2001", "field", "max-calls", "value", "20", "until", "2020-01-01"}, "no setting": {"line", "2001", "field", "<b>", "value", "20"},
		"hostile": {"line", hostileName, "field", hostileName, "value", hostileName, "until", hostileName, "why", hostileName},
	} {
		w := b.post("/requests/new", form...)
		c.shows(name, w, "Nothing was saved yet")
		if w.Code != 422 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	want(t, "hostile words", b.post("/requests/new", "line", "2002", "field", "max-calls", "value", "20", "why", hostileName), 303, "/requests")
	c.shows("they are shown", b.get("/requests"), "1 request waits", "Concurrent calls")
	want(t, "a reader asks", c.prove("rob", person.Reader).post("/requests/new", "line", "2001", "field", "max-calls", "value", "20"), 403, "It is not for the role reader")
	_, bravo := c.enter(c.bravo, "bob", person.Owner)
	c.shows("another customer's", bravo.get("/requests"), "No request waits")
	want(t, "a customer at the desk", bravo.get("/staff/requests/1"), 404, "no such page")
	for _, path := range []string{"/requests", "/requests/new", "/staff/requests/1"} {
		want(t, path+" of nobody", c.browser().get(path), 401, "Sign in first")
	}
	_, aud := c.enter("", "aud", person.Auditor)
	aud.secure(t)
	if w := aud.get("/staff/requests/1"); w.Code != 200 || strings.Contains(w.Body.String(), "Grant it") {
		t.Errorf("the auditor: %d, with buttons", w.Code)
	}
	for n, do := range []string{"grant", "refuse"} {
		want(t, "the auditor answers", aud.post("/staff/requests/1", "do", do), 403, "It is not for the role auditor")
		want(t, "there is none", aud.get(fmt.Sprintf("/staff/requests/%d", n+77)), 404, "no such page")
	}
	_, desk := c.enter("", "tom", person.Admin)
	desk.secure(t)
	c.shows("the desk", desk.get("/staff/requests/1"), "Grant it", "Refuse it")
	want(t, "refusing", desk.post("/staff/requests/1", "do", "refuse", "note-refused", "No: "+hostileName), 303, "/staff/requests/1")
	c.shows("refused", b.get("/requests"), "Refused", "No: ")
	want(t, "again", desk.post("/staff/requests/1", "do", "grant"), 200, "answered already")
}

// secure sets up the second factor that staff need.
func (b *browser) secure(t *testing.T) {
	t.Helper()
	key := regexp.MustCompile(`secret=([A-Z2-7]+)`).FindStringSubmatch(b.post("/me", "do", "app").Body.String())
	if key == nil {
		t.Fatal("no secret for an app")
	}
	want(t, "the app", b.post("/me", "do", "confirm", "code", codeNow(t, key[1])), 200, "")
}
