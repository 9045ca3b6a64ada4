package exposure

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// Stage is the name of the cursor.
const Stage = "exposure"

// Follows are the kinds of fact after which a figure may be another: the only ones that are read.
var Follows = []string{
	fact.KindCustomerAdded, fact.KindCustomerChanged, fact.KindCustomerDeleted, fact.KindLineAdded, fact.KindLineChanged, fact.KindSettingChanged,
	fact.KindLineLocked, fact.KindLineUnlocked, fact.KindLineDeleted, fact.KindTrunkAdded, fact.KindTrunkChanged, fact.KindTrunkDeleted,
	fact.KindEverybodyChanged, fact.KindHotAdded, fact.KindHotRemoved, fact.KindHotImported, fact.KindDeckImported, fact.KindDeckDeleted,
}

const (
	eachStep = 100         // figures written at a time: a new price list gives every customer another
	settles  = time.Second // until a change that is in the journal is certainly in force here too
	farSteps = 3           // times as long, where another node may have made the change
	overTime = "time"      // why a figure is another: the time of the one before was over
	provider = "provider"  // or the configuration was read again
)

// FollowOptions of a Follower. Desk and Store are needed.
type FollowOptions struct {
	Desk  *Desk
	Store interface {
		store.Stages
		Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
	}
	Promise func() bool   // the provider pays what is above the figure; nil: never
	Every   time.Duration // how often the journal is looked at; 1 s
	Log     *slog.Logger
}

// Follower puts each new figure of a customer, and of everybody, in the journal. Let one goroutine Run it.
type Follower struct {
	o        FollowOptions
	follower journal.Follower

	mu     sync.Mutex // owns all below; the goroutine in Run alone writes, but for all
	cursor int64      // as it is stored
	loaded bool
	last   map[string]figure // by customer; "" is everybody
	due    map[string]cause  // customers whose figure is to be worked out again
	all    *cause            // all customers are
}

// figure is what was last written of a customer.
type figure struct {
	From      time.Time   `json:"from"`
	Until     time.Time   `json:"until,omitzero"`
	Retail    money.Micro `json:"retail"`
	Elsewhere money.Micro `json:"elsewhere"`
	Carrier   money.Micro `json:"carrier"`
	NoLimit   string      `json:"no_limit,omitempty"`
	MonthEnd  time.Time   `json:"month_end,omitzero"`
	Month     money.Micro `json:"month"`
	Promised  bool        `json:"promised,omitempty"`
}

// same says that two figures say the same of the same time.
func (f figure) same(x figure) bool {
	f.From, x.From = time.Time{}, time.Time{}
	f.Until, x.Until, f.MonthEnd, x.MonthEnd = f.Until.UTC(), x.Until.UTC(), f.MonthEnd.UTC(), x.MonthEnd.UTC()
	return f == x
}

// cause is why a figure is to be worked out again.
type cause struct {
	kind string
	key  string // the same on every node
	at   time.Time
}

