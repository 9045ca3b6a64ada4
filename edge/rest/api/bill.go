package api

import (
	"strconv"
	"time"

	"ringfence/core/money"
)

// Bill is what a customer is asked to pay for calls. Amounts are in 1e-6 of the currency; only the total is rounded.
type Bill struct {
	Number   int64     `json:"number"`
	Customer string    `json:"customer"`
	From     time.Time `json:"from" doc:"beginning of the period; calls that began earlier have come late"`
	Until    time.Time `json:"until" doc:"end of the period"`
	Issued   time.Time `json:"issued"`
	Due      time.Time `json:"due"`
	Calls    int64     `json:"calls"`
	Net      int64     `json:"net_micro"`
	VAT      int64     `json:"vat_micro"`
	Rate     string    `json:"vat_percent"`
	Rounded  int64     `json:"rounded_micro" doc:"what the rounding of the total took away"`
	Total    int64     `json:"total_micro"`
	Text     string    `json:"total_text" doc:"the same for people"`
	Left     int64     `json:"left_micro" doc:"what is still to be paid of it: payments and credits count for the oldest bills first"`
	Asked    int64     `json:"asked_micro" doc:"the part of left that is asked for; the others are disputed and planned"`
	Disputed int64     `json:"disputed_micro,omitempty" doc:"the part of left that is in dispute, and not asked for until it is decided"`
	Planned  int64     `json:"planned_micro,omitempty" doc:"the part of left that a plan of instalments lets be paid later"`
	Overdue  bool      `json:"overdue,omitempty" doc:"something is asked for, and its day has passed"`
	Sums     []BillSum `json:"sums,omitempty" doc:"by line and country; in a single one, not in lists"`
	Credits  []Booking `json:"credits,omitempty" doc:"credit notes for its calls, newest first; in a single one, not in lists. They change what the customer owes, and not the bill"`
}

// BillSum is what the calls of one line to one country come to.
type BillSum struct {
	Line    string `json:"line"`
	Country string `json:"country,omitempty"`
	Calls   int64  `json:"calls"`
	TalkMS  int64  `json:"talk_ms"`
	Net     int64  `json:"net_micro"`
}

// BillCall is a call of a bill.
type BillCall struct {
	ID      string `json:"id"`
	Line    string `json:"line"`
	Country string `json:"country,omitempty"`
	TalkMS  int64  `json:"talk_ms"`
	Net     int64  `json:"net_micro"`
}

// BillFilter restricts a list.
type BillFilter struct {
	Customer string `query:"customer" maxLength:"64" help:"Of this customer." predict:"customer"`
}

// BillID says which.
type BillID struct {
	Number int64 `path:"number" minimum:"1" arg:"" help:"Bill." predict:"bill"`
}

// Resource describes bills.
func (Bill) Resource() Resource[Bill] {
	return Resource[Bill]{
		Name: "bill", Path: "bills", Key: "number", Next: "before", List: "List bills, newest first", Get: "Show a bill with its sums by line and country",
		Columns: "bill: number, customer, until, calls, total, left: left_micro>, asked: asked_micro>, due",
		Fields:  "bill: number, customer, from, until, issued, due, calls, net, vat, rounded, total, left: left_micro, asked: asked_micro, in dispute: disputed_micro?, in a plan: planned_micro?",
		Empty:   "No bills. One is made with: ringfence bill run",
		Cells: map[string]func(*Bill) Cell{
			"net":        func(b *Bill) Cell { return Cell{Text: Amount(money.Micro(b.Net))} },
			"vat":        func(b *Bill) Cell { return Cell{Text: Amount(money.Micro(b.VAT)) + " (" + b.Rate + " %)"} },
			"rounded":    func(b *Bill) Cell { return Cell{Text: Amount(money.Micro(b.Rounded))} },
			"total":      func(b *Bill) Cell { return Cell{Text: b.Text} },
			"left_micro": func(b *Bill) Cell { return Cell{Text: Amount(money.Micro(b.Left))} },
			"asked_micro": func(b *Bill) Cell {
				if b.Overdue {
					return Cell{Amount(money.Micro(b.Asked)) + " overdue", "bad"}
				}
				return Cell{Text: Amount(money.Micro(b.Asked))}
			},
			"disputed_micro": someOf(func(b *Bill) int64 { return b.Disputed }),
			"planned_micro":  someOf(func(b *Bill) int64 { return b.Planned }),
		},
		Named: func(b *Bill) (string, string) { return strconv.FormatInt(b.Number, 10), b.Customer + " " + b.Text },
	}
}

