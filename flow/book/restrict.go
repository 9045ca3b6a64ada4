package book

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// restrictionsFrom is when ids of restrictions begin to count: they are seconds since then, so that none is used twice.
var restrictionsFrom = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// restricted is s with one restriction more, or without one, under mu. Those that have ended go with the next change.
func (b *Book) restricted(s account.Settings, add *restrict.Restriction, lift int64, now time.Time) (account.Settings, error) {
	if add == nil && lift == 0 {
		return s, nil
	}
	next, found := max(int64(now.Sub(restrictionsFrom)/time.Second), b.restriction+1), lift == 0
	kept := []restrict.Restriction{}
	for _, r := range s.Restrictions {
		next = max(next, r.ID+1)
		if found = found || r.ID == lift; r.ID != lift && !r.Ended(now) {
			kept = append(kept, r)
		}
	}
	if !found {
		return s, store.ErrNotFound
	}
	if add != nil {
		r := add
		if r.ID, r.Until = next, r.Until.UTC(); r.Since.IsZero() {
			r.Since = now.UTC().Truncate(time.Second)
		}
		if !r.Until.IsZero() && !r.Until.After(now) {
			return s, &Invalid{"until", r.Until.Format(time.RFC3339), "a time to come"}
		}
		if len(kept) >= account.MaxRestrictions || r.Finding == "" && !s.RoomForOwn(now) {
			return s, &Invalid{"restrictions", strconv.Itoa(len(kept) + 1), "at most " + strconv.Itoa(account.OwnRestrictions) + " beside those of findings: lift one first"}
		}
		kept, b.restriction = append(kept, *r), next
	}
	s.Restrictions = slices.Clip(kept)
	return s, nil
}

// answered is s with what a finding closes, if it is not there yet, and without what another one closed: ErrNotFound if it closed nothing here.
func (b *Book) answered(s account.Settings, closes []restrict.Restriction, vouched string, now time.Time) (account.Settings, error) {
	if vouched != "" {
		of := func(r restrict.Restriction) bool { return strings.HasPrefix(r.Finding, vouched) }
		if !slices.ContainsFunc(s.Restrictions, of) {
			return s, store.ErrNotFound
		}
		s.Restrictions = slices.DeleteFunc(slices.Clone(s.Restrictions), of)
	}
	if len(closes) > 0 && slices.ContainsFunc(s.Restrictions, func(r restrict.Restriction) bool { return r.Finding == closes[0].Finding }) {
		return s, nil
	}
	for _, r := range closes {
		var err error
		if s, err = b.restricted(s, &r, 0, now); err != nil {
			return s, err
		}
	}
	return s, nil
}

// RestrictEverybody adds a restriction of every line, or lifts one.
func (b *Book) RestrictEverybody(ctx context.Context, actor string, add *restrict.Restriction, lift int64) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	was, err := b.db.Everybody(ctx) // another node may have changed it a moment ago
	if err != nil {
		return err
	}
	now := time.Now()
	b.restriction = max(b.restriction, 1) // the configuration's has this id
	said, err := b.restricted(was, add, lift, now)
	if err != nil {
		return err
	}
	if err := said.Validate(account.LevelProvider); err != nil {
		return &Invalid{"settings", "", strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	f := factOf[fact.EverybodyChanged](now, actor, "", "", settingsFacts(was), settingsFacts(said))
	if err := b.wrote(b.db.PutEverybody(ctx, said, f)); err != nil {
		return err
	}
	b.publishEverybody(said)
	return nil
}

func (b *Book) loadEverybody(ctx context.Context) error {
	said, err := b.db.Everybody(ctx)
	if err == nil && !reflect.DeepEqual(said, b.said) {
		b.publishEverybody(said)
	}
	return err
}

// publishEverybody puts in force what is said of every line.
func (b *Book) publishEverybody(said account.Settings) {
	b.said = said
	b.publishProvider(b.provider.Load().with(said))
}

// endedBy is who lifts a restriction whose time is over.
const endedBy = "auto"

// EndRestrictions takes away the restrictions and the entries of hot lists whose time is over, so that the journal and the owners hear of it.
func (b *Book) EndRestrictions(ctx context.Context, now time.Time) error {
	ended := func(s *account.Settings) (id int64) {
		for i := range s.Restrictions {
			if r := &s.Restrictions[i]; r.Ended(now) {
				return r.ID
			}
		}
		return 0
	}
	for _, l := range b.lines.All() {
		if l.settings == nil {
			continue
		}
		if id := ended(l.settings); id != 0 {
			if _, err := b.EditLine(ctx, endedBy, l.id, LineEdit{Lift: id}); err != nil && !isGone(err) {
				return err
			}
		}
	}
	for _, c := range b.customers.All() {
		if id := ended(&c.entry.Load().Settings); id != 0 {
			if _, err := b.EditCustomer(ctx, endedBy, c.id, CustomerEdit{Lift: id}); err != nil && !isGone(err) {
				return err
			}
		}
	}
	if id := ended(b.Provider()); id != 0 {
		if err := b.RestrictEverybody(ctx, endedBy, nil, id); err != nil && !isGone(err) {
			return err
		}
	}
	return b.endHot(ctx, now)
}

func isGone(err error) bool { return errors.Is(err, store.ErrNotFound) }
