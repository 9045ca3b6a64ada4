// Package verify gives the verdicts of a journal again, from the facts before each, and says which would be others now. It must not decide anything:
// that is core/engine's.
package verify

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/state/counters/memory"
	"ringfence/state/store"
)

// Report says what became of the verdicts of a journal when they were given again.
type Report struct {
	Facts    int64   `json:"facts"`
	Verdicts int64   `json:"verdicts"` // calls that were admitted, refused or cut
	Same     int64   `json:"same"`     // byte for byte
	Outside  int64   `json:"outside"`  // of these: refused for what no journal holds (a phone that is not there, a store that failed), after every rule had passed
	Unknown  int64   `json:"unknown"`  // calls of lines that are not in the book any more, or without their settings
	Others   int64   `json:"different"`
	First    []Other `json:"first_different,omitempty"`
}

// Other is a verdict that would be another now.
type Other struct {
	Seq     int64   `json:"seq"`
	Call    call.ID `json:"call,omitempty"`
	Journal string  `json:"journal"`
	Now     string  `json:"now"`
}

// mostOthers bounds how many are kept; all are counted.
const mostOthers = 20

// Journal gives the verdicts of a journal again: each call that was admitted or refused is understood and judged once more by the rules of the engine, from what the
// facts before it say of settings, money and calls, and the fact that the engine would write is compared with the one that stands there. Numbers, zones and tariffs
// of lines are those of the book now, prices those of the version that was in force.
func Journal(ctx context.Context, db store.Store, b *book.Book, o Options) (*Report, error) {
	v := &verifier{
		o: o, book: b, rules: b.Rules(), settings: map[string]*account.Effective{}, purses: map[string]*engine.Purse{}, changes: map[string][]change{},
		open: map[call.ID]*held{}, ends: map[call.ID]time.Time{}, spans: map[string][]span{}, brief: map[string][]time.Time{}, counts: memory.New(), lossy: map[string]time.Time{}, decks: map[string][]version{},
	}
	v.rules.Block = o.Block
	if err := v.loadDecks(ctx, db); err != nil {
		return nil, err
	}
	last, err := db.Facts(ctx, store.FactFilter{Before: math.MaxInt64, Limit: 1})
	if err != nil || len(last) == 0 {
		return &v.out, err
	}
	eachFact := func(kind string, do func(*store.Fact) error) error {
		return eachFact(ctx, db, kind, last[0].Seq, do)
	}
	// What comes after the facts that it is asked for with.
	err = eachFact(fact.KindCallSettled, func(f *store.Fact) error { v.ends[f.Call] = f.At; return nil })
	if err == nil {
		err = eachFact(fact.KindSettingsSeen, v.seen)
	}
	if err == nil {
		err = eachFact(fact.KindCallRefused, v.passing)
	}
	if err == nil {
		err = eachFact("", v.fact)
	}
	return &v.out, err
}

// Options say by what verdicts are given again, beside the book.
type Options struct {
	Terms engine.Terms
	Block func(phone.Number, time.Time) phone.Block
}

// factPage is how many facts are read at once.
const factPage = 5000

// eachFact gives the facts of a kind up to the last. Those that a server writes meanwhile are of no reading: the next one would know more than the one before it.
func eachFact(ctx context.Context, db store.Store, kind string, last int64, do func(*store.Fact) error) error {
	for after := int64(0); ; {
		facts, err := db.Facts(ctx, store.FactFilter{After: after, Kind: kind, Limit: factPage})
		if err != nil {
			return err
		}
		for i := range facts {
			if facts[i].Seq > last {
				return nil
			}
			if after = facts[i].Seq; kind != "" && facts[i].Kind != kind { // the filter takes a prefix
				continue
			}
			if err := do(&facts[i]); err != nil {
				return fmt.Errorf("fact %d (%s): %w", facts[i].Seq, facts[i].Kind, err)
			}
		}
		if len(facts) < factPage {
			return nil
		}
	}
}

// verifier is the state that the facts so far tell of.
type verifier struct {
	o        Options
	out      Report
	book     *book.Book
	rules    engine.Rules
	decks    map[string][]version // by name, the newest first
	settings map[string]*account.Effective
	purses   map[string]*engine.Purse
	changes  map[string][]change // of purses, by account: the latest
	open     map[call.ID]*held
	ends     map[call.ID]time.Time  // when each call ended, also of those that come
	spans    map[string][]span      // calls of lines, until a minute after their ends
	brief    map[string][]time.Time // attempts of lines that were counted among their calls until something else refused them
	counts   *memory.Counters
	lossy    map[string]time.Time // until when attempts of a line are not told one by one
}

