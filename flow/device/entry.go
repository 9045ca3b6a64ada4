package device

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
	"unique"

	"ringfence/core/detect"
	"ringfence/state/store"
)

// verdict is what the owner answered, in a byte.
type verdict uint8

const (
	unanswered verdict = iota
	mine
	notMine
)

var verdicts = [...]string{unanswered: "", mine: Mine, notMine: NotMine}

func parseVerdict(s string) (verdict, bool) {
	i := slices.Index(verdicts[:], s)
	return verdict(max(i, 0)), i >= 0
}

// entry is one device of a line, kept small. Its place follows from the address and the AS; texts are held once for all.
type entry struct {
	addr                   netip.Addr // the latest
	agent, family, network unique.Handle[string]
	first, last            int64 // µs since 1970
	noted                  int64 // when it was last marked to be written, µs
	asn                    uint32
	days                   uint16 // on which it was seen
	country                [2]byte
	byAS                   bool // its place is the AS, not the /24 or /56
	dirty                  bool // to be written
	stored                 bool // a row may be there
	verdict                verdict
}

// asPrefix begins the places that are an AS.
const asPrefix = "AS"

// place is the key of the network, as detect.Place names it.
func (e *entry) place() string {
	if e.byAS { // although by now it may be known for a hosting network
		return asPrefix + strconv.FormatUint(uint64(e.asn), 10)
	}
	return detect.Place(e.addr, 0)
}

// samePlace is true for neighbours even if what is known of their network changed between the two.
func (e *entry) samePlace(n *entry) bool {
	return e.byAS && n.byAS && e.asn == n.asn || detect.Net(e.addr) == detect.Net(n.addr)
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

func (e *entry) seen(at int64) {
	if at/dayMicros > e.last/dayMicros && e.days < 1<<16-1 {
		e.days++
	}
	e.last = max(e.last, at)
}

func (e *entry) countryCode() string {
	if e.country == [2]byte{} {
		return ""
	}
	return string(e.country[:])
}

func (e *entry) row(line string) store.Device {
	return store.Device{
		Line: line, Place: e.place(), Family: e.family.Value(), Address: e.addr.String(), Agent: e.agent.Value(), Country: e.countryCode(),
		ASN: int64(e.asn), Network: e.network.Value(), First: time.UnixMicro(e.first).UTC(), Last: time.UnixMicro(e.last).UTC(),
		Count: int64(e.days), Verdict: verdicts[e.verdict],
	}
}

// stored makes an entry of a row; false: the row is of no use.
func stored(r *store.Device) (entry, bool) {
	addr, err := netip.ParseAddr(r.Address)
	v, known := parseVerdict(r.Verdict)
	if err != nil || !known || r.ASN < 0 || r.ASN >= 1<<32 {
		return entry{}, false
	}
	e := entry{
		addr: addr, agent: unique.Make(r.Agent), family: unique.Make(r.Family), network: unique.Make(r.Network), first: r.First.UnixMicro(),
		last: r.Last.UnixMicro(), noted: r.Last.UnixMicro(), asn: uint32(r.ASN), days: uint16(min(max(r.Count, 1), 1<<16-1)),
		byAS: strings.HasPrefix(r.Place, asPrefix), stored: true, verdict: v,
	}
	if len(r.Country) == 2 {
		e.country = [2]byte{r.Country[0], r.Country[1]}
	}
	return e, e.place() == r.Place
}

// latest is the device of another place than n's that was seen last; nil is none.
func latest(list []entry, n *entry) (last *entry) {
	for i := range list {
		if e := &list[i]; !e.samePlace(n) && (last == nil || e.last > last.last) {
			last = e
		}
	}
	return last
}

// leastKnown is the device to forget for another: one without an answer rather than one with, one seen on a single day
// rather than on several, so that a burst of made-up names cannot push out the owner's; then the one unseen for longest.
func leastKnown(list []entry) int {
	worth := func(e *entry) [2]bool { return [2]bool{e.verdict != unanswered, e.days > 1} }
	less := func(a, b *entry) bool {
		wa, wb := worth(a), worth(b)
		for i := range wa {
			if wa[i] != wb[i] {
				return wb[i]
			}
		}
		return a.last < b.last
	}
	least := 0
	for i := range list {
		if less(&list[i], &list[least]) {
			least = i
		}
	}
	return least
}

// cleanAgent makes a User-Agent fit to be stored and shown: printable, valid UTF-8, at most maxText bytes.
func cleanAgent(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s[:min(len(s), 2*maxText)])
	s = s[:min(len(s), maxText)]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return strings.Clone(strings.TrimSpace(s))
}
