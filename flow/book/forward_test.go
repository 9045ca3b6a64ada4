package book_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Where calls go is checked, kept, and in the journal; a dear number loosens, an ordinary one and an end do not.
func TestForwards(t *testing.T) {
	b, db, _ := sample(t)
	edit := func(careful bool, all ...book.Forward) error {
		_, err := b.EditLine(ctx, "test", "acme-1", book.LineEdit{Forward: all, Careful: careful})
		return err
	}
	for _, bad := range []book.Forward{
		{Cause: call.ForwardBusy, To: "999"},
		{Cause: call.ForwardBusy, To: "020 7946 0000"}, // its own number
		{Cause: call.ForwardBusy, To: "no number"},
		{Cause: call.ForwardBusy, To: strings.Repeat("0", 100)},
		{Cause: call.Transferred, To: "07700900123"},
		{After: time.Second},
		{After: time.Hour},
	} {
		if invalid := (*book.Invalid)(nil); !errors.As(edit(false, bad), &invalid) {
			t.Errorf("%+v is taken", bad)
		}
	}
	for _, c := range []struct {
		to    string
		loose bool
	}{{"07700 900123", false}, {"0800 123456", false}, {"+53 7 123 4567", true}, {"0909 879 1234", true}, {"07011 123456", true}, {"", false}} {
		err := edit(true, book.Forward{Cause: call.ForwardNoAnswer, To: c.to})
		if loose := (*book.Loosening)(nil); errors.As(err, &loose) != c.loose || !c.loose && err != nil {
			t.Errorf("%s: %v", c.to, err)
		}
	}
	if err := edit(false, book.Forward{Cause: call.ForwardAlways, To: "+53 7 123 4567"}, book.Forward{Cause: call.ForwardNoAnswer, To: "07700 900123"}, book.Forward{After: 30 * time.Second}); err != nil {
		t.Fatal(err)
	}
	if err := edit(true, book.Forward{Cause: call.ForwardAlways, To: "+53 7 123 4567"}); err != nil { // it is there already
		t.Error(err)
	}
	want := account.Forwards{Always: "+53 7 123 4567", NoAnswer: "07700 900123", After: 30}
	for name, b := range map[string]*book.Book{"written": b, "read again": open(t, db, options(t))} {
		if got := line(t, b, "acme-1").Forwards(); got != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	facts, err := db.Facts(ctx, store.FactFilter{Kind: fact.KindLineChanged, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range facts {
		found = found || strings.Contains(string(f.Body), `"always":"+53 7 123 4567"`) && strings.Contains(string(f.Body), `"by":"test"`)
	}
	if !found {
		t.Errorf("no fact says where calls go: %d facts", len(facts))
	}
}
