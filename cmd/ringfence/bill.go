package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"ringfence/core/money"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

type billCmd struct {
	remote
	Run    billRun                        `cmd:"" help:"Bill what was used, each call once." eg:"; --customer acme --now" detail:"A run that was broken off goes on where it was: nothing is billed twice. Calls whose records come late are on the next bill."`
	List   list[api.Bill, api.BillFilter] `cmd:"" set:"limit=50" eg:"; --customer acme --json"`
	Show   billShow                       `cmd:"" help:"Show a bill with its sums by line and country." eg:"17"`
	Export billExport                     `cmd:"" help:"Write a bill to a file: its sums as PDF, each call as CSV or XML." eg:"17 --output bill-17.pdf; 17 --output bill-17.csv; 17 --format xml"`
}

type billRun struct{ api.BillRun }

// atATime is how many customers a request bills: so it ends before anybody loses patience, and progress is seen.
const atATime = 200

// Run bills all customers, some at a time, and says on a terminal how far it is.
func (c *billRun) Run(s *session) error {
	to, made := s.progressTo(), api.BillsMade{}
	for c.Body.Limit = atATime; ; {
		out, err := fetch[api.BillsMade](s, "POST /v1/bills/run", &c.BillRun)
		if to != nil {
			_, _ = io.WriteString(to, "\r\x1b[K")
		}
		if err != nil {
			return err
		}
		made.Bills, made.Calls, made.Total = made.Bills+out.Bills, made.Calls+out.Calls, made.Total+out.Total
		made.Text = api.Amount(money.Micro(made.Total))
		if c.Body.After = out.Next; out.Next == "" {
			break
		}
		if to != nil {
			_, _ = fmt.Fprintf(to, "%s, %d calls, %s; %s left …", api.Count(made.Bills, "bill", "bills"), made.Calls, made.Text, api.Count(out.Left, "customer", "customers"))
		}
	}
	return s.emit(&made, func() error {
		up := "up to the end of the last month; --now bills what was used since"
		if c.Body.Now {
			up = "up to now"
		}
		if made.Bills == 0 {
			return s.say("No bills: nothing was left to bill (%s).", up)
		}
		return s.say("%s, %d calls, %s in all (%s).", api.Count(made.Bills, "bill", "bills"), made.Calls, made.Text, up)
	})
}

type billShow struct{ api.BillID }

// Run shows it as the pages do.
func (c *billShow) Run(s *session) error {
	return perform(s, "GET /v1/bills/{number}", func(b *api.Bill) error {
		s.table(card(b), 0)
		s.section("By line and country", rows(b.Sums...))
		return s.section("Credit notes for its calls", rows(b.Credits...))
	}, c)
}

