package habit

import (
	"bytes"
	"reflect"
	"strconv"
	"testing"
	"time"

	"ringfence/core/money"
)

// under makes a person of a customer whose calls are watched by the built-in rules, all with one life.
func under(t *testing.T, account string, life Life) *person {
	p := newPerson(t)
	p.account = account
	for kind := range NumMeters {
		p.rules.Meters[kind].Life = life
	}
	return p
}

// attack is three nights of 45 calls to Gambia each after eight weeks of an office. It returns every finding.
func (p *person) attack() []Finding {
	night := p.office(8).Add(3 * time.Hour)
	for i := range 3 * 45 {
		at := night.AddDate(0, 0, i/45).Add(time.Duration(i%45) * 6 * time.Minute)
		p.call("002203123456", 40*money.PencePerMinute, "AS666", at, 5*time.Minute)
	}
	return p.all
}

// accounts are a customer in the canary's tenth, and one that is not.
func accounts(t *testing.T) (in, out string) {
	for i := 0; in == "" || out == ""; i++ {
		if i > 1000 {
			t.Fatal("no customer is in the tenth, or none is not")
		}
		if name := "customer" + strconv.Itoa(i); Canary.of(Hash(name)) == Live {
			in = name
		} else {
			out = name
		}
	}
	return in, out
}

func TestCanaryIsATenth(t *testing.T) {
	n := 0
	for i := range 10_000 {
		n += int(b2u(Canary.of(Hash("customer"+strconv.Itoa(i))) == Live))
	}
	if n < 800 || n > 1200 {
		t.Errorf("a canary lives on %d of 10,000", n)
	}
}

// TestCanaryDoesWhatLiveDoes: every finding on a customer of the tenth is what a live rule finds, and what is remembered is the same; on the others it is
// what a shadow finds.
func TestCanaryDoesWhatLiveDoes(t *testing.T) {
	in, out := accounts(t)
	for account, as := range map[string]Life{in: Live, out: Shadow} {
		canary, other := under(t, account, Canary), under(t, account, as)
		got, want := canary.attack(), other.attack()
		if len(want) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: a canary found\n%+v\nand a rule that is %v\n%+v", account, got, as, want)
		}
		if !bytes.Equal(canary.state.Line.Append(nil), other.state.Line.Append(nil)) || !bytes.Equal(canary.state.Account.Append(nil), other.state.Account.Append(nil)) {
			t.Errorf("%s: a canary remembers otherwise than a rule that is %v", account, as)
		}
	}
}

// TestShadowSaysAndDoesNothing: it says what would have been closed, once for as long as that would hold; nothing is forgotten and nobody is restricted.
func TestShadowSaysAndDoesNothing(t *testing.T) {
	shadow, off := under(t, "acme", Shadow), under(t, "acme", Off)
	said := shadow.attack()
	if f := off.attack(); f != nil {
		t.Fatalf("off, but found %+v", f)
	}
	if len(said) == 0 || len(said) > 2*3 {
		t.Fatalf("a shadow said %d things in three nights", len(said))
	}
	var until [2]time.Time // line, customer
	for _, f := range said {
		if f.Life != Shadow || f.Answer.Step == Notice || len(f.Answer.Restrictions) == 0 {
			t.Errorf("%+v", f)
		}
		since, who := f.Answer.Restrictions[0].Since, b2u(f.Answer.Whole)
		if since.Before(until[who]) {
			t.Errorf("said again at %v, though what was said would hold until %v", since, until[who])
		}
		until[who] = f.Answer.Until
	}
	for name, m := range map[string][2]*Memory{"line": {shadow.state.Line, off.state.Line}, "customer": {shadow.state.Account, off.state.Account}} {
		if m[0].ladder != (ladder{}) {
			t.Errorf("%s: a shadow restricted it: %+v", name, m[0].ladder)
		}
		if !reflect.DeepEqual(m[0].numbers, m[1].numbers) || !reflect.DeepEqual(m[0].rows, m[1].rows) || !reflect.DeepEqual(m[0].places, m[1].places) || m[0].fresh != m[1].fresh {
			t.Errorf("%s: a shadow forgot something", name)
		}
	}
	for i := range shadow.state.Notes.new {
		if shadow.state.Notes.new[i].of == hot {
			t.Error("a shadow warned other customers")
		}
	}
}

// TestShadowDelaysNothing: a rule that acts finds the same whether or not others watch beside it.
func TestShadowDelaysNothing(t *testing.T) {
	alone, beside := under(t, "acme", Off), under(t, "acme", Shadow)
	alone.rules.Meters[Whole].Life, beside.rules.Meters[Whole].Life = Live, Live
	want := alone.attack()
	var got []Finding
	for _, f := range beside.attack() {
		if f.Life == Live {
			got = append(got, f)
		}
	}
	if len(want) == 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("beside shadows\n%+v\nalone\n%+v", got, want)
	}
}

// TestOffMeasuresNothing: what is off costs nothing, not even a place in memory.
func TestOffMeasuresNothing(t *testing.T) {
	p := under(t, "acme", Off)
	p.attack()
	for name, m := range map[string]*Memory{"line": p.state.Line, "customer": p.state.Account} {
		if len(m.blocks) != 0 || m.meters != [NumMeters]meter{} {
			t.Errorf("%s: %d ranges, %+v", name, len(m.blocks), m.meters)
		}
	}
}

// TestThatWasMeEndsAShadow: what a shadow would have closed is over as well.
func TestThatWasMeEndsAShadow(t *testing.T) {
	p := under(t, "acme", Shadow)
	if len(p.attack()) == 0 || p.state.Line.shadow == (ladder{}) && p.state.Account.shadow == (ladder{}) {
		t.Fatal("nothing was found")
	}
	p.rules.Step(&p.state, &Event{Kind: Lifted}, monday.AddDate(0, 0, 70))
	if p.state.Line.shadow != (ladder{}) || p.state.Account.shadow != (ladder{}) {
		t.Errorf("%+v", p.state.Line.shadow)
	}
}

// TestSignOff: a sign without a factor is not said.
func TestSignOff(t *testing.T) {
	p := under(t, "acme", Live)
	p.rules.Signs[OddHour] = NoFactor
	all := p.attack()
	if len(all) == 0 {
		t.Fatal("nothing was found")
	}
	for _, f := range all {
		if f.Signs.Has(OddHour) || !f.Signs.Has(OddPlace) {
			t.Errorf("%v", f.Signs)
		}
	}
}
