// Package doortest makes a door with all that it asks, for tests of the stages above it.
package doortest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/secret"
	"ringfence/flow/auth"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/device"
	"ringfence/flow/door"
	"ringfence/flow/flood"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/ledger"
	"ringfence/flow/location"
	"ringfence/state/store/memory"
)

// Scene is a door with customer acme, who has line 2001 with the number 020 7946 0101, and a carrier.
type Scene struct {
	*door.Door
	Store          *booktest.Store
	Book           *book.Book
	Devices        *device.Devices
	Phones         *location.Location
	Gate           *gate.Gate
	Customer, Line string // their identities
	Password       string

	t testing.TB
}

// Home is where the line's phones are.
var Home = netip.MustParseAddrPort("192.0.2.7:5060")

// New makes a scene, which ends with the test. Calls that are cut end immediately.
func New(t testing.TB, change ...func(*gate.Options)) *Scene {
	t.Helper()
	ctx, db, m := context.Background(), &booktest.Store{}, memory.New()
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	s := &Scene{t: t, Store: db}
	s.Book, err = book.Open(ctx, db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "test"})
	must(t, err)
	acme, err := s.Book.AddCustomer(ctx, "t", "acme", book.CustomerEdit{})
	must(t, err)
	number := "020 7946 0101"
	l, password, err := s.Book.AddLine(ctx, "t", book.NewLine{ID: "2001", Customer: acme.ID, Edit: book.LineEdit{Number: &number}})
	must(t, err)
	s.Customer, s.Line, s.Password = acme.ID, l.ID(), password
	addresses := []string{"127.0.0.1:5090"}
	_, err = s.Book.AddTrunk(ctx, "t", "carrier", book.TrunkEdit{Addresses: &addresses})
	must(t, err)
	_, err = s.Book.Import(ctx, "t", []byte("Destination,Prefix,Price\nUK geographic,442,0.012\n"), book.ImportOptions{Name: "retail", Kind: rating.Retail})
	must(t, err)
	led := ledger.New(m, ledger.Options{Node: "n1"})
	led.Start()
	o := gate.Options{Node: "n1", Plan: s.Book.Plan(), Book: s.Book, Ledger: led}
	for _, f := range change {
		f(&o)
	}
	s.Gate, err = gate.New(o)
	must(t, err)
	must(t, s.Gate.Start(ctx, m))
	t.Cleanup(func() { s.Gate.Stop(); must(t, led.Stop(context.Background())) })
	s.Phones = location.New(location.Options{Store: db})
	s.Devices = device.New(device.Options{Store: db, Elsewhere: s.Phones.Elsewhere})
	s.Door, err = door.New(door.Options{
		Book: s.Book, Phones: s.Phones, Gate: s.Gate, Devices: s.Devices, Strangers: flood.New(flood.Options{}), WrongTags: flood.New(flood.Options{}),
		Guard: guard.Options{Options: auth.Options{Realm: "test"}},
	})
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// AddLine adds a further line of the customer and returns its identity.
func (s *Scene) AddLine(id string) string {
	s.t.Helper()
	l, _, err := s.Book.AddLine(s.t.Context(), "t", book.NewLine{ID: id, Customer: s.Customer})
	must(s.t, err)
	return l.ID()
}

// Call admits a call from Home.
func (s *Scene) Call(line, to string) *gate.Plan {
	s.t.Helper()
	plan, err := s.Admit(s.t.Context(), gate.Attempt{Line: line, Dialled: to, Source: Home, ALeg: "x"})
	must(s.t, err)
	return plan
}

// End ends a call, with all its legs.
func (s *Scene) End(plan *gate.Plan, reason policy.Reason) {
	s.Notify(plan.ID, gate.End{Reason: reason, Status: 200, At: time.Now()})
	s.Notify(plan.ID, gate.Over(nil))
}

var nonceIn = regexp.MustCompile(`nonce="([^"]*)"`)

// Login is an answer to a challenge of ask for a request, with the password of the line.
func (s *Scene) Login(ask func(*door.Login) guard.Result, method string, at netip.Addr) guard.Result {
	s.t.Helper()
	sum := func(text string) string { x := md5.Sum([]byte(text)); return hex.EncodeToString(x[:]) }
	stranger := door.Login{Src: at, Now: time.Now()}
	ask(&stranger)
	nonce := nonceIn.FindStringSubmatch(string(stranger.Ask))[1]
	const uri = "sip:test.example"
	response := sum(sum("2001:test:"+s.Password) + ":" + nonce + ":00000001:c:auth:" + sum(method+":"+uri))
	return ask(&door.Login{Credentials: auth.Credentials{
		Method: []byte(method), User: []byte("2001"), Realm: []byte("test"), Nonce: []byte(nonce), URI: []byte(uri), Response: []byte(response),
		CNonce: []byte("c"), NC: []byte("00000001"), QOP: []byte("auth"), Agent: []byte("Phone 1"),
	}, Src: at, Now: time.Now()})
}
