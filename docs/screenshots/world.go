package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/phone"
	"ringfence/core/secret"
	"ringfence/edge/web"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/notify"
	"ringfence/flow/status"
	"ringfence/state/store"
)

// scene is something to look at.
type scene struct {
	name   string // of its files
	url    string
	dark   bool   // also in dark colours
	press  bool   // it is what comes of pressing the button there
	folder string // of its pictures; "" is mail
	says   string // what its heading must have, where the page may turn out to be another one
}

func (s *scene) modes() []bool {
	if s.dark {
		return []bool{false, true}
	}
	return []bool{false}
}

func (s *scene) file(width string, dark bool) string {
	if dark {
		return s.name + "-" + width + "-dark.png"
	}
	return s.name + "-" + width + ".png"
}

// world is a provider in memory with a notifier and its answer pages, on loopback.
type world struct {
	mails  []notify.Message // samples, by kind
	hook   notify.Message   // a sample of a webhook
	scenes []scene

	base    string
	srv     *http.Server
	db      *booktest.Store
	got     chan notify.Message // what is sent
	n       *notify.Notifier
	stop    context.CancelFunc
	status  *status.Status
	failing atomic.Bool // calls abroad
	late    *world      // whose links have expired when they arrive
	leave   []func()    // close what customers, resellers and staff see
}

var help = notify.Help{
	Provider: "Example Telecom", Mail: "help@example.net", Phone: "+44 161 496 0123", Text: "+44 7700 900999",
	Hours: "Mon–Fri 9–17, at other times leave a message", Page: "https://example.net/help",
}

func newWorld(ctx context.Context) (*world, error) {
	w, err := newProvider(ctx, 0)
	if err != nil {
		return nil, err
	}
	if w.late, err = newProvider(ctx, time.Nanosecond); err != nil {
		return nil, err
	}
	if err := w.fail(ctx); err != nil {
		return nil, err
	}
	if err := w.setScenes(ctx); err != nil {
		return nil, err
	}
	sets := []func(context.Context) ([]scene, func(), error){
		control, resold, func(ctx context.Context) ([]scene, func(), error) { return staff(ctx, w) },
		func(ctx context.Context) ([]scene, func(), error) { return affairs(ctx, w) },
	}
	for _, set := range sets {
		scenes, leave, err := set(ctx)
		if err != nil {
			return w, err
		}
		w.scenes, w.leave = append(w.scenes, scenes...), append(w.leave, leave)
	}
	return w, nil
}

// newProvider makes one whose links work for so long; 0 is what the product does by itself.
func newProvider(ctx context.Context, life time.Duration) (*world, error) {
	ctx, stop := context.WithCancel(ctx)
	w := &world{db: &booktest.Store{}, got: make(chan notify.Message, 10), stop: stop}
	b, err := newBook(ctx, w.db)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.base = "http://" + l.Addr().String()
	w.n, err = notify.New(notify.Options{
		Store: w.db, Book: b, Help: help, LinksURL: w.base, LinkKey: make([]byte, 32), From: "example.net", Every: 10 * time.Millisecond, LinkLife: life,
		Channels: map[string]notify.Send{account.Mail: w.take},
		Act: func(_ context.Context, x notify.Answer) (string, error) {
			if x.Action == notify.NotMine {
				return "Line 2001 is locked: it can make no calls except to emergency numbers. The one call in progress was ended. Its password no longer works, and all its phones were logged out: they get no incoming calls either. The address 203.0.113.9 is blocked for a day. Next: ask for a new password for the line, put it into your own phones, and ask for the line to be unlocked.", nil
			}
			return "The phone at 203.0.113.9 may log in until 15:05: let it try once more. For a day from then it can take calls, and call ordinary national numbers for £2.00 in all, two calls at a time. Nothing else was changed.", nil
		},
	})
	if err != nil {
		return nil, err
	}
	if w.mails, err = w.n.Samples(); err != nil {
		return nil, err
	}
	if w.hook, err = w.n.Preview(notify.HostingLogin, account.Webhook); err != nil {
		return nil, err
	}
	if err := w.serve(l); err != nil {
		return nil, err
	}
	go w.status.Run(ctx)
	go w.n.Run(ctx)
	return w, w.began(ctx)
}

func (w *world) take(_ context.Context, m notify.Message) error { w.got <- m; return nil }

func newBook(ctx context.Context, db store.Store) (*book.Book, error) {
	key, err := secret.NewKey()
	if err != nil {
		return nil, err
	}
	box, err := secret.NewBox([]secret.Key{key})
	if err != nil {
		return nil, err
	}
	b, err := book.Open(ctx, db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Box: box, Realm: "example.net", Identify: booktest.Plain})
	if err != nil {
		return nil, err
	}
	name, front := "Acme Ltd", "Front desk"
	if _, err := b.AddCustomer(ctx, "docs", "acme", book.CustomerEdit{Name: &name}); err != nil {
		return nil, err
	}
	if err := b.PutContact(ctx, "docs", "acme", account.Contact{ID: "office", Name: "Ana Baker", Channel: account.Mail, Address: "ana@example.com"}); err != nil {
		return nil, err
	}
	number := "020 7946 0000"
	_, _, err = b.AddLine(ctx, "docs", book.NewLine{ID: "2001", Customer: "acme", Edit: book.LineEdit{Name: &front, Number: &number}})
	return b, err
}

