// Package notify turns findings and facts into notices: who is told what, over which channel, once each, also across a
// crash. It follows the journal with its own cursor, keeps an outbox in the store, renders text and HTML, and hands ready
// messages to the edges that send them. It must not know SMTP, HTTP or SQL.
package notify

import (
	"context"
	"errors"
	"time"

	"ringfence/core/account"
	"ringfence/flow/book"
	"ringfence/state/store"

	"log/slog"
)

// Stage is the name of this stage's cursor.
const Stage = "notify"

// Kind of notice. Codes are what preferences, templates and the CLI use.
type Kind string

// Message is a rendered notice for one person over one channel, ready to be sent.
type Message struct {
	ID      string // Message-ID without brackets; the same at every try
	Channel string // "mail", "webhook"
	To      string // mail address, or URL
	Name    string // of the person, cleaned; may be ""
	Subject string
	Text    string // mail: plain text part
	HTML    string // mail: HTML part
	Off     string // URL that switches this kind off for this person (List-Unsubscribe, RFC 8058: POST to it); "" is none
	JSON    []byte // webhook: the body
	Kind    Kind
	At      time.Time
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
}

// Options of New.
type Options struct {
	Store interface {
		store.Stages
		Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
	}
	Book      *book.Book
	Channels  map[string]Send // what is not here is kept and shown ("kept")
	Desk      []string        // mail addresses of the fraud desk
	Hooks     []Hook          // the provider's own webhooks
	Help      Help
	LinksURL  string        // "https://calls.example.net": base of answer links; "": notices have none and say what to do instead
	LinkKey   []byte        // 32 bytes: signs the tokens of links
	LinkLife  time.Duration // 0 is 7 days
	Templates string        // folder of the operator's own templates; "" is none. A broken one is an error of New
	From      string        // for Message-IDs: the domain
	Every     time.Duration // 0 is 500 ms
	MaxTries  int           // 0 is 12: with the back-off some two days
	Storm     int           // notices to one person within an hour before further ones wait for a digest; 0 is 10
	DigestAt  time.Duration // how often digests go; 0 is 1 hour
	// Act does what an answer asks for. Nil: links only record the answer.
	Act Acts
	Log *slog.Logger
}

// Hook is a webhook of the provider: URL and the kinds it wants (empty is all).
type Hook struct {
	URL   string
	Kinds []Kind
}

// Acts are what the answers do. Each returns what was done, in a sentence or several for the person.
type Acts struct {
	Mine    func(ctx context.Context, line string, data []byte) (done string, err error)
	NotMine func(ctx context.Context, line string, data []byte) (done string, err error)
	Off     func(ctx context.Context, person string, kind Kind) (done string, err error)
}

// Errors of links, for people.
var (
	ErrLink    = errors.New("this link is not one of ours, or was cut off on the way")
	ErrUsed    = errors.New("this link was used already")
	ErrExpired = errors.New("this link has expired")
)

// LinkView is what opening a link shows before anything is done: opening changes nothing, since mail scanners open links.
type LinkView struct {
	Kind    Kind
	Action  string // "mine", "not-mine", "off"
	Title   string
	Text    []string // paragraphs: what happened, and what pressing the button will do
	Button  string
	Line    string
	Used    bool
	Result  string // what it did, when Used
	Expired bool
}

// contactOf is who a delivery's person is.
type contactOf struct {
	customer string
	account.Contact
}
