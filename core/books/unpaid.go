package books

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ringfence/core/money"
)

// Billed is a bill, and what its calls in dispute come to.
type Billed struct {
	Gross, Disputed money.Micro
}

// Open is what is left to pay of a bill: Left is Asked, Disputed and Planned together, and none of them is below 0.
type Open struct {
	Left     money.Micro
	Asked    money.Micro // to be paid on the day of the bill
	Disputed money.Micro // not asked for until it is decided
	Planned  money.Micro // a plan lets it be paid later
}

// Unpaid is what is left to pay of bills, newest first. What a customer has paid or was credited counts for the oldest bills first, so what it
// owes is for the newest. Of that, what is in dispute is not asked for: disputed is what it comes to in all, also on bills that were paid
// before, in place of which other bills are not asked for. Nor is later, which instalments to come are over, from the oldest bill on.
func Unpaid(owes, disputed, later money.Micro, bills []Billed) []Open {
	out := make([]Open, len(bills))
	for i, b := range bills {
		o := &out[i]
		o.Left = min(max(owes, 0), b.Gross)
		owes -= o.Left
		o.Disputed = min(o.Left, max(b.Disputed, 0))
		o.Asked = o.Left - o.Disputed
		disputed -= o.Disputed
	}
	for i := len(out) - 1; i >= 0; i-- {
		o := &out[i]
		held := min(o.Asked, max(disputed, 0))
		o.Disputed, o.Asked, disputed = o.Disputed+held, o.Asked-held, disputed-held
		o.Planned = min(o.Asked, max(later, 0))
		o.Asked, later = o.Asked-o.Planned, later-o.Planned
	}
	return out
}

// Reminders are the days on which a bill is reminded of, counted from the one on which it is to be paid; those before it are negative.
type Reminders []int

// MaxReminders bounds how many there are of a bill, and MaxLate how many days after its day the last may be.
const (
	MaxReminders = 6
	MaxLate      = 180
)

// ParseReminders reads "-3, 3, 14".
func ParseReminders(text string) (out Reminders, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < -MaxLate || n > MaxLate || len(out) == MaxReminders {
			return nil, fmt.Errorf(`reminders %q: want at most %d numbers of days, as "-3, 3, 14"`, text, MaxReminders)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
