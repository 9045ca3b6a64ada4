package desk

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/phone"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/notify"
	"ringfence/state/store"
)

// This is the most that each group of a search shows.
const maxFound = 10

// Found is what a search has found, each group best first.
type Found struct {
	Customers []book.CustomerView
	Lines     []*book.Line
	Number    phone.Number // what was typed is one
	Calls     []CDR        // to that number, or the one call with that id
	Findings  []Finding
	Addr      *FoundAddr
	Net       netip.Prefix
}

// FoundAddr is an address, and what we know of it.
type FoundAddr struct {
	Addr  netip.Addr
	State ban.Answer
}

// Empty says that nothing was found.
func (f *Found) Empty() bool {
	return len(f.Customers)+len(f.Lines)+len(f.Calls)+len(f.Findings) == 0 && f.Addr == nil && f.Number.IsZero()
}

// Search looks for what was typed: digits as a line, as the number of a line or its end, as a number that was called and as a finding; an address
// or a network; the id of a call; and a name of a line, of a customer or of one of its people. The store is asked by its indexes alone, and
// the book, which is in memory, is gone through once.
func (d *Desk) Search(ctx context.Context, text string) (*Found, error) {
	f := &Found{}
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 200 {
		return f, nil
	}
	d.findInBook(f, text)
	if err := d.findNumber(ctx, f, text); err != nil {
		return nil, err
	}
	if err := d.findAddress(ctx, f, text); err != nil {
		return nil, err
	}
	return f, d.findID(ctx, f, text)
}

// findInBook goes through lines and customers: an exact handle first, then beginnings, then parts of names.
func (d *Desk) findInBook(f *Found, text string) {
	word := strings.ToLower(text)
	seen := map[string]bool{}
	line := func(l *book.Line) {
		if l != nil && !seen[l.ID()] && len(f.Lines) < maxFound {
			seen[l.ID()] = true
			f.Lines = append(f.Lines, l)
		}
	}
	customer := func(c book.CustomerView) {
		if !seen["c/"+c.ID] && len(f.Customers) < maxFound {
			seen["c/"+c.ID] = true
			f.Customers = append(f.Customers, c)
		}
	}
	if l, ok := d.o.Book.LineCalled(text); ok {
		line(l)
	}
	if c, ok := d.o.Book.CustomerCalled(text); ok {
		customer(c)
	}
	digits := onlyDigits(text)
	if n := d.number(text); !n.IsZero() {
		if id, ok := d.o.Book.ByNumber(n.Digits()); ok {
			l, _ := d.o.Book.Line(id)
			line(l)
		}
	}
	if len(word) < 2 {
		return
	}
	var parts []*book.Line
	for _, l := range d.o.Book.Lines("", "", math.MaxInt) {
		switch handle := strings.ToLower(l.Handle()); {
		case strings.HasPrefix(handle, word), len(digits) >= 3 && strings.HasSuffix(l.Number(), digits):
			line(l)
		case strings.Contains(strings.ToLower(l.Name()), word) && len(parts) < maxFound:
			parts = append(parts, l)
		}
	}
	for _, l := range parts {
		line(l)
	}
	for _, c := range slices.Concat(d.o.Book.Customers("", math.MaxInt), d.o.Book.Resellers("", math.MaxInt)) {
		if called(&c, word) {
			customer(c)
		}
	}
}

// called says that a customer, or somebody of theirs, is called so.
func called(c *book.CustomerView, word string) bool {
	if strings.Contains(strings.ToLower(account.Handle(c.ID)), word) || strings.Contains(strings.ToLower(c.Name), word) {
		return true
	}
	for i := range c.Contacts {
		if x := &c.Contacts[i]; strings.Contains(strings.ToLower(x.Name), word) || strings.Contains(strings.ToLower(x.Address), word) {
			return true
		}
	}
	return false
}

// onlyDigits are the digits of what may be a part of a number; "" if it is something else.
func onlyDigits(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r != ' ' && r != '-' && r != '+':
			return ""
		}
	}
	return b.String()
}

// findNumber looks for calls to a number.
func (d *Desk) findNumber(ctx context.Context, f *Found, text string) (err error) {
	if f.Number = d.number(text); f.Number.IsZero() {
		return nil
	}
	f.Calls, err = d.o.Records.CDRs(ctx, store.CDRFilter{Number: f.Number.String(), Exact: true, Limit: maxFound})
	return err
}

// findAddress looks for an address or network: bans, and the open findings about it.
func (d *Desk) findAddress(ctx context.Context, f *Found, text string) error {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		f.Addr, f.Net = &FoundAddr{Addr: a}, netip.PrefixFrom(a, a.BitLen())
		if bans := d.bans(); bans != nil {
			f.Addr.State = bans.Why(a)
		}
	} else if f.Net, err = netip.ParsePrefix(text); err != nil {
		return nil //nolint:nilerr // it is something else
	}
	open, err := d.o.Store.Findings(ctx, store.FindingFilter{Open: true, Limit: maxQueue})
	for i := range open {
		if net := causeOf(&open[i]); net.IsValid() && net.Overlaps(f.Net) && len(f.Findings) < maxFound {
			f.Findings = append(f.Findings, open[i])
		}
	}
	return err
}

