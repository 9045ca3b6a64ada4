// Package retention deletes what nobody needs any more, in the background: old calls go to archives first. It keeps the holds that staff set, and says what is kept
// and why. core/retain has the rules. It must not know SQL or protocols.
package retention

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/retain"
	"ringfence/flow/evidence"
	"ringfence/flow/journal"
	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Store is what of the store is needed.
type Store interface {
	store.Erasing
	store.Retaining
	store.Marks
	Clock(ctx context.Context) (time.Time, error)
	CDR(ctx context.Context, id call.ID) (call.CDR, error)
	Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
}

// Policy is what the configuration says.
type Policy struct {
	Keep    map[retain.Kind]retain.Period
	Archive bool
}

// Options of New.
type Options struct {
	Store  Store
	Policy func() Policy
	Export func(ctx context.Context, w io.Writer, f evidence.Filter) error // writes facts with their proofs
	// Readers are the stages that follow the journal: what one of them has still to read stays. nil: there are none.
	Readers func() []journal.Reader
	Folder  string // of archives
	Node    string
	Every   time.Duration                                       // between two looks; 0 is an hour
	Rest    func(ctx context.Context, took time.Duration) error // between two writes; nil: nine times as long as the last one took
	Log     *slog.Logger
}

// Retention is safe for concurrent use, and on several nodes: one of them deletes at a time.
type Retention struct {
	o Options

	mu   sync.Mutex // owns the rest
	last Sweep
	sum  map[retain.Kind]int64 // deleted by this node since the start
}

// New makes it; nothing is deleted before Run.
func New(o Options) *Retention {
	o.Every = cmp.Or(o.Every, time.Hour)
	if o.Rest == nil {
		o.Rest = rest
	}
	if o.Readers == nil {
		o.Readers = func() []journal.Reader { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Retention{o: o, sum: map[retain.Kind]int64{}}
}

// Names that edges use.
type (
	Hold    = store.LegalHold
	Archive = store.Archive
)

// Errors that callers tell apart.
var (
	ErrNotFound = store.ErrNotFound
	ErrLifted   = errors.New("the hold was lifted before")
	ErrBusy     = errors.New("another node is deleting what is old")
)

// rest leaves most of the time to live calls: deleting is never in a hurry.
func rest(ctx context.Context, took time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(9*took + time.Millisecond):
		return nil
	}
}

// Run looks for what is old until ctx ends.
func (r *Retention) Run(ctx context.Context) {
	outage := keep.Outage{Log: r.o.Log, Level: slog.LevelWarn, Failed: "what is old cannot be deleted", Again: "what is old is deleted again"}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.o.Every):
		}
		_, err := r.Sweep(ctx)
		if ctx.Err() == nil && !errors.Is(err, ErrBusy) {
			outage.Note(err)
		}
	}
}

// Sweep is what one look found and did.
type Sweep struct {
	At      time.Time
	Deleted map[retain.Kind]int64
	Held    map[retain.Kind]map[retain.Why]int64 // of what has expired, why it is still there
}

// lease is how long a node deletes alone; it renews it as it goes.
const lease = 5 * time.Minute

const markLease = "retention"

// turn is the mark that says which node deletes.
type turn struct {
	Node  string    `json:"node"`
	Until time.Time `json:"until"`
}

// claim takes or renews the turn of this node.
func (r *Retention) claim(ctx context.Context) error {
	now, err := r.o.Store.Clock(ctx)
	if err != nil {
		return err
	}
	marks, err := r.o.Store.Marks(ctx)
	if err != nil {
		return err
	}
	was := marks[markLease].Value
	var t turn
	_ = json.Unmarshal([]byte(was), &t) // one that cannot be read has ended
	if t.Node != r.o.Node && now.Before(t.Until) {
		return ErrBusy
	}
	text, err := json.Marshal(turn{r.o.Node, now.Add(lease)})
	if err != nil {
		return err
	}
	if err := r.o.Store.PutMark(ctx, store.Mark{Name: markLease, Value: string(text)}, was); !errors.Is(err, store.ErrMoved) {
		return err
	}
	return ErrBusy
}

