package app_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringfence/app/config"
	"ringfence/edge/phone"
	"ringfence/edge/rest/api"
	"ringfence/state/store/postgres/pgtest"
)

// Two nodes on one PostgreSQL: what one changes in the book holds on the other, and a lock ends calls on both.
func TestNodesShareTheBook(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i * 7)
	}
	node := func(name string) *program {
		cfg := emptyConfig(t)
		cfg.Node, cfg.Store.Engine, cfg.Store.DSN = name, "postgres", config.Secret(dsn)
		cfg.Money.Slice.Duration, cfg.Money.ExtendAhead.Duration = 2*time.Second, 500*time.Millisecond
		cfg.Secret.Key = config.Secret(base64.StdEncoding.EncodeToString(key))
		return start(t, cfg)
	}
	a := node("a")
	b := node("b")
	defer a.stop()
	defer b.stop()
	send := func(p *program, method, path string, in any) {
		t.Helper()
		must(t, p.api.Do(context.Background(), method, path, in, nil))
	}
	line := func(p *program, id string) (l api.LineDetail) {
		p.get("/v1/lines/"+id, &l)
		return l
	}
	// The password is in a's folder; the phone is b's.
	ph, err := phone.Dial(t.Context(), phone.Account{Server: b.app.SIPAddr().String(), Transport: "udp", Line: "2001", Password: a.password("2001")})
	must(t, err)
	defer ph.Close()
	up := call(t, ph, "02079460000")
	send(a, "POST", "/v1/lines/2001/lock", map[string]any{"why": "stolen", "cut": true})
	b.eventually("the other node knows of the lock", func() bool { return line(b, "2001").Locked })
	b.eventually("the other node's call is cut", func() bool {
		select {
		case <-up.Done():
			return true
		default:
			return false
		}
	})
	send(b, "POST", "/v1/lines/2001/unlock", nil)
	a.eventually("and of its end", func() bool { return !line(a, "2001").Locked })

	// A lock without cut ends b's call when its paid time ends (a slice is two seconds here), although b was not asked.
	up = call(t, ph, "02079460000")
	free := call(t, ph, "08001111111")
	send(a, "POST", "/v1/lines/2001/lock", map[string]any{"why": "stolen"})
	select {
	case <-up.Done():
	case <-time.After(time.Minute):
		t.Fatal("the other node's call goes on")
	}
	if !strings.Contains(up.End().Why, "cut-line-locked") {
		t.Errorf("it ended for %q", up.End().Why)
	}
	if free.End() != (phone.End{}) {
		t.Error("the free call was ended")
	}
	must(t, free.Hangup(t.Context()))
	send(b, "POST", "/v1/lines/2001/unlock", nil)

	_, err = ph.Register(t.Context(), 300)
	must(t, err)
	up = call(t, ph, "02079460000")
	send(a, "PATCH", "/v1/customers/plumber", map[string]any{"nets": []string{"192.0.2.0/24"}})
	b.eventually("the other node's phone is dropped by a customer's IP lock, and its call cut", func() bool {
		return len(line(b, "2001").Phones) == 0 && up.End().Theirs
	})
	if !strings.Contains(up.End().Why, "address-not-allowed") {
		t.Errorf("cut for %q", up.End().Why)
	}
	for i, p := range []*program{a, b} {
		send(p, "POST", "/v1/customers/plumber/contacts", map[string]any{"id": fmt.Sprintf("more-%d", i), "mail": fmt.Sprintf("m%d@plumber.example", i)})
		for _, q := range []*program{a, b} {
			q.eventually("both know the contact", func() bool {
				var l api.List[api.Contact]
				q.get("/v1/customers/plumber/contacts", &l)
				return len(l.Items) == i+2
			})
		}
	}
}
