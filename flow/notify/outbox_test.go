package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/flow/book/booktest"
	"ringfence/state/store"
	"ringfence/state/store/postgres/pgtest"
)

// run starts what production starts; stop waits for its end.
func (w *world) run(n *Notifier) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { n.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

// byID counts how often each Message-ID arrived.
func byID(ms []Message) map[string]int {
	n := map[string]int{}
	for _, m := range ms {
		n[m.ID]++
	}
	return n
}

// Guards: a dead mail server loses no notice.
func TestADeadServerLosesNothing(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		set := func(o *Options) { o.Every, o.Storm = time.Minute, 1000 }
		w := newWorldOn(t, open, set)
		defer w.db.Close()
		dead := time.Now().Add(2*time.Hour + time.Second) // not at the very instant of a try
		w.outside(func(_ context.Context, m Message) error {
			if m.Channel == account.Mail && time.Now().Before(dead) {
				return errors.New("dial tcp 192.0.2.25:25: connection refused")
			}
			return nil
		})
		stop := w.run(w.n)
		for i := range 24 {
			w.finding(detect.Guessing, "2001", i)
			pass(5 * time.Minute)
			if i == 10 { // and a restart in the middle
				stop()
				stop = w.run(w.notifier(set))
			}
		}
		if got := w.messages(); len(got) != 0 {
			t.Errorf("%d mails through a dead server", len(got))
		}
		pass(3 * time.Hour)
		stop()
		ids := byID(w.messages())
		if len(ids) != 24 || len(w.messages()) != 24 {
			t.Errorf("%d mails, %d different, want 24 each once", len(w.messages()), len(ids))
		}
		if n := len(w.tries); n > 24*10 {
			t.Errorf("%d tries: the dead server was hammered", n)
		}
	})
}

// Guards: one slow server must not hold up webhooks, nor one slow webhook the others.
func TestASlowServerHoldsUpOnlyItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(t, openCopy, func(o *Options) { // whose calls take a while, in which senders run
			o.Storm = 1000
			for i := range 4 { // with mail, twice what may be in memory before lanes give way
				o.Hooks = append(o.Hooks, fmt.Sprintf("https://slow%d.example/hook", i))
			}
			o.Hooks = append(o.Hooks, "https://good.example/hook")
		})
		defer w.db.Close()
		var mu sync.Mutex
		active, most := map[string]int{}, map[string]int{}
		count := func(lane string, by int) {
			mu.Lock()
			defer mu.Unlock()
			active[lane] += by
			most[lane] = max(most[lane], active[lane])
		}
		w.outside(func(ctx context.Context, m Message) error {
			if strings.Contains(m.To, "good.example") {
				return nil
			}
			count(m.To, 1)
			defer count(m.To, -1)
			<-ctx.Done()
			return ctx.Err()
		})
		for i := range 300 { // more than fits into memory for one lane
			w.finding(detect.Guessing, "2001", i)
		}
		stop := w.run(w.n)
		pass(time.Minute) // what finds a lane full is given back for up to 20 seconds, at times twice
		if got := len(byID(w.messages())); got != 300 {
			t.Errorf("%d of 300 webhooks came past the slow ones within a minute", got)
		}
		stop()
		for lane, n := range most {
			want := account.ChannelCalled(account.Webhook).AtOnce
			if strings.Contains(lane, "@") {
				want = account.ChannelCalled(account.Mail).AtOnce
			}
			if n != want {
				t.Errorf("%s: %d at once, want %d", lane, n, want)
			}
		}
		if left := w.notices(store.NoticeFilter{State: string(store.Failed), Limit: 1000}); len(left) != 0 {
			t.Errorf("%d were given up", len(left))
		}
	})
}

