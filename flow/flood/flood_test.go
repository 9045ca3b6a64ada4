package flood

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/fact"
	"ringfence/state/store"
)

func addr(n uint32) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], n)
	return netip.AddrFrom4(a)
}

type body struct {
	Packets, Sources uint64
	PerSecond        float64 `json:"per_second"`
	Top              []struct {
		Source  netip.Addr
		Packets uint64
	}
}

// A minute of 50,000 packets a second from 200,000 forged addresses and two loud ones: six rows, less than 10 kB.
func TestAFloodIsAFewRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rows []store.Fact
		m := New(Options{Record: func(f ...store.Fact) { rows = append(rows, f...) }})
		ctx, stop := context.WithCancel(t.Context())
		go m.Run(ctx)
		loud := netip.MustParseAddr("2001:db8::1")
		n := uint32(0)
		for range 600 {
			for range 500 {
				n++
				m.Seen(addr(n % 200_000))
				m.Seen(loud)
			}
			time.Sleep(100 * time.Millisecond)
		}
		stop()
		synctest.Wait()
		size := 0
		for _, r := range rows {
			size += len(r.Body)
		}
		if len(rows) < 5 || len(rows) > 7 || size > 10_000 {
			t.Fatalf("%d rows of %d bytes", len(rows), size)
		}
		var b body
		if err := json.Unmarshal(rows[2].Body, &b); err != nil || rows[2].Kind != fact.KindFloodStrangers {
			t.Fatal(err, rows[2].Kind)
		}
		if b.Packets < 99_000 || b.Packets > 101_000 || b.PerSecond < 9_900 || b.Sources < 45_000 || b.Sources > 55_000 {
			t.Errorf("%s", rows[2].Body)
		}
		if len(b.Top) == 0 || b.Top[0].Source != loud || b.Top[0].Packets < 40_000 || b.Top[0].Packets > 60_000 || len(b.Top) > told {
			t.Errorf("%s", rows[2].Body)
		}
	})
}

func TestOrdinaryStrangersAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Record: func(f ...store.Fact) { t.Errorf("%s", f[0].Body) }})
		ctx, stop := context.WithCancel(t.Context())
		go m.Run(ctx)
		for i := range 6000 {
			m.Seen(addr(uint32(i)))
			time.Sleep(5 * time.Millisecond)
		}
		stop()
		synctest.Wait()
		if m.Packets() != 6000 {
			t.Error(m.Packets())
		}
	})
}

// Guesses at dialogs are few and counted one by one.
func TestFewAreCountedExactly(t *testing.T) {
	m := New(Options{Tags: true, Rate: 0.2, Span: time.Minute, Sample: 1})
	for i := range 40 {
		m.Seen(addr(uint32(i % 2)))
		m.Seen(addr(7))
	}
	f, ok := m.turn(time.Unix(0, 0), time.Unix(60, 0), m.Packets())
	var b body
	if err := json.Unmarshal(f.Body, &b); !ok || err != nil || f.Kind != fact.KindDialogWrongTags || b.Packets != 80 || b.Sources != 3 {
		t.Fatalf("%v %v %s", err, ok, f.Body)
	}
	if len(b.Top) != 3 || b.Top[0].Source != addr(7) || b.Top[0].Packets != 40 || b.Top[1].Packets != 20 {
		t.Errorf("%s", f.Body)
	}
	m.Seen(addr(1))
	if f, ok := m.turn(time.Unix(60, 0), time.Unix(120, 0), 1); ok {
		t.Errorf("a lost call is no attack: %s", f.Body)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	m := New(Options{Record: func(...store.Fact) {}})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100_000 {
				m.Seen(addr(uint32(g*100_000 + i)))
			}
		})
	}
	wg.Wait()
	if len(m.top) > talkers {
		t.Errorf("%d sources held", len(m.top))
	}
	f, ok := m.turn(time.Unix(0, 0), time.Unix(10, 0), m.Packets())
	var b body
	if err := json.Unmarshal(f.Body, &b); !ok || err != nil || b.Sources < 370_000 || b.Sources > 430_000 || len(m.top) != 0 {
		t.Errorf("%v %s, %d held after the turn", err, f.Body, len(m.top))
	}
}

func BenchmarkSeen(b *testing.B) {
	m := New(Options{Record: func(...store.Fact) {}})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Seen(addr(uint32(i) % 200_000))
	}
}
