package main

import (
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

// UnmarshalText is what kong calls. It only sees to it that a slip is told at once.
func (p *point) UnmarshalText(text []byte) error {
	if _, err := when.At(string(text), time.Now(), time.UTC); err != nil {
		_, want, _ := strings.Cut(err.Error(), "want ")
		return fmt.Errorf("%.40q is no time; want %s", text, want)
	}
	*p = point(strings.TrimSpace(string(text)))
	return nil
}

// decodeWhen is point for fields of the API, which are texts (kong's type when).
func decodeWhen(ctx *kong.DecodeContext, target reflect.Value) error {
	var p point
	text := ""
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return err
	}
	if err := p.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	target.SetString(string(p))
	return nil
}

// decodeSpan is span for fields of the API, which are seconds (kong's type span).
func decodeSpan(ctx *kong.DecodeContext, target reflect.Value) error {
	var d span
	text := ""
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return err
	}
	if err := d.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	target.SetInt(int64(d.Duration / time.Second))
	return nil
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

// until writes when something ends, with the zone, because it is a promise.
func until(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// theirs writes an instant by the clocks of the customer it is about, which the server has put into it.
func theirs(t time.Time) string { return t.Format("2006-01-02 15:04 -0700") }
