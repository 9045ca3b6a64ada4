package react

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/state/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// office is a provider with line 2001 of acme, whose journal the test writes.
type office struct {
	t    testing.TB
	db   *booktest.Store
	book *book.Book
	line *book.Line
	n    int
}

func newOffice(t testing.TB) *office {
	t.Helper()
	plan, err := phone.NewPlan(phone.UKConfig())
	must(t, err)
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	o := &office{t: t, db: &booktest.Store{}}
	o.book, err = book.Open(t.Context(), o.db, book.Options{Plan: plan, Zone: "Europe/London", Box: box, Realm: "sip.test", Identify: booktest.Plain})
	must(t, err)
	_, err = o.book.AddCustomer(t.Context(), "t", "acme", book.CustomerEdit{})
	must(t, err)
	o.line, _, err = o.book.AddLine(t.Context(), "t", book.NewLine{ID: "2001", Customer: "acme", NoPassword: true})
	must(t, err)
	return o
}

// bubble runs a test under virtual time.
func bubble(t *testing.T, f func(t *testing.T, o *office)) {
	synctest.Test(t, func(t *testing.T) { f(t, newOffice(t)) })
}

func (o *office) write(f fact.Body, id call.ID) {
	o.t.Helper()
	row := f.Row(time.Now(), fact.Subject{Line: "2001", Account: "acme", Call: id})
	must(o.t, o.db.SaveBans(context.Background(), nil, nil, row))
}

// calls makes a call of some minutes from a network, that costs a pound a minute abroad; its facts are as the gate writes them.
func (o *office) calls(number, from string, minutes int) {
	o.t.Helper()
	id, rate := o.begins(number, from)
	for m := range minutes - 1 {
		wait(50 * time.Second)
		o.write(&fact.SliceHeld{Held: rate * money.Micro(m+2), PaidFor: time.Duration(m+2) * time.Minute}, id)
		wait(10 * time.Second)
	}
	wait(time.Minute)
	o.write(&fact.CallSettled{Retail: rate * money.Micro(minutes), Talk: time.Duration(minutes) * time.Minute, Status: 200}, id)
}

func (o *office) begins(number, from string) (call.ID, money.Micro) {
	o.n++
	id, rate, class, country := call.ID(fmt.Sprintf("call-%04d", o.n)), money.Micro(20_000), "geographic", "GB"
	if !strings.HasPrefix(number, "+44") {
		rate, class, country = money.Pound, "intl-mobile", "GM"
	}
	o.write(&fact.CallAdmitted{
		Direction: "out", Number: number, Class: class, Country: country, Source: fact.ParseSource(from), Agent: "Yealink SIP-T46S 66.84",
		Destination: "x", Prefix: "1", PerMinute: money.Rate(rate) * 1000, Held: rate, PaidFor: time.Minute,
	}, id)
	return id, rate
}

// month is four weeks of an office.
func (o *office) month() {
	for day := range 28 {
		for hour := range 8 {
			if day%7 < 5 {
				o.calls("+442079460000", "192.0.2.7", 1)
				_ = hour
			}
			wait(time.Hour - time.Minute)
		}
		wait(16 * time.Hour)
	}
}

func wait(d time.Duration) { <-time.After(d) }

func (o *office) react(trial bool) *React {
	o.t.Helper()
	rules := habit.Default()
	if trial {
		rules = rules.AtMost(habit.Shadow)
	}
	r, err := New(Options{Store: o.db, Book: o.book, Rules: rules})
	must(o.t, err)
	return r
}

// run starts a stage and gives the function that stops it and waits.
func (o *office) run(r *React) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	return func() { cancel(); <-done }
}

// unusual are the findings in the journal.
func (o *office) unusual() (all []fact.CallsUnusual) {
	o.t.Helper()
	facts, err := o.db.Facts(o.t.Context(), store.FactFilter{Kind: fact.KindCallsUnusual})
	must(o.t, err)
	for _, f := range facts {
		var b fact.CallsUnusual
		must(o.t, b.Decode(f.Body))
		if b.Key != f.Key {
			o.t.Errorf("%+v", f)
		}
		all = append(all, b)
	}
	return all
}

func (o *office) closed() []restrict.Restriction {
	l, _ := o.book.Line("2001")
	return l.Settings().Restrictions
}

