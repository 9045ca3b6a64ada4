//go:build e2e

package soak

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is Ringfence with a clock that can be stepped.
var binary string

// How long phones play, and the seed of everything that is drawn.
var (
	length = 60 * time.Second
	seed   = rand.Uint64N(1_000_000)
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if err := environment(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		dir, err := os.MkdirTemp("", "ringfence-soak-binary-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if binary, err = build(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// environment reads SOAK and SEED, as make soak sets them.
func environment() (err error) {
	if text := os.Getenv("SOAK"); text != "" {
		if length, err = time.ParseDuration(text); err != nil || length < 10*time.Second {
			return fmt.Errorf("SOAK=%s: want a length of time from 10s, such as 90s or 1h", text)
		}
	}
	if text := os.Getenv("SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			return fmt.Errorf("SEED=%s: want a whole number", text)
		}
	}
	return nil
}

// One node on SQLite: a call that nobody ends, and money that is not in the books.
func TestOneNode(t *testing.T) {
	t.Parallel()
	soak(t, 1)
}

// Two nodes on one PostgreSQL: the same, and calls of a node that died.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	soak(t, 2)
}

func soak(t *testing.T, nodes int) {
	t.Logf("SEED=%d SOAK=%v", seed, length)
	w := newWorld(t, seed, length, nodes)
	t.Logf("folder %s", w.dir)
	w.play()
	for _, n := range w.allNodes() {
		w.heal(n.signal(syscall.SIGTERM))
	}
	for _, n := range append(w.allNodes(), w.former...) {
		w.heal(n.sane())
	}
	var b books
	must(t, w.read(b.load))
	w.settled(&b)
	w.report(&b)
}

// report prints the figures, and of each violation all that is known.
func (w *world) report(b *books) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t.Logf("SEED=%d, %v of play: %s; %d records; largest overshoot beyond paid time on the way %.3f s (a slice is %v); difference at the end %.3f s",
		w.seed, w.length, w.lockedFigures(), len(b.records), w.farthest.Seconds(), slice, w.difference.Seconds())
	must(w.t, os.WriteFile(filepath.Join(w.dir, "events"), []byte(strings.Join(w.events, "\n")+"\n"), 0o600))
	kinds := map[string]int{}
	for i, v := range w.broken {
		text := w.explain(v, b)
		must(w.t, os.WriteFile(filepath.Join(w.dir, fmt.Sprintf("violation-%03d", i+1)), []byte(text), 0o600))
		kind, _, _ := strings.Cut(ids.ReplaceAllString(v.text, "…"), "\n")
		if kinds[kind]++; kinds[kind] == 1 {
			w.t.Errorf("SEED=%d SOAK=%v: %s", w.seed, w.length, text)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		w.t.Logf("%4d × %s", kinds[kind], kind)
	}
	if len(w.broken) > 0 {
		w.t.Errorf("%d violations; each is a file in %s, which is kept", len(w.broken), w.dir)
	}
}

// ids are what makes two violations of one kind look different.
var ids = regexp.MustCompile(`06[0-9a-z]{24}|[0-9.]+`)

// explain is a violation with the packets of both legs, the call's journal, and what happened to the nodes meanwhile.
func (w *world) explain(v violation, b *books) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", v.text)
	if v.number == "" {
		return out.String()
	}
	var packets []string
	for _, id := range w.legIDs(v.number) {
		packets = append(packets, w.traces[id]...)
	}
	packets = append(packets, w.meanwhile(packets)...)
	slices.Sort(packets)
	fmt.Fprintf(&out, "packets:\n%s\n", strings.Join(packets, "\n"))
	for i := range b.records {
		if r := &b.records[i]; same(r.Number, v.number) {
			fmt.Fprintf(&out, "%v\njournal of %s:\n%s\n", r, r.ID, strings.Join(b.journal[r.ID], "\n"))
		}
	}
	for _, c := range b.open {
		if same(c.Number, v.number) {
			fmt.Fprintf(&out, "open call of node %s\njournal of %s:\n%s\n", c.Node, c.ID, strings.Join(b.journal[c.ID], "\n"))
		}
	}
	return out.String()
}

// legIDs are the Call-IDs of both legs of calls to a number.
func (w *world) legIDs(number string) (ids []string) {
	for _, l := range w.carrier.all() {
		if same(l.number, number) {
			ids = append(ids, l.callID)
		}
	}
	for _, p := range w.phones {
		for _, a := range p.all() {
			if same(a.dialled, number) {
				ids = append(ids, a.callID)
			}
		}
	}
	return ids
}

// same compares numbers as dialled and as written: the digits of the call are the last eight.
func same(a, b string) bool {
	return len(a) > 7 && len(b) > 7 && a[len(a)-7:] == b[len(b)-7:] && a[len(a)-8:len(a)-7] == b[len(b)-8:len(b)-7]
}

// meanwhile are the events between the first and the last of some packets.
func (w *world) meanwhile(packets []string) (list []string) {
	if len(packets) == 0 {
		return nil
	}
	from, to := slices.Min(packets)[:11], slices.Max(packets)[:11]
	for _, e := range w.events {
		if e[:11] >= from && e[:11] <= to && !strings.Contains(e, "VIOLATION") {
			list = append(list, e)
		}
	}
	return list
}

func (w *world) figures() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lockedFigures()
}

// lockedFigures needs mu.
func (w *world) lockedFigures() string {
	c := &w.count
	text := fmt.Sprintf("%d calls placed, %d at the carrier, %d answered (%d as they were cancelled, %d that nobody was told), %d given up, %d cut by staff, %d phones vanished, %d BYEs dropped or refused, %d out of order, %d ends that waited for a node which stood still; %d of %d packets lost; %d looks at the books",
		c.placed.Load(), c.offered.Load(), c.answered.Load(), c.crossed.Load(), c.unknown.Load(), c.cancelled.Load(), c.cut.Load(), c.vanished.Load(),
		c.refusedByes.Load(), c.disordered.Load(), c.waited.Load(), c.lost.Load(), c.packets.Load(), c.looks.Load())
	for _, kind := range slices.Sorted(maps.Keys(w.faults)) {
		text += fmt.Sprintf("; %s: %d", kind, w.faults[kind])
	}
	return text
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
