package web

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
	"ringfence/flow/device"
	"ringfence/flow/exposure"
	"ringfence/flow/gate"
	"ringfence/flow/location"
	"ringfence/flow/watch"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// hostileName is one as an enemy would choose it, as long as the book takes one.
var hostileName = `<img src=x onerror=alert(1)>` + "\u202e" + strings.Repeat("x", 120)

// control is a house with lines: acme has 2001 and one with a hostile name, bravo has 3001.
type control struct {
	*house
	vouched []string
	live    []gate.InProgress
	fail    error
}

func newControl(t *testing.T) *control {
	t.Helper()
	c := &control{}
	c.house = newHouseWith(t, func(h *house, d *Deps) {
		_, err := h.book.Import(t.Context(), "t", []byte("Destination,Prefix,Rate\nUK,442,0.012\nUK mobile,447,0.05\nFrance,33,0.015\nCuba,53,0.714\n"), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
		fatal(t, err)
		phones := func(line string, _ time.Time) []location.Binding {
			if account.Handle(line) != "2001" {
				return nil
			}
			return []location.Binding{{Contact: "sip:2001@192.168.1.2", Received: netip.MustParseAddrPort("192.0.2.44:5060"), Transport: "udp", UserAgent: hostileName}}
		}
		desk, err := exposure.New(exposure.Options{Book: h.book, Money: memory.New(), Ring: time.Minute, Eyes: exposure.Eyes{Phones: phones}})
		fatal(t, err)
		w, err := watch.New(watch.Options{Store: h.db, Book: h.book})
		fatal(t, err)
		d.Book, d.Exposure, d.Watch, d.Phones = h.book, desk, w, phones
		d.Cooling = cooling.New(cooling.Options{Store: h.db, Book: h.book})
		d.Devices = device.New(device.Options{Store: h.db})
		d.Calls = func() []gate.InProgress { return c.live }
		d.Others = func(context.Context) ([]call.Open, error) { return nil, c.fail }
		d.Purses = func(context.Context, string, string, time.Time) ([]gate.Purse, error) {
			return []gate.Purse{
				{Kind: policy.LineDay, Cap: 50 * money.Pound, Spent: 2 * money.Pound},
				{Kind: policy.AccountDay, Cap: 50 * money.Pound, Spent: 2 * money.Pound},
				{Kind: policy.AccountMonth, Cap: 150 * money.Pound, Spent: 7 * money.Pound},
			}, c.fail
		}
		d.Facts = h.db.Facts
		d.Vouch = func(_ context.Context, actor, line, customer, finding string) error {
			c.vouched = append(c.vouched, strings.Join([]string{actor, account.Handle(line), account.Handle(customer), finding}, " "))
			return nil
		}
	})
	number := "020 7946 0000"
	c.add("2001", c.acme, book.LineEdit{Number: &number})
	c.add("2002", c.acme, book.LineEdit{Name: ptr(strings.ReplaceAll(hostileName, "\u202e", "\u202e"))})
	c.add("3001", c.bravo, book.LineEdit{})
	c.house.Server.d.Devices.Seen(device.Login{Line: c.line("2001").ID(), Addr: netip.MustParseAddr("192.0.2.44"), Agent: "Yealink <b>\u202e", At: time.Now()})
	return c
}

func ptr[T any](v T) *T { return &v }

func (c *control) add(id, customer string, edit book.LineEdit) {
	c.t.Helper()
	_, _, err := c.book.AddLine(c.t.Context(), "t", book.NewLine{ID: id, Customer: customer, Edit: edit})
	fatal(c.t, err)
}

func (c *control) line(handle string) *book.Line {
	l, _ := c.book.LineCalled(handle)
	return l
}

// prove signs somebody in who has shown a factor just now.
func (c *control) prove(handle string, role person.Role) *browser {
	_, b := c.enter(c.acme, handle, role)
	return b
}

// shows wants a whole page of ours with a part of text, and nothing hostile in it.
func (c *control) shows(what string, w *httptest.ResponseRecorder, parts ...string) doc {
	c.t.Helper()
	d := parsePage(c.t, strings.NewReader(w.Body.String()))
	checkPage(c.t, d)
	checkPolicy(c.t, w, d)
	for _, part := range parts {
		if !strings.Contains(text(d.Node), part) {
			c.t.Errorf("%s: %d without %q: %s", what, w.Code, part, text(d.all("main")[0]))
		}
	}
	if strings.Contains(w.Body.String(), "<img src=x") || strings.Contains(w.Body.String(), "\u202e") || strings.Contains(text(d.Node), "⟦") {
		c.t.Errorf("%s: hostile text or a missing one: %s", what, w.Body)
	}
	return d
}

// close puts a restriction on a line as a finding does.
func (c *control) close(line string) {
	c.t.Helper()
	names, err := restrict.ParseSet("abroad")
	fatal(c.t, err)
	_, err = c.book.EditLine(c.t.Context(), "ringfence", c.line(line).ID(), book.LineEdit{Close: []restrict.Restriction{{Names: names, By: "ringfence", Why: "unusual", Finding: "unusual-calls/1"}}})
	fatal(c.t, err)
}

// find raises a finding about a login of a line.
func (c *control) find(line, evidence string) {
	c.t.Helper()
	now := time.Now()
	f := store.Finding{
		Key: "hosting-login/" + line, Kind: "hosting-login", Severity: "critical", Line: c.line(line).ID(), Account: c.line(line).Customer(), Source: "203.0.113.9", Text: "x", At: now, Last: now, Count: 1,
		Evidence: []byte(evidence), RaiseFact: store.Fact{At: now, Kind: fact.KindFindingRaised, Body: []byte(`{}`)},
	}
	_, err := c.db.Advance(c.t.Context(), store.Step{Stage: "t", Findings: []store.Finding{f}})
	fatal(c.t, err)
}

func TestOverview(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	first := c.shows("the overview", b.get("/"), "2001", "What a thief could cost you tonight", "£2.00 of £50.00 today", "No calls now.", "1 phone ready")
	if h := first.one(t, "main h1"); h != "One thing worth doing" {
		t.Errorf("the verdict is %q", h)
	}
	answer, err := c.Server.d.Exposure.Customer(t.Context(), c.acme, exposure.Tonight, []exposure.Change{})
	fatal(t, err)
	if sum := c.reader.money(answer.Retail); !strings.Contains(text(first.Node), sum) || len(answer.With) > 0 {
		t.Errorf("the page does not have the figure %s of the API", sum)
	}
	if strings.Contains(text(first.Node), "arrier") || strings.Contains(text(first.Node), "3001") {
		t.Error("the page tells of carriers, or of another's lines")
	}
	_, other := c.enter(c.bravo, "bob", person.Owner)
	c.shows("another's", other.get("/"), "3001")

	c.live = []gate.InProgress{{Open: call.Open{ID: "1", Account: c.acme, Line: c.line("2001").ID(), Direction: call.Out, Number: "+33199001234", AnsweredAt: time.Now().Add(-time.Minute)}}, {Open: call.Open{ID: "2", Account: c.bravo, Number: "+53"}}}
	c.shows("with a call", b.get("/"), "+33 1 9900 1234", "1 in progress", "On a call")

	_, err = c.book.Lock(t.Context(), "t", c.line("2002").ID(), hostileName[:150], account.CallsEnd)
	fatal(t, err)
	if h := c.shows("a lock", b.get("/")).one(t, "main h1"); h != "Line 2002 is locked" {
		t.Errorf("the verdict is %q", h)
	}
	c.close("2001")
	c.shows("what is closed", b.get("/"), "Destinations are closed on line 2001", "every call abroad")
	c.find("2001", `{"address":"203.0.113.9","agent":"<b>Asterisk\u202e","family":"Asterisk","network":"Example Hosting","country":"DE","hosting":true}`)
	if h := c.shows("a login", b.get("/"), "at a data centre of Example Hosting, DE (203.0.113.9) used line 2001").one(t, "main h1"); h != "Somebody may have the password of line 2001" {
		t.Errorf("the verdict is %q", h)
	}
	c.fail = errors.New("disk on fire")
	c.shows("with parts that fail", b.get("/"), "We cannot read all calls just now", "What a thief could cost you tonight")
}

// TestThatWasMe records whose device it was, and asks no more.
func TestThatWasMe(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	c.Server.d.Devices.Seen(device.Login{Line: c.line("2001").ID(), Addr: netip.MustParseAddr("203.0.113.9"), Agent: "Asterisk PBX 18.2", At: time.Now()})
	d := c.Server.d.Devices.Of(c.line("2001").ID())
	c.find("2001", `{"address":"203.0.113.9","agent":"Asterisk PBX 18.2","family":"`+d[0].Family+`"}`)
	form := c.shows("the question", b.get("/"), "That was me").all("input[name=finding]")
	if len(form) != 1 {
		t.Fatal("no question")
	}
	_, reader := c.enter(c.acme, "rita", person.Reader)
	want(t, "a reader", reader.post("/", "do", "mine", "finding", attr(form[0], "value")), 403, "not for you")
	_, other := c.enter(c.bravo, "bob", person.Owner)
	want(t, "another's", other.post("/", "do", "mine", "finding", attr(form[0], "value")), 303, "/")
	want(t, "the owner", b.post("/", "do", "mine", "finding", attr(form[0], "value")), 303, "/")
	if got := c.Server.d.Devices.Of(c.line("2001").ID()); got[0].Verdict != "mine" {
		t.Errorf("%+v", got)
	}
	if strings.Contains(b.get("/").Body.String(), "That was me") {
		t.Error("asked again")
	}
}

// TestLock cuts and locks what is ticked without asking for more, and nothing of others.
func TestLock(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Manager)
	d := c.shows("the question", b.get("/lock"), "Emergency calls still work")
	if ticked := len(d.all("input[name=line]")); ticked != 2 || len(d.all("button.grave")) != 1 {
		t.Errorf("%d lines, %d red buttons", ticked, len(d.all("button.grave")))
	}
	c.shows("about one", b.get("/lock?line=2001"), "Lock line 2001?")
	want(t, "another's", b.get("/lock?line=3001"), 404, "There is no such page")
	want(t, "locking another's", b.post("/lock", "line", "2001", "line", "3001"), 404, "There is no such page")
	if c.line("2001").Locked() || c.line("3001").Locked() {
		t.Fatal("locked although it was refused")
	}
	want(t, "locking", b.post("/lock", "line", "2001"), 303, "/lock?line=2001")
	if l := c.line("2001"); !l.CutsCalls() || c.line("2002").Locked() {
		t.Errorf("locked: %t, cuts %t", l.Locked(), l.CutsCalls())
	}
	c.shows("done", b.get("/lock?line=2001"), "Line 2001 is safe")
	want(t, "all", b.post("/lock", "all", "1"), 303, "/lock")
	c.shows("all done", b.get("/lock"), "All your lines are locked")
	if c.line("3001").Locked() {
		t.Error("another's line is locked")
	}
}

