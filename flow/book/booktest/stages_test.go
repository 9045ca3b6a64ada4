package booktest_test

import (
	"testing"

	"ringfence/flow/book/booktest"
	"ringfence/state/store"
	"ringfence/state/store/storetest"
)

// TestStages guards that what is tested on this store would go the same way on a real one.
func TestStages(t *testing.T) {
	storetest.RunStages(t, func(*testing.T) store.Store { return &booktest.Store{} })
}
