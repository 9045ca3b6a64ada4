package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/rating"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/desk"
	"ringfence/flow/exposure"
	"ringfence/flow/react"
	"ringfence/flow/status"
	"ringfence/flow/watch"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// nasty is a text as an attacker may choose one: markup, marks that turn the direction round, 8 KB.
var nasty = `<img src=x onerror="alert(1)">` + "\u202e\u2066 \x07" + strings.Repeat("A", 8<<10)

// desks is a house with what staff work from: a line of acme, and a ban list.
type desks struct {
	*house
	line    string
	bans    *ban.List
	records *memory.Engine
	agreed  []string
}

func newDesks(t *testing.T) *desks {
	t.Helper()
	h := newHouse(t)
	ctx := t.Context()
	d := &desks{house: h, records: memory.New()}
	l, _, err := h.book.AddLine(ctx, "t", book.NewLine{ID: "2003", Customer: h.acme, Edit: book.LineEdit{Name: ptr("Ana <b>mobile</b>"), Number: ptr("020 7946 0031")}})
	fatal(t, err)
	d.line = l.ID()
	pence := money.Rate(10_000_000)
	_, err = h.book.PutDeck(ctx, "t", book.DeckHead{Name: "retail", Kind: rating.Retail}, []rating.Price{{Prefix: 44, Name: "United Kingdom", Rates: [rating.NumBands]money.Rate{pence, pence, pence}, First: 1, Step: 1}})
	fatal(t, err)
	figures, err := exposure.New(exposure.Options{Book: h.book, Money: h.db})
	fatal(t, err)
	w, err := watch.New(watch.Options{Store: h.db, Book: h.book})
	fatal(t, err)
	d.bans, err = ban.Open(ctx, ban.Options{Store: h.db})
	fatal(t, err)
	staff, err := desk.New(desk.Options{
		Store: h.db, Records: d.records, Book: h.book, Exposure: figures, Watch: func() *watch.Watch { return w }, Bans: func() *ban.List { return d.bans },
		Tallies: h.db.Tallies, Rules: func(context.Context) ([]react.Rule, error) {
			return []react.Rule{{Name: "day", Life: habit.Shadow, Set: habit.Live, Why: react.TooWide, Stages: map[string]react.Figures{"shadow": {Fired: 12, Honest: 1, Stopped: 30, Saved: 12_340_000}}}}, nil
		},
		Agree: func(_, rule string) bool { d.agreed = append(d.agreed, rule); return true },
		Vouch: func(ctx context.Context, actor, line, customer, key string) error {
			return react.Vouch(ctx, h.db, h.book, actor, line, customer, key)
		},
	})
	fatal(t, err)
	deps := h.Server.d
	deps.Status, err = status.New(status.Options{Store: h.db, Node: "a", Key: make([]byte, 32), Zone: time.UTC, Home: func(string) bool { return true }})
	fatal(t, err)
	deps.Book, deps.Desk, deps.Watch, deps.Exposure, deps.SignedIn = h.book, staff, w, figures, nil
	h.Server, err = New(deps, h.Server.o)
	fatal(t, err)
	return d
}

// found writes a finding and gives its number.
func (d *desks) found(f store.Finding) int64 {
	d.t.Helper()
	f.Severity, f.Count = "critical", 1
	if f.At.IsZero() {
		f.At = time.Now().Add(-20 * time.Minute)
	}
	f.Last = f.At
	if f.Evidence == nil {
		f.Evidence = []byte("{}")
	}
	out, err := d.db.Advance(d.t.Context(), store.Step{Stage: "test", Findings: []store.Finding{f}})
	fatal(d.t, err)
	return out.Findings[0].ID
}

// login is a finding about a right login from an address.
func (d *desks) login(key, addr string) store.Finding {
	return store.Finding{
		Key: key, Kind: "hosting-login", Line: d.line, Account: d.acme, Source: addr, Text: "Line 2003 was used. " + nasty,
		Evidence: fmt.Appendf(nil, `{"address":%q,"agent":%q,"network":"Example Hosting","hosting":true,"new":"both","number":"+5350000147"}`, addr, strings.ToValidUTF8(strings.ReplaceAll(nasty, "\x07", ""), "")),
	}
}

// staff signs somebody of the staff in, with their second factor.
func (d *desks) staff(role person.Role) *browser {
	d.t.Helper()
	_, b := d.enter("", "s-"+string(role), role)
	key := regexp.MustCompile(`secret=([A-Z2-7]+)`).FindStringSubmatch(b.post("/me", "do", "app").Body.String())
	if key == nil {
		d.t.Fatal("no secret for an app")
	}
	want(d.t, "the app", b.post("/me", "do", "confirm", "code", codeNow(d.t, key[1])), 200, "")
	return b
}

// checkStaff reads a page of the staff, which must hold what every page holds, and harmlessly.
func checkStaff(t *testing.T, w *httptest.ResponseRecorder) doc {
	t.Helper()
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	body := w.Body.String()
	for _, bad := range []string{"<img src=x", "<b>mobile", "\u202e", "\u2066", "\x07", strings.Repeat("A", 1000), "⟦"} {
		if strings.Contains(body, bad) {
			i := strings.Index(body, bad)
			t.Errorf("%q is shown: %s", bad[:min(len(bad), 12)], body[max(i-80, 0):min(i+80, len(body))])
		}
	}
	d := parsePage(t, strings.NewReader(body))
	checkPage(t, d)
	checkPolicy(t, w, d)
	return d
}

