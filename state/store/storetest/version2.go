package storetest

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/state/store"
)

// Rows of version 2 as that version wrote them, with two calls in progress: one that rings and one that is paid for two
// minutes. The columns are spelt out, for the code of today knows those of today.
var version2 = []struct {
	into string
	row  []any
}{
	{"customer (id, name, zone, tariff, settings, created, contacts, courtesy)", []any{"acme", "Acme", "Europe/London", "std", "", T0.UnixMicro(), "", ""}},
	{
		"line (id, customer, number, name, sealed, locked, lock_why, settings, created, former, honeypot, courtesy)",
		[]any{"100", "acme", "442079460000", "desk", []byte{0, 0xff}, 0, "", "", T0.UnixMicro(), "", 0, ""},
	},
	{"purse (id, spent, held)", []any{"line/100/day/2026-11-22", 17, 50}},
	{"purse (id, spent, held)", []any{"account/acme/day/2026-11-22", 1017, 50}},
	{"node_lease (node, until)", []any{"a", T0.Add(time.Minute).UnixMicro()}},
	{openV2, openRowV2(1, "setup", 20, time.Minute, 0)},
	{openV2, openRowV2(2, "answered", 30, 2*time.Minute, T0.UnixMicro())},
	{
		`cdr (id, direction, line, account, peer, trunk, dialled, number, class, country, destination, prefix, per_minute, source, user_agent, a_leg,
			b_leg, begun, answered, ended, ring, talk, retail, cost, ended_by, reason, words, status)`,
		[]any{
			string(ID(0)), "out", "100", "acme", "", "carrier", "0207 946 0000", "+442079460000", "geographic", "GB", "UK", "4420", 20_000_000, "192.0.2.7:5060",
			"phone/1", "a@example", "b@example", T0.UnixMicro(), T0.Add(time.Second).UnixMicro(), T0.Add(time.Minute).UnixMicro(), int64(time.Second),
			int64(59 * time.Second), 17, 8, "callee", "hangup", "the callee hung up", 200,
		},
	},
	{"fact (at, kind, line, account, call, body)", []any{T0.UnixMicro(), "call.settled", "100", "acme", string(ID(0)), []byte(`{"retail":17}`)}},
	{"stage_cursor (stage, seq)", []any{"watch", 1}},
	{
		"finding (key, kind, severity, line, account, source, words, at, last_at, times, evidence, closed, closed_by)",
		[]any{"guessing/100", "guessing", "warning", "100", "acme", "", "Somebody guesses.", T0.UnixMicro(), T0.UnixMicro(), 3, []byte(`{}`), 0, ""},
	},
	{"unbilled (subject, amount, told)", []any{"line/100", 17, 0}},
	{"ban (net, until, made, made_by, why)", []any{"192.0.2.0/24", 0, T0.UnixMicro(), "root", "guessing"}},
}

const openV2 = `open_call (id, node, lease, direction, state, line, account, peer, trunk, dialled, number, class, country, source, user_agent,
	a_leg, b_leg, quote, cost, purses, held, paid_for, longest, begun, ringing, answered, snapshot)`

func openRowV2(n int, state string, held int, paid time.Duration, answered int64) []any {
	return []any{
		string(ID(n)), "a", T0.Add(time.Minute).UnixMicro(), "out", state, "100", "acme", "", "carrier", "0207 946 0000", "+442079460000", "geographic", "GB",
		"192.0.2.7:5060", "phone/1", "a@example", "b@example", `{"p":4420,"n":"UK","f":1,"i":1,"r":[20000000,20000000,20000000]}`, "",
		"line/100/day/2026-11-22\naccount/acme/day/2026-11-22", held, int64(paid), int64(4 * time.Hour), T0.UnixMicro(), 0, answered,
		[]byte{0, 1, 2},
	}
}

// Versions are those from which an upgrade is tried: the second, and the last but one.
var Versions = []string{"00002_logins.sql", "00016_facts.sql"}

