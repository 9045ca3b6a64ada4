package adaptive

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"ringfence/core/money"
)

// Strategy is everything that the attacker decides.
type Strategy struct {
	Targets  []int         `json:"-"`                        // destinations, in turn
	Every    int           `json:"calls_until_next"`         // calls until he turns to the next range
	Ranges   int           `json:"ranges_at_each"`           // ranges of a thousand numbers at each destination
	Numbers  int           `json:"numbers_in_range"`         // in each range
	PerRange money.Micro   `json:"leaves_range_after_micro"` // he leaves a range for a new one when it has cost so much; 0: never
	Talk     time.Duration `json:"talk_ns"`
	AtOnce   int           `json:"at_once"`  // calls of a line
	Gap      time.Duration `json:"gap_ns"`   // between one call and the next of the same seat
	Begin    time.Duration `json:"begin_ns"` // after the start
	PerDay   money.Micro   `json:"stops_for_the_day_after_micro"`
	Hours    Hours         `json:"hours"`
	From     int           `json:"from_hour"` // of Window
	Long     int           `json:"for_hours"`
	Tests    int           `json:"tests"` // numbers that are called briefly, first of all
	TestTalk time.Duration `json:"test_talk_ns"`
	Wait     time.Duration `json:"wait_after_tests_ns"`
	Lines    int           `json:"lines"`
	Foreign  bool          `json:"from_elsewhere"`
	Gadget   bool          `json:"with_another_phone"`
	Then     Then          `json:"when_stopped"`
	Rest     time.Duration `json:"rest_when_stopped_ns"`
	Chance   uint64        `json:"chance"` // from which its own accidents are drawn
}

// Hours are when he calls.
type Hours uint8

// Hours of a strategy.
const (
	AnyHour  Hours = iota
	OwnHours       // those in which the line itself calls
	Window         // Long hours from From on, each day
	numHours
)

// Then is what he does when a call was stopped for what he did.
type Then uint8

// Answers to being stopped.
const (
	GoOn      Then = iota // tries again after a rest
	Turn                  // to the next destination
	NextRange             // to a fresh range of the same destination
	WaitOut               // until the restriction ends
	NextLine              // goes on with another line, and waits when there is none
	GiveUp
	numThens
)

// draw makes a strategy at random, the dear destinations first.
func (g *ground) draw(r *rand.Rand) Strategy {
	s := Strategy{
		Every: 1 + int(logarithmic(r, 0.5, 200)), Ranges: 1 + int(logarithmic(r, 0.5, 24)), Numbers: 1 + int(logarithmic(r, 0.5, 60)),
		Talk: seconds(logarithmic(r, 2, 7200)), AtOnce: 1 + int(logarithmic(r, 0.3, 40)), Gap: seconds(logarithmic(r, 1, 6*3600)),
		Begin: time.Duration(r.Int64N(int64(6 * 24 * time.Hour))), Hours: Hours(r.IntN(int(numHours))), From: r.IntN(24), Long: 1 + r.IntN(14),
		Lines: 1, Then: Then(r.IntN(int(numThens))), Rest: seconds(logarithmic(r, 30, 3*24*3600)), Chance: r.Uint64(),
		Foreign: r.IntN(4) == 0, Gadget: r.IntN(5) == 0,
	}
	if len(g.lines) > 1 && r.IntN(2) == 0 {
		s.Lines = 1 + r.IntN(len(g.lines))
	}
	if r.IntN(2) == 0 {
		s.PerRange = pounds(logarithmic(r, 0.2, 30))
	}
	if r.IntN(2) == 0 {
		s.PerDay = pounds(logarithmic(r, 0.5, 100))
	}
	if r.IntN(3) == 0 {
		s.Tests, s.TestTalk, s.Wait = 1+int(logarithmic(r, 0.5, 40)), seconds(logarithmic(r, 2, 120)), time.Duration(r.Int64N(int64(8*24*time.Hour)))
	}
	for range 1 + int(logarithmic(r, 0.4, 12)) {
		s.Targets = append(s.Targets, g.pick(r))
	}
	return s
}

// pick is a destination: one of the dearest, anything, or what everybody calls.
func (g *ground) pick(r *rand.Rand) int {
	n := len(g.targets)
	switch r.IntN(4) {
	case 0, 1:
		return min(int(r.ExpFloat64()*float64(n)/12), n-1)
	case 2:
		if home := g.home(); len(home) > 0 {
			return home[r.IntN(len(home))]
		}
	}
	return r.IntN(n)
}

// home are the destinations that are not abroad.
func (g *ground) home() (all []int) {
	for i := range g.targets {
		if !g.targets[i].abroad {
			all = append(all, i)
		}
	}
	return all
}

func logarithmic(r *rand.Rand, least, most float64) float64 {
	return least * math.Exp(r.Float64()*math.Log(most/least))
}

func seconds(n float64) time.Duration { return time.Duration(n) * time.Second }

// pounds is an amount in units of the billing currency, to the penny.
func pounds(n float64) money.Micro {
	unit := money.Billing().Sum(1)
	return max(money.Micro(n*100)*(unit/100), unit/100)
}

// descend makes a child of good strategies. Late in a search the changes are small, and the parents the best.
func (g *ground) descend(r *rand.Rand, best []tried, late float64) Strategy {
	if r.IntN(20) == 0 {
		return g.draw(r)
	}
	parent := func() *Strategy {
		reach := max(int(float64(len(best))*(1-late)), 6)
		i := min(r.IntN(reach), r.IntN(reach), len(best)-1)
		return &best[i].Strategy
	}
	s := *parent()
	s.Targets = slices.Clone(s.Targets)
	if r.IntN(4) == 0 {
		s = cross(r, s, parent())
	}
	for range 1 + r.IntN(3) {
		g.mutate(r, &s, 1-0.8*late)
	}
	return s
}