type version struct {
	since time.Time
	deck  *rating.Deck
}

// held is what an open call holds.
type held struct {
	account string
	purses  []*engine.Purse
	amount  money.Micro
}

// change is what a fact did to purses.
type change struct {
	purses      []*engine.Purse
	held, spent money.Micro
}

func (c *change) do(sign money.Micro) {
	for _, p := range c.purses {
		p.Held += sign * c.held
		p.Spent += sign * c.spent
	}
}

// span is a call of a line.
type span struct {
	from, until time.Time // until is zero while the journal has no end of it
	abroad      bool
}

func (v *verifier) loadDecks(ctx context.Context, db store.Store) error {
	heads, err := db.Decks(ctx)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if h.Kind != rating.Retail || h.Currency != money.Billing().Code {
			continue
		}
		rows, err := db.DeckRows(ctx, h.Name, h.Version)
		if err != nil {
			return err
		}
		covers, err := rating.ParseCovers(h.Covers)
		if err != nil {
			return err
		}
		built, err := rating.Build(rows, covers)
		if err != nil {
			return fmt.Errorf("deck %s version %d: %w", h.Name, h.Version, err)
		}
		v.decks[h.Name] = append(v.decks[h.Name], version{h.Imported, built})
	}
	for _, all := range v.decks {
		slices.SortFunc(all, func(a, b version) int { return b.since.Compare(a.since) })
	}
	return nil
}

// fact takes the next fact of the journal.
func (v *verifier) fact(row *store.Fact) error {
	v.out.Facts++
	switch row.Kind {
	case fact.KindCallRefused:
		return v.refused(row)
	case fact.KindCallsRefused:
		v.lossy[row.Line] = row.At.Add(time.Minute)
	case fact.KindCallAdmitted:
		return v.admitted(row)
	case fact.KindSliceHeld:
		return v.slice(row)
	case fact.KindCallCut:
		return v.cut(row)
	case fact.KindCallSettled:
		return v.settled(row)
	}
	return nil
}

// seen reads settings as engine.Settings writes them.
func (v *verifier) seen(row *store.Fact) error {
	var f fact.SettingsSeen
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	e, err := account.ReadEffective(f.Effective)
	if err != nil {
		return err
	}
	v.settings[f.Settings] = e
	return nil
}

// told is what a fact says of an attempt.
type told struct {
	a         engine.Attempt
	dir, peer string
	locked    bool
	settings  string
	presented string           // the number that was shown, where it was another
	listed    *restrict.Listed // the entry of a hot list that a refusal names
	hidden    bool             // the number was withheld because it came from abroad
}

// understand makes the subject of an attempt again. False: that is not known any more.
func (v *verifier) understand(s *engine.Subject, row *store.Fact, t *told) bool {
	settings, seen := v.settings[t.settings]
	ln, known := v.book.Line(row.Line)
	if !seen || !known {
		return false
	}
	x := engine.Line{Account: ln.Customer(), Digits: ln.Digits(), Settings: settings, Zone: ln.Zone(), Locked: t.locked}
	_, x.Calendar = ln.Retail()
	for _, d := range v.decks[ln.Tariff()] {
		if !d.since.After(row.At) {
			x.Deck = d.deck
			break
		}
	}
	rules, hot := v.rules, (*restrict.Hot)(nil)
	if t.listed != nil {
		hot = restrict.HotOf([]restrict.Listed{*t.listed})
	}
	rules.Hot = func() *restrict.Hot { return hot } // those of that day are in no fact: the entry that a refusal names is believed, and must fit the call
	rules.Line = func(string, time.Time) (engine.Line, bool) { return x, true }
	rules.Owner = func(uint64) (string, bool) {
		if t.dir == string(call.In) {
			return row.Line, true
		}
		return t.peer, t.dir == string(call.Between)
	}
	rules.Short = func(string, string) (string, bool) { return t.peer, t.dir == string(call.Between) }
	if t.dir != string(call.In) {
		t.a.Line, t.a.Trunk = row.Line, ""
	} else {
		t.a.Shown = t.presented
	}
	rules.Shows = func(_ string, digits uint64) bool { return t.presented == "+"+strconv.FormatUint(digits, 10) } // those of that day are in no fact
	rules.Abroad = func(string) string {
		if t.hidden {
			return account.AbroadCalls
		}
		return account.HomeCalls
	}
	if len(settings.Restrictions) > 0 {
		t.a.From = t.a.Place(habit.From(t.a.Source.Addr(), t.a.UserAgent))
	}
	rules.Understand(s, &t.a, row.At)
	s.Spell([]byte(row.Call))
	return true
}

