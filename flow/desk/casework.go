package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// CaseFilter is the store's, for edges that must not know it.
type (
	CaseFilter     = store.CaseFilter
	CaseCallFilter = store.CaseCallFilter
)

// ErrMoved says that somebody else changed a case again and again in the meantime.
var ErrMoved = store.ErrMoved

// CasesOptions are those of NewCases. Store, Records, Book and Watch are needed.
type CasesOptions struct {
	Store interface {
		store.Cases
		Findings(ctx context.Context, f store.FindingFilter) ([]store.Finding, error)
		Finding(ctx context.Context, id int64) (store.Finding, error)
		Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
		Advance(ctx context.Context, step store.Step) (store.Stepped, error)
	}
	Records interface {
		CDRs(ctx context.Context, f store.CDRFilter) ([]CDR, error)
		CDR(ctx context.Context, id CallID) (CDR, error)
	}
	Book  *book.Book
	Watch func() *watch.Watch
	// Vouch records that the calls of a finding were honest, and opens what it closed.
	Vouch func(ctx context.Context, actor, line, customer, key string) error
	// Credit gives the money of a decision back. It is asked again after a crash: what it gave for that item it does not give twice.
	Credit func(ctx context.Context, c *casework.Case, i *casework.Item) error
	// Settle carries out a decision about cost price, once it was agreed to.
	Settle func(ctx context.Context, id int64) error
	// Left is what may still be given back of a case: no more than its calls were charged. nil: there is no bound.
	Left func(ctx context.Context, id int64) (money.Micro, error)
	// SecondAbove is what one member of staff may give away alone in a case.
	SecondAbove func() money.Micro
}

// Cases are cases of fraud: what staff work on, and what a customer sees of it and says to it. It is safe for concurrent use.
type Cases struct{ o CasesOptions }

// NewCases makes them.
func NewCases(o CasesOptions) (*Cases, error) {
	if o.Store == nil || o.Records == nil || o.Book == nil || o.Watch == nil {
		return nil, errors.New("cases: a store, records, a book and the list of findings are needed")
	}
	if o.SecondAbove == nil {
		o.SecondAbove = func() money.Micro { return 0 }
	}
	return &Cases{o}, nil
}

// Who asks. Customer is the identity of the customer whose people they are; "" is staff. Below says which customers are a reseller's; nil is none.
type Who struct {
	Actor, Customer string
	Below           func(customer string) bool
}

func (w Who) staff() bool { return w.Customer == "" }

// reaches says that a customer's cases are theirs to see.
func (w Who) reaches(customer string) bool {
	return w.staff() || w.Customer == customer || w.Below != nil && w.Below(customer)
}

// Pick says which calls: those named, or those of a line (or of all the customer's) in a time.
type Pick struct {
	Calls       []CallID
	Line        string // identity
	From, Until time.Time
	All         bool   // of those that are in the case
	Verdict     string // with All: those with this verdict
}

// NewCase is a case to open.
type NewCase struct {
	Customer, Line string // identities
	Title, Text    string
	Finding        int64
	Origin         casework.Origin
}

// Open opens a case. A finding has one: that is returned when it is there. The calls that the finding is about are in it, in dispute.
func (c *Cases) Open(ctx context.Context, who Who, n NewCase) (x casework.Case, err error) {
	if n.Finding == 0 {
		return c.open(ctx, who, n)
	}
	if x, err := c.ofFinding(ctx, n.Finding); err != nil || x.ID != 0 {
		return x, err
	}
	f, err := c.fromFinding(ctx, &n)
	if err != nil {
		return x, err
	}
	if x, err = c.open(ctx, who, n); err != nil {
		return x, err
	}
	p, err := c.foundCalls(ctx, &x, &f)
	if err == nil && p.Line != "" {
		_, err = c.Dispute(ctx, who, x.ID, p, "found: "+x.Title)
	}
	if wrong := (*book.Invalid)(nil); errors.As(err, &wrong) { // more than a case holds: staff say which
		err = nil
	}
	return x, err
}

// foundCalls are those that a finding is about: what its line called since an hour before it, until the line was locked or the finding
// closed, and at the latest a day after it was seen last. The zero Pick is none: nothing says which calls of a customer it would be, or nobody
// is thought to have made any.
func (c *Cases) foundCalls(ctx context.Context, x *casework.Case, f *Finding) (p Pick, err error) {
	if x.Line == "" || atRisk(f.Kind) == nothing {
		return p, nil
	}
	p = Pick{Line: x.Line, From: f.At.Add(-lead), Until: f.Last.Add(sameMatter)}
	locked, err := c.o.Store.Facts(ctx, store.FactFilter{Line: x.Line, Kind: fact.KindLineLocked, From: f.At, Limit: 1})
	if err != nil {
		return p, err
	}
	ends := []time.Time{x.Opened, f.ClosedAt}
	if len(locked) > 0 {
		ends = append(ends, locked[0].At)
	}
	for _, at := range ends {
		if !at.IsZero() && at.Before(p.Until) {
			p.Until = at
		}
	}
	return p, nil
}

