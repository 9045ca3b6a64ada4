package detect

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrKind and ErrSeverity say that a text is no kind's, or severity's, code.
var (
	ErrKind     = errors.New("no such kind of finding")
	ErrSeverity = errors.New("no such severity")
)

// String is the code of a kind: "usage-level". It is what is stored and sent.
func (k Kind) String() string {
	if k >= NumKinds {
		return "unknown"
	}
	return kinds[k].code
}

// ParseKind is the kind of a code that String gives; not NoKind.
func ParseKind(code string) (Kind, bool) {
	for k := NoKind + 1; k < NumKinds; k++ {
		if kinds[k].code == code {
			return k, true
		}
	}
	return NoKind, false
}

// MarshalText gives the code.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a code; ErrKind.
func (k *Kind) UnmarshalText(text []byte) error {
	parsed, ok := ParseKind(string(text))
	if !ok {
		return fmt.Errorf("%w: %.40q", ErrKind, text)
	}
	*k = parsed
	return nil
}

// Title is a heading of a few words, for a mail's subject and a page's list.
func (k Kind) Title() string { return k.about().title }

// Severity is how grave the kind is as a rule; a Finding says its own.
func (k Kind) Severity() Severity { return k.about().severity }

// Audience is who is told.
func (k Kind) Audience() Audience { return k.about().audience }

// Meaning says what findings of the kind mean: finished sentences for the customer, or for the fraud desk where only the
// desk is told.
func (k Kind) Meaning() string { return k.about().meaning }

// Advice says what to do, one step each, the most urgent first, each a finished sentence.
func (k Kind) Advice() []string { return k.about().advice }

// Traits are what the notices of a kind depend on.
type Traits struct {
	Answers bool // a person can answer "that was me"
	Login   bool // it is about one right login: several of these together are one event
	Noise   bool // unknown sources, or a forgotten phone, can cause many of them, without any login
}

// Traits are those of the kind.
func (k Kind) Traits() Traits { return k.about().traits }

// Sample is a finding of the kind as it might happen: what the rules conclude from the fact that kinds.txt gives for it.
func (k Kind) Sample(line, customer string, at time.Time) (Finding, bool) {
	if k == UsageLevel {
		u := Usage{Line: line, Account: customer, Settled: 12_340_000, Running: 9_030_000, Level: 10_000_000}
		return UsagePassed(u, 0, at.UTC().Format("2006-01"), at), true
	}
	kind, body, _ := strings.Cut(k.about().sample, " ")
	all, _ := Judge(&Event{Kind: kind, Line: line, Account: customer, Call: "01JD8Z6Q4N8T7R5V3X1B9C7D5F", At: at, Body: []byte(body)})
	i := slices.IndexFunc(all, func(f Finding) bool { return f.Kind == k })
	if i < 0 {
		return Finding{}, false
	}
	return all[i], true
}

func (k Kind) about() *about {
	if k >= NumKinds {
		k = NoKind
	}
	return &kinds[k]
}

// Has says that who is among those told.
func (a Audience) Has(who Audience) bool { return a&who != 0 }

var severities = [...]string{Info: "info", Warning: "warning", Critical: "critical"}

// String is "info", "warning" or "critical".
func (s Severity) String() string {
	if s > Critical {
		return "unknown"
	}
	return severities[s]
}

// ParseSeverity reads what String gives.
func ParseSeverity(text string) (Severity, bool) {
	s := slices.Index(severities[:], text)
	return Severity(max(s, 0)), s >= 0
}

// MarshalText gives the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name; ErrSeverity.
func (s *Severity) UnmarshalText(text []byte) error {
	parsed, ok := ParseSeverity(string(text))
	if !ok {
		return fmt.Errorf("%w: %.40q", ErrSeverity, text)
	}
	*s = parsed
	return nil
}

// about is what is said of a kind wherever it is shown.
type about struct {
	code, title string
	severity    Severity
	audience    Audience
	meaning     string
	advice      []string
	traits      Traits
	sample      string // a kind of fact and its body
}

//go:embed kinds.txt
var kindTexts string

// kinds holds the words of every kind.
var kinds = func() (all [NumKinds]about) {
	all[NoKind] = about{code: "none", title: "Nothing"}
	k := NoKind
	for line := range strings.Lines(kindTexts) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name == "kind" {
			k++
		}
		switch a := &all[k]; name {
		case "kind":
			a.code = text
		case "title":
			a.title = text
		case "severity":
			a.severity, _ = ParseSeverity(text)
		case "told":
			a.audience = map[string]Audience{"owner": Owner, "desk": Desk, "owner, desk": Owner | Desk}[text]
		case "meaning":
			a.meaning = text
		case "advice":
			a.advice = append(a.advice, text)
		case "notice":
			a.traits = Traits{strings.Contains(text, "answers"), strings.Contains(text, "login"), strings.Contains(text, "noise")}
		case "sample":
			a.sample = text
		}
	}
	return all
}()
