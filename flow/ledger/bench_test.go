package ledger_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/flow/ledger"
	"ringfence/state/store"
	"ringfence/state/store/memory"
	"ringfence/state/store/postgres"
	"ringfence/state/store/postgres/pgtest"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
	"ringfence/state/store/storetest"
)

// Run with: go test -run '^$' -bench . -benchtime 5s ./flow/ledger. Callers wait for the disk: what counts is ops/s and
// the quantiles, not ns/op. SQLite runs with synchronous=FULL, PostgreSQL with fsync.

const (
	benchCallers = 64
	benchLines   = 20_000
	benchAccount = 2_000
)

func BenchmarkReserveSQLite(b *testing.B)   { reserveBench(b, openSQLite(b)) }
func BenchmarkReservePostgres(b *testing.B) { reserveBench(b, openPostgres(b)) }
func BenchmarkReserveMemory(b *testing.B)   { reserveBench(b, memory.New()) }
func BenchmarkCycleSQLite(b *testing.B)     { cycleBench(b, openSQLite(b)) }
func BenchmarkCyclePostgres(b *testing.B)   { cycleBench(b, openPostgres(b)) }
func BenchmarkCycleMemory(b *testing.B)     { cycleBench(b, memory.New()) }

// BenchmarkApplyMemory is the CPU of one reservation without waiting for anybody.
func BenchmarkApplyMemory(b *testing.B) {
	m := memory.New()
	calls := make([]benchCall, 8192)
	for i := range calls {
		calls[i] = newBenchCall(i)
	}
	b.ReportAllocs()
	ops := make([]store.Op, 1)
	for i := 0; b.Loop(); i++ {
		c := &calls[i%len(calls)]
		c.open.ID = storetest.ID(0)
		ops[0] = c.opening()
		ops[0].ID, ops[0].Call.ID = ids[i%len(ids)], ids[i%len(ids)]
		if i%len(ids) == 0 {
			b.StopTimer()
			m = memory.New()
			b.StartTimer()
		}
		if _, err := m.Apply(context.Background(), ops); err != nil {
			b.Fatal(err)
		}
	}
}

var ids = func() []call.ID {
	out := make([]call.ID, 100_000)
	for i := range out {
		out[i] = storetest.ID(i)
	}
	return out
}()

func openSQLite(b *testing.B) store.Money {
	e, err := sqlitetest.Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	})
	return e
}

func openPostgres(b *testing.B) store.Money {
	e, err := postgres.Open(b.Context(), pgtest.Own(b, "fsync=on", "synchronous_commit=on").Database(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	return e
}

var benchOpen = *storetest.Call(0, "")

// benchCall is one call with everything that it will write.
type benchCall struct {
	open   call.Open
	purses [4]string
}

func newBenchCall(n int) benchCall {
	line, account := n*7919%benchLines, n*7919%benchLines%benchAccount
	c := benchCall{open: benchOpen}
	c.open.ID, c.open.Line = storetest.ID(n), fmt.Sprintf("line%05d", line)
	c.open.Account = fmt.Sprintf("account%04d", account)
	c.open.Snapshot = nil
	c.purses = [4]string{
		"line/" + c.open.Line + "/day/2026-11-22", "line/" + c.open.Line + "/month/2026-11",
		"account/" + c.open.Account + "/day/2026-11-22", "account/" + c.open.Account + "/month/2026-11",
	}
	return c
}

var factBody = []byte(`{"class":"geographic","rate":20000000,"held":20000,"caps":[50000000,150000000],"from":"192.0.2.7:5060"}`)

func (c *benchCall) fact(kind string) []store.Fact {
	return []store.Fact{{At: storetest.T0, Kind: kind, Line: c.open.Line, Account: c.open.Account, Call: c.open.ID, Body: factBody}}
}

func (c *benchCall) opening() store.Op {
	holds := make([]store.Hold, 4)
	for i := range holds {
		holds[i] = store.Hold{Purse: c.purses[i], Cap: money.Max}
	}
	return store.Op{Kind: store.OpOpen, ID: c.open.ID, Holds: holds, Amount: 20_000, Call: &c.open, Facts: c.fact("call.admitted")}
}

func (c *benchCall) answer() store.Op {
	u := c.open
	u.State, u.AnsweredAt, u.Snapshot = call.Answered, storetest.T0, make([]byte, 700)
	return store.Op{Kind: store.OpUpdate, ID: u.ID, Call: &u, Facts: c.fact("call.answered")}
}

func (c *benchCall) settle() store.Op {
	op := storetest.Settle(&c.open, 12_345)
	op.Facts = c.fact("call.settled")
	return op
}

func reserveBench(b *testing.B, m store.Money) {
	drive(b, m, "reservations/s", func(l *ledger.Ledger, c *benchCall) []time.Duration {
		return []time.Duration{timed(b, l, c.opening())}
	})
}

func cycleBench(b *testing.B, m store.Money) {
	drive(b, m, "cycles/s", func(l *ledger.Ledger, c *benchCall) []time.Duration {
		return []time.Duration{timed(b, l, c.opening()), timed(b, l, c.answer()), timed(b, l, c.settle())}
	})
}

func timed(b *testing.B, l *ledger.Ledger, op store.Op) time.Duration {
	began := time.Now()
	if out, err := l.Do(context.Background(), op); err != nil || out != (store.Outcome{}) {
		b.Errorf("%+v %v", out, err)
	}
	return time.Since(began)
}

// drive has callers make calls until b.N are made, and reports how many a second, and how long one op took.
func drive(b *testing.B, m store.Money, unit string, run func(*ledger.Ledger, *benchCall) []time.Duration) {
	l := ledger.New(m, ledger.Options{})
	l.Start()
	var next atomic.Int64
	took := make([][]time.Duration, benchCallers)
	var wg sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for w := range benchCallers {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				c := newBenchCall(int(n))
				took[w] = append(took[w], run(l, &c)...)
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(began)
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/elapsed.Seconds(), unit)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(all[len(all)-1].Microseconds())/1000, "max-ms")
	s := l.Stats()
	b.ReportMetric(float64(s.Ops)/float64(max(s.Groups, 1)), "ops/group")
	if err := l.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
	if strings.HasPrefix(unit, "cycles") && b.N < 1000 {
		if faults, err := m.Check(context.Background()); err != nil || len(faults) > 0 {
			b.Fatal(err, faults)
		}
	}
}
