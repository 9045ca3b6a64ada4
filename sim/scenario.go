package sim

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"ringfence/core/money"
)

// Scenario says who the customers are, what attacks them, and what must come of it.
type Scenario struct {
	Name      string   `toml:"-"`
	About     string   `toml:"about"`
	Published string   `toml:"published"` // the incident that it is made after
	Seed      uint64   `toml:"seed"`
	Weeks     int      `toml:"weeks"`
	Begin     string   `toml:"begin"` // a Monday; the default is that of 2026's first full week
	People    []People `toml:"people"`
	Attacks   []Script `toml:"attack"`
	Expect    Expect   `toml:"expect"`

	begin time.Time
}

// People are customers of one kind.
type People struct {
	Kind      string `toml:"kind"`
	Customers int    `toml:"customers"`

	kind *kind
}

// Expect is what must come of a scenario. What is nil is not asked for.
type Expect struct {
	MedianLoss       *Pounds  `toml:"median-loss"`            // let through of an attack
	WorstLoss        *Pounds  `toml:"worst-loss"`             // let through of any attack
	HonestStopped    *float64 `toml:"honest-stopped"`         // of 100,000 honest calls, by behaviour
	FirstAction      *Span    `toml:"first-action"`           // from the first call of an attack that costs something to the first that is stopped
	FirstActionCalls *int     `toml:"first-action-calls"`     // or so many calls of the attack
	PoundsStopped    *float64 `toml:"per-cent-stopped"`       // of the pounds that the calls would have cost
	LinesRestricted  *float64 `toml:"restricted-line-months"` // honest lines that were restricted, for each month of a line
}

// Pounds is an amount in a scenario.
type Pounds money.Micro

// UnmarshalText reads "2" and "12.50".
func (p *Pounds) UnmarshalText(text []byte) error {
	n, err := money.Sterling.ParseAmount(string(text))
	*p = Pounds(n)
	return err
}

// Span is a time in a scenario.
type Span time.Duration

// UnmarshalText reads "90s", "36h", "2d" and "3w".
func (s *Span) UnmarshalText(text []byte) error {
	unit := time.Duration(1)
	in := string(text)
	switch {
	case strings.HasSuffix(in, "d"):
		in, unit = strings.TrimSuffix(in, "d")+"h", 24
	case strings.HasSuffix(in, "w"):
		in, unit = strings.TrimSuffix(in, "w")+"h", 24*7
	}
	d, err := time.ParseDuration(in)
	if err != nil || d < 0 || d > 400*24*time.Hour/unit {
		return fmt.Errorf("%.20q: want a time such as 90s, 36h, 2d or 3w", text)
	}
	*s = Span(d * unit)
	return nil
}

//go:embed scenarios/*.toml
var scenarios embed.FS

// Names are those of the scenarios that come with the program.
func Names() []string {
	files, err := fs.Glob(scenarios, "scenarios/*.toml")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), ".toml")
	}
	slices.Sort(files)
	return files
}

// Load reads a scenario that comes with the program.
func Load(name string) (*Scenario, error) {
	data, err := scenarios.ReadFile("scenarios/" + name + ".toml")
	if err != nil {
		return nil, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return Parse(name, data)
}

// Parse reads a scenario. Every error says what is wrong, with the line where there is one.
func Parse(name string, data []byte) (*Scenario, error) {
	s := &Scenario{Name: name}
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(s)
	var unknown *toml.StrictMissingError
	var bad *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		var faults []error
		for _, e := range unknown.Errors {
			row, _ := e.Position()
			faults = append(faults, fmt.Errorf("%s:%d: there is no key %s", name, row, strings.Join(e.Key(), ".")))
		}
		return nil, errors.Join(faults...)
	case errors.As(err, &bad):
		row, _ := bad.Position()
		return nil, fmt.Errorf("%s:%d: %s", name, row, strings.TrimPrefix(bad.Error(), "toml: "))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Words that stand for kinds, as they usually come.
const (
	everybody = "everybody" // that are not kept back
	keptBack  = "kept-back"
)

// spread replaces these words by the kinds. A kind of which there would be less than half a customer is left out.
func spread(people []People) (all []People) {
	for _, p := range people {
		if p.Kind != everybody && p.Kind != keptBack {
			all = append(all, p)
			continue
		}
		for i := range kinds {
			if n := (p.Customers*kinds[i].usual + 500) / 1000; n > 0 && kinds[i].kept == (p.Kind == keptBack) {
				all = append(all, People{Kind: kinds[i].name, Customers: n})
			}
		}
	}
	return all
}

// maxWeeks bounds how long a scenario lasts: four years.
const maxWeeks = 210

// Check fills in what is left out, and says what is wrong. A scenario that was not parsed must be checked before it is played.
func (s *Scenario) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.About == "" {
		fault("about is missing: say in a line what happens")
	}
	if s.Seed == 0 {
		fault("seed is missing")
	}
	if s.Begin == "" {
		s.Begin = "2026-01-05"
	}
	var err error
	if s.begin, err = time.Parse(time.DateOnly, s.Begin); err != nil || s.begin.Weekday() != time.Monday {
		fault("begin is %q: want a Monday such as 2026-01-05", s.Begin)
	}
	if len(s.People) == 0 {
		fault("there are no people: want [[people]] with kind and customers")
	}
	s.People = spread(s.People)
	for i := range s.People {
		p := &s.People[i]
		if p.kind = kindNamed(p.Kind); p.kind == nil {
			fault("people %d: no kind %q; there are %s", i+1, p.Kind, strings.Join(append(kindNames(), everybody, keptBack), ", "))
		}
		if p.Customers < 1 || p.Customers > 100_000 {
			fault("people %d: customers is %d, want 1 to 100000", i+1, p.Customers)
		}
	}
	for i := range s.Attacks {
		if err := s.Attacks[i].check(); err != nil {
			fault("attack %d: %w", i+1, err)
		}
	}
	if len(faults) == 0 {
		if err := s.fits(s.Weeks); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// fits says that the attacks find room in so many weeks.
func (s *Scenario) fits(weeks int) error {
	if weeks < 1 || weeks > maxWeeks {
		return fmt.Errorf("weeks is %d, want 1 to %d", weeks, maxWeeks)
	}
	for i := range s.Attacks {
		if last := s.Attacks[i].Week[1]; last > weeks {
			return fmt.Errorf("attack %d (%s) may begin in week %d, but there are %d", i+1, s.Attacks[i].Class, last, weeks)
		}
	}
	return nil
}

func kindNames() (all []string) {
	for i := range kinds {
		all = append(all, kinds[i].name)
	}
	return all
}

// Kind is one sort of customer, for lists.
type Kind struct {
	Name     string `json:"name"`
	About    string `json:"about"`
	KeptBack bool   `json:"kept_back"`
}

// Kinds are all sorts of customers.
func Kinds() (all []Kind) {
	for i := range kinds {
		all = append(all, Kind{kinds[i].name, kinds[i].about, kinds[i].kept})
	}
	return all
}

// span is a range in a scenario file: [least, most].
func inOrder[T int | Span](name string, span []T, least, most T) error {
	if len(span) != 2 || span[0] > span[1] || span[0] < least || span[1] > most {
		return fmt.Errorf("%s is %s: want [least, most] within %s and %s", name, text(span...), text(least), text(most))
	}
	return nil
}

func text[T int | Span](all ...T) string {
	var parts []string
	for _, x := range all {
		switch x := any(x).(type) {
		case Span:
			parts = append(parts, time.Duration(x).String())
		case int:
			parts = append(parts, strconv.Itoa(x))
		}
	}
	return strings.Join(parts, " to ")
}