// TestAThiefIsStopped: what is spent on a number never called passes the allowance with its first slices, and is closed within a moment. "That was me"
// opens it again.
func TestAThiefIsStopped(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		o.month()
		wait(10 * time.Hour)
		r := o.react(false)
		stop := o.run(r)
		defer stop()
		id, _ := o.begins("+2203123456", "203.0.113.9")
		for m := 2; m <= 6 && len(o.closed()) == 0; m++ {
			wait(time.Minute)
			o.write(&fact.SliceHeld{Held: money.Pound * money.Micro(m)}, id)
			r.Wake()
			wait(100 * time.Millisecond)
		}
		found := o.unusual()
		if len(found) == 0 {
			t.Fatal("nothing was found")
		}
		last := found[len(found)-1]
		if last.Trial || last.Rung == "notice" || last.Number != "+2203123456" || !slices.Contains(last.Signs, "odd-place") || last.Until.IsZero() {
			t.Errorf("%+v", last)
		}
		closed := o.closed()
		if len(closed) == 0 || !closed[0].Ends || closed[0].By != By || closed[0].Finding != last.Key || !closed[0].Until.Equal(last.Until) {
			t.Fatalf("%+v", closed)
		}
		must(t, Vouch(t.Context(), o.db, o.book, "owner", "2001", "acme", last.Key))
		if len(o.closed()) != 0 {
			t.Errorf("%+v", o.closed())
		}
		wait(time.Second)
	})
}

// TestTrialClosesNothing: a trial says what it would have done.
func TestTrialClosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		o.month()
		stop := o.run(o.react(true))
		o.calls("+2203123456", "203.0.113.9", 10)
		wait(time.Second)
		stop()
		found := o.unusual()
		if len(found) == 0 || !found[0].Trial || len(o.closed()) != 0 {
			t.Errorf("%+v, closed %+v", found, o.closed())
		}
	})
}

// thief is a night of 45 calls; between is called before each.
func (o *office) thief(between func()) {
	for range 45 {
		between()
		o.calls("+2203123456", "203.0.113.9", 2)
	}
	wait(10 * time.Second)
}

// story is what was found and closed, without ids.
func (o *office) story() string {
	var b strings.Builder
	for _, f := range o.unusual() {
		fmt.Fprintf(&b, "%+v\n", f)
	}
	for _, r := range o.closed() {
		fmt.Fprintf(&b, "%s %s %s %s\n", r.Names, r.Except, r.Until, r.Finding)
	}
	return b.String()
}

// TestRestartsAndFailures: whatever happens to the process or the store, the same is found and closed, once.
func TestRestartsAndFailures(t *testing.T) {
	var want string
	bubble(t, func(t *testing.T, o *office) {
		o.month()
		stop := o.run(o.react(false))
		o.thief(func() {})
		stop()
		want = o.story()
	})
	if strings.Count(want, "\n") < 5 {
		t.Fatal(want)
	}
	bubble(t, func(t *testing.T, o *office) {
		o.month()
		stop := o.run(o.react(false))
		n := 0
		o.thief(func() {
			switch n++; n % 5 {
			case 1:
				o.db.Break(booktest.Lost)
				wait(600 * time.Millisecond)
				o.db.Break(booktest.Works)
			case 2:
				o.db.Break(booktest.Persisted)
				wait(600 * time.Millisecond)
				o.db.Break(booktest.Works)
			case 3:
				stop()
				stop = o.run(o.react(false))
			}
		})
		wait(20 * time.Second)
		stop()
		if got := o.findings(); got != findingsOf(want) {
			t.Errorf("got\n%s\nwant\n%s", got, findingsOf(want))
		}
	})
}

// findings are the kinds of what was found, in order.
func (o *office) findings() string { return findingsOf(o.story()) }

func findingsOf(story string) string {
	var out []string
	for line := range strings.Lines(story) {
		if _, rest, ok := strings.Cut(line, "Measure:"); ok {
			m, rest, _ := strings.Cut(rest, " ")
			_, rest, _ = strings.Cut(rest, "Rung:")
			rung, _, _ := strings.Cut(rest, " ")
			out = append(out, m+"/"+rung)
		} else {
			out = append(out, "closed")
		}
	}
	return strings.Join(out, " ")
}

