package react

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/restrict"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// Subjects of what is stored, beside "line/ID" and "account/ID".
const (
	world     = "world"    // what customers have in common, after the hour at which it turned
	noteRows  = "notes/"   // what the world is to learn at the next hour, in pieces
	callRows  = "call/"    // calls in progress
	trust     = "trust"    // how far each rule is trusted, by what was answered to its findings
	wouldRows = would      // what rules in shadow would have closed
	pending   = "pending/" // answers that are not applied yet, by the finding's key
)

// memory is what is known of a line or customer; it is read when it is first asked for.
func (r *React) memory(ctx context.Context, subject string, at time.Time) (*memory, error) {
	m := r.memories[subject]
	if m == nil {
		body, err := r.o.Store.Memory(ctx, Stage, subject)
		if err != nil {
			return nil, err
		}
		m = &memory{}
		if body != nil {
			known, err := habit.Read(body)
			if err != nil { // of a later version, or damaged: it is learnt again
				r.stats.Bad++
				r.o.Log.Error("what was known of calls cannot be read and is learnt again", "subject", subject, "error", err)
			} else {
				m.Memory = *known
			}
		}
		r.memories[subject] = m
		delete(r.gone, subject)
	}
	m.used = at
	return m, nil
}

// forget drops what is known of a line or customer that was deleted.
func (r *React) forget(subject string) {
	delete(r.memories, subject)
	delete(r.dirty, subject)
	r.gone[subject] = true
}

func (r *React) dropCall(id call.ID, w *watched) {
	delete(r.calls, id)
	if w.stored {
		r.gone[callRows+string(id)] = true
	}
}

// sweep drops the memories of lines that are silent, which are in the store, and calls whose end is in no journal.
func (r *React) sweep(at time.Time) {
	r.sweptAt = at
	for subject, m := range r.memories {
		if r.dirty[subject] == nil && at.Sub(m.used) >= silence {
			delete(r.memories, subject)
		}
	}
	for id, w := range r.calls {
		if at.Sub(w.begun) >= forgotten {
			r.dropCall(id, w)
		}
	}
}

