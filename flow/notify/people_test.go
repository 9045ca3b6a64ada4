package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// Guards: a stranger without any login must not be able to delay what tells of money: guessing at ten lines is ten mails,
// and the warning of the theft that follows would wait for a digest.
func TestNoiseDelaysNothingGrave(t *testing.T) {
	w := newWorld(t, nil)
	for n := range 40 {
		w.finding(detect.Guessing, "2001", 100+n)
		w.finding(detect.Distributed, "2001", 100+n)
	}
	w.follow()
	for restart := range 2 { // after which it is counted anew, from the store
		w.finding(detect.UsageLevel, "2001", restart)
		w.finding(detect.TwoPlaces, "2001", restart)
		w.follow()
		w.n = w.notifier(nil)
		w.f = newFollower(w.n)
	}
	equal(t, "usage", w.states(UsageLevel), []string{owner + " queued", owner + " queued"})
	equal(t, "two places", w.states(TwoPlaces), []string{owner + " queued", owner + " queued", desk + " queued", desk + " queued"})
	mails := strings.Count(strings.Join(append(w.states(Guessing), w.states(Distributed)...), "\n"), owner+" queued")
	if mails != 10 {
		t.Errorf("%d mails of noise to one person, want 10", mails)
	}
}

// Guards: a customer must not be able to silence the fraud desk, or the provider's own webhook, by naming the same address
// as a contact and switching everything off; nor get a webhook of theirs treated as the provider's.
func TestACustomerCannotSilenceTheProvider(t *testing.T) {
	const hook = "https://siem.provider.example/hook"
	w := newWorld(t, func(o *Options) { o.Hooks = []string{hook} })
	off := map[string]account.Preference{"*": account.PreferOff}
	w.contact(account.Contact{ID: "x", Channel: account.Mail, Address: "Fraud@provider.example", Kinds: off})
	w.contact(account.Contact{ID: "y", Channel: account.Webhook, Address: "https://siem.provider.example/HOOK", Kinds: off})
	w.contact(account.Contact{ID: "z", Channel: account.Webhook, Address: hook})
	w.finding(detect.TwoPlaces, "2001", 1)
	w.finding(detect.Guessing, "2002", 1)
	w.follow()
	equal(t, "two places", w.states(TwoPlaces), []string{
		owner + " queued", "customer/acme/y off", "customer/acme/z off", desk + " queued", "hook/" + hook + " queued",
	})
	equal(t, "guessing", w.states(Guessing), []string{owner + " queued", "customer/acme/x off", "customer/acme/y off", "customer/acme/z off", "hook/" + hook + " queued"})
	w.sendDue()
	for _, m := range w.messages() {
		if strings.EqualFold(m.To, "fraud@provider.example") && (m.Off != "" || strings.Contains(m.Text, LinkPath)) {
			t.Errorf("the desk got a contact's notice:\n%s", m.Text)
		}
		if m.To == hook && strings.Contains(string(m.JSON), LinkPath) {
			t.Errorf("the provider's webhook got a contact's: %s", m.JSON)
		}
	}
	if _, err := w.n.Resend(t.Context(), 2, "customer/acme/z", "staff"); !errors.Is(err, ErrNotFound) {
		t.Errorf("resent to what is not theirs: %v", err)
	}
	// A contact who is not wanted at an address does not keep another from it.
	w.must(w.book.SetPreference(t.Context(), "test", "acme", "office", "*", account.PreferOff))
	w.contact(account.Contact{ID: "a", Channel: account.Mail, Address: "ANNA@acme.example"})
	w.finding(detect.Distributed, "2001", 2)
	w.follow()
	if got := strings.Join(w.states(Distributed), "\n"); !strings.Contains(got, owner+" off") || !strings.Contains(got, "customer/acme/a queued") {
		t.Error(got)
	}
}

