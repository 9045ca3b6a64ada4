package web

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	coreexposure "ringfence/core/exposure"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
)

// herePlaces are the networks that a line's phones are registered from now: one address each, and of IPv6, where phones change theirs, the network.
func (s *Server) herePlaces(l *book.Line, now time.Time) (nets []netip.Prefix) {
	if s.d.Phones == nil {
		return nil
	}
	for _, p := range s.d.Phones(l.ID(), now) {
		a, bits := p.Received.Addr().Unmap(), 32
		if a.Is6() {
			bits = 64
		}
		if n, err := a.Prefix(bits); err == nil && !slices.Contains(nets, n) {
			nets = append(nets, n)
		}
	}
	return nets
}

// fromOf is where calls may come from.
func (s *Server) fromOf(q *query, n *lineNow, bad map[string]string) fromView {
	own, here := n.l.Settings(), s.herePlaces(n.l, q.now)
	v := fromView{Nets: field{Name: "nets", Label: q.t("line.nets"), Help: q.t("line.nets-help"), Value: account.FormatNets(own.Nets), Lines: 2, Most: 4000, Error: bad["nets"]}}
	if text, typed := q.form["nets"]; typed {
		v.Nets.Value = text[0]
	}
	if c, ok := s.d.Book.Customer(q.Customer); ok && len(c.Settings.Nets) > 0 {
		v.Above = account.FormatNets(c.Settings.Nets)
	}
	if len(here) > 0 && len(own.Nets) == 0 {
		v.Phones = account.FormatNets(here)
		v.Out = s.leftOut(q, n.l, here)
	}
	for i := range n.ideas {
		if c := &n.ideas[i]; c.Lock {
			v.Effect = q.t("line.lock-effect", "was", n.was, "is", coreexposure.Amount(c.Elsewhere))
		}
	}
	if len(own.Nets) > 0 {
		v.Effect = q.t("line.lock-on")
	}
	for i := range n.waiting {
		if strings.Contains(n.waiting[i].Text, "the IP lock from ") {
			v.Waiting = append(v.Waiting, s.waitingBanner(q, &n.waiting[i], linePath(n.l)))
		}
	}
	return v
}

// forwardsOf is where calls go that the line does not take.
func (s *Server) forwardsOf(q *query, n *lineNow, bad map[string]string) (v forwardsView) {
	is := n.l.Forwards()
	add := func(key, value string, f field) {
		short := word(strings.ReplaceAll(strings.TrimPrefix(key, "forward_"), "_", "-"))
		if text, typed := q.form[key]; typed {
			value = text[0]
		}
		f.Name, f.Label, f.Help, f.Value, f.Most, f.Error = key, q.t("line.forward-"+short), q.t("line.about-forward-"+short), value, 40, bad[key]
		v.Fields = append(v.Fields, f)
	}
	for _, cause := range account.ForwardCauses {
		add(account.ForwardKeys[cause], is.To(cause), field{Type: "tel"})
	}
	add("forward_after", strconv.Itoa(int(is.Rings()/time.Second)), field{Mode: "numeric", After: q.t("line.seconds")})
	for i := range n.waiting {
		if strings.Contains(n.waiting[i].Text, "calls forwarded ") {
			v.Waiting = append(v.Waiting, s.waitingBanner(q, &n.waiting[i], linePath(n.l)))
		}
	}
	return v
}

// reachOf is how a line is reached beside its number, and which lines ring with it.
func (s *Server) reachOf(q *query, l *book.Line, bad map[string]string) reachView {
	r := l.Reach()
	v := reachView{Numbers: strings.Join(l.NumberTexts(), ", ")}
	var members []string
	for _, m := range s.d.Book.Members(l) {
		members = append(members, m.Handle())
	}
	add := func(value string, f field) {
		if text, typed := q.form[f.Name]; typed {
			value = text[0]
		}
		for i := range f.Choices {
			f.Choices[i].On = f.Choices[i].Value == value
		}
		f.Value, f.Error = value, bad[f.Name]
		v.Fields = append(v.Fields, f)
	}
	ring := "together"
	if r.InTurn {
		ring = "in-turn"
	}
	add(r.Short, field{Name: "short", Label: q.t("line.short"), Help: q.t("line.short-help"), Mode: "numeric", Most: 4})
	add(strings.Join(members, ", "), field{Name: "rings", Label: q.t("line.rings"), Help: q.t("line.rings-help"), Most: 400})
	add(ring, field{Name: "ring", Label: q.t("line.ring"), Most: 20, Choices: []choice{{Value: "together", Text: q.t("line.together")}, {Value: "in-turn", Text: q.t("line.in-turn")}}})
	add(strconv.Itoa(int(r.Rings()/time.Second)), field{Name: "ring_each", Label: q.t("line.ring-each"), Mode: "numeric", After: q.t("line.seconds"), Most: 4})
	return v
}

