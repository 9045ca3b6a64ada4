// Package proof lets a customer prove that a number is theirs: a code is sent to the number, and who can read it back may present the number. It must not
// know how a code is carried.
package proof

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/flow/book"
)

// Limits. A code is guessed with a chance of MaxTries in 10^codeDigits; anyone who asks for PerNumber codes a day for ten years has one of 1 in 1,800.
const (
	codeDigits  = 8
	MaxTries    = 5                // wrong codes, after which another code has to be sent
	Lifetime    = 15 * time.Minute // of a code
	PerNumber   = 3                // codes a day to a number, by all customers together: nobody is to be pestered
	PerCustomer = 10               // codes a day of a customer
	between     = time.Minute      // from one code to a number to the next
	day         = 24 * time.Hour
)

// Errors that callers tell apart.
var (
	ErrNoSender = errors.New("no service carries codes here: staff can record that they have seen evidence")
	ErrTooMany  = errors.New("too many codes")
	ErrWrong    = errors.New("wrong code")
	ErrUnsent   = errors.New("the code could not be sent: try again in a minute")
)

// Code is what is sent to a number.
type Code struct {
	Number, How, Code string
	Until             time.Time
}

// Options of New.
type Options struct {
	Book *book.Book
	Key  []byte // hashes codes; the same on all nodes
	// Prove makes the change, which may wait as the customer has chosen.
	Prove func(ctx context.Context, who *person.Who, customer string, p account.Proven) error
	// Send carries a code; nil: nothing does.
	Send func(ctx context.Context, c Code) error
	Log  *slog.Logger
}

// Proof is safe for concurrent use. On several nodes, each may allow MaxTries before it has read what the others wrote.
type Proof struct {
	o  Options
	mu sync.Mutex // of reading what was asked, judging and writing it
}

// New makes it.
func New(o Options) *Proof { return &Proof{o: o} }

// Sends says that codes can be sent.
func (p *Proof) Sends() bool { return p.o.Send != nil }

