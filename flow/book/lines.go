package book

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/state/store"
)

// NewLine is a line to add.
type NewLine struct {
	ID         string      // handle: its identity is made of it
	Customer   string      // identity
	Password   string      // "" generates one
	HA1        *secret.HA1 // instead of a password: its hashes in the book's realm; SHA256 may be zero
	NoPassword bool        // the line cannot log in
	Edit       LineEdit
	Since      time.Time // when it was added; zero: now. The sample provider has a past
}

// LineEdit changes what is not nil. Number is as people write it, "" takes it away.
type LineEdit struct {
	Name, Number *string
	Nets         *[]netip.Prefix
	Courtesy     *account.Courtesy
	Honeypot     *bool // it has no owner: any login to it is an attack
	Set          []Setting
	Restrict     *restrict.Restriction // to add: its id is given to it, and when it begins unless it says so
	Lift         int64                 // id of the restriction to take away; 0 is none
	Forward      []Forward
	Reach        Reach
	From         netip.Addr             // of the phone that dialled a code for it, for the journal
	Close        []restrict.Restriction // what a finding closes: added once, by its key
	Vouch        string                 // what the keys of findings begin with: what those closed is open again
	Careful      bool                   // refused with a *Loosening if it loosens
	Waited       Waited                 // the change that waited for it: it is made once, or store.ErrNotFound
}

// Waited is a change that waited: its code, and what the journal is told with it. The zero Waited is none.
type Waited struct {
	Code  string
	Facts []fact.Row
}

// AddLine adds a line. The password comes back only when it was generated, and only now.
func (b *Book) AddLine(ctx context.Context, actor string, n NewLine) (l *Line, password string, err error) {
	lines, passwords, err := b.addLines(ctx, actor, []NewLine{n}, false)
	if err != nil {
		return nil, "", theOne(err)
	}
	return lines[0], passwords[0], nil
}

// MaxLines bounds one AddLines.
const MaxLines = 10_000

// RowError says which of many could not be added, from 0.
type RowError struct {
	Row int
	Err error
}

// Error names it from 1, as people count.
func (e *RowError) Error() string { return fmt.Sprintf("number %d: %v", e.Row+1, e.Err) }

// Unwrap is what is wrong with it.
func (e *RowError) Unwrap() error { return e.Err }

// theOne is what is wrong with the only row that there was to add.
func theOne(err error) error {
	if row := (*RowError)(nil); errors.As(err, &row) {
		return row.Err
	}
	return err
}

// maxRowErrors is how many faults of an import are told.
const maxRowErrors = 200

// AddLines adds many lines in one transaction, all or none; passwords come back as from AddLine, in order. What is wrong is said of every
// one: the errors are joined, each a *RowError.
func (b *Book) AddLines(ctx context.Context, actor string, ns []NewLine) (passwords []string, err error) {
	_, passwords, err = b.addLines(ctx, actor, ns, false)
	return passwords, err
}

// CheckLines says what AddLines would.
func (b *Book) CheckLines(ctx context.Context, ns []NewLine) error {
	_, _, err := b.addLines(ctx, "", ns, true)
	return err
}

func (b *Book) addLines(ctx context.Context, actor string, ns []NewLine, dry bool) (lines []*Line, passwords []string, err error) {
	if err := b.begin(ctx); err != nil {
		return nil, nil, err
	}
	defer b.mu.Unlock()
	if len(ns) > MaxLines {
		return nil, nil, &Invalid{"lines", fmt.Sprint(len(ns)), fmt.Sprintf("at most %d at once", MaxLines)}
	}
	now := stamp()
	all, ids, numbers := make([]account.Line, len(ns)), map[string]bool{}, map[string]bool{}
	passwords = make([]string, len(ns))
	var errs []error
	wrong := func(i int, err error) {
		if len(errs) < maxRowErrors {
			errs = append(errs, &RowError{i, err})
		}
	}
	for i, n := range ns {
		if all[i], passwords[i], err = b.newLine(n, since(n, now)); err != nil {
			wrong(i, err)
			continue
		}
		a := &all[i]
		handle := account.Handle(a.ID)
		switch {
		case ids[handle]:
			wrong(i, fmt.Errorf("line %s is given twice: %w", handle, store.ErrExists))
		case a.Number != "" && numbers[a.Number]:
			wrong(i, fmt.Errorf("number +%s is given twice: %w", a.Number, store.ErrExists))
		}
		ids[handle], numbers[a.Number] = true, true
	}
	if err := errors.Join(errs...); err != nil || dry {
		return nil, nil, err
	}
	facts := make([]store.Fact, len(all))
	for i, a := range all {
		facts[i] = factOf[fact.LineAdded](a.Created, actor, a.ID, a.Customer, nil, lineFacts(a))
	}
	if err := b.wrote(b.db.PutLines(ctx, all, facts...)); err != nil {
		return nil, nil, err
	}
	for _, a := range all {
		l, err := b.entry(a)
		if err != nil {
			return lines, passwords, err
		}
		b.index(nil, l)
		b.sorted.forget()
		b.tell(Change{Kind: LineAdded, Line: l.id, Customer: l.cust.id})
		lines = append(lines, l)
	}
	b.disown(ctx)
	return lines, passwords, nil
}

