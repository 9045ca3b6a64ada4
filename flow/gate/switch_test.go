package gate

import (
	"context"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/book"
	"ringfence/state/store/memory"
)

// cheapDeck is a deck with faults: no satellite and no premium number abroad costs so little.
const cheapDeck = `Destination,Prefix,Rate
UK,44,0.012
Personal,4470,0.19
Pager,4476,0.19
Inmarsat,870,0.01
UPT,878,0.01
GMSS,881,0.015
Networks,882,0.01
Networks,883,0
Relief,888,0.01
IPRS,979,0.01
`

// TestNoSatelliteAtAnOrdinaryPrice guards against a fault in a price list that opens satellites to every line: calls to them
// at 1p and 1.5p a minute passed.
func TestNoSatelliteAtAnOrdinaryPrice(t *testing.T) {
	b := newBook(t)
	_, err := b.Import(context.Background(), "test", []byte(cheapDeck), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
	must(t, err)
	h := open(t, b, memory.New())
	defer h.close()
	try := func(to string, want policy.Reason) {
		t.Helper()
		p, got := h.admit("2001", to)
		x := h.gate.Explain(Question{Line: "2001", Dialled: to, Source: phoneAt.Addr(), At: time.Now()})
		if got != want || x.Verdict.Reason != want {
			t.Errorf("%s: %v, Explain %v, want %v", to, got, x.Verdict.Reason, want)
		}
		if p != nil {
			h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
			h.record(p.ID)
		}
	}
	satellites := []string{"00870773123456", "+870773123456", "+881612345678", "0088216123456", "+883510012345678", "+878101234567890", "0088812345678901"}
	for _, to := range satellites {
		try(to, policy.SatelliteBarred)
	}
	try("00979123456789", policy.PremiumBarred)
	try("07012345678", policy.OK)
	try("+447640123456", policy.OK)

	ctx := context.Background()
	satellite := book.Setting{Field: account.Satellite, N: 1}
	if err := b.Set(ctx, "test", account.LevelLine, "2001", satellite); err == nil {
		t.Error("a line opened satellites to itself without a grant")
	}
	satellite.Grant = true
	must(t, b.Set(ctx, "test", account.LevelLine, "2001", satellite))
	for _, to := range satellites {
		try(to, policy.OK)
	}
	must(t, b.Set(ctx, "test", account.LevelCustomer, "acme", book.Setting{Field: account.Personal}, book.Setting{Field: account.Pager}))
	for _, to := range []string{"07012345678", "00 44 70 1234 5678", "+44 (0)70 1234 5678", "447012345678"} {
		try(to, policy.PersonalBarred)
	}
	try("07640123456", policy.PagerBarred)
	if err := b.Set(ctx, "test", account.LevelLine, "2001", book.Setting{Field: account.Personal, N: 1}); err == nil {
		t.Error("a line lifted its customer's bar without a grant")
	}
}
