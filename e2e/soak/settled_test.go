//go:build e2e

package soak

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// tolerance is what clocks and scheduling may make of a length of time.
const tolerance = time.Second

// books is the store as it is at the end.
type books struct {
	open     []openCall
	records  []cdr
	journal  map[string][]string
	admitted int
	findings []string

	held, spent, retail int64
}

func (b *books) load(ctx context.Context, db *sql.DB) (err error) {
	if b.open, err = readOpen(ctx, db); err != nil {
		return err
	}
	if b.records, err = readRecords(ctx, db); err != nil {
		return err
	}
	if b.journal, b.admitted, err = journal(ctx, db); err != nil {
		return err
	}
	if b.findings, err = findings(ctx, db); err != nil {
		return err
	}
	b.held, b.spent, b.retail, err = sums(ctx, db)
	return err
}

// settled compares the books with the carrier's own record once everything is over.
func (w *world) settled(b *books) {
	for _, c := range b.open {
		w.failf(c.Number, "call %s is still open in the books, on node %s, answered %v", c.ID, c.Node, c.Answered)
	}
	if b.held != 0 {
		w.failf("", "%d millionths are still held", b.held)
	}
	if b.spent != b.retail {
		w.failf("", "the lines' purses have spent %d millionths, and the records add up to %d", b.spent, b.retail)
	}
	if b.admitted != len(b.records)+len(b.open) {
		w.failf("", "%d calls were let out, and there are %d records", b.admitted, len(b.records))
	}
	byLeg, byNumber := map[string][]*cdr{}, map[string][]*cdr{}
	for i := range b.records {
		r := &b.records[i]
		if r.BLeg != "" {
			byLeg[r.BLeg] = append(byLeg[r.BLeg], r)
		} else {
			byNumber[r.Number] = append(byNumber[r.Number], r)
		}
		w.priced(r)
	}
	for _, l := range w.carrier.all() {
		have := byLeg[l.callID]
		if len(have) == 0 {
			have = byNumber[l.number]
		}
		if len(have) != 1 {
			w.failf(l.number, "%d records of the leg, want 1\n%v", len(have), &l)
			continue
		}
		w.compare(&l, have[0], b)
	}
	for _, p := range w.phones {
		for _, a := range p.all() {
			if a.up && !a.deaf {
				w.failf(a.dialled, "the phone's leg of %s, answered at %.3f, was never hung up", a.dialled, a.answered.Seconds())
			}
		}
	}
}

// priced looks whether a record's price is that of its talk, to the micro-unit.
func (w *world) priced(r *cdr) {
	if r.Answered == 0 {
		if r.Talk != 0 || r.Retail != 0 || r.Cost != 0 {
			w.failf(r.Number, "a call that was not answered has talk time or a price\n%v", r)
		}
		return
	}
	want, err := retailOf(r.Number, r.Talk)
	if err != nil || want != r.Retail {
		w.failf(r.Number, "the price of %v is %s by the deck (%v)\n%v", r.Talk, want, err, r)
	}
}

// compare looks whether a record says of a leg what the carrier says. Both see the same packets, so that each instant lies
// between two that were seen: the answer between the carrier's first 200 and the first ACK, and the end between the first
// sign of it and the moment when both sides know.
func (w *world) compare(l *leg, r *cdr, b *books) {
	bad := func(format string, args ...any) {
		w.failf(l.number, "%s\n%v\n%v", fmt.Sprintf(format, args...), l, r)
	}
	if l.answered == 0 {
		if r.Talk != 0 || r.Retail != 0 {
			bad("the record has talk time, and the carrier has never answered")
		}
		return
	}
	heard := earliest(l.acked, l.theirBye)
	if r.Answered == 0 && l.ended > 0 && heard > l.ended && !l.byeTaken { // over by then: a node asked whether it was up, and was told 481
		heard = 0
	}
	if l.state == up && !w.refusedToEnd(l, b) {
		// A node that took the answer, and died before it could write that down, took the knowledge of the leg with it: an ACK ends the repeats
		// of the answer, by which the next node would have found it. Only a leg of which no early dialog was stored cannot be hung up then.
		if heard == 0 || r.Answered != 0 || !w.unwritten(l, heard, false) || w.dialogStored(l, heard) {
			bad("the leg is still up at the carrier")
		}
		return
	}
	if heard == 0 {
		// A carrier may give up before the answer is in the books; and nobody else knows of it if the node died then. One that was frozen is
		// told again when it wakes, and one that comes back is told again too: the last time counts.
		if l.tolds >= 3 && r.Talk == 0 && !w.unwritten(l, l.toldLast, false) {
			bad("the carrier's answer came to a node that ran, %d times, and was never taken in", l.tolds)
		}
		w.count.unknown.Add(1)
		return
	}
	if r.Answered == 0 && w.unwritten(l, heard, false) { // the node that heard the answer died with it
		w.count.unknown.Add(1)
		return
	}
	if r.Talk == 0 || r.Retail == 0 || r.Cost == 0 {
		bad("an answered leg has no talk time, price or cost")
		return
	}
	begun := earliest(l.theirBye, l.ourBye, l.forgot)
	noticed := earliest(l.theirBye, l.known)
	begun, end := w.waited(l, r, begun, noticed)
	if w.unwritten(l, heard, false) { // the node that heard the answer died with it, and a later one found the leg: it knows no talk
		begun = heard
	}
	w.compareTalk(l, r, heard, max(begun-heard, 0), end-l.answered, noticed, bad)
	w.compareCost(l, r, b, heard, bad)
}