func (c *Cases) open(ctx context.Context, who Who, n NewCase) (x casework.Case, err error) {
	v, ok := c.o.Book.Customer(n.Customer)
	if !ok {
		return x, fmt.Errorf("customer: %w", store.ErrNotFound)
	}
	if l, ok := c.o.Book.Line(n.Line); n.Line != "" && (!ok || l.Customer() != n.Customer) {
		return x, fmt.Errorf("line: %w", store.ErrNotFound)
	}
	if n.Title = strings.TrimSpace(casework.Cut(n.Title, casework.MaxTitle)); n.Title == "" {
		return x, &book.Invalid{Field: "title", Want: "what it is about, in a few words"}
	}
	now := time.Now()
	for range tries {
		last, err := c.o.Store.LastCase(ctx)
		if err != nil {
			return x, err
		}
		x = casework.Case{
			ID: last + 1, Customer: v.ID, Line: n.Line, Title: n.Title, State: casework.Open, Origin: n.Origin, Finding: n.Finding, By: who.Actor, Opened: now,
			Deadline: now.Add(casework.AnswerTime),
		}
		if who.staff() {
			x.Owner = who.Actor
		}
		w := store.CaseWrite{Case: &x}
		opened := fact.CaseOpened{By: who.Actor, Case: x.ID, Title: x.Title, Origin: string(x.Origin), Finding: x.Finding, Due: x.Deadline}
		facts := []store.Fact{opened.Row(now, subjectOf(&x))}
		if text := strings.TrimSpace(n.Text); text != "" {
			i := casework.Item{Case: x.ID, N: 1, Kind: casework.Note, At: now, By: who.Actor, Text: casework.Cut(text, casework.MaxText), Theirs: !who.staff()}
			if i.Theirs {
				i.Kind = casework.Evidence
			}
			w.Items, facts = []casework.Item{i}, append(facts, noted(&x, &i))
		}
		err = c.o.Store.WriteCase(ctx, w, facts...)
		if !errors.Is(err, store.ErrExists) {
			x.Version = 1
			return x, err
		}
		if n.Finding != 0 { // somebody else opened it for the same finding
			if was, err := c.ofFinding(ctx, n.Finding); err != nil || was.ID != 0 {
				return was, err
			}
		}
	}
	return x, ErrMoved
}

const tries = 8

func subjectOf(x *casework.Case) fact.Subject {
	return fact.Subject{Line: x.Line, Account: x.Customer}
}

func (c *Cases) ofFinding(ctx context.Context, id int64) (x casework.Case, err error) {
	all, err := c.o.Store.Cases(ctx, CaseFilter{Finding: id, Limit: 1})
	if err == nil && len(all) > 0 {
		x = all[0]
	}
	return x, err
}

// fromFinding takes from a finding what a case was not given.
func (c *Cases) fromFinding(ctx context.Context, n *NewCase) (f Finding, err error) {
	if f, err = c.o.Store.Finding(ctx, n.Finding); err != nil {
		return f, err
	}
	if f.Account == "" {
		return f, &book.Invalid{Field: "finding", Found: fmt.Sprint(n.Finding), Want: "a finding about a customer or a line"}
	}
	kind, _ := detect.ParseKind(f.Kind)
	n.Customer, n.Line, n.Origin = f.Account, f.Line, casework.FromFinding
	if l, ok := c.o.Book.Line(n.Line); !ok || l.Customer() != n.Customer {
		n.Line = "" // it was removed, or given to another customer
	}
	n.Title = cmp.Or(strings.TrimSpace(n.Title), kind.Title(), f.Kind)
	n.Text = cmp.Or(strings.TrimSpace(n.Text), f.Text)
	return f, nil
}

// Report takes what a customer reports. It becomes a finding, and a case, or joins the case about the same that is open.
func (c *Cases) Report(ctx context.Context, who Who, customer, line, text string) (code string, id int64, err error) {
	open, err := c.o.Store.Cases(ctx, CaseFilter{Customer: customer, Open: true, Limit: mostOpen})
	if err != nil {
		return "", 0, err
	}
	if code, err = c.o.Watch().Report(ctx, who.Actor, customer, line, text); err != nil {
		return "", 0, err
	}
	theirs := Who{Actor: who.Actor, Customer: customer} // staff who pass on what somebody said on the telephone write for them
	for i := range open {
		if x := &open[i]; x.Line == line || line == "" && time.Since(x.Opened) < sameMatter || len(open) == mostOpen {
			if _, err = c.Write(ctx, theirs, x.ID, Entered{Kind: casework.Evidence, Text: text}); !errors.Is(err, ErrFull) {
				return code, x.ID, err
			}
		}
	}
	x, err := c.Open(ctx, theirs, NewCase{Customer: customer, Line: line, Title: "Report " + code, Text: text, Origin: casework.FromReport})
	return code, x.ID, err
}

