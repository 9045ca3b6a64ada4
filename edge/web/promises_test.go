package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/flow/casefile"
	"ringfence/flow/desk"
	"ringfence/flow/evidence"
	"ringfence/state/store"
)

// judging gives an affair what judges its calls.
func judging(t *testing.T) *affair {
	t.Helper()
	a := newAffair(t)
	seal, err := evidence.Open(t.Context(), evidence.Options{Store: a.kept, Seed: make([]byte, 32)})
	fatal(t, err)
	file, err := casefile.New(casefile.Options{Store: a.kept, Book: a.book, Cases: func() *desk.Cases { return a.cases }, Evidence: seal, Promises: map[string]string{"caps": nasty[:300]}})
	fatal(t, err)
	a.deps.Casefile = func() *casefile.Casefile { return file }
	a.Server, err = New(a.deps, a.o)
	fatal(t, err)
	return a
}

// TestCustomersReadTheVerdicts: of each call of their own cases, promise by promise; of no other call, and nobody else.
func TestCustomersReadTheVerdicts(t *testing.T) {
	a := judging(t)
	_, cara := a.enter(a.acme, "cara", person.Reader)
	_, eve := a.enter(a.bravo, "eve", person.Owner)
	mine := checkStaff(t, cara.get("/cases/1"))
	if n := len(mine.all("table.marks th.mark")); n != 10 {
		t.Errorf("%d promises over the calls", n)
	}
	want(t, "in plain words", cara.get("/cases/1"), 200, "What we promised, and what held")
	at := "/calls/" + string(a.calls[0])
	one := checkStaff(t, cara.get(at))
	if rows := one.all("section[id=verdict] tbody tr"); len(rows) != 10 {
		t.Errorf("%d promises", len(rows))
	}
	text := cara.get(at).Body.String()
	for _, hidden := range []string{"Rows of the journal", "carrier-north"} {
		if strings.Contains(text, hidden) {
			t.Errorf("a customer reads %q", hidden)
		}
	}
	want(t, "another customer", eve.get(at), 404, "")
	want(t, "another customer's case", eve.get("/cases/1"), 404, "")
	// A call that is in no case has no verdict for them; staff see it.
	raw := call.NewID(night, []byte("0987654321"))
	free := call.CDR{ID: call.ID(raw[:]), Direction: call.Out, Line: a.line, Account: a.acme, Number: "+37160000110", Begun: night, AnsweredAt: night, Ended: night.Add(time.Minute), Talk: time.Minute, Retail: 2, Reason: "hangup"}
	a.record(t, &free)
	other := "/calls/" + string(free.ID)
	if w := cara.get(other); w.Code != 200 || strings.Contains(w.Body.String(), `id="verdict"`) {
		t.Errorf("a call of no case: %d", w.Code)
	}
	want(t, "staff", a.staff(person.Fraud).get("/staff"+other), 200, `id="verdict"`)
}

// record writes the record of a call where the pages and the cases look for it.
func (a *affair) record(t *testing.T, r *call.CDR) {
	t.Helper()
	_, err := a.kept.Apply(t.Context(), []store.Op{
		{Kind: store.OpOpen, ID: r.ID, Amount: r.Retail, Holds: []store.Hold{{Purse: "p", Cap: money.Max}}, Call: &call.Open{ID: r.ID, Node: "a", Direction: call.Out, Line: r.Line, Account: r.Account, Number: r.Number, Begun: r.Begun}},
		{Kind: store.OpSettle, ID: r.ID, CDR: r},
	})
	fatal(t, err)
	_, err = a.records.Apply(t.Context(), []store.Op{{Kind: store.OpRecord, ID: r.ID, CDR: r}})
	fatal(t, err)
}

