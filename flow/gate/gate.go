// Package gate is the one path of a call: identify → decide → reserve → connect → meter → settle. Edges ask it and obey
// it. It must not know SIP, HTTP or SQL.
package gate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/ledger"
	"ringfence/state/counters/memory"
	"ringfence/state/store"
)

// What edges say and are told, in the engine's words.
type (
	Attempt = engine.Attempt
	Refusal = engine.Refusal
	End     = engine.End
	Leg     = engine.Leg
	Sent    = engine.Sent
)

// Plan is what an edge does with an allowed call.
type Plan struct {
	ID      call.ID
	Routes  []Route    // in the order to try; all phones of one Route ring together
	Present string     // E.164 digits to present as caller, "" for as received
	Network string     // E.164 digits of the line's own number, which carriers are told beside it; "" is none
	Hide    bool       // the caller's number is not shown to the called party, whatever the caller says
	Number  string     // the number called, E.164 with '+', or short
	Always  bool       // emergency
	Show    phone.Show // what was dialled about showing the caller's number
	Ask     *Confirm   // what a person must confirm before the call goes on; nil: nothing

	Called  string           // the line called, "" is none of ours:
	Own     bool             // the caller is a line of its customer,
	Forward account.Forwards // where its calls go that it does not take itself,
	Now     call.Cause       // and why this one goes there at once; "": its phones ring first
}

// Route is a way for a call to reach its destination: a trunk, or the registered phones of a line.
type Route struct {
	Trunk string
	User  string        // Request-URI user part for this trunk
	Line  string        // ring this line's phones instead,
	With  bool          // together with those of the route before,
	Rings time.Duration // and for so long before the next; 0 is until the call rings no more
}

// Recovered is a call of a previous process, or of a node that died, for the edge to carry on with or to hang up.
type Recovered struct {
	ID       call.ID
	State    call.State
	Snapshot []byte
	Begun    time.Time
	ALeg     string        // SIP Call-ID of the caller's leg
	Why      policy.Reason // why it ended; OK while it has not
	Moved    bool          // another node had it: both ends must learn where it is now
}

// Options say how a Gate works. Zero fields have the stated defaults.
type Options struct {
	Node   string
	Plan   *phone.Plan
	Book   *book.Book
	Ledger *ledger.Ledger
	// Registered says whether a line has a phone that can ring. Nil: every line has.
	Registered func(line string, now time.Time) bool
	// Routing says how trunks are chosen. Nil: by priority. It answers immediately.
	Routing func() policy.Routing
	// Full says that a trunk has as many calls as it may. Nil: none has.
	Full func(*account.Trunk) bool
	// Paid says why no call that may cost anything is taken at the moment; policy.OK: it may. Nil: always. It answers immediately.
	Paid func() policy.Reason
	// Block is what the regulator's table says of a number's block at an instant. Nil: nothing.
	Block func(phone.Number, time.Time) phone.Block
	Log   *slog.Logger
	Slice time.Duration // talk time held ahead at a time; default 60 s
	Ahead time.Duration // how long before it runs out the next slice is held; default 10 s
	Lease time.Duration // how long an open call stays this node's without renewal; default 60 s
	// Anchor fixes the present on clocks that outlive the process. Nil: only the wall clock does.
	Anchor func() call.Anchor
	// Lap is called when a stage of an admission is over: "rate", "decide", "hold". ctx is that of Admit. Nil: nothing is measured.
	Lap func(ctx context.Context, stage string)
	// WaiveLate: a call that was answered only while it was being given up costs its caller nothing.
	WaiveLate bool
	// Voice says that there is a voice here that asks callers to confirm a call. Nil: there is none.
	Voice func() bool
}

