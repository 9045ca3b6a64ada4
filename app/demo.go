package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ringfence/app/demo"
	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/rating"
	"ringfence/edge/phone"
	"ringfence/flow/book"
	"ringfence/flow/people"
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

var demoCustomers = []demoCustomer{
	{"plumber", "Pat Fixit, plumber"},
	{"surgery", "Harbour Dental Surgery"},
	{"callcentre", "Northern Calls Ltd"},
}

type demoCustomer struct{ id, name string }

// hotel is the customer of the sample provider that has a past and makes calls: the others wait for the newcomer's.
var hotel = demoCustomer{"hotel", "Seaview Hotel"}

var hotelLines = []demoLine{
	{"2031", hotel.id, "020 7946 0131", "Front desk", nil},
	{"2032", hotel.id, "020 7946 0132", "Rooms", []book.Setting{
		{Field: account.InternationalCeiling, N: int64(100 * money.PencePerMinute), Grant: true},
		{Field: account.MaxInternational, N: 6, Grant: true},
		{Field: account.LineDayCap, N: int64(15 * money.Pound)},
	}},
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
	for _, step := range []func(context.Context) error{a.demoDecks, a.demoLines, a.demoPeople} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("the sample provider: %w", err)
		}
	}
	if err := a.demoTrunk(ctx, "demo-carrier", main, 10); err != nil {
		return err
	}
	if err := a.demoTrunk(ctx, "demo-backup", backup, 20); err != nil || !a.cfg.DemoLife {
		return err
	}
	if err := a.demoPast(ctx, time.Now()); err != nil {
		return fmt.Errorf("the past week of the sample provider: %w", err)
	}
	return nil
}

// demoPeople are who signs in to the pages: the owner of a customer, and staff.
var demoPeople = []struct{ customer, handle, name, who string }{
	{hotel.id, "chris", "Chris Seaview", "a customer, whose line a thief had"},
	{"", "sam", "Sam Okafor", "the provider's staff"},
}

func (a *App) demoPeople(ctx context.Context) error {
	for _, p := range demoPeople {
		if p.customer == hotel.id && !a.cfg.DemoLife {
			continue
		}
		customer, role := "", person.Admin
		if c, ok := a.book.CustomerCalled(p.customer); ok {
			customer, role = c.ID, person.Owner
		}
		_, _, err := a.people.Add(ctx, byDemo, people.NewPerson{Customer: customer, Handle: p.handle, Name: p.name, Role: role})
		if err != nil && !errors.Is(err, people.ErrExists) {
			return err
		}
	}
	return nil
}

// demoLinks are links to the pages which sign each of demoPeople in once.
func (a *App) demoLinks(ctx context.Context, out io.Writer) {
	if !a.cfg.Web.Listen.IsValid() {
		return
	}
	fmt.Fprintf(out, "\nThe pages, as (each link works once, for a day; each start makes new ones):\n")
	for _, p := range demoPeople {
		customer := ""
		if c, ok := a.book.CustomerCalled(p.customer); ok {
			customer = c.ID
		}
		who, err := a.people.Called(ctx, customer, p.handle)
		if err != nil {
			continue // a newcomer has removed them
		}
		if link, err := a.people.Link(ctx, byDemo, who.ID, people.LinkLife); err == nil {
			fmt.Fprintf(out, "  %-36s %s\n", p.who, a.signInLink(link.Token))
		}
	}
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
	since := time.Now().AddDate(0, -1, 0).UTC().Truncate(time.Microsecond) // calls of the past week are priced by them
	for _, d := range []struct {
		name string
		kind rating.Kind
		data []byte
	}{{"retail", rating.Retail, demo.Retail}, {"cost", rating.Cost, demo.Cost}} {
		if _, _, ok := a.book.Deck(d.name); ok {
			continue
		}
		if _, err := a.book.Import(ctx, byDemo, d.data, book.ImportOptions{Name: d.name, Kind: d.kind, Source: d.name + ".csv", Since: since}); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) demoLines(ctx context.Context) error {
	customers, lines := demoCustomers, demoLines
	if a.cfg.DemoLife {
		customers, lines = append(slices.Clip(customers), hotel), append(slices.Clip(lines), hotelLines...)
	}
	for _, c := range customers {
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
	var since time.Time
	if a.cfg.DemoLife { // no line is younger than its calls
		since = time.Now().AddDate(0, 0, -pastDays)
	}
	var passwords strings.Builder
	for _, l := range lines {
		if _, ok := a.book.LineCalled(l.id); ok {
			continue
		}
		owner, _ := a.book.CustomerCalled(l.customer) // added above
		_, password, err := a.book.AddLine(ctx, byDemo, book.NewLine{
			ID: l.id, Customer: owner.ID, Edit: book.LineEdit{Name: &l.name, Number: &l.number, Set: l.set}, Since: since,
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
func (a *App) PrintDemo(ctx context.Context, out io.Writer, program string) {
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
Ringfence runs with a sample provider (%d customers, %d lines) and a test carrier, all on this machine.

In a phone on this machine:   server %s   user %s   password %s
(the passwords of the other lines are in %s)
`, len(a.book.Customers("", 100)), len(a.book.Lines("", "", 100)), at, demoLines[0].id, password, a.passwordsPath())
	a.demoLinks(ctx, out)
	fmt.Fprint(out, "\nTry, in another terminal:\n")
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
