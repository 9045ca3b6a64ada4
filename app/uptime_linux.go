package app

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is the time since the machine was started, suspended or not. No one can set it.
func uptime() (time.Duration, bool) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}