// sweep is one look.
type sweep struct {
	r       *Retention
	p       Policy
	now     time.Time
	out     Sweep
	renewed time.Time
	cursors map[string]int64 // how far the stages had come when the look began
}

// unread is the first fact of a kind that a stage may have still to read; of calls the kind is "".
func (s *sweep) unread(kind string) int64 { return journal.Unread(s.cursors, s.r.o.Readers(), kind) }

// Sweep deletes everything that may go now, a little at a time.
func (r *Retention) Sweep(ctx context.Context) (Sweep, error) {
	now, err := r.o.Store.Clock(ctx)
	if err != nil {
		return Sweep{}, err
	}
	s := &sweep{r: r, p: r.o.Policy(), now: now, out: Sweep{At: now, Deleted: map[retain.Kind]int64{}, Held: map[retain.Kind]map[retain.Why]int64{}}}
	if err := s.renew(ctx); err != nil {
		return s.out, err
	}
	if s.cursors, err = r.o.Store.Cursors(ctx); err != nil {
		return s.out, err
	}
	for _, step := range []func(context.Context) error{s.finish, s.calls, s.orphans, s.facts, s.others, s.uploads, s.archives, s.purses} {
		if err := step(ctx); err != nil {
			return s.out, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = s.out
	return s.out, nil
}

// renew keeps the turn.
func (s *sweep) renew(ctx context.Context) error {
	if time.Since(s.renewed) < lease/5 {
		return nil
	}
	s.renewed = time.Now()
	return s.r.claim(ctx)
}

// Sizes of steps.
const (
	page    = 500 // things looked at together
	atOnce  = 50  // calls deleted in one transaction, each with some facts
	perFile = 2000
)

// rules are the periods with what is held now.
func (s *sweep) rules(ctx context.Context) (*retain.Rules, error) {
	live, err := s.r.o.Store.LiveCases(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.r.o.Store.LegalHolds(ctx, false)
	rules := &retain.Rules{Keep: s.p.Keep}
	for i := range live {
		if live[i].Line != "" || live[i].Customer != "" {
			rules.Holds = append(rules.Holds, live[i])
		}
	}
	for i := range all {
		rules.Holds = append(rules.Holds, all[i].Hold)
	}
	return rules, err
}

// may decides within the transaction that deletes.
func (s *sweep) may(it *retain.Item, holds []retain.Hold) bool {
	r := retain.Rules{Keep: s.p.Keep, Holds: holds}
	why, _ := r.Decide(it, s.now)
	return why == retain.Expired
}

// ripe goes through everything of a kind that has expired, some at a time, and gives yield what may go.
func (s *sweep) ripe(ctx context.Context, f store.OldFilter, yield func([]store.Old) error) error {
	f.Before, f.Limit = s.p.Keep[f.Kind].Before(s.now), page
	if f.Before.IsZero() {
		return nil
	}
	for {
		if err := s.renew(ctx); err != nil {
			return err
		}
		rules, err := s.rules(ctx)
		if err != nil {
			return err
		}
		all, err := s.r.o.Store.Old(ctx, f)
		if err != nil || len(all) == 0 {
			return err
		}
		var going []store.Old
		for i := range all {
			why, _ := rules.Decide(&all[i].Item, s.now)
			switch why {
			case retain.Expired:
				going = append(going, all[i])
			case retain.Young:
			default:
				s.held(f.Kind, why)
			}
		}
		if len(going) > 0 {
			if err := yield(going); err != nil {
				return err
			}
		}
		f.After = all[len(all)-1]
		if len(all) < page || !f.After.At.Before(f.Before) { // facts are found in the order in which they were written
			return nil
		}
	}
}

// held counts what stays although it has expired.
func (s *sweep) held(k retain.Kind, why retain.Why) {
	if s.out.Held[k] == nil {
		s.out.Held[k] = map[retain.Why]int64{}
	}
	s.out.Held[k][why]++
}

// drop deletes things in small transactions, with rests between.
func (s *sweep) drop(ctx context.Context, f store.OldFilter, all []store.Old, size int) error {
	for len(all) > 0 {
		part := all[:min(size, len(all))]
		began := time.Now()
		out, err := s.r.o.Store.DropOld(ctx, f, part, s.may, func(d store.Dropped) []store.Fact { return s.deleted(f, d) })
		if err != nil {
			return err
		}
		s.count(f, out)
		if !out.More {
			all = all[len(part):]
		}
		if err := s.r.o.Rest(ctx, time.Since(began)); err != nil {
			return err
		}
		if err := s.renew(ctx); err != nil {
			return err
		}
	}
	return nil
}

// count counts what went: things of their kind, facts with the journal or audit that they are of. The facts of a call go with it and count as the one call; those of calls without a
// record count with the journal.
func (s *sweep) count(f store.OldFilter, d store.Dropped) {
	k, n := f.Kind, d.Items
	switch {
	case k == retain.Journal || k == retain.Audit:
		n = d.Facts
	case k == retain.Calls && f.Part == "facts":
		k, n = retain.Journal, d.Facts
	}
	s.out.Deleted[k] += n
	s.r.mu.Lock()
	s.r.sum[k] += n
	s.r.mu.Unlock()
}

// deleted is the fact that things went.
func (s *sweep) deleted(f store.OldFilter, d store.Dropped) []store.Fact {
	said := fact.RetentionDeleted{Kept: string(f.Kind), Count: d.Items, FactCount: d.Facts, To: s.p.Keep[f.Kind].Before(s.now), Archive: f.Archive, Node: s.r.o.Node}
	return []store.Fact{said.Row(s.now, fact.Subject{})}
}

// calls sends what may go to archives, or only deletes it.
func (s *sweep) calls(ctx context.Context) error {
	f := store.OldFilter{Kind: retain.Calls, Unread: s.unread("")}
	if !s.p.Archive {
		return s.ripe(ctx, f, func(all []store.Old) error { return s.drop(ctx, f, all, atOnce) })
	}
	var batch []store.Old
	flush := func() error {
		full := batch
		batch = nil
		return s.archive(ctx, full)
	}
	err := s.ripe(ctx, f, func(all []store.Old) error {
		for i := range all {
			if len(batch) == perFile || len(batch) > 0 && day(&batch[0]) != day(&all[i]) {
				if err := flush(); err != nil {
					return err
				}
			}
			batch = append(batch, all[i])
		}
		return nil
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return flush()
}

// orphans are facts of calls that have no record.
func (s *sweep) orphans(ctx context.Context) error {
	f := store.OldFilter{Kind: retain.Calls, Part: "facts", Unread: s.unread("")}
	return s.ripe(ctx, f, func(all []store.Old) error { return s.drop(ctx, f, all, atOnce) })
}

func (s *sweep) facts(ctx context.Context) error {
	kinds, err := s.r.o.Store.FactKinds(ctx)
	for _, kind := range kinds {
		if err == nil {
			f := store.OldFilter{Kind: retain.OfFact(kind), Part: kind, Unread: s.unread(kind)}
			err = s.ripe(ctx, f, func(all []store.Old) error { return s.drop(ctx, f, all, page) })
		}
	}
	return err
}

func (s *sweep) others(ctx context.Context) (err error) {
	for _, f := range []store.OldFilter{
		{Kind: retain.Devices}, {Kind: retain.Notices}, {Kind: retain.Findings}, {Kind: retain.Cases}, {Kind: retain.Books, Part: "bill"}, {Kind: retain.Books, Part: "entry"},
	} {
		if err == nil {
			err = s.ripe(ctx, f, func(all []store.Old) error { return s.drop(ctx, f, all, 100) })
		}
	}
	return err
}

// stray is how long a file that was sent waits for an item that names it.
const stray = 24 * time.Hour

// uploads removes files that nobody named.
func (s *sweep) uploads(ctx context.Context) error {
	for {
		codes, err := s.r.o.Store.Uploads(ctx, s.now.Add(-stray), page)
		if err != nil || len(codes) == 0 {
			return err
		}
		for _, code := range codes {
			for more := true; more; {
				began := time.Now()
				if more, err = s.r.o.Store.DropUpload(ctx, code); err != nil {
					return err
				}
				if err := s.r.o.Rest(ctx, time.Since(began)); err != nil {
					return err
				}
			}
		}
	}
}

// Purses of days and months that are over count nothing any more. They stay a while, because records that a carrier sends late are booked into them.
const (
	pursesDays   = 62
	pursesMonths = 4
)

// purses deletes those that can no longer matter, and the names that erasures kept for bills that are gone.
func (s *sweep) purses(ctx context.Context) error {
	day, month := s.now.AddDate(0, 0, -pursesDays).Format(time.DateOnly), s.now.AddDate(0, -pursesMonths, 0).Format("2006-01")
	for _, step := range []func() (int64, error){
		func() (int64, error) { return s.r.o.Store.DropPurses(ctx, day, month, page) },
		func() (int64, error) { return s.r.o.Store.ForgetErased(ctx) },
	} {
		for n := int64(1); n > 0; {
			began := time.Now()
			var err error
			if n, err = step(); err != nil {
				return err
			}
			if err := s.r.o.Rest(ctx, time.Since(began)); err != nil {
				return err
			}
			if err := s.renew(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Last is the latest look that came to its end, and what was deleted since the start.
func (r *Retention) Last() (Sweep, map[retain.Kind]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := make(map[retain.Kind]int64, len(r.sum))
	for k, n := range r.sum {
		sum[k] = n
	}
	return r.last, sum
}

// Holds are those in force; with all also those that were lifted.
func (r *Retention) Holds(ctx context.Context, all bool) ([]Hold, error) {
	return r.o.Store.LegalHolds(ctx, all)
}

// Hold reads one.
func (r *Retention) Hold(ctx context.Context, id int64) (Hold, error) {
	return r.o.Store.LegalHold(ctx, id)
}

// Invalid says what of a hold is wrong.
type Invalid struct{ Field, Found, Want string }

// Error names the field.
func (e *Invalid) Error() string { return fmt.Sprintf("%s: %q; want %s", e.Field, e.Found, e.Want) }

// Set adds a hold. One of a call gets the call's line and customer.
func (r *Retention) Set(ctx context.Context, h Hold) (Hold, error) {
	switch {
	case len(h.Why) < 3 || len(h.Why) > 1000:
		return h, &Invalid{"why", h.Why, "why it is held, in a sentence"}
	case !h.From.IsZero() && !h.Until.IsZero() && !h.From.Before(h.Until):
		return h, &Invalid{"until", h.Until.Format(time.RFC3339), "after from"}
	case h.Call == "" && h.Line == "" && h.Customer == "" && h.From.IsZero() && h.Until.IsZero():
		return h, &Invalid{"customer", "", "a call, a line, a customer or a time that is held"}
	}
	if h.Call != "" {
		c, err := r.o.Store.CDR(ctx, h.Call)
		if err != nil {
			return h, err
		}
		h.Line, h.Customer = c.Line, c.Account
	}
	h.Made = time.Now().UTC().Truncate(time.Microsecond)
	id, err := r.o.Store.PutLegalHold(ctx, h, func(id int64) []store.Fact {
		said := fact.HoldSet{By: h.By, LegalHold: id, From: h.From, To: h.Until, Why: h.Why}
		return []store.Fact{said.Row(h.Made, fact.Subject{Line: h.Line, Account: h.Customer, Call: h.Call})}
	})
	h.ID = id
	return h, err
}

// Lift ends a hold.
func (r *Retention) Lift(ctx context.Context, id int64, by, why string) (Hold, error) {
	if len(why) < 3 || len(why) > 1000 {
		return Hold{}, &Invalid{"why", why, "why it is held no more, in a sentence"}
	}
	h, err := r.o.Store.LegalHold(ctx, id)
	if err != nil {
		return h, err
	}
	h.Lifted, h.LiftedBy, h.LiftedWhy = time.Now().UTC().Truncate(time.Microsecond), by, why
	said := fact.HoldLifted{By: by, LegalHold: id, Why: why}
	err = r.o.Store.LiftLegalHold(ctx, h, said.Row(h.Lifted, fact.Subject{Line: h.Line, Account: h.Customer, Call: h.Call}))
	if errors.Is(err, store.ErrInUse) {
		err = ErrLifted
	}
	return h, err
}
