package answer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/core/phone"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
	"ringfence/flow/device"
	"ringfence/flow/door/doortest"
	"ringfence/flow/location"
	"ringfence/flow/notify"
)

// owner is who answers for line 2001, and what came of it outside.
type owner struct {
	*doortest.Scene
	t    *testing.T
	act  func(context.Context, notify.Answer) (string, error)
	bans []string
	said []string // what was reported, or the error of a desk that takes nothing
	deaf error
}

var (
	home  = doortest.Home.Addr()
	thief = netip.MustParseAddr("203.0.113.9")
)

func newOwner(t *testing.T) *owner {
	o := &owner{Scene: doortest.New(t), t: t}
	a := Answers{
		Book: o.Book, Devices: o.Devices, Door: o.Door, Log: slog.New(slog.DiscardHandler),
		Ban: func(net netip.Prefix, d time.Duration, _ string) {
			o.bans = append(o.bans, fmt.Sprintf("%s for %v", net, d))
		},
		StopForwards: cooling.New(cooling.Options{Store: o.Store, Book: o.Book}).StopForwards,
		Report: func(_ context.Context, actor, customer, line, text string) (int64, error) {
			o.said = append(o.said, strings.Join([]string{actor, customer, line, text}, "|"))
			return 17, o.deaf
		},
	}
	o.act = a.Act
	return o
}

// used notes that the login was used rightly from an address.
func (o *owner) used(at netip.Addr) {
	o.Devices.Seen(device.Login{Line: o.Line, Addr: at, Agent: "Phone 1", At: time.Now()})
}

// about is what a notice of a login from an address was about.
func about(at netip.Addr) notify.About {
	return notify.About{Kind: notify.NewDevice, Address: at.String(), Place: netip.PrefixFrom(at, 24).Masked().String(), Family: "phone 1"}
}

// says answers a notice about a line.
func (o *owner) says(action, line string, x notify.About) (string, error) {
	return o.act(o.t.Context(), notify.Answer{Action: action, Line: line, About: x})
}

func (o *owner) must(done string, err error) string {
	o.t.Helper()
	if err != nil || done == "" {
		o.t.Fatalf("%q, %v", done, err)
	}
	return done
}

// TestNotMineWithoutACase: a line is locked also when no case can be opened about it.
func TestNotMineWithoutACase(t *testing.T) {
	o := newOwner(t)
	o.deaf = errors.New("the store is down")
	done := o.must(o.says(notify.NotMine, o.Line, about(thief)))
	if l, _ := o.Book.Line(o.Line); !l.Locked() || strings.Contains(done, "case") {
		t.Errorf("locked %v: %s", l.Locked(), done)
	}
}

