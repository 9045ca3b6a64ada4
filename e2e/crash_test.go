//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// wholeSeconds is the price in millionths of a call to London dear, 0.003 for each second begun.
func wholeSeconds(talk time.Duration) int64 { return int64((talk+time.Second-1)/time.Second) * 3000 }

// The program dies in the middle of a call and comes back: the call is still there, the BYE of the phone is handled and
// reaches the carrier, and the bill is for the time talked, the time of the outage included.
func TestKillMidCall(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	p := s.dial("2001", s.line("2001"))
	up := call(t, p, "02079469000")
	eventually(t, 5*time.Second, "money is held", func() bool { return s.day("2001").Held > 0 })
	s.signal(syscall.SIGKILL)
	elapse(1500 * time.Millisecond)
	s.run()
	if n := s.openCalls("2001"); n != 1 {
		t.Fatalf("%d calls after the restart, want 1", n)
	}
	if held := s.day("2001").Held; held == 0 {
		t.Error("no money is held after the restart")
	}
	must(t, up.Hangup(t.Context()))
	seen := next(t, ended)
	if !seen.Theirs {
		t.Errorf("the carrier's leg: %+v", seen)
	}
	r := s.cdrs("2001", 1)[0]
	talk := time.Duration(r.Talk)
	if want := wholeSeconds(talk); r.Retail != want || r.By != "caller" || r.Reason != "hangup" {
		t.Errorf("record: %+v, want %d for %v", r, want, talk)
	}
	if real := seen.Ended.Sub(seen.Answered); talk < real-time.Second || talk > real+time.Second {
		t.Errorf("talk time %v, the carrier saw %v", talk, real)
	}
	if p := s.day("2001"); p.Spent != r.Retail || p.Held != 0 {
		t.Errorf("purse: %+v", p)
	}
}

// The carrier hangs up while the program is dead: its repeated BYE finds the program restarted.
func TestCarrierHangsUpAfterKill(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Quiet: true, Always: &phone.Behaviour{HangupFrom: 1500 * time.Millisecond}})
	s := start(t, c.Addr())
	p := s.dial("2001", s.line("2001"))
	up := call(t, p, "02079469000")
	s.signal(syscall.SIGKILL)
	elapse(2 * time.Second)
	s.run()
	select {
	case <-up.Done():
	case <-time.After(15 * time.Second):
		t.Fatal("the phone was never hung up")
	}
	next(t, ended)
	if r := s.cdrs("2001", 1)[0]; r.By != "callee" || r.Retail != wholeSeconds(time.Duration(r.Talk)) {
		t.Errorf("record: %+v", r)
	}
	if p := s.day("2001"); p.Held != 0 {
		t.Errorf("purse: %+v", p)
	}
}

// A graceful stop leaves calls up: nobody is hung up, and after the start the call goes on and ends as calls do.
func TestGracefulStopLeavesCallsUp(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Quiet: true})
	s := start(t, c.Addr())
	p := s.dial("2001", s.line("2001"))
	up := call(t, p, "02079469000")
	s.signal(syscall.SIGTERM)
	elapse(time.Second)
	select {
	case <-up.Done():
		t.Fatalf("the stop hung up the phone: %+v", up.End())
	case seen := <-ended:
		t.Fatalf("the stop hung up the carrier: %+v", seen)
	default:
	}
	s.run()
	must(t, up.Hangup(t.Context()))
	if seen := next(t, ended); !seen.Theirs {
		t.Errorf("%+v", seen)
	}
	if r := s.cdrs("2001", 1)[0]; r.Retail != wholeSeconds(time.Duration(r.Talk)) || r.By != "caller" {
		t.Errorf("record: %+v", r)
	}
}

// The disk fills up: paid calls are refused with a reason, emergency calls connect, health says so; when there is room
// again, everything goes on by itself.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("needs a small disk, and this machine lets us mount none: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	c, _ := carrier(t, phone.CarrierOptions{Quiet: true})
	s := startIn(t, dir, "", c.Addr())
	p := s.dial("2001", s.line("2001"))
	must(t, call(t, p, "02079460000").Hangup(t.Context()))
	s.cdrs("2001", 1)

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	var why string
	eventually(t, 20*time.Second, "a paid call is refused", func() bool {
		up, a, err := p.Invite(t.Context(), "02079460000", phone.Dialling{})
		if err == nil && up != nil { // what the store had already set aside: fill the rest
			_ = up.Hangup(t.Context())
			fill(t, ballast)
			return false
		}
		why = a.String()
		return a.Status == 503
	})
	contains(t, why, "store-unavailable", "only emergency calls are possible")
	eventually(t, 10*time.Second, "readiness says no", func() bool { return s.get("/readyz") == 503 })
	must(t, call(t, p, "999").Hangup(t.Context()))

	must(t, os.Remove(ballast))
	eventually(t, 20*time.Second, "paid calls go again", func() bool {
		up, _, err := p.Invite(t.Context(), "02079460000", phone.Dialling{})
		if err != nil || up == nil {
			return false
		}
		return up.Hangup(t.Context()) == nil
	})
	eventually(t, 10*time.Second, "readiness says yes", func() bool { return s.get("/readyz") == 200 })
	eventually(t, 10*time.Second, "nothing is left held", func() bool { return s.day("2001").Held == 0 })
	if out := s.cli("check"); strings.Contains(out, "fault") && !strings.Contains(out, "no fault") {
		t.Errorf("check: %s", out)
	}
}

// fill writes to a file until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer f.Close()
	for size := 1 << 20; size >= 512; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// A party hangs up while the process is stopped: its customer pays until the process stopped, and the carrier's cost is until it went on.
func TestHangUpWhileStopped(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Quiet: true, Script: phone.Script{"9001": {HangupFrom: 1500 * time.Millisecond}}})
	s := start(t, c.Addr())
	password := s.line("2001")
	for i, e := range []struct{ transport, number, by string }{
		{"udp", "02079469000", "caller"},
		{"tcp", "02079469000", "caller"},
		{"udp", "02079469001", "callee"},
	} {
		p, err := phone.Dial(t.Context(), phone.Account{Server: s.sip.String(), Line: "2001", Password: password, Transport: e.transport})
		must(t, err)
		defer p.Close()
		up := call(t, p, e.number)
		elapse(time.Second)
		must(t, s.cmd.Process.Signal(syscall.SIGSTOP))
		elapse(300 * time.Millisecond) // until all of its threads stand still
		if e.by == "caller" {
			go func() { _ = up.Hangup(t.Context()) }()
		}
		elapse(5 * time.Second)
		must(t, s.cmd.Process.Signal(syscall.SIGCONT))
		seen, r := next(t, ended), s.cdrs("2001", i+1)[0]
		talk, carriers := time.Duration(r.Talk), time.Duration(r.CarrierTalk)
		if r.By != e.by || r.Reason != "hangup" || r.Retail != wholeSeconds(talk) || seen.Theirs != (e.by == "caller") {
			t.Errorf("%v: %+v, %+v", e, r, seen)
		}
		if talk > 2*time.Second || carriers < 5*time.Second {
			t.Errorf("%v: charged for %v of about a second; the carrier charges for %v", e, talk, carriers)
		}
	}
	if p := s.day("2001"); p.Held != 0 {
		t.Errorf("purse: %+v", p)
	}
}
