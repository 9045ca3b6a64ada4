package web

import (
	"crypto/rand"
	"errors"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
	"ringfence/flow/notify"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil || s.d.Cooling == nil {
		return
	}
	s.page("GET /notices", customer, s.notified)
	s.page("POST /notices", customer, s.changeNotified)
	if s.d.Sent != nil {
		s.page("GET /notices/sent", customer, s.sent)
	}
})

// notifiedView is who is notified, and of what.
type notifiedView struct {
	Contacts []notifiedRow
	Add      []field
	May      bool
	Waits    string // how long a change waits
	Sent     string // where the notices that went out are; "" is nowhere
	Fault    string
}

// noticesView is the notices that the customer's people got.
type noticesView struct {
	Rows  []noticeRow
	Pager pager
}

type noticeRow struct {
	At       time.Time
	Title    template.HTML
	Line     template.HTML
	LinePath string // "" where the line is gone
	To       []noticeWay
}

// noticeWay is one way that a notice took.
type noticeWay struct {
	At    template.HTML // address
	State string        // in words
	When  time.Time     // of its arrival; zero: it has not
	Bad   bool
}

type notifiedRow struct {
	Handle      string
	Name, At    template.HTML
	Lines, What template.HTML
	Edit        []field // of those who may change it
	Remove      bool
}

// allKinds is every kind of notice without a preference of its own.
const allKinds = "*"

func (s *Server) notified(q *query) (page, error) { return s.notifiedPage(q, "") }

func (s *Server) notifiedPage(q *query, fault string) (page, error) {
	if err := q.may("list-contacts"); err != nil {
		return page{}, err
	}
	c, ok := s.d.Book.Customer(q.Customer)
	if !ok {
		return page{}, errMissing
	}
	v := notifiedView{Fault: fault, May: q.may("change-contact") == nil}
	if s.d.Cooling.Held(&q.Who, q.Customer) {
		v.Waits = q.t("notices.waits", "time", s.waitText(q, c.Cooling.Wait))
	}
	for i := range c.Contacts {
		v.Contacts = append(v.Contacts, s.notifiedRow(q, &c.Contacts[i], v.May))
	}
	if s.d.Sent != nil && q.may("list-notices") == nil {
		v.Sent = "/notices/sent"
	}
	if q.may("add-contact") == nil {
		v.Add = s.contactFields(q, "", &account.Contact{Name: harmless(q.form.Get("name"), 80), Address: harmless(q.form.Get("mail"), 254)})
	}
	title := q.t("notices.nobody-title")
	if n := len(c.Contacts); n > 0 {
		title = q.t("notices.title", "n", n)
	}
	return page{name: "notices", title: title, nav: "/people", shape: "middle", crumbs: []crumb{{q.t("frame.people"), "/people"}}, data: v}, nil
}

// sent is the list of the notices that went to the customer's people, the newest first.
func (s *Server) sent(q *query) (page, error) {
	if err := q.may("list-notices"); err != nil {
		return page{}, err
	}
	f := notify.Filter{Limit: perPage + 1}
	f.Before, _ = strconv.ParseInt(q.form.Get("before"), 10, 64) // anything else is the end
	f.Before = max(f.Before, 0)
	all, err := s.d.Sent(q.Context(), q.Customer, f)
	if err != nil {
		return page{}, err
	}
	v := noticesView{}
	if f.Before > 0 {
		v.Pager.Back = "/notices/sent"
	}
	if len(all) > perPage {
		all = all[:perPage]
		v.Pager.Next = "/notices/sent?before=" + strconv.FormatInt(all[perPage-1].ID, 10)
	}
	for i := range all {
		v.Rows = append(v.Rows, s.noticeRow(q, &all[i]))
	}
	return page{name: "sent", title: q.t("notices.sent"), nav: "/people", crumbs: []crumb{{q.t("frame.people"), "/people"}, {q.t("notices.short"), "/notices"}}, data: v}, nil
}

func (s *Server) noticeRow(q *query, n *notify.View) noticeRow {
	r := noticeRow{At: q.at(n.At), Title: name(n.Title)}
	if n.Line != "" {
		r.Line = s.lineText(n.Line)
	}
	if l, ok := s.d.Book.Line(n.Line); ok && l.Customer() == q.Customer {
		r.LinePath = linePath(l)
	}
	for _, d := range n.Deliveries {
		to := noticeWay{At: name(account.ChannelCalled(d.Channel).Shown(d.Address)), State: q.t("notices.state-" + word(d.State)), Bad: d.State == notify.Failed || d.State == notify.Bounced}
		if d.State == notify.Sent {
			to.When = q.at(d.Sent)
		}
		r.To = append(r.To, to)
	}
	return r
}

