package casefile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/liability"
	"ringfence/core/money"
	"ringfence/core/seal"
)

// document is the case file as people read it.
type document struct {
	q           *Request
	now         time.Time
	zone        *time.Location
	from, until time.Time
	records     []call.CDR
	verdicts    []liability.Verdict
	counts      []Recount
	facts       []fact.Row
	point       seal.Checkpoint
	key         string // fingerprint
	places      map[int64]place

	f    *fpdf.Fpdf
	text func(string) string
}

func (d *document) pdf(w io.Writer) error {
	d.f = fpdf.New("L", "mm", "A4", "")
	d.f.SetCompression(true)
	d.f.SetCreationDate(d.now)
	d.f.SetModificationDate(d.now)
	d.f.SetTitle(fmt.Sprintf("Case %d", d.q.Case), true)
	d.f.SetAutoPageBreak(true, 14)
	to := d.f.UnicodeTranslatorFromDescriptor("")
	d.text = func(s string) string { return to(latin(plain(s, 1500))) }
	d.f.SetFooterFunc(func() {
		d.f.SetY(-11)
		d.f.SetFont("Helvetica", "", 7)
		d.f.CellFormat(0, 5, d.text(fmt.Sprintf("Case %d, made %s, page %d", d.q.Case, d.at(d.now), d.f.PageNo())), "", 0, "R", false, 0, "")
	})
	d.f.AddPage()
	for _, part := range []func(){d.head, d.sums, d.short, d.promises, d.timeline, d.stopped, d.settings, d.second, d.program, d.calls, d.checking} {
		part()
	}
	return d.f.Output(w)
}

// latin keeps what the fonts of every reader have, and names the rest by its code.
func latin(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x100 || strings.ContainsRune("\u20ac\u2018\u2019\u201c\u201d\u2013\u2014\u2026", r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
	}
	return b.String()
}

func (d *document) title(s string) {
	d.keep(20)
	d.f.Ln(3)
	d.f.SetFont("Helvetica", "B", 12)
	d.f.CellFormat(0, 8, d.text(s), "", 1, "L", false, 0, "")
	d.f.SetFont("Helvetica", "", 9)
}

func (d *document) say(format string, args ...any) {
	d.f.MultiCell(0, 4.6, d.text(fmt.Sprintf(format, args...)), "", "L", false)
}

// keep begins a new page if what belongs together, some mm high, would not fit on this one.
func (d *document) keep(height float64) {
	if _, page := d.f.GetPageSize(); d.f.GetY()+height > page-14 {
		d.f.AddPage()
	}
}