// leftOut are the devices of the last month that an IP lock would turn away, as they call themselves.
func (s *Server) leftOut(q *query, l *book.Line, nets []netip.Prefix) (names []string) {
	if s.d.Devices == nil {
		return nil
	}
	for _, d := range s.d.Devices.Of(l.ID()) {
		a := addrOf(d.Address)
		inside := slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.Contains(a) })
		if !inside && d.Verdict != "not-mine" && q.now.Sub(d.Last) < lately {
			names = append(names, harmless(d.Agent, 60)+" ("+d.Address+")")
		}
	}
	return names[:min(len(names), 8)]
}

// lately is how long a device counts as in use.
const lately = 30 * 24 * time.Hour

// closings are the destinations that people have closed: to the line, to all lines of the customer, and to every line.
func (s *Server) closings(q *query, l *book.Line, v *lineView, bad map[string]string) {
	add := func(list []restrict.Restriction, do, whose string) {
		for i := range list {
			r := &list[i]
			if r.Ended(q.now) || r.Finding != "" {
				continue
			}
			c := closedView{Does: s.does(r), Since: s.reader.human(q.at(r.Since)), Why: harmless(r.Why, 200), Not: whose}
			if h := r.Hours.String(); h != "" {
				c.Does += " " + q.t("line.hours", "hours", h)
			}
			switch {
			case do == "" || !cooling.MayLift(&q.Who, r):
				c.Not = q.t("line.ours-to-open")
			case q.may("delete-restriction") == nil:
				c.Lift = &act{Text: q.t("line.open"), Path: linePath(l), Look: "tiny", Post: true, Hidden: []pair{{"do", do}, {"id", idText(r.ID)}}}
			}
			v.Closed = append(v.Closed, c)
		}
	}
	add(l.Settings().Restrictions, "lift", "")
	if c, ok := s.d.Book.Customer(q.Customer); ok {
		add(c.Settings.Restrictions, "lift-all", q.t("line.of-all"))
	}
	add(s.d.Book.Provider().Restrictions, "", "")
	closes := field{Name: "closes", Label: q.t("line.closes"), Help: q.t("line.closes-help"), Value: q.form.Get("closes"), Most: 500, Error: bad["closes"]}
	hours := field{Name: "hours", Label: q.t("line.when"), Help: q.t("line.when-help"), Value: q.form.Get("hours"), Most: 100, Error: bad["hours"]}
	v.Close = []field{closes, hours}
	v.Errors = append(v.Errors, wrong(v.Close...)...)
	if s.routed("/lines/x/countries") {
		v.Where = linePath(l) + "/countries"
	}
}

// mostDevices is how many are shown before those of long ago fold.
const mostDevices = 8

func (s *Server) devices(q *query, l *book.Line, v *lineView) {
	if s.d.Phones != nil {
		v.Ready = len(s.d.Phones(l.ID(), q.now))
	}
	if s.d.Devices == nil {
		return
	}
	all := s.d.Devices.Of(l.ID())
	for i := range all {
		d := &all[i]
		x := deviceView{
			Agent: s.reader.claim(d.Agent), Place: d.Place, Family: d.Family, Known: q.may("judge-device") == nil,
			Where: q.mark("line.device", "address", bdi(d.Address), "network", name(strings.Trim(d.Network+", "+d.Country, ", ")), "first", s.reader.when(q.at(d.First)), "last", s.reader.when(q.at(d.Last))),
		}
		switch d.Verdict {
		case "mine":
			x.Mine, x.Tag = true, tag{"good", "check", q.t("line.mine")}
		case "not-mine":
			x.NotMine, x.Tag = true, tag{"grave", "cross", q.t("line.not-mine")}
		default:
			if q.now.Sub(d.First) < 7*24*time.Hour {
				x.Tag = tag{"warn", "", q.t("line.new")}
			}
		}
		if len(all) > mostDevices && q.now.Sub(d.Last) > lately {
			v.Older = append(v.Older, x)
		} else {
			v.Devices = append(v.Devices, x)
		}
	}
}

func (s *Server) passwordOf(q *query, l *book.Line, bad map[string]string) passwordView {
	v := passwordView{Own: field{Name: "password", Label: q.t("line.own"), Help: q.t("line.own-help"), Type: "password", Complete: "new-password", Most: 128, Error: bad["password"]}, Weak: l.Login() && !l.BeyondGuessing()}
	since := l.Created()
	if former := s.d.Book.FormerHA1(l); len(former) > 0 {
		since = former[0].Until
	}
	if l.Login() {
		v.Since = q.mark("line.password-since", "when", s.reader.when(q.at(since)))
	} else {
		v.Since = q.mark("line.no-password")
	}
	return v
}
