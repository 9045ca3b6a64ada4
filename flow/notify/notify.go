// Package notify turns findings and facts into notices: who is told what, over which channel, once each, also across a
// crash. It follows the journal with its own cursor, keeps an outbox in the store, renders text and HTML, and hands ready
// messages to the edges that send them. It must not know SMTP, HTTP or SQL.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/check"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Stage is the name of this stage's cursor.
const Stage = "notify"

// Kind of notice. Codes are what preferences, templates and the CLI use.
type Kind string

// Message is a rendered notice for one person over one channel, ready to be sent.
type Message struct {
	ID      string // Message-ID without brackets; the same at every try
	Channel string // code of an account.Channel
	To      string // mail address, or URL
	Name    string // of the person, cleaned; may be ""
	Subject string
	Text    string // mail: plain text part
	HTML    string // mail: HTML part
	Off     string // URL that switches this kind off for this person (List-Unsubscribe, RFC 8058: POST to it); "" is none
	JSON    []byte // webhook: the body
	// Checkpoint names the newest checkpoint of the journal (docs/evidence.md), so that who gets the message can tell later whether the past was changed.
	Checkpoint string
	Files      []File // of mails
	Kind       Kind
	At         time.Time
}

// ErrPermanent says that a message was refused for good: it bounces and is not tried again. Other errors are tried again.
var ErrPermanent = errors.New("refused for good")

// Send hands a message to the outside world; it returns when the other side has taken it, refused it, or ctx ends.
type Send func(ctx context.Context, m Message) error

// Help is how people reach the provider, shown in every notice (S13).
type Help struct {
	Provider string // name
	Mail     string
	Phone    string
	Text     string // number for text messages
	Hours    string // "Mon–Fri 9–17, at other times leave a message"
	Page     string // URL

	Departments []Department
	Holidays    []string // days on which none is open, in the provider's zone: "2026-12-25"
}

// Options of New.
type Options struct {
	Store interface {
		store.Stages
		Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
		Clock(ctx context.Context) (time.Time, error)
	}
	Book      *book.Book
	Mail      func(customer, login string) string                                  // mail address of somebody who may sign in; "" is none. Nil: nobody has one
	Owner     func(customer string) (login, mail string)                           // who gets bills where no contact is there for them; nil: nobody
	BillFile  func(ctx context.Context, customer string, bill int64) (File, error) // what mails about a bill have attached; nil: nothing
	Channels  map[string]Send                                                      // by code of an account.Channel; what is not here is kept and shown ("kept")
	Server    string                                                               // that the channel for mail hands mails to, as people know it
	Desk      []string                                                             // mail addresses of the fraud desk
	Hooks     []string                                                             // URLs of the provider's own webhooks, which get every kind
	Help      Help
	LinksURL  string        // "https://calls.example.net": base of answer links; "": notices have none and say what to do instead
	LinkKey   []byte        // 32 bytes: signs the tokens of links
	LinkLife  time.Duration // 0 is 7 days
	Templates string        // folder of the operator's own templates; "" is none. A broken one is an error of New
	From      string        // for Message-IDs: the domain
	Every     time.Duration // 0 is 500 ms
	MaxTries  int           // 0 is 12: with the back-off a day and a half
	// Storm is how many mails about what anyone can cause (guessing, siege, spray, stale-phone, old-password, flood, and
	// new-device) one person gets within an hour before further ones wait for a digest; 0 is 10. The rest, above all logins that
	// look stolen and usage, is counted separately and has three times this limit. Webhooks have no such limit.
	Storm    int
	DigestAt time.Duration  // how often digests go; 0 is 1 hour
	Zone     *time.Location // of notices about no customer; nil is UTC
	// Act does what an answer asks for, and says what was done, in a sentence or several for the person. Nil: links only
	// record the answer.
	Act func(ctx context.Context, a Answer) (done string, err error)
	// Checkpoint is the mark of the newest checkpoint of the journal; nil or "": notices name none.
	Checkpoint func() string
	Log        *slog.Logger
}

// Answer is what a person answered with a link, to which notice.
type Answer struct {
	Action string // Mine, NotMine, Off or Admit
	Person string // "customer/ID/contact"
	Line   string
	About
}

// Errors of links, for people.
var (
	ErrLink    = errors.New("this link is not one of ours, or was cut off on the way")
	ErrUsed    = errors.New("this link was used already")
	ErrExpired = errors.New("this link has expired")
	// ErrGone is an ErrExpired: the person is no contact any more, or not of that line.
	ErrGone = fmt.Errorf("%w: it is no longer this person's to use", ErrExpired)
)

// LinkView is what opening a link shows before anything is done: opening changes nothing, since mail scanners open links.
type LinkView struct {
	Kind    Kind
	Action  string // "mine", "not-mine", "off", "admit"
	Title   string
	Text    []string // paragraphs: what happened, and what pressing the button will do
	Known   []Known  // what is known of the login that it is about
	Button  string
	Line    string
	Used    bool
	Result  string // what it did, when Used
	Expired bool
	Gone    bool // Expired too: the person is no contact (of that line) any more; Title and Text say so
}

