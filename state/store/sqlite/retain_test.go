package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/core/retain"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
	"ringfence/state/store/sqlstore"
)

// TestTheOldestAreFoundByTheirIndex guards that a look for what has expired reads no more than it finds: it runs beside live calls, again and again.
func TestTheOldestAreFoundByTheirIndex(t *testing.T) {
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
	for _, c := range []struct {
		f      store.OldFilter
		part   string
		sorted string // what is sorted all the same
	}{
		{store.OldFilter{Kind: retain.Calls}, "SEARCH c USING PRIMARY KEY (id>? AND id<?)", ""},
		{store.OldFilter{Kind: retain.Calls, Part: "facts"}, "SEARCH j USING INDEX fact_call (call>? AND call<?)", ""},
		{store.OldFilter{Kind: retain.Calls, Archive: "a"}, "SEARCH a USING PRIMARY KEY (archive=?", "ORDER BY"},
		{store.OldFilter{Kind: retain.Journal, Part: "login.failed"}, "SEARCH j USING INDEX fact_kind (kind=? AND seq>?)", ""},
		{store.OldFilter{Kind: retain.Audit, Part: "line.changed"}, "SEARCH j USING INDEX fact_kind (kind=? AND seq>?)", ""},
		{store.OldFilter{Kind: retain.Devices}, "SEARCH d USING INDEX device_last", ""},
		{store.OldFilter{Kind: retain.Notices}, "SEARCH n USING INDEX notice_at", ""},
		{store.OldFilter{Kind: retain.Findings}, "SEARCH n USING INDEX finding_last", ""},
		{store.OldFilter{Kind: retain.Cases}, "SEARCH f USING INDEX case_finished", ""},
		{store.OldFilter{Kind: retain.Books, Part: "bill"}, "SEARCH b USING INDEX bill_made", ""},
		{store.OldFilter{Kind: retain.Books, Part: "entry"}, "SEARCH e USING INDEX entry_at", ""},
	} {
		for _, after := range []store.Old{{}, {Item: retain.Item{At: time.Unix(9, 0)}, Seq: 7, Text: "a\x1fb\x1fc"}} {
			c.f.Before, c.f.After = time.Unix(99, 0), after
			query, args, err := sqlstore.OldQuery(c.f)
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range args { // planOf takes none
				text, is := a.(string)
				value := "5"
				if is {
					value = "'" + text + "'"
				}
				query = strings.Replace(query, "$"+string(rune('1'+i)), value, 1)
			}
			plan := planOf(t, db, query)
			part := c.part
			if after.Seq == 0 {
				part, _, _ = strings.Cut(part, "(")
			}
			if !strings.Contains(plan, part) || strings.Contains(plan, "TEMP B-TREE") && c.sorted == "" || strings.Contains(plan, "SCAN j ") || strings.Contains(plan, "SCAN c ") {
				t.Errorf("%s: %s; want %s", query, plan, part)
			}
		}
	}
}

// TestAHistoryIsFoundByItsIndex guards that a page of a customer's history reads no more than it shows.
func TestAHistoryIsFoundByItsIndex(t *testing.T) {
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
	for _, f := range []store.FactFilter{{Past: "acme", Before: 9}, {Past: "acme", Line: "l", Before: 9, Limit: 5}} {
		query, args := sqlstore.FactQuery(&f)
		for i := range args { // planOf takes none
			query = strings.Replace(query, "$"+string(rune('1'+i)), "'x'", 1)
		}
		if plan := planOf(t, db, query); !strings.Contains(plan, "fact_history (account=?") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n%s", query, plan)
		}
	}
}
