package book

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// Names of hot lists. Those of feeds begin with HotFeed.
const (
	HotDesk = "desk" // what is added without a name
	HotFeed = "feed:"
)

// Hot is every hot list; nil is none.
func (b *Book) Hot() *restrict.Hot { return b.hot.Load() }

func (b *Book) loadHot(ctx context.Context) error {
	var all []restrict.Listed
	texts := map[string]string{}
	one := func(text string) string { // 100,000 entries of a list share its name
		if _, there := texts[text]; !there {
			texts[text] = text
		}
		return texts[text]
	}
	err := b.db.HotNumbers(ctx, func(l restrict.Listed) error {
		l.List, l.By, l.Why, l.Way = one(l.List), one(l.By), one(l.Why), restrict.Way(one(string(l.Way)))
		all = append(all, l)
		return nil
	})
	if err == nil {
		b.hot.Store(restrict.HotOf(all))
	}
	return err
}

// checkHot says what is wrong with an entry that people or feeds bring.
func (b *Book) checkHot(l *restrict.Listed, now time.Time) error {
	switch numbers := l.Range.String(); {
	case strings.HasPrefix(b.plan.Home(), numbers):
		return &Invalid{"range", numbers, "longer: these are all numbers of the home country"}
	case l.Range.Idle():
		return &Invalid{"range", numbers, "a range that numbers begin with: +44843, without the 0 of 0843"}
	case l.Ended(now):
		return &Invalid{"until", l.Until.Format(time.RFC3339), "a time to come"}
	}
	if err := l.Check(); err != nil {
		return &Invalid{"range", l.Range.String(), err.Error()}
	}
	return nil
}

// AddHot puts a range on a hot list, in place of an entry of that list for the same range.
func (b *Book) AddHot(ctx context.Context, actor string, l restrict.Listed) (restrict.Listed, error) {
	now := time.Now()
	l.By, l.Made, l.Until = clip(actor), now.UTC().Truncate(time.Second), l.Until.UTC()
	if strings.HasPrefix(l.List, HotFeed) {
		return l, &Invalid{"list", l.List, "a list that is no feed's"}
	}
	if err := b.checkHot(&l, now); err != nil {
		return l, err
	}
	if err := b.begin(ctx); err != nil {
		return l, err
	}
	defer b.mu.Unlock()
	_, replaced := b.Hot().Of(l.List, l.Range)
	if !replaced && b.Hot().Len() >= restrict.MaxListed {
		return l, &Invalid{"range", l.Range.String(), fmt.Sprintf("at most %d entries of all lists: remove some first", restrict.MaxListed)}
	}
	f := fact.HotAdded{List: l.List, Range: l.Range.String(), Direction: string(l.Way), Until: l.Until, By: l.By, Why: l.Why, Replaced: replaced}
	return l, b.saveHot(ctx, []restrict.Listed{l}, nil, f.Row(now, fact.Subject{}))
}

// RemoveHot takes a range off a hot list. What a feed lists is not forgotten but exempted, until the feed lists it no more: the feed would
// bring it back.
func (b *Book) RemoveHot(ctx context.Context, actor, list string, r restrict.Range, why string) (restrict.Listed, error) {
	if err := b.begin(ctx); err != nil {
		return restrict.Listed{}, err
	}
	defer b.mu.Unlock()
	l, ok := b.Hot().Of(list, r)
	if !ok || l.Way == restrict.Off {
		return l, store.ErrNotFound
	}
	now := time.Now()
	f := fact.HotRemoved{List: l.List, Range: r.String(), Direction: string(l.Way), By: clip(actor), Why: clip(why)}
	row := f.Row(now, fact.Subject{})
	if !strings.HasPrefix(list, HotFeed) {
		return l, b.saveHot(ctx, nil, []restrict.Listed{l}, row)
	}
	off := l
	off.Way, off.By, off.Why, off.Made = restrict.Off, f.By, f.Why, now.UTC().Truncate(time.Second)
	return l, b.saveHot(ctx, []restrict.Listed{off}, nil, row)
}

// saveHot writes a change and puts it in force, under mu.
func (b *Book) saveHot(ctx context.Context, put, drop []restrict.Listed, facts ...store.Fact) error {
	if err := b.wrote(b.db.SaveHotNumbers(ctx, put, drop, facts...)); err != nil {
		return err
	}
	b.hot.Store(b.Hot().With(put, drop))
	return nil
}

// HotImport says what became of a list.
type HotImport struct {
	Listed, Held, Added, Changed, Removed, LeftOut, Exempt int
	Sample                                                 []string // of what was left out, with the reason
}

// String is a sentence without its end.
func (i *HotImport) String() string {
	text := fmt.Sprintf("%d listed, %d in force; %d new, %d changed, %d removed", i.Listed, i.Held, i.Added, i.Changed, i.Removed)
	if i.Exempt > 0 {
		text += fmt.Sprintf(", %d exempted by staff", i.Exempt)
	}
	if i.LeftOut > 0 {
		text += fmt.Sprintf(", %d left out", i.LeftOut)
	}
	return text
}

