package restrict

import "time"

// Edges are the instants from one to another at which the hours may begin or end, by the clocks of a zone (nil is UTC), in no order; there may be
// more. A time of day that a change of the clocks repeats is there twice.
func (h *Hours) Edges(from, until time.Time, zone *time.Location) (all []time.Time) {
	if zone == nil {
		zone = time.UTC
	}
	if len(h.spans) == 0 {
		return nil
	}
	add := func(at time.Time) {
		if at.After(from) && at.Before(until) {
			all = append(all, at)
		}
	}
	year, month, day := from.In(zone).Date()
	for date := time.Date(year, month, day-1, 0, 0, 0, 0, time.UTC); date.Before(until.Add(36 * time.Hour)); date = date.AddDate(0, 0, 1) {
		noon := date.Add(12 * time.Hour)
		for _, beside := range [...]time.Time{noon.Add(-26 * time.Hour), noon.Add(26 * time.Hour)} { // offsets of the zone before and after
			_, offset := beside.In(zone).Zone()
			here := date.Add(-time.Duration(offset) * time.Second)
			add(here)
			for i := range h.spans {
				add(here.Add(h.spans[i].from))
				add(here.Add(h.spans[i].until))
			}
		}
	}
	for at := from; ; {
		_, end := at.In(zone).ZoneBounds()
		if end.IsZero() || !end.Before(until) {
			return all
		}
		add(end)
		at = end
	}
}
