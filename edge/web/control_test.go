package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
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
	"ringfence/flow/fit"
	"ringfence/flow/gate"
	"ringfence/flow/location"
	"ringfence/flow/notify"
	"ringfence/flow/people"
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
	past    []call.CDR // newest first
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
		d.Fit, err = fit.New(fit.Options{Book: h.book, Exposure: desk, Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}, Ring: time.Minute, Calls: c.cdrs})
		fatal(t, err)
		t.Cleanup(d.Fit.Close)
		d.Book, d.Exposure, d.Watch, d.Phones = h.book, desk, w, phones
		d.Sent = func(context.Context, string, notify.Filter) ([]notify.View, error) { return nil, nil }
		d.Cooling = cooling.New(cooling.Options{Store: h.db, Book: h.book, People: h.people})
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
		d.Facts, d.SIP = h.db.Facts, SIP{Server: "sip.example.net", UDP: 5060, TCP: 5061}
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

func (c *control) cdrs(_ context.Context, f store.CDRFilter) (page []call.CDR, err error) {
	for i := range c.past {
		if f.Matches(&c.past[i]) && len(page) < f.Limit {
			page = append(page, c.past[i])
		}
	}
	return page, nil
}

// TestFit: the page says what fits and what would be stopped, one button applies what it shows, and what would loosen anything is refused.
func TestFit(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	c.shows("of a line without calls", b.get("/lines/2001/fit"), "Too little is known of this line", "no call within a year")
	want(t, "another's", b.get("/lines/3001/fit"), 404, "There is no such page")
	want(t, "another's stream", b.get("/lines/3001/fit/live"), 404, "There is no such page")
	want(t, "another's change", b.post("/lines/3001/fit", "max-calls", "1"), 404, "There is no such page")
	for n := range 200 {
		number, talk := "+442079460000", 5*time.Minute
		switch n {
		case 7:
			number = "+33142000000"
		case 9:
			number, talk = "+447700900123", 3*time.Hour
		}
		at := time.Now().Add(-time.Duration(n) * 24 * time.Hour)
		id := call.FirstID(at)
		c.past = append(c.past, call.CDR{ID: id, Direction: call.Out, Line: c.line("2001").ID(), Number: number, Begun: at, AnsweredAt: at, Talk: talk})
	}
	_, err := c.book.EditLine(t.Context(), "t", c.line("2001").ID(), book.LineEdit{Set: []book.Setting{{Field: account.MaxCalls, N: 4}}}) // looked for anew
	fatal(t, err)
	d := c.shows("what fits", b.get("/lines/2001/fit"), "Your last year fits", "Concurrent calls", "never more than 1 call", "FR, GB")
	if len(d.all("button.main")) != 1 {
		t.Error("not one button")
	}
	c.shows("with a call given up", b.get("/lines/2001/fit?stops=1"), "07700 900123", "Stop 1 call at most")
	_, reader := c.enter(c.acme, "rita", person.Reader)
	if d := c.shows("a reader", reader.get("/lines/2001/fit"), "Your last year fits"); len(d.all("button.main")) != 0 {
		t.Error("a reader has the button")
	}
	want(t, "a reader", reader.post("/lines/2001/fit", "max-calls", "1"), 403, "not for you")
	want(t, "what loosens", b.post("/lines/2001/fit", "max-calls", "9"), 409, "changed meanwhile")
	want(t, "no setting", b.post("/lines/2001/fit", "max-calls", hostileName), 409, "changed meanwhile")
	var form []string
	for _, n := range d.all("form input[type=hidden]") {
		form = append(form, attr(n, "name"), attr(n, "value"))
	}
	want(t, "applying", b.post("/lines/2001/fit", form...), 303, "/lines/2001")
	if e := c.line("2001").Effective(time.Now()); e.Values[account.MaxCalls] != 1 || len(e.Restrictions) != 1 || !e.Restrictions[0][0].Only {
		t.Errorf("%+v", e)
	}
	c.shows("afterwards", b.get("/lines/2001/fit"), "Your settings fit already")
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
	var closed []restrict.Restriction
	for _, names := range []string{"abroad", "GM", "CU, GM"} {
		set, err := restrict.ParseSet(names)
		fatal(t, err)
		closed = append(closed, restrict.Restriction{Names: set})
	}
	if got := c.Server.doAll(closed); got != "Closed: every call abroad, Gambia, Cuba." {
		t.Errorf("three things that are closed: %q", got)
	}
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
	c.d.Security = func() Protections { return Protections{PanicCode: "*5625*"} }
	c.shows("about one", b.get("/lock?line=2001"), "Lock line 2001?")
	c.shows("the way without pages", b.get("/lock"), "*5625*")
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

// TestLineSettings: tightening is at once, loosening waits, what cannot be read is said at its field, and what is not allowed too.
func TestLineSettings(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	page := c.shows("the line", b.get("/lines/2001"), "What a thief could cost you tonight", "Most in a day", "IP lock", "“Yealink <b>", "Lower changes nothing tonight")
	if got := attr(page.all("input[name=max-calls]")[0], "value"); got != "10" {
		t.Errorf("max-calls %q", got)
	}
	in := func(f account.Field) int64 { return c.line("2001").Effective(time.Now()).Values[f] }
	want(t, "lower", b.post("/lines/2001", "do", "settings", "max-calls", "2", "line-day-cap", "6", "national-ceiling", "20p"), 303, "/lines/2001#limits")
	if in(account.MaxCalls) != 2 || in(account.LineDayCap) != int64(6*money.Pound) {
		t.Error("it did not tighten")
	}
	c.shows("trying", b.get("/lines/2001?line-day-cap=3"), "at £3.00", "£6.00")
	if in(account.LineDayCap) != int64(6*money.Pound) {
		t.Error("trying changed it")
	}
	w := b.post("/lines/2001", "do", "settings", "max-calls", "many", "line-day-cap", "5")
	c.shows("what cannot be read", w, "Nothing was saved yet", "Type a number from 0 to 10000")
	if w.Code != 422 || in(account.LineDayCap) != int64(6*money.Pound) {
		t.Errorf("%d, half of it was saved", w.Code)
	}
	c.shows("more than is allowed", b.post("/lines/2001", "do", "settings", "max-calls", "11"), "We allow 10 at most")

	_, err := c.Server.d.Cooling.SetWait(t.Context(), &person.Who{Customer: c.acme, Actor: "acme/ana"}, c.acme, 48*time.Hour, "ring Sam first "+hostileName[:60])
	fatal(t, err)
	want(t, "higher", b.post("/lines/2001", "do", "settings", "max-calls", "4"), 303, "/lines/2001#limits")
	if in(account.MaxCalls) != 2 {
		t.Error("it loosened at once")
	}
	c.shows("what waits", b.get("/lines/2001"), "concurrent calls from 2 to 4", "ring Sam first", "Stop this change")
	c.shows("and on the overview", b.get("/"), "concurrent calls from 2 to 4")
}

// TestAFigureSaysWhatItDoesNotKnow: a change that is made within its time.
func TestAFigureSaysWhatItDoesNotKnow(t *testing.T) {
	c := newControl(t)
	answer, err := c.Server.d.Exposure.Customer(t.Context(), c.acme, exposure.Tonight, []exposure.Change{})
	fatal(t, err)
	q := &query{words: c.Server.words}
	due := func(before time.Duration) cooling.Change { return cooling.Change{Due: answer.At.Until.Add(-before)} }
	for _, x := range []struct {
		waiting []cooling.Change
		says    bool
	}{{nil, false}, {[]cooling.Change{due(-time.Hour)}, false}, {[]cooling.Change{due(0)}, false}, {[]cooling.Change{due(-time.Hour), due(time.Minute)}, true}} {
		if got := c.Server.besideFigure(q, answer, x.waiting); strings.Contains(string(got), "does not count what it allows") != x.says {
			t.Errorf("%v: %q", x.waiting, got)
		}
	}
}

// TestForwardForm: a forward is set and ended on the page of its line; one to a dear number waits, and can be called off there.
func TestForwardForm(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	_, err := c.Server.d.Cooling.SetWait(t.Context(), &person.Who{Customer: c.acme, Actor: "acme/ana"}, c.acme, 48*time.Hour, "")
	fatal(t, err)
	form := func(always, noAnswer, after string) *httptest.ResponseRecorder {
		return b.post("/lines/2001", "do", "forwards", "forward_always", always, "forward_busy", "", "forward_no_answer", noAnswer, "forward_unreachable", "", "forward_after", after)
	}
	want(t, "setting", form("+53 7 123 4567", "07700 900123", "25"), 303, "/lines/2001#forwards")
	if got := c.line("2001").Forwards(); got != (account.Forwards{NoAnswer: "07700 900123", After: 25}) {
		t.Errorf("%+v", got)
	}
	d := c.shows("what waits", b.get("/lines/2001"), "calls forwarded always to +53 7 123 4567", "Stop this change")
	if got := attr(d.all("input[name=forward_no_answer]")[0], "value"); got != "07700 900123" || len(d.all("section[id=forwards] input[value=stop]")) != 1 {
		t.Errorf("the form has %q, or what waits cannot be stopped beside it", got)
	}
	for typed, says := range map[[2]string]string{{"999", "25"}: "no emergency number", {"020 7946 0000", "25"}: "than the line's own", {"", "4"}: "seconds from 5 to 90", {"", "soon"}: "seconds from 5 to 90"} {
		if w := form(typed[0], "07700 900123", typed[1]); w.Code != 422 {
			t.Errorf("%q: %d", typed, w.Code)
		} else {
			c.shows("what is no such number", w, "Nothing was saved yet", says)
		}
	}
	want(t, "ending", form("", "", "25"), 303, "/lines/2001#forwards")
	if got := c.line("2001").Forwards(); got.NoAnswer != "" {
		t.Errorf("%+v", got)
	}
}

// TestReachForm: a short number and the lines that ring for the calls of another are set on its page.
func TestReachForm(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	form := func(short, rings, ring, each string) *httptest.ResponseRecorder {
		return b.post("/lines/2001", "do", "reach", "short", short, "rings", rings, "ring", ring, "ring_each", each)
	}
	want(t, "setting", form("21", "2002", "in-turn", "15"), 303, "/lines/2001#reach")
	if got := c.line("2001").Reach(); got.Short != "21" || len(got.Members) != 1 || !got.InTurn || got.Each != 15 {
		t.Errorf("%+v", got)
	}
	d := c.shows("set", b.get("/lines/2001"), "How it is called")
	if got := attr(d.all("input[name=rings]")[0], "value"); got != "2002" {
		t.Errorf("the form has %q", got)
	}
	for typed, says := range map[[4]string]string{
		{"99", "", "together", "15"}: "two to four digits", {"21", "3001", "together", "15"}: "other lines of the same customer", {"21", "2002", "in-turn", "100"}: "seconds from 5 to 90",
	} {
		w := form(typed[0], typed[1], typed[2], typed[3])
		if c.shows("what cannot be", w, "Nothing was saved yet", says); w.Code != 422 {
			t.Errorf("%q: %d", typed, w.Code)
		}
	}
	want(t, "ending", form("", "", "together", "20"), 303, "/lines/2001#reach")
	if got := c.line("2001").Reach(); got.Short != "" || len(got.Members) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestLoosenFresh: a session that showed no factor lately has to before anything loosens, and comes back with what was typed.
func TestLoosenFresh(t *testing.T) {
	c := newControl(t)
	_, b := c.enter(c.acme, "ana", person.Owner)
	stale := c.Server.d.SignedIn
	c.Server.d.SignedIn = func(r *http.Request) (Visitor, error) {
		v, err := stale(r)
		v.Who.Proved = time.Now().Add(-24 * time.Hour)
		return v, err
	}
	_, err := c.book.EditLine(t.Context(), "t", c.line("2001").ID(), book.LineEdit{Set: []book.Setting{{Field: account.MaxCalls, N: 2}}})
	fatal(t, err)
	want(t, "loosening", b.post("/lines/2001", "do", "settings", "max-calls", "4"), 303, "/me/prove?to="+url.QueryEscape("/lines/2001?max-calls=4#limits"))
	want(t, "forwarding", b.post("/lines/2001", "do", "forwards", "forward_busy", "07700900123"), 303, "/me/prove?to="+url.QueryEscape("/lines/2001?forward_busy=07700900123#forwards"))
	want(t, "ending a forward", b.post("/lines/2001", "do", "forwards", "forward_busy", ""), 303, "/lines/2001#forwards")
	for _, do := range []string{"password", "mine"} {
		want(t, do, b.post("/lines/2001", "do", do), 303, "/me/prove?to=%2Flines%2F2001")
	}
	want(t, "tightening", b.post("/lines/2001", "do", "settings", "max-calls", "1"), 303, "/lines/2001#limits")
	want(t, "locking", b.post("/lock", "line", "2001"), 303, "/lock?line=2001")
	want(t, "opening", b.post("/lines/2001", "do", "unlock"), 303, "/me/prove?to=%2Flines%2F2001")
	if !c.line("2001").Locked() {
		t.Error("opened without a factor")
	}
	for to, want := range map[string]string{"/lines/2001?max-calls=4#limits": "/lines/2001?max-calls=4#limits", "//evil.test/": "/me", "https://evil.test/": "/me", "/nowhere": "/me", "javascript:1": "/me", "/\\evil.test": "/me"} {
		if got := c.Server.after(to); got != want {
			t.Errorf("after %q: %q", to, got)
		}
	}
}

// TestLineParts: what may come from where, what is closed, whose a device is, passwords, and opening again.
func TestLineParts(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	c.shows("where the phones are", b.get("/lines/2001"), "Your phones are at 192.0.2.44 now", "No phone of the last 30 days would be turned away")
	want(t, "locking to them", b.post("/lines/2001", "do", "here"), 303, "/lines/2001#from")
	if nets := account.FormatNets(c.line("2001").Settings().Nets); nets != "192.0.2.44/32" && nets != "192.0.2.44" {
		t.Errorf("locked to %q", nets)
	}
	c.shows("no phones", b.post("/lines/2002", "do", "here"), "No phone is logged in")
	c.shows("no networks", b.post("/lines/2001", "do", "nets", "nets", "office"), "Type addresses or networks")
	want(t, "no lock", b.post("/lines/2001", "do", "nets", "nets", ""), 303, "/lines/2001#from")

	c.shows("no destinations", b.post("/lines/2001", "do", "close", "closes", "Narnia"), "Type countries as two letters")
	want(t, "closing", b.post("/lines/2001", "do", "close", "closes", "CU, +44843"), 303, "/lines/2001#where")
	closed := c.shows("closed", b.get("/lines/2001"), "Cuba", "+44843")
	id := attr(closed.all("section.panel input[name=id]")[0], "value")
	want(t, "opening", b.post("/lines/2001", "do", "lift", "id", id), 303, "/lines/2001")
	if got := c.line("2001").Settings().Restrictions; len(got) > 0 {
		t.Errorf("still closed: %+v", got)
	}
	c.close("2001")
	id = attr(c.shows("by a finding", b.get("/lines/2001"), "That was me").all("section.banner input[name=id]")[0], "value")
	want(t, "that was me", b.post("/lines/2001", "do", "lift", "id", id), 303, "/lines/2001")
	if len(c.vouched) != 1 || c.vouched[0] != "acme/ana 2001 acme unusual-calls/1" {
		t.Errorf("vouched %q", c.vouched)
	}

	d := c.Server.d.Devices.Of(c.line("2001").ID())[0]
	want(t, "not mine", b.post("/lines/2001", "do", "not-mine", "place", d.Place, "family", d.Family), 303, "/lock?line=2001")
	want(t, "mine", b.post("/lines/2001", "do", "mine", "place", d.Place, "family", d.Family), 303, "/lines/2001#phones")
	if got := c.Server.d.Devices.Of(c.line("2001").ID())[0].Verdict; got != "mine" {
		t.Errorf("verdict %q", got)
	}

	c.shows("a weak password", b.post("/lines/2001", "do", "own", "password", "2001"), "Nothing was saved yet")
	want(t, "one's own", b.post("/lines/2001", "do", "own", "password", goodWords), 303, "/lines/2001#password")
	made := b.post("/lines/2001", "do", "password")
	c.shows("a new one", made, "shown this once")
	if made.Header().Get("Content-Encoding") != "" || !strings.Contains(made.Header().Get("Cache-Control"), "no-store") {
		t.Errorf("a page with a secret: %v", made.Header())
	}

	want(t, "locking", b.post("/lock", "line", "2001"), 303, "/lock")
	c.shows("locked", b.get("/lines/2001"), "Line 2001 is locked", "Open this line")
	want(t, "opening", b.post("/lines/2001", "do", "unlock"), 303, "/lines/2001")
	if c.line("2001").Locked() {
		t.Error("still locked")
	}
	_, err := c.book.Lock(t.Context(), "staff/tom", c.line("2001").ID(), "unpaid", account.CallsEnd)
	fatal(t, err)
	c.shows("locked by us", b.get("/lines/2001"), "Call us: we say why")
	want(t, "opening what we locked", b.post("/lines/2001", "do", "unlock"), 403, "This is not yours to open")
	want(t, "a name", b.post("/lines/2001", "do", "name", "name", "Front desk"), 303, "/lines/2001")
	c.shows("found", b.get("/lines?q=front"), "Front desk", "1 line")
	c.shows("found by number", b.get("/lines?q=020+7946+0000"), "Front desk")
	c.shows("not found", b.get("/lines?q=3001"), "No line has that")
}

// TestSetup: the values for each make, and a password only when it was made just now.
func TestSetup(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	c.shows("before", b.get("/lines/2001/setup"), "sip.example.net", "Phones that have logged in", "account.1.password = your-password", "<P35>2001</P35>")
	c.shows("without a phone", b.get("/lines/2002/setup"), "Waiting for a phone")
	w := b.post("/lines/2001/setup", "do", "password")
	made := c.shows("made", w, "shown this once")
	words := text(made.all("dl.facts code")[2])
	if strings.Count(words, "-") < 3 || strings.Count(text(made.Node), words) < 7 || len(made.all("svg.qr path")) != 2 {
		t.Errorf("password %q in %s", words, text(made.Node))
	}
	if w.Header().Get("Content-Encoding") != "" || !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
		t.Errorf("a page with a secret: %v", w.Header())
	}
	if again := b.get("/lines/2001/setup").Body.String(); strings.Contains(again, words) || strings.Contains(again, `class="qr"`) {
		t.Error("the password is shown again")
	}
}

// TestChanges: a longer wait counts at once and can be undone, a shorter one waits, and anybody of the customer stops a change; nobody else does.
func TestChanges(t *testing.T) {
	c := newControl(t)
	ana, b := c.enter(c.acme, "ana", person.Owner)
	reader := c.prove("rita", person.Reader)
	_, other := c.enter(c.bravo, "bob", person.Owner)
	wait := func() time.Duration { v, _ := c.book.Customer(c.acme); return v.Cooling.Wait }
	c.shows("nothing", b.get("/changes"), "Nothing waits")
	want(t, "a wait", b.post("/changes", "do", "wait", "wait", "172800", "note", "ring Sam <b>"), 303, "/changes")
	if wait() != 48*time.Hour {
		t.Errorf("waits %s", wait())
	}
	c.shows("undo", b.get("/changes"), "Undo: wait not at all again", "ring Sam <b>")
	want(t, "nonsense", b.post("/changes", "do", "wait", "wait", "60"), 200, "Choose a wait")
	_, err := c.book.EditLine(t.Context(), "t", c.line("2001").ID(), book.LineEdit{Set: []book.Setting{{Field: account.MaxCalls, N: 2}}})
	fatal(t, err)
	want(t, "loosening", b.post("/lines/2001", "do", "settings", "max-calls", "4"), 303, "/lines/2001")
	id := attr(c.shows("it waits", b.get("/changes"), "1 change waits").all("section.banner input[name=id]")[0], "value")
	want(t, "another's", other.post("/changes", "do", "stop", "id", id), 404, "There is no such page")
	want(t, "a reader", reader.post("/changes", "do", "stop", "id", id, "back", "/lines/2001"), 303, "/lines/2001")
	want(t, "again", b.post("/changes", "do", "stop", "id", id), 404, "There is no such page")
	want(t, "undoing, with what was shown before", b.post("/changes", "do", "undo"), 303, "/me/prove?to=%2Fchanges")
	want(t, "an owner", b.post("/people", "do", "add", "handle", "eve", "role", "owner"), 303, "/changes")
	want(t, "an owner who waits", b.get("/people"), 200, "2 people may sign in")
	c.shows("an owner waits", b.get("/changes"), "cme/eve may sign in, as owner")
	link, err := c.people.Link(t.Context(), "t", ana.ID, people.LinkLife)
	fatal(t, err)
	want(t, "in again", b.post("/in/link/"+link.Token), 303, "/")
	want(t, "undoing", b.post("/changes", "do", "undo"), 303, "/changes")
	if wait() != 0 {
		t.Errorf("waits %s", wait())
	}
}

// TestReport: what is reported comes into the journal with who said it, and the answer has its number.
func TestReport(t *testing.T) {
	c := newControl(t)
	b := c.prove("rita", person.Reader)
	c.shows("nothing said", b.post("/report", "calls", " "), "Say what happened")
	want(t, "another's line", b.post("/report", "calls", "x", "line", "3001"), 404, "There is no such page")
	w := b.post("/report", "calls", "Cuba "+hostileName, "when", "at three", "there", "no", "line", "2001")
	want(t, "a report", w, 303, "/report?code=")
	code := strings.TrimPrefix(w.Header().Get("Location"), "/report?code=")
	c.shows("its number", b.get("/report?code="+code), "We have your report", code)
	if c.shows("no number", b.get("/report?code=<b>")).one(t, "main h1") != "What happened?" {
		t.Error("a number of another form was taken")
	}
	var said fact.FraudReported
	rows, err := c.db.Facts(t.Context(), store.FactFilter{Kind: fact.KindFraudReported})
	fatal(t, err)
	if len(rows) != 1 || said.Decode(rows[0].Body) != nil || said.By != "acme/rita" || said.Code != code || !strings.HasSuffix(said.Text, "Noticed: at three. Nobody is in the building.") || account.Handle(rows[0].Line) != "2001" {
		t.Errorf("%+v %+v", rows, said)
	}
}

// TestHelp says which department is there, with links that do what they say.
func TestHelp(t *testing.T) {
	l := newLinks()
	help := testHelp
	for _, text := range []string{"Fraud <desk>; phone 0161 496 0123", "Never; mail a@example.net; open 2001-01-01 08:00-09:00", "Always; text 07700 900999; open mon-sun 00:00-24:00"} {
		d, err := notify.ParseDepartment(text)
		fatal(t, err)
		help.Departments = append(help.Departments, d)
	}
	s, err := New(Deps{Genuine: l.Genuine, Link: l.Link, Use: l.Use, Help: help, Security: func() Protections { return Protections{PanicCode: "*5625*"} }}, Options{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	fatal(t, err)
	w := get(s, "/help")
	d := parsePage(t, w.Body)
	checkPage(t, d)
	checkPolicy(t, w, d)
	if h := d.one(t, "main h1"); h != "Always is open now" {
		t.Errorf("%q", h)
	}
	for _, href := range []string{"tel:01614960123", "sms:07700900999", "mailto:a@example.net"} {
		d.one(t, "main a[href="+href+"]")
	}
	d.one(t, "footer a[href=/help]")
	if page := text(d.all("main")[0]); !strings.Contains(page, "Dial *5625* on any phone") {
		t.Error(page)
	}
	plain := parsePage(t, get(newServer(t, l), "/help").Body)
	checkPage(t, plain)
	if h := plain.one(t, "main h1"); h != "How to reach us" {
		t.Errorf("%q", h)
	}
}

// TestCountries: names, beginnings and numbers find a country, with its price and whether it can be called.
func TestCountries(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	c.shows("all", b.get("/lines/2001/countries"), "France", "Open", "Cuba", "Dearer than 2p")
	for to, want := range map[string]string{"+53": "Cuba", "cub": "Cuba", "CU": "Cuba", "0033199001234": "+33 1 9900 1234 is France: 1.5p a minute"} {
		d := c.shows(to, b.get("/lines/2001/countries?to="+url.QueryEscape(to)), want)
		if rows := len(d.all("tbody tr")); rows != 1 {
			t.Errorf("%s finds %d countries", to, rows)
		}
	}
	c.shows("nothing", b.get("/lines/2001/countries?to="+url.QueryEscape(hostileName)), "no price for a country")
	want(t, "closing", b.post("/lines/2001", "do", "close", "closes", "FR", "back", "countries"), 303, "/lines/2001/countries")
	c.shows("closed", b.get("/lines/2001/countries?to=france"), "Closed", "Open it")
}

// controlPages are those of customers, with who may post there at least.
var controlPages = []struct {
	path string
	line bool // of one line
	post []string
}{
	{path: "/"},
	{path: "/lock", post: []string{"line", "2001"}},
	{path: "/lines"},
	{path: "/lines/{line}", line: true, post: []string{"do", "settings", "max-calls", "1"}},
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
				want(t, "the stream of another's", other.get("/lines/"+handle+"/live"), 404, "There is no such page")
				want(t, path+" of another", other.get(path), 404, "There is no such page")
				if p.post != nil {
					want(t, "posting to "+path+" of another", other.post(path, p.post...), 404, "There is no such page")
				}
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
