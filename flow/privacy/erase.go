package privacy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/retain"
	"ringfence/flow/journal"
	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Tie is what keeps a customer's data.
type Tie = store.Tie

// Plan is what an erasure would erase and what stays, or how far one has come.
type Plan struct {
	Customer string // identity
	Lines    []string
	People   int
	Contacts int
	Calls    int64
	Cases    int
	Archives int    // with calls of the time
	Ties     []Tie  // while there is one, nothing is erased
	Books    int64  // bills, payments and credits, which stay
	Erasure  int64  // its number; 0: it was not begun
	Left     []Left // why one that was begun is not done
	Done     bool
}

// Left is what an erasure has still to erase, and what it waits for.
type Left struct{ What, Why string }

// ErrTied says that something keeps what is held of the customer.
var ErrTied = errors.New("something keeps what is held of the customer")

// Find gives the identity of a customer by what people call it, also while it is being erased.
func (p *Privacy) Find(ctx context.Context, called string) (string, error) {
	if v, ok := p.o.Book.CustomerCalled(called); ok {
		return v.ID, nil
	}
	open, err := p.o.Store.Erasures(ctx, true)
	for i := range open {
		if id := open[i].Customer; id == called || account.Handle(id) == called {
			return id, err
		}
	}
	if err == nil {
		err = fmt.Errorf("customer %s: %w", called, ErrNotFound)
	}
	return "", err
}

// Plan says what would be erased, what must stay and why.
func (p *Privacy) Plan(ctx context.Context, customer string) (out Plan, err error) {
	out.Customer = customer
	if e, err := p.o.Store.ErasureOf(ctx, customer); err == nil {
		out.Erasure, out.Done = e.ID, !e.Done.IsZero()
	} else if !errors.Is(err, store.ErrNotFound) {
		return out, err
	}
	if out.Lines, err = p.lines(ctx, customer); err != nil {
		return out, err
	}
	if out.Ties, err = p.o.Store.Ties(ctx, customer, out.Lines); err != nil {
		return out, err
	}
	v, _ := p.o.Book.Customer(customer) // it may be gone already
	out.Contacts = len(v.Contacts)
	people, err := p.o.Store.People(ctx, customer)
	if err != nil {
		return out, err
	}
	out.People = len(people)
	sums, err := p.o.Store.Sums(ctx, store.CDRFilter{Account: customer}, store.SumAll)
	for i := range sums {
		out.Calls += sums[i].Calls
	}
	if err != nil {
		return out, err
	}
	cases, err := p.o.Store.Cases(ctx, store.CaseFilter{Customer: customer, Limit: pageSize})
	if err != nil {
		return out, err
	}
	out.Cases = len(cases)
	archives, err := p.o.Store.Archives(ctx, "")
	if err != nil {
		return out, err
	}
	out.Archives = len(archives)
	out.Books, err = p.booked(ctx, customer)
	return out, err
}

// booked counts what the books have of a customer.
func (p *Privacy) booked(ctx context.Context, customer string) (n int64, err error) {
	for f := (store.EntryFilter{Customer: customer, Limit: pageSize}); ; {
		some, err := p.o.Store.Entries(ctx, f)
		if err != nil {
			return n, err
		}
		if n += int64(len(some)); len(some) < f.Limit {
			return n, nil
		}
		f.Before = some[len(some)-1].ID
	}
}

// Erase erases what is held of a customer and its people, unless something keeps it: ErrTied, with what that is. What it says afterwards may have Left: Run goes on
// with that. It can be asked again at any time.
func (p *Privacy) Erase(ctx context.Context, customer, actor string) (Plan, error) {
	out, err := p.Plan(ctx, customer)
	if err != nil || out.Done {
		return out, err
	}
	e := store.Erasure{ID: out.Erasure, Customer: customer, Lines: out.Lines, By: actor, Begun: time.Now().UTC().Truncate(time.Microsecond)}
	if e.ID == 0 {
		if len(out.Ties) > 0 {
			return out, ErrTied
		}
		if v, ok := p.o.Book.Customer(customer); ok && out.Books > 0 {
			e.Name = v.Name
		}
		begun := func(id int64) []store.Fact {
			return []store.Fact{(&fact.PrivacyErasing{By: actor, Erasure: id}).Row(e.Begun, fact.Subject{})}
		}
		e.ID, err = p.o.Store.BeginErasure(ctx, e, begun)
		if errors.Is(err, store.ErrInUse) {
			out.Ties, _ = p.o.Store.Ties(ctx, customer, out.Lines) // it says that there is one
			return out, ErrTied
		}
		if err != nil {
			return out, err
		}
		out.Erasure = e.ID
	} else if e, err = p.o.Store.ErasureOf(ctx, customer); err != nil {
		return out, err
	}
	out.Left, err = p.carry(ctx, &e)
	out.Done = err == nil && len(out.Left) == 0
	return out, err
}

// every is how often Run looks for what is to be gone on with.
const every = 30 * time.Second

