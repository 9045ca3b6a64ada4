package ban

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/core/netlist"
)

// Imported is the result of importing a feed's list.
type Imported struct {
	Listed  int // entries of the list
	Held    int // of them, banned now for this feed's sake
	Added   int // of them, new
	Removed int // no longer on the feed's list
	// Left out, and why.
	Never, Exempt, Pardoned, Private, Ended, Full int
	Sample                                        []string // some of those left out, with the reason; at most 20
}

// LeftOut is how many entries of the list are not banned for this feed's sake.
func (i *Imported) LeftOut() int {
	return i.Never + i.Exempt + i.Pardoned + i.Private + i.Ended + i.Full
}

// String is the result in a line, for logs and the CLI.
func (i *Imported) String() string {
	s := fmt.Sprintf("%d banned (%d new), %d lifted", i.Held, i.Added, i.Removed)
	for _, left := range []struct {
		n   int
		why string
	}{
		{i.Exempt, "exempt"},
		{i.Never, "never to be banned"},
		{i.Pardoned, "removed by hand"},
		{i.Private, "private networks"},
		{i.Ended, "ended"},
		{i.Full, "more than can be kept"},
	} {
		if left.n > 0 {
			s += fmt.Sprintf(", left out %d: %s", left.n, left.why)
		}
	}
	return s
}

func (i *Imported) sample(p netip.Prefix, reason string) {
	if len(i.Sample) < 20 {
		i.Sample = append(i.Sample, netlist.Show(p)+": "+reason)
	}
}

// ValidFeed says whether a name can be a feed's: letters, digits, dots, dashes and underscores, at most 64.
func ValidFeed(name string) bool {
	return name != "" && len(name) <= 64 && strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	}) < 0
}

// Import bans what a feed lists, in place of what the same feed listed before, in one step. An empty list ends the feed.
// Left out are the exempt, networks with an exempt address inside, the operator's own list, what was removed by hand within
// a day, and private or loopback networks (lists of bogons hold them; single such addresses are taken). Entries without an
// end are held for a week from each import. Saved behind. Only a name that is none is an error.
func (l *List) Import(ctx context.Context, name string, entries []netlist.Entry) (Imported, error) {
	return l.ImportFor(ctx, name, entries, feedFor)
}

// ImportFor is Import with how long entries without an end are held.
func (l *List) ImportFor(ctx context.Context, name string, entries []netlist.Entry, life time.Duration) (Imported, error) {
	if !ValidFeed(name) {
		return Imported{}, fmt.Errorf("%w: %.80q is no name of a feed", ErrInvalid, name)
	}
	now := time.Now()
	result := Imported{Listed: len(entries)}
	wanted := l.admit(name, entries, &result, now, life)
	l.replace(byFeed+name, wanted, &result, now)
	_ = l.Flush(ctx) // logged there; what failed is tried again
	return result, nil
}

// ByHand is what the names of lists begin with that people import, so that no feed of the configuration replaces or ends them.
const ByHand = "import."

// KeepFeeds ends the bans of feeds that are not among names, those of the configuration. Lists that people imported stay.
func (l *List) KeepFeeds(ctx context.Context, names []string) {
	gone := map[string]bool{}
	l.mu.Lock()
	for _, h := range l.table.entries {
		for i := range h.claims {
			name, ok := strings.CutPrefix(h.claims[i].By, byFeed)
			if ok && !slices.Contains(names, name) && !strings.HasPrefix(name, ByHand) {
				gone[name] = true
			}
		}
	}
	l.mu.Unlock()
	for name := range gone {
		in, _ := l.Import(ctx, name, nil) // the name is one: it came from an import
		l.log.Info("a feed is no longer in the configuration: its bans are ended", "feed", name, "ended", in.Removed)
	}
}

// admit leaves out what a feed may not ban.
func (l *List) admit(name string, entries []netlist.Entry, result *Imported, now time.Time, life time.Duration) map[netip.Prefix]Entry {
	wanted := make(map[netip.Prefix]Entry, min(len(entries), l.o.Max))
	for _, e := range entries {
		p, _, err := netlist.Normal(e.Net)
		if err != nil || !e.Until.IsZero() && !e.Until.After(now) {
			result.Ended++
			continue
		}
		if n := l.neverHas(p); n.IsValid() {
			result.Never++
			result.sample(p, "never to be banned, says the configuration")
			continue
		}
		if !p.IsSingleIP() && private(p) {
			result.Private++
			result.sample(p, "a private network")
			continue
		}
		if s := l.exempt(p); s != nil {
			result.Exempt++
			result.sample(p, s.Error())
			continue
		}
		until := e.Until
		if until.IsZero() {
			until = now.Add(life)
		}
		if until.Sub(now) > Longest {
			until = now.Add(Longest)
		}
		if old, twice := wanted[p]; !twice || until.After(old.Until) {
			wanted[p] = Entry{Net: p, Until: until, Made: now, By: byFeed + name, Why: netlist.Clean(e.Why)}
		}
	}
	return wanted
}

// private says whether a network has to do with addresses that mean another machine everywhere.
func private(p netip.Prefix) bool {
	return slices.ContainsFunc(privateNets, p.Overlaps)
}

var privateNets = func() (list []netip.Prefix) {
	for _, s := range []string{"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::/96", "fc00::/7", "fe80::/10"} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}()

// replace makes wanted the claims of a feed. The caller does not hold mu.
func (l *List) replace(name string, wanted map[netip.Prefix]Entry, result *Imported, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := func(e Entry) bool { return e.By == name }
	for p, h := range l.table.entries {
		if h.claim(name) == nil {
			continue
		}
		if _, still := wanted[p]; !still {
			l.withdraw(h, mine, h.top.Until, now)
			l.dirty[p] = struct{}{}
			result.Removed++
		}
	}
	for p, e := range wanted {
		l.want(p, e, result, now)
	}
	if result.Added+result.Removed > 0 {
		l.record(now, &fact.BanFeed{
			Feed: strings.TrimPrefix(name, byFeed), Listed: int64(result.Listed), Added: int64(result.Added), Removed: int64(result.Removed),
			LeftOut: int64(result.LeftOut()), Sample: result.Sample[:min(10, len(result.Sample))],
		})
	}
}

// want takes one claim of a feed. A claim that is there is only written again if its end moved by much.
func (l *List) want(p netip.Prefix, e Entry, result *Imported, now time.Time) {
	if until, ok := l.pardons[p]; ok && until.After(now) {
		result.Pardoned++
		result.sample(p, "removed by hand")
		return
	}
	h := l.table.entries[p]
	if h != nil {
		if old := h.claim(e.By); old != nil {
			result.Held++
			if old.Why == e.Why && old.Until.Sub(e.Until).Abs() < max(time.Second, e.Until.Sub(now)/2) {
				return
			}
			e.Made = old.Made
			l.hold(e, now)
			l.dirty[p] = struct{}{}
			return
		}
	}
	if feeds := l.table.queues[feed]; h == nil && len(feeds) >= l.o.Max*3/4 && !e.Until.After(feeds[0].top.Until) {
		result.Full++
		return
	}
	if !l.hold(e, now) {
		result.Full++
		return
	}
	l.dirty[p] = struct{}{}
	result.Held++
	result.Added++
}
