package rest_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/flow/gate"
)

// Staff who lock a line are told what becomes of each call in progress, on every node; the lists of calls and the line say it too.
func TestALockTellsOfCalls(t *testing.T) {
	open := func(id call.ID, line string, dir call.Direction, state call.State, purses ...string) call.Open {
		return call.Open{ID: id, Line: identify(line), Account: identify("acme"), Direction: dir, State: state, Purses: purses, Begun: time.Now(), AnsweredAt: time.Now()}
	}
	f := newFixture(t, rest.Options{})
	f.fill(t)
	f.live = []gate.InProgress{
		{Open: open("PAID1", "acme-1", call.Out, call.Answered, "line/acme-1/day")},
		{Open: open("RING1", "acme-1", call.Out, call.Setup, "line/acme-1/day")},
		{Open: open("FREE1", "acme-1", call.Out, call.Answered)},
		{Open: open("COME1", "acme-1", call.In, call.Answered)},
		{Open: open("ELSE1", "acme-9", call.Out, call.Answered, "line/acme-9/day")},
	}
	f.others = []call.Open{open("PAID2", "acme-1", call.Out, call.Answered, "line/acme-1/day"), open("ELSE2", "acme-9", call.Out, call.Answered)}
	for _, c := range []struct {
		body   string
		want   api.LockedCalls
		ending []string
	}{
		{`{"why":"w"}`, api.LockedCalls{Ending: 2, Cut: 1, Free: 2, Text: "2 calls in progress end when their paid time ends, within a minute. " +
			"1 call that is not answered yet ends at once. 2 calls that cost the line nothing go on."}, []string{"PAID1"}},
		{`{"why":"w","cut":true}`, api.LockedCalls{Cut: 3, Free: 2, Text: "3 calls in progress are cut at once. 2 calls that cost the line nothing go on."}, []string{"PAID1"}},
		{`{"why":"w","keep_calls":true}`, api.LockedCalls{Kept: 3, Free: 2, Text: "3 calls in progress go on, and may still cost up to the caps. " +
			"2 calls that cost the line nothing go on."}, nil},
	} {
		var got api.Locked
		answerOf(t, f, "POST", "/v1/lines/acme-1/lock", c.body, &got)
		if got.Calls != c.want {
			t.Errorf("%s: %+v, want %+v", c.body, got.Calls, c.want)
		}
		var list api.List[api.Call]
		answerOf(t, f, "GET", "/v1/calls", "", &list)
		var ending []string
		for _, x := range list.Items {
			if x.Ending != strings.Contains(x.Text, "its line is locked: it ends when its paid time ends") {
				t.Errorf("%s: ending %t, in words %q", x.ID, x.Ending, x.Text)
			}
			if x.Ending {
				ending = append(ending, x.ID)
			}
		}
		if !slices.Equal(ending, c.ending) {
			t.Errorf("%s: %v end, want %v", c.body, ending, c.ending)
		}
	}
	f.live, f.others, f.fail = []gate.InProgress{}, nil, errors.New("no database")
	var got api.Locked
	answerOf(t, f, "POST", "/v1/lines/acme-1/lock", `{"why":"w"}`, &got)
	if want := "No call is in progress. Calls on other nodes are treated alike, but could not be counted."; got.Calls.Text != want {
		t.Errorf("without the other nodes: %s", got.Calls.Text)
	}
}

func answerOf(t *testing.T, f *fixture, method, path, body string, out any) {
	t.Helper()
	w := f.do(method, path, body)
	if w.Code != 200 {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		t.Fatal(err)
	}
}
