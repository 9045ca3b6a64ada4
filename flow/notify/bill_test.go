package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/state/store"
)

func (w *world) billed(number int64, gross money.Micro) {
	w.t.Helper()
	said := fact.BillIssued{By: "auto", Bill: number, Count: 3, Gross: gross, To: time.Now(), Due: time.Now().AddDate(0, 0, 14)}
	w.write(said.Row(time.Now(), fact.Subject{Account: "acme"}))
}

func (w *world) write(f store.Fact) {
	w.t.Helper()
	_, err := w.db.Advance(w.t.Context(), store.Step{Stage: "test", Facts: []store.Fact{f}})
	w.must(err)
}

// Guards: a bill goes by mail with its file, once, also when the journal is read again; and to those who are named for bills, if there are any.
func TestBillsByMail(t *testing.T) {
	var asked atomic.Int32 // two deliveries may run at once
	w := newWorld(t, func(o *Options) {
		o.BillFile = func(_ context.Context, customer string, bill int64) (File, error) {
			if asked.Add(1) == 1 {
				return File{}, errors.New("the store is busy")
			}
			return File{fmt.Sprintf("%s-%d.pdf", customer, bill), "application/pdf", []byte("%PDF")}, nil
		}
	})
	w.billed(17, 156_390_000)
	w.follow()
	w.n = w.notifier(func(o *Options) { o.BillFile = w.n.o.BillFile })
	w.f = newFollower(w.n)
	w.follow()
	equal(t, "who gets it", w.states(Bill), []string{owner + " queued"})
	w.sendDue()
	if got := w.messages(); len(got) != 0 {
		t.Errorf("sent without its file: %+v", got)
	}
	for _, x := range w.notices(store.NoticeFilter{Kind: string(Bill)}) {
		for _, d := range x.Deliveries {
			w.must(w.db.Requeue(t.Context(), d, time.Now()))
		}
	}
	w.sendDue()
	got := w.messages()
	if len(got) != 1 || len(got[0].Files) != 1 || got[0].Files[0].Name != "acme-17.pdf" || !strings.HasPrefix(got[0].Subject, "Bill 17: £156.39 by ") {
		t.Fatalf("sent: %+v", got)
	}
	w.contact(account.Contact{ID: "books", Channel: account.Mail, Address: "books@acme.example", Kinds: map[string]account.Preference{"bill": account.PreferNow}})
	w.billed(18, money.Pound)
	said := fact.BillReminded{Bill: 17, Reminder: 2, Gross: money.Pound, Due: time.Now().AddDate(0, 0, -3)}
	w.write(said.Row(time.Now(), fact.Subject{Account: "acme"}))
	w.follow()
	equal(t, "named for bills", w.states(Bill), []string{"customer/acme/books queued", owner + " sent"}) // newest first
	equal(t, "and for reminders", w.states(BillReminder), []string{"customer/acme/books queued"})
	w.sendDue()
	sent := w.messages()
	i := slices.IndexFunc(sent, func(m Message) bool { return m.Kind == BillReminder })
	if i < 0 || len(sent) != 3 {
		t.Fatalf("%d messages", len(sent))
	}
	last := sent[i]
	last.Text = strings.Join(strings.Fields(last.Text), " ")
	if !strings.Contains(last.Text, "Of bill 17") || !strings.Contains(last.Text, "has not reached us") || len(last.Files) != 1 {
		t.Errorf("reminder: %s", last.Text)
	}
}

// Guards: nobody is asked to pay for what is in dispute.
func TestABillInDispute(t *testing.T) {
	for _, c := range []struct {
		disputed      money.Micro
		subject, text string
	}{
		{56_390_000, "Bill 17: £100.00 by 14 December 2026", "It comes to £156.39. Of that, £56.39 is for calls in dispute, which you need not pay until they are decided. Please pay £100.00 by 14 December 2026"},
		{156_390_000, "Bill 17: £156.39, all of it in dispute", "It comes to £156.39, all of it for calls in dispute. You need not pay until they are decided."},
	} {
		w := newWorld(t, func(*Options) {})
		said := fact.BillIssued{By: "auto", Bill: 17, Count: 3, Gross: 156_390_000, To: time.Now(), Due: time.Date(2026, 12, 14, 12, 0, 0, 0, time.UTC), InDispute: c.disputed}
		w.write(said.Row(time.Now(), fact.Subject{Account: "acme"}))
		w.follow()
		w.sendDue()
		got := w.messages()
		if len(got) != 1 || got[0].Subject != c.subject {
			t.Fatalf("sent: %+v", got)
		}
		for name, text := range map[string]string{"text": got[0].Text, "HTML": strings.NewReplacer("<strong>", "", "</strong>", "").Replace(got[0].HTML)} {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), c.text) {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}

// Guards: where no contact is there for bills, the owner gets them.
func TestBillsWithoutAContact(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Owner = func(customer string) (string, string) { return customer + "/ana", "ana@acme.example" }
	})
	w.must(w.book.DeleteContact(t.Context(), "test", "acme", "office"))
	w.billed(17, money.Pound)
	w.follow()
	equal(t, "who gets it", w.states(Bill), []string{"person/acme/ana queued"})
	w.sendDue()
	if got := w.messages(); len(got) != 1 || got[0].To != "ana@acme.example" || !strings.Contains(strings.Join(strings.Fields(got[0].Text), " "), "You get this because you are the owner") {
		t.Errorf("%+v", got)
	}
}
