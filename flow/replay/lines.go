package replay

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/flow/play"
)

// Lines are what a file says of lines: whose they are and what they and their customers have set.
type Lines struct {
	lines     map[string]*lineRow
	customers map[string]*account.Settings
	since     map[string]time.Time // of customers: that of their oldest line
	owners    map[uint64]string    // line by the number it has
}

type lineRow struct {
	customer string
	zone     *time.Location // nil is the provider's
	digits   uint64
	since    time.Time // when it was first seen; zero is unknown
	settings account.Settings
}

// lineColumns are the columns that are not settings.
var lineColumns = []string{"line", "customer", "zone", "first_seen", "number", "closed"}

// ReadLines reads line,customer,zone,first_seen,number,closed (destinations, as restrict.ParseSet reads them) and a column for each setting by its name: ceilings in hundredths a minute, caps in
// whole units of the billing currency; an empty cell inherits. What is set here counts as granted. Every fault is named.
func ReadLines(in io.Reader, plan *phone.Plan) (*Lines, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord = -1
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", err)
	}
	l := &lineReader{Lines: Lines{map[string]*lineRow{}, map[string]*account.Settings{}, map[string]time.Time{}, map[uint64]string{}}, plan: plan}
	if err := l.header(head); err != nil {
		return nil, err
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			l.faults = append(l.faults, err)
			break
		}
		at, _ := r.FieldPos(0)
		if err := l.row(cells); err != nil {
			l.faults = append(l.faults, fmt.Errorf("line %d: %w", at, err))
		}
	}
	if len(l.faults) > 0 {
		return nil, errors.Join(l.faults[:min(len(l.faults), 20)]...)
	}
	return &l.Lines, nil
}

type lineReader struct {
	Lines
	plan   *phone.Plan
	names  []string
	fields []account.Field // by column; NumFields is none
	faults []error
}

func (l *lineReader) header(head []string) error {
	for i, h := range head {
		h = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))
		f, err := account.ParseField(h)
		if err != nil {
			if f = account.NumFields; !slices.Contains(lineColumns, h) {
				return fmt.Errorf("column %d is %q: want %s or a setting such as international-ceiling", i+1, h, strings.Join(lineColumns, ", "))
			}
		}
		if slices.Contains(l.names, h) {
			return fmt.Errorf("the header has the column %s twice", h)
		}
		l.names, l.fields = append(l.names, h), append(l.fields, f)
	}
	if !slices.Contains(l.names, "line") {
		return errors.New("the header has no column line")
	}
	return nil
}

func (l *lineReader) row(cells []string) error {
	if len(cells) > len(l.names) {
		return fmt.Errorf("%d cells, but the header has %d", len(cells), len(l.names))
	}
	x, of, id := &lineRow{}, account.Settings{}, ""
	for i, cell := range cells {
		cell = strings.TrimSpace(cell)
		if cell == "" {
			continue
		}
		var err error
		switch f := l.fields[i]; {
		case l.names[i] == "line":
			id = cell
		case l.names[i] == "customer":
			x.customer = cell
		case l.names[i] == "zone":
			x.zone, err = time.LoadLocation(cell)
		case l.names[i] == "first_seen":
			var ok bool
			if x.since, ok = parseTime(cell, nil); !ok {
				x.since, err = time.Parse(time.DateOnly, cell)
			}
		case l.names[i] == "closed":
			var names restrict.Set
			names, err = restrict.ParseSet(cell)
			x.settings.Restrictions = []restrict.Restriction{{ID: 1, Names: names}}
		case l.names[i] == "number":
			x.digits, err = l.number(cell)
		case f.OfAccount():
			of.Values[f], err = ParseSetting(f, cell)
		default:
			x.settings.Values[f], err = ParseSetting(f, cell)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.names[i], err)
		}
	}
	return l.add(id, x, &of)
}

func (l *lineReader) add(id string, x *lineRow, of *account.Settings) error {
	switch {
	case id == "":
		return errors.New("there is no line")
	case l.lines[id] != nil:
		return fmt.Errorf("line %.60q is there twice", id)
	case x.digits != 0 && l.owners[x.digits] != "":
		return fmt.Errorf("number %d is also that of line %.60q", x.digits, l.owners[x.digits])
	}
	if x.customer == "" {
		x.customer = id
	}
	l.lines[id] = x
	if x.digits != 0 {
		l.owners[x.digits] = id
	}
	if first, ok := l.since[x.customer]; !ok || x.since.Before(first) {
		l.since[x.customer] = x.since
	}
	known := l.customers[x.customer]
	if known == nil {
		known = &account.Settings{}
		l.customers[x.customer] = known
	}
	for f := range account.NumFields {
		switch v := of.Values[f]; {
		case !v.Set:
		case known.Values[f].Set && known.Values[f] != v:
			return fmt.Errorf("%s is the customer's, and another line of %.60q has another", f, x.customer)
		default:
			known.Values[f] = v
		}
	}
	return nil
}

