package status

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/flow/book/booktest"
	"ringfence/flow/notify"
	"ringfence/state/store"
)

// probes are components as a test has them.
type probes struct {
	mu    sync.Mutex
	state map[Component]State
}

func (p *probes) set(c Component, s State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state[c] = s
}

func (p *probes) all() map[Component]Probe {
	out := map[Component]Probe{}
	for _, c := range Components {
		out[c] = func(context.Context) State {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.state[c]
		}
	}
	return out
}

func newStatus(t *testing.T, db *booktest.Store, change ...func(*Options)) (*Status, *probes) {
	t.Helper()
	p := &probes{state: map[Component]State{}}
	for _, c := range Components {
		p.state[c] = Good
	}
	o := Options{Store: db, Node: "a", Probes: p.all(), Home: func(country string) bool { return country == "GB" }, Key: make([]byte, 32)}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

// run has a status measure for a time of the test's clock.
func run(t *testing.T, s *Status, do func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { s.Run(ctx) })
	do()
	stop()
	all.Wait()
}

func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// TestAFailureIsPublicWithinAMinute, without anybody's help; it ends by itself, and staff cannot end it before.
func TestAFailureIsPublicWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &booktest.Store{}
		s, p := newStatus(t, db)
		run(t, s, func() {
			wait(time.Minute)
			if v := s.View(time.Now()); len(v.Open) != 0 || v.Stale || v.Parts[0].State != Good || v.Parts[0].Share != 1 {
				t.Fatalf("all is well: %+v", v)
			}
			p.set(CallsAbroad, Down)
			began := time.Now()
			wait(30 * time.Second)
			v := s.View(time.Now())
			if len(v.Open) != 1 || v.Open[0].Title != "Calls abroad fail" || v.Open[0].ID == 0 || time.Since(began) > time.Minute {
				t.Fatalf("after %s: %+v", time.Since(began), v.Open)
			}
			id := v.Open[0].ID
			if _, err := s.Note(t.Context(), "tom", id, "", true, time.Now()); !errors.Is(err, ErrMeasured) {
				t.Errorf("staff ended what measurement found: %v", err)
			}
			if _, err := s.Note(t.Context(), "tom", id, "We look for it.", false, time.Now()); err != nil {
				t.Error(err)
			}
			p.set(CallsAbroad, Good)
			wait(2 * time.Minute)
			v = s.View(time.Now())
			if len(v.Open) != 0 || len(v.Past) != 1 || len(v.Past[0].Updates) != 3 || v.Past[0].Updates[0].By != "" || v.Past[0].Updates[1].By != "tom" {
				t.Fatalf("after it works again: %+v, %+v", v.Open, v.Past)
			}
		})
		kinds := []string{}
		for _, f := range db.AllFacts() {
			kinds = append(kinds, f.Kind)
		}
		if got := strings.Join(kinds, " "); got != "status.opened status.noted status.closed" {
			t.Errorf("the journal has %s", got)
		}
	})
}

// TestOneLostSampleIsNoIncident: a packet may be lost.
func TestOneLostSampleIsNoIncident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStatus(t, &booktest.Store{})
		run(t, s, func() {
			wait(5 * time.Second)
			p.set(Login, Down)
			wait(10 * time.Second)
			p.set(Login, Good)
			wait(time.Minute)
			if v := s.View(time.Now()); len(v.Open)+len(v.Past) != 0 || v.Parts[3].Share == 1 {
				t.Errorf("%+v", v)
			}
		})
	})
}

// TestAStoreThatIsAwayHidesNothing: what was measured meanwhile is shown, and stored when it is back. A restart continues it.
func TestAStoreThatIsAwayHidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &booktest.Store{}
		s, p := newStatus(t, db)
		run(t, s, func() {
			wait(20 * time.Second)
			db.Break(booktest.Lost)
			p.set(Records, Down)
			wait(40 * time.Second)
			if v := s.View(time.Now()); len(v.Open) != 1 || v.Open[0].ID != 0 {
				t.Fatalf("while the store is away: %+v", v.Open)
			}
			db.Break(booktest.Works)
			wait(20 * time.Second)
			if v := s.View(time.Now()); len(v.Open) != 1 || v.Open[0].ID != 1 {
				t.Fatalf("when it is back: %+v", v.Open)
			}
		})
		again, _ := newStatus(t, db)
		run(t, again, func() {
			wait(2 * time.Minute)
			if v := again.View(time.Now()); len(v.Open) != 0 || len(v.Past) != 1 {
				t.Errorf("after a restart: %+v, %+v", v.Open, v.Past)
			}
		})
		if v := s.View(time.Now()); !v.Stale {
			t.Error("a status that has stopped measuring does not say so")
		}
	})
}

