// Package kernel has the Linux kernel drop the packets of banned networks before they reach our sockets, where that is
// allowed: nftables sets with timeouts, for our SIP ports and nothing else of the machine. It must not know why a network is
// banned. Where it cannot be used, the SIP transport's own table does the same at 2 µs a packet.
package kernel

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
)

// Why Open failed, in words for the log.
var (
	ErrPermission  = errors.New("no permission to set up nftables: it needs root or CAP_NET_ADMIN")
	ErrUnsupported = errors.New("this system has no nftables (the kernel's nf_tables)")
)

// Options of Open.
type Options struct {
	// Ports are the sockets that we listen on, UDP and TCP alike. An unspecified address stands for every address of the
	// machine. Nothing else is ever dropped.
	Ports []netip.AddrPort
	// Table is the name of the table of family inet; "" is "ringfence". Two processes on one machine need two names: a table
	// of that name that exists at the start is taken to be left over from a crash, and replaced.
	Table string
	Max   int          // networks kept; 0 is 131,072. The process itself drops the packets of any more
	Log   *slog.Logger // nil is none
}

const (
	defaultMax = 131_072
	maxTable   = 64
)

// Stats are figures for metrics.
type Stats struct {
	Networks int    // in the kernel now
	Packets  uint64 // dropped since the process started
	Failing  bool   // the kernel refuses changes
}

// tableName makes a name that nftables takes.
func tableName(s string) string {
	if s == "" {
		return "ringfence"
	}
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, s)
	if s[0] < 'A' { // a digit or a dash
		s = "t" + s
	}
	return s[:min(len(s), maxTable)]
}
