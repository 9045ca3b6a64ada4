package habit

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/restrict"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// person is a line whose calls are stepped through the rules.
type person struct {
	t     *testing.T
	rules *Rules
	state State
	all   []Finding // without their calls

	account string // the customer's name
}

func newPerson(t *testing.T) *person {
	return &person{t: t, account: "acme", rules: Default(), state: State{Line: &Memory{}, Account: &Memory{}, World: &World{}, Notes: &Notes{}}}
}

// call is a call that costs a price a minute, from its begin to its end, in slices of 30 s. It returns the gravest finding.
func (p *person) call(number string, perMinute money.Rate, from string, at time.Time, talk time.Duration) (found *Finding) {
	p.t.Helper()
	c := callTo(p.t, number, perMinute, from, at)
	c.Account = Hash(p.account)
	stopped := false
	step := func(e *Event, now time.Time) {
		f := p.rules.Step(&p.state, e, now)
		if f == nil {
			return
		}
		if found == nil || f.Answer.Step > found.Answer.Step {
			found = f
		}
		p.all = append(p.all, *f)
		p.all[len(p.all)-1].Call = nil
		stopped = stopped || f.Life.Acts() && f.Answer.Step > Tighten
	}
	slice := money.Micro(perMinute / 2000)
	step(&Event{Kind: Began, Call: &c, Amount: slice}, at)
	held := slice
	for t := 30 * time.Second; t < talk; t += 30 * time.Second {
		held += slice
		step(&Event{Kind: Held, Call: &c, Amount: held}, at.Add(t))
		if stopped {
			break // what is not bought is not talked
		}
	}
	step(&Event{Kind: Ended, Call: &c, Amount: held, Talk: talk, Answered: true}, at.Add(talk))
	return found
}

func callTo(t *testing.T, number string, perMinute money.Rate, from string, at time.Time) Call {
	t.Helper()
	dest, problem := phone.UK().Parse(number)
	if problem != phone.NoProblem {
		t.Fatalf("%s: %v", number, problem)
	}
	price := rating.Price{First: 1, Step: 1}
	for i := range price.Rates {
		price.Rates[i] = perMinute
	}
	c := NewCall(&dest, &price)
	c.Line, c.Account, c.Place, c.Device = Hash("2001"), Hash("acme"), Hash(from), Hash("yealink")
	c.Hour = uint8((int(at.Weekday())+6)%7*24 + at.Hour())
	return c
}

// office calls on working days: at home all day, and a partner in France twice a week.
func (p *person) office(weeks int) (end time.Time) {
	at := monday
	for day := range weeks * 7 {
		at = monday.AddDate(0, 0, day)
		if day%7 >= 5 {
			continue
		}
		for hour := 9; hour < 18; hour++ {
			if f := p.call("02079460000", 2*money.PencePerMinute, "AS1", at.Add(time.Duration(hour)*time.Hour), 3*time.Minute); f != nil {
				p.t.Fatalf("an ordinary call at home: %+v", f)
			}
		}
		if day%7 == 1 || day%7 == 3 {
			if f := p.call("0033142345678", 5*money.PencePerMinute, "AS1", at.Add(10*time.Hour), 10*time.Minute); f != nil {
				p.t.Fatalf("the partner in France: %+v", f)
			}
		}
	}
	return at.AddDate(0, 0, 1)
}

func TestThiefAtNight(t *testing.T) {
	p := newPerson(t)
	night := p.office(8).Add(3 * time.Hour)
	var spent money.Micro
	for i := range 45 {
		f := p.call("002203123456", 40*money.PencePerMinute, "AS666", night.Add(time.Duration(i)*6*time.Minute), 5*time.Minute)
		spent += 2 * money.Pound
		if f == nil || f.Answer.Step < OneCountry {
			continue
		}
		if spent > 4*money.Pound {
			t.Errorf("noticed after %s", spent)
		}
		if f.Novelty != New || !f.Signs.Has(OddHour) || !f.Signs.Has(OddPlace) {
			t.Errorf("%+v", f)
		}
		gambia := callTo(t, "002203999999", 40*money.PencePerMinute, "AS666", night)
		france := callTo(t, "0033142345678", 5*money.PencePerMinute, "AS1", night)
		if !closes(f, &gambia) || closes(f, &france) {
			t.Errorf("%+v", f.Answer)
		}
		return
	}
	t.Error("45 calls to Gambia in a night were not noticed")
}

