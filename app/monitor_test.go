package app

import (
	"maps"
	"testing"
)

// Two trunks that had one name, one after the other, must not give one metric twice: the whole page would fail.
func TestCountsByHandle(t *testing.T) {
	got := byHandle(map[string]uint64{"c1~00000000": 2, "c1~00000001": 3, "c2": 1, "": 4})
	if want := (map[string]uint64{"c1": 5, "c2": 1, "": 4}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
