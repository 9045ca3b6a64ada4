package valkey_test

import (
	"testing"
	"time"

	"ringfence/state/counters"
	"ringfence/state/counters/countertest"
	"ringfence/state/counters/memory"
	"ringfence/state/counters/valkey"
	"ringfence/state/counters/valkey/valkeytest"
)

func TestEngine(t *testing.T) {
	countertest.Run(t, func(t *testing.T) counters.Counters {
		return open(t, valkeytest.Shared(t).URL(), valkey.Options{Prefix: valkeytest.Prefix()})
	})
}

func TestSameAsMemory(t *testing.T) {
	url := valkeytest.Shared(t).URL()
	countertest.Same(t, func() counters.Counters { return memory.NewEngine(memory.Options{}) }, func() counters.Counters {
		e, err := valkey.Open(t.Context(), url, valkey.Options{Prefix: valkeytest.Prefix(), Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return e
	})
}

func open(t testing.TB, url string, o valkey.Options) *valkey.Engine {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second // the machine may be busy; what the timeout does has its own test
	}
	e, err := valkey.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}
