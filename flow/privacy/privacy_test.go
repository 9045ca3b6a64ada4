package privacy

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/retain"
	"ringfence/core/seal"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/evidence"
	"ringfence/flow/journal"
	"ringfence/flow/retention"
	"ringfence/state/store"
	"ringfence/state/store/postgres"
	"ringfence/state/store/postgres/pgtest"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

var engines = map[string]func(t *testing.T) store.Store{
	"sqlite": func(t *testing.T) store.Store {
		s, err := sqlitetest.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{})
		ok(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return s
	},
	"postgres": func(t *testing.T) store.Store {
		s, err := postgres.Open(t.Context(), pgtest.Shared(t).Database(t))
		ok(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return s
	},
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a provider with two customers who use everything that keeps something of them. What is smith's has "smith" or one of the marks in it.
type world struct {
	t      *testing.T
	s      store.Store
	b      *book.Book
	e      *evidence.Evidence
	p      *Privacy
	folder string
	cust   map[string]string // identities
	line   map[string]string
	quick  bool // the second verifier is left out
}

// marks are what must not be found anywhere once smith is erased, but for the name and the handles in the books.
var marks = []string{"Sam Smith", "sam@smith.example", "+442079460111", "198.51.100.7", "SmithPhone", "smith-secret", "smith told us", "Smith alarm log", "smith-1"}

func newWorld(t *testing.T, s store.Store) *world {
	t.Helper()
	ctx := t.Context()
	plan, err := phone.NewPlan(phone.UKConfig())
	ok(t, err)
	key, err := secret.NewKey()
	ok(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	ok(t, err)
	b, err := book.Open(ctx, s, book.Options{Plan: plan, Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "sip.test"})
	ok(t, err)
	e, err := evidence.Open(ctx, evidence.Options{Store: s, Seed: bytes.Repeat([]byte{7}, 32)})
	ok(t, err)
	w := &world{t: t, s: s, b: b, e: e, folder: filepath.Join(t.TempDir(), "archive"), cust: map[string]string{}, line: map[string]string{}}
	w.p = w.privacy(s)
	for name, full := range map[string]string{"smith": "Sam Smith", "other": "Olive Other"} {
		c, err := b.AddCustomer(ctx, "staff/priya", name, book.CustomerEdit{Name: &full})
		ok(t, err)
		number := map[string]string{"smith": "+442079460111", "other": "+442079460222"}[name]
		edit := book.LineEdit{Name: &full, Number: &number}
		l, _, err := b.AddLine(ctx, "staff/priya", book.NewLine{ID: name + "-1", Customer: c.ID, Edit: edit})
		ok(t, err)
		w.cust[name], w.line[name] = c.ID, l.ID()
		w.fill(name)
	}
	return w
}

func (w *world) privacy(s store.Store) *Privacy {
	return New(Options{Store: s, Book: w.b, Provider: "Test Tel", Clear: w.e.Clear, Wrote: w.e.Wrote, Folder: w.folder, Node: "a", Settle: -1})
}

// fill uses everything for a customer.
func (w *world) fill(name string) {
	ctx, t, cust, line := w.t.Context(), w.t, w.cust[name], w.line[name]
	at := time.Now().UTC().Add(-time.Hour).Truncate(time.Microsecond)
	mail := map[string]string{"smith": "sam@smith.example", "other": "olive@other.example"}[name]
	address := map[string]string{"smith": "198.51.100.7", "other": "203.0.113.9"}[name]
	ok(t, w.b.PutContact(ctx, "staff/priya", cust, account.Contact{ID: "office", Name: name, Channel: account.Mail, Address: mail}))
	person := store.Person{ID: name + "/p~00000001", Customer: cust, Login: name + "/sam", Name: name, Mail: mail, Role: "owner", Password: "$argon2id$" + name + "-secret", Sealed: []byte(name + "-secret"), Made: at}
	ok(t, w.s.PutPerson(ctx, person))
	ok(t, w.s.PutPass(ctx, store.Pass{Hash: name + "-secret-hash", Kind: store.PassSession, Person: person.ID, Made: at, Expires: at.AddDate(1, 0, 0), Seen: at, From: address, Agent: "Browser"}))
	ok(t, w.s.SaveDevices(ctx, []store.Device{{Line: line, Place: address + "/24", Family: strings.Title(name) + "Phone", Address: address, First: at, Last: at, Count: 1}}, nil)) //nolint:staticcheck // plain letters
	ok(t, w.s.SaveRegistrations(ctx, []store.Registration{{Line: line, Contact: "sip:x@" + address, Received: address + ":5060", Key: "k", UserAgent: "x", Since: at, Expires: at}}, nil))
	number := map[string]string{"smith": "+442079460111", "other": "+442079460222"}[name]
	old := w.calls(name, time.Now().UTC().AddDate(-3, 0, 0).Truncate(24*time.Hour), 5, number, address)
	ids := w.calls(name, at, 5, number, address)
	w.pay(cust, line, slices.Concat(old, ids))
	said, raised := fact.LoginFailed{User: name, Failures: 3}, fact.FindingRaised{Key: "k/" + name, Text: strings.ToUpper(name) + " " + address}
	step := store.Step{
		Stage: "watch", Facts: []store.Fact{said.Row(at, fact.Subject{Line: line, Account: cust})},
		Findings: []store.Finding{{Key: "k/" + name, Kind: "usage", Severity: "info", Line: line, Account: cust, Text: address, At: at, Last: at, Count: 1, RaiseFact: raised.Row(at, fact.Subject{Line: line, Account: cust})}},
		Memory:   []store.Memory{{Subject: "line/" + line, Body: []byte(address)}, {Subject: "account/" + cust, Body: []byte(address)}},
		Usage:    []store.UsageChange{{Subject: "line/" + line, Add: 1}, {Subject: "account/" + cust, Add: 1}},
		Notices: []store.Notice{{
			Key: "n/" + name, Kind: "new-device", Line: line, Account: cust, At: at, Data: []byte(`{"address":"` + address + `"}`),
			Deliveries: []store.Delivery{{Person: "customer/" + cust + "/office", Channel: "mail", Address: mail, State: store.Sent, Ref: name}},
			Links:      []store.Link{{Hash: name + "-secret-link", Person: "customer/" + cust + "/office", Action: "mine", Line: line}},
		}},
	}
	_, err := w.s.Advance(ctx, step)
	ok(t, err)
	w.disputed(name, cust, line, ids, at)
	_, err = w.s.PutRequest(ctx, account.Request{Line: line, Why: name + " told us", State: "refused", Made: at})
	ok(t, err)
	ok(t, w.s.PutWaiting(ctx, store.Waiting{Code: "w" + name, Customer: cust, Line: line, By: name + "/sam", Text: address, Body: []byte("{}"), Made: at, Due: at}))
}

// calls settles paid calls with their facts.
func (w *world) calls(name string, from time.Time, n int, number, address string) (ids []call.ID) {
	for i := range n {
		at := from.Add(time.Duration(i) * time.Minute)
		id := call.NewID(at, fmt.Appendf(nil, "%-6.6s%04d", name, i))
		s := fact.Subject{Line: w.line[name], Account: w.cust[name], Call: call.ID(id[:])}
		admitted, settled := fact.CallAdmitted{Number: number, Source: fact.ParseSource(address + ":5060")}, fact.CallSettled{Retail: money.Pound}
		purse := []store.Hold{{Purse: "line/" + s.Line + "/day/" + at.Format(time.DateOnly), Cap: 1000 * money.Pound}, {Purse: "account/" + s.Account + "/month/" + at.Format("2006-01"), Cap: 1000 * money.Pound}}
		open := call.Open{ID: s.Call, Node: "a", Direction: call.Out, State: call.Answered, Line: s.Line, Account: s.Account, Number: number, Begun: at}
		out, err := w.s.Apply(w.t.Context(), []store.Op{
			{Kind: store.OpOpen, ID: s.Call, Holds: purse, Amount: money.Pound, Call: &open, Facts: []store.Fact{admitted.Row(at, s)}},
			{Kind: store.OpSettle, ID: s.Call, Facts: []store.Fact{settled.Row(at, s)}, CDR: &call.CDR{
				ID: s.Call, Direction: call.Out, Line: s.Line, Account: s.Account, Number: number, Country: "GB", Source: address + ":5060", Trunk: "the-carrier", Cost: 918_273_645, Begun: at, AnsweredAt: at, Ended: at.Add(time.Minute), Talk: time.Minute, Retail: money.Pound,
			}},
		})
		ok(w.t, err)
		if out[1] != (store.Outcome{}) {
			w.t.Fatalf("%+v", out)
		}
		ids = append(ids, s.Call)
	}
	return ids
}

// pay bills calls and books the payment.
func (w *world) pay(cust, line string, ids []call.ID) {
	var on []store.DueCall
	for _, id := range ids {
		on = append(on, store.DueCall{Line: line, Country: "GB", Call: id, Talk: time.Minute, Net: money.Pound})
	}
	slices.SortFunc(on, func(a, b store.DueCall) int { return strings.Compare(string(a.Call), string(b.Call)) })
	sum, now := money.Micro(len(ids))*money.Pound, time.Now().UTC()
	step := store.BillStep{
		Bill: store.Bill{Customer: cust, From: now.AddDate(-4, 0, 0), Until: now, Made: now, Calls: int64(len(ids)), Net: sum, Gross: sum}, Calls: on, Issue: true,
		Entry: books.Entry{At: now, Kind: books.KindBill, Customer: cust, Net: sum, Postings: books.Bill(cust, books.Total{Net: sum, Gross: sum})},
		Facts: func(b store.Bill) []store.Fact {
			return []store.Fact{(&fact.BillIssued{Bill: b.Number, Gross: sum}).Row(now, fact.Subject{Account: cust})}
		},
	}
	_, err := w.s.StepBill(w.t.Context(), step)
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.s.Book(w.t.Context(), []books.Entry{{At: now, Kind: books.KindPayment, Reference: "pay/" + account.Handle(cust), Customer: cust, Postings: books.Payment(cust, sum)}})
	ok(w.t, err)
}

// disputed is a case that is over, with a note of staff and a file of the customer's.
func (w *world) disputed(name, cust, line string, ids []call.ID, at time.Time) {
	ctx := w.t.Context()
	id, err := w.s.LastCase(ctx)
	ok(w.t, err)
	id++
	code := "code-" + name
	ok(w.t, w.s.PutPiece(ctx, code, 0, []byte(strings.ToUpper(name[:1])+name[1:]+" alarm log")))
	file := casework.File{Code: code, Name: "../alarm log.txt", Size: int64(len(name) + len(" alarm log"))}
	noted := fact.CaseNoted{By: "staff/priya", Case: id, Item: 1, ItemKind: "note", Text: "INTERNAL " + name + " told us"}
	ok(w.t, w.s.WriteCase(ctx, store.CaseWrite{
		Case: &casework.Case{ID: id, Customer: cust, Line: line, Title: name + " told us", State: casework.Closed, Outcome: casework.Fraud, Opened: at, Finished: at},
		Items: []casework.Item{
			{Case: id, N: 1, Kind: casework.Note, At: at, By: "staff/priya", Text: "INTERNAL " + name + " told us"},
			{Case: id, N: 2, Kind: casework.Evidence, At: at, By: name + "/sam", Theirs: true, Text: name + " told us", File: file, Ended: at, How: casework.Accepted},
			{Case: id, N: 3, Kind: casework.Message, At: at, By: "staff/priya", Text: "we answered " + name},
		},
		Calls: []casework.CaseCall{{Case: id, Call: ids[0], Customer: cust, Line: line, Begun: at, Retail: money.Pound, State: casework.Withdrawn}},
	}, noted.Row(at, fact.Subject{Line: line, Account: cust})))
}

// archive moves what is three years old to archives.
func (w *world) archive() {
	keepFor := map[retain.Kind]retain.Period{}
	for _, k := range retain.Kinds() {
		keepFor[k] = retain.Period{Years: 6}
	}
	keepFor[retain.Calls] = retain.Period{Years: 2}
	r := retention.New(retention.Options{
		Store: w.s, Export: w.e.Export, Folder: w.folder, Node: "a", Rest: func(context.Context, time.Duration) error { return nil },
		Policy: func() retention.Policy { return retention.Policy{Keep: keepFor, Archive: true} },
	})
	out, err := r.Sweep(w.t.Context())
	ok(w.t, err)
	if out.Deleted[retain.Calls] == 0 {
		w.t.Fatalf("nothing was archived: %+v", out)
	}
}

func (w *world) exported(name string) map[string]string {
	w.t.Helper()
	var b bytes.Buffer
	ok(w.t, w.p.Export(w.t.Context(), &b, w.cust[name], name+"/sam"))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	ok(w.t, err)
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		ok(w.t, err)
		text, err := io.ReadAll(r)
		ok(w.t, err)
		out[f.Name] = string(text)
	}
	return out
}

// TestEverythingIsExported: all that is held of a customer is in the archive, once as JSON and once as CSV, and no secret, no note of staff, nothing of carriers and nothing of another customer.
func TestEverythingIsExported(t *testing.T) {
	w := newWorld(t, engines["sqlite"](t))
	w.archive()
	files := w.exported("smith")
	whole := ""
	for name, text := range files {
		whole += text
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		if err := json.Unmarshal([]byte(text), new(any)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		list := []json.RawMessage{}
		if json.Unmarshal([]byte(text), &list) != nil {
			continue
		}
		rows, err := csv.NewReader(strings.NewReader(files[strings.TrimSuffix(name, "json")+"csv"])).ReadAll()
		if err != nil || len(rows) != len(list)+1 {
			t.Errorf("%s has %d rows, the CSV %d (%v)", name, len(list), len(rows), err)
		}
		if len(list) == 0 && name != "plans.json" {
			t.Errorf("%s is empty", name)
		}
		if stem := strings.TrimSuffix(name, ".json"); !strings.Contains(files["README.txt"], stem+".json") {
			t.Errorf("README.txt does not name %s", name)
		}
	}
	for _, want := range []string{"Sam Smith", "sam@smith.example", "+442079460111", "198.51.100.7", "SmithPhone", "we answered smith", "smith/sam", `"login.failed"`, `"bill.issued"`} {
		if !strings.Contains(whole, want) {
			t.Errorf("%q is not in it", want)
		}
	}
	for _, bad := range []string{"-secret", "argon2", "INTERNAL", "priya", "the-carrier", "918273645", "Olive", "other@", "203.0.113.9", "+442079460222", w.cust["other"], "other-1"} {
		if strings.Contains(whole, bad) {
			t.Errorf("%q is in it", bad)
		}
	}
	if got := files["files/1/2-_alarm log.txt"] + files["files/2/2-_alarm log.txt"]; got != "Smith alarm log" {
		t.Errorf("the file of the case: %q in %v", got, slices.Sorted(mapKeys(files)))
	}
	said, err := w.s.Facts(t.Context(), store.FactFilter{Kinds: []string{fact.KindPrivacyExported}})
	ok(t, err)
	if len(said) != 1 || said[0].Account != w.cust["smith"] || !strings.Contains(string(said[0].Body), "smith/sam") {
		t.Errorf("%+v", said)
	}
	if err := w.p.Export(t.Context(), io.Discard, "nobody~12345678", "x"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func mapKeys(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// dump is everything that the store and the archives say.
func (w *world) dump() string {
	var b strings.Builder
	ctx := w.t.Context()
	put := func(v any, err error) {
		ok(w.t, err)
		fmt.Fprintf(&b, "%+v\n", v)
		text, err := json.Marshal(v)
		ok(w.t, err)
		b.Write(text)
	}
	customers, err := w.s.Customers(ctx)
	put(customers, err)
	ok(w.t, w.s.EachLine(ctx, func(l account.Line) error { put(l, nil); return nil }))
	ok(w.t, w.s.Devices(ctx, func(d store.Device) error { put(d, nil); return nil }))
	ok(w.t, w.s.Registrations(ctx, func(r store.Registration) error { put(r, nil); return nil }))
	ok(w.t, w.s.Usage(ctx, func(u store.Usage) error { put(u, nil); return nil }))
	ok(w.t, w.s.Memories(ctx, "watch", "", func(m store.Memory) error { put(m.Subject+string(m.Body), nil); return nil }))
	for _, name := range []string{"smith", "other"} {
		people, err := w.s.People(ctx, w.cust[name])
		put(people, err)
		passes, err := w.s.Passes(ctx, name+"/p~00000001", store.PassSession)
		put(passes, err)
	}
	put(w.s.CDRs(ctx, store.CDRFilter{Limit: 1000}))
	put(w.s.Findings(ctx, store.FindingFilter{Limit: 1000}))
	put(w.s.Notices(ctx, store.NoticeFilter{Limit: 1000}))
	put(w.s.Cases(ctx, store.CaseFilter{Limit: 1000}))
	for id := int64(1); id <= 3; id++ {
		put(w.s.CaseItems(ctx, id))
	}
	put(w.s.CaseCalls(ctx, store.CaseCallFilter{}))
	put(w.s.Requests(ctx, ""))
	put(w.s.Waitings(ctx, ""))
	for _, code := range []string{"code-smith", "code-other"} {
		if piece, err := w.s.Piece(ctx, code, 0); err == nil {
			b.Write(piece)
		}
	}
	facts, err := w.s.Facts(ctx, store.FactFilter{Limit: 100_000, Proofs: true})
	ok(w.t, err)
	for i := range facts {
		f := &facts[i]
		fmt.Fprintln(&b, f.Kind, f.Line, f.Account, f.Call, f.Key, string(f.Body))
	}
	archives, err := w.s.Archives(ctx, "")
	ok(w.t, err)
	for i := range archives {
		calls, facts := retention.Files(&archives[i])
		for _, name := range []string{calls, facts} {
			b.Write(w.unpack(name))
		}
	}
	return b.String()
}

func (w *world) unpack(name string) []byte {
	f, err := os.Open(filepath.Join(w.folder, name))
	ok(w.t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	ok(w.t, err)
	out, err := io.ReadAll(z)
	ok(w.t, err)
	return out
}

// proven wants both verifiers to find nothing in a file of evidence.
func (w *world) proven(what string, file []byte) {
	w.t.Helper()
	r, err := seal.Verify(bytes.NewReader(file))
	if err != nil || len(r.Findings) > 0 || r.Rows == 0 {
		w.t.Errorf("%s: %d rows, %v %v", what, r.Rows, r.Findings, err)
	}
	if w.quick {
		return
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			w.t.Fatal("there is no python3: tools/deps.sh test installs it")
		}
		w.t.Skip("there is no python3")
	}
	path := filepath.Join(w.t.TempDir(), "file")
	ok(w.t, os.WriteFile(path, file, 0o600))
	if out, err := exec.CommandContext(w.t.Context(), python, "../evidence/verify.py", path).CombinedOutput(); err != nil {
		w.t.Errorf("%s: the second verifier: %v\n%s", what, err, out)
	}
}

func (w *world) evidence() []byte {
	w.t.Helper()
	var out bytes.Buffer
	ok(w.t, w.e.Export(w.t.Context(), &out, evidence.Filter{All: true}))
	return out.Bytes()
}

// erased wants nothing of smith to be left but in the books, everything of the other customer to be there, and every proof to stand.
func (w *world) erased(before []byte) {
	w.t.Helper()
	ctx, t := w.t.Context(), w.t
	dump := w.dump()
	for _, bad := range append(slices.Clone(marks), w.cust["smith"], w.line["smith"]) {
		if i := strings.Index(dump, bad); i >= 0 {
			t.Errorf("%q is left: …%s…", bad, dump[max(0, i-200):min(len(dump), i+100)])
		}
	}
	for _, good := range []string{"Olive Other", "olive@other.example", "+442079460222", "203.0.113.9", "Other alarm log", w.cust["other"], w.line["other"], "INTERNAL other told us"} {
		if !strings.Contains(dump, good) {
			t.Errorf("%q of the other customer is gone", good)
		}
	}
	bills, err := w.s.Bills(ctx, store.BillFilter{Customer: w.cust["smith"]})
	ok(t, err)
	n, err := w.p.booked(ctx, w.cust["smith"])
	ok(t, err)
	if len(bills) != 1 || n != 2 {
		t.Errorf("the books have %d bills and %d entries of smith", len(bills), n)
	}
	e, err := w.s.ErasureOf(ctx, w.cust["smith"])
	ok(t, err)
	if e.Done.IsZero() || e.Name != "Sam Smith" || len(e.Lines) != 0 {
		t.Errorf("%+v", e)
	}
	w.proven("what was exported before", before)
	w.proven("what is left", w.evidence())
	archives, err := w.s.Archives(ctx, "")
	ok(t, err)
	for i := range archives {
		calls, facts := retention.Files(&archives[i])
		w.proven("an archive", w.unpack(facts))
		for name, sum := range map[string]string{calls: archives[i].CallsHash, facts: archives[i].FactsHash} {
			if _, got, err := w.p.sum(name); err != nil || got != sum {
				t.Errorf("%s: the store has another hash (%v)", name, err)
			}
		}
	}
	faults, err := w.s.Check(ctx)
	if err != nil || len(faults) > 0 {
		t.Errorf("%v %v", faults, err)
	}
}

// TestAPersonIsErased: nothing of a customer is left anywhere but in the books, and nothing that was proven is disproven.
func TestAPersonIsErased(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, open(t))
			w.archive()
			if dump := w.dump(); !strings.Contains(dump, marks[0]) || !strings.Contains(dump, "Smith alarm log") {
				t.Fatal("the dump does not show what is there")
			}
			before := w.evidence()
			plan, err := w.p.Plan(t.Context(), w.cust["smith"])
			ok(t, err)
			if len(plan.Ties) > 0 || len(plan.Lines) != 1 || plan.People != 1 || plan.Contacts != 1 || plan.Calls != 5 || plan.Cases != 1 || plan.Books != 2 || plan.Erasure != 0 {
				t.Fatalf("%+v", plan)
			}
			out, err := w.p.Erase(t.Context(), w.cust["smith"], "staff/priya")
			ok(t, err)
			if !out.Done || out.Erasure != 1 {
				t.Fatalf("%+v", out)
			}
			w.erased(before)
			again, err := w.p.Erase(t.Context(), w.cust["smith"], "staff/priya")
			if err != nil || !again.Done {
				t.Errorf("%+v %v", again, err)
			}
			if _, err := w.p.Find(t.Context(), "smith"); !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		})
	}
}

// TestWhatKeepsAPerson: nothing is erased while money, a case or a hold keeps it, and the reason is named.
func TestWhatKeepsAPerson(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			w := newWorld(t, open(t))
			smith, line := w.cust["smith"], w.line["smith"]
			kept := func(why retain.Why) {
				t.Helper()
				out, err := w.p.Erase(ctx, smith, "staff/priya")
				if !errors.Is(err, ErrTied) || !slices.ContainsFunc(out.Ties, func(x Tie) bool { return x.Why == why && x.Number != 0 && Why(x) != string(why) }) {
					t.Errorf("%s: %+v %v", why, out.Ties, err)
				}
				if _, there := w.b.Line(line); !there {
					t.Fatalf("%s: the line is gone", why)
				}
			}
			holds, err := w.s.PutLegalHold(ctx, store.LegalHold{Hold: retain.Hold{Line: line, Customer: smith}, By: "x", Why: "police", Made: time.Now()}, func(int64) []store.Fact { return nil })
			ok(t, err)
			kept(retain.Held)
			ok(t, w.s.LiftLegalHold(ctx, store.LegalHold{Hold: retain.Hold{ID: holds}, Lifted: time.Now(), LiftedBy: "x", LiftedWhy: "over"}))
			c := casework.Case{ID: 9, Customer: smith, Title: "x", State: casework.Open, Opened: time.Now()}
			ok(t, w.s.WriteCase(ctx, store.CaseWrite{Case: &c}))
			kept(retain.InCase)
			c.Version, c.State, c.Finished = 1, casework.Closed, time.Now()
			ok(t, w.s.WriteCase(ctx, store.CaseWrite{Case: &c}))
			ids := w.calls("smith", time.Now().UTC().Add(-time.Minute), 1, "+442079460111", "198.51.100.7")
			kept(retain.Unbilled)
			_, err = w.s.Book(ctx, []books.Entry{{At: time.Now(), Kind: books.KindPayment, Reference: "early", Customer: smith, Postings: books.Payment(smith, money.Pound)}})
			ok(t, err)
			ok(t, w.s.LeaveCalls(ctx, smith, []store.DueCall{{Line: line, Country: "GB", Call: ids[0], Net: money.Pound}}))
			kept(retain.Balance)
			open := call.Open{ID: "01kbz", Node: "a", Direction: call.Out, State: call.Answered, Line: line, Account: smith, Begun: time.Now()}
			_, err = w.s.Apply(ctx, []store.Op{{Kind: store.OpOpen, ID: open.ID, Holds: []store.Hold{{Purse: "p", Cap: money.Pound}}, Amount: 1, Call: &open}})
			ok(t, err)
			kept(retain.Talking)
		})
	}
}

