package liability

import (
	"fmt"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
)

// moment is for how long after a fact a node may not have heard of it yet.
const moment = 2 * time.Second

// paidOut is how much longer than the minute that is paid for a call may take to end on a locked line: the next slice is asked for up to ten seconds ahead.
const paidOut = 75 * time.Second

// cutWithin is how long it may take until a call that was cut is over.
const cutWithin = 10 * time.Second

// noticeWithin is how long a message may take to be sent.
const noticeWithin = 10 * time.Minute

// find applies the rule of one protection to a call.
func (h *History) find(p Promise, s *story, r *call.CDR) Ruling {
	switch {
	case s != nil && s.refused != nil && s.admitted == nil:
		return Ruling{Honour: Honoured, Evidence: []string{"the call was refused: " + s.refused.Text}, Facts: []int64{s.seq}}
	case s == nil || s.admitted == nil:
		return tells("the fact call.admitted, with the settings of that moment")
	case s.admitted.Direction == string(call.In):
		return notInForce("the call came in: nothing is charged for it")
	case s.admitted.Emergency:
		return notInForce("an emergency call: nothing may stop it, and nothing is charged for it")
	}
	x := &asked{h: h, s: s, a: s.admitted, r: r, line: h.line(r.Line)}
	if e := h.settings[s.admitted.Settings]; e != nil && e.err == nil {
		x.e, x.settings = e.e, e.seq
	}
	var f Ruling
	switch p {
	case IPLock:
		f = x.ipLock()
	case Ceilings:
		f = x.ceilings()
	case PremiumBar:
		f = x.premium()
	case Caps:
		f = x.caps()
	case CutOff:
		f = x.cutOff()
	case Secrecy:
		f = x.secrecy()
	case LockOut:
		f = x.lockOut()
	case Courtesy:
		f = x.courtesy()
	case WarningLevel:
		f = x.warning()
	case Watch:
		f = x.watch()
	default:
		return tells("a rule for this promise: this version has none")
	}
	f.Facts = append(f.Facts, s.seq)
	return f
}

// asked is one call that is asked about.
type asked struct {
	h        *History
	s        *story
	a        *fact.CallAdmitted
	r        *call.CDR
	line     *lineState
	e        *account.Effective // nil: the journal does not have them
	settings int64
}

func tells(missing string) Ruling {
	return Ruling{Honour: CannotTell, Evidence: []string{"missing: " + missing}, Missing: missing}
}

func notInForce(why string) Ruling { return Ruling{Honour: NotInForce, Evidence: []string{why}} }

func says(h Honour, text string, facts ...int64) Ruling {
	return Ruling{Honour: h, Evidence: []string{text}, Facts: facts}
}

func (x *asked) noSettings() Ruling {
	return tells("the fact settings.seen of settings " + x.a.Settings)
}

// ipLock compares the address with the lists itself: it asks nothing that the gate asked.
func (x *asked) ipLock() Ruling {
	addr := x.a.Source.Addr.Unmap().WithZone("")
	if x.a.Source.Addr.IsValid() {
		if f := x.staleNets(addr); f != nil {
			return *f
		}
	}
	switch {
	case x.e == nil:
		return x.noSettings()
	case len(x.e.Nets) == 0:
		f := notInForce("the line was not locked to addresses")
		f.Facts = []int64{x.settings}
		return f
	case !x.a.Source.Addr.IsValid():
		return tells("the address that the call came from")
	}
	for _, list := range x.e.Nets {
		if !contains(list, addr) {
			return says(Broken, fmt.Sprintf("the call came from %s, which is not on the line's list %v", addr, list), x.settings)
		}
	}
	return says(Honoured, fmt.Sprintf("the call came from %s, which is on the line's list", addr), x.settings)
}