// Ask sends a code to a number, by account.ByCall or account.ByText. It goes to ordinary numbers of the home country only, so that nobody earns by it.
func (p *Proof) Ask(ctx context.Context, who *person.Who, customer, number, how string) (account.Asked, error) {
	var none account.Asked
	if p.o.Send == nil {
		return none, ErrNoSender
	}
	number, err := p.o.Book.Presentable(number)
	if err == nil {
		err = p.fits(customer, number, how)
	}
	if err != nil {
		return none, err
	}
	code, err := newCode()
	if err != nil {
		return none, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	a := account.Asked{Number: number, How: how, By: who.Actor, At: now}
	a.Code = p.hash(customer, &a, code)
	if err := p.note(ctx, customer, &a, now); err != nil { // before it is sent, so that limits hold whatever happens
		return none, err
	}
	if err := p.o.Send(ctx, Code{Number: "+" + number, How: how, Code: code, Until: now.Add(Lifetime)}); err != nil {
		p.o.Log.Warn("a code to prove a number was not sent", "customer", account.Handle(customer), "err", err)
		return none, ErrUnsent
	}
	a.Code = nil
	return a, nil
}

// fits says whether a code may be sent to a number at all.
func (p *Proof) fits(customer, number, how string) error {
	d, problem := p.o.Book.Plan().Parse("+" + number)
	wrong := func(want string) error { return &book.Invalid{Field: "number", Found: "+" + number, Want: want} }
	switch {
	case problem != phone.NoProblem || !d.National || !policy.Ordinary(d.Class):
		return wrong("an ordinary number of this country: others are for staff to record")
	case how != account.ByCall && how != account.ByText:
		return &book.Invalid{Field: "how", Found: how, Want: "call or text"}
	case how == account.ByText && d.Class != phone.Mobile:
		return wrong("a mobile number, or a code by call")
	case p.o.Book.Shows(customer, d.Number.Digits()):
		return wrong("a number that the customer's lines cannot present already")
	}
	return p.o.Book.MayProve(customer, number)
}

// note writes down that a code is sent, if limits allow it.
func (p *Proof) note(ctx context.Context, customer string, a *account.Asked, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.o.Book.Customer(customer)
	if !ok {
		return book.ErrNotFound
	}
	since := now.Add(-day)
	recent := slices.DeleteFunc(slices.Clone(v.Asked), func(x account.Asked) bool { return !x.At.After(since) })
	if len(recent) >= PerCustomer {
		return fmt.Errorf("%w: %d a day of a customer; try again tomorrow", ErrTooMany, PerCustomer)
	}
	sent, last := p.o.Book.AskedOf(a.Number, since)
	switch {
	case sent >= PerNumber:
		return fmt.Errorf("%w: %d a day to a number; try again tomorrow", ErrTooMany, PerNumber)
	case now.Sub(last) < between:
		return fmt.Errorf("%w: one a minute to a number; try again in a minute", ErrTooMany)
	}
	for i := range recent { // of several codes for a number the latest counts
		if recent[i].Number == a.Number {
			recent[i].Code = nil
		}
	}
	f := &fact.NumberAsked{By: a.By, Number: "+" + a.Number, How: a.How}
	return p.o.Book.PutAsked(ctx, customer, append(recent, *a), f.Row(now, fact.Subject{Account: customer}))
}

// Confirm takes the code that somebody read at the number. Each wrong one is counted before it is judged.
func (p *Proof) Confirm(ctx context.Context, who *person.Who, customer, number, code string) error {
	number, err := p.o.Book.Presentable(number)
	if err != nil {
		return err
	}
	a, err := p.judge(ctx, who, customer, number, code)
	if err != nil {
		return err
	}
	return p.o.Prove(ctx, who, customer, account.Proven{Number: number, How: a.How, By: who.Actor, Since: time.Now().UTC().Truncate(time.Second)})
}

func (p *Proof) judge(ctx context.Context, who *person.Who, customer, number, code string) (account.Asked, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.o.Book.Customer(customer)
	if !ok {
		return account.Asked{}, book.ErrNotFound
	}
	now := time.Now()
	all := slices.Clone(v.Asked)
	i := slices.IndexFunc(all, func(x account.Asked) bool {
		return x.Number == number && x.Code != nil && now.Before(x.At.Add(Lifetime))
	})
	if i < 0 {
		return account.Asked{}, fmt.Errorf("%w: no code for this number is waiting; ask for one", ErrWrong)
	}
	a := all[i]
	right := hmac.Equal(p.hash(customer, &a, strings.Map(digit, code)), a.Code)
	said := fact.Body(&fact.NumberProved{By: who.Actor, Number: "+" + number, How: a.How})
	if all[i].Tries++; right || all[i].Tries >= MaxTries {
		all[i].Code = nil
	}
	if !right {
		said = &fact.NumberCodeWrong{By: who.Actor, Number: "+" + number, Failures: int64(all[i].Tries)}
	}
	if err := p.o.Book.PutAsked(ctx, customer, all, fact.Say(said, now, fact.Subject{Account: customer})); err != nil {
		return a, err
	}
	switch left := MaxTries - all[i].Tries; {
	case right:
		return a, nil
	case left == 0:
		return a, fmt.Errorf("%w: that was the last try; ask for another code", ErrWrong)
	default:
		return a, fmt.Errorf("%w: %d more tries with this code", ErrWrong, left)
	}
}

// Waiting are the codes of a customer that can still be confirmed, the latest first.
func Waiting(v *account.Customer, now time.Time) (all []account.Asked) {
	for _, a := range v.Asked {
		if a.Code != nil && now.Before(a.At.Add(Lifetime)) {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(x, y account.Asked) int { return cmp.Or(y.At.Compare(x.At), strings.Compare(x.Number, y.Number)) })
	return all
}

func (p *Proof) hash(customer string, a *account.Asked, code string) []byte {
	h := hmac.New(sha256.New, p.o.Key)
	fmt.Fprintf(h, "%s\x00%s\x00%d\x00%s", customer, a.Number, a.At.Unix(), code)
	return h.Sum(nil)
}

// digit leaves of a code that people typed the digits.
func digit(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}

func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%0*d", codeDigits, n), nil
}
