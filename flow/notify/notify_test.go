package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/detect"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/state/store"
)

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

const (
	owner = "customer/acme/office"
	desk  = "desk/fraud@provider.example"
)

func TestEachKindGoesToItsPeople(t *testing.T) {
	w := newWorld(t, nil)
	want := map[Kind][]string{NewDevice: {owner}, LineLocked: {owner}, Restricted: {owner}, ChangeWaiting: {owner}, AccessChanged: {owner, "person/acme/ana"}, PasswordChanged: {owner}, ForwardSet: {owner}, LoginHeld: {owner}, LoginProbation: {owner}, RequestMade: {owner, desk}, RequestAnswered: {owner, desk}, NumbersChanged: {owner}, Bill: {owner}, BillReminder: {owner}, CaseCredit: {owner}, Instalment: {owner}, Digest: nil, Test: nil}
	for k := detect.NoKind + 1; k < detect.NumKinds; k++ {
		kind := Kind(k.String())
		if k.Audience().Has(detect.Owner) {
			want[kind] = append(want[kind], owner)
		}
		if k.Audience().Has(detect.Desk) {
			want[kind] = append(want[kind], desk)
		}
		w.n.storm.mails = map[purse][]time.Time{}
		w.finding(k, "2002", int(k)*100)
		w.follow()
	}
	w.device("2001")
	w.fact("login.held", "2001", `{"source":"192.0.2.9"}`)
	w.fact("login.probation", "2001", `{"source":"192.0.2.9"}`)
	_, err := w.book.Lock(t.Context(), "staff", "2001", "calls abroad at night", account.CallsCut)
	w.must(err)
	w.fact("setting.changed", "2001", `{"by":"staff","after":{"restrictions":[{"id":7,"names":"LV","since":"2026-07-20T00:00:00Z"}]}}`)
	w.fact("change.waiting", "2001", `{"by":"acme/ana","change":"7k2m9qpx","text":"line 2001: max-calls from 3 to 8","until":"2026-07-22T00:00:00Z"}`)
	w.fact("token.added", "", `{"by":"acme/ana","after":{"login":"acme/ana","mail":"ana@home.example","token":"ci","scopes":"read lock"}}`)
	w.fact("customer.changed", "", `{"by":"acme/ana","after":{"numbers":[{"number":"443069990123","how":"call","since":"2026-11-30T00:00:00Z"}]}}`)
	w.fact("bill.issued", "", `{"by":"auto","bill":17,"count":2,"gross_micro":156390000,"due":"2026-12-14T12:00:00Z"}`)
	w.fact("bill.reminded", "", `{"bill":17,"reminder":1,"gross_micro":156390000,"due":"2026-12-14T12:00:00Z"}`)
	w.fact("case.noted", "", `{"by":"auto","case":17,"item":4,"item_kind":"message","text":"Instalment 1 of 3 is due.","what":"instalment"}`)
	w.fact("case.noted", "", `{"by":"staff/tom","case":17,"item":5,"item_kind":"message","text":"Was anybody there?"}`)
	w.fact("credit.booked", "", `{"by":"staff/tom","reference":"CASE 17 SETTLEMENT 1","gross_micro":99740000,"why":"Case 17."}`)
	w.fact("credit.booked", "", `{"by":"staff/tom","reference":"BY HAND","gross_micro":99740000,"why":"x"}`)
	_, err = w.book.SetPassword(t.Context(), "staff", "2001", "")
	w.must(err)
	_, err = w.book.EditLine(t.Context(), "staff", "2001", book.LineEdit{Forward: []book.Forward{{Cause: call.ForwardBusy, To: "07700900123"}}})
	w.must(err)
	asked, err := w.book.Ask(t.Context(), "staff", "2001", account.InternationalCeiling, int64(50*money.PencePerMinute), time.Time{}, "a supplier")
	w.must(err)
	_, err = w.book.Refuse(t.Context(), "staff", asked.ID, "use the cheaper route")
	w.must(err)
	w.n.storm.mails = map[purse][]time.Time{}
	w.follow()
	if len(want) != len(Kinds()) {
		t.Fatalf("%d kinds, the test knows %d", len(Kinds()), len(want))
	}
	for kind, people := range want {
		var states []string
		for _, p := range people {
			states = append(states, p+" queued")
		}
		equal(t, string(kind), w.states(kind), states)
	}
}

