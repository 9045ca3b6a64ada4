package status

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/flow/notify"
	"ringfence/state/store"
)

// Limits of subscriptions. A mail that asks to confirm goes to whom anybody names: few of them do.
const (
	confirmWithin  = 48 * time.Hour
	maxSubscribers = 100_000
	perHour        = 60 // mails to confirm, in all
	perAddress     = 5  // of one address that asks, an hour
	perMail        = 2  // to one mail address, an hour
	perRound       = 20 // mails about incidents between two samples
)

// limits counts what was asked within the hour. Its owner guards it.
type limits struct {
	since time.Time
	count map[string]int
	all   int
}

func (l *limits) take(now time.Time, keys map[string]int) bool {
	if now.Sub(l.since) >= time.Hour {
		*l = limits{since: now, count: map[string]int{}}
	}
	if l.all >= perHour {
		return false
	}
	for key, most := range keys {
		if l.count[key] >= most {
			return false
		}
	}
	for key := range keys {
		l.count[key]++
	}
	l.all++
	return true
}

// ErrTooMany is that enough has been asked within the hour.
var ErrTooMany = errors.New("too many were asked for within the hour")

// CanSubscribe says that mails can be sent.
func (s *Status) CanSubscribe() bool { return s.o.Mail != nil && s.o.URL != "" }

// Subscribe sends a mail that asks whether its reader wants to be sent incidents. It does not tell who has subscribed already.
func (s *Status) Subscribe(ctx context.Context, address string, from netip.Addr, now time.Time) error {
	a, err := mail.ParseAddress(strings.TrimSpace(address))
	if err != nil || a.Name != "" || len(a.Address) > 254 || !s.CanSubscribe() {
		return &Invalid{"mail", "a mail address, such as name@example.com"}
	}
	to := strings.ToLower(a.Address)
	bits := 32
	if from.Is6() && !from.Is4In6() {
		bits = 64
	}
	net, _ := from.Unmap().Prefix(bits)
	s.mu.Lock()
	ok := s.asked.take(now, map[string]int{"from " + net.String(): perAddress, "to " + to: perMail})
	s.mu.Unlock()
	if !ok {
		return ErrTooMany
	}
	all, err := s.o.Store.Subscribers(ctx)
	if err != nil {
		return err
	}
	if len(all) >= maxSubscribers {
		return ErrTooMany
	}
	token := s.token(to)
	err = s.o.Store.PutSubscriber(ctx, store.Subscriber{Hash: hashOf(token), Mail: to, Made: now.UTC().Truncate(time.Microsecond)})
	if errors.Is(err, store.ErrExists) {
		return nil // the reader gets them already
	}
	if err != nil {
		return err
	}
	return s.send(ctx, to, "Shall we send you our incidents?", now,
		"Somebody, probably you, asked us to send our incidents and planned work to this address. If you want that, open this page and press its button:",
		s.o.URL+"/status/mail/"+token, "If not, do nothing: you will hear no more of it.")
}

// token is what is in the links of mails to an address: always the same, so that every mail has the link that ends them, while the store
// has its hash alone.
func (s *Status) token(to string) string {
	mac := hmac.New(sha256.New, s.o.Key)
	mac.Write([]byte(to))
	return hex.EncodeToString(mac.Sum(nil)[:20])
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Subscriber is who has a token, and whether they have confirmed it.
func (s *Status) Subscriber(ctx context.Context, token string) (store.Subscriber, error) {
	all, err := s.o.Store.Subscribers(ctx)
	if err != nil {
		return store.Subscriber{}, err
	}
	n := slices.IndexFunc(all, func(x store.Subscriber) bool { return x.Hash == hashOf(token) })
	if n < 0 {
		return store.Subscriber{}, store.ErrNotFound
	}
	return all[n], nil
}

// Confirm begins to send.
func (s *Status) Confirm(ctx context.Context, token string, now time.Time) error {
	_, err := s.o.Store.ConfirmSubscriber(ctx, hashOf(token), now.UTC().Truncate(time.Microsecond))
	return err
}

// Leave ends it.
func (s *Status) Leave(ctx context.Context, token string) error {
	return s.o.Store.DropSubscriber(ctx, hashOf(token))
}

// tell sends subscribers what is new. That one was told is written before, so that nobody is told twice by two nodes.
func (s *Status) tell(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	all := s.all()
	s.mu.Unlock()
	newest := time.Time{}
	for _, i := range all {
		if i.ID != 0 && len(i.Updates) > 0 && i.Updates[len(i.Updates)-1].At.After(newest) {
			newest = i.Updates[len(i.Updates)-1].At
		}
	}
	if now.Sub(newest) > 24*time.Hour { // nothing happened lately: nobody needs to be looked at
		return nil
	}
	people, err := s.o.Store.Subscribers(ctx)
	if err != nil {
		return err
	}
	sent := 0
	var failed error
	for _, p := range people {
		if p.Confirmed.IsZero() || !p.Told.Before(newest) || sent >= perRound {
			continue
		}
		if err := s.o.Store.TellSubscriber(ctx, p.Hash, p.Told, newest); err != nil {
			continue // another node tells them
		}
		sent++
		if err := s.tellOne(ctx, &p, all, now); err != nil && !errors.Is(err, notify.ErrPermanent) {
			failed = errors.Join(err, s.o.Store.TellSubscriber(ctx, p.Hash, newest, p.Told)) // again with the next sample
		}
	}
	return failed
}

// tellOne sends the entries since one was last told, in one mail.
func (s *Status) tellOne(ctx context.Context, p *store.Subscriber, all []store.Incident, now time.Time) error {
	var text []string
	subject := ""
	for _, i := range all {
		for _, u := range i.Updates {
			if u.At.After(p.Told) && len(text) < 40 {
				subject = i.Title
				text = append(text, i.Title, u.At.In(s.o.Zone).Format("2 January, 15:04 MST")+": "+u.Text)
			}
		}
	}
	if subject == "" {
		return nil
	}
	return s.send(ctx, p.Mail, subject, now, append(text, s.o.URL+"/status", "To end these mails:", s.o.URL+"/status/mail/"+s.token(p.Mail))...)
}

func (s *Status) send(ctx context.Context, to, subject string, now time.Time, text ...string) error {
	var page strings.Builder
	for _, line := range text {
		line = html.EscapeString(line)
		if strings.HasPrefix(line, "http") {
			line = `<a href="` + line + `">` + line + `</a>`
		}
		fmt.Fprintf(&page, "<p>%s</p>\n", line)
	}
	return s.o.Mail(ctx, notify.Message{
		ID: rand.Text() + "@status", Channel: account.Mail, To: to, Subject: s.o.Provider + ": " + subject, Text: strings.Join(text, "\n\n") + "\n",
		HTML: `<!doctype html><html lang="en"><body style="font:16px/1.5 sans-serif">` + page.String() + "</body></html>", At: now,
		Off: s.o.URL + "/status/mail/" + s.token(to),
	})
}
