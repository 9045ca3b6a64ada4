package store

import (
	"context"
	"time"

	"ringfence/core/call"
	"ringfence/core/retain"
)

// LegalHold is what staff keep beyond its time, until they lift it.
type LegalHold struct {
	retain.Hold
	By, Why   string
	Made      time.Time
	Lifted    time.Time // zero: it is in force
	LiftedBy  string
	LiftedWhy string
}

// Old is a thing whose time may have come. Seq and Text are its key, by kind: the Seq of a fact, the number of a notice, finding, case, bill or entry; the id of a
// call, or what names a device.
type Old struct {
	retain.Item
	Seq  int64
	Text string
}

// OldFilter selects things of a kind that are older than Before, the oldest first, after one of them.
type OldFilter struct {
	Kind    retain.Kind
	Part    string // of Journal and Audit: the kind of fact; of Calls: "" records, "facts" facts of calls without a record; of Books: "bill" or "entry"
	Archive string // of Calls: those that are in this archive and not deleted yet, however old
	Before  time.Time
	Unread  int64 // of calls and facts: the first fact that a stage has still to read, which is not over; 0: all are read
	After   Old
	Limit   int
}

// Dropped is how many rows went.
type Dropped struct {
	Items int64 // of the things that were asked for: those that are gone now
	Facts int64 // with them
	More  bool  // one has so much to it that it goes in several steps: ask again
}

// Archive is a pair of files that old calls and their facts went to.
type Archive struct {
	Name        string
	Node        string // whose data folder it is in
	State       string
	Made        time.Time
	First, Last call.ID
	LastAt      time.Time // when the last of its calls began
	Calls       int64
	Facts       int64
	Bytes       int64
	CallsHash   string // hex SHA-256 of the file of records
	FactsHash   string
	Cleared     int64 // the last erasure that was carried out in the files
}

// States of an archive.
const (
	ArchiveMade = "made" // the files are there, and its calls are being deleted
	ArchiveKept = "kept"
	ArchiveGone = "gone" // the files are deleted: the store forgets it, and a fact remembers it
)

// Retaining finds what may be deleted, and deletes it. Engines: sqlite and postgres, as part of Store. Nothing here is fast enough to be asked while a call waits, and
// nothing makes a call wait: reads go along indices, and a write is as small as its caller makes it.
type Retaining interface {
	// LegalHolds are those in force, newest first; with all also those that were lifted.
	LegalHolds(ctx context.Context, all bool) ([]LegalHold, error)
	LegalHold(ctx context.Context, id int64) (LegalHold, error)
	// PutLegalHold adds one and gives its number. From then on nothing that it covers is deleted.
	PutLegalHold(ctx context.Context, h LegalHold, facts func(id int64) []Fact) (int64, error)
	LiftLegalHold(ctx context.Context, h LegalHold, facts ...Fact) error // ErrInUse when it was lifted before
	// LiveCases are cases that are not over: open, with a plan that is not paid, or a claim that is not answered.
	LiveCases(ctx context.Context) ([]retain.Hold, error)

	// Old reads things with all that ties them, but for holds.
	Old(ctx context.Context, f OldFilter) ([]Old, error)
	// DropOld deletes those of the things that may still go: in the transaction that deletes, each is read again, with the holds and live cases of that moment. With a call go
	// the facts about it that count as Journal. facts says what is noted of it, when anything went. Calls of an archive are no more in it, whether they went or stayed.
	DropOld(ctx context.Context, f OldFilter, all []Old, may func(it *retain.Item, holds []retain.Hold) bool, facts func(Dropped) []Fact) (Dropped, error)
	// FactKinds are the kinds of fact that there are, but for those of fact.EachCall.
	FactKinds(ctx context.Context) ([]string, error)

	// Uploads are files that no item of a case names, and that were begun before an instant.
	Uploads(ctx context.Context, before time.Time, limit int) ([]string, error)
	// DropUpload removes one, some pieces at a time: more says that it is not all gone. A file that an item names by now stays.
	DropUpload(ctx context.Context, code string) (more bool, err error)

	// PutArchive notes an archive that was written, with its calls, which are to be deleted; ErrExists.
	PutArchive(ctx context.Context, a Archive, calls []call.ID, facts ...Fact) error
	Archives(ctx context.Context, state string) ([]Archive, error) // by LastAt, oldest first; "" is all
	// MoveArchive changes the state of one that was in another, or is ErrMoved. From then on no call is in it to be deleted.
	MoveArchive(ctx context.Context, name, was, state string, facts ...Fact) error
}
