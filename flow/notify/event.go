package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// together is how near in time what is said of one login is one event, and how long a courtesy notice waits for a graver
// one of the same login.
const together = 10 * time.Second

// data is what a notice is about, kept with it: its messages are made from this at each try.
type data struct {
	Text     string         `json:"text,omitempty"`     // a finding's sentence
	Also     []string       `json:"also,omitempty"`     // of other findings about the same login
	Severity string         `json:"severity,omitempty"` // of detect; "" is none
	Finding  string         `json:"finding,omitempty"`  // its key
	Source   string         `json:"source,omitempty"`
	Evidence map[string]any `json:"evidence,omitempty"`
	By       string         `json:"by,omitempty"`
	Why      string         `json:"why,omitempty"`
	Made     time.Time      `json:"made,omitzero"`
	Until    time.Time      `json:"links_until,omitzero"`
	Again    int64          `json:"again,omitempty"` // the notice that this one repeats
	Items    []item         `json:"items,omitempty"` // of a digest
	Bundled  []int64        `json:"bundled,omitempty"`
}

// item is a notice in a digest.
type item struct {
	Notice int64     `json:"notice"`
	Kind   Kind      `json:"kind"`
	At     time.Time `json:"at"`
	Line   string    `json:"line,omitempty"`
	Text   string    `json:"text,omitempty"`
	Urgent bool      `json:"urgent,omitempty"`
}

// draft is a notice before it is known who gets it.
type draft struct {
	info    KindInfo
	key     string
	line    string
	account string
	at      time.Time
	self    recipient // the person whom it is about; no address is nobody
	former  recipient // who was a contact until then; no address is nobody
	added   string    // the address of a new contact, who need not hear of that
	data
}

// begin sets when the notice is made, and thereby how long its links last.
func (d *draft) begin(now time.Time, life time.Duration) {
	d.Made = now.UTC()
	d.Until = now.Add(life).UTC().Truncate(time.Second)
}

func (d *draft) critical() bool { return d.info.Critical || d.Severity == detect.Critical.String() }

// rank orders what is said of one login: the greatest is told.
func (d *draft) rank() int {
	if d.info.finding == detect.NoKind {
		return -1
	}
	s, _ := detect.ParseSeverity(d.Severity)
	return int(s)
}

// read makes a draft of a fact, if people are to be notified of it.
func (n *Notifier) read(f *store.Fact) (draft, bool) {
	if len(f.Body) > maxBody {
		return draft{}, false
	}
	switch f.Kind {
	case fact.KindFindingRaised:
		return n.readFinding(f)
	case fact.KindDeviceNew:
		return n.readDevice(f)
	case fact.KindLoginHeld:
		return n.readLogin(f, LoginHeld)
	case fact.KindLoginProbation:
		return n.readLogin(f, LoginProbation)
	case fact.KindLineLocked:
		return n.readLocked(f)
	case fact.KindCustomerChanged:
		if d, ok := n.readWait(f); ok {
			return d, true
		}
		if d, ok := n.readNumbers(f); ok {
			return d, true
		}
		return n.readRestricted(f)
	case fact.KindLineChanged:
		if d, ok := n.readForwards(f); ok {
			return d, true
		}
		return n.readRestricted(f)
	case fact.KindSettingChanged:
		return n.readRestricted(f)
	case fact.KindPersonAdded, fact.KindPersonChanged, fact.KindPersonRemoved, fact.KindTokenAdded, fact.KindPasskeyAdded, fact.KindPasskeyRemoved:
		return n.readAccess(f)
	case fact.KindContactAdded, fact.KindContactChanged, fact.KindContactDeleted:
		return n.readContact(f)
	case fact.KindBillIssued:
		return n.readBill(f, Bill)
	case fact.KindBillReminded:
		return n.readBill(f, BillReminder)
	case fact.KindPasswordChanged:
		return n.readPassword(f)
	case fact.KindChangeWaiting:
		return n.readChange(f)
	case fact.KindCaseNoted:
		return n.readInstalment(f)
	case fact.KindCreditBooked:
		return n.readCredit(f)
	case fact.KindRequestMade:
		return n.readRequest(f, RequestMade)
	case fact.KindRequestGranted, fact.KindRequestRefused:
		return n.readRequest(f, RequestAnswered)
	}
	return draft{}, false
}

