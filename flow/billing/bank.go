package billing

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/state/store"
)

// Columns of a bank's file, and what else they are called.
var bankColumns = map[string][]string{
	"customer":  {"customer", "account"},
	"amount":    {"amount", "credit", "paid in"},
	"reference": {"reference", "transaction id", "id"},
	"date":      {"date", "at", "booked"},
	"text":      {"text", "description", "note"},
}

// Wrong says what of a file is wrong, and where. Nothing of the file was booked.
type Wrong struct {
	Line, Column int
	Name, Text   string
}

// Error names line and column.
func (e *Wrong) Error() string {
	return fmt.Sprintf("line %d, column %d (%s): %s. Nothing was booked.", e.Line, e.Column, e.Name, e.Text)
}

const (
	maxPayments = 10_000 // of a file
	firstYear   = 2000   // of a payment
	maxText     = 1000   // bytes of what a payment says
)

// Imported is what a file came to.
type Imported struct {
	Booked  []Entry
	Skipped []Skipped
}

// Skipped is a row whose reference was booked before, for the same customer and amount. Nothing of it was booked.
type Skipped struct {
	Line      int
	Reference string
	Number    int64  // of the payment that was booked
	Booked    string // the day it was booked with
	Given     string // the day that the row has, where that is another one
}

// Text says which row it is, and what it says otherwise than the books.
func (s *Skipped) Text() string {
	text := fmt.Sprintf("line %d: %s is payment %d, of %s", s.Line, s.Reference, s.Number, s.Booked)
	if s.Given != "" {
		text += fmt.Sprintf("; the file says %s, and the books stay as they are", s.Given)
	}
	return text
}

// Redated are the rows of which the file says another day than the books do.
func (i *Imported) Redated() (out []Skipped) {
	for _, s := range i.Skipped {
		if s.Given != "" {
			out = append(out, s)
		}
	}
	return out
}

// Import books a bank's file of payments, all of it or nothing: its header names the columns. Rows whose reference was booked before, for the
// same customer and amount, are passed over and named, so that a file can be given again; one that was booked otherwise refuses the file.
func (b *Billing) Import(ctx context.Context, by string, data []byte, now time.Time) (out Imported, err error) {
	text, _, err := rating.Decode(data)
	if err != nil {
		return out, &Wrong{1, 1, "file", "it is not text that can be read: " + err.Error() + `; save it as "CSV UTF-8"`}
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	at, width, err := bankHead(r)
	if err != nil {
		return out, err
	}
	seen := map[string]int{}
	var facts []store.Fact
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Imported{}, unreadRow(err)
		}
		if strings.TrimSpace(strings.Join(row, "")) == "" { // spreadsheets leave such rows at the end
			continue
		}
		line, _ := r.FieldPos(0)
		for len(row) > width && strings.TrimSpace(row[len(row)-1]) == "" {
			row = row[:len(row)-1]
		}
		if len(row) > width {
			return Imported{}, &Wrong{line, width + 1, "row", fmt.Sprintf("it has %d cells, and the header %d: a text with a comma in it needs quotes around it", len(row), width)}
		}
		e, wrong := b.bankRow(row, at, by, now)
		if wrong == nil && seen[e.Reference] > 0 {
			wrong = &Wrong{Name: "reference", Text: fmt.Sprintf("%q is in line %d too", e.Reference, seen[e.Reference])}
		}
		if wrong == nil && len(seen) == maxPayments {
			wrong = &Wrong{Name: "reference", Text: fmt.Sprintf("more than %d payments: split the file", maxPayments)}
		}
		before := store.ErrNotFound
		var old Entry
		if wrong == nil {
			old, before = b.o.Store.Entry(ctx, e.Kind, e.Reference)
		}
		switch {
		case wrong != nil:
		case before == nil && old.Customer != e.Customer:
			wrong = &Wrong{Name: "customer", Text: fmt.Sprintf("%q was booked before, as payment %d of %s", e.Reference, old.Number, account.Handle(old.Customer))}
		case before == nil && old.Net != e.Net:
			wrong = &Wrong{Name: "amount", Text: fmt.Sprintf("%q was booked before, as payment %d of %s", e.Reference, old.Number, money.Billing().Amount(old.Net))}
		case before == nil:
			out.Skipped = append(out.Skipped, b.skipped(line, given(row, at), &e, &old))
		case !errors.Is(before, store.ErrNotFound):
			return Imported{}, before
		default:
			out.Booked = append(out.Booked, e)
			facts = append(facts, paymentFact(&e, now))
		}
		if wrong != nil {
			wrong.Line, wrong.Column = line, at[wrong.Name]+1
			return Imported{}, wrong
		}
		seen[e.Reference] = line
	}
	if len(out.Booked) == 0 {
		return out, nil
	}
	numbers, err := b.o.Store.Book(ctx, out.Booked, facts...)
	if errors.Is(err, store.ErrExists) {
		err = fmt.Errorf("somebody booked a payment of this file at the same time: give it again: %w", ErrBooked)
	}
	if err != nil {
		return Imported{}, err
	}
	for i, n := range numbers {
		out.Booked[i].Number = n
	}
	return out, nil
}

