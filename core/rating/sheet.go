package rating

import (
	"fmt"
	"slices"
	"strings"
)

// Sheet is one sheet of a workbook: what is stored in its cells, not how it is shown. Row i is line i+1.
type Sheet struct {
	Name   string
	Hidden bool
	Rows   [][]string
}

func (s *Sheet) rows(do func(line int, cells []string, err error) bool) {
	for i, cells := range s.Rows {
		if !do(i+1, cells, nil) {
			return
		}
	}
}

// findSheet finds the one sheet that holds prices, and its header.
func (r *deckReader) findSheet(sheets []Sheet) bool {
	var names []string
	var best *candidate
	var chosen *Sheet
	priced, first := []string{}, ""
	for i := range sheets {
		s := &sheets[i]
		names = append(names, s.Name)
		if r.opt.Sheet == "" && s.Hidden || r.opt.Sheet != "" && !strings.EqualFold(r.opt.Sheet, s.Name) {
			continue
		}
		found, row := r.headerIn(s.rows)
		if first == "" {
			first = row
		}
		if found == nil || !found.priced {
			if c := r.headless(s.rows); c != nil {
				found = c
			}
		}
		if found != nil && found.priced {
			priced = append(priced, s.Name)
		}
		if found != nil && (best == nil || found.priced && !best.priced) {
			best, chosen = found, s
		}
	}
	switch {
	case r.opt.Sheet != "" && best == nil && !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, r.opt.Sheet) }):
		r.fault(Fault{Found: "sheets " + strings.Join(names, ", "), Expected: "a sheet called " + clip(r.opt.Sheet)})
		return false
	case len(priced) > 1:
		r.fault(Fault{Found: "prices in sheets " + strings.Join(priced, ", "), Expected: fmt.Sprintf("one of them: --sheet %q reads that one only", priced[0])})
		return false
	case !r.isHeader(best, first):
		return false
	}
	r.rowsOf = chosen.rows
	r.begin(best)
	r.out.Format.Sheet = chosen.Name
	rest := slices.DeleteFunc(names, func(name string) bool { return name == chosen.Name })
	for i := range rest {
		rest[i] = clip(rest[i])
	}
	if len(rest) > 0 {
		r.warn(Warning{Kind: WarnIgnored, Text: "sheets not used: " + strings.Join(rest, ", ")})
	}
	return true
}
