package book

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
)

// A reseller is a customer with customers of its own in place of lines (account.Resale). What it says stands between the provider and them:
// settings, IP lock, restrictions, price list and time zone. One level is all there is: a reseller's customer does not resell.

// chain is what is said down to the customer.
func (c *customerEntry) chain() []*account.Settings { return append(c.above(), &c.Settings) }

// above is what is said above the customer. Its place for a reseller stays when there is none, except above a reseller itself.
func (c *customerEntry) above() []*account.Settings {
	all := make([]*account.Settings, 0, 4) // with room for the customer and a line
	all = append(all, &c.provider.settings)
	switch {
	case c.reseller != nil:
		all = append(all, &c.reseller.Settings)
	case !c.Resale.Sells:
		all = append(all, nil)
	}
	return all
}

// aboveLines is what is said above the lines of a customer.
func (c *customerEntry) aboveLines() []*account.Settings { return append(c.above(), &c.Settings) }

// Above is what is said above the line: the links of account.Resolve that come before its own. Read only.
func (l *Line) Above() []*account.Settings { return l.cust.entry.Load().aboveLines() }

// aboveCustomer is what will be said above a customer that is about to be stored.
func (b *Book) aboveCustomer(a *account.Customer) []*account.Settings {
	above := []*account.Settings{b.Provider()}
	if r, ok := b.customer(a.Reseller); ok {
		above = append(above, &r.entry.Load().Settings)
	}
	return above
}

// pool is the cap that the customer shares with its reseller's others; nil is none.
func (c *customerEntry) pool() *account.Pool {
	r := c.reseller
	if r == nil || !r.Resale.Capped() {
		return nil
	}
	return &account.Pool{Reseller: r.ID, Zone: r.zone, Day: r.Resale.DayCap, Month: r.Resale.MonthCap}
}

// Pool is what the customers of a reseller may spend together, as it is now; nil: it has no cap, or is gone.
func (b *Book) Pool(reseller string) *account.Pool {
	r, ok := b.customer(reseller)
	if !ok {
		return nil
	}
	e := r.entry.Load()
	if !e.Resale.Capped() {
		return nil
	}
	return &account.Pool{Reseller: e.ID, Zone: e.zone, Day: e.Resale.DayCap, Month: e.Resale.MonthCap}
}

// ResellerOf is the identity of the reseller whose customer it is; "": the provider's own, or no customer.
func (b *Book) ResellerOf(customer string) string {
	if c, ok := b.customer(customer); ok {
		return c.entry.Load().Reseller
	}
	return ""
}

// Resellers lists them by handle, those above after, at most limit.
func (b *Book) Resellers(after string, limit int) []CustomerView {
	return b.some(func(a *account.Customer) bool { return a.Resale.Sells }, after, limit)
}

// CustomersOf lists those of a reseller, as Resellers does.
func (b *Book) CustomersOf(reseller, after string, limit int) []CustomerView {
	return b.some(func(a *account.Customer) bool { return reseller != "" && a.Reseller == reseller }, after, limit)
}

// resold are the customers of a reseller.
func (b *Book) resold(reseller string) (all []account.Customer) {
	r, ok := b.customer(reseller)
	if !ok || !r.entry.Load().Resale.Sells {
		return nil
	}
	for _, c := range b.customers.All() {
		if e := c.entry.Load(); e.Reseller == reseller {
			all = append(all, e.Customer)
		}
	}
	return all
}

// resellersFirst is the order in which customers are put in force: what is said above them is there by then.
func resellersFirst(all []account.Customer) []account.Customer {
	of := func(c *account.Customer) int {
		if c.Resale.Sells {
			return 0
		}
		return 1
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b account.Customer) int { return cmp.Compare(of(&a), of(&b)) })
	return all
}

// sameDoors says that a customer which was published again lets logins in from where it did, its reseller's word included.
func (b *Book) sameDoors(before *customerEntry, id string) bool {
	c, ok := b.customer(id)
	if !ok {
		return false
	}
	now := c.entry.Load()
	above := func(e *customerEntry) (s account.Settings) {
		if e.reseller != nil {
			return e.reseller.Settings
		}
		return s
	}
	return sameDoors(before.Settings, now.Settings) && sameDoors(above(before), above(now))
}

// resale applies what an edit says of reselling.
func (b *Book) resale(a account.Customer, edit *CustomerEdit) (account.Customer, error) {
	if edit.Reseller != nil {
		a.Reseller = *edit.Reseller
		r, ok := b.customer(a.Reseller)
		switch {
		case a.Resale.Sells && a.Reseller != "":
			return a, &Invalid{"reseller", clip(account.Handle(a.Reseller)), "none, because a reseller is the provider's own customer"}
		case a.Reseller != "" && (!ok || !r.entry.Load().Resale.Sells):
			return a, &Invalid{"reseller", clip(account.Handle(a.Reseller)), "a reseller that exists"}
		}
	}
	for _, x := range []struct {
		name string
		to   *money.Micro
		cap  *money.Micro
	}{{"day-cap", &a.Resale.DayCap, edit.DayCap}, {"month-cap", &a.Resale.MonthCap, edit.MonthCap}} {
		_, most := account.AccountMonthCap.Range()
		switch {
		case x.cap == nil:
			continue
		case !a.Resale.Sells:
			return a, &Invalid{x.name, "", "none, because it is no reseller"}
		case *x.cap < 0 || int64(*x.cap) > most:
			return a, &Invalid{x.name, money.Billing().Amount(*x.cap), "an amount up to " + account.Format(account.AccountMonthCap, most) + ", or off"}
		}
		*x.to = *x.cap
	}
	return a, nil
}

// AddReseller adds a reseller under a handle, which no customer has.
func (b *Book) AddReseller(ctx context.Context, actor, handle string, edit CustomerEdit) (CustomerView, error) {
	return b.addCustomer(ctx, actor, NewCustomer{ID: handle, Edit: edit, sells: true})
}

// some lists customers that are wanted.
func (b *Book) some(wanted func(*account.Customer) bool, after string, limit int) []CustomerView {
	var all []*customer
	for handle, c := range b.handles.All() {
		if handle > after && wanted(&c.entry.Load().Customer) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *customer) int { return strings.Compare(account.Handle(a.id), account.Handle(b.id)) })
	now, out := time.Now(), []CustomerView{}
	for _, c := range all[:min(limit, len(all))] {
		out = append(out, c.view(now))
	}
	return out
}
