package guard

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/flow/keep"
)

// A file keeps over restarts and crashes what a guesser must not get rid of by waiting for one: lock-outs, how often there
// were any, and how lines are guessed at over weeks. What goes within minutes anyway is not kept: single wrong tries.
//
// It is keptHead, then JSON, a line each: when it was written, and rows; then the SHA-256 of all that. Each time it is
// written whole, beside, and renamed. Its rows are entries of the tables, and so bounded as they are.
const (
	keptHead  = "ringfence lockouts 1\n"
	maxKept   = 32 << 20 // bytes; every table full of the longest names are 24 MB
	keptPace  = 256 << 10
	keepEvery = time.Minute // what is no lock-out; and anything after a failure
	strangers = "strangers/"
)

// errKept says that a file is not one of ours as it was written.
var errKept = errors.New("not what was written")

// keptRow is an entry of a table. Times are Unix seconds.
type keptRow struct {
	Name  string `json:"name"` // sharedName, or "strangers/2001" for how a line is guessed at
	Known bool   `json:"known,omitempty"`
	Until int64  `json:"until"` // end of the lock-out; until when a line that is guessed at is worth its place

	Usual bool  `json:"usual,omitempty"`
	Last  int64 `json:"last,omitempty"`
	Level uint8 `json:"level,omitempty"`
	Round uint8 `json:"round,omitempty"`
	Tries int   `json:"tries,omitempty"` // within a day

	// Of a line that is guessed at.
	Days    []uint16 `json:"days,omitempty"` // wrong tries on the day of the writing, the day before …
	Others  [2]int   `json:"others,omitzero"`
	Guessed int64    `json:"guessed,omitempty"`
	Told    bool     `json:"told,omitempty"` // on the day of the writing
	Lifted  int64    `json:"lifted,omitempty"`

	Stay *keptStay `json:"stay,omitempty"`
}

// keeper is when the file is written, and how that went.
type keeper struct {
	file    string // "" keeps nothing
	log     *slog.Logger
	urgent  atomic.Bool // a lock-out or a release is not in the file yet
	changed atomic.Bool // something else is not

	mu     sync.Mutex // owns all below, and the file
	size   int64      // as last written
	tried  time.Time
	outage keep.Outage
}

// soon and later ask for the file to be written. They are called with every wrong try, by all cores.
func (k *keeper) soon() { ask(&k.urgent) }

func (k *keeper) later() { ask(&k.changed) }

func ask(b *atomic.Bool) {
	if !b.Load() {
		b.Store(true)
	}
}

// due says whether to write now: within two seconds of a lock-out while there are few of them. A file that an attack made
// large is written less often, so that no more than keptPace bytes a second go to the disk.
func (k *keeper) due(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	pause := time.Duration(k.size) * time.Second / keptPace
	if !k.urgent.Load() || k.outage.On {
		pause = max(pause, keepEvery)
	}
	return (k.urgent.Load() || k.changed.Load()) && now.Sub(k.tried) >= pause
}

// keepOn writes the file as long as ctx lasts, and at its end.
func (g *Guard) keepOn(ctx context.Context) {
	keep.Every(ctx, time.Second, func(now time.Time) {
		if g.keeper.due(now) {
			g.save(now)
		}
	})
	g.save(time.Now())
}

// save writes the file if anything changed. What fails is said once, and tried again.
func (g *Guard) save(now time.Time) {
	k := &g.keeper
	if k.file == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	urgent, changed := k.urgent.Swap(false), k.changed.Swap(false)
	if !urgent && !changed {
		return
	}
	k.tried = now
	size, err := keep.Replace(k.file, func(w io.Writer) error { return g.writeKept(w, g.Seconds(now), now.Unix()) })
	if k.outage.Note(err); err == nil {
		k.size = size
		return
	}
	k.changed.Store(true)
	if urgent {
		k.urgent.Store(true)
	}
}