func TestTheQueueIsByMoneyAtRisk(t *testing.T) {
	d := newDesks(t)
	b := d.staff(person.Fraud)
	empty := b.get("/staff")
	want(t, "an empty queue", empty, 200, "The queue is empty")
	checkStaff(t, empty)
	noise := d.found(store.Finding{Key: "guessing/1", Kind: "guessing", Line: d.line, Account: d.acme, Source: "203.0.113.7", Text: nasty, At: time.Now().Add(-3 * time.Hour)})
	stolen := d.found(d.login("hosting-login/1", "203.0.113.9"))
	_, err := d.book.Ask(t.Context(), "t", d.line, account.InternationalCeiling, 40_000_000_000, time.Time{}, nasty[:40])
	fatal(t, err)
	page := checkStaff(t, b.get("/staff"))
	var paths []string
	for _, a := range page.all("td a") {
		paths = append(paths, attr(a, "href"))
	}
	if fmt.Sprint(paths[:1]) != fmt.Sprintf("[/staff/queue/%d]", stolen) && fmt.Sprint(paths[0]) != "/staff/requests/1" || len(paths) != 3 {
		t.Errorf("the queue is %v; the stolen login is %d, the guessing %d", paths, stolen, noise)
	}
	one := b.get(fmt.Sprintf("/staff/queue/%d", stolen))
	checkStaff(t, one)
	for _, part := range []string{"A login from a data centre", "From a data centre (Example Hosting)", "Against: Nobody guessed", "Lock line 2003", "If you lock line 2003:", "Ban the address", "False alarm", "at risk tonight", "is not known yet"} {
		want(t, part, one, 200, part)
	}
	if strings.Contains(one.Body.String(), "times likelier") {
		t.Error("a multiplier is shown without rates")
	}
	want(t, "no number", b.get("/staff/queue/x"), 404, "There is no such page")
	want(t, "no finding", b.get("/staff/queue/999"), 404, "There is no such page")
}

// TestActsOfTheQueue do what the API's operations do, and can be undone where that is said.
func TestActsOfTheQueue(t *testing.T) {
	d := newDesks(t)
	b := d.staff(person.Fraud)
	at := fmt.Sprintf("/staff/queue/%d", d.found(d.login("hosting-login/1", "203.0.113.9")))
	locked := func() bool { l, _ := d.book.Line(d.line); return l.Locked() }
	banned := func() bool { return d.bans.Why(netip.MustParseAddr("203.0.113.9")).Banned }
	listed := func() bool { return d.book.Hot().Len() > 0 }
	for _, x := range []struct {
		do, undo string
		is       func() bool
	}{{"lock", "unlock", locked}, {"ban", "unban", banned}, {"list", "unlist", listed}} {
		want(t, x.do, b.post(at, "do", x.do), 303, at+"?did="+x.do)
		if !x.is() {
			t.Errorf("%s did nothing", x.do)
		}
		page := b.get(at + "?did=" + x.do)
		checkStaff(t, page)
		want(t, "its undo", page, 200, `value="`+x.undo+`"`)
		want(t, x.undo, b.post(at, "do", x.undo), 303, at+"?did="+x.undo)
		if x.is() {
			t.Errorf("%s did nothing", x.undo)
		}
		want(t, x.undo+" again", b.post(at, "do", x.undo), 303, at)
	}
	want(t, "a note", b.post(at, "do", "note", "text", nasty[:40]), 303, "did=note")
	checkStaff(t, b.get(at))
	want(t, "no act", b.post(at, "do", "burn"), 404, "")
	want(t, "a false alarm", b.post(at, "do", "false"), 303, "/staff?closed=")
	want(t, "twice", b.post(at, "do", "false"), 200, "was closed before")
	want(t, "the queue then", b.get("/staff"), 200, "The last finding was closed")
	want(t, "the finding then", b.get(at), 200, "False alarm.")
}

// TestALongQueueIsGrouped by the network that findings have in common, with one act for all of them.
func TestALongQueueIsGrouped(t *testing.T) {
	d := newDesks(t)
	b := d.staff(person.Fraud)
	for i := range 30 {
		d.found(d.login(fmt.Sprint("hosting-login/", i), fmt.Sprintf("203.0.113.%d", i+1)))
	}
	page := b.get("/staff")
	checkStaff(t, page)
	want(t, "the group", page, 200, "30 findings share 203.0.113.0/24")
	group := "/staff?cause=" + url.QueryEscape("203.0.113.0/24")
	want(t, "its findings", b.get(group), 200, "30 findings of 203.0.113.0/24")
	want(t, "its act", b.post("/staff", "cause", "203.0.113.0/24"), 303, "/staff?banned=203.0.113.0/24")
	if !d.bans.Why(netip.MustParseAddr("203.0.113.200")).Banned {
		t.Error("the network is not banned")
	}
	want(t, "this machine", b.post("/staff", "cause", "127.0.0.0/24"), 200, "There is nothing here")
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func urlOf(text string) string { return url.QueryEscape(text) }
