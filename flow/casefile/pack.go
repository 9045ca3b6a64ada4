package casefile

import (
	"cmp"
	"context"
	_ "embed" // faults.txt
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/liability"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/core/rerate"
)

//go:embed faults.txt
var faultsText string

// knownSince are the faults that were not corrected before the day of an instant, also those that were found later: they were in the program then.
func knownSince(text string, from time.Time) (out []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		fields := strings.SplitN(line, " ", 4)
		if strings.HasPrefix(line, "#") || len(fields) < 4 {
			continue
		}
		closed, open := time.Parse(time.DateOnly, fields[1])
		if open == nil && closed.AddDate(0, 0, 1).Before(from) { // it was there on the day on which it was closed
			continue
		}
		out = append(out, line)
	}
	return out
}

// period is the time that the pack is about, in words: an empty list must say of which days it is empty.
func (d *document) period() string {
	if d.from.IsZero() {
		return fmt.Sprintf("up to %s, when this file was made (the case has no calls)", stamp(d.now))
	}
	return fmt.Sprintf("from the first call of the case, %s, to %s, when this file was made", stamp(d.from), stamp(d.now))
}

// days are those of the calls, in words.
func (d *document) days() string {
	if d.from.IsZero() {
		return "before this file was made (the case has no calls)"
	}
	return fmt.Sprintf("between the first call of the case, %s, and the end of the last, %s", stamp(d.from), stamp(d.until))
}

func (d *document) noFaults() string {
	return "No fault of the program is known that was open " + d.days() + ", or that was found since and was in it then."
}

func (d *document) noChanges() string {
	return "No change of the program is recorded for the time " + d.period() + ": this build has no changelog."
}

// checksThen says which self-tests the file cannot have. The program keeps no results, so those of the days of the calls are none.
func (d *document) checksThen() string {
	return "No self-test is recorded for the days of the calls (" + d.days() + "): the program keeps no results of earlier ones."
}

func (d *document) noChecks() string {
	return "No self-test is recorded for the time " + d.period() + "."
}

func (d *document) faults() []string { return knownSince(faultsText, d.from) }

func (d *document) faultsFile() string {
	if all := d.faults(); len(all) > 0 {
		return strings.Join(all, "\n") + "\n"
	}
	return d.noFaults() + "\n"
}

func (d *document) changesFile() string {
	if strings.TrimSpace(d.q.Changes) == "" {
		return d.noChanges() + "\n"
	}
	return d.q.Changes
}

func (d *document) checksFile() string {
	if strings.TrimSpace(d.q.Checks) == "" {
		return d.noChecks() + "\n"
	}
	return strings.TrimRight(d.q.Checks, "\n") + "\n\n" + d.checksThen() + "\n"
}

// software is what this program was built from.
func software(version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version %s\n", version)
	if info, ok := debug.ReadBuildInfo(); ok {
		fmt.Fprintf(&b, "go %s\nmodule %s %s\n", info.GoVersion, info.Main.Path, info.Main.Version)
		for _, s := range info.Settings {
			if strings.HasPrefix(s.Key, "vcs") || s.Key == "GOOS" || s.Key == "GOARCH" {
				fmt.Fprintf(&b, "%s %s\n", s.Key, s.Value)
			}
		}
		for _, d := range info.Deps {
			fmt.Fprintf(&b, "uses %s %s %s\n", d.Path, d.Version, d.Sum)
		}
	}
	return b.String()
}

// Recount is what the second rater says of a call.
type Recount struct {
	Call   call.ID
	First  money.Micro // as charged
	Second money.Micro
	Note   string // why there is no second price; "" is none
}

// Agrees says that both raters came to the same sum.
func (r *Recount) Agrees() bool { return r.Note == "" && r.First == r.Second }

// recount prices calls again, from the price list that was in force when each began, by core/rerate.
func (c *Casefile) recount(ctx context.Context, r *reading) ([]Recount, error) {
	decks, err := c.decks(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Recount, 0, len(r.records))
	for i := range r.records {
		cdr := &r.records[i]
		x := Recount{Call: cdr.ID, First: cdr.Retail}
		switch p, week, ok := c.priceOf(decks, cdr); {
		case cdr.AnsweredAt.IsZero() || cdr.Direction == call.In:
		case cdr.Direction == call.Between || cdr.Class == "emergency":
		case !ok:
			x.Note = "the price list that it was priced by is not stored any more"
		default:
			sum := rerate.Cost(&rerate.Call{Price: p, Week: week, Start: cdr.AnsweredAt, Talk: cdr.Talk})
			if !sum.IsInt64() {
				x.Note = "the sum is beyond all bounds"
				break
			}
			x.Second = money.Micro(sum.Int64())
		}
		out = append(out, x)
	}
	return out, nil
}

type deckVersion struct {
	since time.Time
	rows  map[string][]rating.Price
}

func (c *Casefile) decks(ctx context.Context) (map[string][]deckVersion, error) {
	heads, err := c.o.Store.Decks(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]deckVersion{}
	for _, h := range heads {
		if h.Kind != rating.Retail {
			continue
		}
		rows, err := c.o.Store.DeckRows(ctx, h.Name, h.Version)
		if err != nil {
			return nil, err
		}
		v := deckVersion{h.Imported, map[string][]rating.Price{}}
		for i := range rows {
			v.rows[rows[i].Digits()] = append(v.rows[rows[i].Digits()], rows[i])
		}
		out[h.Name] = append(out[h.Name], v)
	}
	for _, all := range out {
		slices.SortFunc(all, func(a, b deckVersion) int { return b.since.Compare(a.since) })
	}
	return out, nil
}

// priceOf is the row of the price list that a record names, as the second rater reads it.
func (c *Casefile) priceOf(decks map[string][]deckVersion, cdr *call.CDR) (p rerate.Price, w rerate.Week, ok bool) {
	ln, known := c.o.Book.Line(cdr.Line)
	if !known {
		return p, w, false
	}
	_, cal := ln.Retail()
	w = rerate.Week{Zone: cal.Zone, PeakFrom: cal.PeakFrom, PeakUntil: cal.PeakTill}
	for _, v := range decks[ln.Tariff()] {
		if v.since.After(cdr.Begun) {
			continue
		}
		for i := range v.rows[cdr.Prefix] {
			row := &v.rows[cdr.Prefix][i]
			if row.Name == cdr.Rate && row.InForce(rating.MomentOf(cdr.Begun)) {
				return rerate.Price{
					Connect: int64(row.Connect), Minimum: int64(row.Minimum), Peak: int64(row.Rates[rating.Peak]), OffPeak: int64(row.Rates[rating.OffPeak]),
					Weekend: int64(row.Rates[rating.Weekend]), First: int64(row.First), Step: int64(row.Step),
				}, w, true
			}
		}
		break
	}
	return p, w, false
}

// span is when the first call of a case began and the last ended.
func (r *reading) span() (from, until time.Time) {
	for i := range r.records {
		c := &r.records[i]
		if from.IsZero() || c.Begun.Before(from) {
			from = c.Begun
		}
		if c.Ended.After(until) {
			until = c.Ended
		}
	}
	return from, until
}

// words is the statement of promises that the verdicts of a case follow.
func words(all []liability.Verdict) []liability.Ruling {
	if len(all) == 0 {
		return nil
	}
	first := slices.MinFunc(all, func(a, b liability.Verdict) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return first.Findings
}
