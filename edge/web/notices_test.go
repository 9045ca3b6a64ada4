package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/flow/notify"
	"ringfence/state/store"
)

// TestWhoIsNotifiedIsChangedOnThePage: added, changed and removed by owners alone, with a factor that was shown lately; where they wait for what they loosen, that waits.
func TestWhoIsNotifiedIsChangedOnThePage(t *testing.T) {
	c := newControl(t)
	ctx := t.Context()
	contacts := func() (all []string) {
		v, _ := c.book.Customer(c.acme)
		for _, k := range v.Contacts {
			all = append(all, k.Name+" "+k.Address+" "+string(k.Kinds[allKinds]))
		}
		return all
	}
	same := func(what string, want ...string) {
		t.Helper()
		if got := contacts(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	handle := func(n int) string {
		v, _ := c.book.Customer(c.acme)
		return account.Handle(v.Contacts[n].ID)
	}
	b := c.prove("ana", person.Owner)
	c.shows("nobody", b.get("/notices"), "Nobody is notified", "we have nobody to warn")
	want(t, "no address", b.post("/notices", "do", "add", "name", "Sam", "mail", "sam"), 200, "Type a mail address")
	want(t, "one", b.post("/notices", "do", "add", "name", "Sam Okafor", "mail", "sam@acme.example", "gets", "now"), 303, "/notices")
	c.shows("one", b.get("/notices"), "One person is notified", "sam@acme.example", "Each at once")
	want(t, "another", b.post("/notices", "do", "add", "name", "Zoe", "mail", "zoe@acme.example", "gets", "digest"), 303, "/notices")
	c.shows("two", b.get("/notices"), "2 people are notified", "Zoe", "Together, in one message")
	sam, zoe := handle(0), handle(1)
	want(t, "another address", b.post("/notices", "do", "change", "contact", zoe, "name-"+zoe, "Zoe", "mail-"+zoe, "zoe@home.example", "gets-"+zoe, "off"), 303, "/notices")
	want(t, "one less", b.post("/notices", "do", "remove", "contact", sam), 303, "/notices")
	same("after all that", "Zoe zoe@home.example off")
	want(t, "no such contact", b.post("/notices", "do", "remove", "contact", sam), 404, "There is no such page")
	want(t, "nothing asked", b.post("/notices", "do", "x"), 403, "")
	want(t, "a hostile name", b.post("/notices", "do", "add", "name", hostileName[:60], "mail", "x@acme.example"), 200, "Type a mail address")

	_, err := c.book.EditCustomer(ctx, "t", c.acme, book.CustomerEdit{Cooling: &account.Cooling{Wait: 24 * time.Hour}})
	fatal(t, err)
	want(t, "a change waits", b.post("/notices", "do", "change", "contact", zoe, "name-"+zoe, "Zoe", "mail-"+zoe, "eve@evil.example", "gets-"+zoe, "now"), 303, "/changes")
	want(t, "a removal waits", b.post("/notices", "do", "remove", "contact", zoe), 303, "/changes")
	same("while it waits", "Zoe zoe@home.example off")
	c.shows("the page", b.get("/notices"), "A change here waits 24 hours")
	c.shows("what waits", b.get("/changes"), "Contact Zoe (zoe@home.example) changed to Zoe (eve@evil.example)", "Contact Zoe (zoe@home.example) removed")

	var asked []notify.Filter
	c.Server.d.Sent = func(_ context.Context, customer string, f notify.Filter) ([]notify.View, error) {
		if asked = append(asked, f); customer != c.acme {
			t.Errorf("asked for %s", customer)
		}
		if f.Before > 0 {
			return nil, nil
		}
		v := notify.View{Title: "Somebody tried to guess a line's password", Notice: store.Notice{ID: 7, Line: c.line("2001").ID(), At: time.Now(), Deliveries: []store.Delivery{
			{Person: "customer/acme/zoe", Channel: account.Mail, Address: "zoe@home.example", State: store.Bounced},
			{Person: "customer/acme/sam", Channel: account.Mail, Address: hostileName, State: store.Sent, Sent: time.Now()},
		}}}
		return slices.Repeat([]notify.View{v}, f.Limit), nil
	}
	c.shows("what went out", b.get("/notices/sent"), "Notices that went out", "guess a line", "zoe@home.example", "came back: the address does not work")
	if body := b.get("/notices/sent").Body.String(); !strings.Contains(body, `href="/lines/2001"`) || !strings.Contains(body, `/notices/sent?before=7`) {
		t.Errorf("links to the line and to what is older are missing in %s", body)
	}
	c.shows("the end of it", b.get("/notices/sent?before=7"), "No notice has gone out yet")
	c.shows("odd", b.get("/notices/sent?before=-1x"), "Notices that went out")
	if asked[2].Before != 7 || asked[3].Before != 0 {
		t.Errorf("asked %+v", asked)
	}

	reader := c.prove("rob", person.Reader)
	if body := reader.get("/notices").Body.String(); !strings.Contains(body, "zoe@home.example") || strings.Contains(body, `name="do"`) {
		t.Errorf("a reader sees %s", body)
	}
	want(t, "a reader", reader.post("/notices", "do", "remove", "contact", zoe), 403, "")
	want(t, "a manager", c.prove("max", person.Manager).post("/notices", "do", "remove", "contact", zoe), 403, "")
	signedIn := c.Server.d.SignedIn
	c.Server.d.SignedIn = func(r *http.Request) (Visitor, error) {
		v, err := signedIn(r)
		v.Who.Proved = time.Now().Add(-24 * time.Hour)
		return v, err
	}
	want(t, "an old session", b.post("/notices", "do", "remove", "contact", zoe), 303, "/me/prove?to=%2Fnotices")
}
