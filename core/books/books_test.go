package books_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/books"
	"ringfence/core/money"
)

// TestTheSumIsZeroAtEveryStep plays years of random bills, credits and payments.
func TestTheSumIsZeroAtEveryStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		balances, rates := map[string]money.Micro{}, books.Rates{{Rate: 17_500}, {Rate: 20_000, Day: time.Date(2011, 1, 4, 0, 0, 0, 0, time.UTC)}}
		day := time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC)
		owed := map[string]money.Micro{}
		for n := range rapid.IntRange(1, 200).Draw(t, "entries") {
			day = day.AddDate(0, 0, rapid.IntRange(0, 31).Draw(t, "days"))
			customer := fmt.Sprint("c", rapid.IntRange(1, 4).Draw(t, "customer"))
			total := books.Add(money.Micro(rapid.Int64Range(1, 5e13).Draw(t, "net")), rates.On(day), money.Sterling)
			e := books.Entry{At: day, Kind: books.KindBill, Reference: fmt.Sprint(n), Customer: customer, Postings: books.Bill(customer, total)}
			change := total.Gross
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 1:
				e.Kind, e.Postings, change = books.KindCredit, books.Credit(customer, total), -total.Gross
			case 2:
				e.Kind, e.Postings, change = books.KindPayment, books.Payment(customer, total.Net), -total.Net
			}
			if err := e.Check(); err != nil {
				t.Fatal(err)
			}
			owed[customer] += change
			for _, p := range e.Postings {
				balances[p.Account] += p.Amount
			}
			var sum money.Micro
			for _, b := range balances {
				sum += b
			}
			if sum != 0 || balances[books.Customer(customer)] != owed[customer] {
				t.Fatalf("the sum is %s; %s owes %s of %s", sum, customer, balances[books.Customer(customer)], owed[customer])
			}
		}
	})
}

func TestTotals(t *testing.T) {
	yen, err := money.CurrencyOf("JPY")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		net     money.Micro
		rate    books.Rate
		in      money.Currency
		vat     money.Micro
		gross   money.Micro
		rounded money.Micro
	}{
		{130_325_100, 20_000, money.Sterling, 26_065_020, 156_390_000, 120},
		{1, 20_000, money.Sterling, 0, 0, 1},
		{100_000_000, 17_500, money.Sterling, 17_500_000, 117_500_000, 0},
		{100_900_000, 10_000, yen, 10_090_000, 110_000_000, 990_000},
		{5_000_000, 0, money.Sterling, 0, 5_000_000, 0},
	} {
		if got := books.Add(c.net, c.rate, c.in); got != (books.Total{Net: c.net, VAT: c.vat, Gross: c.gross}) || got.Rounded() != c.rounded {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// TestPartsAreNeverMoreThanTheBill guards that crediting the calls of a bill one by one does not give back more than was asked for.
func TestPartsAreNeverMoreThanTheBill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.Int64Range(1, 1e9), 1, 50).Draw(t, "parts")
		var net, given money.Micro
		for _, p := range parts {
			net += money.Micro(p)
			given += books.Add(money.Micro(p), 20_000, money.Sterling).Gross
		}
		if bill := books.Add(net, 20_000, money.Sterling).Gross; given > bill {
			t.Fatalf("%s of %s", given, bill)
		}
	})
}

func TestEntriesThatAreNotBooked(t *testing.T) {
	for name, postings := range map[string][]books.Posting{
		"one side":    {{Account: books.Bank, Amount: 5}},
		"off by one":  {{Account: books.Bank, Amount: 5}, {Account: books.VAT, Amount: -4}},
		"nothing":     {{Account: books.Bank}, {Account: books.VAT}},
		"no account":  {{Account: "", Amount: 5}, {Account: books.VAT, Amount: -5}},
		"an overflow": {{Account: "a", Amount: money.Max}, {Account: "b", Amount: money.Max}, {Account: "c", Amount: 2}},
	} {
		if e := (books.Entry{Kind: books.KindPayment, Postings: postings}); e.Check() == nil {
			t.Errorf("%s was booked", name)
		}
	}
}

func TestRatesOfVAT(t *testing.T) {
	r, err := books.ParseRates("20 from 2011-01-04, 17.5%")
	if err != nil {
		t.Fatal(err)
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]string{"1999-01-01": "17.5", "2011-01-03": "17.5", "2011-01-04": "20", "2026-11-30": "20"} {
		at, _ := time.ParseInLocation(time.DateOnly, day, london)
		if got := r.On(at).String(); got != want {
			t.Errorf("%s: %s", day, got)
		}
	}
	for _, bad := range []string{"", "x", "-5", "101", "20 from May", "20, 17", "0.0001"} {
		if _, err := books.ParseRates(bad); err == nil {
			t.Errorf("%q is a rate", bad)
		}
	}
}
