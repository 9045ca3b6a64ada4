package store

import (
	"context"

	"ringfence/core/call"
	"ringfence/core/casework"
)

// CaseFilter selects cases; zero fields do not restrict. Before is the number to continue below; Limit 0 is 100.
type CaseFilter struct {
	Customer string
	Owner    string
	Finding  int64
	Open     bool // not closed
	Before   int64
	Limit    int
}

// CaseCallFilter selects calls of cases; zero fields do not restrict. After is the call to continue above; Limit 0 is 1000.
type CaseCallFilter struct {
	Case     int64
	Customer string
	Calls    []call.ID
	Decision int64 // with Case: those that this item waits to decide
	States   []casework.Dispute
	Verdict  string
	Number   string // with Case: those to this number, by their records
	After    call.ID
	Limit    int
}

// CaseWrite is what is written of one case in one transaction. What has Version 0 is new (ErrExists when it is there); of all else the
// version must be the stored one, or it is ErrMoved, and nothing is written.
type CaseWrite struct {
	Case  *casework.Case // nil: it stays as it is
	Items []casework.Item
	Calls []casework.CaseCall // a new one that is in any case, and was not withdrawn there, is ErrExists
}

// Cases keeps cases of fraud. Engines: sqlite and postgres, as part of Store.
type Cases interface {
	Cases(ctx context.Context, f CaseFilter) ([]casework.Case, error) // newest first
	Case(ctx context.Context, id int64) (casework.Case, error)
	LastCase(ctx context.Context) (int64, error)                                  // the highest number, 0 when there is none
	CaseItems(ctx context.Context, id int64) ([]casework.Item, error)             // by N
	CaseCalls(ctx context.Context, f CaseCallFilter) ([]casework.CaseCall, error) // by Call, then Case
	// CaseSums sums up the calls of a case, or with case 0 those of a customer's cases, by state.
	CaseSums(ctx context.Context, id int64, customer string) ([]casework.Sum, error)
	CaseVerdicts(ctx context.Context, id int64) ([]casework.VerdictSum, error) // the calls of a case, by verdict
	// CaseNumbers sums up the calls of a case by the number that was called, the dearest first, after one whose Retail and Number are given (its Calls 0: from the start). Calls
	// whose records are gone are under "".
	CaseNumbers(ctx context.Context, id int64, after casework.NumberSum, limit int) ([]casework.NumberSum, error)
	WriteCase(ctx context.Context, w CaseWrite, facts ...Fact) error

	// PutPiece adds a piece of a file, so that a long one holds no lock for long. Pieces count from 0; one that is there is ErrExists.
	PutPiece(ctx context.Context, code string, n int64, bytes []byte) error
	Piece(ctx context.Context, code string, n int64) ([]byte, error)
	DropPieces(ctx context.Context, code string) error
}
