package exposure

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
)

// Question is for which time the figure is wanted. Calls that begin in it count to their end.
type Question struct {
	From, Until time.Time
	Ring        time.Duration // for which a call may ring at the most
	// Nodes says that several servers share the lines. Each counts calls for itself, so that only money bounds them all.
	Nodes bool
	Hot   *restrict.Hot // the hot lists; nil: there are none
	Memo  *Memo

	stranger bool // the thief is in none of the customer's networks
}

// Line is what is in force of a line.
type Line struct {
	ID       string
	Settings func(at time.Time) *account.Effective
	Locked   bool
	Forwards bool // anyone who calls it, from anywhere, may make it call
}

// Running is a call in progress.
type Running struct {
	Line   string
	Abroad bool
	Begun  time.Time
	Talk   time.Duration // so far
	Quote  rating.Quote
	Cost   rating.Quote // the carrier's; with a zero price it is not known
	Limit  time.Duration
	Held   money.Micro
}

// Account is a customer with all lines, or one of them, and what they have used.
type Account struct {
	ID       string
	Zone     *time.Location
	Calendar rating.Calendar
	Tariff   *Tariff
	Lines    []Line
	Calls    []Running
	// Purses are those of now that are not empty, by id: see PurseIDs.
	Purses map[string]engine.Purse
}

// PurseIDs are the purses that a figure from an instant on asks for: those of later days are empty.
func (a *Account) PurseIDs(from time.Time) (ids []string) {
	for i := range a.Lines {
		all := engine.PurseIDs(a.Lines[i].ID, a.ID, a.Zone, from)
		ids = append(ids, all[policy.LineDay], all[policy.LineMonth])
		if i == 0 {
			ids = append(ids, all[policy.AccountDay], all[policy.AccountMonth])
		}
	}
	return ids
}

// Figure is what a thief could cost, and why not more.
type Figure struct {
	Retail    money.Micro // what the customer would be charged
	Elsewhere money.Micro // of Retail, by a thief in none of the networks that settings name
	Known     bool        // some setting names networks
	Carrier   money.Micro // what carriers would charge, where NoLimit is ""
	NoLimit   string      // why nobody can say what carriers would charge
	Days      []Day
	ByTime    bool // not money but time bounds it: calls at once, ceilings
	Running   money.Micro
	Dearest   Dearest
	Lines     []Figure // of a customer: those of the lines, in their order
	At        Dates
}

// Dates are the time of a figure.
type Dates struct{ From, Until time.Time }

// Day is the part of a figure that calls of one day, by the customer's clocks, could cost.
type Day struct {
	From, Until time.Time
	Amount      money.Micro
	Purse       policy.Purse // which cap bounds it; NumPurses: none, there is not time for more
	Cap, Used   money.Micro  // of the cap
}

// Dearest is the dearest destination that can be reached, and how fast it would cost what the first day has.
type Dearest struct {
	Name      string
	PerMinute money.Rate // of a first minute
	Calls     int64      // at once
	Reached   time.Duration
	// Beside them so many calls may be up at home, where a first minute costs so much.
	Others int64
	Home   money.Rate
}

// Of is the figure of a customer.
func (q *Question) Of(a *Account) Figure {
	f := q.figure(a)
	f.At = Dates{q.From, q.Until}
	f.Elsewhere = f.Retail
	locked, strangers := q.networks(a)
	switch {
	case locked:
		f.Known, f.Elsewhere = true, min(q.forwarding(a), f.Retail)
		for i := range f.Lines {
			f.Lines[i].Known = true
		}
	case strangers:
		other := *q
		other.stranger = true
		x := other.figure(q.forStrangers(a))
		f.Known, f.Elsewhere = true, min(x.Retail, f.Retail)
	}
	return f
}

