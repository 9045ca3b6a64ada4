package casework

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"ringfence/core/money"
)

var day = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// TestADisputeKeepsItsPromises drives disputes at random: what was found for the customer stays so, steps are dated in order, the first of them
// opened the dispute, and the last is its state.
func TestADisputeKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, now := CaseCall{Case: 1, Call: "c"}, day
		if err := c.Dispute("acme/ana", "not ours", now); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			was := c
			now = now.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "seconds")) * time.Second)
			to := rapid.SampledFrom(Disputes()).Draw(t, "to")
			var err error
			if to == Judged {
				c.Judge("free", "the lock", "auto", now)
			} else {
				err = c.Move(to, "staff/tom", "why", now)
			}
			if err != nil && (!errors.Is(err, ErrStep) || c.State != was.State || len(c.Steps) != len(was.Steps)) {
				t.Fatalf("a step that fails changes nothing: %v", err)
			}
			if was.State.Free() && c.State != was.State {
				t.Fatalf("%s became %s", was.State, c.State)
			}
			if !was.State.Pending() && c.State.Pending() && was.State != Withdrawn {
				t.Fatalf("%s became %s", was.State, c.State)
			}
			if err == nil && to != Judged && c.State != to {
				t.Fatalf("%s, not %s", c.State, to)
			}
			check(t, &c)
		}
	})
}

func check(t *rapid.T, c *CaseCall) {
	if len(c.Steps) > maxSteps || c.Steps[0].State != Disputed || c.Steps[0].By != "acme/ana" || c.Steps[len(c.Steps)-1].State != c.State {
		t.Fatalf("%+v", c)
	}
	for i := range c.Steps[1:] {
		if c.Steps[i+1].At.Before(c.Steps[i].At) {
			t.Fatalf("step %d is earlier than the one before", i+1)
		}
	}
}

// TestNobodyPassesTheLimitAlone: whatever is decided in whatever order, what one person alone gave away in a case is within the limit.
func TestNobodyPassesTheLimitAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := money.Micro(rapid.Int64Range(0, 1000).Draw(t, "limit"))
		var items []Item
		alone := money.Micro(0)
		for n := range rapid.IntRange(0, 30).Draw(t, "decisions") {
			by := rapid.SampledFrom([]string{"tom", "maya"}).Draw(t, "by")
			what := rapid.SampledFrom([]string{Refund, string(Upheld), string(Goodwill), string(Owed)}).Draw(t, "what")
			i := Item{N: int64(n), Kind: Decision, By: by, What: what, Amount: money.Micro(rapid.Int64Range(0, 500).Draw(t, "amount"))}
			if !NeedsSecond(&i, Alone(items), limit) {
				if err := i.End(Made, "", by, day); err != nil {
					t.Fatal(err)
				}
				if what != string(Owed) {
					alone += i.Amount
				}
			} else if err := i.Second(true, "", by, day); !errors.Is(err, ErrStep) {
				t.Fatalf("%s agreed to their own: %v", by, err)
			} else if err := i.Second(true, "", by+"'s colleague", day); err != nil {
				t.Fatal(err)
			}
			items = append(items, i)
		}
		if alone > limit {
			t.Fatalf("%v alone, with a limit of %v", alone, limit)
		}
	})
}