func TestWhoIsTold(t *testing.T) {
	type contact = account.Contact
	off, digest := map[string]account.Preference{"*": account.PreferOff}, map[string]account.Preference{"new-device": account.PreferDigest}
	for name, c := range map[string]struct {
		contacts []contact
		courtesy account.Courtesy
		channels map[string]Send
		raise    func(*world)
		kind     Kind
		want     []string
	}{
		"all contacts of the line": {
			contacts: []contact{{ID: "b", Channel: account.Mail, Address: "b@acme.example", Lines: []string{"2001"}}, {ID: "c", Channel: account.Mail, Address: "c@acme.example", Lines: []string{"2002"}}},
			want:     []string{"customer/acme/b queued", owner + " queued"},
		},
		"not what is about the account, for who wants two lines": {
			contacts: []contact{{ID: "b", Channel: account.Mail, Address: "b@acme.example", Lines: []string{"2001", "2002"}}}, kind: UsageLevel,
			raise: func(w *world) { w.finding(detect.UsageLevel, "", 1) }, want: []string{owner + " queued"},
		},
		"one address once": {contacts: []contact{{ID: "same", Channel: account.Mail, Address: "Anna@acme.example"}}, want: []string{owner + " queued"}},
		"a webhook":        {contacts: []contact{{ID: "hook", Channel: account.Webhook, Address: "https://acme.example/hook"}}, want: []string{"customer/acme/hook queued", owner + " queued"}},
		"wishes":           {contacts: []contact{{ID: "d", Channel: account.Mail, Address: "d@acme.example", Kinds: digest}, {ID: "o", Channel: account.Mail, Address: "o@acme.example", Kinds: off}}, want: []string{"customer/acme/d digest", "customer/acme/o off", owner + " queued"}},
		"critical ones come all the same": {
			contacts: []contact{{ID: "o", Channel: account.Mail, Address: "o@acme.example", Kinds: off}}, kind: Kind(detect.HostingLogin.String()),
			raise: func(w *world) { w.finding(detect.HostingLogin, "2001", 1) }, want: []string{"customer/acme/o queued", owner + " queued", desk + " queued"},
		},
		"no way to send":                    {channels: map[string]Send{}, want: []string{owner + " kept"}},
		"courtesy off":                      {courtesy: account.CourtesyOff},
		"courtesy for agents, a new place":  {courtesy: account.CourtesyAgent, raise: func(w *world) { w.fact("device.new", "2001", `{"address":"192.0.2.1","new":"address"}`) }},
		"courtesy for agents, a new agent":  {courtesy: account.CourtesyAgent, raise: func(w *world) { w.fact("device.new", "2001", `{"address":"192.0.2.1","new":"agent"}`) }, want: []string{owner + " queued"}},
		"the first phone of a fresh line":   {raise: func(w *world) { w.fact("device.new", "2001", `{"address":"192.0.2.1","new":"both","first":true}`) }},
		"a line that is gone":               {raise: func(w *world) { w.fact("device.new", "gone", `{"address":"192.0.2.1","new":"both"}`) }},
		"a body that is none":               {raise: func(w *world) { w.fact("device.new", "2001", `[1]`) }},
		"a finding of a kind there is none": {raise: func(w *world) { w.fact("finding.raised", "2001", `{"key":"x","kind":"moon-phase"}`) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) {
				if c.channels != nil {
					o.Channels = c.channels
				}
			})
			for _, x := range c.contacts {
				w.contact(x)
			}
			if c.courtesy != "" {
				_, err := w.book.EditCustomer(t.Context(), "test", "acme", book.CustomerEdit{Courtesy: &c.courtesy})
				w.must(err)
			}
			if c.raise == nil {
				c.raise = func(w *world) { w.device("2001") }
			}
			if c.kind == "" {
				c.kind = NewDevice
			}
			c.raise(w)
			w.follow()
			equal(t, "deliveries", w.states(c.kind), c.want)
		})
	}
}

// TestCustomersSeeWhatWentToThem: neither notices that staff alone got, nor the deliveries to staff of a notice that both got.
func TestCustomersSeeWhatWentToThem(t *testing.T) {
	w := newWorld(t, nil)
	w.finding(detect.Unallocated, "2001", 1) // for the desk
	w.finding(detect.HostingLogin, "2001", 2)
	w.device("2002")
	w.follow()
	var got []string
	all, err := w.n.SentTo(t.Context(), "acme", Filter{})
	w.must(err)
	for _, v := range all {
		for _, d := range v.Deliveries {
			got = append(got, v.Kind+" "+d.Person+" "+v.State)
		}
	}
	equal(t, "sent to acme", got, []string{"new-device customer/acme/office queued", "hosting-login customer/acme/office queued"})
	if all, err := w.n.SentTo(t.Context(), "acm", Filter{}); err != nil || len(all) != 0 {
		t.Errorf("another customer sees %+v, %v", all, err)
	}
	if all, err := w.n.SentTo(t.Context(), "acme", Filter{Limit: 1, Before: all[0].ID}); err != nil || len(all) != 1 || all[0].Kind != "hosting-login" {
		t.Errorf("the next page: %+v, %v", all, err)
	}
}

