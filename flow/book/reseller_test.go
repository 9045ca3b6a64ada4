package book_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// resold is a reseller with one customer, acme, which has one line; and another node's book.
func resold(t *testing.T) (b, other *book.Book) {
	t.Helper()
	b, db, _ := sample(t)
	if _, err := b.AddReseller(ctx, "t", "north", book.CustomerEdit{Name: ptr("North"), Zone: ptr("Europe/Paris")}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Reseller: ptr("north")}); err != nil {
		t.Fatal(err)
	}
	return b, open(t, db, options(t))
}

// TestAResellerStandsBetween: what a reseller says holds for its customers' lines, on a book that is read again too.
func TestAResellerStandsBetween(t *testing.T) {
	b, other := resold(t)
	nets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	edit := book.CustomerEdit{
		Set: []book.Setting{{Field: account.MaxCalls, N: 3}}, Nets: &nets, DayCap: ptr(70 * money.Pound), MonthCap: ptr(900 * money.Pound),
	}
	if _, err := b.EditCustomer(ctx, "t", "north", edit); err != nil {
		t.Fatal(err)
	}
	if err := other.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*book.Book{"here": b, "on another node": other} {
		l := line(t, b, "acme-1")
		e := l.Effective(time.Now())
		if e.Values[account.MaxCalls] != 3 || e.From[account.MaxCalls] != account.LevelReseller || len(e.Nets) != 1 || l.Zone().String() != "Europe/Paris" {
			t.Errorf("%s: %d calls from %v, %d locks, %s", name, e.Values[account.MaxCalls], e.From[account.MaxCalls], len(e.Nets), l.Zone())
		}
		if p := e.Pool; p == nil || p.Reseller != "north" || p.Day != 70*money.Pound || p.Month != 900*money.Pound || p.Zone.String() != "Europe/Paris" {
			t.Errorf("%s: the cap is %+v", name, p)
		}
	}
	var looser *book.Looser
	for level, err := range map[account.Level]error{
		account.LevelCustomer: b.Set(ctx, "t", account.LevelCustomer, "acme", book.Setting{Field: account.MaxCalls, N: 4}),
		account.LevelLine:     b.Set(ctx, "t", account.LevelLine, "acme-1", book.Setting{Field: account.MaxCalls, N: 4}),
	} {
		if !errors.As(err, &looser) || looser.From != account.LevelReseller {
			t.Errorf("a %s looser than its reseller: %v", level, err)
		}
	}
	if _, err := b.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Reseller: ptr("")}); err != nil {
		t.Fatal(err)
	}
	if e := line(t, b, "acme-1").Effective(time.Now()); e.Pool != nil || e.Values[account.MaxCalls] != 10 || len(e.Nets) != 0 {
		t.Errorf("the provider's own customer again has %+v", e)
	}
}

// TestWhatAResellerCannot: it has no lines, is nobody's customer, and stays while it has customers.
func TestWhatAResellerCannot(t *testing.T) {
	b, _ := resold(t)
	var invalid *book.Invalid
	for name, err := range map[string]error{
		"a line":                             func() error { _, _, err := b.AddLine(ctx, "t", book.NewLine{ID: "x", Customer: "north"}); return err }(),
		"a reseller above it":                second(b.EditCustomer(ctx, "t", "north", book.CustomerEdit{Reseller: ptr("north")})),
		"a customer that is none":            second(b.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Reseller: ptr("nobody")})),
		"a customer that resells":            second(b.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Reseller: ptr("acme")})),
		"a negative cap":                     second(b.EditCustomer(ctx, "t", "north", book.CustomerEdit{DayCap: ptr(money.Micro(-1))})),
		"a cap over customers of a customer": second(b.EditCustomer(ctx, "t", "acme", book.CustomerEdit{DayCap: ptr(money.Pound)})),
	} {
		if !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.DeleteCustomer(ctx, "t", "north"); !errors.Is(err, store.ErrInUse) {
		t.Errorf("a reseller with customers is deleted: %v", err)
	}
	if _, err := b.AddReseller(ctx, "t", "acme", book.CustomerEdit{}); !errors.Is(err, store.ErrExists) {
		t.Errorf("a reseller under a customer's name: %v", err)
	}
	if all := b.Customers("", 10); len(all) != 1 || all[0].ID != "acme" {
		t.Errorf("the customers are %v", all)
	}
	if all := b.Resellers("", 10); len(all) != 1 || all[0].Customers != 1 {
		t.Errorf("the resellers are %v", all)
	}
	if all := b.CustomersOf("north", "", 10); len(all) != 1 || all[0].ID != "acme" || len(b.CustomersOf("", "", 10)) != 0 {
		t.Errorf("its customers are %v", all)
	}
}

// TestAResellerIsLocked with all lines of its customers; those locked for reasons of their own stay so.
func TestAResellerIsLocked(t *testing.T) {
	b, _ := resold(t)
	if n, err := b.LockCustomer(ctx, "t", "north", "unpaid", account.CallsEnd); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if opened, left, err := b.UnlockCustomer(ctx, "t", "acme"); opened != 0 || left != 1 || err != nil {
		t.Errorf("its customer opened %d lines, %d are left, %v", opened, left, err)
	}
	if opened, _, err := b.UnlockCustomer(ctx, "t", "north"); opened != 1 || err != nil || line(t, b, "acme-1").Locked() {
		t.Errorf("the reseller opened %d lines, %v", opened, err)
	}
}
