package config

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"ringfence/core/retain"
)

// Duration is a length of time written as people do: "90s", "1h30m".
type Duration struct{ time.Duration }

// UnmarshalText reads Go's notation.
func (d *Duration) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		d.Duration = 0
		return nil
	}
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf(`%q is not a length of time (want "90s", "10m", "1h30m")`, clip(string(text)))
	}
	d.Duration = v
	return nil
}

// MarshalText writes the shortest form: "1h", not "1h0m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the shortest form.
func (d Duration) String() string {
	s := d.Duration.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if len(s) > len(zero) && s[len(s)-len(zero):] == zero {
			s = s[:len(s)-len(zero)+1]
		}
	}
	return s
}

// Clock is a time of day, kept as what has passed since midnight: "08:00". Midnight at the end of the day is "24:00".
type Clock struct {
	time.Duration
	Set bool // tells midnight from nothing
}

// UnmarshalText reads "15:04".
func (c *Clock) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*c = Clock{}
		return nil
	}
	if string(text) == "24:00" {
		*c = Clock{24 * time.Hour, true}
		return nil
	}
	t, err := time.Parse("15:04", string(text))
	if err != nil {
		return fmt.Errorf(`%q is not a time of day (want "08:00")`, clip(string(text)))
	}
	*c = Clock{time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, true}
	return nil
}

// MarshalText writes "15:04".
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String is "15:04".
func (c Clock) String() string {
	return fmt.Sprintf("%02d:%02d", int(c.Hours()), int(c.Minutes())%60)
}

// Period is how long something is kept: "6 years 3 months", "for ever".
type Period struct {
	retain.Period
	Set bool // tells for ever from nothing
}

// UnmarshalText reads a period.
func (p *Period) UnmarshalText(text []byte) (err error) {
	*p = Period{}
	if len(text) == 0 {
		return nil
	}
	p.Period, err = retain.ParsePeriod(string(text))
	p.Set = err == nil
	return err
}

// MarshalText writes it in words.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Setting is a settings field as people write it ("20p", "10", 10); core/account knows what it may say.
type Setting string

// UnmarshalText takes numbers written without quotes as well.
func (s *Setting) UnmarshalText(text []byte) error {
	*s = Setting(text)
	return nil
}

// Secret is a text that is never printed or logged. Convert with string(s) where it is used.
type Secret string

const hidden = "(hidden)"

// String hides the secret, but says whether there is one.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Slog is the level as slog has it.
func (l *Log) Slog() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return slog.LevelInfo // Validate lets nothing else in
	}
	return level
}

// clip keeps a value that is quoted in an error from filling a screen.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// InboundOf is trunk-inbound-calls of a valid configuration, by trunk.
func (s *SIP) InboundOf() map[string]int {
	limits, _ := s.inboundOf()
	return limits
}

var errInbound = errors.New("not NAME=CALLS")

func (s *SIP) inboundOf() (map[string]int, error) {
	limits := map[string]int{}
	for _, text := range s.TrunkInboundCalls {
		name, calls, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(calls)
		if err != nil || name == "" || n < 1 || n > 1_000_000 || limits[name] != 0 {
			return nil, errInbound
		}
		limits[name] = n
	}
	return limits, nil
}
