package guard

import (
	"net/netip"
	"time"

	"ringfence/core/fact"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// failed sums up wrong tries between two flushes: by line or user for the first of them, the rest in one.
type failed struct {
	rows [failedRows]failedRow
	used int
	rest journal.Limit[struct{}, sketch] // what has no row, and the lines in it
}

func newFailed() failed {
	return failed{rest: journal.Limit[struct{}, sketch]{Most: failedRows}}
}

type failedRow struct {
	hash    uint64
	line    string
	user    [userMax]byte
	userLen int
	count   int
	sources [failedMost]netip.Addr
	many    sketch
	from    time.Time
	to      time.Time
}

// noteFailed sums up one wrong try. It allocates nothing but for the first after a flush.
func (g *Guard) noteFailed(t *try) {
	g.stats.failures.Add(1)
	r := &g.report
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.failed
	i := f.row(t.hash)
	if i < 0 {
		rest, told := f.rest.Take(struct{}{}, t.now)
		if !told {
			rest.Sum.add(t.hash, 0, 1)
			return
		}
		i = f.used
		f.used++
		f.rows[i] = failedRow{hash: t.hash, line: t.line, userLen: t.userLen, from: t.now}
		copy(f.rows[i].user[:], t.user[:t.userLen])
	}
	f.rows[i].add(t.addr.Unmap(), g.hashSource(t.src.unit), t.now)
}

// row finds the row of a user, -1 if there is none.
func (f *failed) row(hash uint64) int {
	for i := range f.used {
		if f.rows[i].hash == hash {
			return i
		}
	}
	return -1
}

func (r *failedRow) add(addr netip.Addr, hash uint64, now time.Time) {
	r.count++
	r.to = now
	r.many.add(hash, 0, 1)
	for i := range r.sources {
		if r.sources[i] == addr {
			return
		}
		if !r.sources[i].IsValid() {
			r.sources[i] = addr
			return
		}
	}
}

func (g *Guard) failedFacts(f *failed, now time.Time) (facts []store.Fact) {
	for i := range f.used {
		r := &f.rows[i]
		b := fact.LoginFailed{Failures: int64(r.count), From: stamp(r.from), To: stamp(r.to)}
		if r.line == "" {
			b.User = string(r.user[:r.userLen])
		}
		for _, a := range r.sources {
			if a.IsValid() {
				b.Sample = append(b.Sample, a.WithZone("").String())
			}
		}
		b.Sources = int64(max(r.many.count(0, 1), len(b.Sample)))
		facts = append(facts, g.row(&waiting{line: r.line, at: r.to, body: &b}))
	}
	f.rest.Close(now, true, func(_ struct{}, rest *journal.Span[sketch]) {
		b := fact.LoginFailed{Failures: int64(rest.More), Lines: int64(rest.Sum.count(0, 1)), From: stamp(rest.From), To: stamp(now)}
		facts = append(facts, g.row(&waiting{at: now, body: &b}))
	})
	return facts
}
