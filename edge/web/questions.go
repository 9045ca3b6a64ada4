package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
	"ringfence/flow/notify"
	"ringfence/flow/watch"
)

// asked are open findings that only the customer can answer: of a line, or of all where line is "".
func (s *Server) asked(ctx context.Context, customer, line string, now time.Time) ([]watch.Finding, error) {
	if s.d.Watch == nil {
		return nil, nil
	}
	all, err := s.d.Watch.Findings(ctx, watch.Filter{Account: customer, Line: line, Open: true, Limit: 100})
	return slices.DeleteFunc(all, func(f watch.Finding) bool {
		kind, known := detect.ParseKind(f.Kind)
		l, there := s.d.Book.Line(f.Line)
		if !known || !kind.Audience().Has(detect.Owner) || !kind.Traits().Login || !there || now.Sub(f.Last) > askedFor {
			return true
		}
		d, ok := s.deviceOf(l, &f)
		return ok && d != ""
	}), err
}

// login is what a finding about a login says of the device.
type login struct {
	Address, Agent, Family, Country, Network string
	ASN                                      uint32
	Hosting                                  bool
}

func loginOf(f *watch.Finding) (d login) {
	_ = json.Unmarshal(f.Evidence, &d) // what is not there is not said
	return d
}

// place is the network that a device is remembered under.
func (d *login) place() string {
	a, err := netip.ParseAddr(d.Address)
	if err != nil {
		return ""
	}
	return detect.Place(a, d.ASN)
}

// deviceOf is what the owner answered about the device of a finding; ok says that the device is known.
func (s *Server) deviceOf(l *book.Line, f *watch.Finding) (verdict string, ok bool) {
	if s.d.Devices == nil {
		return "", false
	}
	d := loginOf(f)
	for _, x := range s.d.Devices.Of(l.ID()) {
		if x.Place == d.place() && x.Family == d.Family {
			return x.Verdict, true
		}
	}
	return "", false
}

// closed are the restrictions in force of a line and of its customer that a finding caused.
func closedBy(list []restrict.Restriction, now time.Time, zone *time.Location) (all []restrict.Restriction) {
	for _, r := range list {
		if r.Finding != "" && r.InForce(now, zone) {
			all = append(all, r)
		}
	}
	return all
}

// questions are what needs an answer, the worst first.
func (s *Server) questions(q *query, n *nowView) (all []banner) {
	zone := s.d.Book.Zone(q.Customer)
	for i := range n.findings {
		all = append(all, s.loginBanner(q, &n.findings[i]))
	}
	for _, l := range n.lines {
		if slices.ContainsFunc(n.findings, func(f watch.Finding) bool { return f.Line == l.ID() }) {
			continue // one answer is enough
		}
		if l.Locked() {
			continue // its owner has answered: what is closed matters when the line is opened again
		}
		if closed := closedBy(l.Settings().Restrictions, q.now, zone); len(closed) > 0 {
			all = append(all, s.closedBanner(q, l, closed))
		}
	}
	if c, ok := s.d.Book.Customer(q.Customer); ok {
		if closed := closedBy(c.Settings.Restrictions, q.now, zone); len(closed) > 0 {
			all = append(all, s.closedBanner(q, nil, closed))
		}
	}
	for _, l := range n.lines {
		if l.Locked() {
			all = append(all, banner{
				Look: "warn", Icon: "lock", Title: q.t("overview.one-locked", "line", l.Handle()),
				Text: []template.HTML{q.mark("overview.locked-why", "why", name(l.LockWhy()))}, Acts: []act{{Text: q.t("overview.open-line", "line", l.Handle()), Path: linePath(l)}},
			})
		}
	}
	for i := range n.waiting {
		all = append(all, s.waitingBanner(q, &n.waiting[i], "/"))
	}
	return all
}

func linePath(l *book.Line) string { return "/lines/" + url.PathEscape(l.Handle()) }