// controlPages are those of customers, with who may post there at least.
var controlPages = []struct {
	path string
	line bool // of one line
	post []string
}{
	{path: "/"}, {path: "/lock", post: []string{"line", "2001"}},
}

// TestControlPagesAreTheirOwn: nobody without signing in, no staff, nobody of another customer, and everything that is shown is whole.
func TestControlPagesAreTheirOwn(t *testing.T) {
	c := newControl(t)
	owner, reader := c.prove("ana", person.Owner), c.prove("rita", person.Reader)
	_, other := c.enter(c.bravo, "bob", person.Owner)
	for _, p := range controlPages {
		for _, handle := range []string{"2001", "2002"} {
			path := strings.ReplaceAll(p.path, "{line}", handle)
			c.shows(path, owner.get(path))
			c.shows(path+" of a reader", reader.get(path))
			if p.path != "/" {
				want(t, path+" of nobody", c.browser().get(path), 401, "Sign in first")
			}
			if p.line {
				want(t, path+" of another", other.get(path), 404, "There is no such page")
				want(t, "posting to "+path+" of another", other.post(path, p.post...), 404, "There is no such page")
			}
			if p.post != nil {
				want(t, "a reader posts to "+path, reader.post(path, p.post...), 403, "not for you")
				want(t, "nobody posts to "+path, c.browser().post(path, p.post...), 401, "Sign in first")
			}
		}
		if p.line {
			for _, bad := range []string{"3001", "nobody", strings.Repeat("x", 8<<10), "<b>", "2001\u202e"} {
				want(t, bad, owner.get(strings.ReplaceAll(p.path, "{line}", url.PathEscape(bad))), 404, "There is no such page")
			}
		}
	}
}
