package storetest

import (
	"database/sql"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"

	"ringfence/core/account"
	"ringfence/state/store"
)

// FillVersion1 makes a database of the first version, by the first migration in folder, with a row in most tables. It is
// what an upgrade begins with.
func FillVersion1(t *testing.T, dialect goose.Dialect, db *sql.DB, folder string) {
	t.Helper()
	text, err := os.ReadFile(folder + "/00001_first.sql")
	ok(t, err)
	p, err := goose.NewProvider(dialect, db, fstest.MapFS{"00001_first.sql": {Data: text}}, goose.WithDisableGlobalRegistry(true))
	ok(t, err)
	_, err = p.Up(t.Context())
	ok(t, err)
	for _, row := range []struct {
		sql  string
		args []any
	}{
		{"INSERT INTO customer (id, name, zone, tariff, settings, created) VALUES ('acme', 'Acme', 'Europe/London', 'std', '', $1)", []any{T0.UnixMicro()}},
		{`INSERT INTO line (id, customer, number, name, sealed, locked, lock_why, settings, created)
			VALUES ('100', 'acme', '442079460000', 'desk', $1, 1, 'fraud', '', $2)`, []any{[]byte{0, 0xff}, T0.UnixMicro()}},
		{"INSERT INTO purse (id, spent, held) VALUES ('line/100/day/2026-11-22', 17, 0)", nil},
		{"INSERT INTO fact (at, kind, line, account, call, body) VALUES ($1, 'line.added', '100', 'acme', '', $2)", []any{T0.UnixMicro(), []byte(`{}`)}},
		{`INSERT INTO registration (line, contact, received, transport, call_id, cseq, user_agent, expires, since)
			VALUES ('100', 'sip:100@192.0.2.1', '', '', '', 1, 'phone', 0, 0)`, nil},
	} {
		_, err := db.ExecContext(t.Context(), row.sql, row.args...)
		ok(t, err)
	}
	ok(t, db.Close())
}

// UpgradedVersion1 wants everything of FillVersion1 in an engine that was opened on it, and what is new to work.
func UpgradedVersion1(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	l := account.Line{ID: "100", Customer: "acme", Number: "442079460000", Name: "desk", Sealed: []byte{0, 0xff}, Locked: true, LockWhy: "fraud", Created: T0}
	same(t, "lines", eachLine(t, s), []account.Line{l})
	cs, err := s.Customers(ctx)
	ok(t, err)
	same(t, "customers", cs, []account.Customer{{ID: "acme", Name: "Acme", Zone: "Europe/London", Tariff: "std", Created: T0}})
	wantPurse(t, s, "line/100/day/2026-11-22", 17, 0)
	same(t, "contacts", contacts(t, s), []store.Registration{{Line: "100", Contact: "sip:100@192.0.2.1", CSeq: 1, UserAgent: "phone", Key: "sip:100@192.0.2.1"}})
	facts, err := s.Facts(ctx, store.FactFilter{})
	ok(t, err)
	same(t, "journal", facts, []store.Fact{{Seq: facts[0].Seq, At: T0, Kind: "line.added", Version: 1, Line: "100", Account: "acme", Body: []byte(`{}`)}})

	l.LockCalls = account.CallsKept // until now CallsEnd: no more is spent on a line that was locked before
	l.Former, l.Honeypot, l.Courtesy = []account.Former{{Sealed: []byte("old"), Until: T0.Add(time.Hour)}}, true, account.CourtesyAgent
	ok(t, s.PutLine(ctx, l, false))
	same(t, "lines", eachLine(t, s), []account.Line{l})
	// It keeps its name as identity; the next line of the name is another one.
	next := account.Line{ID: "100~x7k2m9qp", Customer: "acme"}
	wantIs(t, "the name, in use", s.PutLine(ctx, next, true), store.ErrExists)
	wantIs(t, "the customer's", s.PutCustomer(ctx, account.Customer{ID: "acme~x7k2m9qp"}, true), store.ErrExists)
	ok(t, s.DeleteLine(ctx, "100", store.Fact{Kind: "line.deleted", Line: "100"}))
	ok(t, s.PutLine(ctx, next, true))
	wantPurse(t, s, "line/100/day/2026-11-22", 17, 0)
	wantPurse(t, s, "line/100~x7k2m9qp/day/2026-11-22", 0, 0)
	advance(t, s, store.Step{Stage: "watch", To: facts[0].Seq, Findings: []store.Finding{full("a")}, Notices: []store.Notice{notice("a")}})
	wantCursor(t, s, "watch", facts[0].Seq)
	clean(t, s)
}