const (
	// mostOpen cases of a customer are open because they reported something; further reports join them.
	mostOpen = 20
	// sameMatter is for how long a report that names no line is about what was reported last.
	sameMatter = 24 * time.Hour
)

// List lists them, newest first. Those of a customer alone are for its people.
func (c *Cases) List(ctx context.Context, who Who, f CaseFilter) ([]casework.Case, error) {
	if !who.staff() {
		f.Owner, f.Finding = "", 0
		if !who.reaches(f.Customer) {
			f.Customer = who.Customer
		}
	}
	return c.o.Store.Cases(ctx, f)
}

// File is a case with what is in it.
type File struct {
	casework.Case
	Items []casework.Item // of the customer's people only what is theirs to see
	Sums  []casework.Sum  // of its calls by state
}

// Disputed is what its calls in dispute come to.
func (f *File) Disputed() (n int64, sum money.Micro) {
	for _, s := range f.Sums {
		if s.State.Pending() {
			n, sum = n+s.Calls, sum.Add(s.Retail)
		}
	}
	return n, sum
}

// Undecided are decisions that wait for a second person.
func (f *File) Undecided() (n int) {
	for i := range f.Items {
		if f.Items[i].Kind == casework.Decision && f.Items[i].Waits() {
			n++
		}
	}
	return n
}

// Case reads one. Another customer's is not there.
func (c *Cases) Case(ctx context.Context, who Who, id int64) (f File, err error) {
	if f.Case, err = c.one(ctx, who, id); err != nil {
		return f, err
	}
	if f.Items, err = c.o.Store.CaseItems(ctx, id); err != nil {
		return f, err
	}
	if !who.staff() {
		f.Items = slices.DeleteFunc(f.Items, func(i casework.Item) bool { return !i.Shared() })
	}
	f.Sums, err = c.o.Store.CaseSums(ctx, id, "")
	return f, err
}

func (c *Cases) one(ctx context.Context, who Who, id int64) (casework.Case, error) {
	x, err := c.o.Store.Case(ctx, id)
	if err == nil && !who.reaches(x.Customer) {
		return casework.Case{}, fmt.Errorf("case %d: %w", id, store.ErrNotFound)
	}
	return x, err
}

// Calls lists the calls of a case.
func (c *Cases) Calls(ctx context.Context, who Who, f CaseCallFilter) ([]casework.CaseCall, error) {
	if _, err := c.one(ctx, who, f.Case); err != nil {
		return nil, err
	}
	return c.o.Store.CaseCalls(ctx, f)
}

