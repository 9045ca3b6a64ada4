//go:build e2e

package e2e

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/edge/phone"
)

// baresipModules is the folder of its modules.
func baresipModules() (dir string) {
	for _, d := range []string{"/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules", "/usr/lib64/baresip/modules"} {
		if _, err := os.Stat(d); err == nil {
			dir = d
		}
	}
	return dir
}

// baresip runs a softphone with one account and gives what it printed and the sound it heard (8,000 samples a second).
// Its own choice of media ports, 10,000 to 20,000, would meet those of process.FreePort.
func baresip(t *testing.T, s *server, line, password, command string, seconds int) (string, []int16) {
	t.Helper()
	return baresipOver(t, way{server: s.sip, transport: "udp"}, line, password, command, seconds, "")
}

// baresipOver is baresip that reaches the server in a way, with further lines of its configuration.
func baresipOver(t *testing.T, w way, line, password, command string, seconds int, lines string) (string, []int16) {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`sip_listen 127.0.0.1:0
net_interface 127.0.0.1
audio_player aubridge,loop
audio_source aubridge,loop
audio_alert aubridge,alert
rtp_ports 61000-65000
module_path %s
module g711.so
module aubridge.so
module sndfile.so
module_app account.so
module_app menu.so
snd_path %s
%s
`, baresipModules(), dir, lines)
	must(t, os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "accounts"), []byte(fmt.Sprintf(
		"<sip:%s@%s;transport=%s>;auth_user=%s;auth_pass=%s;regint=60;audio_codecs=PCMA\n", line, w.server, w.transport, line, password)), 0o600))
	cmd := exec.Command("baresip", "-f", dir, "-v", "-e", command, "-t", fmt.Sprint(seconds))
	cmd.Dir = dir
	kill := time.AfterFunc(time.Duration(seconds+15)*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	out, err := output(cmd)
	if err != nil {
		t.Fatalf("baresip: %v\n%s", err, out)
	}
	heard, _ := filepath.Glob(filepath.Join(dir, "dump-*-dec.wav"))
	var samples []int16
	for _, file := range heard {
		wav, err := os.ReadFile(file)
		must(t, err)
		for i := 44; i+1 < len(wav); i += 2 {
			samples = append(samples, int16(binary.LittleEndian.Uint16(wav[i:])))
		}
	}
	return string(out), samples
}

// pitch is the frequency and the loudness of a sound.
func pitch(samples []int16) (hertz, rms float64) {
	crossings, square := 0, 0.0
	for i, v := range samples {
		square += float64(v) * float64(v)
		if i > 0 && samples[i-1] < 0 && v >= 0 {
			crossings++
		}
	}
	n := float64(len(samples))
	return float64(crossings) * 8000 / n, math.Sqrt(square / n)
}

// baresip registers, calls, and hears the tone that the test carrier plays.
func TestBaresipRegistersCallsAndHears(t *testing.T) {
	c, ended := carrier(t, phone.CarrierOptions{Ring: 300 * time.Millisecond})
	s := start(t, c.Addr())
	password := s.line("2001")
	out, heard := baresip(t, s, "2001", password, "/dial 02079460000", 5)
	contains(t, out, "200 OK", "180 Ringing", "Call established")
	seen := next(t, ended)
	if seen.Answered.IsZero() || !seen.Theirs || seen.Called != "+442079460000" {
		t.Errorf("the carrier saw %+v", seen)
	}
	if len(heard) < 8000 {
		t.Fatalf("heard %d samples, want more than a second\n%s", len(heard), out)
	}
	hertz, rms := pitch(heard)
	if hertz < 400 || hertz > 450 || rms < 500 {
		t.Errorf("heard %.0f Hz at %.0f, want the carrier's 425 Hz", hertz, rms)
	}
	if r := s.cdrs("2001", 1)[0]; r.Retail != londonTwoSeconds || r.By != "caller" {
		t.Errorf("record: %+v", r)
	}
}

// A refused call tells baresip's user why.
func TestBaresipIsToldWhy(t *testing.T) {
	s := start(t)
	out, _ := baresip(t, s, "2001", s.line("2001"), "/dial 09098790000", 3)
	if !strings.Contains(out, "403") {
		t.Errorf("no 403 in:\n%s", out)
	}
}
