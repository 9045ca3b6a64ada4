package memory_test

import (
	"testing"

	"ringfence/state/store"
	"ringfence/state/store/memory"
	"ringfence/state/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.RunMoney(t, func(*testing.T) store.Money { return memory.New() })
}

func TestRingForgetsTheOldest(t *testing.T) {
	m := memory.New()
	for i := range memory.Ring + 10 {
		c := storetest.Call(i, "l")
		c.Snapshot = nil
		if _, err := m.Apply(t.Context(), []store.Op{storetest.Open(c, 0), storetest.Settle(c, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.CDR(t.Context(), storetest.ID(9)); err == nil {
		t.Fatal("a record past the bound is still there")
	}
	if _, err := m.CDR(t.Context(), storetest.ID(10)); err != nil {
		t.Fatal(err)
	}
	facts, err := m.Facts(t.Context(), store.FactFilter{Limit: 1 << 30})
	if err != nil || len(facts) != memory.Ring || facts[0].Seq != memory.Ring+21 {
		t.Fatalf("%d facts from %d, %v", len(facts), facts[0].Seq, err)
	}
}
