package privacy

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Export writes a ZIP archive of everything that is held about a customer and its people, but for secrets, what staff wrote for themselves, what is between the
// provider and its carriers, and other customers. That it was asked for is a fact, which is written first.
func (p *Privacy) Export(ctx context.Context, w io.Writer, customer, actor string) error {
	x, err := p.collect(ctx, customer)
	if err != nil {
		return err
	}
	if err := p.say(ctx, &fact.PrivacyExported{By: actor}, customer); err != nil {
		return err
	}
	parts := x.parts(ctx)
	a := &pack{zip.NewWriter(w), x.now}
	if err := a.add("README.txt", func(w io.Writer) error { return x.readme(w, parts) }); err != nil {
		return err
	}
	for _, part := range parts {
		if err := part.write(a); err != nil {
			return err
		}
	}
	return a.z.Close()
}

// export is what is read first; everything long is read as it is written.
type export struct {
	p     *Privacy
	now   time.Time
	c     book.CustomerView
	lines []string // identities

	people []store.Person
	cases  []casework.Case
	away   []string // nodes that have archives of their own
}

func (p *Privacy) collect(ctx context.Context, customer string) (*export, error) {
	c, err := p.called(customer)
	if err != nil {
		return nil, err
	}
	x := &export{p: p, now: time.Now().UTC(), c: c}
	if x.lines, err = p.lines(ctx, customer); err != nil {
		return nil, err
	}
	if x.people, err = p.o.Store.People(ctx, customer); err != nil {
		return nil, err
	}
	for f := (store.CaseFilter{Customer: customer, Limit: 100}); ; {
		some, err := p.o.Store.Cases(ctx, f)
		if err != nil {
			return nil, err
		}
		if x.cases = append(x.cases, some...); len(some) < f.Limit {
			break
		}
		f.Before = some[len(some)-1].ID
	}
	archives, err := p.o.Store.Archives(ctx, "")
	for i := range archives {
		if node := archives[i].Node; node != p.o.Node && !slices.Contains(x.away, node) {
			x.away = append(x.away, node)
		}
	}
	return x, err
}

// parts are what the archive has, in order.
func (x *export) parts(ctx context.Context) []part {
	s := x.p.o.Store
	return []part{
		{"customer.json", "who the customer is, settings and contacts", x.profile},
		rows("people", "who may sign in for the customer", all(x.people, viewPerson)),
		rows("sign-ins", "browsers that are signed in, and tokens of programs", func(yield func(signIn) error) error { return x.signIns(ctx, yield) }),
		rows("lines", "lines with their numbers and settings", func(yield func(lineRow) error) error { return x.lineRows(yield) }),
		rows("devices", "phones and places that the lines were used from", func(yield func(device) error) error {
			return s.Devices(ctx, func(d store.Device) error { return x.ours(d.Line, func() error { return yield(viewDevice(&d)) }) })
		}),
		rows("registrations", "phones that are registered", func(yield func(registration) error) error {
			return s.Registrations(ctx, func(r store.Registration) error {
				return x.ours(r.Line, func() error { return yield(viewRegistration(&r)) })
			})
		}),
		{"habits.json", "what is usual for the lines, by which unusual calls are found", func(a *pack) error { return x.habits(ctx, a) }},
		rows("calls", "calls with their prices", func(yield func(callRow) error) error { return x.calls(ctx, yield) }),
		rows("old-calls", "calls that were moved to archives", func(yield func(callRow) error) error { return x.archived(ctx, yield) }),
		rows("bills", "bills", func(yield func(bill) error) error { return x.bills(ctx, yield) }),
		rows("account", "what was booked: bills, payments and credits", func(yield func(entry) error) error { return x.entries(ctx, yield) }),
		rows("cases", "cases", all(x.cases, x.viewCase)),
		rows("case-items", "what was written and decided in cases", func(yield func(item) error) error { return x.items(ctx, yield) }),
		rows("case-calls", "calls in dispute", func(yield func(disputed) error) error { return x.disputes(ctx, yield) }),
		rows("plans", "payments by instalments", func(yield func(plan) error) error { return x.plans(ctx, yield) }),
		{"files/", "files that came as evidence, by case and item", func(a *pack) error { return x.evidence(ctx, a) }},
		rows("findings", "what the rules concluded", func(yield func(finding) error) error { return x.findings(ctx, yield) }),
		rows("notices", "notices to the customer's contacts", func(yield func(notice) error) error { return x.notices(ctx, yield) }),
		rows("requests", "requests to loosen a setting", func(yield func(request) error) error { return x.requests(ctx, yield) }),
		rows("waiting", "changes that wait", func(yield func(waiting) error) error { return x.waiting(ctx, yield) }),
		rows("journal", "what the journal says of the customer and its lines", func(yield func(journalRow) error) error { return x.journal(ctx, yield) }),
	}
}