// Guards: who is no contact (of the line) any more neither locks nor unlocks anything.
func TestLinksOfWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			change func(w *world)
			gone   []string
		}{
			"removed": {func(w *world) { w.must(w.book.DeleteContact(t.Context(), "test", "acme", "office")) }, []string{Mine, NotMine, Off}},
			"other lines": {func(w *world) {
				w.contact(account.Contact{ID: "office", Channel: account.Mail, Address: "anna@acme.example", Lines: []string{"2002"}})
			}, []string{Mine, NotMine}},
			"this line": {func(w *world) {
				w.contact(account.Contact{ID: "office", Channel: account.Mail, Address: "x@acme.example", Lines: []string{"2001"}})
			}, nil},
			"its wishes": {func(w *world) {
				w.must(w.book.SetPreference(t.Context(), "test", "acme", "office", "*", account.PreferOff))
			}, nil},
		} {
			a := &acts{}
			w := newWorld(t, func(o *Options) { o.Act = a.act; o.Desk = nil })
			token := mailed(t, w, func() { w.device("2001") })
			c.change(w)
			for _, action := range c.gone {
				seen, err := w.n.Link(t.Context(), token[action])
				if err != nil || !seen.Gone || !seen.Expired || seen.Used || seen.Button != "" {
					t.Errorf("%s, %s: %+v, %v", name, action, seen, err)
				}
				v, err := w.n.Use(t.Context(), token[action], somewhere)
				if !errors.Is(err, ErrGone) || !errors.Is(err, ErrExpired) || !strings.Contains(strings.Join(v.Text, " "), "no longer yours to use") || !strings.Contains(strings.Join(v.Text, " "), "020 7946 0999") {
					t.Errorf("%s, %s: %+v, %v", name, action, v, err)
				}
			}
			if len(a.done) != 0 {
				t.Errorf("%s: done %v", name, a.done)
			}
			if c.gone == nil {
				if v, err := w.n.Use(t.Context(), token[NotMine], somewhere); err != nil || v.Gone || len(a.done) != 1 {
					t.Errorf("%s: %+v, %v", name, v, err)
				}
			}
			_ = w.db.Close()
		}
	})
}

// Guards: what waits goes to the address that a contact has now, also in a digest, and that is what is recorded.
func TestAnAddressThatWasReplaced(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, func(o *Options) { o.Desk = nil })
		defer w.db.Close()
		w.contact(account.Contact{ID: "digest", Channel: account.Mail, Address: "old@acme.example", Kinds: map[string]account.Preference{"*": account.PreferDigest}})
		w.contact(account.Contact{ID: "hook", Channel: account.Mail, Address: "hook@acme.example"})
		w.finding(detect.Guessing, "2001", 1)
		w.follow()
		pass(time.Hour)
		w.must(w.n.digests(t.Context(), time.Now()))
		w.contact(account.Contact{ID: "office", Channel: account.Mail, Address: "new@acme.example"})
		w.contact(account.Contact{ID: "digest", Channel: account.Mail, Address: "new.digest@acme.example", Kinds: map[string]account.Preference{"*": account.PreferDigest}})
		w.contact(account.Contact{ID: "hook", Channel: account.Webhook, Address: "https://acme.example/hook"})
		w.sendDue() // finds the new addresses
		w.sendDue()
		to := map[string]int{}
		for _, m := range w.messages() {
			to[m.To]++
		}
		if len(to) != 2 || to["new@acme.example"] != 1 || to["new.digest@acme.example"] != 1 {
			t.Errorf("went to %v", to)
		}
		equal(t, "guessing", w.states(Guessing), []string{"customer/acme/digest bundled", "customer/acme/hook off", owner + " sent"})
		for _, d := range w.notices(store.NoticeFilter{Kind: string(Guessing)})[0].Deliveries {
			if d.Person == owner && d.Address != "new@acme.example" {
				t.Errorf("recorded is %s", d.Address)
			}
		}
	})
}

// Guards: a mail server that takes minutes to answer gets each mail once, though other processes look for what is due.
func TestASlowServerGetsEachOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := func(o *Options) { o.Desk, o.Every = nil, 20*time.Second }
		w := newWorld(t, set)
		defer w.db.Close()
		w.outside(func(ctx context.Context, _ Message) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Minute): // RFC 5321, 4.5.3.2.6
				return nil
			}
		})
		for i := range 3 {
			w.finding(detect.Guessing, "2001", i)
		}
		stop := []func(){w.run(w.n), w.run(w.notifier(set))}
		pass(25 * time.Minute)
		for _, s := range stop {
			s()
		}
		if got := w.messages(); len(got) != 3 || len(w.tries) != 3 {
			t.Errorf("%d tries, %d mails, want 3 of each", len(w.tries), len(got))
		}
	})
}

