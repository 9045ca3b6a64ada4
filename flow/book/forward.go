package book

import (
	"fmt"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
)

// Forward changes where calls to a line go that it does not take. The zero Forward changes nothing.
type Forward struct {
	Cause call.Cause    // which of its forwards
	To    string        // as the line could dial it; "" ends the forward
	After time.Duration // how long its phones ring first, of any cause; 0 leaves that as it is
}

// forwarded is the forwards of a line with changes. Whether such a call may be made is asked anew for each call.
func (b *Book) forwarded(a *account.Line, all []Forward) error {
	for _, f := range all {
		if f.After != 0 {
			if f.After < account.MinRing || f.After > account.MaxRing {
				return &Invalid{"forward_after", f.After.String(), fmt.Sprintf("%s to %s", account.MinRing, account.MaxRing)}
			}
			a.Forwards.After = int64(f.After / time.Second)
		}
		if f.Cause == call.Dialled {
			continue
		}
		key := account.ForwardKeys[f.Cause]
		d, ok := b.callable(a.Customer, f.To)
		switch {
		case f.To == "":
		case len(f.To) > 40 || !ok || d.Class == phone.Emergency:
			return &Invalid{key, clip(f.To), "a number that the line can dial, and no emergency number"}
		case !d.Number.Short() && a.Number != "" && d.Number.String() == "+"+a.Number:
			return &Invalid{key, clip(f.To), "another number than the line's own"}
		}
		if !a.Forwards.Set(f.Cause, f.To) {
			return &Invalid{"forward", clip(string(f.Cause)), "always, busy, no answer or unreachable"}
		}
	}
	return nil
}

// Dear says that calls to a number earn somebody money, or go abroad: a forward there is what a thief wants.
func (b *Book) Dear(customer, to string) bool {
	d, ok := b.callable(customer, to)
	return !ok || d.Class != phone.OnNet && (!d.National || !policy.Ordinary(d.Class))
}

// dearer says in words which forwards are new and to dear numbers.
func (b *Book) dearer(was, is *account.Line) (texts []string) {
	for _, cause := range account.ForwardCauses {
		if to := is.Forwards.To(cause); to != "" && to != was.Forwards.To(cause) && b.Dear(is.Customer, to) {
			texts = append(texts, "calls forwarded "+account.ForwardNames[cause]+" to "+to)
		}
	}
	return texts
}
