package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// work is what a run of facts comes to: findings and usage, as they are written in one step.
type work struct {
	facts    []store.Fact
	findings []detect.Finding
	usage    []store.UsageChange
	settled  []settled
	told     []fact.Told // warning levels that some node has raised
	sweep    bool        // settings changed
	billed   bool        // usage was taken away
	old, bad int64
}

// settled is a call that has ended, and its price.
type settled struct {
	fact   *store.Fact
	retail money.Micro
}

// advance takes facts: findings, usage and cursor in one transaction.
func (w *Watch) advance(ctx context.Context, facts []store.Fact, now time.Time) error {
	for len(facts) > 0 {
		d := digest(facts, now)
		done, err := w.o.Store.Advance(ctx, d.step(w.at, now))
		if err == nil {
			w.fold(d, &done, true)
			return nil
		}
		if !errors.Is(err, store.ErrMoved) {
			return err
		}
		// Another node was there first, or an earlier try of ours got through after all. What is written is only taken over.
		if facts, err = w.overtaken(ctx, facts, now); err != nil {
			return err
		}
	}
	return nil
}

// overtaken folds in the facts up to the cursor as it is now and returns the rest.
func (w *Watch) overtaken(ctx context.Context, facts []store.Fact, now time.Time) ([]store.Fact, error) {
	cursor, err := w.o.Store.Cursor(ctx, Stage)
	if err != nil {
		return nil, err
	}
	if cursor <= w.at { // gone back: another database, or a backup put in place
		w.mu.Lock()
		w.loaded = false
		w.mu.Unlock()
		return nil, fmt.Errorf("%w: it went back from %d to %d; usage is read again", journal.ErrAgain, w.at, cursor)
	}
	n := 0
	for n < len(facts) && facts[n].Seq <= cursor {
		n++
	}
	if n == 0 { // facts before the cursor that this node cannot see any more
		w.mu.Lock()
		w.loaded = false
		w.mu.Unlock()
		return nil, nil
	}
	w.fold(digest(facts[:n], now), nil, false)
	return facts[n:], nil
}

// digest reads facts, purely. A fact whose body is not what its kind promises is counted and otherwise left alone.
func digest(facts []store.Fact, now time.Time) *work {
	d := &work{facts: facts}
	at := map[string]int{} // subjects in usage
	for i := range facts {
		f := &facts[i]
		switch {
		case f.Kind == fact.KindCallSettled:
			d.settle(f, at)
		case f.Kind == fact.KindBillIssued, f.Kind == fact.KindBillLeft:
			d.billed = true
		case f.Kind == fact.KindFindingRaised:
			d.heard(f)
		case fact.OfBook(f.Kind):
			d.sweep = true // warning levels may be others now
		case !detect.Concerns(f.Kind):
		case now.Sub(f.At) > freshFor:
			d.old++
		default:
			d.judge(f)
		}
	}
	return d
}

func (d *work) settle(f *store.Fact, at map[string]int) {
	var body fact.CallSettled
	if err := body.Decode(f.Body); err != nil || body.Retail < 0 {
		d.bad++
	}
	retail := max(body.Retail, 0)
	d.settled = append(d.settled, settled{f, retail})
	if retail == 0 {
		return
	}
	for _, s := range [...]string{lineSubject(f.Line), accountSubject(f.Account)} {
		i, ok := at[s]
		switch {
		case s == "":
		case ok:
			d.usage[i].Add = d.usage[i].Add.Add(retail)
		default:
			at[s] = len(d.usage)
			d.usage = append(d.usage, store.UsageChange{Subject: s, Add: retail})
		}
	}
}

// heard learns what another node, or an earlier try of ours, has told.
func (d *work) heard(f *store.Fact) {
	var body fact.FindingRaised
	if err := body.Decode(f.Body); err != nil || body.Concluded != detect.UsageLevel.String() {
		return
	}
	var t fact.Told
	if err := t.Decode(body.Evidence); err != nil {
		d.bad++
		return
	}
	d.told = append(d.told, t)
}

func (d *work) judge(f *store.Fact) {
	found, err := detect.Judge(&detect.Event{Kind: f.Kind, Line: f.Line, Account: f.Account, Call: string(f.Call), At: f.At, Body: f.Body})
	if err != nil {
		d.bad++
	}
	d.findings = append(d.findings, found...)
}

// step is what is written for the facts, from the cursor to the last of them.
func (d *work) step(from int64, now time.Time) store.Step {
	s := store.Step{Stage: Stage, From: from, To: d.facts[len(d.facts)-1].Seq, Usage: d.usage}
	for i := range d.findings {
		s.Findings = append(s.Findings, stored(&d.findings[i], now))
	}
	return s
}

// stored is a finding as the store keeps it, with the fact that tells of it.
func stored(f *detect.Finding, now time.Time) store.Finding {
	raised := fact.FindingRaised{
		Key: f.Key, Concluded: f.Kind.String(), Severity: f.Severity.String(), Source: fact.ParseSource(f.Source), Text: f.Text, Evidence: f.Evidence,
	}
	return store.Finding{
		Key: f.Key, Kind: f.Kind.String(), Severity: f.Severity.String(), Line: f.Line, Account: f.Account, Source: f.Source, Text: f.Text,
		At: f.At, Last: f.At, Count: 1, Evidence: f.Evidence,
		RaiseFact: raised.Row(now, fact.Subject{Line: f.Line, Account: f.Account}),
	}
}

// fold takes facts into memory after they are durable. done is what the store said of our own step; nil when another
// node took it.
func (w *Watch) fold(d *work, done *store.Stepped, ours bool) {
	w.mu.Lock()
	for _, c := range d.settled {
		w.ended(c)
	}
	for i, u := range d.usage {
		if ours && i < len(done.Usage) { // what the store says is right, whatever billing took away meanwhile
			w.subject(u.Subject).settled = done.Usage[i]
		}
	}
	for _, t := range d.told {
		if s := w.subjects[t.Subject]; s != nil {
			s.told = max(s.told, t.Passed)
		}
	}
	if d.sweep {
		w.sweepAgain = 2 // now, and once more: the book publishes a change just after it is in the journal
	}
	if d.billed {
		w.loaded = false // usage, and what people were notified about it, is read again
	}
	w.at = d.facts[len(d.facts)-1].Seq
	w.stats.Facts += int64(len(d.facts))
	w.stats.Old += d.old
	w.stats.Bad += d.bad
	w.mu.Unlock()
	if ours {
		w.raised(done)
	}
}

// raised counts new findings.
func (w *Watch) raised(done *store.Stepped) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range done.Findings {
		if f.New {
			w.stats.Raised++
		}
	}
}
