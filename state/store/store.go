// Package store is the contract of the database: money and open calls, the book of customers, lines, trunks and
// decks, the journal, and registrations. Engines: sqlite, postgres (all of it) and memory (Money only).
// It must not know rules; every check in here is one conditional write, stated by its caller.
package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/core/restrict"
)

// Errors that callers distinguish. Engines wrap them; any other error means that the store is unavailable.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrInUse    = errors.New("in use by something else")
)

// OpKind is what an Op does.
type OpKind uint8

// Kinds of Op.
const (
	OpOpen   OpKind = iota // hold Amount in every one of Holds and insert Call; Repeats: Outcome.Duplicate
	OpExtend               // hold Amount more in every one of Holds; set paid_for, lease
	OpUpdate               // overwrite state, trunk, cost quote, ringing, answered_at, anchor, end, unproven, and the snapshot if there is one, from Call
	OpSettle               // delete the open call, held → spent: CDR.Retail in each of its purses, insert CDR. Repeats: Duplicate
	OpRecord               // only Facts, and the CDR of a refused call if there is one. Repeats of that: Duplicate
)

// Hold names a purse and the most that may be in it: the write happens only if spent + held + Amount ≤ Cap.
// A purse that does not exist yet is empty.
type Hold struct {
	Purse string // "line/ID/day/2026-11-22", "line/ID/month/2026-11", "account/ID/day/…", "account/ID/month/…"
	Cap   money.Micro
}

// Op is one change to money. Its Facts are written in the same transaction, and only if it takes effect.
type Op struct {
	Kind   OpKind
	ID     call.ID
	Holds  []Hold      // OpOpen, OpExtend; at most 4, no purse twice
	Amount money.Micro // ≥ 0
	Node   string      // OpExtend, OpUpdate, OpSettle: takes effect only if the call is this node's; "" is any node's
	Call   *call.Open  // OpOpen, OpUpdate; for OpExtend its PaidFor, and its Held: what the call holds afterwards
	// Lease is how long the call is its node's from the moment of writing, by the store's clock: OpOpen, OpExtend.
	Lease time.Duration
	CDR   *call.CDR // OpSettle, OpRecord; of OpSettle, CDR.Retail must not exceed what the call holds, else Apply fails that op with Outcome.Overspend. It must not change any more
	Facts []Fact    // the store's from then on. Those that are not encoded yet are encoded here, once
}

// Repeats says that an OpExtend has taken effect before, of a call that holds so much for so long. Both count: a call that rang into a dearer band has
// less time than when it was opened, and a band without a price needs time without money.
func (op *Op) Repeats(held money.Micro, paidFor time.Duration) bool {
	return held >= op.Call.Held && paidFor >= op.Call.PaidFor
}

// Outcome is the result of an Op, in order. The zero Outcome is success.
type Outcome struct {
	Refused   bool        // a purse did not have enough room; nothing of this op was written
	Purse     string      // the first purse (in the order of Holds) without enough room
	Room      money.Micro // the least room over all Holds at that moment: what could be held instead (≥ 0)
	Duplicate bool        // the op took effect earlier; nothing was written now
	Missing   bool        // OpExtend, OpUpdate, OpSettle: no such open call (and, for OpSettle, no CDR either)
	Moved     bool        // OpExtend, OpUpdate, OpSettle: another node has taken the call over; nothing was written
	Overspend bool        // OpSettle: the cost exceeds what is held; nothing was written
	Repeated  int         // facts whose key was there: they alone were not written again
}

// Purse is money that may be spent in a period. Spent + Held never exceed the cap stated by any hold that succeeded.
type Purse struct {
	ID          string
	Spent, Held money.Micro
}

