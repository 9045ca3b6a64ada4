package guard

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/state/counters"
	"ringfence/state/counters/memory"
)

// strong makes the passwords of all lines beyond guessing.
func strong(o *Options) {
	find := o.Line
	o.Line = func(user []byte, now time.Time) (Line, bool) {
		l, ok := find(user, now)
		l.Strong = ok
		return l, ok
	}
}

// overBudget guesses at a line from many networks until strangers are refused for the day.
func (s *scene) overBudget(user string) {
	s.t.Helper()
	for i := range 66 {
		s.tries(1, 0, fmt.Sprintf("10.%d.%d.1", i, len(user)), user, wrongPass)
	}
}

// tight wants the right password admitted with tight limits, and returns the probation's name.
func (s *scene) tight(from, user string) string {
	s.t.Helper()
	got := s.try(from, user, rightPass, "Desk/1.0")
	if got.Outcome != Accept || got.Tight == "" || got.Line != user {
		s.t.Fatalf("%s from %s: %+v; want it let in with tight limits", user, from, got)
	}
	return got.Tight
}

func (s *scene) loose(from, user string) {
	s.t.Helper()
	if got := s.try(from, user, rightPass); got.Outcome != Accept || got.Tight != "" {
		s.t.Errorf("%s from %s: %+v; want it let in without tight limits", user, from, got)
	}
}

// attacks are ways to have strangers refused for line 2001, all without its password.
var attacks = map[string]func(s *scene){
	"66 addresses, one try each": func(s *scene) { s.overBudget("2001") },
	"one /24": func(s *scene) {
		for i := range 62 {
			s.tries(1, time.Second, fmt.Sprintf("203.0.113.%d", i+1), "2001", wrongPass)
		}
	},
	"IPv6 /64s": func(s *scene) {
		for i := range 66 {
			s.tries(1, 0, fmt.Sprintf("2001:db8:%x:1::1", i), "2001", wrongPass)
		}
	},
	"a botnet over hours": func(s *scene) {
		for i := range 70 {
			s.tries(1, time.Minute, fmt.Sprintf("10.%d.1.1", i), "2001", wrongPass)
		}
	},
	"weeks, then every day": func(s *scene) {
		for day := range 10 {
			for i := range 31 {
				s.tries(1, 0, fmt.Sprintf("10.%d.%d.1", i, day), "2001", wrongPass)
			}
			s.pass(24 * time.Hour)
		}
		for i := range 31 {
			s.tries(1, 0, fmt.Sprintf("10.%d.99.1", i), "2001", wrongPass)
		}
	},
	"all lines at once": func(s *scene) {
		for i := range 66 {
			for _, line := range []string{"2001", "2002", "9999"} {
				s.tries(1, 0, fmt.Sprintf("10.%d.3.1", i), line, wrongPass)
			}
		}
	},
}

// TestSiegeDoesNotKeepTheOwnerOut guards against a day's lock-out that cost the attacker 66 packets: with a password beyond
// guessing the owner is let in at a new place, on probation; and each attack would keep out one whose password can be
// guessed, until he is admitted.
func TestSiegeDoesNotKeepTheOwnerOut(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) { // a day of the bubble begins at midnight
				s := newScene(t, strong)
				attack(s)
				first := s.tight("198.51.100.20", "2001")
				if want := "198.51.100.20/" + s.at.UTC().Format(time.DateOnly); first != want {
					t.Errorf("the probation is %q, want %q", first, want)
				}
				if f := s.want(fact.KindLoginProbation, 1)[0].body; f.Source != cafe || f.Net != "198.51.100.0/24" || f.Agent != "Desk/1.0" || f.How != "strong" {
					t.Errorf("told: %+v", f)
				}
				s.pass(20 * time.Hour)
				if again := s.tight(cafe, "2001"); again != first {
					t.Errorf("later that day the probation is %q, was %q", again, first)
				}
				s.want(fact.KindLoginProbation, 0)
				s.loose(office, "2001")
				s.pass(5 * time.Hour)
				attack(s)
				s.loose(cafe, "2001") // it has passed its day: a usual place, whatever goes on

				g := newScene(t)
				attack(g)
				g.out(cafe, "2001")
				g.in(office, "2001")
				g.want(fact.KindLoginHeld, 1)
			})
		})
	}
}

// TestOwnLockOutStays: an address that guessed itself is locked out as ever, also with a password beyond guessing (S3).
func TestOwnLockOutStays(t *testing.T) {
	s := newScene(t, strong)
	s.tries(5, 0, thief, "2001", wrongPass)
	s.out(thief, "2001")
	for i := range 20 {
		s.tries(1, 0, cafe, fmt.Sprintf("30%02d", i), wrongPass)
	}
	s.out(cafe, "2001")
	s.want(fact.KindLoginProbation, 0)

	// While strangers are refused no further lock-out begins; who has guessed is no owner all the same.
	s = newScene(t, strong)
	s.tries(3, 0, thief, "2001", wrongPass)
	s.overBudget("2001")
	s.tries(2, 0, thief, "2001", wrongPass)
	s.out(thief, "2001")
	s.tries(4, 0, cafe, "2001", wrongPass)
	s.tight(cafe, "2001")

	// Nor is who was locked out as a stranger, although the login was used there rightly meanwhile, perhaps on another node.
	s = newScene(t, strong)
	s.tries(5, 0, thief, "2001", wrongPass)
	s.usual["2001"] = append(s.usual["2001"], thief+"/32")
	s.out(thief, "2001")
}

