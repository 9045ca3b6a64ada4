package memory_test

import (
	"testing"

	"ringfence/state/counters"
	"ringfence/state/counters/countertest"
	"ringfence/state/counters/memory"
)

func TestEngine(t *testing.T) {
	countertest.Run(t, func(t *testing.T) counters.Counters {
		e := memory.NewEngine(memory.Options{})
		t.Cleanup(func() { e.Close() })
		return e
	})
}
