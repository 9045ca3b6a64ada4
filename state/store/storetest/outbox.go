package storetest

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringfence/state/store"
)

// notice is one with a delivery to two persons.
func notice(key string) store.Notice {
	return store.Notice{
		Key: key, Kind: "new-device", Line: "100", Account: "acme", At: T0, Data: []byte(`{"address":"192.0.2.7"}`),
		Deliveries: []store.Delivery{
			{Person: "customer/acme/boss", Channel: "mail", Address: "boss@example.net", State: store.Queued, Next: T0, Ref: key + "/1@x"},
			{Person: "customer/acme/it", Channel: "webhook", Address: "https://example.net/", State: store.Kept, Ref: key + "/2@x"},
		},
	}
}

func readNotice(t *testing.T, s store.Stages, id int64) store.Notice {
	t.Helper()
	n, err := s.Notice(t.Context(), id)
	ok(t, err)
	return n
}

func notices(t *testing.T, s store.Store) {
	ctx := t.Context()
	a := notice("a")
	a.Deliveries = append(a.Deliveries, a.Deliveries[0])
	a.Deliveries[2].Address = "a second to one person does not count"
	a.Links = []store.Link{{Hash: "h1", Person: "customer/acme/boss", Action: "mine", Line: "100", Data: []byte(`{}`), Expires: T0}, {Hash: "h2"}}
	out := advance(t, s, store.Step{Stage: "notify", To: 1, Notices: []store.Notice{a, notice("b"), notice("a")}})
	if len(out.Notices) != 3 || !out.Notices[0].New || !out.Notices[1].New || out.Notices[2] != (store.Raised{ID: out.Notices[0].ID}) {
		t.Fatalf("stepped %+v", out)
	}
	want := notice("a")
	want.ID = out.Notices[0].ID
	for i := range want.Deliveries {
		want.Deliveries[i].Notice = want.ID
	}
	same(t, "notice", readNotice(t, s, want.ID), want)
	l, err := s.Link(ctx, "h1")
	ok(t, err)
	a.Links[0].Notice = want.ID
	same(t, "link", l, a.Links[0])
	// A notice that is there is not written again, nor are its links.
	again := notice("a")
	again.Links = a.Links
	again.Deliveries[0].Person = "customer/acme/new"
	out = advance(t, s, store.Step{Stage: "notify", From: 1, To: 2, Notices: []store.Notice{again}})
	same(t, "raised", out.Notices, []store.Raised{{ID: want.ID}})
	same(t, "notice", readNotice(t, s, want.ID), want)
	_, err = s.Notice(ctx, 99)
	wantIs(t, "none", err, store.ErrNotFound)
}

