//go:build e2e

package soak

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/money"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
	"ringfence/state/store/postgres/pgtest"
)

// world is one test: nodes, a carrier and phones on a network that loses packets.
type world struct {
	t      *testing.T
	seed   uint64
	length time.Duration // of the play
	dir    string
	binary string
	begun  time.Time
	done   chan struct{} // closed at the very end: whatever waits gives up

	postgres *pgtest.Server // nil: one node on SQLite
	db       *sql.DB        // of postgres
	store    string         // lines of a node's configuration

	carrier *carrier
	phones  []*phone
	count   counts

	lossNow atomic.Uint64 // millionths

	mu      sync.Mutex // owns all below
	nodes   []*node    // in service; one that died for good gives its place to the next
	former  []*node
	names   map[netip.AddrPort]string
	caps    map[string]money.Micro
	traces  map[string][]string // by Call-ID
	events  []string            // what happened to nodes and the database
	faults  map[string]int
	broken  []violation
	thawed  time.Duration // when the database last went on
	chilled bool          // it is frozen
	chills  []span        // when it was

	unables    []span          // when no node could act on every call
	deaths     []death         // of nodes, or as good as that
	exits      []time.Duration // of nodes, by any signal
	starts     []time.Duration // of their processes
	stops      []stop
	farthest   time.Duration // the most that a leg talked beyond what was paid for
	difference time.Duration // the most that a record differs from the carrier's own at the end

	calls map[string]*watched // by number; the watch's own until it ends
}

// counts are figures for the report.
type counts struct {
	packets, lost, placed, offered, answered, cancelled, crossed, refusedByes, vanished, looks, unknown, cut, disordered, waited atomic.Int64
}

// violation is an invariant that did not hold.
type violation struct{ number, text string }

const (
	poorCap = money.Micro(600_000) // for the day, raised now and then, so that calls end at it
	richCap = money.Micro(5_000_000_000)
)

func (w *world) now() time.Duration { return time.Since(w.begun) }

// random is a source of its own for each purpose, so that one seed always gives one plan.
func (w *world) random(purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

func (w *world) loss() float64         { return float64(w.lossNow.Load()) / 1e6 }
func (w *world) lose(share float64)    { w.lossNow.Store(uint64(share * 1e6)) }
func (w *world) sleep(d time.Duration) { wait(w.t.Context(), d) }

func (w *world) nameOf(at netip.AddrPort) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if name, ok := w.names[at]; ok {
		return name
	}
	return at.String()
}

// runs says whether a packet to an address finds a node that runs.
func (w *world) runs(at netip.AddrPort) bool {
	for _, n := range w.allNodes() {
		if n.sip == at {
			state, _ := n.is()
			return state == running
		}
	}
	return false
}

func (w *world) allNodes() []*node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*node(nil), w.nodes...)
}

// pick is the node in service at a place.
func (w *world) pick(i int) *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[i%len(w.nodes)]
}

func (w *world) trace(callID, text string) {
	at := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if list := w.traces[callID]; len(list) < 400 {
		w.traces[callID] = append(list, fmt.Sprintf("%11.6f  %s", at.Seconds(), text))
	}
}

func (w *world) event(format string, args ...any) {
	at := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, fmt.Sprintf("%11.6f  %s", at.Seconds(), fmt.Sprintf(format, args...)))
}

func (w *world) counted(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[kind]++
}

// failf keeps a violation; the report at the end shows it with all that is known of the call.
func (w *world) failf(number, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.event("VIOLATION %s %s", number, text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, violation{number, text})
}

type span struct{ from, to time.Duration }

// death is the end of a process, by SIGKILL, or of its leases, when it is frozen for so long that another node takes its calls over.
type death struct {
	at   time.Duration
	node string
	kill bool
}

// stop is a time when a process stood still.
type stop struct {
	span
	node string
}

