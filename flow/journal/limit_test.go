package journal

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLimit(t *testing.T) {
	l := Limit[string, []int]{Most: 2, Window: time.Minute}
	at := time.Unix(1000, 0)
	told := 0
	for i := range 5 {
		s, ok := l.Take("a", at.Add(time.Duration(i)*time.Second))
		if ok {
			told++
		} else {
			s.Sum = append(s.Sum, i)
		}
	}
	if _, ok := l.Take("b", at); told != 2 || !ok {
		t.Fatalf("%d told", told)
	}
	closed := 0
	sum := func(subject string, s *Span[[]int]) {
		closed++
		if subject != "a" || s.More != 3 || len(s.Sum) != 3 || s.From != at.Add(2*time.Second) || s.To != at.Add(4*time.Second) || s.Told != 2 {
			t.Errorf("%s: %+v", subject, s)
		}
	}
	l.Close(at.Add(59*time.Second), false, sum)
	if _, ok := l.Take("a", at.Add(2*time.Minute)); ok || closed != 0 {
		t.Error("told before what was left out is summed up")
	}
	l.Leave("a", -1, at.Add(4*time.Second))
	l.Close(at.Add(2*time.Minute), false, sum)
	if _, ok := l.Take("a", at.Add(2*time.Minute)); !ok || closed != 1 {
		t.Error("not told in a new span")
	}
}

// TestPass: what nobody sums up begins a new window by itself.
func TestPass(t *testing.T) {
	l := Limit[string, struct{}]{Most: 2, Window: time.Minute}
	at, told := time.Unix(1000, 0), 0
	for i := range 10 {
		if l.Pass("a", at.Add(time.Duration(i)*20*time.Second)) {
			told++
		}
	}
	if l.Close(at.Add(time.Hour), false, nil); told != 7 || len(l.spans) != 0 {
		t.Errorf("%d told, %d spans left", told, len(l.spans))
	}
}

// TestNothingIsLost: what is not told is in a sum, whatever comes when.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := Limit[int, struct{}]{Most: rapid.IntRange(0, 3).Draw(r, "most"), Window: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(r, "window")}
		now, came, told, summed := time.Unix(0, 0), 0, 0, 0
		sum := func(_ int, s *Span[struct{}]) { summed += s.More }
		for range rapid.IntRange(0, 50).Draw(r, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(r, "s")) * time.Second)
			switch rapid.IntRange(0, 5).Draw(r, "what") {
			case 0:
				l.Close(now, rapid.Bool().Draw(r, "all"), sum)
			case 1:
				came += 2
				l.Leave(rapid.IntRange(0, 2).Draw(r, "who"), 2, now)
			default:
				came++
				if _, ok := l.Take(rapid.IntRange(0, 2).Draw(r, "who"), now); ok {
					told++
				}
			}
		}
		l.Close(now, true, sum)
		if told+summed != came || len(l.spans) != 0 {
			r.Fatalf("%d came, %d told, %d in sums", came, told, summed)
		}
	})
}