func noticesAreFound(t *testing.T, s store.Store) {
	var all []store.Notice
	for i := range 620 {
		n := notice(fmt.Sprint(i))
		n.Line, n.Account, n.Kind = fmt.Sprint("l", i%3), fmt.Sprint("a", i%2), fmt.Sprint("k", i%5)
		if i%100 == 7 {
			n.Deliveries[0].Person, n.Deliveries[1].State = "customer/aaa/boss", store.Failed
		}
		switch i % 10 {
		case 1:
			n.Deliveries[1].Person = "customer/c1/ann"
		case 2:
			n.Deliveries[1].Person = "customer/c10/ann"
		}
		all = append(all, n)
	}
	out := advance(t, s, store.Step{Stage: "notify", To: 1, Notices: all})
	read := func(f store.NoticeFilter) (keys []string) {
		t.Helper()
		found, err := s.Notices(t.Context(), f)
		ok(t, err)
		for i := range found {
			keys = append(keys, found[i].Key)
			if d := found[i].Deliveries; len(d) != 2 || d[0].Ref != found[i].Key+"/1@x" || d[1].Notice != found[i].ID {
				t.Fatalf("notice %s has deliveries %+v", found[i].Key, d)
			}
		}
		return keys
	}
	if n, m := len(read(store.NoticeFilter{})), len(read(store.NoticeFilter{Limit: 610})); n != 100 || m != 610 {
		t.Fatalf("%d without a limit, %d of 610", n, m)
	}
	for _, c := range []struct {
		f    store.NoticeFilter
		want string
	}{
		{store.NoticeFilter{Limit: 2}, "619 618"},
		{store.NoticeFilter{Limit: 2, Before: out.Notices[5].ID}, "4 3"},
		{store.NoticeFilter{Limit: 2, Line: "l1"}, "619 616"},
		{store.NoticeFilter{Limit: 2, Line: "l1", Account: "a0", Kind: "k3"}, "598 568"},
		{store.NoticeFilter{State: "failed"}, "607 507 407 307 207 107 7"},
		{store.NoticeFilter{State: "failed", Line: "l1", Limit: 2}, "607 307"},
		{store.NoticeFilter{State: "sent"}, ""},
		{store.NoticeFilter{To: "customer/c1", Limit: 2}, "611 601"},
		{store.NoticeFilter{To: "customer/c1", Limit: 2, Account: "a0"}, ""},
		{store.NoticeFilter{To: "customer/c", Limit: 2}, ""},
		{store.NoticeFilter{To: "customer/c10", Limit: 2}, "612 602"},
		{store.NoticeFilter{To: "customer/acme", State: "failed", Limit: 2}, "607 507"},
		{store.NoticeFilter{To: "customer/aaa", State: "failed"}, ""}, // of one that another's delivery failed of
		{store.NoticeFilter{To: "customer/aaa", State: "queued", Limit: 1}, "607"},
	} {
		if got := strings.Join(read(c.f), " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
	}
}

func claim(t *testing.T, s store.Stages, now time.Time, limit int) []store.DueDelivery {
	t.Helper()
	out, err := s.ClaimDeliveries(t.Context(), now, now.Add(time.Minute), limit)
	ok(t, err)
	return out
}

func deliveries(t *testing.T, s store.Store) {
	ctx := t.Context()
	same(t, "of none", claim(t, s, T0, 10), []store.DueDelivery(nil))
	a, b, c := notice("a"), notice("b"), notice("c")
	b.Deliveries[0].Next = T0.Add(-time.Second)
	c.Deliveries[0].Next = T0.Add(time.Hour)
	out := advance(t, s, store.Step{Stage: "notify", To: 1, Notices: []store.Notice{a, b, c}})
	same(t, "before it is due", claim(t, s, T0.Add(-time.Minute), 10), []store.DueDelivery(nil))
	same(t, "none wanted", claim(t, s, T0, 0), []store.DueDelivery(nil))
	got := claim(t, s, T0, 1)
	b.ID = out.Notices[1].ID
	d := b.Deliveries[0]
	d.Notice, d.State, d.Tries, d.Claim, d.Next = b.ID, store.Sending, 1, 1, T0.Add(time.Minute)
	b.Deliveries = nil
	same(t, "the oldest", got, []store.DueDelivery{{Delivery: d, Of: b}})
	d.State, d.Next, d.Error = store.Queued, T0.Add(time.Hour), "greylisted"
	ok(t, s.SettleDelivery(ctx, d, store.Fact{Kind: "notice.tried"}))
	same(t, "settled", readNotice(t, s, b.ID).Deliveries[0], d)
	if got := claim(t, s, T0, 10); len(got) != 1 || got[0].Of.Key != "a" {
		t.Fatalf("claimed %+v", got)
	}
	same(t, "all held or later", claim(t, s, T0, 10), []store.DueDelivery(nil))
	got = claim(t, s, T0.Add(time.Hour), 10)
	if len(got) != 3 || got[0].Of.Key != "a" || got[1].Of.Key != "b" || got[2].Of.Key != "c" || got[1].Tries != 2 {
		t.Fatalf("claimed %+v", got)
	}
	d = got[1].Delivery
	d.State, d.Sent, d.Error, d.Next, d.Point = store.Sent, T0.Add(time.Hour), "", time.Time{}, 17
	ok(t, s.SettleDelivery(ctx, d, store.Fact{Kind: "notice.sent"}))
	same(t, "settled", readNotice(t, s, b.ID).Deliveries[0], d)
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"notice.tried", "notice.sent"})
}

// lostDeliveries guards that a node that was given up for dead does not overwrite the result of a delivery elsewhere.
func lostDeliveries(t *testing.T, s store.Store) {
	ctx := t.Context()
	advance(t, s, store.Step{Stage: "notify", To: 1, Notices: []store.Notice{notice("a")}})
	slow := claim(t, s, T0, 1)[0].Delivery
	quick := claim(t, s, T0.Add(time.Hour), 1)[0].Delivery
	slow.State = store.Failed
	wantIs(t, "held by another", s.SettleDelivery(ctx, slow, store.Fact{Kind: "x"}), store.ErrMoved)
	quick.State, quick.Sent = store.Sent, T0
	ok(t, s.SettleDelivery(ctx, quick))
	wantIs(t, "settled by another", s.SettleDelivery(ctx, slow, store.Fact{Kind: "x"}), store.ErrMoved)
	wantIs(t, "settled twice", s.SettleDelivery(ctx, quick, store.Fact{Kind: "x"}), store.ErrMoved)
	same(t, "delivery", readNotice(t, s, quick.Notice).Deliveries[0], quick)
	quick.Person = "nobody"
	wantIs(t, "none", s.SettleDelivery(ctx, quick, store.Fact{Kind: "x"}), store.ErrNotFound)
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string(nil))
}

