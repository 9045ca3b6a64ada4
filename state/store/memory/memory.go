// Package memory is the ledger's store without a disk: for measurements, test systems and the simulator. It keeps the
// contract of store.Money but forgets everything at the end, and of facts and records only the last Ring. It must not
// know rules.
package memory

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/state/store"
)

// Ring is how many facts, and how many records, are kept: about 25 MB when both are full. The id of a forgotten
// record is forgotten with it, so that a settlement repeated after that many others is Missing, not Duplicate.
const Ring = 1 << 14

// Engine keeps money in maps. Safe for concurrent use.
type Engine struct {
	mu     sync.Mutex // owns all below
	purses map[string]*balance
	open   map[call.ID]*open
	spare  []*open              // of calls that have ended: the next ones take no memory
	leases map[string]time.Time // by node
	facts  ring[*store.Fact]
	keys   map[string]bool // of facts
	cdrs   ring[*call.CDR]
	done   map[call.ID]*call.CDR
	newest call.ID // of all that were ever in done: ids sort by time, so a call that begins is beyond it, and no look-up is needed
	closed bool
}

type balance struct{ spent, held money.Micro }

// open is an open call with its purses at hand.
type open struct {
	call.Open
	purses []*balance
	heard  map[string][]byte // by node
}

// New makes an empty engine.
func New() *Engine {
	return &Engine{
		keys:   map[string]bool{},
		purses: map[string]*balance{}, open: map[call.ID]*open{}, leases: map[string]time.Time{}, done: map[call.ID]*call.CDR{},
	}
}

var errClosed = errors.New("the store is closed")

// Apply runs a group under one lock.
func (e *Engine) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	for i := range ops {
		if why := e.check(ops, i); why != "" {
			return nil, &store.OpError{Index: i, Why: why}
		}
	}
	outs := make([]store.Outcome, len(ops))
	for i := range ops {
		outs[i] = e.one(&ops[i])
		if outs[i] != (store.Outcome{}) {
			continue
		}
		for j := range ops[i].Facts {
			f := &ops[i].Facts[j]
			if f.Key != "" && e.keys[store.Clean(f.Key)] {
				outs[i].Repeated++
				continue
			}
			if old := e.facts.add(f); len(e.keys) > 0 && old != nil && old.Key != "" { // its key may be forgotten with it
				delete(e.keys, store.Clean(old.Key))
			}
			if f.Key != "" {
				e.keys[store.Clean(f.Key)] = true
			}
		}
	}
	return outs, nil
}

// check finds what is wrong with an op before anything of the group is done.
func (e *Engine) check(ops []store.Op, i int) string {
	op := &ops[i]
	if why := op.Check(); why != "" || op.Kind != store.OpExtend {
		return why
	}
	purses, found := e.pursesOf(ops[:i], op.ID)
	if c := e.open[op.ID]; found && !op.HoldsOf(purses) && (c == nil || !op.Repeats(c.Held, c.PaidFor)) {
		return "the holds are not the purses of the call"
	}
	return ""
}

// pursesOf are those of an open call, or of one that the group opens.
func (e *Engine) pursesOf(before []store.Op, id call.ID) ([]string, bool) {
	if c := e.open[id]; c != nil {
		return c.Purses, true
	}
	for i := range before {
		if before[i].Kind == store.OpOpen && before[i].ID == id && e.done[id] == nil {
			return purses(nil, before[i].Holds), true
		}
	}
	return nil, false
}

// purses are the ids of holds, in the room of others.
func purses(room []string, holds []store.Hold) []string {
	room = room[:0]
	for _, h := range holds {
		room = append(room, h.Purse)
	}
	return room
}

// take needs mu.
func (e *Engine) take() *open {
	last := len(e.spare) - 1
	if last < 0 {
		return &open{}
	}
	c := e.spare[last]
	e.spare = e.spare[:last]
	return c
}

func (e *Engine) one(op *store.Op) store.Outcome {
	switch op.Kind {
	case store.OpOpen:
		if e.open[op.ID] != nil || op.ID <= e.newest && e.done[op.ID] != nil {
			return store.Outcome{Duplicate: true}
		}
		c := e.take()
		c.purses = e.pursesFor(c.purses, op.Holds)
		if out := hold(op, c.purses); out.Refused {
			e.spare = append(e.spare, c)
			return out
		}
		ids := c.Purses
		c.Open = *op.Call
		c.Held, c.Purses, c.Lease = op.Amount, purses(ids, op.Holds), time.Now().Add(op.Lease)
		e.open[op.ID] = c
	case store.OpExtend:
		return e.extend(op)
	case store.OpUpdate:
		c := e.open[op.ID]
		if c == nil {
			return store.Outcome{Missing: true}
		}
		if op.Elsewhere(store.Clean(c.Node)) {
			return store.Outcome{Moved: true}
		}
		u := op.Call
		c.State, c.Trunk, c.BLeg, c.Cost, c.Ringing, c.AnsweredAt = u.State, u.Trunk, u.BLeg, u.Cost, u.Ringing, u.AnsweredAt
		c.Anchor, c.End, c.Unproven = u.Anchor, u.End, u.Unproven
		if len(u.Snapshot) > 0 {
			c.Snapshot = u.Snapshot
		}
	case store.OpSettle:
		return e.settle(op)
	case store.OpRecord:
		if op.CDR != nil && e.done[op.ID] != nil {
			return store.Outcome{Duplicate: true}
		}
		if op.CDR != nil {
			e.record(op.CDR)
		}
	}
	return store.Outcome{}
}

