package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/money"
	"ringfence/state/store"
)

// DifferStages plays random sequences of what stages do on two stores and wants the same answers and the same state in
// the end. open gives an empty pair for each sequence and closes it itself.
func DifferStages(t *testing.T, open func(t *rapid.T) (a, b store.Store)) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := open(r)
		for range rapid.IntRange(1, 25).Draw(r, "ops") {
			op := stageOps[rapid.IntRange(0, len(stageOps)-1).Draw(r, "op")](r)
			if x, y := op(r.Context(), a), op(r.Context(), b); x != y {
				r.Fatalf("answers differ:\n%s\n%s", x, y)
			}
		}
		if x, y := stageState(r, a), stageState(r, b); x != y {
			r.Fatalf("states differ:\n%s\n\n%s", x, y)
		}
	})
}

// stageOps draw what to do; doing it gives the answer as text, without ids, which may have gaps.
var stageOps = []func(r *rapid.T) func(context.Context, store.Store) string{
	drawStep, drawStep, drawStep, drawClaim, drawClaim, drawSettle, drawSettle, drawRequeue, drawLink, drawClose, drawDevices, drawBans,
}

func pick[T any](r *rapid.T, what string, from ...T) T { return rapid.SampledFrom(from).Draw(r, what) }

func drawTime(r *rapid.T, what string) time.Time {
	return pick(r, what, time.Time{}, T0.Add(-time.Minute), T0, T0.Add(time.Minute), T0.Add(time.Hour))
}

func answer(err error, more ...any) string {
	for _, known := range []error{store.ErrMoved, store.ErrExists, store.ErrInUse, store.ErrNotFound, store.ErrInvalid} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return fmt.Sprint(append(more, err)...)
}

func drawFacts(r *rapid.T) []store.Fact {
	return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) store.Fact {
		return store.Fact{At: T0, Kind: pick(r, "fact", "a", "b", "c"), Body: []byte(`{}`)}
	}), 0, 2).Draw(r, "facts")
}

func drawStep(r *rapid.T) func(context.Context, store.Store) string {
	step := store.Step{Stage: pick(r, "stage", "watch", "notify"), Facts: drawFacts(r)}
	step.From = pick[int64](r, "from", 0, 0, 1, 2)
	step.To = step.From + pick[int64](r, "by", 0, 1, 1, 2)
	step.Findings = rapid.SliceOfN(rapid.Custom(func(r *rapid.T) store.Finding {
		return store.Finding{
			Key: pick(r, "key", "a", "b", "c", ""), Line: pick(r, "line", "", "100"), At: drawTime(r, "at"), Last: drawTime(r, "last"),
			Count: pick[int64](r, "count", 0, 3), Evidence: pick(r, "evidence", nil, []byte(`{}`)), RaiseFact: pick(r, "raise", store.Fact{}, store.Fact{Kind: "raised"}),
		}
	}), 0, 3).Draw(r, "findings")
	step.Usage = rapid.SliceOfN(rapid.Custom(func(r *rapid.T) store.UsageChange {
		return store.UsageChange{
			Subject: pick(r, "subject", "line/a", "account/b"), Add: pick[money.Micro](r, "add", 0, 5, -3, 1<<62), Told: pick[int64](r, "told", 0, 1, 2, -1),
		}
	}), 0, 3).Draw(r, "usage")
	step.Memory = rapid.SliceOfN(rapid.Custom(func(r *rapid.T) store.Memory {
		return store.Memory{Subject: pick(r, "of", "line/a", "line/b", "☎"), Body: pick(r, "body", nil, []byte{1}, []byte{2, 0})}
	}), 0, 3).Draw(r, "memory")
	step.Notices = rapid.SliceOfN(rapid.Custom(drawNotice), 0, 3).Draw(r, "notices")
	bundled := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) string { return pick(r, "notice", "n", "m", "o") }), 0, 1).Draw(r, "bundled")
	return func(ctx context.Context, s store.Store) string {
		step := step
		for _, key := range bundled {
			d := deliveryOf(ctx, s, key, "p")
			d.Sent = T0
			step.Bundled = append(step.Bundled, d)
		}
		out, err := s.Advance(ctx, step)
		text := answer(err, out.Usage)
		for _, raised := range append(out.Findings, out.Notices...) {
			text += fmt.Sprint(" ", raised.New, raised.ID != 0)
		}
		return text
	}
}