func closes(f *Finding, c *Call) bool {
	n, _ := phone.FromDigits(c.Number)
	dest := phone.Destination{Number: n, Class: c.Class, Country: c.Country, National: c.National}
	price := rating.Price{Rates: [3]money.Rate{c.PerMin, c.PerMin, c.PerMin}, First: 1, Step: 1}
	for i := range f.Answer.Restrictions {
		if f.Answer.Restrictions[i].Refuses(restrictCall(dest, &price)) {
			return true
		}
	}
	return false
}

func TestThatWasMe(t *testing.T) {
	p := newPerson(t)
	at := p.office(8).Add(11 * time.Hour)
	fired := 0
	for i := range 20 {
		if f := p.call("002203123456", 60*money.PencePerMinute, "AS1", at.Add(time.Duration(i)*time.Hour), 20*time.Minute); f != nil && f.Answer.Step >= Narrow {
			fired++
			p.rules.Step(&p.state, &Event{Kind: Lifted}, at.Add(time.Duration(i)*time.Hour+30*time.Minute))
			if p.state.Line.step != Open || p.state.Line.fired != 0 {
				t.Fatalf("%+v", p.state.Line)
			}
		}
	}
	if fired == 0 {
		t.Error("£12 a call to a new country was never noticed")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &Memory{}
		day := uint16(20_000)
		for range rapid.IntRange(1, 2000).Draw(r, "calls") {
			day += uint16(rapid.IntRange(0, 2).Draw(r, "days"))
			key := rapid.Uint64Range(1, 999_999_999_999_999).Draw(r, "number")
			n := m.numbers.see(key, day, maxNumbers)
			n.week, n.most = math.MaxUint16, math.MaxUint16
			m.rows.see(1<<32|key&0xffffffff, day, maxRows)
			m.places.see(key>>18|1, day, maxPlaces)
			m.devices.see(key>>18|1, day, maxDevices)
			b := m.block(key/1000, uint32(day)*1440, 1e4)
			b.level += money.Micro(key / 1000)
			m.hours[key%168], m.fresh[key%168] = 255, 255
			m.tries[key%4] = try{key, uint32(day) * 1440}
		}
		for i := range m.meters {
			m.meters[i] = meter{money.Max, money.Max, 1 << 31, money.Max, money.Max, true}
		}
		b := m.Append(nil)
		if len(b) > MaxMemory {
			r.Fatalf("%d bytes", len(b))
		}
		back, err := Read(b)
		if err != nil || !reflect.DeepEqual(m, back) {
			r.Fatalf("%v: read back otherwise", err)
		}
		if _, err := Read(b[:len(b)-1]); !errors.Is(err, ErrMemory) {
			r.Fatal("half a memory was read")
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add((&Memory{}).Append(nil))
	f.Add(AppendCall(nil, &Call{Number: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Read(b); err == nil {
			if len(m.Append(nil)) > 2*MaxMemory {
				t.Error("it grew")
			}
		}
		_, _ = ReadCall(b)
		_, _ = ReadWorld(b)
	})
}

// TestWorldInAnyOrder: what the world learns depends neither on the order of notes nor on who took them.
func TestWorldInAnyOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := &World{}, &World{}
		one, two, all := &Notes{}, &Notes{}, &Notes{}
		for range rapid.IntRange(0, 200).Draw(r, "notes") {
			x := note{subject(rapid.IntRange(0, int(numSubjects)-1).Draw(r, "of")), rapid.Uint64Range(1, 50).Draw(r, "key"), rapid.Uint32().Draw(r, "who"), uint16(rapid.IntRange(100, 110).Draw(r, "day"))}
			all.add(x)
			if rapid.Bool().Draw(r, "worker") {
				one.add(x)
			} else {
				two.add(x)
			}
		}
		a.Turn(110, all)
		b.Turn(110, two, one)
		if !reflect.DeepEqual(a, b) {
			r.Fatal("they differ")
		}
		back, err := ReadWorld(a.Append(nil))
		if err != nil || !reflect.DeepEqual(a, back) {
			r.Fatal("read back otherwise", err)
		}
	})
}