// TestBesideTheOwner: somebody who guesses behind the owner's own address keeps out nobody whose password is beyond guessing,
// and his call for help is never refused.
func TestBesideTheOwner(t *testing.T) {
	s := newScene(t, strong)
	for i := range 500 {
		s.tries(1, time.Millisecond, office, "2001", fmt.Sprintf("guess-%d", i), fmt.Sprintf("agent-%d", i%3))
	}
	s.loose(office, "2001")
	for i := range 500 {
		s.tries(1, time.Millisecond, thief, "2001", fmt.Sprintf("guess-%d", i))
	}
	if got := s.try(thief, "2001", rightPass); got.Outcome != Refuse || !got.EmergencyOK {
		t.Errorf("999 with a password beyond guessing, beside a guesser at a new place: %+v", got)
	}
}

// TestHeldLogin: a password that can be guessed gets the answer of a wrong one until its owner has admitted the address;
// then that address alone is let in, once, within an hour, on probation.
func TestHeldLogin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScene(t)
		s.overBudget("2001")
		s.out(cafe, "2001")
		s.out(cafe, "2001")
		if f := s.want(fact.KindLoginHeld, 1)[0].body; f.Source != cafe || f.Net != "198.51.100.0/24" {
			t.Errorf("told: %+v", f)
		}
		where := netip.MustParseAddr(cafe)
		if got, ok := s.a.Admit("2001", where, "t", s.at); !ok || got.IsZero() {
			t.Errorf("admitted: %+v %v", got, ok)
		}
		s.out("198.51.100.21", "2001") // its neighbour is not meant
		if got := s.try(cafe, "2001", wrongPass); got != wrongAnswer {
			t.Errorf("a wrong password: %+v", got)
		}
		s.pass(59 * time.Minute)
		first := s.tight(cafe, "2001")
		if f := s.want(fact.KindLoginProbation, 1)[0].body; f.How != "admitted" {
			t.Errorf("told: %+v", f)
		}
		s.pass(22 * time.Hour)
		if again := s.tight(cafe, "2001"); again != first {
			t.Errorf("%q, was %q", again, first)
		}
		s.a.Forget("2001") // its password was changed
		s.overBudget("2001")
		s.out(cafe, "2001")
	})
}

// TestAdmittedTooLate: the owner's word is good for an hour.
func TestAdmittedTooLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScene(t)
		s.overBudget("2001")
		s.out(cafe, "2001")
		s.a.Admit("2001", netip.MustParseAddr(cafe), "t", s.at)
		s.pass(61 * time.Minute)
		s.out(cafe, "2001")
	})
}

// TestAdmittedGuessesStayBounded: an address that was admitted may fail as often as a usual place, and no more.
func TestAdmittedGuessesStayBounded(t *testing.T) {
	s := newScene(t)
	s.overBudget("2001")
	s.a.Admit("2001", netip.MustParseAddr(cafe), "t", s.at)
	for i := range 130 {
		s.tries(1, 0, cafe, "2001", fmt.Sprintf("guess-%d", i), fmt.Sprintf("agent-%d", i%2))
	}
	s.out(cafe, "2001")
}

// TestAdmitHeld: the code dialled at a usual place admits the one login that waits, and none of several.
func TestAdmitHeld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScene(t)
		if n := s.a.AdmitHeld("2001", "t", s.at); n != 0 {
			t.Errorf("%d wait, with nothing held", n)
		}
		s.overBudget("2001")
		s.out(cafe, "2001")
		s.out(thief, "2001")
		if n := s.a.AdmitHeld("2001", "t", s.at); n != 2 {
			t.Errorf("%d wait, want both", n)
		}
		s.out(cafe, "2001")
		s.pass(59 * time.Minute)
		s.out(thief, "2001")
		s.pass(2 * time.Minute) // the café's waits no longer
		if n := s.a.AdmitHeld("2001", "t", s.at); n != 1 {
			t.Errorf("%d wait, want the thief", n)
		}
		s.tight(thief, "2001")
		s.out(cafe, "2001")
	})
}

// TestGuessesTellTheOwnerNothing: a botnet that hits upon a password that can be guessed has only so many guesses of which
// the owner hears; he can still admit his own with a phone at a usual place.
func TestGuessesTellTheOwnerNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScene(t)
		s.overBudget("2001")
		s.tries(heldTries, 0, thief, "2001", wrongPass)
		for i := range heldTries { // each is a guess of its own
			s.tries(1, 0, thief, "2001", fmt.Sprint("guess", i))
		}
		s.out(thief, "2001")
		s.want(fact.KindLoginHeld, 0)
		for i := range heldGuesses {
			s.tries(1, 0, fmt.Sprintf("10.%d.%d.77", i%250, i/250), "2001", wrongPass)
		}
		s.out(cafe, "2001")
		s.want(fact.KindLoginHeld, 0)
		s.pass(HeldFor)
		s.out(cafe, "2001")
		if n := s.a.AdmitHeld("2001", "t", s.at); n != 1 {
			t.Errorf("%d wait", n)
		}
		s.tight(cafe, "2001")
	})
}