func (n *Notifier) drafted(f *store.Fact, kind Kind) draft {
	info, _ := infoOf(kind)
	if l, ok := n.o.Book.Line(f.Line); ok && f.Account == "" {
		f.Account = l.Customer()
	}
	return draft{info: info, key: f.Kind + "/" + strconv.FormatInt(f.Seq, 10), line: f.Line, account: f.Account, at: f.At}
}

func (n *Notifier) readFinding(f *store.Fact) (draft, bool) {
	var b fact.FindingRaised
	err := b.Decode(f.Body)
	kind, known := detect.ParseKind(b.Concluded)
	if err != nil || !known {
		n.log.Warn("a finding that no notice can be made of", "seq", f.Seq, "kind", Clean(b.Concluded, 40))
		return draft{}, false
	}
	d := n.drafted(f, Kind(kind.String()))
	if d.account == "" && !d.info.Desk && len(n.o.Hooks) == 0 {
		return draft{}, false // no notice is needed: the finding is in its list
	}
	if b.Key != "" {
		d.key = store.Short("finding/" + b.Key)
	}
	severity, ok := detect.ParseSeverity(b.Severity)
	if !ok {
		severity = kind.Severity()
	}
	d.data = data{
		Text: strange(b.Text, maxText), Severity: severity.String(), Finding: b.Key, Source: b.Source.String(), Evidence: evidence(b.Evidence),
	}
	return d, true
}

// readDevice is the courtesy notice: of what the line, or its customer, wants to hear of. The first phone of a fresh line
// is no news.
func (n *Notifier) readDevice(f *store.Fact) (draft, bool) {
	var b fact.DeviceNew
	l, known := n.o.Book.Line(f.Line)
	if b.Decode(f.Body) != nil || b.First || !known {
		return draft{}, false
	}
	switch l.Courtesy() {
	case account.CourtesyOff:
		return draft{}, false
	case account.CourtesyAgent:
		if b.New != "agent" && b.New != "both" {
			return draft{}, false
		}
	}
	d := n.drafted(f, NewDevice)
	d.Severity, d.Source, d.Evidence = detect.Info.String(), b.Source.String(), evidence(f.Body)
	return d, true
}

// readLogin is of a right login from where unknown sources are refused: held, or admitted on probation.
func (n *Notifier) readLogin(f *store.Fact, kind Kind) (draft, bool) {
	var b fact.LoginHeld
	if b.Decode(f.Body) != nil || f.Line == "" {
		return draft{}, false // without a line it only counts those left out
	}
	d := n.drafted(f, kind)
	d.Severity, d.Source, d.Evidence = detect.Warning.String(), b.Source.String(), evidence(f.Body)
	ends := "limits_until"
	if kind == LoginHeld {
		ends = "waits_until"
	}
	if until, ok := d.Evidence["until"]; ok {
		d.Evidence[ends] = until
		delete(d.Evidence, "until")
	}
	return d, true
}

func (n *Notifier) readLocked(f *store.Fact) (draft, bool) {
	var b fact.LineLocked
	var after fact.Lock
	if b.Decode(f.Body) != nil || fact.Part(b.After, &after) != nil || f.Line == "" {
		return draft{}, false
	}
	d := n.drafted(f, LineLocked)
	if l, ok := n.o.Book.Line(f.Line); ok && after.LockWhy == "" { // locked again for the same reason: what did not change is not in the fact
		after.LockWhy = l.LockWhy()
	}
	d.Severity, d.By, d.Why = detect.Warning.String(), Clean(b.By, 80), Clean(after.LockWhy, maxValue)
	calls := account.CallsEnd
	switch {
	case after.LockCalls == account.CallsCut.String() || after.Cut:
		calls = account.CallsCut
	case after.LockCalls == account.CallsKept.String():
		calls = account.CallsKept
	}
	d.Evidence = map[string]any{"calls": calls.String()}
	return d, true
}

func (n *Notifier) readPassword(f *store.Fact) (draft, bool) {
	var b fact.PasswordChanged
	var after fact.Password
	if b.Decode(f.Body) != nil || fact.Part(b.After, &after) != nil || f.Line == "" {
		return draft{}, false
	}
	if b.By == fact.ByAnswer { // the page that the button led to says so, and line.locked tells the others
		return draft{}, false
	}
	d := n.drafted(f, PasswordChanged)
	d.Severity, d.By = detect.Warning.String(), Clean(b.By, 80)
	d.Evidence = map[string]any{"generated": after.Generated}
	return d, true
}