// Made are the records of calls of a case, of as many as there still are.
func (c *Cases) Made(ctx context.Context, calls []casework.CaseCall) (map[CallID]CDR, error) {
	out := make(map[CallID]CDR, len(calls))
	for i := range calls {
		r, err := c.o.Records.CDR(ctx, calls[i].Call)
		if err == nil {
			out[r.ID] = r
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return out, nil
}

// About are the disputes about some calls, of those who may see them.
func (c *Cases) About(ctx context.Context, who Who, calls []CallID) ([]casework.CaseCall, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	return c.o.Store.CaseCalls(ctx, CaseCallFilter{Calls: calls, Customer: who.Customer, Limit: 2 * len(calls)})
}

// change reads a case and its items, lets f say what is to be written, and writes it, again from the start when somebody else wrote in between.
func (c *Cases) change(ctx context.Context, who Who, id int64, f func(x *casework.Case, items []casework.Item) (store.CaseWrite, []store.Fact, error)) error {
	for range tries {
		x, err := c.one(ctx, who, id)
		if err != nil {
			return err
		}
		items, err := c.o.Store.CaseItems(ctx, id)
		if err != nil {
			return err
		}
		w, facts, err := f(&x, items)
		if err != nil {
			return err
		}
		err = c.o.Store.WriteCase(ctx, w, facts...)
		if !errors.Is(err, store.ErrMoved) && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return ErrMoved
}

// Edit is what staff change of a case; what is nil stays.
type Edit struct {
	Title, Owner *string
	Link, Unlink string // identities of lines
	State        *casework.State
	Deadline     *time.Time
	Hold         *bool
}

// Edit changes a case.
func (c *Cases) Edit(ctx context.Context, who Who, id int64, e Edit) error {
	return c.change(ctx, who, id, func(x *casework.Case, _ []casework.Item) (w store.CaseWrite, facts []store.Fact, err error) {
		was := *x
		if e.Title != nil {
			if x.Title = strings.TrimSpace(casework.Cut(*e.Title, casework.MaxTitle)); x.Title == "" {
				return w, nil, &book.Invalid{Field: "title", Want: "what it is about, in a few words"}
			}
		}
		if e.Owner != nil {
			x.Owner = casework.Cut(strings.TrimSpace(*e.Owner), 100)
		}
		if e.Deadline != nil {
			x.Deadline = *e.Deadline
		}
		if e.Hold != nil {
			x.Hold = *e.Hold
		}
		if err := c.link(x, &e); err != nil {
			return w, nil, err
		}
		if e.State != nil && *e.State != x.State {
			if err := x.Move(*e.State); err != nil {
				return w, nil, err
			}
		}
		said := fact.CaseChanged{By: who.Actor, Case: id, Before: editable(&was), After: editable(x)}
		return store.CaseWrite{Case: x}, []store.Fact{said.Row(time.Now(), subjectOf(x))}, nil
	})
}

// link adds a line to those that were linked by hand, or takes one off.
func (c *Cases) link(x *casework.Case, e *Edit) error {
	if e.Link != "" && !slices.Contains(x.Linked, e.Link) {
		if _, ok := c.o.Book.Line(e.Link); !ok {
			return fmt.Errorf("line: %w", store.ErrNotFound)
		}
		if len(x.Linked) >= casework.MaxLinked {
			return &book.Invalid{Field: "link", Found: account.Handle(e.Link), Want: fmt.Sprintf("at most %d lines", casework.MaxLinked)}
		}
		x.Linked = append(slices.Clone(x.Linked), e.Link)
	}
	if e.Unlink != "" {
		x.Linked = slices.DeleteFunc(slices.Clone(x.Linked), func(line string) bool { return line == e.Unlink })
	}
	return nil
}

// Verdicts are what the calls of a case come to, by verdict.
func (c *Cases) Verdicts(ctx context.Context, who Who, id int64) ([]casework.VerdictSum, error) {
	if _, err := c.one(ctx, who, id); err != nil {
		return nil, err
	}
	return c.o.Store.CaseVerdicts(ctx, id)
}

// Numbers are the calls of a case by the number that was called, the dearest first. after is what a page before ended with; next is the same of this one, "" at the end.
func (c *Cases) Numbers(ctx context.Context, who Who, id int64, after string, limit int) (all []casework.NumberSum, next string, err error) {
	if _, err := c.one(ctx, who, id); err != nil {
		return nil, "", err
	}
	from, err := numberKey(after)
	if err != nil {
		return nil, "", err
	}
	all, err = c.o.Store.CaseNumbers(ctx, id, from, limit+1)
	if err == nil && len(all) > limit {
		all = all[:limit]
		last := &all[limit-1]
		next = strconv.FormatInt(int64(last.Retail), 10) + "," + last.Number
	}
	return all, next, err
}

// numberKey reads where a list of numbers goes on: the sum and the number after which it does.
func numberKey(after string) (x casework.NumberSum, err error) {
	if after == "" {
		return x, nil
	}
	sum, number, ok := strings.Cut(after, ",")
	n, err := strconv.ParseInt(sum, 10, 64)
	if err != nil || !ok || len(number) > maxNumber {
		return x, &book.Invalid{Field: "after", Found: casework.Cut(after, 40), Want: "what the page before ended with"}
	}
	return casework.NumberSum{Retail: money.Micro(n), Number: number, Calls: 1}, nil
}

const maxNumber = 64

// InCase wants a call to be in a case that somebody may see. store.ErrNotFound: it is in none.
func (c *Cases) InCase(ctx context.Context, who Who, id CallID) error {
	if who.staff() {
		return nil
	}
	all, err := c.o.Store.CaseCalls(ctx, CaseCallFilter{Calls: []CallID{id}})
	if err == nil && !slices.ContainsFunc(all, func(t casework.CaseCall) bool { return who.reaches(t.Customer) }) {
		err = fmt.Errorf("call %.40q in a case: %w", id, store.ErrNotFound)
	}
	return err
}

// Close ends a case, and tells the rules whose findings led to it whether they were right.
func (c *Cases) Close(ctx context.Context, who Who, id int64, outcome casework.Outcome, why string) error {
	if err := c.carryOut(ctx, who, id); err != nil {
		return err
	}
	f, err := c.Case(ctx, who, id)
	if err != nil {
		return err
	}
	disputed, _ := f.Disputed()
	now := time.Now()
	var closed casework.Case
	err = c.change(ctx, who, id, func(x *casework.Case, items []casework.Item) (w store.CaseWrite, facts []store.Fact, err error) {
		waits := (&File{Items: items}).Undecided()
		if err := x.Close(outcome, why, int(disputed), waits, now); err != nil {
			return w, nil, err
		}
		closed = *x
		said := fact.CaseClosed{By: who.Actor, Case: id, Outcome: string(outcome), Why: x.Why}
		return store.CaseWrite{Case: x}, []store.Fact{said.Row(now, subjectOf(x))}, nil
	})
	if err != nil {
		return err
	}
	return c.teach(ctx, who, &closed)
}

// teach tells the rules of the findings that led to a case what came of it, and closes those findings.
func (c *Cases) teach(ctx context.Context, who Who, x *casework.Case) error {
	was, known := x.Outcome.TrueAlarm()
	if !known {
		return nil
	}
	led, err := c.ledTo(ctx, x)
	if err != nil {
		return err
	}
	for i := range led {
		f := &led[i]
		about := fact.Subject{Line: f.Line, Account: f.Account}
		if said := (&fact.CallsConfirmed{By: who.Actor, Key: f.Key, Case: x.ID}); was {
			if _, err := c.o.Store.Advance(ctx, store.Step{Stage: watch.Stage, Facts: []store.Fact{said.Row(time.Now(), about)}}); err != nil {
				return err
			}
		} else if f.Kind == detect.UnusualCalls.String() && c.o.Vouch != nil {
			if err := c.o.Vouch(ctx, who.Actor, f.Line, f.Account, f.Key); err != nil {
				return err
			}
		}
		if f.ClosedAt.IsZero() {
			if err := c.o.Watch().Close(ctx, f.ID, who.Actor); err != nil && !errors.Is(err, watch.ErrClosed) {
				return err
			}
		}
	}
	return nil
}

// ledTo are the findings behind a case: the one that it was opened from, and those about unusual calls of its lines while its calls were made.
func (c *Cases) ledTo(ctx context.Context, x *casework.Case) (all []Finding, err error) {
	if x.Finding != 0 {
		f, err := c.o.Store.Finding(ctx, x.Finding)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			all = append(all, f)
		}
	}
	s, err := c.scene(ctx, x)
	if err != nil {
		return nil, err
	}
	found, err := c.o.Store.Findings(ctx, store.FindingFilter{Account: x.Customer, Kind: detect.UnusualCalls.String(), Limit: maxQueue})
	for _, f := range found {
		ours := f.Line == "" || slices.Contains(s.lines, f.Line)
		if ours && f.ID != x.Finding && !f.Last.Before(s.from.Add(-lead)) && !f.At.After(s.until.Add(lead)) {
			all = append(all, f)
		}
	}
	return all, err
}

// Dispute puts calls into a case: they are not collected until it is decided who bears them. Those that cost nothing, were put into a case
// before or are not the customer's are left out; added says how many were not.
func (c *Cases) Dispute(ctx context.Context, who Who, id int64, p Pick, why string) (added int, err error) {
	x, err := c.one(ctx, who, id)
	if err != nil {
		return 0, err
	}
	if x.State == casework.Closed {
		return 0, fmt.Errorf("case %d is closed: %w", id, casework.ErrStep)
	}
	if p.Line == "" && len(p.Calls) == 0 {
		p.Line = x.Line
	}
	records, err := c.records(ctx, x.Customer, p)
	if err != nil {
		return 0, err
	}
	sums, err := c.o.Store.CaseSums(ctx, id, "")
	if err != nil {
		return 0, err
	}
	all := int64(len(records))
	for _, s := range sums {
		all += s.Calls
	}
	if all > casework.MaxCalls {
		return 0, &book.Invalid{Field: "calls", Found: fmt.Sprint(all), Want: fmt.Sprintf("at most %d calls in a case", casework.MaxCalls)}
	}
	for part := range slices.Chunk(records, perWrite) {
		n, err := c.dispute(ctx, who, &x, part, why)
		if added += n; err != nil {
			return added, err
		}
	}
	if added > 0 && !who.staff() && x.State == casework.Asked {
		open := casework.Open
		err = c.Edit(ctx, who, id, Edit{State: &open})
	}
	return added, err
}

// perWrite calls are written in one transaction, so that no call waits long for it.
const perWrite = 400

// dispute puts some calls into a case.
func (c *Cases) dispute(ctx context.Context, who Who, x *casework.Case, records []CDR, why string) (int, error) {
	ids := make([]call.ID, len(records))
	for i := range records {
		ids[i] = records[i].ID
	}
	there, err := c.o.Store.CaseCalls(ctx, CaseCallFilter{Calls: ids, Limit: 20 * len(ids)})
	if err != nil {
		return 0, err
	}
	taken, mine := map[call.ID]bool{}, map[call.ID]casework.CaseCall{}
	for _, t := range there {
		if t.State != casework.Withdrawn {
			taken[t.Call] = true
		} else if t.Case == x.ID {
			mine[t.Call] = t
		}
	}
	now := time.Now()
	var w store.CaseWrite
	var facts []store.Fact
	for i := range records {
		r := &records[i]
		if taken[r.ID] {
			continue
		}
		t, ok := mine[r.ID]
		if !ok {
			t = casework.CaseCall{Case: x.ID, Call: r.ID, Customer: x.Customer, Line: r.Line, Begun: r.Begun, Retail: r.Retail}
		}
		if err := t.Dispute(who.Actor, why, now); err != nil {
			return 0, err
		}
		said := fact.CallDisputed{By: who.Actor, Case: x.ID, Dispute: string(t.State), Why: casework.Cut(why, casework.MaxTitle)}
		w.Calls, facts = append(w.Calls, t), append(facts, said.Row(now, aboutCall(&t)))
	}
	if len(w.Calls) == 0 {
		return 0, nil
	}
	return len(w.Calls), c.o.Store.WriteCase(ctx, w, facts...)
}

func aboutCall(t *casework.CaseCall) fact.Subject {
	return fact.Subject{Line: t.Line, Account: t.Customer, Call: t.Call}
}

// records are the calls of a customer that a pick names and that cost something.
func (c *Cases) records(ctx context.Context, customer string, p Pick) (all []CDR, err error) {
	if len(p.Calls) > 0 {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(p.Calls))) {
			r, err := c.o.Records.CDR(ctx, id)
			if errors.Is(err, store.ErrNotFound) || err == nil && r.Account != customer {
				return nil, fmt.Errorf("call %s: %w", id, store.ErrNotFound)
			}
			if err != nil {
				return nil, err
			}
			if r.Retail > 0 {
				all = append(all, r)
			}
		}
		return all, nil
	}
	if p.From.IsZero() && p.Until.IsZero() {
		return nil, &book.Invalid{Field: "from", Want: "which calls: their ids, or from when and until when"}
	}
	f := store.CDRFilter{Account: customer, Line: p.Line, From: p.From, Until: p.Until, Least: 1, Limit: perPage}
	for {
		page, err := c.o.Records.CDRs(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if r.Account == customer {
				all = append(all, r)
			}
		}
		if len(page) < perPage || len(all) > casework.MaxCalls {
			return all, nil
		}
		f.Before = page[len(page)-1].ID
	}
}

