package privacy

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/settle"
	"ringfence/state/store"
)

// Rows of the archive: what is listed here is in it, and nothing else, so that no secret is.
type (
	personRow struct {
		Login    string    `json:"login"`
		Name     string    `json:"name"`
		Mail     string    `json:"mail"`
		Role     string    `json:"role"`
		Password bool      `json:"has_password"`
		Codes    bool      `json:"has_app_of_codes"`
		Passkeys []string  `json:"passkeys"`
		Made     time.Time `json:"made"`
	}
	signIn struct {
		Person  string    `json:"person"`
		Kind    string    `json:"kind"`
		Name    string    `json:"name"`
		Scopes  string    `json:"scopes"`
		Made    time.Time `json:"made"`
		Expires time.Time `json:"expires"`
		Seen    time.Time `json:"seen"`
		From    string    `json:"from"`
		Agent   string    `json:"user_agent"`
	}
	lineRow struct {
		Line     string          `json:"line"`
		Number   string          `json:"number"`
		Numbers  []string        `json:"numbers,omitempty"` // further ones
		Short    string          `json:"short,omitempty"`
		Name     string          `json:"name"`
		Locked   bool            `json:"locked"`
		Why      string          `json:"lock_why"`
		Courtesy string          `json:"courtesy"`
		Created  time.Time       `json:"created"`
		Settings json.RawMessage `json:"settings"`
	}
	device struct {
		Line    string    `json:"line"`
		Place   string    `json:"place"`
		Family  string    `json:"family"`
		Address string    `json:"address"`
		Agent   string    `json:"user_agent"`
		Country string    `json:"country"`
		Network string    `json:"network"`
		First   time.Time `json:"first"`
		Last    time.Time `json:"last"`
		Days    int64     `json:"days"`
		Verdict string    `json:"verdict"`
	}
	registration struct {
		Line      string    `json:"line"`
		Contact   string    `json:"contact"`
		Received  string    `json:"received"`
		Transport string    `json:"transport"`
		Agent     string    `json:"user_agent"`
		Since     time.Time `json:"since"`
		Expires   time.Time `json:"expires"`
	}
	callRow struct {
		Call      call.ID   `json:"call"`
		Direction string    `json:"direction"`
		Line      string    `json:"line"`
		Peer      string    `json:"peer"`
		Dialled   string    `json:"dialled"`
		Number    string    `json:"number"`
		Class     string    `json:"class"`
		Country   string    `json:"country"`
		Priced    string    `json:"destination"`
		Source    string    `json:"source"`
		Agent     string    `json:"user_agent"`
		Begun     time.Time `json:"begun"`
		Answered  time.Time `json:"answered"`
		Ended     time.Time `json:"ended"`
		Talk      float64   `json:"talk_seconds"`
		Retail    int64     `json:"retail_micro"`
		By        string    `json:"ended_by"`
		Reason    string    `json:"reason"`
		Text      string    `json:"text"`
		Refused   bool      `json:"refused"`
	}
	bill struct {
		Number int64     `json:"number"`
		From   time.Time `json:"from"`
		Until  time.Time `json:"until"`
		Made   time.Time `json:"made"`
		Due    time.Time `json:"due"`
		Calls  int64     `json:"calls"`
		Net    int64     `json:"net_micro"`
		VAT    int64     `json:"vat_micro"`
		Gross  int64     `json:"gross_micro"`
	}
	entry struct {
		Kind      string    `json:"kind"`
		Number    int64     `json:"number"`
		At        time.Time `json:"at"`
		Reference string    `json:"reference"`
		Text      string    `json:"text"`
		Net       int64     `json:"net_micro"`
		VAT       int64     `json:"vat_micro"`
		Owed      int64     `json:"owed_micro"`
		Calls     []string  `json:"calls"`
	}
	caseRow struct {
		Case     int64     `json:"case"`
		Line     string    `json:"line"`
		Title    string    `json:"title"`
		State    string    `json:"state"`
		Outcome  string    `json:"outcome"`
		Opened   time.Time `json:"opened"`
		Deadline time.Time `json:"deadline"`
		Finished time.Time `json:"finished"`
	}
	item struct {
		Case   int64     `json:"case"`
		N      int64     `json:"item"`
		Kind   string    `json:"kind"`
		At     time.Time `json:"at"`
		By     string    `json:"by"`
		Text   string    `json:"text"`
		File   string    `json:"file"`
		SHA256 string    `json:"sha256"`
		What   string    `json:"what"`
		Amount int64     `json:"amount_micro"`
		Ended  time.Time `json:"ended"`
		How    string    `json:"how"`
		Answer string    `json:"answer"`
	}
	disputed struct {
		Case   int64     `json:"case"`
		Call   call.ID   `json:"call"`
		Line   string    `json:"line"`
		Begun  time.Time `json:"begun"`
		Retail int64     `json:"retail_micro"`
		State  string    `json:"state"`
	}
	plan struct {
		Plan        int64           `json:"plan"`
		Case        int64           `json:"case"`
		State       string          `json:"state"`
		Amount      int64           `json:"amount_micro"`
		Made        time.Time       `json:"made"`
		Ended       time.Time       `json:"ended"`
		Instalments json.RawMessage `json:"instalments"`
		Payments    json.RawMessage `json:"payments"`
	}
	finding struct {
		Finding  int64     `json:"finding"`
		Kind     string    `json:"kind"`
		Severity string    `json:"severity"`
		Line     string    `json:"line"`
		Source   string    `json:"source"`
		Text     string    `json:"text"`
		At       time.Time `json:"at"`
		Last     time.Time `json:"last"`
		Count    int64     `json:"count"`
		Closed   time.Time `json:"closed"`
	}
	notice struct {
		Notice int64           `json:"notice"`
		Kind   string          `json:"kind"`
		Line   string          `json:"line"`
		At     time.Time       `json:"at"`
		To     []string        `json:"to"`
		Says   json.RawMessage `json:"says"`
	}
	request struct {
		Request int64     `json:"request"`
		Line    string    `json:"line"`
		Setting string    `json:"setting"`
		Value   int64     `json:"value"`
		Until   time.Time `json:"until"`
		Why     string    `json:"why"`
		State   string    `json:"state"`
		Made    time.Time `json:"made"`
		Decided time.Time `json:"decided"`
	}
	waiting struct {
		Line string    `json:"line"`
		By   string    `json:"by"`
		Text string    `json:"text"`
		Made time.Time `json:"made"`
		Due  time.Time `json:"due"`
	}
	journalRow struct {
		Seq  int64           `json:"seq"`
		At   time.Time       `json:"at"`
		Kind string          `json:"kind"`
		Line string          `json:"line"`
		Call call.ID         `json:"call"`
		Says json.RawMessage `json:"says"`
	}
)

