package policy

import (
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/restrict"
)

// outcome of one rule.
type outcome uint8

const (
	passed  outcome = iota
	refused         // this rule stops the call
	skipped         // the rule has nothing to say about this attempt
)

// rule is one row of the table: the refusal it can give and the setting it reads.
type rule struct {
	reason Reason
	field  account.Field // NumFields: none
}

// rules in the order in which they are judged: who, then where from, then whether the line calls at all, then the
// number, then its price. A caller from a wrong address learns nothing about the line beyond that.
var rules = [...]rule{
	{NoSuchLine, account.NumFields},
	{AddressLocked, account.NumFields},
	{LoginClosed, account.NumFields},
	{LineLocked, account.NumFields},
	{NumberNotVerified, account.NumFields},
	{PresentedListed, account.NumFields},
	{NoService, account.NumFields},
	{NumberInvalid, account.NumFields},
	{NumberUnallocated, account.NumFields},
	{ClassBarred, account.NumFields},
	{ProbationClass, account.NumFields},
	{Unpriced, account.NumFields},
	{DestinationClosed, account.NumFields},
	{PremiumBarred, account.Premium},
	{SatelliteBarred, account.Satellite},
	{PersonalBarred, account.Personal},
	{PagerBarred, account.Pager},
	{OverNational, account.NationalCeiling},
	{OverInternational, account.InternationalCeiling},
	{QuestionRefused, account.Questions},
	{QuestionUnasked, account.NumFields},
}

// judge applies one rule. It is a switch and not functions in the table, because arguments of calls through pointers
// escape to the heap.
func (r *rule) judge(s *account.Effective, f Facts, a *Attempt, now time.Time) (outcome, Figures) {
	switch r.reason {
	case NoSuchLine:
		return pass(!f.Inactive), Figures{}
	case AddressLocked:
		if a.Forwarded {
			return skipped, Figures{}
		}
		return pass(s.Allows(a.Source)), Figures{}
	case LoginClosed:
		return judgeLogin(s, f, a, now)
	case LineLocked:
		return pass(!f.Locked), Figures{}
	case NumberNotVerified:
		if !a.Unverified {
			return skipped, Figures{}
		}
		return refused, Figures{}
	case PresentedListed:
		if a.PresentedListed == nil {
			return skipped, Figures{}
		}
		return refused, ListedBy(a.PresentedListed)
	case NoService:
		if a.Invalid == phone.NoService {
			return refused, Figures{}
		}
		return skipped, Figures{}
	case NumberInvalid:
		if a.Invalid == phone.NoService {
			return skipped, Figures{}
		}
		return pass(numbered(a)), Figures{Value: int64(a.Invalid)}
	}
	if !numbered(a) {
		return skipped, Figures{}
	}
	switch r.reason {
	case NumberUnallocated:
		if !a.Free {
			return skipped, Figures{}
		}
		return pass(!a.Dest.Class.Revenue()), Figures{}
	case ClassBarred:
		return pass(a.Dest.Class != phone.ClassUnknown && a.Dest.Class < phone.NumClasses), Figures{}
	case ProbationClass:
		return judgeProbation(f, a)
	case Unpriced:
		return pass(priced(a.Quote)), Figures{Value: int64(a.Silence)}
	case DestinationClosed:
		return judgeClosed(s, f, a, now)
	case PremiumBarred, SatelliteBarred, PersonalBarred, PagerBarred:
		return judgeSwitch(s, r, a)
	case OverNational:
		return judgeCeiling(s, account.NationalCeiling, a, !abroad(a))
	case OverInternational:
		return judgeCeiling(s, account.InternationalCeiling, a, abroad(a))
	case QuestionRefused, QuestionUnasked:
		return r.judgeQuestion(s, f, a, now)
	}
	return refused, Figures{} // a rule without a judge stops everything, so that its first test shows it
}

func (r *rule) from(s *account.Effective) account.Level {
	if r.field >= account.NumFields {
		return account.LevelDefault
	}
	return s.From[r.field]
}

