package notify

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/flow/book"
)

// TestOwnersHearOfForwards: of calls that go somewhere new, no matter who set it; not of forwards that end, and not of those that stay.
func TestOwnersHearOfForwards(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Desk, o.Hooks = nil, nil })
	set := func(by string, from string, all ...book.Forward) func() {
		return func() {
			edit := book.LineEdit{Forward: all}
			if from != "" {
				edit.From = netip.MustParseAddr(from)
			}
			_, err := w.book.EditLine(t.Context(), by, "2001", edit)
			w.must(err)
		}
	}
	to := func(cause call.Cause, number string, after time.Duration) book.Forward {
		return book.Forward{Cause: cause, To: number, After: after}
	}
	for _, c := range []struct {
		name string
		do   func()
		says []string // nothing: no mail
	}{
		{"by code", set(fact.ByForwardCode, "192.0.2.7", to(call.ForwardAlways, "07700900123", 0)), []string{"Every call to line 2001 goes to 07700900123.", "Address: 192.0.2.7", "Done by: a phone of the line, which dialled a code"}},
		{"the same again", set("acme/ana", "", to(call.ForwardAlways, "07700900123", 0)), nil},
		{"by a person", set("acme/ana", "", to(call.ForwardBusy, "020 7946 0101", 0)), []string{"Calls that find line 2001 busy go to 020 7946 0101.", "Done by: acme/ana"}},
		{"by staff", set("tom@socket", "", to(call.ForwardNoAnswer, "07700900123", 25*time.Second)), []string{"nobody answers within 25 seconds go to 07700900123.", "Done by: our staff"}},
		{"seconds alone", set("acme/ana", "", to(call.Dialled, "", 30*time.Second)), nil},
		{"to another number", set("acme/ana", "", to(call.ForwardAlways, "0053 7123 4567", 0)), []string{"goes to 0053 7123 4567."}},
		{"ended", set("acme/ana", "", to(call.ForwardAlways, "", 0)), nil},
		{"one ends, one begins", set("acme/ana", "", to(call.ForwardBusy, "", 0), to(call.ForwardUnreachable, "07700900124", 0)), []string{"reach no phone of line 2001 go to 07700900124."}},
		{"by an answer", set(fact.ByAnswer, "", to(call.ForwardAlways, "", 0), to(call.ForwardUnreachable, "", 0)), nil},
		{"not one", func() { w.fact("line.changed", "2001", `{"by":"acme/ana","after":{"forwards":7}}`) }, nil},
	} {
		c.do()
		w.follow()
		w.sendDue()
		if want := min(len(c.says), 1); len(w.got) != want {
			t.Fatalf("%s: %d mails", c.name, len(w.got))
		}
		for _, m := range w.got {
			text := unwrapped(m.Text)
			checkHTML(t, c.name, m.HTML)
			for _, says := range append(c.says, "Not me: lock the line", "ends the forwards of the line") {
				if !strings.Contains(text, says) {
					t.Errorf("%s: no %q in\n%s", c.name, says, text)
				}
			}
			if strings.Contains(text, "busy") != strings.Contains(strings.Join(c.says, ""), "busy") {
				t.Errorf("%s: says what did not change:\n%s", c.name, text)
			}
		}
		w.got = nil
	}
}

// Guards: a script that sets forwards all the time must fill neither the owner's mail box, nor hide what another person set.
func TestForwardsAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.Desk, o.Hooks = nil, nil })
		set := func(by string, n int, cause string) {
			w.fact("line.changed", "2001", map[string]any{"by": by, "after": map[string]any{"forwards": map[string]string{cause: fmt.Sprint("077009", 10000+n)}}})
		}
		for n := range 300 {
			set("acme/ana", n, []string{"always", "busy"}[n%2])
		}
		set("acme/eve", 900, "always")
		w.follow()
		w.sendDue()
		if len(w.got) != 2 {
			t.Fatalf("%d mails", len(w.got))
		}
		both := w.got[0].Text + w.got[1].Text
		for _, number := range []string{"07700910298", "07700910299", "07700910900"} { // the latest of each kind, and another person's
			if !strings.Contains(both, number) {
				t.Errorf("no %s in\n%s", number, both)
			}
		}
		for n := range 60 {
			pass(11 * time.Second)
			set("acme/ana", n, "always")
			w.follow()
		}
		w.sendDue()
		if n := len(w.got); n != 3*w.n.o.Storm {
			t.Errorf("%d mails within an hour", n)
		}
		_ = w.db.Close()
	})
}

// TestWhatTheLinkOfAForwardSays: what the buttons do, and which address it was about.
func TestWhatTheLinkOfAForwardSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.Desk, o.Hooks = nil, nil })
		token := mailed(t, w, func() {
			w.fact("line.changed", "2001", map[string]any{"by": fact.ByForwardCode, "after": json.RawMessage(`{"forwards":{"always":"07700900123"},"from":"192.0.2.7"}`)})
		})
		for action, says := range map[string]string{Mine: "forwarded these calls", NotMine: "All forwards of the line end too"} {
			v, err := w.n.Link(t.Context(), token[action])
			if err != nil || !strings.Contains(strings.Join(v.Text, " "), says) {
				t.Errorf("%s: %v, %q", action, err, v.Text)
			}
		}
		_ = w.db.Close()
	})
}
