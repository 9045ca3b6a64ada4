package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	"pgregory.net/rapid"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/state/lockfile"
	"ringfence/state/store"
	"ringfence/state/store/memory"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
	"ringfence/state/store/storetest"
)

func open(t *testing.T) store.Store {
	t.Helper()
	e, err := sqlitetest.Open(t.Context(), filepath.Join(t.TempDir(), "a b%#?.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestConformance(t *testing.T) { storetest.Run(t, open) }

func TestSameAsMemory(t *testing.T) {
	var last *sqlite.Engine
	defer func() { last.Close() }()
	storetest.Differ(t, func(r *rapid.T) (store.Money, store.Money) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		e, err := sqlitetest.Open(r.Context(), filepath.Join(dir, "s.db"), sqlite.Options{})
		if err != nil {
			r.Fatal(err)
		}
		if last != nil {
			if err := last.Close(); err != nil {
				r.Fatal(err)
			}
		}
		last = e
		return e, memory.New()
	})
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	first, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), path, sqlite.Options{})
	if !errors.Is(err, lockfile.ErrHeld) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("a second opening: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk guards the promise that a full disk refuses what cannot be written, and heals by itself.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	fill := func(e *sqlite.Engine, n int) error {
		for i := range n {
			c := storetest.Call(i, "l")
			c.Snapshot = make([]byte, 4000)
			if _, err := e.Apply(t.Context(), []store.Op{storetest.Open(c, 1, storetest.In("p", 1<<40))}); err != nil {
				return err
			}
		}
		return nil
	}
	e, err := sqlite.Open(t.Context(), path, sqlite.Options{MaxPages: 200})
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(e, 400); err == nil {
		t.Fatal("more than the disk holds was written")
	}
	open, err := e.OpenCalls(t.Context(), "")
	if err != nil || len(open) == 0 {
		t.Fatalf("reading while it is full: %d %v", len(open), err)
	}
	// Room comes back: what is there is settled, by the same engine.
	for i := range open {
		if _, err := e.Apply(t.Context(), []store.Op{{Kind: store.OpSettle, ID: open[i].ID, CDR: &call.CDR{ID: open[i].ID, Retail: 1}}}); err != nil {
			t.Fatalf("settling %d of %d: %v", i, len(open), err)
		}
	}
	if faults, err := e.Check(t.Context()); err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestUpgrade guards that a file of the first version keeps everything.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	storetest.FillVersion1(t, goose.DialectSQLite3, db, "migrations")
	for _, see := range []func(*testing.T, store.Store){storetest.UpgradedVersion1, func(*testing.T, store.Store) {}} {
		e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		see(t, e)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUpgradeOfVersion2 guards that an upgrade in the middle of calls loses none of them.
func TestUpgradeOfVersion2(t *testing.T) {
	for _, last := range storetest.Versions {
		path := filepath.Join(t.TempDir(), "s.db")
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		storetest.FillVersion2(t, goose.DialectSQLite3, db, "migrations", last)
		e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		storetest.UpgradedVersion2(t, e)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRareKindsAreFoundByTheirIndex guards that a look for one fact among those of a million calls does not read all of them: the index
// leaves the kinds of calls out, and serves only a query that leaves them out in the same words.
func TestRareKindsAreFoundByTheirIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rare := "kind <> '" + strings.Join(fact.EachCall[:], "' AND kind <> '") + "'"
	for _, query := range []string{
		"SELECT seq FROM fact WHERE seq > 5 AND " + rare + " AND kind = 'login.held' ORDER BY seq DESC LIMIT 9",
		"SELECT kind FROM fact WHERE kind > 'login.' AND " + rare + " ORDER BY kind LIMIT 1",
	} {
		var id, parent, none int
		var plan string
		if err := db.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+query).Scan(&id, &parent, &none, &plan); err != nil || !strings.Contains(plan, "INDEX fact_kind") {
			t.Errorf("%s: %s (%v)", query, plan, err)
		}
	}
}

// TestCustomersCallsAreFoundByTheirIndex guards that a page of a customer's calls, or the sum of a period, does not read those of everybody, nor
// sort anything.
func TestCustomersCallsAreFoundByTheirIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for where, index := range map[string]string{
		"account = 'a' AND id < 'x' AND id >= 'b'":            "INDEX cdr_account (account=? AND id>? AND id<?)",
		"line = '2001' AND account || '' = 'a' AND id >= 'b'": "INDEX cdr_line (line=? AND id>?)",
		"number = '+441'": "INDEX cdr_number (number=?)",
		"peer = '2001' AND direction = 'between' AND line <> '1'": "INDEX cdr_peer (peer=?)",
	} {
		for _, query := range []string{
			"SELECT id FROM cdr WHERE " + where + " AND begun >= 5 ORDER BY id DESC LIMIT 9",
			"SELECT COUNT(*) FROM (SELECT talk FROM cdr WHERE " + where + " ORDER BY id DESC LIMIT 9)",
		} {
			plan := planOf(t, db, query)
			if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s: %s", query, plan)
			}
		}
	}
	sums := "SELECT COUNT(*) FROM (SELECT begun / 900000000 AS slot, refused, talk, retail FROM cdr WHERE account = 'a' AND id >= 'b' AND id < 'x' ORDER BY id DESC LIMIT 9) GROUP BY talk"
	if plan := planOf(t, db, sums); !strings.Contains(plan, "COVERING INDEX cdr_account (account=? AND id>? AND id<?)") {
		t.Errorf("%s: %s", sums, plan)
	}
	for query, index := range map[string]string{
		"SELECT id FROM fraud_case WHERE customer = 'a' AND id < 9 ORDER BY id DESC LIMIT 9":                         "INDEX case_customer (customer=? AND id<?)",
		"SELECT id FROM fraud_case WHERE finished = 0 ORDER BY id DESC LIMIT 9":                                      "INDEX case_open",
		"SELECT call FROM case_call WHERE customer = 'a' AND call > 'x' ORDER BY call, case_id LIMIT 9":              "INDEX case_call_customer (customer=? AND call>?)",
		"SELECT call FROM case_call WHERE call IN ('a', 'b') AND state IN ('judged') ORDER BY call, case_id LIMIT 9": "INDEX case_call_call (call=?)",
		"SELECT id FROM claim WHERE trunk = 't' AND id < 9 ORDER BY id DESC LIMIT 9":                                 "INDEX claim_trunk (trunk=? AND id<?)",
		"SELECT id FROM claim WHERE state = 'sent' AND id < 9 ORDER BY id DESC LIMIT 9":                              "INDEX claim_state (state=? AND id<?)",
		"SELECT id FROM plan WHERE customer = 'a' AND id < 9 ORDER BY id DESC LIMIT 9":                               "INDEX plan_customer (customer=? AND id<?)",
		"SELECT id FROM plan WHERE state = 'running' AND id < 9 ORDER BY id DESC LIMIT 9":                            "INDEX plan_state (state=? AND id<?)",
		"SELECT case_id FROM settlement WHERE state = 'waiting' ORDER BY case_id, n":                                 "INDEX settlement_waiting",
		"SELECT call FROM case_call WHERE case_id = 1 AND call > 'x' ORDER BY call, case_id LIMIT 9":                 "PRIMARY KEY (case_id=? AND call>?)",
	} {
		if plan := planOf(t, db, query); !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %s", query, plan)
		}
	}
	numbers := "SELECT COALESCE(r.number, ''), COUNT(*), SUM(k.retail) FROM case_call k LEFT JOIN cdr r ON r.id = k.call WHERE k.case_id = 1 GROUP BY COALESCE(r.number, '') ORDER BY 3 DESC, 1 LIMIT 9"
	if plan := planOf(t, db, numbers); !strings.Contains(plan, "SEARCH k USING PRIMARY KEY (case_id=?)") || !strings.Contains(plan, "SEARCH r USING PRIMARY KEY (id=?)") { // a case's calls are summed up, and no others read
		t.Errorf("%s: %s", numbers, plan)
	}
	disputed := "SELECT b.number, SUM(k.retail) FROM case_call k JOIN cdr r ON r.id = k.call JOIN bill b ON b.customer = k.customer AND b.until > k.begun JOIN bill_call c ON c.bill = b.number AND c.line = r.line" +
		" AND c.country = r.country AND c.call = k.call WHERE k.customer = 'a' AND k.state IN ('disputed', 'judged') GROUP BY b.number"
	if plan := planOf(t, db, disputed); strings.Contains(plan, "SCAN") || !strings.Contains(plan, "INDEX case_call_customer (customer=?") {
		t.Errorf("%s: %s", disputed, plan)
	}
	refused := "SELECT reason, COUNT(*) FROM (SELECT reason FROM cdr WHERE account = 'a' AND id >= 'b' AND refused = 1 ORDER BY id DESC LIMIT 9) AS x GROUP BY reason"
	if plan := planOf(t, db, refused); !strings.Contains(plan, "COVERING INDEX cdr_refused (account=? AND refused=? AND id>?)") {
		t.Errorf("%s: %s", refused, plan)
	}
	facts := "SELECT seq FROM fact WHERE seq > 0 AND call IN ('a', 'b') AND substr(kind, 1, 13) = 'call.admitted' AND call <> '' ORDER BY seq LIMIT 50"
	if plan := planOf(t, db, facts); !strings.Contains(plan, "INDEX fact_call (call=?") {
		t.Errorf("%s: %s", facts, plan)
	}
}