// forwarding is what calls could cost that a customer's lines forward: no IP lock stops those who cause them.
func (q *Question) forwarding(a *Account) money.Micro {
	some, only := false, *a
	only.Lines = slices.Clone(a.Lines)
	for i := range only.Lines {
		l := &only.Lines[i]
		some, l.Locked = some || l.Forwards, l.Locked || !l.Forwards
	}
	if !some {
		return 0
	}
	return q.figure(&only).Retail
}

// forStrangers is an account as a thief finds it who is in none of its networks: a line that has an IP lock all the time is of no use to them, unless it
// forwards, which no IP lock stops.
func (q *Question) forStrangers(a *Account) *Account {
	open := *a
	open.Lines = slices.Clone(a.Lines)
	for i := range open.Lines {
		l := &open.Lines[i]
		one := Account{Lines: a.Lines[i : i+1]}
		locked, _ := q.networks(&one)
		l.Locked = l.Locked || locked && !l.Forwards
	}
	return &open
}

// networks says whether every line has an IP lock all the time, and whether some setting treats networks differently.
func (q *Question) networks(a *Account) (locked, some bool) {
	locked = len(a.Lines) > 0
	for i := range a.Lines {
		for at := q.From; ; {
			e := a.Lines[i].Settings(at)
			locked, some = locked && len(e.Nets) > 0, some || len(e.Nets) > 0
			for _, list := range e.Restrictions {
				some = some || slices.ContainsFunc(list, func(r restrict.Restriction) bool { return len(r.Known) > 0 })
			}
			if e.Expiry.IsZero() || !e.Expiry.Before(q.Until) {
				break
			}
			at = e.Expiry
		}
	}
	return locked, some
}

func (q *Question) figure(a *Account) Figure {
	s := sum{q: q, a: a, days: daysOf(q.From, q.Until, a.Zone)}
	f := Figure{Lines: make([]Figure, len(a.Lines))}
	for i := range a.Lines {
		s.line(&a.Lines[i], &f.Lines[i])
	}
	s.money(&f)
	s.carrier(&f)
	return f
}

// day is a day of the question, by the customer's clocks.
type day struct {
	from, until time.Time // as far as the question asks
	end         time.Time
	month       int
}

func daysOf(from, until time.Time, zone *time.Location) (all []day) {
	if zone == nil {
		zone = time.UTC
	}
	for at := from; at.Before(until); {
		year, month, _ := at.In(zone).Date()
		end := midnight(at, zone)
		all = append(all, day{at, earlier(end, until), end, year*12 + int(month)})
		at = end
	}
	return all
}

