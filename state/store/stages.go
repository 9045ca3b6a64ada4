package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ringfence/core/money"
)

// ErrMoved says that a stage's cursor was not where the step began: another node, or an earlier try, took the step.
var ErrMoved = errors.New("the cursor has moved")

// Stages is what the stages that follow the journal keep: findings, usage, memories, devices, bans, notices and how far each has
// come. Engines: sqlite and postgres, as part of Store.
type Stages interface {
	// Cursor is how far a stage has come: the Seq of the last fact it took; 0 at first.
	Cursor(ctx context.Context, stage string) (int64, error)

	// Advance takes one step, all of it or nothing, in one transaction. It is how a stage does each fact exactly once.
	// A Step whose From is not the stage's cursor is ErrMoved. From == To moves nothing and is always allowed: it is for what
	// time causes and not a fact. Findings and notices that are there already (by Key) are not written again; a
	// finding that was closed stays closed and counts on. The facts come in this order: RaiseFact of each new finding,
	// then Facts. A step that can never be taken (see Step.Check) is ErrInvalid, a link that is there already ErrExists.
	Advance(ctx context.Context, s Step) (Stepped, error)

	Findings(ctx context.Context, f FindingFilter) ([]Finding, error) // newest first
	Finding(ctx context.Context, id int64) (Finding, error)
	// NoteFinding adds a note to a finding, open or closed; ErrInUse when it has as many as it may, ErrNotFound when there is none.
	NoteFinding(ctx context.Context, id int64, note Note, facts ...Fact) error
	// CloseFinding closes an open finding; ErrInUse when it was closed before, ErrNotFound when there is none.
	CloseFinding(ctx context.Context, id int64, at time.Time, actor string, facts ...Fact) error

	// Usage is the un-billed usage of every subject: "line/ID" and "account/ID".
	Usage(ctx context.Context, yield func(Usage) error) error

	// Memory is what a stage remembers of a subject; nil is nothing.
	Memory(ctx context.Context, stage, subject string) ([]byte, error)
	// Memories is what a stage remembers of the subjects that begin with a text, by subject.
	Memories(ctx context.Context, stage, under string, yield func(Memory) error) error

	Devices(ctx context.Context, yield func(Device) error) error
	// SaveDevices first drops, then puts; keyed by Line, Place and Family. An empty Verdict leaves the one that is there,
	// so that a node that writes behind does not undo an answer it has not heard of. DeleteLine drops those of the line.
	SaveDevices(ctx context.Context, put []Device, drop []Device, facts ...Fact) error

	Bans(ctx context.Context, yield func(Ban) error) error
	SaveBans(ctx context.Context, put []Ban, drop []netip.Prefix, facts ...Fact) error // first drops, then puts; keyed by Net, masked
	ClearBans(ctx context.Context, before time.Time) (int64, error)                    // those that ended before an instant

	Notices(ctx context.Context, f NoticeFilter) ([]Notice, error) // newest first, with their deliveries
	Notice(ctx context.Context, id int64) (Notice, error)

	// ClaimDeliveries takes deliveries that are due at now, which is to be of the store's clock (Money.Clock), like Next (State queued or sending with Next ≤ now), at most limit, oldest first: each is
	// set to sending with Tries+1 and Next = until by one conditional write, so that two nodes never hold the same one,
	// and one that a dead node held comes back. They come with their notice.
	ClaimDeliveries(ctx context.Context, now, until time.Time, limit int) ([]DueDelivery, error)
	// SettleDelivery records the result of a try: State, Next, Error, Sent, Point, by notice, person and channel. d is what
	// ClaimDeliveries gave, changed: if it is not sending under that Claim any more (its time ran out and another node took
	// it, it was settled, or queued again) this is ErrMoved, and nothing is written. To Bundled it goes from Digest only, to
	// Off from Digest too. Settled as sending with a later Next, a claim is renewed.
	SettleDelivery(ctx context.Context, d Delivery, facts ...Fact) error
	// Requeue sets a delivery to queued from any state (resend), with Tries 0, Next now, and Address if d has one. A node that
	// is just sending it can then no longer settle it.
	Requeue(ctx context.Context, d Delivery, now time.Time, facts ...Fact) error

	Link(ctx context.Context, hash string) (Link, error)
	// UseLink marks a link used, if it is not and has not expired; else ErrInUse, and ErrNotFound when there is none. One
	// conditional write. A link without Expires does not expire. now is to be of the store's clock.
	UseLink(ctx context.Context, hash string, now time.Time, facts ...Fact) error
	// LinkResult records what using a link did, in words, for a person who opens it again.
	LinkResult(ctx context.Context, hash, result string) error
}

