package storetest

import (
	"testing"
	"time"

	"ringfence/state/store"
)

func publicStatus(t *testing.T, s store.Store) {
	ctx := t.Context()
	quarter := someday.Truncate(15 * time.Minute)
	ok(t, s.AddTallies(ctx, []store.Tally{{What: "sample/a/good", At: quarter, N: 2}, {What: "sample/b/good", At: quarter, N: 1}, {What: "samples", At: quarter, N: 9}, {What: "sample/a/good", At: quarter.Add(-time.Hour), N: 7}}))
	ok(t, s.AddTallies(ctx, []store.Tally{{What: "sample/a/good", At: quarter, N: 3}}))
	var got []store.Tally
	ok(t, s.Tallies(ctx, "sample/", quarter, func(x store.Tally) error { got = append(got, x); return nil }))
	same(t, "tallies", got, []store.Tally{{What: "sample/a/good", At: quarter, N: 5}, {What: "sample/b/good", At: quarter, N: 1}})
	n, err := s.ClearTallies(ctx, quarter)
	ok(t, err)
	same(t, "cleared", n, int64(1))

	i := store.Incident{Component: "call-home", Node: "a", Kind: "measured", Title: "Calls fail", Began: someday, Updates: []store.IncidentUpdate{{At: someday, Text: "No call was answered."}}}
	id, err := s.PutIncident(ctx, i, store.Fact{Kind: "status.opened"})
	ok(t, err)
	_, err = s.PutIncident(ctx, i)
	wantIs(t, "measured twice", err, store.ErrExists)
	planned := store.Incident{Kind: "planned", Title: "New version", Began: someday.Add(time.Hour), Ended: someday.Add(2 * time.Hour)}
	second, err := s.PutIncident(ctx, planned)
	ok(t, err)
	i.ID, i.Version = id, 1
	one, err := s.Incident(ctx, id)
	ok(t, err)
	same(t, "incident", one, i)
	one.Ended = someday.Add(time.Minute)
	one.Updates = append(one.Updates, store.IncidentUpdate{At: one.Ended, By: "tom", Text: "Works."})
	_, err = s.PutIncident(ctx, one)
	ok(t, err)
	_, err = s.PutIncident(ctx, one)
	wantIs(t, "a write in between", err, store.ErrMoved)
	_, err = s.PutIncident(ctx, store.Incident{Component: "call-home", Node: "a", Kind: "measured", Began: someday})
	ok(t, err) // the first is over
	page, err := s.Incidents(ctx, second+1, 1)
	ok(t, err)
	if len(page) != 1 || page[0].ID != second || !page[0].Ended.Equal(planned.Ended) {
		t.Errorf("a page of incidents: %+v", page)
	}
	_, err = s.Incident(ctx, 99)
	wantIs(t, "no incident", err, store.ErrNotFound)
	subscribed(t, s)
}

func subscribed(t *testing.T, s store.Store) {
	ctx := t.Context()
	ok(t, s.PutSubscriber(ctx, store.Subscriber{Hash: "h1", Mail: "ana@example.com", Made: someday}))
	ok(t, s.PutSubscriber(ctx, store.Subscriber{Hash: "h2", Mail: "ana@example.com", Made: someday}))
	_, err := s.ConfirmSubscriber(ctx, "h1", someday)
	wantIs(t, "a link that was replaced", err, store.ErrNotFound)
	got, err := s.ConfirmSubscriber(ctx, "h2", someday)
	ok(t, err)
	same(t, "confirmed", got, store.Subscriber{Hash: "h2", Mail: "ana@example.com", Made: someday, Confirmed: someday, Told: someday})
	wantIs(t, "subscribed twice", s.PutSubscriber(ctx, store.Subscriber{Hash: "h3", Mail: "ana@example.com", Made: someday}), store.ErrExists)
	later := someday.Add(time.Hour)
	ok(t, s.TellSubscriber(ctx, "h2", someday, later))
	wantIs(t, "told twice", s.TellSubscriber(ctx, "h2", someday, later), store.ErrMoved)
	ok(t, s.PutSubscriber(ctx, store.Subscriber{Hash: "h4", Mail: "sam@example.com", Made: someday}))
	n, err := s.ClearSubscribers(ctx, later)
	ok(t, err)
	same(t, "never confirmed", n, int64(1))
	all, err := s.Subscribers(ctx)
	ok(t, err)
	if len(all) != 1 || !all[0].Told.Equal(later) {
		t.Errorf("subscribers: %+v", all)
	}
	ok(t, s.DropSubscriber(ctx, "h2"))
	wantIs(t, "dropped twice", s.DropSubscriber(ctx, "h2"), store.ErrNotFound)
}