// Money is the ledger's store. Apply runs ops in order in one transaction: all their effects are durable when it returns,
// or none and an error. Ops refused by their own condition do not disturb the others. Safe with several nodes on one
// database: each condition is one conditional write, never read-decide-write.
type Money interface {
	Apply(ctx context.Context, ops []Op) ([]Outcome, error)
	Purses(ctx context.Context, ids []string) ([]Purse, error)       // missing ones come back empty
	OpenCalls(ctx context.Context, node string) ([]call.Open, error) // "" is every node's
	// Clock is the store's own, which all nodes have in common. Times that nodes compare are written and judged by it, because
	// their own clocks may differ by minutes.
	Clock(ctx context.Context) (time.Time, error)
	// Claim takes over open calls of other nodes whose lease has ended by the store's clock, one conditional write
	// each, and holds them for lease from now.
	Claim(ctx context.Context, node string, lease time.Duration) ([]call.Open, error)
	// Take takes over the open calls that have that id, or a leg with that SIP Call-ID (at most one, as a rule), from any
	// other node: their peer sends to this one. A call that is ending stays with a node whose lease lasts, unless ending says
	// otherwise: that node hangs up, and knows when each leg was over. It is returned nevertheless, with that Node.
	Take(ctx context.Context, node string, lease time.Duration, id call.ID, leg string, ending bool) ([]call.Open, error)
	// Hear stores with an open call, on any node, the latest that a node has heard of its legs (nil: nothing new), until it is settled. node names
	// the entry that it replaces: a node may have several.
	// It returns what each node has heard, in the order of their names; nothing for a call that is not open.
	Hear(ctx context.Context, node string, id call.ID, heard []byte) (all [][]byte, err error)
	// Renew holds every open call of node for lease from now, by the store's clock.
	Renew(ctx context.Context, node string, lease time.Duration) error
	CDRs(ctx context.Context, f CDRFilter) ([]call.CDR, error) // newest first
	CDR(ctx context.Context, id call.ID) (call.CDR, error)
	// Sums sums up the newest records that fit the filter: Limit of them, 0 is all. In the order of Slot, Line and Country.
	Sums(ctx context.Context, f CDRFilter, by SumBy) ([]CDRSum, error)
	Facts(ctx context.Context, f FactFilter) ([]Fact, error) // by Seq ascending; with Before descending
	// Check proves that money adds up: for every purse, held is the sum over open calls. It returns the faults found.
	Check(ctx context.Context) ([]string, error)
	Ping(ctx context.Context) error // a durable write, so that a full disk is seen
	Close() error
}

// CDRFilter selects records; zero fields do not restrict. Before is the ID to continue below; Limit 0 is 100.
type CDRFilter struct {
	Line, Account string
	Called        bool // with Line: also calls of other lines to it
	Country       string
	Number        string // called: E.164 with '+', a short number, or what was dialled when it is no number
	Exact         bool   // Number is a number, and not what was dialled where that is none
	Reason        string
	Direction     call.Direction
	Outcome       call.Outcome
	Digits        string      // these stand in the number, or in what was dialled
	Least, Below  money.Micro // of what it cost; Below 0 is no limit
	From, Until   time.Time
	Calls         []call.ID // one of these, some hundred at most
	Since, Before call.ID   // ids sort by time: at or above Since and below Before, an index finds a period of a line or an account
	Limit         int
}

// Matches is the filter, without Limit, for engines without SQL.
func (f *CDRFilter) Matches(c *call.CDR) bool {
	is := func(want, got string) bool { return want == "" || Clean(want) == got }
	ours := is(f.Line, c.Line) || f.Called && c.Direction == call.Between && is(f.Line, c.Peer)
	return ours && is(f.Account, c.Account) && is(f.Country, c.Country) && is(f.Reason, c.Reason) &&
		is(string(f.Direction), string(c.Direction)) && (is(f.Number, c.Number) || !f.Exact && c.Number == "" && is(f.Number, c.Dialled)) &&
		(f.From.IsZero() || !c.Begun.Before(f.From.Truncate(time.Microsecond))) &&
		(f.Until.IsZero() || c.Begun.Before(f.Until.Truncate(time.Microsecond))) && (f.Before == "" || c.ID < f.Before) && f.matchesMore(c)
}

func (f *CDRFilter) matchesMore(c *call.CDR) bool {
	return c.ID >= f.Since && (len(f.Calls) == 0 || slices.Contains(f.Calls, c.ID)) && (f.Outcome == "" || c.Outcome() == f.Outcome) && strings.Contains(c.Number+" "+c.Dialled, f.Digits) &&
		c.Retail >= f.Least && (f.Below == 0 || c.Retail < f.Below)
}

// SumBy says what records are summed by.
type SumBy uint8

// Ways to sum.
const (
	SumAll     SumBy = iota
	SumQuarter       // by the quarter of an hour in which they began
	SumLineCountry
	SumReason
)

// Quarter is how long a slot of SumQuarter is: the clocks of every zone differ by whole ones.
const Quarter = 15 * time.Minute

// CDRSum is what records come to. Of Slot, Line, Country and Reason it has what they were summed by.
type CDRSum struct {
	Slot                     int64 // quarters of an hour since 1970
	Line, Country, Reason    string
	Calls, Refused, Answered int64
	Talk                     time.Duration
	Retail                   money.Micro
}

// Fact is one row of the journal: core/fact has its kinds.
type Fact = fact.Row

// FactFilter selects facts after Seq; zero fields do not restrict. Limit 0 is 1000.
type FactFilter struct {
	After  int64
	Before int64 // and before this one, the last first; 0: no limit
	Line   string
	Loose  string // about this customer, and naming no line: an index finds them
	Past   string // the history of this customer, of the kinds fact.History: an index finds it
	Call   call.ID
	Calls  []call.ID // one of these, some hundred at most
	Kind   string    // a prefix
	Kinds  []string  // one of these; without Line and Call, and with none of fact.EachCall, an index finds them
	From   time.Time
	Until  time.Time
	Limit  int
	Proofs bool // with the Proof of each
}

