package book

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ringfence/core/account"
)

// Setting changes one field of a link. The zero N of a field is a value; Inherit takes the link's own word back.
type Setting struct {
	Field   account.Field
	N       int64
	Inherit bool
	Grant   bool      // staff allow it to be looser than what stands above
	Until   time.Time // with Grant: when it ends by itself; zero is never
}

// Set changes fields of a customer (account.LevelCustomer) or a line (account.LevelLine), all or nothing.
func (b *Book) Set(ctx context.Context, actor string, level account.Level, id string, set ...Setting) error {
	var err error
	switch level {
	case account.LevelCustomer:
		_, err = b.EditCustomer(ctx, actor, id, CustomerEdit{Set: set})
	case account.LevelLine:
		_, err = b.EditLine(ctx, actor, id, LineEdit{Set: set})
	default:
		err = &Invalid{"level", level.String(), "customer or line"}
	}
	return err
}

// change is s with every change applied and the whole validated.
func change(s account.Settings, level account.Level, above []*account.Settings, set []Setting, now time.Time) (account.Settings, error) {
	top := account.Resolve(now, above...)
	for _, c := range set {
		if c.Field >= account.NumFields {
			return s, &Invalid{"field", c.Field.String(), "a setting"}
		}
		v, err := c.apply(s.Values[c.Field], level, &top, now)
		if err != nil {
			return s, err
		}
		s.Values[c.Field] = v
	}
	if err := s.Validate(level); err != nil {
		return s, &Invalid{"settings", "", strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	return s, nil
}

// apply gives the link's new word on the field. Lowering is always allowed, under a grant too; raising needs one.
func (c Setting) apply(was account.Value, level account.Level, top *account.Effective, now time.Time) (account.Value, error) {
	f := c.Field
	least, most := f.Range()
	switch {
	case level == account.LevelLine && f.OfAccount():
		return was, &Invalid{f.String(), "", "it to be set on the customer: it limits all of a customer's lines together"}
	case c.Inherit:
		return account.Value{}, nil
	case c.N < least || c.N > most:
		return was, &Invalid{f.String(), account.Format(f, c.N), account.Format(f, least) + " to " + account.Format(f, most)}
	case !c.Until.IsZero() && !c.Grant:
		return was, &Invalid{"until", c.Until.Format(time.RFC3339), "no end, because only a grant ends by itself"}
	case !c.Until.IsZero() && !c.Until.After(now):
		return was, &Invalid{"until", c.Until.Format(time.RFC3339), "a time in the future"}
	}
	was = was.At(now)
	loose := f.Loosens(c.N, top.Values[f])
	switch {
	case c.Grant && (loose || !c.Until.IsZero()):
		return was.Grant(c.N, c.Until.UTC().Truncate(time.Microsecond)), nil
	case !loose:
		return account.Value{Set: true, N: c.N}, nil
	case was.Granted && c.N <= was.N:
		was.N = c.N
		return was, nil
	}
	return was, looser(f, top, c.N)
}

func looser(f account.Field, top *account.Effective, n int64) *Looser {
	above := account.Format(f, top.Values[f])
	return &Looser{
		Field: f, Above: top.Values[f], From: top.From[f], Asked: n,
		text: fmt.Sprintf("%s %s is looser than %s, which the %s allows: lower it to %s or less, ask for it with a request, or grant it",
			f, account.Format(f, n), above, top.From[f], above),
	}
}

// checkName accepts a text for people: printable UTF-8, at most 200 bytes.
func checkName(field, s string) error {
	if len(s) > 200 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return &Invalid{field, clip(strings.ToValidUTF8(s, "?")), "at most 200 bytes of plain text on one line"}
	}
	return nil
}

func checkCourtesy(c account.Courtesy) error {
	if !c.Valid() {
		return &Invalid{"courtesy", clip(string(c)), `"both", "user-agent", "off", or "" for what stands above`}
	}
	return nil
}

// checkNets insists on networks in plain form: what ParseNets gives.
func checkNets(field string, nets []netip.Prefix) error {
	s := account.Settings{Nets: nets}
	if err := s.Validate(account.LevelCustomer); err != nil {
		return &Invalid{field, "", strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	return nil
}
