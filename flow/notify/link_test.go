package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// acts records what links asked for.
type acts struct {
	mu   sync.Mutex
	done []string // mu
	err  error
}

func (a *acts) did(what, said string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, what)
	return said, a.err
}

func (a *acts) act(_ context.Context, x Answer) (string, error) {
	about, err := json.Marshal(x.About)
	if err != nil {
		return "", err
	}
	switch x.Action {
	case Mine:
		return a.did("mine "+x.Line+" "+string(about), "Noted.")
	case NotMine:
		return a.did("not-mine "+x.Line, "Line "+x.Line+" is locked and its phones were cut off.")
	case Off:
		return a.did("off "+x.Person+" "+string(x.Kind), "It is off.")
	}
	return a.did("admit "+x.Line+" "+string(about), "It may log in.")
}

// mailed sends one notice about line 2001 and gives its tokens by action.
func mailed(t *testing.T, w *world, raise func()) map[string]string {
	t.Helper()
	before := len(w.messages())
	raise()
	w.follow()
	pass(together)
	w.sendDue()
	token := map[string]string{}
	for _, m := range w.messages()[before:] {
		if m.Name == "" {
			continue // the desk
		}
		for word := range strings.FieldsSeq(m.Text) {
			if rest, ok := strings.CutPrefix(word, "https://calls.provider.example"+LinkPath); ok {
				_, action, err := w.n.open(rest)
				w.must(err)
				token[action] = rest
			}
		}
	}
	return token
}

func TestLinksWorkOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, open opener) {
		a := &acts{}
		w := newWorldOn(t, open, func(o *Options) { o.Act = a.act; o.Desk = nil })
		defer w.db.Close()
		token := mailed(t, w, func() { w.device("2001") })
		if len(token) != 3 {
			t.Fatalf("links: %v", token)
		}
		for action, tok := range token { // a mail scanner opens them all
			v, err := w.n.Link(t.Context(), tok)
			if err != nil || v.Used || v.Expired || v.Action != action || v.Button == "" || len(v.Text) < 1 || v.Kind != NewDevice {
				t.Errorf("%s: %+v, %v", action, v, err)
			}
		}
		if len(a.done) != 0 {
			t.Fatalf("opening did %v", a.done)
		}
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() {
				tok := token[[]string{Mine, NotMine}[i%2]]
				v, err := w.n.Use(t.Context(), tok, somewhere)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, ErrUsed) {
					t.Errorf("racer %d: %v", i, err)
				}
				if !v.Used {
					t.Errorf("racer %d sees %+v", i, v)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || len(a.done) != 1 {
			t.Fatalf("%d racers won, done: %v", won.Load(), a.done)
		}
		for _, action := range []string{Mine, NotMine} { // using one has ended the other; both show what was done
			v, err := w.n.Use(t.Context(), token[action], somewhere)
			if !errors.Is(err, ErrUsed) || !v.Used || !strings.HasPrefix(v.Result, "You answered") {
				t.Errorf("%s again: %+v, %v", action, v, err)
			}
		}
		if v, err := w.n.Use(t.Context(), token[Off], somewhere); err != nil || !strings.Contains(v.Result, "It is off.") {
			t.Errorf("off: %+v, %v", v, err)
		}
		if want := "off " + owner + " new-device"; a.done[1] != want {
			t.Errorf("done %q, want %q", a.done, want)
		}
		facts, err := w.db.Facts(t.Context(), store.FactFilter{Kind: "link.", Limit: 100})
		if err != nil || len(facts) != 4 || facts[0].Line != "2001" || facts[0].Account != "acme" || !strings.Contains(string(facts[0].Body), `"from":"198.51.100.20"`) {
			t.Errorf("%v, facts: %+v", err, facts)
		}
	})
}

func TestAnswersSayWhatTheyAreAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &acts{}
		w := newWorld(t, func(o *Options) { o.Act = a.act; o.Desk = nil })
		defer w.db.Close()
		token := mailed(t, w, func() { w.device("2001") })
		_, err := w.n.Use(t.Context(), token[Mine], somewhere)
		w.must(err)
		var got About
		w.must(json.Unmarshal([]byte(strings.TrimPrefix(a.done[0], "mine 2001 ")), &got))
		want := About{Kind: NewDevice, Address: "203.0.113.9", Agent: "Yealink SIP-T46S", Family: "Yealink", Place: "203.0.113.0/24", Account: "acme"}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// A login that is held: opening its link shows address, network and device and does nothing; the button lets it in once,
