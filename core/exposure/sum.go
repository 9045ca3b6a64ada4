package exposure

import (
	"fmt"
	"math"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/policy"
)

// money adds up lines and days under every cap.
func (s *sum) money(f *Figure) {
	var byTime, old money.Micro
	for i := range s.lines {
		x := &s.lines[i]
		byTime, old = byTime.Add(x.time), old.Add(x.old)
	}
	months := s.months()
	for _, of := range months {
		var lines money.Micro
		for i := range s.lines {
			lines = lines.Add(s.lineMonth(i, of))
		}
		var days money.Micro
		for _, d := range of {
			y := s.accountDay(d)
			f.Days = append(f.Days, y)
			days = days.Add(y.Amount)
		}
		used := s.purseNow(policy.AccountMonth, of[0])
		cap := s.highest(of[0], of[len(of)-1], account.AccountMonthCap)
		amount := min(days, lines, leftOf(cap, used))
		if amount < days {
			trim(f.Days[len(f.Days)-len(of):], amount, policy.AccountMonth, cap, used.Spent)
		}
		f.Retail = f.Retail.Add(amount)
	}
	if f.Retail >= byTime {
		f.Retail = byTime
		f.ByTime = byTime > 0
		trim(f.Days, f.Retail, policy.NumPurses, 0, 0)
	}
	for _, y := range f.Days {
		f.ByTime = f.ByTime || y.Amount > 0 && y.Purse == policy.NumPurses
	}
	f.Retail, f.Running = f.Retail.Add(old), old
	s.ofLines(f, months)
	s.dearest(f)
}

// trim takes what days have beyond an amount off the last of them.
func trim(days []Day, amount money.Micro, p policy.Purse, cap, used money.Micro) {
	for i := range days {
		y := &days[i]
		if y.Amount > amount {
			y.Amount, y.Purse, y.Cap, y.Used = amount, p, cap, used
		}
		amount -= y.Amount
	}
}

// months are the days of each month.
func (s *sum) months() (all [][]int) {
	for i := range s.days {
		if i == 0 || s.days[i].month != s.days[i-1].month {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], i)
	}
	return all
}

// lineMonth is what a line could cost in some days of a month.
func (s *sum) lineMonth(i int, days []int) (total money.Micro) {
	for _, d := range days {
		total = total.Add(s.lines[i].day[d])
	}
	l := &s.a.Lines[i]
	cap := s.capOf(s.lines[i].caps, s.days[days[0]].from, s.days[days[len(days)-1]].until, account.LineMonthCap)
	return min(total, leftOf(cap, s.purse(l.ID, policy.LineMonth, days[0])))
}

// accountDay is what all lines together could cost on a day.
func (s *sum) accountDay(d int) Day {
	var lines money.Micro
	y := Day{From: s.days[d].from, Until: s.days[d].until, Purse: policy.NumPurses}
	for i := range s.lines {
		lines = lines.Add(s.lines[i].day[d])
	}
	if len(s.lines) == 1 {
		y.Purse, y.Cap, y.Used = s.lines[0].bound[d].Purse, s.lines[0].bound[d].Cap, s.lines[0].bound[d].Used
	} else if len(s.lines) > 1 && s.capped(d) {
		y.Purse = policy.LineDay // of several lines, each its own
	}
	used, cap := s.purseNow(policy.AccountDay, d), s.highest(d, d, account.AccountDayCap)
	y.Amount = lines
	if left := leftOf(cap, used); left < lines || left == lines && y.Purse == policy.NumPurses {
		y.Amount, y.Purse, y.Cap, y.Used = left, policy.AccountDay, cap, used.Spent
	}
	return y
}

// capped says that a cap bounds some line on a day.
func (s *sum) capped(d int) bool {
	for i := range s.lines {
		if s.lines[i].bound[d].Purse != policy.NumPurses {
			return true
		}
	}
	return false
}

