package web

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/money"
	core "ringfence/core/settle"
	"ringfence/flow/settle"
)

var _ = serves(func(s *Server) {
	if s.d.Settle == nil || s.d.Book == nil {
		return
	}
	s.page("GET /staff/claims", staff, s.claims)
	s.page("GET /staff/claims/{claim}", staff, func(q *query) (page, error) { return s.claimPage(q, "", nil) })
	s.page("POST /staff/claims/{claim}", staff, s.actOnClaim)
	s.upload("POST /staff/claims/{claim}/invoice", staff, maxInvoice, s.invoice)
	s.file("GET /staff/claims/{claim}/letter", staff, s.claimLetter)
	s.file("GET /staff/claims/{claim}/sheet", staff, s.claimSheet)
})

// maxInvoice is the most of a carrier's file.
const maxInvoice = 16 << 20

// claimRow is a claim in a list.
type claimRow struct {
	Path, Case       string
	ID, CaseID       int64
	Carrier          template.HTML
	State            tag
	AnswerBy         time.Time
	Late             bool
	Calls            int64
	Claimed, Granted money.Micro
	Open             money.Micro
}

func (s *Server) claimRow(q *query, c *core.Claim) claimRow {
	r := claimRow{
		Path: fmt.Sprintf("/staff/claims/%d", c.ID), Case: fmt.Sprintf("/staff/cases/%d", c.Case), ID: c.ID, CaseID: c.Case, Carrier: carrier(c.Trunk), State: tag{"", "", q.t("settle.claim-" + word(c.State))},
		Late: c.Late(q.now), Calls: c.Calls, Claimed: c.Claimed, Granted: c.Granted, Open: c.Claimed - min(c.Granted, c.Claimed),
	}
	if !c.AnswerBy.IsZero() {
		r.AnswerBy = q.at(c.AnswerBy)
	}
	switch {
	case r.Late:
		r.State = tag{"grave", "", q.t("settle.claim-late")}
	case c.State == core.ClaimSent:
		r.State.Look = "warn"
	case c.State == core.ClaimAnswered && c.Granted > 0:
		r.State.Look = "good"
	}
	return r
}

type claimListView struct {
	Rows         []claimRow
	All, AllText string
	Pager        pager
}

// claims are those that are open, late ones first; with all=1 also those that were answered.
func (s *Server) claims(q *query) (page, error) {
	if err := q.may("list-claims"); err != nil {
		return page{}, err
	}
	var v claimListView
	var all []core.Claim
	filters := []settle.ClaimFilter{{State: core.ClaimDraft, Limit: maxCaseRows}, {State: core.ClaimSent, Limit: maxCaseRows}}
	whole := q.form.Get("all") != ""
	if whole {
		filters = []settle.ClaimFilter{{Before: q.number("before"), Limit: maxCaseRows + 1}}
	}
	for _, f := range filters {
		part, err := s.d.Settle.Claims(q.Context(), f)
		if err != nil {
			return page{}, err
		}
		all = append(all, part...)
	}
	if whole && len(all) > maxCaseRows {
		all = all[:maxCaseRows]
		v.Pager.Next = fmt.Sprintf("/staff/claims?all=1&before=%d", all[maxCaseRows-1].ID)
	}
	late, asked := 0, money.Micro(0)
	for i := range all {
		r := s.claimRow(q, &all[i])
		if r.Late {
			late++
		}
		asked = asked.Add(r.Open)
		v.Rows = append(v.Rows, r)
	}
	v.All, v.AllText = "/staff/claims?all=1", q.t("settle.claims-all")
	title := q.t("settle.claims", "n", len(all), "sum", s.reader.money(asked))
	switch {
	case whole:
		title, v.All, v.AllText = q.t("settle.claims-title-all"), "/staff/claims", q.t("settle.claims-open")
	case len(all) == 0:
		title = q.t("settle.claims-none")
	case late > 0:
		title += " " + q.t("settle.claims-late", "n", late)
	}
	if !whole {
		slices.SortStableFunc(v.Rows, func(a, b claimRow) int {
			if a.Late != b.Late {
				return map[bool]int{true: -1, false: 1}[a.Late]
			}
			return cmp.Or(a.AnswerBy.Compare(b.AnswerBy), cmp.Compare(b.ID, a.ID))
		})
	}
	return page{name: "claims", title: title, nav: "/staff/claims", shape: "staff", data: v}, nil
}

// claimView is a claim: its calls with what differs, its letter, and what is done next.
type claimView struct {
	claimRow
	Facts    []factRow
	Letter   string
	Answers  []itemRow
	Calls    []claimCallRow
	Rest     int
	Kinds    []kindRow
	Compared *comparedView
	Upload   bool
	Zone     field
	Columns  field
	Send     *act
	Answer   []field
	Toast    *toast
}

