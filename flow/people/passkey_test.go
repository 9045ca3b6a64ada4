package people_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"

	"ringfence/core/person"
	"ringfence/flow/people"
)

const pagesURL = "https://calls.example.net"

// device is an authenticator: one ES256 key, no attestation. What it claims can be changed, to lie.
type device struct {
	t       testing.TB
	key     *ecdsa.PrivateKey
	id      []byte
	handle  []byte // of the user, from the registration
	counter uint32
	origin  string
	party   string
	flags   byte
}

const (
	present  = 1
	verified = 4
	attested = 0x40
)

func newDevice(t testing.TB) *device {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	d := &device{t: t, key: key, id: make([]byte, 32), origin: pagesURL, party: "calls.example.net", flags: present | verified}
	rand.Read(d.id)
	return d
}

// options are what the browser is given, for either ceremony.
type options struct {
	Key struct {
		Challenge string `json:"challenge"`
		RPID      string `json:"rpId"`
		RP        struct {
			ID string `json:"id"`
		} `json:"rp"`
		User struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"user"`
		Allow []struct {
			ID         string   `json:"id"`
			Transports []string `json:"transports"`
		} `json:"allowCredentials"`
		Selection struct {
			Resident string `json:"residentKey"`
			Verify   string `json:"userVerification"`
		} `json:"authenticatorSelection"`
		Verify string `json:"userVerification"`
	} `json:"publicKey"`
}

func read(t testing.TB, body []byte) (o options) {
	t.Helper()
	must(t, json.Unmarshal(body, &o))
	return o
}

var b64 = base64.RawURLEncoding

func (d *device) client(kind, challenge string) []byte {
	out, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": d.origin, "crossOrigin": false})
	must(d.t, err)
	return out
}

func (d *device) data(flags byte) []byte {
	party := sha256.Sum256([]byte(d.party))
	out := append(party[:], flags)
	return binary.BigEndian.AppendUint32(out, d.counter)
}

// make answers a registration.
func (d *device) make(asked []byte) []byte {
	o := read(d.t, asked)
	d.handle, _ = b64.DecodeString(o.Key.User.ID)
	pub, err := d.key.PublicKey.Bytes()
	must(d.t, err)
	cose, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: pub[1:33], -3: pub[33:]})
	must(d.t, err)
	data := append(d.data(d.flags|attested), make([]byte, 16)...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(d.id)))
	data = append(append(data, d.id...), cose...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	must(d.t, err)
	return d.answer(map[string]any{"clientDataJSON": b64.EncodeToString(d.client("webauthn.create", o.Key.Challenge)), "attestationObject": b64.EncodeToString(object)})
}

// sign answers an assertion.
func (d *device) sign(asked []byte) []byte {
	o := read(d.t, asked)
	d.counter++
	data, client := d.data(d.flags), d.client("webauthn.get", o.Key.Challenge)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, d.key, sum[:])
	must(d.t, err)
	return d.answer(map[string]any{
		"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data), "signature": b64.EncodeToString(sig), "userHandle": b64.EncodeToString(d.handle),
	})
}

func (d *device) answer(response map[string]any) []byte {
	out, err := json.Marshal(map[string]any{"id": b64.EncodeToString(d.id), "rawId": b64.EncodeToString(d.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}})
	must(d.t, err)
	return out
}

func (w *world) ask(t testing.TB, to people.Purpose, text string) []byte {
	t.Helper()
	asked, err := w.AskPasskey(ctx, to, text, home)
	must(t, err)
	return asked
}

// key adds a passkey to somebody who is signed in.
func (w *world) key(t testing.TB, p people.Person, in people.Entered, name string) *device {
	t.Helper()
	d := newDevice(t)
	_, err := w.AddPasskey(ctx, p.Actor(), name, d.make(w.ask(t, people.ToAdd, in.Text)), in.Text, home)
	must(t, err)
	return d
}

func (w *world) count(kind, part string) (n int) {
	for _, f := range w.db.AllFacts() {
		if f.Kind == kind && strings.Contains(string(f.Body), part) {
			n++
		}
	}
	return n
}

func TestAPasskeySignsInByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, w.acme, "ana", person.Owner)
		_, other := w.signIn(t, p)
		asked := w.ask(t, people.ToAdd, in.Text)
		o := read(t, asked)
		if o.Key.RP.ID != "calls.example.net" || o.Key.Selection.Resident != "preferred" || o.Key.Selection.Verify != "required" || o.Key.User.Name != "acme/ana" {
			t.Errorf("%s", asked)
		}
		if handle, err := b64.DecodeString(o.Key.User.ID); err != nil || strings.Contains(string(handle), "ana") {
			t.Errorf("the user handle %q names somebody: %v", handle, err)
		}
		d := newDevice(t)
		recovery, err := w.AddPasskey(ctx, p.Actor(), " laptop ", d.make(asked), in.Text, home)
		must(t, err)
		if len(recovery) != 10 {
			t.Errorf("%d recovery codes with the first second factor", len(recovery))
		}
		_, _, err = w.Session(ctx, other.Text, home)
		wantErr(t, "a session without the second factor", err, people.ErrRefused)
		_, _, err = w.Session(ctx, in.Text, home)
		must(t, err)

		time.Sleep(time.Hour)
		asked = w.ask(t, people.ToEnter, "")
		if o := read(t, asked); len(o.Key.Allow) != 0 || o.Key.Verify != "required" || o.Key.RPID != "calls.example.net" {
			t.Errorf("%s", asked)
		}
		got, err := w.EnterByPasskey(ctx, d.sign(asked), abroad)
		must(t, err)
		who, v, err := w.Session(ctx, got.Text, abroad)
		must(t, err)
		if got.Half || who.Actor != "acme/ana" || !people.IsFresh(&who, time.Now()) {
			t.Errorf("%+v, half %v", who, got.Half)
		}
		if k := v.Passkeys; len(k) != 1 || k[0].Name != "laptop" || !k[0].Used.Equal(time.Now().UTC()) || k[0].Made.Equal(k[0].Used) {
			t.Errorf("%+v", k)
		}
		if w.count("passkey.added", "192.0.2.10") != 1 || w.count("person.entered", `"how":"a passkey","passkey":"laptop","source":"203.0.113.66","user_agent":"curl"`) != 1 {
			t.Error("the journal has not what was added and used, by whom and where")
		}
	})
}

// signIn makes another session by a link.
func (w *world) signIn(t testing.TB, p people.Person) (people.Person, people.Entered) {
	t.Helper()
	link, err := w.Link(ctx, "root", p.ID, people.LinkLife)
	must(t, err)
	in, err := w.Follow(ctx, link.Token, home)
	must(t, err)
	return p, in
}

func TestAPasskeyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, w.acme, "ana", person.Owner)
		d := w.key(t, p, in, "laptop")
		enter := func(what string, answer []byte, want error) {
			t.Helper()
			_, err := w.EnterByPasskey(ctx, answer, home)
			wantErr(t, what, err, want)
			time.Sleep(15 * time.Minute)
		}
		lie := func(what string, change func(d *device)) {
			t.Helper()
			liar := *d
			change(&liar)
			enter(what, liar.sign(w.ask(t, people.ToEnter, "")), people.ErrRefused)
		}
		lie("another origin", func(d *device) { d.origin = "https://calls.example.com" })
		lie("the origin without TLS", func(d *device) { d.origin = "http://calls.example.net" })
		lie("another port", func(d *device) { d.origin += ":8443" })
		lie("another party", func(d *device) { d.party = "example.net" })
		lie("another key", func(d *device) { d.key = newDevice(t).key })
		lie("nobody was verified", func(d *device) { d.flags = present })
		lie("nobody was there", func(d *device) { d.flags = verified })
		lie("another user", func(d *device) { d.handle = make([]byte, 32) })
		lie("no user", func(d *device) { d.handle = nil })
		lie("a credential that there is not", func(d *device) { d.id = make([]byte, 32) })
		enter("nonsense", []byte("{"), people.ErrRefused)
		enter("nothing", nil, people.ErrRefused)

		asked := w.ask(t, people.ToEnter, "")
		answer := d.sign(asked)
		enter("the right one", answer, nil)
		enter("the same again", answer, people.ErrOver)
		enter("the challenge signed again", d.sign(asked), people.ErrOver)
		old := d.sign(w.ask(t, people.ToEnter, ""))
		time.Sleep(5 * time.Minute)
		enter("after five minutes", old, people.ErrOver)
		made := strings.Replace(string(w.ask(t, people.ToEnter, "")), `"challenge":"`, `"challenge":"A`, 1)
		enter("a challenge that nobody gave", d.sign([]byte(made)), people.ErrOver)

		asked = w.ask(t, people.ToEnter, "")
		liar := *d
		liar.origin = "https://evil.example"
		enter("a wrong answer", liar.sign(asked), people.ErrRefused)
		enter("a right one after it", d.sign(asked), people.ErrOver)
		wrong := w.ask(t, people.ToProve, in.Text)
		enter("a challenge that was for something else", d.sign(wrong), people.ErrOver)

		enter("it still signs in", d.sign(w.ask(t, people.ToEnter, "")), nil)
		d.counter--
		enter("a counter that stands still", d.sign(w.ask(t, people.ToEnter, "")), people.ErrRefused)
		d.counter = 1
		enter("a counter that goes back", d.sign(w.ask(t, people.ToEnter, "")), people.ErrRefused)
		if n := w.count("person.refused", `"how":"passkey with an old counter","passkey":"laptop"`); n != 2 {
			t.Errorf("%d copies in the journal", n)
		}
		if w.count("person.refused", `"how":"passkey","source":"192.0.2.10"`) == 0 {
			t.Error("what was refused is not in the journal")
		}
	})
}

func TestOneAnswerOfManyCounts(t *testing.T) {
	w := newWorld(t)
	p, in := w.add(t, w.acme, "ana", person.Owner)
	d := w.key(t, p, in, "laptop")
	answer := d.sign(w.ask(t, people.ToEnter, ""))
	var entered atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := w.EnterByPasskey(ctx, answer, home); err == nil {
				entered.Add(1)
			}
		})
	}
	all.Wait()
	if entered.Load() != 1 {
		t.Errorf("%d got in by one answer", entered.Load())
	}
}

func TestAPasskeyAfterAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, w.acme, "ana", person.Owner)
		ben, benIn := w.add(t, w.acme, "ben", person.Reader)
		d, bens := w.key(t, p, in, "stick"), w.key(t, ben, benIn, "phone")
		d.handle = nil // a stick that keeps no names says none
		asked := w.ask(t, people.ToEnter, "ANA@example.com")
		if o := read(t, asked); len(o.Key.Allow) != 1 || o.Key.Allow[0].ID != b64.EncodeToString(d.id) {
			t.Errorf("%s", asked)
		}
		_, err := w.EnterByPasskey(ctx, d.sign(asked), home)
		must(t, err)
		_, err = w.EnterByPasskey(ctx, bens.sign(w.ask(t, people.ToEnter, "acme/ana")), home)
		wantErr(t, "another's passkey", err, people.ErrRefused)

		nobody, again := w.ask(t, people.ToEnter, "acme/nobody"), w.ask(t, people.ToEnter, "acme/nobody")
		a, b := read(t, nobody), read(t, again)
		if len(a.Key.Allow) != 1 || a.Key.Allow[0].ID != b.Key.Allow[0].ID || len(asked) != len(nobody) {
			t.Errorf("a name that nobody has can be told: %s", nobody)
		}
		liar := newDevice(t)
		liar.id, _ = b64.DecodeString(a.Key.Allow[0].ID)
		_, err = w.EnterByPasskey(ctx, liar.sign(nobody), home)
		wantErr(t, "nobody's passkey", err, people.ErrRefused)
		_, err = w.EnterByPasskey(ctx, bens.sign(again), home)
		wantErr(t, "somebody's passkey for nobody", err, people.ErrRefused)
	})
}

func TestAPasskeyAsSecondFactorAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, "", "sam", person.Admin)
		if who, _, _ := w.Session(ctx, in.Text, home); !who.Enrol {
			t.Fatal("staff without a second factor need none")
		}
		d := w.key(t, p, in, "laptop")
		who, _, err := w.Session(ctx, in.Text, home)
		must(t, err)
		if who.Enrol {
			t.Error("a passkey is no second factor")
		}
		must(t, w.SetPassword(ctx, p.Actor(), p.ID, words, in.Text))
		half, err := w.Password(ctx, "sam", words, home)
		must(t, err)
		if !half.Half || !half.Key || half.TOTP {
			t.Fatalf("%+v", half)
		}
		other, err := w.Password(ctx, "sam", words, home)
		must(t, err)
		_, err = w.SecondByPasskey(ctx, other.Text, d.sign(w.ask(t, people.ToGoOn, half.Text)), home)
		wantErr(t, "the challenge of another sign-in", err, people.ErrOver)
		done, err := w.SecondByPasskey(ctx, half.Text, d.sign(w.ask(t, people.ToGoOn, half.Text)), home)
		must(t, err)
		_, _, err = w.Session(ctx, done.Text, home)
		must(t, err)
		_, err = w.AskPasskey(ctx, people.ToGoOn, half.Text, home)
		wantErr(t, "half a sign-in that was used", err, people.ErrOver)

		time.Sleep(people.Fresh)
		fresh := func() bool {
			who, _, err := w.Session(ctx, done.Text, home)
			must(t, err)
			return people.IsFresh(&who, time.Now())
		}
		if fresh() {
			t.Error("it stays fresh")
		}
		ben, benIn := w.add(t, "", "ben", person.Auditor)
		bens := w.key(t, ben, benIn, "phone")
		wantErr(t, "another's passkey", w.ProveByPasskey(ctx, done.Text, bens.sign(w.ask(t, people.ToProve, done.Text)), home), people.ErrRefused)
		wantErr(t, "the challenge of another session", w.ProveByPasskey(ctx, done.Text, d.sign(w.ask(t, people.ToProve, benIn.Text)), home), people.ErrOver)
		if fresh() {
			t.Error("another's passkey made it fresh")
		}
		must(t, w.ProveByPasskey(ctx, done.Text, d.sign(w.ask(t, people.ToProve, done.Text)), home))
		if !fresh() {
			t.Error("it is not fresh")
		}
		_, err = w.AskPasskey(ctx, people.ToProve, "no session", home)
		wantErr(t, "nobody's session", err, people.ErrOver)
	})
}

func TestPasskeysAreAddedRenamedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p, in := w.add(t, w.acme, "ana", person.Owner)
		ben, benIn := w.add(t, w.acme, "ben", person.Reader)
		add := func(in people.Entered, name string, d *device, asked []byte) error {
			_, err := w.AddPasskey(ctx, p.Actor(), name, d.make(asked), in.Text, home)
			return err
		}
		d := newDevice(t)
		d.origin = "https://evil.example"
		wantErr(t, "made for another origin", add(in, "a", d, w.ask(t, people.ToAdd, in.Text)), people.ErrPasskey)
		d.origin, d.flags = pagesURL, present
		wantErr(t, "made without a finger, face or PIN", add(in, "a", d, w.ask(t, people.ToAdd, in.Text)), people.ErrPasskey)
		d.flags = present | verified
		wantErr(t, "for another's session", add(in, "a", d, w.ask(t, people.ToAdd, benIn.Text)), people.ErrOver)
		if add(in, strings.Repeat("x", 61), d, w.ask(t, people.ToAdd, in.Text)) == nil || add(in, " ", d, w.ask(t, people.ToAdd, in.Text)) == nil {
			t.Error("any name will do")
		}
		asked := w.ask(t, people.ToAdd, in.Text)
		must(t, add(in, "laptop", d, asked))
		wantErr(t, "the challenge again", add(in, "b", newDevice(t), asked), people.ErrOver)
		thief := *d
		if err := add(benIn, "b", &thief, w.ask(t, people.ToAdd, benIn.Text)); err == nil {
			t.Error("two people have one passkey")
		}
		wantErr(t, "a name twice", add(in, "laptop", newDevice(t), w.ask(t, people.ToAdd, in.Text)), people.ErrExists)
		second := w.key(t, p, in, "phone")
		_, err := w.EnterByPasskey(ctx, second.sign(w.ask(t, people.ToEnter, "")), home)
		must(t, err)

		v, err := w.Person(ctx, p.ID)
		must(t, err)
		phone := v.Passkeys[1].ID
		must(t, w.RenamePasskey(ctx, p.Actor(), p.ID, phone, "old phone"))
		wantErr(t, "another's name", w.RenamePasskey(ctx, p.Actor(), p.ID, phone, "laptop"), people.ErrExists)
		wantErr(t, "another's passkey", w.RenamePasskey(ctx, p.Actor(), ben.ID, phone, "x"), people.ErrNotFound)
		wantErr(t, "another's passkey", w.RemovePasskey(ctx, p.Actor(), ben.ID, phone, people.EvenNone), people.ErrNotFound)
		must(t, w.RemovePasskey(ctx, p.Actor(), p.ID, phone, 0))
		_, err = w.EnterByPasskey(ctx, second.sign(w.ask(t, people.ToEnter, "")), home)
		wantErr(t, "one that was removed", err, people.ErrRefused)
		laptop := v.Passkeys[0].ID
		wantErr(t, "the last second factor", w.RemovePasskey(ctx, p.Actor(), p.ID, laptop, 0), people.ErrLastFactor)
		must(t, w.RemovePasskey(ctx, p.Actor(), p.ID, laptop, people.EvenNone))
		if w.count("passkey.removed", `"passkey":"old phone"`) != 1 || w.count("passkey.removed", `"passkey":"laptop"`) != 1 {
			t.Error("the journal has not what was removed")
		}
		must(t, add(in, "laptop", d, w.ask(t, people.ToAdd, in.Text)))
		_, err = w.Reset(ctx, "root", p.ID)
		must(t, err)
		_, err = w.EnterByPasskey(ctx, d.sign(w.ask(t, people.ToEnter, "")), home)
		wantErr(t, "after a reset", err, people.ErrRefused)

		staff, staffIn := w.add(t, "", "sam", person.Admin)
		w.key(t, staff, staffIn, "laptop")
		v, err = w.Person(ctx, staff.ID)
		must(t, err)
		wantErr(t, "the last of staff", w.RemovePasskey(ctx, staff.Actor(), staff.ID, v.Passkeys[0].ID, people.EvenNone), people.ErrLastFactor)
	})
}

func TestPasskeysNeedANameAndTLS(t *testing.T) {
	for url, want := range map[string]bool{
		"": false, "https://192.0.2.1": false, "https://[2001:db8::1]:8443": false, "http://calls.example.net": false, "http://127.0.0.1:8090": false,
		"http://localhost:8090": true, "https://calls.example.net:8443": true,
	} {
		w := newWorld(t)
		p, err := people.New(people.Options{Store: w.db, Book: w.book, Box: w.box, URL: url})
		must(t, err)
		_, err = p.AskPasskey(ctx, people.ToEnter, "", home)
		if p.HasPasskeys() != want || (err == nil) != want || !want && !errors.Is(err, people.ErrNoPasskeys) {
			t.Errorf("%q: %v, %v", url, p.HasPasskeys(), err)
		}
	}
}

func TestPasskeysAreAskedForOnlySoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var wait *people.Wait
		n := 0
		for ; n < 100 && !errors.As(errOf(w.AskPasskey(ctx, people.ToEnter, "", abroad)), &wait); n++ {
		}
		if n != 60 {
			t.Errorf("%d challenges for one network", n)
		}
		for n = 0; n < 100 && !errors.As(errOf(w.EnterByPasskey(ctx, nil, abroad)), &wait); n++ {
		}
		if n != 60 {
			t.Errorf("%d answers of one network", n)
		}
		must(t, errOf(w.AskPasskey(ctx, people.ToEnter, "", home)))
	})
}

func errOf[T any](_ T, err error) error { return err }