// switchOf is the rule that may bar a class of number; OK is none. Premium stands for 09, 118 (directory enquiries cost as
// much) and premium numbers abroad. 070 and 076 look like mobiles, are capped like them, and are called for good reasons
// (bedside phones in hospitals, sole traders), so that their switches are on unless someone bars them. No real price of a
// satellite is near an ordinary ceiling: one that passes is a fault in the deck, so that switch is off.
func switchOf(c phone.Class) Reason {
	switch c {
	case phone.Premium, phone.Directory, phone.IntlPremium:
		return PremiumBarred
	case phone.Satellite:
		return SatelliteBarred
	case phone.Personal:
		return PersonalBarred
	case phone.Pager:
		return PagerBarred
	}
	return OK
}

// judgeSwitch asks whether this kind of number may be called. Where it may, the ceilings still apply: a switch says "this
// kind of number", never "at any price".
func judgeSwitch(s *account.Effective, r *rule, a *Attempt) (outcome, Figures) {
	if switchOf(a.Dest.Class) != r.reason {
		return skipped, Figures{}
	}
	on := s.Values[r.field]
	return pass(on > 0), Figures{Limit: on, Value: 1, Pass: 1}
}

// judgeClosed asks the restrictions of the line, its customer and everybody, and the hot lists. Limit is the one that refuses, Pass when it ends by itself: seconds since
// 1970, 0 is never.
func judgeClosed(s *account.Effective, f Facts, a *Attempt, now time.Time) (outcome, Figures) {
	if a.Listed != nil {
		return refused, ListedBy(a.Listed)
	}
	if len(s.Restrictions) == 0 {
		return skipped, Figures{}
	}
	c := a.restricted()
	r := restrict.Closing(s.Restrictions, &c, now, f.Zone, false)
	if r == nil {
		return passed, Figures{}
	}
	return refused, ClosedBy(r)
}

// judgeQuestion says what stands against asking the caller of a call that must be confirmed: the line's own setting, or that nobody can be asked. Limit is the
// restriction that asks.
func (r *rule) judgeQuestion(s *account.Effective, f Facts, a *Attempt, now time.Time) (outcome, Figures) {
	asks := asking(s, f, a, now)
	if asks == nil {
		return skipped, Figures{}
	}
	n := Figures{Limit: asks.ID}
	switch set := s.Values[account.Questions]; {
	case r.reason == QuestionRefused:
		return pass(set != account.QuestionsRefuse), n
	case set == account.QuestionsPass || f.Trusted:
		return skipped, n
	case a.SentOn:
		n.Value = UnaskedSentOn
	case f.Mute:
		n.Value = UnaskedMute
	}
	return pass(n.Value == 0), n
}

// asking is the restriction that wants the call confirmed, whatever the line's setting says; nil: none does.
func asking(s *account.Effective, f Facts, a *Attempt, now time.Time) *restrict.Restriction {
	if len(s.Restrictions) == 0 {
		return nil
	}
	c := a.restricted()
	return restrict.Asking(s.Restrictions, &c, now, f.Zone)
}

// question is the restriction by which the caller of a call that no rule refuses is asked; nil: nobody is.
func question(s *account.Effective, f Facts, a *Attempt, now time.Time) *restrict.Restriction {
	if f.Trusted || s.Values[account.Questions] == account.QuestionsPass {
		return nil
	}
	return asking(s, f, a, now)
}

// restricted is an attempt as restrictions see it.
func (a *Attempt) restricted() restrict.Call {
	c := restrict.Call{Dest: a.Dest, From: a.From}
	if a.Quote != nil {
		c.Price = &a.Quote.Price
	}
	return c
}

// judgeLogin asks whether a restriction refuses logins from where the call comes.
func judgeLogin(s *account.Effective, f Facts, a *Attempt, now time.Time) (outcome, Figures) {
	if len(s.Restrictions) == 0 {
		return skipped, Figures{}
	}
	if r := restrict.Login(s.Restrictions, a.From, now, f.Zone); r != nil {
		return refused, ClosedBy(r)
	}
	return passed, Figures{}
}

// ClosedBy are the figures of a refusal by a restriction.
func ClosedBy(r *restrict.Restriction) Figures {
	f := Figures{Limit: r.ID}
	if r.Hours.Limited() {
		f.Value = 1
	}
	if !r.Until.IsZero() {
		f.Pass = r.Until.Unix()
	}
	return f
}

