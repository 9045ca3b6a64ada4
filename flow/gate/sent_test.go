package gate

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/book"
	"ringfence/state/store/memory"

	"pgregory.net/rapid"
)

// sentStep is one thing that happens to calls that are sent on.
type sentStep struct {
	kind  string
	line  string
	to    string
	cause call.Cause
	at    int // which call
	span  time.Duration
}

var sentGen = rapid.Custom(func(t *rapid.T) sentStep {
	return sentStep{
		kind:  rapid.SampledFrom([]string{"in", "forward", "forward", "transfer", "transfer", "dial", "end", "wait", "wait"}).Draw(t, "kind"),
		line:  rapid.SampledFrom([]string{"2001", "2002"}).Draw(t, "line"),
		to:    rapid.SampledFrom([]string{"02079460000", "07700900123", "005371234567", "0037167123456", "09098790123", "02079460102", "02079460101", "999"}).Draw(t, "to"),
		cause: rapid.SampledFrom([]call.Cause{call.ForwardAlways, call.ForwardBusy, call.ForwardNoAnswer, call.ForwardUnreachable, call.Redirected}).Draw(t, "cause"),
		at:    rapid.IntRange(0, 50).Draw(t, "at"),
		span:  time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second,
	}
})

// sentCall is a call that is up, and how it came about.
type sentCall struct {
	id   call.ID
	sent Sent
	line string
	in   bool
}

// TestNothingThatIsSentOnPassesACap: whatever is forwarded, redirected and transferred, in whatever order, a line never costs more than its cap, each call
// costs its own talk to the micro-unit and has its own record, and no money is left behind.
func TestNothingThatIsSentOnPassesACap(t *testing.T) {
	b := newBook(t)
	set := func(f account.Field, n int64) {
		must(t, b.Set(context.Background(), "test", account.LevelCustomer, "acme", book.Setting{Field: f, N: n, Grant: true}))
	}
	const most = 1_500_000
	set(account.LineDayCap, most)
	set(account.AccountDayCap, most+most/2)
	set(account.Premium, 1)
	set(account.NationalCeiling, 3_000_000_000)
	set(account.InternationalCeiling, 3_000_000_000)
	set(account.CallsPerMinute, 1000)
	refusals := map[policy.Reason]int{}
	var spentOut, cuts int
	rapid.Check(t, func(r *rapid.T) {
		steps := rapid.SliceOfN(sentGen, 1, 60).Draw(r, "steps")
		bad := ""
		synctest.Test(t, func(t *testing.T) {
			h := open(t, b, memory.New())
			defer h.close()
			var up []sentCall
			all := map[call.ID]sentCall{}
			admit := func(a Attempt, in bool) {
				p, err := h.gate.Admit(context.Background(), a)
				if why := (*Refusal)(nil); errors.As(err, &why) {
					refusals[why.Reason]++
					return
				}
				must(t, err)
				must(t, h.gate.Answered(context.Background(), p.ID, Route{}, nil))
				c := sentCall{p.ID, a.Sent, a.Line, in}
				up, all[p.ID] = append(up, c), c
			}
			sum := map[string]money.Micro{}
			for _, s := range steps {
				switch s.kind {
				case "in":
					admit(Attempt{Trunk: "carrier", Dialled: map[string]string{"2001": "02079460101", "2002": "02079460102"}[s.line], ALeg: "in"}, true)
				case "dial":
					admit(Attempt{Line: s.line, Dialled: s.to, Source: phoneAt, ALeg: "out"}, false)
				case "forward", "transfer":
					if len(up) == 0 {
						continue
					}
					from := up[s.at%len(up)]
					next := Sent{Cause: s.cause, Parent: from.id, Turns: from.sent.Turns + 1, Path: append(append([]string{}, from.sent.Path...), s.line)}
					a := Attempt{Line: s.line, Dialled: s.to, ALeg: "link", Sent: next}
					if s.kind == "transfer" {
						a.Cause, a.Path, a.Source = call.Transferred, from.sent.Path, phoneAt
					} else if !s.cause.Forwards() {
						a.Source = phoneAt
					}
					admit(a, false)
				case "end":
					if len(up) > 0 {
						h.end(up[s.at%len(up)].id, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
					}
				case "wait":
					time.Sleep(s.span)
				}
				for _, p := range h.purses() {
					if p.Spent+p.Held > most+most/2 || p.ID == engine.PurseIDs("2001", "acme", nil, time.Now())[policy.LineDay] && p.Spent+p.Held > most {
						bad = fmt.Sprintf("%s: %v spent and %v held", p.ID, p.Spent, p.Held)
						return
					}
				}
				kept := up[:0]
				for _, c := range up {
					if h.gate.get(c.id) != nil {
						kept = append(kept, c)
					}
				}
				up = kept
			}
			for _, c := range up {
				h.end(c.id, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
			}
			for id, c := range all {
				rec := h.record(id)
				want := money.Micro(0)
				if q, ok := priceOf(b, c.line, rec.Number, rec.AnsweredAt); ok && rec.Direction == call.Out {
					want = q.Cost(rec.Talk)
				}
				if rec.Retail != want || rec.Cause != c.sent.Cause || rec.Parent != c.sent.Parent || c.in != (rec.Direction == call.In) || rec.Class == "emergency" && c.sent.Cause != "" {
					bad = fmt.Sprintf("%+v\ncosts %v, want %v (%+v)", rec, rec.Retail, want, c)
				}
				if why, _ := policy.ParseReason(rec.Reason); why == policy.LineDaySpent || why == policy.AccountDaySpent {
					cuts++
				}
				sum[c.line] += rec.Retail
			}
			for line, n := range sum {
				if n > most {
					bad = fmt.Sprintf("line %s costs %v", line, n)
				} else if n > most*9/10 {
					spentOut++
				}
			}
			h.square(0)
		})
		if bad != "" {
			r.Fatal(bad)
		}
	})
	for _, why := range []policy.Reason{policy.SentOnTooOften, policy.SentToEmergency, policy.LineDaySpent} {
		if refusals[why] == 0 {
			t.Errorf("nothing was refused for %s: the test says nothing about it", why)
		}
	}
	if spentOut == 0 || cuts == 0 {
		t.Errorf("%d times a line spent its cap, %d calls were cut for it: the test says too little", spentOut, cuts)
	}
}

// priceOf is what a line pays for calls to a number that are answered at an instant.
func priceOf(b *book.Book, line, number string, at time.Time) (rating.Quote, bool) {
	rules := b.Rules()
	var s engine.Subject
	rules.Understand(&s, &Attempt{Line: line, Dialled: number}, at)
	return s.Quote, s.Priced
}
