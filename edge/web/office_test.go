package web

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/state/store"
)

func TestRulesAreReadAndAgreedTo(t *testing.T) {
	d := newDesks(t)
	b := d.staff(person.Admin)
	all := b.get("/staff/rules")
	checkStaff(t, all)
	want(t, "the rules", all, 200, "One rule is held back")
	one := b.get("/staff/rules/day")
	checkStaff(t, one)
	want(t, "the rule", one, 200, "Let rule day act")
	want(t, "agreeing", b.post("/staff/rules/day"), 303, "/staff/rules/day")
	if fmt.Sprint(d.agreed) != "[day]" {
		t.Errorf("agreed to %v", d.agreed)
	}
	want(t, "no rule", b.get("/staff/rules/"+urlOf(nasty[:100])), 404, "There is no such page")
}

// TestTrunksHaveTheirRatios by quarter of an hour, as the stage of the public status counted them.
func TestTrunksHaveTheirRatios(t *testing.T) {
	d := newDesks(t)
	addresses := []string{"192.0.2.1"}
	x, err := d.book.AddTrunk(t.Context(), "t", "carrier-a", book.TrunkEdit{Addresses: &addresses})
	fatal(t, err)
	at := time.Now().UTC().Truncate(15 * time.Minute)
	fatal(t, d.db.AddTallies(t.Context(), []store.Tally{
		{What: "trunk/" + x.Name + "/tried", At: at, N: 20},
		{What: "trunk/" + x.Name + "/answered", At: at, N: 5},
		{What: "trunk/" + x.Name + "/failed", At: at, N: 12},
		{What: "trunk/" + x.Name + "/tried", At: at.Add(-5 * time.Hour), N: 20},
		{What: "trunk/" + x.Name + "/answered", At: at.Add(-5 * time.Hour), N: 20},
		{What: "trunk/" + x.Name + "/tried", At: at.Add(-48 * time.Hour), N: 1000},
	}))
	w := d.staff(person.Finance).get("/staff/trunks")
	checkStaff(t, w)
	for _, part := range []string{"On one trunk, most calls fail", "carrier-a", "25 %", "62.50 %", "40 calls in 24 hours, 25 answered, 12 failed"} {
		want(t, part, w, 200, part)
	}
}

func TestListsAreChanged(t *testing.T) {
	d := newDesks(t)
	b := d.staff(person.Fraud)
	checkStaff(t, b.get("/staff/lists"))
	banned := func() bool { return d.bans.Why(netip.MustParseAddr("198.51.100.7")).Banned }
	want(t, "a ban", b.post("/staff/lists", "do", "ban", "net", "198.51.100.0/24", "why", nasty[:60]), 303, "/staff/lists?did=ban")
	if !banned() {
		t.Error("nothing is banned")
	}
	checkStaff(t, b.get("/staff/lists"))
	want(t, "no address", b.post("/staff/lists", "do", "ban", "net", nasty[:60], "why", "x"), 200, "Type an address")
	want(t, "this machine", b.post("/staff/lists", "do", "ban", "net", "127.0.0.1", "why", "x"), 200, "There is nothing here")
	want(t, "no time", b.post("/staff/lists", "do", "ban", "net", "198.51.100.1", "until", "whenever", "why", "x"), 200, "Type a time")
	want(t, "lifting it", b.post("/staff/lists", "do", "unban", "what", "198.51.100.0/24"), 303, "did=unban")
	if banned() {
		t.Error("it is banned still")
	}
	want(t, "a number", b.post("/staff/lists", "do", "list", "numbers", "+25261", "hotwhy", nasty[:60]), 303, "did=list")
	page := b.get("/staff/lists")
	checkStaff(t, page)
	want(t, "it", page, 200, "+25261")
	want(t, "no number", b.post("/staff/lists", "do", "list", "numbers", "x", "hotwhy", "y"), 200, "Type 3 to 15 digits")
	want(t, "taking it off", b.post("/staff/lists", "do", "unlist", "what", "+25261", "list", "desk"), 303, "did=unlist")
	if n := d.book.Hot().Len(); n != 0 {
		t.Errorf("%d numbers are listed", n)
	}
	want(t, "nothing to release", b.post("/staff/lists", "do", "release", "what", "2003"), 200, "There is nothing here")
	want(t, "something else", b.post("/staff/lists", "do", "x"), 404, "There is no such page")
}

// TestTheAuditSaysWhoDidWhat, with what changed, in pages.
func TestTheAuditSaysWhoDidWhat(t *testing.T) {
	d := newDesks(t)
	for i := range perPage + 5 {
		_, err := d.book.EditLine(t.Context(), "staff/"+fmt.Sprint(i), d.line, book.LineEdit{Name: ptr(fmt.Sprint("desk <b>mobile ", i)), Set: []book.Setting{{Field: account.LineDayCap, N: int64(1+i) * 100_000}}})
		fatal(t, err)
	}
	b := d.staff(person.Auditor)
	w := b.get("/staff/audit")
	page := checkStaff(t, w)
	want(t, "who", w, 200, "staff/54")
	want(t, "what changed", w, 200, "→")
	if rows := page.all("tbody tr"); len(rows) != perPage {
		t.Errorf("%d rows", len(rows))
	}
	next := page.all("nav.pager a[rel=next]")
	if len(next) != 1 {
		t.Fatal("no next page")
	}
	checkStaff(t, b.get(attr(next[0], "href")))
	checkStaff(t, b.get("/staff/audit?before="+urlOf(nasty[:50])))
}

func TestIncidentsAreWritten(t *testing.T) {
	d := newDesks(t)
	b := d.staff(person.Support)
	checkStaff(t, b.get("/staff/status"))
	want(t, "an incident", b.post("/staff/status", "do", "add", "title", "Calls abroad <b>mobile", "text", "We look into it.", "component", "calls-abroad"), 303, "/staff/status")
	w := b.get("/staff/status")
	checkStaff(t, w)
	want(t, "it", w, 200, "We look into it.")
	want(t, "a hostile one", b.post("/staff/status", "do", "add", "title", nasty[:100], "text", "x"), 200, "Want 1 to 120 bytes")
	want(t, "an entry", b.post("/staff/status", "do", "note", "incident", "1", "text", "A broken cable."), 303, "/staff/status")
	want(t, "its end", b.post("/staff/status", "do", "close", "incident", "1", "text", ""), 303, "/staff/status")
	want(t, "it is gone", b.get("/staff/status"), 200, "Nothing is on the status page")
	want(t, "again", b.post("/staff/status", "do", "close", "incident", "1", "text", ""), 200, "Nothing was done")
	want(t, "none", b.post("/staff/status", "do", "note", "incident", "99", "text", "x"), 404, "There is no such page")
}