// readRequest is of a request to loosen a setting, or of what staff answered: both sides hear of both.
func (n *Notifier) readRequest(f *store.Fact, kind Kind) (draft, bool) {
	var b fact.RequestMade
	var after fact.Requested
	if b.Decode(f.Body) != nil || fact.Part(b.After, &after) != nil || f.Line == "" {
		return draft{}, false
	}
	field, err := account.ParseField(after.Setting)
	if err != nil {
		return draft{}, false
	}
	d := n.drafted(f, kind)
	wanted := account.Format(field, after.N)
	if field.Unit() == account.UnitRate && after.N > 0 {
		wanted += " a minute"
	}
	d.Severity, d.Why = detect.Info.String(), Clean(after.Why, maxValue)
	if after.Request == 0 { // written with the request, before it had a number
		after.Request = n.requestOf(f, field)
	}
	d.Evidence = map[string]any{"request": strconv.FormatInt(after.Request, 10), "setting": field.String(), "wanted": wanted}
	if !after.Until.IsZero() {
		d.Evidence["wanted_until"] = after.Until.UTC().Format(time.RFC3339)
	}
	if kind == RequestAnswered {
		d.By = Clean(b.By, 80)
		d.Evidence["answer"] = strings.TrimPrefix(f.Kind, "request.")
		if after.Note != "" {
			d.Evidence["note"] = Clean(after.Note, maxValue)
		}
	}
	return d, true
}

// readChange is of a change that loosens and waits: every contact may call it off.
func (n *Notifier) readChange(f *store.Fact) (draft, bool) {
	var b fact.ChangeWaiting
	if b.Decode(f.Body) != nil || f.Account == "" {
		return draft{}, false
	}
	d := n.drafted(f, ChangeWaiting)
	d.Severity, d.By = detect.Warning.String(), Clean(b.By, 80)
	d.Evidence = map[string]any{"change": Clean(b.Change, 20), "loosens": Clean(b.Text, maxValue), "happens": b.Until.UTC().Format(time.RFC3339), "note": Clean(b.Note, maxValue)}
	return d, true
}

// requestOf is the number of the request that a fact says was made; 0: it cannot be found.
func (n *Notifier) requestOf(f *store.Fact, field account.Field) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), actFor)
	defer cancel()
	all, err := n.o.Book.Requests(ctx, "")
	if err != nil {
		n.log.Warn("the request of a notice could not be read", "line", account.Handle(f.Line), "error", err)
		return 0
	}
	for _, r := range all {
		if r.Line == f.Line && r.Field == field && r.Made.Equal(f.At) {
			return r.ID
		}
	}
	return 0
}

// merge makes one draft of all that is said of one login: the gravest is told, the others in it. It sees one batch of
// facts; a courtesy notice that came in an earlier batch is dealt with when it is to be sent (see superseded).
func merge(ds []draft) []draft {
	var out []draft
	for _, d := range ds {
		if i := slices.IndexFunc(out, func(o draft) bool { return sameForwards(&o, &d) }); i >= 0 {
			out[i] = alsoForwarded(&out[i], d)
			continue
		}
		i := slices.IndexFunc(out, func(o draft) bool { return sameLogin(&o, &d) })
		if i < 0 {
			out = append(out, d)
			continue
		}
		top, low := out[i], d
		if cmp.Compare(d.rank(), top.rank()) > 0 {
			top, low = d, out[i]
		}
		if low.Text != "" {
			top.Also = append(append(top.Also, low.Text), low.Also...)
			top.Also = top.Also[:min(len(top.Also), maxAlso)]
		}
		for k, v := range low.Evidence { // what a finding leaves out of the login: its place
			if _, there := top.Evidence[k]; !there && top.Evidence != nil {
				top.Evidence[k] = v
			}
		}
		out[i] = top
	}
	return out
}

func sameLogin(a, b *draft) bool {
	return a.info.login && b.info.login && a.line == b.line && a.line != "" && a.Source == b.Source &&
		a.at.Sub(b.at).Abs() <= together
}

// json is the data as it is kept. Evidence that is too long is left out: the finding has it all.
func (d *data) json() []byte {
	b, err := json.Marshal(d)
	if err != nil || len(b) > maxData && d.Evidence != nil && len(d.Items) == 0 {
		d.Evidence = nil
		b, err = json.Marshal(d)
	}
	if err != nil { // cannot happen: plain texts, numbers and times
		return []byte(`{}`)
	}
	return b
}

func readData(raw []byte) data {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out data
	if d.Decode(&out) != nil {
		return data{}
	}
	return out
}
