package web

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/gate"
	"ringfence/flow/records"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// past is a control with records of calls.
type past struct {
	*control
	db  *memory.Engine
	n   byte
	cut []string
}

func newPast(t *testing.T) *past {
	t.Helper()
	p := &past{control: newControl(t), db: memory.New()}
	r, err := records.New(records.Options{Store: p.db, Book: p.book})
	fatal(t, err)
	p.serveAgain(func(d *Deps) {
		d.Records = r
		d.Cut = func(id call.ID, reason policy.Reason, text string) bool {
			p.cut = append(p.cut, fmt.Sprint(id, " ", reason, " ", text))
			return true
		}
	})
	return p
}

// serveAgain makes the server anew with more to ask.
func (h *house) serveAgain(change func(*Deps)) {
	h.t.Helper()
	d := h.Server.d
	d.SignedIn = nil
	change(&d)
	var err error
	h.Server, err = New(d, h.Server.o)
	fatal(h.t, err)
}

func (p *past) record(ago time.Duration, line string, change func(*call.CDR), facts ...fact.Body) call.ID {
	p.t.Helper()
	at := time.Now().Add(-ago)
	p.n++
	text := call.NewID(at, []byte{p.n})
	l := p.line(line)
	c := &call.CDR{
		ID: call.ID(text[:]), Direction: call.Out, Line: l.ID(), Account: l.Customer(), Number: "+442079460031", Dialled: "02079460031", Country: "GB", Class: "geographic", Rate: "UK", Begun: at, Ended: at.Add(time.Minute),
		Ring: 5 * time.Second, Talk: 100 * time.Second, Retail: 20_000, PerMinute: 12_000_000, Reason: "hangup", By: call.Caller, Status: 200, Text: "a party hung up", Source: "192.0.2.44:5060", UserAgent: "Yealink",
	}
	if change != nil {
		change(c)
	}
	op := store.Op{Kind: store.OpRecord, ID: c.ID, CDR: c}
	for _, f := range facts {
		op.Facts = append(op.Facts, fact.Say(f, at, fact.Subject{Line: c.Line, Account: c.Account, Call: c.ID}))
	}
	_, err := p.db.Apply(p.t.Context(), []store.Op{op})
	fatal(p.t, err)
	return c.ID
}

// cuba is a call that the ceiling refused.
func cuba(c *call.CDR) {
	c.Refused, c.Talk, c.Ring, c.Retail, c.Status, c.Reason = true, 0, 0, 0, 403, "over-international-ceiling"
	c.Country, c.Number, c.Dialled, c.Rate, c.Class, c.By = "CU", "+5350000147", "005350000147", "Cuba", "mobile", call.System
	c.Text = "the international ceiling is 2p per minute and this call costs 71.4p: a ceiling of 71.4p would allow it"
}

// enemy has what an enemy would send in every text of a call.
func enemy(c *call.CDR) {
	cuba(c)
	c.Number, c.Dialled, c.Rate, c.UserAgent, c.Text, c.Reason = "", hostileName+"\u202e", hostileName, strings.Repeat("<b onclick=x>\u202e", 600), hostileName+"\u202e", "<img src=x>"
}

var refusedFact = &fact.CallRefused{Reason: "over-international-ceiling", Limit: 20_000_000, Value: 714_000_000, Pass: 714_000_000}

// up puts a call in progress.
func (p *past) up(line string, talk time.Duration) call.ID {
	text := call.NewID(time.Now().Add(-talk), []byte{p.n, 9})
	p.n++
	l := p.line(line)
	p.live = append(p.live, gate.InProgress{Open: call.Open{
		ID: call.ID(text[:]), Direction: call.Out, State: call.Answered, Line: l.ID(), Account: l.Customer(), Number: "+33199001234", Dialled: "0033199001234", Country: "FR",
		Quote: rating.Quote{Price: rating.Price{Name: "France", Rates: [3]money.Rate{15_000_000, 15_000_000, 15_000_000}, First: 1, Step: 1}}, Begun: time.Now().Add(-talk), AnsweredAt: time.Now().Add(-talk), UserAgent: hostileName,
	}})
	return call.ID(text[:])
}

