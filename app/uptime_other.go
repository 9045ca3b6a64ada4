//go:build !linux

package app

import "time"

// uptime is not known here: calls are carried over a restart by the store's clock.
func uptime() (time.Duration, bool) { return 0, false }
