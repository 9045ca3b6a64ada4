package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ringfence/core/retain"
	"ringfence/state/store"
	"ringfence/state/store/postgres/pgtest"
	"ringfence/state/store/sqlstore"
)

// TestTheOldestAreFoundByTheirIndex guards that a look for what has expired can be answered from an index, in its order: it runs beside live calls, again and again. The tables of a test are
// too small for the planner to want one, so it is kept from sorting and from reading whole tables.
func TestTheOldestAreFoundByTheirIndex(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	engine(t, dsn)
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // a plan for these values
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; SET enable_incremental_sort = off"); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		f     store.OldFilter
		index string
	}{
		{store.OldFilter{Kind: retain.Calls}, "cdr_pkey"},
		{store.OldFilter{Kind: retain.Calls, Part: "facts"}, "fact_call"},
		{store.OldFilter{Kind: retain.Journal, Part: "login.failed"}, "fact_kind"},
		{store.OldFilter{Kind: retain.Audit, Part: "line.changed"}, "fact_kind"},
		{store.OldFilter{Kind: retain.Devices}, "device_last"},
		{store.OldFilter{Kind: retain.Notices}, "notice_at"},
		{store.OldFilter{Kind: retain.Findings}, "finding_last"},
		{store.OldFilter{Kind: retain.Cases}, "case_finished"},
		{store.OldFilter{Kind: retain.Books, Part: "bill"}, "bill_made"},
		{store.OldFilter{Kind: retain.Books, Part: "entry"}, "entry_at"},
	} {
		for _, after := range []store.Old{{}, {Item: retain.Item{At: time.Unix(9, 0)}, Seq: 7, Text: "a\x1fb\x1fc"}} {
			x.f.Before, x.f.After, x.f.Limit = time.Unix(99, 0), after, 500
			query, args, err := sqlstore.OldQuery(x.f)
			if err != nil {
				t.Fatal(err)
			}
			plan := planOf(t, c, query, args)
			if !strings.Contains(plan, x.index) || strings.Contains(plan, "Sort") {
				t.Errorf("%s %s:\n%s\n%s\nwant index %s", x.f.Kind, x.f.Part, query, plan, x.index)
			}
		}
	}
}

// TestAHistoryIsFoundByItsIndex guards that a page of a customer's history reads no more than it shows.
func TestAHistoryIsFoundByItsIndex(t *testing.T) {
	c, err := pgx.Connect(t.Context(), pgtest.Shared(t).Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; SET enable_incremental_sort = off; SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	for _, f := range []store.FactFilter{{Past: "acme", Before: 9}, {Past: "acme", Line: "l", Before: 9, Limit: 5}} {
		query, args := sqlstore.FactQuery(&f)
		if plan := planOf(t, c, query, args); !strings.Contains(plan, "fact_history") || strings.Contains(plan, "Sort") || strings.Contains(plan, "Filter: (account") {
			t.Errorf("%s\n%s", query, plan)
		}
	}
}

func planOf(t *testing.T, c *pgx.Conn, query string, args []any) (plan string) {
	t.Helper()
	rows, err := c.Query(t.Context(), "EXPLAIN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan += line + "\n"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}
