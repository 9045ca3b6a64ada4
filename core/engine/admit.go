package engine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
)

// Attempt is a call that an edge wants to let through.
type Attempt struct {
	Line      string // who calls, as auth said; "" when it comes in from Trunk
	Trunk     string // the trunk it comes in from
	Dialled   string // digits as dialled; percent-decoded user part
	Context   string // phone-context that came with them (RFC 3966): "+44"; "" is none
	Source    netip.AddrPort
	From      restrict.From // of Source and UserAgent, for restrictions; zero is not known
	UserAgent string
	ALeg      string // SIP Call-ID
	Caller    string // the number that the phone asks to present or that the carrier gives, also when it is withheld
	Shown     string // of a call that comes in: the number that the called party would be shown, if it is not Caller
	Withheld  bool   // it asks that the number be withheld
	// Restricted: the login was right but is refused for where it comes from. Only an emergency call passes.
	Restricted bool
	// Tight names the probation that the login is on (auth.Result.Tight); "" is none. Calls have tight limits.
	Tight string
	// Trusted: a person at the line has confirmed a call to this number a short while ago, so that no question is asked again.
	Trusted bool
	// Mute: there is no voice here that could ask a question.
	Mute bool
	// Full: the edge carries as many calls as it may. Only an emergency call passes.
	Full bool
	Sent
}

// Sent is how a call was made that sends another one on: Line pays for it, and all limits of Line hold. The zero Sent is a call that was dialled.
type Sent struct {
	Cause  call.Cause
	Parent call.ID  // the call that is sent on
	Path   []string // the lines that have forwarded it so far, the latest last
	Turns  int      // how often it was sent on in all, also by others before it came here
}

// Place is where a call counts as coming from: a forward from nowhere that restrictions know.
func (s *Sent) Place(from restrict.From) restrict.From {
	if s.Cause.Forwards() {
		from.Origin = restrict.Nowhere
	}
	return from
}

// MaxTurns bounds how often a call may be sent on.
const MaxTurns = 5

// loops says that a call was sent on too often, or comes back to a line that has forwarded it.
func (s *Subject) loops() bool {
	if s.Turns > MaxTurns {
		return true
	}
	for i, line := range s.Path {
		if line == s.Peer || slices.Contains(s.Path[:i], line) {
			return true
		}
	}
	return false
}

// Refusal is a decision against a call, ready to be told. It is an error.
type Refusal struct {
	Reason  policy.Reason
	Figures policy.Figures
}

// Error is the sentence of the reason.
func (r *Refusal) Error() string { return r.Reason.Text(r.Figures) }

// Line is what the book says of a line at one instant.
type Line struct {
	Account  string
	Digits   uint64 // its E.164 number, to be presented as caller; 0 is none
	Settings *account.Effective
	Zone     *time.Location
	Deck     *rating.Deck // its tariff; nil: none is loaded
	Calendar rating.Calendar
	Locked   bool
	Since    time.Time // when its customer began, for what watches calls; zero is unknown
}

// Rules are what attempts are judged by. Their functions answer immediately.
type Rules struct {
	Plan  *phone.Plan
	Line  func(id string, now time.Time) (Line, bool)
	Owner func(digits uint64) (line string, ok bool)          // which line has a number, phone.Number.Digits()
	Short func(account, digits string) (line string, ok bool) // which line the others of an account call by a short number; nil: there are none
	Block func(phone.Number, time.Time) phone.Block           // what the regulator's table says of a number's block; nil: nothing
	Hot   func() *restrict.Hot                                // the hot lists; nil: there are none

	Shows  func(customer string, digits uint64) bool // whether a customer's lines may present a number; nil: only each its own
	Strict func() bool                               // calls that ask to present another number are refused; nil or false: they present the line's own
	Abroad func(trunk string) string                 // account.Trunk.Abroad; nil: no trunk brings calls from abroad
}