func TestWhatComesOfATry(t *testing.T) {
	for name, c := range map[string]struct {
		send  Send
		state store.DeliveryState
		words string
		tries int64
	}{
		"taken": {func(context.Context, Message) error { return nil }, store.Sent, "", 1},
		"bounced": {func(context.Context, Message) error {
			return fmt.Errorf("%w: 550 5.1.1 no\r\nsuch \x1b[31muser", ErrPermanent)
		}, store.Bounced, "refused for good: 550 5.1.1 no such [31muser", 1},
		"given up": {func(context.Context, Message) error { return errors.New("connection refused") }, store.Failed, "connection refused", 12},
		"panicked": {func(context.Context, Message) error { panic("oh") }, store.Failed, "sending panicked: oh", 12},
		"long words": {func(context.Context, Message) error {
			return fmt.Errorf("%w: %s", ErrPermanent, strings.Repeat("ü", 4000))
		}, store.Bounced, "refused for good: üüü", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(o *Options) { o.Desk = nil; o.Every = 10 * time.Minute })
				defer w.db.Close()
				w.outside(c.send)
				w.finding(detect.Guessing, "2001", 1)
				stop := w.run(w.n)
				began := time.Now()
				pass(time.Minute)
				for c.state == store.Failed && len(w.notices(store.NoticeFilter{State: string(store.Failed)})) == 0 && time.Since(began) < 60*time.Hour {
					pass(time.Hour)
				}
				stop()
				d := w.notices(store.NoticeFilter{})[0].Deliveries[0]
				if d.State != c.state || !strings.HasPrefix(d.Error, c.words) || len(d.Error) > maxWords || d.Tries != c.tries || c.words == "" && (d.Error != "" || d.Sent.IsZero()) {
					t.Errorf("after %v: %+v", time.Since(began), d)
				}
				if took := time.Since(began); c.state == store.Failed && took < 24*time.Hour {
					t.Errorf("given up after %v", took)
				}
				for _, m := range w.tries {
					if m.ID != d.Ref || m.Text != w.tries[0].Text || m.At != w.tries[0].At {
						t.Errorf("tries differ: %s %s", m.ID, d.Ref)
					}
				}
			})
		})
	}
}

// Guards: a stop loses nothing, waits for what is under way, and gives back what is not, so that the next process need
// not wait for leases.
func TestStop(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, func(o *Options) { o.Desk, o.Storm = nil, 1000 })
		defer w.db.Close()
		w.outside(func(context.Context, Message) error { pass(5 * time.Second); return nil })
		for i := range 20 {
			w.finding(detect.Guessing, "2001", i)
		}
		stop := w.run(w.n)
		pass(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if got := len(w.messages()); got != account.ChannelCalled(account.Mail).AtOnce {
			t.Errorf("%d went out, want the %d under way", got, account.ChannelCalled(account.Mail).AtOnce)
		}
		if left := w.notices(store.NoticeFilter{State: string(store.Queued)}); len(left) != 20-account.ChannelCalled(account.Mail).AtOnce {
			t.Errorf("%d wait for the next process", len(left))
		}
		w.outside(nil)
		stop = w.run(w.notifier(nil))
		pass(time.Second)
		stop()
		if ids := byID(w.messages()); len(ids) != 20 || len(w.messages()) != 20 {
			t.Errorf("%d messages, %d different", len(w.messages()), len(ids))
		}
	})
}

// Guards: two nodes on one database send each notice once.
func TestTwoNodes(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		set := func(o *Options) { o.Desk, o.Storm, o.DigestAt, o.Every = nil, 1000, 10*time.Minute, 3*time.Second }
		w := newWorldOn(t, open, set)
		defer w.db.Close()
		w.contact(account.Contact{ID: "digest", Channel: account.Mail, Address: "d@acme.example", Kinds: map[string]account.Preference{"*": account.PreferDigest}})
		stop := []func(){w.run(w.notifier(set)), w.run(w.notifier(set)), w.run(w.notifier(set))}
		for i := range 40 {
			w.finding(detect.Guessing, "2001", i)
			pass(300 * time.Millisecond)
		}
		pass(11 * time.Minute)
		for _, s := range stop {
			s()
		}
		got := w.messages()
		if ids := byID(got); len(ids) != 41 || len(got) != 41 {
			t.Errorf("%d messages, %d different, want 40 and one digest", len(got), len(ids))
		}
	})
}

