package billing_test

import (
	"errors"
	"testing"
	"time"

	"ringfence/flow/billing"
	"ringfence/flow/book"
)

// TestSignedPayments guards that nobody books a payment without the secret, nor twice with an old message.
func TestSignedPayments(t *testing.T) {
	p := newProvider(t)
	ctx, now := t.Context(), time.Now()
	_, err := p.book.AddCustomer(ctx, "test", "other", book.CustomerEdit{})
	must(t, err)
	secret, body := []byte("0123456789abcdef"), []byte(`{"customer":"acme","amount":"156.39","reference":"pi_1"}`)
	with := func(secret []byte) *billing.Billing {
		return billing.New(billing.Options{Store: p.db, Book: p.book, Secret: secret})
	}
	b := with(secret)
	good := billing.Sign(secret, body, now)
	for name, c := range map[string]struct {
		secret    []byte
		signature string
		body      []byte
		at        time.Time
	}{
		"no signature":    {secret, "", body, now},
		"another secret":  {[]byte("0123456789abcdeF"), good, body, now},
		"another body":    {secret, good, []byte(`{"customer":"acme","amount":"1156.39","reference":"pi_1"}`), now},
		"an old message":  {secret, good, body, now.Add(6 * time.Minute)},
		"of the future":   {secret, good, body, now.Add(-6 * time.Minute)},
		"no secret":       {nil, billing.Sign(nil, body, now), body, now},
		"another instant": {secret, "t=" + good[3:], body, now},
	} {
		if _, err := with(c.secret).Signed(ctx, c.signature, c.body, c.at); !errors.Is(err, billing.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, err := b.Signed(ctx, good, body, now); err != nil || e.Number != 1 {
		t.Errorf("%+v %v", e, err)
	}
	if _, err := b.Signed(ctx, good, body, now.Add(time.Minute)); !errors.Is(err, billing.ErrBooked) {
		t.Errorf("replayed: %v", err)
	}
	for _, other := range []string{`{"customer":"acme","amount":"156.40","reference":"pi_1"}`, `{"customer":"other","amount":"156.39","reference":"PI_1"}`} {
		if _, err := b.Signed(ctx, billing.Sign(secret, []byte(other), now), []byte(other), now); !errors.Is(err, billing.ErrOtherwise) {
			t.Errorf("%s, which is another payment: %v", other, err)
		}
	}
	if owes, err := b.Balance(ctx, "acme"); err != nil || owes != -156_390_000 {
		t.Errorf("%s %v", owes, err)
	}
}
