package book_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
)

func contacts(t testing.TB, b *book.Book) []account.Contact {
	t.Helper()
	c, ok := b.Customer("acme")
	if !ok {
		t.Fatal("no customer")
	}
	return c.Contacts
}

func TestContactsComeAndGo(t *testing.T) {
	b, db, _ := sample(t)
	anna := account.Contact{ID: "anna", Name: "Anna", Channel: account.Mail, Address: "anna@example.com", Lines: []string{"acme-1"}}
	hook := account.Contact{ID: "hook", Channel: account.Webhook, Address: "https://hooks.example.com/services/T0/s3cr3t?token=t0ps3cr3t"}
	must(t, b.PutContact(ctx, "t", "acme", anna))
	must(t, b.PutContact(ctx, "t", "acme", hook))
	anna.Lines[0] = "changed behind its back"
	if got := contacts(t, b); len(got) != 2 || got[0].Lines[0] != "acme-1" || got[1].Address != hook.Address {
		t.Fatalf("%+v", got)
	}
	before := contacts(t, b)
	must(t, b.PutContact(ctx, "t", "acme", account.Contact{ID: "anna", Channel: account.Mail, Address: "anna@example.org"}))
	if got := contacts(t, b); len(got) != 2 || got[0].Address != "anna@example.org" || before[0].Address != "anna@example.com" {
		t.Errorf("replaced: %+v, and who looked before sees %+v", got, before)
	}
	must(t, b.DeleteContact(ctx, "t", "acme", "hook"))
	for name, b := range map[string]*book.Book{"in force": b, "read again": open(t, db, options(t))} {
		if got := contacts(t, b); len(got) != 1 || got[0].ID != "anna" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	var kinds []string
	for _, f := range db.AllFacts() {
		if strings.HasPrefix(f.Kind, "contact.") && f.Account == "acme" {
			kinds = append(kinds, f.Kind)
		}
		if strings.Contains(string(f.Body), "s3cr3t") {
			t.Errorf("the journal has the secret part of a webhook: %s", f.Body)
		}
	}
	if got := strings.Join(kinds, " "); got != "contact.added contact.added contact.changed contact.deleted" {
		t.Errorf("facts: %s", got)
	}
}

func TestContactsThatAreRefused(t *testing.T) {
	b, db, _ := sample(t)
	if _, err := b.AddCustomer(ctx, "t", "other", book.CustomerEdit{}); err != nil {
		t.Fatal(err)
	}
	_, _, err := b.AddLine(ctx, "t", book.NewLine{ID: "other-1", Customer: "other", NoPassword: true})
	must(t, err)
	must(t, b.PutContact(ctx, "t", "acme", account.Contact{ID: "anna", Channel: account.Mail, Address: "anna@example.com"}))
	facts := len(db.AllFacts())
	put := func(c account.Contact) error { return b.PutContact(ctx, "t", "acme", c) }
	for name, c := range map[string]struct {
		err   error
		field string
	}{
		"mail":            {put(account.Contact{ID: "x", Channel: account.Mail, Address: "nobody"}), "mail"},
		"url":             {put(account.Contact{ID: "x", Channel: account.Webhook, Address: "http://example.com"}), "url"},
		"another's line":  {put(account.Contact{ID: "x", Channel: account.Mail, Address: "x@example.com", Lines: []string{"other-1"}}), "lines"},
		"no such line":    {put(account.Contact{ID: "x", Channel: account.Mail, Address: "x@example.com", Lines: []string{"gone"}}), "lines"},
		"id":              {put(account.Contact{ID: "X", Channel: account.Mail, Address: "x@example.com"}), "id"},
		"wish":            {b.SetPreference(ctx, "t", "acme", "anna", "new-device", "never"), "kinds"},
		"no wish":         {b.SetPreference(ctx, "t", "acme", "anna", "new-device", ""), "kinds"},
		"kind":            {b.SetPreference(ctx, "t", "acme", "anna", "New Device", account.PreferOff), "kinds"},
		"courtesy":        {second(b.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Courtesy: ptr(account.Courtesy("loud"))})), "courtesy"},
		"line's courtesy": {second(b.EditLine(ctx, "t", "acme-1", book.LineEdit{Courtesy: ptr(account.Courtesy("loud"))})), "courtesy"},
	} {
		var invalid *book.Invalid
		if !errors.As(c.err, &invalid) || invalid.Field != c.field {
			t.Errorf("%s: %v, want a fault of %s", name, c.err, c.field)
		}
	}
	for name, err := range map[string]error{
		"customer":        b.PutContact(ctx, "t", "nobody", account.Contact{ID: "x", Channel: account.Mail, Address: "x@example.com"}),
		"contact":         b.DeleteContact(ctx, "t", "acme", "bob"),
		"contact of wish": b.SetPreference(ctx, "t", "acme", "bob", "new-device", account.PreferOff),
	} {
		if !errors.Is(err, book.ErrNotFound) {
			t.Errorf("no such %s: %v", name, err)
		}
	}
	if len(db.AllFacts()) != facts || len(contacts(t, b)) != 1 {
		t.Error("a refusal left something behind")
	}
}