func (s *Server) loginBanner(q *query, f *watch.Finding) banner {
	d, l := loginOf(f), account.Handle(f.Line)
	where := name(cmp.Or(strings.Join(slices.DeleteFunc([]string{d.Network, d.Country}, func(t string) bool { return t == "" }), ", "), d.Address))
	key := word("overview.login")
	if d.Hosting {
		key = "overview.login-hosting"
	}
	b := banner{Look: "grave", Icon: "ask", Title: q.t("overview.was-it-you", "when", s.reader.human(q.at(f.Last))), Text: []template.HTML{
		q.mark(key, "agent", s.reader.claim(d.Agent), "where", where, "address", bdi(harmless(d.Address, 50)), "line", linkTo("/lines/"+url.PathEscape(l), l)),
	}}
	if own, ok := s.d.Book.Line(f.Line); ok {
		if closed := closedBy(own.Settings().Restrictions, q.now, own.Zone()); len(closed) > 0 {
			b.Text = append(b.Text, q.mark("overview.closed-what", "does", s.doAll(closed)))
		}
	}
	b.Acts = s.notMe(q, l)
	if q.may("judge-device") == nil {
		b.Acts = append(b.Acts, act{Text: q.t("overview.was-me"), Path: "/", Post: true, Hidden: []pair{{"do", "mine"}, {"finding", fmt.Sprint(f.ID)}}})
	}
	return b
}

// notMe is the button that leads to the lock.
func (s *Server) notMe(q *query, handle string) []act {
	if s.known("/lock") == "" || q.may("lock-line") != nil {
		return nil
	}
	return []act{{Text: q.t("overview.not-me", "line", handle), Path: "/lock?line=" + url.QueryEscape(handle), Look: "grave"}}
}

// closedBanner is about what unusual calls have closed, of a line or where l is nil of all. One answer opens all of it, so it is one question.
func (s *Server) closedBanner(q *query, l *book.Line, closed []restrict.Restriction) banner {
	b := banner{Look: "grave", Icon: "barred", Text: []template.HTML{q.mark("overview.closed-what", "does", s.doAll(closed))}}
	since, first, last, open := closed[0].Since, time.Time{}, time.Time{}, 0
	for i := range closed {
		r := &closed[i]
		if r.Since.Before(since) {
			since = r.Since
		}
		if r.Until.IsZero() {
			open++
			continue
		}
		if first.IsZero() || r.Until.Before(first) {
			first = r.Until
		}
		if r.Until.After(last) {
			last = r.Until
		}
	}
	switch {
	case open == len(closed):
	case open > 0:
		b.Text = append(b.Text, q.mark("overview.closed-some", "until", s.reader.when(q.at(first))))
	case first.Equal(last):
		b.Text = append(b.Text, q.mark("overview.closed-until", "until", s.reader.when(q.at(last))))
	default:
		b.Text = append(b.Text, q.mark("overview.closed-untils", "first", s.reader.when(q.at(first)), "until", s.reader.when(q.at(last))))
	}
	back := "/"
	if l == nil {
		b.Title = q.t("overview.closed-all", "when", s.reader.human(q.at(since)))
	} else {
		back = linePath(l)
		b.Title = q.t("overview.closed-line", "line", l.Handle(), "when", s.reader.human(q.at(since)))
		b.Acts = s.notMe(q, l.Handle())
	}
	if q.may("delete-restriction") == nil {
		b.Acts = append(b.Acts, act{Text: q.t("overview.was-me"), Path: back, Post: true, Hidden: []pair{{"do", "lift"}, {"id", fmt.Sprint(closed[0].ID)}}})
	}
	return b
}

// doAll is what several restrictions do: what is plainly closed stands in one sentence.
func (s *Server) doAll(all []restrict.Restriction) string {
	var closed, others []string
	for i := range all {
		r := &all[i]
		if r.Login || r.Only || r.AtOnce > 0 || r.Ask != "" || len(r.Known) > 0 || !r.Except.IsZero() {
			others = append(others, s.does(r))
			continue
		}
		for part := range strings.SplitSeq(notify.Destinations(&r.Names), ", ") {
			if !slices.Contains(closed, part) {
				closed = append(closed, part)
			}
		}
	}
	if len(closed) > 0 {
		whole := restrict.Restriction{}
		others = slices.Insert(others, 0, sentence(whole.Does(strings.Join(closed, ", "), "")))
	}
	return strings.Join(others, " ")
}

// does is what a restriction does, as a sentence.
func (s *Server) does(r *restrict.Restriction) string {
	open := ""
	if !r.Except.IsZero() {
		open = notify.Destinations(&r.Except)
	}
	return sentence(r.Does(notify.Destinations(&r.Names), open))
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first := []rune(text)
	return strings.ToUpper(string(first[:1])) + strings.TrimSuffix(string(first[1:]), ".") + "."
}