// newWorld starts everything and sets the books up.
func newWorld(t *testing.T, seed uint64, length time.Duration, nodes int) *world {
	t.Helper()
	w := &world{
		t: t, seed: seed, length: length, binary: binary, begun: time.Now(), done: make(chan struct{}),
		names: map[netip.AddrPort]string{}, caps: map[string]money.Micro{}, traces: map[string][]string{}, faults: map[string]int{},
	}
	var err error
	w.dir, err = os.MkdirTemp("", "ringfence-soak-")
	must(t, err)
	if nodes > 1 {
		w.postgres = pgtest.Own(t, "fsync=off")
		dsn := w.postgres.Database(t)
		w.store = fmt.Sprintf("[store]\nengine = \"postgres\"\ndsn = %q\n", dsn)
		w.db, err = sql.Open("pgx", dsn)
		must(t, err)
	}
	t.Cleanup(w.end)
	w.carrier, err = newCarrier(w)
	must(t, err)
	w.names[w.carrier.end.addr] = "carrier"
	for i := range nodes {
		n, err := newNode(w, []string{"one", "two"}[i], w.store)
		must(t, err)
		w.nodes = append(w.nodes, n)
		w.names[n.sip] = "node " + n.name
		must(t, n.start())
		if i == 0 {
			w.furnish(n)
		}
	}
	go w.carrier.end.serve()
	for _, p := range w.phones {
		go p.end.serve()
	}
	return w
}

// furnish sets up decks, a carrier's trunk, a customer and the lines.
func (w *world) furnish(n *node) {
	do := func(method, path string, in, out any) { w.t.Helper(); must(w.t, n.ask(method, path, in, out)) }
	do("POST", "/v1/decks/retail/import?kind=retail&unit=whole", client.CSV{Reader: strings.NewReader(retailDeck())}, nil)
	do("POST", "/v1/decks/cost/import?kind=cost&unit=whole", client.CSV{Reader: strings.NewReader(costDeck())}, nil)
	do("POST", "/v1/trunks", api.NewTrunk{Name: "soak-carrier", Addresses: []string{w.carrier.end.addr.String()}, PatchTrunk: api.PatchTrunk{Deck: new("cost"), Emergency: new(true)}}, nil)
	set := func(pairs ...string) (changes []api.Change) {
		for i := 0; i < len(pairs); i += 2 {
			changes = append(changes, api.Change{Field: pairs[i], Value: pairs[i+1], Grant: true})
		}
		return changes
	}
	do("POST", "/v1/customers", api.NewCustomer{ID: "acme", PatchCustomer: api.PatchCustomer{Name: new("Acme Ltd"), Set: set("national-ceiling", "£2", "international-ceiling", "£2",
		"max-calls", "100", "max-international", "100", "calls-per-minute", "60000", "longest-call", longestCall.String(),
		"account-day-cap", "£1000000", "account-month-cap", "£1000000")}}, nil)
	for i := range 20 {
		id, most := fmt.Sprintf("20%02d", i), richCap
		if i%2 == 0 {
			most = poorCap
		}
		w.caps[id] = most
		var made api.Created
		do("POST", "/v1/lines", api.NewLine{ID: id, Customer: "acme", PatchLine: api.PatchLine{Set: set("line-day-cap", "£"+most.String(), "line-month-cap", "£1000000")}}, &made)
		p, err := newPhone(w, 10+i, id, made.Password)
		must(w.t, err)
		w.phones = append(w.phones, p)
		w.names[p.end.addr] = "phone " + id
	}
}

// play lets phones call and things go wrong until the time is over, and then waits until all is settled.
func (w *world) play() {
	ctx, stop := context.WithTimeout(w.t.Context(), w.length)
	defer stop()
	w.lose(quietLoss)
	var calls, trouble sync.WaitGroup
	for _, p := range w.phones {
		calls.Go(func() { p.play(ctx) })
	}
	for i := range w.nodes {
		plan := nodeFaults(w.random(fmt.Sprintf("faults of node %d", i)), len(w.nodes) > 1, w.length)
		trouble.Go(func() { w.suffer(ctx, i, plan) })
	}
	around := worldFaults(w.random("faults of the world"), w.postgres != nil, w.length)
	trouble.Go(func() { w.surround(ctx, around) })
	watching := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { w.watch(watching) })
	watcher.Go(func() { w.watchNodes(watching) })
	go w.progress(ctx)
	<-ctx.Done()
	trouble.Wait() // each fault heals at its end
	w.lose(0)
	w.carrier.calm()
	for _, n := range w.allNodes() {
		if state, _ := n.is(); state != running {
			w.heal(n.start())
		}
	}
	calls.Wait()
	w.event("the play is over; everything may settle")
	w.settle()
	close(watching)
	watcher.Wait()
}

func (w *world) heal(err error) {
	if err != nil {
		w.failf("", "%v", err)
	}
}

