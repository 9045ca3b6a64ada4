package replay

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"ringfence/core/money"
)

//go:embed report.html
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"money": func(m money.Micro) string { return money.Billing().Shown(m) },
	"day":   func(t time.Time) string { return t.Format(time.DateOnly) },
	"after": func(a Attack) string {
		if a.StoppedAt.IsZero() {
			return "never"
		}
		return a.After.Round(time.Second).String()
	},
	"percent": func(k Kept) string { return fmt.Sprintf("%.1f", 100*float64(k.Stopped)/float64(max(k.Calls, 1))) },
	"full":    func(i int, sets []*Tally) bool { return i == 0 || len(sets) <= manySets },
	"sums":    sums,
	"beside":  beside,
	"rate":    func(n *Named) string { return fmt.Sprintf("%.1f", 1e5*float64(n.Stopped())/float64(max(n.Calls, 1))) },
	"bars":    bars,
	"group": func(title, head string, rows []Named) group {
		return grouped(title, head, rows)
	},
}).Parse(pageText))

// pageRows is how many rows of a table the page shows.
const pageRows = 100

// group is a table of the page.
type group struct {
	Title, Head string
	Rows        []row
	All         int
}

// row has its money as parts of the most that a row has, in hundredths.
type row struct {
	Named
	Let, Saved float64
}

func grouped(title, head string, rows []Named) group {
	g := group{title, head, nil, len(rows)}
	most := most(rows)
	for _, n := range rows[:min(len(rows), pageRows)] {
		g.Rows = append(g.Rows, row{n, 100 * float64(n.Let) / most, 100 * float64(n.Saved) / most})
	}
	return g
}

// most is the money of the row that has most, and at least something.
func most(rows []Named) float64 {
	m := money.Micro(1)
	for i := range rows {
		m = max(m, rows[i].Let.Add(rows[i].Saved))
	}
	return float64(m)
}

// sums are the sums of the sets.
func sums(sets []*Tally) (all []Named) {
	for _, t := range sets {
		all = append(all, Named{t.Name, t.All})
	}
	return all
}

// side is what a rule stopped under each set.
type side struct {
	Name    string
	Stopped []int64
}

// beside puts the rules of the sets beside each other, in the order in which they come up.
func beside(sets []*Tally) (all []side) {
	at := map[string]int{}
	for i, t := range sets {
		for _, r := range t.Rules {
			k, known := at[r.Name]
			if !known {
				k = len(all)
				at[r.Name], all = k, append(all, side{r.Name, make([]int64, len(sets))})
			}
			all[k].Stopped[i] = r.Stopped()
		}
	}
	return all
}

// bar is a column of a chart, its heights in hundredths of the highest.
type bar struct {
	row
	X, Width float64
}

// bars are the columns of a chart that is 100 units wide and high.
func bars(rows []Named) (all []bar) {
	most, step := most(rows), 100/float64(max(len(rows), 1))
	for i, n := range rows {
		all = append(all, bar{row{n, 100 * float64(n.Let) / most, 100 * float64(n.Saved) / most}, float64(i) * step, step * 0.9})
	}
	return all
}

// HTML writes the report as one page that needs nothing else.
func (r *Report) HTML(out io.Writer) error { return page.Execute(out, r) }