// Subject is an attempt understood: who, where to, at what price, under which settings.
type Subject struct {
	Attempt
	Now     time.Time
	Known   bool // there is such a line
	Dir     call.Direction
	Line    string // charged, or called for In
	Account string
	Peer    string
	Present uint64 // E.164 digits to present as caller; 0: as received
	Network uint64 // E.164 digits that carriers are told: the line's own number; 0: none

	Unverified bool             // the phone asks to present a number that is not verified, for which the call is refused
	Barred     *restrict.Listed // the entry of a hot list which says that nobody calls from the number to be presented; nil: none does
	Spoofed    bool             // a call from abroad gives a number of the home country
	Hide       bool             // its number is withheld from the called party, because nobody has checked that this mobile roams
	Dest       phone.Destination
	Problem    phone.Problem
	Free       bool // of an unallocated block
	Quote      rating.Quote
	Priced     bool
	Silence    rating.Silence   // why it is not priced
	Listed     *restrict.Listed // the entry of a hot list that names the number called, or of an inbound call the caller's; nil: none does
	Settings   *account.Effective
	Locked     bool
	Zone       *time.Location
	Verdict    policy.Verdict
	Text       Texts
}

// Texts are the id and the numbers of an attempt as records and the journal write them; "" is none.
type Texts struct {
	ID                                       call.ID
	Number, Source, Prefix, Present, Network string
}

// Spell fills in Text with an id, in one piece of memory: this is done for every call.
func (s *Subject) Spell(id []byte) {
	var room [128]byte
	b := s.Dest.Number.Append(append(room[:0], id...))
	number := len(b)
	if s.Source.IsValid() { // a forward comes from no phone
		b = s.Source.AppendTo(b)
	}
	source := len(b)
	if s.Present != 0 {
		b = strconv.AppendUint(b, s.Present, 10)
	}
	present := len(b)
	if s.Network != 0 && s.Network != s.Present {
		b = strconv.AppendUint(b, s.Network, 10)
	}
	all := string(b)
	s.Text = Texts{ID: call.ID(all[:len(id)]), Number: all[len(id):number], Source: all[number:source], Present: all[source:present], Network: all[present:]}
	if s.Network == s.Present {
		s.Text.Network = s.Text.Present
	}
	if s.Priced {
		s.Text.Prefix = prefixText(&s.Quote.Price, s.Text.Number)
	}
}

// nobody is the settings of a line that does not exist: everything barred.
var nobody account.Effective

// Understand gathers everything a decision needs. It changes nothing but the subject.
func (r *Rules) Understand(s *Subject, a *Attempt, now time.Time) {
	*s = Subject{Attempt: *a, Now: now, Dir: call.Out, Line: a.Line, Settings: &nobody}
	s.Dest, s.Problem = r.Plan.Parse(a.Dialled)
	if a.Context != "" && s.Dest.Class != phone.Emergency {
		r.inContext(s)
	}
	if a.Trunk != "" {
		r.inbound(s)
		return
	}
	l, ok := r.Line(a.Line, now)
	if !ok {
		return
	}
	s.Known, s.Account, s.Settings, s.Locked, s.Zone = true, l.Account, l.Settings, l.Locked, l.Zone
	r.identity(s, l.Digits)
	if s.Problem != phone.NoProblem {
		r.internal(s)
		return
	}
	if s.Dest.Number.Short() {
		s.price(&l)
		return
	}
	s.Listed = r.listed(s.Dest.Number, restrict.Out, now)
	if peer, ok := r.Owner(s.Dest.Number.Digits()); ok && s.Dest.Relay == 0 { // text relay is the carrier's
		s.Dir, s.Peer, s.Dest.Class, s.Priced = call.Between, peer, phone.OnNet, true
		s.Quote = s.noCharge("on-net")
		return
	}
	s.Free = s.Dest.National && r.Block != nil && r.Block(s.Dest.Number, now) == phone.BlockFree
	s.price(&l)
}

