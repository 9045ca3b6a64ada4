package books_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ringfence/core/books"
	"ringfence/core/money"
)

func TestUnpaid(t *testing.T) {
	for name, c := range map[string]struct {
		owes, disputed, later money.Micro
		bills                 []books.Billed // newest first
		want                  []books.Open
	}{
		"all":                          {100, 0, 0, []books.Billed{{60, 0}, {40, 0}}, []books.Open{{60, 60, 0, 0}, {40, 40, 0, 0}}},
		"the oldest is paid first":     {60, 0, 0, []books.Billed{{60, 0}, {40, 0}}, []books.Open{{60, 60, 0, 0}, {}}},
		"a part of the oldest":         {70, 0, 0, []books.Billed{{60, 0}, {40, 0}}, []books.Open{{60, 60, 0, 0}, {10, 10, 0, 0}}},
		"paid ahead":                   {-5, 0, 0, []books.Billed{{60, 0}}, []books.Open{{}}},
		"the newest is in dispute":     {100, 60, 0, []books.Billed{{60, 60}, {40, 0}}, []books.Open{{60, 0, 60, 0}, {40, 40, 0, 0}}},
		"the oldest is in dispute":     {100, 40, 0, []books.Billed{{60, 0}, {40, 40}}, []books.Open{{60, 60, 0, 0}, {40, 0, 40, 0}}},
		"in dispute, and paid anyway":  {60, 40, 0, []books.Billed{{60, 0}, {40, 40}}, []books.Open{{60, 20, 40, 0}, {}}},
		"instalments to come":          {100, 0, 30, []books.Billed{{60, 0}, {40, 0}}, []books.Open{{60, 60, 0, 0}, {40, 10, 0, 30}}},
		"instalments beside a dispute": {100, 20, 30, []books.Billed{{60, 20}, {40, 0}}, []books.Open{{60, 40, 20, 0}, {40, 10, 0, 30}}},
		"owed for older bills":         {100, 0, 0, []books.Billed{{60, 0}}, []books.Open{{60, 60, 0, 0}}},
	} {
		if got := books.Unpaid(c.owes, c.disputed, c.later, c.bills); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestUnpaidAsksForNoMore guards that nobody is asked for more than they owe, for what they dispute, nor for what a plan lets be paid later, and that the parts of a bill add up.
func TestUnpaidAsksForNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 1000)
		owes, later := money.Micro(rapid.Int64Range(-500, 3000).Draw(t, "owes")), money.Micro(amount.Draw(t, "later"))
		disputed := money.Micro(amount.Draw(t, "on bills long paid"))
		bills := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) books.Billed {
			g := amount.Draw(t, "gross")
			return books.Billed{Gross: money.Micro(g), Disputed: money.Micro(rapid.Int64Range(0, g).Draw(t, "disputed"))}
		}), 0, 6).Draw(t, "bills")
		billed := money.Micro(0)
		for _, b := range bills {
			disputed, billed = disputed+b.Disputed, billed+b.Gross
		}
		var left, asked money.Micro
		for i, o := range books.Unpaid(owes, disputed, later, bills) {
			left, asked = left+o.Left, asked+o.Asked
			if min(o.Asked, o.Disputed, o.Planned) < 0 || o.Left != o.Asked+o.Disputed+o.Planned || o.Left > bills[i].Gross || o.Disputed < min(o.Left, bills[i].Disputed) {
				t.Fatalf("bill %d of %+v: %+v", i, bills, o)
			}
		}
		if owed := min(max(owes, 0), billed); left != owed || asked != max(0, owed-disputed-later) {
			t.Fatalf("%d is left and %d asked for, of %d owed, %d of it in dispute and %d later", left, asked, owed, disputed, later)
		}
	})
}

func TestParseReminders(t *testing.T) {
	for text, want := range map[string]books.Reminders{"-3, 3,14": {-3, 3, 14}, "14, 3, 3": {3, 14}, "0": {0}} {
		if got, err := books.ParseReminders(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "soon", "181", "1,2,3,4,5,6,7", "1;2"} {
		if got, err := books.ParseReminders(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