// author is who wrote or decided something; staff have no names here.
func author(customer, name string) string {
	switch {
	case name == "", name == "auto", name == fact.ByAnswer, name == fact.ByCode, name == fact.ByForwardCode, strings.HasPrefix(name, account.Handle(customer)+"/"):
		return name
	}
	return account.StaffName
}

func viewPerson(p *store.Person) personRow {
	keys := []string{}
	for i := range p.Factors.Passkeys {
		keys = append(keys, p.Factors.Passkeys[i].Name)
	}
	return personRow{p.Login, p.Name, p.Mail, p.Role, p.Password != "", len(p.Sealed) > 0, keys, p.Made}
}

func (x *export) signIns(ctx context.Context, yield func(signIn) error) error {
	for i := range x.people {
		for _, kind := range []string{store.PassSession, store.PassToken} {
			all, err := x.p.o.Store.Passes(ctx, x.people[i].ID, kind)
			if err != nil {
				return err
			}
			for j := range all {
				p := &all[j]
				if err := yield(signIn{x.people[i].Login, kind, p.Name, p.Scopes, p.Made, p.Expires, p.Seen, p.From, p.Agent}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// lineRows are the lines that there are.
func (x *export) lineRows(yield func(lineRow) error) error {
	for _, id := range x.lines {
		l, ok := x.p.o.Book.Line(id)
		if !ok {
			continue
		}
		said := l.Settings()
		settings, err := json.Marshal(&said)
		if err == nil {
			err = yield(lineRow{l.Handle(), l.Number(), l.NumberTexts(), l.Reach().Short, l.Name(), l.Locked(), l.LockWhy(), string(l.Courtesy()), l.Created(), settings})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func viewDevice(d *store.Device) device {
	return device{account.Handle(d.Line), d.Place, d.Family, d.Address, d.Agent, d.Country, d.Network, d.First, d.Last, d.Count, d.Verdict}
}

func viewRegistration(r *store.Registration) registration {
	return registration{account.Handle(r.Line), r.Contact, r.Received, r.Transport, r.UserAgent, r.Since, r.Expires}
}

// viewCall leaves out what is between the provider and its carriers, and lines of others.
func viewCall(c *call.CDR, own func(line string) bool) callRow {
	peer := ""
	if own(c.Peer) {
		peer = account.Handle(c.Peer)
	}
	return callRow{
		c.ID, string(c.Direction), account.Handle(c.Line), peer, c.Dialled, c.Number, c.Class, c.Country, c.Rate, c.Source, c.UserAgent, c.Begun, c.AnsweredAt, c.Ended,
		c.Talk.Seconds(), int64(c.Retail), string(c.By), c.Reason, c.Text, c.Refused,
	}
}

func (x *export) bills(ctx context.Context, yield func(bill) error) error {
	read := func(before int64) ([]store.Bill, error) {
		return x.p.o.Store.Bills(ctx, store.BillFilter{Customer: x.c.ID, State: store.BillIssued, Before: before})
	}
	return paged(read, func(b *store.Bill) int64 { return b.Number }, func(b *store.Bill) error {
		return yield(bill{b.Number, b.From, b.Until, b.Made, b.Due, b.Calls, int64(b.Net), int64(b.VAT), int64(b.Gross)})
	})
}

func (x *export) entries(ctx context.Context, yield func(entry) error) error {
	read := func(before int64) ([]books.Entry, error) {
		return x.p.o.Store.Entries(ctx, store.EntryFilter{Customer: x.c.ID, Before: before})
	}
	return paged(read, func(e *books.Entry) int64 { return e.ID }, func(e *books.Entry) error {
		row := entry{string(e.Kind), e.Number, e.At, e.Reference, e.Text, int64(e.Net), int64(e.VAT), 0, e.Calls}
		for _, p := range e.Postings {
			if p.Account == books.Customer(x.c.ID) {
				row.Owed += int64(p.Amount)
			}
		}
		return yield(row)
	})
}

func (x *export) viewCase(c *casework.Case) caseRow {
	return caseRow{c.ID, account.Handle(c.Line), c.Title, string(c.State), string(c.Outcome), c.Opened, c.Deadline, c.Finished}
}

func (x *export) viewItem(i *casework.Item) item {
	return item{
		i.Case, i.N, string(i.Kind), i.At, author(x.c.ID, i.By), i.Text, i.File.Name, i.File.Hash, i.What, int64(i.Amount), i.Ended, i.How, i.Answer,
	}
}

func (x *export) disputes(ctx context.Context, yield func(disputed) error) error {
	for i := range x.cases {
		for f := (store.CaseCallFilter{Case: x.cases[i].ID, Customer: x.c.ID, Limit: pageSize}); ; {
			all, err := x.p.o.Store.CaseCalls(ctx, f)
			if err != nil {
				return err
			}
			for j := range all {
				c := &all[j]
				if err := yield(disputed{c.Case, c.Call, account.Handle(c.Line), c.Begun, int64(c.Retail), string(c.State)}); err != nil {
					return err
				}
			}
			if len(all) < f.Limit {
				break
			}
			f.After = all[len(all)-1].Call
		}
	}
	return nil
}

func (x *export) plans(ctx context.Context, yield func(plan) error) error {
	read := func(before int64) ([]settle.Plan, error) {
		return x.p.o.Store.Plans(ctx, store.PlanFilter{Customer: x.c.ID, Before: before})
	}
	return paged(read, func(p *settle.Plan) int64 { return p.ID }, func(p *settle.Plan) error {
		list, err := json.Marshal(p.List)
		if err != nil {
			return err
		}
		paid, err := json.Marshal(p.Payments)
		if err != nil {
			return err
		}
		return yield(plan{p.ID, p.Case, string(p.State), int64(p.Amount), p.Made, p.Ended, list, paid})
	})
}

func (x *export) findings(ctx context.Context, yield func(finding) error) error {
	read := func(before int64) ([]store.Finding, error) {
		return x.p.o.Store.Findings(ctx, store.FindingFilter{Account: x.c.ID, Before: before})
	}
	return paged(read, func(f *store.Finding) int64 { return f.ID }, func(f *store.Finding) error {
		return yield(finding{f.ID, f.Kind, f.Severity, account.Handle(f.Line), f.Source, f.Text, f.At, f.Last, f.Count, f.ClosedAt})
	})
}

// notices are those that went to the customer's contacts, not those that only staff got.
func (x *export) notices(ctx context.Context, yield func(notice) error) error {
	read := func(before int64) ([]store.Notice, error) {
		return x.p.o.Store.Notices(ctx, store.NoticeFilter{Account: x.c.ID, Before: before})
	}
	return paged(read, func(n *store.Notice) int64 { return n.ID }, func(n *store.Notice) error {
		to := []string{}
		for i := range n.Deliveries {
			if d := &n.Deliveries[i]; strings.HasPrefix(d.Person, "customer/") {
				to = append(to, d.Channel+":"+d.Address)
			}
		}
		if len(to) == 0 {
			return nil
		}
		return yield(notice{n.ID, n.Kind, account.Handle(n.Line), n.At, to, n.Data})
	})
}

func (x *export) requests(ctx context.Context, yield func(request) error) error {
	all, err := x.p.o.Store.Requests(ctx, "")
	if err != nil {
		return err
	}
	for i := range all {
		r := &all[i]
		err := x.ours(r.Line, func() error {
			return yield(request{r.ID, account.Handle(r.Line), r.Field.String(), r.N, r.Until, r.Why, r.State, r.Made, r.Decided})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *export) waiting(ctx context.Context, yield func(waiting) error) error {
	all, err := x.p.o.Store.Waitings(ctx, x.c.ID)
	if err != nil {
		return err
	}
	for i := range all {
		w := &all[i]
		if err := yield(waiting{account.Handle(w.Line), author(x.c.ID, w.By), w.Text, w.Made, w.Due}); err != nil {
			return err
		}
	}
	return nil
}