// ImportHot makes entries the whole of a list, in place of what was on it before: all of it, or nothing.
func (b *Book) ImportHot(ctx context.Context, actor, list string, entries []restrict.Listed) (HotImport, error) {
	now := time.Now()
	if !restrict.ValidList(list) {
		return HotImport{}, &Invalid{"list", clip(list), "letters, digits, dots, dashes and underscores"}
	}
	if err := b.begin(ctx); err != nil {
		return HotImport{}, err
	}
	defer b.mu.Unlock()
	m := hotMerge{result: HotImport{Listed: len(entries)}, was: map[restrict.Range]restrict.Listed{}, wanted: map[restrict.Range]bool{}}
	for l := range b.Hot().Each {
		if l.List == list {
			m.was[l.Range] = *l
		}
	}
	m.room = restrict.MaxListed - (b.Hot().Len() - len(m.was))
	for _, l := range entries {
		l.List, l.By, l.Made, l.Until = list, clip(actor), now.UTC().Truncate(time.Second), l.Until.UTC()
		if err := b.checkHot(&l, now); err != nil {
			m.leave(l.Range, err.Error())
		} else {
			m.want(l, now)
		}
	}
	drop := m.drop()
	if m.result.Removed = len(drop); len(m.put)+len(drop) == 0 {
		return m.result, nil
	}
	f := fact.HotImported{
		List: list, By: clip(actor), Listed: int64(m.result.Listed), Added: int64(m.result.Added), Removed: int64(m.result.Removed),
		LeftOut: int64(m.result.LeftOut), Sample: m.result.Sample,
	}
	return m.result, b.saveHot(ctx, m.put, drop, f.Row(now, fact.Subject{}))
}

// hotMerge compares a list with what was on it.
type hotMerge struct {
	result HotImport
	was    map[restrict.Range]restrict.Listed
	wanted map[restrict.Range]bool
	room   int
	put    []restrict.Listed
}

func (m *hotMerge) leave(r restrict.Range, why string) {
	if m.result.LeftOut++; len(m.result.Sample) < 10 {
		m.result.Sample = append(m.result.Sample, r.String()+": "+why)
	}
}

// want takes an entry of the new list.
func (m *hotMerge) want(l restrict.Listed, now time.Time) {
	if len(m.wanted) >= m.room && !m.wanted[l.Range] {
		m.leave(l.Range, "as many entries as can be kept: "+strconv.Itoa(restrict.MaxListed))
		return
	}
	m.wanted[l.Range] = true
	switch old, there := m.was[l.Range]; {
	case there && old.Way == restrict.Off:
		m.result.Exempt++
		return
	case !there:
		m.result.Added++
		m.put = append(m.put, l)
	case changedHot(&old, &l, now):
		m.result.Changed++
		l.Made = old.Made
		m.put = append(m.put, l)
	}
	m.result.Held++
}

// drop is what is on the list no more.
func (m *hotMerge) drop() (gone []restrict.Listed) {
	for r, l := range m.was {
		if !m.wanted[r] {
			gone = append(gone, l)
		}
	}
	return gone
}

// changedHot says that an entry is to be written again. A feed whose entries last so many days from each reading moves their ends each time,
// which is written when they have moved by much.
func changedHot(old, l *restrict.Listed, now time.Time) bool {
	if old.Way != l.Way || old.Why != l.Why || old.Until.IsZero() != l.Until.IsZero() {
		return true
	}
	return !l.Until.IsZero() && old.Until.Sub(l.Until).Abs() >= max(time.Second, l.Until.Sub(now)/2)
}

// KeepHotFeeds ends the lists of feeds that are not among names, those of the configuration.
func (b *Book) KeepHotFeeds(ctx context.Context, names []string) error {
	for _, list := range b.HotLists() {
		name, ok := strings.CutPrefix(list, HotFeed)
		if !ok || slices.Contains(names, name) {
			continue
		}
		if _, err := b.ImportHot(ctx, endedBy, list, nil); err != nil {
			return err
		}
	}
	return nil
}

// HotLists are the names of the lists that have entries.
func (b *Book) HotLists() []string {
	names := map[string]bool{}
	for l := range b.Hot().Each {
		names[l.List] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// endHot forgets entries whose time is over. Other nodes do the same, so that no fact is needed.
func (b *Book) endHot(ctx context.Context, now time.Time) error {
	var gone []restrict.Listed
	for l := range b.Hot().Each {
		if l.Ended(now) {
			gone = append(gone, *l)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	gone = slices.DeleteFunc(gone, func(l restrict.Listed) bool { // it may have been added again
		is, ok := b.Hot().Of(l.List, l.Range)
		return !ok || !is.Ended(now)
	})
	return b.saveHot(ctx, nil, gone)
}