// ceilings judges the price a minute, and what the first minute held.
func (x *asked) ceilings() Ruling {
	if x.e == nil {
		return x.noSettings()
	}
	if x.a.Class == "on-net" || x.a.Direction == string(call.Between) {
		return notInForce("a call between lines here")
	}
	field, name := account.InternationalCeiling, "international"
	if x.h.o.National(x.a.Country) {
		field, name = account.NationalCeiling, "national"
	}
	limit, price := x.e.Ceiling(field), x.a.PerMinute
	if x.a.PaidFor <= time.Minute { // with what it costs to connect
		price = max(price, money.Rate(min(x.a.Held, money.Max/1000))*1000)
	}
	if n, by := x.bound(field); by != nil && n < int64(limit) && int64(price) > n {
		return says(Broken, fmt.Sprintf("the price was %s a minute; the %s ceiling was set to %s at %s, and the node that let the call in did not know it",
			money.Billing().Rate(price), name, account.Format(field, n), utc(by.at)), by.seq, x.settings)
	}
	is := fmt.Sprintf("the price was %s a minute; the %s ceiling %s", money.Billing().Rate(price), name, account.Format(field, x.e.Values[field]))
	if price > limit {
		return says(Broken, is, x.settings)
	}
	return says(Honoured, is, x.settings)
}

func (x *asked) premium() Ruling {
	switch x.a.Class {
	case "premium", "directory", "intl-premium":
	case "unknown", "":
		return tells("what kind of number was called")
	default:
		return notInForce("not a premium-rate number: " + x.a.Class)
	}
	switch {
	case x.e == nil:
		return x.noSettings()
	case x.e.Values[account.Premium] > 0:
		if n, by := x.bound(account.Premium); by != nil && n == 0 {
			return says(Broken, "premium-rate numbers were barred for the line at "+utc(by.at)+", and the node that let the call in did not know it", by.seq, x.settings)
		}
		f := notInForce("the line was allowed to call premium-rate numbers (" + x.e.From[account.Premium].String() + ")")
		f.Facts = []int64{x.settings}
		return f
	}
	return says(Broken, "a premium-rate number was called although these are barred for the line", x.settings)
}

func (x *asked) caps() Ruling {
	c := &x.s.caps
	money := money.Billing().Amount
	switch {
	case x.e == nil:
		return x.noSettings()
	case c.over != nil:
		f := says(Broken, fmt.Sprintf("%s: %s was spent or held, the call was given %s more, and the cap was %s (%s)", c.over.purse, money(c.over.in), money(c.over.ask), money(c.over.is), c.over.by), c.over.seq)
		f.Facts = append(f.Facts, x.settings)
		return f
	case x.s.settled != nil && x.s.settled.Retail > x.most():
		return says(Broken, fmt.Sprintf("it was charged %s and had been given no more than %s", money(x.s.settled.Retail), money(x.most())), x.s.ends)
	case c.unsure != nil:
		f := tells("the cap when a further slice was held: settings changed while the call lasted")
		f.Facts = []int64{c.unsure.seq}
		return f
	case c.unknown != "":
		return tells("the fact settings.seen of settings " + c.unknown + ", under which the call was given more")
	case x.gap() != nil:
		g := x.gap()
		f := tells(fmt.Sprintf("what was spent between %s and %s: the store was restored from an older copy", utc(g.from), utc(g.until)))
		f.Facts = []int64{g.seq}
		return f
	case c.checked == 0 && x.r.Retail == 0:
		return notInForce("the call cost nothing")
	}
	f := says(Honoured, fmt.Sprintf("what it was given fitted all four caps (day %s, month %s, account's day %s, account's month %s) each time it was given more",
		money(x.e.Cap(account.LineDayCap)), money(x.e.Cap(account.LineMonthCap)), money(x.e.Cap(account.AccountDayCap)), money(x.e.Cap(account.AccountMonthCap))))
	f.Facts = append([]int64{x.settings}, c.facts...)
	return f
}

// gap is a time in the month before the call of which records were lost, or nil.
func (x *asked) gap() *gap {
	for i := range x.h.lost {
		if g := &x.h.lost[i]; g.from.Before(x.s.at) && x.s.at.Sub(g.until) < 31*24*time.Hour {
			return g
		}
	}
	return nil
}

// most is what the call was given in all.
func (x *asked) most() money.Micro {
	most := x.a.Held
	for i := range x.s.slices {
		most = max(most, x.s.slices[i].held)
	}
	return most
}

