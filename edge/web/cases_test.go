package web

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
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
	"ringfence/state/store/sqlite/sqlitetest"
)

// kept are cases in an engine, beside a book that is in memory.
type kept = store.Cases

// withCases gives a desk cases, and acme a case with hostile texts and calls in dispute.
func withCases(t *testing.T) (*desks, *desk.Cases) {
	t.Helper()
	d := newDesks(t)
	db, err := sqlitetest.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"), sqlite.Options{})
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
	for _, part := range []string{"In dispute", "/staff/cases/1/files/2", "Decide", "To do", "Linked lines"} {
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
	want(t, "a decision", tom.post("/staff/cases/1", "do", "decide", "what", "upheld", "decide-why", "the lock was late"), 303, "/staff/cases/1")
	want(t, "her own", tom.post("/staff/cases/1", "do", "second", "n", "5", "how", "made"), 409, "second person")
	checkStaff(t, tom.get("/staff/cases/1"))
	want(t, "too early", tom.post("/staff/cases/1", "do", "close", "outcome", "ours", "close-why", "x"), 409, "still in dispute")
	fatal(t, cases.Second(t.Context(), desk.Who{Actor: "staff/maya"}, 1, 5, true, "seen"))
	want(t, "evidence", tom.post("/staff/cases/1", "do", "end", "n", "2", "how", "accepted", "why", "seen"), 303, "")
	want(t, "closed", tom.post("/staff/cases/1", "do", "close", "outcome", "ours", "close-why", "the lock was late"), 303, "")
	want(t, "what she reads", ana.get("/cases/1"), 200, "A promise of ours was broken")
	id := d.found(d.login("hosting-login/1", "203.0.113.9"))
	want(t, "from a finding", tom.post("/staff/cases", "finding", fmt.Sprint(id)), 303, "/staff/cases/2")
	want(t, "its note", tom.get("/staff/cases/2"), 200, "Line 2003 was used")
}

// send posts a form with a file, or what is left of it.
func (b *browser) send(path string, body []byte, kind string) *httptest.ResponseRecorder {
	b.h.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://rf.test"+path, bytes.NewReader(body))
	r.RemoteAddr, r.Host, r.TLS = b.from, "rf.test", &tls.ConnectionState{}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w := httptest.NewRecorder()
	b.h.Handler().ServeHTTP(w, r)
	return w
}

// formWith is a form with a text and a file.
func formWith(t *testing.T, name string, data []byte, fields ...string) (body []byte, kind string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for i := 0; i < len(fields); i += 2 {
		fatal(t, w.WriteField(fields[i], fields[i+1]))
	}
	if name != "" {
		part, err := w.CreateFormFile("file", name)
		fatal(t, err)
		_, err = part.Write(data)
		fatal(t, err)
	}
	fatal(t, w.Close())
	return out.Bytes(), w.FormDataContentType()
}

// TestCustomersSendFiles: up to the limit, kept as they came, and told clearly what went wrong.
func TestCustomersSendFiles(t *testing.T) {
	d, cases := withCases(t)
	_, cara := d.enter(d.acme, "cara", person.Owner)
	_, eve := d.enter(d.bravo, "eve", person.Owner)
	files := func() (n int) {
		f, err := cases.Case(t.Context(), desk.Who{Actor: "t"}, 1)
		fatal(t, err)
		for i := range f.Items {
			if f.Items[i].File.Code != "" {
				n++
			}
		}
		return n
	}
	before := files()
	data := bytes.Repeat([]byte("<script>alert(1)</script>\x00\xff"), 20_000) // more than one piece
	body, kind := formWith(t, "log\u202efdp.html", data, "about", "the alarm's log")
	want(t, "a file", cara.send("/cases/1/files", body, kind), 303, "/cases/1?did=attach")
	want(t, "what she reads", cara.get("/cases/1?did=attach"), 200, "We have the file.")
	if n := files(); n != before+1 {
		t.Fatalf("%d files, not %d", n, before+1)
	}
	f, err := cases.Case(t.Context(), desk.Who{Actor: "t"}, 1)
	fatal(t, err)
	last := f.Items[len(f.Items)-1]
	got := cara.get(fmt.Sprintf("/cases/1/files/%d", last.N))
	if got.Body.String() != string(data) || last.Text != "the alarm's log" || got.Header().Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(got.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("%d bytes of %d, %v, %q", got.Body.Len(), len(data), got.Header(), last.Text)
	}
	want(t, "another's", eve.send("/cases/1/files", body, kind), 404, "")
	want(t, "nobody's", d.browser().send("/cases/1/files", body, kind), 401, "Sign in first")
	large, largeKind := formWith(t, "x", make([]byte, casework.MaxFile+1), "about", "x")
	want(t, "too large", cara.send("/cases/1/files", large, largeKind), 413, "at most 20 MB")
	huge, hugeKind := formWith(t, "x", make([]byte, maxUpload+1), "about", "x")
	want(t, "far too large", cara.send("/cases/1/files", huge, hugeKind), 413, "at most 20 MB")
	want(t, "broken off", cara.send("/cases/1/files", body[:len(body)/2], kind), 422, "broke off")
	none, noneKind := formWith(t, "", nil, "about", "x")
	want(t, "no file", cara.send("/cases/1/files", none, noneKind), 422, "No file came")
	empty, emptyKind := formWith(t, "x", nil)
	want(t, "an empty file", cara.send("/cases/1/files", empty, emptyKind), 422, "No file came")
	want(t, "no form", cara.post("/cases/1/files", "about", "x"), 422, "No file came")
	if n := files(); n != before+1 {
		t.Errorf("%d files, not %d", n, before+1)
	}
	whole, wholeKind := formWith(t, "x", make([]byte, casework.MaxFile), "about", "x")
	want(t, "as large as it may be", cara.send("/cases/1/files", whole, wholeKind), 303, "did=attach")
}

// TestStaffActFromACase: what they do is done by the same stages as elsewhere, each by the role that may.
func TestStaffActFromACase(t *testing.T) {
	d, cases := withCases(t)
	tom, finance := d.staff(person.Fraud), d.staff(person.Finance)
	for _, c := range []struct {
		what  string
		pairs []string
		part  string
	}{
		{"lock", []string{"lock-line", "2003"}, "did=lock"},
		{"ban", []string{"net", "203.0.113.9"}, "did=ban"},
		{"hot", []string{"numbers", "+37190000112"}, "did=hot"},
		{"notify", []string{"message", "Who was in the office?"}, "did=notify"},
		{"note", []string{"note", "x"}, "did=note"},
		{"task", []string{"task", "ring", "due", "+3d"}, "did=task"},
		{"link", []string{"link", "2003"}, "did=link"},
		{"unlink", []string{"unlink", "2003"}, "did=unlink"},
		{"edit", []string{"title", "Latvia", "owner", "staff/priya", "deadline", "+5d", "state", "settling"}, "did=edit"},
	} {
		want(t, c.what, tom.post("/staff/cases/1", append([]string{"do", c.what}, c.pairs...)...), 303, c.part)
	}
	f, err := cases.Case(t.Context(), desk.Who{Actor: "t"}, 1)
	fatal(t, err)
	l, _ := d.book.Line(d.line)
	if f.Owner != "staff/priya" || f.Title != "Latvia" || f.State != casework.Settling || !l.Locked() {
		t.Errorf("%+v, locked %v", f.Case, l.Locked())
	}
	for what, pairs := range map[string][]string{"an address": {"do", "ban", "net", "x"}, "a number": {"do", "hot", "numbers", "x"}, "a line": {"do", "lock", "lock-line", nasty[:60]}, "an amount": {"do", "refund", "amount", "x", "refund-why", "x"}, "a day": {"do", "task", "task", "x", "due", "x"}} {
		if w := tom.post("/staff/cases/1", pairs...); w.Code != 409 && w.Code != 403 {
			t.Errorf("%s: %d", what, w.Code)
		}
	}
	want(t, "finance locks no line", finance.post("/staff/cases/1", "do", "lock", "lock-line", "2003"), 403, "")
	want(t, "finance bans nobody", finance.post("/staff/cases/1", "do", "ban", "net", "203.0.113.9"), 403, "")
	want(t, "no such act", tom.post("/staff/cases/1", "do", "x"), 404, "")
	want(t, "no such case", tom.post("/staff/cases/9", "do", "note", "note", "x"), 404, "")
	checkStaff(t, tom.get("/staff/cases?all=1"))
	want(t, "by risk", tom.get("/staff/cases"), 200, "Could still be lost tonight")
}