// dialogStored says whether a leg's early dialog must have been stored before its answer was heard.
func (w *world) dialogStored(l *leg, heard time.Duration) bool {
	at := max(l.rang, l.offered+keepAfter)
	return l.rang > 0 && at+grace < heard && !w.unwritten(l, at, false)
}

// keepAfter is how long a leg rings before its dialog is stored.
const keepAfter = time.Second

// waited gives the least and the most time of an end that came while a node of the call stood still: nobody knows when in the stop it came, and
// the customer pays for the least.
func (w *world) waited(l *leg, r *cdr, begun, noticed time.Duration) (least, most time.Duration) {
	least, most = begun, noticed
	if s, ok := w.stopped(l, l.theirBye, 0); ok && l.theirBye > 0 { // another node hung up meanwhile
		least = min(least, s.from)
	}
	s, ok := w.stopped(l, noticed, catchUp+tolerance)
	left, gone := w.leftBy(l, noticed)
	if !ok || noticed < s.to || !gone || r.Reason != "hangup" && r.Reason != "peer-gone" {
		return least, most
	}
	least = min(least, s.from)
	if k := w.calls[l.number]; r.Reason == "hangup" && noticed < s.to+catchUp/2 && s.to-s.from > 3*time.Second && k != nil && len(k.owners) == 1 {
		most = min(most, max(left, s.from))
		w.count.waited.Add(1)
	}
	return least, most
}

// catchUp is how long after a stop a node takes an end for one that may have waited, as edge/sip has it.
const catchUp = time.Second

// earliest is the first of those instants that there are.
func earliest(at ...time.Duration) (first time.Duration) {
	for _, d := range at {
		if d > 0 && (first == 0 || d < first) {
			first = d
		}
	}
	return first
}

// compareTalk: the customer pays until the first BYE was sent. Less is right only for a call whose money ended while no node
// could act, and then what was paid for is what is charged; and for one whose phone left while nobody could hear it.
func (w *world) compareTalk(l *leg, r *cdr, heard, least, most, noticed time.Duration, bad func(string, ...any)) {
	if noticed > 0 && r.Talk > most+tolerance && !w.endUnheard(l, r, noticed) {
		w.differs(r.Talk - most)
		bad("the record charges %.3f s of talk, and the carrier had at most %.3f s until the end was known", r.Talk.Seconds(), most.Seconds())
	}
	if r.Talk >= least-tolerance {
		return
	}
	k := w.calls[l.number]
	if k != nil && w.leftUnheard(l, r, k, heard, noticed) {
		return
	}
	paid := slice // the least that is held at first, for a call that nobody has looked at in the books
	if k != nil && k.seen {
		paid = k.paid
	}
	if r.Talk < paid-tolerance {
		w.differs(least - r.Talk)
		bad("the record charges %.3f s of talk, and the carrier had at least %.3f s until the first BYE", r.Talk.Seconds(), least.Seconds())
		return
	}
	if late := least - r.Talk; late > slice+tolerance+w.unable(l.answered, l.answered+least) {
		w.differs(late)
		bad("the leg went on for %.3f s beyond what was paid for, although a node could act", late.Seconds())
	}
}

