package billing

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"ringfence/core/account"
	"ringfence/core/money"
)

// sheet is a page of A4 with a table on it, in the PDF's own fonts: characters that they do not have become dots.
type sheet struct {
	*fpdf.Fpdf
	text func(string) string
}

func newSheet(title string, made time.Time) *sheet {
	f := fpdf.New("P", "mm", "A4", "")
	s := &sheet{f, f.UnicodeTranslatorFromDescriptor("")}
	f.SetTitle(title, true)
	f.SetCreationDate(made) // the same bill is the same file
	f.SetModificationDate(made)
	f.SetMargins(20, 18, 20)
	f.SetAutoPageBreak(true, 18)
	f.SetFooterFunc(func() {
		f.SetY(-14)
		f.SetFont("Helvetica", "", 8)
		f.CellFormat(0, 5, s.text(fmt.Sprintf("%s, page %d", title, f.PageNo())), "", 0, "C", false, 0, "")
	})
	f.AddPage()
	return s
}

func (s *sheet) line(style string, size float64, text string) {
	s.SetFont("Helvetica", style, size)
	s.MultiCell(0, size*0.5, s.text(text), "", "L", false)
}

// row has a text and figures at the right.
func (s *sheet) row(style, text string, figures ...string) {
	s.SetFont("Helvetica", style, 9)
	wide := 170.0 - 35*float64(len(figures))
	for s.GetStringWidth(s.text(text)) > wide-2 && len(text) > 4 {
		text = strings.ToValidUTF8(text[:len(text)-4], "") + "…"
	}
	s.CellFormat(wide, 5.5, s.text(text), "B", 0, "L", false, 0, "")
	for i, figure := range figures {
		s.CellFormat(35, 5.5, s.text(figure), "B", 0, "R", false, 0, "")
		if i == len(figures)-1 {
			s.Ln(5.5)
		}
	}
}

// writePDF writes what is owed for what: by line and country, then the total with VAT.
func (b *Billing) writePDF(ctx context.Context, w io.Writer, bill *Bill) error {
	sums, err := b.Sums(ctx, bill.Number)
	if err != nil {
		return err
	}
	zone, c := b.o.Book.Zone(bill.Customer), money.Billing()
	s := newSheet(about(bill), bill.Made)
	s.line("B", 18, fmt.Sprintf("Bill %d: %s by %s", bill.Number, c.Shown(bill.Gross), bill.Due.In(zone).Format("2 January 2006")))
	s.Ln(3)
	s.letterhead(&b.o)
	s.line("", 10, "To: "+b.name(ctx, bill.Customer)+" ("+account.Handle(bill.Customer)+")")
	s.line("", 10, fmt.Sprintf("Issued %s. Calls from %s until %s; calls that began earlier have come late.", bill.Made.In(zone).Format("2 January 2006"),
		bill.From.In(zone).Format("2 January 2006 15:04"), bill.Until.In(zone).Format("2 January 2006 15:04")))
	s.Ln(4)
	s.row("B", "Line and country", "Calls", "Net "+c.Code)
	for _, sum := range sums {
		s.row("", "Line "+account.Handle(sum.Line)+", "+where(sum.Country), fmt.Sprint(sum.Calls), c.Number(sum.Net))
	}
	s.row("B", "All calls", fmt.Sprint(bill.Calls), c.Number(bill.Net))
	s.row("", "VAT at "+bill.Rate.String()+" %", "", c.Number(bill.VAT))
	if rounded := bill.Net + bill.VAT - bill.Gross; rounded != 0 {
		s.row("", "Rounded down", "", "-"+c.Number(rounded))
	}
	s.row("B", "To pay", "", c.Amount(bill.Gross))
	s.Ln(4)
	s.line("", 9, "Each call, to a fraction of a coin, is in the CSV of this bill. Only the total is rounded.")
	return s.Output(w)
}

func (s *sheet) letterhead(o *Options) {
	s.line("B", 10, o.Provider)
	if o.Address != "" {
		s.line("", 10, o.Address)
	}
	if o.VATID != "" {
		s.line("", 10, "VAT number "+o.VATID)
	}
	s.Ln(3)
}

// WriteCredit writes a credit note as PDF.
func (b *Billing) WriteCredit(ctx context.Context, w io.Writer, e *Entry) error {
	zone, c := b.o.Book.Zone(e.Customer), money.Billing()
	title := fmt.Sprintf("Credit note %d", e.Number)
	s := newSheet(title, e.At)
	gross := -e.Amount("customer/" + e.Customer)
	s.line("B", 18, title+": "+c.Shown(gross))
	s.Ln(3)
	s.letterhead(&b.o)
	s.line("", 10, "To: "+b.name(ctx, e.Customer)+" ("+account.Handle(e.Customer)+")")
	s.line("", 10, "Issued "+e.At.In(zone).Format("2 January 2006")+", reference "+e.Reference)
	s.line("", 10, "Why: "+e.Text)
	s.Ln(4)
	s.row("", "Net", c.Number(e.Net))
	s.row("", "VAT at "+e.Rate.String()+" %", c.Number(e.VAT))
	if rounded := gross - e.Net - e.VAT; rounded != 0 {
		s.row("", "Rounded", c.Number(rounded))
	}
	s.row("B", "Credited", c.Amount(gross))
	if len(e.Calls) > 0 {
		s.Ln(4)
		s.line("", 8, "For the calls "+strings.Join(e.Calls, ", "))
	}
	return s.Output(w)
}