func restrictCall(d phone.Destination, p *rating.Price) *restrict.Call {
	return &restrict.Call{Dest: d, Price: p}
}

// TestOneEarlyNotice: several meters see the same calls, and the owner gets one notice before something is closed.
func TestOneEarlyNotice(t *testing.T) {
	p := newPerson(t)
	at := p.office(8).Add(3 * time.Hour)
	var steps []Step
	for i := range 45 {
		c := callTo(t, "002203123456", 40*money.PencePerMinute, "AS666", at.Add(time.Duration(i)*2*time.Minute))
		for _, e := range []*Event{{Kind: Began, Call: &c, Amount: 200_000}, {Kind: Ended, Call: &c, Amount: 200_000, Talk: 30 * time.Second, Answered: true}} {
			if f := p.rules.Step(&p.state, e, at.Add(time.Duration(i)*2*time.Minute)); f != nil {
				steps = append(steps, f.Answer.Step)
			}
		}
		if len(steps) > 0 && steps[len(steps)-1] > Tighten {
			break
		}
	}
	if len(steps) != 2 || steps[0] != Tighten {
		t.Errorf("findings at the steps %v, want fewer calls at once and then what closes", steps)
	}
}

// TestTheLadderTightensFirst: odd calls are first left one at a time, for a day, and none dearer; nothing that is long known is touched, and what is learnt goes on.
func TestTheLadderTightensFirst(t *testing.T) {
	p := newPerson(t)
	at := p.office(8).Add(3 * time.Hour)
	var f *Finding
	for i := 0; f == nil; i++ {
		f = p.call("002203123456", 40*money.PencePerMinute, "AS666", at.Add(time.Duration(i)*time.Minute), 25*time.Second)
	}
	a := &f.Answer
	if a.Step != Tighten || len(a.Restrictions) != 2 || a.Until.Sub(at) > 25*time.Hour || a.Until.Sub(at) < 23*time.Hour || p.state.Line.closed() {
		t.Fatalf("%+v", a)
	}
	lists := [][]restrict.Restriction{a.Restrictions}
	for number, want := range map[string][2]bool{"002203999999": {true, false}, "0088213123456": {true, true}, "0033142345678": {false, false}, "02079460000": {false, false}} {
		d, _ := phone.UK().Parse(number)
		price := rating.Price{First: 1, Step: 1, Rates: [3]money.Rate{40 * money.PencePerMinute, 40 * money.PencePerMinute, 40 * money.PencePerMinute}}
		if want[1] {
			price.Rates = [3]money.Rate{90 * money.PencePerMinute, 90 * money.PencePerMinute, 90 * money.PencePerMinute}
		}
		c := restrictCall(d, &price)
		fewer := restrict.Tightest(lists, c, at.Add(time.Hour), time.UTC) != nil
		closed := restrict.Closing(lists, c, at.Add(time.Hour), time.UTC, false) != nil
		if fewer != want[0] || closed != want[1] {
			t.Errorf("%s: one at a time %v, closed %v", number, fewer, closed)
		}
	}
}