// within an hour of the login and not of the mail; "not me" goes on working afterwards.
func TestHeldLoginIsAdmittedOnceWithinAnHour(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late: %v", late), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &acts{}
				w := newWorldOn(t, openMemory, func(o *Options) { o.Act = a.act; o.Desk = nil })
				token := mailed(t, w, func() {
					w.fact("login.held", "2001", `{"source":"192.0.2.9","net":"192.0.2.0/24","country":"GB","network":"Example Broadband","asn":64501,"agent":"Desk <b>1"}`)
				})
				if token[Admit] == "" || token[NotMine] == "" || token[Mine] != "" || token[Off] != "" {
					t.Fatalf("links: %v", token)
				}
				v, err := w.n.Link(t.Context(), token[Admit])
				w.must(err)
				want := []Known{{"Line", "2001"}, {"Address", "192.0.2.9"}, {"Network", "192.0.2.0/24, United Kingdom, Example Broadband AS64501"}, {"Calls itself", "Desk <b>1"}}
				if !slices.Equal(v.Known, want) || v.Button != "Let this phone in" || len(a.done) != 0 {
					t.Errorf("opened: %+v; done: %v", v, a.done)
				}
				if late {
					pass(time.Hour)
					if v, err = w.n.Use(t.Context(), token[Admit], netip.Addr{}); !errors.Is(err, ErrExpired) || len(a.done) != 0 {
						t.Errorf("an hour later: %+v %v, done %v", v, err, a.done)
					}
				} else {
					v, err = w.n.Use(t.Context(), token[Admit], netip.Addr{})
					if w.must(err); !strings.Contains(v.Result, "let this phone in") || !strings.Contains(v.Result, "It may log in.") {
						t.Errorf("used: %+v", v)
					}
					if _, err = w.n.Use(t.Context(), token[Admit], netip.Addr{}); !errors.Is(err, ErrUsed) || len(a.done) != 1 {
						t.Errorf("again: %v, done %v", err, a.done)
					}
					if !strings.HasPrefix(a.done[0], "admit 2001 ") || !strings.Contains(a.done[0], `"address":"192.0.2.9"`) {
						t.Errorf("done: %v", a.done)
					}
				}
				if _, err = w.n.Use(t.Context(), token[NotMine], netip.Addr{}); err != nil || a.done[len(a.done)-1] != "not-mine 2001" {
					t.Errorf("not me, afterwards: %v, done %v", err, a.done)
				}
			})
		})
	}
}

func TestLinksExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &acts{}
		w := newWorld(t, func(o *Options) { o.Act = a.act; o.Desk = nil })
		defer w.db.Close()
		token := mailed(t, w, func() { w.device("2001") })
		pass(7 * 24 * time.Hour)
		v, err := w.n.Use(t.Context(), token[NotMine], somewhere)
		if !errors.Is(err, ErrExpired) || !v.Expired || v.Used || !strings.Contains(strings.Join(v.Text, " "), "020 7946 0999") {
			t.Errorf("%+v, %v", v, err)
		}
		if _, err := w.n.Use(t.Context(), token[Off], somewhere); err != nil {
			t.Errorf("off after a week: %v", err)
		}
		if len(a.done) != 1 {
			t.Errorf("done: %v", a.done)
		}
	})
}

