package score

import (
	"time"

	"ringfence/core/account"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/flow/replay"
	"ringfence/sim"
)

// Sets are what others do, and what we do, under the settings of a provider.
func Sets(base replay.Set) []Rules {
	base.Habits = nil
	none, ours := base, base
	none.Provider = account.Settings{}
	for f := range account.NumFields {
		if limits(f) {
			_, most := f.Range()
			none.Provider.Values[f] = account.Value{Set: true, N: most}
		}
	}
	uncapped := base
	for f := range account.NumFields {
		if caps(f) {
			_, most := f.Range()
			uncapped.Provider.Values[f] = account.Value{Set: true, N: most}
		}
	}
	ours.Habits = habit.Default()
	return []Rules{
		{Name: "nothing", About: "no limits", Set: none, Keep: func(f account.Field) bool { return !limits(f) }},
		{Name: "ceilings and mail", About: "price ceilings; a mail when a line has spent £10 in a day, sent at the full hour", Set: uncapped, Keep: func(f account.Field) bool { return !caps(f) }, Watch: hourlyMail},
		{Name: "prefix thresholds", About: "OpenSIPS fraud_detection at the defaults of its table, with price ceilings", Set: uncapped, Keep: func(f account.Field) bool { return !caps(f) }, Watch: thresholds},
		{Name: "ceilings and caps", About: "price ceilings, and a daily and a monthly cap for line and account", Set: base},
		{Name: "Ringfence", About: "the same, and calls are watched", Set: ours},
	}
}

// limits says that a setting limits calls or money.
func limits(f account.Field) bool {
	switch f {
	case account.NationalCeiling, account.InternationalCeiling, account.Premium, account.Satellite, account.MaxCalls, account.MaxInternational, account.CallsPerMinute:
		return true
	}
	return caps(f)
}

func caps(f account.Field) bool {
	switch f {
	case account.LineDayCap, account.LineMonthCap, account.AccountDayCap, account.AccountMonthCap:
		return true
	}
	return false
}

// prices gives what calls cost if they last as long as their callers want.
func prices(set *replay.Set) func(*sim.Call) (money.Micro, phone.Destination) {
	calendar := rating.Calendar{PeakFrom: set.Calendar.PeakFrom, PeakTill: set.Calendar.PeakTill, Zone: set.Zone}
	return func(c *sim.Call) (money.Micro, phone.Destination) {
		dest, problem := set.Plan.Parse(c.Dialled)
		if problem != phone.NoProblem || !c.Answered {
			return 0, dest
		}
		price, silence := set.Deck.Price(dest, c.At)
		if silence != rating.Priced {
			return 0, dest
		}
		quote := price.Quote(calendar, c.At)
		return quote.Cost(c.Talk), dest
	}
}

// hourlyMail stops an attacked line for a day after its owner has read a mail that says it has spent £10 that day. Mails go out at the full hour; owners read them
// half an hour later between 08:00 and 20:00, and at 08:00 otherwise, and do nothing about calls of their own.
func hourlyMail(w *sim.World, set *replay.Set) func(*sim.Call) bool {
	const level = 10 * money.Pound
	type line struct {
		day     int
		spent   money.Micro
		stopped time.Time // from when; zero: it is not
	}
	lines, price := map[string]*line{}, prices(set)
	attacked := map[string]bool{}
	for _, a := range w.Attacks() {
		for _, l := range a.Lines {
			attacked[l.ID] = true
		}
	}
	return func(c *sim.Call) bool {
		if !attacked[c.Line] {
			return true
		}
		l := lines[c.Line]
		if l == nil {
			l = &line{}
			lines[c.Line] = l
		}
		at := c.At.In(set.Zone)
		if !l.stopped.IsZero() && !c.At.Before(l.stopped) {
			if c.At.Before(l.stopped.Add(24 * time.Hour)) {
				return false
			}
			l.stopped = time.Time{}
		}
		if at.YearDay() != l.day {
			l.day, l.spent = at.YearDay(), 0
		}
		cost, _ := price(c)
		if l.spent += cost; l.spent >= level && l.stopped.IsZero() {
			l.stopped = read(at.Truncate(time.Hour).Add(time.Hour))
		}
		return true
	}
}

// read is when somebody has read a mail.
func read(sent time.Time) time.Time {
	const from, to = 8, 20
	switch hour := sent.Hour(); {
	case hour < from:
		return time.Date(sent.Year(), sent.Month(), sent.Day(), from, 0, 0, 0, sent.Location())
	case hour >= to:
		return time.Date(sent.Year(), sent.Month(), sent.Day()+1, from, 0, 0, 0, sent.Location())
	}
	return sent.Add(30 * time.Minute)
}

// The critical thresholds that the table of OpenSIPS's fraud_detection has by default, for each user and prefix in a day.
const (
	callsPerMinute = 5
	callDuration   = 13200 * time.Second
	totalCalls     = 35
	callsAtOnce    = 5
	inSequence     = 20
)

// thresholds stops a line's calls to a country for the rest of the day once a threshold is passed. A prefix is a country abroad.
func thresholds(_ *sim.World, set *replay.Set) func(*sim.Call) bool {
	type profile struct {
		day, total, sequence int
		last                 string
		minute               int64
		inMinute             int
		ends                 []time.Time
		stopped              bool
	}
	type key struct {
		line    string
		country phone.Country
	}
	profiles, price := map[key]*profile{}, prices(set)
	return func(c *sim.Call) bool {
		_, dest := price(c)
		if dest.National || dest.Class == phone.OnNet || dest.Number.IsZero() {
			return true
		}
		k := key{c.Line, dest.Country}
		p := profiles[k]
		if p == nil {
			p = &profile{}
			profiles[k] = p
		}
		if day := c.At.In(set.Zone).YearDay(); day != p.day {
			*p = profile{day: day}
		}
		if p.stopped {
			return false
		}
		if minute := c.At.Unix() / 60; minute != p.minute {
			p.minute, p.inMinute = minute, 0
		}
		if c.Dialled != p.last {
			p.last, p.sequence = c.Dialled, 0
		}
		p.inMinute++
		p.total++
		p.sequence++
		open := p.ends[:0]
		for _, end := range p.ends {
			if end.After(c.At) {
				open = append(open, end)
			}
		}
		p.ends = append(open, c.At.Add(c.Rings+c.Talk))
		p.stopped = p.inMinute >= callsPerMinute || p.total >= totalCalls || len(p.ends) >= callsAtOnce || p.sequence >= inSequence || c.Talk >= callDuration
		return true
	}
}