func (v *verifier) refused(row *store.Fact) error {
	var f fact.CallRefused
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	v.out.Verdicts++
	s, t := &engine.Subject{}, told{
		engine.Attempt{Trunk: f.Trunk, Dialled: f.Dialled, Source: port(f.Source), UserAgent: f.Agent, ALeg: f.ALeg, Caller: f.Caller, Withheld: f.Withheld, Sent: sentOn(f.Cause, f.Parent)}, f.Direction, f.Peer, f.Locked, f.Settings, f.Presented, listedIn(&f), false,
	}
	t.a.Mute = f.Reason == policy.QuestionUnasked.Code() && f.Value == policy.UnaskedMute
	if !v.understand(s, row, &t) {
		v.out.Unknown++
		return nil
	}
	reason, err := policy.ParseReason(f.Reason)
	if err != nil {
		return err
	}
	same := func(r *engine.Refusal) bool {
		again := s.Refused(r, f.Settings)
		again.Encode()
		return bytes.Equal(again.Body, row.Body)
	}
	if r := s.Judge(false); r != nil {
		if t.listed != nil {
			v.out.Outside++
		}
		v.judged(row, same(r), func() string { return r.Error() })
		return nil
	}
	counted := v.count(s, row, reason, f.Value)
	switch {
	case counted != nil:
		v.judged(row, same(counted), func() string { return counted.Error() })
	case v.spent(s, &f, reason, same):
		v.judged(row, true, nil)
	case shared(reason) && same(&engine.Refusal{Reason: reason, Figures: policy.Figures{
		Limit: f.Limit, Value: f.Value, Pass: f.Pass, Waiting: policy.Waiting{Amount: int64(f.Waiting), Ringing: f.Ringing, Ending: f.Ending},
	}}):
		v.out.Outside++
		v.judged(row, true, nil)
	case outside(reason) && same(&engine.Refusal{Reason: reason}):
		v.out.Outside++
		v.judged(row, true, nil)
	default:
		v.judged(row, false, func() string { return "allowed by every rule" })
	}
	return nil
}

// listedIn is the entry of a hot list that a refusal names, by the range and the end in its figures and the list in its text; nil: it names none.
func listedIn(f *fact.CallRefused) *restrict.Listed {
	way, ok := map[string]restrict.Way{
		policy.DestinationClosed.Code(): restrict.Out, policy.CallerListed.Code(): restrict.In, policy.PresentedListed.Code(): restrict.Presented,
	}[f.Reason]
	_, rest, named := strings.Cut(f.Text, " is on the hot list ")
	list, _, ended := strings.Cut(rest, " ")
	if !ok || !named || !ended {
		return nil
	}
	l := &restrict.Listed{List: list, Range: restrict.Range{Prefix: uint64(f.Value), Digits: len(strconv.FormatInt(f.Value, 10))}, Way: way}
	if f.Pass > 0 {
		l.Until = time.Unix(f.Pass, 0)
	}
	return l
}

// shared says that a reason is of what neither the settings of a line nor its calls say: what the customers of a reseller spend together, and the questions
// that a line failed.
func shared(r policy.Reason) bool {
	return r == policy.ResellerDaySpent || r == policy.ResellerMonthSpent || r == policy.QuestionsSpent
}

// outside says that a reason is not of a rule that reads settings, money and calls.
func outside(r policy.Reason) bool {
	switch r {
	case policy.AddressLocked, policy.NotRegistered, policy.NoTrunk, policy.Overloaded, policy.Stopping, policy.StoreUnavailable, policy.RecordsLost, policy.SentOnTooOften,
		policy.NumberNotVerified, policy.SpoofedHome:
		return true
	}
	return false
}

// sentOn is how a call was made that nobody dialled. How often it was sent on is in no fact.
func sentOn(cause, parent string) engine.Sent {
	return engine.Sent{Cause: call.Cause(cause), Parent: call.ID(parent)}
}

func port(s fact.Source) netip.AddrPort {
	if !s.Addr.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(s.Addr, s.Port)
}

func (v *verifier) judged(row *store.Fact, same bool, now func() string) {
	if same {
		v.out.Same++
		return
	}
	if v.out.Others++; len(v.out.First) < mostOthers {
		v.out.First = append(v.out.First, Other{row.Seq, row.Call, string(row.Body), now()})
	}
}