type claimCallRow struct {
	N             int64
	Called        template.HTML
	At            time.Time
	Talk, Metered time.Duration
	Claimed       money.Micro
	Granted       money.Micro
	Said          string
}

type kindRow struct {
	Text  string
	Calls int
	Sum   string
}

// comparedView is what came of putting an invoice beside our metering.
type comparedView struct {
	Rows, Missing           int
	Charged, Expected, Over string
	Kinds                   []kindRow
}

const maxClaimCalls = 200

func (s *Server) claim(q *query, operation string) (c core.Claim, calls []core.ClaimCall, err error) {
	if err := q.may(operation); err != nil {
		return c, nil, err
	}
	id, err := strconv.ParseInt(q.PathValue("claim"), 10, 64)
	if err != nil {
		return c, nil, errMissing
	}
	return s.d.Settle.Claim(q.Context(), id)
}

func (s *Server) claimPage(q *query, said string, compared *core.Comparison) (page, error) {
	c, calls, err := s.claim(q, "get-claim")
	if err != nil {
		return page{}, err
	}
	v := claimView{claimRow: s.claimRow(q, &c)}
	if did := word("settle.did-" + q.URL.Query().Get("did")); said == "" && len(q.words.texts[did]) > 0 {
		said = q.t(did)
	}
	if said != "" {
		v.Toast = &toast{Text: said}
	}
	letter, err := s.d.Settle.Letter(q.Context(), c.ID, false)
	if err != nil {
		return page{}, err
	}
	lines := strings.Split(strings.TrimSpace(string(letter)), "\n") // it names a carrier's file
	for i := range lines {
		lines[i] = harmless(lines[i], 1000)
	}
	v.Letter = strings.Join(lines, "\n")
	s.fillClaim(q, &c, calls, &v)
	if compared != nil {
		v.Compared = s.compared(q, compared)
	}
	if v.Upload = c.State == core.ClaimDraft && q.may("import-invoice") == nil; v.Upload {
		v.Zone = field{Name: "zone", Label: q.t("settle.zone"), Help: q.t("settle.zone-help"), Value: s.reader.zone.String(), Most: 60}
		v.Columns = field{Name: "columns", Label: q.t("settle.columns"), Help: q.t("settle.columns-help"), Value: harmless(q.form.Get("columns"), 500), Most: 500, Lines: 2}
	}
	if c.State == core.ClaimDraft && c.Claimed > 0 && q.may("send-claim") == nil {
		v.Send = &act{Text: q.t("settle.send"), Path: v.Path, Post: true, Hidden: []pair{{"do", "send"}}, Look: "main", Busy: q.t("settle.sending")}
	}
	if c.State != core.ClaimDraft && q.may("answer-claim") == nil {
		v.Answer = []field{
			{Name: "granted", Label: q.t("settle.granted"), Help: q.t("settle.granted-help"), Before: money.Billing().Sign, Most: 20, Mode: "decimal", Needed: true},
			{Name: "text", Label: q.t("settle.answer-text"), Most: 4000, Lines: 3},
		}
	}
	title := q.t("settle.claim-title", "id", c.ID, "carrier", plain(v.Carrier), "sum", s.reader.money(c.Claimed))
	crumbs := []crumb{{q.t("settle.claims-crumb"), "/staff/claims"}, {q.t("case.number", "id", c.Case), v.Case}}
	return page{name: "claim", title: title, nav: "/staff/claims", shape: "staff", crumbs: crumbs, data: v}, nil
}

func (s *Server) fillClaim(q *query, c *core.Claim, calls []core.ClaimCall, v *claimView) {
	fact := func(key word, value template.HTML) { v.Facts = append(v.Facts, factRow{q.t(key), value}) }
	text := func(s string) template.HTML { return template.HTML(template.HTMLEscapeString(s)) } //nolint:gosec // escaped
	fact("settle.claimed", text(s.reader.money(c.Claimed)))
	fact("settle.was-granted", text(s.reader.money(c.Granted)))
	if c.Beyond > 0 {
		fact("settle.beyond", text(s.reader.money(c.Beyond)))
	}
	fact("settle.made", s.reader.when(q.at(c.Made))+" "+name(c.By))
	if !c.Sent.IsZero() {
		fact("settle.sent", s.reader.when(q.at(c.Sent)))
		fact("settle.answer-by", s.reader.when(q.at(c.AnswerBy)))
	}
	if c.Reminders > 0 {
		fact("settle.reminders", text(grouped(c.Reminders)))
	}
	if c.Invoice != "" {
		fact("settle.invoice", name(c.Invoice))
	}
	for i := range c.Answers {
		a := &c.Answers[i]
		v.Answers = append(v.Answers, itemRow{By: name(a.By), At: q.at(a.At), Amount: a.Granted, Text: bdi(harmless(a.Text, 4000))})
	}
	sums := map[core.Kind]core.Step{}
	for i := range calls {
		x := &calls[i]
		var said []string
		for _, p := range x.Parts {
			said = append(said, q.t("settle.kind-"+word(p.Kind))+", "+s.reader.money(p.Money))
			step := sums[p.Kind]
			step.Calls, step.Amount = step.Calls+1, step.Amount.Add(p.Money)
			sums[p.Kind] = step
		}
		if len(v.Calls) == maxClaimCalls {
			v.Rest++
			continue
		}
		r := claimCallRow{N: x.N, Called: s.number(x.Called, x.Called), At: q.at(x.Begun), Talk: x.Talk, Metered: x.Metered, Claimed: x.Claimed, Granted: x.Granted, Said: strings.Join(said, "; ")}
		if x.Call == "" {
			r.Called = bdi(harmless(x.Called, 60))
		}
		v.Calls = append(v.Calls, r)
	}
	v.Kinds = s.kindRows(q, sums)
}

