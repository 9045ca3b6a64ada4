package guard

import (
	"testing"
	"time"

	"ringfence/core/fact"
	"ringfence/core/secret"
)

// ofLine makes the look-up of the scene give a line's identity apart from its user name.
func ofLine(identity *string) func(*Options) {
	return func(o *Options) {
		find := o.Line
		o.Line = func(user []byte, now time.Time) (Line, bool) {
			l, ok := find(user, now)
			if l.ID == "2001" {
				l.ID = *identity
			}
			return l, ok
		}
	}
}

// TestANewLineIsNotLockedOutForTheOldOne guards that tries at a removed line count for the next one of its name.
func TestANewLineIsNotLockedOutForTheOldOne(t *testing.T) {
	identity := "2001~aaaaaaaa"
	s := newScene(t, ofLine(&identity))
	s.tries(8, time.Second, thief, "2001", wrongPass)
	if got := s.try(thief, "2001", rightPass); got.Outcome == Accept || got.Line != identity {
		t.Fatalf("the thief is not locked out: %+v", got)
	}
	if all := s.a.Locked(s.at); len(all) == 0 || all[0].User != identity {
		t.Fatalf("locked out: %+v", all)
	}
	for _, f := range s.told(fact.KindLoginLocked) {
		if f.line != identity {
			t.Errorf("the fact is of line %q", f.line)
		}
	}
	identity = "2001~bbbbbbbb"
	if got := s.try(thief, "2001", rightPass); got.Outcome != Accept || got.Line != identity || got.Failures != 0 {
		t.Errorf("the new line's first login: %+v", got)
	}
	identity = "2001~aaaaaaaa"
	if !s.a.Release("2001", "t", s.at) {
		t.Error("a lock-out is not released by the name that people know")
	}
	s.in(thief, "2001")
}

// TestANameLikeAnIdentityIsNobodys guards that a stranger locks a line out by tries at its identity, which no phone sends.
func TestANameLikeAnIdentityIsNobodys(t *testing.T) {
	identity := "2001~aaaaaaaa"
	s := newScene(t, ofLine(&identity))
	s.tries(40, time.Second, cafe, identity, rightPass)
	s.tries(3, time.Second, cafe, "~2001", rightPass)
	for _, l := range s.a.Locked(s.at) {
		if l.User == identity || l.Line {
			t.Errorf("locked out: %+v", l)
		}
	}
	s.in(office, "2001")
	for _, f := range s.told(fact.KindLoginFailed) {
		if f.line != "" || f.body.User == identity {
			t.Errorf("the journal has tries of line %q, user %q", f.line, f.body.User)
		}
	}
}

// TestSampleUsesTheNameThatPhonesHave guards that an answer is held against guesses under the identity, which fits none.
func TestSampleUsesTheNameThatPhonesHave(t *testing.T) {
	identity := "2001~aaaaaaaa"
	s := newScene(t, ofLine(&identity))
	var guess string
	for text := range secret.Guesses("2001", "442079460001", s.at.Year()) {
		guess = text
		break
	}
	s.try(thief, "2001", guess)
	s.a.tick(s.at, true)
	if got := s.a.Stats(); got.Sampled != 1 || got.Matched != 1 {
		t.Errorf("%d sampled, %d matched", got.Sampled, got.Matched)
	}
}