// load reads what was written with the cursor.
func (r *React) load(ctx context.Context) error {
	cursor, err := r.o.Store.Cursor(ctx, Stage)
	if err != nil {
		return err
	}
	r.memories, r.calls, r.dirty, r.gone = map[string]*memory{}, map[call.ID]*watched{}, map[string]*memory{}, map[string]bool{}
	r.answers, r.found, r.notes, r.noted, r.chunks = map[string]*answer{}, nil, habit.Notes{}, 0, nil
	r.world, r.hour, r.turned = habit.World{}, time.Time{}, false
	r.trust, r.trusted = habit.Trust{}, false
	r.figures, r.figured, r.would, r.foreseen = figures{}, false, map[string][]restrict.Restriction{}, map[string]bool{}
	for _, under := range [...]string{world, noteRows, callRows, trust, figureRow, wouldRows, pending} {
		err := r.o.Store.Memories(ctx, Stage, under, func(m store.Memory) error {
			if err := r.read(m.Subject, m.Body); err != nil {
				r.stats.Bad++
				r.o.Log.Error("what was known of calls cannot be read and is left out", "subject", m.Subject, "error", err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	r.noted = r.notes.Len()
	r.trustRules()
	now, err := r.o.Store.Cursor(ctx, Stage)
	if err != nil {
		return err
	}
	if now != cursor {
		return fmt.Errorf("%w while what is known was read", journal.ErrAgain)
	}
	r.at, r.saved, r.savedAt, r.loaded = cursor, cursor, time.Now(), true
	return nil
}

// read takes in a row.
func (r *React) read(subject string, body []byte) error {
	kind, id, _ := strings.Cut(subject, "/")
	switch kind + "/" {
	case world + "/":
		if len(body) < 8 {
			return habit.ErrMemory
		}
		w, err := habit.ReadWorld(body[8:])
		if err == nil {
			r.world, r.hour = *w, time.Unix(int64(binary.BigEndian.Uint64(body)), 0).UTC()
		}
		return err
	case trust + "/":
		t, err := habit.ReadTrust(body)
		if err == nil {
			r.trust = *t
		}
		return err
	case figureRow + "/", wouldRows:
		return r.readFigures(subject, body)
	case noteRows:
		n, err := strconv.Atoi(id)
		r.chunks = append(r.chunks, n)
		return errors.Join(err, r.notes.Read(body))
	case callRows:
		w, err := readCall(body)
		if err == nil {
			r.calls[call.ID(id)] = w
		}
		return err
	}
	return r.readAnswer(id, body)
}

// save writes the cursor and everything that has changed since it was written last, in one transaction.
func (r *React) save(ctx context.Context) error {
	if r.at == r.saved { // such a step would be allowed to any node, also one that was overtaken
		return nil
	}
	s := store.Step{Stage: Stage, From: r.saved, To: r.at, Facts: r.found, Memory: r.changes()}
	if _, err := r.o.Store.Advance(ctx, s); err != nil {
		if errors.Is(err, store.ErrMoved) { // another node was there first, or an earlier try of ours got through after all
			r.loaded, r.overtaken = false, true
			return journal.ErrAgain
		}
		return err
	}
	r.saved, r.savedAt, r.found = r.at, time.Now(), nil
	clear(r.dirty)
	clear(r.gone)
	for _, w := range r.calls {
		w.stored, w.changed = true, false
	}
	r.noted, r.turned, r.trusted, r.figured = r.notes.Len(), false, false, false
	clear(r.foreseen)
	for _, a := range r.answers {
		a.stored = true
	}
	return nil
}

// changes are the rows to be written.
func (r *React) changes() (rows []store.Memory) {
	put := func(subject string, body []byte) { rows = append(rows, store.Memory{Subject: subject, Body: body}) }
	for _, subject := range slices.Sorted(maps.Keys(r.dirty)) {
		put(subject, r.dirty[subject].Append(nil))
	}
	for id, w := range r.calls {
		if w.changed {
			put(callRows+string(id), w.append(nil))
		}
	}
	for key, a := range r.answers {
		if !a.stored {
			put(pending+key, a.append())
		}
	}
	r.changedFigures(put)
	if r.turned {
		put(world, r.world.Append(binary.BigEndian.AppendUint64(nil, uint64(r.hour.Unix()))))
		for _, n := range r.chunks {
			put(noteRow(n), nil)
		}
		r.chunks = nil
	}
	if r.trusted {
		put(trust, r.trust.Append(nil))
	}
	if r.notes.Len() > r.noted {
		put(noteRow(int(r.at)), r.notes.Append(nil, r.noted))
		r.chunks = append(r.chunks, int(r.at))
	}
	for subject := range r.gone {
		put(subject, nil)
	}
	return rows
}

func noteRow(n int) string { return fmt.Sprintf("%s%020d", noteRows, n) }

// callVersion is the first byte of a call's row. Version 1 knew nothing of shadows.
const callVersion = 2

func (w *watched) append(b []byte) []byte {
	b = append(b, callVersion, 0)
	if w.inbound {
		b[len(b)-1] = 1
	}
	b = binary.AppendVarint(b, w.begun.UnixMicro())
	for _, text := range [...]string{w.line, w.account, w.would} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(w.held)), uint64(w.paid))
	return habit.AppendCall(b, &w.Call)
}

func readCall(b []byte) (*watched, error) {
	if len(b) < 2 || b[0] != callVersion && b[0] != 1 {
		return nil, fmt.Errorf("%w: version of a call", habit.ErrMemory)
	}
	w, version := &watched{inbound: b[1] == 1, stored: true}, b[0]
	begun, n := binary.Varint(b[2:])
	if n <= 0 {
		return nil, habit.ErrMemory
	}
	w.begun, b = time.UnixMicro(begun).UTC(), b[2+n:]
	texts, amounts := []*string{&w.line, &w.account, &w.would}, []*money.Micro{&w.held, &w.paid}
	if version == 1 {
		texts, amounts = texts[:2], nil
	}
	for _, text := range texts {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, habit.ErrMemory
		}
		*text, b = string(b[n:n+int(size)]), b[n+int(size):]
	}
	for _, amount := range amounts {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, habit.ErrMemory
		}
		*amount, b = money.Micro(n), b[size:]
	}
	c, err := habit.ReadCall(b)
	if err == nil {
		w.Call = *c
	}
	return w, err
}