// cutOff judges locks by when the journal says they began, beside what the gate believed of them.
func (x *asked) cutOff() Ruling {
	if x.a.Locked {
		return says(Broken, "the line was locked when the call was connected")
	}
	out := notInForce("the line was not locked while the call lasted")
	for i := range x.line.locks {
		l := &x.line.locks[i]
		over := !l.until.IsZero() && l.until.Before(x.s.at)
		switch {
		case over || !x.s.ended.IsZero() && l.from.After(x.s.ended):
			continue
		case l.ended > 0 && l.ended < x.s.seq && l.until.Sub(x.s.at) > moment: // a clock was set back: by the order of the journal the lock was over
			out = tells("when the line was unlocked: by the clock after the call began, by the journal before")
			out.Facts = []int64{l.seq, l.ended}
			continue
		case x.s.at.Sub(l.from) > moment:
			return says(Broken, fmt.Sprintf("the line had been locked since %s", utc(l.from)), l.seq)
		}
		if f := x.during(l); f.Honour == Broken {
			return f
		} else if f.Honour != NotInForce {
			out = f
		}
	}
	if out.Honour == NotInForce && x.s.cut != nil {
		return x.afterCut()
	}
	return out
}

// during judges a lock that came while the call was up.
func (x *asked) during(l *lock) Ruling {
	allowed, words := paidOut, "the end of the minute that was paid for"
	switch l.calls {
	case account.CallsKept.String():
		return notInForce("the lock let calls in progress go on")
	case account.CallsCut.String():
		allowed, words = cutWithin, "once"
	}
	switch {
	case x.s.ended.IsZero():
		return tells("when the call ended")
	case x.r.Retail == 0 && x.a.Held == 0:
		return notInForce("a call that costs nothing goes on when its line is locked")
	case x.s.ended.Sub(l.from) > allowed && (l.until.IsZero() || l.until.Sub(l.from) > allowed):
		return says(Broken, fmt.Sprintf("the line was locked at %s and the call went on for %s: it should have ended at %s", utc(l.from), x.s.ended.Sub(l.from).Round(time.Second), words), l.seq, x.s.ends)
	}
	return says(Honoured, fmt.Sprintf("the line was locked at %s and the call was over %s later", utc(l.from), max(x.s.ended.Sub(l.from), 0).Round(time.Second)), l.seq, x.s.ends)
}

// afterCut judges a call that was cut: nothing more is given to it, and it ends.
func (x *asked) afterCut() Ruling {
	for i := range x.s.slices {
		if s := &x.s.slices[i]; s.seq > x.s.cutSeq && s.at.After(x.s.cutAt) {
			return says(Broken, "the call was given more time after it was cut", x.s.cutSeq, s.seq)
		}
	}
	if !x.s.ended.IsZero() && x.s.ended.Sub(x.s.cutAt) > cutWithin {
		return says(Broken, fmt.Sprintf("the call was cut and was over only %s later", x.s.ended.Sub(x.s.cutAt).Round(time.Second)), x.s.cutSeq, x.s.ends)
	}
	return says(Honoured, "the call was cut: "+x.s.cut.Text, x.s.cutSeq)
}

// secrecy knows of one sign that passwords came from us: somebody had that of a decoy line, which was never given to anybody.
func (x *asked) secrecy() Ruling {
	begun, seq, replaced := x.password()
	for i := range x.h.leaks {
		l := &x.h.leaks[i]
		if l.at.Before(begun) || !replaced.IsZero() && !l.at.Before(replaced) { // what was known then was no password of this call's
			continue
		}
		if same(l.source, x.a.Source) {
			return says(Broken, fmt.Sprintf("the call came from where the password of a decoy line was known, which was given to nobody (%s)", utc(l.at)), l.seq)
		}
		f := tells("where the caller had the password from: that of a decoy line, given to nobody, was known elsewhere at the time")
		f.Facts = []int64{l.seq}
		return f
	}
	f := says(Honoured, "no sign that a password came from us: nobody knew that of a decoy line")
	if seq != 0 {
		f.Facts = []int64{seq}
	}
	return f
}

// password is since when the line had the password of the call, by which fact, and when it got another: zero is not known, or not yet.
func (x *asked) password() (begun time.Time, seq int64, replaced time.Time) {
	for _, p := range x.line.passwords {
		if p.seq > x.s.seq {
			return begun, seq, p.at
		}
		begun, seq = p.at, p.seq
	}
	return begun, seq, replaced
}