// Guards: the end does not wait for a server that is slow, and gives back what it holds.
func TestStopDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.Desk = nil })
		defer w.db.Close()
		w.outside(func(ctx context.Context, _ Message) error { <-ctx.Done(); return ctx.Err() })
		w.finding(detect.Guessing, "2001", 1)
		stop := w.run(w.n)
		pass(time.Minute)
		began := time.Now()
		stop()
		if took := time.Since(began); took != lastWords {
			t.Errorf("took %v", took)
		}
		equal(t, "guessing", w.states(Guessing), []string{owner + " queued"})
	})
}

type later struct{ time.Duration }

func (later) Error() string               { return "429 too many" }
func (l later) RetryAfter() time.Duration { return l.Duration }

// Guards: a webhook that says when it wants to be asked again is not asked sooner, and cannot put notices off for ever.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for says, want := range map[time.Duration][2]time.Duration{
			0: {20 * time.Second, 40 * time.Second}, time.Second: {20 * time.Second, 40 * time.Second}, time.Hour: {time.Hour, time.Hour}, 48 * time.Hour: {6 * time.Hour, 6 * time.Hour},
		} {
			w := newWorld(t, func(o *Options) { o.Desk = nil })
			w.outside(func(context.Context, Message) error { return fmt.Errorf("the webhook: %w", later{says}) })
			w.finding(detect.Guessing, "2001", 1)
			w.follow()
			w.sendDue()
			if next := time.Until(w.notices(store.NoticeFilter{})[0].Deliveries[0].Next); next < want[0] || next > want[1] {
				t.Errorf("%v: tried again after %v", says, next)
			}
			_ = w.db.Close()
		}
	})
}

// Guards: one login stays one mail on a line about which much is said.
func TestOneLoginIsOneMailInAFlood(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		w := newWorldOn(t, open, func(o *Options) { o.Desk = nil })
		defer w.db.Close()
		w.device("2001")
		w.follow()
		w.finding(detect.HostingLogin, "2001", 1)
		for i := range 700 {
			w.finding(detect.Guessing, "2001", i)
		}
		w.follow()
		pass(together)
		for range 4 {
			w.sendDue()
		}
		equal(t, "new device", w.states(NewDevice), []string{owner + " off"})
	})
}

// Guards: who answers "not me" reads on the page what was done, and in the mail of the lock; a third word of the same is too much.
func TestAnAnswerMakesNoMailOfItsOwn(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.book.Lock(t.Context(), fact.ByAnswer, "2001", "its owner says that somebody else used its login", account.CallsCut)
	w.must(err)
	_, err = w.book.SetPassword(t.Context(), fact.ByAnswer, "2001", "")
	w.must(err)
	w.follow()
	equal(t, "locked", w.states(LineLocked), []string{owner + " queued"})
	equal(t, "password", w.states(PasswordChanged), nil)
	_, err = w.book.SetPassword(t.Context(), "staff", "2001", "")
	w.must(err)
	w.follow()
	equal(t, "password by staff", w.states(PasswordChanged), []string{owner + " queued"})
}

// No part of a stranger's text may be what mail programs make a link of: no two of its dots enclose a domain.
func FuzzStrange(f *testing.F) {
	for _, s := range []string{
		"www.evil.test", "a.b.c.evil.test", "evil.co.uk/login.php", "evil。test", "evil．test", "evil.тест", "evil\u00ad.test", "EVIL.TEST", "http://http://x.y.zz",
		"hthttp://tp://x", "_https://1/", "evil..test", "evil.e\u0301vil", "a@b.cc@d.ee", "evil-.test", "(evil.test)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := strange(s, 200)
		if domain.MatchString(got) || strings.Contains(got, "://") || strings.Contains(got, "@") {
			t.Errorf("%q became %q", s, got)
		}
		if again := strange(got, 1000); unwrapped(again) != unwrapped(got) {
			t.Errorf("%q became %q and then %q", s, got, again)
		}
	})
}
