package billing_test

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"ringfence/core/money"
	"ringfence/flow/billing"
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
		if err != nil || len(got.Booked) != want || got.Skipped != 1-want {
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
