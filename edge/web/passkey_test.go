package web

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"ringfence/core/person"
	"ringfence/core/secret"
	"ringfence/flow/cooling"
	"ringfence/flow/people"
	"ringfence/state/store"
)

// newKeyHouse is a house whose pages have a name, so that browsers have passkeys for it.
func newKeyHouse(t *testing.T) *house {
	t.Helper()
	return newHouseWith(t, func(h *house, d *Deps) {
		k, err := secret.NewKey()
		fatal(t, err)
		box, err := secret.NewBox([]secret.Key{k})
		fatal(t, err)
		h.people, err = people.New(people.Options{Store: h.db, Book: h.book, Box: func() (*secret.Box, error) { return box, nil }, Issuer: "Test", URL: "https://rf.test"})
		fatal(t, err)
		d.People, d.Cooling = h.people, cooling.New(cooling.Options{Store: h.db, Book: h.book, People: h.people})
	})
}

// giveKeys gives somebody passkeys that no browser made: the ceremonies are tested in flow/people, and in Chromium.
func (h *house) giveKeys(id string, names ...string) {
	h.t.Helper()
	p, err := h.db.Person(context.Background(), id)
	fatal(h.t, err)
	for i, name := range names {
		p.Factors.Passkeys = append(p.Factors.Passkeys, store.Passkey{Name: name, Credential: []byte(`{"id":"` + string(rune('A'+i)) + `Q=="}`)})
	}
	fatal(h.t, h.db.PutPerson(context.Background(), p))
}

func TestPasskeysComeFirst(t *testing.T) {
	h := newKeyHouse(t)
	b := h.browser()
	want(t, "the page", b.get("/in"), 200, `action="/in/passkey" data-passkey="enter" data-name="f-name" hidden>`)
	w := b.post("/passkey", "to", "enter")
	want(t, "a challenge", w, 200, `"rpId":"rf.test"`)
	if w.Header().Get("Content-Type") != "application/json" {
		t.Error(w.Header())
	}
	want(t, "a challenge for a name", b.post("/passkey", "to", "enter", "name", "acme/nobody"), 200, `"allowCredentials":[{`)
	want(t, "nonsense", b.post("/in/passkey", "answer", "{"), 422, "That passkey does not sign you in")
	want(t, "no script", b.post("/in/passkey"), 422, "That passkey does not sign you in")
	want(t, "8 KB", b.post("/in/passkey", "answer", strings.Repeat("x", 8<<10)), 422, "That passkey does not sign you in")
	for _, to := range []string{"add", "again", "second"} {
		want(t, to+" of nobody", b.post("/passkey", "to", to), 403, "")
	}
	want(t, "something else", b.post("/passkey", "to", "x"), 404, "")
	b.headers["Sec-Fetch-Site"] = "cross-site"
	want(t, "another site's form", b.post("/in/passkey", "answer", "{}"), 403, "")
	want(t, "another site's question", b.post("/passkey", "to", "enter"), 403, "")
	delete(b.headers, "Sec-Fetch-Site")
	b.plain = true
	want(t, "without TLS", b.post("/passkey", "to", "enter"), 403, "")

	plain := newHouse(t)
	if w := plain.browser().get("/in"); strings.Contains(w.Body.String(), "passkey") {
		t.Error("a house without a name offers passkeys")
	}
	want(t, "no such page", plain.browser().post("/passkey", "to", "enter"), 404, "")
}

func TestMyPasskeys(t *testing.T) {
	h := newKeyHouse(t)
	p, b := h.enter(h.acme, "ana", person.Owner)
	ben, bens := h.enter(h.acme, "ben", person.Reader)
	want(t, "none yet", b.get("/me"), 200, "You have no passkey")
	want(t, "to add one", b.get("/me/passkey"), 200, `data-passkey="add"`)
	want(t, "a challenge", b.post("/passkey", "to", "add"), 200, `"residentKey":"preferred"`)
	want(t, "without a script", b.post("/me/passkey", "name", "laptop"), 200, "This browser made no passkey")
	want(t, "without a name", b.post("/me/passkey", "answer", "{}"), 200, "a name such as laptop")

	h.giveKeys(p.ID, "<script>alert(1)</script>", "\u202egnihsihp", "phone")
	w := b.get("/me")
	want(t, "names with markup", w, 200, "&lt;script&gt;")
	if body := w.Body.String(); strings.Contains(body, "<script>alert") || strings.Contains(body, "\u202e") {
		t.Error("a hostile name came through")
	}
	p, err := h.people.Person(context.Background(), p.ID)
	fatal(t, err)
	keys := p.Passkeys
	want(t, "rename", b.get("/me/passkey?key="+keys[2].ID), 200, `value="phone"`)
	want(t, "renamed", b.post("/me/passkey", "key", keys[2].ID, "name", "tablet"), 303, "/me")
	want(t, "a name of 8 KB", b.post("/me/passkey", "key", keys[2].ID, "name", strings.Repeat("x", 8<<10)), 200, "a name such as laptop")
	want(t, "it shows", b.get("/me"), 200, "Passkey <bdi>tablet</bdi>")
	want(t, "another's", bens.get("/me/passkey?key="+keys[2].ID), 404, "")
	want(t, "another's", bens.post("/me/passkey", "key", keys[2].ID, "name", "mine"), 404, "")
	bens.post("/me", "do", "unkey", "key", keys[2].ID)
	want(t, "no such one", b.post("/me", "do", "unkey", "key", "x"), 303, "/me")
	for _, k := range keys[:2] {
		want(t, "remove", b.post("/me", "do", "unkey", "key", k.ID), 303, "/me")
	}
	p, err = h.people.Person(context.Background(), p.ID)
	fatal(t, err)
	if len(p.Passkeys) != 1 || p.Passkeys[0].Name != "tablet" {
		t.Errorf("%+v", p.Passkeys)
	}
	want(t, "it is asked for", b.get("/me/prove?to=/people"), 200, `data-passkey="again"`)
	want(t, "nonsense", b.post("/me/prove", "answer", "{}"), 200, "That does not sign you in")

	h.giveKeys(ben.ID, "phone")
	fatal(t, h.people.SetPassword(context.Background(), "t", ben.ID, goodWords, ""))
	in := h.browser()
	want(t, "the first factor", in.post("/in", "name", "acme/ben", "password", goodWords), 303, "/in/code")
	want(t, "the second", in.get("/in/code"), 200, `action="/in/code" data-passkey="second"`)
	want(t, "its challenge", in.post("/passkey", "to", "second"), 200, `"allowCredentials":[{`)
	want(t, "nonsense", in.do("POST", "/in/code", url.Values{"answer": {"{}"}}), 422, "")

	sam, staff := h.enter("", "sam", person.Admin)
	h.giveKeys(sam.ID, "laptop")
	sam, err = h.people.Person(context.Background(), sam.ID)
	fatal(t, err)
	want(t, "the last of staff", staff.post("/me", "do", "unkey", "key", sam.Passkeys[0].ID), 200, "This is your last second factor")
}
