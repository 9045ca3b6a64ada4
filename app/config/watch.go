package config

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/habit"
	"ringfence/core/money"
)

// Rules are the rules of a valid configuration that watch calls, with as much trust as replay has in them.
func (c *Config) Rules() *habit.Rules {
	r, _ := c.rules()
	return r
}

// LiveRules are the same with as much trust as a server has in them; nil: nothing is watched.
func (c *Config) LiveRules() *habit.Rules {
	live := *c
	if live.Watch.Calls = cmp.Or(live.Watch.Calls, habit.Shadow.String()); live.Watch.Calls == habit.Off.String() {
		return nil
	}
	return live.Rules()
}

// entry is a setting of [watch] and how it is read and said.
type entry struct {
	key  string // below watch.
	want string
	read func(r *habit.Rules, text string, c money.Currency) bool
	say  func(r *habit.Rules) string
}

// longest bounds what is a length of time.
const longest = 90 * 24 * time.Hour

var entries = func() (all []entry) {
	all = append(all,
		amount("little", 0, func(r *habit.Rules) *money.Micro { return &r.Little }),
		factor("headroom", func(r *habit.Rules) *uint16 { return &r.Headroom }),
		entry{
			"learning", "a whole number of days from 1 to 90",
			func(r *habit.Rules, text string, _ money.Currency) bool {
				n, err := strconv.Atoi(text)
				r.Learning = n
				return err == nil && n >= 1 && n <= 90
			},
			func(r *habit.Rules) string { return strconv.Itoa(r.Learning) },
		},
		minutes("lasts.pace", longest, func(r *habit.Rules) *uint32 { return &r.PaceLasts }),
	)
	for kind := range habit.NumMeters {
		name := kind.String() + "."
		meter := func(r *habit.Rules) *habit.Meter { return &r.Meters[kind] }
		all = append(
			all, amount(name+"floor", money.Pound/100, func(r *habit.Rules) *money.Micro { return &meter(r).Floor }),
			span(name+"memory", 10*time.Minute, longest, func(r *habit.Rules) *time.Duration { return &meter(r).Memory }),
			word(name+"life", habit.Lives(), func(r *habit.Rules) *habit.Life { return &meter(r).Life }),
			word(name+"first", habit.Closings(), func(r *habit.Rules) *habit.Step { return &meter(r).First }),
		)
	}
	for sign := range habit.NumSigns {
		all = append(all, factor("signs."+sign.String(), func(r *habit.Rules) *uint16 { return &r.Signs[sign] }))
	}
	for _, step := range habit.Closings() {
		all = append(all, minutes("lasts."+step.String(), habit.LongestAnswer, func(r *habit.Rules) *uint32 { return &r.Lasts[step] }))
	}
	return all
}()

func amount(key string, least money.Micro, at func(*habit.Rules) *money.Micro) entry {
	want := `an amount ("3", "2.50")`
	if least > 0 {
		want += " of at least " + least.String()
	}
	return entry{
		key, want, func(r *habit.Rules, text string, c money.Currency) (ok bool) {
			a, err := c.ParseAmount(text)
			*at(r) = a
			return err == nil && a >= least && a <= 1_000_000*money.Pound
		},
		func(r *habit.Rules) string { return strings.TrimSuffix(at(r).String(), ".00") },
	}
}

func factor(key string, at func(*habit.Rules) *uint16) entry {
	return entry{
		key, `a factor from 1 to 16 ("1.5")`, func(r *habit.Rules, text string, _ money.Currency) bool {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil || !(f >= 1 && f <= 16) {
				return false
			}
			*at(r) = uint16(math.Round(f * 256))
			return true
		},
		func(r *habit.Rules) string { return factorText(*at(r)) },
	}
}

// factorText is the shortest text that is read as a factor.
func factorText(n uint16) string {
	for places := 0; ; places++ {
		text := strconv.FormatFloat(float64(n)/256, 'f', places, 64)
		if f, _ := strconv.ParseFloat(text, 64); math.Round(f*256) == float64(n) {
			return text
		}
	}
}

