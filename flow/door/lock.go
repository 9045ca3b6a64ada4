package door

import (
	"net/netip"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/habit"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/flow/location"
)

// An IP lock takes effect immediately, also on what exists already: phones elsewhere are unregistered and their calls cut. It is
// looked at twice, when a lock changes and after something was let through, so that neither can slip past the other.

// lock is what the IP locks of a line say of an address.
type lock uint8

const (
	unlocked lock = iota // there are none
	listed               // the address meets all of them
	barred
)

// lockOn asks the locks of a line, its customer and the provider. A line that there is not has none.
func (d *Door) lockOn(line string, at netip.Addr, now time.Time) lock {
	l, ok := d.o.Book.Line(line)
	if !ok {
		return unlocked
	}
	switch e := l.Effective(now); {
	case len(e.Nets) == 0:
		return unlocked
	case e.Allows(at):
		return listed
	}
	return barred
}

// Party is one end of a call: the phone of a line, or a trunk.
type Party struct{ Line, Trunk string }

// May says whether packets of a party may come from an address: those of a line's phones where its IP lock allows it, those
// inside a call over a trunk where the trunk lists it.
func (d *Door) May(p Party, at netip.Addr, now time.Time) bool {
	if p.Trunk != "" {
		return d.trunkMay(p.Trunk, at)
	}
	return d.lineMay(p.Line, at, now)
}

func (d *Door) lineMay(line string, at netip.Addr, now time.Time) bool {
	return d.lockOn(line, at, now) != barred
}

// closed is the restriction that refuses a line's logins from there, or nil.
func (d *Door) closed(line string, from restrict.From, now time.Time) *restrict.Restriction {
	l, ok := d.o.Book.Line(line)
	if !ok {
		return nil
	}
	if e := l.Effective(now); len(e.Restrictions) > 0 {
		return restrict.Login(e.Restrictions, from, now, l.Zone())
	}
	return nil
}

// mayStay says that a phone may be registered at an address.
func (d *Door) mayStay(line string, at netip.Addr, now time.Time) bool {
	return d.lineMay(line, at, now) && d.closed(line, restrict.From{Origin: habit.Place(at)}, now) == nil
}

func (d *Door) mayStayNow(line string, at netip.Addr) bool { return d.mayStay(line, at, time.Now()) }

func (d *Door) mayNow(line string, at netip.Addr) bool { return d.lineMay(line, at, time.Now()) }

// Usual says whether a line's login belongs at an address: it was used rightly from there, or the line's lock lists it.
func (d *Door) Usual(line string, at netip.Addr) bool {
	return d.o.Devices.Usual(line, at) || d.lockOn(line, at, time.Now()) == listed
}

// Reach is how a party is reached.
type Reach struct {
	Phones   []location.Binding    // of a line, those that may ring: where its IP lock and restrictions of logins allow them, also when those came after them
	Calls    int                   // the line's own limit of concurrent calls
	Trunk    account.Trunk         // without a name: there is none
	Password func() (string, bool) // of our login at a trunk; false: we have none there
}

// Reach says how a party is reached.
func (d *Door) Reach(p Party, now time.Time) (r Reach) {
	if t, ok := d.o.Book.Trunk(p.Trunk); ok {
		r.Trunk, r.Password = *t, func() (string, bool) {
			password, has := d.o.Book.TrunkPassword(p.Trunk)
			return password.Reveal(), has
		}
	}
	if l, ok := d.o.Book.Line(p.Line); ok {
		r.Calls = int(l.Effective(now).Values[account.MaxCalls])
	}
	r.Phones = slices.DeleteFunc(d.o.Phones.Lookup(p.Line, now), func(b location.Binding) bool { return !d.mayStay(p.Line, b.Received.Addr(), now) })
	return r
}

// Register is location's Update. A lock, or a restriction of logins, that came while the login was judged drops the phone again.
func (d *Door) Register(line string, u location.Update) ([]location.Binding, error) {
	all, err := d.o.Phones.Update(line, u)
	if err != nil || len(u.Contacts) == 0 || d.mayStay(line, u.Received.Addr(), u.Now) {
		return all, err
	}
	d.o.Phones.DropElsewhere(line, d.mayStayNow)
	return d.o.Phones.Lookup(line, u.Now), nil
}

// Serve says who finds the calls that phones of a line ("" is any) answered from where the lock does not allow it. found
// is called on other goroutines.
func (d *Door) Serve(elsewhere func(line string, found func(call.ID))) { d.elsewhere.Store(&elsewhere) }

// followLock obeys a change of the locks of one line, or ("") of many.
func (d *Door) followLock(line string) {
	if line == "" { // too much to do while the book waits
		go d.HoldToLocks()
		return
	}
	d.o.Phones.DropElsewhere(line, d.mayStayNow)
	go d.cutElsewhere(line) // the book's lock is held while it tells
}

// HoldToLocks ends whatever stands outside of any IP lock.
func (d *Door) HoldToLocks() {
	d.o.Phones.DropElsewhere("", d.mayStayNow)
	d.cutElsewhere("")
}

// cutElsewhere ends the calls that phones placed or answered from where their line may not be used any more, but
// emergency calls.
func (d *Door) cutElsewhere(line string) {
	for _, c := range d.o.Gate.Calls() {
		if line != "" && c.Line != line || c.Direction == call.In || c.Class == phone.Emergency.String() {
			continue
		}
		if at, err := netip.ParseAddrPort(c.Source); err == nil && !d.mayNow(c.Line, at.Addr()) {
			d.cut(c.ID)
		}
	}
	if answered := d.elsewhere.Load(); answered != nil {
		(*answered)(line, d.cut)
	}
}

func (d *Door) cut(id call.ID) { d.o.Gate.Cut(id, policy.AddressLocked, policy.Figures{}, "") }