func since(n NewLine, now time.Time) time.Time {
	if n.Since.IsZero() {
		return now
	}
	return n.Since.UTC().Truncate(time.Microsecond)
}

// newLine validates a line to be and seals its password.
func (b *Book) newLine(n NewLine, now time.Time) (account.Line, string, error) {
	a := account.Line{Customer: n.Customer, Created: now}
	if err := account.CheckLineID(n.ID); err != nil {
		return a, "", &Invalid{"id", clip(n.ID), "1 to 64 letters, digits, '.', '_' or '-', a letter or digit first"}
	}
	if _, ok := b.Find([]byte(n.ID)); ok {
		return a, "", fmt.Errorf("line %s: %w", n.ID, store.ErrExists)
	}
	a.ID = b.identify(n.ID)
	c, ok := b.customer(n.Customer)
	if !ok {
		return a, "", &Invalid{"customer", clip(account.Handle(n.Customer)), "a customer that exists"}
	}
	if c.entry.Load().Resale.Sells {
		return a, "", &Invalid{"customer", clip(account.Handle(n.Customer)), "one of the reseller's customers: a reseller has no lines of its own"}
	}
	a, err := b.applyLine(a, n.Edit, now)
	if err != nil {
		return a, "", err
	}
	if n.NoPassword {
		if n.Password != "" {
			return a, "", &Invalid{"password", "", "no password, because no_password is set"}
		}
		return a, "", nil
	}
	if n.HA1 != nil {
		if n.Password != "" {
			return a, "", &Invalid{"password", "", "no password, because its hash is given"}
		}
		return a, "", b.hashedPassword(&a, n.HA1)
	}
	generated, err := b.password(&a, n.Password)
	return a, generated, err
}

// EditLine changes a line, all of the edit or nothing.
func (b *Book) EditLine(ctx context.Context, actor, id string, edit LineEdit) (*Line, error) {
	return b.changeLine(ctx, id, edit.Waited, func(was account.Line, now time.Time) (account.Line, []store.Fact, Change, error) {
		a, err := b.applyLine(was, edit, now)
		c := Change{Kind: LineEdited}
		switch {
		case a.Honeypot && !was.Honeypot:
			c.Kind = PasswordChanged // a honeypot has no phones: those it had go
		case edit.Nets != nil || closesLogins(edit.Close):
			c.Kind = NetsChanged
		}
		if c, ok := b.customer(a.Customer); ok && err == nil && edit.Careful {
			texts := account.Loosens(&was.Settings, &a.Settings, now, c.entry.Load().aboveLines()...)
			err = loosening(append(texts, b.dearer(&was, &a)...))
		}
		after := lineFacts(a)
		if edit.From.IsValid() {
			after["from"] = raw(edit.From.Unmap())
		}
		f := factOf[fact.LineChanged](now, actor, id, a.Customer, lineFacts(was), after)
		if edit.Name == nil && edit.Number == nil && edit.Honeypot == nil && len(edit.Forward) == 0 && edit.Reach.empty() {
			f = factOf[fact.SettingChanged](now, actor, id, a.Customer, lineFacts(was), lineFacts(a))
		}
		return a, []store.Fact{f}, c, err
	})
}