// waitingBanner is a change that waits, with the button that stops it; back is where to go then.
func (s *Server) waitingBanner(q *query, c *cooling.Change, back string) banner {
	b := banner{Look: "warn", Icon: "clock", Title: q.t("overview.waiting", "when", s.reader.human(q.at(c.Due))), Text: []template.HTML{
		q.mark("overview.waiting-what", "text", name(waitingText(q, c)), "by", name(c.By), "n", s.told(q.Customer)),
	}}
	if c.Note != "" {
		b.Text = append(b.Text, q.mark("overview.waiting-note", "note", name(c.Note)))
	}
	if q.may("stop-change") == nil {
		b.Acts = []act{{Text: q.t("overview.stop-change"), Path: "/changes", Post: true, Hidden: []pair{{"do", "stop"}, {"id", c.Code}, {"back", back}}}}
	}
	return b
}

// waitingText is what a change does, with settings as pages call them.
func waitingText(q *query, c *cooling.Change) string {
	text := c.Text
	for f := range account.NumFields {
		if f.String() == "calls-per-second" {
			continue
		}
		text = strings.ReplaceAll(text, f.String()+" from ", strings.ToLower(q.t("line.set-"+word(f.String())))+" from ")
	}
	return sentence(text)
}

// told is how many contacts are notified of what waits.
func (s *Server) told(customer string) int {
	c, _ := s.d.Book.Customer(customer)
	return len(c.Contacts)
}

// answerQuestion is "that was me", about a login or about what unusual calls have closed to all lines.
func (s *Server) answerQuestion(q *query) (page, error) {
	switch q.form.Get("do") {
	case "mine":
		return s.wasMe(q)
	case "lift":
		return s.lift(q, nil, "/")
	case "read":
		return page{see: "/", read: s.latestNews()}, nil
	}
	return page{see: "/"}, nil
}

// wasMe records that the device of a finding is the owner's.
func (s *Server) wasMe(q *query) (page, error) {
	if err := q.may("judge-device"); err != nil {
		return page{}, err
	}
	all, err := s.asked(q.Context(), q.Customer, "", q.now)
	if err != nil {
		return page{}, err
	}
	i := slices.IndexFunc(all, func(f watch.Finding) bool { return fmt.Sprint(f.ID) == q.form.Get("finding") })
	if i < 0 {
		return page{see: "/"}, nil // answered meanwhile
	}
	if see := q.fresh("/"); see != "" {
		return page{see: see}, nil
	}
	d := loginOf(&all[i])
	if err := s.d.Devices.SetVerdict(q.Context(), all[i].Line, d.place(), d.Family, "mine", q.ID); err != nil {
		return page{}, err
	}
	if l, ok := s.d.Book.Line(all[i].Line); ok {
		for _, r := range closedBy(l.Settings().Restrictions, q.now, l.Zone()) {
			return page{see: "/"}, s.d.Vouch(q.Context(), q.ID, l.ID(), q.Customer, r.Finding) // with all that unusual calls closed
		}
	}
	return page{see: "/"}, nil
}

// lift takes away a restriction of a line, or where l is nil of the customer. One that a finding caused goes with all that the finding closed, and the rules learn
// from it; one that somebody set is a loosening, which may wait.
func (s *Server) lift(q *query, l *book.Line, back string) (page, error) {
	if err := q.may("delete-restriction"); err != nil {
		return page{}, err
	}
	c, _ := s.d.Book.Customer(q.Customer)
	list, line := c.Settings.Restrictions, ""
	if l != nil {
		list, line = l.Settings().Restrictions, l.ID()
	}
	i := slices.IndexFunc(list, func(r restrict.Restriction) bool { return fmt.Sprint(r.ID) == q.form.Get("id") })
	if i < 0 {
		return page{see: back}, nil // it is gone already
	}
	r := &list[i]
	if !cooling.MayLift(&q.Who, r) {
		return page{}, &fault{status: 403, title: "lines.not-yours", text: "lines.not-yours-what"}
	}
	if see := q.fresh(back); see != "" {
		return page{see: see}, nil
	}
	var err error
	switch {
	case r.Finding != "":
		err = s.d.Vouch(q.Context(), q.ID, line, q.Customer, r.Finding)
	case l != nil:
		_, err = s.d.Cooling.Line(q.Context(), &q.Who, line, book.LineEdit{Lift: r.ID})
	default:
		_, err = s.d.Cooling.Customer(q.Context(), &q.Who, q.Customer, book.CustomerEdit{Lift: r.ID})
	}
	return page{see: back}, err
}
