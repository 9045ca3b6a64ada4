// Package door says who may come from where: whose login it is and on which device, what a line's IP lock allows, which
// packets are a carrier's, and whose addresses must not be banned for what others do. Every way in asks here and nowhere
// else. It must not know SIP messages, prices or SQL.
package door

import (
	"net/netip"
	"sync/atomic"
	"time"
	"unsafe"

	"ringfence/core/call"
	"ringfence/core/detect"
	"ringfence/core/secret"
	"ringfence/flow/auth"
	"ringfence/flow/book"
	"ringfence/flow/device"
	"ringfence/flow/flood"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/location"
)

// Options are what the door asks; all of them are needed.
type Options struct {
	Book    *book.Book
	Phones  *location.Location
	Devices *device.Devices
	Gate    *gate.Gate
	// Strangers counts requests that were challenged, WrongTags those for dialogs that there are not.
	Strangers, WrongTags *flood.Meter
	Silent               bool // attackers' tools get no answer
	// Guard are the settings of logins. Line, As and what is asked of an address (Around.May, Usual, Own and Spared) are set
	// by New.
	Guard guard.Options
}

// Door is safe for concurrent use.
type Door struct {
	Guard *guard.Guard // judges logins; made by New

	o         Options
	owned     *book.Owned
	elsewhere atomic.Pointer[func(line string, found func(call.ID))] // see Serve
}

// New makes the door, with what judges logins, and follows the book: call it before the book is shared. Errors are those
// of guard.New.
func New(o Options) (*Door, error) {
	d := &Door{o: o, owned: book.NewOwned(o.Book)}
	g := o.Guard
	g.Line, g.As = d.line, func(line string, user []byte) (*secret.HA1, []guard.FormerHA1) {
		return o.Book.HA1As(line, string(user))
	}
	g.Around.May, g.Around.Usual, g.Around.Own, g.Around.Spared = d.lineMay, d.Usual, o.Devices.Own, d.Spared
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

// Login judges a login; a right one is a device seen. One on probation is not: it would make its whole network a usual
// place of the line, where the limits do not hold.
func (d *Door) Login(c *auth.Credentials, src netip.Addr, now time.Time) guard.Result {
	res := d.Guard.Check(c, src, now)
	if res.Outcome == guard.Accept && res.Tight == "" {
		d.o.Devices.Seen(device.Login{
			Line: res.Line, Addr: src, Agent: unsafe.String(unsafe.SliceData(c.Agent), len(c.Agent)), // read, and copied if it is kept
			At: now, Failures: res.Failures, AfterLock: res.AfterLock, Call: string(c.Method) == "INVITE",
		})
	}
	return res
}

// Challenge appends the header lines that ask a stranger for a login, as auth.AppendChallenge does.
func (d *Door) Challenge(dst []byte, proxy, stale bool, src netip.Addr, now time.Time) []byte {
	d.o.Strangers.Seen(src)
	return d.Guard.AppendChallenge(dst, proxy, stale, src, now)
}

// WrongTags is told of each request for a dialog that there is not, so that floods are counted.
func (d *Door) WrongTags(src netip.Addr) { d.o.WrongTags.Seen(src) }

// Scanner says whether a request is an attacker's tool's, which is to be met with silence.
func (d *Door) Scanner(agent, from, to, sdp []byte) bool {
	if !d.o.Silent {
		return false
	}
	_, is := detect.Scanner(agent, from, to, sdp)
	return is
}

// Unreachable is told of a registered phone that could not be reached at an address.
func (d *Door) Unreachable(line string, at netip.AddrPort, now time.Time) {
	d.o.Phones.Unreachable(line, at, now)
}

// follow obeys changes of the book, whoever made them and on whatever node.
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
