package books

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ringfence/core/money"
)

// Billed is a bill, and what of it is in dispute.
type Billed struct {
	Gross, Disputed money.Micro
}

// Unpaid is what is left to pay of bills, newest first. What a customer has paid or was credited counts for the oldest bills first, so what it
// owes is for the newest. Of that, what is in dispute is not asked for, nor, from the oldest on, what may be paid later: asked is what may be
// collected in all.
func Unpaid(owes, asked money.Micro, bills []Billed) []money.Micro {
	out, sum := make([]money.Micro, len(bills)), money.Micro(0)
	for i, b := range bills {
		open := min(max(owes, 0), b.Gross)
		owes -= open
		out[i] = max(0, open-b.Disputed)
		sum += out[i]
	}
	for i := len(out) - 1; i >= 0 && sum > max(asked, 0); i-- {
		later := min(out[i], sum-max(asked, 0))
		out[i], sum = out[i]-later, sum-later
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