// FillVersion2 makes a database by the migrations in folder up to the last named, in the middle of its work. Rows are of version 2, to
// which the versions since have only added.
func FillVersion2(t *testing.T, dialect goose.Dialect, db *sql.DB, folder, last string) {
	t.Helper()
	files := fstest.MapFS{}
	all, err := os.ReadDir(folder)
	ok(t, err)
	for _, f := range all {
		if f.Name() > last {
			break
		}
		text, err := os.ReadFile(folder + "/" + f.Name())
		ok(t, err)
		files[f.Name()] = &fstest.MapFile{Data: text}
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	ok(t, err)
	_, err = p.Up(t.Context())
	ok(t, err)
	for _, r := range version2 {
		var holes []string
		for i := range r.row {
			holes = append(holes, fmt.Sprintf("$%d", i+1))
		}
		if _, err := db.ExecContext(t.Context(), "INSERT INTO "+r.into+" VALUES ("+strings.Join(holes, ", ")+")", r.row...); err != nil {
			t.Fatalf("%s: %v", r.into, err)
		}
	}
	ok(t, db.Close())
}

// UpgradedVersion2 wants nothing of FillVersion2 lost, and its calls to go on: extended, settled, and their money exact.
func UpgradedVersion2(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	clean(t, s)
	wantPurse(t, s, "line/100/day/2026-11-22", 17, 50)
	wantPurse(t, s, "account/acme/day/2026-11-22", 1017, 50)
	open, err := s.OpenCalls(ctx, "a")
	ok(t, err)
	if len(open) != 2 || open[0].Held != 20 || open[1].Held != 30 || open[1].PaidFor != 2*time.Minute || open[1].State != call.Answered ||
		!open[1].AnsweredAt.Equal(T0) || string(open[1].Snapshot) != "\x00\x01\x02" || open[1].Quote.Price.Name != "UK" || len(open[1].Purses) != 2 {
		t.Fatalf("open calls %+v", open)
	}
	if heard, err := s.Hear(ctx, "b", open[1].ID, []byte("a leg")); err != nil || len(heard) != 1 {
		t.Fatalf("heard %q, %v", heard, err)
	}
	holds := []store.Hold{In(open[1].Purses[0], 1000), In(open[1].Purses[1], 5000)}
	more := Extend(&open[1], 30, 3*time.Minute, holds...)
	want(t, s, []store.Op{more, Settle(&open[0], 0)}, store.Outcome{}, store.Outcome{})
	want(t, s, []store.Op{Settle(&open[1], 55)}, store.Outcome{})
	wantPurse(t, s, "line/100/day/2026-11-22", 72, 0)
	wantPurse(t, s, "account/acme/day/2026-11-22", 1072, 0)
	old, err := s.CDR(ctx, ID(0))
	ok(t, err)
	if old.Retail != 17 || old.Talk != 59*time.Second || old.Line != "100" || old.By != call.Callee || old.Status != 200 {
		t.Fatalf("record %+v", old)
	}
	marks, err := s.Marks(ctx)
	ok(t, err)
	if from, err := time.Parse(time.RFC3339, marks[store.MarkBillingFrom].Value); err != nil || time.Since(from).Abs() > time.Hour {
		t.Fatalf("what was paid before the upgrade would be billed: calls are billed from %v (%v)", marks[store.MarkBillingFrom], err)
	}
	findings, err := s.Findings(ctx, store.FindingFilter{Open: true})
	ok(t, err)
	if len(findings) != 1 || findings[0].Count != 3 || findings[0].Line != "100" {
		t.Fatalf("findings %+v", findings)
	}
	lines := eachLine(t, s)
	if len(lines) != 1 || lines[0].ID != "100" || lines[0].Number != "442079460000" || string(lines[0].Sealed) != "\x00\xff" {
		t.Fatalf("lines %+v", lines)
	}
	var used []store.Usage
	ok(t, s.Usage(ctx, func(u store.Usage) error { used = append(used, u); return nil }))
	if len(used) != 1 || used[0].Unbilled != 17 {
		t.Fatalf("usage %+v", used)
	}
	if bans := readBans(t, s); len(bans) != 1 || bans[0].By != "root" {
		t.Fatalf("bans %+v", bans)
	}
	wantCursor(t, s, "watch", 1)
	facts := kinds(t, s, store.FactFilter{})
	same(t, "journal", facts, []string{"call.settled", "slice.held", "call.settled", "call.settled"})
	ok(t, s.PutLine(ctx, account.Line{ID: "101", Customer: "acme", Created: T0}, true))
	clean(t, s)
}