const leftOut = `
What is not in here: passwords, keys and other secrets; what staff wrote for themselves; what is between us and other telephone companies; and other customers, also
where one of them called a line of this one.

Each .json and .csv of one name say the same. Times are UTC. Amounts that end in _micro are millionths of the currency.
`

func (x *export) readme(w io.Writer, parts []part) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Everything that %s holds about the customer %s and its people, on %s.\n\n", cell(orUs(x.p.o.Provider)), account.Handle(x.c.ID), x.now.Format("2 January 2006, 15:04 MST"))
	for _, p := range parts {
		fmt.Fprintf(&b, "%-38s %s\n", p.name, p.says)
	}
	b.WriteString(leftOut)
	for _, node := range x.away {
		fmt.Fprintf(&b, "\nThe server %q has archives of old calls that are not in here: ask for the same there.\n", node)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orUs(provider string) string {
	if provider == "" {
		return "the provider"
	}
	return provider
}

// ours calls next if a line is one of the customer's.
func (x *export) ours(line string, next func() error) error {
	if !x.own(line) {
		return nil
	}
	return next()
}

func (x *export) own(line string) bool {
	_, is := slices.BinarySearch(x.lines, line)
	return is
}

func (x *export) profile(a *pack) error {
	c := &x.c.Customer
	contacts := slices.Clone(c.Contacts)
	for i := range contacts {
		contacts[i].ID, contacts[i].Lines = account.Handle(contacts[i].ID), handles(contacts[i].Lines)
	}
	return a.add("customer.json", object(struct {
		ID       string            `json:"id"`
		Name     string            `json:"name"`
		Zone     string            `json:"zone"`
		Tariff   string            `json:"tariff"`
		Courtesy account.Courtesy  `json:"courtesy"`
		Cooling  account.Cooling   `json:"cooling_off"`
		Created  time.Time         `json:"created"`
		Settings account.Settings  `json:"settings"`
		Contacts []account.Contact `json:"contacts"`
		Numbers  []account.Proven  `json:"verified_numbers,omitempty"`
	}{account.Handle(c.ID), c.Name, x.c.ZoneInForce, x.c.TariffInForce, c.Courtesy, c.Cooling, c.Created, c.Settings, contacts, c.Numbers}))
}

func handles(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = account.Handle(id)
	}
	return out
}

func object(v any) func(io.Writer) error {
	return func(w io.Writer) error {
		b, err := json.MarshalIndent(v, "", " ")
		if err == nil {
			_, err = w.Write(append(spelled(b), '\n'))
		}
		return err
	}
}

func (x *export) habits(ctx context.Context, a *pack) error {
	out := map[string]any{}
	for _, id := range x.lines {
		if x.p.o.Habits == nil {
			break
		}
		s, ok, err := x.p.o.Habits(ctx, id, x.c.ID, x.now)
		if err != nil {
			return err
		}
		if ok {
			out[account.Handle(id)] = map[string]any{
				"days": s.Days, "learning": s.Learning, "hours": s.Hours, "countries": s.Countries, "numbers": s.Numbers, "networks": s.Networks, "products": s.Products,
			}
		}
	}
	return a.add("habits.json", object(out))
}

func (x *export) calls(ctx context.Context, yield func(callRow) error) error {
	for f := (store.CDRFilter{Account: x.c.ID, Limit: pageSize}); ; {
		all, err := x.p.o.Store.CDRs(ctx, f)
		if err != nil {
			return err
		}
		for i := range all {
			if err := yield(viewCall(&all[i], x.own)); err != nil {
				return err
			}
		}
		if len(all) < f.Limit {
			return nil
		}
		f.Before = all[len(all)-1].ID
	}
}

