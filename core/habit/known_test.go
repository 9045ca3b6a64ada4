package habit

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

// TestAShortCallMakesNoNumberKnownForAnyMoney: a call of half a minute made a number known, and five days later only caps were left.
func TestAShortCallMakesNoNumberKnownForAnyMoney(t *testing.T) {
	for _, number := range []string{"002203123456", "0033699999999", "09098790123", "07797123456"} {
		p := newPerson(t)
		at := p.office(8).Add(10 * time.Hour)
		const perMinute = 40 * money.PencePerMinute
		p.call(number, perMinute, "AS1", at, 30*time.Second)
		spent, closed := money.Micro(0), false
		for day := 6; day < 20 && !closed; day++ {
			for hour := 10; hour < 17 && !closed; hour++ {
				at := at.AddDate(0, 0, day).Add(time.Duration(hour-10) * time.Hour)
				if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
					continue
				}
				f := p.call(number, perMinute, "AS1", at, 25*time.Minute)
				spent += 10 * money.Pound
				if f != nil && f.Answer.Step > Tighten {
					c := callTo(t, number, perMinute, "AS1", at)
					if closed = closes(f, &c); !closed {
						t.Fatalf("%s: an answer leaves the number open that led to it: %v", number, f.Answer.Restrictions)
					}
				}
			}
		}
		if most := 100 * money.Pound; !closed || spent > most {
			t.Errorf("%s: £%d were spent after a call of half a minute; closed: %v", number, spent/money.Pound, closed)
		}
	}
}

// TestARelativeStaysKnown: who calls a number for as much as ever, and somewhat more on a feast, is no surprise.
func TestARelativeStaysKnown(t *testing.T) {
	p := newPerson(t)
	at := p.office(8).Add(10 * time.Hour)
	for week := range 30 {
		talk := 20 * time.Minute
		if week%7 == 6 {
			talk = 40 * time.Minute
		}
		f := p.call("002203123456", 40*money.PencePerMinute, "AS1", at.AddDate(0, 0, 7*week), talk)
		if week > 0 && f != nil && f.Answer.Step > Notice {
			t.Fatalf("week %d: %v %v", week, f.Meter, f.Answer)
		}
	}
}

// TestTrustInANumberGrowsSlowly: whatever is spent, a number is known next week for at most twice as much as it had cost by then, and a little, and in a week
// with an answer for no more than before.
func TestTrustInANumberGrowsSlowly(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := known{{key: 1, n: 1}}
		k[0].spend(money.Micro(rapid.IntRange(0, 300).Draw(r, "first")) * money.Pound / 100)
		k.turn(false)
		for range rapid.IntRange(1, 20).Draw(r, "weeks") {
			before, doubted := k[0].trusted(), rapid.Bool().Draw(r, "doubted")
			for range rapid.IntRange(0, 9).Draw(r, "calls") {
				k[0].spend(money.Micro(rapid.IntRange(-5_000, 200_000).Draw(r, "pence")) * money.Pound / 100)
			}
			first := k[0].most == 0
			k.turn(doubted)
			switch after := k[0].trusted(); {
			case k[0].week != 0:
				r.Fatal("a new week begins with what the last one cost")
			case doubted && !first && after > before:
				r.Fatalf("known for %d pence after a week with an answer, and for %d before", after, before)
			case !first && int(after) > 2*int(before)+200:
				r.Fatalf("known for %d pence, and for %d before", after, before)
			}
		}
	})
}

