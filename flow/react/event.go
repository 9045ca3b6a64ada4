package react

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/state/store"
)

// watched is a call in progress.
type watched struct {
	habit.Call
	inbound       bool
	line, account string
	begun         time.Time
	stored        bool // its row is in the store
	changed       bool // since it was written
	held          money.Micro
	would         string // the finding of a shadow that would have stopped it, and what was paid for by then
	paid          money.Micro
}

// fact takes one fact. An error says that the store failed: the fact has changed nothing and can be taken again.
func (r *React) fact(ctx context.Context, f *store.Fact, now time.Time) error {
	if r.o.Rules == nil {
		return nil
	}
	r.turn(f.At)
	switch f.Kind {
	case fact.KindCallAdmitted:
		return r.admitted(ctx, f, now)
	case fact.KindSliceHeld:
		return r.held(ctx, f, now)
	case fact.KindCallSettled:
		return r.settled(ctx, f, now)
	case fact.KindCallRefused:
		return r.refused(ctx, f, now)
	case fact.KindCallCut:
		r.cut(f)
		return nil
	case fact.KindCallsVouched:
		return r.vouched(ctx, f, now)
	case fact.KindCallsConfirmed:
		r.confirmed(f)
		return nil
	case fact.KindLineDeleted:
		r.forget("line/" + f.Line)
		return nil
	case fact.KindCustomerDeleted:
		r.forget("account/" + f.Account)
		return nil
	}
	if f.Line != "" && trouble(f) {
		return r.step(ctx, f, now, &habit.Event{Kind: habit.Trouble})
	}
	return nil
}

// longestGap is how many hours without facts are turned one by one.
const longestGap = 48

// turn has the world learn at each full hour what was noted before it: by the facts' times, so that a replay of the journal learns the same.
func (r *React) turn(at time.Time) {
	if r.hour.IsZero() {
		r.hour, r.turned = at.Truncate(time.Hour), true
	}
	if at.Sub(r.hour) > longestGap*time.Hour {
		r.hour = at.Truncate(time.Hour).Add(-longestGap * time.Hour)
	}
	for at.Sub(r.hour) >= time.Hour {
		r.hour = r.hour.Add(time.Hour)
		r.world.Turn(uint16(r.hour.Unix()/(24*60*60)), &r.notes)
		r.turned, r.noted, r.heed = true, 0, true
	}
	if at.Sub(r.sweptAt) >= sweepEvery {
		r.sweep(at)
	}
}

// trouble says that somebody failed to log in with a line's name, or logged in from a suspicious place.
func trouble(f *store.Fact) bool {
	switch f.Kind {
	case fact.KindLoginLocked, fact.KindLoginSiege, fact.KindLoginOld, fact.KindLoginProbation:
		return true
	case fact.KindDeviceNew, fact.KindDeviceMoved, fact.KindLoginMovedNonce:
		found, err := detect.Judge(&detect.Event{Kind: f.Kind, Line: f.Line, Account: f.Account, At: f.At, Body: f.Body})
		return err == nil && len(found) > 0
	}
	return false
}

// step takes an event of a line that exists, and keeps what was found.
func (r *React) step(ctx context.Context, f *store.Fact, now time.Time, e *habit.Event) error {
	l, ok := r.o.Book.Line(f.Line)
	if !ok {
		return nil
	}
	customer := l.Customer()
	e.Since = l.Since()
	lineKey, customerKey := "line/"+f.Line, "account/"+customer
	line, err := r.memory(ctx, lineKey, f.At)
	if err != nil {
		return err
	}
	whole, err := r.memory(ctx, customerKey, f.At)
	if err != nil {
		return err
	}
	rules := r.rules
	stale := now.Sub(f.At) > freshFor
	switch {
	case l.Effective(f.At).Values[account.Watch] == account.Unwatched:
		rules = rules.AtMost(habit.Off)
	case stale:
		rules = rules.AtMost(habit.Shadow)
	}
	state := habit.State{Line: &line.Memory, Account: &whole.Memory, World: &r.world, Notes: &r.notes}
	found := rules.Step(&state, e, f.At)
	r.dirty[lineKey], r.dirty[customerKey] = line, whole
	if found != nil && !stale {
		r.finding(found, f, customer)
	}
	return nil
}