// TestNotMine: the line is locked and its password gone, its calls and those to it end, its phones are dropped; the address is banned where the login was used from
// there and nobody else would suffer.
func TestNotMine(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*owner)
		about  notify.About
		calls  string
		bans   []string
	}{
		"nothing was used":          {about: about(thief), calls: "No call"},
		"a call each way":           {before: twoCalls, about: about(thief), calls: "2 calls"},
		"one call":                  {before: func(o *owner) { o.Call(o.Line, "02079460000") }, about: about(thief), calls: "one call"},
		"an emergency call goes on": {before: func(o *owner) { o.Call(o.Line, "999") }, about: about(thief), calls: "No call"},
		"the thief had the login":   {before: func(o *owner) { o.used(thief) }, about: about(thief), calls: "No call", bans: []string{"203.0.113.9/32 for 24h0m0s"}},
		"a phone is registered there, of whatever line": {before: func(o *owner) { o.used(thief); o.registered(thief) }, about: about(thief), calls: "No call"},
		"no address in the notice":                      {before: func(o *owner) { o.used(thief) }, about: notify.About{Kind: notify.UsageLevel}, calls: "No call"},
		"locked before, calls going on": {before: func(o *owner) {
			twoCalls(o)
			_, err := o.Book.Lock(o.t.Context(), "t", o.Line, "why", account.CallsKept)
			o.must("locked", err)
		}, about: about(thief), calls: "2 calls"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOwner(t)
			if c.before != nil {
				c.before(o)
			}
			was, _ := o.Book.Line(o.Line)
			old, _ := o.Book.HA1(was)
			done := o.must(o.says(notify.NotMine, o.Line, c.about))
			l, _ := o.Book.Line(o.Line)
			now, _ := o.Book.HA1(l)
			if !l.Locked() || !l.CutsCalls() || now == nil || now.MD5 == old.MD5 || len(o.Phones.Lookup(o.Line, time.Now())) != 0 {
				t.Errorf("locked %v, cuts calls %v, or the old password still opens it, or a phone is left", l.Locked(), l.CutsCalls())
			}
			want := strings.Join([]string{fact.ByAnswer, l.Customer(), o.Line, "Not me: somebody else used the login of line 2001."}, "|")
			if len(o.said) != 1 || !strings.HasPrefix(o.said[0], want) || !strings.Contains(done, "case 17") || strings.Contains(done, "x.") {
				t.Errorf("reported %q, and the page says: %s", o.said, done)
			}
			if !strings.Contains(done, c.calls) || !slices.Equal(o.bans, c.bans) || strings.Contains(done, thief.String()) != (c.bans != nil) {
				t.Errorf("bans %q, and the page says: %s", o.bans, done)
			}
			for _, x := range o.Gate.Calls() {
				if end := x.Class != phone.Emergency.String(); o.Gate.Cutting(x.ID) != end {
					t.Errorf("the call to %s ends: %v", x.Number, !end)
				}
			}
		})
	}
}

// TestNotMineOfAForward: the thief's forwards end too, also one that waits in the cooling-off, and the address that dialled the code is not banned: codes are obeyed where the owner's phones are.
func TestNotMineOfAForward(t *testing.T) {
	o := newOwner(t)
	o.used(thief)
	_, err := o.Book.EditLine(t.Context(), "t", o.Line, book.LineEdit{Forward: []book.Forward{{Cause: call.ForwardAlways, To: "07700900123"}, {Cause: call.ForwardNoAnswer, To: "07700900123"}}})
	o.must("forwarded", err)
	waits := cooling.New(cooling.Options{Store: o.Store, Book: o.Book})
	ana := &person.Who{Person: "a", Customer: o.Customer, Role: person.Owner, Actor: "acme/ana"}
	_, err = waits.SetWait(t.Context(), ana, o.Customer, 48*time.Hour, "")
	o.must("a wait", err)
	for _, id := range []string{o.Line, o.AddLine("2002")} {
		_, err = waits.Line(t.Context(), ana, id, book.LineEdit{Forward: []book.Forward{{Cause: call.ForwardBusy, To: "+53 7 123 4567"}}})
		o.must("a forward that waits", err)
	}
	if l, _ := o.Book.Line(o.Line); l.Forwards().Always == "" || l.Forwards().Busy != "" {
		t.Fatalf("%+v", l.Forwards())
	}
	done := o.must(o.says(notify.NotMine, o.Line, notify.About{Kind: notify.ForwardSet, Address: thief.String()}))
	l, _ := o.Book.Line(o.Line)
	if f := l.Forwards(); !l.Locked() || f.Always+f.NoAnswer != "" || o.bans != nil {
		t.Errorf("locked %v, %+v, bans %q", l.Locked(), f, o.bans)
	}
	if left, err := waits.List(t.Context(), o.Customer); err != nil || len(left) != 1 || left[0].Line == o.Line {
		t.Errorf("%v, what waits: %+v", err, left)
	}
	if !strings.Contains(done, "It forwards no calls any more. What waited to forward more of them was called off.") || len(o.said) != 1 || !strings.Contains(o.said[0], "somebody else forwarded the calls of line 2001") {
		t.Errorf("reported %q, and the page says: %s", o.said, done)
	}
}

