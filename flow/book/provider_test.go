package book_test

import (
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/flow/book"
)

// TestProviderIsReplaced: a reload of the configuration reaches lines whose settings were worked out before.
func TestProviderIsReplaced(t *testing.T) {
	b, _, _ := sample(t)
	now := time.Now()
	calls := func() int64 { return line(t, b, "acme-1").Effective(now).Values[account.MaxCalls] }
	if calls() != 10 {
		t.Fatalf("by default %d calls", calls())
	}
	o := options(t)
	o.Provider.Values[account.MaxCalls] = account.Value{Set: true, N: 4}
	o.Zone, o.PeakFrom, o.PeakTill = "Europe/Dublin", 8*time.Hour, 18*time.Hour
	if err := b.SetProvider(o); err != nil {
		t.Fatal(err)
	}
	_, cal := line(t, b, "acme-1").Retail()
	if calls() != 4 || line(t, b, "acme-1").Zone().String() != "Europe/Dublin" || cal.PeakFrom != 8*time.Hour {
		t.Errorf("%d calls, %s, %+v", calls(), line(t, b, "acme-1").Zone(), cal)
	}
	o.Zone = "Mars/Olympus"
	if err := b.SetProvider(o); err == nil || calls() != 4 {
		t.Errorf("a zone that is none: %v", err)
	}
	// A line with words of its own follows too.
	if err := b.Set(ctx, "t", account.LevelLine, "acme-1", book.Setting{Field: account.CallsPerMinute, N: 3}); err != nil {
		t.Fatal(err)
	}
	o.Zone, o.Provider.Values[account.MaxCalls].N = "", 2
	if err := b.SetProvider(o); err != nil || calls() != 2 {
		t.Errorf("%v, %d calls", err, calls())
	}
}