func requeue(t *testing.T, s store.Store) {
	ctx := t.Context()
	advance(t, s, store.Step{Stage: "notify", To: 1, Notices: []store.Notice{notice("a")}})
	held := claim(t, s, T0, 1)[0].Delivery
	ok(t, s.Requeue(ctx, store.Delivery{Notice: held.Notice, Person: held.Person, Channel: held.Channel}, T0, store.Fact{Kind: "notice.requeued"}))
	got := readNotice(t, s, held.Notice).Deliveries[0]
	if got.State != store.Queued || got.Tries != 0 || !got.Next.Equal(T0) || got.Address != "boss@example.net" {
		t.Fatalf("queued anew: %+v", got)
	}
	again := claim(t, s, T0, 1)[0].Delivery
	if again.Tries != 1 {
		t.Fatalf("claimed %+v", again)
	}
	held.State = store.Queued
	wantIs(t, "who held it before", s.SettleDelivery(ctx, held), store.ErrMoved)
	again.State = store.Bounced
	ok(t, s.SettleDelivery(ctx, again))
	again.Address = "new@example.net"
	ok(t, s.Requeue(ctx, again, T0))
	if got := claim(t, s, T0, 1); len(got) != 1 || got[0].Address != "new@example.net" {
		t.Fatalf("claimed %+v", got)
	}
	again.Channel = "pigeon"
	wantIs(t, "none", s.Requeue(ctx, again, T0, store.Fact{Kind: "x"}), store.ErrNotFound)
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"notice.requeued"})
}

func digest(t *testing.T, s store.Store) {
	ctx := t.Context()
	var all []store.Notice
	for _, key := range []string{"a", "b", "c"} {
		n := notice(key)
		n.Deliveries[0].State = store.Digest
		all = append(all, n)
	}
	advance(t, s, store.Step{Stage: "notify", To: 1, Notices: all})
	same(t, "nobody sends what waits", claim(t, s, T0.Add(time.Hour), 9), []store.DueDelivery(nil))
	waiting, err := s.Notices(ctx, store.NoticeFilter{State: string(store.Digest)})
	ok(t, err)
	var bundled []store.Delivery
	for _, n := range waiting {
		d := n.Deliveries[0]
		d.Sent = T0.Add(time.Hour)
		bundled = append(bundled, d)
	}
	one := bundled[2]
	one.State = store.Bundled
	ok(t, s.SettleDelivery(ctx, one))
	one.State = store.Off
	wantIs(t, "not wanted, but bundled", s.SettleDelivery(ctx, one), store.ErrMoved)
	step := store.Step{Stage: "notify", From: 1, To: 1, Notices: []store.Notice{notice("digest")}, Bundled: bundled}
	_, err = s.Advance(ctx, step)
	wantIs(t, "one of them is gone", err, store.ErrMoved)
	step.Bundled = bundled[:2]
	advance(t, s, step)
	step.Notices[0].Key = "second digest"
	_, err = s.Advance(ctx, step)
	wantIs(t, "bundled twice", err, store.ErrMoved)
	waiting, err = s.Notices(ctx, store.NoticeFilter{State: string(store.Digest)})
	ok(t, err)
	same(t, "waiting", waiting, []store.Notice(nil))
	done, err := s.Notices(ctx, store.NoticeFilter{State: string(store.Bundled)})
	ok(t, err)
	if len(done) != 3 || !done[0].Deliveries[0].Sent.Equal(T0.Add(time.Hour)) {
		t.Fatalf("bundled %+v", done)
	}
	if got := claim(t, s, T0, 9); len(got) != 1 || got[0].Of.Key != "digest" {
		t.Fatalf("claimed %+v", got)
	}
}

func links(t *testing.T, s store.Store) {
	ctx := t.Context()
	n := notice("a")
	n.Links = []store.Link{{Hash: "good", Action: "mine", Expires: T0.Add(time.Hour)}, {Hash: "late", Expires: T0}, {Hash: "ever"}}
	advance(t, s, store.Step{Stage: "notify", To: 1, Notices: []store.Notice{n}})
	for _, c := range []struct {
		hash string
		now  time.Time
		want error
	}{
		{"none", T0, store.ErrNotFound},
		{"good", T0.Add(time.Hour), store.ErrInUse},
		{"good", T0, nil},
		{"good", T0, store.ErrInUse},
		{"late", T0, store.ErrInUse},
		{"ever", T0.Add(1e6 * time.Hour), nil},
		{"ever", T0, store.ErrInUse},
	} {
		wantIs(t, c.hash, s.UseLink(ctx, c.hash, c.now, store.Fact{Kind: "link." + c.hash}), c.want)
	}
	ok(t, s.LinkResult(ctx, "good", "The phone is noted as yours."))
	wantIs(t, "none", s.LinkResult(ctx, "none", "x"), store.ErrNotFound)
	l, err := s.Link(ctx, "good")
	ok(t, err)
	if !l.Used.Equal(T0) || l.Result != "The phone is noted as yours." {
		t.Fatalf("link %+v", l)
	}
	_, err = s.Link(ctx, "none")
	wantIs(t, "none", err, store.ErrNotFound)
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"link.good", "link.ever"})
}

