package book

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// customer is the handle that lines point to for as long as the customer exists; its entry is replaced on change.
type customer struct {
	id    string
	book  *Book
	lines atomic.Int64
	entry atomic.Pointer[customerEntry]
}

// customerEntry is immutable but for its cache.
type customerEntry struct {
	account.Customer
	provider *provider
	reseller *customerEntry  // whose customer it is; nil: the provider's own
	zone     *time.Location  // in force
	badZone  bool            // this machine does not know the zone it names; the provider's is used
	tariff   string          // in force
	proven   map[uint64]bool // the digits of Numbers
	eff      atomic.Pointer[account.Effective]
}

// effective is shared by all lines of the customer that say nothing themselves; see Line.Effective.
func (c *customerEntry) effective(at time.Time) *account.Effective {
	if e := c.eff.Load(); e != nil && e.Holds(at) {
		return e
	}
	e := account.Resolve(at, c.chain()...)
	e.Pool = c.pool()
	if e.Holds(time.Now()) {
		c.eff.Store(&e)
	}
	return &e
}

// CustomerView is a customer as it is in force.
type CustomerView struct {
	account.Customer
	ZoneInForce   string
	TariffInForce string
	Lines         int
	Customers     int               // of a reseller
	Effective     account.Effective // the chain down to the customer
}

// CustomerEdit changes what is not nil.
type CustomerEdit struct {
	Name, Zone, Tariff *string
	Nets               *[]netip.Prefix
	Courtesy           *account.Courtesy // for lines that say nothing; CourtesyInherit is both
	Set                []Setting
	Restrict           *restrict.Restriction // as LineEdit's, for all lines of the customer
	Lift               int64
	Close              []restrict.Restriction
	Vouch              string
	Cooling            *account.Cooling
	Prove              *account.Proven // a number to add to those that its lines may present
	Disown             string          // one to take away, E.164 digits; "" is none
	Reseller           *string         // identity; "": the provider's own
	DayCap, MonthCap   *money.Micro    // of a reseller: what its customers may spend together; 0 is no such cap
	Careful            bool            // as LineEdit's
	Waited             Waited          // as LineEdit's
}

// Customer finds a customer by its identity. CustomerCalled takes what people say.
func (b *Book) Customer(id string) (CustomerView, bool) {
	c, ok := b.customer(id)
	if !ok {
		return CustomerView{}, false
	}
	return c.view(time.Now()), true
}

func (c *customer) view(now time.Time) CustomerView {
	e := c.entry.Load()
	return CustomerView{
		Customer: e.Customer, ZoneInForce: e.zone.String(), TariffInForce: e.tariff,
		Lines: int(c.lines.Load()), Customers: len(c.book.resold(c.id)), Effective: *e.effective(now),
	}
}

// Customers lists those who have lines: resellers are in a list of their own. It gives those with handles above after, by handle, at most limit of them.
func (b *Book) Customers(after string, limit int) []CustomerView {
	return b.some(func(a *account.Customer) bool { return !a.Resale.Sells }, after, limit)
}

func (b *Book) customer(id string) (*customer, bool) { return b.customers.Load(id) }

func (b *Book) loadCustomers(ctx context.Context) error {
	all, err := b.db.Customers(ctx)
	if err != nil {
		return err
	}
	for _, a := range resellersFirst(all) {
		b.publishCustomer(a)
	}
	return nil
}

// publishCustomer puts a checked or stored customer in force.
func (b *Book) publishCustomer(a account.Customer) {
	p := b.provider.Load()
	e := &customerEntry{Customer: a, provider: p, zone: p.zone, tariff: p.tariff}
	if r, ok := b.customer(a.Reseller); ok {
		e.reseller = r.entry.Load()
		e.zone, e.tariff = e.reseller.zone, e.reseller.tariff
	}
	if a.Tariff != "" {
		e.tariff = a.Tariff
	}
	if len(a.Numbers) > 0 {
		e.proven = make(map[uint64]bool, len(a.Numbers))
		for i := range a.Numbers {
			e.proven[a.Numbers[i].Digits()] = true
		}
	}
	if a.Zone != "" {
		// Checked when it was set. A machine without that zone's data must not keep the whole program from its work.
		if zone, err := loadZone(a.Zone); err == nil {
			e.zone = zone
		} else {
			e.badZone = true
		}
	}
	if c, ok := b.customer(a.ID); ok {
		c.entry.Store(e)
		return
	}
	c := &customer{id: a.ID, book: b}
	c.entry.Store(e)
	b.customers.Store(a.ID, c)
	b.handles.Store(account.Handle(a.ID), c)
}