// Guards: who was taken off the list, or has switched a kind off, gets none of what still waits.
func TestChangedMinds(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, func(o *Options) { o.Desk = nil })
		defer w.db.Close()
		w.contact(account.Contact{ID: "gone", Channel: account.Mail, Address: "gone@acme.example"})
		w.contact(account.Contact{ID: "off", Channel: account.Mail, Address: "off@acme.example"})
		w.finding(detect.Guessing, "2001", 1)
		w.finding(detect.HostingLogin, "2001", 1)
		w.follow()
		w.must(w.book.DeleteContact(t.Context(), "test", "acme", "gone"))
		w.must(w.book.SetPreference(t.Context(), "test", "acme", "off", "*", account.PreferOff))
		w.sendDue()
		equal(t, "guessing", w.states("guessing"), []string{"customer/acme/gone off", "customer/acme/off off", owner + " sent"})
		equal(t, "hosting-login", w.states("hosting-login"), []string{"customer/acme/gone off", "customer/acme/off sent", owner + " sent"})
	})
}

// Guards: what waits for a digest is not told to who was taken off the list, has another address than mail or has switched
// the kind off meanwhile; what cannot be switched off is.
func TestChangedMindsBeforeADigest(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, func(o *Options) { o.Desk, o.Storm = nil, 1 })
		defer w.db.Close()
		for _, id := range []string{"gone", "hook", "off", "guess", "stay"} {
			w.contact(account.Contact{ID: id, Channel: account.Mail, Address: id + "@acme.example", Kinds: map[string]account.Preference{"*": account.PreferDigest}})
		}
		w.must(w.book.DeleteContact(t.Context(), "test", "acme", "office"))
		w.finding(detect.Guessing, "2001", 1)
		for i := range 4 { // more than may go at once
			w.finding(detect.HostingLogin, "2002", i)
			pass(time.Minute)
		}
		w.follow()
		who := []string{"gone", "guess", "hook", "off", "stay"}
		states := func(words ...string) (all []string) {
			for i, id := range who {
				all = append(all, "customer/acme/"+id+" "+words[i])
			}
			return all
		}
		equal(t, "guessing, before", w.states(Guessing), states("digest", "digest", "digest", "digest", "digest"))
		w.must(w.book.DeleteContact(t.Context(), "test", "acme", "gone"))
		w.contact(account.Contact{ID: "hook", Channel: account.Webhook, Address: "https://acme.example/hook"})
		w.must(w.book.SetPreference(t.Context(), "test", "acme", "off", "*", account.PreferOff))
		w.must(w.book.SetPreference(t.Context(), "test", "acme", "guess", string(Guessing), account.PreferOff))
		pass(time.Hour)
		w.must(w.n.digests(t.Context(), time.Now()))
		w.sendDue()
		equal(t, "guessing", w.states(Guessing), states("off", "off", "off", "off", "bundled"))
		digests := map[string]string{}
		for _, m := range w.messages() {
			if m.Kind == Digest {
				digests[m.To] = m.Subject
			}
		}
		equal(t, "digests", slices.Sorted(maps.Keys(digests)), []string{"guess@acme.example", "off@acme.example", "stay@acme.example"})
		if !strings.HasPrefix(digests["off@acme.example"], "1 notice") || !strings.HasPrefix(digests["stay@acme.example"], "2 notices") {
			t.Errorf("%v", digests)
		}
		for _, d := range w.notices(store.NoticeFilter{Kind: string(Guessing)})[0].Deliveries {
			if d.State == store.Off && d.Error == "" {
				t.Errorf("%s is not told why", d.Person)
			}
		}
	})
}

