package device

import (
	"encoding/json"
	"strings"
	"time"

	"ringfence/core/detect"
	"ringfence/state/store"
)

// body of device.new and device.moved.
type body struct {
	Address   string    `json:"address"`
	Agent     string    `json:"agent"`
	Family    string    `json:"family"`
	Place     string    `json:"place"`
	Country   string    `json:"country,omitempty"`
	ASN       uint32    `json:"asn,omitempty"`
	Network   string    `json:"network,omitempty"`
	Hosting   bool      `json:"hosting"`
	New       string    `json:"new,omitempty"`
	First     bool      `json:"first"`
	Failures  int       `json:"failures"`
	AfterLock bool      `json:"after_lock"`
	Call      bool      `json:"call"`
	Elsewhere []away    `json:"elsewhere,omitempty"`
	Last      *lastBody `json:"last,omitempty"`
}

type away struct {
	Address string `json:"address"`
	Country string `json:"country,omitempty"`
}

type lastBody struct {
	Address string    `json:"address"`
	Country string    `json:"country,omitempty"`
	ASN     uint32    `json:"asn,omitempty"`
	Network string    `json:"network,omitempty"`
	At      time.Time `json:"at"`
}

// window counts the facts of a line within an hour.
type window struct {
	start  int64 // µs
	told   int
	more   int   // beyond MaxFacts
	from   int64 // of more, µs
	till   int64
	sample []sample
}

type sample struct {
	Address string `json:"address"`
	Agent   string `json:"agent"`
}

const (
	windowMicros = int64(time.Hour / time.Microsecond)
	maxSample    = 5
)

// tell makes a fact of a login, to be written with its device, unless the line has had its share of this hour. The caller
// holds the lock.
func (d *Devices) tell(s *shard, l *Login, kind string, e *entry, news string, last *entry, first bool) {
	if !d.share(s, l, e) {
		return
	}
	b := body{
		Address: e.addr.String(), Agent: e.agent.Value(), Family: e.family.Value(), Place: e.place(), Country: e.countryCode(), ASN: e.asn,
		Network: e.network.Value(), Hosting: detect.Hosting(e.asn, e.network.Value()), New: news, First: first, Failures: l.Failures,
		AfterLock: l.AfterLock, Call: l.Call, Elsewhere: d.elsewhere(l),
	}
	if last != nil {
		b.Last = &lastBody{last.addr.String(), last.countryCode(), last.asn, last.network.Value(), time.UnixMicro(last.last).UTC()}
	}
	w := s.need(l.Line)
	w.facts = append(w.facts, d.fact(l.At, kind, l.Line, b))
	d.waiting.Add(1)
}

// share takes one from the line's share of facts, or counts what is beyond it. The caller holds the lock.
func (d *Devices) share(s *shard, l *Login, e *entry) bool {
	at := l.At.UnixMicro()
	w := s.windows[l.Line]
	if w == nil {
		w = &window{start: at}
		s.windows[strings.Clone(l.Line)] = w
	}
	if w.more == 0 && at-w.start >= windowMicros {
		*w = window{start: at}
	}
	if w.told < MaxFacts && w.more == 0 && d.waiting.Load() < maxFacts {
		w.told++
		return true
	}
	if w.more == 0 {
		w.from = at
	}
	w.more, w.till = w.more+1, at
	if len(w.sample) < maxSample {
		w.sample = append(w.sample, sample{e.addr.String(), e.agent.Value()})
	}
	return false
}

// sum tells in one fact what was beyond the share of each line, when its hour is over, or now.
func (d *Devices) sum(now time.Time, all bool) {
	for i := range d.shards {
		var facts []store.Fact
		s := &d.shards[i]
		s.mu.Lock()
		for line, w := range s.windows {
			if !all && now.UnixMicro()-w.start < windowMicros {
				continue
			}
			delete(s.windows, line)
			if w.more > 0 {
				facts = append(facts, d.fact(now, FactMany, line, map[string]any{
					"count": w.more, "from": time.UnixMicro(w.from).UTC(), "till": time.UnixMicro(w.till).UTC(), "sample": w.sample,
				}))
			}
		}
		s.mu.Unlock()
		if len(facts) > 0 {
			d.o.Record(facts...)
		}
	}
}

func (d *Devices) elsewhere(l *Login) []away {
	if d.o.Elsewhere == nil {
		return nil
	}
	var out []away
	for _, a := range d.o.Elsewhere(l.Line, l.Addr, l.At) {
		if a = a.Unmap().WithZone(""); a == l.Addr || !a.IsValid() {
			continue
		}
		if out = append(out, away{a.String(), d.o.Place(a).Country}); len(out) == maxAway {
			break
		}
	}
	return out
}

func (d *Devices) fact(at time.Time, kind, line string, body any) store.Fact {
	f := store.Fact{At: at.Round(0).UTC().Truncate(time.Microsecond), Kind: kind, Line: strings.Clone(line)}
	if d.o.Account != nil {
		f.Account = d.o.Account(f.Line)
	}
	f.Body, _ = json.Marshal(body) // plain texts and numbers: cannot fail
	return f
}