// Follow makes a Follower. Nothing is read before Run.
func Follow(o FollowOptions) (*Follower, error) {
	if o.Desk == nil || o.Store == nil {
		return nil, errors.New("exposure: a desk and a store are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Every = cmp.Or(max(o.Every, 0), time.Second)
	x := &Follower{o: o, last: map[string]figure{}, due: map[string]cause{}}
	x.follower = journal.Follower{Name: Stage, Every: o.Every, Kinds: Follows, Read: o.Store.Facts, Begin: x.begin, Take: x.take, Log: o.Log}
	return x, nil
}

// Run follows the journal until ctx ends.
func (x *Follower) Run(ctx context.Context) { x.follower.Run(ctx) }

// Provider says that what stands above every customer has changed, which no fact says. It never blocks.
func (x *Follower) Provider() {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	x.all = &cause{provider, fmt.Sprint(provider, "/", now.UnixMicro()), now}
}

func (x *Follower) begin(ctx context.Context) (int64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.loaded {
		return x.cursor, nil
	}
	cursor, err := x.o.Store.Cursor(ctx, Stage)
	if err != nil {
		return 0, err
	}
	x.last = map[string]figure{}
	err = x.o.Store.Memories(ctx, Stage, "", func(m store.Memory) error {
		var f figure
		if json.Unmarshal(m.Body, &f) == nil { // what cannot be read is worked out again
			x.last[m.Subject[len(subject):]] = f
		}
		return nil
	})
	x.cursor, x.loaded = cursor, err == nil
	return cursor, err
}

// subject begins what figures are kept under.
const subject = "account/"

// take notes whose figures may have changed, and works some of them out. The cursor moves when none is left, so that after a restart none is
// forgotten.
func (x *Follower) take(ctx context.Context, at int64, facts []store.Fact, caughtUp bool) (int64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range facts {
		f := &facts[i]
		at = f.Seq
		c := cause{f.Kind, fmt.Sprint(f.Seq), f.At}
		switch fact.Noun(f.Kind) {
		case "trunk", "deck", "everybody", "hotlist":
			x.all = &c
		default:
			x.due[f.Account] = c
			for _, below := range x.o.Desk.o.Book.CustomersOf(f.Account, "", math.MaxInt) { // of a reseller
				x.due[below.ID] = c
			}
		}
	}
	if !caughtUp {
		return at, nil
	}
	now := time.Now()
	x.overdue(now)
	step, err := x.step(ctx, now)
	if err != nil {
		return at, err
	}
	step.From, step.To = x.cursor, x.cursor
	if len(x.due) == 0 && x.all == nil {
		step.To = at
	}
	if step.From == step.To && len(step.Facts) == 0 && len(step.Memory) == 0 {
		return at, nil
	}
	if _, err := x.o.Store.Advance(ctx, step); err != nil {
		x.loaded = false
		if errors.Is(err, store.ErrMoved) {
			return at, journal.ErrAgain
		}
		return at, fmt.Errorf("%w: %w", journal.ErrAgain, err)
	}
	x.cursor = step.To
	return at, nil
}

// overdue adds those whose last figure is of a time that is over, and everybody where that is due and the change is in force.
func (x *Follower) overdue(now time.Time) {
	if c := x.all; c != nil && x.settled(c, now) {
		x.all = nil
		for _, a := range x.o.Desk.o.Book.Customers("", math.MaxInt) {
			x.due[a.ID] = *c
		}
	}
	for id, f := range x.last {
		if _, due := x.due[id]; id != "" && !due && (!now.Before(f.Until) || !now.Before(f.MonthEnd)) {
			x.due[id] = cause{overTime, fmt.Sprint(overTime, "/", min(f.Until.Unix(), f.MonthEnd.Unix())), f.From}
		}
	}
}

// settled says that a change is in force on this node.
func (x *Follower) settled(c *cause, now time.Time) bool {
	wait := settles
	if x.o.Desk.o.Nodes {
		wait *= farSteps
	}
	return now.Sub(c.at) >= wait || now.Before(c.at)
}

// step works out some of the figures that are due.
func (x *Follower) step(ctx context.Context, now time.Time) (step store.Step, err error) {
	step.Stage = Stage
	n, done := (*reading)(nil), 0
	for _, id := range slices.Sorted(maps.Keys(x.due)) {
		c := x.due[id]
		if !x.settled(&c, now) {
			continue
		}
		if done++; done > eachStep {
			break
		}
		if n == nil {
			if n, err = x.o.Desk.look(ctx); err != nil {
				return step, err
			}
		}
		if err := x.one(ctx, n, id, &c, &step); err != nil {
			return step, err
		}
		delete(x.due, id)
	}
	if len(x.due) == 0 && done > 0 {
		x.everybody(now, &step)
	}
	return step, nil
}

// one works out the figure of a customer.
func (x *Follower) one(ctx context.Context, n *reading, id string, c *cause, step *store.Step) error {
	was, known := x.last[id]
	if _, there := x.o.Desk.o.Book.Customer(id); !there {
		if known {
			delete(x.last, id)
			step.Memory = append(step.Memory, store.Memory{Subject: subject + id})
		}
		return nil
	}
	tonight, err := x.o.Desk.share(ctx, n, id, Tonight)
	if err != nil {
		return err
	}
	month, err := x.o.Desk.share(ctx, n, id, Month)
	if err != nil {
		return err
	}
	f := figure{
		From: n.at, Until: tonight.Until, Retail: tonight.Retail, Elsewhere: tonight.Elsewhere, Carrier: tonight.Carrier, NoLimit: tonight.NoLimit,
		MonthEnd: month.Until, Month: month.Retail, Promised: x.o.Promise != nil && x.o.Promise(),
	}
	if known && f.same(was) {
		return nil
	}
	return x.write(id, f, c, step)
}

// write adds a figure to a step.
func (x *Follower) write(id string, f figure, c *cause, step *store.Step) error {
	body, err := json.Marshal(f)
	if err != nil {
		return err
	}
	x.last[id] = f
	step.Memory = append(step.Memory, store.Memory{Subject: subject + id, Body: body})
	said := fact.ExposureChanged{
		From: f.From, To: f.Until, Exposure: f.Retail, ByOthers: f.Elsewhere, ByCarriers: f.Carrier, NoLimit: f.NoLimit,
		MonthEnd: f.MonthEnd, InMonth: f.Month, Promised: f.Promised, Because: c.kind,
	}
	row := said.Row(f.From, fact.Subject{Account: id})
	row.Key = store.Short("exposure/" + id + "/" + c.key)
	step.Facts = append(step.Facts, row)
	return nil
}

// everybody writes the sum, once all customers' figures are there.
func (x *Follower) everybody(now time.Time, step *store.Step) {
	sum := figure{From: now}
	for _, id := range slices.Sorted(maps.Keys(x.last)) {
		f := x.last[id]
		if id == "" {
			continue
		}
		sum.Retail, sum.Elsewhere, sum.Carrier, sum.Month = sum.Retail.Add(f.Retail), sum.Elsewhere.Add(f.Elsewhere), sum.Carrier.Add(f.Carrier), sum.Month.Add(f.Month)
		sum.NoLimit, sum.Promised = cmp.Or(sum.NoLimit, f.NoLimit), sum.Promised || f.Promised
	}
	if was, known := x.last[""]; known && sum.same(was) {
		return
	}
	c := cause{kind: "sum", key: fmt.Sprint(now.UnixMicro())}
	if err := x.write("", sum, &c, step); err != nil {
		x.o.Log.Error("the figure of everybody cannot be written", "error", err)
	}
}