// ListedBy are the figures of a refusal by a hot list.
func ListedBy(l *restrict.Listed) Figures {
	f := Figures{List: l.List, Value: int64(l.Range.Prefix)}
	if !l.Until.IsZero() {
		f.Pass = l.Until.Unix()
	}
	return f
}

// judgeProbation lets a login on probation make free calls, and those to ordinary national numbers: what a thief cannot
// turn into money. A number in an unallocated block is not ordinary.
func judgeProbation(f Facts, a *Attempt) (outcome, Figures) {
	if !f.Tight {
		return skipped, Figures{}
	}
	if Ordinary(a.Dest.Class) && !a.Free {
		return passed, Figures{}
	}
	return pass(priced(a.Quote) && free(&a.Quote.Price)), Figures{}
}

// Ordinary says that a class is of national numbers that earn nobody money when they are called.
func Ordinary(c phone.Class) bool {
	switch c {
	case phone.OnNet, phone.Freephone, phone.Geographic, phone.UKWide, phone.Mobile, phone.VoIP, phone.Service:
		return true
	}
	return false
}

func judgeCeiling(s *account.Effective, field account.Field, a *Attempt, applies bool) (outcome, Figures) {
	if !applies || !priced(a.Quote) {
		return skipped, Figures{}
	}
	limit, cost := s.Ceiling(field), Minute(&a.Quote.Price)
	return pass(cost <= limit), Figures{Limit: int64(limit), Value: int64(cost), Pass: int64(cost)}
}

// Refusals are the reasons for which settings may refuse a call that a line makes in its usual place: not those of a lock, an IP lock or a probation.
func Refusals(s *account.Effective) (reasons []Reason) {
	for i := range rules {
		switch r := &rules[i]; r.reason {
		case NoSuchLine, AddressLocked, LoginClosed, LineLocked, NumberNotVerified, PresentedListed, NoService, ClassBarred, ProbationClass:
		case DestinationClosed, QuestionRefused, QuestionUnasked:
			if len(s.Restrictions) > 0 {
				reasons = append(reasons, r.reason)
			}
		case PremiumBarred, SatelliteBarred, PersonalBarred, PagerBarred:
			if s.Values[r.field] <= 0 {
				reasons = append(reasons, r.reason)
			}
		default:
			reasons = append(reasons, r.reason)
		}
	}
	for i := range conditions {
		if c := &conditions[i]; c.field < account.NumFields {
			reasons = append(reasons, c.reason)
		}
	}
	if s.Values[account.LongestCall] > 0 {
		reasons = append(reasons, TooLong)
	}
	return reasons
}

// Minute is the price that ceilings judge: all that a first minute costs in the dearest band, with connection charge, minimum
// and first increment. Otherwise "1p a minute and £5 to connect", or 2p a minute by the hour, would pass a ceiling of 2p.
func Minute(p *rating.Price) money.Rate { return p.FirstMinute() }

// condition is one row of the table of what must hold at the instant of connection.
type condition struct {
	kind   ConditionKind
	purse  Purse
	field  account.Field
	window time.Duration
	reason Reason
}

// conditions in the order in which gate takes them: the cheap ones first, money last.
var conditions = [...]condition{
	{CondRate, 0, account.CallsPerMinute, time.Minute, TooManyPerMinute},
	{CondRate, 0, account.CallsPerSecond, time.Second, TooManyPerSecond},
	{CondOpen, 0, account.MaxCalls, 0, TooManyCalls},
	{CondOpenTight, 0, account.NumFields, 0, ProbationBusy},
	{CondOpenAbroad, 0, account.MaxInternational, 0, TooManyInternational},
	{CondPurse, LineDay, account.LineDayCap, 0, LineDaySpent},
	{CondPurse, LineMonth, account.LineMonthCap, 0, LineMonthSpent},
	{CondPurse, AccountDay, account.AccountDayCap, 0, AccountDaySpent},
	{CondPurse, AccountMonth, account.AccountMonthCap, 0, AccountMonthSpent},
	{CondPurse, Probation, account.NumFields, 0, ProbationSpent},
	{CondPurse, ResellerDay, account.NumFields, 0, ResellerDaySpent},
	{CondPurse, ResellerMonth, account.NumFields, 0, ResellerMonthSpent},
}