// TestWhatIsUnreadWaits: facts that a stage has still to read are not erased before it has.
func TestWhatIsUnreadWaits(t *testing.T) {
	w := newWorld(t, engines["sqlite"](t))
	w.archive()
	before := w.evidence()
	w.p.o.Readers = func() []journal.Reader { return []journal.Reader{{Stage: "watch"}} }
	out, err := w.p.Erase(t.Context(), w.cust["smith"], "staff/priya")
	ok(t, err)
	if out.Done || len(out.Left) == 0 || !strings.Contains(out.Left[0].What, "calls") {
		t.Fatalf("%+v", out)
	}
	if _, there := w.b.Line(w.line["smith"]); there {
		t.Error("the line is still there")
	}
	if id, err := w.p.Find(t.Context(), "smith"); err != nil || id != w.cust["smith"] {
		t.Error(id, err)
	}
	read := func() {
		end, err := w.s.Facts(t.Context(), store.FactFilter{Before: 1 << 60, Limit: 1})
		ok(t, err)
		at, err := w.s.Cursor(t.Context(), "watch")
		ok(t, err)
		_, err = w.s.Advance(t.Context(), store.Step{Stage: "watch", From: at, To: end[0].Seq})
		ok(t, err)
	}
	read()
	ok(t, w.p.GoOn(t.Context())) // the fact that the customer is gone was not read yet
	if open, err := w.s.Erasures(t.Context(), true); err != nil || len(open) != 1 {
		t.Fatalf("%+v %v", open, err)
	}
	read()
	ok(t, w.p.GoOn(t.Context()))
	w.erased(before)
}

