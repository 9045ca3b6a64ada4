package gate

import (
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/book"
	"ringfence/state/store/memory"
)

// The cheapest trunk for the destination goes first, and one that costs more than the call brings is not tried; decide says why. Emergency calls try all.
func TestTheCheapestTrunkFirst(t *testing.T) {
	ctx, b := t.Context(), newBook(t)
	for _, c := range []struct{ trunk, london string }{{"cheap", "0.005"}, {"dear", "0.02"}, {"fair", "0.008"}} {
		csv := "Prefix,Destination,Rate,Connection Charge,First Interval,Sub Interval\n4420,London," + c.london + ",0,1,1\n"
		_, err := b.Import(ctx, "test", []byte(csv), book.ImportOptions{Name: c.trunk, Kind: rating.Cost})
		must(t, err)
		_, err = b.AddTrunk(ctx, "test", c.trunk, book.TrunkEdit{Addresses: &[]string{"192.0.2.1"}, Deck: &c.trunk, Priority: new(5)})
		must(t, err)
	}
	full := map[string]bool{}
	by := policy.Routing{ByCost: true, Bounded: true}
	h := open(t, b, memory.New(), func(o *Options) {
		o.Routing = func() policy.Routing { return by }
		o.Full = func(t *account.Trunk) bool { return full[t.Name] }
	})
	defer h.close()
	way := func(to string) (names string) {
		t.Helper()
		p, why := h.admit("2001", to)
		if p == nil {
			return why.Code()
		}
		for _, r := range p.Routes {
			names += " " + r.Trunk
		}
		h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
		h.record(p.ID)
		return strings.TrimSpace(names)
	}
	if got := way("02079460000"); got != "cheap fair" {
		t.Errorf("by cost, without a loss: %s", got)
	}
	if got := way("999"); got != "lifeline carrier cheap dear fair" {
		t.Errorf("emergency: %s", got)
	}
	full["cheap"] = true
	x := h.gate.Explain(Question{Line: "2001", Dialled: "02079460000", Source: phoneAt.Addr(), At: time.Now()})
	var said []string
	for _, c := range x.Trunks {
		said = append(said, c.Trunk+":"+c.Why.Code())
	}
	if got := strings.Join(said, " "); got != "fair:ok cheap:trunks-full dear:no-margin carrier:no-margin lifeline:no-margin" || !x.Verdict.Allowed() {
		t.Errorf("explained: %s, %v", got, x.Verdict.Reason)
	}
	full["fair"] = true
	if x := h.gate.Explain(Question{Line: "2001", Dialled: "02079460000", Source: phoneAt.Addr(), At: time.Now()}); x.Verdict.Reason != policy.TrunksFull {
		t.Errorf("with both full: %v", x.Verdict.Reason)
	}
	by.Margin = 1_000_000_000
	if got := way("02079460000"); got != "no-margin" {
		t.Errorf("beyond any price: %s", got)
	}
	by = policy.Routing{}
	if got := way("02079460000"); got != "carrier lifeline cheap dear fair" {
		t.Errorf("by priority: %s", got)
	}
}
