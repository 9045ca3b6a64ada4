package proof_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/cooling"
	"ringfence/flow/proof"
)

var (
	ctx    = context.Background()
	key, _ = secret.NewKey()
	ana    = &person.Who{Person: "a", Customer: "acme~00000001", Role: person.Owner, Actor: "acme/ana"}
)

type world struct {
	*proof.Proof
	db    *booktest.Store
	book  *book.Book
	cool  *cooling.Cooling
	codes []proof.Code
	fails bool
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inWorld has two customers, acme with line 2001, and bravo whose line has a number.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{db: &booktest.Store{}}
		w.open(t)
		for _, name := range []string{"acme", "bravo"} {
			_, err := w.book.AddCustomer(ctx, "t", name, book.CustomerEdit{})
			must(t, err)
		}
		number := "020 7946 0002"
		_, _, err := w.book.AddLine(ctx, "t", book.NewLine{ID: "3001", Customer: "bravo~00000001", NoPassword: true, Edit: book.LineEdit{Number: &number}})
		must(t, err)
		test(t, w)
	})
}

// open begins a process on the store as it is.
func (w *world) open(t *testing.T) {
	t.Helper()
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	w.book, err = book.Open(ctx, w.db, book.Options{Plan: phone.UK(), Box: box, Realm: "x", Identify: func(handle string) string { return handle + "~00000001" }})
	must(t, err)
	w.cool = cooling.New(cooling.Options{Store: w.db, Book: w.book})
	w.Proof = proof.New(proof.Options{
		Book: w.book, Key: []byte("k"),
		Prove: func(ctx context.Context, who *person.Who, customer string, p account.Proven) error {
			_, err := w.cool.Customer(ctx, who, customer, book.CustomerEdit{Prove: &p})
			return err
		},
		Send: func(_ context.Context, c proof.Code) error {
			if w.fails {
				return errors.New("busy")
			}
			w.codes = append(w.codes, c)
			return nil
		},
		Log: slog.New(slog.DiscardHandler),
	})
}

func (w *world) ask(t *testing.T, customer, number string) string {
	t.Helper()
	_, err := w.Ask(ctx, ana, customer, number, account.ByCall)
	must(t, err)
	return w.codes[len(w.codes)-1].Code
}

const digits = 443069990123

// TestANumberIsProved: with the code, once, by the customer who asked, also after a restart; and taken away again.
func TestANumberIsProved(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		code := w.ask(t, "acme~00000001", "03069 990123")
		if got := w.codes[0]; got.Number != "+443069990123" || got.How != "call" || len(code) != 8 || strings.Trim(code, "0123456789") != "" {
			t.Errorf("%+v", got)
		}
		if w.book.Shows("acme~00000001", digits) {
			t.Error("presented before it was proved")
		}
		w.open(t)
		if err := w.Confirm(ctx, ana, "bravo~00000001", "+443069990123", code); !errors.Is(err, proof.ErrWrong) {
			t.Error("another customer's code:", err)
		}
		must(t, w.Confirm(ctx, ana, "acme~00000001", "03069990123", code[:4]+" "+code[4:]))
		if !w.book.Shows("acme~00000001", digits) || w.book.Shows("bravo~00000001", digits) {
			t.Error("not the customer's alone")
		}
		if err := w.Confirm(ctx, ana, "acme~00000001", "+443069990123", code); !errors.Is(err, proof.ErrWrong) {
			t.Error("the code worked twice:", err)
		}
		_, err := w.book.EditCustomer(ctx, "acme/ana", "acme~00000001", book.CustomerEdit{Disown: "443069990123"})
		must(t, err)
		if w.book.Shows("acme~00000001", digits) {
			t.Error("presented after it was taken away")
		}
	})
}

// TestCodesCannotBeGuessed: five tries, also of many at once, a quarter of an hour, and the latest code alone.
func TestCodesCannotBeGuessed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		code := w.ask(t, "acme~00000001", "03069990123")
		var judged atomic.Int32
		done := make(chan struct{})
		for range 40 {
			go func() {
				if err := w.Confirm(ctx, ana, "acme~00000001", "03069990123", other(code)); err != nil && strings.Contains(err.Error(), "tr") && !strings.Contains(err.Error(), "waiting") {
					judged.Add(1)
				}
				done <- struct{}{}
			}()
		}
		for range 40 {
			<-done
		}
		if n := judged.Load(); n != proof.MaxTries {
			t.Errorf("%d guesses were judged", n)
		}
		if err := w.Confirm(ctx, ana, "acme~00000001", "03069990123", code); !errors.Is(err, proof.ErrWrong) {
			t.Error("the right code after five wrong ones:", err)
		}
		time.Sleep(time.Minute)
		late := w.ask(t, "acme~00000001", "03069990123")
		time.Sleep(time.Minute)
		newer := w.ask(t, "acme~00000001", "03069990123")
		if err := w.Confirm(ctx, ana, "acme~00000001", "03069990123", late); late != newer && !errors.Is(err, proof.ErrWrong) {
			t.Error("an older code:", err)
		}
		time.Sleep(proof.Lifetime)
		if err := w.Confirm(ctx, ana, "acme~00000001", "03069990123", newer); !errors.Is(err, proof.ErrWrong) {
			t.Error("a code that is too old:", err)
		}
	})
}