// Guards: a customer without contacts must not lose its notices, and later a contact can be sent them.
func TestNobodyToTellIsKept(t *testing.T) {
	w := newWorld(t, nil)
	w.must(w.book.DeleteContact(t.Context(), "test", "acme", "office"))
	w.device("2001")
	w.follow()
	all, err := w.n.List(t.Context(), Filter{})
	if err != nil || len(all) != 1 || all[0].State != "kept" || len(all[0].Deliveries) != 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	shown, err := w.n.Show(t.Context(), all[0].ID)
	if err != nil || !strings.Contains(shown.Text, "line 2001") {
		t.Errorf("%v\n%s", err, shown.Text)
	}
	if _, err := w.n.Resend(t.Context(), all[0].ID, "", "staff"); !errors.Is(err, ErrNotFound) {
		t.Errorf("resent to nobody: %v", err)
	}
	w.contact(account.Contact{ID: "office", Channel: account.Mail, Address: "anna@acme.example"})
	if _, err := w.n.Resend(t.Context(), all[0].ID, "", "staff"); err != nil {
		t.Fatal(err)
	}
	w.sendDue()
	if got := w.messages(); len(got) != 1 || got[0].To != "anna@acme.example" {
		t.Errorf("%+v", got)
	}
}

// Guards: the first start on an old journal must not send mail about all its history, and a second start must not skip
// what came after the first.
func TestHistoryMakesNoStorm(t *testing.T) {
	w := newWorld(t, nil)
	for range 3 {
		w.finding(detect.HostingLogin, "2001", 1)
	}
	w.f = newFollower(w.notifier(nil)) // a restart before anything was read
	w.follow()
	if got := len(w.notices(store.NoticeFilter{})); got != 1 {
		t.Errorf("%d notices of one finding raised after the first start", got)
	}
	// A journal with a past, and a stage that starts for the first time.
	w.db = openCopy(t)
	for i := range 50 {
		w.finding(detect.HostingLogin, "2001", i)
	}
	for start := range 3 {
		w.n = w.notifier(nil)
		w.f = newFollower(w.n)
		w.follow()
		if got := len(w.notices(store.NoticeFilter{})); got != start {
			t.Errorf("start %d: %d notices", start, got)
		}
		w.finding(detect.HostingLogin, "2001", 100+start)
	}
}

// refusing is a store that never takes one notice.
type refusing struct {
	store.Store
	line string
}

func (r *refusing) Advance(ctx context.Context, s store.Step) (store.Stepped, error) {
	for i := range s.Notices {
		if s.Notices[i].Line == r.line {
			return store.Stepped{}, store.ErrInvalid
		}
	}
	return r.Store.Advance(ctx, s)
}

// Guards: one notice that the store will never take must not hold up all that come after it.
func TestOneBadNoticeHoldsUpNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.n.o.Store = &refusing{w.db, "2002"}
	for i := range 3 {
		w.finding(detect.Guessing, []string{"2001", "2002", "2001"}[i], i)
	}
	w.follow()
	equal(t, "guessing", w.states("guessing"), []string{owner + " queued", owner + " queued"})
	if at, err := w.db.Cursor(t.Context(), Stage); err != nil || at != w.f.at {
		t.Errorf("the cursor is at %d, %v; want %d", at, err, w.f.at)
	}
}

// Guards: a thousand signs about one login in one batch are one notice of a size that can be kept.
func TestManySignsOfOneLogin(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Desk = nil })
	for i := range 300 {
		w.fact("finding.raised", "2001", map[string]any{"key": fmt.Sprint("k", i), "kind": "two-places", "severity": "warning", "source": "192.0.2.1", "text": strings.Repeat("ü", 5000)})
	}
	w.follow()
	w.sendDue()
	if got := w.messages(); len(got) != 1 || len(got[0].HTML) > 40<<10 {
		t.Errorf("%d messages", len(got))
	}
}

func TestOneLoginIsOneMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, raise := range map[string][]func(*world){
			"in one batch": {func(w *world) {
				w.device("2001")
				w.finding(detect.HostingLogin, "2001", 1)
				w.finding(detect.Travel, "2001", 1)
			}},
			"the finding a batch later":  {func(w *world) { w.device("2001") }, func(w *world) { w.finding(detect.HostingLogin, "2001", 1) }},
			"the finding a batch sooner": {func(w *world) { w.finding(detect.HostingLogin, "2001", 1) }, func(w *world) { w.device("2001") }},
		} {
			w := newWorld(t, func(o *Options) { o.Desk = nil })
			for _, r := range raise {
				r(w)
				w.follow()
				w.sendDue()
				pass(time.Second)
			}
			pass(together)
			w.sendDue()
			got := w.messages()
			if len(got) != 1 || got[0].Kind != Kind(detect.HostingLogin.String()) {
				t.Errorf("%s: %d mails: %+v", name, len(got), kinds(got))
			}
			if name == "in one batch" && len(got) == 1 && !strings.Contains(unwrapped(got[0].Text), "nobody travels so fast") {
				t.Errorf("%s: the other sign is left out:\n%s", name, got[0].Text)
			}
			_ = w.db.Close()
		}
	})
}