// midnight is the first instant after another at which the date is no longer the same, which is not always 24 hours after the last.
func midnight(after time.Time, zone *time.Location) time.Time {
	year, month, date := after.In(zone).Date()
	low := after.Truncate(time.Second)
	seconds := sort.Search(26*60*60, func(n int) bool {
		y, m, d := low.Add(time.Duration(n) * time.Second).In(zone).Date()
		return y != year || m != month || d != date
	})
	return low.Add(time.Duration(seconds) * time.Second)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// sum adds up what lines could cost.
type sum struct {
	q    *Question
	a    *Account
	days []day

	lines []lineSum
}

// lineSum is what bounds one line.
type lineSum struct {
	caps   []segment
	bound  []Day         // what bounds day
	day    []money.Micro // by the caps of the line and by time
	time   money.Micro   // the whole of it, by time; money.Max on several nodes
	old    money.Micro   // calls that draw on purses of earlier days
	starts float64
	hours  [2]float64 // seconds that calls could last, at home or anywhere, and abroad
	duals  []dual     // the dearest of all the time
	free   *offer
	lacks  *offer
	costs  bool
	known  money.Micro // what carriers charge for calls in progress
	unsure bool        // that is not known
}

// tail is for how long a call may go on after the end of the question.
func (q *Question) tail(e *account.Effective) time.Duration {
	return q.Ring + time.Duration(e.Values[account.LongestCall])*time.Second
}

// longestTail bounds tail.
const longestTail = 24 * time.Hour

// segment is a time in which settings, restrictions and prices are the same.
type segment struct {
	from, until time.Time // until is that of the last of its calls to begin
	over        time.Time // when the last of its calls has ended
	e           *account.Effective
	reach       *reach
	calls       [2]int64 // at once: in all, and abroad
}

// segments cuts the time of a question, and after it that in which calls still go on.
func (q *Question) segments(a *Account, l *Line) (all []segment, caps []segment) {
	end := q.Until.Add(q.Ring + longestTail)
	edges := []time.Time{q.From, q.Until, end}
	add := func(at time.Time) {
		if at.After(q.From) && at.Before(end) {
			edges = append(edges, at)
		}
	}
	for _, d := range daysOf(q.From, end, a.Zone) {
		add(d.end)
	}
	if a.Tariff != nil {
		for _, at := range a.Tariff.changes {
			add(at)
		}
	}
	for at := q.From; ; {
		e := l.Settings(at)
		for _, list := range e.Restrictions {
			for i := range list {
				add(list[i].Until)
				edges = append(edges, list[i].Hours.Edges(q.From, end, a.Zone)...)
			}
		}
		if e.Expiry.IsZero() || !e.Expiry.Before(end) {
			break
		}
		at = e.Expiry
		add(at)
	}
	slices.SortFunc(edges, time.Time.Compare)
	edges = slices.CompactFunc(edges, time.Time.Equal)
	for i := range edges[1:] {
		s := segment{from: edges[i], until: edges[i+1], e: l.Settings(edges[i])}
		caps = append(caps, s)
		if !s.from.Before(q.Until) || l.Locked {
			continue
		}
		s.over = s.until.Add(q.tail(s.e))
		s.reach = q.reach(a.Tariff, s.e, a.Zone, s.from)
		s.calls[home] = s.e.Values[account.MaxCalls]
		s.calls[away] = min(s.calls[home], s.e.Values[account.MaxInternational])
		all = append(all, s)
	}
	return all, caps
}

// starts is how many calls may begin: a count may be full at the end of one window and again at the beginning of the next.
func (s *segment) starts() int64 {
	if s.calls[home] <= 0 {
		return 0
	}
	n := windows(s.e.Values[account.CallsPerMinute], s.until.Sub(s.from), time.Minute)
	if each := s.e.Values[account.CallsPerSecond]; each < account.NoCallsPerSecond {
		n = min(n, windows(each, s.until.Sub(s.from), time.Second))
	}
	return n
}

func windows(limit int64, lasts, window time.Duration) int64 {
	return max(limit, 0) * (int64((lasts+window-1)/window) + 1)
}

// over1 is the most that one call of a segment costs beyond its rate; whatever costs anything has some.
func (s *segment) over1() money.Micro {
	switch {
	case s.calls[home] <= 0:
		return 0
	case s.calls[away] <= 0:
		return s.reach.over[home]
	}
	return max(s.reach.over[home], s.reach.over[away])
}

// line works out what bounds a line.
func (s *sum) line(l *Line, f *Figure) {
	q, a := s.q, s.a
	segments, caps := q.segments(a, l)
	x := lineSum{day: make([]money.Micro, len(s.days)), caps: caps}
	running := s.running(l, &x)
	x.time = s.byTime(segments, running, q.From, q.Until)
	for i, d := range s.days {
		var calls []Running
		if i == 0 {
			calls = running
		}
		part := s.byTime(segments, calls, d.from, d.until)
		cap, p := s.capOf(caps, d.from, d.until, account.LineDayCap), s.purse(l.ID, policy.LineDay, i)
		left := leftOf(cap, p)
		x.day[i] = min(part, left)
		y := Day{From: d.from, Until: d.until, Amount: x.day[i], Purse: policy.LineDay, Cap: cap, Used: p.Spent}
		if part < left {
			y.Purse, y.Cap, y.Used = policy.NumPurses, 0, 0
		}
		f.Days = append(f.Days, y)
	}
	x.bound, f.Dearest = f.Days, dearest(segments)
	s.limits(segments, &x)
	s.lines = append(s.lines, x)
}

// purse is what a purse of day i has now.
func (s *sum) purse(line string, p policy.Purse, i int) engine.Purse {
	return s.a.Purses[engine.PurseIDs(line, s.a.ID, s.a.Zone, s.days[i].from)[p]]
}

// capOf is the highest that a cap is from an instant until the last call that began before another has ended.
func (s *sum) capOf(caps []segment, from, until time.Time, field account.Field) (most money.Micro) {
	for i := range caps {
		if c := &caps[i]; c.until.After(from) && c.from.Before(until.Add(s.q.Ring+longestTail)) {
			most = max(most, c.e.Cap(field))
		}
	}
	return most
}

// leftOf is what may still be spent of a purse. What is held may be spent also where the cap was lowered.
func leftOf(cap money.Micro, p engine.Purse) money.Micro { return max(cap-p.Spent, p.Held, 0) }

// running are the calls in progress of a line that draw on the purses of now. The others draw on earlier ones.
func (s *sum) running(l *Line, x *lineSum) (today []Running) {
	first := engine.PurseIDs(l.ID, s.a.ID, s.a.Zone, s.q.From)
	for _, c := range s.a.Calls {
		if c.Line != l.ID {
			continue
		}
		if c.Cost.Price.First == 0 {
			x.unsure = true
		} else {
			x.known = x.known.Add(most(&c.Cost, c.Limit))
		}
		if engine.PurseIDs(l.ID, s.a.ID, s.a.Zone, c.Begun) == first {
			today = append(today, c)
			continue
		}
		x.old = x.old.Add(most(&c.Quote, c.Limit))
	}
	return today
}

// most is what a call costs at the very most, also one that is not answered yet.
func most(q *rating.Quote, limit time.Duration) money.Micro {
	l := linearOf(&q.Price)
	var w money.Weighted
	return l.over.Add(w.Plus(l.rate, int64((limit+time.Second-1)/time.Second)).Amount()).Add(1)
}

// byTime is what calls that begin from one instant until another, and those in progress, could cost if caps did not bound them: at each
// instant as many as may be up, each at the dearest price that could be reached when it may have begun.
func (s *sum) byTime(segments []segment, running []Running, from, until time.Time) money.Micro {
	if s.q.Nodes {
		return money.Max
	}
	var total, each money.Micro
	var starts int64
	parts := make([]segment, 0, len(segments)+len(running))
	for _, g := range segments {
		g.from, g.over = later(g.from, from), earlier(g.over, earlier(g.until, until).Add(s.q.tail(g.e)))
		g.until = earlier(g.until, until)
		if !g.from.Before(g.until) {
			continue
		}
		if over := g.over1(); over > 0 {
			total = total.Add(times(over, g.starts()))
			each = max(each, over)
			parts = append(parts, g)
		}
		g.from, g.until = from, until
		starts = max(starts, g.starts())
	}
	total = min(total, times(each, starts))
	open := [2]int64{}
	for i := range running {
		c := &running[i]
		l := linearOf(&c.Quote.Price)
		total = total.Add(c.Quote.Cost(c.Talk)).Add(l.over)
		where := bit(c.Abroad)
		open[home]++
		open[away] += int64(where)
		r := &reach{}
		r.rates[where] = c.Quote.Price.Rates
		parts = append(parts, segment{from: from, until: from, over: c.Begun.Add(s.q.Ring + c.Limit), reach: r, calls: [2]int64{home: 1, away: int64(where)}})
	}
	return total.Add(s.integral(parts, open))
}

func times(a money.Micro, n int64) money.Micro {
	if n > 0 && a > money.Max/money.Micro(n) {
		return money.Max
	}
	return a * money.Micro(n)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// integral adds up the rates of all calls that could be up.
func (s *sum) integral(parts []segment, open [2]int64) (total money.Micro) {
	var edges []time.Time
	for i := range parts {
		edges = append(edges, parts[i].from, parts[i].over)
	}
	slices.SortFunc(edges, time.Time.Compare)
	edges = slices.CompactFunc(edges, time.Time.Equal)
	for i := 1; i < len(edges); i++ {
		at, ends := edges[i-1], edges[i]
		var p rating.Price
		var rates [2][rating.NumBands]money.Rate
		calls := open
		for j := range parts {
			g := &parts[j]
			if g.from.After(at) || !g.over.After(at) {
				continue
			}
			for w := range rates {
				calls[w] = max(calls[w], g.calls[w])
				for b := range rates[w] {
					if g.calls[w] > 0 {
						rates[w][b] = max(rates[w][b], g.reach.rates[w][b])
					}
				}
			}
		}
		calls[away] = min(calls[away], calls[home])
		p.First, p.Step = 1, 1
		for b := range p.Rates {
			h, w := rates[home][b], rates[away][b]
			p.Rates[b] = saturate(max(h, w), calls[away]) + saturate(h, calls[home]-calls[away])
		}
		quote := rating.Quote{Price: p, Calendar: s.a.Calendar, Start: at}
		total = total.Add(quote.Cost(ends.Sub(at))).Add(1)
	}
	return total
}

func saturate(r money.Rate, n int64) money.Rate {
	if n > 0 && r > math.MaxInt64/4/money.Rate(n) {
		return math.MaxInt64 / 4
	}
	return r * money.Rate(n)
}

// limits gathers what carriers' charges depend on.
func (s *sum) limits(segments []segment, x *lineSum) {
	var calls [2]int64
	var most int64
	var tail time.Duration
	for i := range segments {
		g, r := &segments[i], segments[i].reach
		if g.calls[home] <= 0 {
			continue
		}
		x.starts += float64(g.starts())
		whole := *g
		whole.from, whole.until = s.q.From, s.q.Until
		most, tail = max(most, whole.starts()), max(tail, s.q.tail(g.e))
		for w := range calls {
			calls[w] = max(calls[w], g.calls[w])
		}
		x.free, x.lacks, x.costs = cmp.Or(x.free, r.free), cmp.Or(x.lacks, r.lacks), x.costs || r.costs
		for k := range r.duals {
			if k == len(x.duals) {
				x.duals = append(x.duals, dual{})
			}
			x.duals[k] = x.duals[k].or(r.duals[k])
		}
	}
	x.starts = min(x.starts, float64(most))
	for w := range x.hours {
		x.hours[w] = (s.q.Until.Sub(s.q.From) + tail).Seconds() * float64(calls[w])
	}
}

func (d dual) or(x dual) dual {
	return dual{max(d.start, x.start), [2]float64{max(d.rate[home], x.rate[home]), max(d.rate[away], x.rate[away])}}
}

// dearest is the dearest destination that is reached at any time.
func dearest(segments []segment) (d Dearest) {
	for i := range segments {
		g := &segments[i]
		for w, o := range g.reach.dearest {
			if o == nil || g.calls[w] <= 0 || policy.Minute(o.price) <= d.PerMinute {
				continue
			}
			d = Dearest{Name: o.name(&g.reach.begins[w]), PerMinute: policy.Minute(o.price), Calls: g.calls[w]}
			if near := g.reach.dearest[home]; w == away && near != nil && g.calls[home] > g.calls[away] {
				d.Others, d.Home = g.calls[home]-g.calls[away], policy.Minute(near.price)
			}
		}
	}
	return d
}

// duration is a number of minutes.
func duration(minutes float64) time.Duration {
	return time.Duration(min(minutes, 1e6) * float64(time.Minute)).Round(time.Second)
}