// faulty fails the n-th write, before it is done or after.
type faulty struct {
	store.Store
	left  *int
	after bool
}

var errFault = errors.New("a fault")

func (f faulty) step(write func() error) error {
	*f.left--
	if *f.left != 0 {
		return write()
	}
	if f.after {
		return errors.Join(write(), errFault)
	}
	return errFault
}

func (f faulty) BeginErasure(ctx context.Context, e store.Erasure, facts func(int64) []store.Fact) (id int64, err error) {
	err = f.step(func() (err error) { id, err = f.Store.BeginErasure(ctx, e, facts); return err })
	return id, err
}

func (f faulty) Erase(ctx context.Context, e *store.Erasure, part store.ErasePart, unread int64, limit int) (n int64, err error) {
	err = f.step(func() (err error) { n, err = f.Store.Erase(ctx, e, part, unread, min(limit, 2)); return err })
	return n, err
}

func (f faulty) EraseFacts(ctx context.Context, drop, hide []store.Fact) error {
	return f.step(func() error { return f.Store.EraseFacts(ctx, drop, hide) })
}

func (f faulty) EndErasure(ctx context.Context, e store.Erasure, facts ...store.Fact) error {
	return f.step(func() error { return f.Store.EndErasure(ctx, e, facts...) })
}