const perPage = 1000

// Ruling is a decision about calls of a case, or money back.
type Ruling struct {
	What   string // casework.Refund, or the state that calls get
	Pick   Pick   // which calls of the case
	Amount money.Micro
	Why    string
}

// Decide decides. The item that comes of it waits for a second person where it gives away more than one may alone.
func (c *Cases) Decide(ctx context.Context, who Who, id int64, r Ruling) (out casework.Item, err error) {
	if err := c.carryOut(ctx, who, id); err != nil {
		return out, err
	}
	if strings.TrimSpace(r.Why) == "" {
		return out, &book.Invalid{Field: "why", Want: "the reason, which the customer will read"}
	}
	about, err := c.ruled(ctx, id, &r)
	if err != nil {
		return out, err
	}
	now := time.Now()
	err = c.change(ctx, who, id, func(x *casework.Case, items []casework.Item) (w store.CaseWrite, facts []store.Fact, err error) {
		if x.State == casework.Closed {
			return w, nil, fmt.Errorf("case %d is closed: %w", id, casework.ErrStep)
		}
		if err := c.left(ctx, id, &r); err != nil {
			return w, nil, err
		}
		out = casework.Item{
			Case: id, N: int64(len(items)) + 1, Kind: casework.Decision, At: now, By: who.Actor, Text: casework.Cut(r.Why, casework.MaxText), What: r.What, Amount: r.Amount, Calls: int64(len(about)),
		}
		facts = []store.Fact{noted(x, &out)}
		if !casework.NeedsSecond(&out, casework.Alone(items), c.o.SecondAbove()) {
			if err := out.End(casework.Made, "", who.Actor, now); err != nil {
				return w, nil, err
			}
			facts = append(facts, answered(x, &out))
		}
		w = store.CaseWrite{Case: x, Items: []casework.Item{out}} // the case too: two who decide at once must see each other's
		for _, t := range about {
			t.Decision = out.N
			w.Calls = append(w.Calls, t)
		}
		return w, facts, nil
	})
	if err != nil {
		return out, err
	}
	return out, c.carryOut(ctx, who, id)
}