// dropCustomer takes a customer out, and its handle unless another customer has it by now.
func (b *Book) dropCustomer(c *customer) {
	b.customers.Delete(c.id)
	if now, ok := b.handles.Load(account.Handle(c.id)); ok && now == c {
		b.handles.Delete(account.Handle(c.id))
	}
}

// UnknownZones are the handles of customers whose time zone this machine does not know, so that the provider's is used.
func (b *Book) UnknownZones() []string {
	ids := []string{}
	for id, c := range b.customers.All() {
		if c.entry.Load().badZone {
			ids = append(ids, account.Handle(id))
		}
	}
	slices.Sort(ids)
	return ids
}

// AddCustomer adds a customer under a handle, and what edit says of it.
func (b *Book) AddCustomer(ctx context.Context, actor, handle string, edit CustomerEdit) (CustomerView, error) {
	return b.addCustomer(ctx, actor, NewCustomer{ID: handle, Edit: edit})
}

func (b *Book) addCustomer(ctx context.Context, actor string, n NewCustomer) (CustomerView, error) {
	err := theOne(b.AddCustomers(ctx, actor, []NewCustomer{n}, false))
	if errors.Is(err, store.ErrExists) {
		return CustomerView{}, store.ErrExists
	}
	view, _ := b.CustomerCalled(n.ID)
	return view, err
}

// NewCustomer is a customer to add.
type NewCustomer struct {
	ID    string // handle
	Edit  CustomerEdit
	sells bool // it is a reseller
}

// AddCustomers adds many customers in one transaction, all or none. What is wrong is said of every one: the errors are joined, each a
// *RowError. With dry nothing is added.
func (b *Book) AddCustomers(ctx context.Context, actor string, ns []NewCustomer, dry bool) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	if len(ns) > MaxLines {
		return &Invalid{"customers", fmt.Sprint(len(ns)), fmt.Sprintf("at most %d at once", MaxLines)}
	}
	now, all, facts, ids := stamp(), make([]account.Customer, len(ns)), make([]store.Fact, len(ns)), map[string]bool{}
	var errs []error
	for i, n := range ns {
		a, err := b.newCustomer(n, now)
		if err == nil && ids[n.ID] {
			err = fmt.Errorf("customer %s is given twice: %w", clip(n.ID), store.ErrExists)
		}
		if err != nil && len(errs) < maxRowErrors {
			errs = append(errs, &RowError{i, err})
		}
		all[i], ids[n.ID], facts[i] = a, true, factOf[fact.CustomerAdded](now, actor, "", a.ID, nil, customerFacts(a))
	}
	if err := errors.Join(errs...); err != nil || dry {
		return err
	}
	if err := b.wrote(b.db.PutCustomers(ctx, all, facts...)); err != nil {
		return err
	}
	for _, a := range all {
		b.publishCustomer(a)
		b.tell(Change{Kind: CustomerEdited, Customer: a.ID})
	}
	return nil
}

func (b *Book) newCustomer(n NewCustomer, now time.Time) (account.Customer, error) {
	if err := account.CheckCustomerID(n.ID); err != nil {
		return account.Customer{}, &Invalid{"id", clip(n.ID), "1 to 40 of a-z, 0-9 and '-', with '-' inside only"}
	}
	if n.ID == account.StaffName {
		return account.Customer{}, &Invalid{"id", n.ID, "another name: in the journal this one is the provider's own people"}
	}
	if _, ok := b.customerCalled(n.ID); ok {
		return account.Customer{}, fmt.Errorf("customer %s: %w", n.ID, store.ErrExists)
	}
	return b.applyCustomer(account.Customer{ID: b.identify(n.ID), Created: now, Resale: account.Resale{Sells: n.sells}}, n.Edit, now)
}