// TestCallsAreJudged: a run of calls that fail is down although the carrier answers; trunks are counted by quarter of an hour.
func TestCallsAreJudged(t *testing.T) {
	db := &booktest.Store{}
	s, _ := newStatus(t, db)
	now := time.Now().UTC().Truncate(time.Microsecond)
	add := map[store.Tally]int64{}
	for n := range 6 {
		id := string(rune('a' + n))
		admitted := store.Fact{Kind: fact.KindCallAdmitted, At: now, Body: []byte(`{"direction":"out","country":"CU","held_micro":0,"paid_for_ms":0,"longest_s":0}`)}
		settled := store.Fact{Kind: fact.KindCallSettled, At: now, Body: []byte(`{"retail_micro":0,"cost_micro":0,"talk_ms":0,"carrier_talk_ms":0,"reason":"trunks-failed","sip_status":503,"trunk":"north","delay_ms":1500}`)}
		admitted.Call, settled.Call = call.ID(id), call.ID(id)
		s.count(&admitted, now, add)
		s.count(&settled, now, add)
	}
	s.sample(map[Component]State{CallsAbroad: Good, CallsHome: Good}, now)
	v := s.View(now)
	if v.Parts[0].State != Good || v.Parts[1].State != Down {
		t.Errorf("home %s, abroad %s", v.Parts[0].State, v.Parts[1].State)
	}
	quarter := now.Truncate(15 * time.Minute)
	if add[store.Tally{What: "trunk/north/tried", At: quarter}] != 6 || add[store.Tally{What: "trunk/north/failed", At: quarter}] != 6 || add[store.Tally{What: "trunk/north/answered", At: quarter}] != 0 {
		t.Errorf("%v", add)
	}
	if add[store.Tally{What: "trunk/north/rang", At: quarter}] != 6 || add[store.Tally{What: "trunk/north/delay", At: quarter}] != 9000 {
		t.Errorf("delays: %v", add)
	}
}

// TestStaffWrite: texts are checked, and planned work has an end.
func TestStaffWrite(t *testing.T) {
	s, _ := newStatus(t, &booktest.Store{})
	now := time.Now()
	for _, bad := range []Entry{{}, {Title: "x", Text: "a\u202eb"}, {Title: strings.Repeat("x", 200), Text: "y"}, {Title: "x", Text: "y", Component: "carrier-north"}, {Title: "x", Text: "y", Until: now.Add(-time.Hour)}} {
		if _, err := s.Add(t.Context(), "tom", bad, now); err == nil {
			t.Errorf("%+v was published", bad)
		}
	}
	i, err := s.Add(t.Context(), "tom", Entry{Title: "New version", Text: "Calls go on.", From: now.Add(time.Hour), Until: now.Add(2 * time.Hour)}, now)
	if err != nil {
		t.Fatal(err)
	}
	if v := s.View(now); len(v.Planned) != 1 || len(v.Open) != 0 {
		t.Errorf("%+v", v)
	}
	if _, err := s.Note(t.Context(), "tom", i.ID, "Not needed.", true, now); err != nil {
		t.Error(err)
	}
	if v := s.View(now.Add(time.Second)); len(v.Planned) != 0 {
		t.Errorf("work that was called off is still planned: %+v", v.Planned)
	}
	if _, err := s.Note(t.Context(), "tom", 99, "x", false, now); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// TestSubscribersSayYesFirst: nobody is sent incidents who has not pressed the button of the first mail, and each entry goes out once.
func TestSubscribersSayYesFirst(t *testing.T) {
	var sent []notify.Message
	s, _ := newStatus(t, &booktest.Store{}, func(o *Options) {
		o.URL, o.Provider = "https://calls.example.net", "Example Telecom"
		o.Mail = func(_ context.Context, m notify.Message) error { sent = append(sent, m); return nil }
	})
	now, from := time.Now(), netip.MustParseAddr("192.0.2.1")
	for _, bad := range []string{"", "x", "a@b\r\nBcc: c@d", "Ana <ana@example.com>", strings.Repeat("x", 300) + "@example.com"} {
		if err := s.Subscribe(t.Context(), bad, from, now); err == nil {
			t.Errorf("%q subscribed", bad)
		}
	}
	if err := s.Subscribe(t.Context(), "Ana@Example.com", from, now); err != nil || len(sent) != 1 || sent[0].To != "ana@example.com" {
		t.Fatalf("%v, %+v", err, sent)
	}
	token := sent[0].Off[strings.LastIndex(sent[0].Off, "/")+1:]
	if _, err := s.Add(t.Context(), "tom", Entry{Title: "<b>Calls</b> fail", Text: "We look."}, now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := s.tell(t.Context(), now.Add(time.Second)); err != nil || len(sent) != 1 {
		t.Fatalf("%v: sent to one who did not confirm: %+v", err, sent[1:])
	}
	if err := s.Confirm(t.Context(), token, now); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.tell(t.Context(), now.Add(2*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if len(sent) != 2 || !strings.Contains(sent[1].Text, "We look.") || strings.Contains(sent[1].HTML, "<b>") || !strings.Contains(sent[1].Text, "/status/mail/"+token) {
		t.Fatalf("%+v", sent)
	}
	if err := s.Subscribe(t.Context(), "ana@example.com", from, now); err != nil || len(sent) != 2 {
		t.Errorf("subscribed already: %v, %d mails", err, len(sent))
	}
	if err := s.Leave(t.Context(), token); err != nil {
		t.Error(err)
	}
	for range 20 {
		if err := s.Subscribe(t.Context(), "sam@example.com", from, now); errors.Is(err, ErrTooMany) {
			return
		}
	}
	t.Error("one address may have mails sent without limit")
}
