package ban

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/netlist"
	"ringfence/state/counters"
	"ringfence/state/store"
)

// rows is a store of bans alone; any other use panics.
type rows struct {
	store.Stages
	mu    sync.Mutex
	bans  map[netip.Prefix]Entry
	facts []store.Fact
	down  error
	puts  int
}

func newRows() *rows { return &rows{bans: map[netip.Prefix]Entry{}} }

func (r *rows) Bans(_ context.Context, yield func(Entry) error) error {
	r.mu.Lock()
	list := slices.Collect(maps.Values(r.bans))
	r.mu.Unlock()
	for _, e := range list {
		e.Until = e.Until.Round(time.Microsecond)
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

func (r *rows) SaveBans(_ context.Context, put []Entry, drop []netip.Prefix, facts ...store.Fact) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down != nil {
		return r.down
	}
	r.puts += len(put)
	for _, e := range put {
		r.bans[e.Net] = e
	}
	for _, p := range drop {
		delete(r.bans, p)
	}
	r.facts = append(r.facts, facts...)
	return nil
}

func (r *rows) ClearBans(_ context.Context, before time.Time) (n int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.bans, func(_ netip.Prefix, e Entry) bool { return !e.Until.After(before) })
	return 0, nil
}

func (r *rows) setDown(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = err
}

// told are the facts of a kind, as their bodies.
func (r *rows) told(kind string) (list []map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.facts {
		if f.Kind == kind {
			m := map[string]any{}
			_ = json.Unmarshal(f.Body, &m)
			list = append(list, m)
		}
	}
	return list
}

func (r *rows) record(facts ...store.Fact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts = append(r.facts, facts...)
}

// dropper is what packets are dropped by; it keeps to the rules of Enforcer.
type dropper struct {
	mu   sync.Mutex
	nets map[netip.Prefix]time.Time
}

func (d *dropper) enforcer() Enforcer {
	d.nets = map[netip.Prefix]time.Time{}
	return Enforcer{
		Add: func(p netip.Prefix, for_ time.Duration) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if until := time.Now().Add(for_); until.After(d.nets[p]) {
				d.nets[p] = until
			}
		},
		Remove: func(p netip.Prefix) {
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.nets, p)
		},
	}
}

func (d *dropper) drops(addr string) bool {
	a := netip.MustParseAddr(addr)
	d.mu.Lock()
	defer d.mu.Unlock()
	for p, until := range d.nets {
		if p.Contains(a) && until.After(time.Now()) {
			return true
		}
	}
	return false
}

// hub is an engine that nodes share: the part of it that the list uses. Followers get changes in order.
type hub struct {
	counters.Counters
	mu    sync.Mutex
	marks map[string]counters.Mark
	subs  map[chan counters.Change]bool
	down  error
}

func newHub() *hub {
	return &hub{marks: map[string]counters.Mark{}, subs: map[chan counters.Change]bool{}}
}

func (h *hub) Put(_ context.Context, now time.Time, marks ...counters.Mark) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down != nil {
		return h.down
	}
	for _, m := range marks {
		if old, ok := h.marks[m.Key]; ok && old.Until.After(m.Until) {
			m.Until = old.Until
		}
		m.Until = m.Until.Round(time.Millisecond)
		h.marks[m.Key] = m
		h.send(counters.Change{Mark: m})
	}
	return nil
}

func (h *hub) Drop(_ context.Context, table string, keys ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down != nil {
		return h.down
	}
	for _, k := range keys {
		delete(h.marks, k)
		h.send(counters.Change{Mark: counters.Mark{Table: table, Key: k}, Dropped: true})
	}
	return nil
}

func (h *hub) Marks(_ context.Context, _ string, now time.Time) (list []counters.Mark, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.marks {
		if m.Until.After(now) {
			list = append(list, m)
		}
	}
	return list, h.down
}

func (h *hub) Follow(ctx context.Context, _ string, f func(counters.Change)) {
	ch := make(chan counters.Change, 10_000)
	h.mu.Lock()
	h.subs[ch] = true
	h.mu.Unlock()
	f(counters.Change{})
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-ch:
			f(c)
		}
	}
}

func (h *hub) send(c counters.Change) {
	for ch := range h.subs {
		ch <- c
	}
}

// cut loses all connections: nothing gets through, and changes are missed. mend calls the followers back.
func (h *hub) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = errors.New("gone")
}

func (h *hub) mend() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = nil
	h.send(counters.Change{})
}

// world is one node.
type world struct {
	*List
	t      *testing.T
	rows   *rows
	drop   *dropper
	mu     sync.Mutex // owns exempt; not the list's
	exempt map[string]string
	cancel context.CancelFunc
	done   chan struct{}
}

// node opens a list over rows and runs it; synctest ends it with the test.
func node(t *testing.T, r *rows, change ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, rows: r, drop: &dropper{}, exempt: map[string]string{}, done: make(chan struct{})}
	o := Options{
		Store: r, Enforce: []Enforcer{w.drop.enforcer()}, Record: r.record,
		Exempt: func(a netip.Addr) string {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.exempt[a.String()]
		},
		Inside: func(p netip.Prefix) (netip.Addr, string, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for s, why := range w.exempt {
				if a := netip.MustParseAddr(s); p.Contains(a) {
					return a, why, true
				}
			}
			return netip.Addr{}, "", false
		},
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	if w.List, err = Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	go func() { defer close(w.done); w.Run(ctx) }()
	t.Cleanup(w.stop)
	return w
}

func (w *world) stop() {
	w.cancel()
	<-w.done
	_ = w.Flush(context.Background())
}

// nets is what is in force, in one line.
func (w *world) nets(f Filter) string {
	list, _ := w.List.List(f, 0)
	var s []string
	for _, e := range list {
		s = append(s, netlist.Show(e.Net))
	}
	return strings.Join(s, " ")
}

func (w *world) add(net string, d time.Duration) {
	w.t.Helper()
	if _, err := w.Add(w.t.Context(), Request{Net: netip.MustParsePrefix(net), For: d, By: "anna", Why: "a test"}); err != nil {
		w.t.Fatal(err)
	}
}

// spare keeps an address from being banned from now on.
func (w *world) spare(addr, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exempt[addr] = why
}

func (w *world) autoBan(net string, d time.Duration) {
	w.Auto(netip.MustParsePrefix(net), d, "guessing")
	synctest.Wait()
}

// after lets virtual time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func mark(key string, until time.Time, v string) counters.Mark {
	return counters.Mark{Table: Table, Key: key, Until: until, Value: []byte(v)}
}