// TestRefusedOnTheOverview: what is the same to people is counted together, and only of this customer and this week.
func TestRefusedOnTheOverview(t *testing.T) {
	p := newPast(t)
	b := p.prove("ana", person.Reader)
	if d := p.shows("none", b.get("/"), "Nothing was refused this week."); len(d.all("section[data-part=refused] li")) != 0 {
		t.Error("rows of nothing")
	}
	national := func(c *call.CDR) { cuba(c); c.Reason = "over-national-ceiling" }
	for range 3 {
		p.record(time.Hour, "2001", cuba)
	}
	p.record(2*time.Hour, "2002", national)
	p.record(time.Hour, "2001", func(c *call.CDR) { cuba(c); c.Reason = "line-locked" })
	for _, reason := range []string{"premium-barred", "line-day-cap", "number-invalid"} {
		p.record(time.Hour, "2001", func(c *call.CDR) { cuba(c); c.Reason = reason })
	}
	p.record(time.Hour, "2002", enemy)
	p.record(10*24*time.Hour, "2001", cuba) // long ago
	p.record(time.Hour, "3001", cuba)       // another's
	p.record(time.Hour, "2001", nil)
	d := p.shows("some", b.get("/"), "9 calls", "Over ceiling", "Line locked", "and 1 for other reasons")
	rows := d.all("section[data-part=refused] li")
	if len(rows) != 5 || text(rows[0]) != "Over ceiling 4" {
		t.Errorf("%d rows, the first %q", len(rows), text(rows[0]))
	}
	p.shows("the list behind it", b.get("/calls?period=week&result=refused"), "9 calls")
}

func TestCalls(t *testing.T) {
	p := newPast(t)
	b := p.prove("ana", person.Reader)
	p.shows("no calls", b.get("/calls"), "No calls yet. The first appears here while it rings.")
	p.record(time.Hour, "3001", nil) // another's
	talked := p.record(50*time.Minute, "2001", nil)
	for range 37 {
		p.record(20*time.Minute, "2001", cuba)
	}
	latest := p.record(19*time.Minute, "2001", cuba)
	p.record(10*time.Minute, "2002", enemy)
	p.record(time.Minute, "2002", func(c *call.CDR) { c.Talk, c.Retail, c.Reason = 0, 0, "no-answer" })
	d := p.shows("the list", b.get("/calls"), "41 calls", "Show 37 more refused calls to Cuba", "Over ceiling", "No answer", "rang 5 s", "1 min 40 s", "£0.02", "Download 41 calls (CSV)")
	if n := len(d.all("table.calls tr")); n != 1+1+4+1 && n != 1+2+4+1 { // the head, one day or two, four calls, a run
		t.Errorf("%d rows", n)
	}
	if d.one(t, "main h1") != "Calls" || len(d.all("svg.chart")) != 1 || len(d.all("a[href=/calls/"+string(talked)+"]")) != 1 {
		t.Error(text(d.all("main")[0]))
	}
	if d = p.shows("a run", b.get("/calls?open="+string(latest))); len(d.all("table.calls tr")) < 41 {
		t.Errorf("%d rows of an open run", len(d.all("table.calls tr")))
	}
	p.shows("filters", b.get("/calls?result=refused&find=cuba&line=2001&period=week"), "38 calls")
	p.shows("nothing matches", b.get("/calls?find="+url.QueryEscape("z"+hostileName[:90])), "No calls match.", "Show all calls")
	want(t, "too much is looked for", b.get("/calls?find="+strings.Repeat("x", 8<<10)), 404, "no such page")
	want(t, "another's line", b.get("/calls?line=3001"), 404, "no such page")
	want(t, "a line that is none", b.get("/calls?line=9999"), 404, "no such page")

	w := b.get("/calls/csv?period=week&result=refused&line=2001")
	if rows := strings.Split(strings.TrimSpace(w.Body.String()), "\r\n"); w.Code != 200 || len(rows) != 39 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") || !strings.Contains(rows[1], ",2001,out,+5350000147,") {
		t.Errorf("%d %v, %d rows: %s", w.Code, w.Header(), len(rows), rows[1])
	}
	want(t, "another's file", b.get("/calls/csv?line=3001"), 404, "no such page")
	if strings.Contains(b.get("/calls/csv?period=all").Body.String(), ",3001,") {
		t.Error("another's calls in the file")
	}
}

// TestNewCallsWait: while a list is followed, nothing moves in it; what came since stands behind a link.
func TestNewCallsWait(t *testing.T) {
	p := newPast(t)
	b := p.prove("ana", person.Reader)
	for i := range 60 {
		p.record(time.Duration(60-i)*time.Second, "2001", nil)
	}
	d := p.shows("the list", b.get("/calls"))
	again := attr(d.all("meta[name=again]")[0], "content")
	first := attr(d.all("tbody tr a")[0], "href")
	for range 3 {
		p.record(0, "2001", nil)
	}
	d = p.shows("the same again", b.get(again), "3 new calls", "63 calls")
	if got := attr(d.all("tbody tr a")[0], "href"); got != first {
		t.Errorf("the list begins with %s, was %s", got, first)
	}
	next := d.all("a[rel=next]")
	if len(next) != 1 {
		t.Fatal("no next page")
	}
	d = p.shows("the next page", b.get(attr(next[0], "href")))
	if n := len(d.all("table.calls a[rel=prev]")) + len(d.all("a[rel=prev]")); n != 1 {
		t.Errorf("%d ways back", n)
	}
}

