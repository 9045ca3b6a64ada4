package billing

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"ringfence/core/money"
)

// ErrSignature says that a message is not signed by who knows the secret, or not lately.
var ErrSignature = errors.New("the signature is missing, wrong or too old")

// lately is how far the time of a signature may be from ours.
const lately = 5 * time.Minute

// ErrOtherwise says that a reference was booked before, for another customer or amount: what comes now is another payment, and is not booked.
var ErrOtherwise = errors.New("its reference was booked before, for another customer or amount")

// Sign signs the message of a payment as Signed wants it: "t=SECONDS,v1=HEX", of HMAC-SHA256 over the seconds, a point and the body.
func Sign(secret, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(seal(secret, t, body))
}

func seal(secret []byte, t string, body []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(t + "."))
	m.Write(body)
	return m.Sum(nil)
}

// Signed books the payment in a signed message. One that comes again, or is replayed, is ErrBooked: its reference is booked once. ErrOtherwise: it is not that payment.
func (b *Billing) Signed(ctx context.Context, signature string, body []byte, now time.Time) (Entry, error) {
	t, sum, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	seconds, err := strconv.ParseInt(t, 10, 64)
	given, bad := hex.DecodeString(sum)
	if err != nil || bad != nil || len(b.o.Secret) < 16 || now.Sub(time.Unix(seconds, 0)).Abs() > lately || !hmac.Equal(given, seal(b.o.Secret, t, body)) {
		return Entry{}, ErrSignature
	}
	var said struct{ Customer, Amount, Reference, Text string }
	if err := json.Unmarshal(body, &said); err != nil {
		return Entry{}, &Invalid{"body", "", `JSON such as {"customer":"acme","amount":"156.39","reference":"R1"}`}
	}
	c, ok := b.o.Book.CustomerCalled(said.Customer)
	if !ok {
		return Entry{}, &Invalid{"customer", said.Customer, "a customer"}
	}
	amount, err := money.Billing().ParseAmount(said.Amount)
	if err != nil {
		return Entry{}, &Invalid{"amount", said.Amount, "an amount such as 156.39"}
	}
	e, err := b.Pay(ctx, Payment{Customer: c.ID, Amount: amount, Reference: said.Reference, Text: said.Text, By: "webhook"})
	if errors.Is(err, ErrBooked) && (e.Customer != c.ID || e.Net != amount) {
		return Entry{}, ErrOtherwise
	}
	return e, err
}
