// Package play is the second shell of core/engine: it plays calls in virtual time, with the money, caps and limits of their lines,
// from memory alone. What it says of a call is what flow/gate would have done with it. It must not know clocks, stores or edges.
package play

import (
	"iter"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/state/counters/memory"
)

// Call is a call to be played.
type Call struct {
	ID         call.ID // by which facts name it; "" where none are wanted
	Seq        int64   // the caller's own number of it
	Account    string  // whose its line is, as far as the caller knows: for Options.Meet
	Slot       int     // number of its line, from 1 on; Run gives it where no call has one
	At         time.Time
	Line       string
	Dialled    string
	Rings      time.Duration // before it is answered, or its caller gives up
	Unanswered bool
	Inbound    bool          // Line is called, by Dialled: its calls are free, judged by hot lists alone and bounded in length
	Wants      time.Duration // talk time after which its caller hangs up
	Cause      call.Cause    // what made it, if nobody dialled it
	// Hashes (habit.Hash) of the network that it comes from and of the phone's product; 0 is unknown.
	Place, Device uint32
}

// Result is how a call ended.
type Result struct {
	Call    Call
	Refused bool          // it was never let out, for Reason
	Beyond  bool          // it ended when no call came any more: a later one might have changed that
	Reason  policy.Reason // why it ended: Hangup, or why it was cut
	Ended   time.Time
	Talk    time.Duration // charged for
	Cost    money.Micro   // to its line
	Saved   money.Micro   // what it would have cost beyond that, had it lasted as long as its caller wanted
	Name    string        // of the price that judged it; "" is none
	// Finding is the key of the finding that closed its destination, and Until when that ends; "" is none.
	Finding string
	Until   time.Time
	// Would is the key of the first finding of a rule that only watches which would have stopped the call, and Spares what it cost from then on.
	Would  string
	Spares money.Micro
	Signs  habit.Signs // of Finding, or else of Would
}

// Options say how calls are played.
type Options struct {
	Rules engine.Rules
	Terms engine.Terms
	// RingTime is how long a call may ring; 0 is as long as it likes.
	RingTime time.Duration
	// Done receives the result of each call as it ends; it keeps no pointer. Run calls it from one goroutine for each worker, of which
	// worker is the number.
	Done func(worker int, r *Result)
	// Meet receives the first call of each line, before anything is asked about the line. It may be nil.
	Meet func(*Call)
	// Habits are the rules that watch calls; nil: nobody does. World is what they know across customers, and must be the same for all players of a
	// run; Run makes it, and turns it at each full hour.
	Habits *habit.Rules
	World  *habit.World
	// Finding receives what they find, as Done does. It may be nil.
	Finding func(worker int, f *Found)
	// Facts receives the facts that the journal would have about a call, as Done receives its result. Nil: they cost nothing.
	Facts func(worker int, c *Call, facts []fact.Row)
	// Record receives what is stored of each call that was let out when it has ended, where Facts are wanted too; it keeps no pointer. It may be nil.
	Record func(worker int, c *Call, o *call.Open, r *call.CDR)
}

// Player plays the calls of some accounts one after another: every call of an account must go to the same Player, in the order of
// time. Not safe for concurrent use.
type Player struct {
	o        Options
	worker   int
	rules    engine.Rules
	counts   *memory.Counters // attempts within a window
	seen     engine.Settings
	lines    []*line        // by slot
	slots    map[string]int // of lines, of a Player that is given calls without
	current  *line          // whose call is played
	accounts map[string]*purses
	habits   habits
	queue    queue
	free     []*live
	nth      int64 // calls let out
	beyond   bool  // no call comes any more
	closings int   // how often findings have closed something
	fetched  int   // keeps the compiler from leaving out what fetch reads
	common   common

	// Of the call that is played, kept so that it costs no memory.
	subject engine.Subject
	attempt engine.Attempt
	result  Result
}

// line is what is known and counted of a line. The book does not change while calls are played, but for settings that end.
type line struct {
	engine.Line
	known        bool
	shut, broke  bool // locked by Lock, and so that nothing more is bought
	open, abroad int64
	own, account *purses

	hash, accountHash uint32 // for habits
	closedAt          int    // Player.closings when Settings were last looked at
	closedIDs         int64  // what findings had closed when they were made of base
	closedOf, base    *account.Effective
	world             []restrict.Restriction // what is closed to everybody
}