// TestARuleThatIsWrongGoesBack: when the owner says of three findings that it was he, the rule that made them is trusted less, also after a restart.
func TestARuleThatIsWrongGoesBack(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		o.month()
		wait(10 * time.Hour)
		r := o.react(false)
		stop := o.run(r)
		back := func() (all []fact.CallsRuleBack) {
			facts, err := o.db.Facts(t.Context(), store.FactFilter{Kind: fact.KindCallsRuleBack})
			must(t, err)
			for _, f := range facts {
				var b fact.CallsRuleBack
				must(t, b.Decode(f.Body))
				all = append(all, b)
			}
			return all
		}
		answered := 0
		for round := 0; round < 12 && len(back()) == 0; round++ {
			id, _ := o.begins(fmt.Sprintf("+22031%02d456", round+10), "203.0.113.9")
			for m := 2; m <= 20 && len(o.closed()) == 0; m++ {
				wait(time.Minute)
				o.write(&fact.SliceHeld{Held: money.Pound * money.Micro(m)}, id)
				r.Wake()
				wait(100 * time.Millisecond)
			}
			if len(o.closed()) == 0 {
				continue
			}
			must(t, Vouch(t.Context(), o.db, o.book, "owner", "2001", "acme", o.closed()[0].Finding))
			answered++
			wait(3 * time.Second)
		}
		all := back()
		if len(all) != 1 || all[0].Life != "canary" || answered < 3 {
			t.Fatalf("after %d answers: %+v", answered, all)
		}
		stop()
		r = o.react(false)
		stop = o.run(r)
		wait(time.Second)
		stop()
		for kind, m := range r.rules.Meters {
			want := habit.Live
			if habit.MeterKind(kind).String() == all[0].Measure {
				want = habit.Canary
			}
			if m.Life != want {
				t.Errorf("after a restart %v is %v", habit.MeterKind(kind), m.Life)
			}
		}
	})
}

// TestALineThatIsNotWatched: nothing is found on it, what is usual is learned all the same, and the setting is a loosening.
func TestALineThatIsNotWatched(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		o.month()
		off := book.Setting{Field: account.Watch, N: account.Unwatched}
		if err := o.book.Set(t.Context(), "owner", account.LevelLine, "2001", off); err == nil {
			t.Error("a customer switched the watch off")
		}
		off.Grant = true
		must(t, o.book.Set(t.Context(), "desk", account.LevelLine, "2001", off))
		r := o.react(false)
		stop := o.run(r)
		for range 10 {
			o.calls("+2203123456", "203.0.113.9", 5)
		}
		wait(time.Second)
		if found := o.unusual(); len(found) != 0 || len(o.closed()) != 0 {
			t.Errorf("%+v", found)
		}
		must(t, o.book.Set(t.Context(), "desk", account.LevelLine, "2001", book.Setting{Field: account.Watch, N: account.Watched}))
		for range 10 {
			o.calls("+2203987654", "203.0.113.9", 5)
		}
		wait(time.Second)
		stop()
		if len(o.unusual()) == 0 {
			t.Error("nothing was found once the line was watched again")
		}
	})
}

// TestARulesFigures: of each life it is known what a rule found and stopped, what that saved and what of it was honest, also after a restart. A shadow's are of what
// went on.
func TestARulesFigures(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		o.month()
		wait(10 * time.Hour)
		r := o.react(true)
		stop := o.run(r)
		for range 6 {
			o.calls("+2203123456", "203.0.113.9", 10)
		}
		wait(5 * time.Second)
		stop()
		sum := func(r *React, life string) (all Figures) {
			rules, err := r.Rules(t.Context())
			must(t, err)
			for _, x := range rules {
				f := x.Stages[life]
				all.Fired, all.Stopped, all.Saved, all.Honest, all.Wrong = all.Fired+f.Fired, all.Stopped+f.Stopped, all.Saved+f.Saved, all.Honest+f.Honest, all.Wrong+f.Wrong
			}
			return all
		}
		shadow := sum(r, "shadow")
		if shadow.Fired == 0 || shadow.Stopped == 0 || shadow.Saved < 10*money.Pound || shadow.Saved > 60*money.Pound || len(o.closed()) != 0 {
			t.Errorf("as a shadow: %+v", shadow)
		}
		r = o.react(false)
		stop = o.run(r)
		wait(time.Second)
		if again := sum(r, "shadow"); again != shadow {
			t.Errorf("after a restart %+v, before %+v", again, shadow)
		}
		id, _ := o.begins("+2203777456", "203.0.113.9")
		for m := 2; m <= 20 && len(o.closed()) < 3; m++ {
			wait(time.Minute)
			o.write(&fact.SliceHeld{Held: money.Pound * money.Micro(m)}, id)
			r.Wake()
			wait(100 * time.Millisecond)
		}
		x := o.closed()[len(o.closed())-1]
		o.write(&fact.CallRefused{Direction: "out", Number: "+2203777456", Reason: "destination-closed", Limit: x.ID, PerMinute: money.Rate(money.Pound) * 1000}, "call-refused")
		r.Wake()
		wait(3 * time.Second)
		live := sum(r, "live")
		if live.Fired == 0 || live.Stopped != 1 || live.Saved != money.Pound || live.Honest != 0 {
			t.Errorf("live: %+v", live)
		}
		must(t, Vouch(t.Context(), o.db, o.book, "owner", "2001", "acme", x.Finding))
		wait(3 * time.Second)
		if live = sum(r, "live"); live.Honest != 1 || live.Wrong != 1 {
			t.Errorf("once the owner said that it was he: %+v", live)
		}
		stop()
	})
}