// moment is for how long after an attempt its verdict may still have been on its way to the journal.
const moment = 2 * time.Second

// passing remembers an attempt that was counted among its line's calls for a moment.
func (v *verifier) passing(row *store.Fact) error {
	var f fact.CallRefused
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	reason, err := policy.ParseReason(f.Reason)
	if _, spent := engine.SpentPurse(reason); spent || reason == policy.TooManyInternational || reason == policy.TooManyRestricted {
		v.brief[row.Line] = append(v.brief[row.Line], row.At)
	}
	return err
}

// count takes the conditions that count calls. For an attempt that was refused, reason says why, and value what was counted: that is believed as far as the
// journal has as many calls, and attempts, in the moment around it.
func (v *verifier) count(s *engine.Subject, row *store.Fact, reason policy.Reason, value int64) *engine.Refusal {
	if s.Dir == call.In || s.Verdict.Always {
		return nil
	}
	for i := range s.Verdict.Conditions[:s.Verdict.N] {
		c := &s.Verdict.Conditions[i]
		lost := s.Now.Before(v.lossy[s.Line])
		switch c.Kind {
		case policy.CondRate:
			n, ok := v.counts.Hit(memory.Key{Of: s.Line, Window: c.Window}, c.Limit, s.Now)
			if lost && (reason == c.Reason) == ok {
				n, ok = c.Limit, !ok
			}
			if !ok {
				return engine.Counted(c, n)
			}
		case policy.CondOpen, policy.CondOpenAbroad:
			least, most := v.inUse(s.Line, row.At, c.Kind == policy.CondOpenAbroad)
			switch {
			case reason == c.Reason && value >= max(least, c.Limit) && (value <= most || lost):
				return engine.Counted(c, value)
			case least >= c.Limit:
				return engine.Counted(c, least)
			}
		}
	}
	return nil
}

// inUse is how many calls a line had at an instant and in the moment around it: the least and the most.
func (v *verifier) inUse(line string, at time.Time, abroad bool) (least, most int64) {
	v.spans[line] = slices.DeleteFunc(v.spans[line], func(s span) bool { return !s.until.IsZero() && at.Sub(s.until) > time.Minute })
	for _, s := range v.spans[line] {
		if abroad && !s.abroad || !s.until.IsZero() && !s.until.After(at) {
			continue
		}
		if most++; s.until.IsZero() || s.until.Sub(at) > moment {
			least++
		}
	}
	brief := v.brief[line]
	for len(brief) > 0 && at.Sub(brief[0]) > time.Minute {
		brief = brief[1:]
	}
	v.brief[line] = brief
	for _, b := range brief {
		if d := at.Sub(b); d.Abs() <= moment && d != 0 {
			most++
		}
	}
	return least, most
}

// spent says that the purses would have refused the call in the same words, as they are or were before the latest changes: a refusal comes to the journal after
// what was committed meanwhile. What of it is held by calls that ring or are ending is what the fact says, as far as so much is held.
func (v *verifier) spent(s *engine.Subject, f *fact.CallRefused, reason policy.Reason, same func(*engine.Refusal) bool) bool {
	if _, of := engine.SpentPurse(reason); !of || !s.Costs() {
		return false
	}
	holds := v.holds(s)
	latest := v.changes[s.Account]
	back := len(latest)
	found := false
	for {
		if r := v.first(s, holds); r != nil && r.Reason == reason {
			r.Figures.Waiting = policy.Waiting{Amount: int64(f.Waiting), Ringing: f.Ringing, Ending: f.Ending}
			if found = same(r); found {
				break
			}
		}
		if back == 0 {
			break
		}
		back--
		latest[back].do(-1)
	}
	for ; back < len(latest); back++ {
		latest[back].do(1)
	}
	return found
}

// holds are the purses that a call draws on.
func (v *verifier) holds(s *engine.Subject) (holds []engine.Hold) {
	ids := engine.PurseIDs(s.Line, s.Account, s.Zone, s.Now)
	for _, c := range s.Verdict.Conditions[:s.Verdict.N] {
		if c.Kind != policy.CondPurse || c.Purse >= policy.Probation {
			continue
		}
		p := v.purses[ids[c.Purse]]
		if p == nil {
			p = &engine.Purse{}
			v.purses[ids[c.Purse]] = p
		}
		holds = append(holds, engine.Hold{Purse: p, Kind: c.Purse, Cap: money.Micro(c.Limit)})
	}
	return holds
}

