package book

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/state/store"
)

// deck is a loaded version; immutable.
type deck struct {
	head store.Deck
	rows *rating.Deck
}

// DeckHead describes one version of a deck.
type DeckHead = store.Deck

// wantedKind restricts which decks a field may name.
type wantedKind rating.Kind

const (
	retailOnly = wantedKind(rating.Retail)
	costOnly   = wantedKind(rating.Cost)
)

// checkDeck accepts "" and the name of a loaded deck of the kind.
func (b *Book) checkDeck(field, name string, kind wantedKind) error {
	if name == "" {
		return nil
	}
	d := (*b.decks.Load())[name]
	if d == nil || wantedKind(d.head.Kind) != kind {
		return &Invalid{field, clip(name), fmt.Sprintf("the name of a %s deck that was imported", kind)}
	}
	return nil
}

// Deck is the version in force of a deck.
func (b *Book) Deck(name string) (DeckHead, *rating.Deck, bool) {
	d := (*b.decks.Load())[name]
	if d == nil {
		return DeckHead{}, nil, false
	}
	return d.head, d.rows, true
}

// Decks are the heads of every version of every deck, newest first.
func (b *Book) Decks(ctx context.Context) ([]DeckHead, error) { return b.db.Decks(ctx) }

// DecksInForce are the heads of what is loaded, by name.
func (b *Book) DecksInForce() []DeckHead {
	out := []DeckHead{}
	for _, d := range *b.decks.Load() {
		out = append(out, d.head)
	}
	slices.SortFunc(out, func(x, y DeckHead) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// DeckRows are the prices of a version, by prefix; version 0 is the one in force.
func (b *Book) DeckRows(ctx context.Context, name string, version int64) ([]rating.Price, error) {
	if d := (*b.decks.Load())[name]; d != nil && (version == 0 || version == d.head.Version) {
		return d.rows.Prices(), nil
	}
	if version == 0 {
		return nil, store.ErrNotFound
	}
	rows, err := b.db.DeckRows(ctx, name, version)
	if err != nil {
		return nil, err
	}
	d, err := rating.Build(rows, nil) // for their order, and in case of a damaged row
	if err != nil {
		return nil, fmt.Errorf("deck %s version %d: %w", clip(name), version, err)
	}
	return d.Prices(), nil
}

// ReloadDecks reads from the store the newest version of each deck that is not loaded yet, and puts them in force
// together, without a stop. On an error the loaded ones stay.
func (b *Book) ReloadDecks(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reloadDecks(ctx)
}

func (b *Book) reloadDecks(ctx context.Context) error {
	heads, err := b.db.Decks(ctx)
	if err != nil {
		return err
	}
	newest := map[string]store.Deck{}
	for _, h := range heads {
		if h.Version > newest[h.Name].Version {
			newest[h.Name] = h
		}
	}
	old, table, foreign := b.decks.Load(), map[string]*deck{}, []DeckHead{}
	for name, h := range newest {
		if old != nil && (*old)[name] != nil && (*old)[name].head.Version == h.Version {
			table[name] = (*old)[name]
			continue
		}
		if h.Currency != money.Billing().Code {
			foreign = append(foreign, h) // its numbers mean something else here
			continue
		}
		rows, err := b.db.DeckRows(ctx, name, h.Version)
		if err != nil {
			return fmt.Errorf("deck %s: %w", name, err)
		}
		built, err := build(&h, rows)
		if err != nil {
			return fmt.Errorf("deck %s version %d: %w", name, h.Version, err)
		}
		table[name] = &deck{h, built}
	}
	b.decks.Store(&table)
	slices.SortFunc(foreign, func(x, y DeckHead) int { return strings.Compare(x.Name, y.Name) })
	b.foreign.Store(&foreign)
	b.tell(Change{Kind: DecksLoaded})
	return nil
}

// ForeignDecks are the newest versions of decks that are not in force, because they are in another currency than the
// provider's: they were imported before it was changed.
func (b *Book) ForeignDecks() []DeckHead {
	if list := b.foreign.Load(); list != nil {
		return *list
	}
	return nil
}

// build makes a deck of a version's rows and what was said of them.
func build(h *DeckHead, rows []rating.Price) (*rating.Deck, error) {
	covers, err := rating.ParseCovers(h.Covers)
	if err != nil {
		return nil, err
	}
	return rating.Build(rows, covers)
}

// PutDeck makes rows the next version of a deck, durably, and puts it in force.
func (b *Book) PutDeck(ctx context.Context, actor string, h DeckHead, rows []rating.Price) (DeckHead, error) {
	if err := b.begin(ctx); err != nil {
		return h, err
	}
	defer b.mu.Unlock()
	if err := b.checkDeckHead(h.Name, h.Kind); err != nil {
		return h, err
	}
	built, err := build(&h, rows)
	if err != nil {
		return h, &Invalid{"rows", "", err.Error()}
	}
	if built.Len() == 0 {
		return h, &Invalid{"rows", "", "at least one price"}
	}
	h.Currency = cmp.Or(h.Currency, money.Billing().Code)
	was := (*b.decks.Load())[h.Name]
	h.Version, h.Rows, h.By = 0, int64(built.Len()), clip(actor)
	if h.Imported.IsZero() {
		h.Imported = stamp()
	}
	after := parts{"rows": raw(h.Rows), "deck": raw(h.Name), "kind": raw(h.Kind), "source": raw(h.Source), "currency": raw(h.Currency)}
	if h.Exchange != "" {
		after["exchange"] = raw(h.Exchange)
	}
	if h.Mapping != "" {
		after["mapping"] = raw(h.Mapping)
	}
	var before parts
	if was != nil {
		before = parts{"rows": raw(was.head.Rows), "version": raw(was.head.Version), "source": raw(was.head.Source)}
	}
	h.Version, err = b.db.PutDeck(ctx, h, built.Prices(), factOf[fact.DeckImported](h.Imported, actor, "", "", before, after))
	if b.wrote(err) != nil {
		return h, err
	}
	table := maps.Clone(*b.decks.Load())
	table[h.Name] = &deck{h, built}
	b.decks.Store(&table)
	foreign := slices.DeleteFunc(slices.Clone(b.ForeignDecks()), func(old DeckHead) bool { return old.Name == h.Name })
	b.foreign.Store(&foreign)
	b.tell(Change{Kind: DecksLoaded})
	return h, nil
}

// RemoveDeck removes every version of a deck that nothing uses. Records keep the prices that their calls had.
func (b *Book) RemoveDeck(ctx context.Context, actor, name string) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	was := (*b.decks.Load())[name]
	if was == nil {
		return store.ErrNotFound
	}
	if users := b.deckUsers()[name]; len(users) > 0 {
		slices.Sort(users)
		if over := len(users) - maxUsersNamed; over > 0 {
			users = append(users[:maxUsersNamed], fmt.Sprintf("%d more", over))
		}
		return fmt.Errorf("%w: deck %s is the price list of %s; give them another first", store.ErrInUse, clip(name), strings.Join(users, ", "))
	}
	before := parts{"deck": raw(name), "kind": raw(was.head.Kind), "version": raw(was.head.Version), "rows": raw(was.head.Rows), "source": raw(was.head.Source)}
	if err := b.wrote(b.db.DeleteDeck(ctx, name, factOf[fact.DeckDeleted](stamp(), actor, "", "", before, nil))); err != nil {
		return err
	}
	table := maps.Clone(*b.decks.Load())
	delete(table, name)
	b.decks.Store(&table)
	b.tell(Change{Kind: DecksLoaded})
	return nil
}

// maxUsersNamed bounds how many users of a deck are named.
const maxUsersNamed = 5

// checkDeckHead: a deck has a plain name and never changes its kind, or customers would be charged cost prices.
func (b *Book) checkDeckHead(name string, kind rating.Kind) error {
	if kind != rating.Retail && kind != rating.Cost {
		return &Invalid{"kind", clip(string(kind)), "retail or cost"}
	}
	if len(name) > 64 || name == "" || strings.ContainsFunc(name, func(r rune) bool { return notHostRune(r) && r != '.' }) {
		return &Invalid{"name", clip(name), "1 to 64 letters, digits, '.', '_' or '-'"}
	}
	is := kind
	if d := (*b.decks.Load())[name]; d != nil {
		is = d.head.Kind
	}
	for _, h := range b.ForeignDecks() {
		if h.Name == name {
			is = h.Kind
		}
	}
	if is != kind {
		return &Invalid{"kind", string(kind), fmt.Sprintf("%s, which deck %s is; another kind needs another name", is, name)}
	}
	return nil
}

// Diff says what changed from one version of a deck to another. To 0 is the one in force; from 0 the one before, or an
// empty one. An instant compares only what is in force then; the zero one everything.
func (b *Book) Diff(ctx context.Context, name string, from, to int64, at time.Time) (fromV, toV int64, d rating.Difference, err error) {
	heads, err := b.db.Decks(ctx)
	if err != nil {
		return 0, 0, d, err
	}
	versions := map[int64]bool{}
	newest := int64(0)
	for _, h := range heads {
		if h.Name == name {
			versions[h.Version] = true
			newest = max(newest, h.Version)
		}
	}
	to = cmp.Or(to, newest)
	from = cmp.Or(from, to-1)
	if !versions[to] || from != 0 && !versions[from] {
		return 0, 0, d, fmt.Errorf("deck %s from version %d to %d: %w", clip(name), from, to, store.ErrNotFound)
	}
	var old []rating.Price
	if from > 0 {
		if old, err = b.DeckRows(ctx, name, from); err != nil {
			return 0, 0, d, err
		}
	}
	rows, err := b.DeckRows(ctx, name, to)
	if !at.IsZero() {
		old, rows = rating.InForceAt(old, at), rating.InForceAt(rows, at)
	}
	return from, to, rating.Diff(old, rows), err
}

// MissingTariffs are the retail decks that customers, or the provider for all of them, name but that are not loaded.
func (b *Book) MissingTariffs() []string {
	names := map[string]bool{b.provider.Load().tariff: true}
	for _, c := range b.customers.All() {
		names[c.entry.Load().tariff] = true
	}
	for name, d := range *b.decks.Load() {
		if d.head.Kind == rating.Retail {
			delete(names, name)
		}
	}
	return slices.Sorted(maps.Keys(names))
}
