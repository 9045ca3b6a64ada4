package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// habit generates the honest calls of one line, day by day. What it keeps is bounded: the address book, and the times of one day.
type habit struct {
	w       *World
	l       *Line
	k       *kind
	r       *rand.Rand
	clock   *clock
	books   [][]number
	day     int
	events  []event // of the day, in the order of time
	at      int
	phase   *phaseSpan
	busy    []int64 // when the seats are free again
	last    int64   // no call is earlier than the one before
	redial  number
	net     string
	machine int64 // when a machine calls next
}

// event is a call to come: seconds since 1970, and what it is.
type event struct {
	at   int64
	what what
}

type what uint8

const (
	outgoing what = iota
	incoming
	meets
)

// most is how long an address book gets.
const most = 300

func newHabit(w *World, l *Line) *habit {
	h := &habit{w: w, l: l, k: l.customer.kind, r: source(w.seed, seedLine, uint64(l.nth)), day: l.from - 1}
	h.clock, h.books, h.busy = w.clocks[h.k.name], l.books(w), make([]int64, l.seats)
	return h
}

// books are the address books of a line at its beginning, one for each stream.
func (l *Line) books(w *World) [][]number {
	r := source(w.seed, seedBook, uint64(l.nth))
	c := l.customer
	all := make([][]number, len(c.streams))
	for i := range all {
		s := &c.kind.streams[i]
		for range within(r, s.book) {
			if shared := c.books[i]; len(shared) > 0 && r.Float64() < c.kind.shared {
				all[i] = append(all[i], shared[zipf(r, len(shared))])
				continue
			}
			all[i] = append(all[i], c.fresh(r, c.streams[i], all[i]))
		}
	}
	return all
}

// next gives the next call, or false after the last day.
func (h *habit) next(c *Call) bool {
	for {
		for h.at == len(h.events) {
			if h.day++; h.day >= len(h.w.days) {
				return false
			}
			h.plan()
		}
		e := h.events[h.at]
		h.at++
		if h.call(c, e) {
			return true
		}
	}
}

// plan draws the calls of a day.
func (h *habit) plan() {
	d := &h.w.days[h.day]
	h.events, h.at = h.events[:0], 0
	h.net = inForce(h.l.customer.nets, h.day)
	if h.r.Float64() < h.k.homeDays {
		h.net = h.l.home
	}
	if h.k.every > 0 {
		h.tick(d)
		return
	}
	mean := h.l.rate * h.today(d)
	n := poisson(h.r, mean)
	for range n {
		h.events = append(h.events, event{h.when(d), outgoing})
	}
	for range poisson(h.r, mean*h.k.inbound) {
		h.events = append(h.events, event{h.when(d), incoming})
	}
	if h.k.meeting.perWeek > 0 && mean > 0 && h.r.Float64() < h.k.meeting.perWeek/5*h.k.week[d.weekday] {
		begin := h.when(d)
		for range within(h.r, h.k.meeting.people) {
			h.events = append(h.events, event{begin + int64(h.r.IntN(100)), meets})
		}
	}
	slices.SortFunc(h.events, func(a, b event) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return int(a.what) - int(b.what)
	})
}

// today is the factor on a line's calls.
func (h *habit) today(d *day) float64 {
	f := h.k.week[d.weekday] * swing(h.r, h.k.moody)
	if h.k.year != nil {
		f *= float64(h.k.year[d.month-1]) / 100
	}
	if d.bank {
		f *= h.k.bank
	}
	if !d.school && h.k.school > 0 {
		f *= h.k.school
	}
	if d.feast && h.k.feast > 0 {
		f *= h.k.feast
	}
	for _, a := range h.l.customer.away {
		if h.day >= a[0] && h.day <= a[1] {
			f *= 0.05
		}
	}
	h.phase = nil
	for i := range h.l.customer.phases {
		if p := &h.l.customer.phases[i]; h.day >= p.from && h.day < p.until {
			h.phase = p
			f *= p.boost
			break
		}
	}
	return f
}

func (h *habit) when(d *day) int64 {
	if h.r.Float64() < h.k.late {
		return d.midnight + int64(h.r.IntN(24*3600))
	}
	second := h.clock.draw(h.r) + h.l.shift
	return d.midnight + int64((second+24*3600)%(24*3600))
}

// tick plans the calls of a machine.
func (h *habit) tick(d *day) {
	if h.machine == 0 {
		h.machine = d.midnight + int64(h.clock.draw(h.r))
	}
	for ; h.machine < d.midnight+24*3600; h.machine += int64(h.k.every) {
		if at := h.machine + int64(h.r.IntN(90)); at >= d.midnight {
			h.events = append(h.events, event{at, outgoing})
		}
	}
	if h.r.Float64() < 0.02 {
		h.events = append(h.events, event{d.midnight + int64(h.r.IntN(24*3600)), incoming})
	}
	slices.SortFunc(h.events, func(a, b event) int { return int(a.at - b.at) })
}