// left wants a refund to be no more than is left of what the calls of a case were charged.
func (c *Cases) left(ctx context.Context, id int64, r *Ruling) error {
	if r.What != casework.Refund || c.o.Left == nil {
		return nil
	}
	most, err := c.o.Left(ctx, id)
	if err == nil && r.Amount > most {
		shown := money.Billing().Amount
		err = &book.Invalid{Field: "amount", Found: shown(r.Amount), Want: "at most what is left of the price of the case's calls, " + shown(most)}
	}
	return err
}

// ruled are the calls that a decision is about, and what it comes to.
func (c *Cases) ruled(ctx context.Context, id int64, r *Ruling) (all []casework.CaseCall, err error) {
	to := casework.Dispute(r.What)
	switch {
	case r.What == casework.Refund:
		if r.Amount <= 0 {
			return nil, &book.Invalid{Field: "amount", Found: r.Amount.String(), Want: "how much is given back"}
		}
		return nil, nil
	case to != casework.Owed && !to.Free():
		return nil, &book.Invalid{Field: "what", Found: r.What, Want: "upheld, goodwill, owed or refund"}
	}
	r.Amount = 0
	f := CaseCallFilter{Case: id, Limit: perPage}
	if r.Pick.All {
		f.States = []casework.Dispute{casework.Disputed, casework.Judged}
	}
	err = c.eachCall(ctx, f, func(t *casework.CaseCall) error {
		if !r.Pick.has(t) {
			return nil
		}
		trial := *t
		if err := trial.Move(to, "", "", time.Time{}); err != nil {
			return err
		}
		if t.Decision != 0 {
			return fmt.Errorf("call %s waits for decision %d: %w", t.Call, t.Decision, casework.ErrStep)
		}
		if to.Free() {
			r.Amount = r.Amount.Add(t.Retail)
		}
		all = append(all, *t)
		return nil
	})
	if err == nil && len(all) == 0 {
		err = &book.Invalid{Field: "calls", Want: "calls of the case that this can be decided about"}
	}
	return all, err
}