// internal reads a short number of the caller's account. The numbering plan comes first: only what it does not read gets here.
func (r *Rules) internal(s *Subject) {
	digits := strings.TrimSuffix(s.Dialled, "#")
	dest, ok := r.Plan.Internal(digits)
	if !ok || s.Context != "" || r.Short == nil {
		return
	}
	if peer, ok := r.Short(s.Account, digits); ok {
		s.Dest, s.Problem, s.Dir, s.Peer, s.Priced = dest, phone.NoProblem, call.Between, peer, true
		s.Quote = s.noCharge("on-net")
	}
}

// inContext reads a number that is local to a phone-context (RFC 3966 5.1.5): the home country, where it is as it is dialled there or lacks
// its prefix, or an area of it. What is local to somewhere else is not to be guessed.
func (r *Rules) inContext(s *Subject) {
	home := r.Plan.Home()
	if s.Context == home && s.Problem == phone.NoProblem {
		return
	}
	if strings.HasPrefix(s.Context, home) {
		if dest, problem := r.Plan.Parse(s.Context + s.Dialled); problem == phone.NoProblem {
			s.Dest, s.Problem = dest, problem
			return
		}
	}
	s.Dest, s.Problem = phone.Destination{}, phone.NoPrefix
}

// inbound finds the line that a carrier's call is for. Such calls are free to it and not judged.
func (r *Rules) inbound(s *Subject) {
	s.Dir, s.Peer, s.Priced = call.In, s.Trunk, true
	s.Dest.Show, s.Dest.Relay = phone.AsSet, 0 // codes are a line's to dial: what a carrier sends of its callers, its headers say
	s.Quote = s.noCharge("inbound")
	if s.Problem != phone.NoProblem {
		return
	}
	if id, ok := r.Owner(s.Dest.Number.Digits()); ok {
		r.called(s, id)
	}
}

func (r *Rules) called(s *Subject, id string) {
	if l, ok := r.Line(id, s.Now); ok {
		s.Known, s.Line, s.Account, s.Settings = true, id, l.Account, l.Settings
		r.calledFrom(s)
	}
}

// Called is Understand for a call that a carrier brings and of which the line is known, also if no number leads there.
func (r *Rules) Called(s *Subject, a *Attempt, id string, now time.Time) {
	*s = Subject{Attempt: *a, Now: now, Dir: call.In, Peer: a.Trunk, Settings: &nobody, Priced: true}
	if a.Dialled != "" {
		s.Dest, _ = r.Plan.Parse(a.Dialled)
		s.Dest.Show, s.Dest.Relay = phone.AsSet, 0
	}
	s.Quote = s.noCharge("inbound")
	r.called(s, id)
}

// listed asks the hot lists.
func (r *Rules) listed(n phone.Number, way restrict.Way, now time.Time) *restrict.Listed {
	if r.Hot == nil {
		return nil
	}
	return r.Hot().Find(n, way, now)
}

// price fixes the retail price that the call keeps, if the line's tariff has one.
func (s *Subject) price(l *Line) {
	if l.Deck == nil {
		s.Silence = rating.NoRow
		return
	}
	p, silence := l.Deck.Price(s.Dest, s.Now)
	if s.Silence = silence; silence == rating.Priced {
		s.Quote, s.Priced = p.Quote(l.Calendar, s.Now), true
	}
}

// noCharge is the price of calls that never cost anything.
func (s *Subject) noCharge(name string) rating.Quote {
	n := s.Dest.Number
	return rating.Quote{Price: rating.Price{Prefix: n.Digits(), Short: n.Short(), Name: name, First: 1, Step: 1}, Start: s.Now}
}

// Asked is the attempt as the rules of policy judge it.
func (s *Subject) Asked() (policy.Facts, policy.Attempt) {
	at := policy.Attempt{
		Silence: s.Silence, Dest: s.Dest, Invalid: s.Problem, Source: s.Source.Addr(), From: s.From, Free: s.Free, Listed: s.Listed, Forwarded: s.Cause.Forwards(),
		Unverified: s.Unverified, PresentedListed: s.Barred, SentOn: s.Cause != call.Dialled,
	}
	if s.Priced {
		at.Quote = &s.Quote
	}
	return policy.Facts{Inactive: !s.Known, Locked: s.Locked, Tight: s.Tight != "", Zone: s.Zone, Trusted: s.Trusted, Mute: s.Mute}, at
}

