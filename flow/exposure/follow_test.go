package exposure

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// office is a provider with line 2001 of acme.
func office(t testing.TB) (*booktest.Store, *book.Book) {
	t.Helper()
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	db := &booktest.Store{}
	b, err := book.Open(t.Context(), db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "test", Identify: booktest.Plain})
	must(t, err)
	_, err = b.AddCustomer(t.Context(), "t", "acme", book.CustomerEdit{})
	must(t, err)
	_, _, err = b.AddLine(t.Context(), "t", book.NewLine{ID: "2001", Customer: "acme", NoPassword: true})
	must(t, err)
	_, err = b.Import(t.Context(), "t", []byte("Destination,Prefix,Rate\nUK,442,0.012\nFrance,33,0.015\n"), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
	must(t, err)
	return db, b
}

// told are the figures in the journal, of a customer or "" for everybody.
func told(t testing.TB, db *booktest.Store, customer string) (all []fact.ExposureChanged) {
	t.Helper()
	rows, err := db.Facts(t.Context(), store.FactFilter{Kind: fact.KindExposureChanged})
	must(t, err)
	for i := range rows {
		var f fact.ExposureChanged
		must(t, f.Decode(rows[i].Body))
		if rows[i].Account == customer {
			all = append(all, f)
		}
	}
	return all
}

// TestNewFiguresAreFacts: a setting, a price list and the end of the time give a new figure each, once; a contact and a restart give none. Otherwise a
// thief who raises a cap at ten would be covered by the figure of nine.
func TestNewFiguresAreFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, b := office(t)
		desk, err := New(Options{Book: b, Money: memory.New(), Ring: time.Minute})
		must(t, err)
		run := func() (stop func()) {
			f, err := Follow(FollowOptions{Desk: desk, Store: db, Promise: func() bool { return true }, Every: 10 * time.Second})
			must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { f.Run(ctx); close(done) }()
			return func() { cancel(); <-done }
		}
		stop := run()
		want := func(n int, because string, amount money.Micro) {
			t.Helper()
			time.Sleep(30 * time.Second)
			all := told(t, db, "acme")
			if len(all) != n || all[n-1].Because != because || amount > 0 && all[n-1].Exposure != amount || !all[n-1].Promised {
				t.Fatalf("%d figures, want %d, the last %s of %s: %+v", len(all), n, because, amount, all)
			}
			if sums := told(t, db, ""); len(sums) == 0 || sums[len(sums)-1].Exposure != all[n-1].Exposure {
				t.Fatalf("the sum is %+v", sums)
			}
		}
		want(1, fact.KindDeckImported, 0)
		_, err = b.EditLine(t.Context(), "t", "2001", book.LineEdit{Set: []book.Setting{{Field: account.LineMonthCap, N: int64(2 * money.Pound)}}})
		must(t, err)
		want(2, fact.KindSettingChanged, 2*money.Pound)
		must(t, b.PutContact(t.Context(), "t", "acme", account.Contact{ID: "ana", Channel: account.Mail, Address: "ana@example.org"}))
		want(2, fact.KindSettingChanged, 2*money.Pound)
		stop()
		stop = run()
		want(2, fact.KindSettingChanged, 2*money.Pound)
		time.Sleep(60 * time.Hour) // the first was a Saturday
		stop()
		if all := told(t, db, "acme"); len(all) < 3 || all[2].Because != overTime || !all[2].To.After(all[1].To) {
			t.Fatalf("a day later: %+v", all)
		}
	})
}
