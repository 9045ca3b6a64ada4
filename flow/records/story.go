package records

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/state/store"
)

// Story is one call, with what the journal says of it.
type Story struct {
	call.CDR
	Caller   string // the number that an inbound caller gave
	Withheld bool
	Deciding policy.Reason  // why it was refused, or ended
	Figures  policy.Figures // those of that reason
	Steps    []policy.Step  // what is checked of such a call, in order, by the settings of now
	Slices   int            // how often money was held for it
	Held     money.Micro    // the most that it held
	Row      int64          // of the journal: the first about the call
}

// Story reads a call of a customer ("" is anybody's). book.ErrNotFound when there is none, or it is another's.
func (r *Records) Story(ctx context.Context, customer string, id call.ID) (*Story, error) {
	c, err := r.one(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && customer != "" && c.Account != customer {
		return nil, fmt.Errorf("call %.40q: %w", id, book.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	s := &Story{CDR: c}
	if err := r.told(ctx, s); err != nil {
		return nil, err
	}
	if customer != "" {
		mine(&s.CDR)
	}
	if s.Steps = r.steps(s); s.Deciding == policy.OK {
		s.Deciding, _ = policy.ParseReason(c.Reason) // one that no version knows is a fault
	}
	return s, nil
}

func (r *Records) one(ctx context.Context, id call.ID) (call.CDR, error) {
	if r.o.Gate != nil {
		return r.o.Gate.CDR(ctx, id)
	}
	return r.o.Store.CDR(ctx, id)
}

// told reads the rows of the journal about a call.
func (r *Records) told(ctx context.Context, s *Story) error {
	facts, err := r.o.Store.Facts(ctx, store.FactFilter{Call: s.ID, Limit: 500})
	for i := range facts {
		row := &facts[i]
		if s.Row == 0 {
			s.Row = row.Seq
		}
		s.take(row)
	}
	return err
}

// take takes from a row what the record does not have. A row of another version says nothing here.
func (s *Story) take(row *fact.Row) {
	switch row.Kind {
	case fact.KindCallAdmitted:
		var f fact.CallAdmitted
		if f.Decode(row.Body) == nil {
			s.Caller, s.Withheld, s.Slices, s.Held = f.Caller, f.Withheld, 1, f.Held
		}
	case fact.KindSliceHeld:
		var f fact.SliceHeld
		if f.Decode(row.Body) == nil {
			s.Slices, s.Held = s.Slices+1, max(s.Held, f.Held)
		}
	case fact.KindCallRefused:
		var f fact.CallRefused
		if f.Decode(row.Body) == nil {
			s.Caller, s.Withheld = f.Caller, f.Withheld
			s.decided(f.Reason, policy.Figures{Limit: f.Limit, Value: f.Value, Pass: f.Pass})
		}
	case fact.KindCallCut:
		var f fact.CallCut
		if f.Decode(row.Body) == nil {
			s.decided(f.Reason, policy.Figures{Limit: f.Limit, Value: f.Value, Pass: f.Pass})
		}
	}
}

func (s *Story) decided(code string, f policy.Figures) {
	if reason, err := policy.ParseReason(code); err == nil {
		s.Deciding, s.Figures = reason, f
	}
}

// steps are what is checked of an outbound call, as `ringfence decide` explains it.
func (r *Records) steps(s *Story) []policy.Step {
	c := &s.CDR
	if r.o.Gate == nil || c.Direction == call.In {
		return nil
	}
	var from netip.Addr
	if at, err := netip.ParseAddrPort(c.Source); err == nil {
		from = at.Addr()
	}
	x := r.o.Gate.Explain(gate.Question{Line: c.Line, Dialled: c.Dialled, Caller: s.Caller, Source: from, At: c.Begun})
	return x.Steps
}

// Around are the calls of the same line within some minutes, runs folded.
func (r *Records) Around(ctx context.Context, c *call.CDR) ([]Row, error) {
	const within = 10 * time.Minute
	f := store.CDRFilter{Line: c.Line, Account: c.Account, Since: call.FirstID(c.Begun.Add(-within)), Before: call.FirstID(c.Begun.Add(within)), Limit: 200}
	all, err := r.calls(ctx, &f)
	var out []Row
	for i := range all {
		if n := len(out); n > 0 && out[n-1].same(&all[i]) {
			out[n-1].More++
			out[n-1].Until = all[i].Begun
		} else if n < 8 {
			mine(&all[i])
			out = append(out, Row{CDR: all[i]})
		} else {
			break
		}
	}
	return out, err
}

// Asks is the setting that a request may ask to raise, for a call that was refused to pass, and to what.
func (s *Story) Asks() (f account.Field, value int64, ok bool) {
	f, ok = s.Deciding.Field()
	if !ok || s.Figures.Pass <= s.Figures.Limit && f.Unit() != account.UnitSwitch {
		return f, 0, false
	}
	if f.Unit() == account.UnitSwitch {
		return f, 1, true
	}
	return f, s.Figures.Pass, true
}