// Resource describes sums of a bill.
func (BillSum) Resource() Resource[BillSum] {
	return Resource[BillSum]{Columns: "line, country, calls, net", Cells: map[string]func(*BillSum) Cell{
		"net": func(b *BillSum) Cell { return Cell{Text: Amount(money.Micro(b.Net))} },
	}}
}

// BillRun makes bills.
type BillRun struct {
	Body NewBillRun `embed:""`
}

// NewBillRun says of whom, and up to when.
type NewBillRun struct {
	Customer string `json:"customer,omitempty" maxLength:"64" doc:"absent: everybody" help:"Of this customer alone." predict:"customer"`
	After    string `json:"after,omitempty" maxLength:"64" doc:"go on with the run whose answer had this as next" kong:"-"`
	Limit    int    `json:"limit,omitempty" minimum:"0" maximum:"10000" doc:"customers to look at; absent: all" kong:"-"`
	Now      bool   `json:"now,omitempty" doc:"what was used up to now; absent: up to the end of the last month in each customer's zone" help:"Bill what was used up to now (default: up to the end of the last month, in each customer's zone)."`
}

// BillsMade is what a run came to.
type BillsMade struct {
	Bills int    `json:"bills"`
	Calls int64  `json:"calls"`
	Total int64  `json:"total_micro"`
	Text  string `json:"total_text"`
	Next  string `json:"next,omitempty" doc:"what the next part of the run continues after"`
	Left  int    `json:"left,omitempty" doc:"how many customers the limit has left"`
}

// Account is what a customer owes.
type Account struct {
	Customer string    `json:"customer"`
	Balance  int64     `json:"balance_micro" doc:"what is owed; what was paid ahead is negative"`
	Text     string    `json:"balance_text"`
	Asked    int64     `json:"asked_micro" doc:"the part of what is owed that is asked for; the others are disputed and planned"`
	Overdue  int64     `json:"overdue_micro,omitempty" doc:"the part of asked whose day has passed"`
	Disputed int64     `json:"disputed_micro,omitempty" doc:"the part that is in dispute, and not asked for until it is decided"`
	Planned  int64     `json:"planned_micro,omitempty" doc:"the part that plans of instalments let be paid later"`
	Unbilled int64     `json:"unbilled_micro" doc:"what was used since the last bill, without VAT; with calls in progress"`
	NotYet   string    `json:"unbilled_text"`
	Entries  []Booking `json:"entries" doc:"the latest bills, payments and credit notes, newest first"`
}

// AccountID says whose.
type AccountID struct {
	Customer string `path:"customer" maxLength:"64" arg:"" help:"Customer." predict:"customer"`
}

// Called is what people call the customer.
func (a AccountID) Called() string { return a.Customer }

// Booking is a bill, a payment or a credit note in the books.
type Booking struct {
	Number    int64     `json:"number"`
	Kind      string    `json:"kind" enum:"bill,payment,credit,carrier"`
	Customer  string    `json:"customer"`
	At        time.Time `json:"at"`
	Amount    int64     `json:"amount_micro" doc:"what it added to what the customer owes"`
	Text      string    `json:"amount_text"`
	Reference string    `json:"reference"`
	By        string    `json:"by,omitempty"`
	Why       string    `json:"why,omitempty"`
}

// Resource describes bookings.
func (Booking) Resource() Resource[Booking] {
	return Resource[Booking]{Columns: "at, kind, number, amount, reference~, why~", Cells: map[string]func(*Booking) Cell{"amount": func(b *Booking) Cell { return Cell{Text: b.Text} }}}
}

// Credit is a credit note.
type Credit struct {
	Number    int64     `json:"number"`
	Customer  string    `json:"customer"`
	At        time.Time `json:"at"`
	Net       int64     `json:"net_micro"`
	VAT       int64     `json:"vat_micro"`
	Rate      string    `json:"vat_percent"`
	Amount    int64     `json:"amount_micro" doc:"what the customer is not asked for any more, with VAT"`
	AmountIs  string    `json:"amount_text"`
	Reference string    `json:"reference"`
	By        string    `json:"by,omitempty"`
	Why       string    `json:"why"`
	Calls     int       `json:"calls,omitempty" doc:"for how many calls it is, as far as they are known"`
}