// Lock closes a line to all but emergency calls; calls says what becomes of the paid ones in progress. A line that is locked
// can be locked again, to treat its calls in another way.
func (b *Book) Lock(ctx context.Context, actor, id, reason string, calls account.LockCalls) (*Line, error) {
	return b.lock(ctx, actor, id, reason, calls, false)
}

// LockOwn is Lock by a customer's own people. A lock that is there keeps its reason and becomes stricter at most: otherwise they could make one of
// the provider's their own, or let calls go on that it ends.
func (b *Book) LockOwn(ctx context.Context, actor, id, reason string, calls account.LockCalls) (*Line, error) {
	return b.lock(ctx, actor, id, reason, calls, true)
}

// errStricter says that a lock that is there does as much already.
var errStricter = errors.New("the lock does as much already")

func (b *Book) lock(ctx context.Context, actor, id, reason string, calls account.LockCalls, own bool) (*Line, error) {
	if strings.TrimSpace(reason) == "" {
		return nil, &Invalid{"why", "", "the reason for the lock, in a few words"}
	}
	if err := checkName("why", reason); err != nil {
		return nil, err
	}
	if calls >= account.NumLockCalls {
		return nil, &Invalid{"calls", calls.String(), "end, cut or keep"}
	}
	l, err := b.changeLine(ctx, id, Waited{}, func(a account.Line, now time.Time) (account.Line, []store.Fact, Change, error) {
		before, why := lineFacts(a), reason
		if own && a.Locked {
			if !calls.Stricter(a.LockCalls) {
				return a, nil, Change{}, errStricter
			}
			why = a.LockWhy
		}
		a.Locked, a.LockWhy, a.LockCalls = true, why, calls
		after := lineFacts(a)
		after["calls"] = raw(calls.String()) // always there, for notices and other nodes: lock_calls only when it changed
		f := factOf[fact.LineLocked](now, actor, id, a.Customer, before, after)
		return a, []store.Fact{f}, Change{Kind: LineLocked, Why: why, Cut: calls == account.CallsCut}, nil
	})
	if errors.Is(err, errStricter) {
		if l, ok := b.Line(id); ok {
			return l, nil
		}
		return nil, store.ErrNotFound
	}
	return l, err
}

// Unlock opens a line again.
func (b *Book) Unlock(ctx context.Context, actor, id string) (*Line, error) {
	return b.changeLine(ctx, id, Waited{}, func(a account.Line, now time.Time) (account.Line, []store.Fact, Change, error) {
		before := lineFacts(a)
		a.Locked, a.LockWhy, a.LockCalls = false, "", account.CallsEnd
		f := factOf[fact.LineUnlocked](now, actor, id, a.Customer, before, lineFacts(a))
		return a, []store.Fact{f}, Change{Kind: LineUnlocked}, nil
	})
}

// changeLine is the one way in which a line that exists changes: read, edit, store, publish, tell. waited is the change that waited for it.
func (b *Book) changeLine(ctx context.Context, id string, waited Waited,
	edit func(account.Line, time.Time) (account.Line, []store.Fact, Change, error),
) (*Line, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	was, ok := b.Line(id)
	if !ok {
		return nil, store.ErrNotFound
	}
	now := time.Now()
	a, facts, c, err := edit(was.account(), now)
	if err != nil {
		return nil, err
	}
	a.Former = account.KeepFormer(a.Former, now)
	l, err := b.entry(a)
	if err != nil {
		return nil, err
	}
	if waited.Code != "" {
		err = b.db.MakeWaiting(ctx, waited.Code, &a, nil, append(facts, waited.Facts...)...)
	} else {
		err = b.db.PutLine(ctx, a, false, facts...)
	}
	if err := b.wrote(err); err != nil {
		return nil, err
	}
	b.index(was, l)
	c.Line, c.Customer = id, a.Customer
	b.tell(c)
	if l.gains(was) {
		b.disown(ctx)
	}
	return l, nil
}

