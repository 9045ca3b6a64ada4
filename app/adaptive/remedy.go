package adaptive

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/flow/play"
)

// Remedy is another setting, with what the dearest strategies would have cost under it.
type Remedy struct {
	Setting  string      `json:"setting"`
	Is       string      `json:"is"`
	To       string      `json:"to"`
	Replayed money.Micro `json:"loss_replayed_micro"` // of the dearest of the strategies, played as they are
	Loss     money.Micro `json:"loss_micro"`          // after the attacker has looked for others under the setting
	Adapted  int         `json:"strategies"`          // that he looked at
	Honest   int         `json:"honest_calls_stopped"`
	Of       int         `json:"of_honest_calls"` // that cost something

	under *other
}

// Bearable says that the setting would hardly have stopped an honest call: at most one in a thousand.
func (r *Remedy) Bearable() bool { return r.Honest*1000 <= r.Of }

// other is a setting to be tried in the place of the customer's own.
type other struct {
	setting, is, to string
	change          func(*account.Effective)
	known           map[uint32]bool // networks of an IP lock; nil: there is none
}

// locked says that nobody gets in from elsewhere.
func (o *other) locked() bool { return o != nil && o.known != nil }

// refuses says that an honest call comes from where nobody gets in.
func (o *other) refuses(c *play.Call) bool {
	return o.locked() && !c.Inbound && c.Place != 0 && !o.known[c.Place]
}

// remedies plays the dearest strategies under each other setting, and has the attacker look for better ones under those that would help most.
func (s *search) remedies(ctx context.Context, loss money.Micro) (all []Remedy) {
	if loss == 0 {
		return nil
	}
	var under []*search
	elite := make([]Strategy, min(len(s.best), again))
	for i := range elite {
		elite[i] = s.best[i].Strategy
	}
	for _, o := range s.others() {
		sub := &search{ground: s.ground, o: s.o, random: s.random, under: o}
		sub.judge(ctx, elite)
		if ctx.Err() != nil {
			break
		}
		under = append(under, sub)
		of := s.honest(o)
		all = append(all, Remedy{Setting: o.setting, Is: o.is, To: o.to, Replayed: sub.dearest(), Loss: sub.dearest(), Honest: max(of.stopped-s.past.stopped, 0), Of: s.past.paid, under: o})
	}
	for rank(all); ctx.Err() == nil; rank(all) {
		i := slices.IndexFunc(all, func(r Remedy) bool { return r.Bearable() })
		if i < 0 || all[i].Adapted > 0 || all[i].Loss >= loss {
			break
		}
		sub := under[slices.IndexFunc(under, func(x *search) bool { return x.under == all[i].under })]
		all[i].Adapted = max(s.o.Strategies/20, 50)
		sub.refine(ctx, all[i].Adapted)
		all[i].Loss = sub.dearest()
	}
	return all
}

// again is how many of the dearest strategies are played under each other setting.
const again = 24

// rank puts those first that stop nobody else, and leave the least loss.
func rank(all []Remedy) {
	slices.SortStableFunc(all, func(a, b Remedy) int {
		if a.Bearable() != b.Bearable() {
			if a.Bearable() {
				return -1
			}
			return 1
		}
		return cmpMicro(a.Loss, b.Loss)
	})
}

func (s *search) dearest() money.Micro {
	if len(s.best) == 0 {
		return 0
	}
	return s.best[0].Loss
}

// refine plays descendants of what is known.
func (s *search) refine(ctx context.Context, n int) {
	for played := 0; played < n && ctx.Err() == nil; {
		next := make([]Strategy, min(batch, n-played))
		for i := range next {
			next[i] = s.descend(s.random, s.best, float64(played)/float64(n))
		}
		played += s.judge(ctx, next)
	}
}