func TestACase(t *testing.T) {
	c := Case{ID: 17, State: Open, Deadline: day}
	for _, to := range []State{Asked, Open, Settling, Open} {
		if err := c.Move(to); err != nil {
			t.Fatal(err)
		}
	}
	if !c.Late(day.Add(1)) || c.Late(day) {
		t.Error("late")
	}
	for want, err := range map[string]error{
		"cannot become closed": c.Move(Closed),
		"is no outcome":        c.Close("x", "why", 0, 0, day),
		"still in dispute":     c.Close(Fraud, "why", 3, 0, day),
		"a second person":      c.Close(Fraud, "why", 0, 1, day),
		"needs a reason":       c.Close(Fraud, " ", 0, 0, day),
	} {
		if !errors.Is(err, ErrStep) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := c.Close(Ours, "the lock was late", 0, 0, day); err != nil || c.Late(day.Add(time.Hour)) {
		t.Error(err)
	}
	if err := c.Close(Ours, "again", 0, 0, day); !errors.Is(err, ErrStep) {
		t.Error(err)
	}
	if err := c.Move(Asked); !errors.Is(err, ErrStep) {
		t.Error(err)
	}
	if err := c.Move(Open); err != nil || c.Outcome != "" || !c.Finished.IsZero() {
		t.Errorf("opened again: %+v %v", c, err)
	}
	for o, want := range map[Outcome][2]bool{Fraud: {true, true}, Ours: {true, true}, Honest: {false, true}, Unclear: {false, false}} {
		if was, known := o.TrueAlarm(); was != want[0] || known != want[1] {
			t.Errorf("%s: %v %v", o, was, known)
		}
	}
}

func TestItemsEnd(t *testing.T) {
	for _, c := range []struct {
		kind        Kind
		how, answer string
		ok          bool
	}{
		{Note, Done, "x", false},
		{Message, Done, "x", false},
		{Task, Done, "", true},
		{Task, Made, "", false},
		{Evidence, Accepted, "", false},
		{Evidence, Rejected, " \n", false},
		{Evidence, Rejected, "the alarm was off", true},
		{Evidence, Done, "x", false},
		{Decision, Made, "", true},
		{Decision, Refused, "", true},
	} {
		i := Item{Kind: c.kind}
		if err := i.End(c.how, c.answer, "tom", day); (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.kind, c.how, err)
		} else if err == nil && i.End(c.how, "x", "tom", day) == nil {
			t.Errorf("%s ended twice", c.kind)
		}
	}
}

// A token acts under its own name in the journal. Anyone who proposed a decision on the page cannot agree to it with a token of theirs, nor the other way.
func TestNobodyIsTheirOwnSecondPerson(t *testing.T) {
	for _, c := range []struct {
		proposed, agrees string
		ok               bool
	}{
		{"staff/tom", "staff/tom", false},
		{"staff/tom", "staff/tom (token backup)", false},
		{"staff/tom (token backup)", "staff/tom", false},
		{"staff/tom (token a)", "staff/tom (token b)", false},
		{"staff/tom", "staff/tom2", true},
		{"staff/tom (token a)", "staff/maya (token a)", true},
	} {
		i := Item{Kind: Decision, What: Refund, Amount: 5, By: c.proposed}
		if err := i.Second(true, "", c.agrees, day); (err == nil) != c.ok {
			t.Errorf("%s agrees to %s: %v", c.agrees, c.proposed, err)
		}
		if !c.ok && Alone([]Item{{Kind: Decision, What: Refund, Amount: 5, By: c.proposed, EndedBy: c.agrees, How: Made}}) != 5 {
			t.Errorf("%s and %s are two", c.proposed, c.agrees)
		}
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{
		"alarm.log": "alarm.log", `C:\Users\me\alarm.log`: "alarm.log", "../../etc/passwd": "passwd", "": "file", "..": "file", ".htaccess": "htaccess",
		"a\r\nSet-Cookie: b": "a__Set-Cookie_ b", "gpj.\u202eexe": "gpj._exe", "a\xffb\x00": "ab_", `x"; filename=y`: "x__ filename=y",
	} {
		if got := FileName(name); got != want {
			t.Errorf("%q: %q, not %q", name, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := FileName(rapid.String().Draw(t, "name"))
		if name == "" || len(name) > MaxName || strings.ContainsAny(name, "/\\\"\r\n") || strings.ContainsFunc(name, unicode.IsControl) || FileName(name) != name {
			t.Fatalf("%q", name)
		}
	})
}
