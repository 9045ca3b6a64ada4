package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Call is a call of the sample provider's past.
type Call struct {
	At         time.Time
	Line       string
	Dialled    string // of an inbound call the caller's number
	Inbound    bool
	Rings      time.Duration // before the answer, or before the caller gives up
	Unanswered bool
	Talk       time.Duration // after which its caller hangs up
	Source     netip.AddrPort
	Agent      string
}

// habit is how the people of a line use it.
type habit struct {
	line           string
	source         string // address of their phone
	agent          string
	calls, inbound int // on a working day
	weekend        float64
	abroad         []string // what they also call
}

var habits = []habit{
	{"2031", "198.51.100.31", "Yealink SIP-T46U 108.86.0.20", 14, 38, 0.7, []string{"00353 1 555 0142"}},
	{"2032", "198.51.100.31", "Yealink W76P 146.85.0.37", 22, 9, 1, []string{"001 212 555 0134", "0049 30 23125 017", "0033 1 99 00 12 34"}},
}

// The thief of the past week has the password of the rooms' line.
const (
	stolen      = "2032"
	thiefSource = "203.0.113.66"
	ThiefAgent  = "VaxSIPUserAgent/3.1"
)

// Week is the calls of a hotel on the seven days before the day of now, and on that day until a quarter of an hour ago, in the order of time. A
// thief, who tried the line some hours before, is there since yesterday: long enough ago that what was closed to him is open again.
func Week(now time.Time) []Call {
	random := rand.New(rand.NewPCG(20, 26))
	y, m, d := now.Date()
	var all []Call
	for back := 7; back >= 0; back-- {
		day := time.Date(y, m, d-back, 0, 0, 0, 0, now.Location())
		for i := range habits {
			all = habits[i].day(all, day, random)
		}
	}
	night := time.Date(y, m, d, 2, 13, 7, 0, now.Location())
	for ; now.Sub(night) < 5*time.Hour; night = night.Add(-6*time.Hour - 32*time.Minute) {
	}
	all = theft(all, night, random)
	all = slices.DeleteFunc(all, func(c Call) bool { return c.At.Add(c.Rings + c.Talk).After(now.Add(-15 * time.Minute)) })
	slices.SortStableFunc(all, func(a, b Call) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return all
}

// day adds a line's calls of one day.
func (h *habit) day(all []Call, day time.Time, random *rand.Rand) []Call {
	share := 1.0
	if d := day.Weekday(); d == time.Saturday || d == time.Sunday {
		share = h.weekend
	}
	busy := day.Add(8*time.Hour + 30*time.Minute)
	at := netip.AddrPortFrom(netip.MustParseAddr(h.source), 5060)
	add := func(count int, inbound bool) {
		for range some(float64(count)*share, random) {
			minute := random.IntN(13 * 60)
			c := Call{
				At: busy.Add(time.Duration(minute)*time.Minute + time.Duration(random.IntN(60_000))*time.Millisecond), Line: h.line,
				Inbound: inbound, Dialled: h.number(inbound, random), Source: at, Agent: h.agent,
				Rings: time.Duration(3+random.IntN(16)) * time.Second, Talk: time.Duration(20_000+int(100_000*random.ExpFloat64())) * time.Millisecond,
			}
			if inbound {
				c.Source, c.Agent = netip.AddrPort{}, ""
			}
			if random.IntN(7) == 0 {
				c.Unanswered, c.Talk = true, 0
			}
			all = append(all, c)
		}
	}
	add(h.calls, false)
	add(h.inbound, true)
	return all
}

// some is a whole number whose mean is n.
func some(n float64, random *rand.Rand) int {
	whole := int(n)
	if random.Float64() < n-float64(whole) {
		whole++
	}
	return whole
}

// number is one of those that Ofcom keeps for drama, or one abroad. A line knows some forty people.
func (h *habit) number(inbound bool, random *rand.Rand) string {
	own := int(h.line[3]-'0')*40 + random.IntN(40)
	switch {
	case !inbound && len(h.abroad) > 0 && random.IntN(16) == 0:
		return h.abroad[random.IntN(len(h.abroad))]
	case random.IntN(3) == 0:
		return fmt.Sprintf("07700 900%03d", own)
	default:
		return fmt.Sprintf("0161 496 0%03d", 200+own)
	}
}

// theft adds the calls of the thief: two short ones in the afternoon before, and a hundred at night, ten at once, to mobiles in the Gambia.
func theft(all []Call, night time.Time, random *rand.Rand) []Call {
	from := netip.AddrPortFrom(netip.MustParseAddr(thiefSource), 49_152)
	call := func(at time.Time, talk time.Duration) Call {
		return Call{
			At: at, Line: stolen, Dialled: fmt.Sprintf("00220 9%06d", 700_000+random.IntN(40)), Rings: 2 * time.Second, Talk: talk, Source: from, Agent: ThiefAgent,
		}
	}
	for i := range 2 {
		all = append(all, call(night.Add(-10*time.Hour+time.Duration(i)*48*time.Second), 4*time.Second))
	}
	for i := range 100 {
		all = append(all, call(night.Add(time.Duration(i)*9*time.Second+time.Duration(random.IntN(4000))*time.Millisecond), time.Duration(4+random.IntN(9))*time.Minute))
	}
	return all
}