// TestDearNumbersAtHomeAreClosed: Jersey, Guernsey and the Isle of Man are dear and not abroad, and 0871 pays its holder: wider answers left them open.
func TestDearNumbersAtHomeAreClosed(t *testing.T) {
	home := callTo(t, "02079460000", 2*money.PencePerMinute, "AS1", monday)
	for _, pair := range [][2]string{{"07797123456", "07829987654"}, {"07781123456", "07839987654"}, {"07624123456", "07924112233"}, {"08712000000", "08715999999"}} {
		p := newPerson(t)
		at := p.office(8).Add(10 * time.Hour)
		c, other := callTo(t, pair[0], 14*money.PencePerMinute, "AS1", at), callTo(t, pair[1], 14*money.PencePerMinute, "AS1", at)
		if !c.National || !c.surprising() {
			t.Fatalf("%s: %+v", pair[0], c)
		}
		for _, step := range []Step{OneCountry, Narrow, Abroad, Paid} {
			f := &Finding{Call: &c, Novelty: New}
			f.Answer.Restrictions = p.rules.closes(&p.state, f, step, uint32(at.Unix()/60))
			switch {
			case !closes(f, &c) || !closes(f, &other):
				t.Errorf("%v leaves %s or %s open", step, pair[0], pair[1])
			case step < Paid && closes(f, &home):
				t.Errorf("%v after a call to %s closes an ordinary call at home", step, pair[0])
			}
		}
	}
}

// TestPaceIsAnsweredLonger: one who waits until four hours are over meets a longer answer.
func TestPaceIsAnsweredLonger(t *testing.T) {
	for fired, hours := range []uint32{4, 8, 16, 32, 32, 32} {
		p := newPerson(t)
		at := p.office(8)
		minute := uint32(at.Unix() / 60)
		p.state.Line.step, p.state.Line.until, p.state.Line.fired = Abroad, minute+60, uint8(fired)
		p.state.Line.stops, p.state.Line.stopped = [numPrices]uint16{}, [numPrices]uint16{}
		c := callTo(t, "07700900123", 20*money.PencePerMinute, "AS1", at)
		c.signs, c.factor, c.level = 1<<OddHour|1<<OddDevice, 4*256, NumberKnown
		f := &Finding{Meter: Pace, Life: Live, Call: &c, Signs: c.signs}
		p.rules.answer(&p.state, f, minute)
		if got := uint32(f.Answer.Until.Unix()/60) - minute; f.Answer.Step != Paid || got != hours*60 {
			t.Errorf("after %d answers: %v for %d minutes, not for %d hours", fired, f.Answer.Step, got, hours)
		}
	}
}

// TestWhatIsNewIsNotOddToANewCustomer: an importer in its first weeks calls new countries briefly all day, and short calls were taken for tests of a thief.
func TestWhatIsNewIsNotOddToANewCustomer(t *testing.T) {
	p := newPerson(t)
	since := monday
	for day := range 40 {
		for i, number := range []string{"00558579690342", "00923335470918", "00261209470583", "0021657433603", "00254408078253", "00359980015507"} {
			at := since.AddDate(0, 0, day).Add(time.Duration(9+i) * time.Hour)
			for _, talk := range []time.Duration{15 * time.Second, 5 * time.Minute} {
				c := callTo(t, number, 20*money.PencePerMinute, "AS1", at)
				for _, e := range []Event{{Kind: Began, Amount: money.Pound}, {Kind: Ended, Amount: money.Pound, Talk: talk, Answered: true}} {
					e.Since, e.Call = since, &c
					f := p.rules.Step(&p.state, &e, at)
					if f == nil || f.Answer.Step <= Notice {
						continue
					}
					if day < p.rules.Learning && f.Signs.Has(TestCall) {
						t.Fatalf("day %d: a short call before is odd: %v", day, f.Signs)
					}
				}
			}
		}
	}
}

// TestANewCustomersAnswersDoNotLengthen: until there were some weeks without an answer nobody knows what the customer does, and an answer that comes again
// lasted four weeks.
func TestANewCustomersAnswersDoNotLengthen(t *testing.T) {
	for _, row := range []struct {
		young bool
		calm  uint8
		long  bool
	}{{true, 0, false}, {true, calmWeeks - 1, false}, {true, calmWeeks, true}, {false, 0, true}} {
		p := newPerson(t)
		at := p.office(8)
		minute := uint32(at.Unix() / 60)
		p.state.Account.young = row.young
		p.state.Line.calm, p.state.Line.fired, p.state.Line.reached, p.state.Line.until = row.calm, 5, OneCountry, minute-60
		c := callTo(t, "002203123456", 40*money.PencePerMinute, "AS1", at)
		c.signs, c.factor, c.level = 1<<OddHour|1<<InARow, 2*256, New
		f := &Finding{Meter: Whole, Life: Live, Call: &c, Signs: c.signs, Novelty: New}
		p.rules.answer(&p.state, f, minute)
		lasts := uint32(f.Answer.Until.Unix()/60) - minute
		if long := lasts > p.rules.Lasts[f.Answer.Step]; long != row.long || f.Answer.Step < OneCountry {
			t.Errorf("%+v: %v for %d minutes", row, f.Answer.Step, lasts)
		}
	}
}