// longestWait is how long a caller waits for a seat, in seconds.
const longestWait = 20 * 60

// call makes a call of an event; false: nobody was free to make it.
func (h *habit) call(c *Call, e event) bool {
	when := max(e.at, h.last)
	seat := 0
	for i, until := range h.busy {
		if until < h.busy[seat] {
			seat = i
		}
	}
	free := h.busy[seat] <= when
	if e.what != incoming && !free {
		if h.busy[seat] > when+longestWait {
			return false
		}
		when = h.busy[seat] + 2 + int64(h.r.IntN(20))
	}
	h.last = when
	*c = Call{At: time.Unix(when, 0), Line: h.l.ID, Customer: h.l.Customer, Inbound: e.what == incoming}
	talk, answered, n := h.whom(e.what)
	if e.what != incoming {
		talk = n.at.thrift(talk)
	}
	c.Dialled, c.to = n.dialled(h.l.plus || c.Inbound), n.at
	c.Rings = time.Duration(3+h.r.IntN(18)) * time.Second
	switch {
	case e.what == incoming && !free: // the caller hears that the line is busy
		c.Rings = 0
	case h.r.Float64() < answered:
		c.Answered, c.Talk = true, talk
	case h.r.IntN(5) == 0: // busy
		c.Rings = time.Second
	default:
		c.Rings = time.Duration(12+h.r.IntN(30)) * time.Second
	}
	if !c.Inbound {
		h.retry(c, n)
		h.from(c)
	}
	if free || e.what != incoming {
		h.busy[seat] = when + int64((c.Rings+c.Talk)/time.Second)
	}
	return true
}

// retry has a number that was not reached called again soon, as a rule.
func (h *habit) retry(c *Call, n number) {
	h.redial = number{}
	if !c.Answered && h.r.IntN(100) < 30 && h.k.every == 0 {
		h.redial = n
	}
}

// from says where and by what a call is made.
func (h *habit) from(c *Call) {
	net := h.net
	if h.k.roams > 0 && h.r.Float64() < h.k.roams {
		net = h.w.roaming(h.r)
		if h.r.IntN(3) > 0 { // the phone stays where it is for a while
			h.net = net
		}
	}
	c.Source = net
	c.UserAgent = h.l.agent(h.day)
}

// whom is the other party, how long the talk is and how often it comes about.
func (h *habit) whom(e what) (time.Duration, float64, number) {
	cust := h.l.customer
	if e == outgoing && h.redial.at != nil {
		n := h.redial
		return lengths{90, 1}.draw(h.r), 0.5, n
	}
	if h.phase != nil && h.r.Float64() < h.phase.share {
		n := h.phase.book[zipf(h.r, len(h.phase.book))]
		if h.r.Float64() < h.phase.fresh {
			n = cust.fresh(h.r, h.phase.areas, h.phase.book)
		}
		return h.phase.talk.draw(h.r), 0.65, n
	}
	i := h.stream()
	s, book := &h.k.streams[i], h.books[i]
	n := number{}
	if len(book) > 0 {
		n = book[zipf(h.r, len(book))]
	}
	if fresh := h.r.Float64(); n.at == nil || fresh < s.fresh && e != meets {
		n = h.meet(i, e)
	}
	talk := s.talk
	if e == meets {
		talk = lengths{2100, 0.5}
	}
	answered := s.answered
	if e == incoming {
		answered = 0.85
	}
	return talk.draw(h.r), answered, n
}

func (h *habit) stream() int {
	x := h.r.Float64()
	for i := range h.k.streams {
		if x -= h.k.streams[i].share; x < 0 {
			return i
		}
	}
	return 0
}

// meet is a number never called. Some of these enter the address book, where the one that is called least makes room.
func (h *habit) meet(i int, e what) number {
	s, cust := &h.k.streams[i], h.l.customer
	n := cust.fresh(h.r, cust.streams[i], h.books[i])
	for range 4 { // people seldom insist on what their line may not call
		if e == incoming || h.l.limits.reaches(n.at) || h.r.IntN(50) == 0 {
			break
		}
		n = cust.fresh(h.r, cust.streams[i], h.books[i])
	}
	if h.r.Float64() < s.keep {
		if len(h.books[i]) < most {
			h.books[i] = append(h.books[i], n)
		}
		from := len(h.books[i]) * 2 / 3 // somebody new may soon be called often
		to := from + h.r.IntN(len(h.books[i])-from)
		h.books[i][to], h.books[i][len(h.books[i])-1] = n, h.books[i][to]
	}
	return n
}
