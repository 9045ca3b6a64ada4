package habit

import (
	"reflect"
	"testing"
)

// TestARuleThatMisbehavesGoesBack: to canary, and then to shadow, each after three of its last ten findings; the others stay.
func TestARuleThatMisbehavesGoesBack(t *testing.T) {
	var trust Trust
	rules := Default()
	wrong := func(n, right int) (back int) {
		for i := range n + right {
			trust.Found(Pace)
			if i < n && trust.Vouched(Pace) {
				back++
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
	if trust.Life(Pace, Canary) != Shadow || trust.Life(Pace, Shadow) != Shadow {
		t.Error("a canary is not a shadow")
	}
	rules.Meters[Pace].Life = Off
	if trust.Apply(rules).Meters[Pace].Life != Off {
		t.Error("a rule that is off came back")
	}
	back, err := ReadTrust(trust.Append(nil))
	if err != nil || !reflect.DeepEqual(back, &trust) {
		t.Errorf("%v: read back otherwise", err)
	}
	if trust.Restore(Pace); trust.Life(Pace, Live) != Live {
		t.Error("not trusted again")
	}
}

// TestOneFindingIsVouchedForOnce: more answers than findings count no more.
func TestOneFindingIsVouchedForOnce(t *testing.T) {
	var trust Trust
	trust.Found(Range)
	for range 20 {
		if trust.Vouched(Range) {
			t.Fatal("one finding sent the rule back")
		}
	}
}
