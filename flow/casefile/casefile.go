// Package casefile judges calls by what the journal says of them, and makes the archive of a case that a court can follow. The rules of judging are
// core/liability's; it must not decide anything about calls that are made.
package casefile

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/liability"
	"ringfence/flow/book"
	"ringfence/flow/desk"
	"ringfence/flow/evidence"
	"ringfence/state/store"
)

// Options of New.
type Options struct {
	Store    store.Store
	Book     *book.Book
	Cases    func() *desk.Cases // whose calls are judged
	Evidence *evidence.Evidence // proves what a case file says
	// Promises are the provider's own words for some of what it promises, by their ids.
	Promises map[string]string
	// First is from when the first words of a journal count; zero: from when they are written. The sample provider has a past.
	First time.Time

	// What stands in a case file beside its calls.
	Provider string
	Version  string                       // of this program
	Changes  string                       // the changelog
	Checks   func(context.Context) string // what the program says of its own state; may be nil
}

// Casefile judges calls. Safe for concurrent use.
type Casefile struct {
	o        Options
	wordings []liability.Wording
}

// MaxCalls bounds how many calls are judged at once.
const MaxCalls = 20_000

// ErrMany says that more calls than MaxCalls were to be judged.
var ErrMany = fmt.Errorf("at most %d calls are judged at once", MaxCalls)

// New checks the options.
func New(o Options) (*Casefile, error) {
	if o.Store == nil || o.Book == nil || o.Evidence == nil {
		return nil, errors.New("casefile: a store, a book and the seal of the journal are needed")
	}
	w, err := liability.State(o.Promises)
	return &Casefile{o, w}, err
}

// State writes down what is promised from now on, unless the journal's latest statement says the same.
func (c *Casefile) State(ctx context.Context, now time.Time) error {
	body := liability.Body(c.wordings)
	all, err := c.facts(ctx, store.FactFilter{Kinds: []string{fact.KindPromisesStated}})
	if err != nil {
		return err
	}
	if n := len(all); n > 0 {
		var f fact.PromisesStated
		if err := f.Decode(all[n-1].Body); err == nil && bytes.Equal(f.Wordings, body) {
			return nil
		}
	} else if !c.o.First.IsZero() {
		now = c.o.First
	}
	return c.write(ctx, fact.Say(&fact.PromisesStated{Wordings: body}, now, fact.Subject{}))
}

// factsAtOnce is how many facts are written in one transaction, so that no call waits long.
const factsAtOnce = 500

func (c *Casefile) write(ctx context.Context, rows ...fact.Row) error {
	for chunk := range slices.Chunk(rows, factsAtOnce) {
		if _, err := c.o.Store.Apply(ctx, []store.Op{{Kind: store.OpRecord, Facts: chunk}}); err != nil {
			return err
		}
	}
	return nil
}

// Judge says who bears the cost of each call, in the order of the ids. store.ErrNotFound: there is no record of one.
func (c *Casefile) Judge(ctx context.Context, ids []call.ID) ([]liability.Verdict, error) {
	r, err := c.read(ctx, ids)
	if err != nil {
		return nil, err
	}
	return r.verdicts(), nil
}

// Judgement is what was judged, and by whom.
type Judgement struct {
	liability.Sum
	Verdicts []liability.Verdict
}

// Record judges calls and writes the verdicts to the journal: one fact for each call, and one for each customer that sums them up. of is the number of the case; 0 is none.
func (c *Casefile) Record(ctx context.Context, actor string, of int64, ids []call.ID, now time.Time) (*Judgement, error) {
	verdicts, err := c.Judge(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]fact.Row, 0, len(verdicts)+1)
	byAccount := map[string][]liability.Verdict{}
	for i := range verdicts {
		v := &verdicts[i]
		byAccount[v.Account] = append(byAccount[v.Account], *v)
		f := &fact.VerdictGiven{By: actor, Case: of, Judgement: string(v.Outcome), Retail: v.Retail, Broken: texts(v.Broken()), Aims: texts(v.Missed()), Lacking: v.Missing}
		rows = append(rows, fact.Say(f, now, fact.Subject{Line: v.Line, Account: v.Account, Call: v.Call}))
	}
	for _, v := range verdicts { // in the order of the calls
		if all := byAccount[v.Account]; all != nil {
			delete(byAccount, v.Account)
			rows = append(rows, fact.Say(judged(actor, of, all), now, fact.Subject{Account: v.Account}))
		}
	}
	return &Judgement{liability.Total(verdicts), verdicts}, c.write(ctx, rows...)
}

