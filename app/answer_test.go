package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringfence/edge/rest"
	"ringfence/flow/device"
	"ringfence/flow/notify"
)

func running(t *testing.T, beforeStart ...func(*App)) *App {
	t.Helper()
	a, err := New(context.Background(), testDemo(DemoFolder(t)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range beforeStart {
		f(a)
	}
	if err := a.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return a
}

// One forged packet makes a notice about an address that never had the password: "not me" must not ban it. It does
// shut out one from which the login was used; and in any case the line's password is of no use any more.
func TestNotMeShutsOutOnlyWhoHadTheLogin(t *testing.T) {
	a, ctx := running(t), context.Background()
	thief, victim := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("198.51.100.7")
	l, _ := a.book.LineCalled("2001")
	line := l.ID()
	a.shield.devices.Seen(device.Login{Line: line, Addr: thief, Agent: "thief", At: time.Now()})
	before, _ := a.book.HA1(l)
	for addr, banned := range map[netip.Addr]bool{victim: false, thief: true} {
		done, err := a.answers.Act(ctx, notify.Answer{Action: notify.NotMine, Line: line, About: notify.About{Address: addr.String()}})
		if err != nil {
			t.Fatal(err)
		}
		if isBanned(a, addr, banned) != banned || strings.Contains(done, addr.String()) != banned {
			t.Errorf("%s: banned %v, and the page says: %s", addr, !banned, done)
		}
	}
	l, _ = a.book.Line(line)
	if after, ok := a.book.HA1(l); !ok || after.MD5 == before.MD5 || !l.Locked() {
		t.Error("the thief's password still opens the line, or it is not locked")
	}
	// Who unlocks the line is told all that was done beside the lock, and how to undo it.
	server, err := rest.New(a.adminDeps(), rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	server.Handler("test").ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost/v1/lines/2001/unlock", nil))
	for _, want := range []string{`"opened":true`, "nobody has the new one", "ringfence line password 2001", "everything from 203.0.113.9, where", "ringfence ban remove 203.0.113.9"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("unlock says nothing of %q: %s", want, w.Body)
		}
	}
}

// isBanned looks for a moment if a ban is expected: bans are made in the background.
func isBanned(a *App, addr netip.Addr, expected bool) bool {
	look, late := time.NewTicker(10*time.Millisecond), time.After(5*time.Second)
	defer look.Stop()
	for {
		if now := a.shield.bans.Why(addr).Banned; now || !expected && a.shield.bans.Flush(context.Background()) == nil {
			return now
		}
		select {
		case <-look.C:
		case <-late:
			return false
		}
	}
}