func span(key string, least, most time.Duration, at func(*habit.Rules) *time.Duration) entry {
	return entry{
		key, fmt.Sprintf(`a length of time ("90m", "72h") from %s to %s`, Duration{least}, Duration{most}),
		func(r *habit.Rules, text string, _ money.Currency) bool {
			d, err := time.ParseDuration(text)
			*at(r) = d
			return err == nil && d >= least && d <= most
		},
		func(r *habit.Rules) string { return Duration{*at(r)}.String() },
	}
}

func minutes(key string, most time.Duration, at func(*habit.Rules) *uint32) entry {
	var d time.Duration
	e := span(key, time.Minute, most, func(*habit.Rules) *time.Duration { return &d })
	return entry{
		key, e.want, func(r *habit.Rules, text string, c money.Currency) bool {
			var d time.Duration
			e := span(key, time.Minute, most, func(*habit.Rules) *time.Duration { return &d })
			ok := e.read(r, text, c)
			*at(r) = uint32(d / time.Minute)
			return ok
		},
		func(r *habit.Rules) string { return Duration{time.Duration(*at(r)) * time.Minute}.String() },
	}
}

func word[T fmt.Stringer](key string, all []T, at func(*habit.Rules) *T) entry {
	words := make([]string, len(all))
	for i, x := range all {
		words[i] = x.String()
	}
	return entry{
		key, quoted(words, " or "), func(r *habit.Rules, text string, _ money.Currency) bool {
			i := slices.Index(words, text)
			if i >= 0 {
				*at(r) = all[i]
			}
			return i >= 0
		},
		func(r *habit.Rules) string { return (*at(r)).String() },
	}
}

// field is where an entry stands in a configuration.
func (e *entry) field(w *Watch) reflect.Value {
	f, _ := fieldOf("watch." + e.key)
	return reflect.ValueOf(w).Elem().FieldByIndex(f.index[1:])
}

// say writes the settings that rules have.
func (w *Watch) say(r *habit.Rules) {
	for i := range entries {
		entries[i].field(w).SetString(entries[i].say(r))
	}
}

// rules reads [watch].
func (c *Config) rules() (*habit.Rules, Faults) {
	r := habit.Default()
	currency, err := money.CurrencyOf(c.Provider.Currency)
	if err != nil {
		return r, nil // the currency itself is the fault
	}
	var faults Faults
	for i := range entries {
		e := &entries[i]
		if text := e.field(&c.Watch).String(); !e.read(r, strings.TrimSpace(text), currency) {
			faults = append(faults, Fault{Key: "watch." + e.key, Problem: "found " + strconv.Quote(clip(text)), Want: e.want})
		}
	}
	if life := slices.IndexFunc(habit.Lives(), func(l habit.Life) bool { return l.String() == c.Watch.Calls }); life >= 0 {
		r = r.AtMost(habit.Lives()[life])
	}
	return r, faults
}

// watch refuses what cannot be read, and rules that can never fire.
func (v *validator) watch() {
	r, faults := v.c.rules()
	settings, more := v.c.Provider.parse()
	faults = slices.DeleteFunc(faults, func(f Fault) bool { // what the tags have said
		return slices.ContainsFunc(v.faults, func(o Fault) bool { return o.Key == f.Key })
	})
	if v.faults = append(v.faults, faults...); len(faults)+len(more) > 0 {
		return
	}
	usual, caps := habit.Default(), account.Resolve(time.Time{}, &settings).Values
	for kind := range habit.NumMeters {
		m, spent := &r.Meters[kind], caps[account.LineMonthCap]
		if kind.Whole() {
			spent = caps[account.AccountMonthCap]
		}
		if m.Life == habit.Off || spent == 0 {
			continue
		}
		key, most := "watch."+kind.String()+".", r.Most(kind, money.Micro(spent))
		if most == 0 {
			v.faults = append(v.faults, Fault{Key: key + "life", Problem: "can never fire: it counts calls that show two signs, and fewer are on", Want: `"off", or more factors above 1 in watch.signs`})
		} else if m.Floor > most && m.Floor != usual.Meters[kind].Floor { // a low cap asks nobody to lower what is built in
			v.bad(key+"floor", m.Floor.String(), "at most "+most.String()+": no line spends enough under the caps of provider.settings, so it can never fire")
		}
	}
}