// writeKept writes what is kept. Entries are copied a shard at a time; no lock is held while it writes.
func (g *Guard) writeKept(to io.Writer, at, wall int64) error {
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(to, sum), 1<<16)
	if _, err := w.WriteString(keptHead); err != nil {
		return err
	}
	rows := json.NewEncoder(w)
	rows.SetEscapeHTML(false)
	err := rows.Encode(wall)
	add := func(r keptRow) {
		if err == nil {
			err = rows.Encode(r)
		}
	}
	for scope := range numScopes {
		g.tables[scope].copies(at, func(s *slot[suspect]) {
			if s.e.level > 0 {
				add(s.e.kept(sharedName(scope, s.key, s.e.name), at, wall))
			}
		})
	}
	g.targets.copies(at, func(s *slot[target]) {
		if s.e.name != "" {
			add(s.e.kept(s.keep, at, wall))
		}
	})
	g.stays.each(func(line string, unit key, e *stay) {
		if e.ends() > at {
			k := e.kept(wall - at)
			add(keptRow{Name: stayName(line, unit), Until: e.ends() + wall - at, Stay: &k})
		}
	})
	if err = errors.Join(err, w.Flush()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(to, "%x\n", sum.Sum(nil))
	return err
}

func (e *suspect) kept(name string, at, wall int64) keptRow {
	ahead := wall - at
	return keptRow{
		Name: name, Known: e.known, Usual: e.usual, Until: e.until + ahead, Last: e.last + ahead, Level: e.level, Round: e.round,
		Tries: e.day.add(0, at, secondsADay),
	}
}

func (e *target) kept(keep, at, wall int64) keptRow {
	e.turn(at)
	ahead := wall - at
	r := keptRow{Name: strangers + e.name, Known: e.known, Until: keep + ahead, Others: e.others, Told: e.told == e.day, Lifted: e.lifted}
	if e.guessed != 0 {
		r.Guessed = e.guessed + ahead
	}
	for i := range int64(guessDays) {
		if n := e.days[(e.day-i+guessDays)%guessDays]; n > 0 {
			r.Days = append(r.Days, make([]uint16, int(i)-len(r.Days))...) // days without any
			r.Days = append(r.Days, n)
		}
	}
	return r
}

// takeKept takes back what was kept, before the first login. A file that cannot be used is said and set aside: the start goes
// on without.
func (g *Guard) takeKept(file string, log *slog.Logger) {
	k := &g.keeper
	if file == "" || g.o.Lockout.Off {
		return
	}
	if k.file, k.log = file, log; log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	k.outage = keep.Outage{
		Log: k.log.With("file", file), Level: slog.LevelError, Failed: "lock-outs cannot be kept for the next start; they hold until this one ends",
		Again: "lock-outs are kept for the next start again",
	}
	text, err := readKept(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	saved, rows, err := parseKept(text, err)
	if err != nil {
		aside := k.file + ".damaged"
		err = errors.Join(err, os.Rename(k.file, aside))
		k.log.Error("stored lock-outs cannot be read: the file is set aside, and counting starts again", "file", k.file, "err", err, "aside", aside)
		return
	}
	g.takeBack(saved, rows, g.Begun().Unix())
	k.size = int64(len(text))
	k.log.Info("stored lock-outs are in force again", "held", len(g.Locked(g.Begun())), "remembered", len(rows))
}

func readKept(path string) ([]byte, error) {
	info, err := os.Lstat(path) // before it is opened: a pipe would hold us up for ever
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKept {
		return nil, fmt.Errorf("%w: mode %v, %d bytes", errKept, info.Mode(), info.Size())
	}
	return os.ReadFile(path)
}

// parseKept takes a file apart; err is that of reading it.
func parseKept(text []byte, err error) (saved int64, rows []keptRow, _ error) {
	if err != nil {
		return 0, nil, err
	}
	if !bytes.HasPrefix(text, []byte(keptHead)) {
		return 0, nil, fmt.Errorf("%w: it does not begin with %q", errKept, keptHead)
	}
	end := len(text) - 2*sha256.Size - 1
	if end < len(keptHead) || string(text[end:]) != fmt.Sprintf("%x\n", sha256.Sum256(text[:end])) {
		return 0, nil, fmt.Errorf("%w: its checksum is wrong", errKept)
	}
	from := json.NewDecoder(bytes.NewReader(text[len(keptHead):end]))
	if err := from.Decode(&saved); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errKept, err)
	}
	for {
		var r keptRow
		switch err := from.Decode(&r); {
		case errors.Is(err, io.EOF):
			return saved, rows, nil
		case err != nil:
			return 0, nil, fmt.Errorf("%w: row %d: %w", errKept, len(rows)+1, err)
		}
		rows = append(rows, r)
	}
}

