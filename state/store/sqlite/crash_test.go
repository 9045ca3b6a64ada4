package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ringfence/core/call"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/storetest"
)

const crashEnv = "RINGFENCE_CRASH_STORE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		if os.Getenv(crashEnv+"_AS") == "stage" {
			stageVictim(path)
		} else {
			victim(path)
		}
		return
	}
	os.Exit(m.Run())
}

// victim opens and settles calls in groups until it is killed, and tells on standard output what it was told is durable.
func victim(path string) {
	ctx := context.Background()
	e, err := sqlite.Open(ctx, path, sqlite.Options{WALPages: 50})
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	first, _ := strconv.Atoi(os.Getenv(crashEnv + "_FROM"))
	var wg sync.WaitGroup
	var mu sync.Mutex // owns standard output
	for w := range 4 {
		wg.Go(func() {
			for i := first + w*10_000; ; i += 2 {
				a, b := storetest.Call(i, "l"), storetest.Call(i+1, "l")
				opens := []store.Op{storetest.Open(a, 10, storetest.In("p", 1<<40)), storetest.Open(b, 10, storetest.In("p", 1<<40), storetest.In("q", 1<<40))}
				if _, err := e.Apply(ctx, opens); err != nil {
					fmt.Println("failed", err)
					return
				}
				mu.Lock()
				fmt.Printf("opened %d\nopened %d\n", i, i+1)
				mu.Unlock()
				if _, err := e.Apply(ctx, []store.Op{storetest.Settle(a, 7)}); err != nil {
					fmt.Println("failed", err)
					return
				}
				mu.Lock()
				fmt.Printf("settled %d\n", i)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKill guards that what was acknowledged is there after kill -9 at any moment, and that money adds up.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	state := map[int]string{}
	for round := range 8 {
		for _, line := range runVictim(t, path, "caller", round*100_000, 1+rand.IntN(400)) {
			what, number, _ := strings.Cut(line, " ")
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("the victim said %q", line)
			}
			state[n] = what
		}
		survived(t, path, state)
	}
	if len(state) < 100 {
		t.Fatalf("only %d calls were made", len(state))
	}
}

// runVictim kills the child once it has acknowledged n lines, and returns every whole line it managed to say.
func runVictim(t *testing.T, path, as string, from, n int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashEnv+"="+path, fmt.Sprintf("%s_FROM=%d", crashEnv, from), crashEnv+"_AS="+as)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			break // what is cut short was not said
		}
		if err != nil {
			t.Fatal(err)
		}
		if lines = append(lines, strings.TrimSpace(line)); len(lines) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatalf("the victim ended by itself: %q", lines[max(0, len(lines)-3):])
	}
	return lines
}

func survived(t *testing.T, path string, state map[int]string) {
	t.Helper()
	e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	open, err := e.OpenCalls(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	up := map[call.ID]bool{}
	for i := range open {
		up[open[i].ID] = true
	}
	for n, what := range state {
		_, err := e.CDR(t.Context(), storetest.ID(n))
		if done := err == nil; what == "settled" && !done || what == "opened" && !done && !up[storetest.ID(n)] {
			t.Errorf("call %d was acknowledged as %s and is not there", n, what)
		}
	}
	if faults, err := e.Check(t.Context()); err != nil || len(faults) > 0 {
		t.Error(err, faults)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// stageVictim takes steps, each with a finding, a notice and usage, until it is killed, and tells which are durable.
func stageVictim(path string) {
	ctx := context.Background()
	e, err := sqlite.Open(ctx, path, sqlite.Options{WALPages: 50})
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	at, err := e.Cursor(ctx, "watch")
	for ; err == nil; at++ {
		fmt.Printf("at %d\n", at)
		key := fmt.Sprint(at + 1)
		_, err = e.Advance(ctx, store.Step{
			Stage: "watch", From: at, To: at + 1, Usage: []store.UsageChange{{Subject: "line/100", Add: 1}},
			Findings: []store.Finding{{Key: key, RaiseFact: store.Fact{Kind: "raised"}}},
			Notices:  []store.Notice{{Key: key, Deliveries: []store.Delivery{{Person: "p", State: store.Queued}}, Links: []store.Link{{Hash: key}}}},
		})
	}
	fmt.Println("failed", err)
}

// TestKillStage guards that a step is there whole or not at all after kill -9, and that one that was acknowledged is there.
func TestKillStage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	for range 5 {
		lines := runVictim(t, path, "stage", 0, 1+rand.IntN(100))
		last, err := strconv.ParseInt(strings.TrimPrefix(lines[len(lines)-1], "at "), 10, 64)
		if err != nil {
			t.Fatalf("the victim said %q", lines[len(lines)-1])
		}
		e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		stepsAreWhole(t, e, last)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func stepsAreWhole(t *testing.T, e *sqlite.Engine, said int64) {
	t.Helper()
	ctx := t.Context()
	at, err1 := e.Cursor(ctx, "watch")
	findings, err2 := e.Findings(ctx, store.FindingFilter{Limit: 1e6})
	notices, err3 := e.Notices(ctx, store.NoticeFilter{Limit: 1e6, State: string(store.Queued)})
	facts, err4 := e.Facts(ctx, store.FactFilter{Limit: 1e6})
	used := int64(0)
	err5 := e.Usage(ctx, func(u store.Usage) error {
		used = int64(u.Unbilled)
		return nil
	})
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if at < said || at > said+1 {
		t.Errorf("the cursor is at %d, %d was acknowledged", at, said)
	}
	if n := int(at); len(findings) != n || len(notices) != n || len(facts) != n || used != at {
		t.Errorf("after %d steps: %d findings, %d notices, %d facts, usage %d", n, len(findings), len(notices), len(facts), used)
	}
	for key := int64(1); key <= at; key++ {
		if _, err := e.Link(ctx, fmt.Sprint(key)); err != nil {
			t.Error(err)
		}
	}
}