// Step is what a stage writes for the facts after From up to and with To.
type Step struct {
	Stage    string
	From, To int64
	Findings []Finding
	Usage    []UsageChange
	Memory   []Memory
	Notices  []Notice // with their Deliveries and Links
	// Bundled are deliveries, as Notices gave them, that go out in a digest among Notices: from Digest to Bundled, with
	// their Sent. If one of them is not waiting any more the step is ErrMoved: another node has bundled it.
	Bundled []Delivery
	Tallies []Tally // added to what is there
	// Facts are appended even if nothing else is new; a finding that is new also appends its own RaiseFact, if it has a Kind.
	Facts []Fact
}

// Check is ErrInvalid with what is wrong with a step by itself, whatever the state of the store.
func (s *Step) Check() error {
	why := ""
	switch {
	case Clean(s.Stage) == "":
		why = "no stage"
	case s.From < 0 || s.To < s.From:
		why = "a step backwards"
	}
	for i := range s.Findings {
		if f := &s.Findings[i]; Clean(f.Key) == "" || len(f.Evidence) > maxBlob {
			why = "a finding without a key, or with too much evidence"
		}
	}
	for i := range s.Memory {
		if m := &s.Memory[i]; Clean(m.Subject) == "" || len(m.Body) > maxBlob {
			why = "a memory of nothing, or too much of one"
		}
	}
	for i := range s.Notices {
		if n := &s.Notices[i]; Clean(n.Key) == "" || len(n.Data) > maxBlob {
			why = "a notice without a key, or with too much data"
		}
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%s: %w", why, ErrInvalid)
}

// Stepped says what a step did, in the order of the step.
type Stepped struct {
	Findings []Raised
	Notices  []Raised
	Usage    []money.Micro // un-billed usage after each change
	Repeated int           // facts whose key was there: they were not written again
}

// Raised is the result of raising a finding or notice.
type Raised struct {
	ID  int64
	New bool // false: the key was there; a finding's Last, Count and Evidence were brought up to date
}

// Finding is something that watch noticed. Evidence is a JSON object. Repeats with the same Key are one finding: "kind/line/…/day".
type Finding struct {
	ID        int64
	Key       string
	Kind      string // detect.Kind code
	Severity  string // detect.Severity: "info", "warning", "critical"
	Line      string
	Account   string
	Source    string // address or network, "" is none
	Text      string // one plain sentence
	At, Last  time.Time
	Count     int64 // how often it was raised; a new one has at least 1
	Evidence  []byte
	ClosedAt  time.Time // zero is open
	ClosedBy  string
	Notes     []Note // what staff have written to it, the oldest first; NoteFinding adds them
	RaiseFact Fact   // appended in the same transaction if the finding is new. It does not have the finding's ID, but its Key
}

// Note is what a member of staff has written to a finding.
type Note struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Text string    `json:"text"`
}

// MaxNotes is how long the notes of a finding may be, in bytes with 100 for each beside its text.
const MaxNotes = 64 << 10

// FindingFilter selects findings; zero fields do not restrict. Before is the ID to continue below; Limit 0 is 100.
type FindingFilter struct {
	Line, Account, Kind string
	Open                bool
	Before              int64
	Limit               int
}