// skipped compares the day of a row with that of the books. A row without a day was booked on the day of its import, and says nothing.
func (b *Billing) skipped(line int, given string, e, old *Entry) Skipped {
	zone := b.o.Book.Zone(e.Customer)
	s := Skipped{Line: line, Reference: e.Reference, Number: old.Number, Booked: old.At.In(zone).Format(time.DateOnly)}
	if given != "" && given != s.Booked {
		s.Given = given
	}
	return s
}

// given is the day that a row has; "" is none.
func given(row []string, at map[string]int) string {
	if i, ok := at["date"]; ok && i < len(row) {
		return strings.TrimSpace(row[i])
	}
	return ""
}

// unreadRow says which row of a file is not CSV.
func unreadRow(err error) *Wrong {
	if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
		return &Wrong{bad.StartLine, 1, "row", err.Error()}
	}
	return &Wrong{1, 1, "row", err.Error()}
}

// bankHead finds the columns, and how many there are; each but date and text is needed.
func bankHead(r *csv.Reader) (map[string]int, int, error) {
	head, err := r.Read()
	if err != nil {
		return nil, 0, &Wrong{1, 1, "header", "the file has no header that names its columns: customer, amount, reference, and date and text if there are any"}
	}
	at := map[string]int{}
	for i, name := range head {
		for column, names := range bankColumns {
			if !slices.Contains(names, strings.ToLower(strings.TrimSpace(name))) {
				continue
			}
			if _, twice := at[column]; twice {
				return nil, 0, &Wrong{1, i + 1, column, "this column is there twice"}
			}
			at[column] = i
		}
	}
	for _, column := range []string{"customer", "amount", "reference"} {
		if _, ok := at[column]; !ok {
			return nil, 0, &Wrong{1, len(head), column, "the first line names no such column; it needs customer, amount and reference, with commas between them"}
		}
	}
	return at, len(head), nil
}

// grouped is an amount with commas between its thousands.
var grouped = regexp.MustCompile(`^\D*[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?\D*$`)

// bankAmount reads an amount of a bank's file. What may mean a thousandth or a thousand of it is refused: 12,50 and 1.500.
func bankAmount(text string) (money.Micro, string) {
	c := money.Billing()
	if strings.Contains(text, ",") && !grouped.MatchString(text) {
		return 0, fmt.Sprintf("%.40q has a comma that does not part thousands; want a point before the pence, such as 1,234.50", text)
	}
	_, after, _ := strings.Cut(text, ".")
	if digits := len(after) - len(strings.TrimLeft(after, "0123456789")); digits == 3 && c.Places < 3 {
		return 0, fmt.Sprintf("%.40q may be thousands or pence; want two digits after the point, such as 1,234.50", text)
	}
	n, err := c.ParseAmount(strings.ReplaceAll(text, ",", ""))
	if err != nil {
		return 0, fmt.Sprintf("%.40q is not an amount such as 1,234.50", text)
	}
	return n, ""
}

func (b *Billing) bankRow(row []string, at map[string]int, by string, now time.Time) (e Entry, wrong *Wrong) {
	cell := func(column string) string {
		if i, ok := at[column]; ok && i < len(row) {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	p := Payment{Reference: cell("reference"), Text: cell("text"), By: by}
	c, ok := b.o.Book.CustomerCalled(cell("customer"))
	if !ok {
		return e, &Wrong{Name: "customer", Text: fmt.Sprintf("there is no customer %.40q", cell("customer"))}
	}
	p.Customer = c.ID
	var why string
	if p.Amount, why = bankAmount(cell("amount")); why != "" {
		return e, &Wrong{Name: "amount", Text: why}
	}
	var err error
	if text := cell("date"); text != "" {
		if p.At, err = time.ParseInLocation(time.DateOnly, text, b.o.Book.Zone(c.ID)); err != nil || p.At.Year() < firstYear {
			return e, &Wrong{Name: "date", Text: fmt.Sprintf("%.40q is not a date such as 2026-11-30", text)}
		}
	}
	if e, err = b.payment(&p, now); err != nil {
		wrong = &Wrong{Name: "amount", Text: err.Error()}
		if bad := (*Invalid)(nil); errors.As(err, &bad) {
			wrong = &Wrong{Name: bad.Field, Text: fmt.Sprintf("%.40q; want %s", bad.Found, bad.Want)}
		}
		return e, wrong
	}
	return e, nil
}
