package device

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ringfence/core/check"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// Errors of SetVerdict.
var (
	ErrNotFound = store.ErrNotFound
	ErrVerdict  = errors.New(`an answer about a device is "mine", "not-mine" or "" for none`)
)

// Usual says that the line's login was used rightly from that network within Options.Good, or that its owner said that it
// is theirs. A network that the owner disowned is not usual, whatever was right there. It allocates nothing.
func (d *Devices) Usual(line string, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return false
	}
	now := time.Now().UnixMicro()
	net := detect.Net(addr)
	s := d.shard(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	list, usual, looked := s.lines[line], false, false
	var asn uint32
	for i := range list {
		e := &list[i]
		here := detect.Net(e.addr) == net
		if here && e.verdict == notMine {
			return false
		}
		if !here && e.byAS {
			if !looked {
				asn, looked = d.o.Place(addr).ASN, true
			}
			here = e.asn == asn
		}
		usual = usual || here && (e.verdict == mine || e.verdict == unanswered && now-e.last <= d.o.Good.Microseconds())
	}
	return usual
}

// Own says that the line's login was used rightly from that very address within Options.Good, and its owner did not disown
// it. It allocates nothing.
func (d *Devices) Own(line string, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	since := time.Now().UnixMicro() - d.o.Good.Microseconds()
	s := d.shard(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.lines[line]
	for i := range list {
		if e := &list[i]; e.addr == addr && e.verdict != notMine && e.last >= since {
			return true
		}
	}
	return false
}

// Of lists the devices of a line, the one seen last first.
func (d *Devices) Of(line string) []store.Device {
	s := d.shard(line)
	s.mu.Lock()
	out := make([]store.Device, 0, len(s.lines[line]))
	for i := range s.lines[line] {
		out = append(out, s.lines[line][i].row(line))
	}
	s.mu.Unlock()
	slices.SortStableFunc(out, func(a, b store.Device) int { return b.Last.Compare(a.Last) })
	return out
}

// Len is how many devices are remembered.
func (d *Devices) Len() int { return int(d.count.Load()) }

// Check finds whether it is known where devices are.
func (d *Devices) Check() check.Findings {
	var out check.Findings
	files := 0
	if d.o.Files != nil {
		files = d.o.Files()
	}
	if files == 0 {
		out.Warn("geo", "no files of countries and networks: distant logins and hosting networks are not recognised; set geo.files")
	} else {
		out.OK("geo", "%s of countries and networks", check.Count(files, "file", "files"))
	}
	return out
}

// SetVerdict records what the owner answered about a device: Mine, NotMine, or "" for no answer. Family "" is every device
// of the line in that place. It is in force immediately, and durable when the error is nil; ErrNotFound: there is no such
// device (any more).
func (d *Devices) SetVerdict(ctx context.Context, line, place, family, answer, actor string) error {
	v, ok := parseVerdict(answer)
	if !ok {
		return fmt.Errorf("%w, not %.20q", ErrVerdict, answer)
	}
	disowned, found := d.answer(line, place, family, v, actor)
	if !found {
		return fmt.Errorf("device %.60q of line %s in %.60q: %w", family, line, place, ErrNotFound)
	}
	for _, a := range disowned {
		d.distrust(a)
	}
	return d.Flush(ctx)
}

// answer puts a verdict in force and gives the addresses that are not to be trusted for it any more.
func (d *Devices) answer(line, place, family string, v verdict, actor string) (disowned []netip.Addr, found bool) {
	s := d.shard(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.lines[line]
	for i := range list {
		e := &list[i]
		// The name of a place changes when its AS becomes known; a link in an older mail has the one before.
		if here := e.place() == place || detect.Net(e.addr).String() == place; !here || family != "" && e.family.Value() != family {
			continue
		}
		found = true
		if e.verdict == v {
			continue // the link was used again
		}
		e.verdict, e.dirty = v, true
		w := s.need(line)
		if v == unanswered { // an answer in the store is replaced by another, but not by none
			w.drop(line, e)
		}
		w.facts = append(w.facts, d.fact(time.Now(), line, &fact.DeviceVerdict{By: actor, Family: e.family.Value(), Place: place, Verdict: verdicts[v]}))
		d.waiting.Add(1)
		if v == notMine {
			disowned = append(disowned, e.addr)
		} else {
			d.trust(e)
		}
	}
	return disowned, found
}

// distrust forgets the history of an address, but for what other devices that nobody disowned have of it.
func (d *Devices) distrust(a netip.Addr) {
	d.trusted.forget(a)
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		for _, list := range s.lines {
			for j := range list {
				if e := &list[j]; e.addr == a && e.verdict != notMine {
					d.trust(e)
				}
			}
		}
		s.mu.Unlock()
	}
}

// Forget drops all that is known of a line, which was deleted. It does not wait for the store.
func (d *Devices) Forget(line string) {
	s := d.shard(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.lines[line]
	if w := s.work[line]; w != nil {
		d.waiting.Add(-int64(len(w.facts)))
		w.facts = nil
	}
	for i := range list {
		s.need(line).drop(line, &list[i])
	}
	d.count.Add(-int64(len(list)))
	delete(s.lines, line)
	s.told.Drop(line)
}