func (s *Server) notifiedRow(q *query, c *account.Contact, may bool) notifiedRow {
	handle := account.Handle(c.ID)
	r := notifiedRow{Handle: handle, Name: name(c.Name), At: name(account.ChannelCalled(c.Channel).Shown(c.Address)), What: template.HTML(template.HTMLEscapeString(q.t("notices.gets-" + word(preferenceOf(c)))))} //nolint:gosec // escaped
	if c.Name == "" {
		r.Name = name(handle)
	}
	var lines []string
	for _, id := range c.Lines {
		lines = append(lines, account.Handle(id))
	}
	if len(lines) > 0 {
		r.Lines = q.mark("notices.lines", "lines", bdi(harmless(strings.Join(lines, ", "), 200)))
	}
	if own := len(c.Kinds); own > 1 || own == 1 && c.Kinds[allKinds] == "" {
		r.What += " " + q.mark("notices.but", "n", own)
	}
	if may {
		r.Edit, r.Remove = s.contactFields(q, "-"+handle, c), q.may("delete-contact") == nil
	}
	return r
}

// preferenceOf is how a contact wants what has no preference of its own.
func preferenceOf(c *account.Contact) account.Preference {
	if p := c.Kinds[allKinds]; p != "" {
		return p
	}
	return account.PreferNow
}

// contactFields are those of a contact; their names end in what tells the forms of a page apart.
func (s *Server) contactFields(q *query, of string, c *account.Contact) []field {
	gets := field{Name: "gets" + of, Label: q.t("notices.gets"), Help: q.t("notices.gets-help"), Most: 20}
	for _, p := range []account.Preference{account.PreferNow, account.PreferDigest, account.PreferOff} {
		gets.Choices = append(gets.Choices, choice{string(p), q.t("notices.gets-" + word(p)), p == preferenceOf(c)})
	}
	all := []field{{Name: "name" + of, Label: q.t("notices.name"), Value: harmless(c.Name, 80), Most: 80, Complete: "off"}}
	if c.Channel != account.Webhook {
		all = append(all, field{Name: "mail" + of, Label: q.t("notices.mail"), Value: harmless(c.Address, 254), Type: "email", Mode: "email", Complete: "off", Most: 254, Needed: true})
	}
	return append(all, gets)
}

// changeNotified adds a contact, changes one or takes one away. It asks for a factor first: a thief would see to it that nobody hears.
func (s *Server) changeNotified(q *query) (page, error) {
	do := q.form.Get("do")
	if err := q.may(map[string]string{"add": "add-contact", "change": "change-contact", "remove": "delete-contact"}[do]); err != nil {
		return page{}, err
	}
	if see := q.fresh("/notices"); see != "" {
		return page{see: see}, nil
	}
	v, ok := s.d.Book.Customer(q.Customer)
	if !ok {
		return page{}, errMissing
	}
	var waits bool
	var err error
	handle := q.form.Get("contact")
	i := slices.IndexFunc(v.Contacts, func(c account.Contact) bool { return account.Handle(c.ID) == handle })
	switch {
	case do == "add":
		c := account.Contact{ID: newHandle(), Channel: account.Mail}
		q.fillContact(&c, "")
		waits, err = s.d.Cooling.PutContact(q.Context(), &q.Who, q.Customer, c)
	case i < 0:
		return page{}, errMissing
	case do == "remove":
		waits, err = s.d.Cooling.DeleteContact(q.Context(), &q.Who, q.Customer, v.Contacts[i].ID)
	default:
		c := v.Contacts[i].Clone()
		q.fillContact(&c, "-"+handle)
		waits, err = s.d.Cooling.PutContact(q.Context(), &q.Who, q.Customer, c)
	}
	var invalid *book.Invalid
	switch {
	case errors.As(err, &invalid):
		return s.notifiedPage(q, q.t("notices.want"))
	case errors.Is(err, cooling.ErrNotFound): // it went meanwhile
		err = nil
	}
	if waits {
		return page{see: "/changes"}, err
	}
	return page{see: "/notices"}, err
}

// fillContact puts in what was typed.
func (q *query) fillContact(c *account.Contact, of string) {
	c.Name = strings.TrimSpace(q.form.Get("name" + of))
	if c.Channel != account.Webhook {
		c.Address = strings.TrimSpace(q.form.Get("mail" + of))
	}
	p := account.Preference(q.form.Get("gets" + of))
	if p == preferenceOf(c) {
		return
	}
	if c.Kinds == nil {
		c.Kinds = map[string]account.Preference{}
	}
	c.Kinds[allKinds] = p
}

// newHandle is an id for a new contact, which the pages do not show: people tell contacts by name and address. Two that wait at a time have different ones.
func newHandle() string { return "person-" + strings.ToLower(rand.Text()[:8]) }