// live is a call in progress.
type live struct {
	call   Call
	nth    int64 // of those let out
	hangup time.Time
	line   *line
	n      int // holds in use
	abroad bool
	holds  [policy.Probation]engine.Hold
	engine.Call
	habit habit.Call
	would string      // the finding that would have stopped it, had its rule acted
	paid  money.Micro // by then
}

// New makes a Player that has played nothing.
func New(o Options) *Player {
	p := &Player{o: o, rules: o.Rules, counts: memory.New(), accounts: map[string]*purses{}, slots: map[string]int{}}
	p.habits = habits{rules: o.Habits, state: habit.State{World: o.World, Notes: &habit.Notes{}}, signs: map[string]habit.Signs{}}
	if o.Habits != nil {
		p.habits.off = o.Habits.AtMost(habit.Off)
	}
	p.rules.Line = func(id string, now time.Time) (engine.Line, bool) { // of the call that is played: no other line is asked for
		ln := p.current.Line
		ln.Locked = ln.Locked || p.current.shut
		return ln, p.current.known
	}
	return p
}

// line is a line as it is at an instant.
func (p *Player) line(c *Call, now time.Time) *line {
	if c.Slot == 0 {
		c.Slot = p.slots[c.Line]
	}
	if c.Slot == 0 {
		c.Slot = len(p.slots) + 1
		p.slots[c.Line] = c.Slot
	}
	for c.Slot >= len(p.lines) {
		p.lines = append(p.lines, nil)
	}
	ln := p.lines[c.Slot]
	if ln == nil {
		ln = &line{}
		p.lines[c.Slot] = ln
	}
	if ln.known && ln.Settings.Holds(now) {
		p.close(ln)
		return ln
	}
	if ln.Line, ln.known = p.o.Rules.Line(c.Line, now); ln.known && ln.own == nil {
		ln.own = &purses{}
		if ln.account = p.accounts[ln.Account]; ln.account == nil {
			ln.account = &purses{}
			p.accounts[ln.Account] = ln.account
		}
	}
	if ln.known {
		p.close(ln)
	}
	return ln
}

// Play plays everything that happens until a call comes, and the call.
func (p *Player) Play(c *Call) {
	p.Until(c.At)
	p.current = p.line(c, c.At)
	s := &p.subject
	p.understand(s, c)
	if r := s.Judge(false); r != nil {
		p.refused(c, r)
		return
	}
	l := p.take()
	p.nth++
	l.call, l.nth, l.line = *c, p.nth, p.current
	if r := p.count(l, s); r != nil {
		p.refused(c, r)
		p.give(l)
		return
	}
	s.Begin(&l.Call)
	if r := p.first(l, s); r != nil {
		p.uncount(l)
		p.refused(c, r)
		p.give(l)
		return
	}
	if p.o.Facts != nil {
		p.admitted(l, s)
	}
	p.begins(l, s)
	if c.Rings <= 0 && !c.Unanswered {
		p.answer(l, c.At)
		return
	}
	l.Open.Ringing = c.At
	l.rings(true)
	rings := c.Rings
	if p.o.RingTime > 0 {
		rings = min(rings, p.o.RingTime)
	}
	p.queue.push(due{c.At.Add(rings).UnixNano(), l})
}

// Carrier is the trunk over which every inbound call comes.
const Carrier = "carrier"

func (p *Player) understand(s *engine.Subject, c *Call) {
	if !c.Inbound {
		a := &p.attempt
		a.Line, a.Dialled, a.Cause = c.Line, c.Dialled, c.Cause
		a.From = a.Place(restrict.From{Origin: c.Place, Product: c.Device})
		p.rules.Understand(s, &p.attempt, c.At)
		return
	}
	a := engine.Attempt{Trunk: Carrier, Caller: c.Dialled}
	if digits := p.current.Digits; digits != 0 && p.o.Facts != nil {
		a.Dialled = "+" + strconv.FormatUint(digits, 10)
	}
	p.rules.Called(s, &a, c.Line, c.At)
}

// admitted tells the journal.
func (p *Player) admitted(l *live, s *engine.Subject) {
	settings, first := p.seen.Of(s.Settings, s.Now)
	s.Spell([]byte(l.call.ID))
	s.Name(&l.Open)
	p.tell(&l.call, append(s.Admitted(&l.Open, settings), first...)...)
}

