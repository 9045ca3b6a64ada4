package notify

import (
	"slices"

	"ringfence/core/detect"
)

// Kinds of notice that are spoken of. Each kind of finding is one too, by its code in detect.
const (
	NewDevice       Kind = "new-device"
	TwoPlaces       Kind = "two-places"
	Travel          Kind = "impossible-travel"
	HostingLogin    Kind = "hosting-login"
	UsageLevel      Kind = "usage-level"
	LoginHeld       Kind = "login-held"
	LoginProbation  Kind = "login-probation"
	LineLocked      Kind = "line-locked"
	Restricted      Kind = "restriction"
	PasswordChanged Kind = "password-changed"
	ForwardSet      Kind = "forward-set"
	RequestMade     Kind = "request-made"
	RequestAnswered Kind = "request-answered"
	ChangeWaiting   Kind = "change-waiting"
	AccessChanged   Kind = "access-changed"
	NumbersChanged  Kind = "numbers-changed"
	Bill            Kind = "bill"
	BillReminder    Kind = "bill-reminder"
	CaseCredit      Kind = "case-credit"
	Instalment      Kind = "instalment"
	Digest          Kind = "digest"
	Test            Kind = "test"
)

// KindInfo says how a kind of notice behaves.
type KindInfo struct {
	Kind     Kind
	Title    string // a few words, for lists
	Owner    bool   // the customer's contacts get it
	Desk     bool   // the fraud desk gets it
	Critical bool   // comes whatever the person prefers; a finding of severity "critical" does so too, whatever its kind
	Answers  bool   // has the links "that was me" and "not me", if it is about a line
	finding  detect.Kind
	login    bool // about one right login: several of these together are one event
	// noise is what anybody can cause, without any login: counted separately, so that it does not delay notices about money. A grave finding of
	// such a kind is noise all the same: it comes whatever the person prefers, but its number counts.
	noise bool
}

// own are the kinds that come of no finding.
var own = []KindInfo{
	{Kind: NewDevice, Title: "New phone or place", Owner: true, Answers: true, login: true, noise: true},
	{Kind: LoginHeld, Title: "A login waits for your confirmation", Owner: true, Critical: true, Answers: true},
	{Kind: LoginProbation, Title: "A login at a new place, with tight limits", Owner: true, Critical: true, Answers: true},
	{Kind: LineLocked, Title: "Line locked", Owner: true, Critical: true},
	{Kind: Restricted, Title: "Destinations closed, or open again", Owner: true},
	{Kind: PasswordChanged, Title: "Password changed", Owner: true, Critical: true, Answers: true},
	{Kind: ForwardSet, Title: "Calls are forwarded", Owner: true, Critical: true, Answers: true},
	{Kind: RequestMade, Title: "A customer asks for a setting", Owner: true, Desk: true},
	{Kind: RequestAnswered, Title: "A request was answered", Owner: true, Desk: true},
	{Kind: ChangeWaiting, Title: "Something will be loosened", Owner: true, Critical: true},
	{Kind: AccessChanged, Title: "Who can sign in, or who is notified, has changed", Owner: true, Critical: true},
	{Kind: NumbersChanged, Title: "Which numbers your calls present", Owner: true, Critical: true},
	{Kind: Bill, Title: "A bill", Owner: true},
	{Kind: BillReminder, Title: "A bill that is not paid", Owner: true},
	{Kind: CaseCredit, Title: "A credit for a case", Owner: true},
	{Kind: Instalment, Title: "An instalment of a plan", Owner: true},
	{Kind: Digest, Title: "What happened on your lines"},
	{Kind: Test, Title: "A test"},
}

// table of kinds, in the order of the documentation. What is said of findings is what detect says.
var table = func() []KindInfo {
	all := slices.Clone(own[:1])
	for k := detect.NoKind + 1; k < detect.NumKinds; k++ {
		t := k.Traits()
		all = append(all, KindInfo{
			Kind: Kind(k.String()), Title: k.Title(), Owner: k.Audience().Has(detect.Owner), Desk: k.Audience().Has(detect.Desk),
			Critical: k.Severity() == detect.Critical, Answers: t.Answers, finding: k, login: t.Login, noise: t.Noise,
		})
	}
	return append(all, own[1:]...)
}()

// Kinds lists every kind of notice.
func Kinds() []KindInfo { return slices.Clone(table) }

func infoOf(k Kind) (KindInfo, bool) {
	i := slices.IndexFunc(table, func(i KindInfo) bool { return i.Kind == k })
	if i < 0 {
		return KindInfo{}, false
	}
	return table[i], true
}