// Usage is what a subject has used since it was last billed, settled calls only, and the amount (µ-units) up to which
// multiples of its warning level were told.
type Usage struct {
	Subject  string // "line/ID", "account/ID"
	Unbilled money.Micro
	Told     int64
}

// UsageChange adds to a subject's usage; Told > 0 raises what was told, never lowers it.
type UsageChange struct {
	Subject string
	Add     money.Micro
	Told    int64
}

// Memory is what a stage remembers of a subject, in its own encoding. An empty Body forgets it.
type Memory struct {
	Subject string
	Body    []byte
}

// Device is a phone as a line's login was used: one place (network) and one family of User-Agents. The address and text
// are the latest.
type Device struct {
	Line, Place, Family string
	Address             string
	Agent               string
	Country             string
	ASN                 int64
	Network             string // name of the network's holder
	First, Last         time.Time
	Count               int64  // days on which it was seen
	Verdict             string // "", "mine", "not-mine": what the owner answered
}

// Ban is a network that is blocked until an instant.
type Ban struct {
	Net   netip.Prefix
	Until time.Time // zero: it has no end
	Made  time.Time
	By    string // "auto", "feed:NAME", or a person
	Why   string
}

// Notice is a message to people or programs: its kind, its subject, and the data for its template. Repeats with the same Key are one notice.
type Notice struct {
	ID         int64
	Key        string
	Kind       string // notify's kind: "new-device", "usage-level" …
	Line       string
	Account    string
	At         time.Time
	Data       []byte     // JSON object; no secrets
	Deliveries []Delivery // by Person and Channel; of two for one person and channel the first counts
	Links      []Link     // of its deliveries, only when written
}

// NoticeFilter selects notices; zero fields do not restrict.
type NoticeFilter struct {
	Line, Account, Kind string
	State               string // of any of its deliveries
	To                  string // whom any of its deliveries is to: all people of "customer/ID"
	Before              int64
	Limit               int
}

// DeliveryState is the state of a delivery.
type DeliveryState string

// States of a delivery.
const (
	Queued  DeliveryState = "queued"  // to be sent at Next
	Sending DeliveryState = "sending" // a node holds it until Next
	Sent    DeliveryState = "sent"
	Kept    DeliveryState = "kept"    // it cannot be sent, and is only shown
	Digest  DeliveryState = "digest"  // waits to go out with others
	Bundled DeliveryState = "bundled" // went out in a digest
	Bounced DeliveryState = "bounced" // permanently refused by the other side
	Failed  DeliveryState = "failed"  // abandoned after the last try
	Off     DeliveryState = "off"     // the person does not want this kind; recorded so that it can be explained
)

// Delivery is one notice to one person over one channel. Notice, Person and Channel are its key.
type Delivery struct {
	Notice  int64
	Person  string // contact: "customer/ID/contact-id", "desk/address"
	Channel string // "mail", "webhook"
	Address string // mail address or URL
	State   DeliveryState
	Tries   int64
	Claim   int64 // counts the claims: set by the store, compared by SettleDelivery
	Next    time.Time
	Sent    time.Time
	Error   string // of the last try
	Ref     string // Message-ID, fixed when the delivery is made
	Point   int64  // number of the checkpoint of the journal that the last try named; 0 is none
}

// DueDelivery is a delivery to be tried, with its notice (without the notice's other deliveries).
type DueDelivery struct {
	Delivery
	Of Notice
}

// Link is what a person can answer a notice with, once. Only the hash of its token is kept.
type Link struct {
	Hash    string // hex SHA-256 of the token
	Notice  int64  // set by Advance
	Person  string
	Action  string // "mine", "not-mine", "off"
	Line    string
	Data    []byte // JSON: what the action is about
	Expires time.Time
	Used    time.Time
	Result  string
}
