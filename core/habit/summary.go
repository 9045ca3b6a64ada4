package habit

import (
	"fmt"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// Summary is what is known of a line's habits and its customer's, for people.
type Summary struct {
	Days                        int             // that the customer is known
	Learning                    bool            // nothing of the customer's is usual yet
	Hours                       string          // of the week in which the customer calls: "mon-fri 08-18"
	Countries                   []phone.Country // abroad, long called
	Numbers, Networks, Products int             // long known
	Step                        Step            // of the ladder, in force for the line or its customer
	Meters                      [NumMeters]Reading
}

// Reading is a meter: what it shows, and what it may reach.
type Reading struct {
	Life             Life
	Level, Allowance money.Micro
}

// Summary says what is known of a line and its customer, whose hash is account. It changes nothing.
func (r *Rules) Summary(line, customer *Memory, account uint32, now time.Time) (s Summary) {
	minute := uint32(now.Unix() / 60)
	day := uint16(minute / (24 * 60))
	old := day - min(day, uint16(r.KnownAfter))
	state := State{Line: line, Account: customer}
	s.Days, s.Learning = customer.age(minute), customer.age(minute) < r.Learning
	s.Hours, s.Countries = customer.hoursText(), countriesOf(&state, old)
	s.Numbers = len(numbersOf(&state, old))
	s.Networks, s.Products = len(r.owned(customer.places, minute)), len(r.owned(customer.devices, minute))
	for _, m := range [...]*Memory{line, customer} {
		if minute < m.until {
			s.Step = max(s.Step, m.step)
		}
	}
	for kind := range NumMeters {
		s.Meters[kind] = Reading{r.Meters[kind].Life.of(account), r.shows(&state, kind, minute), r.allowance(&state, kind, minute)}
	}
	return s
}

// shows is the level of a meter; of one for ranges that of the heaviest.
func (r *Rules) shows(s *State, kind MeterKind, minute uint32) (level money.Micro) {
	who, memory := s.who(kind), r.Meters[kind].minutes()
	if kind == Range || kind == Shared {
		for i := range who.blocks {
			b := &who.blocks[i]
			level = max(level, faded(b.level, max(minute, b.at)-b.at, memory))
		}
		return level
	}
	m := &who.meters[kind]
	return faded(m.level, max(minute, m.at)-m.at, memory)
}

// hoursText writes the usual hours, those of days that are alike together; "" is none.
func (m *Memory) hoursText() string {
	days := [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	var of [7]string
	for d := range of {
		var spans []string
		for h := 0; h < 24; h++ {
			from := h
			for h < 24 && m.usual(d*24+h) {
				h++
			}
			if h > from {
				spans = append(spans, fmt.Sprintf("%02d-%02d", from, h))
			}
		}
		of[d] = strings.Join(spans, " ")
	}
	var parts []string
	for d := 0; d < 7; {
		last := d
		for last+1 < 7 && of[last+1] == of[d] {
			last++
		}
		name := days[d]
		if last > d {
			name += "-" + days[last]
		}
		if of[d] != "" {
			parts = append(parts, name+" "+of[d])
		}
		d = last + 1
	}
	return strings.Join(parts, ", ")
}