func (s *Server) kindRows(q *query, sums map[core.Kind]core.Step) (rows []kindRow) {
	for _, k := range core.Kinds() {
		if x := sums[k]; x.Calls > 0 {
			rows = append(rows, kindRow{q.t("settle.kind-" + word(k)), x.Calls, s.reader.money(x.Amount)})
		}
	}
	return rows
}

func (s *Server) compared(q *query, c *core.Comparison) *comparedView {
	return &comparedView{Rows: len(c.Rows), Missing: len(c.Missing), Charged: s.reader.money(c.Charged), Expected: s.reader.money(c.Expected), Over: s.reader.money(c.Over), Kinds: s.kindRows(q, c.Kinds)}
}

// actOnClaim sends a claim, or notes an answer.
func (s *Server) actOnClaim(q *query) (page, error) {
	do := q.form.Get("do")
	operation := map[string]string{"send": "send-claim", "answer": "answer-claim"}[do]
	if operation == "" {
		return page{}, errMissing
	}
	c, _, err := s.claim(q, operation)
	if err != nil {
		return page{}, err
	}
	why := ""
	switch do {
	case "send":
		_, err = s.d.Settle.Send(q.Context(), q.ID, c.ID)
	case "answer":
		granted, wrong := money.Billing().ParseAmount(q.form.Get("granted"))
		if wrong != nil {
			why = q.t("settle.want-amount")
			break
		}
		_, err = s.d.Settle.Answer(q.Context(), q.ID, c.ID, granted, strings.TrimSpace(q.form.Get("text")))
	}
	if why == "" {
		why = s.caseWrong(q, err)
	}
	if why != "" {
		p, err := s.claimPage(q, why, nil)
		p.status = http.StatusConflict
		return p, err
	}
	return page{see: fmt.Sprintf("/staff/claims/%d?did=%s", c.ID, do)}, err
}

// columnsOf are the columns that staff name, one on a line or with commas between them.
func columnsOf(text string) (all []string) {
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// invoice puts a carrier's file beside our metering, and shows what differs.
func (s *Server) invoice(q *query) (page, error) {
	c, _, err := s.claim(q, "import-invoice")
	if err != nil {
		return page{}, err
	}
	fields, file, err := q.sheet()
	why := q.uploadWhy(err)
	if why == "" && err != nil {
		return page{}, err
	}
	var out core.Comparison
	q.form = url.Values{"columns": {fields["columns"]}} // shown again
	if why == "" {
		out, err = s.d.Settle.Invoice(q.Context(), q.ID, c.ID, file.data, settle.InvoiceOptions{File: file.name, Zone: fields["zone"], Map: columnsOf(fields["columns"])})
		if why = s.caseWrong(q, err); why == "" && err != nil {
			return page{}, err
		}
		why = strings.NewReplacer("with --map, such as --map ", "below, such as ", "with --map ", "below: ", "--map ", "").Replace(why) // as the page's field does it
	}
	if why != "" {
		p, err := s.claimPage(q, why, nil)
		p.status = http.StatusUnprocessableEntity
		return p, err
	}
	return s.claimPage(q, q.t("settle.did-invoice"), &out)
}

func (s *Server) claimLetter(q *query, w http.ResponseWriter) error {
	c, _, err := s.claim(q, "get-claim-letter")
	if err != nil {
		return err
	}
	pdf := q.form.Get("format") == "pdf"
	letter, err := s.d.Settle.Letter(q.Context(), c.ID, pdf)
	if err != nil {
		return err
	}
	kind, end := "text/plain; charset=utf-8", "txt"
	if pdf {
		kind, end = "application/pdf", "pdf"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="claim-%d.%s"`, c.ID, end))
	_, err = w.Write(letter)
	return err
}

func (s *Server) claimSheet(q *query, w http.ResponseWriter) error {
	c, _, err := s.claim(q, "get-claim-sheet")
	if err != nil {
		return err
	}
	sheet, err := s.d.Settle.Sheet(q.Context(), c.ID)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="claim-%d.csv"`, c.ID))
	_, err = w.Write(sheet)
	return err
}