func (r *React) admitted(ctx context.Context, f *store.Fact, now time.Time) error {
	var b fact.CallAdmitted
	if r.bad(b.Decode(f.Body)) || r.calls[f.Call] != nil {
		return nil
	}
	l, ok := r.o.Book.Line(f.Line)
	if !ok {
		return nil
	}
	inbound := b.Direction == string(call.In)
	if !inbound && b.Held <= 0 {
		return nil
	}
	number := b.Number
	if inbound {
		if number = b.Caller; b.Withheld {
			number = ""
		}
	}
	c, ok := r.call(number, b.Class, b.PerMinute, b.Held > 0, f.At)
	if inbound {
		c, ok = r.call(number, "", 0, false, f.At)
	}
	if !ok {
		return nil
	}
	w := &watched{Call: c, inbound: inbound, line: f.Line, account: f.Account, begun: f.At, changed: true}
	w.Line, w.Account, w.Hour = habit.Hash(f.Line), habit.Hash(f.Account), hour(f.At, l.Zone())
	w.Place, w.Device = r.origins.place(b.Source.Addr), r.origins.device(b.Agent)
	r.calls[f.Call] = w
	if inbound {
		return nil
	}
	lists := r.foreseenOf(w)
	if err := r.step(ctx, f, now, &habit.Event{Kind: habit.Began, Call: &w.Call, Amount: b.Held}); err != nil {
		delete(r.calls, f.Call)
		return err
	}
	w.held, r.figured = b.Held, true
	r.figures.today(f.At).Calls++
	r.foresee(w, lists, l.Zone(), 0, f.At)
	return nil
}

// call is a call as it is watched, from what a fact says of its number and price.
func (r *React) call(number, class string, perMinute money.Rate, costs bool, at time.Time) (habit.Call, bool) {
	dest, problem := r.o.Book.Plan().Parse(number)
	if problem != phone.NoProblem {
		return habit.Call{}, false
	}
	if c, ok := phone.ParseClass(class); ok {
		dest.Class = c
	}
	listed := r.o.Book.Hot().Near(dest.Number, at)
	if !costs {
		c := habit.NewCall(&dest, nil)
		c.Listed = listed
		return c, true
	}
	price := rating.Price{First: 1, Step: 1, Connect: 1}
	if perMinute > 0 {
		price.Connect = 0
	}
	for band := range price.Rates {
		price.Rates[band] = perMinute
	}
	c := habit.NewCall(&dest, &price)
	c.Listed = listed
	return c, true
}

func (r *React) held(ctx context.Context, f *store.Fact, now time.Time) error {
	w := r.calls[f.Call]
	var b fact.SliceHeld
	if w == nil || r.bad(b.Decode(f.Body)) {
		return nil
	}
	w.changed = true
	lists := r.foreseenOf(w)
	if err := r.step(ctx, f, now, &habit.Event{Kind: habit.Held, Call: &w.Call, Amount: b.Held}); err != nil {
		return err
	}
	if l, ok := r.o.Book.Line(f.Line); ok {
		r.foresee(w, lists, l.Zone(), w.held, f.At)
	}
	w.held = b.Held
	return nil
}

// settled ends a call. One that came in is watched only now: it is known how long it was.
func (r *React) settled(ctx context.Context, f *store.Fact, now time.Time) error {
	w := r.calls[f.Call]
	var b fact.CallSettled
	if w == nil || r.bad(b.Decode(f.Body)) {
		return nil
	}
	e := habit.Event{Kind: habit.Ended, Call: &w.Call, Amount: b.Retail, Talk: b.Talk, Answered: b.Status == 200}
	if w.inbound {
		e.Kind, e.Amount = habit.Rang, 0
	}
	if err := r.step(ctx, f, now, &e); err != nil {
		return err
	}
	r.spared(w, b.Retail)
	r.dropCall(f.Call, w)
	return nil
}

func (r *React) refused(ctx context.Context, f *store.Fact, now time.Time) error {
	var b fact.CallRefused
	if r.bad(b.Decode(f.Body)) {
		return nil
	}
	reason, err := policy.ParseReason(b.Reason)
	if err == nil {
		r.refusedBy(f, reason, b.Limit, b.PerMinute)
	}
	if err != nil || !reason.OfDestination() || b.Direction == string(call.In) {
		return nil
	}
	c, ok := r.call(b.Number, b.Class, 0, false, f.At)
	if !ok {
		return nil
	}
	c.Line, c.Account = habit.Hash(f.Line), habit.Hash(f.Account)
	return r.step(ctx, f, now, &habit.Event{Kind: habit.Refused, Call: &c})
}

