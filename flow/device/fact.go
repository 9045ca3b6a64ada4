package device

import (
	"strings"
	"time"

	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

const maxSample = 5 // devices named in a sum

// tell makes a fact of a login, to be written with its device, unless the line has had its share of this hour. The caller
// holds the lock.
func (d *Devices) tell(s *shard, l *Login, moved bool, e *entry, news string, last *entry, first bool) {
	if !d.share(s, l, e) {
		return
	}
	b := fact.DeviceNew{
		Source: fact.FromAddr(e.addr), Agent: e.agent.Value(), Family: e.family.Value(), Place: e.place(), Country: e.countryCode(), ASN: int64(e.asn),
		Network: e.network.Value(), Hosting: detect.Hosting(e.asn, e.network.Value()), New: news, First: first, Failures: int64(l.Failures),
		AfterLock: l.AfterLock, Call: l.Call, Elsewhere: d.elsewhere(l),
	}
	if last != nil {
		b.Last = &fact.Last{Source: fact.FromAddr(last.addr), Country: last.countryCode(), ASN: int64(last.asn), Network: last.network.Value(), At: time.UnixMicro(last.last)}
	}
	f := fact.Body(&b)
	if moved {
		f = (*fact.DeviceMoved)(&b)
	}
	w := s.need(l.Line)
	w.facts = append(w.facts, d.fact(l.At, l.Line, f))
	d.waiting.Add(1)
}

// share takes one from the line's share of facts, or counts what is beyond it. The caller holds the lock.
func (d *Devices) share(s *shard, l *Login, e *entry) bool {
	var w *journal.Span[[]fact.Spot]
	if d.waiting.Load() >= maxFacts {
		w = s.told.Leave(strings.Clone(l.Line), 1, l.At)
	} else if span, told := s.told.Take(strings.Clone(l.Line), l.At); told {
		return true
	} else {
		w = span
	}
	if len(w.Sum) < maxSample {
		w.Sum = append(w.Sum, fact.Spot{Source: fact.FromAddr(e.addr), Agent: e.agent.Value()})
	}
	return false
}

// sum tells in one fact what was beyond the share of each line, when its hour is over, or now.
func (d *Devices) sum(now time.Time, all bool) {
	for i := range d.shards {
		var facts []store.Fact
		s := &d.shards[i]
		s.mu.Lock()
		s.told.Close(now, all, func(line string, w *journal.Span[[]fact.Spot]) {
			facts = append(facts, d.fact(now, line, &fact.DeviceMany{Count: int64(w.More), From: micros(w.From), To: micros(w.To), Devices: w.Sum}))
		})
		s.mu.Unlock()
		if len(facts) > 0 {
			d.o.Record(facts...)
		}
	}
}

// micros is an instant as it is stored.
func micros(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

func (d *Devices) elsewhere(l *Login) []fact.Away {
	if d.o.Elsewhere == nil {
		return nil
	}
	var out []fact.Away
	for _, a := range d.o.Elsewhere(l.Line, l.Addr, l.At) {
		if a = a.Unmap().WithZone(""); a == l.Addr || !a.IsValid() {
			continue
		}
		if out = append(out, fact.Away{Source: fact.FromAddr(a), Country: d.o.Place(a).Country}); len(out) == maxAway {
			break
		}
	}
	return out
}

func (d *Devices) fact(at time.Time, line string, f fact.Body) store.Fact {
	of := fact.Subject{Line: strings.Clone(line)}
	if d.o.Account != nil {
		of.Account = d.o.Account(line)
	}
	return f.Row(at.Round(0).UTC().Truncate(time.Microsecond), of)
}
