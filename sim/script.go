package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Script is an attack of a scenario. Every range is [least, most], and each attack draws from it, so that no two are the same.
type Script struct {
	Class    string   `toml:"class"`
	Count    int      `toml:"count"`    // attacks, each on another customer; the default is 1
	Victims  []string `toml:"victims"`  // kinds; the default is every one whose lines people use
	Lines    []int    `toml:"lines"`    // of the victim that are used
	Young    bool     `toml:"young"`    // the victim is in its first week
	Newcomer []int    `toml:"newcomer"` // the attacker is a new customer with so many lines, and has no victim

	Week  []int  `toml:"week"`  // in which it begins, from 1
	When  string `toml:"when"`  // it begins: any, office, evening, night or weekend
	Hours string `toml:"hours"` // it keeps to: any, day, night or own, which are the victim's
	Span  []Span `toml:"span"`  // from its first call to its last

	Calls      []int   `toml:"calls"`
	Concurrent []int   `toml:"concurrent"` // the most calls in progress
	Waves      float64 `toml:"waves"`      // how uneven it is: 0 is even, 1 has hours with several times the usual
	Talk       []Span  `toml:"talk"`       // the median of its calls
	Sigma      float64 `toml:"sigma"`      // how far calls differ from it
	Answered   float64 `toml:"answered"`   // share; the default is 0.95

	Targets []string `toml:"targets"` // destinations; or dear, charged, sold, ordinary or own
	Choose  []int    `toml:"choose"`  // how many of them are used
	Numbers []int    `toml:"numbers"` // in each; 0: each call is to another number
	Main    float64  `toml:"main"`    // share of the calls that go to the first number
	Rotate  []int    `toml:"rotate"`  // calls until it turns to another destination; the default is each call by chance

	Tries []int  `toml:"tries"` // calls, first of all, to destinations that the line may not call
	Tests []int  `toml:"tests"` // short calls ahead
	Ahead []Span `toml:"ahead"` // how long ahead

	Place   string `toml:"place"`   // network: own, victim or either
	Device  string `toml:"device"`  // own, victim or either
	Forward bool   `toml:"forward"` // each call comes in first, and is forwarded

	Baits    []int   `toml:"baits"`     // calls in that ring once, on as many lines; then some owners call back
	CallBack float64 `toml:"call-back"` // share of them
}

// classes are those that attacks are judged by.
var classes = []string{
	"pbx-burst", "slow-drip", "call-selling", "stolen-login", "own-telephone", "forwarding", "wangiri", "web-form", "new-customer",
	"connection-charges", "resold-ordinary", "stolen-sim", "false-answers", "first-week",
}

// Classes are the kinds of attack.
func Classes() []string { return slices.Clone(classes) }

// The words that stand for destinations.
const (
	dear     = "dear"     // the dearest that the line may call
	charged  = "charged"  // those with the highest connection charge
	sold     = "sold"     // what people buy cheap calls to
	ordinary = "ordinary" // what everybody calls
	known    = "own"      // numbers of the victim's own address book
)

var words = []string{dear, charged, sold, ordinary, known}

// check fills in what is left out, and says what is wrong.
func (s *Script) check() error {
	s.defaults()
	var faults []error
	add := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	add(oneOf("class", s.Class, classes...))
	add(oneOf("when", s.When, "any", "office", "evening", "night", "weekend"))
	add(oneOf("hours", s.Hours, "any", "day", "night", "own"))
	add(oneOf("place", s.Place, "own", "victim", "either"))
	add(oneOf("device", s.Device, "own", "victim", "either"))
	for _, v := range s.Victims {
		add(oneOf("victims", v, kindNames()...))
	}
	for _, x := range []struct {
		name  string
		span  []int
		least int
		most  int
	}{
		{"week", s.Week, 1, maxWeeks},
		{"lines", s.Lines, 1, 100},
		{"calls", s.Calls, 0, 100_000},
		{"concurrent", s.Concurrent, 1, 1000},
		{"choose", s.Choose, 1, 200},
		{"numbers", s.Numbers, 0, 500},
		{"rotate", s.Rotate, 0, 10_000},
		{"tries", s.Tries, 0, 1000},
		{"tests", s.Tests, 0, 100},
		{"baits", s.Baits, 0, 100_000},
		{"newcomer", s.Newcomer, 0, 1000},
	} {
		add(inOrder(x.name, x.span, x.least, x.most))
	}
	add(inOrder("span", s.Span, Span(time.Second), Span(100*24*time.Hour)))
	add(inOrder("talk", s.Talk, Span(time.Second), Span(4*time.Hour)))
	add(inOrder("ahead", s.Ahead, 0, Span(30*24*time.Hour)))
	for _, x := range []struct {
		name     string
		n, limit float64
	}{{"waves", s.Waves, 2}, {"sigma", s.Sigma, 2}, {"answered", s.Answered, 1}, {"main", s.Main, 1}, {"call-back", s.CallBack, 1}} {
		if x.n < 0 || x.n > x.limit {
			add(fmt.Errorf("%s is %v: want 0 to %v", x.name, x.n, x.limit))
		}
	}
	for _, name := range s.Targets {
		if !slices.Contains(words, name) {
			_, err := places().find(name)
			add(err)
		}
	}
	if s.Count < 1 || s.Count > 10_000 {
		add(fmt.Errorf("count is %d: want 1 to 10000", s.Count))
	}
	if s.Young && len(s.Victims) == 0 {
		add(errors.New("young is on: want victims, of which a new customer is made"))
	}
	if len(faults) == 0 && s.Calls[1] == 0 && s.Baits[1] == 0 {
		add(errors.New("it calls nobody: want calls, or baits"))
	}
	return errors.Join(faults...)
}

func (s *Script) defaults() {
	if s.Count == 0 {
		s.Count = 1
	}
	for _, x := range []struct {
		to *string
		is string
	}{{&s.When, "any"}, {&s.Hours, "any"}, {&s.Place, "own"}, {&s.Device, "own"}} {
		if *x.to == "" {
			*x.to = x.is
		}
	}
	for _, x := range []struct {
		to *[]int
		is []int
	}{
		{&s.Lines, []int{1, 1}},
		{&s.Calls, []int{0, 0}},
		{&s.Concurrent, []int{1, 1}},
		{&s.Choose, []int{1, 1}},
		{&s.Numbers, []int{1, 1}},
		{&s.Rotate, []int{0, 0}},
		{&s.Tries, []int{0, 0}},
		{&s.Tests, []int{0, 0}},
		{&s.Baits, []int{0, 0}},
		{&s.Newcomer, []int{0, 0}},
	} {
		if *x.to == nil {
			*x.to = x.is
		}
	}
	if s.Ahead == nil {
		s.Ahead = []Span{Span(24 * time.Hour), Span(5 * 24 * time.Hour)}
	}
	if s.Talk == nil {
		s.Talk = []Span{Span(time.Minute), Span(time.Minute)}
	}
	if s.Targets == nil {
		s.Targets = []string{dear}
	}
	if s.Answered == 0 {
		s.Answered = 0.95
	}
}

func oneOf(name, is string, of ...string) error {
	if slices.Contains(of, is) {
		return nil
	}
	return fmt.Errorf("%s is %q: there are %s", name, is, strings.Join(of, ", "))
}
