package exposure

import (
	"fmt"
	"net/netip"
	"time"

	"ringfence/core/account"
	"ringfence/core/exposure"
	"ringfence/core/money"
)

// Change is a setting that somebody thinks of: a value of a field, or an IP lock.
type Change struct {
	Field account.Field
	N     int64
	Lock  bool // to the networks that the phones are in; Field and N say nothing
}

// Changed is what a change would do to a figure.
type Changed struct {
	Change
	Now       string // the present value, as people write it
	To        string
	Retail    money.Micro
	Elsewhere money.Micro
	Known     bool
	Text      string
	Why       string // why it changes nothing; "" where it does
}

// changes works out those that were asked for; nil asks for what is worth thinking of.
func changes(q *exposure.Question, a *exposure.Account, f *exposure.Figure, asked []Change) (all []Changed) {
	if len(a.Lines) == 0 {
		return nil
	}
	e := a.Lines[0].Settings(q.From)
	if asked == nil {
		asked = ideas(e, f)
	}
	for _, c := range asked {
		all = append(all, try(q, a, f, e, c))
	}
	return all
}

// ideas are tighter values of the settings that bound a figure.
func ideas(e *account.Effective, f *exposure.Figure) (all []Change) {
	if !f.Known {
		all = append(all, Change{Lock: true})
	}
	coin := int64(money.Billing().Sum(1))
	half := func(f account.Field, least int64) int64 {
		n := e.Values[f] / 2
		if n > least {
			n = n / least * least
		}
		return n
	}
	for _, c := range []Change{
		{Field: account.InternationalCeiling, N: 0},
		{Field: account.NationalCeiling, N: half(account.NationalCeiling, int64(money.PencePerMinute))},
		{Field: account.Premium, N: 0},
		{Field: account.Satellite, N: 0},
		{Field: account.Personal, N: 0},
		{Field: account.MaxCalls, N: half(account.MaxCalls, 1)},
		{Field: account.MaxInternational, N: half(account.MaxInternational, 1)},
		{Field: account.LongestCall, N: 3600},
		{Field: account.LineDayCap, N: half(account.LineDayCap, coin)},
		{Field: account.LineMonthCap, N: half(account.LineMonthCap, coin)},
		{Field: account.AccountDayCap, N: half(account.AccountDayCap, coin)},
		{Field: account.AccountMonthCap, N: half(account.AccountMonthCap, coin)},
	} {
		if c.N < e.Values[c.Field] {
			all = append(all, c)
		}
	}
	return all
}

// somewhere is a lock of no use to a thief, and says nothing about whom it lets in.
var somewhere = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}

func try(q *exposure.Question, a *exposure.Account, f *exposure.Figure, e *account.Effective, c Change) Changed {
	g := under(q, a, func(settings func(time.Time) *account.Effective) func(time.Time) *account.Effective {
		return func(at time.Time) *account.Effective {
			x := *settings(at)
			if c.Lock {
				x.Nets = append(x.Nets[:len(x.Nets):len(x.Nets)], somewhere)
			} else {
				x.Values[c.Field] = c.N
			}
			return &x
		}
	})
	out := Changed{Change: c, Retail: g.Retail, Elsewhere: g.Elsewhere, Known: g.Known}
	if c.Lock {
		out.Now, out.To = "none", "where the phones are"
		out.Text = fmt.Sprintf("IP lock: %s from elsewhere, and %s as before from the networks that it names", exposure.Amount(g.Elsewhere), exposure.Amount(g.Retail))
		return out
	}
	out.Now, out.To = account.Format(c.Field, e.Values[c.Field]), account.Format(c.Field, c.N)
	out.Text = fmt.Sprintf("%s %s: %s", c.Field, out.To, exposure.Amount(g.Retail))
	if g.Retail == f.Retail {
		out.Why = why(f, &g, c.Field)
		out.Text += ", which changes nothing: " + out.Why
	}
	return out
}

// why says what else bounds a figure that a setting does not change.
func why(f, g *exposure.Figure, field account.Field) string {
	switch {
	case f.Retail == 0:
		return "it is nothing already"
	case (field.Unit() == account.UnitRate || field.Unit() == account.UnitSwitch) && g.Dearest.Name == f.Dearest.Name:
		return g.Dearest.Name + " is dearer"
	case field.Unit() == account.UnitAmount:
		return "another cap is reached before"
	}
	return "there is time enough to reach the caps"
}
