package book

import (
	"fmt"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/rating"
)

// provider is what stands above every customer; immutable.
type provider struct {
	configured         account.Settings
	settings           account.Settings // configured, with what the fraud desk says of every line
	zone               *time.Location
	tariff             string
	peakFrom, peakTill time.Duration
	strict             bool // see Options.Strict
}

func newProvider(o *Options) (*provider, error) {
	zone, err := loadZone(o.Zone)
	if err != nil {
		return nil, err
	}
	if err := o.Provider.Validate(account.LevelProvider); err != nil {
		return nil, fmt.Errorf("the provider's settings: %w", err)
	}
	if o.PeakFrom < 0 || o.PeakTill < 0 || o.PeakFrom > 24*time.Hour || o.PeakTill > 24*time.Hour {
		return nil, &Invalid{"peak hours", fmt.Sprint(o.PeakFrom, " to ", o.PeakTill), "times of a day"}
	}
	return &provider{o.Provider, o.Provider, zone, o.Tariff, o.PeakFrom, o.PeakTill, o.Strict}, nil
}

// with is the provider's word with what the fraud desk says of every line.
func (p *provider) with(said account.Settings) *provider {
	next := *p
	next.settings.Restrictions = slices.Concat(p.configured.Restrictions, said.Restrictions)
	return &next
}

func (p *provider) calendar(zone *time.Location) rating.Calendar {
	return rating.Calendar{Zone: zone, PeakFrom: p.peakFrom, PeakTill: p.peakTill}
}

// Provider is the provider's link of the settings chain; read only.
func (b *Book) Provider() *account.Settings { return &b.provider.Load().settings }

// Zone is the time zone of a customer, or the provider's where there is no such customer ("").
func (b *Book) Zone(customer string) *time.Location {
	if c, ok := b.customer(customer); ok {
		return c.entry.Load().zone
	}
	return b.provider.Load().zone
}

// SetProvider puts another Provider, Zone, Tariff, Strict and peak hours in force for everyone; the other options stay as they
// were. On an error nothing changes. Calls in progress keep their quotes.
func (b *Book) SetProvider(o Options) error {
	p, err := newProvider(&o)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.publishProvider(p.with(b.said))
	return nil
}

func (b *Book) publishProvider(p *provider) {
	b.provider.Store(p)
	var all []account.Customer
	for _, c := range b.customers.All() {
		all = append(all, c.entry.Load().Customer)
	}
	for _, a := range resellersFirst(all) {
		b.publishCustomer(a)
	}
	b.tell(Change{Kind: ProviderChanged})
}