func TestHangingUp(t *testing.T) {
	p := newPast(t)
	b := p.prove("ana", person.Manager)
	short, long, other := p.up("2001", time.Minute), p.up("2002", 11*time.Minute), p.up("3001", time.Minute)
	ended := p.record(time.Minute, "2001", nil)
	d := p.shows("calls now", b.get("/calls"), "Calls now", "talking", "1 min 0 s"[:5])
	if n := len(d.all("button.edged")); n != 2 {
		t.Errorf("%d calls can be hung up", n)
	}
	p.shows("one of them", b.get("/calls/"+string(short)), "is up", "Hang up", "1.5p a minute")
	want(t, "another's call", b.get("/calls/"+string(other)), 404, "We do not know this call")
	want(t, "hanging up another's", b.post("/calls", "call", string(other)), 404, "no such page")
	want(t, "hanging up what is none", b.post("/calls", "call", "x"), 404, "no such page")
	want(t, "hanging up what has ended", b.post("/calls", "call", string(ended), "to", "call"), 303, "/calls/"+string(ended))
	want(t, "a reader", p.prove("eve", person.Reader).post("/calls", "call", string(short)), 403, "It is not for the role reader")
	if len(p.cut) != 0 {
		t.Fatalf("cut: %v", p.cut)
	}
	want(t, "a short call", b.post("/calls", "call", string(short)), 303, "/calls")
	p.shows("a long one asks", b.post("/calls", "call", string(long)), "Hang up this call?", "11 min")
	if len(p.cut) != 1 {
		t.Errorf("cut: %v", p.cut)
	}
	want(t, "and then is", b.post("/calls", "call", string(long), "sure", "yes", "to", "call"), 303, "/calls/"+string(long))
	if len(p.cut) != 2 || !strings.HasPrefix(p.cut[1], string(long)+" cut-by-owner ") {
		t.Errorf("cut: %v", p.cut)
	}
	if d := p.shows("a reader's list", p.prove("rob", person.Reader).get("/calls")); len(d.all("button.edged")) != 0 {
		t.Error("a reader sees buttons that do nothing")
	}
}

func TestOneCallsPage(t *testing.T) {
	p := newPast(t)
	b := p.prove("ana", person.Reader)
	id := p.record(time.Hour, "2001", cuba, refusedFact)
	d := p.shows("a refused call", b.get("/calls/"+string(id)), "dialled +53 5000 0147, Cuba", "it cost nothing", "Your ceiling2pa minute", "This call71.4pa minute", "A ceiling of 71.4p would let it through",
		"403 the international ceiling is 2p per minute", "“Yealink”", "192.0.2.44", "005350000147", "Row 1 of the journal")
	if h := d.one(t, "main h1"); h != "We refused this call: Cuba costs more than your ceiling" {
		t.Errorf("%q", h)
	}
	talked := p.record(50*time.Minute, "2001", nil, &fact.CallAdmitted{}, &fact.SliceHeld{Held: 30_000})
	p.shows("a call", b.get("/calls/"+string(talked)), "A call of 1 min 40 s, for £0.02", "1 min 40 s at 1.2p a minute", "Held ahead at most, in 2 steps", "the caller")
	in := p.record(40*time.Minute, "2002", func(c *call.CDR) {
		c.Direction, c.Retail, c.Peer, c.Source = call.In, 0, "secret-carrier", "198.51.100.7:5060"
	}, &fact.CallAdmitted{Caller: "+447700900123"})
	w := b.get("/calls/" + string(in))
	if p.shows("an inbound call", w, "07700 900123 called"); strings.Contains(w.Body.String(), "secret-carrier") || strings.Contains(w.Body.String(), "198.51.100.7") {
		t.Error("the carrier is shown")
	}
	p.record(39*time.Minute, "2002", func(c *call.CDR) { c.Direction, c.Retail = call.In, 0 }, &fact.CallAdmitted{Caller: "+447700900124", Withheld: true})
	p.record(38*time.Minute, "2002", func(c *call.CDR) { c.Direction, c.Retail = call.In, 0 }, &fact.CallAdmitted{Caller: hostileName + "\u202e"})
	d = p.shows("callers in the list", b.get("/calls"), "07700 900123", "to 020 7946 0031", "A withheld number")
	if strings.Contains(text(d.Node), "900124") {
		t.Error("a withheld number is shown")
	}
	missed := p.record(time.Minute, "2001", func(c *call.CDR) { c.Talk, c.Retail, c.Reason = 0, 0, "busy" })
	p.shows("a missed call", b.get("/calls/"+string(missed)), "Not connected: Busy")
	p.shows("a hostile call", b.get("/calls/"+string(p.record(time.Second, "2002", enemy))), "We refused this call: it could not be carried")
	other := p.record(time.Hour, "3001", nil)
	for _, path := range []string{"/calls/" + string(other), "/calls/none", "/calls/" + strings.Repeat("x", 4000), "/calls/%3Cimg%3E"} {
		if w := b.get(path); w.Code != 404 {
			t.Errorf("%.40s: %d", path, w.Code)
		}
	}
}