// Guards: two nodes make digests, and one of them has not yet heard that the person wants the kind again: what went out in
// the other's digest must not be sent once more by itself.
func TestADigestOfAnotherNodeCounts(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, func(o *Options) { o.Desk = nil })
		defer w.db.Close()
		wish := func(to account.Preference) {
			w.must(w.book.SetPreference(t.Context(), "test", "acme", "office", "*", to))
		}
		wish(account.PreferDigest)
		w.finding(detect.Guessing, "2001", 1)
		w.follow()
		pass(time.Hour)
		wish(account.PreferOff)
		_, stale, err := w.n.waitingBefore(t.Context(), time.Now())
		w.must(err)
		if len(stale) != 1 {
			t.Fatalf("%d declined", len(stale))
		}
		wish(account.PreferDigest)
		w.must(w.n.digests(t.Context(), time.Now())) // the other node
		w.must(w.n.letGo(t.Context(), stale))
		w.sendDue()
		equal(t, "guessing", w.states(Guessing), []string{owner + " bundled"})
		if got := w.messages(); len(got) != 1 || got[0].Kind != Digest {
			t.Errorf("%d messages", len(got))
		}
	})
}

func TestResend(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, func(o *Options) { o.Channels, o.Desk = nil, nil })
		defer w.db.Close()
		w.device("2001")
		w.follow()
		equal(t, "without a mail server", w.states(NewDevice), []string{owner + " kept"})
		first := w.notices(store.NoticeFilter{})[0].ID
		// The operator has a mail server now, and Anna another address.
		w.n = w.notifier(nil)
		w.contact(account.Contact{ID: "office", Name: "Anna Smith", Channel: account.Mail, Address: "anna@new.example"})
		if as, err := w.n.Resend(t.Context(), first, owner, "staff"); err != nil || as != first {
			t.Fatalf("as %d, %v", as, err)
		}
		w.sendDue()
		as, err := w.n.Resend(t.Context(), first, owner, "staff") // it was sent: mail servers would drop the same once more
		if err != nil || as == first {
			t.Fatalf("as %d, %v", as, err)
		}
		pass(8 * 24 * time.Hour) // its links have expired
		if _, err := w.n.Resend(t.Context(), as, "", "staff"); err != nil {
			t.Fatal(err)
		}
		w.sendDue()
		got := w.messages()
		if len(got) != 3 || len(byID(got)) != 3 {
			t.Fatalf("%d messages, %d different", len(got), len(byID(got)))
		}
		seen := map[string]bool{}
		for i, m := range got {
			if m.To != "anna@new.example" || !strings.Contains(m.Text, "1 January 2000") {
				t.Errorf("%d: to %s\n%s", i, m.To, m.Text)
			}
			_, rest, _ := strings.Cut(m.Off, LinkPath)
			if v, err := w.n.Link(t.Context(), rest); err != nil || v.Expired || seen[rest] {
				t.Errorf("%d: its link: %+v, %v, seen %v", i, v, err, seen[rest])
			}
			seen[rest] = true
		}
		if _, err := w.n.Resend(t.Context(), first, "customer/acme/nobody", "staff"); !errors.Is(err, ErrNotFound) {
			t.Errorf("to nobody: %v", err)
		}
		if _, err := w.n.Resend(t.Context(), 999, "", "staff"); !errors.Is(err, ErrNotFound) {
			t.Errorf("of nothing: %v", err)
		}
	})
}

func TestTestNotice(t *testing.T) {
	w := newWorld(t, nil)
	for _, to := range []string{"ops@example.org", "https://example.org/hook"} {
		id, err := w.n.TestNotice(t.Context(), to)
		w.must(err)
		w.sendDue()
		s, err := w.n.Show(t.Context(), id)
		if err != nil || s.State != "sent" || s.Deliveries[0].Address != to || Kind(s.Kind) != Test {
			t.Errorf("%+v, %v", s, err)
		}
	}
	for _, to := range []string{"", "ops", "ops@example.org\r\nBcc: x@example.org", "http://example.org/", "file:///etc/passwd"} {
		if _, err := w.n.TestNotice(t.Context(), to); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", to, err)
		}
	}
	if got := len(w.messages()); got != 2 {
		t.Errorf("%d messages", got)
	}
}

