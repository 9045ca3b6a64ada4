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
		owes, asked money.Micro
		bills       []books.Billed // newest first
		want        []money.Micro
	}{
		"all":                          {100, 100, []books.Billed{{60, 0}, {40, 0}}, []money.Micro{60, 40}},
		"the oldest is paid first":     {60, 60, []books.Billed{{60, 0}, {40, 0}}, []money.Micro{60, 0}},
		"a part of the oldest":         {70, 70, []books.Billed{{60, 0}, {40, 0}}, []money.Micro{60, 10}},
		"paid ahead":                   {-5, 0, []books.Billed{{60, 0}}, []money.Micro{0}},
		"the newest is in dispute":     {100, 40, []books.Billed{{60, 60}, {40, 0}}, []money.Micro{0, 40}},
		"the oldest is in dispute":     {100, 60, []books.Billed{{60, 0}, {40, 40}}, []money.Micro{60, 0}},
		"in dispute, and paid anyway":  {60, 60, []books.Billed{{60, 0}, {40, 40}}, []money.Micro{60, 0}},
		"instalments to come":          {100, 70, []books.Billed{{60, 0}, {40, 0}}, []money.Micro{60, 10}},
		"instalments beside a dispute": {100, 50, []books.Billed{{60, 20}, {40, 0}}, []money.Micro{40, 10}},
		"owed for older bills":         {100, 100, []books.Billed{{60, 0}}, []money.Micro{60}},
	} {
		if got := books.Unpaid(c.owes, c.asked, c.bills); !slices.Equal(got, c.want) {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestUnpaidAsksForNoMore guards that nobody is reminded of more than they owe, of more than may be collected, nor of what they dispute.
func TestUnpaidAsksForNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 1000)
		owes, asked := money.Micro(rapid.Int64Range(-500, 3000).Draw(t, "owes")), money.Micro(amount.Draw(t, "asked"))
		bills := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) books.Billed {
			g := amount.Draw(t, "gross")
			return books.Billed{Gross: money.Micro(g), Disputed: money.Micro(rapid.Int64Range(0, g).Draw(t, "disputed"))}
		}), 0, 6).Draw(t, "bills")
		var sum money.Micro
		for i, open := range books.Unpaid(owes, asked, bills) {
			if sum += open; open < 0 || open > bills[i].Gross-bills[i].Disputed {
				t.Fatalf("bill %d of %+v: %d", i, bills, open)
			}
		}
		if sum > max(owes, 0) || sum > asked {
			t.Fatalf("%d is asked for, of %d owed and %d to be collected", sum, owes, asked)
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