// endUnheard says whether the node that heard the end of a call could not tell anybody. The next one finds out when it asks the ends, and charges
// at most what was paid for by then, which is a slice ahead; if the phone says goodbye first, it charges until then.
func (w *world) endUnheard(l *leg, r *cdr, noticed time.Duration) bool {
	k := w.calls[l.number]
	switch left, gone := w.phoneLeft(l.number, never); {
	case !w.unwritten(l, noticed, true):
		return false
	case r.Reason == "peer-gone" && k != nil && k.seen:
		return r.Talk <= k.paid+slice+tolerance
	case r.Reason == "hangup" && r.By == "caller" && gone:
		return r.Talk <= max(left, noticed)-l.answered+tolerance || k != nil && k.seen && r.Talk <= k.paid+slice+tolerance
	}
	return true
}

// leftUnheard says whether a call was ended because an end was gone when a node asked for it after an outage, or hung up then in a moment that
// nobody can tell, and is charged until a process took it back, as far as that was paid when the outage began: it has left at a moment that
// nobody heard, or the phone has never heard the answer.
func (w *world) leftUnheard(l *leg, r *cdr, k *watched, heard, noticed time.Duration) bool {
	left, gone := w.leftBy(l, noticed)
	if w.unwritten(l, noticed, true) { // a node that died then had hung up
		gone = true
	}
	outage := w.outageAfter(l.answered)
	least := min(k.paidBy(outage), w.backAfter(outage, k)-heard, max(earliest(left, noticed)-heard, 0)) // the customer pays from when the answer got through
	return (r.Reason == "peer-gone" || r.Reason == "hangup") && gone && r.Talk >= least-tolerance
}

// leftBy is when the first of both ends hung up or vanished, if it was before an instant.
func (w *world) leftBy(l *leg, before time.Duration) (left time.Duration, gone bool) {
	left, gone = w.phoneLeft(l.number, before)
	if at := earliest(l.ourBye, l.forgot); at > 0 && at < before && (!gone || at < left) {
		left, gone = at, true // the carrier
	}
	return left, gone
}

// phoneLeft is when the phone of a call hung up or vanished, if it was before an instant; never for one that was not told of
// the answer.
func (w *world) phoneLeft(number string, before time.Duration) (left time.Duration, gone bool) {
	for _, p := range w.phones {
		for _, a := range p.all() {
			switch {
			case !same(a.dialled, number):
			case a.answered == 0:
				return never, true
			case a.left > 0 && a.left < before:
				return a.left, true
			}
		}
	}
	return 0, false
}

// compareCost: the carrier charges until it has taken the BYE, whatever the customer has paid.
func (w *world) compareCost(l *leg, r *cdr, b *books, heard time.Duration, bad func(string, ...any)) {
	end, known := l.ended, l.known
	if l.state == up { // it refused to end: nobody knows more than that it was still up at the last BYE
		end, known = l.lastBye, 0
	}
	if s, ok := w.stopped(l, l.ourBye, 0); ok && known > 0 && r.By == "callee" { // the node that was told of it reads that when it goes on
		known = max(known, s.to+catchUp)
	}
	answered := l.answered
	if s, ok := w.stopped(l, answered, catchUp+tolerance); ok { // nor does it know since when
		answered = max(min(answered, s.from), l.offered)
	}
	if w.unwritten(l, heard, false) { // what is known is since when it had rung
		answered = l.offered
	}
	if l.told == 0 || w.unwritten(l, l.told, false) { // its answer came to no node that lived: one hung up its early dialog, and knows the same
		answered = min(answered, max(l.rang, l.offered))
	}
	slack := tolerance
	if l.state == up || w.refusedToEnd(l, b) {
		slack += timerB // each node that has the call asks for as long, and nobody hears when a carrier that refuses every BYE gives up by itself
	}
	least := costOf(max(end-heard-slack, 0))
	most := costOf(max(known, end) - answered + tolerance)
	if known == 0 {
		most = costOf(max(l.lastBye, end) - answered + timerB + tolerance)
	}
	switch {
	case r.Cost < least:
		bad("the carrier charges for %.3f s at least, which is %s", (end - heard).Seconds(), least)
	case r.Cost > most && !w.unwritten(l, known, true):
		bad("the carrier charges for %.3f s at most, which is %s", (max(known, end) - answered).Seconds(), most)
	}
}

// refusedToEnd says whether a leg that is up was played as one that takes no BYE, was sent one, and staff were told.
func (w *world) refusedToEnd(l *leg, b *books) bool {
	return l.plan.stubborn && l.theirBye > 0 && slices.ContainsFunc(b.findings, func(f string) bool {
		return strings.Contains(f, "soak-carrier")
	})
}

func (w *world) differs(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.difference = max(w.difference, by)
}
