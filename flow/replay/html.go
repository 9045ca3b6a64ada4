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
	"rate": func(n *Named) string { return fmt.Sprintf("%.1f", 1e5*float64(n.Stopped())/float64(max(n.Calls, 1))) },
	"bars": bars,
	"group": func(title, head string, rows []Named) group {
		return group{title, head, rows[:min(len(rows), pageRows)], len(rows)}
	},
}).Parse(pageText))

// pageRows is how many rows of a table the page shows.
const pageRows = 100

// group is a table of the page.
type group struct {
	Title, Head string
	Rows        []Named
	All         int
}

// bar is a day of the chart, its heights in hundredths of the highest.
type bar struct {
	Named
	X, Let, Saved float64
	Width         float64
}

// bars are the days of a chart that is 100 units wide and high.
func bars(days []Named) (all []bar) {
	most := money.Micro(1)
	for i := range days {
		most = max(most, days[i].Let+days[i].Saved)
	}
	step := 100 / float64(max(len(days), 1))
	for i := range days {
		all = append(all, bar{days[i], float64(i) * step, 100 * float64(days[i].Let) / float64(most), 100 * float64(days[i].Saved) / float64(most), step * 0.9})
	}
	return all
}

// HTML writes the report as one page that needs nothing else.
func (r *Report) HTML(out io.Writer) error { return page.Execute(out, r) }