// first asks for a first slice, and gives back what it held; nil: the purses have it.
func (v *verifier) first(s *engine.Subject, holds []engine.Hold) *engine.Refusal {
	var c engine.Call
	s.Begin(&c)
	for ask := c.First(v.o.Terms); ; {
		refused, room := engine.HoldAll(holds, ask.Amount())
		if refused == nil {
			for i := range holds {
				holds[i].Purse.Held -= ask.Amount()
			}
			return nil
		}
		if ask.Refused(room) != engine.Again {
			return refused.Refusal(room, ask.Least())
		}
	}
}

func (v *verifier) admitted(row *store.Fact) error {
	var f fact.CallAdmitted
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	v.out.Verdicts++
	s, t := &engine.Subject{}, told{
		engine.Attempt{Trunk: f.Trunk, Dialled: f.Dialled, Source: port(f.Source), UserAgent: f.Agent, ALeg: f.ALeg, Caller: f.Caller, Withheld: f.Withheld, Sent: sentOn(f.Cause, f.Parent)}, f.Direction, f.Peer, f.Locked, f.Settings, f.Presented, nil, f.Hidden,
	}
	t.a.Trusted = engine.TrustedIn(&f)
	if !v.understand(s, row, &t) {
		v.out.Unknown++
		return nil
	}
	r := s.Judge(false)
	if r == nil {
		r = v.count(s, row, policy.OK, 0)
	}
	if r != nil {
		v.judged(row, false, r.Error)
		return nil
	}
	var c engine.Call
	s.Begin(&c)
	var holds []engine.Hold
	if s.Costs() {
		holds = v.holds(s)
	}
	ask := c.First(v.o.Terms)
	for refused, room := engine.HoldAll(holds, ask.Amount()); refused != nil; refused, room = engine.HoldAll(holds, ask.Amount()) {
		if ask.Refused(room) != engine.Again {
			r := refused.Refusal(room, ask.Least())
			v.judged(row, false, r.Error)
			return nil
		}
	}
	c.Take(&ask)
	s.Name(&c.Open)
	again := s.Admitted(&c.Open, f.Settings)[0]
	again.Encode()
	v.judged(row, bytes.Equal(again.Body, row.Body), func() string { return string(again.Body) })
	v.begins(row, s, holds, c.Open.Held)
	return nil
}

// begins remembers a call that was let out, and what it holds.
func (v *verifier) begins(row *store.Fact, s *engine.Subject, holds []engine.Hold, amount money.Micro) {
	h := &held{account: s.Account, amount: amount}
	for i := range holds {
		h.purses = append(h.purses, holds[i].Purse)
	}
	v.open[row.Call] = h
	v.remember(s.Account, change{h.purses, amount, 0})
	if s.Dir != call.In {
		far := !s.Dest.National && s.Dest.Class != phone.OnNet && !s.Verdict.Always
		v.spans[s.Line] = append(v.spans[s.Line], span{row.At, v.ends[row.Call], far})
	}
}

// latestChanges is how many changes of an account's purses are remembered.
const latestChanges = 32

func (v *verifier) remember(account string, c change) {
	all := append(v.changes[account], c)
	v.changes[account] = all[max(len(all)-latestChanges, 0):]
}

func (v *verifier) slice(row *store.Fact) error {
	var f fact.SliceHeld
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	if h := v.open[row.Call]; h != nil {
		c := change{h.purses, f.Held - h.amount, 0}
		c.do(1)
		h.amount = f.Held
		v.remember(h.account, c)
	}
	return nil
}

func (v *verifier) settled(row *store.Fact) error {
	var f fact.CallSettled
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	if h := v.open[row.Call]; h != nil {
		c := change{h.purses, -h.amount, f.Retail}
		c.do(1)
		v.remember(h.account, c)
		delete(v.open, row.Call)
	}
	return nil
}

// cut says a cut again: its reason and figures are the journal's, and the words those of the rules.
func (v *verifier) cut(row *store.Fact) error {
	var f fact.CallCut
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	reason, err := policy.ParseReason(f.Reason)
	if err != nil {
		return err
	}
	v.out.Verdicts++
	f.Text = reason.Text(policy.Figures{
		Limit: f.Limit, Value: f.Value, Pass: f.Pass, Waiting: policy.Waiting{Amount: int64(f.Waiting), Ringing: f.Ringing, Ending: f.Ending},
	})
	body := f.Append(nil)
	v.judged(row, bytes.Equal(body, row.Body), func() string { return string(body) })
	return nil
}