// TestANetworkThatIsOwnIsNotForgotten: a customer whose address changes made ordinary calls from the new one, was attacked from elsewhere, and was then
// refused everything from its own telephone.
func TestANetworkThatIsOwnIsNotForgotten(t *testing.T) {
	p := newPerson(t)
	at := p.office(8)
	for i := range own {
		p.call("02079460000", 2*money.PencePerMinute, "AS2", at.Add(time.Duration(9+i)*time.Hour), 3*time.Minute)
	}
	night := at.AddDate(0, 0, 1).Add(2 * time.Hour)
	for i := range 40 {
		p.call("002203123456", 40*money.PencePerMinute, "AS666", night.Add(time.Duration(i)*5*time.Minute), 4*time.Minute)
	}
	refused := map[string]bool{}
	for i := range p.all {
		for _, x := range p.all[i].Answer.Restrictions {
			for _, from := range []string{"AS2", "AS666"} {
				c := restrictCall(phone.Destination{Class: phone.Mobile, National: true}, &rating.Price{Rates: [3]money.Rate{1, 1, 1}, First: 1, Step: 1})
				c.Origin = Hash(from)
				refused[from] = refused[from] || x.Refuses(c)
			}
		}
	}
	if refused["AS2"] || !refused["AS666"] {
		t.Errorf("refused: the customer's own network %v, the thief's %v", refused["AS2"], refused["AS666"])
	}
}

// TestAListedNumberTightensTheLine: a short call to a known number near a hot list, or a refused one to a number on it, makes the calls of the next day odd.
// A long call, and a short one to a known number that no list is near, do not.
func TestAListedNumberTightensTheLine(t *testing.T) {
	for _, row := range []struct {
		kind   Kind
		listed bool
		talk   time.Duration
		odd    bool
	}{{Ended, true, 10 * time.Second, true}, {Ended, false, 10 * time.Second, false}, {Ended, true, 5 * time.Minute, false}, {Refused, true, 0, true}, {Refused, false, 0, false}} {
		p := newPerson(t)
		at := p.office(8).Add(10 * time.Hour)
		const number, perMinute = "002203123456", 40 * money.PencePerMinute
		for day := range 7 * 5 { // the number, and its country, are known
			p.call(number, perMinute, "AS1", at.AddDate(0, 0, day), 5*time.Minute)
		}
		at = at.AddDate(0, 0, 7*5)
		c := callTo(t, number, perMinute, "AS1", at)
		c.Listed = row.listed
		if row.kind == Ended {
			p.rules.Step(&p.state, &Event{Kind: Began, Call: &c, Amount: money.Pound}, at)
		}
		p.rules.Step(&p.state, &Event{Kind: row.kind, Call: &c, Amount: money.Pound, Talk: row.talk, Answered: true}, at.Add(time.Minute))
		for hours, odd := range map[int]bool{23: row.odd, 25: false} {
			next := callTo(t, number, perMinute, "AS1", at.Add(time.Duration(hours)*time.Hour))
			state := State{Line: &Memory{}, Account: &Memory{}, World: p.state.World, Notes: &Notes{}}
			*state.Line, *state.Account = p.state.Line.Copy(), p.state.Account.Copy()
			p.rules.Step(&state, &Event{Kind: Began, Call: &next, Amount: money.Pound}, at.Add(time.Duration(hours)*time.Hour))
			if next.signs.Has(TestCall) != odd {
				t.Errorf("%+v: %d hours later the signs are %v", row, hours, next.signs)
			}
		}
	}
}
