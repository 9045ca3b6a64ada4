// Package door says who may come from where: whose login it is and on which device, what a line's IP lock allows, which
// packets are a carrier's, and whose addresses must not be banned for what others do. Every way in asks here and nowhere
// else. It must not know SIP messages, prices or SQL.
package door

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"ringfence/core/call"
	"ringfence/core/habit"
	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/flow/auth"
	"ringfence/flow/book"
	"ringfence/flow/device"
	"ringfence/flow/flood"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/location"
	"ringfence/state/counters/memory"
)

// Options are what the door asks; all of them are needed.
type Options struct {
	Book    *book.Book
	Phones  *location.Location
	Devices *device.Devices
	Gate    *gate.Gate
	// Strangers counts requests that were challenged, WrongTags those for dialogs that do not exist.
	Strangers, WrongTags *flood.Meter
	// Guard are the settings of logins. Line, As and what is asked of an address (Around.May, Usual, Own and Exempt) are set
	// by New.
	Guard guard.Options
	// PanicCode is what locks a line when one of its phones dials it; nil or "": nothing does.
	PanicCode func() string
	// ForwardCodes are the codes by which phones forward the calls of their line: always, when busy, when nobody answers, when unreachable ("21 67 61 62");
	// nil or "": none.
	ForwardCodes func() string
}

// Door is safe for concurrent use.
type Door struct {
	Guard *guard.Guard // judges logins; made by New

	o         Options
	owned     *book.Owned
	codes     *memory.Counters                                       // of forwarding, obeyed
	locking   [16]sync.Mutex                                         // by line: of many who dial the panic code at once, one locks it
	elsewhere atomic.Pointer[func(line string, found func(call.ID))] // see Serve
}

// New makes the door, with what judges logins, and follows the book: call it before the book is shared. Errors are those
// of guard.New.
func New(o Options) (*Door, error) {
	d := &Door{o: o, owned: book.NewOwned(o.Book), codes: memory.New()}
	g := o.Guard
	g.Line, g.As = d.line, func(line string, user []byte) (*secret.HA1, []guard.FormerHA1) {
		return o.Book.HA1As(line, string(user))
	}
	g.Around.May, g.Around.Usual, g.Around.Own, g.Around.Exempt = d.lineMay, d.Usual, o.Devices.Own, d.Exempt
	var err error
	d.Guard, err = guard.New(g)
	o.Book.OnChange(d.follow)
	return d, err
}

// line is what the guard needs to know of a line.
func (d *Door) line(user []byte, _ time.Time) (guard.Line, bool) {
	b := d.o.Book
	l, ok := b.Find(user)
	if !ok {
		return guard.Line{}, false
	}
	ha1, _ := b.HA1(l)
	return guard.Line{ID: l.ID(), HA1: ha1, Number: l.Number(), Former: b.FormerHA1(l), Honeypot: l.Honeypot(), Strong: l.BeyondGuessing()}, true
}

// Login is a request to log in.
type Login struct {
	auth.Credentials // zero: an unknown source's
	Src              netip.Addr
	Now              time.Time
	Proxy            bool   // Ask is for a 407, not a 401
	Ask              []byte // appended to where the result is Challenge: the header lines that ask for a login
}

// Login judges a login; a right one is a device seen. One on probation is not: it would make its whole network a usual
// place of the line, where the limits do not hold.
func (d *Door) Login(l *Login) (res guard.Result) {
	if l.Nonce != nil {
		res = d.Guard.Check(&l.Credentials, l.Src, l.Now)
	}
	if res.Outcome == guard.Accept {
		if r := d.closed(res.Line, habit.From(l.Src, unsafe.String(unsafe.SliceData(l.Agent), len(l.Agent))), l.Now); r != nil {
			res = guard.Result{Outcome: guard.Refuse, Line: res.Line, Reason: policy.LoginClosed, Figures: policy.ClosedBy(r), EmergencyOK: true}
		}
	}
	switch {
	case res.Outcome == guard.Challenge:
		d.o.Strangers.Seen(l.Src)
		l.Ask = d.Guard.AppendChallenge(l.Ask, l.Proxy, res.Stale, l.Src, l.Now)
	case res.Outcome == guard.Accept && res.Tight == "":
		d.o.Devices.Seen(device.Login{
			Line: res.Line, Addr: l.Src, Agent: unsafe.String(unsafe.SliceData(l.Agent), len(l.Agent)), // read, and copied if it is kept
			At: l.Now, Failures: res.Failures, AfterLock: res.AfterLock, Call: string(l.Method) == "INVITE",
		})
	}
	return res
}

// What an edge notifies of that is no call's.
type (
	WrongTags   netip.Addr // where a request for a dialog came from that there is not: floods of them are counted
	Unreachable struct {   // a registered phone that could not be reached at an address
		Line string
		At   netip.AddrPort
	}
)

// Notify takes note of what an edge has seen, and never blocks: WrongTags, Unreachable, and what the gate's Notify knows.
func (d *Door) Notify(id call.ID, event any) {
	switch e := event.(type) {
	case WrongTags:
		d.o.WrongTags.Seen(netip.Addr(e))
	case Unreachable:
		d.o.Phones.Unreachable(e.Line, e.At, time.Now())
	default:
		d.o.Gate.Notify(id, event)
	}
}

// follow obeys changes of the book, by anyone and on any node.
func (d *Door) follow(c book.Change) {
	switch c.Kind {
	case book.LineDeleted, book.PasswordChanged:
		if c.Kind == book.LineDeleted {
			d.o.Devices.Forget(c.Line)
		}
		d.o.Phones.Drop(c.Line)
		d.Guard.Forget(c.Line) // what was said of the old password
	case book.NetsChanged, book.ProviderChanged:
		d.followLock(c.Line)
	}
}
