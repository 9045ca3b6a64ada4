package app

import "testing"

func TestGarbageHasRoomWhileTheHeapIsSmall(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, 400}, {1, 400}, {10 << 20, 400}, {32 << 20, 300}, {40 << 20, 220}, {64 << 20, 100}, {100 << 20, 100}, {1 << 40, 100}, {1<<64 - 1, 100},
	} {
		if got := garbagePercent(c.live); got != c.want {
			t.Errorf("%d bytes live: %d %%, want %d", c.live, got, c.want)
		}
	}
}
