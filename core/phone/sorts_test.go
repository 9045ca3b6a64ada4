package phone_test

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	. "ringfence/core/phone"
)

// TestSorts: whatever a number turns out to be, Sorts of each of its beginnings has it. If it had not, what asks for the dearest destination
// below a prefix would overlook one.
func TestSorts(t *testing.T) {
	derived := UKConfig()
	derived.Ranges = nil
	other, err := NewPlan(derived)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		plan := rapid.SampledFrom([]*Plan{UK(), other}).Draw(t, "plan")
		digits := rapid.SampledFrom([]string{"44", "447", "441534", "4476", "448", "1", "1876", "53", "882", "7", "39"}).Draw(t, "begins")
		digits += rapid.StringMatching(`[0-9]{4,11}`).Draw(t, "rest")
		d, problem := plan.Parse("+" + digits)
		if problem != NoProblem || d.Number.Short() {
			return
		}
		found++
		whole := strconv.FormatUint(d.Number.Digits(), 10)
		for n := 1; n <= len(whole); n++ {
			prefix, _ := strconv.ParseUint(whole[:n], 10, 64)
			if CodeOf(prefix) == 0 {
				continue // the beginning of several codes
			}
			if !slices.ContainsFunc(plan.Sorts(prefix), func(s Destination) bool {
				return s.Class == d.Class && s.Country == d.Country && s.National == d.National
			}) {
				t.Fatalf("Sorts(%d) lacks %s: %s %s national=%v", prefix, d.Number, d.Class, d.Country, d.National)
			}
		}
	})
	if found == 0 {
		t.Fatal("no number was one")
	}
}

// TestShortSorts: a price of 118 is one of directory enquiries, and 11 begins free numbers as well.
func TestShortSorts(t *testing.T) {
	classes := func(digits uint64) (all []Class) {
		for _, d := range UK().ShortSorts(digits) {
			all = append(all, d.Class)
		}
		return all
	}
	if got := classes(118); !slices.Equal(got, []Class{Directory}) {
		t.Errorf("118: %v", got)
	}
	if got := classes(118500); !slices.Equal(got, []Class{Directory}) {
		t.Errorf("118500: %v", got)
	}
	if got := classes(11); !slices.Contains(got, Freephone) || !slices.Contains(got, Emergency) || slices.Contains(got, ClassUnknown) {
		t.Errorf("11: %v", got)
	}
}
