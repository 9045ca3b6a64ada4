package casefile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/liability"
	"ringfence/core/money"
	"ringfence/core/seal"
	"ringfence/flow/evidence"
)

// Request is what a case file is made of.
type Request struct {
	Case        int64
	Title       string
	Customer    string // identity; calls of others are refused
	Name        string // the customer's, as people know it
	Provider    string
	Version     string // of this program
	Changes     string // the changelog
	Checks      string // what the program says of itself: components and checks, as text
	Calls       []call.ID
	Checkpoints []int64 // that the proofs must have beside the newest, by their numbers
}

// Names of files in the archive that others of it name.
const (
	proofsFile   = "journal.evidence"
	verifierFile = "verify.py"
	listFile     = "files.signed"
)

// Export writes the case file: a ZIP archive. Everything in it is of the customer's own lines.
func (c *Casefile) Export(ctx context.Context, w io.Writer, q *Request, now time.Time) error {
	r, err := c.read(ctx, q.Calls)
	if err != nil {
		return err
	}
	for i := range r.records {
		if r.records[i].Account != q.Customer {
			return fmt.Errorf("call %s is not one of customer %s", r.records[i].ID, handle(q.Customer))
		}
	}
	d := &document{q: q, now: now, zone: c.o.Book.Zone(q.Customer), records: r.records, verdicts: r.verdicts()}
	if d.counts, err = c.recount(ctx, r); err != nil {
		return err
	}
	if d.point, err = c.o.Evidence.Seal(ctx); err != nil {
		return err
	}
	_, d.key = c.o.Evidence.PublicKey()
	own := c.own(r, q.Customer)
	proofs := func(w io.Writer) error { return c.proofs(ctx, w, d, own) }
	d.facts = c.shown(own, q.Customer)
	d.from, d.until = r.span()
	z := &archive{zip.NewWriter(w), now, map[string]seal.Hash{}}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"README.txt", text(readme)},
		{"case.pdf", d.pdf},
		{"records.csv", d.csv},
		{"records.json", asJSON(c.recordsOf(r.records, d.verdicts))},
		{proofsFile, proofs},
		{"facts.jsonl", d.jsonl}, // names the places of rows in the proofs
		{verifierFile, text(evidence.Verifier())},
		{"disclosure/software.txt", text(software(q.Version))},
		{"disclosure/faults.txt", text(d.faultsFile())},
		{"disclosure/changes.txt", text(d.changesFile())},
		{"disclosure/checks.txt", text(d.checksFile())},
		{"disclosure/second-rater.csv", d.recounted},
	} {
		if err := z.add(f.name, f.write); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	list, err := c.o.Evidence.SignList(z.sums)
	if err == nil {
		err = z.add(listFile, text(string(list)))
	}
	return errors.Join(err, z.zip.Close())
}

// archive is a ZIP file that knows the sum of each file in it.
type archive struct {
	zip  *zip.Writer
	now  time.Time
	sums map[string]seal.Hash
}

func (a *archive) add(name string, write func(io.Writer) error) error {
	to, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.now})
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(to, sum), 1<<16)
	if err := errors.Join(write(out), out.Flush()); err != nil {
		return err
	}
	a.sums[name] = seal.Hash(sum.Sum(nil))
	return nil
}

// proofs writes the file of evidence of the facts of a case.
func (c *Casefile) proofs(ctx context.Context, w io.Writer, d *document, own []fact.Row) error {
	d.places = make(map[int64]place, len(own))
	return c.o.Evidence.Export(ctx, w, evidence.Filter{
		Rows: own, Checkpoints: append([]int64{d.point.Number}, d.q.Checkpoints...),
		Withhold: func(r *fact.Row, f *seal.Field) bool {
			return f.Name == "peer" && c.foreign(strings.Trim(f.Value, `"`), d.q.Customer)
		},
		Placed: func(r *fact.Row, tree string, n int64) { d.places[r.Seq] = place{tree, n} },
	})
}

