package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/retain"
	"ringfence/flow/evidence"
	"ringfence/flow/retention"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// TestArchivesAreRead: the commands read what retention wrote, as it lies in the folder of archives.
func TestArchivesAreRead(t *testing.T) {
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	s, err := sqlitetest.Open(t.Context(), filepath.Join(dir, "s.db"), sqlite.Options{})
	check(err)
	defer s.Close()
	e, err := evidence.Open(t.Context(), evidence.Options{Store: s, Seed: bytes.Repeat([]byte{7}, 32)})
	check(err)
	from := time.Now().UTC().AddDate(-3, 0, 0).Truncate(24 * time.Hour).Add(9 * time.Hour)
	for i := range 20 {
		at := from.Add(time.Duration(i) * time.Minute)
		id := call.NewID(at, fmt.Appendf(nil, "%010d", i))
		c := call.CDR{
			ID: call.ID(id[:]), Direction: call.Out, Line: "2001~abcdefgh", Account: "acme~abcdefgh", Dialled: "020 7946 0000", Number: "+442079460000", Country: "GB", Source: "192.0.2.7:5060",
			Begun: at, Ended: at.Add(30 * time.Second), Refused: true, Reason: "line-locked", Text: "the line is locked",
		}
		if i%2 == 0 {
			c.AnsweredAt, c.Talk, c.Refused, c.Reason = at, 30*time.Second, false, "hangup"
		}
		settled := fact.CallSettled{Retail: money.Pound}
		_, err := s.Apply(t.Context(), []store.Op{{Kind: store.OpRecord, ID: c.ID, CDR: &c, Facts: []store.Fact{settled.Row(at, fact.Subject{Line: c.Line, Account: c.Account, Call: c.ID})}}})
		check(err)
	}
	folder := filepath.Join(dir, "archive")
	r := retention.New(retention.Options{
		Store: s, Export: e.Export, Folder: folder, Node: "a", Rest: func(context.Context, time.Duration) error { return nil },
		Policy: func() retention.Policy {
			return retention.Policy{Keep: map[retain.Kind]retain.Period{retain.Calls: {Years: 2}}, Archive: true}
		},
	})
	_, err = r.Sweep(t.Context())
	check(err)
	all, err := s.Archives(t.Context(), "")
	check(err)
	if len(all) != 1 || all[0].Calls != 20 {
		t.Fatalf("%+v", all)
	}
	run := func(want string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(binaryFolder, "ringfence"), args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("ringfence %s: %v; want %q in\n%s", args, err, want, out)
		}
	}
	calls, facts := retention.Files(&all[0])
	run("20 calls from", "replay", filepath.Join(folder, calls))
	run("20 rows are as they were sealed", "evidence", "verify", filepath.Join(folder, facts))
}