// Run goes on with erasures until ctx ends.
func (p *Privacy) Run(ctx context.Context) {
	outage := keep.Outage{Log: p.o.Log, Level: slog.LevelWarn, Failed: "the erasing of a customer's data does not go on", Again: "the erasing of a customer's data goes on again"}
	for {
		err := p.GoOn(ctx)
		if ctx.Err() == nil {
			outage.Note(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// GoOn takes every erasure that was begun as far as it goes now.
func (p *Privacy) GoOn(ctx context.Context) error {
	open, err := p.o.Store.Erasures(ctx, true)
	for i := range open {
		_, one := p.carry(ctx, &open[i])
		err = errors.Join(err, one)
	}
	return err
}

// carry takes an erasure as far as it goes. Each step may be taken again: what a crash left is found by what is still there.
func (p *Privacy) carry(ctx context.Context, e *store.Erasure) (left []Left, err error) {
	if err := p.shut(ctx, e); err != nil {
		return nil, err
	}
	ties, err := p.o.Store.Ties(ctx, e.Customer, e.Lines)
	for _, t := range ties {
		left = append(left, Left{"everything else", string(t.Why)})
	}
	if err != nil || len(left) > 0 {
		return left, err
	}
	if err := p.parts(ctx, e); err != nil {
		return nil, err
	}
	away, err := p.clearArchives(ctx, e)
	if err != nil {
		return nil, err
	}
	some, err := p.o.Store.CDRs(ctx, store.CDRFilter{Account: e.Customer, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(some) > 0 {
		return append(away, Left{"calls", "a part of the program has still to read them"}), nil
	}
	if err := p.o.Book.DeleteCustomer(ctx, e.By, e.Customer); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	n, err := p.hideFacts(ctx, e)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		return append(away, Left{fmt.Sprintf("%d facts of the journal", n), "every part of the program reads them first"}), nil
	}
	if err := p.parts(ctx, e); err != nil || len(away) > 0 { // a stage may have remembered something since
		return away, err
	}
	return nil, p.end(ctx, e)
}

// end notes that nothing is left.
func (p *Privacy) end(ctx context.Context, e *store.Erasure) error {
	e.Done = time.Now().UTC().Truncate(time.Microsecond)
	err := p.o.Store.EndErasure(ctx, *e, (&fact.PrivacyErased{By: e.By, Erasure: e.ID}).Row(e.Done, fact.Subject{}))
	if errors.Is(err, store.ErrMoved) { // another node did
		return nil
	}
	return err
}

// shut removes lines and people, so that nothing new comes.
func (p *Privacy) shut(ctx context.Context, e *store.Erasure) error {
	for _, id := range e.Lines {
		if _, is := p.o.Book.Line(id); !is {
			continue
		}
		if err := p.o.Book.DeleteLine(ctx, e.By, id); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	people, err := p.o.Store.People(ctx, e.Customer)
	for i := range people {
		if err := p.o.Store.DeletePerson(ctx, people[i].ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return err
}

// atOnce is how many rows go in a transaction.
const atOnce = 100

// parts deletes rows of tables, some at a time.
func (p *Privacy) parts(ctx context.Context, e *store.Erasure) error {
	cursors, err := p.o.Store.Cursors(ctx)
	if err != nil {
		return err
	}
	unread := journal.Unread(cursors, p.o.Readers(), "")
	for _, part := range store.EraseParts() {
		for {
			began := time.Now()
			n, err := p.o.Store.Erase(ctx, e, part, unread, atOnce)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if err := rest(ctx, time.Since(began)); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest leaves most of the time to live calls.
func rest(ctx context.Context, took time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * took):
		return nil
	}
}

// hideFacts deletes facts about calls, logins and phones, and hides what others say. It says how many have to wait.
func (p *Privacy) hideFacts(ctx context.Context, e *store.Erasure) (wait int, err error) {
	cursors, err := p.o.Store.Cursors(ctx)
	if err != nil {
		return 0, err
	}
	readers, young := p.o.Readers(), time.Now().Add(-p.o.Settle)
	for _, f := range factFilters(e.Customer, e.Lines) {
		f.Proofs, f.Limit = true, atOnce
		for {
			all, err := p.o.Store.Facts(ctx, f)
			if err != nil {
				return wait, err
			}
			var drop, hide []store.Fact
			for i := range all {
				x := &all[i]
				first := journal.Unread(cursors, readers, x.Kind)
				switch {
				case first > 0 && x.Seq >= first, p.o.Settle > 0 && x.At.After(young):
					wait++
				case retain.OfFact(x.Kind) == retain.Journal:
					drop = append(drop, *x)
				default:
					hide = append(hide, *x)
				}
			}
			began := time.Now()
			if len(drop)+len(hide) > 0 {
				if err := p.o.Store.EraseFacts(ctx, drop, hide); err != nil {
					return wait, err
				}
			}
			if len(all) < f.Limit {
				break
			}
			f.After = all[len(all)-1].Seq
			if err := rest(ctx, time.Since(began)); err != nil {
				return wait, err
			}
		}
	}
	return wait, nil
}

// Why is a tie in words.
func Why(t Tie) string {
	switch t.Why {
	case retain.Talking:
		return fmt.Sprintf("calls in progress: %d", t.Number)
	case retain.Unbilled:
		return fmt.Sprintf("calls that are not billed yet: %d", t.Number)
	case retain.Unpaid:
		return fmt.Sprintf("bill %d is not paid", t.Number)
	case retain.Balance:
		return "the account is not even: pay out what is the customer's, or book what is owed"
	case retain.InCase:
		return fmt.Sprintf("case %d is not over, or its plan or claim is not", t.Number)
	case retain.Held:
		return fmt.Sprintf("hold %d of staff", t.Number)
	case retain.Reselling:
		return fmt.Sprintf("it resells: customers of its own: %d", t.Number)
	}
	return string(t.Why)
}

// quoted is a name as a row of a file of evidence has it.
func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	slices.Sort(out)
	return out
}