// TestWhoSeesCalls: nobody who is not signed in, and no staff.
func TestWhoSeesCalls(t *testing.T) {
	p := newPast(t)
	id := p.record(time.Hour, "2001", nil)
	for _, path := range []string{"/calls", "/calls/" + string(id), "/calls/csv", "/calls/live", "/calls/" + string(id) + "/live"} {
		want(t, path+" of nobody", p.browser().get(path), 401, "Sign in first")
		_, staff := p.enter("", "s"+fmt.Sprint(p.n), person.Admin)
		p.n++
		if w := staff.get(path); w.Code == 200 {
			t.Errorf("%s shows staff a customer's page", path)
		}
	}
	want(t, "hanging up as nobody", p.browser().post("/calls", "call", string(id)), 401, "Sign in first")
	_, bravo := p.enter(p.bravo, "bob", person.Owner)
	want(t, "another customer", bravo.get("/calls/"+string(id)), 404, "We do not know this call")
	if w := bravo.get("/calls?period=all"); strings.Contains(w.Body.String(), string(id)) {
		t.Error("another customer's list has it")
	}
}

// TestCallsVersionIsOfWhatIsShown: it changes with calls and records of the customer alone.
func TestCallsVersionIsOfWhatIsShown(t *testing.T) {
	p := newPast(t)
	p.prove("ana", person.Reader)
	q := &query{Request: httptest.NewRequest("GET", "/calls/live", nil), Visitor: Visitor{Customer: p.acme, Who: person.Who{Role: person.Reader, Customer: p.acme, Person: "x"}}, now: time.Now()}
	version := func() string {
		v, err := p.callsVersion(q)
		fatal(t, err)
		return v
	}
	was := version()
	p.record(0, "3001", nil)
	p.up("3001", time.Second)
	if version() != was {
		t.Error("another's calls change it")
	}
	p.record(0, "2001", nil)
	if now := version(); now == was {
		t.Error("a new record does not change it")
	} else {
		was = now
	}
	if p.up("2001", time.Second); version() == was {
		t.Error("a new call does not change it")
	}
}

// TestMoneyAddsUp: what all comes to is the sum of its lines, and each line's that of its countries, to the last fraction.
func TestMoneyAddsUp(t *testing.T) {
	p := newPast(t)
	b := p.prove("ana", person.Reader)
	p.shows("nothing used", b.get("/money"), "You have used £0.00, not yet billed", "No calls in this time.")
	for i := range 60 {
		p.record(time.Duration(i)*time.Hour, []string{"2001", "2002"}[i%2], func(c *call.CDR) {
			c.Country, c.Retail = []string{"GB", "FR", "DE", ""}[i%4], money.Micro(12_345+i)
		})
	}
	p.record(time.Hour, "3001", nil)
	d := p.shows("a month", b.get("/money"), "60 calls", "France", "No country")
	var countries, lines money.Micro
	rows := d.all("tbody tr")
	for i, row := range rows {
		cells := doc{row}.all("td")
		sum, err := money.Billing().ParseAmount(text(cells[len(cells)-1]))
		fatal(t, err)
		switch {
		case i == len(rows)-1:
			if sum != lines || sum != countries || sum != 60*12_345+59*30 {
				t.Errorf("all comes to %d, lines to %d, countries to %d", sum, lines, countries)
			}
		case attr(row, "class") == "part":
			if lines != countries {
				t.Errorf("lines come to %d, their countries to %d", lines, countries)
			}
			lines += sum
		default:
			countries += sum
		}
	}
	if strings.Contains(text(d.Node), "3001") {
		t.Error("another's line is shown")
	}
	want(t, "money of nobody", p.browser().get("/money"), 401, "Sign in first")
}