// EditCustomer changes a customer, all of the edit or nothing.
func (b *Book) EditCustomer(ctx context.Context, actor, id string, edit CustomerEdit) (CustomerView, error) {
	if err := b.begin(ctx); err != nil {
		return CustomerView{}, err
	}
	defer b.mu.Unlock()
	c, ok := b.customer(id)
	if !ok {
		return CustomerView{}, store.ErrNotFound
	}
	now, was := time.Now(), c.entry.Load().Customer
	a, err := b.applyCustomer(was, edit, now)
	if err != nil {
		return CustomerView{}, err
	}
	if edit.Careful {
		texts := account.Loosens(&was.Settings, &a.Settings, now, c.entry.Load().above()...)
		if edit.Prove != nil && !b.Shows(id, edit.Prove.Digits()) {
			texts = append(texts, "lines may present +"+edit.Prove.Number)
		}
		if err := loosening(texts); err != nil {
			return CustomerView{}, err
		}
	}
	f := factOf[fact.CustomerChanged](now, actor, "", id, customerFacts(was), customerFacts(a))
	kind := CustomerEdited
	if edit.Nets != nil || closesLogins(edit.Close) {
		kind = NetsChanged
	}
	if edit.Waited.Code == "" {
		return b.saveCustomer(ctx, a, false, f, kind)
	}
	return b.savedCustomer(a, kind, b.db.MakeWaiting(ctx, edit.Waited.Code, nil, &a, append([]fact.Row{f}, edit.Waited.Facts...)...))
}

func (b *Book) saveCustomer(ctx context.Context, a account.Customer, isNew bool, f store.Fact, kind ChangeKind) (CustomerView, error) {
	return b.savedCustomer(a, kind, b.db.PutCustomer(ctx, a, isNew, f))
}

// savedCustomer puts a customer in force that was written, or not.
func (b *Book) savedCustomer(a account.Customer, kind ChangeKind, err error) (CustomerView, error) {
	if err := b.wrote(err); err != nil {
		return CustomerView{}, err
	}
	b.publishCustomer(a)
	b.tell(Change{Kind: kind, Customer: a.ID})
	for _, below := range b.resold(a.ID) {
		b.publishCustomer(below)
		b.tell(Change{Kind: kind, Customer: below.ID})
	}
	c, _ := b.customer(a.ID)
	return c.view(time.Now()), nil
}

// applyCustomer is the customer as it would be; nothing is changed.
func (b *Book) applyCustomer(a account.Customer, edit CustomerEdit, now time.Time) (account.Customer, error) {
	set(&a.Name, edit.Name)
	set(&a.Zone, edit.Zone)
	set(&a.Tariff, edit.Tariff)
	set(&a.Courtesy, edit.Courtesy)
	set(&a.Cooling, edit.Cooling)
	if edit.Nets != nil {
		a.Settings.Nets = slices.Clone(*edit.Nets)
	}
	if _, err := loadZone(a.Zone); err != nil {
		return a, err
	}
	err := errors.Join(checkCourtesy(a.Courtesy), checkName("name", a.Name), b.checkDeck("tariff", a.Tariff, retailOnly))
	if err != nil {
		return a, err
	}
	if a.Settings, err = b.restricted(a.Settings, edit.Restrict, edit.Lift, now); err != nil {
		return a, err
	}
	if a.Settings, err = b.answered(a.Settings, edit.Close, edit.Vouch, now); err != nil {
		return a, err
	}
	if a.Numbers, err = b.proved(&a, &edit); err != nil {
		return a, err
	}
	if a, err = b.resale(a, &edit); err != nil {
		return a, err
	}
	a.Settings, err = change(a.Settings, a.Level(), b.aboveCustomer(&a), edit.Set, now)
	return a, err
}

// DeleteCustomer removes a customer that has no lines left; else store.ErrInUse.
func (b *Book) DeleteCustomer(ctx context.Context, actor, id string) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	c, ok := b.customer(id)
	if !ok {
		return store.ErrNotFound
	}
	if c.lines.Load() > 0 || len(b.resold(id)) > 0 {
		return store.ErrInUse
	}
	f := factOf[fact.CustomerDeleted](time.Now(), actor, "", id, customerFacts(c.entry.Load().Customer), nil)
	if err := b.wrote(b.db.DeleteCustomer(ctx, id, f)); err != nil {
		return err
	}
	b.dropCustomer(c)
	b.tell(Change{Kind: CustomerDeleted, Customer: id})
	return nil
}
