package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
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
	// Settle carries out the settlement that was agreed to, and credits what was decided to be free. It is asked again after a crash, as Credit is.
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
