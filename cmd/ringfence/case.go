package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"

	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

type caseCmd struct {
	remote
	List       list[api.Case, api.CaseFilter]         `cmd:"" set:"limit=50" eg:"--open; --open --owner staff/priya; --customer acme --json; --by-risk"`
	Show       caseShow                               `cmd:"" help:"Show a case: its calls by state, what was written, asked and decided." eg:"17"`
	Open       act[api.CaseNew, api.Case]             `cmd:"" help:"Open a case: from a finding, or by hand about a line or a customer." route:"POST /v1/cases" says:"Case {{.ID}} is open: {{.Title}}." eg:"--finding 7; \"Calls to Latvia\" --line 2710; \"Asks about a bill\" --customer acme --text \"Mrs Lund rang.\"" detail:"A finding has one case: that is shown when it is there."`
	Change     act[api.CaseChange, api.Case]          `cmd:"" help:"Change the state, owner, deadline or title of a case." route:"PATCH /v1/cases/{id}" says:"Case {{.ID}} is {{.State}}." eg:"17 --owner staff/priya; 17 --state settling --deadline \"friday 17:00\"; 17 --hold"`
	Assign     act[caseAssign, api.Case]              `cmd:"" help:"Say who works on a case." route:"PATCH /v1/cases/{id}" says:"Case {{.ID}} is {{.Owner}}'s." eg:"17 staff/priya"`
	Calls      list[api.CaseCall, api.CaseCallFilter] `cmd:"" set:"limit=100" help:"List the calls of a case, each with the state of its dispute." eg:"17; 17 --state disputed --json; 17 --number +37190000112"`
	Numbers    list[api.CaseCalled, api.CaseID]       `cmd:"" set:"limit=100" help:"List the numbers that the calls of a case went to, the dearest first." eg:"17; 17 --json"`
	Call       act[api.CaseDispute, api.CaseChanged]  `cmd:"" help:"Put calls into a case: they are in dispute, and not collected." route:"POST /v1/cases/{id}/calls" says:"{{count .Calls \"call\" \"calls\"}} put into case {{.Case}}." eg:"17 --calls 01JD8Z6Q4N8T7R5V3X1B9C7D5F; 17 --line 2710 --from \"2026-07-12 22:30\" --until \"2026-07-12 22:53\" --why \"the office was closed\"" detail:"Calls that cost nothing, or are in a case already, are left out. They still count in caps and warning levels."`
	Withdraw   act[api.CaseDispute, api.CaseChanged]  `cmd:"" help:"Withdraw the dispute about calls." route:"POST /v1/cases/{id}/calls/withdraw" says:"The dispute about {{count .Calls \"call\" \"calls\"}} is withdrawn." eg:"17 --calls 01JD8Z6Q4N8T7R5V3X1B9C7D5F --why \"it was the cleaner\""`
	Dispute    act[api.DisputeNew, api.CaseChanged]   `cmd:"" help:"Dispute calls of a customer, in the case that is open or in a new one." route:"POST /v1/disputes" says:"{{count .Calls \"call\" \"calls\"}} in dispute, in case {{.Case}}." eg:"01JD8Z6Q4N8T7R5V3X1B9C7D5F --customer acme --why \"nobody was there\""`
	Note       act[api.CaseWriting, api.CaseItem]     `cmd:"" help:"Write a note, message or evidence into a case." route:"POST /v1/cases/{id}/items" says:"{{.Kind}} {{.N}} is in the case." eg:"17 \"Mrs Lund pays over three months if the lock calls go.\"; 17 \"Was anybody in your office that night?\" --kind message" detail:"Notes are for staff alone. A message is read by the customer, and the case waits for their answer."`
	Task       act[caseTask, api.CaseItem]            `cmd:"" help:"Add a task to a case." route:"POST /v1/cases/{id}/items" says:"Task {{.N}} is in the case." eg:"17 \"Tell the customer the sum\" --due friday --owner staff/priya"`
	Attach     caseAttach                             `cmd:"" help:"Add a file as evidence to a case." eg:"17 alarm.log \"the alarm was on from 19:02\"" detail:"A file has at most 20 MB. It is never shown, only downloaded."`
	File       caseFile                               `cmd:"" help:"Download the file of an item." eg:"17 3; 17 3 -o alarm.log"`
	Answer     act[api.CaseAnswer, api.Case]          `cmd:"" help:"Answer evidence, or end a task." route:"POST /v1/cases/{id}/items/{n}/answer" says:"Answered in case {{.ID}}." eg:"17 3 accepted \"the alarm's log shows it\"; 17 5 done"`
	Decide     act[api.CaseRuling, api.CaseItem]      `cmd:"" help:"Decide who bears calls of a case, or give money back." route:"POST /v1/cases/{id}/decisions" says:"Decision {{.N}}: {{.What}}, {{count .Calls \"call\" \"calls\"}}{{if .Waits}}. It waits for a second person{{end}}." eg:"17 upheld \"the IP lock was late\" --all; 17 owed \"the password was right, and no promise was broken\" --line 2710 --from 2026-07-12; 17 refund \"for the trouble\" --amount 10" detail:"What goes beyond desk.second-above of the configuration in one case needs a second person. A decision is never changed, only followed by another."`
	Agree      act[api.CaseSecond, api.Case]          `cmd:"" help:"Agree to a decision of somebody else, or refuse it." route:"POST /v1/cases/{id}/decisions/{n}" says:"Case {{.ID}}: done." eg:"17 6; 17 6 --refuse \"look at the lock first\""`
	Close      act[api.CaseEnd, api.Case]             `cmd:"" help:"Close a case with its outcome, from which the rules learn." route:"POST /v1/cases/{id}/close" says:"Case {{.ID}} is closed: {{.Outcome}}." eg:"17 ours \"the IP lock let 12 of the calls through\"" detail:"No call may be in dispute, and no decision may wait. Outcomes fraud and ours are true alarms of the rules that led to the case; honest is a false one."`
	Judge      caseJudge                              `cmd:"" help:"Judge the calls of a case: the verdicts go to the journal and stand with its calls." eg:"17"`
	Export     caseExport                             `cmd:"" help:"Write the file of a case: a ZIP archive with a PDF, the records, the facts, their proofs and the disclosure pack." eg:"17; 17 -o smith.zip; 17 --checkpoint 1234" detail:"Anybody can check it without a server: README.txt in it says how. Names of other customers are not in it."`
	Settlement caseSettlement                         `cmd:"" help:"Show what is owed for the calls of a case: the sum before and after each step." eg:"17; 17 --cost --calls; 17 --json" detail:"Amounts are without VAT where nothing else is said. With --cost it shows what cost price would make of it, and decides nothing."`
	Settle     act[api.SettlementNew, api.Settlement] `cmd:"" help:"Settle a case as its calls stand, and credit it." route:"POST /v1/cases/{id}/settlement" says:"Settlement {{.N}} of case {{.Case}} {{if eq .State \"waiting\"}}waits for a second person: decision {{.Item}}{{else}}gives {{amount .Given}}, and leaves {{amount .ToPay}} to pay{{end}}." eg:"17; 17 \"Proven fraud: you pay what the calls cost us.\" --cost" detail:"Calls that were found free are credited in full. With --cost, calls that are owed come down to our cost price: what that gives away beyond desk.second-above in one case needs a second person, who agrees with \"ringfence case agree\"."`
	Claim      act[api.CaseClaims, claimsMade]        `cmd:"" help:"Draw up a claim to each carrier of a case's calls." route:"POST /v1/cases/{id}/claims" says:"{{.Said}}" eg:"17; 17 --trunk carrier-north" detail:"A carrier gets one claim for a case. Look at it with \"ringfence claim show\", and send it with its letter and sheet."`
	Plan       act[api.PlanNew, api.Plan]             `cmd:"" help:"Let the rest of a case be paid in instalments." route:"POST /v1/plans" says:"Plan {{.ID}} of {{.Customer}}: {{amount .Amount}} in {{count (len .Instalments) \"instalment\" \"instalments\"}}." eg:"17 3 --first +30d; 17 6 --first 2027-01-01 --amount 156.39" detail:"The same as \"ringfence plan make\". No call of the case may be in dispute. A plan replaces the one that the case has."`
	Links      whole[api.CaseLink, api.CaseID]        `cmd:"" help:"List lines that share an address, a number, a network or a phone with a case." eg:"17"`
	Timeline   whole[api.CaseMoment, api.CaseID]      `cmd:"" help:"List what happened on the lines of a case around its calls." eg:"17"`
}