// Gate is the one path of a call. Safe for concurrent use.
type Gate struct {
	o      Options
	began  time.Time
	rules  engine.Rules
	counts *memory.Counters
	meter  meter
	limits limits
	seen   seen
	trust  trust

	calls      [callShards]callShard
	open       atomic.Int64
	stopping   atomic.Bool
	heeding    sync.Mutex       // held while locks are applied to calls
	doubt      atomic.Bool      // calls may have become this node's without its knowing
	reclaiming sync.Mutex       // owns unknown
	unknown    map[call.ID]bool // this node's in the store and not known here, when that was last looked for
	edge       Edge             // set before Start
	before     []Recovered      // calls of the previous process, until the edge asks
	money      store.Money      // for figures; set by Start
	stats      Stats
	ids        IDs
}

// seen are the settings that the journal was told.
type seen struct {
	mu sync.Mutex // owns the rest
	engine.Settings
}

const callShards = 64

type callShard struct {
	mu sync.Mutex
	m  map[call.ID]*live
}

// live is an open call in memory. mu owns every field that can change once the call is known.
type live struct {
	mu sync.Mutex
	engine.Call
	bought   chan struct{} // closed when the last extension has come back; nil: there was none
	missed   int           // how many audits in a row found no leg of it
	tight    string        // probation purse of its line and login, among whose calls it is counted; "" is none
	priced   *call.CDR     // its record, when only a phone has yet to confirm that it is over; nil before
	settling bool          // Over came
	legs     []Leg         // what the edge has said last of those of a call that ended
	shared   bool          // another process has had it: what that heard may be in the store
	moved    time.Time     // when it came from another node; zero: it did not
	left     []Leg         // what that node had stored of its legs, until it is kept beside what this one stores
	asked    *Confirm      // what its caller is asked; nil: nothing, or it has been answered
	counted  bool          // takes a place among the line's open calls
	abroad   bool          // and among its international ones
}

