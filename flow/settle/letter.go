package settle

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"ringfence/core/account"
	"ringfence/core/settle"
)

// letter is a claim in words: what stands above it, and its paragraphs. One that begins with "- " is a row of a list.
type letter struct {
	head, title string
	text        []string
}

// Letter is a claim for the carrier, as text or PDF. It names the calls and nobody whose calls they are.
func (d *Desk) Letter(ctx context.Context, id int64, pdf bool) ([]byte, error) {
	x, calls, err := d.Claim(ctx, id)
	if err != nil {
		return nil, err
	}
	l := d.letter(&x, calls)
	if pdf {
		made := x.Sent
		if made.IsZero() {
			made = x.Made
		}
		return l.pdf(made)
	}
	return []byte(l.head + "\n\n" + l.title + "\n\n" + strings.ReplaceAll(strings.Join(l.text, "\n\n")+"\n", "\n\n- ", "\n- ")), nil
}

func (d *Desk) letter(x *settle.Claim, calls []settle.ClaimCall) *letter {
	l := &letter{title: fmt.Sprintf("Claim %d, case %d", x.ID, x.Case)}
	l.head = strings.TrimSpace("From " + d.o.Provider + "\n" + d.o.Address)
	l.head += "\nTo the carrier of trunk " + account.Handle(x.Trunk)
	if !x.Sent.IsZero() {
		l.head += "\n" + x.Sent.Format("2 January 2006")
	}
	say := func(format string, args ...any) { l.text = append(l.text, fmt.Sprintf(format, args...)) }
	say("Calls that you carried for us were made by thieves with a stolen login. We ask you to credit what you charged for them: %s for %d calls, which the list with this letter names one by one.", amount(x.Claimed), x.Calls)
	if kinds := differences(calls); len(kinds) > 0 {
		say("We compared your records (%s) with our metering, call by call:", x.Invoice)
		for _, k := range settle.Kinds() {
			if s := kinds[k]; s.Calls > 0 {
				say("- %d: %s, %s", s.Calls, Said(k), amount(s.Amount))
			}
		}
	}
	by := fmt.Sprintf("within %d days of receiving this letter", settle.AnswerTime/(24*time.Hour))
	if !x.AnswerBy.IsZero() {
		by = "by " + x.AnswerBy.Format("2 January 2006")
	}
	say("Please answer %s, and quote claim %d. If you refuse a part, name the calls and the reason for each.", by, x.ID)
	if x.Reminders > 0 {
		say("This is reminder %d: we have had no answer.", x.Reminders)
	}
	return l
}

// differences are what the calls of a claim differ in, by kind.
func differences(calls []settle.ClaimCall) map[settle.Kind]settle.Step {
	kinds := map[settle.Kind]settle.Step{}
	for i := range calls {
		for _, p := range calls[i].Parts {
			s := kinds[p.Kind]
			s.Calls, s.Amount = s.Calls+1, s.Amount.Add(p.Money)
			kinds[p.Kind] = s
		}
	}
	return kinds
}

// pdf is the letter on a page of A4, in the PDF's own fonts: characters that they do not have become dots.
func (l *letter) pdf(made time.Time) ([]byte, error) {
	f := fpdf.New("P", "mm", "A4", "")
	text := f.UnicodeTranslatorFromDescriptor("")
	f.SetTitle(l.title, true)
	f.SetCreationDate(made) // the same letter is the same file
	f.SetModificationDate(made)
	f.SetMargins(25, 25, 25)
	f.SetAutoPageBreak(true, 25)
	f.AddPage()
	write := func(style string, size float64, s string, after float64) {
		f.SetFont("Helvetica", style, size)
		f.MultiCell(0, size*0.5, text(s), "", "L", false)
		f.Ln(after)
	}
	write("", 10, l.head, 14)
	write("B", 15, l.title, 5)
	for i, p := range l.text {
		row, isRow := strings.CutPrefix(p, "- ")
		if !isRow {
			write("", 11, p, 4)
			continue
		}
		f.SetX(31)
		after := 1.0
		if i+1 == len(l.text) || !strings.HasPrefix(l.text[i+1], "- ") {
			after = 4
		}
		write("", 11, row, after)
	}
	var out bytes.Buffer
	err := f.Output(&out)
	return out.Bytes(), err
}