func (p *Pick) has(t *casework.CaseCall) bool {
	if len(p.Calls) > 0 {
		return slices.Contains(p.Calls, t.Call)
	}
	if !p.From.IsZero() || !p.Until.IsZero() || p.Line != "" {
		return (p.Line == "" || p.Line == t.Line) && !t.Begun.Before(p.From) && (p.Until.IsZero() || t.Begun.Before(p.Until))
	}
	return p.All && (p.Verdict == "" || p.Verdict == t.Verdict)
}

// eachCall goes through the calls of a filter, a page at a time.
func (c *Cases) eachCall(ctx context.Context, f CaseCallFilter, each func(*casework.CaseCall) error) error {
	for {
		page, err := c.o.Store.CaseCalls(ctx, f)
		if err != nil {
			return err
		}
		for i := range page {
			if err := each(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < f.Limit {
			return nil
		}
		f.After = page[len(page)-1].Call
	}
}

// Second lets a second person agree to a decision, or refuse it.
func (c *Cases) Second(ctx context.Context, who Who, id, n int64, agree bool, why string) error {
	err := c.change(ctx, who, id, func(x *casework.Case, items []casework.Item) (w store.CaseWrite, facts []store.Fact, err error) {
		i, err := numbered(items, id, n)
		if err != nil {
			return w, nil, err
		}
		if err := i.Second(agree, why, who.Actor, time.Now()); err != nil {
			return w, nil, err
		}
		return store.CaseWrite{Case: x, Items: []casework.Item{*i}}, []store.Fact{answered(x, i)}, nil
	})
	if err == nil {
		err = c.carryOut(ctx, who, id)
	}
	if err == nil && c.o.Settle != nil {
		err = c.o.Settle(ctx, id)
	}
	return err
}

// carryOut does what decisions say that are in force, as far as it is not done yet: a crash in between leaves the rest for the next who asks.
func (c *Cases) carryOut(ctx context.Context, who Who, id int64) error {
	x, err := c.one(ctx, who, id)
	if err != nil {
		return err
	}
	items, err := c.o.Store.CaseItems(ctx, id)
	if err != nil {
		return err
	}
	for i := range items {
		d := &items[i]
		if d.Kind != casework.Decision || d.Waits() {
			continue
		}
		if d.What == casework.Refund && d.How == casework.Made && c.o.Credit != nil {
			if err := c.o.Credit(ctx, &x, d); err != nil {
				return err
			}
		}
		for {
			part, err := c.o.Store.CaseCalls(ctx, CaseCallFilter{Case: id, Decision: d.N, Limit: perWrite})
			if err != nil {
				return err
			}
			if len(part) == 0 {
				break
			}
			if err := c.carry(ctx, &x, d, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// carry does it to some calls.
func (c *Cases) carry(ctx context.Context, x *casework.Case, d *casework.Item, part []casework.CaseCall) error {
	var facts []store.Fact
	for i := range part {
		t := &part[i]
		t.Decision = 0
		if d.How != casework.Made {
			continue
		}
		if err := t.Move(casework.Dispute(d.What), d.By, d.Text, d.Ended); err != nil {
			continue // it was withdrawn in the meantime
		}
		said := fact.CallDecided{By: d.EndedBy, Case: x.ID, Dispute: d.What, Item: d.N, Why: casework.Cut(d.Text, casework.MaxTitle)}
		facts = append(facts, said.Row(d.Ended, aboutCall(t)))
	}
	return c.o.Store.WriteCase(ctx, store.CaseWrite{Calls: part}, facts...)
}

// Withdraw says that calls are the customer's to pay after all. A call that waits for a decision stays with it.
func (c *Cases) Withdraw(ctx context.Context, who Who, id int64, p Pick, why string) (n int, err error) {
	if _, err := c.one(ctx, who, id); err != nil {
		return 0, err
	}
	return c.each(ctx, who, id, func(t *casework.CaseCall, now time.Time) (fact.Body, error) {
		if !p.has(t) || !t.State.Pending() || t.Decision != 0 {
			return nil, nil
		}
		err := t.Move(casework.Withdrawn, who.Actor, why, now)
		return &fact.CallDecided{By: who.Actor, Case: id, Dispute: string(t.State), Why: casework.Cut(why, casework.MaxTitle)}, err
	})
}

// Verdict is what the judge says of a call.
type Verdict struct{ Verdict, Why string }

// Judged notes verdicts about calls of a case.
func (c *Cases) Judged(ctx context.Context, who Who, id int64, verdicts map[CallID]Verdict) error {
	_, err := c.each(ctx, who, id, func(t *casework.CaseCall, now time.Time) (fact.Body, error) {
		v, ok := verdicts[t.Call]
		if !ok || t.Verdict == v.Verdict && t.Why == casework.Cut(v.Why, casework.MaxTitle) {
			return nil, nil
		}
		t.Judge(v.Verdict, v.Why, who.Actor, now)
		return &fact.CallJudged{By: who.Actor, Case: id, Dispute: string(t.State), Judgement: v.Verdict, Why: t.Why}, nil
	})
	return err
}

// each changes the calls of a case for which f gives a fact, some hundred in a transaction.
func (c *Cases) each(ctx context.Context, who Who, id int64, f func(t *casework.CaseCall, now time.Time) (fact.Body, error)) (n int, err error) {
	if _, err := c.one(ctx, who, id); err != nil {
		return 0, err
	}
	now := time.Now()
	var calls []casework.CaseCall
	var facts []store.Fact
	write := func() error {
		if len(calls) == 0 {
			return nil
		}
		err := c.o.Store.WriteCase(ctx, store.CaseWrite{Calls: calls}, facts...)
		n, calls, facts = n+len(calls), nil, nil
		return err
	}
	err = c.eachCall(ctx, CaseCallFilter{Case: id, Limit: perPage}, func(t *casework.CaseCall) error {
		said, err := f(t, now)
		if err != nil || said == nil {
			return err
		}
		calls, facts = append(calls, *t), append(facts, said.Row(now, aboutCall(t)))
		if len(calls) < perWrite {
			return nil
		}
		return write()
	})
	if err != nil {
		return n, err
	}
	return n, write()
}

// DisputeCalls opens a dispute about calls of a customer, in the newest case of theirs that is open, or in a new one.
func (c *Cases) DisputeCalls(ctx context.Context, who Who, calls []CallID, why string) (id int64, added int, err error) {
	records, err := c.records(ctx, who.Customer, Pick{Calls: calls})
	if err != nil {
		return 0, 0, err
	}
	if len(records) == 0 {
		return 0, 0, &book.Invalid{Field: "calls", Want: "calls that cost something"}
	}
	open, err := c.o.Store.Cases(ctx, CaseFilter{Customer: who.Customer, Open: true, Limit: 1})
	if err != nil {
		return 0, 0, err
	}
	if len(open) > 0 {
		id = open[0].ID
	} else {
		line := records[0].Line
		for i := range records {
			if records[i].Line != line {
				line = ""
			}
		}
		title := "Calls that the customer does not know"
		if line != "" {
			title += ", line " + account.Handle(line)
		}
		x, err := c.Open(ctx, who, NewCase{Customer: who.Customer, Line: line, Title: title, Origin: casework.FromReport, Text: why})
		if err != nil {
			return 0, 0, err
		}
		id = x.ID
	}
	added, err = c.Dispute(ctx, who, id, Pick{Calls: calls}, why)
	return id, added, err
}