func (e *Engine) extend(op *store.Op) store.Outcome {
	c := e.open[op.ID]
	if c == nil {
		return store.Outcome{Missing: true}
	}
	if op.Elsewhere(store.Clean(c.Node)) {
		return store.Outcome{Moved: true}
	}
	if op.Repeats(c.Held, c.PaidFor) {
		return store.Outcome{Duplicate: true}
	}
	out := hold(op, e.pursesFor(nil, op.Holds))
	if !out.Refused {
		c.Held, c.PaidFor, c.Lease = c.Held.Add(op.Amount), op.Call.PaidFor, time.Now().Add(op.Lease)
	}
	return out
}

// pursesFor are the balances of holds, in their order and in the room of others.
func (e *Engine) pursesFor(room []*balance, holds []store.Hold) []*balance {
	room = room[:0]
	for _, h := range holds {
		b := e.purses[h.Purse]
		if b == nil {
			b = &balance{}
			e.purses[h.Purse] = b
		}
		room = append(room, b)
	}
	return room
}

// hold takes the amount from every purse, or from none.
func hold(op *store.Op, purses []*balance) store.Outcome {
	out := store.Outcome{Room: money.Max}
	for i, h := range op.Holds {
		in := purses[i].spent + purses[i].held // never more than some cap
		room := store.Room(h.Cap, in)
		out.Room = min(out.Room, room)
		if !out.Refused && (in > h.Cap || op.Amount > room) {
			out.Refused, out.Purse = true, h.Purse
		}
	}
	if out.Refused {
		return out
	}
	for _, b := range purses {
		b.held += op.Amount
	}
	return store.Outcome{}
}

func (e *Engine) settle(op *store.Op) store.Outcome {
	c := e.open[op.ID]
	switch {
	case c == nil && e.done[op.ID] != nil:
		return store.Outcome{Duplicate: true}
	case c == nil:
		return store.Outcome{Missing: true}
	case op.Elsewhere(store.Clean(c.Node)):
		return store.Outcome{Moved: true}
	case op.CDR.Retail > c.Held:
		return store.Outcome{Overspend: true}
	}
	for _, b := range c.purses {
		b.held -= c.Held
		b.spent += op.CDR.Retail
	}
	delete(e.open, op.ID)
	c.Snapshot, c.heard = nil, nil
	e.spare = append(e.spare, c)
	e.record(op.CDR)
	return store.Outcome{}
}

// record keeps a record, in the place of the oldest when there are too many.
func (e *Engine) record(c *call.CDR) {
	e.done[c.ID], e.newest = c, max(e.newest, c.ID)
	if old := e.cdrs.add(c); old != nil {
		delete(e.done, old.ID)
	}
}

// Purses reads balances in the order of ids.
func (e *Engine) Purses(_ context.Context, ids []string) ([]store.Purse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]store.Purse, len(ids))
	for i, id := range ids {
		out[i] = store.Purse{ID: id}
		if b := e.purses[id]; b != nil {
			out[i].Spent, out[i].Held = b.spent, b.held
		}
	}
	return out, nil
}

// OpenCalls reads the calls in progress of a node, or of all, by id.
func (e *Engine) OpenCalls(_ context.Context, node string) ([]call.Open, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls(func(c *call.Open) bool { return node == "" || c.Node == node }), nil
}

