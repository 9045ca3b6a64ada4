package book_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
)

// TestMemoryIsWhatIsStored plays random changes, with writes that fail either way, and compares the book with one that is
// opened afresh from the same store.
func TestMemoryIsWhatIsStored(t *testing.T) {
	o := options(t)
	rapid.Check(t, func(t *rapid.T) {
		db := &booktest.Store{}
		b, err := book.Open(ctx, db, o)
		if err != nil {
			t.Fatal(err)
		}
		customers := rapid.SampledFrom([]string{"ca", "cb", "cc"})
		lines := rapid.SampledFrom([]string{"la", "lb", "lc", "ld"})
		number := rapid.SampledFrom([]string{"", "+442079460000", "+442079460001"})
		small := rapid.Int64Range(0, 9)
		// Whether a change is refused is not the question here; what is left of it is.
		t.Repeat(map[string]func(*rapid.T){
			"add customer":    func(t *rapid.T) { _, _ = b.AddCustomer(ctx, "t", customers.Draw(t, "c"), book.CustomerEdit{}) },
			"delete customer": func(t *rapid.T) { _ = b.DeleteCustomer(ctx, "t", customers.Draw(t, "c")) },
			"tighten customer": func(t *rapid.T) {
				_ = b.Set(ctx, "t", account.LevelCustomer, customers.Draw(t, "c"), book.Setting{Field: account.MaxCalls, N: small.Draw(t, "n")})
			},
			"add line": func(t *rapid.T) {
				n := number.Draw(t, "number")
				_, _, _ = b.AddLine(ctx, "t", book.NewLine{
					ID: lines.Draw(t, "l"), Customer: customers.Draw(t, "c"), NoPassword: true, Edit: book.LineEdit{Number: &n},
				})
			},
			"change number": func(t *rapid.T) {
				n := number.Draw(t, "number")
				_, _ = b.EditLine(ctx, "t", lines.Draw(t, "l"), book.LineEdit{Number: &n})
			},
			"tighten line": func(t *rapid.T) {
				_ = b.Set(ctx, "t", account.LevelLine, lines.Draw(t, "l"), book.Setting{Field: account.MaxCalls, N: small.Draw(t, "n")})
			},
			"courtesy of customer": func(t *rapid.T) {
				_, _ = b.EditCustomer(ctx, "t", customers.Draw(t, "c"), book.CustomerEdit{Courtesy: ptr(account.CourtesyAgent)})
			},
			"courtesy of line": func(t *rapid.T) {
				_, _ = b.EditLine(ctx, "t", lines.Draw(t, "l"), book.LineEdit{Courtesy: ptr(account.CourtesyOff), Honeypot: ptr(small.Draw(t, "n") < 5)})
			},
			"put contact": func(t *rapid.T) {
				_ = b.PutContact(ctx, "t", customers.Draw(t, "c"), account.Contact{ID: fmt.Sprint("k", small.Draw(t, "k")), Channel: account.Mail, Address: "a@example.com"})
			},
			"delete contact": func(t *rapid.T) {
				_ = b.DeleteContact(ctx, "t", customers.Draw(t, "c"), fmt.Sprint("k", small.Draw(t, "k")))
			},
			"wish": func(t *rapid.T) {
				_ = b.SetPreference(ctx, "t", customers.Draw(t, "c"), fmt.Sprint("k", small.Draw(t, "k")), "new-device", account.PreferOff)
			},
			"password": func(t *rapid.T) { _, _ = b.SetPassword(ctx, "t", lines.Draw(t, "l"), "") },
			"lock": func(t *rapid.T) {
				_, _ = b.Lock(ctx, "t", lines.Draw(t, "l"), "why", account.LockCalls(rapid.IntRange(0, 2).Draw(t, "c")))
			},
			"unlock":      func(t *rapid.T) { _, _ = b.Unlock(ctx, "t", lines.Draw(t, "l")) },
			"delete line": func(t *rapid.T) { _ = b.DeleteLine(ctx, "t", lines.Draw(t, "l")) },
			"break": func(t *rapid.T) {
				db.Break(rapid.SampledFrom([]booktest.Break{booktest.Works, booktest.Works, booktest.Lost, booktest.Persisted}).Draw(t, "how"))
			},
		})
		db.Break(booktest.Works)
		_ = b.DeleteCustomer(ctx, "t", "not-there") // any change at all settles what was in doubt
		fresh, err := book.Open(ctx, db, o)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := picture(b), picture(fresh); got != want {
			t.Fatalf("in memory:\n%s\nstored:\n%s", got, want)
		}
	})
}

// picture is everything that the path of a call can see.
func picture(b *book.Book) string {
	var out []string
	now := time.Now()
	for _, c := range b.Customers("", 100) {
		out = append(out, fmt.Sprint(c.ID, c.Lines, c.Effective.Values, c.Courtesy, c.Contacts))
	}
	for _, l := range b.Lines("", "", 100) {
		byNumber := ""
		if l.Digits() != 0 {
			byNumber, _ = b.ByNumber(l.Digits())
		}
		out = append(out, fmt.Sprint(l.ID(), l.Customer(), l.Number(), byNumber, l.Locked(), l.LockWhy(), l.LockCalls(), l.Effective(now).Values, l.Courtesy(), l.OwnCourtesy(), l.Honeypot()))
		var passwords []secret.HA1
		if h, ok := b.HA1(l); ok {
			passwords = append(passwords, *h)
		}
		for _, f := range b.FormerHA1(l) {
			passwords = append(passwords, *f.HA1)
			out = append(out, l.ID()+" had another until "+f.Until.String())
		}
		out = append(out, fmt.Sprint(l.ID(), len(passwords), sha256.Sum256(fmt.Appendf(nil, "%x", passwords))))
	}
	for _, n := range []uint64{442079460000, 442079460001} {
		id, ok := b.ByNumber(n)
		out = append(out, fmt.Sprint(n, id, ok))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// FuzzTrunkAddress: what is taken is complete, and stays as it is when it is given again.
func FuzzTrunkAddress(f *testing.F) {
	for _, s := range []string{"sip.example", "192.0.2.1:5070", "[2001:db8::1]:5060", "2001:db8::1", "a:b:c", ":5060", "x:99999", "-a.example", "1.2.3"} {
		f.Add(s)
	}
	b := open(f, &booktest.Store{}, options(f))
	n := 0
	f.Fuzz(func(t *testing.T, s string) {
		n++
		x, err := b.AddTrunk(ctx, "t", fmt.Sprint("t", n), book.TrunkEdit{Addresses: &[]string{s}})
		if err != nil {
			return
		}
		kept := x.Addresses[0]
		if strings.ContainsAny(kept, " \r\n\t<>\"@;") {
			t.Fatalf("%q became %q", s, kept)
		}
		again, err := b.EditTrunk(ctx, "t", x.Name, book.TrunkEdit{Addresses: &[]string{kept}})
		if err != nil || again.Addresses[0] != kept {
			t.Fatalf("%q, given again, became %q, %v", kept, again.Addresses[0], err)
		}
		if err := b.DeleteTrunk(ctx, "t", x.Name); err != nil {
			t.Fatal(err)
		}
	})
}
