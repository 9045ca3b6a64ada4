package desk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ringfence/core/detect"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// Act is something that staff can do about a finding.
type Act string

// Acts. What Lock, Ban and List did can be undone; what the others say is learnt from, and stays said.
const (
	Lock       Act = "lock"  // the line, and its calls are cut
	Ban        Act = "ban"   // the address, for a day
	List       Act = "list"  // the number, on the desk's hot list
	FalseAlarm Act = "false" // nothing was wrong
	Theirs     Act = "mine"  // it was the customer
	Close      Act = "close" // it was dealt with

	Unlock Act = "unlock"
	Unban  Act = "unban"
	Unlist Act = "unlist"
)

// Operations are those of the table of who may do what that an act needs, all of them.
func (a Act) Operations() []string {
	switch a {
	case Lock:
		return []string{"lock-line"}
	case Unlock:
		return []string{"unlock-line"}
	case Ban:
		return []string{"add-ban"}
	case Unban:
		return []string{"remove-ban"}
	case List:
		return []string{"add-hot-number"}
	case Unlist:
		return []string{"remove-hot-number"}
	case FalseAlarm:
		return []string{"close-finding", "note-finding", "delete-restriction"}
	case Theirs:
		return []string{"close-finding", "note-finding", "delete-restriction", "judge-device"}
	case Close:
		return []string{"close-finding"}
	}
	return nil
}

// Errors of Do.
var (
	ErrNothing = errors.New("the finding has nothing that this could be done to")
	ErrClosed  = watch.ErrClosed
)

const banFor = 24 * time.Hour

// Effects are what each act would do, in figures.
type Effects struct {
	Lock, Ban, List, FalseAlarm, Theirs, Close bool // what can be done

	Cut     int         // calls that a lock ends
	Phones  int         // that could call emergency numbers only
	Risk    money.Micro // that a lock takes away
	Exempt  string      // why the address is not banned for what others do
	Callers int         // customers who lately called the number
	Times   int         // how often they did
	Opens   int         // restrictions that end when the calls were honest
	Device  *Device     // that would be noted as the customer's
	Listed  bool        // the number is on a hot list already
}

// Effects works them out for a case.
func (d *Desk) Effects(c *Known) Effects {
	e := Effects{Cut: len(c.Running), Opens: len(c.Acted), Risk: c.Risk}
	open := c.Finding.ClosedAt.IsZero() && d.watched() != nil
	e.FalseAlarm, e.Close = open, open
	e.Device = c.device()
	e.Theirs = open && c.Line != nil && (c.Kind.Traits().Answers || e.Device != nil)
	if c.Line != nil {
		e.Lock = !c.Line.Locked() && !c.Line.Honeypot()
		if d.o.Phones != nil {
			e.Phones = len(d.o.Phones(c.Line.ID(), time.Now()))
		}
	}
	if c.Addr.IsValid() && d.bans() != nil {
		e.Exempt = c.Banned.Exempt
		e.Ban = !c.Banned.Banned && e.Exempt == "" && !c.Banned.Never.IsValid() && !ban.ThisMachine(netip.PrefixFrom(c.Addr, c.Addr.BitLen()))
	}
	if r, ok := hot(c.Number); ok {
		_, e.Listed = d.o.Book.Hot().Of(book.HotDesk, r)
		e.List = !e.Listed
		seen := map[string]bool{}
		for i := range c.Callers {
			seen[c.Callers[i].Account] = true
		}
		e.Callers, e.Times = len(seen), len(c.Callers)
	}
	return e
}

// device is the one that a finding about a login is of.
func (c *Known) device() *Device {
	for i := range c.Devices {
		if x := &c.Devices[i]; c.Addr.IsValid() && x.Address == c.Addr.String() && x.Verdict == "" {
			return x
		}
	}
	return nil
}

// hot is the range of one number.
func hot(n phone.Number) (restrict.Range, bool) {
	if n.IsZero() {
		return restrict.Range{}, false
	}
	r, err := restrict.ParseNumbers(n.String())
	return r, err == nil
}

