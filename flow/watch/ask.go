package watch

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Finding and Filter are the store's, for edges that must not know it.
type (
	Finding = store.Finding
	Filter  = store.FindingFilter
)

// Errors of Close and Note. Where there is no such finding, it is store.ErrNotFound.
var (
	ErrClosed = store.ErrInUse
	ErrFull   = store.ErrInUse
)

// Findings lists findings, newest first.
func (w *Watch) Findings(ctx context.Context, f Filter) ([]Finding, error) {
	return w.o.Store.Findings(ctx, f)
}

// Finding reads one.
func (w *Watch) Finding(ctx context.Context, id int64) (Finding, error) {
	return w.o.Store.Finding(ctx, id)
}

// Close says that a person has dealt with a finding. ErrClosed when it was closed before. A repeat within
// the finding's period counts on and does not open it again.
func (w *Watch) Close(ctx context.Context, id int64, actor string) error {
	f, err := w.o.Store.Finding(ctx, id)
	if err != nil {
		return err
	}
	actor = strings.ToValidUTF8(actor[:min(len(actor), 100)], "")
	now, closed := time.Now(), fact.FindingClosed{By: actor, Finding: id, Key: f.Key}
	return w.o.Store.CloseFinding(ctx, id, now, actor, closed.Row(now, fact.Subject{Line: f.Line, Account: f.Account}))
}

// MaxNote is how long a note may be, in bytes.
const MaxNote = 2000

// Note adds a note to a finding. ErrFull when it has as many as it may.
func (w *Watch) Note(ctx context.Context, id int64, actor, text string) error {
	f, err := w.o.Store.Finding(ctx, id)
	if err != nil {
		return err
	}
	n := store.Note{At: time.Now(), By: strings.ToValidUTF8(actor[:min(len(actor), 100)], ""), Text: strings.ToValidUTF8(text[:min(len(text), MaxNote)], "")}
	noted := fact.FindingNoted{By: n.By, Finding: id, Key: f.Key, Text: n.Text}
	return w.o.Store.NoteFinding(ctx, id, n, noted.Row(n.At, fact.Subject{Line: f.Line, Account: f.Account}))
}

// MaxReport is how long a report may be, in bytes; a customer has mostReports open at most.
const (
	MaxReport   = 2000
	mostReports = 20
)

// Report puts what a customer says of a fraud into the journal, from which a finding comes; line is "" for all of the customer's. The code is what they
// quote.
func (w *Watch) Report(ctx context.Context, actor, customer, line, text string) (code string, err error) {
	open, err := w.o.Store.Findings(ctx, Filter{Account: customer, Kind: detect.Reported.String(), Open: true, Limit: mostReports})
	if err != nil {
		return "", err
	}
	if len(open) == mostReports {
		return "", &book.Invalid{Field: "text", Found: text[:min(len(text), 40)], Want: "fewer reports that nobody has closed yet: call us"}
	}
	text = strings.ToValidUTF8(text[:min(len(text), MaxReport)], "")
	code = strings.TrimPrefix(book.Identify(""), account.Mark)
	said := fact.FraudReported{By: actor, Code: code, Text: text}
	_, err = w.o.Store.Advance(ctx, store.Step{Stage: Stage, Facts: []store.Fact{said.Row(time.Now(), fact.Subject{Line: line, Account: customer})}})
	return code, err
}

// Used is what a line or account has used so far and was not billed for.
type Used struct {
	Subject  string      // "line/ID" or "account/ID"
	Settled  money.Micro // of calls that have ended
	Running  money.Micro // of calls in progress, up to the last look, which is Options.Every ago at most
	Level    money.Micro // warning level in force; 0 is off
	Multiple int64       // highest multiple of that level that was told
	Told     money.Micro // the amount up to which multiples were told, whatever the level was then
}

// Used answers for each subject asked for, in that order, also for those that have used nothing; for none it lists all
// that have used something, by name.
func (w *Watch) Used(subjects ...string) []Used {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]Used, 0, max(len(subjects), 1))
	for _, name := range subjects {
		s := w.subjects[name]
		if s == nil {
			s = newSubject(name)
		}
		all = append(all, w.used(s, now))
	}
	if len(subjects) > 0 {
		return all
	}
	for _, s := range w.subjects {
		all = append(all, w.used(s, now))
	}
	slices.SortFunc(all, func(a, b Used) int { return cmp.Compare(a.Subject, b.Subject) })
	return all
}

func (w *Watch) used(s *subject, now time.Time) Used {
	u := Used{Subject: s.name, Settled: s.settled, Running: s.running, Level: w.level(s, now), Told: s.told}
	if u.Level > 0 {
		u.Multiple = int64(u.Told / u.Level)
	}
	return u
}

// Stats is how the stage is doing.
type Stats struct {
	Seq      int64         // of the last fact taken
	Facts    int64         // taken since the start
	Old      int64         // too old for findings
	Bad      int64         // whose body was not what its kind promises
	Raised   int64         // findings raised by this node
	Subjects int           // lines and accounts with usage
	Calls    int           // in progress that have cost something
	Lag      time.Duration // how far the journal is ahead, while it is caught up with
}

// Stats counts since the start.
func (w *Watch) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Seq, s.Subjects, s.Lag = w.at, len(w.subjects), w.follower.Lag()
	return s
}
