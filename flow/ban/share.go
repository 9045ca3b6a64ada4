package ban

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"ringfence/core/netlist"
	"ringfence/state/counters"
)

// value is what nodes tell each other of a ban, beside its network and end.
type value struct {
	By   string    `json:"by"`
	Why  string    `json:"why,omitempty"`
	Made time.Time `json:"made"`
}

// mark is what is shared with other nodes about a network; feeds' bans are not: each node reads its own feeds.
func (l *List) mark(key string) (counters.Mark, bool) {
	p, err := netip.ParsePrefix(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.table.entries[p]
	if err != nil || h == nil || h.shared() == nil {
		return counters.Mark{}, false
	}
	c := h.shared()
	raw, _ := json.Marshal(value{c.By, c.Why, c.Made.Round(0).UTC()})
	return counters.Mark{Key: key, Until: c.Until, Value: raw}, true
}

// heard takes a change by any node, our own included.
func (l *List) heard(c counters.Change) {
	now := time.Now()
	if !c.Dropped {
		if e, ok := l.fromMark(c.Mark); ok && l.wanted(e) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.hear(e, now)
		}
		return
	}
	p, err := netip.ParsePrefix(c.Key)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	newer, _ := l.marks.Waiting(c.Key) // banned here again, and not told yet
	if h := l.table.entries[p]; h != nil && !newer {
		l.lift(h, func(Entry) bool { return true }, now)
		l.dirty[p] = struct{}{}
	}
}

// fromMark reads what another node told. What makes no sense is left out: an engine may be shared with others.
func (l *List) fromMark(m counters.Mark) (Entry, bool) {
	p, err := netip.ParsePrefix(m.Key)
	if err != nil {
		return Entry{}, false
	}
	normal, _, err := netlist.Normal(p)
	var v value
	if err != nil || normal != p || json.Unmarshal(m.Value, &v) != nil || l.neverHas(p).IsValid() {
		return Entry{}, false
	}
	e := Entry{Net: p, Until: m.Until, Made: v.Made, By: netlist.Clean(v.By), Why: netlist.Clean(v.Why)}
	return e, e.By != "" && classOf(e.By) != feed
}

// wanted says whether another node's ban is to hold here too: an automatic one does not if somebody is in there whom this
// node knows and the other did not.
func (l *List) wanted(e Entry) bool {
	if classOf(e.By) != auto {
		return true
	}
	s := l.exempt(e.Net)
	if s != nil {
		l.log.Info("another node's automatic ban does not hold here", "net", netlist.Show(e.Net), "address", s.Addr.String(), "exempt", s.Why, "why", e.Why)
	}
	return s == nil
}

// hear takes another node's ban, which that node writes to the store. The caller holds mu.
func (l *List) hear(e Entry, now time.Time) {
	if !e.Until.After(now) {
		return
	}
	if d := e.Until.Sub(now); d > Longest {
		e.Until = now.Add(Longest)
	}
	h := l.table.entries[e.Net]
	if h != nil {
		if old := h.claim(e.By); old != nil && e.Until.Sub(old.Until) < time.Second {
			return
		}
	}
	if classOf(e.By) == manual && (h == nil || h.class != manual) && len(l.table.queues[manual]) >= l.o.Max {
		return
	}
	if _, lifting := l.marks.Waiting(e.Net.String()); !lifting {
		l.hold(e, now)
	}
}

// resync reads everything afresh: what other nodes ban is taken over, what they lifted meanwhile goes (it is neither among
// the marks nor in the store), and what they do not know of is told again. Changes wait until it is done.
func (l *List) resync(ctx context.Context) error {
	err := l.write.Alone(func() error { return l.resyncAlone(ctx) }) // what is in the table is either dirty or in the store
	if err != nil {
		l.log.Debug("bans of other nodes cannot be read yet", "error", err)
	}
	return err
}

func (l *List) resyncAlone(ctx context.Context) error {
	now := time.Now()
	marks, err := l.o.Counters.Marks(ctx, Table, now)
	if err != nil {
		return err
	}
	var rows []Entry
	stored := map[netip.Prefix]struct{}{}
	err = l.o.Store.Bans(ctx, func(e Entry) error {
		stored[e.Net] = struct{}{}
		rows = append(rows, e)
		return nil
	})
	if err != nil {
		return err
	}
	told, marked := l.fromMarks(marks)
	rows = slices.DeleteFunc(rows, func(e Entry) bool { return l.holds(e.Net) || !l.wanted(e) })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.merge(told, rows, now)
	for p, h := range l.table.entries {
		if h.shared() == nil {
			continue
		}
		_, isMarked := marked[p]
		_, isStored := stored[p]
		_, isNew := l.dirty[p]
		switch {
		case isMarked:
		case isStored || isNew:
			l.marks.Put(counters.Mark{Key: p.String()})
		default:
			l.withdraw(h, func(e Entry) bool { return classOf(e.By) != feed }, h.top.Until, now)
		}
	}
	return nil
}

// fromMarks reads marks: those to hold here, and the networks of all of them.
func (l *List) fromMarks(marks []counters.Mark) (told []Entry, marked map[netip.Prefix]struct{}) {
	marked = make(map[netip.Prefix]struct{}, len(marks))
	for _, m := range marks {
		if e, ok := l.fromMark(m); ok {
			marked[e.Net] = struct{}{}
			if l.wanted(e) {
				told = append(told, e)
			}
		}
	}
	return told, marked
}

func (l *List) holds(p netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.entries[p] != nil
}

// merge takes what other nodes told and stored into the table. The caller holds mu.
func (l *List) merge(told, rows []Entry, now time.Time) {
	for _, e := range told {
		l.hear(e, now)
	}
	for _, e := range rows {
		if l.table.entries[e.Net] == nil && classOf(e.By) != feed {
			if _, gone := l.dirty[e.Net]; !gone { // lifted here, and not yet written
				l.load(e, now)
			}
		}
	}
}
