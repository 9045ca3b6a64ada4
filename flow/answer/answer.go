// Package answer does what the owner of a line says in answer to a notice: this phone is mine, that one is not, let that address in,
// no more notices of this kind. The texts are what the answer page shows. It must not know pages, mail or SQL.
package answer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/device"
	"ringfence/flow/door"
	"ringfence/flow/notify"
)

// Answers is what answers change; all fields are needed.
type Answers struct {
	Book    *book.Book
	Devices *device.Devices
	Door    *door.Door
	// Vouch records that the calls of a finding were honest, and opens what it closed.
	Vouch func(ctx context.Context, actor, line, customer, finding string) error
	Ban   func(net netip.Prefix, d time.Duration, reason string) // as flow/ban's Auto
	// Report opens a case about a line, or joins the one that is open, and gives its number.
	Report func(ctx context.Context, actor, customer, line, text string) (id int64, err error)
	// StopForwards calls off the forwards of a line that wait, as flow/cooling does, and says how many did.
	StopForwards func(ctx context.Context, actor, line, why string) (int, error)
	Log          *slog.Logger
}

// Act does what a person answered, and says what was done. It is notify.Options.Act.
func (a *Answers) Act(ctx context.Context, x notify.Answer) (string, error) {
	switch x.Action {
	case notify.Mine:
		return a.mine(ctx, &x)
	case notify.NotMine:
		return a.notMine(ctx, &x)
	case notify.Off:
		return a.off(ctx, &x)
	}
	return a.admit(&x)
}

var unusualCalls = notify.Kind(detect.UnusualCalls.String())

// mine opens again what unusual calls had closed, or remembers that a device is the owner's, so that the owner is not asked about it again.
func (a *Answers) mine(ctx context.Context, x *notify.Answer) (string, error) {
	if x.Kind == unusualCalls {
		if err := a.Vouch(ctx, fact.ByAnswer, x.Line, x.Account, x.Finding); err != nil {
			return "", err
		}
		return "Thank you. What we had closed because of these calls is open again, and we learn from your answer.", nil
	}
	if x.Place == "" && x.Family == "" {
		return "Thank you, we have noted it. Nothing was changed.", nil
	}
	if err := a.Devices.SetVerdict(ctx, x.Line, x.Place, x.Family, "mine", fact.ByAnswer); err != nil && !errors.Is(err, book.ErrNotFound) {
		return "", err
	}
	return "We have noted this phone as yours. Nothing was changed, and we will not ask you about it again.", nil
}

// noForwards ends every forward of a line.
var noForwards = []book.Forward{{Cause: call.ForwardAlways}, {Cause: call.ForwardBusy}, {Cause: call.ForwardNoAnswer}, {Cause: call.ForwardUnreachable}}

// endForwards ends the forwards of a line, in force and waiting, if the answer is about one, and says so.
func (a *Answers) endForwards(ctx context.Context, x *notify.Answer) ([]string, error) {
	if x.Kind != notify.ForwardSet {
		return nil, nil
	}
	waited, err := a.StopForwards(ctx, fact.ByAnswer, x.Line, "its owner says that somebody else forwarded the calls of the line") // first: what is made meanwhile ends next
	if err != nil {
		return nil, err
	}
	done := []string{"It forwards no calls any more."}
	if waited > 0 {
		done = append(done, "What waited to forward more of them was called off.")
	}
	_, err = a.Book.EditLine(ctx, fact.ByAnswer, x.Line, book.LineEdit{Forward: noForwards})
	return done, err
}

