package book

import (
	"context"
	"math"
	"strings"

	"ringfence/core/account"
	"ringfence/state/store"
)

// lockedWith begins the reason of a line that was locked with its customer, so that opening the customer opens those lines and no others.
const lockedWith = "customer locked: "

// lockedWithReseller is the same of a line that was locked with its customer's reseller.
const lockedWithReseller = "reseller locked: "

// linesOf are the lines of a customer, or of all customers of a reseller, and how the reason of those begins that are locked with it.
func (b *Book) linesOf(id string) (lines []*Line, mark string) {
	all := b.resold(id)
	if len(all) == 0 {
		return b.Lines(id, "", math.MaxInt), lockedWith
	}
	for _, c := range all {
		lines = append(lines, b.Lines(c.ID, "", math.MaxInt)...)
	}
	return lines, lockedWithReseller
}

// LockedWithCustomer says that a line was locked with all of its customer's.
func (l *Line) LockedWithCustomer() bool {
	return l.Locked() && strings.HasPrefix(l.LockWhy(), lockedWith)
}

// LockCustomer locks every line of a customer, or of all customers of a reseller. One that is locked for a reason of its own keeps it, and is locked again all the same: if the
// customer's people locked it, it is the provider's to open from now on. If the store fails on the way, the error comes with those that were locked; asked again,
// it goes on.
func (b *Book) LockCustomer(ctx context.Context, actor, id, reason string, calls account.LockCalls) (locked int, err error) {
	return b.lockCustomer(ctx, id, reason, true, func(l *Line, why string) (*Line, error) {
		if l.Locked() && l.LockCalls().Stricter(calls) {
			return b.Lock(ctx, actor, l.ID(), why, l.LockCalls())
		}
		return b.Lock(ctx, actor, l.ID(), why, calls)
	})
}

// LockOwnCustomer is LockCustomer by its own people, as LockOwn is Lock.
func (b *Book) LockOwnCustomer(ctx context.Context, actor, id, reason string, calls account.LockCalls) (locked int, err error) {
	return b.lockCustomer(ctx, id, reason, false, func(l *Line, why string) (*Line, error) { return b.LockOwn(ctx, actor, l.ID(), why, calls) })
}

// lockCustomer locks each line: over those that are locked for a reason of their own too, or without them.
func (b *Book) lockCustomer(ctx context.Context, id, reason string, over bool, lock func(l *Line, why string) (*Line, error)) (locked int, err error) {
	if _, ok := b.Customer(id); !ok {
		return 0, store.ErrNotFound
	}
	if strings.TrimSpace(reason) == "" {
		return 0, &Invalid{"why", "", "the reason for the lock, in a few words"}
	}
	lines, mark := b.linesOf(id)
	for _, l := range lines {
		why := mark + reason
		if l.Locked() && !strings.HasPrefix(l.LockWhy(), mark) {
			if !over {
				continue
			}
			why = l.LockWhy()
		}
		if _, err := lock(l, why); err != nil {
			return locked, err
		}
		locked++
	}
	return locked, nil
}

// UnlockCustomer opens the lines that were locked with their customer, and counts those that stay locked for a reason of their own.
func (b *Book) UnlockCustomer(ctx context.Context, actor, id string) (opened, left int, err error) {
	if _, ok := b.Customer(id); !ok {
		return 0, 0, store.ErrNotFound
	}
	lines, mark := b.linesOf(id)
	for _, l := range lines {
		switch {
		case !l.Locked():
			continue
		case !strings.HasPrefix(l.LockWhy(), mark):
			left++
			continue
		}
		if _, err := b.Unlock(ctx, actor, l.ID()); err != nil {
			return opened, left, err
		}
		opened++
	}
	return opened, left, nil
}