func (f faulty) ClearArchive(ctx context.Context, was, now store.Archive, facts ...store.Fact) error {
	return f.step(func() error { return f.Store.ClearArchive(ctx, was, now, facts...) })
}

func (f faulty) DeletePerson(ctx context.Context, id string, facts ...store.Fact) error {
	return f.step(func() error { return f.Store.DeletePerson(ctx, id, facts...) })
}

// TestAnErasureThatBreaksOffGoesOn breaks off at each write, before it and after it, and then goes on.
func TestAnErasureThatBreaksOffGoesOn(t *testing.T) {
	for n, after := 1, false; ; {
		w := newWorld(t, engines["sqlite"](t))
		w.quick = true
		w.archive()
		before := w.evidence()
		left := n
		broken := w.privacy(faulty{w.s, &left, after})
		clearFile := broken.o.Clear
		broken.o.Clear = func(to io.Writer, from io.Reader, hide func(*seal.Sealed) bool) (n int64, err error) {
			err = faulty{nil, &left, after}.step(func() (err error) { n, err = clearFile(to, from, hide); return err })
			return n, err
		}
		_, err := broken.Erase(t.Context(), w.cust["smith"], "staff/priya")
		if !errors.Is(err, errFault) {
			ok(t, err)
			if n < 20 {
				t.Errorf("only %d writes were broken", n)
			}
			return
		}
		_, err = w.p.Erase(t.Context(), w.cust["smith"], "staff/priya")
		ok(t, err)
		w.erased(before)
		if t.Failed() {
			t.Fatalf("broken at write %d (after it: %v)", n, after)
		}
		if after = !after; !after {
			n++
		}
	}
}