// takeBack fills the tables with rows. Of a clock that was put back since they were saved it takes no notice: as far as we
// know no time has passed.
func (g *Guard) takeBack(saved int64, rows []keptRow, at int64) {
	back := max(saved-at, 0)
	for i := range rows {
		r := &rows[i]
		r.Until, r.Last, r.Guessed = r.Until-back, r.Last-back, r.Guessed-back
		if r.Stay != nil {
			r.Stay.move(-back)
			g.restoreStay(r.Name, r.Stay, at)
			continue
		}
		if name, ok := strings.CutPrefix(r.Name, strangers); ok {
			g.restoreTarget(r, name, (saved-back)/secondsADay, at)
		} else {
			g.restore(r, at)
		}
	}
}

// restore takes back an address, network or AS with what it is locked out for. No lock-out is longer than the longest.
func (g *Guard) restore(r *keptRow, at int64) {
	scope, k, user, ok := g.parseName(r.Name)
	until, last := min(r.Until, at+g.l.longest), min(r.Last, at)
	if !ok || r.Level == 0 || max(until, last+g.l.longest) <= at {
		return
	}
	p := g.tables[scope].lock(k)
	defer p.unlock()
	s := p.make(at)
	e := &s.e
	e.name, e.known, e.usual = user, r.Known, r.Usual
	e.until, e.last, e.level, e.round, e.before = until, last, r.Level, r.Round, g.around.Lasting
	e.day.add(min(max(r.Tries, 0), math.MaxUint16), last, secondsADay)
	s.keep = e.worth(&g.l)
	raise(&g.lastEnd, until)
	raise(&g.lastLock, min(until, at))
}

// believe ends the lock-outs of the file that the other nodes, heard by now, know nothing of: they were ended meanwhile.
func (g *Guard) believe(at int64) {
	for scope := range numScopes {
		g.tables[scope].each(func(s *slot[suspect]) {
			if s.e.before {
				s.e.before, s.e.until = false, min(s.e.until, at)
			}
		})
	}
}

// restoreTarget takes back how unknown sources guess at a line, as it was on a day.
func (g *Guard) restoreTarget(r *keptRow, name string, day, at int64) {
	var t try
	t.setUser(g, []byte(name))
	if t.name() != name || r.Until <= at {
		return
	}
	p := g.targets.lock(key{user: t.hash})
	defer p.unlock()
	s := p.make(at)
	e := &s.e
	e.turn(at)
	e.name, e.known, e.guessed, e.lifted = name, r.Known, min(max(r.Guessed, 0), at), r.Lifted
	for i, n := range r.Days {
		if on := day - int64(i); on > e.day-guessDays && on > 0 {
			e.days[on%guessDays] = n
		}
	}
	if g.around.Lasting {
		e.others = r.Others
	}
	if day < e.day {
		e.others[0] = 0
	} else if r.Told {
		e.told = e.day
	}
	s.keep = min(r.Until, at+guessDays*secondsADay)
	g.cut(e, at)
	raise(&g.lastLock, e.guessed)
}
