package memory

import (
	"time"

	"ringfence/core/call"
	"ringfence/state/store"
)

// ring keeps the last Ring values; n counts all that were ever added, from 1.
type ring[T any] struct {
	all []T
	n   int64
}

// add puts v in place of the oldest when the ring is full, and returns that one.
func (r *ring[T]) add(v T) (old T) {
	r.n++
	if len(r.all) < Ring {
		r.all = append(r.all, v)
		return old
	}
	old, *r.at(r.n) = *r.at(r.n), v
	return old
}

func (r *ring[T]) at(n int64) *T { return &r.all[(n-1)%int64(Ring)] }

// What is read comes back as from the other engines: µs UTC, storable text, nothing as nil, and no memory shared.

func plainTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func plainTimes(ts ...*time.Time) {
	for _, t := range ts {
		*t = plainTime(*t)
	}
}

func plainTexts(ss ...*string) {
	for _, s := range ss {
		*s = store.Clean(*s)
	}
}

func plainBytes(b []byte) []byte { return append([]byte(nil), b...) }

func plainCall(p *call.Open) call.Open {
	c := *p
	plainTexts(&c.Node, (*string)(&c.Direction), (*string)(&c.State), &c.Line, &c.Account, &c.Peer, &c.Trunk, &c.Dialled,
		&c.Number, &c.Class, &c.Country, &c.Source, &c.UserAgent, &c.ALeg, &c.BLeg, &c.End.Text)
	plainTimes(&c.Anchor.Store, &c.End.At, &c.Lease, &c.Begun, &c.Ringing, &c.AnsweredAt, &c.Quote.Start, &c.Cost.Start)
	c.Purses, c.Snapshot = append([]string(nil), c.Purses...), plainBytes(c.Snapshot)
	return c
}

func plainCDR(p *call.CDR) call.CDR {
	c := *p
	plainTexts((*string)(&c.Direction), &c.Line, &c.Account, &c.Peer, &c.Trunk, &c.Dialled, &c.Number, &c.Class, &c.Country,
		&c.Rate, &c.Prefix, &c.Source, &c.UserAgent, &c.ALeg, &c.BLeg, (*string)(&c.By), &c.Reason, &c.Text)
	plainTimes(&c.Begun, &c.AnsweredAt, &c.Ended)
	return c
}

func plainFact(f store.Fact) store.Fact {
	plainTexts(&f.Kind, &f.Key, &f.Line, &f.Account, (*string)(&f.Call))
	f.At, f.Body, f.Proof = plainTime(f.At), plainBytes(f.Body), nil
	return f
}