// TestAChangedArchiveIsNotSigned: an archive in which somebody changed a row that nothing seals does not come out of an erasure with our signature. With the file that was written in its
// place, the erasure goes on.
func TestAChangedArchiveIsNotSigned(t *testing.T) {
	w := newWorld(t, engines["sqlite"](t))
	w.quick = true
	w.archive()
	before := w.evidence()
	archives, err := w.s.Archives(t.Context(), "")
	ok(t, err)
	_, facts := retention.Files(&archives[0])
	path := filepath.Join(w.folder, facts)
	written, err := os.ReadFile(path)
	ok(t, err)
	text := w.unpack(facts)
	changed := bytes.Replace(text, []byte("2023"), []byte("2022"), 1)
	if bytes.Equal(changed, text) {
		changed = append(bytes.TrimSuffix(text[:len(text)-2], []byte("\n")), "x\n"...)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(changed)
	ok(t, errors.Join(err, z.Close()))
	ok(t, os.WriteFile(path, packed.Bytes(), 0o600))
	if _, err := w.p.Erase(t.Context(), w.cust["smith"], "staff/priya"); err == nil || !strings.Contains(err.Error(), "was changed since it was written") {
		t.Fatalf("erased: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, packed.Bytes()) {
		t.Errorf("the file was written again: %v", err)
	}
	ok(t, os.WriteFile(path, written, 0o600))
	ok(t, w.p.GoOn(t.Context()))
	w.erased(before)
}
