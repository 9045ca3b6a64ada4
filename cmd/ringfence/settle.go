package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"ringfence/core/money"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

type caseSettlement struct{ api.SettlementQuery }

// Run shows the list as it falls, and what made it so.
func (c *caseSettlement) Run(s *session) error {
	return perform(s, "GET /v1/cases/{id}/settlement", func(x *api.CaseSettlement) error {
		s.table(card(x), 0)
		title := "What is owed"
		if x.Cost {
			title += ", at cost price"
		}
		s.section(title, rows(x.Steps...))
		s.section("Settlements", rows(x.Past...))
		s.section("Plans", rows(x.Plans...))
		s.section("Calls that keep their price", rows(x.Unpriced...))
		return s.section("Calls", rows(x.Calls...))
	}, c)
}

// claimsMade are the claims of a case.
type claimsMade struct{ api.List[api.Claim] }

// Said lists them.
func (c *claimsMade) Said() string {
	var b strings.Builder
	for i := range c.Items {
		x := &c.Items[i]
		fmt.Fprintf(&b, "Claim %d to %s: %s for %s.\n", x.ID, x.Trunk, api.Amount(money.Micro(x.Claimed)), api.Count(int(x.Calls), "call", "calls"))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

type claimCmd struct {
	remote
	List    list[api.Claim, api.ClaimFilter] `cmd:"" set:"limit=50" eg:"; --state sent; --trunk carrier-north --json"`
	Show    claimShow                        `cmd:"" help:"Show a claim with its calls and answers." eg:"3; 3 --json"`
	Send    act[api.ClaimID, api.Claim]      `cmd:"" help:"Note that a claim went to its carrier." route:"POST /v1/claims/{id}/send" says:"Claim {{.ID}} is sent: {{.Trunk}} has until {{ends .AnswerBy}} to answer." eg:"3" detail:"Send the letter and the sheet yourself. The days of the answer begin now; after that the case gets a task to remind the carrier."`
	Answer  act[api.ClaimGrant, api.Claim]   `cmd:"" help:"Note what a carrier grants." route:"POST /v1/claims/{id}/answers" says:"Claim {{.ID}}: {{amount .Granted}} of {{amount .Claimed}} granted." eg:"3 40 \"12 calls, as goodwill\"; 3 0 \"the calls were answered\"" detail:"It is divided over the calls in proportion, and passed on to the customer as a credit, as far as the customer owes them. What is granted for calls that are free stays with you. An answer is never changed; another may follow."`
	Invoice claimInvoice                     `cmd:"" help:"Put the carrier's invoice (CSV) beside our metering, call by call." eg:"3 north-2026-07.csv; 3 north.csv --zone Europe/London --dates dmy" detail:"What the invoice charges for the calls of the claim becomes what is claimed. Rows of calls that nobody made are claimed too. A row that cannot be read books nothing, and is named with its line and column. A file can be given again until the claim is sent."`
	Letter  claimLetter                      `cmd:"" help:"Write the letter of a claim, as text or PDF." eg:"3; 3 --output claim-3.pdf" detail:"It names no customer."`
	Sheet   claimSheet                       `cmd:"" help:"Write the calls of a claim as CSV, to go with the letter." eg:"3 --output claim-3.csv"`
}

type claimShow struct{ api.ClaimID }

// Run shows it with its calls.
func (c *claimShow) Run(s *session) error {
	return perform(s, "GET /v1/claims/{id}", func(x *api.Claim) error {
		s.table(card(x), 0)
		s.section("Answers", rows(x.Answers...))
		return s.section("Calls", rows(x.List...))
	}, c)
}

type claimInvoice struct {
	api.ClaimID
	Invoice string `arg:"" name:"file" help:"CSV file; - is standard input." type:"path"`
	api.InvoiceOptions
}

// Run shows what differs.
func (c *claimInvoice) Run(s *session) error {
	c.File = cmp.Or(c.File, filepath.Base(c.Invoice))
	out, err := upload[api.InvoiceCompared](s, "/v1/claims/{id}/invoice", c, c.Invoice, func(r io.Reader) any { return client.CSV{Reader: r} })
	if err != nil {
		return err
	}
	return s.emit(out, func() error {
		s.say("%s of %s, %s charged; by our metering %s. Not on it: %s.", api.Count(out.Rows, "row", "rows"), out.Claim.Trunk, api.Amount(money.Micro(out.Charged)),
			api.Amount(money.Micro(out.Expected)), api.Count(len(out.Missing), "call", "calls"))
		s.section("Charged too much", rows(out.Sums...))
		return s.say("\nClaim %d asks for %s now.", out.Claim.ID, api.Amount(money.Micro(out.Claim.Claimed)))
	})
}

type claimLetter struct {
	api.ClaimID
	Format string `query:"format" help:"txt or pdf (default: as the name of the file ends, else txt)." enum:",txt,pdf" default:""`
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (c *claimLetter) Run(s *session) error {
	c.Format = formatOf(c.Format, c.Output, "txt", "pdf")
	if err := s.noPDF(c.Format, c.Output); err != nil {
		return err
	}
	return s.writeTo(c.Output, func(w io.Writer) error { return s.stream("/v1/claims/{id}/letter", c, "*/*", w) })
}

type claimSheet struct {
	api.ClaimID
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (c *claimSheet) Run(s *session) error {
	return s.writeTo(c.Output, func(w io.Writer) error { return s.stream("/v1/claims/{id}/sheet", c, "*/*", w) })
}

type planCmd struct {
	remote
	List list[api.Plan, api.PlanFilter] `cmd:"" set:"limit=50" eg:"; --customer acme; --state broken --json"`
	Show planShow                       `cmd:"" help:"Show a plan: what is due when, and what was paid." eg:"2; 2 --json"`
	Make act[api.PlanNew, api.Plan]     `cmd:"" help:"Let the rest of a case be paid in instalments." route:"POST /v1/plans" says:"Plan {{.ID}} of {{.Customer}}: {{amount .Amount}} in {{count (len .Instalments) \"instalment\" \"instalments\"}}." eg:"17 3 --first +30d; 17 6 --first 2027-01-01 --amount 156.39" detail:"No call of the case may be in dispute. A plan replaces the one that the case has. Instalments are monthly and equal, without interest or fees. Paying early is free. One that comes more than 14 days late ends the plan: then the whole rest is due."`
	Pay  act[api.PlanPaid, api.Plan]    `cmd:"" help:"Count a payment that is booked towards a plan." route:"POST /v1/plans/{id}/payments" says:"Plan {{.ID}}: {{amount .Paid}} paid, {{amount .Rest}} to pay." eg:"2 \"BACS 20261130/17\"" detail:"Book the payment first: \"ringfence payment add\". It counts towards one plan, once. What is more than an instalment pays the next ones."`
}

type planShow struct{ api.PlanID }

// Run shows it with its instalments.
func (c *planShow) Run(s *session) error {
	return perform(s, "GET /v1/plans/{id}", func(x *api.Plan) error {
		s.table(card(x), 0)
		s.section("Instalments", rows(x.Instalments...))
		return s.section("Paid", rows(x.Payments...))
	}, c)
}