// some is a number of things: "1 call", "3 calls".
func some(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (d *document) at(t time.Time) string { return t.In(d.zone).Format("2 Jan 2006 15:04:05 MST") }

func (d *document) head() {
	d.f.SetFont("Helvetica", "B", 17)
	d.f.CellFormat(0, 11, d.text(fmt.Sprintf("Case %d", d.q.Case)+strings.Repeat(": ", min(len(d.q.Title), 1))+plain(d.q.Title, 200)), "", 1, "L", false, 0, "")
	d.f.SetFont("Helvetica", "", 9)
	d.say("Customer: %s. Provider: %s. Times are those of %s.", plain(d.q.Name, 200), plain(d.q.Provider, 200), d.zone)
	d.say("%s, from %s to %s.", some(len(d.records), "call"), d.at(d.from), d.at(d.until))
}

func (d *document) sums() {
	s, amount := liability.Total(d.verdicts), money.Billing().Amount
	d.title("What it comes to")
	d.say("Free, because the provider broke a promise that would have stopped them: %s, charged %s.", some(int(s.Free), "call"), amount(s.FreeMicro))
	d.say("Owed, because the login was used rightly and every promise was kept: %s, charged %s.", some(int(s.Owed), "call"), amount(s.OwedMicro))
	d.say("Undetermined, because the journal does not decide: %s, charged %s.", some(int(s.Undetermined), "call"), amount(s.UndeterminedMicro))
}

// short tells in a few lines who called whom from where, and when that was noticed.
func (d *document) short() {
	d.title("In short")
	lines, from, called := tally{}, tally{}, tally{}
	for i := range d.records {
		r := &d.records[i]
		lines.add("line "+handle(r.Line), r.Retail)
		called.add(cmp.Or(r.Number, r.Dialled), r.Retail)
		source := r.Source
		if at, err := netip.ParseAddrPort(source); err == nil {
			source = at.Addr().String()
		}
		from.add(source, r.Retail)
	}
	d.say("The calls were made with the login of %s.", lines.words())
	d.say("They came from %s.", from.words())
	d.say("They went to %s.", called.words())
	for i := range d.facts {
		f := &d.facts[i]
		if f.Kind != fact.KindCallsUnusual || f.At.Before(d.from) || f.At.After(d.until.Add(24*time.Hour)) {
			continue
		}
		var before tally
		for n := range d.records {
			if r := &d.records[n]; r.Begun.Before(f.At) {
				before.add("", r.Retail)
			}
		}
		d.say("They were first noticed at %s, %s after the first began. By then %s of them had begun.", d.at(f.At), f.At.Sub(d.from).Round(time.Second), some(before.calls(), "call"))
		return
	}
	d.say("No rule found them unlike the usual calls of the line.")
}

// tally counts calls, and what they were charged, by what they have in common.
type tally map[string]*sum

type sum struct {
	calls  int
	retail money.Micro
}

func (t *tally) add(key string, retail money.Micro) {
	if *t == nil {
		*t = tally{}
	}
	if (*t)[key] == nil {
		(*t)[key] = &sum{}
	}
	x := (*t)[key]
	x.calls, x.retail = x.calls+1, x.retail.Add(retail)
}

func (t tally) calls() (n int) {
	for _, x := range t {
		n += x.calls
	}
	return n
}

// words names what cost most, and how many others there are.
func (t tally) words() string {
	const most = 5
	keys := slices.SortedFunc(maps.Keys(t), func(a, b string) int { return cmp.Or(cmp.Compare(t[b].retail, t[a].retail), cmp.Compare(a, b)) })
	var parts []string
	for _, key := range keys[:min(len(keys), most)] {
		parts = append(parts, fmt.Sprintf("%s (%s, %s)", plain(key, 100), some(t[key].calls, "call"), money.Billing().Amount(t[key].retail)))
	}
	if more := len(keys) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d others", more))
	}
	return strings.Join(parts, ", ")
}

// titles name the promises.
var titles = map[liability.Promise]string{
	liability.IPLock: "IP lock", liability.Ceilings: "Price ceilings", liability.PremiumBar: "Premium-rate numbers", liability.Caps: "Caps", liability.CutOff: "Cut-off",
	liability.Secrecy: "Secrecy of the password", liability.LockOut: "Lock-out of those who guess", liability.Courtesy: "Mail about new addresses", liability.WarningLevel: "Warning level",
	liability.Watch: "International watch",
}

func titled(all []liability.Promise) (out []string) {
	for _, p := range all {
		out = append(out, cmp.Or(titles[p], string(p)))
	}
	return out
}

func (d *document) promises() {
	d.title("What was promised, and what became of it")
	for _, w := range words(d.verdicts) {
		d.promise(&w)
	}
	if len(d.verdicts) > 0 && !d.verdicts[0].Dated {
		d.say("No row of the journal says what was promised on the day of the first call: these are the first words that are known.")
	}
}