func TestWishIsSetByALink(t *testing.T) {
	b, db, _ := sample(t)
	must(t, b.PutContact(ctx, "t", "acme", account.Contact{ID: "anna", Name: "Anna", Channel: account.Mail, Address: "anna@example.com", Lines: []string{"acme-1"}}))
	must(t, b.DeleteLine(ctx, "t", "acme-1")) // a line that is gone must not keep anybody from switching mails off
	before := contacts(t, b)
	must(t, b.SetPreference(ctx, "link", "acme", "anna", "new-device", account.PreferOff))
	must(t, b.SetPreference(ctx, "link", "acme", "anna", "*", account.PreferDigest))
	got := contacts(t, b)[0]
	if got.Wants("new-device") != account.PreferOff || got.Wants("usage-level") != account.PreferDigest || got.Address == "" || len(got.Lines) != 1 {
		t.Errorf("%+v", got)
	}
	if len(before[0].Kinds) != 0 {
		t.Error("what others were reading has changed under them")
	}
	facts := len(db.AllFacts())
	must(t, b.SetPreference(ctx, "link", "acme", "anna", "new-device", account.PreferOff))
	if len(db.AllFacts()) != facts {
		t.Error("the link used again left another fact")
	}
}

// A warning level is the owner's own: up and down without a grant, and nothing to ask for.
func TestWarningLevelsAreFree(t *testing.T) {
	b, _, _ := sample(t)
	for _, pounds := range []int64{50, 5, 0, 20} {
		n := pounds * 1_000_000
		must(t, b.Set(ctx, "t", account.LevelCustomer, "acme", book.Setting{Field: account.AccountWarning, N: n}))
		must(t, b.Set(ctx, "t", account.LevelLine, "acme-1", book.Setting{Field: account.LineWarning, N: n}))
		e := line(t, b, "acme-1").Effective(time.Now())
		if e.Values[account.LineWarning] != n || e.Values[account.AccountWarning] != n || e.From[account.LineWarning] != account.LevelLine {
			t.Errorf("£%d: %d, %d", pounds, e.Values[account.LineWarning], e.Values[account.AccountWarning])
		}
	}
	var invalid *book.Invalid
	if _, err := b.Ask(ctx, "t", "acme-1", account.LineWarning, 90_000_000, time.Time{}, ""); !errors.As(err, &invalid) || invalid.Field != "line-warning" {
		t.Errorf("a request for what needs none: %v", err)
	}
	if err := b.Set(ctx, "t", account.LevelLine, "acme-1", book.Setting{Field: account.AccountWarning, N: 1}); !errors.As(err, &invalid) {
		t.Errorf("a line's word on the account's warning: %v", err)
	}
}

func TestCourtesyComesFromTheNearest(t *testing.T) {
	b, db, _ := sample(t)
	for _, c := range []struct{ customer, line, want account.Courtesy }{
		{"", "", account.CourtesyBoth},
		{account.CourtesyAgent, "", account.CourtesyAgent},
		{account.CourtesyAgent, account.CourtesyOff, account.CourtesyOff},
		{account.CourtesyOff, account.CourtesyBoth, account.CourtesyBoth},
		{account.CourtesyOff, "", account.CourtesyOff},
	} {
		must(t, second(b.EditCustomer(ctx, "t", "acme", book.CustomerEdit{Courtesy: &c.customer})))
		must(t, second(b.EditLine(ctx, "t", "acme-1", book.LineEdit{Courtesy: &c.line})))
		for name, b := range map[string]*book.Book{"in force": b, "read again": open(t, db, options(t))} {
			if l := line(t, b, "acme-1"); l.Courtesy() != c.want || l.OwnCourtesy() != c.line {
				t.Errorf("%s: customer %q, line %q: %q, want %q", name, c.customer, c.line, l.Courtesy(), c.want)
			}
		}
	}
}

