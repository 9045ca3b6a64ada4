package exposure

import (
	"fmt"
	"time"

	"ringfence/core/money"
	"ringfence/core/policy"
)

// Amount writes an amount so that no text states less than there may be: parts of a coin count as one.
func Amount(a money.Micro) string {
	c := money.Billing()
	coin := money.Micro(1)
	for range 6 - c.Places {
		coin *= 10
	}
	if over := a % coin; over > 0 && a < money.Max-coin {
		a += coin - over
	}
	return c.Shown(a)
}

// When writes an instant as the customer's clocks have it.
func When(at time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return at.In(zone).Format("Mon 2 January, 15:04")
}

// Words are the arithmetic of a figure, a sentence each, and what carriers may charge.
func (f *Figure) Words(zone *time.Location) []string {
	all := f.Arithmetic(zone)
	if f.NoLimit != "" {
		return append(all, "No limit to what carriers may charge: "+f.NoLimit+".")
	}
	return append(all, fmt.Sprintf("Carriers may charge %s for such calls.", Amount(f.Carrier)))
}

// Arithmetic is what a customer may know of a figure, a sentence each.
func (f *Figure) Arithmetic(zone *time.Location) []string {
	all := []string{fmt.Sprintf("%s at the very most, by calls that begin before %s, however long they last.", Amount(f.Retail), When(f.At.Until, zone))}
	if f.Known {
		all = append(all, fmt.Sprintf("%s of it from anywhere but the networks that the settings name.", Amount(f.Elsewhere)))
	}
	if f.Retail > f.Running {
		for i := range f.Days {
			all = append(all, f.Days[i].words(zone))
		}
	}
	if f.Running > 0 {
		all = append(all, fmt.Sprintf("%s of it by calls in progress that began on an earlier day.", Amount(f.Running)))
	}
	if d := &f.Dearest; d.PerMinute > 0 && f.Retail > 0 {
		text := fmt.Sprintf("The dearest destination that can be reached is %s: %s for a first minute, and %s.", d.Name, money.Billing().Rate(d.PerMinute), count(d.Calls, "concurrent call"))
		if d.Others > 0 {
			text += fmt.Sprintf(" Beside them %s may be up at home for %s.", count(d.Others, "call"), money.Billing().Rate(d.Home))
		}
		if d.Reached > 0 {
			text += fmt.Sprintf(" Together they cost as much as the first day has after %s.", length(d.Reached))
		}
		all = append(all, text)
	}
	return all
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (d *Day) words(zone *time.Location) string {
	text := fmt.Sprintf("%s from %s until %s: ", Amount(d.Amount), When(d.From, zone), When(d.Until, zone))
	if d.Amount == 0 && d.Cap == 0 && d.Purse == policy.NumPurses {
		return text + "nothing that costs anything can be called."
	}
	switch d.Purse {
	case policy.NumPurses:
		return text + "there is no time for more at these prices and with so many concurrent calls."
	case policy.LineDay, policy.LineMonth, policy.AccountDay, policy.AccountMonth:
		if d.Cap == 0 {
			return text + "the day caps of its lines."
		}
	}
	return text + fmt.Sprintf("%s is %s, of which %s is spent.", caps[d.Purse], Amount(d.Cap), money.Billing().Shown(d.Used))
}

var caps = [policy.Probation]string{
	policy.LineDay: "the day cap of the line", policy.LineMonth: "the month cap of the line",
	policy.AccountDay: "the day cap of the account", policy.AccountMonth: "the month cap of the account",
}

// length writes how long something takes: "11 min 40 s", "3 h 5 min".
func length(d time.Duration) string {
	switch minutes := int64(d / time.Minute); {
	case minutes >= 60:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	case minutes > 0:
		return fmt.Sprintf("%d min %d s", minutes, int64(d/time.Second)%60)
	}
	return fmt.Sprintf("%d s", int64(d/time.Second))
}