func other(code string) string {
	if code[0] == '0' {
		return "1" + code[1:]
	}
	return "0" + code[1:]
}

// TestNobodyIsPestered: by one customer or several, and nobody earns by codes.
func TestNobodyIsPestered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ask := func(customer, number, how string) error {
			_, err := w.Ask(ctx, ana, customer, number, how)
			return err
		}
		must(t, ask("acme~00000001", "07700900123", "text"))
		if err := ask("bravo~00000001", "07700900123", "call"); !errors.Is(err, proof.ErrTooMany) {
			t.Error("two codes within a minute:", err)
		}
		time.Sleep(time.Minute)
		w.fails = true
		if err := ask("bravo~00000001", "07700900123", "call"); !errors.Is(err, proof.ErrUnsent) {
			t.Error(err)
		}
		w.fails = false
		time.Sleep(time.Minute)
		must(t, ask("acme~00000001", "07700900123", "call"))
		time.Sleep(time.Hour)
		if err := ask("bravo~00000001", "07700900123", "call"); !errors.Is(err, proof.ErrTooMany) {
			t.Error("a fourth code of the day:", err)
		}
		for i := range proof.PerCustomer - 2 {
			must(t, ask("acme~00000001", "0306999012"+string(rune('0'+i)), "call"))
		}
		if err := ask("acme~00000001", "03069990199", "call"); !errors.Is(err, proof.ErrTooMany) {
			t.Error("an eleventh code of a customer:", err)
		}
		time.Sleep(24 * time.Hour)
		must(t, ask("acme~00000001", "03069990199", "call"))

		n, err := restrict.ParseNumbers("+44800000111")
		must(t, err)
		_, err = w.book.AddHot(ctx, "t", restrict.Listed{List: "dno", Range: n, Way: restrict.Presented})
		must(t, err)
		invalid := (*book.Invalid)(nil)
		for _, number := range []string{"09061234567", "07012345678", "+37167123456", "118500", "999", "0800000111", "02079460002", "anna", ""} {
			if err := ask("bravo~00000001", number, "call"); !errors.As(err, &invalid) {
				t.Errorf("%s: %v", number, err)
			}
		}
		if err := ask("bravo~00000001", "02079460999", "text"); !errors.As(err, &invalid) {
			t.Error("a text to a landline:", err)
		}
	})
}

// TestAProvedNumberWaits as what loosens does, and is not presented if somebody else's line has it by then.
func TestAProvedNumberWaits(t *testing.T) {
	for _, taken := range []bool{false, true} {
		inWorld(t, func(t *testing.T, w *world) {
			_, err := w.cool.SetWait(ctx, ana, "acme~00000001", 24*time.Hour, "")
			must(t, err)
			must(t, w.Confirm(ctx, ana, "acme~00000001", "03069990123", w.ask(t, "acme~00000001", "03069990123")))
			all, err := w.cool.List(ctx, "acme~00000001")
			must(t, err)
			if len(all) != 1 || all[0].Text != "lines may present +443069990123" || w.book.Shows("acme~00000001", digits) {
				t.Fatalf("%+v", all)
			}
			if taken {
				number := "03069990123"
				_, err := w.book.EditLine(ctx, "t", "3001~00000001", book.LineEdit{Number: &number})
				must(t, err)
			}
			time.Sleep(24 * time.Hour)
			must(t, w.cool.Due(ctx, time.Now()))
			if got := w.book.Shows("acme~00000001", digits); got == taken {
				t.Errorf("taken %v, presented %v", taken, got)
			}
		})
	}
}

// TestTheJournalHasNoCodes: it says who asked, failed and proved.
func TestTheJournalHasNoCodes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		code := w.ask(t, "acme~00000001", "03069990123")
		_ = w.Confirm(ctx, ana, "acme~00000001", "03069990123", other(code))
		must(t, w.Confirm(ctx, ana, "acme~00000001", "03069990123", code))
		kinds := map[string]int{}
		for _, f := range w.db.AllFacts() {
			f.Encode()
			if kinds[f.Kind]++; strings.Contains(string(f.Body), code) {
				t.Errorf("%s", f.Body)
			}
		}
		for _, kind := range []string{fact.KindNumberAsked, fact.KindNumberCodeWrong, fact.KindNumberProved} {
			if kinds[kind] != 1 {
				t.Errorf("%d of %s", kinds[kind], kind)
			}
		}
	})
}