func planOf(t *testing.T, db *sql.DB, query string) (plan string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, none int
		var step string
		if err := rows.Scan(&id, &parent, &none, &step); err != nil {
			t.Fatal(err)
		}
		plan += step + "; "
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestTablesOfTheFuture guards that an older program does not write into what a newer one has changed.
func TestTablesOfTheFuture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil {
		err = e.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), path, sqlite.Options{}); !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "start that version") {
		t.Fatalf("opened: %v", err)
	}
}

// TestDeletedUnderneath guards that nothing is written into files that are gone with the process.
func TestDeletedUnderneath(t *testing.T) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		for name, harm := range map[string]func(path string) error{
			"deleted": os.Remove,
			"moved":   func(path string) error { return os.Rename(path, path+".moved") },
			"replaced": func(path string) error {
				if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
					return err
				}
				return os.Rename(path+".new", path)
			},
		} {
			path := filepath.Join(t.TempDir(), "s.db")
			e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			commits(t, e, 0, 3)
			if err := harm(path + suffix); err != nil {
				t.Fatal(err)
			}
			if err := e.Ping(t.Context()); !errors.Is(err, store.ErrReplaced) {
				t.Errorf("s.db%s %s: ping: %v", suffix, name, err)
			}
			c := storetest.Call(9, "l")
			if _, err := e.Apply(t.Context(), []store.Op{storetest.Open(c, 1, storetest.In("p", 10))}); !errors.Is(err, store.ErrReplaced) {
				t.Errorf("s.db%s %s: write: %v", suffix, name, err)
			}
			_ = e.Close() // what SQLite says of files that are not there does not matter here
		}
	}
}
