package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/policy"
	"ringfence/edge/web"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
	"ringfence/flow/exposure"
	"ringfence/flow/gate"
	"ringfence/flow/notify"
	"ringfence/flow/watch"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// resold is what a reseller's person sees: the office's customer and two more, with a cap over all of them.
func resold(ctx context.Context) (all []scene, stop func(), err error) {
	o, err := newOffice(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	srv, base, err := o.resell(ctx)
	stop = func() { _, _ = o.srv.Close(), srv.Close() }
	return []scene{
		{name: "customers", folder: "pages", url: base + "/customers", dark: true, says: "3 customers"},
		{name: "customers-one", folder: "pages", url: base + "/for/acme/lines", dark: true, says: "Your 5 lines"},
	}, stop, err
}

// resell makes the office's customer, and two more, those of a reseller, whose person is signed in at an address of its own.
func (o *office) resell(ctx context.Context) (*http.Server, string, error) {
	name, day, month := "North Telecom", 250*money.Pound, 3000*money.Pound
	if _, err := o.book.AddReseller(ctx, "docs", "north", book.CustomerEdit{Name: &name, DayCap: &day, MonthCap: &month}); err != nil {
		return nil, "", err
	}
	north := "north"
	if _, err := o.book.EditCustomer(ctx, "docs", "acme", book.CustomerEdit{Reseller: &north}); err != nil {
		return nil, "", err
	}
	for i, c := range [][2]string{{"bistro", "Bistro Lune"}, {"surgery", "Hill Street Surgery"}} {
		if _, err := o.book.AddCustomer(ctx, "docs", c[0], book.CustomerEdit{Name: &c[1], Reseller: &north}); err != nil {
			return nil, "", err
		}
		edit := book.LineEdit{Set: []book.Setting{{Field: account.LineDayCap, N: int64(money.Micro(4+i*5) * money.Pound)}}}
		if _, _, err := o.book.AddLine(ctx, "docs", book.NewLine{ID: c[0] + "-1", Customer: c[0], Edit: edit}); err != nil {
			return nil, "", err
		}
	}
	desk, err := exposure.New(exposure.Options{Book: o.book, Money: memory.New(), Ring: time.Minute, Eyes: exposure.Eyes{
		Records: func(context.Context, store.CDRFilter) ([]call.CDR, error) { return nil, nil },
	}})
	if err != nil {
		return nil, "", err
	}
	w, err := watch.New(watch.Options{Store: o.db, Book: o.book})
	if err != nil {
		return nil, "", err
	}
	ines := person.Who{Person: "ines", Customer: north, Role: person.Owner, Actor: "north/ines", Proved: time.Now().Add(time.Hour)}
	none := errors.New("there are no links here")
	pages, err := web.New(web.Deps{
		Genuine: func(string) bool { return false }, Link: func(context.Context, string) (notify.LinkView, error) { return notify.LinkView{}, none },
		Use: func(context.Context, string, netip.Addr) (notify.LinkView, error) { return notify.LinkView{}, none }, Help: help, Zone: o.book.Zone(north),
		SignedIn: func(*http.Request) (web.Visitor, error) {
			return web.Visitor{ID: ines.Actor, Name: "Ines Costa", Customer: north, Role: "owner", Zone: o.book.Zone(north), Who: ines}, nil
		},
		Book: o.book, Exposure: desk, Watch: w, Cooling: cooling.New(cooling.Options{Store: o.db, Book: o.book}), Calls: func() []gate.InProgress { return inProgress(false) },
		Purses: func(_ context.Context, customer, line string, now time.Time) ([]gate.Purse, error) {
			if customer != north {
				return purses(ctx, customer, line, now)
			}
			return []gate.Purse{
				{Kind: policy.ResellerDay, ID: "reseller/north/day/" + now.Format(time.DateOnly), Cap: day, Spent: 12_640_000, Held: 320_000},
				{Kind: policy.ResellerMonth, ID: "reseller/north/month/" + now.Format("2006-01"), Cap: month, Spent: 231_880_000, Held: 320_000},
			}, nil
		},
	}, web.Options{})
	if err != nil {
		return nil, "", err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	srv := &http.Server{Handler: pages.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.Serve(l) }() // ends with the program
	return srv, "http://" + l.Addr().String(), nil
}