// same says that two sources are in one network.
func same(a, b fact.Source) bool {
	if !a.Addr.IsValid() || !b.Addr.IsValid() {
		return false
	}
	bits := 24
	if a.Addr.Unmap().Is6() {
		bits = 56
	}
	n, err := a.Addr.Unmap().WithZone("").Prefix(bits)
	return err == nil && n.Contains(b.Addr.Unmap().WithZone(""))
}

func (x *asked) lockOut() Ruling {
	addr := x.a.Source.Addr.Unmap().WithZone("")
	for _, all := range [][]lockout{x.line.lockouts, x.h.wide} {
		for i := range all {
			l := &all[i]
			if x.s.at.Sub(l.from) > moment && x.s.at.Before(l.until) && l.source.Net().Contains(addr) {
				return says(Broken, fmt.Sprintf("the call came from %s, which was locked out until %s", addr, utc(l.until)), l.seq)
			}
		}
	}
	return says(Honoured, "where the call came from was not locked out")
}

// device is the fact that says that the call's address was new, or nil.
func (x *asked) device() *device {
	for i := range x.line.devices {
		d := &x.line.devices[i]
		if d.address.Addr == x.a.Source.Addr && !d.at.After(x.s.at.Add(noticeWithin)) {
			return d
		}
	}
	return nil
}

func (x *asked) courtesy() Ruling {
	d := x.device()
	if d == nil {
		return says(Honoured, "nothing was due: no fact says that the address or the phone was new to the line")
	}
	return x.notified("new-device", d.at, d.seq)
}

// notified looks for the message that something at an instant should have led to.
func (x *asked) notified(kind string, at time.Time, seq int64) Ruling {
	for i := range x.h.notices {
		n := &x.h.notices[i]
		if n.Kind != kind || n.Line != "" && n.Line != x.r.Line || n.At.Before(at.Add(-moment)) || n.At.After(at.Add(noticeWithin)) {
			continue
		}
		if n.Sent.IsZero() {
			return says(Broken, "the message was never delivered", seq)
		}
		if late := n.Sent.Sub(at); late > noticeWithin {
			return says(Broken, fmt.Sprintf("the message was delivered %s late", late.Round(time.Second)), seq)
		}
		return says(Honoured, "the message was delivered at "+utc(n.Sent), seq)
	}
	f := tells("a message of " + utc(at) + ": none is stored; mails of the kind may have been switched off")
	f.Facts = []int64{seq}
	return f
}

func (x *asked) warning() Ruling {
	switch {
	case x.e == nil:
		return x.noSettings()
	case x.e.Values[account.LineWarning] == 0:
		return notInForce("the line's warning level was off")
	}
	level := x.e.Cap(account.LineWarning)
	if before, after := x.s.before/level, x.s.before.Add(x.r.Retail)/level; before == after {
		return says(Honoured, fmt.Sprintf("nothing was due: usage went from %s to %s, and the level is %s", money.Billing().Amount(x.s.before), money.Billing().Amount(x.s.before.Add(x.r.Retail)), money.Billing().Amount(level)), x.settings)
	}
	return x.notified("usage-level", x.s.at, x.settings)
}

func (x *asked) watch() Ruling {
	switch {
	case x.e == nil:
		return x.noSettings()
	case x.h.o.National(x.a.Country) || x.a.Direction == string(call.Between):
		return notInForce("not an international call")
	case x.e.Values[account.Watch] != account.Watched:
		return notInForce("the owner of the line had the watch switched off")
	}
	for i := range x.line.unusual {
		u := &x.line.unusual[i]
		if d := u.at.Sub(x.s.at); d < -24*time.Hour || d > time.Hour {
			continue
		}
		if u.trial {
			return says(Honoured, "the calls were noticed at "+utc(u.at)+" by a rule on trial, which closes nothing", u.seq)
		}
		return says(Honoured, "the calls were noticed at "+utc(u.at), u.seq)
	}
	return tells("whether the calls were unlike the usual: no rule said so within a day")
}

// utc writes an instant with its zone: documents that quote it may count in another.
func utc(t time.Time) string { return t.UTC().Format(time.DateTime + " UTC") }
