package billing

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"ringfence/core/books"
	"ringfence/core/money"
)

// Unpaid is a bill of which something is still to be paid. Payments and credits go to the oldest bills first.
type Unpaid struct {
	Bill
	Open money.Micro
}

// Overdue says that it should have been paid by now.
func (u *Unpaid) Overdue(now time.Time) bool { return now.After(u.Due) }

// maxDebtors is of how many customers unpaid bills are listed at once.
const maxDebtors = 500

var errEnough = errors.New("enough debtors")

// Unpaid lists bills that are not paid, the longest due first, and what all of them come to. more: there are further customers who owe something.
func (b *Billing) Unpaid(ctx context.Context) (all []Unpaid, total money.Micro, more bool, err error) {
	owes := map[string]money.Micro{}
	prefix := books.Customer("")
	err = b.o.Store.EachBalance(ctx, prefix, func(account string, balance money.Micro) error {
		if balance <= 0 {
			return nil
		}
		if len(owes) == maxDebtors {
			return errEnough
		}
		owes[account[len(prefix):]] = balance
		return nil
	})
	if more = errors.Is(err, errEnough); err != nil && !more {
		return nil, 0, false, err
	}
	for customer, left := range owes {
		for f := (Filter{Customer: customer, State: Issued, Limit: customers}); left > 0; {
			bills, err := b.Bills(ctx, f)
			if err != nil {
				return nil, 0, false, err
			}
			for i := range bills {
				if open := min(left, bills[i].Gross); open > 0 {
					all, left, total = append(all, Unpaid{bills[i], open}), left-open, total.Add(open)
				}
			}
			if len(bills) < f.Limit {
				break
			}
			f.Before = bills[len(bills)-1].Number
		}
	}
	slices.SortFunc(all, func(a, b Unpaid) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Number, b.Number)) })
	return all, total, more, nil
}