// items are those that the customer may see.
func (x *export) items(ctx context.Context, yield func(item) error) error {
	for i := range x.cases {
		all, err := x.p.o.Store.CaseItems(ctx, x.cases[i].ID)
		if err != nil {
			return err
		}
		for j := range all {
			if it := &all[j]; it.Shared() {
				if err := yield(x.viewItem(it)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// evidence writes the files that the customer sent, and those that it was shown.
func (x *export) evidence(ctx context.Context, a *pack) error {
	for i := range x.cases {
		all, err := x.p.o.Store.CaseItems(ctx, x.cases[i].ID)
		if err != nil {
			return err
		}
		for j := range all {
			it := &all[j]
			if !it.Shared() || it.File.Code == "" {
				continue
			}
			err := a.add(fmt.Sprintf("files/%d/%d-%s", it.Case, it.N, fileName(it.File.Name)), func(w io.Writer) error { return x.file(ctx, w, &it.File) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *export) file(ctx context.Context, w io.Writer, f *casework.File) error {
	left := f.Size
	for n := int64(0); left > 0; n++ {
		piece, err := x.p.o.Store.Piece(ctx, f.Code, n)
		if err != nil {
			return err
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
		left -= int64(len(piece))
	}
	return nil
}

// fileName is a name that stays in its folder wherever the archive is unpacked.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, cell(s))
	return strings.TrimLeft(s, ".")
}

func (x *export) journal(ctx context.Context, yield func(journalRow) error) error {
	return x.p.facts(ctx, x.c.ID, x.lines, func(f *store.Fact) error {
		body, ok := x.told(f)
		if !ok {
			return nil
		}
		return yield(journalRow{f.Seq, f.At.UTC(), f.Kind, account.Handle(f.Line), f.Call, body})
	})
}

// inside are kinds of fact that are of the provider's own work.
func inside(kind string) bool {
	switch fact.Noun(kind) {
	case "hold", "trace", "claim", "trunk", "deck", "everybody":
		return true
	}
	switch kind {
	case fact.KindFindingNoted, fact.KindCaseChanged, fact.KindCaseSettled, fact.KindCallJudged:
		return true
	}
	return false
}

// carriers are fields about what is between the provider and others.
var carriers = []string{"trunk", "b_call_id", "cost_micro", "carrier_talk_ms", "carrier_micro", "elsewhere_micro", "no_limit", "node"}

// told is what the customer may see of a fact; not ok: nothing.
func (x *export) told(f *store.Fact) (json.RawMessage, bool) {
	if inside(f.Kind) || len(f.Body) == 0 {
		return nil, !inside(f.Kind)
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(f.Body, &all) != nil {
		return nil, true
	}
	says := func(name string) (text string) {
		_ = json.Unmarshal(all[name], &text) // what is no text says nothing
		return text
	}
	if kind := says("item_kind"); kind == string(casework.Note) || kind == string(casework.Task) {
		return nil, false
	}
	for _, name := range carriers {
		delete(all, name)
	}
	if peer := says("peer"); !x.own(peer) {
		delete(all, "peer")
	}
	if by := says("by"); by != author(x.c.ID, by) {
		all["by"] = json.RawMessage(`"` + account.StaffName + `"`)
	}
	out, err := json.Marshal(all)
	return out, err == nil
}

// paged goes through lists that continue below a number.
func paged[T any](read func(before int64) ([]T, error), number func(*T) int64, yield func(*T) error) error {
	for before := int64(0); ; {
		all, err := read(before)
		if err != nil || len(all) == 0 {
			return err
		}
		for i := range all {
			if err := yield(&all[i]); err != nil {
				return err
			}
		}
		before = number(&all[len(all)-1])
	}
}

// archived streams the calls of the customer that are in archives of this node.
func (x *export) archived(ctx context.Context, yield func(callRow) error) error {
	return x.p.eachArchived(ctx, func(c *call.CDR) error {
		if c.Account != x.c.ID {
			return nil
		}
		return yield(viewCall(c, x.own))
	})
}