func TestHoneypotIsKeptAndLosesItsPhones(t *testing.T) {
	b, db, _ := sample(t)
	var told []book.ChangeKind
	b.OnChange(func(c book.Change) { told = append(told, c.Kind) })
	must(t, second(b.EditLine(ctx, "t", "acme-1", book.LineEdit{Honeypot: ptr(true)})))
	must(t, second(b.EditLine(ctx, "t", "acme-1", book.LineEdit{Name: ptr("bait")})))
	if len(told) != 2 || told[0] != book.PasswordChanged || told[1] != book.LineEdited {
		t.Errorf("told %v", told)
	}
	if !line(t, b, "acme-1").Honeypot() || !line(t, open(t, db, options(t)), "acme-1").Honeypot() {
		t.Error("the flag is lost")
	}
	must(t, second(b.EditLine(ctx, "t", "acme-1", book.LineEdit{Honeypot: ptr(false)})))
	if line(t, b, "acme-1").Honeypot() {
		t.Error("the flag stays")
	}
}

func TestFormerPasswordsAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, db, first := sample(t)
		l := func() *book.Line { return line(t, b, "acme-1") }
		ha1 := func(p string) secret.HA1 { return secret.NewHA1("acme-1", "sip.test", secret.NewPassword(p)) }
		if b.FormerHA1(l()) != nil {
			t.Error("a new line has former passwords")
		}
		passwords := []string{first}
		for range 4 {
			<-time.After(10 * 24 * time.Hour)
			p, err := b.SetPassword(ctx, "t", "acme-1", "")
			must(t, err)
			passwords = append(passwords, p)
		}
		got := b.FormerHA1(l())
		if len(got) != account.MaxFormer {
			t.Fatalf("%d former passwords", len(got))
		}
		for i, f := range got {
			if *f.HA1 != ha1(passwords[3-i]) || time.Since(f.Until).Round(time.Hour) != time.Duration(i)*240*time.Hour {
				t.Errorf("number %d is not the one before, or was replaced %v ago", i, time.Since(f.Until))
			}
		}
		must(t, second(b.EditLine(ctx, "t", "acme-1", book.LineEdit{Name: ptr("Desk")})))
		if again := b.FormerHA1(l()); &again[0] != &got[0] {
			t.Error("worked out anew although no password changed")
		}
		<-time.After(75 * 24 * time.Hour) // the oldest was replaced 95 days ago by now, the next 85
		must(t, second(b.EditLine(ctx, "t", "acme-1", book.LineEdit{Name: ptr("Desk 2")})))
		if got = b.FormerHA1(l()); len(got) != 2 || *got[1].HA1 != ha1(passwords[2]) {
			t.Errorf("%d are left after 90 days", len(got))
		}
		for _, f := range db.AllFacts() {
			if strings.Contains(string(f.Body), "ormer") || strings.Contains(string(f.Body), "ealed") {
				t.Errorf("the journal speaks of them: %s", f.Body)
			}
		}
	})
}

// Some phones log in as name@domain: their digest is over all of it, with the password in force and the former ones.
func TestPasswordsUnderANameWithADomain(t *testing.T) {
	b, _, first := sample(t)
	second, err := b.SetPassword(ctx, "t", "acme-1", "")
	must(t, err)
	const user = "acme-1@sip.example.org"
	want := func(p string) secret.HA1 { return secret.NewHA1(user, "sip.test", secret.NewPassword(p)) }
	now, was := b.HA1As(line(t, b, "acme-1").ID(), user)
	if now == nil || *now != want(second) || len(was) != 1 || *was[0].HA1 != want(first) || was[0].Until.IsZero() {
		t.Errorf("%d former passwords, or a wrong one", len(was))
	}
	if now, was := b.HA1As("", user); now != nil || was != nil {
		t.Error("nobody has a password")
	}
}

// Guards: a phone with the password that is in force again must not be told that it is out of date.
func TestPasswordInForceAgainIsNotFormer(t *testing.T) {
	b, _, first := sample(t)
	must(t, second(b.SetPassword(ctx, "t", "acme-1", "")))
	must(t, second(b.SetPassword(ctx, "t", "acme-1", first)))
	was := secret.NewHA1("acme-1", "sip.test", secret.NewPassword(first))
	got := b.FormerHA1(line(t, b, "acme-1"))
	if len(got) != 1 || *got[0].HA1 == was {
		t.Errorf("%d former passwords, the present one among them: %t", len(got), *got[0].HA1 == was)
	}
}

