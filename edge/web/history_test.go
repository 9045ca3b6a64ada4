package web

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// TestTheHistorySaysWhoDidWhat: changes of every door, sign-ins and phones, in words, with the way to take each back; nothing of another customer's, no
// name of the staff's, and nothing hostile.
func TestTheHistorySaysWhoDidWhat(t *testing.T) {
	d := newDesks(t)
	ctx := t.Context()
	_, b := d.enter(d.acme, "ana", person.Owner)
	_, err := d.book.EditLine(ctx, "staff/priya", d.line, book.LineEdit{Set: []book.Setting{{Field: account.LineDayCap, N: int64(6 * money.Pound), Grant: true, Until: time.Now().Add(48 * time.Hour)}}})
	fatal(t, err)
	_, err = d.book.Lock(ctx, "acme/ana", d.line, "calls <b>at night\u202e", account.CallsEnd)
	fatal(t, err)
	_, _, err = d.book.AddLine(ctx, "t", book.NewLine{ID: "3001", Customer: d.bravo})
	fatal(t, err)
	came := &fact.DeviceNew{Source: fact.Source{Addr: netip.MustParseAddr("203.0.113.9")}, Agent: "Yealink <b>\u202e", New: "address"}
	fatal(t, d.db.PutMark(ctx, store.Mark{Name: "x", Value: "y"}, "", came.Row(time.Now(), fact.Subject{Line: d.line, Account: d.acme})))

	did := &fact.LinkDone{Action: "mine", Person: "customer/" + d.acme + "/office~abcdefgh", Result: "noted"}
	fatal(t, d.db.PutMark(ctx, store.Mark{Name: "z", Value: "y"}, "", did.Row(time.Now(), fact.Subject{Line: d.line, Account: d.acme})))
	_, err = d.book.EditLine(ctx, "root@socket", d.line, book.LineEdit{Name: ptr("desk")})
	fatal(t, err)
	_, err = d.book.EditLine(ctx, fact.ByForwardCode, d.line, book.LineEdit{Name: ptr("desk 2")})
	fatal(t, err)

	w := b.get("/history")
	page := parsePage(t, strings.NewReader(w.Body.String()))
	checkPage(t, page)
	checkPolicy(t, w, page)
	all := text(page.Node)
	for _, part := range []string{
		"The last change was", "A line was locked", "calls <b>at night", "acme/ana", "Settings were changed", "Most in a day: £6.00 until", "Our staff", "Somebody signed in", "A phone or a place is new", "203.0.113.9", "“Yealink <b>",
		"acme/office", "a phone of the line, which dialled a code", "Unlock it", "Change it back", "End sessions",
	} {
		if !strings.Contains(all, part) {
			t.Errorf("there is no %q: %s", part, all)
		}
	}
	for _, bad := range []string{"priya", "root@socket", "~abcdefgh", "customer/acme", "3001", "\u202e", "⟦"} {
		if strings.Contains(all, bad) {
			t.Errorf("there is %q: %s", bad, all)
		}
	}
	line := text(parsePage(t, strings.NewReader(b.get("/history?line=2003").Body.String())).all("main")[0])
	if !strings.Contains(line, "Only what is about line 2003") || !strings.Contains(line, "A line was locked") || strings.Contains(line, "Somebody signed in") {
		t.Errorf("of a line: %s", line)
	}
	want(t, "another's line", b.get("/history?line=3001"), 404, "There is no such page")
	want(t, "no number", b.get("/history?before="+urlOf(nasty[:50])), 200, "A line was locked")
	_, reader := d.enter(d.acme, "rob", person.Reader)
	if body := reader.get("/history").Body.String(); !strings.Contains(body, "A line was locked") || strings.Contains(body, "Unlock it") {
		t.Errorf("a reader sees %s", body)
	}
	want(t, "nobody", d.stranger(1).get("/history"), 401, "Sign in first")
}

// TestTheHistoryHasPages that follow each other without a gap or a repeat.
func TestTheHistoryHasPages(t *testing.T) {
	d := newDesks(t)
	for i := range perPage + 7 {
		_, err := d.book.EditLine(t.Context(), "acme/ana", d.line, book.LineEdit{Name: ptr("phone " + strings.Repeat("x", i+1))})
		fatal(t, err)
	}
	_, b := d.enter(d.acme, "ana", person.Owner)
	seen := 0
	for at := "/history?line=2003"; at != ""; {
		page := parsePage(t, strings.NewReader(b.get(at).Body.String()))
		seen += len(page.all("tbody tr"))
		next := page.all("nav.pager a[rel=next]")
		if at = ""; len(next) == 1 {
			at = attr(next[0], "href")
		}
	}
	if want := perPage + 7 + 1; seen != want { // and that it was added
		t.Errorf("%d rows, want %d", seen, want)
	}
}
