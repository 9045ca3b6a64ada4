package notify

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/state/store"
)

// TestWhy: who gets a notice now, and why not. Each reason there is comes up.
func TestWhy(t *testing.T) {
	const own = "https://siem.provider.example/hook"
	w := newWorld(t, func(o *Options) {
		o.Hooks, o.Storm = []string{own}, 2
		delete(o.Channels, account.Webhook)
	})
	to := func(channel, address string, kinds map[string]account.Preference) recipient {
		c := contactRecipient("acme", &account.Contact{ID: "x", Channel: channel, Address: address, Kinds: kinds})
		return c
	}
	all := func(wish account.Preference) map[string]account.Preference {
		return map[string]account.Preference{"*": wish}
	}
	mail := func(wish account.Preference) recipient { return to(account.Mail, "x@acme.example", all(wish)) }
	moved := mail(account.PreferNow)
	moved.channel = account.ChannelCalled(account.Webhook)
	gone := mail(account.PreferNow)
	gone.contact, gone.gone = nil, true
	desk := recipient{person: "desk/fraud@provider.example", channel: account.ChannelCalled(account.Mail), address: "fraud@provider.example"}
	plain, critical := Kind(detect.Guessing.String()), LineLocked
	seen := map[Why]bool{}
	for name, c := range map[string]struct {
		to     recipient
		kind   Kind
		again  int64
		recent int
		graver int64
		want   Why
	}{
		"a contact":                              {to: mail(account.PreferNow), kind: plain, want: Goes},
		"the desk":                               {to: desk, kind: plain, want: Goes},
		"off":                                    {to: mail(account.PreferOff), kind: plain, want: SwitchedOff},
		"off, but critical":                      {to: mail(account.PreferOff), kind: critical, want: Goes},
		"off, but sent again by staff":           {to: mail(account.PreferOff), kind: plain, again: 7, want: Goes},
		"off, and it is a digest":                {to: mail(account.PreferOff), kind: Digest, want: Goes},
		"digest":                                 {to: mail(account.PreferDigest), kind: plain, want: InDigest},
		"digest, and told by a graver one":       {to: mail(account.PreferDigest), kind: NewDevice, graver: 9, want: ToldGraver},
		"more than two within the hour":          {to: mail(account.PreferNow), kind: plain, recent: 2, want: TooMany},
		"no noise: three times as many":          {to: mail(account.PreferNow), kind: critical, recent: 5, want: Goes},
		"no noise: more than that":               {to: mail(account.PreferNow), kind: critical, recent: 6, want: TooMany},
		"more than two to the desk":              {to: desk, kind: plain, recent: 2, want: TooMany},
		"a test, whatever went before":           {to: desk, kind: Test, recent: 99, want: Goes},
		"removed":                                {to: gone, kind: critical, want: ContactRemoved},
		"reached another way by now":             {to: moved, kind: critical, want: OtherChannel},
		"at the provider's own webhook":          {to: to(account.Webhook, own, nil), kind: critical, want: ProvidersHook},
		"a channel without a sender":             {to: to(account.Webhook, "https://acme.example/hook", nil), kind: plain, want: NoSender},
		"off comes before that":                  {to: to(account.Webhook, "https://acme.example/hook", all(account.PreferOff)), kind: plain, want: SwitchedOff},
		"a channel of a later version of this":   {to: recipient{person: "desk/pigeon", channel: account.ChannelCalled("pigeon"), address: "loft 7"}, kind: plain, want: NoSender},
		"a courtesy notice after a graver event": {to: mail(account.PreferNow), kind: NewDevice, graver: 9, want: ToldGraver},
	} {
		info, ok := infoOf(c.kind)
		if !ok {
			t.Fatal(c.kind)
		}
		d := draft{info: info, data: data{Again: c.again}}
		got := w.n.decide(&c.to, &d, c.recent, c.graver)
		if got != c.want {
			t.Errorf("%s: %d %q, want %d %q", name, got, got.text(), c.want, c.want.text())
		}
		seen[got] = true
	}
	if len(seen) != int(numWhys) {
		t.Errorf("%d of %d reasons came up", len(seen), numWhys)
	}
}

// TestAThirdChannel: an entry of account.Channels and a sender are all that a further way to reach people needs.
func TestAThirdChannel(t *testing.T) {
	was := account.Channels
	t.Cleanup(func() { account.Channels = was })
	digits := func(a string) bool { return strings.HasPrefix(a, "+") }
	account.Channels = append(was[:len(was):len(was)], account.Channel{
		Code: "text", Part: "text", Is: "a number for text messages", Like: digits, Shown: func(a string) string { return a }, People: true, AtOnce: 1, Within: time.Minute,
		Check: func(a string) error {
			if !digits(a) || len(a) > 16 {
				return errors.New("not a number")
			}
			return nil
		},
	})
	var got []Message
	w := newWorld(t, func(o *Options) {
		o.Channels["text"] = func(_ context.Context, m Message) error { got = append(got, m); return nil }
	})
	w.contact(account.Contact{ID: "mobile", Channel: "text", Address: "+447700900123", Kinds: map[string]account.Preference{string(NewDevice): account.PreferDigest}})
	w.device("2001")
	w.finding(detect.HostingLogin, "2002", 1)
	w.follow()
	equal(t, "deliveries", w.states(NewDevice), []string{"customer/acme/mobile digest", owner + " queued"})
	id, err := w.n.TestNotice(t.Context(), "+447700900456")
	w.must(err)
	due, err := w.db.ClaimDeliveries(t.Context(), time.Now(), time.Now().Add(time.Minute), 100)
	w.must(err)
	for i := range due {
		w.n.try(t.Context(), &due[i])
	}
	var subjects []string
	for _, m := range got {
		subjects = append(subjects, m.To+" "+m.Subject)
	}
	if len(got) != 2 || !strings.Contains(strings.Join(subjects, "\n"), "+447700900123 ") || got[0].Text == "" || got[0].JSON != nil {
		t.Errorf("text messages: %q", subjects)
	}
	if x, err := w.db.Notice(t.Context(), id); err != nil || x.Deliveries[0].Channel != "text" || x.Deliveries[0].State != store.Sent {
		t.Errorf("%+v, %v", x, err)
	}
}
