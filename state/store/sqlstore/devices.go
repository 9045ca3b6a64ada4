package sqlstore

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"ringfence/state/store"
)

// Devices streams all devices by line, place and family.
func (s *Queries) Devices(ctx context.Context, yield func(store.Device) error) error {
	sql := `SELECT line, place, family, address, agent, country, asn, network, first_at, last_at, days, verdict FROM device
		ORDER BY line, place, family`
	return each(ctx, s.db, sql, nil, func(r Rows) error {
		var d store.Device
		var first, last int64
		err := r.Scan(&d.Line, &d.Place, &d.Family, &d.Address, &d.Agent, &d.Country, &d.ASN, &d.Network, &first, &last, &d.Count, &d.Verdict)
		if err != nil {
			return fmt.Errorf("reading devices: %w", err)
		}
		d.First, d.Last = instant(first), instant(last)
		return yield(d)
	})
}

// SaveDevices first drops, then puts devices. What the owner answered is not lost to a node that had not yet heard it.
func (s *Queries) SaveDevices(ctx context.Context, put, drop []store.Device, facts ...store.Fact) error {
	err := s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.ExecMany(ctx, "DELETE FROM device WHERE line = $1 AND place = $2 AND family = $3", len(drop), func(i int) []any {
			return deviceKey(&drop[i])
		})
		if err != nil {
			return err
		}
		sql := `INSERT INTO device (line, place, family, address, agent, country, asn, network, first_at, last_at, days, verdict)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
			ON CONFLICT (line, place, family) DO UPDATE SET address = excluded.address, agent = excluded.agent,
			country = excluded.country, asn = excluded.asn, network = excluded.network, first_at = excluded.first_at,
			last_at = excluded.last_at, days = excluded.days,
			verdict = CASE WHEN excluded.verdict = '' THEN device.verdict ELSE excluded.verdict END`
		_, err = tx.ExecMany(ctx, sql, len(put), func(i int) []any {
			d := &put[i]
			return append(deviceKey(d), d.Address, d.Agent, d.Country, d.ASN, d.Network, Micros(d.First), Micros(d.Last), d.Count, d.Verdict)
		})
		if err != nil {
			return err
		}
		return appendFacts(ctx, tx, facts)
	})
	if err != nil {
		return fmt.Errorf("saving devices: %w", err)
	}
	return nil
}

func deviceKey(d *store.Device) []any {
	return []any{store.Short(d.Line), store.Short(d.Place), store.Short(d.Family)}
}

// Bans streams all bans by network.
func (s *Queries) Bans(ctx context.Context, yield func(store.Ban) error) error {
	return each(ctx, s.db, "SELECT net, until, made, made_by, why FROM ban ORDER BY net", nil, func(r Rows) error {
		var b store.Ban
		var net string
		var until, made int64
		err := r.Scan(&net, &until, &made, &b.By, &b.Why)
		if err == nil {
			b.Net, err = netip.ParsePrefix(net)
		}
		if err != nil {
			return fmt.Errorf("reading bans: %w", err)
		}
		b.Until, b.Made = instant(until), instant(made)
		return yield(b)
	})
}

// SaveBans first drops, then puts bans.
func (s *Queries) SaveBans(ctx context.Context, put []store.Ban, drop []netip.Prefix, facts ...store.Fact) error {
	for i := range put {
		if !put[i].Net.IsValid() {
			return fmt.Errorf("a ban of no network: %w", store.ErrInvalid)
		}
	}
	err := s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.ExecMany(ctx, "DELETE FROM ban WHERE net = $1", len(drop), func(i int) []any {
			return []any{drop[i].Masked().String()}
		})
		if err != nil {
			return err
		}
		sql := `INSERT INTO ban (net, until, made, made_by, why) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (net) DO UPDATE SET
			until = excluded.until, made = excluded.made, made_by = excluded.made_by, why = excluded.why`
		_, err = tx.ExecMany(ctx, sql, len(put), func(i int) []any {
			b := &put[i]
			return []any{b.Net.Masked().String(), Micros(b.Until), Micros(b.Made), b.By, b.Why}
		})
		if err != nil {
			return err
		}
		return appendFacts(ctx, tx, facts)
	})
	if err != nil {
		return fmt.Errorf("saving bans: %w", err)
	}
	return nil
}

// ClearBans deletes bans that ended before an instant and says how many they were.
func (s *Queries) ClearBans(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		n, err = tx.Exec(ctx, "DELETE FROM ban WHERE until > 0 AND until < $1", Micros(before))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("clearing bans: %w", err)
	}
	return n, nil
}