// notMine locks the thief out: the line is locked, its calls in either direction are cut, and its password is replaced by
// one that nobody knows, so that he can neither call nor be called. The address is banned unless others use it rightly.
// What was done becomes a case, in which the owner says which calls were the thief's. Phones that have the old password may still call emergency numbers.
func (a *Answers) notMine(ctx context.Context, x *notify.Answer) (string, error) {
	l, ok := a.Book.Line(x.Line)
	if !ok {
		return "This line no longer exists. There was nothing left to do.", nil
	}
	ended := a.Door.CutCalls(x.Line, fact.ByAnswer)
	if !l.CutsCalls() { // a lock that let calls continue no longer does, on any node
		if _, err := a.Book.Lock(ctx, fact.ByAnswer, x.Line, "its owner says that somebody else used its login", account.CallsCut); err != nil {
			return "", err
		}
	}
	ended += a.Door.CutCalls(x.Line, fact.ByAnswer) // what began meanwhile
	if _, err := a.Book.SetPassword(ctx, fact.ByAnswer, x.Line, ""); err != nil {
		return "", err
	}
	forwards, err := a.endForwards(ctx, x)
	if err != nil {
		return "", err
	}
	done := []string{
		fmt.Sprintf("Line %s is locked: it can make no calls except to emergency numbers.", l.Handle()), callsCut(ended),
		"Its password no longer works, and all its phones were logged out: they get no incoming calls either.",
	}
	done = append(done, forwards...)
	// Only an address from which the login was really used is banned: a packet that answers the challenge of another
	// address may be forged, so that another user would suffer.
	at, err := netip.ParseAddr(x.Address)
	used := err == nil && a.Devices.Own(x.Line, at) && x.Kind != notify.ForwardSet // codes are obeyed from where the line is usual: the owner's own phones are there
	if x.Place != "" || x.Family != "" {
		if err := a.Devices.SetVerdict(ctx, x.Line, x.Place, x.Family, "not-mine", fact.ByAnswer); err != nil && !errors.Is(err, book.ErrNotFound) {
			a.Log.Error("an answer could not be kept with the device", "line", l.Handle(), "err", err)
		}
	}
	if used && a.Door.Exempt(at) == "" {
		a.Ban(netip.PrefixFrom(at.Unmap(), at.Unmap().BitLen()), 24*time.Hour, "the owner of line "+l.Handle()+" did not know it")
		done = append(done, "The address "+at.String()+" is blocked for a day.")
	}
	if id := a.opened(ctx, l, x); id != 0 {
		done = append(done, fmt.Sprintf("We have opened case %d about it: tick the calls there that were not yours.", id))
	}
	return strings.Join(append(done, "Next: ask for a new password for the line, put it into your own phones, and ask for the line to be unlocked."), " "), nil
}

// opened is the case about what an owner did not do; 0 is none. The line is locked by then, so that a case that cannot be
// opened is not the owner's problem.
func (a *Answers) opened(ctx context.Context, l *book.Line, x *notify.Answer) int64 {
	text := "Not me: somebody else used the login of line " + l.Handle() + "."
	if x.Kind == notify.ForwardSet {
		text = "Not me: somebody else forwarded the calls of line " + l.Handle() + "."
	}
	if x.Address != "" {
		text += " The notice was about the address " + x.Address + "."
	}
	id, err := a.Report(ctx, fact.ByAnswer, l.Customer(), l.ID(), text)
	if err != nil {
		a.Log.Error("no case was opened for an answer", "line", l.Handle(), "err", err)
		return 0
	}
	return id
}

func callsCut(n int) string {
	switch n {
	case 0:
		return "No call was in progress."
	case 1:
		return "The one call in progress was ended."
	}
	return fmt.Sprintf("The %d calls in progress were ended.", n)
}

// off switches a kind of notice off for a contact: "customer/ID/contact".
func (a *Answers) off(ctx context.Context, x *notify.Answer) (string, error) {
	parts := strings.Split(x.Person, "/")
	if len(parts) != 3 || parts[0] != "customer" {
		return "", fmt.Errorf("%s has no preferences that could be changed", account.HandlePath(x.Person))
	}
	if err := a.Book.SetPreference(ctx, fact.ByAnswer, parts[1], parts[2], string(x.Kind), account.PreferOff); err != nil {
		return "", err
	}
	return "You will get no more notices of this kind.", nil
}

// admit lets the address in that a notice was about: once, and on probation.
func (a *Answers) admit(x *notify.Answer) (string, error) {
	at, err := netip.ParseAddr(x.Address)
	if err != nil {
		return "", err
	}
	l, ok := a.Book.Line(x.Line)
	if !ok {
		return "This line no longer exists. There was nothing left to do.", nil
	}
	until, ok := a.Door.Guard.Admit(x.Line, at, fact.ByAnswer, time.Now())
	switch {
	case !ok:
		return "Nothing was done: too many addresses were admitted for this line today.", nil
	case until.IsZero():
		return fmt.Sprintf("The phone at %s can log in again: let it try once more.", at), nil
	}
	return fmt.Sprintf("The phone at %s may log in until %s: let it try once more. For a day from then it can take calls, and call ordinary national numbers "+
		"for %s in all, two calls at a time. Nothing else was changed.", at, until.In(l.Zone()).Format("15:04"), money.Billing().Amount(policy.ProbationCap())), nil
}