type caseJudge struct{ api.CaseNumber }

func (c *caseJudge) Run(s *session) error {
	return perform(s, "POST /v1/cases/{id}/verdicts", s.showJudgement, c)
}

type caseExport struct {
	api.CaseExport
	Output string `query:"-" short:"o" help:"File to write (default: case-N.zip)." placeholder:"FILE"`
}

func (c *caseExport) Run(s *session) error {
	to := cmp.Or(c.Output, fmt.Sprintf("case-%d.zip", c.ID))
	err := s.writeTo(to, func(w io.Writer) error {
		return s.stream("/v1/cases/{id}/file", &c.CaseExport, "application/zip", w)
	})
	if err != nil || c.Output != "" || s.json { // who named the file knows, and it may be standard output
		return err
	}
	return s.say("Wrote %s. Begin with case.pdf in it; README.txt says how anybody checks it.", to)
}

type caseShow struct{ api.CaseID }

func (c *caseShow) Run(s *session) error {
	return perform(s, "GET /v1/cases/{id}", func(x *api.Case) error {
		s.table(card(x), 0)
		s.section("Calls", rows(x.Sums...))
		return s.section("What was written and decided", rows(x.Items...))
	}, c)
}

// caseAssign gives a case to somebody.
type caseAssign struct {
	api.CaseID
	Body struct {
		Owner string `json:"owner" arg:"" help:"Member of staff, as the journal names them (staff/priya)."`
	} `embed:""`
}