// Guards: what opens a link is nowhere but in the message to its person.
func TestTokensAreNotStored(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, nil)
		defer w.db.Close()
		token := mailed(t, w, func() { w.finding(detect.TwoPlaces, "2001", 1) })
		all, _ := w.db.Facts(t.Context(), store.FactFilter{Limit: 1000})
		s, err := w.n.Show(t.Context(), 1)
		w.must(err)
		kept := s.Text + s.HTML + fmt.Sprint(w.notices(store.NoticeFilter{}))
		for _, f := range all {
			kept += string(f.Body)
		}
		for _, x := range w.notices(store.NoticeFilter{}) {
			kept += string(x.Data)
		}
		if len(token) < 2 || !strings.Contains(s.Text, "(link sent to the person)") {
			t.Errorf("links %v in\n%s", token, s.Text)
		}
		for action, tok := range token {
			if strings.Contains(kept, tok) || strings.Contains(kept, tok[:20]) {
				t.Errorf("the link %s is kept", action)
			}
		}
	})
}

// flaky is a store whose writes fail either way: lost, or persisted although the answer was lost.
type flaky struct {
	store.Store
	next func() (lost, persisted bool)
}

var errFlaky = errors.New("disk I/O error")

func do[T any](f *flaky, write func() (T, error)) (T, error) {
	var none T
	lost, persisted := f.next()
	if lost {
		return none, errFlaky
	}
	x, err := write()
	if persisted && err == nil {
		return none, errFlaky
	}
	return x, err
}

// Clock is the test's, which a real engine does not know.
func (f *flaky) Clock(context.Context) (time.Time, error) { return time.Now(), nil }

func (f *flaky) Advance(ctx context.Context, s store.Step) (store.Stepped, error) {
	return do(f, func() (store.Stepped, error) { return f.Store.Advance(ctx, s) })
}

func (f *flaky) ClaimDeliveries(ctx context.Context, now, until time.Time, limit int) ([]store.DueDelivery, error) {
	return do(f, func() ([]store.DueDelivery, error) { return f.Store.ClaimDeliveries(ctx, now, until, limit) })
}

func (f *flaky) SettleDelivery(ctx context.Context, d store.Delivery, facts ...store.Fact) error {
	_, err := do(f, func() (struct{}, error) { return struct{}{}, f.Store.SettleDelivery(ctx, d, facts...) })
	return err
}

// Guards: whatever is lost, and wherever a process dies, every notice arrives, and what arrives twice does so under one
// Message-ID; no person has two deliveries of one event.
func TestAnyCrashLosesNothingAndDoublesNothing(t *testing.T) {
	steps := []string{"event", "event", "follow", "send", "die while sending", "digest", "restart", "time"}
	engines := []string{"memory", "memory", "memory", "memory", "memory", "memory", "sqlite"} // real ones are slow
	t.Run("postgres", func(t *testing.T) {
		pgtest.Shared(t)
		engines = append(engines, "postgres")
	})
	rapid.Check(t, func(r *rapid.T) {
		open := openerOf[rapid.SampledFrom(engines).Draw(r, "engine")](t)
		script := rapid.SliceOfN(rapid.SampledFrom(steps), 4, 40).Draw(r, "script")
		writes := rapid.SliceOfN(rapid.IntRange(0, rapid.SampledFrom([]int{2, 5, 20}).Draw(r, "odds")), 1, 200).Draw(r, "writes")
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = crashes(t, open, script, writes) }) // rapid must not be asked inside a bubble
		if fault != "" {
			r.Fatal(fault)
		}
	})
}