// held tells the journal of a further slice.
func (p *Player) held(l *live, a *engine.Ask, now time.Time) {
	settings, first := p.seen.Of(l.line.Settings, now)
	p.tell(&l.call, append(first, l.Held(a, settings, now))...)
}

func (p *Player) tell(c *Call, facts ...fact.Row) { p.o.Facts(p.worker, c, facts) }

// Until plays what happens up to an instant and at it.
func (p *Player) Until(now time.Time) {
	for len(p.queue) > 0 && p.queue[0].at <= now.UnixNano() {
		p.event(p.queue.pop())
	}
}

// End plays until the last call has ended.
func (p *Player) End() {
	p.beyond = true
	for len(p.queue) > 0 {
		p.event(p.queue.pop())
	}
}

// count takes the conditions that count calls, in their order.
func (p *Player) count(l *live, s *engine.Subject) *engine.Refusal {
	switch {
	case s.Dir == call.In:
		return nil
	case s.Verdict.Always:
		l.line.open++
		return nil
	}
	open := false
	for i := range s.Verdict.Conditions[:s.Verdict.N] {
		c, n, ok := &s.Verdict.Conditions[i], int64(0), true
		switch c.Kind {
		case policy.CondRate:
			n, ok = p.counts.Hit(memory.Key{Of: s.Line, Window: c.Window}, c.Limit, s.Now)
		case policy.CondOpen:
			if n, ok = l.line.open, l.line.open < c.Limit; ok {
				l.line.open++
				open = true
			}
		case policy.CondOpenAbroad:
			if n, ok = l.line.abroad, l.line.abroad < c.Limit; ok {
				l.line.abroad++
				l.abroad = true
			}
		}
		if !ok {
			if open {
				l.line.open--
			}
			return engine.Counted(c, n)
		}
	}
	return nil
}

func (p *Player) uncount(l *live) {
	if l.call.Inbound {
		return
	}
	l.line.open--
	if l.abroad {
		l.line.abroad--
	}
}

// first holds the first slice.
func (p *Player) first(l *live, s *engine.Subject) *engine.Refusal {
	if l.Costs {
		own, account := l.line.own.at(s.Now, s.Zone), l.line.account.at(s.Now, s.Zone)
		of := [policy.Probation]*engine.Purse{policy.LineDay: own.day, policy.LineMonth: own.month, policy.AccountDay: account.day, policy.AccountMonth: account.month}
		for _, c := range s.Verdict.Conditions[:s.Verdict.N] {
			if c.Kind == policy.CondPurse && c.Purse < policy.Probation { // what other customers of a reseller spent is not played
				l.holds[l.n] = engine.Hold{Purse: of[c.Purse], Kind: c.Purse, Cap: money.Micro(c.Limit)}
				l.n++
			}
		}
	}
	for ask := l.First(p.o.Terms); ; {
		refused, room := engine.HoldAll(l.holds[:l.n], ask.Amount())
		if refused == nil {
			l.Take(&ask)
			return nil
		}
		if ask.Refused(room) != engine.Again {
			return refused.Refusal(room, ask.Least())
		}
	}
}

func (l *live) rings(begins bool) {
	for i := range l.holds[:l.n] {
		l.holds[i].Purse.Rings(l.Open.Held, begins)
	}
}

// pickUp ends the ringing: with an answer at the price of that instant, or without one.
func (p *Player) pickUp(l *live, now time.Time) {
	l.rings(false)
	if p.o.RingTime > 0 && l.call.Rings > p.o.RingTime {
		p.end(l, engine.End{By: call.Callee, Reason: policy.NoAnswer, Status: 480, At: now}, now)
		return
	}
	if l.call.Unanswered {
		p.end(l, engine.End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: now}, now)
		return
	}
	if ask, short := l.Reprice(now); short {
		p.line(&l.call, now)
		l.caps()
		if r := l.mayNot(l.Restricted(l.line.Settings, l.line.Zone, now)); r != nil {
			p.end(l, engine.End{By: call.System, Reason: r.Reason, Status: 503, At: now}, now)
			return
		}
		if refused, room := engine.HoldAll(l.holds[:l.n], ask.Amount()); refused != nil {
			p.end(l, engine.End{By: call.System, Reason: refused.Refusal(room, ask.Least()).Reason, Status: 503, At: now}, now)
			return
		}
		if p.o.Facts != nil {
			p.held(l, &ask, now)
		}
		l.Take(&ask)
		p.holds(l, now)
	}
	p.line(&l.call, now)
	if r := l.Restricted(l.line.Settings, l.line.Zone, now); r != nil { // it came while the call rang
		p.end(l, engine.End{By: call.System, Reason: r.Reason, Status: 503, At: now}, now)
		return
	}
	p.answer(l, now)
}

