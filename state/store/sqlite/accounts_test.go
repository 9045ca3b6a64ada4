package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// TestBillsAreFoundByTheirIndex guards that a page of bills, entries or calls of a bill, and a run of bills, read no more than they show and sort nothing.
func TestBillsAreFoundByTheirIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	e, err := sqlitetest.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, part := range map[string]string{
		"SELECT net FROM bill WHERE customer = 'c' AND number < 9 ORDER BY number DESC LIMIT 5":                                                                           "INDEX bill_customer (customer=? AND number<?)",
		"SELECT net FROM bill WHERE number < 9 ORDER BY number DESC LIMIT 5":                                                                                              "INTEGER PRIMARY KEY",
		"SELECT net FROM bill_sum WHERE bill = 1 ORDER BY line, country":                                                                                                  "PRIMARY KEY (bill=?)",
		"SELECT net FROM bill_call WHERE bill = 1 AND line = 'l' AND country = 'c' AND call > 'x' ORDER BY call LIMIT 5":                                                  "PRIMARY KEY (bill=? AND line=? AND country=? AND call>?)",
		"SELECT net FROM entry WHERE customer = 'c' AND id < 9 ORDER BY id DESC LIMIT 5":                                                                                  "INDEX entry_customer (customer=? AND",
		"SELECT net FROM entry WHERE kind = 'payment' AND number < 9 ORDER BY number DESC LIMIT 5":                                                                        "INDEX entry_number (kind=? AND number<?)",
		"SELECT c.retail FROM due_call d JOIN cdr c ON c.id = d.call WHERE d.account = 'c' AND d.call < 'x' ORDER BY d.call LIMIT 5":                                      "PRIMARY KEY (account=? AND call<?)",
		"SELECT MIN(account) FROM due_call WHERE account > 'c'":                                                                                                           "PRIMARY KEY (account>?)",
		"SELECT customer FROM bill WHERE state = 'making' AND customer > 'c'":                                                                                             "INDEX bill_making (customer>?)",
		"SELECT 1 FROM bill WHERE customer = 'c' AND EXISTS (SELECT 1 FROM bill_call c WHERE c.bill = bill.number AND c.line = 'l' AND c.country = 'c' AND c.call = 'x')": "PRIMARY KEY (bill=? AND line=? AND country=? AND call=?)",
	} {
		if plan := planOf(t, db, query); !strings.Contains(plan, part) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %s; want %s", query, plan, part)
		}
	}
}