// suffer plays the faults of one place.
func (w *world) suffer(ctx context.Context, place int, plan []fault) {
	for _, f := range plan {
		if !wait(ctx, f.after) {
			return
		}
		n := w.pick(place)
		w.counted(f.kind)
		w.event("node %s: %s", n.name, f)
		switch f.kind {
		case terminate:
			w.heal(n.signal(15))
			w.sleep(f.lasts)
			w.heal(n.start())
		case kill, stepDown:
			w.heal(n.signal(9))
			n.clock.step(f.step)
			w.sleep(f.lasts)
			w.heal(n.start())
		case freeze:
			w.heal(n.freeze(f.lasts))
		case step:
			n.clock.step(f.step)
		case replace:
			w.heal(n.signal(9))
			w.sleep(f.lasts)
			w.heal(w.replace(place, n))
		}
	}
}

// replace puts a new node, with another name, in the place of one that died for good.
func (w *world) replace(place int, old *node) error {
	w.mu.Lock()
	name := fmt.Sprintf("%s-%d", strings.TrimRight(old.name, "-0123456789"), len(w.former)+2)
	w.mu.Unlock()
	n, err := newNode(w, name, w.store)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.nodes[place], w.former = n, append(w.former, old)
	w.names[n.sip] = "node " + n.name
	w.mu.Unlock()
	return n.start()
}

// surround plays the faults of the network and of the database, gives poor lines more money and ends a call now and then.
func (w *world) surround(ctx context.Context, plan []fault) {
	r := w.random("money")
	for _, f := range plan {
		if !wait(ctx, f.after) {
			return
		}
		w.counted(f.kind)
		w.event("%s", f)
		switch f.kind {
		case lossy:
			w.lose(f.share)
			w.sleep(f.lasts)
			w.lose(quietLoss)
		case database:
			w.chill(true)
			w.postgres.Freeze(true)
			w.sleep(f.lasts)
			w.postgres.Freeze(false)
			w.chill(false)
		}
		w.raise(fmt.Sprintf("20%02d", 2*r.IntN(10)), poorCap/2)
		w.cut(r)
	}
}

func (w *world) chill(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chilled, w.thawed = on, w.now()
	if on {
		w.chills = append(w.chills, span{w.now(), never})
	} else if n := len(w.chills); n > 0 {
		w.chills[n-1].to = w.now()
	}
}

// settle waits until neither the carrier nor the books have a call in progress: as long as the longest call may last, and
// as transactions take to end.
func (w *world) settle() {
	limit := longestCall + 3*timerB + 10*time.Second // a CANCEL without an answer is followed by a BYE
	for deadline := w.now() + limit; w.now() < deadline; w.sleep(250 * time.Millisecond) {
		if calls, ok := w.openCalls(); !ok || len(calls) > 0 {
			continue
		}
		still := 0
		for _, l := range w.carrier.all() {
			if l.state == up && !l.plan.stubborn || l.state == ringing && !l.plan.silent {
				still++
			}
		}
		if still == 0 {
			w.event("all is settled")
			w.sleep(time.Second)
			return
		}
	}
	w.event("not settled after %v", limit)
}

// progress prints a line each minute.
func (w *world) progress(ctx context.Context) {
	for n := 1; wait(ctx, time.Minute); n++ {
		w.mu.Lock()
		broken := len(w.broken)
		w.mu.Unlock()
		w.t.Logf("%s, minute %d: %s; %d violations", w.t.Name(), n, w.figures(), broken)
	}
}

// end stops what runs and keeps the folder of a test that failed.
func (w *world) end() {
	close(w.done)
	for _, n := range append(w.allNodes(), w.former...) {
		if state, _ := n.is(); state != dead {
			_ = n.signal(9)
		}
		n.log.Close()
	}
	if w.carrier != nil {
		w.carrier.end.conn.Close()
	}
	for _, p := range w.phones {
		p.end.conn.Close()
	}
	if w.db != nil {
		w.db.Close()
	}
	if !w.t.Failed() {
		os.RemoveAll(w.dir)
	}
}

// read opens the store once nobody else has it, and hands it to f.
func (w *world) read(f func(ctx context.Context, db *sql.DB) error) error {
	ctx := context.Background()
	if w.db != nil {
		return f(ctx, w.db)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.nodes[0].dir, "data", "ringfence.db"))
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, db), db.Close())
}
