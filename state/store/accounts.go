package store

import (
	"context"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/money"
)

// States of a bill.
const (
	BillMaking = "making" // calls are still moved to it; a customer has at most one
	BillIssued = "issued" // it does not change any more
)

// Bill is what a customer is asked to pay for calls. Each call is on one.
type Bill struct {
	Number      int64 // set by the store: 1, 2, …
	Customer    string
	State       string
	From, Until time.Time // the calls of it began before Until; some before From, whose record came late
	Made        time.Time // when it was issued
	Due         time.Time // when it is to be paid
	Calls       int64
	Net         money.Micro // the sum of its calls, exact
	VAT         money.Micro // exact
	Gross       money.Micro // rounded
	Rate        books.Rate
	By          string
	Reminders   int64 // how far they have gone
	Reminded    time.Time
}

// BillSum is what the calls of one line to one country come to on a bill.
type BillSum struct {
	Bill          int64
	Line, Country string
	Calls         int64
	Talk          time.Duration
	Net           money.Micro
}

// DueCall is a call that is to be billed, or (Bill) was.
type DueCall struct {
	Bill          int64
	Line, Country string
	Call          call.ID
	Talk          time.Duration
	Net           money.Micro
}

// BillStep adds to the bill that is being made of a customer, in one transaction.
type BillStep struct {
	Bill  Bill // Number 0 begins it
	Calls []DueCall
	// Issue ends it with the totals in Bill, and books Entry, whose Reference becomes the number. Bill.Calls and Bill.Net say what is on it by then: if that
	// is not so, another run was there, and the step is ErrMoved.
	Issue bool
	Entry books.Entry
	Facts func(b Bill) []Fact // of Issue
}

// BillFilter selects bills; zero fields do not restrict. Before is the number to continue below; Limit 0 is 100.
type BillFilter struct {
	Customer string
	State    string
	Before   int64
	Limit    int
}

// EntryFilter selects entries, of a customer or of a kind. Before is the Number (of a customer: the ID) to continue below; Limit 0 is 100.
type EntryFilter struct {
	Customer string
	Kind     books.Kind
	Before   int64
	Limit    int
}

// Accounts keeps the books and the bills. Engines: sqlite and postgres, as part of Store. Whatever is written here changes no purse.
type Accounts interface {
	// Book books entries, all or none, and gives their numbers; ErrExists when one was booked before, by Kind and Reference.
	Book(ctx context.Context, entries []books.Entry, facts ...Fact) (numbers []int64, err error)
	// BookCredit books a credit note for calls that are in no case, if seen is the ID of the customer's last credit note; else it is ErrMoved: two who look at what is left of a call and
	// credit it at once must see each other's. A dispute that was withdrawn puts a call in no case.
	BookCredit(ctx context.Context, e books.Entry, seen int64, facts ...Fact) (number int64, err error)
	Entries(ctx context.Context, f EntryFilter) ([]books.Entry, error) // newest first
	Entry(ctx context.Context, kind books.Kind, reference string) (books.Entry, error)
	NumberedEntry(ctx context.Context, kind books.Kind, number int64) (books.Entry, error)
	Balances(ctx context.Context, accounts ...string) ([]money.Micro, error) // in their order; 0 where nothing was booked
	EachBalance(ctx context.Context, under string, yield func(account string, balance money.Micro) error) error

	// DueCustomers are those with calls that are not billed and have an id below one, or with a bill in the making, by identity.
	DueCustomers(ctx context.Context, below call.ID, after string, limit int) ([]string, error)
	// DueCalls are calls of a customer that are on no bill, with ids from one on ("" is the first) and below another, in the order of their ids.
	DueCalls(ctx context.Context, customer string, from, below call.ID, limit int) ([]DueCall, error)
	// LeaveCalls makes calls be on no bill, ever: each must be due, else ErrMoved and nothing is written. They do not count as un-billed usage any more.
	LeaveCalls(ctx context.Context, customer string, calls []DueCall, facts ...Fact) error
	// StepBill moves calls to a bill: each must be due, else ErrMoved and nothing is written. ErrExists when a bill of the customer is being made already.
	StepBill(ctx context.Context, s BillStep) (Bill, error)
	Bills(ctx context.Context, f BillFilter) ([]Bill, error) // newest first
	Bill(ctx context.Context, number int64) (Bill, error)
	// BillsDue are issued bills that are to be paid before an instant, by day and number, after one of them, of which only these count.
	BillsDue(ctx context.Context, after Bill, until time.Time, limit int) ([]Bill, error)
	// MarkBill writes Reminders and Reminded if Reminders was so many; else ErrMoved.
	MarkBill(ctx context.Context, was, b Bill, facts ...Fact) error
	BillSums(ctx context.Context, number int64) ([]BillSum, error) // by line and country
	// BilledCalls are calls of a line to a country on a bill, in the order of their ids, after one.
	BilledCalls(ctx context.Context, number int64, line, country string, after call.ID, limit int) ([]DueCall, error)
	// BillOf is the bill of a customer that a call is on, or ErrNotFound: it is not billed.
	BillOf(ctx context.Context, customer, line, country string, id call.ID) (Bill, error)
	// DisputedOnBills is what the calls of a customer that are in dispute come to on each bill, without VAT. Calls that are on no bill are left out.
	DisputedOnBills(ctx context.Context, customer string) (map[int64]money.Micro, error)
}