// Guards: a password refused must leave the one in force, and what was before it, alone.
func TestRefusedPasswordLeavesFormerAlone(t *testing.T) {
	b, db, _ := sample(t)
	if _, err := b.SetPassword(ctx, "t", "acme-1", "secret"); err == nil {
		t.Fatal("a weak one was taken")
	}
	db.Break(booktest.Lost)
	if _, err := b.SetPassword(ctx, "t", "acme-1", ""); err == nil {
		t.Fatal("a broken write went through")
	}
	if n := len(b.FormerHA1(line(t, b, "acme-1"))); n != 0 {
		t.Errorf("%d former passwords", n)
	}
}

func TestFormerPasswordsFollowTheKey(t *testing.T) {
	old, fresh := newKey(t), newKey(t)
	o := options(t)
	o.Box = newBox(t, old)
	db := &booktest.Store{}
	b := open(t, db, o)
	must(t, second(b.AddCustomer(ctx, "t", "acme", book.CustomerEdit{})))
	_, _, err := b.AddLine(ctx, "t", book.NewLine{ID: "a", Customer: "acme"})
	must(t, err)
	must(t, second(b.SetPassword(ctx, "t", "a", "")))
	want := *b.FormerHA1(line(t, b, "a"))[0].HA1
	must(t, second(b.Rekey(ctx, "t", newBox(t, old, fresh))))
	must(t, second(b.EditLine(ctx, "t", "a", book.LineEdit{Name: ptr("Desk")}))) // must not bring the old key back
	o.Box = newBox(t, fresh)
	b = open(t, db, o)
	if opened, failed := b.CheckSecrets(); opened != 2 || failed != 0 {
		t.Errorf("with the new key alone %d open and %d do not", opened, failed)
	}
	if got := b.FormerHA1(line(t, b, "a")); len(got) != 1 || *got[0].HA1 != want {
		t.Error("the former password is lost with the old key")
	}
}

// A password is judged when it is set; one that an earlier version set is judged when it can be opened, and the outcome is
// stored with the line's next change.
func TestPasswordsAreJudged(t *testing.T) {
	_, db, _ := sample(t)
	keys := options(t)
	b := open(t, db, keys)
	chosen := "Umber-Quilt-Trombone-41-kestrel"
	for _, c := range []struct {
		given string
		want  account.Strength
	}{{"", account.BeyondGuessing}, {chosen, account.Guessable}, {"vT7#qLm9!zRw4%Kx2pBn8", account.BeyondGuessing}} {
		must(t, second(b.SetPassword(ctx, "t", "acme-1", c.given)))
		for name, b := range map[string]*book.Book{"in force": b, "read again": open(t, db, keys)} {
			if got := line(t, b, "acme-1").BeyondGuessing(); got != (c.want == account.BeyondGuessing) {
				t.Errorf("%q, %s: beyond guessing: %v", c.given, name, got)
			}
		}
		var old account.Line
		must(t, db.EachLine(ctx, func(l account.Line) error {
			if l.ID == "acme-1" {
				old = l
			}
			return nil
		}))
		if old.Strength != c.want {
			t.Errorf("%q is stored as %d", c.given, old.Strength)
		}
		old.Strength = account.Unjudged
		must(t, db.PutLine(ctx, old, false))
		b := open(t, db, keys)
		if line(t, b, "acme-1").BeyondGuessing() {
			t.Error("taken for beyond guessing before it was judged")
		}
		b.JudgePasswords(ctx)
		must(t, b.Reload(ctx)) // another node changed something
		if got := line(t, b, "acme-1").BeyondGuessing(); got != (c.want == account.BeyondGuessing) {
			t.Errorf("%q, judged later: beyond guessing: %v", c.given, got)
		}
		must(t, second(b.EditLine(ctx, "t", "acme-1", book.LineEdit{Name: ptr("desk")})))
		must(t, db.EachLine(ctx, func(l account.Line) error {
			if l.ID == "acme-1" && l.Strength != c.want {
				t.Errorf("%q, after the next change, is stored as %d", c.given, l.Strength)
			}
			return nil
		}))
	}
}
