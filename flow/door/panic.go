package door

import (
	"context"
	"errors"
	"hash/maphash"
	"strings"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/gate"
)

var lockSeed = maphash.MakeSeed()

// panics says that an attempt is the panic code, dialled by a phone whose login is right and may be used from where it is. A "#" behind it is what some
// phones send to end dialling. One on probation counts too: anyone who has the login can only tighten with it.
func (d *Door) panics(try *gate.Attempt) bool {
	if try.Line == "" || try.Restricted || d.o.PanicCode == nil || try.Dialled == "" || try.Dialled[0] != '*' {
		return false
	}
	code := d.o.PanicCode()
	return code != "" && (try.Dialled == code || strings.TrimSuffix(strings.TrimSuffix(try.Dialled, "%23"), "#") == code)
}

// lockByCode locks a line and cuts its calls. It asks no cap and no count of calls, holds no money and leaves no call. The answer is a refusal in any case: there
// is no callee, and phones show its text. Dialled again it changes nothing, so that nobody fills the journal or the owner's mailbox with it.
func (d *Door) lockByCode(ctx context.Context, line string) error {
	lock := &d.locking[maphash.String(lockSeed, line)%uint64(len(d.locking))]
	lock.Lock()
	defer lock.Unlock()
	l, ok := d.o.Book.Line(line)
	if !ok {
		return &gate.Refusal{Reason: policy.NoSuchLine}
	}
	if !l.Locked() { // a lock stays whose it is: what the provider has locked, the customer must not be able to open
		switch _, err := d.o.Book.Lock(ctx, fact.ByCode, line, "the panic code was dialled on one of its phones", account.CallsCut); {
		case errors.Is(err, book.ErrNotFound):
			return &gate.Refusal{Reason: policy.NoSuchLine}
		case err != nil:
			return &gate.Refusal{Reason: policy.StoreUnavailable}
		}
	}
	d.CutCalls(line, fact.ByCode)
	return &gate.Refusal{Reason: policy.LockedByCode}
}