type billExport struct {
	api.BillID
	Format string `query:"format" help:"pdf, csv or xml (default: as the name of the file ends, else pdf)." enum:",pdf,csv,xml" default:""`
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (c *billExport) Run(s *session) error {
	c.Format = formatOf(c.Format, c.Output, "pdf", "csv", "xml")
	if err := s.noPDF(c.Format, c.Output); err != nil {
		return err
	}
	return s.writeTo(c.Output, func(w io.Writer) error { return s.stream("/v1/bills/{number}/file", c, "*/*", w) })
}

type paymentCmd struct {
	remote
	List   list[api.Payment, api.BillFilter] `cmd:"" set:"limit=50" eg:"; --customer acme --json"`
	Add    act[api.PaymentNew, api.Payment]  `cmd:"" help:"Book a payment." route:"POST /v1/payments" says:"Payment {{.Number}} of {{.Customer}}: {{.AmountIs}}.{{if .Plan}} It is not counted towards plan {{.Plan}}: ringfence plan pay does that, or name PLAN {{.Plan}} in its text next time.{{end}}" eg:"acme 156.39 \"BACS 20261130/17\"; acme 156.39 CHEQUE-104 --date 2026-11-27" detail:"A reference is booked once. The same amount of the same customer within a day is asked about: --again books it."`
	Import paymentImport                     `cmd:"" help:"Book the payments of a bank's CSV file: all of them, or none." eg:"bank-2026-11.csv" detail:"The first row names the columns: customer, amount, reference, and if there are any date (as 2026-11-30) and text. Payments whose reference was booked before are passed over and named, so that a file can be given again. One that was booked for another customer or amount is an error."`
}

type paymentImport struct {
	File string `arg:"" help:"CSV file; - is standard input." type:"path"`
}

func (c *paymentImport) Run(s *session) error {
	out, err := upload[api.PaymentsImported](s, "/v1/payments/import", c, c.File, func(r io.Reader) any { return client.CSV{Reader: r} })
	if err != nil {
		return err
	}
	return s.emit(out, func() error {
		if err := s.say("%s booked, %s in all; %d booked before.", api.Count(out.Booked, "payment", "payments"), out.Text, out.Skipped); err != nil {
			return err
		}
		return sayPassedOver(s, out.Rows)
	})
}

// mostPassedOver is how many rows that were booked before are named; a file that is given again has nothing else.
const mostPassedOver = 20

// sayPassedOver names rows of a file that were booked before: first those that the books have otherwise.
func sayPassedOver(s *session, rows []api.PaymentSkipped) error {
	slices.SortStableFunc(rows, func(a, b api.PaymentSkipped) int { return cmp.Compare(min(len(b.Given), 1), min(len(a.Given), 1)) })
	for i := range rows[:min(len(rows), mostPassedOver)] {
		if err := s.say("Passed over, %s.", rows[i].Text); err != nil {
			return err
		}
	}
	if more := len(rows) - mostPassedOver; more > 0 {
		return s.say("And %d more: --json names all.", more)
	}
	return nil
}

type creditCmd struct {
	remote
	Add    act[api.CreditNew, api.Booking]  `cmd:"" default:"withargs" help:"Issue a credit note." route:"POST /v1/accounts/{customer}/credits" says:"Credit note {{.Number}} of {{.Customer}}: {{.Text}}." eg:"acme 12.50 \"The IP lock was not honoured.\" --reference case/17" detail:"VAT is added at the rate of the bill that the calls are on. No cap becomes larger by it."`
	List   list[api.Credit, api.BillFilter] `cmd:"" set:"limit=50" eg:"; --customer acme --json"`
	Export creditExport                     `cmd:"" help:"Write a credit note as PDF." eg:"acme 3 --output credit-3.pdf"`
}

type creditExport struct {
	api.AccountID
	Number int64  `path:"number" arg:"" help:"Credit note."`
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (c *creditExport) Run(s *session) error {
	if err := s.noPDF("pdf", c.Output); err != nil {
		return err
	}
	return s.writeTo(c.Output, func(w io.Writer) error { return s.stream("/v1/accounts/{customer}/credits/{number}/file", c, "*/*", w) })
}

// sayParts says what of a balance is asked for, if that is not all of it on a day to come.
func sayParts(s *session, a *api.Account) {
	for _, part := range []struct {
		sum  int64
		says string
	}{
		{a.Overdue, "%s of it is overdue."}, {a.Disputed, "%s is in dispute, and not asked for until it is decided."}, {a.Planned, "%s is in a plan of instalments, and not due yet."},
	} {
		if part.sum > 0 {
			_ = s.say(part.says, api.Amount(money.Micro(part.sum)))
		}
	}
}

type balanceCmd struct {
	remote
	api.AccountID
}

// Run shows what a customer owes.
func (c *balanceCmd) Run(s *session) error {
	return perform(s, "GET /v1/accounts/{customer}", func(a *api.Account) error {
		if a.Balance < 0 {
			s.say("%s has paid %s ahead, and has used %s since the last bill.", a.Customer, strings.TrimPrefix(a.Text, "-"), a.NotYet)
		} else {
			s.say("%s owes %s, and has used %s since the last bill.", a.Customer, a.Text, a.NotYet)
			sayParts(s, a)
		}
		return s.section("Booked", rows(a.Entries...))
	}, c)
}
