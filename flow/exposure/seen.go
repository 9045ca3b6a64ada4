package exposure

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/flow/book"
	"ringfence/flow/location"
	"ringfence/state/store"
)

// Seen is what is known of a line from its own phones and calls. No network is probed.
type Seen struct {
	Phones   []Phone
	Places   []Place
	Password time.Time      // since when the line has its password, at least
	Abroad   bool           // it called abroad within the last year, or made more calls than were looked at
	Called   map[string]int // how often it called each country within the last year, as far as was looked
}

// Phone is a registered phone.
type Phone struct {
	Agent, Transport string
	Contact          string     // URI as registered
	From             netip.Addr // where it is
}

// Place is an address that the login was used from.
type Place struct {
	Address     string
	First, Last time.Time
}

// Eyes are where a desk looks. A nil function sees nothing.
type Eyes struct {
	Phones  func(line string, now time.Time) []location.Binding
	Devices func(line string) []store.Device // the one seen last first
	Records func(ctx context.Context, f store.CDRFilter) ([]call.CDR, error)
}

// See is what is known of a line. What it called is looked up once in an hour.
func (d *Desk) See(ctx context.Context, l *book.Line) (*Seen, error) {
	now, eyes := time.Now(), &d.o.Eyes
	seen := &Seen{Password: l.Created()}
	if former := d.o.Book.FormerHA1(l); len(former) > 0 {
		seen.Password = former[0].Until
	}
	if eyes.Phones != nil {
		for _, p := range eyes.Phones(l.ID(), now) {
			seen.Phones = append(seen.Phones, Phone{Agent: p.UserAgent, Transport: p.Transport, Contact: p.Contact, From: p.Received.Addr().Unmap()})
		}
	}
	if eyes.Devices != nil {
		for _, x := range eyes.Devices(l.ID()) {
			seen.Places = append(seen.Places, Place{Address: x.Address, First: x.First, Last: x.Last})
		}
	}
	h, err := d.called(ctx, l.ID(), now)
	seen.Abroad, seen.Called = h.abroad, h.countries
	return seen, err
}

// habits are what a line called within a year, as of an instant.
type habits struct {
	at        time.Time
	abroad    bool
	countries map[string]int // never written again
}

const (
	habitsFor  = time.Hour
	mostHabits = 10_000 // lines whose habits are kept
	// pagesLooked bounds how many records are looked at: with more, it is taken for granted that some were calls abroad.
	pagesLooked = 10
	pageLooked  = 1000
)

func (d *Desk) called(ctx context.Context, line string, now time.Time) (habits, error) {
	d.mu.Lock()
	h, known := d.habits[line]
	d.mu.Unlock()
	if known && now.Sub(h.at) < habitsFor {
		return h, nil
	}
	h, err := d.recall(ctx, line, now)
	if err != nil {
		return h, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.habits) >= mostHabits {
		clear(d.habits)
	}
	d.habits[line] = h
	return h, nil
}

func (d *Desk) recall(ctx context.Context, line string, now time.Time) (habits, error) {
	h := habits{at: now, countries: map[string]int{}}
	if d.o.Eyes.Records == nil {
		h.abroad = true
		return h, nil
	}
	f := store.CDRFilter{Line: line, Direction: call.Out, From: now.AddDate(-1, 0, 0), Limit: pageLooked}
	for range pagesLooked {
		records, err := d.o.Eyes.Records(ctx, f)
		if err != nil {
			return h, err
		}
		for i := range records {
			h.abroad = h.abroad || strings.HasPrefix(records[i].Class, "intl-") || records[i].Class == phone.Satellite.String()
			if !records[i].Refused {
				h.countries[records[i].Country]++
			}
		}
		if len(records) < pageLooked {
			return h, nil
		}
		f.Before = records[len(records)-1].ID
	}
	h.abroad = true
	return h, nil
}
