package sqlstore

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ringfence/state/store"
)

var devices = table[store.Device]{
	"device", "devices", 3,
	"line, place, family, address, agent, country, asn, network, first_at, last_at, days, verdict",
	func(d *store.Device) []any {
		return []any{
			(*short)(&d.Line), (*short)(&d.Place), (*short)(&d.Family), &d.Address, &d.Agent, &d.Country, &d.ASN, &d.Network, &d.First,
			&d.Last, &d.Count, &d.Verdict,
		}
	},
}

var bans = table[store.Ban]{
	"ban", "bans", 1,
	"net, until, made, made_by, why",
	func(b *store.Ban) []any {
		return []any{(*network)(&b.Net), &b.Until, &b.Made, &b.By, &b.Why}
	},
}

// Devices streams all devices by line, place and family.
func (s *Queries) Devices(ctx context.Context, yield func(store.Device) error) error {
	return devices.stream(ctx, s.db, " ORDER BY line, place, family", nil, yield)
}

// SaveDevices first drops, then puts devices. What the owner answered is not lost to a node that had not yet heard it.
func (s *Queries) SaveDevices(ctx context.Context, put, drop []store.Device, facts ...store.Fact) error {
	upsert := strings.Replace(devices.upsert(), "verdict = excluded.verdict",
		"verdict = CASE WHEN excluded.verdict = '' THEN device.verdict ELSE excluded.verdict END", 1)
	return about("saving devices", s.db.Write(ctx, func(tx Tx) error {
		if err := devices.save(ctx, tx, upsert, put, drop); err != nil {
			return err
		}
		return appendFacts(ctx, tx, facts)
	}))
}

// Bans streams all bans by network.
func (s *Queries) Bans(ctx context.Context, yield func(store.Ban) error) error {
	return bans.stream(ctx, s.db, " ORDER BY net", nil, yield)
}

// SaveBans first drops, then puts bans.
func (s *Queries) SaveBans(ctx context.Context, put []store.Ban, drop []netip.Prefix, facts ...store.Fact) error {
	for i := range put {
		if !put[i].Net.IsValid() {
			return fmt.Errorf("a ban of no network: %w", store.ErrInvalid)
		}
	}
	gone := make([]store.Ban, len(drop))
	for i, net := range drop {
		gone[i].Net = net
	}
	return about("saving bans", s.db.Write(ctx, func(tx Tx) error {
		if err := bans.save(ctx, tx, bans.upsert(), put, gone); err != nil {
			return err
		}
		return appendFacts(ctx, tx, facts)
	}))
}

// ClearBans deletes bans that ended before an instant and says how many they were.
func (s *Queries) ClearBans(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		n, err = tx.Exec(ctx, "DELETE FROM ban WHERE until > 0 AND until < $1", Micros(before))
		return err
	})
	return n, about("clearing bans", err)
}