func (d *document) promise(w *liability.Ruling) {
	n, missing := map[liability.Honour]int{}, tally{}
	for i := range d.verdicts {
		if f := d.verdicts[i].Finding(w.Promise); f != nil {
			if n[f.Honour]++; f.Missing != "" {
				missing.add(f.Missing, 0)
			}
		}
	}
	kind, broken := "a promise", "Broken for %s."
	if w.Kind == liability.Aimed {
		kind, broken = "an aim", "Missed for %s; a missed aim makes no call free by itself."
	}
	d.keep(18)
	d.f.SetFont("Helvetica", "B", 9)
	d.say("%s: %s", cmp.Or(titles[w.Promise], string(w.Promise)), kind)
	d.f.SetFont("Helvetica", "", 9)
	d.say("\"%s\"", w.Wording)
	var parts []string
	for _, x := range []struct {
		honour liability.Honour
		words  string
	}{{liability.Honoured, "Kept for %s."}, {liability.Broken, broken}, {liability.NotInForce, "Not in force for %s."}, {liability.CannotTell, "The journal cannot tell for %s."}} {
		if n[x.honour] > 0 {
			parts = append(parts, fmt.Sprintf(x.words, some(n[x.honour], "call")))
		}
	}
	d.say("%s", strings.Join(parts, " "))
	for _, text := range slices.Sorted(maps.Keys(missing))[:min(len(missing), 3)] {
		d.say("What is missing: %s.", plain(text, 300))
	}
	d.f.Ln(1)
}

// mostEvents bounds the timeline: a case of ten thousand calls is told by the hour.
const mostEvents = 400

var eventWords = map[string]string{
	fact.KindLineLocked: "was locked", fact.KindLineUnlocked: "was unlocked", fact.KindLineAdded: "was added", fact.KindLineChanged: "was changed", fact.KindSettingChanged: "had its settings changed",
	fact.KindPasswordChanged: "was given another password", fact.KindRequestGranted: "was granted a looser setting", fact.KindChangeMade: "had a change made that had waited",
	fact.KindLoginLocked: "had a source locked out for wrong logins", fact.KindLoginReleased: "had a lock-out ended by hand", fact.KindDeviceNew: "was used from a new address or phone",
	fact.KindCallsUnusual: "made calls unlike its usual ones",
}

func (d *document) timeline() {
	d.title("What happened, and when")
	type hour struct {
		first, last    time.Time // an hour is told at the first of its calls, so that nothing stands before what it followed
		calls, refused int
		retail         money.Micro
	}
	hours := map[time.Time]*hour{}
	of := func(at time.Time) *hour {
		t := at.UTC().Truncate(time.Hour)
		h := hours[t]
		if h == nil {
			h = &hour{first: at, last: at}
			hours[t] = h
		}
		if at.Before(h.first) {
			h.first = at
		}
		if at.After(h.last) {
			h.last = at
		}
		return h
	}
	for i := range d.records {
		h := of(d.records[i].Begun)
		h.calls, h.retail = h.calls+1, h.retail.Add(d.records[i].Retail)
	}
	type event struct {
		at   time.Time
		text string
	}
	var all []event
	for i := range d.facts {
		f := &d.facts[i]
		if f.At.Before(d.from.Add(-24*time.Hour)) || f.At.After(d.until.Add(24*time.Hour)) {
			continue
		}
		if f.Kind == fact.KindCallRefused {
			of(f.At).refused++
		} else if words := eventWords[f.Kind]; words != "" {
			all = append(all, event{f.At, fmt.Sprintf("Line %s %s%s (row %d).", handle(f.Line), words, changed(f), f.Seq)})
		}
	}
	for _, h := range hours {
		all = append(all, event{h.first, fmt.Sprintf("From here to %s, %s of the case began, charged %s, and %s.", h.last.In(d.zone).Format("15:04:05"), some(h.calls, "call"), money.Billing().Amount(h.retail), refused(h.refused))})
	}
	slices.SortFunc(all, func(a, b event) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.text, b.text)) })
	for _, e := range all[:min(len(all), mostEvents)] {
		d.say("%s  %s", d.at(e.at), e.text)
	}
	if more := len(all) - mostEvents; more > 0 {
		d.say("%d more are in facts.jsonl.", more)
	}
}

// setting is a setting with its value, as the pages call it.
func setting(f account.Field, n int64) string {
	text := f.Words() + ": " + account.Format(f, n)
	if f.Unit() == account.UnitRate && n > 0 {
		text += " a minute"
	}
	return text
}

