package app

import (
	"context"
	"net/netip"
	"time"

	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/flow/auth"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

// An IP lock bites at once, also on what came before it: phones elsewhere are unregistered and their calls cut. It is
// looked at twice, when a lock changes and after something was let through, so that neither can slip past the other.

// followLocks obeys changes of IP locks, whoever made them and on whatever node.
func (a *App) followLocks(c book.Change) {
	switch c.Kind {
	case book.NetsChanged, book.ProviderChanged:
		if c.Line == "" { // many lines: too much to do while the book waits
			go a.holdToLocks("")
			return
		}
		a.location.DropElsewhere(c.Line, a.allowedNow)
		go a.cutElsewhere(c.Line) // the book's lock is held while it tells
	}
}

// holdToLocks ends what stands outside of the IP lock, of one line or ("") of all.
func (a *App) holdToLocks(line string) {
	a.location.DropElsewhere(line, a.allowedNow)
	a.cutElsewhere(line)
}

func (a *App) allowedNow(line string, at netip.Addr) bool { return a.allowed(line, at, time.Now()) }

// cutElsewhere ends the calls that phones placed or answered from where their line may not be used any more, but
// emergency calls.
func (a *App) cutElsewhere(line string) {
	for _, c := range a.gate.Calls() {
		if line != "" && c.Line != line || c.Direction == call.In || c.Class == phone.Emergency.String() {
			continue
		}
		if at, err := netip.ParseAddrPort(c.Source); err == nil && !a.allowedNow(c.Line, at.Addr()) {
			a.gate.Cut(c.ID, policy.AddressLocked, policy.Figures{}, "")
		}
	}
	a.sip.Elsewhere(line, func(id call.ID) { a.gate.Cut(id, policy.AddressLocked, policy.Figures{}, "") })
}

// register is location's Update. A lock that came while the login was judged drops the phone again.
func (a *App) register(line string, u location.Update) ([]location.Binding, error) {
	all, err := a.location.Update(line, u)
	if err != nil || len(u.Contacts) == 0 || a.allowed(line, u.Received.Addr(), u.Now) {
		return all, err
	}
	a.location.DropElsewhere(line, a.allowedNow)
	return a.location.Lookup(line, u.Now), nil
}

// admit is the gate's Admit. A lock that came while it decided cuts the call.
func (a *App) admit(ctx context.Context, try gate.Attempt) (*gate.Plan, error) {
	if try.Dialled == auth.AdmitCode && try.Line != "" {
		return nil, a.admitHeld(&try)
	}
	plan, err := a.gate.Admit(ctx, try)
	if err == nil && try.Line != "" && !plan.Always && !a.allowedNow(try.Line, try.Source.Addr()) {
		a.gate.Cut(plan.ID, policy.AddressLocked, policy.Figures{}, "")
	}
	return plan, err
}