func drawNotice(r *rapid.T) store.Notice {
	return store.Notice{
		Key: pick(r, "key", "n", "m", "o"), Kind: "k", Line: pick(r, "line", "", "100"), At: drawTime(r, "at"),
		Deliveries: rapid.SliceOfN(rapid.Custom(func(r *rapid.T) store.Delivery {
			return store.Delivery{
				Person: pick(r, "person", "p", "q"), Channel: "mail", Address: pick(r, "address", "a", "b"), Next: drawTime(r, "next"),
				State: pick(r, "state", store.Queued, store.Queued, store.Sending, store.Digest, store.Kept), Ref: "ref",
			}
		}), 0, 3).Draw(r, "deliveries"),
		Links: rapid.SliceOfN(rapid.Custom(func(r *rapid.T) store.Link {
			return store.Link{Hash: pick(r, "hash", "1", "2", "3", "4", "5", "6"), Action: "mine", Expires: drawTime(r, "expires")}
		}), 0, 1).Draw(r, "links"),
	}
}

// deliveryOf is the delivery of a notice to a person as it stands, or one that is not there.
func deliveryOf(ctx context.Context, s store.Store, key, person string) store.Delivery {
	all, _ := s.Notices(ctx, store.NoticeFilter{}) // an error shows in the state at the end
	for i := range all {
		for _, d := range all[i].Deliveries {
			if all[i].Key == key && d.Person == person {
				return d
			}
		}
	}
	return store.Delivery{Person: person}
}

func drawClaim(r *rapid.T) func(context.Context, store.Store) string {
	now, limit := pick(r, "now", T0, T0.Add(time.Minute), T0.Add(time.Hour)), rapid.IntRange(-1, 3).Draw(r, "limit")
	return func(ctx context.Context, s store.Store) string {
		out, err := s.ClaimDeliveries(ctx, now, now.Add(2*time.Minute), limit)
		for i := range out {
			out[i].Notice, out[i].Of.ID = 0, 0
		}
		return answer(err, fmt.Sprintf("%+v", out))
	}
}

func drawSettle(r *rapid.T) func(context.Context, store.Store) string {
	key, person := pick(r, "notice", "n", "m", "o"), pick(r, "person", "p", "q")
	state, next, facts := pick(r, "state", store.Sent, store.Queued, store.Bundled, store.Digest, store.Off), drawTime(r, "next"), drawFacts(r)
	late := pick[int64](r, "late", 0, 0, 1)
	return func(ctx context.Context, s store.Store) string {
		d := deliveryOf(ctx, s, key, person)
		d.State, d.Next, d.Error, d.Claim = state, next, "why", d.Claim-late
		return answer(s.SettleDelivery(ctx, d, facts...))
	}
}

func drawRequeue(r *rapid.T) func(context.Context, store.Store) string {
	key, person, address := pick(r, "notice", "n", "m", "o"), pick(r, "person", "p", "q"), pick(r, "address", "", "new")
	now, facts := drawTime(r, "now"), drawFacts(r)
	return func(ctx context.Context, s store.Store) string {
		d := deliveryOf(ctx, s, key, person)
		d.Address = address
		return answer(s.Requeue(ctx, d, now, facts...))
	}
}

func drawLink(r *rapid.T) func(context.Context, store.Store) string {
	hash, now, facts := pick(r, "hash", "1", "2", "3", "4"), pick(r, "now", T0, T0.Add(time.Minute)), drawFacts(r)
	return func(ctx context.Context, s store.Store) string {
		return answer(s.UseLink(ctx, hash, now, facts...)) + answer(s.LinkResult(ctx, hash, now.String()))
	}
}

