package notify

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// File is attached to a mail.
type File struct {
	Name, Type string
	Data       []byte
}

// billed says that a kind is about a bill.
func billed(k Kind) bool { return k == Bill || k == BillReminder }

// readBill is of a bill that was issued, or is reminded of.
func (n *Notifier) readBill(f *store.Fact, kind Kind) (draft, bool) {
	var b fact.BillIssued
	var again fact.BillReminded
	err := b.Decode(f.Body)
	if kind == BillReminder {
		err = again.Decode(f.Body)
		b.Bill, b.Gross, b.Due = again.Bill, again.Gross, again.Due
	}
	if err != nil || f.Account == "" || b.Bill == 0 {
		return draft{}, false
	}
	d := n.drafted(f, kind)
	d.Severity = detect.Info.String()
	d.Evidence = billEvidence(&b, again.Reminder)
	if !n.hasMailContact(f.Account) && n.o.Owner != nil {
		d.self = selfOf(n.o.Owner(f.Account))
	}
	return d, true
}

func billEvidence(b *fact.BillIssued, reminder int64) map[string]any {
	e := map[string]any{"bill": strconv.FormatInt(b.Bill, 10), "gross_micro": int64(b.Gross), "due": b.Due.UTC().Format(time.RFC3339)}
	if b.Count > 0 {
		e["calls"] = b.Count
		e["period_until"] = b.To.UTC().Format(time.RFC3339)
	}
	if reminder > 0 {
		e["reminder"] = reminder
	}
	if b.InDispute > 0 {
		e["in_dispute_micro"] = int64(b.InDispute)
	}
	return e
}

// hasMailContact says that somebody of a customer is there to get bills.
func (n *Notifier) hasMailContact(customer string) bool {
	c, _ := n.o.Book.Customer(customer)
	for i := range c.Contacts {
		if c.Contacts[i].Channel == account.Mail && c.Contacts[i].About("") {
			return true
		}
	}
	return false
}

// forBills are the contacts that bills go to: those whose word on bills is now or digest, if there are any, else all that have said nothing else.
func forBills(all []recipient) []recipient {
	var named []recipient
	for _, r := range all {
		switch r.contact.Kinds[string(Bill)] {
		case account.PreferNow, account.PreferDigest:
			named = append(named, r)
		}
	}
	if len(named) > 0 {
		return named
	}
	return all
}

// bill fills in what a notice about a bill says.
func (v *view) bill(d *draft, zone *time.Location) {
	e := d.Evidence
	gross, ok := micro(e["gross_micro"])
	due, err := time.Parse(time.RFC3339, scalar(e["due"]))
	if !billed(v.Kind) || !ok || err != nil {
		return
	}
	v.Bill, v.Sum, v.Due = strange(scalar(e["bill"]), 20), moneyText(gross), due.In(zone).Format("2 January 2006")
	v.Late, v.Again = d.at.After(due), scalar(e["reminder"])
	v.row("Bill", v.Bill)
	v.row("Calls", scalar(e["calls"]))
	if disputed, ok := micro(e["in_dispute_micro"]); ok && disputed > 0 {
		v.Total, v.InDispute, v.Sum, v.AllDisputed = v.Sum, moneyText(disputed), moneyText(max(0, gross-disputed)), disputed >= gross
		v.row("Total", v.Total)
		v.row("In dispute", v.InDispute)
	}
	if v.Kind == Bill {
		v.row("To pay", v.Sum)
	} else {
		v.row("Left to pay", v.Sum)
	}
	v.row("By", v.Due)
}

// attach adds the bill that a mail is about.
func (n *Notifier) attach(ctx context.Context, x *store.Notice, m *Message) error {
	if !billed(m.Kind) || n.o.BillFile == nil || !account.ChannelCalled(m.Channel).People {
		return nil
	}
	number, err := strconv.ParseInt(scalar(readData(x.Data).Evidence["bill"]), 10, 64)
	if err != nil {
		return nil //nolint:nilerr // the notice of a later version: the mail says what it can
	}
	f, err := n.o.BillFile(ctx, x.Account, number)
	if err != nil {
		return fmt.Errorf("the file of bill %d: %w", number, err)
	}
	m.Files = append(m.Files, f)
	return nil
}