// Deck is the head of an imported deck; its rows are kept apart. Versions of one name count up from 1; the highest is in force.
type Deck struct {
	Name     string
	Kind     rating.Kind
	Version  int64
	Rows     int64
	Imported time.Time
	By       string // who imported it
	Source   string // file name
	Covers   string // what prefixes price besides their own country, as rating.ParseCovers reads it; "" is nothing
	Currency string // ISO code of the currency of the prices
	Exchange string // the rate at which they were converted to it ("USD=0.79"), "" when they were not
	Mapping  string // columns that were named by hand: see rating.ParseMapping, one to a line
}

// Called is a destination that the lines of an account called.
type Called struct {
	Account, Number, Class, Country string
	Name                            string // of the price that a call had
	Calls                           int64
	Last                            time.Time
}

// Registration is a contact of a line, kept so that a restart loses no phone.
type Registration struct {
	Line      string
	Contact   string // URI as registered
	Received  string // address:port where the phone is
	Transport string
	CallID    string
	CSeq      int64
	UserAgent string
	Expires   time.Time
	Since     time.Time
	Key       string // distinguishes the contacts of a line: two phones may have the same URI
	Instance  string // +sip.instance and reg-id (RFC 5626); "" is none
	Listener  string // address:port of ours that it is reached from; "" is any
	Heard     time.Time
}

// Store is a whole engine. The book's writes append the given facts in the same transaction.
type Store interface {
	Money
	Accounts
	Stages
	Marks
	People
	Seals
	Status
	Waitings
	Cases
	Erasing
	Retaining
	Settling

	Customers(ctx context.Context) ([]account.Customer, error)
	PutCustomer(ctx context.Context, c account.Customer, isNew bool, facts ...Fact) error // isNew and there: ErrExists
	PutCustomers(ctx context.Context, cs []account.Customer, facts ...Fact) error         // new ones, all or none
	DeleteCustomer(ctx context.Context, id string, facts ...Fact) error                   // lines left: ErrInUse; its people go with it

	// EachLine streams every line, so that 100,000 need no second copy in memory; with ids, those of them that exist.
	EachLine(ctx context.Context, yield func(account.Line) error, ids ...string) error
	PutLine(ctx context.Context, l account.Line, isNew bool, facts ...Fact) error // ErrExists also for a Number in use
	PutLines(ctx context.Context, ls []account.Line, facts ...Fact) error         // new ones, all or none
	DeleteLine(ctx context.Context, id string, facts ...Fact) error

	// Everybody is what the fraud desk says of every line; the zero Settings at first.
	Everybody(ctx context.Context) (account.Settings, error)
	PutEverybody(ctx context.Context, said account.Settings, facts ...Fact) error

	HotNumbers(ctx context.Context, yield func(restrict.Listed) error) error              // by range, as its text, and list
	SaveHotNumbers(ctx context.Context, put, drop []restrict.Listed, facts ...Fact) error // first drops, then puts; keyed by List and Range

	Trunks(ctx context.Context) ([]account.Trunk, error)
	PutTrunk(ctx context.Context, t account.Trunk, isNew bool, facts ...Fact) error
	DeleteTrunk(ctx context.Context, name string, facts ...Fact) error

	Requests(ctx context.Context, state string) ([]account.Request, error)                  // "" is all; newest first
	PutRequest(ctx context.Context, r account.Request, facts ...Fact) (id int64, err error) // ID 0 inserts

	Decks(ctx context.Context) ([]Deck, error)                                                          // every version, newest first
	PutDeck(ctx context.Context, d Deck, rows []rating.Price, facts ...Fact) (version int64, err error) // all or nothing
	DeckRows(ctx context.Context, name string, version int64) ([]rating.Price, error)                   // version 0 is the one in force

	Registrations(ctx context.Context, yield func(Registration) error) error
	SaveRegistrations(ctx context.Context, put []Registration, drop []Registration, facts ...Fact) error // keyed by Line+Key

	// DeleteDeck removes every version of a deck. Records keep the prices that their calls had.
	DeleteDeck(ctx context.Context, name string, facts ...Fact) error
	// Called streams the destinations of outbound calls since an instant, each once for each account.
	Called(ctx context.Context, since time.Time, yield func(Called) error) error

	// Removals are the facts "line.deleted" (subject is "line") or "customer.deleted" ("customer") of those that had a handle, or ("")
	// of all, newest first: what was removed under which identity, and when.
	Removals(ctx context.Context, subject, handle string, limit int) ([]Fact, error)

	// Rekey replaces every sealed secret by what reseal returns, in one transaction (key rotation).
	Rekey(ctx context.Context, reseal func(sealed []byte) ([]byte, error), facts ...Fact) (n int, err error)
}
