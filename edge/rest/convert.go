package rest

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

var unitNames = [...]string{
	account.UnitNone: "none", account.UnitCount: "count", account.UnitRate: "nano_per_minute", account.UnitAmount: "micro",
	account.UnitSeconds: "seconds", account.UnitSwitch: "flag", account.UnitChoice: "choice",
}

// settings lists every field as in force, and what the link own says itself.
func settings(e *account.Effective, own *account.Settings, now time.Time, zone *time.Location) []api.Setting {
	out := make([]api.Setting, account.NumFields)
	for f := range account.NumFields {
		v := own.Values[f].At(now)
		out[f] = api.Setting{
			Field: f.String(), N: e.Values[f], Unit: unitNames[f.Unit()], Text: account.Format(f, e.Values[f]),
			From: e.From[f].String(), Own: v.Set, Granted: v.Granted, Until: in(zone, v.Until),
		}
		if f.Unit() == account.UnitRate && e.Values[f] > 0 {
			out[f].Text += " a minute"
		}
	}
	return out
}

// in gives an instant the clocks of a zone, and leaves none none.
func in(zone *time.Location, t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

func customerView(v *book.CustomerView) api.Customer {
	return api.Customer{
		ID: account.Handle(v.ID), Identity: account.FullIdentity(v.ID), Name: v.Name, Zone: v.ZoneInForce, Tariff: v.TariffInForce, Nets: netTexts(v.Settings.Nets),
		Courtesy: string(v.Courtesy), Lines: v.Lines, Created: v.Created, Reseller: account.Handle(v.Reseller),
	}
}

func lineView(l *book.Line) api.Line {
	v := api.Line{
		ID: l.Handle(), Identity: account.FullIdentity(l.ID()), Customer: account.Handle(l.Customer()), Name: l.Name(), Login: l.Login(), Locked: l.Locked(), LockWhy: l.LockWhy(),
		Created: l.Created(), Courtesy: string(l.Courtesy()), Own: l.OwnCourtesy() != account.CourtesyInherit, Honeypot: l.Honeypot(),
	}
	if n := l.Number(); n != "" {
		v.Number = "+" + n
	}
	f := l.Forwards()
	if f != (account.Forwards{}) {
		v.Forwards = api.Forwards{Always: f.Always, Busy: f.Busy, NoAnswer: f.NoAnswer, Unreachable: f.Unreachable, After: int64(f.Rings() / time.Second)}
	}
	r := l.Reach()
	v.Short, v.Numbers = r.Short, l.NumberTexts()
	if len(r.Members) > 0 {
		v.Group.Ring = "together"
		for _, id := range r.Members {
			v.Group.Rings = append(v.Group.Rings, account.Handle(id))
		}
		if r.InTurn {
			v.Group.Ring, v.Group.Each = "in-turn", int64(r.Rings()/time.Second)
		}
	}
	if l.Locked() {
		v.LockCalls = l.LockCalls().String()
	}
	return v
}

func (s *Server) trunkView(t *account.Trunk) api.Trunk {
	v := api.Trunk{
		Name: account.Handle(t.Name), Identity: account.FullIdentity(t.Name), Addresses: t.Addresses, Transport: t.Transport, User: t.User, Login: len(t.Sealed) > 0,
		Sources: netTexts(t.Sources), Priority: t.Priority, Deck: t.Deck, Format: t.Format, Withheld: t.Withheld, Headers: t.Headers, Privacy: t.Privacy, Abroad: t.Abroad, Emergency: t.Emergency,
		Disabled: t.Disabled, Registrar: t.Registrar, MaxCalls: t.MaxCalls, MaxRate: t.MaxRate,
	}
	if t.Registrar != "" {
		v.Expiry = t.Expiry
		if s.d.Enrolled != nil {
			v.Registration = s.d.Enrolled(t.Name)
		}
	}
	return v
}

func (s *Server) requestView(r *account.Request) api.Request {
	return api.Request{
		ID: r.ID, Line: account.Handle(r.Line), Field: r.Field.String(), N: r.N, Text: account.Format(r.Field, r.N), Until: in(s.lineZone(r.Line), r.Until), Why: r.Why,
		State: r.State, Made: r.Made, Decided: r.Decided, DecidedBy: r.DecidedBy, Note: r.Note,
	}
}

func phoneView(b *location.Binding) api.Phone {
	return api.Phone{
		Contact: b.Contact, Received: b.Received.String(), Transport: b.Transport, UserAgent: b.UserAgent,
		Since: b.Since, Expires: b.Expires, Seen: b.Heard,
	}
}

func purseView(p *gate.Purse) api.Purse {
	v := api.Purse{
		Owner: "line", Period: "day", Which: p.ID[strings.LastIndexByte(p.ID, '/')+1:], Cap: int64(p.Cap), Spent: int64(p.Spent), Held: int64(p.Held),
		Left: int64(max(p.Cap-p.Spent-p.Held, 0)),
		Text: api.Amount(p.Spent) + " of " + api.Amount(p.Cap) + " spent",
	}
	if p.Held > 0 {
		v.Text += ", " + api.Amount(p.Held) + " held"
	}
	switch p.Kind {
	case policy.AccountDay, policy.AccountMonth:
		v.Owner = "account"
	case policy.ResellerDay, policy.ResellerMonth:
		v.Owner = "reseller"
	}
	if p.Kind == policy.LineMonth || p.Kind == policy.AccountMonth || p.Kind == policy.ResellerMonth {
		v.Period = "month"
	}
	return v
}

func deckView(h *book.DeckHead, inForce bool) api.Deck {
	return api.Deck{
		Name: h.Name, Kind: string(h.Kind), Version: h.Version, Rows: h.Rows, InForce: inForce, Imported: h.Imported,
		By: h.By, Source: h.Source, Currency: h.Currency, Exchange: h.Exchange, Mapping: h.Mapping,
	}
}

func priceView(p *rating.Price) *api.Price {
	if p == nil {
		return nil
	}
	return &api.Price{
		Prefix: strconv.FormatUint(p.Prefix, 10), Short: p.Short, Name: p.Name, Connect: int64(p.Connect), Minimum: int64(p.Minimum),
		First: int(p.First), Step: int(p.Step), Peak: int64(p.Rates[rating.Peak]), OffPeak: int64(p.Rates[rating.OffPeak]),
		Weekend: int64(p.Rates[rating.Weekend]), From: p.From.Time(), Until: p.Until.Time(), Unpriced: p.NoPrice, Text: priceText(p),
	}
}

// priceText says a price as people would: "2p a minute + £0.05 to connect, by 60 s then 1 s".
func priceText(p *rating.Price) string {
	if p.NoPrice {
		return "no price"
	}
	text := api.APerMinute(p.Rates[rating.Peak])
	if p.Rates[rating.OffPeak] != p.Rates[rating.Peak] || p.Rates[rating.Weekend] != p.Rates[rating.Peak] {
		text = fmt.Sprintf("%s peak, %s off-peak, %s weekend", text,
			api.APerMinute(p.Rates[rating.OffPeak]), api.APerMinute(p.Rates[rating.Weekend]))
	}
	if p.Connect > 0 {
		text += " + " + api.Amount(p.Connect) + " to connect"
	}
	if p.Minimum > 0 {
		text += ", at least " + api.Amount(p.Minimum)
	}
	if p.First != 1 || p.Step != 1 {
		text += fmt.Sprintf(", by %d s then %d s", p.First, p.Step)
	}
	return text
}

func callView(c *gate.InProgress, now time.Time) api.Call {
	v := api.Call{
		ID: string(c.ID), Direction: string(c.Direction), State: string(c.State), Node: c.Node, Line: account.Handle(c.Line), LineID: account.FullIdentity(c.Line),
		Customer: account.Handle(c.Account), Account: account.FullIdentity(c.Account), Peer: account.Handle(c.Peer), Trunk: account.Handle(c.Trunk), Dialled: c.Dialled, Number: c.Number, Class: c.Class, Country: c.Country,
		Source: c.Source, UserAgent: c.UserAgent, Name: c.Quote.Price.Name, Held: int64(c.Held),
		PaidFor: int64(c.PaidFor / time.Second), Longest: int64(c.Longest / time.Second), Begun: c.Begun, Ringing: c.Ringing,
		Answered: c.AnsweredAt, Cutting: c.Cutting, Priced: c.Priced,
	}
	rate, talk := c.Rate(), c.Talk(now)
	v.PerMinute, v.Talk, v.SoFar = int64(rate), int64(talk/time.Second), int64(c.SoFar(now))
	switch {
	case c.Priced:
		v.Text = "over and no more is charged, waiting for a phone to confirm it"
	case c.State == call.Ending:
		v.Text = "over, waiting for a leg to confirm that it has ended"
	case c.State == call.Answered:
		v.Text = fmt.Sprintf("%s at %s, %s so far", talk.Truncate(time.Second), api.APerMinute(rate), api.Amount(c.Quote.Cost(talk)))
	case c.Ringing.IsZero():
		v.Text = "connecting"
	default:
		v.State, v.Text = "ringing", "ringing"
	}
	return v
}

// figures gives numbers and the same for people. Zero figures of a reason that counts nothing stay empty.
func figures(r policy.Reason, f policy.Figures) api.Figures {
	unit := r.Unit()
	if r == policy.ResellerDaySpent || r == policy.ResellerMonthSpent {
		return api.Figures{Unit: unitNames[unit]} // what others spend is not a customer's to see
	}
	v := api.Figures{Unit: unitNames[unit], Limit: f.Limit, Value: f.Value, Pass: f.Pass, Waiting: f.Waiting.Amount, Ringing: f.Waiting.Ringing, Ending: f.Waiting.Ending, List: f.List}
	if unit != account.UnitNone {
		v.LimitText, v.ValueText = figureText(unit, f.Limit), figureText(unit, f.Value)
		if f.Pass != 0 {
			v.PassText = figureText(unit, f.Pass)
		}
	}
	return v
}

func netTexts(nets []netip.Prefix) []string {
	if len(nets) == 0 {
		return []string{}
	}
	return strings.Split(account.FormatNets(nets), ", ")
}

// parseNets reads a list; each entry may itself be a comma-separated list, as people paste them.
func parseNets(field string, texts []string) ([]netip.Prefix, error) {
	nets, err := account.ParseNets(strings.Join(texts, ","))
	if err != nil {
		return nil, invalid(field, strings.Join(texts, ", "), strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if nets == nil {
		nets = []netip.Prefix{}
	}
	return nets, nil
}

func parseNetsIf(field string, texts *[]string) (*[]netip.Prefix, error) {
	if texts == nil {
		return nil, nil
	}
	nets, err := parseNets(field, *texts)
	return &nets, err
}

// link reads the IP lock and the settings of one link of the chain; days are of the zone.
func link(nets *[]string, set []api.Change, zone *time.Location) (*[]netip.Prefix, []book.Setting, error) {
	read, err := parseNetsIf("nets", nets)
	if err != nil {
		return nil, nil, err
	}
	settings, err := changes(set, zone)
	return read, settings, err
}

// changes reads what is to be set; days are of the zone.
func changes(in []api.Change, zone *time.Location) ([]book.Setting, error) {
	out := make([]book.Setting, len(in))
	for i, c := range in {
		f, n, err := parseSetting(c.Field, c.Value)
		if err != nil {
			return nil, err
		}
		until, err := instant(when.Until, "until", c.Until, zone)
		if err != nil {
			return nil, err
		}
		out[i] = book.Setting{Field: f, N: n, Grant: c.Grant, Until: until}
		if isInherit(c.Value) {
			if c.Grant {
				return nil, invalid("grant", c.Field, "a value to grant; inherit takes one back")
			}
			out[i].Inherit = true
		}
	}
	return out, nil
}

// courtesy reads what a line's owner is notified of; the book judges it.
func courtesy(text *string) *account.Courtesy {
	if text == nil {
		return nil
	}
	c := account.Courtesy(*text)
	if isInherit(*text) {
		c = account.CourtesyInherit
	}
	return &c
}

func isInherit(value string) bool { return strings.EqualFold(strings.TrimSpace(value), "inherit") }

func parseSetting(field, value string) (account.Field, int64, error) {
	f, err := account.ParseField(field)
	if err != nil {
		return 0, 0, invalid("field", field, err.Error())
	}
	if isInherit(value) {
		return f, 0, nil
	}
	n, err := account.ParseValue(f, value)
	if err != nil {
		_, want, ok := strings.Cut(err.Error(), ": want ")
		if !ok { // it can be read, and is too much or too little
			least, most := f.Range()
			want = "a value from " + account.Format(f, least) + " to " + account.Format(f, most)
		}
		return 0, 0, invalid(field, value, want)
	}
	return f, n, nil
}

// destination describes what was dialled.
func destination(v *api.Decision, d phone.Destination) {
	v.Number, v.National = d.Number.String(), d.National
	v.Class, v.Country = d.Class.String(), d.Country.String()
	v.Caller = [...]string{phone.AsSet: "", phone.Withhold: "withheld", phone.Present: "presented"}[d.Show]
	if d.Relay != 0 {
		v.Relay = strconv.FormatUint(uint64(d.Relay), 10)
	}
}

// figureText writes one figure for people.
func figureText(u account.Unit, n int64) string {
	switch u {
	case account.UnitRate:
		return api.APerMinute(money.Rate(n))
	case account.UnitAmount:
		return api.Amount(money.Micro(n))
	case account.UnitSeconds:
		return (time.Duration(n) * time.Second).String()
	case account.UnitCount:
		return strconv.FormatInt(n, 10)
	}
	return ""
}