// Counted is the refusal of a condition that n calls or attempts stand against.
func Counted(c *policy.Condition, n int64) *Refusal {
	if c.Closing != nil {
		f := policy.ClosedBy(c.Closing)
		f.Value = n
		return &Refusal{Reason: c.Reason, Figures: f}
	}
	return &Refusal{Reason: c.Reason, Figures: policy.Figures{Limit: c.Limit, Value: n, Pass: n + 1}}
}

// Judge is everything that refuses without touching a count or a purse. stopping: no new calls are taken but emergency ones.
func (s *Subject) Judge(stopping bool) *Refusal {
	if s.Dir == call.In {
		return s.judgeInbound(stopping)
	}
	switch {
	case s.Cause == call.Dialled:
	case s.loops():
		return &Refusal{Reason: policy.SentOnTooOften}
	case s.Problem == phone.NoProblem && s.Dest.Class == phone.Emergency: // it would be let out without any limit, for a caller whom nobody knows
		return &Refusal{Reason: policy.SentToEmergency}
	}
	facts, at := s.Asked()
	s.Verdict = policy.Decide(s.Settings, facts, at, s.Now)
	switch {
	case s.Verdict.Always:
		return nil
	case s.Restricted && s.Verdict.Reason != policy.LoginClosed:
		return &Refusal{Reason: policy.AddressLocked}
	case !s.Verdict.Allowed():
		return &Refusal{Reason: s.Verdict.Reason, Figures: s.Verdict.Figures}
	case s.Full:
		return &Refusal{Reason: policy.Overloaded}
	case stopping:
		return &Refusal{Reason: policy.Stopping}
	}
	return nil
}

func (s *Subject) judgeInbound(stopping bool) *Refusal {
	switch {
	case s.Problem != phone.NoProblem || s.Line == "":
		return &Refusal{Reason: policy.NoSuchLine}
	case s.Listed != nil || s.Spoofed:
		return s.judgeCaller()
	case s.Full:
		return &Refusal{Reason: policy.Overloaded}
	case stopping:
		return &Refusal{Reason: policy.Stopping}
	}
	s.Verdict.Longest = time.Duration(s.Settings.Values[account.LongestCall]) * time.Second
	return nil
}

// Costs says whether the call may cost the line anything. If no second of it can ever, no purse is asked.
func (s *Subject) Costs() bool {
	p := &s.Quote.Price
	return s.Dir != call.In && !s.Verdict.Always && (p.Dearest() != 0 || p.Connect != 0 || p.Minimum != 0)
}

// longestEver bounds calls that no setting bounds, so that nothing is open for ever.
const longestEver = 24 * time.Hour

// Begin makes a zero Call the one that an attempt becomes when it is let out, with nothing held yet. See Name.
func (s *Subject) Begin(c *Call) {
	longest := s.Verdict.Longest
	if longest <= 0 {
		longest = longestEver
	}
	c.Always, c.Costs, c.Dest, c.From = s.Verdict.Always, s.Costs(), s.Dest, s.From
	o := &c.Open
	o.Direction, o.State, o.Line, o.Account, o.Peer = s.Dir, call.Setup, s.Line, s.Account, s.Peer
	o.Quote, o.Longest, o.PaidFor, o.Begun = s.Quote, longest, longest, s.Now
	if s.Verdict.Always {
		o.Quote = s.noCharge(phone.Emergency.String()) // never charged, whatever a deck says of the number
	}
}

// Name gives a call the names by which its record and the journal know it, once they are spelt.
func (s *Subject) Name(o *call.Open) {
	o.ID, o.Dialled, o.Number, o.Class, o.Country = s.Text.ID, s.Dialled, s.Text.Number, s.Dest.Class.String(), s.Dest.Country.String()
	o.Source, o.UserAgent, o.ALeg, o.Cause, o.Parent = s.Text.Source, s.UserAgent, s.ALeg, s.Cause, s.Parent
	if s.Dir == call.In {
		o.Trunk = s.Trunk
	}
}