// answer begins the talk.
func (p *Player) answer(l *live, now time.Time) {
	l.hangup = now.Add(l.call.Wants)
	if err := l.Answered("", call.Anchor{}, nil); err != nil {
		panic(err) // it has just begun
	}
	if p.o.Facts != nil {
		p.tell(&l.call, l.AnsweredBy())
	}
	step, _ := l.Heard(now, p.o.Terms)
	p.plan(l, step.Wake)
}

// plan looks at a call again when it wants something, or hangs up.
func (p *Player) plan(l *live, wake time.Time) {
	if l.hangup.Before(wake) {
		wake = l.hangup
	}
	p.queue.push(due{wake.UnixNano(), l})
}

// event is what happens to a call at the instant for which it was planned.
func (p *Player) event(d due) {
	l := d.call
	now := l.call.At.Add(time.Duration(d.at - l.call.At.UnixNano()))
	if l.Open.State == call.Setup {
		p.pickUp(l, now)
		return
	}
	if !now.Before(l.hangup) {
		p.end(l, engine.End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: now}, now)
		return
	}
	p.line(&l.call, now)
	p.foresee(l, l.Open.Held, now)
	restricted := l.Restricted(l.line.Settings, l.line.Zone, now)
	step, closed := l.Closed(restricted, now, p.o.Terms)
	if !closed {
		step = l.Look(now, p.o.Terms)
	}
	if step.Buy {
		step = p.buy(l, restricted, now)
	}
	if step.Cut {
		p.cut(l, &step, now)
		return
	}
	p.plan(l, step.Wake)
}

// cut ends a call that the engine says is to end.
func (p *Player) cut(l *live, step *engine.Step, now time.Time) {
	if p.o.Facts != nil {
		p.tell(&l.call, step.Facts...)
	}
	status := 200
	if l.Open.State == call.Setup {
		l.rings(false)
		status = step.Why.SIPStatus()
	}
	p.end(l, engine.End{By: call.System, Reason: step.Why, Status: status, At: now}, now)
}

// caps puts the caps of the moment on a call's holds.
func (l *live) caps() {
	for i := range l.holds[:l.n] {
		l.holds[i].Cap = engine.Cap(l.line.Settings, l.holds[i].Kind)
	}
}

// mayNot says why no more money may be held for a call, which restricted refuses; nil: nothing does.
func (l *live) mayNot(restricted *engine.Refusal) *engine.Refusal {
	if l.line.broke {
		return &engine.Refusal{Reason: policy.CutLocked}
	}
	return restricted
}

// buy holds the next slice.
func (p *Player) buy(l *live, restricted *engine.Refusal, now time.Time) engine.Step {
	l.caps()
	if r := l.mayNot(restricted); r != nil {
		return l.NoMore(r.Reason, r.Figures, now, p.o.Terms)
	}
	for ask := l.Next(now, p.o.Terms); ; {
		refused, room := engine.HoldAll(l.holds[:l.n], ask.Amount())
		if refused == nil {
			if p.o.Facts != nil {
				p.held(l, &ask, now)
			}
			step := l.Bought(&ask, now, p.o.Terms)
			p.holds(l, now)
			return step
		}
		switch ask.Refused(room) {
		case engine.NoRoom:
			r := refused.Refusal(room, ask.Least())
			return l.NoMore(r.Reason, r.Figures, now, p.o.Terms)
		case engine.Unsure:
			return l.Later(false, now)
		}
	}
}