// TestALargeCaseStandsByNumber: more calls than a page are summed up by number, on pages, and each number opens its calls.
func TestALargeCaseStandsByNumber(t *testing.T) {
	a := newAffair(t)
	x := casework.Case{ID: 2, Customer: a.acme, Line: a.line, Title: nasty[:100], State: casework.Open, Opened: night}
	w := store.CaseWrite{Case: &x}
	const calls, numbers = 260, 60
	for i := range calls {
		begun := night.Add(time.Duration(10+i) * time.Minute)
		raw := call.NewID(begun, fmt.Appendf(nil, "%010d", 1000+i))
		number := fmt.Sprintf("+371900%05d", i%numbers)
		if i >= 2*numbers { // one number has more calls than a page
			number = "+37190000000"
		}
		r := call.CDR{ID: call.ID(raw[:]), Direction: call.Out, Line: a.line, Account: a.acme, Number: number, Country: "LV", Begun: begun, AnsweredAt: begun, Ended: begun.Add(time.Minute), Talk: time.Minute, Retail: 1_000_000 + money.Micro(i%numbers), Reason: "hangup"}
		a.record(t, &r)
		w.Calls = append(w.Calls, casework.CaseCall{Case: 2, Call: r.ID, Customer: a.acme, Line: a.line, Begun: begun, Retail: r.Retail, State: casework.Disputed})
	}
	fatal(t, a.kept.WriteCase(t.Context(), w))
	tom := a.staff(person.Fraud)
	_, cara := a.enter(a.acme, "cara", person.Owner)
	_, eve := a.enter(a.bravo, "eve", person.Owner)
	for who, b := range map[string]*browser{"/staff/cases/2": tom, "/cases/2": cara} {
		d := checkStaff(t, b.get(who))
		if n := len(d.all("section[id=calls] tbody tr")); n != maxNumbers {
			t.Fatalf("%s: %d numbers", who, n)
		}
		first := text(d.all("section[id=calls] tbody tr")[0])
		if !strings.Contains(first, "142 calls") {
			t.Errorf("%s: the dearest number comes first: %s", who, first)
		}
		rest := checkStaff(t, b.get(nextOf(t, d)))
		if n := len(rest.all("section[id=calls] tbody tr")); n != numbers-maxNumbers {
			t.Errorf("%s: %d further numbers", who, n)
		}
		opened := checkStaff(t, b.get(unmarked(attr(d.all("section[id=calls] tbody tr a")[0], "href"))))
		if n := len(opened.all("section[id=calls] tbody tr")); n != maxCaseCalls {
			t.Errorf("%s: %d calls of the number", who, n)
		}
		last := checkStaff(t, b.get(nextOf(t, opened)))
		if n := len(last.all("section[id=calls] tbody tr")); n != 42 {
			t.Errorf("%s: %d further calls of the number", who, n)
		}
		if n := len(checkStaff(t, b.get(who+"?list=1")).all("section[id=calls] tbody tr")); n != maxCaseCalls {
			t.Errorf("%s: %d calls of all", who, n)
		}
		want(t, "a key that is none", b.get(who+"?after=x"), 409, "")
	}
	want(t, "another customer's", eve.get("/cases/2?number=%2B37190000000"), 404, "")
}

// unmarked is an address as a browser asks for it: without the place on the page.
func unmarked(path string) string {
	path, _, _ = strings.Cut(path, "#")
	return path
}

// nextOf is where the list of a case goes on.
func nextOf(t *testing.T, d doc) string {
	t.Helper()
	for _, a := range d.all("section[id=calls] a") {
		if attr(a, "rel") == "next" {
			return unmarked(attr(a, "href"))
		}
	}
	t.Fatal("the list has no further page")
	return ""
}

// TestDisputesOnThePageOfMoney: with their states and dates; nobody is asked for what is in dispute.
func TestDisputesOnThePageOfMoney(t *testing.T) {
	a := newAffair(t)
	_, cara := a.enter(a.acme, "cara", person.Owner)
	_, eve := a.enter(a.bravo, "eve", person.Owner)
	d := checkStaff(t, cara.get("/money"))
	if s := d.one(t, "section[id=disputes]"); !strings.Contains(s, "£6.00 is in dispute. It is not asked for until it is decided.") || !strings.Contains(s, "In dispute 3 calls, £6.00") || !strings.Contains(s, "you have an answer by") {
		t.Errorf("%s", s)
	}
	a.decide(casework.Upheld, a.calls[2])
	a.decide(casework.Owed, a.calls[:2]...)
	fatal(t, a.cases.Close(t.Context(), desk.Who{Actor: "staff/tom"}, 1, casework.Ours, "seen"))
	s := checkStaff(t, cara.get("/money")).one(t, "section[id=disputes]")
	if !strings.Contains(s, "Owed 2 calls, £4.00") || !strings.Contains(s, "Free: ours to bear One call, £2.00") || !strings.Contains(s, "decided") || strings.Contains(s, "not asked for") {
		t.Errorf("%s", s)
	}
	if strings.Contains(eve.get("/money").Body.String(), `id="disputes"`) {
		t.Error("another customer reads of it")
	}
}
