package door

import (
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/state/store"
)

// TestFollowedLocks: a lock that another node says cuts calls ends those that the line pays for here, and by its owner's answer those to it
// too. A lock that lets calls go on, or that has ended since, ends none.
func TestFollowedLocks(t *testing.T) {
	const cuts, answer = `{"by":"staff","after":{"locked":true,"calls":"cut"}}`, `{"by":"the answer to a notice","after":{"locked":true,"calls":"cut"}}`
	for name, c := range map[string]struct {
		body     string
		unlocked bool
		line     string // "" is the line's
		from, to bool   // whether the call that it makes ends, and the one that it has taken
	}{
		"cut":                           {body: cuts, from: true},
		"cut, as it was written before": {body: `{"by":"staff","after":{"locked":true,"cut":true}}`, from: true},
		"by the owner's answer":         {body: answer, from: true, to: true},
		"calls end by themselves":       {body: `{"by":"staff","after":{"locked":true,"calls":"end"}}`},
		"calls go on":                   {body: `{"by":"staff","after":{"locked":true,"calls":"keep"}}`},
		"unlocked since":                {body: cuts, unlocked: true},
		"by an answer, unlocked since":  {body: answer, unlocked: true},
		"a line that is gone":           {body: cuts, line: "gone"},
		"a body that is none":           {body: `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			number := "020 7946 0101"
			_, err := s.o.Book.EditLine(t.Context(), "t", s.line, book.LineEdit{Number: &number})
			must(t, err)
			mine, _ := s.o.Book.Line(s.line)
			other, _, err := s.o.Book.AddLine(t.Context(), "t", book.NewLine{ID: "2002", Customer: mine.Customer()})
			must(t, err)
			from, why := s.call("02079460000", home)
			to, whyTo := s.call(number, home, func(a *gate.Attempt) { a.Line = other.ID() })
			if why != policy.OK || whyTo != policy.OK {
				t.Fatal(why, whyTo)
			}
			if !c.unlocked {
				_, err := s.o.Book.Lock(t.Context(), "t", s.line, "stolen", account.CallsKept)
				must(t, err)
			}
			if c.line == "" {
				c.line = s.line
			}
			s.Followed(&store.Fact{Kind: fact.KindLineLocked, Line: c.line, At: time.Now(), Body: []byte(c.body)})
			if gotFrom, gotTo := s.o.Gate.Cutting(from.ID), s.o.Gate.Cutting(to.ID); gotFrom != c.from || gotTo != c.to {
				t.Errorf("the call from the line ends: %v, the call to it: %v", gotFrom, gotTo)
			}
		})
	}
}

// TestFollowedPasswords: a phone that registered before the password changed is dropped; one that came since knows the new one.
func TestFollowedPasswords(t *testing.T) {
	for name, c := range map[string]struct {
		changed time.Duration // after the registration
		left    int
	}{"before": {time.Minute, 0}, "since": {-time.Minute, 1}} {
		s := newScene(t)
		s.register(home)
		s.Followed(&store.Fact{Kind: fact.KindPasswordChanged, Line: s.line, At: time.Now().Add(c.changed), Body: []byte(`{}`)})
		if left := s.o.Phones.Lookup(s.line, time.Now()); len(left) != c.left {
			t.Errorf("registered %s: %d left", name, len(left))
		}
	}
}