// calls needs mu. It gives copies in the order of ids.
func (e *Engine) calls(which func(*call.Open) bool) []call.Open {
	var out []call.Open
	for _, c := range e.open {
		if which(&c.Open) {
			x := plainCall(&c.Open)
			x.Lease = plainTime(e.lease(&c.Open))
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b call.Open) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// lease needs mu: the later of the call's own and its node's.
func (e *Engine) lease(c *call.Open) time.Time {
	if n := e.leases[c.Node]; n.After(c.Lease) {
		return n
	}
	return c.Lease
}

// Clock is this process's own.
func (e *Engine) Clock(context.Context) (time.Time, error) { return time.Now(), nil }

// Claim takes over calls whose lease has ended.
func (e *Engine) Claim(_ context.Context, node string, lease time.Duration) ([]call.Open, error) {
	now := time.Now()
	which := func(c *call.Open) bool { return store.Clean(c.Node) != node && e.lease(c).Before(now) }
	return e.claim(node, now.Add(lease), which, func(*call.Open) bool { return false }), nil
}

// Take takes over calls by their id or the Call-ID of a leg.
func (e *Engine) Take(_ context.Context, node string, lease time.Duration, id call.ID, leg string, ending bool) ([]call.Open, error) {
	leg = store.Clean(leg)
	now := time.Now()
	return e.claim(node, now.Add(lease), func(c *call.Open) bool {
		is := c.ID == id || leg != "" && (store.Clean(c.ALeg) == leg || store.Clean(c.BLeg) == leg)
		return is && store.Clean(c.Node) != node
	}, func(c *call.Open) bool { return !ending && c.State == call.Ending && !e.lease(c).Before(now) }), nil
}

func (e *Engine) claim(node string, until time.Time, which, stays func(*call.Open) bool) []call.Open {
	e.mu.Lock()
	defer e.mu.Unlock()
	got := map[call.ID]bool{}
	for _, c := range e.open {
		switch {
		case !which(&c.Open):
		case stays(&c.Open):
			got[c.ID] = true
		default:
			c.Node, c.Lease, got[c.ID] = node, until, true
		}
	}
	out := e.calls(func(c *call.Open) bool { return got[c.ID] })
	for i := range out {
		out[i].Lease = plainTime(e.open[out[i].ID].Lease) // its own, not the node's
	}
	return out
}

// Hear keeps and gives what nodes have heard of a call.
func (e *Engine) Hear(_ context.Context, node string, id call.ID, heard []byte) (all [][]byte, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.open[id]
	if c == nil {
		return nil, nil
	}
	if heard != nil {
		if c.heard == nil {
			c.heard = map[string][]byte{}
		}
		c.heard[store.Clean(node)] = plainBytes(heard)
	}
	for _, node := range slices.Sorted(maps.Keys(c.heard)) {
		all = append(all, plainBytes(c.heard[node]))
	}
	return all, nil
}

// Renew sets the lease of a node's calls.
func (e *Engine) Renew(_ context.Context, node string, lease time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.leases[node] = time.Now().Add(lease)
	return nil
}

// CDRs reads the records that are still kept, newest first.
func (e *Engine) CDRs(_ context.Context, f store.CDRFilter) ([]call.CDR, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []call.CDR
	for _, c := range e.done {
		if plain := plainCDR(c); f.Matches(&plain) {
			out = append(out, plain)
		}
	}
	slices.SortFunc(out, func(a, b call.CDR) int { return cmp.Compare(b.ID, a.ID) })
	return out[:min(len(out), orElse(f.Limit, 100))], nil
}

// Sums sums up records that are still kept.
func (e *Engine) Sums(ctx context.Context, f store.CDRFilter, by store.SumBy) ([]store.CDRSum, error) {
	f.Limit = orElse(f.Limit, math.MaxInt)
	all, err := e.CDRs(ctx, f)
	return store.SumUp(all, by), err
}

func orElse(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}

// CDR reads one record, or ErrNotFound.
func (e *Engine) CDR(_ context.Context, id call.ID) (call.CDR, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.done[id]; c != nil {
		return plainCDR(c), nil
	}
	return call.CDR{}, store.ErrNotFound
}

// Facts reads what is still kept of the journal.
func (e *Engine) Facts(_ context.Context, f store.FactFilter) ([]store.Fact, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	limit := orElse(f.Limit, 1000)
	kind := store.Clean(f.Kind)
	var out []store.Fact
	first, last := max(f.After, e.facts.n-int64(len(e.facts.all)))+1, e.facts.n
	if f.Before > 0 {
		last = min(last, f.Before-1)
	}
	for i := int64(0); first+i <= last && len(out) < limit; i++ {
		seq := first + i
		if f.Before > 0 {
			seq = last - i
		}
		kept := *e.facts.at(seq)
		kept.Encode()
		x := plainFact(*kept)
		x.Seq = seq
		if (f.Line == "" || x.Line == f.Line) && (f.Loose == "" || x.Line == "" && x.Account == f.Loose) && (f.Past == "" || x.Account == f.Past && slices.Contains(fact.History[:], x.Kind)) && (f.Call == "" || x.Call == f.Call) && (len(f.Calls) == 0 || slices.Contains(f.Calls, x.Call)) && strings.HasPrefix(x.Kind, kind) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, x.Kind)) &&
			(f.From.IsZero() || !x.At.Before(plainTime(f.From))) && (f.Until.IsZero() || x.At.Before(plainTime(f.Until))) {
			out = append(out, x)
		}
	}
	return out, nil
}

// Check proves that every purse holds what the open calls say.
func (e *Engine) Check(context.Context) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	held := map[string]money.Micro{}
	var faults []string
	for id, c := range e.open {
		for _, p := range c.Purses {
			held[p] += c.Held
		}
		if e.done[id] != nil {
			faults = append(faults, "call "+string(id)+" is open and has a record")
		}
	}
	for id, b := range e.purses {
		if b.spent < 0 || b.held != held[id] {
			faults = append(faults, store.PurseFault(store.Purse{ID: id, Spent: b.spent, Held: b.held}, held[id]))
		}
	}
	slices.Sort(faults)
	return faults, nil
}

// Ping has nothing that could be full.
func (e *Engine) Ping(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errClosed
	}
	return nil
}

// Close ends writing; what is there can still be read.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}
