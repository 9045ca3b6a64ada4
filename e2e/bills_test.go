//go:build e2e

package e2e

import (
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	core "ringfence/core/call"
	"ringfence/core/money"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
)

// A run of bills that is killed half-way and run again doubles nothing: each call is on one bill, which is what its calls come to, and so is the balance.
func TestAKilledBillRun(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.line("2001")
	var customer struct {
		Identity string `json:"identity"`
	}
	decode(t, s.cli("customer", "show", "acme", "--json"), &customer)
	s.signal(syscall.SIGTERM)
	const calls = 20_000
	s.used(calls, customer.Identity)
	s.run()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "ringfence.db")+"?mode=ro")
	must(t, err)
	defer db.Close()
	count := func(query string) (n int) {
		must(t, db.QueryRow(query).Scan(&n))
		return n
	}
	run := exec.Command(program, "bill", "run", "--socket", filepath.Join(s.dir, "ringfence.sock"))
	must(t, run.Start())
	eventually(t, 20*time.Second, "some calls are on a bill", func() bool { return count("SELECT COUNT(*) FROM bill_call") > 0 })
	s.signal(syscall.SIGKILL)
	_ = run.Wait()
	if n := count("SELECT COUNT(*) FROM bill_call"); n == 0 || n == calls || count("SELECT COUNT(*) FROM bill WHERE state = 'issued'") != 0 {
		t.Fatalf("%d calls were on the bill when the run was killed: it was not half-way", n)
	}
	s.run()
	s.cli("bill", "run")
	s.cli("bill", "run")
	var bills []struct {
		Calls int   `json:"calls"`
		Net   int64 `json:"net_micro"`
		Total int64 `json:"total_micro"`
		Left  int64 `json:"left_micro"`
	}
	decode(t, s.cli("bill", "list", "--json"), &bills)
	if len(bills) != 1 || bills[0].Calls != calls || bills[0].Net != calls*10_000 || bills[0].Left != bills[0].Total {
		t.Errorf("%+v", bills)
	}
	if all, once := count("SELECT COUNT(*) FROM bill_call"), count("SELECT COUNT(DISTINCT call) FROM bill_call"); all != calls || once != calls {
		t.Errorf("%d calls are on bills, %d of them once", all, once)
	}
	var account struct {
		Balance int64 `json:"balance_micro"`
	}
	decode(t, s.cli("balance", "acme", "--json"), &account)
	if account.Balance != bills[0].Total {
		t.Errorf("the balance is %d, and the bill %d", account.Balance, bills[0].Total)
	}
}

// used writes records of calls of a customer, of a penny each, which began last month. The server must not run.
func (s *server) used(n int, customer string) {
	s.t.Helper()
	e, err := sqlite.Open(s.t.Context(), filepath.Join(s.dir, "ringfence.db"), sqlite.Options{})
	must(s.t, err)
	begun := time.Now().AddDate(0, -1, -time.Now().Day()+3)
	var ops []store.Op
	for i := range n {
		at := begun.Add(time.Duration(i) * time.Second)
		raw := core.NewID(at, fmt.Appendf(nil, "%010d", i))
		id := core.ID(raw[:])
		ops = append(ops, store.Op{Kind: store.OpRecord, ID: id, CDR: &core.CDR{
			ID: id, Direction: core.Out, Line: "l1", Account: customer, Number: "+33140000000", Country: "FR", Begun: at, Ended: at.Add(time.Minute), Talk: time.Minute, Retail: money.Micro(10_000),
		}})
	}
	_, err = e.Apply(s.t.Context(), ops)
	must(s.t, err)
	must(s.t, e.Close())
}
