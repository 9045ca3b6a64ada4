package sim

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
)

func world(t testing.TB, name string, o Options) *World {
	t.Helper()
	s, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.World(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// written is a digest of everything that a world writes.
func written(t *testing.T, w *World) [32]byte {
	t.Helper()
	h := sha256.New()
	if err := w.WriteLines(h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteCalls(h, h, nil); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

func TestASeedGivesTheSameCalls(t *testing.T) {
	o := Options{Seed: 7, Lines: 40}
	w := world(t, "two-lines", o)
	first := written(t, w)
	if written(t, w) != first {
		t.Error("the same world gives other calls the second time")
	}
	if written(t, world(t, "two-lines", o)) != first {
		t.Error("the same seed gives other calls")
	}
	if o.Seed = 8; written(t, world(t, "two-lines", o)) == first {
		t.Error("another seed gives the same calls")
	}
}

func TestCallsComeInOrder(t *testing.T) {
	for _, name := range Names() {
		w := world(t, name, Options{Seed: 3, Lines: 12})
		var last time.Time
		known := map[string]*Line{}
		for _, l := range w.Lines() {
			known[l.ID] = l
		}
		n := 0
		for c := range w.Calls() {
			n++
			switch {
			case c.At.Before(last):
				t.Fatalf("%s: call %s is earlier than the one before", name, c.ID)
			case c.At.Before(w.Begin) || c.At.After(w.End.Add(time.Hour)):
				t.Fatalf("%s: call %s at %v is not within the scenario", name, c.ID, c.At)
			case known[c.Line] == nil || known[c.Line].Customer != c.Customer:
				t.Fatalf("%s: call %s is of line %q of %q", name, c.ID, c.Line, c.Customer)
			case c.Talk < 0 || c.Talk > 4*time.Hour || !c.Answered && c.Talk > 0 || c.Rings < 0:
				t.Fatalf("%s: call %s talks %v and rings %v", name, c.ID, c.Talk, c.Rings)
			case c.Inbound != (c.Source == "") || c.Inbound != (c.UserAgent == ""):
				t.Fatalf("%s: call %s comes from %q %q", name, c.ID, c.Source, c.UserAgent)
			case strings.ContainsAny(c.Dialled+c.Source+c.UserAgent, "\",\n"):
				t.Fatalf("%s: call %s has a cell that would need quotes", name, c.ID)
			}
			last = c.At
		}
		if n < 300 {
			t.Errorf("%s: only %d calls", name, n)
		}
	}
}

// TestTheTariff compares what the simulator believes of its destinations with how the product understands and prices them.
func TestTheTariff(t *testing.T) {
	im := rating.ReadCSV(Deck(), rating.ReadOptions{Billing: money.Sterling, Short: phone.UK().OnlyShort})
	if !im.OK() {
		t.Fatal(im.Faults)
	}
	deck, err := rating.Build(im.Prices, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := source(1, 2, 3)
	all := places().places
	if len(all) < 400 {
		t.Fatalf("only %d destinations", len(all))
	}
	for _, p := range all {
		for i := range 40 {
			n := p.number(r)
			if i%2 == 1 {
				n = n.beside(r)
			}
			dest, problem := phone.UK().Parse(n.dialled(i%4 < 2))
			if problem != phone.NoProblem || dest.Number.Digits() != n.digits {
				t.Fatalf("%s: %s is no number (%v)", p.name, n.dialled(false), problem)
			}
			price, ok := deck.Find(dest.Number, time.Time{})
			if !ok || price.Name != p.name {
				t.Fatalf("%s: %s is priced as %v", p.name, n.dialled(false), price)
			}
			if dest.National == p.abroad() {
				t.Fatalf("%s: %s: national is %v", p.name, n.dialled(false), dest.National)
			}
			if premium := dest.Class == phone.Premium || dest.Class == phone.IntlPremium; premium != (p.kind == "premium") {
				t.Fatalf("%s: %s is of class %v", p.name, n.dialled(false), dest.Class)
			}
			if want := money.PencePerMinute * money.Rate(p.first) / 100; policy.Minute(price) != want {
				t.Fatalf("%s: the first minute costs %v, want %v", p.name, policy.Minute(price), want)
			}
		}
	}
}

// TestKindsAreComplete reads every name in the table of kinds, which panics on one that is no destination.
func TestKindsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for i := range kinds {
		k := &kinds[i]
		if seen[k.name] || k.about == "" || k.usual == 0 {
			t.Errorf("%s is there twice, or says too little", k.name)
		}
		seen[k.name] = true
		sum := 0.0
		for _, s := range k.streams {
			areas(s.places)
			sum += s.share
		}
		for _, p := range k.phases {
			areas(p.places)
		}
		if sum < 0.98 || sum > 1.02 {
			t.Errorf("%s: its streams are %.3f of its calls", k.name, sum)
		}
	}
}

func TestScenarios(t *testing.T) {
	covered := map[string]bool{}
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for i := range s.Attacks {
			covered[s.Attacks[i].Class] = true
		}
	}
	for _, c := range Classes() {
		if !covered[c] {
			t.Errorf("no scenario has an attack of class %s", c)
		}
	}
}

func TestBadScenarios(t *testing.T) {
	const good = "about = 'x'\nseed = 1\nweeks = 8\n[[people]]\nkind = 'plumber'\ncustomers = 2\n"
	if _, err := Parse("x", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ text, want string }{
		{"", "about is missing"},
		{"colour = 1\n" + good, "x:1: there is no key colour"},
		{"weeks = 'many'\n", "x:1: "},
		{"about = 'x'\nseed = 1\nweeks = 300\n[[people]]\nkind = 'plumber'\ncustomers = 2\n", "weeks is 300, want 1 to 210"},
		{"begin = '2026-01-06'\n" + good, "want a Monday"},
		{"about = 'x'\nseed = 1\nweeks = 8\n", "there are no people"},
		{strings.Replace(good, "plumber", "pirate", 1), `no kind "pirate"; there are plumber`},
		{good + "[[attack]]\nclass = 'burglary'\nweek = [1, 2]\ncalls = [1, 2]\nspan = ['1h', '2h']\n", `class is "burglary": there are pbx-burst`},
		{good + "[[attack]]\nclass = 'pbx-burst'\nweek = [1, 9]\ncalls = [1, 2]\nspan = ['1h', '2h']\n", "may begin in week 9, but there are 8"},
		{good + "[[attack]]\nclass = 'pbx-burst'\nweek = [1, 2]\ncalls = [2, 1]\nspan = ['1h', '2h']\n", "calls is 2 to 1: want [least, most] within 0 and 100000"},
		{good + "[[attack]]\nclass = 'pbx-burst'\nweek = [1, 2]\nspan = ['1h', '2h']\n", "it calls nobody"},
		{good + "[[attack]]\nclass = 'pbx-burst'\nweek = [1, 2]\ncalls = [1, 2]\nspan = ['soon', '2h']\n", "want a time such as 90s"},
		{good + "[[attack]]\nclass = 'pbx-burst'\nweek = [1, 2]\ncalls = [1, 2]\nspan = ['1h', '2h']\ntargets = ['Gambi']\n", `no destination "Gambi"; there are Gambia`},
		{good + "[expect]\nmedian-loss = 'little'\n", "x:8: "},
	} {
		if _, err := Parse("x", []byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
	}
	if _, err := Load("nothing"); err == nil || !strings.Contains(err.Error(), "there are call-selling") {
		t.Errorf("%v does not list the scenarios", err)
	}
}

func TestKeptBack(t *testing.T) {
	var kept, tuned int
	for _, l := range world(t, "population-kept-back", Options{}).Lines() {
		if !l.KeptBack {
			t.Fatalf("line %s is a %s", l.ID, l.Kind)
		}
		kept++
	}
	for _, l := range world(t, "population", Options{}).Lines() {
		if l.KeptBack {
			t.Fatalf("line %s is a %s", l.ID, l.Kind)
		}
		tuned++
	}
	if kept < 100 || tuned < 400 {
		t.Errorf("%d and %d lines", kept, tuned)
	}
	if !slices.ContainsFunc(Kinds(), func(k Kind) bool { return k.KeptBack }) {
		t.Error("no kind is kept back")
	}
}

// TestHowOftenHonestPeopleSurprise keeps the honest where they are hard but not absurd: within three days, £3 into a block of numbers that is new to the
// line is to come about in some 5 to 60 of 100,000 calls, £12 in at most a tenth as many and a little.
func TestHowOftenHonestPeopleSurprise(t *testing.T) {
	type block struct {
		first time.Time
		spent int // ten-thousandths of a penny
	}
	blocks := map[string]*block{}
	w := world(t, "population", Options{Seed: 5, Lines: 250})
	warm := w.Begin.AddDate(0, 0, 21)
	calls, some, much := 0, 0, 0
	for c := range w.Calls() {
		if c.At.After(warm) {
			calls++
		}
		if c.Inbound || !c.Answered || c.to.name == "UK geographic" || c.to.name == "UK mobile" {
			continue
		}
		key := c.Line + c.Dialled[:len(c.Dialled)-3]
		b := blocks[key]
		if b == nil {
			b = &block{first: c.At}
			blocks[key] = b
		}
		if c.At.Sub(b.first) > 72*time.Hour {
			continue
		}
		before := b.spent
		b.spent += c.to.fee*100 + int(float64(c.to.rate*100)*c.Talk.Minutes())
		if passes := func(pounds int) bool { return before < pounds*1_000_000 && b.spent >= pounds*1_000_000 }; c.At.After(warm) {
			if passes(3) {
				some++
			}
			if passes(12) {
				much++
			}
		}
	}
	per := func(n int) float64 { return 1e5 * float64(n) / float64(calls) }
	if per(some) < 5 || per(some) > 60 || per(much) > per(some)/10+1 {
		t.Errorf("of 100,000 calls, %.1f bring a new block to £3 and %.1f to £12", per(some), per(much))
	}
}