// place is where a fact stands in the proofs.
type place struct {
	Tree string `json:"tree"`
	Row  int64  `json:"row"`
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func asJSON(v any) func(io.Writer) error {
	return func(w io.Writer) error {
		b, err := json.MarshalIndent(v, "", " ")
		if err == nil {
			_, err = w.Write(append(spelled(b), '\n'))
		}
		return err
	}
}

// spelled is JSON in which what turns the order of letters, or hides some, is written as its code: in texts alone, where else there is none.
func spelled(b []byte) []byte {
	if !bytes.ContainsFunc(b, func(r rune) bool { return unicode.Is(unicode.Cf, r) }) {
		return b
	}
	var out bytes.Buffer
	for _, r := range string(b) {
		if unicode.Is(unicode.Cf, r) && r < 0x10000 {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else if !unicode.Is(unicode.Cf, r) {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

const readme = `This archive is the case file of disputed calls.

case.pdf                     what happened, in words: begin here
records.csv, records.json    each call with its verdict, promise by promise
facts.jsonl                  the rows of the journal by which it was judged, as they were written
journal.evidence             the same rows with the proofs that they were in the journal then, and were not changed since
verify.py                    checks the proofs; it needs nothing but Python 3
files.signed                 the sum of each file of this archive, signed
disclosure/software.txt      the program that carried, priced and judged the calls
disclosure/faults.txt        its known faults that were not corrected by those days: opened, closed, id, what it does; or that there is none
disclosure/changes.txt       what has changed in it; or that nothing is recorded
disclosure/checks.txt        what it said of its own state when this file was made; or that nothing is recorded
disclosure/second-rater.csv  each price, worked out a second time by other code

How to check it

1. Unpack the archive into a folder of its own, open a terminal there, and run

       python3 verify.py journal.evidence --files files.signed

   It prints the key that signed the archive, and "good". Or it names what is wrong: a row that was changed, removed, reordered, inserted or dated
   back, or a file that is not the one that was signed. Nobody has to trust verify.py of this archive: the program that made it prints the same one
   ("ringfence evidence verifier"), has another ("ringfence evidence verify"), and docs/evidence.md of its sources says how to write a third.
2. Compare the fingerprint of the key with the one that the provider publishes, or that somebody noted earlier.
3. Compare a checkpoint. Every notice that the provider sent ends with the mark of one, and witnesses have others. If the mark is not in the file ("--seen MARK"
   says so), ask the provider for a case file with that checkpoint. A journal that was written again after the notice cannot have it.
4. Take a call. Its verdict names the rows of the journal that it follows from ("facts" in records.json). facts.jsonl has each under its number ("seq"), and "proof" says
   where it stands in journal.evidence: the tree, and the number of the row there. Compare the row with the promise as it is worded in case.pdf.

Lines of other customers are left out; their place in the proofs holds a hash. Rows of other calls and customers are in the proofs as hashes only. Amounts ending in
_micro are millionths of the currency; times are UTC.
`

// own are the facts of a reading that are about the customer, or about nobody.
func (c *Casefile) own(r *reading, customer string) (out []fact.Row) {
	for i := range r.facts {
		f := r.facts[i]
		if f.Account != customer && f.Kind != fact.KindPromisesStated && f.Kind != fact.KindSettingsSeen && f.Kind != fact.KindStoreRestored {
			continue // a decoy line is one of another customer
		}
		out = append(out, f)
	}
	return out
}

// shown are facts as people read them: without lines of others.
func (c *Casefile) shown(own []fact.Row, customer string) []fact.Row {
	out := slices.Clone(own)
	for i := range out {
		if f := &out[i]; f.Kind == fact.KindCallAdmitted || f.Kind == fact.KindCallRefused {
			f.Body = c.withoutPeer(f.Body, customer)
		}
	}
	return out
}

// withoutPeer leaves out a line of another customer that was called.
func (c *Casefile) withoutPeer(body []byte, customer string) []byte {
	if !bytes.Contains(body, []byte(`"peer":`)) {
		return body
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(body, &all) != nil {
		return nil
	}
	var peer string
	if json.Unmarshal(all["peer"], &peer) == nil && c.foreign(peer, customer) {
		delete(all, "peer")
	}
	out, err := json.Marshal(all)
	if err != nil {
		return nil
	}
	return out
}

// foreign says that a line is not one of the customer's, or is gone.
func (c *Casefile) foreign(line, customer string) bool {
	l, ok := c.o.Book.Line(line)
	return !ok || l.Customer() != customer
}

// judgedRecord is a call as the archive has it.
type judgedRecord struct {
	call.CDR
	Verdict liability.Verdict `json:"verdict"`
}

// recordsOf takes out of records what is between the provider and its carriers, and the lines of others.
func (c *Casefile) recordsOf(all []call.CDR, verdicts []liability.Verdict) []judgedRecord {
	out := make([]judgedRecord, len(all))
	for i := range all {
		r := all[i]
		r.Trunk, r.BLeg, r.Cost, r.CarrierTalk = "", "", 0, 0
		if r.Direction == call.In || c.foreign(r.Peer, r.Account) {
			r.Peer = ""
		}
		out[i] = judgedRecord{r, verdicts[i]}
	}
	return out
}

var csvHead = []string{
	"call", "begun", "answered", "ended", "line", "dialled", "number", "country", "class", "destination", "source", "user_agent", "talk_seconds", "retail_micro", "retail", "ended_by", "reason",
	"outcome", "broken", "missed", "missing",
}

func (d *document) csv(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write(csvHead) // Flush has the error
	for i := range d.records {
		r, v := &d.records[i], &d.verdicts[i]
		row := []string{
			string(r.ID), stamp(r.Begun), stamp(r.AnsweredAt), stamp(r.Ended), handle(r.Line), r.Dialled, r.Number, r.Country, r.Class, r.Rate, r.Source, r.UserAgent,
			decimals(r.Talk.Seconds()), fmt.Sprint(int64(r.Retail)), money.Billing().Amount(r.Retail), string(r.By), r.Text,
			string(v.Outcome), strings.Join(texts(v.Broken()), " "), strings.Join(texts(v.Missed()), " "), strings.Join(v.Missing, "; "),
		}
		for i := range row {
			row[i] = cell(row[i])
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}

// recounted is what the second rater says.
func (d *document) recounted(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"call", "charged_micro", "second_micro", "agrees", "note"})
	for i := range d.counts {
		c := &d.counts[i]
		_ = out.Write([]string{string(c.Call), fmt.Sprint(int64(c.First)), fmt.Sprint(int64(c.Second)), fmt.Sprint(c.Agrees()), c.Note})
	}
	out.Flush()
	return out.Error()
}

// jsonl are the facts, one to a line.
func (d *document) jsonl(w io.Writer) error {
	for i := range d.facts {
		f := &d.facts[i]
		row := struct {
			Seq  int64           `json:"seq"`
			At   time.Time       `json:"at"`
			Kind string          `json:"kind"`
			Line string          `json:"line,omitempty"`
			Call call.ID         `json:"call,omitempty"`
			Body json.RawMessage `json:"body,omitempty"`

			Proof *place `json:"proof,omitempty"`
		}{f.Seq, f.At, f.Kind, handle(f.Line), f.Call, f.Body, nil}
		if p, ok := d.places[f.Seq]; ok {
			row.Proof = &p
		}
		b, err := json.Marshal(&row)
		if err == nil {
			_, err = w.Write(append(spelled(b), '\n'))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decimals is a number without an exponent, which many a reader of CSV takes for a text.
func decimals(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// cell makes a text harmless to a spreadsheet: what begins like a formula is text, and nothing changes the order of letters.
func cell(s string) string {
	s = plain(s, 500)
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) && !isNumber(s) {
		return "'" + s
	}
	return s
}

// isNumber says that a text is a number as it is dialled, which stays as it is.
func isNumber(s string) bool {
	return len(s) > 1 && strings.Trim(s[1:], "0123456789.") == ""
}

// plain is a text of somebody's as a line that shows what it is: without control characters, marks that turn the order of letters, and more than most bytes.
func plain(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == unicode.ReplacementChar, unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
