package restrict

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

// TestAsking: one that asks closes nothing; digits are asked for before a key; emergency calls, exceptions and hours hold as for one that closes.
func TestAsking(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	set := func(text string) Set {
		s, err := ParseSet(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	to := func(text string, class phone.Class, national bool, pence int64) *Call {
		d, err := strconv.ParseUint(text[1:], 10, 64)
		n, ok := phone.FromDigits(d)
		if err != nil || !ok {
			t.Fatal(text)
		}
		rate := money.Rate(pence) * money.PencePerMinute
		return &Call{Dest: phone.Destination{Number: n, Class: class, National: national}, Price: &rating.Price{Rates: [3]money.Rate{rate, rate, rate}, First: 1, Step: 1}}
	}
	key := Restriction{ID: 1, Names: set("abroad"), Ask: AskKey, Except: set("+33")}
	digits := Restriction{ID: 2, Names: set("above 50p"), Ask: AskDigits}
	but := Restriction{ID: 3, Names: set("+4420"), Only: true, Ask: AskKey}
	evening := Restriction{ID: 4, Names: set("abroad"), Ask: AskDigits, Since: now}
	evening.Hours, _ = ParseHours("mon-sun 18:00-23:00")
	gone := Restriction{ID: 5, Names: set("abroad"), Ask: AskDigits, Until: now}
	closes := Restriction{ID: 6, Names: set("abroad")}
	for _, c := range []struct {
		name string
		list []Restriction
		call *Call
		want int64
	}{
		{"abroad", []Restriction{closes, key}, to("+4930123456", phone.IntlFixed, false, 2), 1},
		{"excepted", []Restriction{key}, to("+33123456789", phone.IntlFixed, false, 2), 0},
		{"digits first", []Restriction{key, digits}, to("+4930123456", phone.IntlFixed, false, 60), 2},
		{"all paid but", []Restriction{but}, to("+447700900123", phone.Mobile, true, 5), 3},
		{"what stays", []Restriction{but}, to("+442079460000", phone.Geographic, true, 5), 0},
		{"free", []Restriction{but}, to("+448001111111", phone.Freephone, true, 0), 0},
		{"emergency", []Restriction{but, key}, to("+442079460999", phone.Emergency, true, 0), 0},
		{"not now", []Restriction{evening, gone}, to("+4930123456", phone.IntlFixed, false, 2), 0},
	} {
		got := Asking([][]Restriction{nil, c.list}, c.call, now, time.UTC)
		if (got == nil) != (c.want == 0) || got != nil && got.ID != c.want {
			t.Errorf("%s: %+v, want %d", c.name, got, c.want)
		}
		for i := range c.list {
			if r := &c.list[i]; r.Ask != "" && (r.Refuses(c.call) || r.RefusesAll(c.call)) {
				t.Errorf("%s: restriction %d closes", c.name, r.ID)
			}
		}
	}
	for _, bad := range []Restriction{
		{Names: set("abroad"), Ask: "voice"},
		{Names: set("abroad"), Ask: AskKey, AtOnce: 2},
		{Names: set("abroad"), Ask: AskKey, Ends: true},
		{Ask: AskKey},
		{Ask: AskKey, Login: true, Known: []uint32{1}},
	} {
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
	for _, c := range []struct {
		r    Restriction
		want string
	}{
		{key, "the caller hears the price and confirms with a key calls to: abroad"},
		{digits, "the caller hears the price and confirms with three spoken digits calls to: above 50p"},
		{but, "the caller hears the price and confirms with a key all paid calls but those to: +4420"},
	} {
		if got := c.r.String(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
