package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ringfence/app/demo"
	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/edge/phone"
	"ringfence/flow/book"
)

// byDemo is who the journal says made the sample provider.
const byDemo = "demo"

// PasswordsFile is where the demonstration keeps its lines' passwords, for `ringfence phone`, under the data folder.
const PasswordsFile = "passwords"

// demoLine is a line of the sample provider. Numbers are of Ofcom's range for drama, which has no subscribers.
type demoLine struct {
	id, customer, number, name string
	set                        []book.Setting
}

var demoCustomers = []struct{ id, name string }{
	{"plumber", "Pat Fixit, plumber"},
	{"surgery", "Harbour Dental Surgery"},
	{"callcentre", "Northern Calls Ltd"},
}

var demoLines = []demoLine{
	{"2001", "plumber", "020 7946 0101", "Pat's phone", nil},
	{"2011", "surgery", "020 7946 0111", "Reception", nil},
	{"2012", "surgery", "020 7946 0112", "Surgery 1", []book.Setting{{Field: account.InternationalCeiling, N: 0}}},
	{"2021", "callcentre", "020 7946 0121", "Sales", []book.Setting{
		// The settings that suit an attacker: expensive countries are open, and only the daily cap limits the loss.
		{Field: account.InternationalCeiling, N: int64(500 * money.PencePerMinute), Grant: true},
		{Field: account.MaxInternational, N: 10, Grant: true},
		{Field: account.CallsPerMinute, N: 300, Grant: true},
		{Field: account.LineDayCap, N: int64(2 * money.Pound)},
	}},
	{"2022", "callcentre", "020 7946 0122", "Support", nil},
}

// startDemo runs two test carriers on loopback and makes the sample provider at the first start.
func (a *App) startDemo(ctx context.Context) error {
	main, err := a.startCarrier(phone.CarrierOptions{Ring: time.Second})
	if err != nil {
		return err
	}
	backup, err := a.startCarrier(phone.CarrierOptions{Ring: time.Second, Script: phone.Script{}})
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{a.demoDecks, a.demoLines} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("the sample provider: %w", err)
		}
	}
	if err := a.demoTrunk(ctx, "demo-carrier", main, 10); err != nil {
		return err
	}
	return a.demoTrunk(ctx, "demo-backup", backup, 20)
}

func (a *App) startCarrier(o phone.CarrierOptions) (netip.AddrPort, error) {
	c, err := phone.NewCarrier(o)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("the test carrier: %w", err)
	}
	a.onStop("the test carrier", func(context.Context) error { return c.Close() })
	return c.Addr(), nil
}

// demoTrunk points a trunk at a carrier, whose port is another at each start.
func (a *App) demoTrunk(ctx context.Context, name string, at netip.AddrPort, priority int) error {
	addresses, deck, yes := []string{at.String()}, "cost", true
	sources := []netip.Prefix{}
	edit := book.TrunkEdit{Addresses: &addresses, Priority: &priority, Deck: &deck, Emergency: &yes, Sources: &sources}
	var err error
	if t, ok := a.book.TrunkCalled(name); ok {
		_, err = a.book.EditTrunk(ctx, byDemo, t.Name, edit)
	} else {
		_, err = a.book.AddTrunk(ctx, byDemo, name, edit)
	}
	if err != nil {
		return fmt.Errorf("trunk %s: %w", name, err)
	}
	return nil
}

func (a *App) demoDecks(ctx context.Context) error {
	for _, d := range []struct {
		name string
		kind rating.Kind
		data []byte
	}{{"retail", rating.Retail, demo.Retail}, {"cost", rating.Cost, demo.Cost}} {
		if _, _, ok := a.book.Deck(d.name); ok {
			continue
		}
		if _, err := a.book.Import(ctx, byDemo, d.data, book.ImportOptions{Name: d.name, Kind: d.kind, Source: d.name + ".csv"}); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) demoLines(ctx context.Context) error {
	for _, c := range demoCustomers {
		if _, ok := a.book.CustomerCalled(c.id); ok {
			continue
		}
		v, err := a.book.AddCustomer(ctx, byDemo, c.id, book.CustomerEdit{Name: &c.name})
		if err != nil {
			return err
		}
		contact := account.Contact{ID: "owner", Name: c.name, Channel: account.Mail, Address: c.id + "@customer.invalid"}
		if err := a.book.PutContact(ctx, byDemo, v.ID, contact); err != nil {
			return err
		}
	}
	var passwords strings.Builder
	for _, l := range demoLines {
		if _, ok := a.book.LineCalled(l.id); ok {
			continue
		}
		owner, _ := a.book.CustomerCalled(l.customer) // added above
		_, password, err := a.book.AddLine(ctx, byDemo, book.NewLine{
			ID: l.id, Customer: owner.ID, Edit: book.LineEdit{Name: &l.name, Number: &l.number, Set: l.set},
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(&passwords, "%s %s\n", l.id, password)
	}
	if passwords.Len() == 0 {
		return nil
	}
	return appendFile(a.passwordsPath(), passwords.String())
}

func (a *App) passwordsPath() string { return filepath.Join(a.cfg.Data, PasswordsFile) }

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// PrintDemo tells a newcomer what runs and what to try.
func (a *App) PrintDemo(out io.Writer, program string) {
	at := a.SIPAddr()
	server := ""
	if at.Port() != 5060 {
		server = " --server " + at.String()
	}
	extra := server
	if file := a.passwordsPath(); file != filepath.Join("ringfence-data", "demo", PasswordsFile) {
		extra += " --password-file " + file
	}
	password, err := phone.ReadPassword(a.passwordsPath(), demoLines[0].id)
	if err != nil {
		password = "in " + a.passwordsPath()
	}
	fmt.Fprintf(out, `
Ringfence runs with a sample provider (three customers, five lines) and a test carrier, all on this machine.

In a phone on this machine:   server %s   user %s   password %s
(the passwords of the other lines are in %s)

Try, in another terminal:
`, at, demoLines[0].id, password, a.passwordsPath())
	for _, try := range [][2]string{
		{"a call that is allowed", "phone call" + extra + " --line 2001 --to 02079460000"},
		{"a call that is refused", "phone call" + extra + " --line 2001 --to 09098790123"},
		{"an attack that meets its cap", "phone attack" + extra + " --line 2021"},
		{"an attacker who guesses a password", "phone guess" + server + " --line 2011"},
		{"the mails to its owner", "notice list --socket " + a.cfg.Admin.Socket},
		{"its calls, each with a reason", "cdr list --line 2021 --socket " + a.cfg.Admin.Socket},
		{"why a call would be refused", "decide --line 2001 --to 005352345678 --socket " + a.cfg.Admin.Socket},
	} {
		fmt.Fprintf(out, "\n  %-30s %s %s", try[0], program, try[1])
	}
	fmt.Fprintf(out, "\n\nCtrl-C stops it. Everything it keeps is in %s.\n\n", a.cfg.Data)
}