// TestStaysAreBounded: who knows a password can have it held, or admitted, from so many addresses and no more.
func TestStaysAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScene(t, strong)
		s.overBudget("2001")
		let := 0
		for i := range 50 {
			if s.try(fmt.Sprintf("198.51.%d.1", i), "2001", rightPass).Outcome == Accept {
				let++
			}
		}
		if n := s.a.stays.count.Load(); let != maxLineHas || n != maxLineHas {
			t.Errorf("%d let in, %d kept; want %d", let, n, maxLineHas)
		}
		s.pass(31 * 24 * time.Hour)
		s.overBudget("2001")
		s.tight("198.51.100.20", "2001")
	})
}

// TestProbationOfManyLogins: one login's probation is one, however many packets come at once.
func TestProbationOfManyLogins(t *testing.T) {
	s := newScene(t, strong)
	s.overBudget("2001")
	src := netip.MustParseAddr(cafe)
	var mu sync.Mutex
	var wg sync.WaitGroup
	names := map[string]int{}
	for range 50 {
		c := login("2001", rightPass, nonceFor(s.a, src, s.at), "MD5", 1)
		wg.Go(func() {
			got := s.a.Check(c, src, s.at)
			mu.Lock()
			defer mu.Unlock()
			names[got.Tight]++
		})
	}
	wg.Wait()
	if len(names) != 1 || names[""] > 0 {
		t.Errorf("probations: %v", names)
	}
	s.want(fact.KindLoginProbation, 1)
}

// TestProbationOverRestarts: a restart neither ends a probation nor begins another, also where the clock was put back.
func TestProbationOverRestarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKept(t)
		k.overBudget("2001")
		k.out(cafe, "2001")
		k.a.Admit("2001", netip.MustParseAddr(cafe), "t", k.at)
		k.stop()
		name := k.tight(cafe, "2001")
		k.pass(3 * time.Hour)
		k.stop()
		if again := k.tight(cafe, "2001"); again != name {
			t.Errorf("%q, was %q", again, name)
		}
		if text, err := os.ReadFile(filepath.Clean(k.file)); err != nil || !strings.Contains(string(text), probations+cafe+"/2001") {
			t.Errorf("%v\n%s", err, text)
		}
		k.pass(22 * time.Hour)
		k.stop()
		k.overBudget("2001")
		k.loose(cafe, "2001")
	})
}

// TestProbationOnOtherNodes: what one node admits, or holds, the others know within a second; the purse is the same.
func TestProbationOnOtherNodes(t *testing.T) {
	shared := memory.NewEngine(memory.Options{})
	on := func(o *Options) { o.Around.Counters = shared; o.Around.Lasting = true }
	s, other := newScene(t, on), newScene(t, on)
	s.overBudget("2001")
	s.out(cafe, "2001")
	s.a.shareOnce(context.Background(), s.at)
	_ = other.a.hearAll(context.Background())
	if n := other.a.AdmitHeld("2001", "t", other.at); n != 1 {
		t.Fatalf("%d wait on the other node", n)
	}
	other.a.shareOnce(context.Background(), other.at)
	_ = s.a.hearAll(context.Background())
	name := s.tight(cafe, "2001")
	s.a.shareOnce(context.Background(), s.at)
	_ = other.a.hearAll(context.Background())
	other.overBudget("2001")
	if got := other.tight(cafe, "2001"); got != name {
		t.Errorf("%q on one node and %q on the other", name, got)
	}
	if !s.a.Release(cafe, "t", s.at) {
		t.Error("nothing was released")
	}
	s.a.shareOnce(context.Background(), s.at)
	gone := counters.Change{Mark: counters.Mark{Table: lockTable, Key: stayName("2001", newSource(netip.MustParseAddr(cafe)).unit)}, Dropped: true}
	other.a.takeOver(gone, other.a.Seconds(other.at), other.at)
	if l := other.a.stays.of("2001", newSource(netip.MustParseAddr(cafe)).unit); l.since != 0 {
		t.Errorf("released, but the other node still has %+v", l)
	}
}

// TestIPLockHoldsNothing: a right password from outside the IP lock is neither held nor admitted.
func TestIPLockHoldsNothing(t *testing.T) {
	s := newScene(t, strong, func(o *Options) {
		o.Around.May = func(_ string, addr netip.Addr, _ time.Time) bool {
			return netip.MustParsePrefix("192.0.2.0/24").Contains(addr)
		}
	})
	s.overBudget("2001")
	if got := s.try(cafe, "2001", rightPass); got.Outcome != Refuse || got.Reason != policy.BadCredentials {
		t.Errorf("%+v", got)
	}
	s.want(fact.KindLoginHeld, 0)
	s.want(fact.KindLoginProbation, 0)
}
