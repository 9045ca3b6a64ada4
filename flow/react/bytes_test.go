package react

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// TestBytesALine holds what is remembered of lines in use to its share of the memory at 100,000 lines. They have called for ten weeks, twice on a working day,
// half the time one of eight numbers abroad; ten lines are of a customer.
func TestBytesALine(t *testing.T) {
	if testing.Short() {
		t.Skip("plays ten weeks of calls")
	}
	o := newOffice(t)
	const lines, days = 100, 50
	for i := range lines {
		customer := fmt.Sprintf("c%d", i/10)
		if i%10 == 0 {
			_, err := o.book.AddCustomer(t.Context(), "t", customer, book.CustomerEdit{})
			must(t, err)
		}
		_, _, err := o.book.AddLine(t.Context(), "t", book.NewLine{ID: fmt.Sprint(3000 + i), Customer: customer, NoPassword: true})
		must(t, err)
	}
	r := o.react(true)
	_, err := r.begin(t.Context())
	must(t, err)
	random, seq, at := rand.New(rand.NewPCG(1, 2)), r.at, time.Now()
	for day := range days {
		for n := range 2 * lines {
			line := random.IntN(lines)
			when := at.AddDate(0, 0, day+day/5*2).Add(time.Duration(n) * 9 * time.Hour / (2 * lines))
			facts := callFacts(fmt.Sprint(3000+line), n, when, seq)
			if random.IntN(2) == 0 {
				facts = abroad(fmt.Sprint(3000+line), line*7+random.IntN(8), when, seq)
			}
			for i := range facts {
				facts[i].Account = fmt.Sprintf("c%d", line/10)
				must(t, r.fact(t.Context(), &facts[i], when))
			}
			if seq = facts[len(facts)-1].Seq; n%200 == 199 {
				r.at = seq
				must(t, r.save(t.Context()))
			}
		}
	}
	for i := range lines { // all of them are in use
		for _, key := range []string{fmt.Sprintf("line/%d", 3000+i), fmt.Sprintf("account/c%d", i/10)} {
			_, err := r.memory(t.Context(), key, at)
			must(t, err)
		}
	}
	var with, without runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&with)
	loaded := len(r.memories)
	r.memories, r.dirty = nil, nil
	runtime.GC()
	runtime.ReadMemStats(&without)
	each := int(with.HeapAlloc-without.HeapAlloc) / lines
	t.Logf("%d bytes a line in use, with its share of its customer's: %d memories", each, loaded)
	// The rest of a server with 100,000 lines takes 98 MiB of 200. So half of them may call within one hour.
	if each > 2200 {
		t.Errorf("%d bytes a line in use, want at most 2,200", each)
	}
	runtime.KeepAlive(o)
}

// abroad are the facts of a call abroad that costs.
func abroad(line string, n int, at time.Time, after int64) []store.Fact {
	of := fact.Subject{Line: line, Account: "acme", Call: call.ID(fmt.Sprintf("call-%d", after))}
	rows := []store.Fact{
		(&fact.CallAdmitted{
			Direction: "out", Dialled: "0033", Number: fmt.Sprintf("+33142%06d", n), Class: "intl-fixed", Country: "FR", Source: fact.ParseSource("192.0.2.7:5060"),
			Agent: "Yealink SIP-T46S 66.84", ALeg: "a84b4c76e66710", Trunk: "carrier-a", Destination: "France", Prefix: "33",
			PerMinute: 20_000_000, Settings: "0123456789abcdef", Held: 20_000, PaidFor: time.Minute, Longest: 4 * time.Hour,
		}).Row(at, of),
		(&fact.CallSettled{Retail: money.Micro(40_000), Cost: 10_000, Talk: 2 * time.Minute, EndedBy: "caller", Status: 200}).Row(at, of),
	}
	for i := range rows {
		rows[i].Seq = after + int64(i) + 1
	}
	return rows
}
