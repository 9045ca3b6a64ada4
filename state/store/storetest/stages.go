package storetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/state/store"
)

// RunStages tests the part of the stages that follow the journal.
func RunStages(t *testing.T, open func(t *testing.T) store.Store) {
	for _, c := range stages {
		t.Run("Stages/"+c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

var stages = []struct {
	name string
	run  func(t *testing.T, s store.Store)
}{
	{"Cursor", cursor},
	{"Findings", findings},
	{"FindingsAreFound", findingsAreFound},
	{"Usage", usage},
	{"StepsAreWhole", stepsAreWhole},
	{"ImpossibleSteps", impossibleSteps},
	{"HostileText", hostileText},
	{"Memories", memories},
	{"Devices", devices},
	{"Bans", bans},
	{"HotNumbers", hotNumbers},
	{"Everybody", everybody},
	{"Notices", notices},
	{"NoticesAreFound", noticesAreFound},
	{"Deliveries", deliveries},
	{"LostDeliveries", lostDeliveries},
	{"Requeue", requeue},
	{"Digest", digest},
	{"Links", links},
	{"Contacts", contactsOfCustomers},
	{"FormerPasswords", formerPasswords},
	{"People", people},
	{"Status", publicStatus},
	{"Passes", passes},
	{"Waitings", waitings},
	{"Race", racingStages},
}

func advance(t *testing.T, s store.Stages, step store.Step) store.Stepped {
	t.Helper()
	out, err := s.Advance(t.Context(), step)
	ok(t, err)
	return out
}

func wantCursor(t *testing.T, s store.Stages, stage string, want int64) {
	t.Helper()
	got, err := s.Cursor(t.Context(), stage)
	ok(t, err)
	if got != want {
		t.Fatalf("the cursor of %s is at %d, want %d", stage, got, want)
	}
}

// full is a finding with everything set.
func full(key string) store.Finding {
	return store.Finding{
		Key: key, Kind: "guessing", Severity: "warning", Line: "100", Account: "acme", Source: "192.0.2.7", Text: "Somebody guesses – ☎",
		At: T0, Last: T0.Add(time.Second), Count: 3, Evidence: []byte(`{"wrong":9}`),
		RaiseFact: store.Fact{At: T0, Kind: "finding.raised", Line: "100", Body: []byte(`{"key":"` + key + `"}`)},
	}
}

func cursor(t *testing.T, s store.Store) {
	ctx := t.Context()
	wantCursor(t, s, "watch", 0)
	_, err := s.Advance(ctx, store.Step{Stage: "watch", From: 1, To: 2, Facts: []store.Fact{{Kind: "x"}}})
	wantIs(t, "from where it never was", err, store.ErrMoved)
	wantCursor(t, s, "watch", 0)
	advance(t, s, store.Step{Stage: "watch", To: 5, Facts: []store.Fact{{Kind: "1"}}})
	_, err = s.Advance(ctx, store.Step{Stage: "watch", To: 5, Facts: []store.Fact{{Kind: "x"}}})
	wantIs(t, "again", err, store.ErrMoved)
	_, err = s.Advance(ctx, store.Step{Stage: "watch", From: 4, To: 6, Facts: []store.Fact{{Kind: "x"}}})
	wantIs(t, "from between", err, store.ErrMoved)
	advance(t, s, store.Step{Stage: "watch", From: 5, To: 6, Facts: []store.Fact{{Kind: "2"}}})
	advance(t, s, store.Step{Stage: "notify", To: 2})
	// By the clock: from anywhere, to nowhere.
	for _, at := range []int64{0, 6, 99} {
		advance(t, s, store.Step{Stage: "watch", From: at, To: at, Facts: []store.Fact{{Kind: "tick"}}})
	}
	advance(t, s, store.Step{Stage: "new", From: 7, To: 7})
	wantCursor(t, s, "watch", 6)
	wantCursor(t, s, "notify", 2)
	wantCursor(t, s, "new", 0)
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"1", "2", "tick", "tick", "tick"})
	once := store.Fact{Kind: "once", Key: "k"}
	same(t, "a key", advance(t, s, store.Step{Stage: "watch", Facts: []store.Fact{once}}).Repeated, 0)
	same(t, "a key again", advance(t, s, store.Step{Stage: "watch", Facts: []store.Fact{once, {Kind: "beside"}}}).Repeated, 1)
	same(t, "journal", kinds(t, s, store.FactFilter{After: 5}), []string{"once", "beside"})
}

func findings(t *testing.T, s store.Store) {
	ctx := t.Context()
	a, b := full("a"), full("b")
	a.ClosedAt, a.ClosedBy = time.Time{}, ""
	b.Count, b.Last, b.RaiseFact = 0, time.Time{}, store.Fact{}
	out := advance(t, s, store.Step{Stage: "watch", To: 1, Findings: []store.Finding{a, b, a}, Facts: []store.Fact{{Kind: "after"}}})
	if len(out.Findings) != 3 || !out.Findings[0].New || !out.Findings[1].New || out.Findings[2].New || out.Findings[0].ID != out.Findings[2].ID {
		t.Fatalf("stepped %+v", out)
	}
	a.ID, b.ID = out.Findings[0].ID, out.Findings[1].ID
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"finding.raised", "after"})
	later := store.Finding{Key: "a", Kind: "other", Text: "other", At: T0.Add(time.Minute), Last: T0.Add(time.Hour), Evidence: []byte(`{}`), RaiseFact: a.RaiseFact}
	out = advance(t, s, store.Step{Stage: "watch", From: 1, To: 2, Findings: []store.Finding{later}})
	same(t, "raised", out.Findings, []store.Raised{{ID: a.ID}})
	a.Last, a.Count, a.Evidence, a.RaiseFact = later.Last, 5, later.Evidence, store.Fact{}
	got, err := s.Finding(ctx, a.ID)
	ok(t, err)
	same(t, "finding", got, a)
	// What comes late does not take Last back.
	advance(t, s, store.Step{Stage: "watch", Findings: []store.Finding{{Key: "a", At: T0.Add(-time.Hour)}}})
	a.Count, a.Evidence = 6, nil
	b.Count, b.Last, b.RaiseFact = 1, b.At, store.Fact{}
	all, err := s.Findings(ctx, store.FindingFilter{})
	ok(t, err)
	same(t, "findings", all, []store.Finding{b, a})

	note := store.Note{At: T0, By: "desk", Text: "called the customer: \"not us\"\nsecond line"}
	ok(t, s.NoteFinding(ctx, a.ID, note, store.Fact{Kind: "finding.noted"}))
	note2 := store.Note{At: T0.Add(time.Minute), By: "anna", Text: "Ä"}
	ok(t, s.NoteFinding(ctx, a.ID, note2))
	a.Notes = []store.Note{note, note2}
	wantIs(t, "too many notes", s.NoteFinding(ctx, b.ID, store.Note{Text: strings.Repeat("x", store.MaxNotes+1)}, store.Fact{Kind: "x"}), store.ErrInUse)
	wantIs(t, "a note on nothing", s.NoteFinding(ctx, 99, note, store.Fact{Kind: "x"}), store.ErrNotFound)
	ok(t, s.CloseFinding(ctx, a.ID, T0, "desk", store.Fact{Kind: "finding.closed"}))
	wantIs(t, "closed twice", s.CloseFinding(ctx, a.ID, T0, "other", store.Fact{Kind: "x"}), store.ErrInUse)
	wantIs(t, "none", s.CloseFinding(ctx, 99, T0, "other", store.Fact{Kind: "x"}), store.ErrNotFound)
	advance(t, s, store.Step{Stage: "watch", Findings: []store.Finding{later}})
	a.Count, a.Evidence, a.ClosedAt, a.ClosedBy = 7, later.Evidence, T0, "desk"
	got, err = s.Finding(ctx, a.ID)
	ok(t, err)
	same(t, "closed, and raised again", got, a)
	_, err = s.Finding(ctx, 99)
	wantIs(t, "none", err, store.ErrNotFound)
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"finding.raised", "after", "finding.noted", "finding.closed"})
}