// Guards: a courtesy mail must come when nothing graver was said, also when another login at the same line was grave.
func TestCourtesyMailComes(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, func(o *Options) { o.Desk = nil })
		w.finding(detect.HostingLogin, "2001", 1)
		pass(time.Minute)
		w.device("2001")
		w.finding(detect.HostingLogin, "2002", 1)
		w.follow()
		w.sendDue()
		pass(together)
		w.sendDue()
		if got := kinds(w.messages()); !slices.Contains(got, NewDevice) || len(got) != 3 {
			t.Errorf("%v", got)
		}
		_ = w.db.Close()
	})
}

func unwrapped(s string) string { return strings.Join(strings.Fields(s), " ") }

func kinds(ms []Message) (out []Kind) {
	for _, m := range ms {
		out = append(out, m.Kind)
	}
	return out
}

func TestStormWaitsForADigest(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, func(o *Options) { o.Storm = 5; o.Desk = nil })
		w.contact(account.Contact{ID: "hook", Channel: account.Webhook, Address: "https://acme.example/hook"})
		for i := range 60 {
			w.finding(detect.Guessing, "2001", i)
			w.finding(detect.HostingLogin, "2002", i)
			pass(11 * time.Second)
			w.follow()
			if i == 7 { // a restart must not forget what it sent
				w.n = w.notifier(func(o *Options) { o.Storm = 5; o.Desk = nil })
				w.f = newFollower(w.n)
			}
		}
		w.sendDue()
		count := map[string]int{}
		for _, m := range w.messages() {
			count[m.Channel+" "+string(m.Kind)]++
		}
		// Each counts for itself: 5 of what anybody can cause, 15 of what looks like a stolen login.
		if m, c := count["mail guessing"], count["mail hosting-login"]; m != 5 || c != 15 || count["webhook guessing"] != 60 || count["webhook hosting-login"] != 60 {
			t.Errorf("%v", count)
		}
		w.must(w.n.digests(context.Background(), time.Now()))
		pass(time.Hour)
		for range 3 { // once is enough
			w.must(w.n.digests(context.Background(), time.Now()))
		}
		w.sendDue()
		var digests []Message
		for _, m := range w.messages() {
			if m.Kind == Digest {
				digests = append(digests, m)
			}
		}
		if len(digests) != 1 || digests[0].To != "anna@acme.example" || !strings.Contains(unwrapped(digests[0].Text), "There were 60 more") {
			t.Errorf("%d digests: %+v", len(digests), digests)
		}
		if left := w.notices(store.NoticeFilter{State: string(store.Digest)}); len(left) != 0 {
			t.Errorf("%d still wait", len(left))
		}
		_ = w.db.Close()
	})
}

// A lock-out that concerns no customer is in the list of findings; a notice to nobody would only fill the outbox.
func TestNobodysWorryIsNoNotice(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		w := newWorld(t, func(o *Options) {
			o.Hooks = nil
			if hooked {
				o.Hooks = []string{"https://ops.example.net/hook"}
			}
		})
		f := store.Fact{At: time.Now().UTC(), Kind: "finding.raised", Body: []byte(`{"key":"guessing/source/203.0.113.0/24","kind":"guessing","severity":"info","source":"203.0.113.9","text":"x"}`)}
		_, err := w.db.Advance(t.Context(), store.Step{Stage: "test", Facts: []store.Fact{f}})
		w.must(err)
		w.follow()
		if n := len(w.notices(store.NoticeFilter{})); (n == 1) != hooked {
			t.Errorf("with a webhook %v: %d notices", hooked, n)
		}
	}
}

// TestCheckFindsNoticesThatReachNobody: mails that are kept, a fraud desk without an address, notices that cannot be answered.
func TestCheckFindsNoticesThatReachNobody(t *testing.T) {
	w := newWorld(t, nil)
	found := func(change func(*Options)) (all []string) {
		for _, f := range w.notifier(change).Check() {
			all = append(all, f.Level+" "+f.What)
		}
		return all
	}
	equal(t, "all is set", found(nil), []string{"ok mail"})
	equal(t, "nothing is set", found(func(o *Options) { o.Channels, o.Desk, o.LinksURL = nil, nil, "" }), []string{"warning mail", "warning notices", "warning notices"})
}
