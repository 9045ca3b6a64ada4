package billing_test

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"ringfence/core/money"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/state/store"
)

func TestFilesOfABill(t *testing.T) {
	p := newProvider(t)
	ctx, b := t.Context(), p.billing(p.db)
	p.settle(t, "acme", "a-<b>\u202e", november, 1_234_567)
	p.settle(t, "acme", "a-2", november, 2)
	_, err := b.Run(ctx, billing.Run{Now: true, By: "tom"}, november.Add(time.Hour))
	must(t, err)
	bill, err := b.Bill(ctx, 1)
	must(t, err)
	var out bytes.Buffer
	must(t, b.WriteBill(ctx, &out, &bill, billing.CSV))
	rows, err := csv.NewReader(&out).ReadAll()
	must(t, err)
	if len(rows) != 3 || rows[2][7] != "1.234567" || rows[1][7] != "0.000002" {
		t.Errorf("%q", rows)
	}
	out.Reset()
	must(t, b.WriteBill(ctx, &out, &bill, billing.XML))
	var read struct {
		Bill struct {
			Net     string `xml:"net"`
			VAT     string `xml:"vat"`
			Rounded string `xml:"rounded"`
			Total   string `xml:"total"`
		} `xml:"bill"`
		Calls []struct {
			Net string `xml:"net,attr"`
		} `xml:"call"`
	}
	must(t, xml.Unmarshal(out.Bytes(), &read))
	if read.Bill.Net != "1.234569" || read.Bill.VAT != "0.246913" || read.Bill.Total != "1.48" || read.Bill.Rounded != "0.001482" || len(read.Calls) != 2 {
		t.Errorf("%+v", read)
	}
	out.Reset()
	must(t, b.WriteBill(ctx, &out, &bill, billing.PDF))
	if !strings.HasPrefix(out.String(), "%PDF-1.") || !strings.Contains(out.String(), "%%EOF") {
		t.Errorf("no PDF: %.40q", out.String())
	}
	e, err := b.Credit(ctx, billing.Credit{Customer: "acme", Net: money.Pound, Reason: "a fault of ours \u202e<script>", Reference: "x", By: "tom"})
	must(t, err)
	out.Reset()
	must(t, b.WriteCredit(t.Context(), &out, &e))
	if !strings.HasPrefix(out.String(), "%PDF-1.") {
		t.Errorf("no PDF: %.40q", out.String())
	}
}

// TestAWrongRowBooksNothing guards that a payment file is booked as a whole, once, and that what is wrong is named by line and column.
func TestAWrongRowBooksNothing(t *testing.T) {
	p := newProvider(t)
	ctx, b := t.Context(), p.billing(p.db)
	const head = "Date,Customer,Amount,Reference\n2026-11-01,acme,\"1,200.50\",R1\n"
	for tail, want := range map[string]string{
		"2026-11-02,acme,n/a,R2\n":       "line 3, column 3 (amount)",
		"2026-11-02,nobody,1,R2\n":       "line 3, column 2 (customer)",
		"2026-11-02,acme,1,\n":           "line 3, column 4 (reference)",
		"2026-11-02,acme,1,r1\n":         "line 3, column 4 (reference)",
		"02/11/2026,acme,1,R2\n":         "line 3, column 1 (date)",
		"2126-11-02,acme,1,R2\n":         "line 3, column 1 (date)",
		"2026-11-02,acme,-1,R2\n":        "line 3, column 3 (amount)",
		"2026-11-02,acme,1,\"R2\nx\"y\n": "line 3, column 1 (row)",
		"\"2026\"-11-02,acme,1,R2\n":     "line 3, column 1 (row)",
		"2026-11-02,acme,1,200.00,R2\n":  "line 3, column 5 (row)",
		"2026-11-02,acme,\"12,50\",R2\n": "line 3, column 3 (amount)",
		"2026-11-02,acme,\"1,2,3\",R2\n": "line 3, column 3 (amount)",
		"2026-11-02,acme,1.500,R2\n":     "line 3, column 3 (amount)",
		"2026-11-02,acme,£1.500,R2\n":    "line 3, column 3 (amount)",
		"2026-11-02,acme,1e3,R2\n":       "line 3, column 3 (amount)",
		"2026-11-02,acme,0.001,R2\n":     "line 3, column 3 (amount)",
		"2026-11-02,acme,(12.00),R2\n":   "line 3, column 3 (amount)",
		"2026-11-02,acme,12.00-,R2\n":    "line 3, column 3 (amount)",
		"2026-11-02,acme,$12.00,R2\n":    "line 3, column 3 (amount)",
		"2026-11-02,acme,٣,R2\n":         "line 3, column 3 (amount)",
		"2026-11-02,acme,1\n":            "line 3, column 4 (reference)",
		"0001-01-01,acme,1,R2\n":         "line 3, column 1 (date)",
		"1026-11-02,acme,1,R2\n":         "line 3, column 1 (date)",
		"2026-02-30,acme,1,R2\n":         "line 3, column 1 (date)",
	} {
		_, err := b.Import(ctx, "tom", []byte(head+tail), time.Now())
		if wrong := (*billing.Wrong)(nil); !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", tail, err)
		}
	}
	if owes, err := b.Balance(ctx, "acme"); err != nil || owes != 0 {
		t.Errorf("booked: %s %v", owes, err)
	}
	for i, want := range []int{1, 0} {
		got, err := b.Import(ctx, "tom", []byte(head), time.Now())
		if err != nil || len(got.Booked) != want || len(got.Skipped) != 1-want {
			t.Errorf("time %d: %+v %v", i, got, err)
		}
	}
	if owes, err := b.Balance(ctx, "acme"); err != nil || owes != -1200_500_000 {
		t.Errorf("balance: %s %v", owes, err)
	}
	if _, err := b.Import(ctx, "tom", []byte("Customer,Amount\n"), time.Now()); err == nil {
		t.Error("a file without references was taken")
	}
}

