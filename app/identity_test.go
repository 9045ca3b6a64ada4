package app_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/edge/phone"
	"ringfence/edge/rest/api"
)

// reborn plays lines and customers of few names that come, are used and go.
type reborn struct {
	*program
	secret   string
	identity string         // of the line that is there; "" is none
	calls    int            // that it made
	records  map[string]int // calls of every line that there ever was, by identity
}

// TestANewLineOfAnOldNameStartsWithNothing guards that a line or customer inherits purses, un-billed usage, devices, lock-outs, registrations,
// requests, contacts or records of one before it under its name; and that what the one before left is found by its identity.
func TestANewLineOfAnOldNameStartsWithNothing(t *testing.T) {
	t.Parallel()
	r := &reborn{program: start(t, demoConfig(t)), records: map[string]int{}}
	defer r.stop()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	uses := []func(){r.call, r.register, r.guess, r.lock, r.ask, r.mail}
	for range 6 {
		r.add()
		r.wantNothing()
		for range 3 + random.IntN(4) {
			uses[random.IntN(len(uses))]()
		}
		r.do("POST", "/v1/lines/shop-1/unlock", nil, nil)
		r.call()
		r.wantRecords()
		r.remove(random.IntN(2) == 0)
		r.wantRecords()
	}
}

func (r *reborn) do(method, path string, in, out any) {
	r.t.Helper()
	must(r.t, r.api.Do(context.Background(), method, path, in, out))
}

func (r *reborn) add() {
	var list api.List[api.Customer]
	r.get("/v1/customers?after=shoo", &list)
	if len(list.Items) == 0 || list.Items[0].ID != "shop" {
		r.do("POST", "/v1/customers", api.NewCustomer{ID: "shop"}, nil)
	}
	var made api.Created
	r.do("POST", "/v1/lines", api.NewLine{ID: "shop-1", Customer: "shop", PatchLine: api.PatchLine{Number: new("+442079460321")}}, &made)
	r.secret, r.identity, r.calls = made.Password, made.Line.Identity, 0
	if _, used := r.records[r.identity]; used || account.Handle(r.identity) != "shop-1" {
		r.t.Fatalf("the new line has the identity %s", r.identity)
	}
	r.records[r.identity] = 0
}

// wantNothing looks for anything that a new line has of the ones before it.
func (r *reborn) wantNothing() {
	r.t.Helper()
	var line api.LineDetail
	r.get("/v1/lines/shop-1", &line)
	if line.Locked || len(line.Phones)+len(line.Calls) > 0 {
		r.t.Errorf("the new line is locked or has phones: %+v", line)
	}
	for _, p := range line.Purses {
		if p.Owner == "line" && p.Spent+p.Held != 0 {
			r.t.Errorf("the new line's %s: %s", p.Period, p.Text)
		}
	}
	var usage api.Usage
	r.get("/v1/lines/shop-1/usage", &usage)
	if usage.Total != 0 || usage.Told != 0 {
		r.t.Errorf("un-billed usage of the new line: %s", usage.Text)
	}
	for path, what := range map[string]string{
		"/v1/lines/shop-1/devices": "devices", "/v1/cdrs?line=shop-1": "records", "/v1/findings?line=shop-1": "findings", "/v1/notices?line=shop-1": "notices",
	} {
		var list api.List[any]
		if r.get(path, &list); len(list.Items) > 0 {
			r.t.Errorf("%s of the new line: %v", what, list.Items)
		}
	}
	var facts api.List[api.Fact]
	r.get("/v1/journal?line=shop-1", &facts)
	if len(facts.Items) != 1 || facts.Items[0].Kind != "line.added" {
		r.t.Errorf("journal of the new line: %+v", facts.Items)
	}
	var contacts api.List[api.Contact]
	r.get("/v1/customers/shop/contacts", &contacts)
	for _, c := range contacts.Items {
		if len(c.Lines) == 0 {
			r.t.Errorf("a contact of one line before it is one of the new line: %+v", c)
		}
	}
	ph := r.dial(r.secret)
	defer ph.Close()
	a, err := ph.Register(context.Background(), 60)
	must(r.t, err)
	if a.Status != 200 {
		r.t.Errorf("the new line's phone may not log in: %d %s", a.Status, a.Why)
	}
}

func (r *reborn) dial(password string) *phone.Phone {
	r.t.Helper()
	ph, err := phone.Dial(context.Background(), phone.Account{Server: r.app.SIPAddr().String(), Transport: "udp", Line: "shop-1", Password: password})
	must(r.t, err)
	return ph
}

// call makes one that costs something, unless the line is locked.
func (r *reborn) call() {
	r.t.Helper()
	ph := r.dial(r.secret)
	defer ph.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, _, err := ph.Invite(ctx, "02079460000", phone.Dialling{})
	must(r.t, err)
	if c == nil {
		return
	}
	hangup(r.t, c)
	r.calls++
	r.records[r.identity]++
	r.cdrs("shop-1", r.calls)
}

func (r *reborn) register() {
	ph := r.dial(r.secret)
	defer ph.Close()
	_, err := ph.Register(context.Background(), 300)
	must(r.t, err)
}

// guess tries wrong passwords from the line's own place: counted for the line, and not yet a lock-out.
func (r *reborn) guess() {
	for range 2 {
		ph := r.dial("gravel-tulip-anchor-mosaic-velvet-harbor")
		_, err := ph.Register(context.Background(), 300)
		ph.Close()
		must(r.t, err)
	}
}

func (r *reborn) lock() {
	r.do("POST", "/v1/lines/shop-1/lock", api.Lock{Why: "odd calls"}, nil)
}

func (r *reborn) ask() {
	r.do("POST", "/v1/lines/shop-1/requests", api.NewRequest{Field: "max-calls", Value: "19"}, nil)
}

func (r *reborn) mail() {
	id, mail := fmt.Sprintf("c%d", len(r.records)), "a@customer.invalid"
	_ = r.api.Do(context.Background(), "POST", "/v1/customers/shop/contacts", // there already, the second time
		api.NewContact{ID: id, PatchContact: api.PatchContact{Reach: api.Reach{Address: &mail}, Lines: &[]string{"shop-1"}}}, nil)
}

// wantRecords wants the records and the journal of every line that there ever was under its own identity.
func (r *reborn) wantRecords() {
	r.t.Helper()
	for id, n := range r.records {
		var list api.List[api.CDR]
		r.get("/v1/cdrs?line="+url.QueryEscape(id), &list)
		answered := 0
		for _, c := range list.Items {
			if c.Line != "shop-1" || c.LineID != id || strings.Contains(c.Account, account.Mark) {
				r.t.Errorf("a record of %s says line %s (%s) of %s", id, c.Line, c.LineID, c.Account)
			}
			if c.Talk > 0 {
				answered++
			}
		}
		if answered != n {
			r.t.Errorf("%s has %d records of answered calls, want %d", id, answered, n)
		}
		var facts api.List[api.Fact]
		r.get("/v1/journal?kind=line.&line="+url.QueryEscape(id), &facts)
		if len(facts.Items) == 0 || facts.Items[0].LineID != id {
			r.t.Errorf("journal of %s: %+v", id, facts.Items)
		}
	}
}

func (r *reborn) remove(customerToo bool) {
	r.do("DELETE", "/v1/lines/shop-1", nil, nil)
	if customerToo {
		r.do("DELETE", "/v1/customers/shop", nil, nil)
	}
}