// Guards: "not me" that failed must not look as if the line were locked.
func TestAFailedActSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &acts{err: errors.New("the store is unavailable: password=hunter2")}
		w := newWorld(t, func(o *Options) { o.Act = a.act; o.Desk = nil })
		defer w.db.Close()
		token := mailed(t, w, func() { w.finding(detect.HostingLogin, "2001", 1) })
		if token[Off] != "" {
			t.Error("a critical notice has a link to switch it off")
		}
		v, err := w.n.Use(t.Context(), token[NotMine], somewhere)
		if err != nil || !strings.Contains(v.Result, "could not be done") || !strings.Contains(v.Result, "020 7946 0999") || strings.Contains(v.Result, "hunter2") {
			t.Errorf("%+v, %v", v, err)
		}
		again, err := w.n.Link(t.Context(), token[Mine])
		if err != nil || again.Result != v.Result {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

// Guards: a crash between marking and acting does nothing twice, and does not claim that all was done.
func TestACrashWhileActingIsAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.Desk = nil })
		defer w.db.Close()
		token := mailed(t, w, func() { w.device("2001") })
		hash, _, err := w.n.open(token[NotMine])
		w.must(err)
		w.must(w.db.UseLink(t.Context(), hash, time.Now()))
		v, err := w.n.Use(t.Context(), token[NotMine], somewhere)
		if !errors.Is(err, ErrUsed) || !strings.Contains(v.Result, "not recorded") {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

// Guards: the page may be closed while the line is being locked.
func TestActingOutlivesTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld(t, func(o *Options) {
			o.Desk = nil
			o.Act = func(ctx context.Context, _ Answer) (string, error) {
				cancel()
				return "Locked.", ctx.Err()
			}
		})
		defer w.db.Close()
		token := mailed(t, w, func() { w.device("2001") })
		if v, err := w.n.Use(ctx, token[NotMine], somewhere); err != nil || !strings.Contains(v.Result, "Locked.") {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestLinksAreOfOnePersonAndOneNotice(t *testing.T) {
	w := newWorld(t, nil)
	at := time.Unix(1e9, 0)
	all := map[string]string{}
	for _, notice := range []string{"a", "b", "ab"} {
		for _, person := range []string{"customer/acme/x", "customer/acme/y", "bcustomer/acme/x"} {
			for _, action := range actions {
				for i, ends := range []time.Time{at, at.Add(time.Second)} {
					tok := w.n.token(notice, person, action, ends)
					if was := all[tok]; was != "" {
						t.Errorf("%s %s %s %d has the token of %s", notice, person, action, i, was)
					}
					all[tok] = fmt.Sprint(notice, person, action, i)
				}
			}
		}
	}
	other := newWorld(t, func(o *Options) { o.LinkKey = slices.Repeat([]byte{1}, 32) })
	for tok := range all {
		if _, _, err := w.n.open(tok); err != nil {
			t.Errorf("our own token %s: %v", tok, err)
		}
		if _, err := other.n.Link(t.Context(), tok); !errors.Is(err, ErrLink) {
			t.Errorf("a token of another key: %v", err)
		}
	}
}

// FuzzToken: nothing but what was made opens, and nothing panics. The action cannot be changed either.
func FuzzToken(f *testing.F) {
	n := &Notifier{}
	n.o.LinkKey = []byte("0123456789abcdef0123456789abcdef")
	good := n.token("notice", "customer/acme/x", Mine, time.Unix(1e9, 0))
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	raw[idSize] = 1
	for _, s := range []string{good, "", good[:43], good + "A", good + "=", good + ".", strings.ToLower(good), base64.RawURLEncoding.EncodeToString(raw), "%00", strings.Repeat("A", 44), "../../etc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, action, err := n.open(s)
		if (err == nil) != (strings.TrimRight(s, "=.") == good) || err == nil && action != Mine {
			t.Errorf("%q: %q, %v", s, action, err)
		}
	})
}

func TestWhoGetsLinks(t *testing.T) {
	w := newWorld(t, nil)
	w.contact(account.Contact{ID: "hook", Channel: account.Webhook, Address: "https://acme.example/hook"})
	w.finding(detect.HostingLogin, "2001", 1)
	w.finding(detect.UsageLevel, "", 1) // of the account: there is no line to lock
	w.finding(detect.Guessing, "2001", 1)
	w.follow()
	w.sendDue()
	for _, m := range w.messages() {
		links := strings.Count(m.Text+string(m.JSON), LinkPath)
		want := map[Kind]int{"hosting-login": 2, "usage-level": 1, "guessing": 1}[m.Kind]
		if strings.HasPrefix(m.To, "fraud@") {
			want = 0
		}
		if links != want {
			t.Errorf("%s to %s: %d links, want %d\n%s%s", m.Kind, m.To, links, want, m.Text, m.JSON)
		}
	}
}

// TestLinksDieWithTheirContact guards that who was a contact acts by an old mail because somebody else is a contact under the
// same name now, and that a line of an old name is locked by the old one's owner.
func TestLinksDieWithTheirContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ctx := &acts{}, t.Context()
		w := newWorld(t, func(o *Options) { o.Act = a.act; o.Desk = nil })
		contact, line := mailed(t, w, func() { w.device("2001") }), mailed(t, w, func() { w.device("2002") })
		w.suffix = "~00000001"
		w.must(w.book.DeleteLine(ctx, "test", "2002"))
		_, _, err := w.book.AddLine(ctx, "test", book.NewLine{ID: "2002", Customer: "acme", NoPassword: true})
		w.must(err)
		if v, err := w.n.Use(ctx, line[NotMine], somewhere); err != nil || len(a.done) != 1 || a.done[0] != "not-mine 2002" || v.Line != "2002" {
			t.Errorf("the old line's owner: %+v, %v; done %v", v, err, a.done)
		}
		w.must(w.book.DeleteContact(ctx, "test", "acme", "office"))
		w.contact(account.Contact{ID: "office", Name: "Eve", Channel: account.Mail, Address: "eve@acme.example"})
		for action, token := range contact {
			if _, err := w.n.Use(ctx, token, somewhere); !errors.Is(err, ErrGone) {
				t.Errorf("%s by who was contact office before: %v", action, err)
			}
		}
		if len(a.done) != 1 {
			t.Errorf("done: %v", a.done)
		}
		for _, x := range w.messages() {
			if strings.Contains(x.Text+x.Subject, account.Mark+"00000001") {
				t.Errorf("a mail shows an identity:\n%s", x.Text)
			}
		}
		token := mailed(t, w, func() { w.device("2002~00000001") })
		if got := w.messages(); len(token) != 3 || !strings.Contains(got[len(got)-1].Text, "2002") || strings.Contains(got[len(got)-1].Text, "~0000") {
			t.Errorf("the new contact gets %v:\n%s", token, got[len(got)-1].Text)
		}
	})
}
