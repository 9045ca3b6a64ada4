package casefile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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
	d.text = func(s string) string { return to(latin(plain(s, 300))) }
	d.f.SetFooterFunc(func() {
		d.f.SetY(-11)
		d.f.SetFont("Helvetica", "", 7)
		d.f.CellFormat(0, 5, d.text(fmt.Sprintf("Case %d, made %s UTC, page %d", d.q.Case, d.now.UTC().Format(time.DateTime), d.f.PageNo())), "", 0, "R", false, 0, "")
	})
	d.f.AddPage()
	for _, part := range []func(){d.head, d.sums, d.promises, d.timeline, d.stopped, d.settings, d.second, d.calls, d.checking} {
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
	d.f.Ln(3)
	d.f.SetFont("Helvetica", "B", 12)
	d.f.CellFormat(0, 8, d.text(s), "", 1, "L", false, 0, "")
	d.f.SetFont("Helvetica", "", 9)
}

func (d *document) say(format string, args ...any) {
	d.f.MultiCell(0, 4.6, d.text(fmt.Sprintf(format, args...)), "", "L", false)
}

func (d *document) at(t time.Time) string { return t.In(d.zone).Format("2 Jan 2006 15:04:05 MST") }

func (d *document) head() {
	d.f.SetFont("Helvetica", "B", 17)
	d.f.CellFormat(0, 11, d.text(fmt.Sprintf("Case %d", d.q.Case)+strings.Repeat(": ", min(len(d.q.Title), 1))+d.q.Title), "", 1, "L", false, 0, "")
	d.f.SetFont("Helvetica", "", 9)
	d.say("Customer: %s. Provider: %s. Times are those of %s.", d.q.Name, d.q.Provider, d.zone)
	d.say("%d calls, from %s to %s.", len(d.records), d.at(d.from), d.at(d.until))
}

func (d *document) sums() {
	s, amount := liability.Total(d.verdicts), money.Billing().Amount
	d.title("What it comes to")
	d.say("Free, because the provider broke a promise that would have stopped them: %d calls, charged %s.", s.Free, amount(s.FreeMicro))
	d.say("Owed: %d calls, charged %s.", s.Owed, amount(s.OwedMicro))
	d.say("Undetermined, because the journal does not decide: %d calls, charged %s.", s.Undetermined, amount(s.UndeterminedMicro))
}

func (d *document) promises() {
	d.title("What was promised, and what became of it")
	for _, w := range words(d.verdicts) {
		n := map[liability.Honour]int{}
		for i := range d.verdicts {
			if f := d.verdicts[i].Finding(w.Promise); f != nil {
				n[f.Honour]++
			}
		}
		broken := "broken"
		if w.Kind == liability.Aimed {
			broken = "missed, which waives nothing by itself"
		}
		d.f.SetFont("Helvetica", "B", 9)
		d.say("%s (%s)", w.Promise, w.Kind)
		d.f.SetFont("Helvetica", "", 9)
		d.say("\"%s\"", w.Wording)
		d.say("Honoured for %d calls, %s for %d, not in force for %d, cannot tell for %d.", n[liability.Honoured], broken, n[liability.Broken], n[liability.NotInForce], n[liability.CannotTell])
	}
	if len(d.verdicts) > 0 && !d.verdicts[0].Dated {
		d.say("No row of the journal says what was promised on the day of the first call: these are the first words that are known.")
	}
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
		calls, refused int
		retail         money.Micro
	}
	hours := map[time.Time]*hour{}
	of := func(t time.Time) *hour {
		t = t.Truncate(time.Hour)
		if hours[t] == nil {
			hours[t] = &hour{}
		}
		return hours[t]
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
			all = append(all, event{f.At, fmt.Sprintf("Line %s %s (row %d).", handle(f.Line), words, f.Seq)})
		}
	}
	for _, t := range slices.SortedFunc(maps.Keys(hours), time.Time.Compare) {
		h := hours[t]
		all = append(all, event{t, fmt.Sprintf("In this hour %d of the calls of the case began, charged %s, and %d calls were refused.", h.calls, money.Billing().Amount(h.retail), h.refused)})
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.at.Compare(b.at) })
	for _, e := range all[:min(len(all), mostEvents)] {
		d.say("%s  %s", d.at(e.at), e.text)
	}
	if more := len(all) - mostEvents; more > 0 {
		d.say("%d more are in facts.jsonl.", more)
	}
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
		d.say("%d calls: %s.", n[text], text)
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
			parts = append(parts, f.String()+" "+account.Format(f, e.Values[f]))
		}
		if len(e.Nets) > 0 {
			nets, _ := json.Marshal(e.Nets) // of plain texts
			parts = append(parts, "IP lock "+string(nets))
		}
		d.f.MultiCell(0, 4.6, d.text("Settings "+s.Settings+": ")+d.text(strings.Join(parts[:len(parts)/2], ", "))+", "+d.text(strings.Join(parts[len(parts)/2:], ", "))+".", "", "L", false)
	}
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
	d.say("A second rater, which shares no code with the first, comes to the same price for %d calls, to another for %d, and cannot price %d. Each is in disclosure/second-rater.csv.", same, other, unknown)
}

var columns = []struct {
	head  string
	width float64
}{{"begun", 38}, {"line", 20}, {"number called", 32}, {"address", 42}, {"phone", 38}, {"talk", 15}, {"charged", 18}, {"settings", 29}, {"verdict", 45}}

func (d *document) calls() {
	d.title("Each call")
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
	order := make([]int, len(d.records))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(d.records[a].ID, d.records[b].ID) })
	for _, i := range order {
		r, v := &d.records[i], &d.verdicts[i]
		verdict := v.Words()
		if b := v.Broken(); len(b) > 0 {
			verdict += ": " + strings.Join(texts(b), ", ")
		}
		row("", r.Begun.In(d.zone).Format("2006-01-02 15:04:05 MST"), handle(r.Line), cmp.Or(r.Number, r.Dialled), r.Source, r.UserAgent, r.Talk.Round(time.Second).String(),
			money.Billing().Amount(r.Retail), settings[r.ID], verdict)
	}
}

// fit is as much of a text as a column has room for.
func (d *document) fit(s string, width float64) string {
	s = d.text(s)
	for len(s) > 0 && d.f.GetStringWidth(s) > width-1.5 {
		s = s[:len(s)-1]
	}
	return s
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