// serve shows the samples under /mail/ and the answer pages where their links point.
func (w *world) serve(l net.Listener) error {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		return err
	}
	deps := web.Deps{Genuine: w.n.Genuine, Link: w.n.Link, Use: w.n.Use, Help: help, Zone: london, Security: func() web.Protections {
		return web.Protections{Watched: true, Lockout: true, Mail: true, Pages: true, PanicCode: "*5625*"}
	}}
	if deps.Status, err = w.public(london); err != nil {
		return err
	}
	pages, err := web.New(deps, web.Options{URL: w.base, StatusCopy: "https://status.example.org"})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", pages.Handler())
	for _, m := range w.mails {
		mux.HandleFunc("GET /mail/"+string(m.Kind), func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = rw.Write([]byte(m.HTML)) // the browser may have gone
		})
	}
	w.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = w.srv.Serve(l) }() // ends with close
	return nil
}

func (w *world) close() {
	w.stop()
	_ = w.srv.Close() // the program ends
	if w.late != nil {
		w.late.close()
	}
	for _, leave := range w.leave {
		leave()
	}
}

// setScenes lists the mails, and makes real links for the pages: a finding is written to the journal, and the mail that
// comes of it has them.
func (w *world) setScenes(ctx context.Context) error {
	// The pages answer one address so many times in a minute: these come before all others, and the other provider's have been asked less often.
	w.scenes = append(w.scenes,
		scene{name: "status", folder: "pages", url: w.base + "/status", dark: true, says: "Some calls abroad fail. Everything else works."},
		scene{name: "status-incident", folder: "pages", url: w.base + "/status/incidents/3", dark: true, says: "Some calls abroad fail"},
		scene{name: "status-incidents", folder: "pages", url: w.base + "/status/incidents", dark: true},
		scene{name: "status-mail", folder: "pages", url: w.base + "/status/mail", dark: true})
	for _, m := range w.mails {
		dark := m.Kind == notify.NewDevice || m.Kind == notify.HostingLogin || m.Kind == notify.LoginHeld
		w.scenes = append(w.scenes, scene{name: string(m.Kind), url: w.base + "/mail/" + string(m.Kind), dark: dark})
	}
	fresh, err := w.links(ctx, notify.HostingLogin)
	if err != nil {
		return err
	}
	used, err := w.links(ctx, notify.TwoPlaces)
	if err != nil {
		return err
	}
	old, err := w.late.links(ctx, notify.Travel)
	if err != nil {
		return err
	}
	held, err := w.mailOf(ctx, fact.KindLoginHeld, `{"source":"203.0.113.9","net":"203.0.113.0/24","country":"GB","network":"Example Broadband","asn":64501,"agent":"Yealink SIP-T46S 66.86.0.15"}`)
	if err != nil {
		return err
	}
	w.scenes = append(w.scenes,
		scene{name: "answer-admit", url: held[notify.Admit], dark: true, says: "Is this your phone?"},
		scene{name: "answer-admitted", url: held[notify.Admit], press: true, says: "Thank you"},
		scene{name: "answer-mine", url: fresh[notify.Mine], says: "Was this you?"},
		scene{name: "answer-not-mine", url: fresh[notify.NotMine], dark: true, says: "This was not you?"},
		scene{name: "answer-off", url: used[notify.Off], says: "Switch this notice off?"},
		scene{name: "answer-done", url: used[notify.NotMine], dark: true, press: true, says: "Thank you"},
		scene{name: "answer-used", url: used[notify.NotMine], says: "answered already"},
		scene{name: "answer-expired", url: old[notify.Mine], says: "has expired"},
		scene{name: "answer-unknown", url: w.base + notify.LinkPath + "cut-off", says: "not complete"},
		scene{name: "status-fine", folder: "pages", url: w.late.base + "/status", dark: true, says: "Everything works"},
		scene{name: "security", folder: "pages", url: w.late.base + "/security", dark: true, says: "what each does not do"},
		scene{name: "missing", folder: "pages", url: w.late.base + "/nothing-here", dark: true, says: "no such page"})
	for _, s := range w.scenes {
		if !strings.HasPrefix(s.url, "http://127.0.0.1:") {
			return fmt.Errorf("the mail that was sent has no link for %s", s.name)
		}
	}
	return nil
}

// began waits until the notifier has taken what was in the journal as history.
func (w *world) began(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, f := range w.db.AllFacts() {
			if f.Kind == fact.KindNotifyBegan {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

var hrefs = regexp.MustCompile(`(?s)href="(http://127[^"]*)"[^>]*>(.*?)</a>`)

// links are those of a mail about a finding of a kind, by action.
func (w *world) links(ctx context.Context, kind notify.Kind) (map[string]string, error) {
	body := fmt.Sprintf(`{"key":"%s/line/2001/docs","kind":"%s","severity":"warning","source":"203.0.113.9","text":"Line 2001 was used from 203.0.113.9.","evidence":{"address":"203.0.113.9"}}`, kind, kind)
	return w.mailOf(ctx, fact.KindFindingRaised, body)
}

// mailOf is the links of the mail that comes of a fact.
func (w *world) mailOf(ctx context.Context, kind, body string) (map[string]string, error) {
	fact := store.Fact{At: time.Now(), Kind: kind, Line: "2001", Account: "acme", Body: []byte(body)}
	if _, err := w.db.Advance(ctx, store.Step{Stage: "docs", Facts: []store.Fact{fact}}); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(20 * time.Second):
		return nil, errors.New("no mail came of a fact")
	case m := <-w.got:
		out := map[string]string{notify.Off: m.Off}
		for _, a := range hrefs.FindAllStringSubmatch(m.HTML, -1) {
			switch url := html.UnescapeString(a[1]); {
			case strings.Contains(a[2], "lock"):
				out[notify.NotMine] = url
			case strings.Contains(a[2], "Look at"):
				out[notify.Admit] = url
			case strings.Contains(a[2], "That was me"):
				out[notify.Mine] = url
			}
		}
		return out, nil
	}
}