// cross takes each part from one of two.
func cross(r *rand.Rand, s Strategy, of *Strategy) Strategy {
	for _, take := range []func(){
		func() { s.Targets, s.Every = slices.Clone(of.Targets), of.Every },
		func() { s.Ranges, s.Numbers, s.PerRange = of.Ranges, of.Numbers, of.PerRange },
		func() { s.Talk, s.AtOnce, s.Gap = of.Talk, of.AtOnce, of.Gap },
		func() { s.Begin, s.Hours, s.From, s.Long = of.Begin, of.Hours, of.From, of.Long },
		func() { s.PerDay, s.Lines = of.PerDay, of.Lines },
		func() { s.Tests, s.TestTalk, s.Wait = of.Tests, of.TestTalk, of.Wait },
		func() { s.Foreign, s.Gadget = of.Foreign, of.Gadget },
		func() { s.Then, s.Rest = of.Then, of.Rest },
	} {
		if r.IntN(2) == 0 {
			take()
		}
	}
	return s
}

// mutate changes one thing, as much as scale says.
func (g *ground) mutate(r *rand.Rand, s *Strategy, scale float64) {
	fresh := g.draw(r)
	factor := math.Exp(r.NormFloat64() * scale)
	switch r.IntN(15) {
	case 0:
		s.Targets[r.IntN(len(s.Targets))] = g.pick(r)
	case 1:
		if s.Targets = append(s.Targets, g.pick(r)); len(s.Targets) > 16 {
			s.Targets = s.Targets[1:]
		}
	case 2:
		if i := r.IntN(len(s.Targets)); len(s.Targets) > 1 {
			s.Targets = slices.Delete(s.Targets, i, i+1)
		}
	case 3:
		s.Every = max(int(float64(s.Every)*factor+0.5), 1)
		s.Ranges = min(max(s.Ranges+r.IntN(3)-1, 1), mostBlocks)
	case 4:
		s.Numbers = min(max(int(float64(s.Numbers)*factor+0.5), 1), 1000)
	case 5:
		if s.PerRange = pounds(float64(s.PerRange) / float64(pounds(1)) * factor); s.PerRange < pounds(0.1) {
			s.PerRange = fresh.PerRange
		}
	case 6:
		s.Talk = min(max(time.Duration(float64(s.Talk)*factor).Truncate(time.Second), time.Second), 4*time.Hour)
	case 7:
		s.AtOnce = min(max(s.AtOnce+r.IntN(5)-2, 1), 100)
	case 8:
		s.Gap = min(max(time.Duration(float64(s.Gap)*factor).Truncate(time.Second), time.Second), 48*time.Hour)
	case 9:
		s.Begin = fresh.Begin
	case 10:
		s.Hours, s.From, s.Long = fresh.Hours, fresh.From, fresh.Long
	case 11:
		if s.PerDay = pounds(float64(s.PerDay) / float64(pounds(1)) * factor); s.PerDay < pounds(0.2) {
			s.PerDay = fresh.PerDay
		}
	case 12:
		s.Tests, s.TestTalk, s.Wait = fresh.Tests, fresh.TestTalk, fresh.Wait
	case 13:
		s.Lines, s.Foreign, s.Gadget = fresh.Lines, fresh.Foreign, fresh.Gadget
	default:
		s.Then, s.Rest = fresh.Then, fresh.Rest
	}
}

// tell says in plain words what the attacker does.
func (g *ground) tell(s *Strategy, o *Outcome) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	var where []string
	for _, i := range s.Targets {
		if name := g.targets[i].name; !slices.Contains(where, name) {
			where = append(where, name)
		}
	}
	more := ""
	if len(where) > 6 {
		where, more = where[:6], fmt.Sprintf(" and %d more", len(where)-6)
	}
	say("to %s%s; %s in each of %s of a thousand", strings.Join(where, ", "), more, count(s.Numbers, "number"), count(s.Ranges*len(s.Targets), "range"))
	from := "from the line's own network"
	if s.Foreign {
		from = "from another network"
	}
	if s.Gadget {
		from += " with another phone"
	} else {
		from += " with its own phone"
	}
	say("%s, %s, on %s", from, g.when(s), count(s.Lines, "line"))
	say("calls of about %s, up to %d concurrent on a line, %s between them", span(s.Talk), s.AtOnce, span(s.Gap))
	if s.Tests > 0 {
		say("first %s of %s, then a pause of %s", count(s.Tests, "test call"), span(s.TestTalk), span(s.Wait))
	}
	if s.PerRange > 0 {
		say("leaves a range for a new one after %s", money.Billing().Amount(s.PerRange))
	}
	if s.PerDay > 0 {
		say("stops for the day after %s", money.Billing().Amount(s.PerDay))
	}
	if o.Stopped > 0 {
		say("when a call is stopped: %s", s.then())
	}
	return all
}

func (s *Strategy) then() string {
	rest := ""
	if s.Then != GiveUp {
		rest = ", after a rest of " + span(s.Rest)
	}
	return [...]string{"tries again", "turns to the next destination", "turns to a fresh range", "waits for the end of the restriction", "goes on with another line", "gives up"}[s.Then] + rest
}

func (g *ground) when(s *Strategy) string {
	switch s.Hours {
	case OwnHours:
		return "in the hours in which the line calls"
	case Window:
		return fmt.Sprintf("from %02d:00 to %02d:00", s.From, (s.From+s.Long)%24)
	}
	return "at any hour"
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// span is a time as people say it.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= 90*time.Minute:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d >= 90*time.Second:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.0f seconds", d.Seconds())
}