// TestATooWideRuleWaits: a rule that as a shadow would have stopped more than one of a hundred calls is not put in force by a reload, nor by a restart, until somebody
// agrees; and one that does little is.
func TestATooWideRuleWaits(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		r := o.react(true)
		stop := o.run(r)
		wait(time.Second)
		r.mu.Lock()
		r.figures.Days = []day{{Day: time.Now().Unix() / (24 * 60 * 60), Calls: 2000, Would: map[string]int64{"pace": 21, "line": 20}}}
		r.figured = true
		r.mu.Unlock()
		o.calls("+442079460000", "192.0.2.7", 1)
		wait(5 * time.Second)
		lives := func(r *React) (line, pace habit.Life, why string) {
			rules, err := r.Rules(t.Context())
			must(t, err)
			return rules[habit.Whole].Life, rules[habit.Pace].Life, rules[habit.Pace].Why
		}
		r.Use(habit.Default())
		if line, pace, why := lives(r); line != habit.Live || pace != habit.Shadow || why != TooWide {
			t.Errorf("after the reload: %v %v %s", line, pace, why)
		}
		o.calls("+442079460000", "192.0.2.7", 1)
		wait(5 * time.Second)
		stop()
		r = o.react(false)
		stop = o.run(r)
		wait(time.Second)
		if _, pace, _ := lives(r); pace != habit.Shadow {
			t.Errorf("after a restart: %v", pace)
		}
		if r.Agree("desk", "line") || !r.Agree("desk", "pace") {
			t.Error("what waits is agreed to, and nothing else")
		}
		if _, pace, why := lives(r); pace != habit.Live || why != "" {
			t.Errorf("once it was agreed to: %v %s", pace, why)
		}
		stop()
	})
}

// TestTwoNodes: of two stages over one store one leads. Whichever node had the call, it is found once and closed once, also when the one that leads goes away in the middle
// of a night and comes back.
func TestTwoNodes(t *testing.T) {
	var want string
	bubble(t, func(t *testing.T, o *office) {
		o.month()
		stop := o.run(o.react(false))
		o.thief(func() {})
		stop()
		want = o.findings()
	})
	bubble(t, func(t *testing.T, o *office) {
		o.month()
		stops := [2]func(){}
		nodes := [2]*React{}
		for i := range stops {
			nodes[i] = o.react(false)
			stops[i] = o.run(nodes[i])
		}
		n, led := 0, [2]int64{}
		o.thief(func() {
			at := n / 6 % 2
			switch n++; n % 6 {
			case 1:
				stops[at]()
				led[at] += nodes[at].Stats().Found
				wait(20 * time.Second)
			case 4:
				nodes[at] = o.react(false)
				stops[at] = o.run(nodes[at])
			}
		})
		wait(20 * time.Second)
		for i, stop := range stops {
			stop()
			led[i] += nodes[i].Stats().Found
		}
		if got := o.findings(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		seen := map[string]int{}
		for _, f := range o.unusual() {
			seen[f.Key]++
		}
		for key, n := range seen {
			if n > 1 {
				t.Errorf("%s was found %d times", key, n)
			}
		}
		if led[0] == 0 || led[1] == 0 {
			t.Errorf("the nodes found %v: the test says nothing about a change of the one that leads", led)
		}
		if len(seen) == 0 {
			t.Error("nothing was found")
		}
	})
}

// TestTheDelay: docs/rules.md says how long it takes from a fact to what it closes.
func TestTheDelay(t *testing.T) {
	for name, c := range map[string]struct {
		wake bool
		most time.Duration
	}{"on the node of the call": {true, 25 * time.Millisecond}, "on another node": {false, 525 * time.Millisecond}} {
		bubble(t, func(t *testing.T, o *office) {
			o.month()
			wait(10 * time.Hour)
			r := o.react(false)
			stop := o.run(r)
			wait(time.Second)
			id, _ := o.begins("+2203123456", "203.0.113.9")
			var delay time.Duration
			for m := 2; m <= 20 && delay == 0; m++ {
				wait(time.Minute)
				at := time.Now()
				o.write(&fact.SliceHeld{Held: money.Pound * money.Micro(m)}, id)
				if c.wake {
					r.Wake()
				}
				for range 1000 {
					if wait(time.Millisecond); len(o.closed()) > 0 {
						delay = time.Since(at)
						break
					}
				}
			}
			stop()
			if delay == 0 || delay > c.most || r.Stats().Reaction > c.most {
				t.Errorf("%s: %v, the stage says %v", name, delay, r.Stats().Reaction)
			}
			t.Log(name, delay)
		})
	}
}
