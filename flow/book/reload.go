package book

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// Reload reads the whole book from the store again and puts it in force: what a write left in doubt, or what another node
// changed. On an error what was in force stays.
func (b *Book) Reload(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reload(ctx)
}

// manyLines is from how many changed lines on the whole book is read instead.
const manyLines = 5000

// Follow puts in force what facts of the journal say was changed, by whatever node, and reads no more than that. On an error the facts
// are to be given again.
func (b *Book) Follow(ctx context.Context, facts []store.Fact) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	changed := map[string]bool{}
	for i := range facts {
		switch noun := fact.Noun(facts[i].Kind); {
		case !fact.OfBook(facts[i].Kind):
		case noun == "customer", noun == "contact", noun == "trunk", noun == "deck", noun == "everybody", noun == "hotlist", noun == "number":
			changed[noun] = true
		case facts[i].Line != "":
			lines = append(lines, facts[i].Line)
		}
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	if !b.doubt && len(lines) <= manyLines && b.reread(ctx, lines, changed, false) == nil {
		return nil
	}
	return b.reload(ctx)
}

// reread reads lines and the kinds of entry that changed, or all there is.
func (b *Book) reread(ctx context.Context, lines []string, changed map[string]bool, all bool) (err error) {
	var customers []account.Customer
	var trunks []account.Trunk
	withCustomers, withTrunks := all || changed["customer"] || changed["contact"] || changed["number"], all || changed["trunk"]
	if withCustomers {
		customers, err = b.db.Customers(ctx)
	}
	if withTrunks && err == nil {
		trunks, err = b.db.Trunks(ctx)
	}
	if err != nil {
		return err
	}
	for _, a := range resellersFirst(customers) {
		b.republishCustomer(a)
	}
	if all || changed["everybody"] {
		if err := b.loadEverybody(ctx); err != nil {
			return err
		}
	}
	if all || changed["hotlist"] {
		if err := b.loadHot(ctx); err != nil {
			return err
		}
	}
	if all || len(lines) > 0 {
		if err := b.rereadLines(ctx, lines); err != nil {
			return err
		}
	}
	if withCustomers { // those that are gone have no lines any more
		b.keepCustomers(customers)
	}
	if withTrunks {
		b.publishTrunks(trunks)
	}
	b.sorted.forget()
	if all || changed["deck"] {
		return b.reloadDecks(ctx)
	}
	return nil
}

// rereadLines reads those lines, or for none all, and takes out what is not stored any more.
func (b *Book) rereadLines(ctx context.Context, ids []string) error {
	stored := map[string]bool{}
	err := b.db.EachLine(ctx, func(a account.Line) error {
		stored[a.ID] = true
		return b.republish(a)
	}, ids...)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		for _, l := range b.lines.All() {
			ids = append(ids, l.id)
		}
	}
	for _, id := range ids {
		if l, there := b.Line(id); there && !stored[id] {
			b.unpublish(l)
		}
	}
	return nil
}

// begin takes mu for a change. After a write whose outcome is unknown, what is in memory may not be what is stored, and
// is read again before anything is built upon it. On an error mu is not held.
func (b *Book) begin(ctx context.Context) error {
	b.mu.Lock()
	if !b.doubt {
		return nil
	}
	if err := b.reload(ctx); err != nil {
		b.mu.Unlock()
		return fmt.Errorf("reading the book after a write that failed: %w", err)
	}
	return nil
}

// wrote looks at the result of a write, under mu. An error that the store does not explain may have been persisted.
func (b *Book) wrote(err error) error {
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrInUse) {
		b.doubt = true
	}
	return err
}

func (b *Book) reload(ctx context.Context) error {
	if err := b.reread(ctx, nil, nil, true); err != nil {
		return err
	}
	b.doubt = false
	return nil
}

// republishCustomer puts a customer as stored in force, and tells if its IP lock is another one: it is that of all its lines.
func (b *Book) republishCustomer(a account.Customer) {
	was, there := b.customer(a.ID)
	var before *customerEntry
	if there {
		before = was.entry.Load()
	}
	b.publishCustomer(a)
	changed := there && !b.sameDoors(before, a.ID)
	if changed {
		b.tell(Change{Kind: NetsChanged, Customer: a.ID})
	}
}

// republish puts a line as stored in force. What was worked out of its passwords stays when they are the same.
func (b *Book) republish(a account.Line) error {
	l, err := b.entry(a)
	if err != nil {
		return fmt.Errorf("line %s: %w", a.ID, err)
	}
	was, there := b.Line(a.ID)
	if gone, ok := b.lines.Load(l.Handle()); ok && !there { // its handle is another line's now
		b.unpublish(gone)
	}
	b.index(was, l)
	b.tellReread(was, l)
	return nil
}

// tellReread reports what another node changed on a line. A password that is sealed again may be the same one: the journal
// says whether it was changed.
func (b *Book) tellReread(was, l *Line) {
	c := Change{Line: l.id, Customer: l.cust.id}
	tell := func(k ChangeKind, so bool) {
		if c.Kind = k; so {
			b.tell(c)
		}
	}
	if was == nil {
		tell(LineAdded, true)
		return
	}
	tell(NetsChanged, !sameDoors(was.Settings(), l.Settings()))
	tell(LineUnlocked, was.locked && !l.locked)
	if l.locked && (!was.locked || was.calls != l.calls) {
		c.Why, c.Cut = l.why, l.calls == account.CallsCut
		tell(LineLocked, true)
	}
}

// sameDoors says that settings let logins in from the same places.
func sameDoors(a, b account.Settings) bool {
	refuse := func(s account.Settings) (ids []int64) {
		for i := range s.Restrictions {
			if s.Restrictions[i].Login {
				ids = append(ids, s.Restrictions[i].ID)
			}
		}
		return ids
	}
	return slices.Equal(a.Nets, b.Nets) && slices.Equal(refuse(a), refuse(b))
}

// closesLogins says that one of some restrictions refuses logins.
func closesLogins(all []restrict.Restriction) bool {
	return slices.ContainsFunc(all, func(r restrict.Restriction) bool { return r.Login })
}

// keepCustomers takes out the others.
func (b *Book) keepCustomers(customers []account.Customer) {
	keep := make(map[string]bool, len(customers))
	for _, a := range customers {
		keep[a.ID] = true
	}
	for id, c := range b.customers.All() {
		if !keep[id] {
			b.dropCustomer(c)
		}
	}
}

func (b *Book) unpublish(l *Line) {
	drop(b.lines, l.Handle(), l)
	b.indexReach(l, nil)
	l.cust.lines.Add(-1)
	b.sorted.forget()
	b.tell(Change{Kind: LineDeleted, Line: l.id, Customer: l.cust.id, Cut: true})
}

// stamp is the present as the store keeps it.
func stamp() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