// Known is a line of what is known: "Address", "192.0.2.7".
type Known struct{ Label, Value string }

// LinkPath is what stands between LinksURL and the token of a link.
const LinkPath = "/answer/"

// ErrNotFound says that there is no such notice, or that it has no such person.
var ErrNotFound = store.ErrNotFound

// ErrOptions says what New was given wrongly.
var ErrOptions = errors.New("notify options")

// Notifier is the stage. Make it with New; safe for concurrent use.
type Notifier struct {
	o        Options
	log      *slog.Logger
	words    *templates // the operator's where there are any
	builtin  *templates // used where the operator's fail on data that no sample had
	storm    storm
	stats    stats
	follower *follower
	made     chan struct{} // holds a token when there may be something to send
	ahead    atomic.Int64  // how far the store's clock is ahead of this node's, in nanoseconds, as the outbox last read it
}

// New checks the options, reads the operator's templates and renders every kind with them once, with sample data. It
// changes nothing.
func New(o Options) (*Notifier, error) {
	o.defaults()
	if o.Store == nil || o.Book == nil {
		return nil, fmt.Errorf("%w: a store and a book are needed", ErrOptions)
	}
	if o.LinksURL != "" {
		u, err := url.Parse(o.LinksURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || len(o.LinksURL) > 300 {
			return nil, fmt.Errorf("%w: base of links %.80q: want one such as https://calls.example.net", ErrOptions, o.LinksURL)
		}
		if len(o.LinkKey) < 32 {
			return nil, fmt.Errorf("%w: a link key of %d bytes; want at least 32", ErrOptions, len(o.LinkKey))
		}
	}
	n := &Notifier{o: o, log: o.Log, made: make(chan struct{}, 1), stats: stats{n: map[made]uint64{}}, storm: storm{mails: map[purse][]time.Time{}}}
	n.follower = newFollower(n)
	var err error
	if n.builtin, err = builtins(); err != nil {
		return nil, err
	}
	if n.words = n.builtin; o.Templates == "" {
		return n, nil
	}
	if n.words, err = loadTemplates(o.Templates); err != nil {
		return nil, err
	}
	return n, n.tryTemplates()
}

// Check finds whether notices can be sent, and to the fraud desk too.
func (n *Notifier) Check() check.Findings {
	var out check.Findings
	if n.o.Channels[account.Mail] == nil {
		out.Warn("mail", "there is no mail server: mails are kept, not sent (ringfence notice list shows them); set mail.server")
	} else {
		out.OK("mail", "mails go to %s; test it with: ringfence notice test ADDRESS", n.o.Server)
	}
	if len(n.o.Desk) == 0 {
		out.Warn("notices", "the fraud desk has no address for notices: set notify.desk")
	}
	if n.o.LinksURL == "" {
		out.Warn("notices", "notices carry no answer links: set web.listen and web.url")
	}
	return out
}

func (o *Options) defaults() {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	for _, d := range []struct {
		d  *time.Duration
		to time.Duration
	}{{&o.LinkLife, 7 * 24 * time.Hour}, {&o.Every, 500 * time.Millisecond}, {&o.DigestAt, time.Hour}} {
		if *d.d <= 0 {
			*d.d = d.to
		}
	}
	o.MaxTries = cmp.Or(max(o.MaxTries, 0), 12)
	o.Storm = cmp.Or(max(o.Storm, 0), 10)
	o.Zone = cmp.Or(o.Zone, time.UTC)
	o.LinksURL = strings.TrimSuffix(o.LinksURL, "/")
	o.From = host(o.From)
}

// host is the domain of Message-IDs: what may stand in one, or a reserved name.
func host(from string) string {
	_, from, _ = strings.Cut("@"+from, "@")
	odd := func(r rune) bool { return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }
	from = strings.ToLower(from[strings.LastIndexByte(from, '@')+1:])
	if from == "" || len(from) > 200 || strings.ContainsFunc(from, odd) {
		return "ringfence.invalid"
	}
	return from
}

// Run follows the journal, sends what is due and bundles digests, until ctx ends. It returns when the messages in hand
// have been sent, refused or given back, at most StopsWithin after ctx has ended.
func (n *Notifier) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { n.follower.Run(ctx) })
	all.Go(func() { n.send(ctx) })
	all.Go(func() { n.bundle(ctx) })
	all.Wait()
}

// Lag is how far the journal is ahead, while it is caught up with.
func (n *Notifier) Lag() time.Duration { return n.follower.Lag() }

// StopsWithin bounds how long Run takes to return.
const StopsWithin = lastWords + settleIn

// now is the instant by the store's clock: when to send and how long a claim or a link lasts is compared by every node.
func (n *Notifier) now() time.Time { return time.Now().Add(time.Duration(n.ahead.Load())) }

// wake tells the outbox that there may be something to send.
func (n *Notifier) wake() {
	select {
	case n.made <- struct{}{}:
	default:
	}
}
