package react

import (
	"fmt"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// BenchmarkCall is what a call costs: its four facts are decoded and taken, and what was learnt is written every 1,000 facts. Run it with
// go test -run '^$' -bench Call ./flow/react.
func BenchmarkCall(b *testing.B) {
	o := newOffice(b)
	const lines = 200
	for i := range lines {
		_, _, err := o.book.AddLine(b.Context(), "t", book.NewLine{ID: fmt.Sprint(3000 + i), Customer: "acme", NoPassword: true})
		must(b, err)
	}
	r := o.react(true)
	_, err := r.begin(b.Context())
	must(b, err)
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		facts := make([]store.Fact, 0, 1000)
		for n := range 250 {
			facts = append(facts, callFacts(fmt.Sprint(3000+n%lines), n, at, r.at+int64(len(facts)))...)
			at = at.Add(time.Second)
		}
		b.StartTimer()
		for i := range facts {
			must(b, r.fact(b.Context(), &facts[i], at))
		}
		r.at = facts[len(facts)-1].Seq
		must(b, r.save(b.Context()))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/250, "ns/call")
}

// callFacts are the facts of a call of two minutes.
func callFacts(line string, n int, at time.Time, after int64) []store.Fact {
	of := fact.Subject{Line: line, Account: "acme", Call: call.ID(fmt.Sprintf("call-%d", after))}
	rows := []store.Fact{
		(&fact.CallAdmitted{
			Direction: "out", Dialled: "02079460000", Number: fmt.Sprintf("+44207946%04d", n), Class: "geographic", Country: "GB", Source: fact.ParseSource("192.0.2.7:5060"),
			Agent: "Yealink SIP-T46S 66.84", ALeg: "a84b4c76e66710", Trunk: "carrier-a", Destination: "United Kingdom", Prefix: "4420",
			PerMinute: 20_000_000, Settings: "0123456789abcdef", Held: 20_000, PaidFor: time.Minute, Longest: 4 * time.Hour,
		}).Row(at, of),
		(&fact.CallAnswered{Trunk: "carrier-a", BLeg: "rf-5f1c0e7a-01JD8Z6Q4N8T7R5V3X1B9C7D5F"}).Row(at, of),
		(&fact.SliceHeld{Held: 40_000, PaidFor: 2 * time.Minute}).Row(at, of),
		(&fact.CallSettled{Retail: money.Micro(40_000), Cost: 10_000, Talk: 2 * time.Minute, EndedBy: "caller", Status: 200}).Row(at, of),
	}
	for i := range rows {
		rows[i].Seq = after + int64(i) + 1
	}
	return rows
}