// Do does something about a finding. What is done already is done again without harm. Errors are those of the stages that it asks,
// ErrNothing and ErrClosed.
func (d *Desk) Do(ctx context.Context, actor string, id int64, act Act) error {
	c, err := d.Finding(ctx, id)
	if err != nil {
		return err
	}
	defer d.changed(c.Finding.Line, c.Finding.Account)
	why := fmt.Sprintf("finding %d: %s", id, c.Kind.Title())
	switch act {
	case Lock, Unlock:
		if c.Line == nil {
			return ErrNothing
		}
		return d.LockLine(ctx, actor, c.Line, act == Lock, why)
	case Ban, Unban:
		if !c.Addr.IsValid() {
			return ErrNothing
		}
		return d.Ban(ctx, actor, netip.PrefixFrom(c.Addr, c.Addr.BitLen()), act == Ban, why)
	case List, Unlist:
		return d.list(ctx, actor, c.Number, act == List, why)
	case FalseAlarm:
		return d.dismiss(ctx, actor, c, "False alarm.")
	case Theirs:
		if err := d.theirs(ctx, actor, c); err != nil {
			return err
		}
		return d.dismiss(ctx, actor, c, "That was the customer.")
	case Close:
		return d.close(ctx, actor, c)
	}
	return ErrNothing
}

// Ban bans a network for a day, or lifts a ban of that very network.
func (d *Desk) Ban(ctx context.Context, actor string, net netip.Prefix, banned bool, why string) error {
	bans := d.bans()
	if bans == nil || !net.IsValid() || banned && ban.ThisMachine(net) {
		return ErrNothing
	}
	if banned {
		_, err := bans.Add(ctx, ban.Request{Net: net, For: banFor, Why: why, By: actor})
		return err
	}
	_, err := bans.Remove(ctx, net, actor, why)
	if errors.Is(err, ban.ErrNotBanned) {
		return nil
	}
	return err
}

func (d *Desk) list(ctx context.Context, actor string, n phone.Number, on bool, why string) error {
	r, ok := hot(n)
	if !ok {
		return ErrNothing
	}
	if on {
		_, err := d.o.Book.AddHot(ctx, actor, restrict.Listed{List: book.HotDesk, Range: r, Way: restrict.Out, Why: why})
		return err
	}
	_, err := d.o.Book.RemoveHot(ctx, actor, book.HotDesk, r, why)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// theirs notes the phone of a finding as the customer's own.
func (d *Desk) theirs(ctx context.Context, actor string, c *Known) error {
	x := c.device()
	if x == nil || d.o.Devices == nil {
		return nil
	}
	err := d.o.Devices.SetVerdict(ctx, x.Line, x.Place, x.Family, "mine", actor)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// dismiss opens what a finding closed, writes why, and closes it.
func (d *Desk) dismiss(ctx context.Context, actor string, c *Known, why string) error {
	if !c.Finding.ClosedAt.IsZero() {
		return ErrClosed
	}
	if c.Kind == detect.UnusualCalls && d.o.Vouch != nil {
		if err := d.o.Vouch(ctx, actor, c.Finding.Line, c.Finding.Account, c.Finding.Key); err != nil {
			return err
		}
	}
	if w := d.watched(); w != nil {
		if err := w.Note(ctx, c.Finding.ID, actor, why); err != nil && !errors.Is(err, watch.ErrFull) {
			return err
		}
	}
	return d.close(ctx, actor, c)
}

func (d *Desk) close(ctx context.Context, actor string, c *Known) error {
	w := d.watched()
	if w == nil {
		return ErrNothing
	}
	return w.Close(ctx, c.Finding.ID, actor)
}

// Note writes a note to a finding.
func (d *Desk) Note(ctx context.Context, actor string, id int64, text string) error {
	w := d.watched()
	if w == nil {
		return ErrNothing
	}
	return w.Note(ctx, id, actor, text)
}