// New makes a gate; Start lets it meter.
func New(o Options) (*Gate, error) {
	if o.Plan == nil || o.Book == nil || o.Ledger == nil {
		return nil, errors.New("gate: a plan, a book and a ledger are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.Slice, 60*time.Second)
	setDefault(&o.Ahead, 10*time.Second)
	setDefault(&o.Lease, 60*time.Second)
	g := &Gate{o: o, began: clock(), rules: o.Book.Rules(), counts: memory.New(), limits: newLimits()}
	g.rules.Plan, g.rules.Block = o.Plan, o.Block
	for i := range g.calls {
		g.calls[i].m = map[call.ID]*live{}
	}
	g.meter.init()
	return g, nil
}

// terms are how calls are metered.
func (o *Options) terms() engine.Terms {
	return engine.Terms{Slice: o.Slice, Ahead: o.Ahead, WaiveLate: o.WaiveLate}
}

// clock is the one place where the gate reads the time: what decides is given it.
func clock() time.Time { return time.Now() }

func setDefault(d *time.Duration, to time.Duration) {
	if *d <= 0 {
		*d = to
	}
}

// Edge is what the gate tells an edge to do. All of it returns immediately.
type Edge struct {
	// Cut hangs up both legs of a call; Ended and Over follow. It is repeated until they do.
	Cut func(id call.ID, why policy.Reason, f policy.Figures)
	// TakeOver carries on with calls of a node that died, or that the edge should have and has not.
	TakeOver func(calls []Recovered)
	// Forget lets go of calls without a word on the wire: another node has them.
	Forget func(ids []call.ID)
	// Legs is what the dialogs of a call, as another node has stored them, say of its legs: of those that were answered. Nil: nothing.
	Legs func(snapshot []byte) []Leg
	// Audit gives back which of the calls it has no leg of, and hangs up what it has and known does not.
	Audit func(calls []call.ID, known func(call.ID) bool) (missing []call.ID)
}

// Serve says which edge carries the calls. Set it before Start; what is nil is not told.
func (g *Gate) Serve(e Edge) { g.edge = e }

// Start takes back the calls of the previous process. It returns once open calls are known. Nothing is metered before Run,
// because the edge must have taken a call back before it can be cut.
func (g *Gate) Start(ctx context.Context, m store.Money) error {
	g.money = m
	return g.recover(ctx, m)
}

// Run begins to meter. Call it when the edge has taken back its calls.
func (g *Gate) Run() { go g.runMeter() }

// Drain refuses new calls (but emergency ones) from now on; calls that are up go on.
func (g *Gate) Drain() { g.stopping.Store(true) }

// Stop ends the metering. Open calls stay as they are in the store, for the next start.
func (g *Gate) Stop() {
	g.Drain()
	g.meter.stop()
	g.closeLimits(clock())
}

func (g *Gate) shard(id call.ID) *callShard {
	// The last characters of an id are random.
	return &g.calls[(uint(id[len(id)-1])*31+uint(id[len(id)-2]))%callShards]
}

func (g *Gate) get(id call.ID) *live {
	if len(id) < 2 {
		return nil
	}
	s := g.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[id]
}

func (g *Gate) put(l *live) {
	s := g.shard(l.Open.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[l.Open.ID] = l
	g.open.Add(1)
}

// take removes a call: the one who gets it settles it, so that nothing is settled twice.
func (g *Gate) take(id call.ID) *live {
	if len(id) < 2 {
		return nil
	}
	s := g.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.m[id]
	if l != nil {
		delete(s.m, id)
		g.open.Add(-1)
	}
	return l
}

// Calls lists what is open on this node, oldest first.
func (g *Gate) Calls() []call.Open {
	all := g.list(func(*live) bool { return true })
	sortCalls(all)
	return all
}

// InProgress is a call of this node as people see it.
type InProgress struct {
	call.Open
	Cutting bool // asked to end
	Priced  bool // over, and nothing more is charged: a phone has yet to confirm its end
}

// Rate is what a minute costs.
func (c *InProgress) Rate() money.Rate {
	from := c.Begun
	if !c.AnsweredAt.IsZero() {
		from = c.AnsweredAt
	}
	return c.Quote.Price.Rates[c.Quote.Calendar.Band(from)]
}

// Talk is how long people have talked, by now.
func (c *InProgress) Talk(now time.Time) time.Duration {
	switch {
	case c.Priced || c.State == call.Ending:
		return c.End.Talk
	case c.State == call.Answered:
		return max(now.Sub(c.AnsweredAt), 0)
	}
	return 0
}

// SoFar is what it would cost if it ended now.
func (c *InProgress) SoFar(now time.Time) money.Micro {
	if talk := c.Talk(now); talk > 0 || c.State == call.Answered {
		return c.Quote.Cost(talk)
	}
	return 0
}

// InProgress lists the calls of this node, the oldest first.
func (g *Gate) InProgress() []InProgress {
	priced := map[call.ID]bool{}
	for _, r := range g.Records() {
		priced[r.ID] = true
	}
	var out []InProgress
	for _, c := range g.Calls() {
		out = append(out, InProgress{Open: c, Cutting: g.Cutting(c.ID), Priced: priced[c.ID]})
	}
	return out
}

// Others lists the open calls of other nodes on the same store, by this node's clock.
func (g *Gate) Others(ctx context.Context) ([]call.Open, error) {
	all, err := g.money.OpenCalls(ctx, "")
	others := all[:0]
	for _, c := range all {
		if c.Node != g.o.Node {
			c.ByOurClock(g.anchor(), clock())
			others = append(others, c)
		}
	}
	return others, err
}

// Running lists the answered calls of this node that may cost something, in no order.
func (g *Gate) Running() []call.Open {
	return g.list(func(l *live) bool { return l.Open.State == call.Answered && l.Costs })
}

// list copies the calls that are wanted, without their snapshots; want is called with the call locked.
func (g *Gate) list(want func(*live) bool) (all []call.Open) {
	for i := range g.calls {
		s := &g.calls[i]
		s.mu.Lock()
		for _, l := range s.m {
			l.mu.Lock()
			if want(l) {
				all = append(all, l.Open)
				c := &all[len(all)-1]
				if c.Snapshot = nil; !l.Since.IsZero() {
					c.AnsweredAt = l.Since // what the meter counts from, also when a clock was set while the call was up
				}
			}
			l.mu.Unlock()
		}
		s.mu.Unlock()
	}
	return all
}

// OpenCalls counts what is open on this node.
func (g *Gate) OpenCalls() int { return int(g.open.Load()) }