// crashes plays a script on a store of whose writes those at 0 are lost and those at 1 persist unheard, and says what is
// wrong in the end.
func crashes(t *testing.T, open opener, script []string, writes []int) string {
	set := func(o *Options) { o.Desk, o.Storm, o.DigestAt = nil, 1_000_000, 5*time.Minute }
	w := newWorldOn(t, open, set)
	defer w.db.Close()
	w.contact(account.Contact{ID: "digest", Channel: account.Mail, Address: "d@acme.example", Kinds: map[string]account.Preference{"*": account.PreferDigest}})
	var at atomic.Int64
	chaos := &flaky{Store: w.db, next: func() (bool, bool) {
		n := writes[at.Add(1)%int64(len(writes))]
		return n == 0, n == 1
	}}
	start := func() {
		w.n = w.notifier(func(o *Options) { set(o); o.Store = chaos })
		w.f = newFollower(w.n)
	}
	start()
	events := 0
	for _, s := range script {
		switch s {
		case "event":
			events++
			w.finding(detect.Guessing, "2001", events)
		case "follow":
			_, _ = w.f.Turn(context.Background())
		case "send":
			w.sendOnce()
		case "die while sending": // taken by the other side, and nobody knows
			due, _ := chaos.ClaimDeliveries(context.Background(), time.Now(), time.Now().Add(lease), 10)
			for i := range due {
				if m, err := w.n.message(&due[i].Of, &due[i].Delivery); err == nil {
					_ = w.take(context.Background(), m)
				}
			}
		case "digest":
			_ = w.n.digests(context.Background(), time.Now())
		case "restart":
			start()
		case "time":
			pass(time.Minute)
		}
	}
	w.heal(set)
	return w.eachArrived(events)
}

func (w *world) sendOnce() {
	b := newOutbox(w.n)
	defer b.cut()
	_, _ = b.claim(context.Background())
	b.sending.Wait()
}

// heal runs without faults until nothing is left to do.
func (w *world) heal(set func(*Options)) {
	w.n = w.notifier(func(o *Options) { set(o); o.Store = w.db })
	w.f = newFollower(w.n)
	for range 4 {
		w.follow()
		pass(3 * time.Minute)
		w.must(w.n.digests(context.Background(), time.Now()))
		w.sendDue()
	}
}

// eachArrived wants every event in a mail to one person and in a digest to the other, under one Message-ID each.
func (w *world) eachArrived(events int) string {
	single, listed, digests := map[string]bool{}, 0, map[string]bool{}
	for _, m := range w.messages() {
		if m.Kind != Digest {
			single[m.ID] = true
		} else if !digests[m.ID] {
			digests[m.ID] = true
			var n int
			if _, err := fmt.Sscanf(m.Subject, "%d notice", &n); err != nil {
				return m.Subject
			}
			listed += n
		}
	}
	if len(single) != events || listed != events {
		return fmt.Sprintf("%d events: %d mails of them, %d in digests", events, len(single), listed)
	}
	for _, state := range []store.DeliveryState{store.Queued, store.Sending, store.Digest, store.Failed, store.Kept} {
		if left := w.notices(store.NoticeFilter{State: string(state)}); len(left) != 0 {
			return fmt.Sprintf("%d notices are still %s", len(left), state)
		}
	}
	return ""
}

// Guards: a claim lasts by the store's clock. A node that was behind it gave its claims up while a slow server was still
// reading, and another node sent the same notice again.
func TestANodeBehindKeepsItsClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &booktest.Store{}
		db.Ahead.Store(int64(10 * time.Minute))
		w := newWorldOn(t, func(testing.TB) store.Store { return db }, func(o *Options) { o.Desk = nil })
		defer w.db.Close()
		w.outside(func(context.Context, Message) error {
			pass(10 * time.Minute) // far longer than a claim lasts without being renewed
			return nil
		})
		w.finding(detect.Guessing, "2001", 1)
		stop := []func(){w.run(w.notifier(func(o *Options) { o.Desk = nil })), w.run(w.notifier(func(o *Options) { o.Desk = nil }))}
		pass(40 * time.Minute)
		for _, s := range stop {
			s()
		}
		if got := w.messages(); len(got) != 1 {
			t.Errorf("%d messages, want 1", len(got))
		}
	})
}
