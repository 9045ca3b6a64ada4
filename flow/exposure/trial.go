package exposure

import (
	"context"
	"time"

	"ringfence/core/account"
	"ringfence/core/exposure"
	"ringfence/flow/book"
)

// Trial is a line at one instant, of which other settings are tried. Not safe for concurrent use.
type Trial struct {
	Now exposure.Figure // under the settings in force

	q exposure.Question
	a *exposure.Account
}

// Trial begins one. Money, calls in progress and prices stay as they are at this instant.
func (d *Desk) Trial(ctx context.Context, l *book.Line, p Period) (*Trial, error) {
	n, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	a, err := d.account(ctx, n, l.Customer(), []*book.Line{l})
	if err != nil {
		return nil, err
	}
	t := &Trial{q: d.question(n, p.End(n.at, a.Zone)), a: a}
	t.Now = t.q.Of(a)
	return t, nil
}

// Under is the figure under other settings.
func (t *Trial) Under(settings func(at time.Time) *account.Effective) exposure.Figure {
	return under(&t.q, t.a, func(func(time.Time) *account.Effective) func(time.Time) *account.Effective { return settings })
}

// under is the figure with other settings of every line.
func under(q *exposure.Question, a *exposure.Account, other func(func(time.Time) *account.Effective) func(time.Time) *account.Effective) exposure.Figure {
	b := *a
	b.Lines = make([]exposure.Line, len(a.Lines))
	for i, l := range a.Lines {
		l.Settings = other(l.Settings)
		b.Lines[i] = l
	}
	return q.Of(&b)
}
