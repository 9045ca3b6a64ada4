package web

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/flow/book/booktest"
	"ringfence/flow/desk"
	"ringfence/flow/watch"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
)

// kept are cases in an engine, beside a book that is in memory.
type kept = store.Cases

// withCases gives a desk cases, and acme a case with hostile texts and calls in dispute.
func withCases(t *testing.T) (*desks, *desk.Cases) {
	t.Helper()
	d := newDesks(t)
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"), sqlite.Options{})
	fatal(t, err)
	t.Cleanup(func() { db.Close() })
	deps := d.Server.d
	deps.Cases, err = desk.NewCases(desk.CasesOptions{
		Store: struct {
			*booktest.Store
			kept
		}{d.db, db}, Records: d.records, Book: d.book, Watch: func() *watch.Watch { return deps.Watch }, SecondAbove: func() money.Micro { return money.Pound },
	})
	fatal(t, err)
	d.Server, err = New(deps, d.Server.o)
	fatal(t, err)
	who := desk.Who{Actor: "acme/ana", Customer: d.acme}
	x, err := deps.Cases.Open(t.Context(), who, desk.NewCase{Customer: d.acme, Line: d.line, Title: nasty, Text: nasty[:900], Origin: casework.FromReport})
	fatal(t, err)
	_, err = deps.Cases.Write(t.Context(), who, x.ID, desk.Entered{Kind: casework.Evidence, Text: "log", Name: "a\u202e.html", File: strings.NewReader("<script>")})
	fatal(t, err)
	_, err = deps.Cases.Write(t.Context(), desk.Who{Actor: "staff/tom"}, x.ID, desk.Entered{Kind: casework.Task, Text: "ring", Due: time.Now()})
	fatal(t, err)
	r := &call.CDR{ID: "01kb0000000000000000000001", Direction: call.Out, Account: d.acme, Line: d.line, Number: "+37190000112", Begun: time.Now().Add(-time.Hour), Talk: time.Minute, Retail: 2_000_000, Reason: "hangup"}
	_, err = d.records.Apply(t.Context(), []store.Op{{Kind: store.OpRecord, ID: r.ID, CDR: r}})
	fatal(t, err)
	n, err := deps.Cases.Dispute(t.Context(), who, x.ID, desk.Pick{Calls: []desk.CallID{r.ID}}, "not ours")
	fatal(t, err)
	if n != 1 {
		t.Fatal(n)
	}
	return d, deps.Cases
}

func TestPagesOfCases(t *testing.T) {
	d, cases := withCases(t)
	tom := d.staff(person.Fraud)
	list := tom.get("/staff/cases")
	checkStaff(t, list)
	want(t, "what is in dispute", list, 200, "£2.00")
	one := tom.get("/staff/cases/1")
	checkStaff(t, one)
	for _, part := range []string{"In dispute", "/staff/cases/1/files/2", "Decide all calls in dispute", "To do", "Linked lines"} {
		want(t, part, one, 200, part)
	}
	file := tom.get("/staff/cases/1/files/2")
	if file.Code != 200 || file.Body.String() != "<script>" || file.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(file.Header().Get("Content-Disposition"), "attachment") || file.Header().Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%d %v", file.Code, file.Header())
	}
	_, ana := d.enter(d.acme, "cara", person.Owner)
	_, eve := d.enter(d.bravo, "eve", person.Owner)
	for _, path := range []string{"/cases/1", "/cases/1/files/2", "/cases/9", "/cases/x"} {
		want(t, path, eve.get(path), 404, "")
	}
	want(t, "another customer's", eve.post("/cases/1", "do", "write", "kind", "message", "text", "x"), 404, "")
	want(t, "another customer's call", eve.post("/cases", "call", "01kb0000000000000000000001"), 404, "")
	want(t, "no case of theirs", eve.get("/cases"), 200, "No cases")
	checkStaff(t, ana.get("/cases"))
	mine := ana.get("/cases/1")
	checkStaff(t, mine)
	for _, hidden := range []string{"ring", "Linked lines", "/staff/"} {
		if strings.Contains(parsePage(t, strings.NewReader(mine.Body.String())).one(t, "main"), hidden) {
			t.Errorf("a customer sees %q", hidden)
		}
	}
	want(t, "no act for customers", ana.post("/cases/1", "do", "decide", "what", "upheld", "why", "x"), 403, "")
	want(t, "no call", ana.post("/cases"), 422, "No call was ticked")
	want(t, "words", ana.post("/cases/1", "do", "write", "kind", "message", "text", nasty[:200]), 303, "/cases/1")
	want(t, "a decision", tom.post("/staff/cases/1", "do", "decide", "what", "upheld", "why", "the lock was late"), 303, "/staff/cases/1")
	want(t, "her own", tom.post("/staff/cases/1", "do", "second", "n", "5", "how", "made"), 409, "second person")
	checkStaff(t, tom.get("/staff/cases/1"))
	want(t, "too early", tom.post("/staff/cases/1", "do", "close", "outcome", "ours", "why", "x"), 409, "still in dispute")
	fatal(t, cases.Second(t.Context(), desk.Who{Actor: "staff/maya"}, 1, 5, true, "seen"))
	want(t, "evidence", tom.post("/staff/cases/1", "do", "end", "n", "2", "how", "accepted", "why", "seen"), 303, "")
	want(t, "closed", tom.post("/staff/cases/1", "do", "close", "outcome", "ours", "why", "the lock was late"), 303, "")
	want(t, "what she reads", ana.get("/cases/1"), 200, "A promise of ours was broken")
	id := d.found(d.login("hosting-login/1", "203.0.113.9"))
	want(t, "from a finding", tom.post("/staff/cases", "finding", fmt.Sprint(id)), 303, "/staff/cases/2")
	want(t, "its note", tom.get("/staff/cases/2"), 200, "Line 2003 was used")
}