func findingsAreFound(t *testing.T, s store.Store) {
	var all []store.Finding
	for i := range 120 {
		f := full(fmt.Sprint(i))
		f.Line, f.Account, f.Kind = fmt.Sprint("l", i%3), fmt.Sprint("a", i%2), fmt.Sprint("k", i%5)
		all = append(all, f)
	}
	out := advance(t, s, store.Step{Stage: "watch", To: 1, Findings: all})
	for i := range 60 {
		ok(t, s.CloseFinding(t.Context(), out.Findings[i].ID, T0, "desk"))
	}
	ids := func(f store.FindingFilter) (got []string) {
		t.Helper()
		found, err := s.Findings(t.Context(), f)
		ok(t, err)
		for i := range found {
			got = append(got, found[i].Key)
		}
		return got
	}
	if n := len(ids(store.FindingFilter{})); n != 100 {
		t.Fatalf("%d without a limit", n)
	}
	for _, c := range []struct {
		f    store.FindingFilter
		want string
	}{
		{store.FindingFilter{Limit: 3}, "119 118 117"},
		{store.FindingFilter{Limit: 2, Before: out.Findings[5].ID}, "4 3"},
		{store.FindingFilter{Limit: 3, Line: "l1"}, "118 115 112"},
		{store.FindingFilter{Limit: 3, Account: "a0", Line: "l1"}, "118 112 106"},
		{store.FindingFilter{Account: "a0", Line: "l1", Kind: "k3", Before: out.Findings[100].ID}, "88 58 28"},
		{store.FindingFilter{Open: true, Before: out.Findings[62].ID}, "61 60"},
		{store.FindingFilter{Open: true, Account: "a0", Line: "l1", Kind: "k3"}, "118 88"},
		{store.FindingFilter{Line: "none"}, ""},
	} {
		if got := strings.Join(ids(c.f), " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
	}
}

func usages(t *testing.T, s store.Stages) []store.Usage {
	t.Helper()
	var got []store.Usage
	ok(t, s.Usage(t.Context(), func(u store.Usage) error {
		got = append(got, u)
		return nil
	}))
	return got
}

func usage(t *testing.T, s store.Store) {
	out := advance(t, s, store.Step{Stage: "watch", To: 1, Usage: []store.UsageChange{
		{Subject: "line/b", Add: 10}, {Subject: "account/a", Add: 10, Told: 2}, {Subject: "line/b", Add: 5}, {Subject: "line/b", Add: -3, Told: 1},
	}})
	same(t, "sums", out.Usage, []money.Micro{10, 10, 15, 12})
	// What was told is raised, never lowered; a step by the clock counts nevertheless.
	out = advance(t, s, store.Step{Stage: "watch", Usage: []store.UsageChange{
		{Subject: "account/a", Told: 1}, {Subject: "line/b", Told: 4}, {Subject: "line/c", Told: -7}, {Subject: "line/full", Add: math.MaxInt64 - 1},
	}})
	same(t, "sums", out.Usage, []money.Micro{10, 12, 0, math.MaxInt64 - 1})
	// More than there can be holds nobody up.
	out = advance(t, s, store.Step{Stage: "watch", Usage: []store.UsageChange{{Subject: "line/full", Add: 2}, {Subject: "line/full", Add: -2}}})
	same(t, "sums", out.Usage, []money.Micro{math.MaxInt64, math.MaxInt64 - 2})
	same(t, "usage", usages(t, s), []store.Usage{
		{Subject: "account/a", Unbilled: 10, Told: 2},
		{Subject: "line/b", Unbilled: 12, Told: 4},
		{Subject: "line/c"},
		{Subject: "line/full", Unbilled: math.MaxInt64 - 2},
	})
}

// stepsAreWhole guards that nothing of a step that fails at its end is there.
func stepsAreWhole(t *testing.T, s store.Store) {
	ctx := t.Context()
	n := notice("n")
	n.Links = []store.Link{{Hash: "taken"}}
	advance(t, s, store.Step{Stage: "notify", Notices: []store.Notice{n}})
	step := store.Step{
		Stage: "watch", To: 9, Findings: []store.Finding{full("a")}, Usage: []store.UsageChange{{Subject: "line/100", Add: 5}},
		Notices: []store.Notice{notice("m"), {Key: "o", Links: []store.Link{{Hash: "taken"}}}}, Facts: []store.Fact{{Kind: "x"}},
	}
	_, err := s.Advance(ctx, step)
	wantIs(t, "a link that is there", err, store.ErrExists)
	step.Notices[1].Links = []store.Link{{Hash: "twice"}, {Hash: "twice"}}
	_, err = s.Advance(ctx, step)
	wantIs(t, "a link twice", err, store.ErrExists)
	step.Notices[1].Links, step.Bundled = nil, []store.Delivery{{Notice: 1, Person: "nobody"}}
	_, err = s.Advance(ctx, step)
	wantIs(t, "nothing waits for the digest", err, store.ErrMoved)
	wantCursor(t, s, "watch", 0)
	all, err := s.Findings(ctx, store.FindingFilter{})
	ok(t, err)
	same(t, "findings", all, []store.Finding(nil))
	same(t, "usage", usages(t, s), []store.Usage(nil))
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string(nil))
	found, err := s.Notices(ctx, store.NoticeFilter{})
	ok(t, err)
	if len(found) != 1 {
		t.Fatalf("%d notices", len(found))
	}
	step.Bundled = nil
	advance(t, s, step)
	wantCursor(t, s, "watch", 9)
}