// Resource describes credit notes.
func (Credit) Resource() Resource[Credit] {
	return Resource[Credit]{
		Name: "credit", Path: "credits", Next: "before", List: "List credit notes, newest first",
		Columns: "credit note: number, customer, at, amount, calls?, reference~, why~",
		Empty:   "No credit notes.",
		Cells:   map[string]func(*Credit) Cell{"amount": func(c *Credit) Cell { return Cell{Text: c.AmountIs} }},
	}
}

// Payment is what a customer has paid.
type Payment struct {
	Number    int64     `json:"number"`
	Customer  string    `json:"customer"`
	At        time.Time `json:"at"`
	Amount    int64     `json:"amount_micro"`
	AmountIs  string    `json:"amount_text"`
	Reference string    `json:"reference"`
	By        string    `json:"by"`
	Text      string    `json:"text,omitempty"`
	Plan      int64     `json:"plan,omitempty" doc:"of one just booked: the customer's newest running plan, towards which it is not counted yet, as it names no plan"`
}

// Resource describes payments.
func (Payment) Resource() Resource[Payment] {
	return Resource[Payment]{
		Name: "payment", Path: "payments", Next: "before", List: "List payments, newest first", Add: "Book a payment; each reference once",
		Columns: "payment: number, customer, at, amount, reference~, by~",
		Empty:   "No payments.",
		Cells:   map[string]func(*Payment) Cell{"amount": func(p *Payment) Cell { return Cell{Text: p.AmountIs} }},
		Named: func(p *Payment) (string, string) {
			return strconv.FormatInt(p.Number, 10), p.Customer + " " + p.AmountIs
		},
	}
}

// PaymentNew is a payment to book.
type PaymentNew struct {
	Body NewPayment `embed:""`
}

// NewPayment is what came.
type NewPayment struct {
	Customer  string `json:"customer" maxLength:"64" arg:"" help:"Customer." predict:"customer"`
	Amount    string `json:"amount" maxLength:"40" doc:"in the billing currency: \"156.39\"" arg:"" help:"Amount, as 156.39."`
	Reference string `json:"reference" maxLength:"100" doc:"of the bank: each is booked once" arg:"" help:"Reference of the bank, which is booked once."`
	Date      string `json:"date,omitempty" maxLength:"40" doc:"the day it came, as 2026-11-30; absent: today" help:"Day it came, as 2026-11-30 (default: today)." placeholder:"DAY"`
	Text      string `json:"text,omitempty" maxLength:"200" help:"Note." placeholder:"TEXT"`
	Again     bool   `json:"again,omitempty" doc:"book it although the customer paid the same amount within a day" help:"Book it although the customer paid the same amount within a day."`
}

// PaymentsImported answers an import.
type PaymentsImported struct {
	Booked  int    `json:"booked"`
	Skipped int    `json:"skipped" doc:"whose reference was booked before"`
	Total   int64  `json:"total_micro"`
	Text    string `json:"total_text"`

	Rows []PaymentSkipped `json:"skipped_rows,omitempty" doc:"each of those whose reference was booked before"`
}

// PaymentSkipped is a row of a file that was not booked, because its reference was booked before for the same customer and amount.
type PaymentSkipped struct {
	Line      int    `json:"line" doc:"of the file"`
	Reference string `json:"reference"`
	Number    int64  `json:"number" doc:"of the payment that was booked"`
	Booked    string `json:"booked" doc:"the day it was booked with"`
	Given     string `json:"given,omitempty" doc:"the day that the row has, where that is another one: the books stay as they are"`
	Text      string `json:"text" doc:"the same in words"`
}

// CreditNew is a credit note to issue.
type CreditNew struct {
	AccountID
	Body NewCredit `embed:""`
}

// NewCredit is what a customer is not asked for any more.
type NewCredit struct {
	Amount    string   `json:"amount" maxLength:"40" doc:"without VAT, in the billing currency" arg:"" help:"Amount without VAT, as 12.50."`
	Reason    string   `json:"reason" maxLength:"500" arg:"" help:"Reason, which the customer reads."`
	Reference string   `json:"reference" maxLength:"100" doc:"each is credited once" help:"What it is known by, once." required:"" placeholder:"TEXT"`
	Calls     []string `json:"calls,omitempty" maxItems:"2000" doc:"ids of the calls that it is for" help:"Calls that it is for." placeholder:"CALL,…"`
}
