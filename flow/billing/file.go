package billing

import (
	"context"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/flow/records"
)

// Formats of WriteBill.
const (
	PDF = "pdf"
	CSV = "csv"
	XML = "xml"
)

// WriteBill writes a bill as a file: every call of it in CSV and XML, its sums in PDF.
func (b *Billing) WriteBill(ctx context.Context, w io.Writer, bill *Bill, format string) error {
	switch format {
	case CSV:
		return b.writeCSV(ctx, w, bill)
	case XML:
		return b.writeXML(ctx, w, bill)
	case PDF:
		return b.writePDF(ctx, w, bill)
	}
	return &Invalid{"format", format, "pdf, csv or xml"}
}

// item is a call of a bill, as files have it.
type item struct {
	XMLName xml.Name `xml:"call"`
	ID      string   `xml:"id,attr"`
	Line    string   `xml:"line,attr"`
	Country string   `xml:"country,attr,omitempty"`
	Begun   string   `xml:"begun,attr,omitempty"`
	Number  string   `xml:"number,attr,omitempty"`
	Rate    string   `xml:"destination,attr,omitempty"`
	Seconds string   `xml:"seconds,attr"`
	Net     string   `xml:"net,attr"`
}

var itemHead = []string{"call", "line", "country", "begun", "number", "destination", "seconds", "net"}

func (i *item) row() []string {
	return []string{i.ID, plainCell(i.Line), i.Country, i.Begun, plainCell(i.Number), plainCell(i.Rate), i.Seconds, i.Net}
}

// plainCell keeps a spreadsheet from taking a text for a formula.
func plainCell(text string) string {
	if text == "" || text[0] == '+' && strings.Trim(text[1:], "0123456789") == "" { // a number abroad
		return text
	}
	if strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

// each yields the calls of a bill, by line and country, a page at a time. A record that was deleted since leaves what the bill itself says.
func (b *Billing) each(ctx context.Context, bill *Bill, yield func(*item) error) error {
	sums, err := b.Sums(ctx, bill.Number)
	if err != nil {
		return err
	}
	zone := b.o.Book.Zone(bill.Customer)
	for _, s := range sums {
		for after := call.ID(""); ; {
			calls, err := b.Calls(ctx, bill.Number, s.Line, s.Country, after, chunk)
			if err != nil {
				return err
			}
			for i := range calls {
				c := &calls[i]
				after = c.Call
				out := item{ID: string(c.Call), Line: account.Handle(c.Line), Country: c.Country, Seconds: strconv.FormatFloat(c.Talk.Seconds(), 'f', -1, 64), Net: c.Net.String()}
				if r, err := b.o.Store.CDR(ctx, c.Call); err == nil {
					out.Begun, out.Number, out.Rate = r.Begun.In(zone).Format(time.RFC3339), r.Number, r.Rate
				}
				if err := yield(&out); err != nil {
					return err
				}
			}
			if len(calls) < chunk {
				break
			}
		}
	}
	return nil
}

func (b *Billing) writeCSV(ctx context.Context, out io.Writer, bill *Bill) error {
	w := csv.NewWriter(out)
	if err := w.Write(itemHead); err != nil {
		return err
	}
	err := b.each(ctx, bill, func(i *item) error { return w.Write(i.row()) })
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	return err
}

// head is a bill in XML, without its calls, which follow.
type head struct {
	XMLName  xml.Name `xml:"bill"`
	Number   int64    `xml:"number"`
	Customer string   `xml:"customer"`
	Name     string   `xml:"name"`
	Provider string   `xml:"provider"`
	VATID    string   `xml:"vat-number,omitempty"`
	Currency string   `xml:"currency"`
	From     string   `xml:"from"`
	Until    string   `xml:"until"`
	Issued   string   `xml:"issued"`
	Due      string   `xml:"due"`
	Calls    int64    `xml:"calls"`
	Net      string   `xml:"net"`
	Rate     string   `xml:"vat-percent"`
	VAT      string   `xml:"vat"`
	Rounded  string   `xml:"rounded"`
	Total    string   `xml:"total"`
	Sums     []sumXML `xml:"sum"`
}

type sumXML struct {
	Line    string `xml:"line,attr"`
	Country string `xml:"country,attr,omitempty"`
	Calls   int64  `xml:"calls,attr"`
	Net     string `xml:"net,attr"`
}

func (b *Billing) head(ctx context.Context, bill *Bill) (h head, err error) {
	zone := b.o.Book.Zone(bill.Customer)
	h = head{
		Number: bill.Number, Customer: account.Handle(bill.Customer), Name: b.name(ctx, bill.Customer), Provider: b.o.Provider, VATID: b.o.VATID, Currency: money.Billing().Code,
		From: bill.From.In(zone).Format(time.RFC3339), Until: bill.Until.In(zone).Format(time.RFC3339), Issued: bill.Made.In(zone).Format(time.DateOnly),
		Due: bill.Due.In(zone).Format(time.DateOnly), Calls: bill.Calls, Net: bill.Net.String(), Rate: bill.Rate.String(), VAT: bill.VAT.String(),
		Rounded: (bill.Net + bill.VAT - bill.Gross).String(), Total: bill.Gross.String(),
	}
	sums, err := b.Sums(ctx, bill.Number)
	for _, s := range sums {
		h.Sums = append(h.Sums, sumXML{account.Handle(s.Line), s.Country, s.Calls, s.Net.String()})
	}
	return h, err
}

// name is the customer's as bills must have it, also of one whose data was erased.
func (b *Billing) name(ctx context.Context, customer string) string {
	if c, ok := b.o.Book.Customer(customer); ok && c.Name != "" {
		return c.Name
	}
	if e, err := b.o.Store.ErasureOf(ctx, customer); err == nil && e.Name != "" {
		return e.Name
	}
	return account.Handle(customer)
}

// writeXML writes the schema of docs/billing.md: the head, then each call.
func (b *Billing) writeXML(ctx context.Context, w io.Writer, bill *Bill) error {
	h, err := b.head(ctx, bill)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, xml.Header+"<ringfence-bill version=\"1\">\n"); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	if err = enc.Encode(&h); err == nil {
		err = b.each(ctx, bill, func(i *item) error { return enc.Encode(i) })
	}
	if err == nil {
		_, err = io.WriteString(w, "\n</ringfence-bill>\n")
	}
	return err
}

// where is a country in words.
func where(code string) string {
	if code == "" {
		return "no country"
	}
	return records.CountryName(code)
}

func about(bill *Bill) string { return fmt.Sprintf("Bill %d", bill.Number) }
