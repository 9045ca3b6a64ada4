package app

import (
	"os"
	"runtime"
	"runtime/debug"
	gometrics "runtime/metrics"
)

// roomyHeap is the size to which the heap may grow before Go collects garbage, in bytes. Go would collect when the heap has doubled.
// A small provider's live heap is some 40 MB, and then collecting is a quarter of what an admission costs.
const roomyHeap = 128 << 20

// roomForGarbage collects less often while the heap is small. Above half of roomyHeap it changes nothing. An operator who sets GOGC
// or GOMEMLIMIT has decided otherwise.
func roomForGarbage() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		afterCollection(100)
	}
}

// afterCollection has the percentage chosen again after each collection. It is in force now.
func afterCollection(inForce int) {
	type collected struct{ _ [16]byte }
	runtime.SetFinalizer(&collected{}, func(*collected) {
		live := []gometrics.Sample{{Name: "/gc/heap/live:bytes"}}
		gometrics.Read(live)
		percent := garbagePercent(live[0].Value.Uint64())
		if percent*10 < inForce*9 || percent*9 > inForce*10 { // setting it stops the world
			debug.SetGCPercent(percent)
			inForce = percent
		}
		afterCollection(inForce)
	})
}

// garbagePercent is how much garbage may be made, in percent of the live heap: Go's 100, or as much as makes roomyHeap with it.
func garbagePercent(live uint64) int {
	const least, most = 100, 400 // a heap of a few MB needs no more
	if live == 0 {
		return most
	}
	return int(min(most, max(2*least, roomyHeap*100/live)-least))
}
