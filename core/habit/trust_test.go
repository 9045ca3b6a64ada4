package habit

import (
	"reflect"
	"strconv"
	"testing"

	"ringfence/core/money"
)

// TestARuleThatMisbehavesGoesBack: to canary, and then to shadow, each after three of its last ten findings; the others stay, and a changed rule is trusted
// again.
func TestARuleThatMisbehavesGoesBack(t *testing.T) {
	var trust Trust
	rules := Default()
	trust.Apply(rules)
	n := 0
	wrong := func(honest, fraud int) (back int) {
		for i := range honest + fraud {
			n++
			key := "finding " + strconv.Itoa(n)
			if trust.Found(Pace, key); i >= honest {
				continue
			}
			for range 5 { // one finding is vouched for once
				if kind, gone := trust.Vouched(key); gone {
					if back++; kind != Pace {
						t.Errorf("%v went back", kind)
					}
				}
			}
		}
		return back
	}
	for i, want := range []Life{Canary, Shadow, Shadow} {
		if n := wrong(2, 10); n != 0 {
			t.Fatalf("two of twelve, and it went back %d times", n)
		}
		wrong(3, 0)
		got := trust.Apply(rules)
		if got.Meters[Pace].Life != want {
			t.Errorf("after %d times three of ten: %v, want %v", i+1, got.Meters[Pace].Life, want)
		}
		if got.Meters[Range].Life != Live || rules.Meters[Pace].Life != Live {
			t.Error("another rule went back")
		}
	}
	if trust.Life(Pace, Canary) != Shadow || trust.Life(Pace, Off) != Off {
		t.Error("a canary is not a shadow, or what is off came back")
	}
	back, err := ReadTrust(trust.Append(nil))
	if err != nil || !reflect.DeepEqual(back, &trust) {
		t.Errorf("%v: read back otherwise", err)
	}
	rules.Meters[Pace].Floor += money.Pound
	if trust.Apply(rules).Meters[Pace].Life != Live {
		t.Error("a rule that was changed is not trusted again")
	}
}

// TestAnswersToShadowsCountNot: only what has closed something is answered for.
func TestAnswersToShadowsCountNot(t *testing.T) {
	var trust Trust
	for i := range 20 {
		if _, back := trust.Vouched("shadow " + strconv.Itoa(i)); back {
			t.Fatal("a rule went back")
		}
	}
}