// twoCalls are one that the line makes and one that it has taken.
func twoCalls(o *owner) {
	o.Call(o.Line, "02079460000")
	o.Call(o.AddLine("2002"), "02079460101")
}

func (o *owner) registered(at netip.Addr) {
	_, err := o.Phones.Update(o.AddLine("2003"), location.Update{
		Contacts: []location.Contact{{URI: "sip:x@" + at.String(), Expires: time.Hour}}, CallID: "x", CSeq: 1,
		Received: netip.AddrPortFrom(at, 5060), Transport: "udp", Now: time.Now(),
	})
	o.must("registered", err)
}

// TestMine: the device is noted as the owner's, and nothing else changes. A notice about no device is only noted.
func TestMine(t *testing.T) {
	o := newOwner(t)
	o.used(home)
	for _, x := range []notify.About{about(home), {Kind: notify.UsageLevel}, about(thief)} { // the last is a device that is gone by now
		o.must(o.says(notify.Mine, o.Line, x))
	}
	l, _ := o.Book.Line(o.Line)
	all := o.Devices.Of(o.Line)
	if len(all) != 1 || all[0].Verdict != "mine" || l.Locked() || o.bans != nil {
		t.Errorf("%+v, locked %v, bans %q", all, l.Locked(), o.bans)
	}
}

func (o *owner) off(person string) (string, error) {
	return o.act(o.t.Context(), notify.Answer{Action: notify.Off, Person: person, About: notify.About{Kind: notify.NewDevice}})
}

// TestOff: a contact hears no more of a kind. The desk, and what is no person, has nothing to switch off.
func TestOff(t *testing.T) {
	o := newOwner(t)
	office := account.Contact{ID: "office", Channel: account.Mail, Address: "office@example.com"}
	if err := o.Book.PutContact(t.Context(), "t", o.Customer, office); err != nil {
		t.Fatal(err)
	}
	contact := func() account.Contact {
		c, _ := o.Book.Customer(o.Customer)
		return c.Contacts[0]
	}
	o.must(o.off("customer/" + o.Customer + "/" + contact().ID))
	if c := contact(); c.Wants("new-device") != account.PreferOff || c.Wants("digest") != account.PreferNow {
		t.Errorf("%+v", c)
	}
	for _, person := range []string{"desk/fraud@example.com", "customer/x", "", "customer/" + o.Customer + "/gone", "customer/gone/office"} {
		if done, err := o.off(person); err == nil {
			t.Errorf("%s: %s", person, done)
		}
	}
}

// TestAdmit: an address gets in once, on probation; one that is the line's own needs only its lock-out ended; and there is a bound.
func TestAdmit(t *testing.T) {
	o := newOwner(t)
	if done := o.must(o.says(notify.Admit, o.Line, about(thief))); !strings.Contains(done, thief.String()) || !strings.Contains(done, "until") {
		t.Error(done)
	}
	o.used(home)
	if done := o.must(o.says(notify.Admit, o.Line, about(home))); strings.Contains(done, "until") {
		t.Error(done)
	}
	refused := ""
	for i := range 200 {
		done := o.must(o.says(notify.Admit, o.Line, about(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))))
		if !strings.Contains(done, "198.51.100.") {
			refused = done
			break
		}
	}
	if refused == "" {
		t.Error("a line admits 200 addresses")
	}
}

// TestAnswersAboutWhatIsGone: a line that was deleted, and an address that is none.
func TestAnswersAboutWhatIsGone(t *testing.T) {
	o := newOwner(t)
	for _, act := range []func() (string, error){
		func() (string, error) { return o.says(notify.NotMine, "gone", about(thief)) },
		func() (string, error) { return o.says(notify.Admit, "gone", about(thief)) },
	} {
		o.must(act())
	}
	if _, err := o.says(notify.Admit, o.Line, notify.About{Address: "nowhere"}); err == nil {
		t.Error("no address is admitted")
	}
	if l, _ := o.Book.Line(o.Line); l.Locked() || o.bans != nil || o.Gate.OpenCalls() != 0 {
		t.Error("something was done")
	}
}
