package score

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ringfence/core/money"
)

// Table adds up outcomes by set of rules. The zero Table is empty.
type Table struct {
	sets  []Rules
	total []total
	runs  int
}

type total struct {
	classes    map[string]*class
	honest     int
	stopped    int
	restricted int
	months     float64
	kinds      map[string]int
}

type class struct {
	losses []money.Micro
	after  []time.Duration // until the first action, of attacks that met one
	inTime int             // acted on within three calls or a minute
	under  int             // £5
	whole  money.Micro
	loss   money.Micro
}

// Empty says that nothing was added.
func (t *Table) Empty() bool { return t.runs == 0 }

// worth is what an attack must take under ceilings and caps to be counted: what they stop by themselves says nothing.
const worth = 5 * money.Pound

// baseline is the set that says so.
const baseline = "ceilings and caps"

// Add counts the outcomes of a run through sets.
func (t *Table) Add(sets []Rules, outcomes []Outcome) {
	if t.sets == nil {
		t.sets = sets
		for range sets {
			t.total = append(t.total, total{classes: map[string]*class{}, kinds: map[string]int{}})
		}
	}
	t.runs++
	base := slices.IndexFunc(sets, func(r Rules) bool { return r.Name == baseline })
	worthy := map[string]bool{}
	for _, a := range outcomes[base].Attacks {
		worthy[a.Label] = a.Loss >= worth
	}
	for i := range outcomes {
		o, s := &outcomes[i], &t.total[i]
		s.honest, s.stopped, s.restricted, s.months = s.honest+o.Honest, s.stopped+o.Stopped, s.restricted+o.Restricted, s.months+o.LineMonths
		for kind, n := range o.StoppedKinds {
			s.kinds[kind] += n
		}
		for j := range o.Attacks {
			if a := &o.Attacks[j]; worthy[a.Label] {
				s.class(a.Class).add(a)
				s.class("").add(a)
			}
		}
	}
}

func (s *total) class(name string) *class {
	if s.classes[name] == nil {
		s.classes[name] = &class{}
	}
	return s.classes[name]
}

func (c *class) add(a *Attack) {
	c.losses = append(c.losses, a.Loss)
	c.whole, c.loss = c.whole+a.Whole, c.loss+a.Loss
	if a.Loss < worth {
		c.under++
	}
	if a.Acted {
		c.after = append(c.after, a.After)
		if a.Calls <= 3 || a.After <= time.Minute {
			c.inTime++
		}
	}
}

// Write writes the tables as Markdown: the sets beside each other, and the classes of attack under the last set.
func (t *Table) Write(to io.Writer) error {
	var b strings.Builder
	b.WriteString("| rules | loss of an attack: median | 9 in 10 below | worst | below £5 | honest calls stopped, of 100,000 | honest lines restricted |\n|---|---|---|---|---|---|---|\n")
	for i := range t.sets {
		s := &t.total[i]
		all := s.class("")
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.1f | %s |\n", t.sets[i].Name, pounds(at(all.losses, 0.5)), pounds(at(all.losses, 0.9)), pounds(at(all.losses, 1)),
			percent(all.under, len(all.losses)), per(s.stopped, s.honest), monthly(s.restricted, s.months))
	}
	last := &t.total[len(t.total)-1]
	if len(last.class("").losses) > 0 {
		t.classes(&b, last)
	}
	fmt.Fprintf(&b, "\n%d runs; %d honest calls, %.0f line-months", t.runs, last.honest, last.months)
	if len(last.kinds) > 0 {
		b.WriteString("; honest calls stopped by kind of customer: " + byKind(last.kinds))
	}
	b.WriteString(".\n")
	_, err := io.WriteString(to, b.String())
	return err
}

// classes writes a row for each class of attack under the last set.
func (t *Table) classes(b *strings.Builder, last *total) {
	fmt.Fprintf(b, "\n| attack, under %s | number | median without | median | 9 in 10 below | worst | first action: median | within 3 calls or a minute |\n|---|---|---|---|---|---|---|---|\n", t.sets[len(t.sets)-1].Name)
	base := slices.IndexFunc(t.sets, func(r Rules) bool { return r.Name == baseline })
	for _, name := range sortedNames(last.classes) {
		c := last.classes[name]
		fmt.Fprintf(b, "| %s | %d | %s | %s | %s | %s | %s | %s |\n", cmp.Or(name, "all"), len(c.losses), pounds(at(t.total[base].classes[name].losses, 0.5)), pounds(at(c.losses, 0.5)),
			pounds(at(c.losses, 0.9)), pounds(at(c.losses, 1)), first(c.after), percent(c.inTime, len(c.losses)))
	}
}

func sortedNames(all map[string]*class) (names []string) {
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func byKind(kinds map[string]int) string {
	var names []string
	for kind := range kinds {
		names = append(names, kind)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(kinds[b]-kinds[a], cmp.Compare(a, b)) })
	for i, kind := range names {
		names[i] = fmt.Sprintf("%s %d", kind, kinds[kind])
	}
	return strings.Join(names, ", ")
}

// at is the value below which a share of the values is.
func at[T cmp.Ordered](all []T, share float64) T {
	var none T
	if len(all) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// pounds is an amount to the penny.
func pounds(a money.Micro) string {
	const penny = money.Pound / 100
	return money.Sterling.Amount((a + penny/2) / penny * penny)
}

func percent(n, of int) string { return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(max(of, 1))) }

func per(n, of int) float64 { return 100_000 * float64(n) / float64(max(of, 1)) }

func monthly(n int, months float64) string {
	if n == 0 {
		return fmt.Sprintf("none in %.0f line-months", months)
	}
	return fmt.Sprintf("1 in %.0f line-months", months/float64(n))
}

func first(after []time.Duration) string {
	if len(after) == 0 {
		return "none"
	}
	return at(after, 0.5).Round(time.Second).String()
}