func (p *Player) end(l *live, e engine.End, now time.Time) {
	why := l.Call.Ended(e, now)
	bill := l.Bill(nil, p.o.Terms, nil)
	if p.o.Facts != nil {
		r := l.Record(&bill)
		if p.o.Record != nil {
			p.o.Record(p.worker, &l.call, &l.Open, &r)
		}
		p.tell(&l.call, engine.Settled(&r)...)
	}
	for i := range l.holds[:l.n] {
		l.holds[i].Purse.Settle(l.Open.Held, bill.Retail)
	}
	p.uncount(l)
	p.result = Result{Call: l.call, Beyond: p.beyond, Reason: why, Ended: now, Talk: bill.Talk, Cost: bill.Retail, Name: l.Open.Quote.Price.Name}
	if why != policy.Hangup && !l.call.Unanswered && !l.call.Inbound {
		p.result.Saved = max(l.Open.Quote.Cost(l.call.Wants)-bill.Retail, 0)
	}
	if l.would != "" {
		p.result.Would, p.result.Spares = l.would, max(bill.Retail-l.paid, 0)
	}
	if why == policy.CutRestricted {
		p.result.Finding, p.result.Until = l.line.finding(l.Dest, &l.Open.Quote.Price, l.From, now)
	}
	p.signed()
	if l.call.Inbound {
		p.rang(l, bill.Talk, now)
	} else {
		p.ended(l, bill.Talk, bill.Retail, now)
	}
	p.o.Done(p.worker, &p.result)
	p.give(l)
}

func (p *Player) refused(c *Call, r *engine.Refusal) {
	if p.o.Facts != nil {
		settings, first := p.seen.Of(p.subject.Settings, c.At)
		p.subject.Spell([]byte(c.ID))
		p.tell(c, append([]fact.Row{p.subject.Refused(r, settings)}, first...)...)
	}
	p.result = Result{Call: *c, Refused: true, Reason: r.Reason, Ended: c.At}
	if s := &p.subject; s.Priced {
		if p.result.Name = s.Quote.Price.Name; !c.Unanswered && !c.Inbound {
			s.Quote.Start = c.At.Add(c.Rings)
			p.result.Saved = s.Quote.Cost(c.Wants)
		}
	}
	switch r.Reason {
	case policy.DestinationClosed, policy.LoginClosed, policy.TooManyRestricted:
		p.result.Finding, p.result.Until = p.current.finding(p.subject.Dest, &p.subject.Quote.Price, p.subject.From, c.At)
	}
	p.signed()
	p.tried(c, &p.subject, r)
	p.o.Done(p.worker, &p.result)
}

func (p *Player) take() *live {
	last := len(p.free) - 1
	if last < 0 {
		return &live{}
	}
	l := p.free[last]
	p.free = p.free[:last]
	return l
}

func (p *Player) give(l *live) {
	l.abroad, l.n, l.Call, l.would = false, 0, engine.Call{}, ""
	p.free = append(p.free, l)
}

// Run plays calls that come in the order of time, the accounts spread over workers, and returns when the last has ended. What is
// said of a call does not depend on how many workers there are. With several options each call is played under each of them; they
// must agree on which account a line is of. No call is kept.
func Run(workers int, calls iter.Seq[*Call], under ...Options) {
	back := make(chan []Call, 4*workers)
	d := &dealer{under: slices.Clone(under), back: back, slots: map[string]int{}, accounts: map[string]int{}}
	for i := range d.under {
		if d.under[i].Habits != nil {
			d.under[i].World, d.watches = &habit.World{}, true
		}
	}
	var wg sync.WaitGroup
	for i := range workers {
		w := &worker{dealer: d, dealt: make(chan batch, 4), back: back}
		for _, o := range d.under {
			p := New(o)
			p.worker = i
			w.players = append(w.players, p)
		}
		d.workers = append(d.workers, w)
		wg.Go(w.work)
	}
	d.deal(calls)
	wg.Wait()
}

// batch is what a worker is dealt: calls, and then perhaps a full hour.
type batch struct {
	calls []Call
	hour  *fullHour // nil: it is not over
}

// fullHour is an instant at which workers wait for each other. The last one to come has the worlds learn, so that the dealer goes on dealing meanwhile.
type fullHour struct {
	at     time.Time
	away   atomic.Int32 // workers that have not come to it
	turned chan struct{}
}

type worker struct {
	dealer  *dealer
	players []*Player
	dealt   chan batch
	back    chan<- []Call
	next    []Call // not dealt yet
}