func judged(actor string, of int64, all []liability.Verdict) *fact.CaseJudged {
	s := liability.Total(all)
	f := &fact.CaseJudged{
		By: actor, Case: of, Judged: s.Calls, Owed: s.Owed, Free: s.Free, Undetermined: s.Undetermined, OwedSum: s.OwedMicro, FreeSum: s.FreeMicro, OpenSum: s.UndeterminedMicro,
	}
	if b, err := json.Marshal(all); err == nil { // always: plain values
		sum := sha256.Sum256(b)
		f.Sum = hex.EncodeToString(sum[:])
	}
	return f
}

func texts(all []liability.Promise) (out []string) {
	for _, p := range all {
		out = append(out, string(p))
	}
	return out
}

// reading is all that is known of calls that are judged.
type reading struct {
	records []call.CDR // in the order of the ids
	history *liability.History
	facts   []fact.Row // in the order of the journal
}

func (r *reading) verdicts() []liability.Verdict {
	out := make([]liability.Verdict, len(r.records))
	for i := range r.records {
		out[i] = r.history.Judge(&r.records[i])
	}
	return out
}

func (c *Casefile) read(ctx context.Context, ids []call.ID) (*reading, error) {
	if len(ids) > MaxCalls {
		return nil, ErrMany
	}
	r := &reading{}
	accounts := map[string][]call.ID{}
	if err := c.records(ctx, r, ids); err != nil {
		return nil, err
	}
	for i := range r.records {
		cdr := &r.records[i]
		accounts[cdr.Account] = append(accounts[cdr.Account], cdr.ID)
	}
	for of, ids := range accounts {
		all, err := c.ofAccount(ctx, of, slices.Min(ids), slices.Max(ids))
		if err != nil {
			return nil, err
		}
		r.facts = append(r.facts, all...)
	}
	wide, err := c.facts(ctx, store.FactFilter{Kinds: wideKinds})
	if err != nil {
		return nil, err
	}
	r.facts = append(r.facts, wide...)
	slices.SortFunc(r.facts, func(a, b fact.Row) int { return cmp.Compare(a.Seq, b.Seq) })
	r.facts = slices.CompactFunc(r.facts, func(a, b fact.Row) bool { return a.Seq == b.Seq })
	r.history = liability.NewHistory(liability.Options{Zone: c.o.Book.Zone, National: c.o.Book.Plan().IsNational})
	if err := c.settings(ctx, r); err != nil {
		return nil, err
	}
	for i := range r.facts {
		if err := r.history.Read(&r.facts[i]); err != nil {
			return nil, fmt.Errorf("fact %d (%s): %w", r.facts[i].Seq, r.facts[i].Kind, err)
		}
	}
	for of := range accounts {
		if err := c.notices(ctx, r.history, of); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// recordsAtOnce is how many records are asked for at once.
const recordsAtOnce = 500

// records reads the records of calls, in the order of the ids.
func (c *Casefile) records(ctx context.Context, r *reading, ids []call.ID) error {
	for part := range slices.Chunk(ids, recordsAtOnce) {
		found, err := c.o.Store.CDRs(ctx, store.CDRFilter{Calls: part, Limit: len(part)})
		if err != nil {
			return err
		}
		byID := make(map[call.ID]*call.CDR, len(found))
		for i := range found {
			byID[found[i].ID] = &found[i]
		}
		for _, id := range part {
			if byID[id] == nil {
				return fmt.Errorf("call %.40q: %w", id, store.ErrNotFound)
			}
			r.records = append(r.records, *byID[id])
		}
	}
	return nil
}

// Kinds that are about a line beside those of each call, and about nobody or a customer.
var (
	callKinds = []string{fact.KindCallAdmitted, fact.KindCallRefused, fact.KindSliceHeld, fact.KindCallCut, fact.KindCallSettled}
	lineKinds = []string{
		fact.KindLineAdded, fact.KindLineLocked, fact.KindLineUnlocked, fact.KindLineChanged, fact.KindSettingChanged, fact.KindPasswordChanged, fact.KindRequestGranted,
		fact.KindChangeMade, fact.KindLoginLocked, fact.KindLoginReleased, fact.KindDeviceNew, fact.KindCallsUnusual,
	}
	wideKinds = []string{fact.KindPromisesStated, fact.KindLoginHoneypot, fact.KindStoreRestored}
)

// ofAccount reads what the journal has of the lines of a customer that called in the month of the first call, and until a day after the last.
func (c *Casefile) ofAccount(ctx context.Context, of string, first, last call.ID) (all []fact.Row, err error) {
	begun, err := c.o.Store.CDR(ctx, first)
	if err != nil {
		return nil, err
	}
	local := begun.Begun.In(c.o.Book.Zone(of))
	month := time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, local.Location())
	in := store.CDRFilter{Account: of, Since: call.FirstID(month), Before: last + "0"}
	lines, err := c.o.Store.Sums(ctx, in, store.SumLineCountry)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{"": true}
	for i := range lines {
		line := lines[i].Line
		if seen[line] {
			continue
		}
		seen[line] = true
		rare, err := c.facts(ctx, store.FactFilter{Line: line, Kinds: lineKinds})
		if err != nil {
			return nil, err
		}
		calls, err := c.facts(ctx, store.FactFilter{Line: line, Kinds: callKinds, From: month})
		if err != nil {
			return nil, err
		}
		all = append(append(all, rare...), calls...)
	}
	changed, err := c.facts(ctx, store.FactFilter{Kinds: []string{fact.KindCustomerChanged}, From: month.Add(-stale)})
	all = append(all, slices.DeleteFunc(changed, func(f fact.Row) bool { return f.Account != of })...)
	return all, err
}

// stale is for how long before the month of a call what its customer has set is read: a node may not have heard of it for as long.
const stale = 7 * 24 * time.Hour

// factPage is how many facts are read at once.
const factPage = 5000

func (c *Casefile) facts(ctx context.Context, f store.FactFilter) (all []fact.Row, err error) {
	f.Proofs = true // the store has read them anyway
	for f.Limit = factPage; ; {
		page, err := c.o.Store.Facts(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < factPage {
			return all, nil
		}
		f.After = page[len(page)-1].Seq
	}
}

// settingsOf is the settings that a fact of a call names, "" when it names none.
func settingsOf(row *fact.Row) (string, error) {
	switch row.Kind {
	case fact.KindCallAdmitted:
		var f fact.CallAdmitted
		err := f.Decode(row.Body)
		return f.Settings, err
	case fact.KindSliceHeld:
		var f fact.SliceHeld
		err := f.Decode(row.Body)
		return f.Settings, err
	}
	return "", nil
}

// settings reads the settings that calls name, the newest facts first.
func (c *Casefile) settings(ctx context.Context, r *reading) error {
	wanted := map[string]bool{}
	for i := range r.facts {
		of, err := settingsOf(&r.facts[i])
		if err != nil {
			return err
		}
		wanted[of] = true
	}
	delete(wanted, "")
	var found []fact.Row
	for f := (store.FactFilter{Kinds: []string{fact.KindSettingsSeen}, Before: 1<<63 - 1, Limit: factPage, Proofs: true}); len(wanted) > 0; {
		page, err := c.o.Store.Facts(ctx, f)
		if err != nil {
			return err
		}
		for i := range page {
			var s fact.SettingsSeen
			if err := s.Decode(page[i].Body); err != nil {
				return err
			}
			if wanted[s.Settings] {
				delete(wanted, s.Settings)
				found = append(found, page[i])
				if err := r.history.Read(&page[i]); err != nil {
					return err
				}
			}
		}
		if len(page) < factPage {
			break
		}
		f.Before = page[len(page)-1].Seq
	}
	r.facts = append(r.facts, found...)
	slices.SortFunc(r.facts, func(a, b fact.Row) int { return cmp.Compare(a.Seq, b.Seq) })
	return nil
}

// noticePage is how many notices are read at once.
const noticePage = 1000

// notices reads the messages to a customer that aims speak of.
func (c *Casefile) notices(ctx context.Context, h *liability.History, of string) error {
	for _, kind := range []string{"new-device", "usage-level"} {
		for f := (store.NoticeFilter{Account: of, Kind: kind, Limit: noticePage}); ; {
			page, err := c.o.Store.Notices(ctx, f)
			if err != nil {
				return err
			}
			for i := range page {
				n := &page[i]
				h.Notices(liability.Notice{Kind: n.Kind, Line: n.Line, Account: n.Account, At: n.At, Sent: firstSent(n.Deliveries)})
			}
			if len(page) < noticePage {
				break
			}
			f.Before = page[len(page)-1].ID
		}
	}
	return nil
}

func firstSent(all []store.Delivery) (at time.Time) {
	for i := range all {
		if s := all[i].Sent; !s.IsZero() && (at.IsZero() || s.Before(at)) {
			at = s
		}
	}
	return at
}

// handle is a line or customer as people know it.
func handle(id string) string { return account.Handle(id) }