// caseTask is a task.
type caseTask struct {
	api.CaseID
	Body struct {
		Text  string `json:"text" arg:"" help:"What is to be done."`
		Kind  string `json:"kind" hidden:"" default:"task" help:"Always task."`
		Due   string `json:"due,omitempty" type:"when" help:"By when." placeholder:"WHEN"`
		Owner string `json:"owner,omitempty" help:"Who is to do it." placeholder:"WHO"`
	} `embed:""`
}

type caseAttach struct {
	api.CaseID
	File string `arg:"" help:"File, at most 20 MB; - is standard input." type:"path"`
	Text string `arg:"" optional:"" query:"text" help:"What it shows."`
	Name string `query:"name" help:"Name of the file (default: as it is called here)." placeholder:"NAME"`
}

func (c *caseAttach) Run(s *session) error {
	c.Name = cmp.Or(c.Name, filepath.Base(c.File))
	out, err := upload[api.CaseItem](s, "/v1/cases/{id}/files", c, c.File, func(r io.Reader) any { return client.Bytes{Reader: r} })
	if err != nil {
		return err
	}
	return s.emit(out, func() error {
		return s.say("Evidence %d is in case %d: %s, %s.", out.N, c.ID, out.File, api.Count(int(out.Size), "byte", "bytes"))
	})
}

type caseFile struct {
	api.CaseItemID
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (c *caseFile) Run(s *session) error {
	return s.writeTo(c.Output, func(w io.Writer) error { return s.stream("/v1/cases/{id}/items/{n}/file", c, "*/*", w) })
}