// applies: only calls abroad count abroad; only calls that cost something need purses, so that a line that has spent its
// cap still reaches free numbers and its own provider. A limit per second that is none is not counted.
func (c *condition) applies(s *account.Effective, f Facts, a *Attempt) bool {
	if c.purse >= ResellerDay && c.limit(s) == 0 {
		return false
	}
	if c.field == account.NumFields && c.purse < ResellerDay && !f.Tight {
		return false
	}
	switch c.kind {
	case CondRate:
		return c.field != account.CallsPerSecond || s.Values[c.field] < account.NoCallsPerSecond
	case CondOpenAbroad:
		return abroad(a)
	case CondPurse:
		return a.Quote == nil || !free(&a.Quote.Price)
	}
	return true
}

// limit is the setting, the fixed limit of a login on probation, or the cap of a reseller; 0 of a reseller is none.
func (c *condition) limit(s *account.Effective) int64 {
	switch {
	case c.field < account.NumFields:
		return s.Values[c.field]
	case c.purse >= ResellerDay && s.Pool == nil:
		return 0
	case c.purse == ResellerDay:
		return int64(s.Pool.Day)
	case c.purse == ResellerMonth:
		return int64(s.Pool.Month)
	case c.kind == CondPurse:
		return int64(ProbationCap())
	}
	return ProbationCalls
}

func (c *condition) from(s *account.Effective) account.Level {
	if c.field >= account.NumFields {
		return account.LevelDefault
	}
	return s.From[c.field]
}

// state is the condition under settings. A restriction may leave the call fewer others at once than they do: of a call abroad, calls abroad.
func (c *condition) state(s *account.Effective, f Facts, a *Attempt, now time.Time) Condition {
	x := Condition{Kind: c.kind, Purse: c.purse, Limit: c.limit(s), Window: c.window, Reason: c.reason}
	if counts := c.kind == CondOpenAbroad || c.kind == CondOpen && !abroad(a); !counts || len(s.Restrictions) == 0 {
		return x
	}
	call := a.restricted()
	if r := restrict.Tightest(s.Restrictions, &call, now, f.Zone); r != nil && int64(r.AtOnce) < x.Limit {
		x.Limit, x.Reason, x.Closing = int64(r.AtOnce), TooManyRestricted, r
	}
	return x
}

// emergency calls pass before any rule: no address, lock, limit or price is asked, there is nothing to take at
// connection, and no limit of talk time.
func emergency(a *Attempt) bool {
	return a.Dest.Class == phone.Emergency && a.Invalid == phone.NoProblem
}

// numbered: there is somewhere to call. A zero destination counts as none even when its fault is not known,
// but a line of our own may have no number.
func numbered(a *Attempt) bool {
	return a.Invalid == phone.NoProblem && (!a.Dest.Number.IsZero() || a.Dest.Class == phone.OnNet)
}

// abroad: the international ceiling and count apply. A line of our own is never abroad.
func abroad(a *Attempt) bool { return !a.Dest.National && a.Dest.Class != phone.OnNet }

// priced: there is a price and nothing in it is negative, which would pass every ceiling.
func priced(q *rating.Quote) bool {
	if q == nil || q.Price.Connect < 0 || q.Price.Minimum < 0 {
		return false
	}
	r := &q.Price.Rates
	return min(r[rating.Peak], r[rating.OffPeak], r[rating.Weekend]) >= 0
}

func free(p *rating.Price) bool { return Minute(p) == 0 }

func pass(ok bool) outcome {
	if ok {
		return passed
	}
	return refused
}

// Field is the setting that a refusal for this reason comes of; false: of none.
func (r Reason) Field() (account.Field, bool) {
	for i := range rules {
		if rules[i].reason == r && rules[i].field < account.NumFields {
			return rules[i].field, true
		}
	}
	for i := range conditions {
		if conditions[i].reason == r && conditions[i].field < account.NumFields {
			return conditions[i].field, true
		}
	}
	return account.NumFields, false
}