// findID looks for the one call or finding that has what was typed as its id.
func (d *Desk) findID(ctx context.Context, f *Found, text string) error {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && len(text) < 10 {
		x, err := d.o.Store.Finding(ctx, n)
		switch {
		case err == nil:
			f.Findings = append(f.Findings, x)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	if len(text) < 16 || len(text) > 64 || strings.ContainsAny(text, " /@") {
		return nil
	}
	c, err := d.o.Records.CDR(ctx, CallID(text))
	switch {
	case err == nil:
		f.Calls = append(f.Calls, c)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return nil
}

// Refusal is a refused call, and how many more of that line to that number were refused for the same reason.
type Refusal struct {
	CDR
	More int
}

// Count is how many calls refusals are.
func Count(all []Refusal) (n int) {
	for i := range all {
		n += 1 + all[i].More
	}
	return n
}

// refusal adds a refused call, which is older than those that are there.
func refusal(all []Refusal, c *CDR) []Refusal {
	for i := range all {
		if x := &all[i]; x.Line == c.Line && x.Number == c.Number && x.Dialled == c.Dialled && x.Reason == c.Reason {
			x.More++
			return all
		}
	}
	if len(all) == maxFound {
		return all
	}
	return append(all, Refusal{CDR: *c})
}

// LineView is a line as support sees it.
type LineView struct {
	Line     *book.Line
	Customer book.CustomerView
	Refused  []Refusal // the last refused calls
	Calls    []CDR
	Devices  []Device
	Phones   int
	Findings []Finding
	Locked   bool
	At       time.Time
}

// Line is a line with what a caller may ask about, the last refused calls first; ErrNotFound of the book.
func (d *Desk) Line(ctx context.Context, handle string) (*LineView, error) {
	l, ok := d.o.Book.LineCalled(handle)
	if !ok {
		return nil, book.ErrNotFound
	}
	v := &LineView{Line: l, At: time.Now()}
	v.Customer, _ = d.o.Book.Customer(l.Customer())
	if d.o.Devices != nil {
		v.Devices = d.o.Devices.Of(l.ID())
	}
	if d.o.Phones != nil {
		v.Phones = len(d.o.Phones(l.ID(), v.At))
	}
	all, err := d.o.Records.CDRs(ctx, store.CDRFilter{Line: l.ID(), Limit: 4 * maxCalls})
	if err != nil {
		return nil, err
	}
	for i := range all {
		switch c := &all[i]; {
		case c.Refused:
			v.Refused = refusal(v.Refused, c)
		case !c.Refused && len(v.Calls) < 2*maxFound:
			v.Calls = append(v.Calls, *c)
		}
	}
	v.Findings, err = d.o.Store.Findings(ctx, store.FindingFilter{Line: l.ID(), Limit: maxBefore})
	return v, err
}

// CustomerView is a customer as support sees it.
type CustomerView struct {
	Customer book.CustomerView
	Lines    []*book.Line
	More     bool // lines
	Refused  []Refusal
	Findings []Finding
}

// Customer is a customer with the last refused calls of all lines; ErrNotFound of the book. after is the handle of the last line of the page before.
func (d *Desk) Customer(ctx context.Context, handle, after string) (*CustomerView, error) {
	c, ok := d.o.Book.CustomerCalled(handle)
	if !ok {
		return nil, book.ErrNotFound
	}
	v := &CustomerView{Customer: c, Lines: d.o.Book.Lines(c.ID, after, maxCalls+1)}
	if v.More = len(v.Lines) > maxCalls; v.More {
		v.Lines = v.Lines[:maxCalls]
	}
	all, err := d.o.Records.CDRs(ctx, store.CDRFilter{Account: c.ID, Limit: 4 * maxCalls})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Refused {
			v.Refused = refusal(v.Refused, &all[i])
		}
	}
	v.Findings, err = d.o.Store.Findings(ctx, store.FindingFilter{Account: c.ID, Limit: maxBefore})
	return v, err
}

// CanSend says that notices can be sent again.
func (d *Desk) CanSend() bool { return d.o.Notices != nil }

// Send sends the newest notice about a line, or else about its customer, again, with links of its own. ErrNothing: there is none.
func (d *Desk) Send(ctx context.Context, actor string, l *LineView) error {
	if d.o.Notices == nil || d.o.Notices() == nil {
		return ErrNothing
	}
	n := d.o.Notices()
	for _, f := range []notify.Filter{{Line: l.Line.ID(), Limit: 1}, {Account: l.Line.Customer(), Limit: 1}} {
		all, err := n.List(ctx, f)
		if err != nil {
			return err
		}
		if len(all) > 0 {
			_, err := n.Resend(ctx, all[0].ID, "", actor)
			if errors.Is(err, notify.ErrNotFound) {
				return ErrNothing
			}
			return err
		}
	}
	return ErrNothing
}

// LockLine locks a line and cuts its calls, or opens it.
func (d *Desk) LockLine(ctx context.Context, actor string, l *book.Line, closed bool, why string) (err error) {
	defer d.changed(l.ID(), l.Customer())
	switch {
	case closed:
		_, err = d.o.Book.Lock(ctx, actor, l.ID(), why, account.CallsCut)
	case l.Locked():
		_, err = d.o.Book.Unlock(ctx, actor, l.ID())
	}
	return err
}
