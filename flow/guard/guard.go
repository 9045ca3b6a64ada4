package guard

import (
	"net/netip"
	"time"

	"ringfence/state/counters"
	"ringfence/state/store"
)

// Lockout is how many wrong logins are tolerated and what follows. Zero fields have the stated defaults; Off turns all off.
type Lockout struct {
	Off      bool
	Failures int           // wrong tries of one address for one line within Window before it is locked out for that line; 5
	Window   time.Duration // 10 minutes
	First    time.Duration // the first lock-out; each further one of the same kind doubles it; 15 minutes
	Longest  time.Duration // 24 hours; a source without failures for so long begins again
	Address  int           // wrong tries of one address over all lines before it is locked out altogether; 20
	Network  int           // the same for a /24 or /56; 60
	AS       int           // wrong tries of one AS before its unknown sources get a single try; 300
	// Strangers is how many wrong tries a day a line tolerates from places never seen before, all together, until each such
	// place gets one try only; twice that, and unknown sources are refused for the day. Over 28 days the sum is Weeks. 30, 200
	Strangers, Weeks int
	// Usual is how many wrong tries within Window a usual place of the line (Around.Usual) has before it is locked out for the
	// line, where they do not look like one phone's steady retries; 40. It is never locked out altogether for them.
	Usual int
	Spray int // different lines (known or not) tried by one address or network within Window that make it a sprayer; 10
}

// Around is what the guard asks of the rest of the program. Nil functions know nothing. None may block.
type Around struct {
	// May says whether the IP lock of a line lets it be used from an address. Asked of right logins only.
	May func(line string, addr netip.Addr, now time.Time) bool
	// Usual says that the line's login was used rightly from there within the last weeks, or its IP lock lists it. It is
	// asked with line "" too, where there is none, and should take about as long.
	Usual func(line string, addr netip.Addr) bool
	// Own is Usual for the very address, not its network.
	Own func(line string, addr netip.Addr) bool
	// Exempt says why an address must never be banned ("" if it may be): on some line's IP lock, a trunk's, or with a good
	// recent history with any line.
	Exempt func(addr netip.Addr) string
	ASN    func(addr netip.Addr) uint32 // 0 is unknown
	// Ban bans a network. It does not block.
	Ban      func(net netip.Prefix, d time.Duration, reason string)
	Counters counters.Counters // shared between nodes; nil: this node alone
	Nodes    bool              // other nodes may use the same store
	Lasting  bool              // Counters outlast this process: what is in force after a restart comes from there
	// Where is what is known of an address, for facts: an ISO 3166-1 code, a network's name, an AS number.
	Where   func(addr netip.Addr) (country, network string, asn uint32)
	Record  func(facts ...store.Fact) // the journal; nil drops
	Account func(line string) string  // customer of a line, for facts
}