// TestAReferenceThatWasBookedBefore: a row of the same payment is passed over and named, with the day that the books have where the file says another; one of another payment refuses the
// file, and says in which line and column.
func TestAReferenceThatWasBookedBefore(t *testing.T) {
	p := newProvider(t)
	ctx, b := t.Context(), p.billing(p.db)
	const head = "date,customer,amount,reference\n"
	_, err := p.book.AddCustomer(ctx, "test", "other", book.CustomerEdit{})
	must(t, err)
	_, err = b.Import(ctx, "tom", []byte(head+"2026-11-01,acme,12.00,R1\n2026-11-02,acme,5.00,R2\n"), time.Now())
	must(t, err)
	got, err := b.Import(ctx, "tom", []byte(head+"2026-11-01,acme,12.00,R1\n2026-11-03,acme,1.00,R3\n,acme,5.00,r2\n"), time.Now())
	if err != nil || len(got.Booked) != 1 || len(got.Skipped) != 2 || len(got.Redated()) != 0 || got.Skipped[1].Line != 4 {
		t.Fatalf("%+v %v", got, err)
	}
	if text := got.Skipped[0].Text(); text != "line 2: R1 is payment 1, of 2026-11-01" {
		t.Errorf("%q", text)
	}
	got, err = b.Import(ctx, "tom", []byte(head+"2026-11-09,acme,5.00,R2\n"), time.Now())
	if err != nil || len(got.Redated()) != 1 || got.Skipped[0].Text() != "line 2: R2 is payment 2, of 2026-11-02; the file says 2026-11-09, and the books stay as they are" {
		t.Errorf("%+v %v", got, err)
	}
	for row, want := range map[string]string{
		"2026-11-01,acme,12.01,R1":  `line 3, column 3 (amount): "R1" was booked before, as payment 1 of £12.00. Nothing was booked.`,
		"2026-11-01,other,12.00,R1": `line 3, column 2 (customer): "R1" was booked before, as payment 1 of acme. Nothing was booked.`,
	} {
		_, err := b.Import(ctx, "tom", []byte(head+"2026-11-07,acme,7.00,R7\n"+row+"\n"), time.Now())
		if wrong := (*billing.Wrong)(nil); !errors.As(err, &wrong) || err.Error() != want {
			t.Errorf("%s: %v", row, err)
		}
	}
	if owes, err := b.Balance(ctx, "acme"); err != nil || owes != -18_000_000 {
		t.Errorf("%s %v", owes, err)
	}
}

// TestFilesOfBanksAsProgramsSaveThem: the same payments in the encodings and with the line ends that spreadsheets and banks write.
func TestFilesOfBanksAsProgramsSaveThem(t *testing.T) {
	p := newProvider(t)
	const file = "Date,Customer,Amount,Reference,Description\n2026-11-01,acme,\"£1,200.50\",R1,Müller & Sons\n2026-11-02, acme ,\"1,000,000\",R2,\n,,,,\n2026-11-03,acme,3.5,R3,x,,\n"
	wide := func(text string) []byte {
		out := []byte{0xff, 0xfe}
		for _, r := range utf16.Encode([]rune(text)) {
			out = binary.LittleEndian.AppendUint16(out, r)
		}
		return out
	}
	latin := strings.NewReplacer("£", "\xa3", "ü", "\xfc")
	for name, data := range map[string][]byte{
		"as it is": []byte(file), "CRLF": []byte(strings.ReplaceAll(file, "\n", "\r\n")), "with a mark": []byte("\xef\xbb\xbf" + file), "UTF-16": wide(file),
		"Windows-1252": []byte(latin.Replace(file)), "without a last line end": []byte(strings.TrimSuffix(file, "\n")),
	} {
		b := p.billing(p.db)
		got, err := b.Import(t.Context(), "tom", data, time.Now())
		if err != nil || len(got.Booked)+len(got.Skipped) != 3 {
			t.Errorf("%s: %+v %v", name, got, err)
		}
		for i := range got.Booked {
			if !utf8.ValidString(got.Booked[i].Text) {
				t.Errorf("%s: %q", name, got.Booked[i].Text)
			}
		}
	}
	if owes, err := p.billing(p.db).Balance(t.Context(), "acme"); err != nil || owes != -1_001_204_000_000 {
		t.Errorf("balance: %s %v", owes, err)
	}
	_, err := p.billing(p.db).Import(t.Context(), "tom", []byte("customer,amount,reference\nacme,1,R\x009\n"), time.Now())
	if wrong := (*billing.Wrong)(nil); !errors.As(err, &wrong) {
		t.Errorf("a zero byte: %v", err)
	}
}

// TestABillKeepsItsName: a copy of a bill has the customer's name, also when everything else about the customer was erased.
func TestABillKeepsItsName(t *testing.T) {
	p := newProvider(t)
	ctx, b := t.Context(), p.billing(p.db)
	_, err := p.db.BeginErasure(ctx, store.Erasure{Customer: "zed~12345678", Name: "Zed & Sons", By: "t", Begun: time.Now()}, func(int64) []store.Fact { return nil })
	must(t, err)
	var out strings.Builder
	must(t, b.WriteBill(ctx, &out, &billing.Bill{Number: 99, Customer: "zed~12345678", State: store.BillIssued, Made: time.Now()}, billing.XML))
	if !strings.Contains(out.String(), "Zed &amp; Sons") {
		t.Error(out.String())
	}
}