func (w *worker) work() {
	for b := range w.dealt {
		for _, p := range w.players {
			for calls := range slices.Chunk(b.calls, ahead) {
				p.fetch(calls)
				for i := range calls {
					p.Play(&calls[i])
				}
			}
			if b.hour != nil {
				p.Until(b.hour.at.Add(-1))
			}
		}
		if b.hour != nil {
			w.wait(b.hour)
		}
		select {
		case w.back <- b.calls:
		default:
		}
	}
	for _, p := range w.players {
		p.End()
	}
}

// wait returns when all workers have come to an hour and the worlds have learnt.
func (w *worker) wait(h *fullHour) {
	if h.away.Add(-1) == 0 {
		w.dealer.learn(uint16(h.at.Unix() / (24 * 60 * 60)))
		close(h.turned)
		return
	}
	<-h.turned
}

// batchSize is how many calls are handed to a worker in one batch: few enough to keep workers level, enough to cost nothing.
const batchSize = 256

// dealer hands each call to the worker of its account.
type dealer struct {
	under    []Options
	workers  []*worker
	back     <-chan []Call  // of batches that were played
	slots    map[string]int // of lines, for calls without
	seats    []int          // the worker by slot, from 1 on; 0: the line has not come up
	accounts map[string]int // the worker of each account
	watches  bool           // worlds are turned
	hour     time.Time      // the last full hour at which they were
}

func (d *dealer) deal(calls iter.Seq[*Call]) {
	for c := range calls {
		if d.watches {
			d.turn(c.At)
		}
		if c.Slot == 0 {
			d.number(c)
		}
		for c.Slot >= len(d.seats) {
			d.seats = append(d.seats, 0)
		}
		if d.seats[c.Slot] == 0 {
			d.seats[c.Slot] = d.meet(c) + 1
		}
		w := d.workers[d.seats[c.Slot]-1]
		if w.next = append(w.next, *c); len(w.next) == batchSize {
			d.give(w, batch{})
		}
	}
	for _, w := range d.workers {
		d.give(w, batch{})
		close(w.dealt)
	}
}

// give hands a worker the calls that wait for it.
func (d *dealer) give(w *worker, b batch) {
	b.calls = w.next
	w.dealt <- b
	w.next = d.batch()
}

// longestGap is how many hours without calls are turned one by one.
const longestGap = 48

// turn brings all workers to each full hour before an instant, and has the worlds learn what was noted. So what is said of a call depends neither on how
// many workers there are nor on how fast they are.
func (d *dealer) turn(now time.Time) {
	if d.hour.IsZero() {
		d.hour = now.Truncate(time.Hour)
	}
	if now.Sub(d.hour) > longestGap*time.Hour {
		d.hour = now.Truncate(time.Hour).Add(-longestGap * time.Hour)
	}
	for now.Sub(d.hour) >= time.Hour {
		d.hour = d.hour.Add(time.Hour)
		h := &fullHour{at: d.hour, turned: make(chan struct{})}
		h.away.Store(int32(len(d.workers)))
		for _, w := range d.workers {
			d.give(w, batch{hour: h})
		}
	}
}

// learn turns the worlds of all sets, while no worker plays.
func (d *dealer) learn(day uint16) {
	for i := range d.under {
		if d.under[i].World == nil {
			continue
		}
		var notes []*habit.Notes
		for _, w := range d.workers {
			notes = append(notes, w.players[i].habits.state.Notes)
		}
		d.under[i].World.Turn(day, notes...)
	}
}

func (d *dealer) batch() []Call {
	select {
	case b := <-d.back:
		return b[:0]
	default:
		return make([]Call, 0, batchSize)
	}
}

// number gives a call the slot of its line.
func (d *dealer) number(c *Call) {
	if c.Slot = d.slots[c.Line]; c.Slot == 0 {
		c.Slot = len(d.slots) + 1
		d.slots[c.Line] = c.Slot
	}
}

// meet gives a line that comes up for the first time to the worker of its account.
func (d *dealer) meet(c *Call) (worker int) {
	for i := range d.under {
		if d.under[i].Meet != nil {
			d.under[i].Meet(c)
		}
	}
	ln, _ := d.under[0].Rules.Line(c.Line, c.At)
	worker, known := d.accounts[ln.Account]
	if !known {
		worker = len(d.accounts) % len(d.workers)
		d.accounts[ln.Account] = worker
	}
	return worker
}
