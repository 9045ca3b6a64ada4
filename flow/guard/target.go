package guard

// guessDays is how far back guessing at a line is remembered.
const guessDays = 28

// target is what is kept of a user name that unknown sources guess at, whether there is such a line or not: how often on each day.
// A day is one of UTC. Times are the guard's seconds.
type target struct {
	days    [guessDays]uint16 // by number of the day modulo guessDays
	day     int64             // the latest of them
	sources sketch            // where from, today and yesterday
	near    sketch            // addresses in usual places that failed, within the window
	guessed int64             // when an unknown source was last locked out for it
	lifted  int64             // when it was last released by hand, in Unix seconds, the same on all nodes; 0 is never
	told    int64             // day of the last fact
	name    string
	others  [2]int // what all nodes together counted: today, and in guessDays
	refused uint16 // wrong tries today that were refused unheard; of this node
	fresh   uint16 // wrong tries that the other nodes have not heard of
	known   bool
}

// budget is what unknown sources may still do with a line.
type budget uint8

const (
	open     budget = iota
	oneTry          // each address one try
	noneLeft        // none today, not even right ones
)

// turn begins a new day.
func (e *target) turn(at int64) {
	today := at / secondsADay
	if e.day == 0 || today-e.day >= guessDays {
		e.days, e.day, e.others = [guessDays]uint16{}, today, [2]int{}
		e.refused = 0
	}
	for e.day < today {
		e.day++
		e.days[e.day%guessDays] = 0
		e.others[0], e.refused = 0, 0
	}
}

// sums is how many wrong tries there were today, and in all, as far as this node or all nodes know; and on how many days.
func (e *target) sums() (today, all, days int) {
	for _, n := range e.days {
		all += int(n)
		if n > 0 {
			days++
		}
	}
	return max(int(e.days[e.day%guessDays]), e.others[0]), max(all, e.others[1]), days
}

// budget says what unknown sources may do. A line guessed at for weeks has no second helping of a day's tries.
func (e *target) budget(l *limits, at int64) budget {
	e.turn(at)
	today, all, _ := e.sums()
	switch slow := all >= l.weeks; {
	case today >= 2*l.strangers, slow && today >= l.strangers:
		return noneLeft
	case today >= l.strangers, slow:
		return oneTry
	}
	return open
}

// fail notes an unknown source's wrong try that was judged.
func (e *target) fail(source uint64, at int64) {
	e.turn(at)
	i := e.day % guessDays
	if e.days[i] < 1<<15 {
		e.days[i]++
	}
	e.fresh = min(e.fresh, 1<<15) + 1
	e.sources.add(source, at, secondsADay)
}

// worth is until when the entry is worth a place in its table: a day for each wrong try, so that a flood of names tried
// once drives out no line that is guessed at in earnest.
func (e *target) worth(at int64) int64 {
	_, all, _ := e.sums()
	return at + secondsADay*int64(min(all, guessDays))
}