func impossibleSteps(t *testing.T, s store.Store) {
	much := make([]byte, 1<<20+1)
	for name, step := range map[string]store.Step{
		"no stage":  {To: 1},
		"backwards": {Stage: "watch", From: 2, To: 1},
		"below":     {Stage: "watch", From: -1, To: 1},
		"no key":    {Stage: "watch", To: 1, Findings: []store.Finding{{Kind: "k"}}},
		"no notice": {Stage: "watch", To: 1, Notices: []store.Notice{{Key: "\x00"}}},
		"evidence":  {Stage: "watch", To: 1, Findings: []store.Finding{{Key: "k", Evidence: much}}},
		"data":      {Stage: "watch", To: 1, Notices: []store.Notice{{Key: "k", Data: much}}},
	} {
		_, err := s.Advance(t.Context(), step)
		wantIs(t, name, err, store.ErrInvalid)
	}
	wantCursor(t, s, "watch", 0)
}

// hostileText guards that nothing an unknown source can put into a name stops a stage, and that distinct keys stay distinct.
func hostileText(t *testing.T, s store.Store) {
	ctx := t.Context()
	r := rand.New(rand.NewPCG(1, 2)) // what does not compress: an index of PostgreSQL takes 2704 bytes
	long := func() string {
		b := make([]byte, 8<<10)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	head := long()
	f := full(head + "a")
	f.Line, f.Account, f.Source, f.Text = long(), long(), long(), long()
	f.RaiseFact.Line = f.Line
	g := f
	g.Key = head + "b"
	n := notice(long())
	n.Line, n.Account = f.Line, f.Account
	n.Deliveries[0].Person, n.Deliveries[0].Channel, n.Deliveries[0].Error = long(), long(), long()
	n.Links = []store.Link{{Hash: long(), Person: long()}}
	out := advance(t, s, store.Step{
		Stage: long(), To: 1, Findings: []store.Finding{f, g, f}, Notices: []store.Notice{n, n}, Usage: []store.UsageChange{{Subject: long(), Add: 1}},
		Facts: []store.Fact{{Kind: long(), Account: long()}},
	})
	if !out.Findings[1].New || out.Findings[2] != (store.Raised{ID: out.Findings[0].ID}) || out.Notices[1].New {
		t.Fatalf("stepped %+v", out)
	}
	found, err := s.Findings(ctx, store.FindingFilter{Line: f.Line, Account: f.Account})
	ok(t, err)
	if len(found) != 2 {
		t.Fatalf("%d findings of a line with a long name", len(found))
	}
	held := claim(t, s, T0, 9)
	if len(held) != 1 {
		t.Fatalf("claimed %d", len(held))
	}
	held[0].State = store.Sent
	ok(t, s.SettleDelivery(ctx, held[0].Delivery))
	ok(t, s.UseLink(ctx, n.Links[0].Hash, T0))
	d := store.Device{Line: long(), Place: long(), Family: long(), Agent: long()}
	ok(t, s.SaveDevices(ctx, []store.Device{d}, nil))
	ok(t, s.SaveDevices(ctx, nil, []store.Device{d}))
	same(t, "devices", readDevices(t, s), []store.Device(nil))
	ok(t, s.SaveBans(ctx, []store.Ban{{Net: netip.MustParsePrefix("::/0"), By: long(), Why: long()}}, nil))
}

func customer(id string) account.Customer { return account.Customer{ID: id} }

func line(id string) account.Line { return account.Line{ID: id, Customer: "acme"} }

func contactsOfCustomers(t *testing.T, s store.Store) {
	ctx := t.Context()
	c := account.Customer{ID: "acme", Courtesy: account.CourtesyAgent, Contacts: []account.Contact{
		{ID: "boss", Name: "Zoë <b>", Channel: account.Mail, Address: "boss@example.net", Lines: []string{"100", "200"}, Kinds: map[string]account.Preference{"*": account.PreferDigest, "usage-level": account.PreferNow}},
		{ID: "hook", Channel: account.Webhook, Address: "https://example.net/hook"},
	}}
	want := func(c account.Customer) {
		t.Helper()
		got, err := s.Customers(ctx)
		ok(t, err)
		same(t, "customers", got, []account.Customer{c})
	}
	ok(t, s.PutCustomer(ctx, c, true))
	want(c)
	c.Contacts, c.Courtesy = c.Contacts[:1], account.CourtesyOff
	ok(t, s.PutCustomer(ctx, c, false))
	want(c)
	c.Contacts, c.Courtesy = nil, ""
	ok(t, s.PutCustomer(ctx, c, false))
	want(c)
}

func formerPasswords(t *testing.T, s store.Store) {
	ctx := t.Context()
	ok(t, s.PutCustomer(ctx, customer("acme"), true))
	a := account.Line{
		ID: "a", Customer: "acme", Sealed: []byte("s0"), Honeypot: true, Courtesy: account.CourtesyBoth, Strength: account.BeyondGuessing,
		Former: []account.Former{{Sealed: []byte{0, 0xff, '"'}, Until: T0}, {Sealed: []byte("s2"), Until: T0.Add(-time.Hour)}},
	}
	ok(t, s.PutLine(ctx, a, true))
	bulk := a
	bulk.ID = "b"
	ok(t, s.PutLines(ctx, []account.Line{bulk, line("c")}))
	same(t, "lines", eachLine(t, s), []account.Line{a, bulk, line("c")})
	a.Former, a.Honeypot, a.Courtesy, a.Strength = a.Former[:1], false, "", account.Guessable
	ok(t, s.PutLine(ctx, a, false))
	same(t, "changed", eachLine(t, s)[0], a)
	n, err := s.Rekey(ctx, func(b []byte) ([]byte, error) { return append([]byte("new"), b...), nil })
	ok(t, err)
	if n != 5 {
		t.Fatalf("%d secrets", n)
	}
	check := func() {
		t.Helper()
		got := eachLine(t, s)
		same(t, "former", got[0].Former, []account.Former{{Sealed: []byte("new\x00\xff\""), Until: T0}})
		same(t, "former", got[1].Former[1], account.Former{Sealed: []byte("news2"), Until: T0.Add(-time.Hour)})
	}
	check()
	bad := errors.New("cannot open")
	_, err = s.Rekey(ctx, func(b []byte) ([]byte, error) {
		if string(b) == "news2" {
			return nil, bad
		}
		return []byte("half"), nil
	})
	wantIs(t, "failed", err, bad)
	check()
}