func drawClose(r *rapid.T) func(context.Context, store.Store) string {
	key, facts := pick(r, "key", "a", "b"), drawFacts(r)
	return func(ctx context.Context, s store.Store) string {
		all, err := s.Findings(ctx, store.FindingFilter{})
		for i := range all {
			if all[i].Key == key {
				return answer(s.CloseFinding(ctx, all[i].ID, T0, "desk", facts...))
			}
		}
		return answer(errors.Join(err, s.CloseFinding(ctx, -1, T0, "desk", facts...))) // no engine gives such an id
	}
}

func drawDevices(r *rapid.T) func(context.Context, store.Store) string {
	draw := func(what string) []store.Device {
		return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) store.Device {
			return store.Device{
				Line: pick(r, "line", "100", "200"), Place: pick(r, "place", "p", "q"), Family: "f", Agent: pick(r, "agent", "x", "y"),
				Last: drawTime(r, "last"), Verdict: pick(r, "verdict", "", "mine", "not-mine"),
			}
		}), 0, 3).Draw(r, what)
	}
	put, drop, facts := draw("put"), draw("drop"), drawFacts(r)
	return func(ctx context.Context, s store.Store) string {
		return answer(s.SaveDevices(ctx, put, drop, facts...))
	}
}

func drawBans(r *rapid.T) func(context.Context, store.Store) string {
	nets := prefixes("192.0.2.7/24", "192.0.2.9/24", "2001:db8::/32")
	put := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) store.Ban {
		return store.Ban{Net: pick(r, "net", nets...), Until: drawTime(r, "until"), Why: pick(r, "why", "x", "y")}
	}), 0, 3).Draw(r, "put")
	drop := rapid.SliceOfN(rapid.SampledFrom(append(nets, netip.Prefix{})), 0, 2).Draw(r, "drop")
	before, facts := drawTime(r, "before"), drawFacts(r)
	return func(ctx context.Context, s store.Store) string {
		err := s.SaveBans(ctx, put, drop, facts...)
		n, err2 := s.ClearBans(ctx, before)
		return answer(err) + answer(err2, n)
	}
}

// stageState is all that can be read, without ids and seqs, which may have gaps.
func stageState(r *rapid.T, s store.Store) string {
	ctx := r.Context()
	watch, err1 := s.Cursor(ctx, "watch")
	notify, err2 := s.Cursor(ctx, "notify")
	findings, err3 := s.Findings(ctx, store.FindingFilter{})
	notices, err4 := s.Notices(ctx, store.NoticeFilter{})
	facts, err5 := s.Facts(ctx, store.FactFilter{})
	text := fmt.Sprint(watch, notify)
	err6 := s.Usage(ctx, func(u store.Usage) error { text += fmt.Sprintf("\n%+v", u); return nil })
	err7 := s.Devices(ctx, func(d store.Device) error { text += fmt.Sprintf("\n%+v", d); return nil })
	err8 := s.Bans(ctx, func(b store.Ban) error { text += fmt.Sprintf("\n%+v", b); return nil })
	err9 := s.Memories(ctx, "watch", "", func(m store.Memory) error { text += fmt.Sprintf("\n%+v", m); return nil })
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9); err != nil {
		r.Fatal(err)
	}
	of := map[int64]string{}
	for i := range notices {
		of[notices[i].ID] = notices[i].Key
		for j := range notices[i].Deliveries {
			notices[i].Deliveries[j].Notice = 0
		}
		notices[i].ID = 0
	}
	for i := range findings {
		findings[i].ID = 0
	}
	for i := range facts {
		facts[i].Seq = 0
	}
	for _, hash := range []string{"1", "2", "3", "4", "5", "6"} {
		if l, err := s.Link(ctx, hash); err == nil {
			key := of[l.Notice]
			l.Notice = 0
			text += fmt.Sprintf("\n%s %+v", key, l)
		}
	}
	return fmt.Sprintf("%s\n%+v\n%+v\n%+v", text, findings, notices, facts)
}