// vouched is that the owner or staff said that calls were honest.
func (r *React) vouched(ctx context.Context, f *store.Fact, now time.Time) error {
	var b fact.CallsVouched
	if r.bad(b.Decode(f.Body)) {
		return nil
	}
	for key, a := range r.answers {
		if a.Account == f.Account && (a.Line == f.Line || a.Line == "") {
			delete(r.answers, key)
			r.gone[pending+key] = true
		}
	}
	if err := r.lifted(ctx, f, now); err != nil {
		return err
	}
	r.figures.vouched(b.Key)
	r.figured = true
	r.distrust(b.Key, f.At)
	return nil
}

// confirmed is that a case found the calls of a finding to be a fraud.
func (r *React) confirmed(f *store.Fact) {
	var b fact.CallsConfirmed
	if !r.bad(b.Decode(f.Body)) {
		r.figures.confirmed(b.Key)
		r.figured = true
	}
}

// lifted restores what is remembered of a line and its customer, or of the customer alone.
func (r *React) lifted(ctx context.Context, f *store.Fact, now time.Time) error {
	if f.Line != "" {
		return r.step(ctx, f, now, &habit.Event{Kind: habit.Lifted})
	}
	whole, err := r.memory(ctx, "account/"+f.Account, f.At)
	if err == nil {
		state := habit.State{Line: &habit.Memory{}, Account: &whole.Memory, World: &r.world, Notes: &r.notes}
		r.rules.Step(&state, &habit.Event{Kind: habit.Lifted}, f.At)
		r.dirty["account/"+f.Account] = whole
	}
	return err
}

// distrust takes an answer to a finding: a rule that is too often wrong goes back from live to canary, and from there to shadow.
func (r *React) distrust(key string, at time.Time) {
	kind, back := r.trust.Vouched(key)
	r.trusted = true
	if !back {
		return
	}
	r.trustRules()
	body := fact.CallsRuleBack{Measure: kind.String(), Life: r.rules.Meters[kind].Life.String()}
	row := body.Row(at, fact.Subject{})
	row.Key = store.Short("rule-back/" + key)
	r.found = append(r.found, row)
	r.o.Log.Warn("a rule for unusual calls was too often wrong and is trusted less; change it in the configuration to trust it again", "rule", "watch."+body.Measure, "life", body.Life)
}

func (r *React) bad(err error) bool {
	if err != nil {
		r.stats.Bad++
	}
	return err != nil
}

// hour is that of the week in a zone; 0 is Monday 00:00 to 00:59.
func hour(at time.Time, zone *time.Location) uint8 {
	if zone != nil {
		at = at.In(zone)
	}
	return uint8((int(at.Weekday())+6)%7*24 + at.Hour())
}

// keyOf names a finding: a replay of the same facts gives the same.
func keyOf(f *habit.Finding, id call.ID, at time.Time) string {
	return detect.UnusualCalls.String() + "/" + f.Meter.String() + "/" + string(id) + "/" + strconv.FormatInt(at.Unix(), 10)
}

// origins are the hashes of the networks and products that calls come from: there are few, and calls many.
type origins struct {
	places  map[netip.Addr]uint32
	devices map[string]uint32
}

// mostOrigins bounds each table: anybody can invent a User-Agent.
const mostOrigins = 1 << 14

func (o *origins) place(addr netip.Addr) uint32 {
	h, ok := o.places[addr]
	if !ok && addr.IsValid() {
		if h = habit.Hash(detect.Place(addr, 0)); len(o.places) >= mostOrigins || o.places == nil {
			o.places = map[netip.Addr]uint32{}
		}
		o.places[addr] = h
	}
	return h
}

func (o *origins) device(agent string) uint32 {
	h, ok := o.devices[agent]
	if !ok && agent != "" {
		if h = habit.Hash(detect.Family(agent)); len(o.devices) >= mostOrigins || o.devices == nil {
			o.devices = map[string]uint32{}
		}
		o.devices[agent] = h
	}
	return h
}