// purseNow is a purse of the account.
func (s *sum) purseNow(p policy.Purse, d int) engine.Purse {
	if len(s.a.Lines) == 0 {
		return engine.Purse{}
	}
	return s.purse(s.a.Lines[0].ID, p, d)
}

// highest is the highest that a cap of the account is from one day to another.
func (s *sum) highest(from, until int, field account.Field) (most money.Micro) {
	for i := range s.lines {
		most = max(most, s.capOf(s.lines[i].caps, s.days[from].from, s.days[until].until, field))
	}
	return most
}

// ofLines fills in the figures of the lines alone.
func (s *sum) ofLines(f *Figure, months [][]int) {
	for i := range f.Lines {
		x, y := &s.lines[i], &f.Lines[i]
		for _, of := range months {
			y.Retail = y.Retail.Add(s.lineMonth(i, of))
		}
		y.Retail = min(y.Retail, x.time, f.Retail-f.Running).Add(x.old)
		y.Running, y.At = x.old, Dates{s.q.From, s.q.Until}
	}
}

// dearest says of the whole which line's destination is the dearest, and when the first day's money would be gone.
func (s *sum) dearest(f *Figure) {
	calls, others, fast := int64(0), int64(0), 0.0
	for i := range f.Lines {
		y := &f.Lines[i].Dearest
		calls, others = calls+y.Calls, others+y.Others
		fast += float64(y.PerMinute)*float64(y.Calls) + float64(y.Home)*float64(y.Others)
		if y.PerMinute > f.Dearest.PerMinute {
			f.Dearest = *y
		}
	}
	f.Dearest.Calls, f.Dearest.Others = calls, others
	if len(f.Days) > 0 && f.Days[0].Purse != policy.NumPurses && fast > 0 {
		f.Dearest.Reached = duration(float64(f.Days[0].Amount) * 1000 / fast)
	}
}

// carrier bounds what carriers charge: see dual.
func (s *sum) carrier(f *Figure) {
	best, known := math.Inf(1), money.Micro(0)
	tries, free, costs := 0, (*offer)(nil), false
	for i := range s.lines {
		x := &s.lines[i]
		known, costs = known.Add(x.known), costs || x.costs
		switch {
		case x.lacks != nil:
			f.NoLimit = fmt.Sprintf("the trunk %s has no price for calls to %s, which can be called", x.lacks.lacks, x.lacks.name(&x.lacks.begins[0]))
			return
		case x.unsure:
			f.NoLimit = "nobody knows what the carrier of a call in progress charges"
			return
		}
		if tries = max(tries, len(x.duals)); x.free != nil {
			free = x.free
		}
	}
	if !costs {
		f.Carrier = known
		return
	}
	for k := range tries {
		best = min(best, s.try(k, float64(f.Retail)))
	}
	if math.IsInf(best, 1) || best > math.MaxInt64/2 {
		f.NoLimit = "several servers count calls each for itself, and no money bounds how many are made"
		if free != nil {
			f.NoLimit = fmt.Sprintf("several servers count calls each for itself, and calls to %s cost the customer nothing", free.name(&free.begins[0]))
		}
		return
	}
	f.Carrier = known.Add(money.Micro(math.Ceil(best*(1+1e-12)) + 1))
}

// try is the bound that a lambda gives.
func (s *sum) try(k int, retail float64) float64 {
	total := s.lambda(k) * retail
	for i := range s.lines {
		x := &s.lines[i]
		if k >= len(x.duals) {
			continue
		}
		d := x.duals[k]
		if s.q.Nodes {
			if d.start > 0 || d.rate[home] > 0 || d.rate[away] > 0 {
				return math.Inf(1)
			}
			continue
		}
		total += x.starts*d.start + x.hours[away]*max(d.rate[home], d.rate[away]) + (x.hours[home]-x.hours[away])*d.rate[home]
	}
	return total
}

func (s *sum) lambda(k int) float64 {
	s.a.Tariff.mu.Lock()
	defer s.a.Tariff.mu.Unlock()
	return s.a.Tariff.tries[k]
}