func (l *lineReader) number(cell string) (uint64, error) {
	dest, problem := l.plan.Parse(cell)
	if problem != phone.NoProblem && !strings.HasPrefix(cell, "+") {
		dest, problem = l.plan.Parse("+" + cell)
	}
	if problem != phone.NoProblem || dest.Number.Short() {
		return 0, fmt.Errorf("%.40q is not a number", cell)
	}
	return dest.Number.Digits(), nil
}

// ParseSetting reads a setting as account.ParseValue does; a ceiling that is a bare number is in hundredths, a duration in seconds.
func ParseSetting(f account.Field, cell string) (account.Value, error) {
	if _, err := strconv.ParseFloat(cell, 64); err == nil {
		switch f.Unit() {
		case account.UnitRate:
			cell += "p"
		case account.UnitSeconds:
			cell += "s"
		}
	}
	n, err := account.ParseValue(f, cell)
	return account.Value{Set: true, N: n, Granted: true}, err
}

// book is Lines under the rules of a set, and every line that comes up without being in it.
type book struct {
	set   *Set
	lines *Lines
	mu    sync.RWMutex // owns known
	known map[string]engine.Line
	plain account.Effective // of every line that has set nothing: one, so that it stays in the processor's cache
}

func newBook(set *Set, lines *Lines) *book {
	return &book{set: set, lines: lines, known: map[string]engine.Line{}, plain: account.Resolve(time.Time{}, &set.Provider)}
}

// meet makes a line known before its first call is played.
func (b *book) meet(c *play.Call) {
	row, settings := b.lines.lines[c.Line], &b.plain
	if row == nil {
		row = &lineRow{customer: cmp.Or(c.Account, c.Line)}
	}
	if of := b.lines.customers[row.customer]; of != nil { // it has lines in the file
		effective := account.Resolve(time.Time{}, &b.set.Provider, nil, of, &row.settings)
		settings = &effective
	}
	x := engine.Line{Account: row.customer, Digits: row.digits, Zone: cmp.Or(row.zone, b.set.Zone), Deck: b.set.Deck, Settings: settings, Since: b.lines.since[row.customer]}
	x.Calendar = b.set.Calendar
	x.Calendar.Zone = x.Zone
	b.mu.Lock()
	b.known[c.Line] = x
	b.mu.Unlock()
}

// refusals are the reasons for which a call of some line that came up may be stopped.
func (b *book) refusals() (reasons []policy.Reason) {
	of := map[*account.Effective]bool{}
	for _, l := range b.known {
		of[l.Settings] = true
	}
	may := map[policy.Reason]bool{policy.NoAnswer: b.set.RingTime > 0}
	for e := range of {
		for _, r := range policy.Refusals(e) {
			may[r] = true
		}
	}
	may[policy.NumberUnallocated] = b.set.Block != nil
	for r := range policy.NumReasons {
		if may[r] {
			reasons = append(reasons, r)
		}
	}
	return reasons
}

// rules are what calls are judged by.
func (b *book) rules() engine.Rules {
	return engine.Rules{
		Plan: b.set.Plan, Block: b.set.Block, Hot: func() *restrict.Hot { return b.set.Hot },
		Owner: func(digits uint64) (string, bool) {
			id, ok := b.lines.owners[digits]
			return id, ok
		},
		Line: func(id string, _ time.Time) (engine.Line, bool) {
			b.mu.RLock()
			defer b.mu.RUnlock()
			x, ok := b.known[id]
			return x, ok
		},
	}
}

// Play is how calls are played through the set, with what a file says of their lines; nil: nothing is said. Done is the caller's to add.
func (s *Set) Play(lines *Lines) play.Options {
	if lines == nil {
		lines = &Lines{}
	}
	return newBook(s, lines).play()
}

func (b *book) play() play.Options {
	return play.Options{Rules: b.rules(), Terms: b.set.Terms, RingTime: b.set.RingTime, Meet: b.meet, Habits: b.set.Habits}
}
