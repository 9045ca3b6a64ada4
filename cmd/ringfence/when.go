package main

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"ringfence/core/when"
)

// point is a point in time as it was typed. The server reads it, since a day is one of the customer's zone or the provider's,
// never of the machine where it was typed.
type point string

// UnmarshalText is what kong calls. It only catches a slip early.
func (p *point) UnmarshalText(text []byte) error {
	if _, err := when.At(string(text), time.Now(), time.UTC); err != nil {
		_, want, _ := strings.Cut(err.Error(), "want ")
		return fmt.Errorf("%.40q is no time; want %s", text, want)
	}
	*p = point(strings.TrimSpace(string(text)))
	return nil
}

// decode reads what is typed for a field of the API as T reads it, and has put give the field its value.
func decode[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](put func(field reflect.Value, read T)) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, field reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return err
		}
		var read T
		if err := P(&read).UnmarshalText([]byte(text)); err != nil {
			return err
		}
		put(field, read)
		return nil
	}
}

// span is a length of time as people give it: "90m", "24h", "7d", "2w".
type span struct{ time.Duration }

// UnmarshalText is what kong calls.
func (d *span) UnmarshalText(text []byte) error {
	unit := time.Duration(0)
	number := string(text)
	if n, ok := strings.CutSuffix(number, "d"); ok {
		number, unit = n, 24*time.Hour
	} else if n, ok := strings.CutSuffix(number, "w"); ok {
		number, unit = n, 7*24*time.Hour
	}
	bad := fmt.Errorf("%.40q is no length of time; want one such as \"90m\", \"24h\", \"7d\", \"2w\"", text)
	if unit == 0 {
		v, err := time.ParseDuration(number)
		if err != nil || v < time.Second {
			return bad
		}
		d.Duration = v
		return nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 5000 {
		return bad
	}
	d.Duration = time.Duration(n) * unit
	return nil
}

// spanOrNone is a span, or "0" for none.
type spanOrNone struct{ span }

// UnmarshalText is what kong calls.
func (d *spanOrNone) UnmarshalText(text []byte) error {
	if string(text) == "0" {
		d.Duration = 0
		return nil
	}
	return d.span.UnmarshalText(text)
}

// until writes when something ends, with the zone, because it is a promise.
func until(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// theirs writes an instant by the clocks of the customer it is about, which the server has put into it.
func theirs(t time.Time) string { return t.Format("2006-01-02 15:04 -0700") }
