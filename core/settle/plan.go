package settle

import (
	"errors"
	"fmt"
	"time"

	"ringfence/core/money"
)

// There is one kind of plan: equal monthly instalments, without interest or fees.
const (
	// Grace is how long after its due date an instalment may come. After that it is missed, the plan ends, and the whole rest is due.
	Grace = 14 * 24 * time.Hour
	// RemindBefore is how long before its due date an instalment is announced.
	RemindBefore = 7 * 24 * time.Hour
	// MostInstalments of a plan: three years.
	MostInstalments = 36
)

// Instalment is one payment of a plan. Due is the beginning of its day, in the customer's time zone.
type Instalment struct {
	Due    time.Time   `json:"due"`
	Amount money.Micro `json:"amount_micro"`
}

// Coin is the smallest amount that can be paid: a penny.
func Coin() money.Micro {
	coin := money.Pound
	for range money.Billing().Places {
		coin /= 10
	}
	return coin
}

// Instalments divides an amount of whole coins into monthly instalments. They differ by at most a coin, the larger ones first, and
// add up exactly. The first is due on the day of first; the others on the same day of the following months, or on the last day of
// a month that is shorter.
func Instalments(amount money.Micro, n int, first time.Time) ([]Instalment, error) {
	coin := Coin()
	switch {
	case n < 1 || n > MostInstalments:
		return nil, fmt.Errorf("a plan has 1 to %d instalments, not %d", MostInstalments, n)
	case amount <= 0 || amount%coin != 0:
		return nil, errors.New("a plan is over an amount above zero, in whole coins")
	case amount/coin < money.Micro(n):
		return nil, fmt.Errorf("%s cannot be divided into %d instalments", money.Billing().Amount(amount), n)
	}
	each, more := amount/coin/money.Micro(n), amount/coin%money.Micro(n)
	out := make([]Instalment, n)
	for i := range out {
		out[i] = Instalment{Due: monthsLater(first, i), Amount: each * coin}
		if money.Micro(i) < more {
			out[i].Amount += coin
		}
	}
	return out, nil
}

func monthsLater(first time.Time, n int) time.Time {
	y, m, d := first.Date()
	last := time.Date(y, m+time.Month(n)+1, 0, 0, 0, 0, 0, first.Location()).Day()
	return time.Date(y, m+time.Month(n), min(d, last), 0, 0, 0, 0, first.Location())
}

// Paid is one payment towards a plan.
type Paid struct {
	At     time.Time
	Amount money.Micro
}

// PlanState is where a plan stands.
type PlanState string

// States of a plan.
const (
	PlanRunning PlanState = "running"
	PlanPaid    PlanState = "paid"
	PlanBroken  PlanState = "broken" // an instalment was missed: the whole rest is due
)

// Standing is where a plan stands at an instant.
type Standing struct {
	State   PlanState
	Paid    money.Micro
	Rest    money.Micro   // still to pay of the whole plan
	Due     money.Micro   // of Rest, what is due: instalments whose day has come, or all of a broken plan
	Next    int           // the first instalment that is not paid in full, from 0; len(list) when all are
	NextSum money.Micro   // what is missing of it
	Missed  time.Time     // when the plan broke
	Each    []money.Micro // what was paid of each instalment
}

// Stand works out where a plan stands. Payments, in the order of time, fill the instalments in their order: one that is larger pays
// the next ones early, at no cost. A plan that broke stays broken; what is paid later only lessens the rest.
func Stand(list []Instalment, payments []Paid, now time.Time) Standing {
	s := Standing{State: PlanRunning, Each: make([]money.Micro, len(list))}
	total := money.Micro(0)
	for _, x := range list {
		total += x.Amount
	}
	s.Missed = missed(list, payments, now)
	for _, p := range payments {
		if !p.At.After(now) && p.Amount > 0 {
			s.Paid = min(total, s.Paid.Add(p.Amount))
		}
	}
	s.Rest, s.Next = total-s.Paid, len(list)
	left := s.Paid
	for i, x := range list {
		s.Each[i] = min(left, x.Amount)
		left -= s.Each[i]
		if s.Each[i] == x.Amount {
			continue
		}
		if s.Next == len(list) {
			s.Next, s.NextSum = i, x.Amount-s.Each[i]
		}
		if !now.Before(x.Due) {
			s.Due += x.Amount - s.Each[i]
		}
	}
	switch {
	case s.Rest == 0:
		s.State = PlanPaid
	case !s.Missed.IsZero():
		s.State, s.Due = PlanBroken, s.Rest
	}
	return s
}

// missed is when the first instalment was missed, or the zero instant: the end of its grace, at which less had been paid than was due.
func missed(list []Instalment, payments []Paid, now time.Time) time.Time {
	need := money.Micro(0)
	for _, x := range list {
		need += x.Amount
		end := graceEnd(x.Due)
		if end.After(now) {
			break
		}
		have := money.Micro(0)
		for _, p := range payments {
			if p.At.Before(end) && p.Amount > 0 {
				have = have.Add(p.Amount)
			}
		}
		if have < need {
			return end
		}
	}
	return time.Time{}
}

// graceEnd is the end of the last day on which an instalment is still in time. Days are counted by the calendar, because a day on
// which clocks change has 23 or 25 hours.
func graceEnd(due time.Time) time.Time { return due.AddDate(0, 0, int(Grace/(24*time.Hour))+1) }

// GraceEnd is when an instalment that has not come is missed.
func (x *Instalment) GraceEnd() time.Time { return graceEnd(x.Due) }

// Reminder is a notice about an instalment.
type Reminder string

// Reminders of an instalment, in the order in which they are sent.
const (
	RemindComing Reminder = "coming" // a week before
	RemindLate   Reminder = "late"   // the day after, if it has not come: with the day on which the plan ends
	RemindBroken Reminder = "broken" // the plan has ended
)

// Reminding says which notice is due about a plan, and about which instalment, from 0; one about a plan that broke is about all of it. Each is to be sent once. False: none.
func Reminding(list []Instalment, s *Standing, now time.Time) (r Reminder, n int, due bool) {
	switch {
	case s.State == PlanPaid || s.Next >= len(list):
		return "", 0, false
	case s.State == PlanBroken:
		return RemindBroken, 0, true
	}
	x := list[s.Next]
	switch {
	case !now.Before(x.Due.AddDate(0, 0, 1)):
		return RemindLate, s.Next, true
	case !now.Before(x.Due.Add(-RemindBefore)) && now.Before(x.Due):
		return RemindComing, s.Next, true
	}
	return "", 0, false
}