// others are the settings that are tried: each as tight as the honest calls of the past let it be, and some half as wide.
func (g *ground) others() (all []*other) {
	e, x := g.lines[0].settings, g.past
	value := func(f account.Field, n int64) {
		if n < e.Values[f] && n >= 0 {
			all = append(all, &other{f.String(), shown(f, e.Values[f]), shown(f, n), func(e *account.Effective) { e.Values[f] = min(e.Values[f], n) }, nil})
		}
	}
	closed := func(setting, to string, r restrict.Restriction) {
		r.ID, r.Ends = 1, true
		all = append(all, &other{setting, "open", to, func(e *account.Effective) { *e = *e.Closed([]restrict.Restriction{r}) }, nil})
	}
	value(account.InternationalCeiling, int64(x.abroad))
	value(account.NationalCeiling, int64(x.home))
	for f, most := range map[account.Field]money.Micro{
		account.LineDayCap: x.most(x.days), account.AccountDayCap: x.days[""], account.LineMonthCap: x.most(x.months), account.AccountMonthCap: x.months[""],
	} {
		value(f, int64(roundUp(most+most/5)))
		if e.Values[f]/2 > int64(roundUp(most+most/5)) {
			value(f, e.Values[f]/2)
		}
	}
	value(account.MaxCalls, int64(x.open))
	value(account.MaxInternational, int64(x.far))
	value(account.CallsPerMinute, int64(x.minute))
	value(account.LongestCall, int64((x.longest+time.Minute-1)/time.Minute)*60)
	if !x.premium {
		value(account.Premium, 0)
	}
	if !x.satellite {
		value(account.Satellite, 0)
	}
	closed("close abroad", "closed", restrict.Restriction{Names: restrict.Set{Abroad: true}})
	if countries := x.called(); len(countries) > 0 {
		closed("countries", "only "+names(countries), restrict.Restriction{Names: restrict.Set{Abroad: true}, Except: restrict.Set{Countries: countries}})
	}
	if hours, text := x.closedHours(); text != "" {
		closed("hours", "closed "+text, restrict.Restriction{Names: restrict.Set{Paid: true}, Hours: hours})
	}
	if known := g.networks(); known != nil && !g.locked {
		all = append(all, &other{"ip lock", "none", count(len(known), "network"), nil, known})
	}
	slices.SortStableFunc(all, func(a, b *other) int { return strings.Compare(a.setting+a.to, b.setting+b.to) })
	return all
}

// networks are those from which nearly all honest calls come, if there are few.
func (g *ground) networks() map[uint32]bool {
	total, known := 0, map[uint32]bool{}
	for _, n := range g.places {
		total += n
	}
	for place, n := range g.places {
		if n*200 >= total {
			known[place] = true
		}
	}
	if len(known) == 0 {
		return nil
	}
	return known
}

// most is the highest of any line.
func (x *past) most(of map[string]money.Micro) (most money.Micro) {
	for who, n := range of {
		if who != "" {
			most = max(most, n)
		}
	}
	return most
}

// called are the countries abroad that were called.
func (x *past) called() (all []phone.Country) {
	for c := range x.countries {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b phone.Country) int { return slices.Compare(a[:], b[:]) })
	return all
}

// closedHours are those of the day in which nobody ever calls, on days of work and at the weekend.
func (x *past) closedHours() (h restrict.Hours, text string) {
	var parts []string
	for _, d := range [...]struct {
		name      string
		from, end int
	}{{"mon-fri", 0, 5}, {"sat-sun", 5, 7}} {
		var used [24]bool
		any := false
		for hour := d.from * 24; hour < d.end*24; hour++ {
			used[hour%24] = used[hour%24] || x.hours[hour]
			any = any || x.hours[hour]
		}
		if !any {
			parts = append(parts, d.name)
			continue
		}
		if from, until := silence(&used); from != until {
			parts = append(parts, fmt.Sprintf("%s %02d:00-%02d:00", d.name, from, until))
		}
	}
	text = strings.Join(parts, ", ")
	h, err := restrict.ParseHours(text)
	if err != nil {
		return h, ""
	}
	return h, text
}

// silence is the longest stretch of hours without calls; none if both are the same.
func silence(used *[24]bool) (from, until int) {
	longest := 0
	for begin := range 24 {
		n := 0
		for n < 24 && !used[(begin+n)%24] {
			n++
		}
		if n > longest {
			longest, from, until = n, begin, (begin+n)%24
		}
	}
	return from, until
}

// roundUp is an amount in whole units of the billing currency.
func roundUp(a money.Micro) money.Micro {
	unit := money.Billing().Sum(1)
	return max((a+unit-1)/unit, 1) * unit
}

func shown(f account.Field, n int64) string {
	switch f.Unit() {
	case account.UnitRate:
		return money.Billing().Rate(money.Rate(n))
	case account.UnitAmount:
		return money.Billing().Shown(money.Micro(n))
	case account.UnitSeconds:
		return (time.Duration(n) * time.Second).String()
	case account.UnitSwitch:
		return map[bool]string{true: "on", false: "off"}[n > 0]
	}
	return fmt.Sprint(n)
}

func names(all []phone.Country) string {
	var text []string
	for _, c := range all {
		text = append(text, c.String())
	}
	if len(text) > 12 {
		return fmt.Sprintf("%s and %d more", strings.Join(text[:12], ", "), len(text)-12)
	}
	return strings.Join(text, ", ")
}
