package door

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/state/counters/memory"
)

// forwardCode reads a code of forwarding as ETSI ETS 300 738 has them; the setting has them in the order of account.ForwardCauses: *21*NUMBER# forwards, *61*NUMBER*25# after 25 s of ringing, #21# ends it. What ends with
// "#" is sent by some phones without it.
func (d *Door) forwardCode(dialled string) (f book.Forward, ok bool) {
	if d.o.ForwardCodes == nil || len(dialled) < 3 || dialled[0] != '*' && dialled[0] != '#' && dialled[0] != '%' {
		return f, false
	}
	text := strings.TrimSuffix(strings.ReplaceAll(dialled, "%23", "#"), "#")
	on := text[0] == '*'
	code, rest, _ := strings.Cut(text[1:], "*")
	at := -1
	for i, known := range strings.Fields(d.o.ForwardCodes()) {
		if known == code && i < len(account.ForwardCauses) {
			at = i
		}
	}
	if at < 0 || on == (rest == "") {
		return f, false
	}
	f.Cause = account.ForwardCauses[at]
	number, after, timed := strings.Cut(rest, "*")
	if timed {
		seconds, err := strconv.ParseUint(strings.Trim(after, "*"), 10, 16)
		if err != nil || seconds == 0 {
			return f, false
		}
		f.After = time.Duration(seconds) * time.Second
	}
	f.To = number
	return f, true
}

// dear says that a line is not to forward to a number by a code.
func (d *Door) dear(line, to string) bool {
	l, ok := d.o.Book.Line(line)
	return !ok || d.o.Book.Dear(l.Customer(), to)
}

// codesPerMinute is how often the codes of a line are obeyed in a minute: each is a row of the journal.
const codesPerMinute = 10

// forwardByCode forwards the calls of a line as a phone of it dials. A thief who has the login must not have them go where calls earn money: that is for the
// pages, where people show who they are and changes wait. The answer is a refusal in any case, whose text phones show.
func (d *Door) forwardByCode(ctx context.Context, try *gate.Attempt, f book.Forward) error {
	now := time.Now()
	if f.To != "" && (try.Restricted || try.Tight != "" || !d.Usual(try.Line, try.Source.Addr()) || d.dear(try.Line, f.To)) {
		return &gate.Refusal{Reason: policy.ForwardNotByCode}
	}
	if try.Restricted {
		return &gate.Refusal{Reason: policy.AddressLocked}
	}
	if _, ok := d.codes.Hit(memory.Key{Sort: 'f', Of: try.Line, Window: time.Minute}, codesPerMinute, now); !ok {
		return &gate.Refusal{Reason: policy.TooManyPerMinute, Figures: policy.Figures{Limit: codesPerMinute, Value: codesPerMinute, Pass: codesPerMinute + 1}}
	}
	_, err := d.o.Book.EditLine(ctx, fact.ByForwardCode, try.Line, book.LineEdit{Forward: []book.Forward{f}, From: try.Source.Addr()})
	invalid := (*book.Invalid)(nil)
	switch {
	case errors.As(err, &invalid):
		return &gate.Refusal{Reason: policy.NumberInvalid}
	case errors.Is(err, book.ErrNotFound):
		return &gate.Refusal{Reason: policy.NoSuchLine}
	case err != nil:
		return &gate.Refusal{Reason: policy.StoreUnavailable}
	case f.To == "":
		return &gate.Refusal{Reason: policy.ForwardCleared}
	}
	return &gate.Refusal{Reason: policy.ForwardSet}
}