// changed names the settings that a fact says were changed, with what they were set to.
func changed(f *fact.Row) string {
	var b struct{ Before, After map[string]json.RawMessage }
	switch f.Kind {
	case fact.KindSettingChanged, fact.KindLineChanged:
	default:
		return ""
	}
	if json.Unmarshal(f.Body, &b) != nil {
		return ""
	}
	var parts []string
	for field := range account.NumFields {
		was, is := b.Before[field.String()], b.After[field.String()]
		if bytes.Equal(was, is) {
			continue
		}
		var v struct{ N int64 }
		switch {
		case len(is) == 0:
			parts = append(parts, field.Words()+": no word of its own any more")
		case json.Unmarshal(is, &v) == nil:
			parts = append(parts, setting(field, v.N))
		}
	}
	if was, is := b.Before["nets"], b.After["nets"]; !bytes.Equal(was, is) {
		var nets []string
		if _ = json.Unmarshal(is, &nets); len(nets) == 0 { // also without any
			parts = append(parts, "IP lock: none any more")
		} else {
			parts = append(parts, "IP lock: "+strings.Join(nets, ", "))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + plain(strings.Join(parts, "; "), 300)
}

func refused(n int) string {
	if n == 1 {
		return "1 other was refused"
	}
	return fmt.Sprintf("%d others were refused", n)
}

func (d *document) stopped() {
	d.title("What was stopped")
	n := map[string]int{}
	for i := range d.facts {
		f := &d.facts[i]
		var r fact.CallRefused
		if f.Kind == fact.KindCallRefused && !f.At.Before(d.from.Add(-24*time.Hour)) && !f.At.After(d.until.Add(24*time.Hour)) && r.Decode(f.Body) == nil {
			n[r.Text]++
		}
	}
	for _, text := range slices.Sorted(maps.Keys(n)) {
		d.say("%s: %s.", some(n[text], "call"), plain(text, 300))
	}
	if len(n) == 0 {
		d.say("No call of these lines was refused in the day before or after.")
	}
}

func (d *document) settings() {
	used := map[string]int{}
	for i := range d.facts {
		var a fact.CallAdmitted
		if d.facts[i].Kind == fact.KindCallAdmitted && a.Decode(d.facts[i].Body) == nil {
			used[a.Settings]++
		}
	}
	d.title("The settings in force")
	for i := range d.facts {
		var s fact.SettingsSeen
		if d.facts[i].Kind != fact.KindSettingsSeen || s.Decode(d.facts[i].Body) != nil {
			continue
		}
		e, err := account.ReadEffective(s.Effective)
		if err != nil {
			continue
		}
		var parts []string
		for f := range account.NumFields {
			parts = append(parts, setting(f, e.Values[f]))
		}
		for _, list := range e.Nets { // each of them must let an address in
			parts = append(parts, "IP lock "+strings.Trim(fmt.Sprint(list), "[]"))
		}
		d.grid("Settings "+s.Settings, parts)
	}
}

// grid writes texts in four columns, under a heading.
func (d *document) grid(head string, parts []string) {
	const columns, width = 4, 68.0
	d.keep(12)
	d.say("%s:", head)
	d.f.SetFont("Helvetica", "", 8)
	for i := range parts {
		last := 0
		if i%columns == columns-1 || i == len(parts)-1 {
			last = 1
		}
		if d.f.GetStringWidth(d.text(parts[i])) > width { // a list of networks
			d.f.Ln(-1)
			d.f.MultiCell(0, 4.2, d.text(parts[i]), "", "L", false)
			continue
		}
		d.f.CellFormat(width, 4.2, d.text(parts[i]), "", last, "L", false, 0, "")
	}
	d.f.SetFont("Helvetica", "", 9)
	d.f.Ln(1)
}

func (d *document) second() {
	same, other, unknown := 0, 0, 0
	for i := range d.counts {
		switch c := &d.counts[i]; {
		case c.Agrees():
			same++
		case c.Note != "":
			unknown++
		default:
			other++
		}
	}
	d.title("The prices, worked out again")
	d.say("A second rater, which shares no code with the first, comes to the same price for %s, to another for %d, and cannot price %d. Each is in disclosure/second-rater.csv.", some(same, "call"), other, unknown)
}

// program says of the software what the folder disclosure has, and what it cannot have.
func (d *document) program() {
	d.title("The program")
	d.say("Version %s; disclosure/software.txt says what it was built from.", cmp.Or(plain(d.q.Version, 100), "(not named)"))
	faults := d.faults()
	if len(faults) == 0 {
		d.say("%s", d.noFaults())
	}
	for _, f := range faults {
		d.say("A known fault that had not been corrected by then (opened, closed, name, what it does): %s", f)
	}
	if strings.TrimSpace(d.q.Changes) == "" {
		d.say("%s", d.noChanges())
	} else {
		d.say("What has changed in it, up to this version, is in disclosure/changes.txt.")
	}
	if strings.TrimSpace(d.q.Checks) == "" {
		d.say("%s", d.noChecks())
	} else {
		d.say("What it said of its own state when this file was made is in disclosure/checks.txt. %s", d.checksThen())
	}
}

var columns = []struct {
	head  string
	width float64
}{{"begun", 38}, {"line", 20}, {"number called", 32}, {"address", 42}, {"phone", 38}, {"talk", 15}, {"charged", 18}, {"settings", 29}, {"verdict", 45}}

func (d *document) calls() {
	d.title("Each call")
	d.say("What has no room ends in three points; records.csv has it whole.")
	settings := map[call.ID]string{}
	for i := range d.facts {
		var a fact.CallAdmitted
		if d.facts[i].Kind == fact.KindCallAdmitted && a.Decode(d.facts[i].Body) == nil {
			settings[d.facts[i].Call] = a.Settings
		}
	}
	row := func(style string, cells ...string) {
		d.f.SetFont("Helvetica", style, 7)
		for i, c := range columns {
			d.f.CellFormat(c.width, 4, d.fit(cells[i], c.width), "", 0, "L", false, 0, "")
		}
		d.f.Ln(4)
	}
	var heads []string
	for _, c := range columns {
		heads = append(heads, c.head)
	}
	row("B", heads...)
	d.f.SetHeaderFunc(func() { row("B", heads...) })
	defer d.f.SetHeaderFunc(nil)
	order := make([]int, len(d.records))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(d.records[a].ID, d.records[b].ID) })
	for _, i := range order {
		r, v := &d.records[i], &d.verdicts[i]
		verdict := v.Words()
		if b := v.Broken(); len(b) > 0 {
			verdict += ": " + strings.Join(titled(b), ", ")
		}
		row("", r.Begun.In(d.zone).Format("2006-01-02 15:04:05 MST"), handle(r.Line), cmp.Or(r.Number, r.Dialled), r.Source, r.UserAgent, r.Talk.Round(time.Second).String(),
			money.Billing().Amount(r.Retail), settings[r.ID], verdict)
	}
}

// cut ends a text that a column has no room for.
const cut = "..."

// fit is as much of a text as a column has room for.
func (d *document) fit(s string, width float64) string {
	s, end := d.text(s), ""
	for len(s) > 0 && d.f.GetStringWidth(s+end) > width-1.5 {
		s, end = s[:len(s)-1], cut
	}
	return s + end
}

func (d *document) checking() {
	d.title("How to check this")
	d.say("Nobody has to trust the provider, or this document. Unpack the archive that it came in, and run: python3 verify.py %s --files %s. It says whether the rows of the journal are as they were sealed, and whether any file of the archive, this one too, is not the one that was signed.", proofsFile, listFile)
	d.say("Fingerprint of the key that signed it: %s. Compare it with the one that the provider publishes.", d.key)
	if d.point.Number > 0 {
		d.say("Newest checkpoint of the journal: %s, of %s. Each notice that the provider sends names such a checkpoint; README.txt says how to compare one.", d.point.Mark(), d.at(d.point.At))
	}
	d.say("records.json has each call with its verdict, promise by promise, and the numbers of the rows of the journal that it follows from. facts.jsonl has these rows as they were written, and where each stands in the proofs.")
}