// TestTheLastStepRefusesLogins: of networks and products that are not long the customer's.
func TestTheLastStepRefusesLogins(t *testing.T) {
	p := newPerson(t)
	at := p.office(8).Add(3 * time.Hour)
	p.rules.MostStops[Paid], p.rules.MostStops[Login] = 1000, 1000 // this office calls too much for either
	logins := 0
	for night := range 12 {
		for i := range 20 {
			f := p.call("002203123456", 40*money.PencePerMinute, "AS666", at.Add(time.Duration(night)*8*time.Hour+time.Duration(i)*6*time.Minute), 5*time.Minute)
			if f == nil || f.Answer.Step != Login {
				continue
			}
			logins++
			own, thief := restrict.From{Origin: Hash("AS1"), Product: Hash("yealink")}, restrict.From{Origin: Hash("AS666"), Product: Hash("yealink")}
			lists, now := [][]restrict.Restriction{f.Answer.Restrictions}, f.Answer.Until.Add(-time.Minute)
			if restrict.Login(lists, own, now, time.UTC) != nil || restrict.Login(lists, thief, now, time.UTC) == nil || restrict.Login(lists, restrict.From{Origin: own.Origin, Product: Hash("x-lite")}, now, time.UTC) == nil {
				t.Errorf("%+v", f.Answer.Restrictions)
			}
		}
	}
	if logins == 0 {
		t.Error("the ladder was never climbed to its end")
	}
}

// TestMemoriesOfVersionsBefore: steps of the ladder were one less when there was no Tighten, and what numbers cost was not counted: a number that was known
// for years would be a surprise after an upgrade.
func TestMemoriesOfVersionsBefore(t *testing.T) {
	m := Memory{ladder: ladder{step: OneRange, reached: Notice}, shadow: ladder{step: Open, reached: Login}}
	e := encoder{b: []byte{oldest}, version: oldest}
	e.visit(&m)
	b := e.b
	m.step, m.shadow.reached = OneCountry, NumSteps
	if got, err := Read(b); err != nil || !reflect.DeepEqual(*got, m) {
		t.Errorf("%+v %v", got, err)
	}
}

// TestATornTableIsRefused: a table that is not whole buckets would be looked up beyond its end.
func TestATornTableIsRefused(t *testing.T) {
	m := &Memory{numbers: make(known, 3)}
	if _, err := Read(m.Append(nil)); !errors.Is(err, ErrMemory) {
		t.Errorf("read with %v", err)
	}
}

// TestASummary: what is known of an office is what it does, and looking changes nothing.
func TestASummary(t *testing.T) {
	p := newPerson(t)
	at := p.office(8).Add(3 * time.Hour)
	before := string(p.state.Line.Append(nil)) + string(p.state.Account.Append(nil))
	s := p.rules.Summary(p.state.Line, p.state.Account, Hash(p.account), at)
	if s.Learning || s.Days < 50 || !strings.HasPrefix(s.Hours, "mon-fri ") || strings.Contains(s.Hours, "sun") || len(s.Countries) != 1 || s.Countries[0].String() != "FR" ||
		s.Numbers != 1 || s.Networks != 1 || s.Products != 1 || s.Step != Open || s.Meters[Whole].Life != Live || s.Meters[Whole].Allowance < 5*money.Pound {
		t.Errorf("%+v", s)
	}
	if string(p.state.Line.Append(nil))+string(p.state.Account.Append(nil)) != before {
		t.Error("a look changed what is known")
	}
	for i := range 3 {
		p.call("002203123456", 40*money.PencePerMinute, "AS666", at.Add(time.Duration(i)*6*time.Minute), 5*time.Minute)
	}
	if s = p.rules.Summary(p.state.Line, p.state.Account, Hash(p.account), at.Add(20*time.Minute)); s.Step == Open || s.Countries[0].String() != "FR" || len(s.Countries) != 1 {
		t.Errorf("after a thief: %+v", s)
	}
}
