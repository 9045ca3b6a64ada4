package main

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"ringfence/core/person"
	"ringfence/flow/people"
)

// TestAPasskeyInABrowser: somebody signs in by a link for the first time, adds a passkey, signs out, and signs in with it, as the only thing they
// press. The authenticator is Chromium's virtual one.
func TestAPasskeyInABrowser(t *testing.T) {
	chrome := chromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	o, err := newOffice(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	defer o.srv.Close()
	d, err := newDoorway(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.srv.Close()
	p, link, err := d.folk.Add(ctx, "docs", people.NewPerson{Handle: "maya", Role: person.Admin})
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(ctx, chrome)
	defer b.close()
	if err := chromedp.Do(b.ctx); err != nil {
		t.Fatal(err)
	}
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		ctx, done := context.WithTimeout(b.ctx, patience)
		defer done()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatalf("%s: %v, on\n%s", what, err, b.source())
		}
	}
	click := func(selector string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(selector)) }
	see := func(selector string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitVisible(chromedp.CSS(selector))
	}
	do("an authenticator", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		return err
	}))
	do("the link", chromedp.Navigate(d.base+"/in/link/"+link.Token), click(".ask button"), see(`a[href="/me/passkey"]`))
	do("to the passkey", click(`a[href="/me/passkey"]`), see("#f-name"))
	do("a passkey", chromedp.SendKeys(chromedp.CSS("#f-name"), "laptop"), click(".ask form button"), see(".once"))
	do("back", click(`.acts a[href="/me"]`), see(`a[href^="/me/passkey?key="]`))
	do("out", click(`form[action="/out"] button`), see("#f-password"))
	do("in again", click(`form[action="/in/passkey"] button`), see(`a[href^="/me/passkey?key="]`))
	v, err := d.folk.Person(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if k := v.Passkeys; len(k) != 1 || k[0].Name != "laptop" || k[0].Used.IsZero() {
		t.Errorf("%+v", k)
	}
	do("out again", click(`form[action="/out"] button`), see("#f-password"))
	if err := d.folk.RemovePasskey(ctx, "docs", p.ID, "laptop", people.EvenNone); err == nil {
		t.Error("the last second factor of staff was removed")
	}
	if _, err := d.folk.Reset(ctx, "docs", p.ID); err != nil {
		t.Fatal(err)
	}
	do("a passkey that does not count any more", click(`form[action="/in/passkey"] button`), see(".note.grave"))
}