// applyLine is the line as it would be; nothing is changed.
func (b *Book) applyLine(a account.Line, edit LineEdit, now time.Time) (account.Line, error) {
	c, ok := b.customer(a.Customer)
	if !ok {
		return a, &Invalid{"customer", clip(account.Handle(a.Customer)), "a customer that exists"}
	}
	set(&a.Name, edit.Name)
	set(&a.Courtesy, edit.Courtesy)
	set(&a.Honeypot, edit.Honeypot)
	if edit.Nets != nil {
		a.Settings.Nets = slices.Clone(*edit.Nets)
	}
	var numberErr error
	if edit.Number != nil {
		a.Number, numberErr = b.lineNumber(a.ID, *edit.Number)
	}
	if err := errors.Join(checkName("name", a.Name), checkCourtesy(a.Courtesy), numberErr); err != nil {
		return a, err
	}
	above := c.entry.Load().aboveLines()
	var err error
	if a.Settings, err = b.restricted(a.Settings, edit.Restrict, edit.Lift, now); err != nil {
		return a, err
	}
	if a.Settings, err = b.answered(a.Settings, edit.Close, edit.Vouch, now); err != nil {
		return a, err
	}
	if err := b.reached(&a, &edit.Reach); err != nil {
		return a, err
	}
	if err := b.forwarded(&a, edit.Forward); err != nil {
		return a, err
	}
	a.Settings, err = change(a.Settings, account.LevelLine, above, edit.Set, now)
	return a, err
}

// lineNumber reads a number as people write it: one that can be called, and that no other line has.
func (b *Book) lineNumber(line, text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", nil
	}
	d, problem := b.plan.Parse(text)
	if problem != phone.NoProblem && text[0] >= '1' && text[0] <= '9' {
		d, problem = b.plan.Parse("+" + text) // 442079460000, as it is stored and listed
	}
	if problem != phone.NoProblem || d.Number.Short() || d.Show != phone.AsSet || d.Relay != 0 || account.CheckNumber(d.Number.String()[1:]) != nil {
		return "", &Invalid{"number", clip(text), "a number that can be called, such as +442079460000"}
	}
	if other, ok := b.ByNumber(d.Number.Digits()); ok && other != line {
		return "", fmt.Errorf("number %s is line %s's: %w", d.Number, account.Handle(other), store.ErrExists)
	}
	return d.Number.String()[1:], nil
}

// DeleteLine removes a line; its calls are to be cut and its phones dropped.
func (b *Book) DeleteLine(ctx context.Context, actor, id string) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	l, ok := b.Line(id)
	if !ok {
		return store.ErrNotFound
	}
	f := factOf[fact.LineDeleted](time.Now(), actor, id, l.cust.id, lineFacts(l.account()), nil)
	if err := b.wrote(b.db.DeleteLine(ctx, id, f)); err != nil {
		return err
	}
	b.unpublish(l)
	return nil
}

// Lines lists those with handles above after, by handle, of one customer (by identity; "" is all), at most limit of them.
func (b *Book) Lines(customer, after string, limit int) []*Line {
	handles := b.sorted.get(b, customer)
	i, found := slices.BinarySearch(handles, after)
	if found {
		i++
	}
	out := []*Line{}
	for ; i < len(handles) && len(out) < limit; i++ {
		if l, ok := b.Find([]byte(handles[i])); ok && (customer == "" || l.cust.id == customer) {
			out = append(out, l)
		}
	}
	return out
}

// sortedHandles is made by the first listing after lines came or went, so that paging through 100,000 sorts once.
type sortedHandles struct {
	mu  sync.Mutex
	all map[string][]string // by customer, and "" for all; mu owns the variable, what it holds is never written again
	gen int                 // mu; counts changes
}

func (s *sortedHandles) forget() {
	s.mu.Lock()
	s.all, s.gen = nil, s.gen+1
	s.mu.Unlock()
}

// get gives those of one customer; "" is all.
func (s *sortedHandles) get(b *Book, customer string) []string {
	s.mu.Lock()
	all, gen := s.all, s.gen
	s.mu.Unlock()
	if all != nil {
		return all[customer]
	}
	all = map[string][]string{}
	for handle, l := range b.lines.All() {
		all[""] = append(all[""], handle)
		all[l.cust.id] = append(all[l.cust.id], handle)
	}
	for _, handles := range all {
		slices.Sort(handles)
	}
	s.mu.Lock()
	if s.gen == gen {
		s.all = all
	}
	s.mu.Unlock()
	return all[customer]
}
