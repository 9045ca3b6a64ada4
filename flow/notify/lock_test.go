package notify

import (
	"strings"
	"testing"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// Guards: the mail about a lock said that nothing more could be spent, while the call in progress went on and bought its next
// minutes. Each notice says what becomes of calls in progress, in the mail and in the webhook's figures, also when a line is
// locked again for the same reason.
func TestALockSaysWhatBecomesOfCalls(t *testing.T) {
	for _, c := range []struct {
		golden, by string
		calls      account.LockCalls
		want       string
	}{
		{"end", "staff", account.CallsEnd, "end when the time already paid for runs out, within a minute; free calls continue."},
		{"cut", "staff", account.CallsCut, "Calls in progress that cost money were ended at once; free calls continue. Nothing more can be spent"},
		{"keep", "staff", account.CallsKept, "may still cost money, up to the line's limits."},
		{"answer", fact.ByAnswer, account.CallsCut, "All calls in progress were ended at once, including calls to the line."},
	} {
		w := newWorld(t, nil)
		for range 2 {
			_, err := w.book.Lock(t.Context(), c.by, "2001", "calls abroad at night", c.calls)
			w.must(err)
		}
		w.follow()
		w.sendDue()
		if len(w.got) != 2 {
			t.Fatalf("%s: %d mails of two locks", c.golden, len(w.got))
		}
		for _, m := range w.got {
			for part, text := range map[string]string{"text": unwrapped(m.Text), "HTML": unwrapped(m.HTML)} {
				if !strings.Contains(text, c.want) || !strings.Contains(text, "calls abroad at night") {
					t.Errorf("%s: the %s has nothing of %q, or not the reason:\n%s", c.golden, part, c.want, text)
				}
				if n := strings.Count(text, "othing more can be spent"); n != 1 {
					t.Errorf("%s: the %s says %d times that nothing more can be spent:\n%s", c.golden, part, n, text)
				}
			}
			checkHTML(t, c.golden, m.HTML)
		}
		x := w.notices(store.NoticeFilter{Line: "2001", Limit: 1})
		if d := readData(x[0].Data); scalar(d.Evidence["calls"]) != c.calls.String() {
			t.Errorf("%s: the figures say %v", c.golden, d.Evidence)
		}
	}
}

// A fact of the previous version says "cut" in another way, or nothing: the notice of it holds all the same.
func TestALockOfThePreviousVersion(t *testing.T) {
	w := newWorld(t, nil)
	for body, want := range map[string]string{
		`{"by":"staff","before":{"locked":false},"after":{"lock_why":"w","locked":true}}`:            "end",
		`{"by":"staff","before":{"locked":false},"after":{"cut":true,"lock_why":"w","locked":true}}`: "cut",
	} {
		d, ok := w.n.read(&store.Fact{Kind: "line.locked", Line: "2001", Account: "acme", Body: []byte(body)})
		if got := scalar(d.Evidence["calls"]); !ok || got != want {
			t.Errorf("%s is read as %q, want %q", body, got, want)
		}
	}
}
