package book_test

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/rating"
	"ringfence/flow/book"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// must stops a test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fillAll puts one of everything into a book: two versions of a deck, a customer, three lines, a trunk, a granted request.
func fillAll(t *testing.T, b *book.Book) {
	t.Helper()
	nets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	must(t, second(b.Import(ctx, "t", []byte("Prefix,Destination,Rate\n44,UK,0.01\n"), book.ImportOptions{Name: "retail", Kind: rating.Retail})))
	must(t, second(b.Import(ctx, "t", []byte("Prefix,Destination,Rate\n44,UK,0.02\n"), book.ImportOptions{Name: "retail", Kind: rating.Retail})))
	must(t, second(b.AddCustomer(ctx, "t", "acme", book.CustomerEdit{Name: ptr("Acme"), Zone: ptr("Europe/Paris"), Tariff: ptr("retail"), Nets: &nets})))
	_, _, err := b.AddLine(ctx, "t", book.NewLine{ID: "acme-1", Customer: "acme", Edit: book.LineEdit{Number: ptr("020 7946 0000"), Set: []book.Setting{
		{Field: account.InternationalCeiling, N: 500_000_000, Grant: true, Until: time.Now().Add(time.Hour)},
	}}})
	must(t, err)
	must(t, second(b.AddLines(ctx, "t", []book.NewLine{{ID: "acme-2", Customer: "acme"}, {ID: "acme-3", Customer: "acme", NoPassword: true}})))
	must(t, second(b.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Courtesy: ptr(account.CourtesyAgent)})))
	must(t, second(b.EditLine(ctx, "t", "acme-2", book.LineEdit{Courtesy: ptr(account.CourtesyOff), Honeypot: ptr(true)})))
	must(t, b.PutContact(ctx, "t", "acme", account.Contact{ID: "anna", Name: "Anna", Channel: account.Mail, Address: "anna@example.com", Lines: []string{"acme-1"}}))
	must(t, b.PutContact(ctx, "t", "acme", account.Contact{ID: "hook", Channel: account.Webhook, Address: "https://example.com/x"}))
	must(t, b.SetPreference(ctx, "t", "acme", "anna", "new-device", account.PreferDigest))
	must(t, second(b.SetPassword(ctx, "t", "acme-1", "")))
	must(t, second(b.Lock(ctx, "t", "acme-2", "stolen", account.CallsEnd)))
	must(t, second(b.AddTrunk(ctx, "t", "carrier", book.TrunkEdit{Addresses: &[]string{"192.0.2.9"}, User: ptr("me"), Password: ptr("hunter2"), Sources: &nets})))
	r, err := b.Ask(ctx, "t", "acme-1", account.MaxCalls, 12, time.Time{}, "busy season")
	must(t, err)
	must(t, second(b.Grant(ctx, "staff", r.ID, time.Time{}, "fine")))
}

// TestOnARealStore makes a book on SQLite, and finds all of it again after it was closed.
func TestOnARealStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ringfence.db")
	o := options(t)
	old, fresh := newKey(t), newKey(t)
	o.Box = newBox(t, old)
	var db store.Store
	reopen := func() *book.Book {
		t.Helper()
		if db != nil {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if db, err = sqlitetest.Open(ctx, path, sqlite.Options{}); err != nil {
			t.Fatal(err)
		}
		b, err := book.Open(ctx, db, o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := reopen()
	fillAll(t, b)
	before, ha1 := picture(b), *first(b.HA1(line(t, b, "acme-1")))

	b = reopen()
	if after := picture(b); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	l := line(t, b, "acme-1")
	if got := first(b.HA1(l)); got == nil || *got != ha1 {
		t.Error("the password is not what it was")
	}
	if deck, _ := l.Retail(); deck == nil || deck.Prices()[0].Rates[0] != 20_000_000 || l.Zone().String() != "Europe/Paris" {
		t.Error("the deck or the zone is not what it was")
	}
	if n := l.Effective(time.Now()).Values[account.MaxCalls]; n != 12 {
		t.Errorf("what was granted is %d", n)
	}
	if x, ok := b.TrunkOf(netip.MustParseAddr("2001:db8::7")); !ok || x.Name != "carrier" {
		t.Error("the trunk's sources are lost")
	}
	if all, err := b.Requests(ctx, book.Granted); err != nil || len(all) != 1 || all[0].DecidedBy != "staff" {
		t.Errorf("requests: %+v, %v", all, err)
	}
	for _, err := range []error{b.DeleteCustomer(ctx, "t", "acme"), db.DeleteCustomer(ctx, "acme")} {
		if err == nil {
			t.Error("a customer with lines was deleted")
		}
	}
	must(t, b.DeleteLine(ctx, "t", "acme-3"))
	if n, err := b.Rekey(ctx, "t", newBox(t, old, fresh)); err != nil || n != 4 {
		t.Errorf("sealed again: %d, %v", n, err)
	}
	o.Box = newBox(t, fresh)
	b = reopen()
	if opened, failed := b.CheckSecrets(); opened != 4 || failed != 0 {
		t.Errorf("after a rotation %d secrets open and %d do not", opened, failed)
	}
	if got := first(b.HA1(line(t, b, "acme-1"))); got == nil || *got != ha1 {
		t.Error("the password changed with the key")
	}
	facts, err := db.Facts(ctx, store.FactFilter{})
	must(t, err)
	kinds := map[string]int{}
	for _, f := range facts {
		kinds[f.Kind]++
	}
	for _, k := range []string{"deck.imported", "customer.added", "line.added", "line.locked", "trunk.added", "request.made", "request.granted", "setting.changed", "line.deleted"} {
		if kinds[k] == 0 {
			t.Errorf("no fact %s among %v", k, kinds)
		}
	}
	must(t, db.Close())
}

func first[T any](v T, _ bool) T { return v }
