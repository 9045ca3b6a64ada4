package web

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/flow/proof"
)

// TestNumbers: an owner verifies a number with the code that was sent to it, and takes it away; a reader only looks, and nobody sees another's.
func TestNumbers(t *testing.T) {
	c := newControl(t)
	code, fails := "", false
	c.d.Proof = proof.New(proof.Options{
		Book: c.book, Key: []byte("k"), Log: c.log,
		Prove: func(ctx context.Context, who *person.Who, customer string, p account.Proven) error {
			_, err := c.d.Cooling.Customer(ctx, who, customer, book.CustomerEdit{Prove: &p})
			return err
		},
		Send: func(_ context.Context, x proof.Code) error {
			if code = x.Code; fails {
				return errors.New("busy")
			}
			return nil
		},
	})
	b, reader := c.prove("ana", person.Owner), c.prove("rita", person.Reader)
	_, other := c.enter(c.bravo, "bob", person.Owner)
	c.shows("a link", b.get("/lines"), "Numbers to present")
	c.shows("nothing", b.get("/numbers"), "No number is verified", "Verify another number")
	want(t, "a premium number", b.post("/numbers", "do", "add", "number", "09061234567<b>", "how", "call"), 200, "an ordinary number")
	want(t, "asking", b.post("/numbers", "do", "add", "number", "03069 990123", "how", "call"), 303, "/numbers")
	want(t, "asking again", b.post("/numbers", "do", "add", "number", "03069 990123", "how", "call"), 200, "Too many codes")
	c.shows("a code is asked for", b.get("/numbers"), "A code was sent to +443069990123", "Eight digits")
	want(t, "a wrong code", b.post("/numbers", "do", "confirm", "number", "+443069990123", "code", code+"9"), 200, "not the code")
	want(t, "a reader", reader.post("/numbers", "do", "confirm", "number", "+443069990123", "code", code), 403, "")
	want(t, "another customer", other.post("/numbers", "do", "confirm", "number", "+443069990123", "code", code), 200, "not the code")
	want(t, "the code", b.post("/numbers", "do", "confirm", "number", "+443069990123", "code", code[:4]+" "+code[4:]), 303, "/numbers")
	c.shows("verified", b.get("/numbers"), "1 number to present", "+443069990123", "a call", "Stop presenting it")
	if page := reader.get("/numbers").Body.String(); !strings.Contains(page, "443069990123") || strings.Contains(page, "Stop presenting it") {
		t.Errorf("a reader sees %s", page)
	}
	if page := other.get("/numbers").Body.String(); strings.Contains(page, "443069990123") {
		t.Errorf("another customer sees %s", page)
	}
	want(t, "another takes it away", other.post("/numbers", "do", "remove", "number", "+443069990123"), 303, "/numbers")
	c.shows("still there", b.get("/numbers"), "1 number to present")
	want(t, "away", b.post("/numbers", "do", "remove", "number", "+443069990123"), 303, "/numbers")
	c.shows("gone", b.get("/numbers"), "No number is verified")
	fails = true
	want(t, "the service is busy", b.post("/numbers", "do", "add", "number", "03069 990199", "how", "call"), 200, "could not be sent")
	fails = false
	_, err := c.d.Cooling.SetWait(t.Context(), &person.Who{Role: person.Admin, Actor: "staff/maya"}, c.acme, 24*time.Hour, "")
	fatal(t, err)
	want(t, "asking for one that waits", b.post("/numbers", "do", "add", "number", "03069 990155", "how", "call"), 303, "/numbers")
	want(t, "one that waits", b.post("/numbers", "do", "confirm", "number", "03069990155", "code", code), 303, "/changes")
	c.shows("it waits", b.get("/changes"), "Lines may present +443069990155")
}

// TestNumbersWithoutAService says who verifies numbers then.
func TestNumbersWithoutAService(t *testing.T) {
	c := newControl(t)
	b := c.prove("ana", person.Owner)
	c.shows("staff do", b.get("/numbers"), "Ask us to verify a number")
	want(t, "asking", b.post("/numbers", "do", "add", "number", "03069990123", "how", "call"), 404, "")
}