func readDevices(t *testing.T, s store.Stages) []store.Device {
	t.Helper()
	var got []store.Device
	ok(t, s.Devices(t.Context(), func(d store.Device) error {
		got = append(got, d)
		return nil
	}))
	return got
}

func devices(t *testing.T, s store.Store) {
	ctx := t.Context()
	a := store.Device{
		Line: "100", Place: "192.0.2.0/24", Family: "Snom", Address: "192.0.2.7", Agent: "snom/1 ☎", Country: "GB", ASN: 64496,
		Network: "Example", First: T0, Last: T0.Add(time.Hour), Count: 2, Verdict: "mine",
	}
	b := store.Device{Line: "100", Place: "192.0.2.0/24", Family: "Avaya"}
	c := store.Device{Line: "099", Place: "x", Family: "y"}
	ok(t, s.SaveDevices(ctx, []store.Device{a, b, c}, nil, store.Fact{Kind: "device.new"}))
	same(t, "devices", readDevices(t, s), []store.Device{c, b, a})
	a.Address, a.Count, a.Verdict = "192.0.2.8", 3, ""
	ok(t, s.SaveDevices(ctx, []store.Device{a}, []store.Device{b, {Line: "no"}}))
	a.Verdict = "mine"
	same(t, "the answer stays", readDevices(t, s), []store.Device{c, a})
	a.Verdict = "not-mine"
	ok(t, s.SaveDevices(ctx, []store.Device{a}, []store.Device{a}))
	same(t, "devices", readDevices(t, s), []store.Device{c, a})
	ok(t, s.SaveDevices(ctx, nil, nil))
	ok(t, s.PutCustomer(ctx, customer("acme"), true))
	ok(t, s.PutLine(ctx, line("100"), true))
	ok(t, s.DeleteLine(ctx, "100"))
	same(t, "of a line that is gone", readDevices(t, s), []store.Device{c})
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"device.new"})
}

func readBans(t *testing.T, s store.Stages) []store.Ban {
	t.Helper()
	var got []store.Ban
	ok(t, s.Bans(t.Context(), func(b store.Ban) error {
		got = append(got, b)
		return nil
	}))
	return got
}

func bans(t *testing.T, s store.Store) {
	ctx := t.Context()
	nets := prefixes("192.0.2.7/32", "198.51.100.77/24", "2001:db8::/64", "203.0.113.0/24")
	a := store.Ban{Net: nets[0], Until: T0, Made: T0.Add(-time.Hour), By: "auto", Why: "guessing"}
	b := store.Ban{Net: nets[1], Until: T0.Add(time.Hour), By: "feed:x"}
	c := store.Ban{Net: nets[2], By: "root", Why: "for ever"}
	ok(t, s.SaveBans(ctx, []store.Ban{a, b, c}, nil, store.Fact{Kind: "ban.added"}))
	b.Net = b.Net.Masked()
	same(t, "bans", readBans(t, s), []store.Ban{a, b, c})
	a.Until, a.By = T0.Add(time.Minute), "root"
	ok(t, s.SaveBans(ctx, []store.Ban{a}, []netip.Prefix{nets[1], nets[3]}, store.Fact{Kind: "ban.removed"}))
	same(t, "bans", readBans(t, s), []store.Ban{a, c})
	ok(t, s.SaveBans(ctx, []store.Ban{a}, []netip.Prefix{a.Net}))
	wantIs(t, "no network", s.SaveBans(ctx, []store.Ban{b, {}}, nil, store.Fact{Kind: "x"}), store.ErrInvalid)
	for _, clear := range []struct {
		before time.Time
		n      int64
	}{{a.Until, 0}, {a.Until.Add(time.Microsecond), 1}, {T0.Add(1e6 * time.Hour), 0}} {
		n, err := s.ClearBans(ctx, clear.before)
		ok(t, err)
		if n != clear.n {
			t.Fatalf("%d cleared, want %d", n, clear.n)
		}
	}
	same(t, "bans", readBans(t, s), []store.Ban{c})
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"ban.added", "ban.removed"})
}
