package app

import (
	"os"
	"regexp"
	"testing"
	"time"

	"ringfence/flow/notify"
)

// Guards: a mail server that takes its time must not hold up the end until what comes after has no time left (registrations
// are written last), nor until systemd kills the program; no phone is served meanwhile.
func TestASlowMailServerDoesNotEatTheEnd(t *testing.T) {
	if notify.StopsWithin >= stopWithin {
		t.Errorf("notices may take %s of the end, of %s in all", notify.StopsWithin, stopWithin)
	}
	unit, err := os.ReadFile("../deploy/ringfence.service")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindSubmatch(unit)
	if m == nil {
		t.Fatal("the unit says nothing")
	}
	if kill, err := time.ParseDuration(string(m[1]) + "s"); err != nil || kill <= stopWithin {
		t.Errorf("systemd kills after %s, the end takes up to %s: %v", kill, stopWithin, err)
	}
}
