package habit

import (
	"testing"
	"time"

	"ringfence/core/money"
)

// drip calls a new country at the line's own hours, weekdays for some weeks, and says how many calls closed something.
func (p *person) drip(from time.Time, weeks int, after func(at time.Time)) (closed int) {
	for day := range weeks * 7 {
		if day%7 >= 5 {
			continue
		}
		for hour := 9; hour < 18; hour++ {
			at := from.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour)
			if f := p.call("002203123456", 40*money.PencePerMinute, "AS1", at, 4*time.Minute); f != nil && f.Answer.Step > Tighten {
				closed++
				after(at)
			}
		}
	}
	return closed
}

// TestAWeekWithAnAnswerTeachesNothing: a thief who is stopped again and again would otherwise raise the allowance week by week.
func TestAWeekWithAnAnswerTeachesNothing(t *testing.T) {
	thief, owner := newPerson(t), newPerson(t)
	begin := thief.office(8)
	owner.office(8)
	begin = begin.AddDate(0, 0, (8-int(begin.Weekday()))%7) // a Monday
	most := func(p *person) money.Micro { return p.state.Line.meters[Range].most }
	before := most(thief)
	if n := thief.drip(begin, 3, func(time.Time) {}); n == 0 {
		t.Fatal("nothing was closed")
	}
	if after := most(thief); after > before {
		t.Errorf("the highest week is %d after the thief, and was %d", after, before)
	}
	owner.drip(begin, 3, func(at time.Time) {
		owner.rules.Step(&owner.state, &Event{Kind: Lifted}, at.Add(10*time.Minute))
	})
	if after := most(owner); after <= before {
		t.Errorf("the owner said that it was he, and the highest week is still %d", after)
	}
}

// TestTheSecondTimeComesSooner: odd calls to what is new get less after an answer that nobody lifted.
func TestTheSecondTimeComesSooner(t *testing.T) {
	p := newPerson(t)
	at := p.office(8).Add(3 * time.Hour)
	spent := func(number string) (money.Micro, time.Time) {
		for i := range 200 {
			at = at.Add(2 * time.Minute)
			if f := p.call(number, 40*money.PencePerMinute, "AS666", at, time.Minute); f != nil && f.Answer.Step > Tighten {
				return money.Micro(i+1) * 400_000, f.Answer.Until
			}
		}
		t.Fatal("nothing was closed")
		return 0, at
	}
	first, until := spent("002203123456")
	at = until.Add(time.Hour).Truncate(24 * time.Hour).Add(27 * time.Hour)
	if second, _ := spent("0023276123456"); second >= first {
		t.Errorf("£%.2f the first time, £%.2f the second", float64(first)/1e6, float64(second)/1e6)
	}
}

// TestStrangeNetworksNeedNoWiderAnswer: where everything is closed to the network of the odd calls, the line goes on calling abroad from its own.
func TestStrangeNetworksNeedNoWiderAnswer(t *testing.T) {
	p := newPerson(t)
	night := p.office(8).Add(3 * time.Hour)
	for i := range 45 {
		f := p.call("002203123456", 40*money.PencePerMinute, "AS666", night.Add(time.Duration(i)*6*time.Minute), 5*time.Minute)
		if f == nil || f.Answer.Step <= Tighten {
			continue
		}
		if f.Answer.Step > OneCountry {
			t.Errorf("step %d", f.Answer.Step)
		}
		japan := callTo(t, "0081312345678", 10*money.PencePerMinute, "AS1", night)
		if closes(f, &japan) {
			t.Errorf("Japan is closed at home: %+v", f.Answer)
		}
		return
	}
	t.Error("nothing was closed")
}

// TestFiringsWithoutEnd: the count of firings is bounded, and so is what it divides by.
func TestFiringsWithoutEnd(t *testing.T) {
	p := newPerson(t)
	at := p.office(8).Add(3 * time.Hour)
	p.state.Line.fired, p.state.Account.fired = 255, 255
	for i := range 20 {
		p.call("002203123456", 40*money.PencePerMinute, "AS666", at.Add(time.Duration(i)*6*time.Minute), 5*time.Minute)
	}
	if p.state.Line.fired != 255 {
		t.Errorf("%d firings", p.state.Line.fired)
	}
}
