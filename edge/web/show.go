package web

import (
	"fmt"
	"html/template"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// reader is for whom pages are written: a language and a country. Its methods are the functions of the templates. A time is shown in
// its own location, into which query.at puts it; one in UTC, as stores give them, is shown in the provider's zone.
type reader struct {
	words *catalogue
	zone  *time.Location // of the provider
	plan  *phone.Plan
	now   func() time.Time
}

func (r *reader) local(at time.Time) time.Time {
	if at.Location() == time.UTC {
		return at.In(r.zone)
	}
	return at
}

// funcs are what templates may call beside the fields of their data.
func (r *reader) funcs() template.FuncMap {
	return template.FuncMap{
		"t": r.words.mark, "say": r.words.say, "money": r.money, "rate": r.rate, "n": func(v any) string { return plain(v) }, "date": r.date, "when": r.when, "clock": r.clock, "moment": r.moment, "age": r.age,
		"length": r.length, "tel": r.tel, "claim": r.claim, "name": name, "icon": icon, "link": linkTo, "addr": func(a netip.Addr) template.HTML { return bdi(a.String()) }, "percent": percent,
	}
}

// money is an amount to the last coin: "£1,234.56", "−£0.05"; below a coin it is written in full: "0.4p".
func (r *reader) money(a money.Micro) string {
	c := money.Billing()
	if unit := money.Micro(10_000); c.Minor != "" && a > -unit && a < unit && a != 0 {
		return signed(c.Rate(money.Rate(a) * 1000)) // the same digits: a price per minute is written in hundredths
	}
	return signed(c.Shown(a))
}

// rate is a price per minute, without the words "a minute": "71.4p".
func (r *reader) rate(p money.Rate) string { return money.Billing().Rate(p) }

func signed(text string) string {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		return "−" + rest
	}
	return text
}

// grouped is a whole number with its thousands apart.
func grouped[T int | int64](n T) string {
	text := strconv.FormatInt(int64(n), 10)
	sign := ""
	if n < 0 {
		sign, text = "−", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// percent is a share with at most two decimals, rounded down so that 99.999 % is not all.
func percent(share float64) string {
	if share >= 1 {
		return "100 %"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.2f", float64(int(share*10000))/100), ".00") + " %"
}

// when is a moment as people say it, in the reader's zone: "today 13:47", "Tue 21 July, 02:14", with the whole of it for a
// machine, on hover and for a screen reader.
func (r *reader) when(at time.Time) template.HTML { return r.timeTag(at, r.human(at), "") }

// clock is the time of day alone, where the day is known.
func (r *reader) clock(at time.Time) template.HTML {
	return r.timeTag(at, r.local(at).Format("15:04"), "")
}

// moment is the full form, with seconds and the zone: for pages of one call, and evidence.
func (r *reader) moment(at time.Time) template.HTML { return r.timeTag(at, r.full(at), "") }

// age is how long ago something was, where it moves; from an hour it is when.
func (r *reader) age(at time.Time) template.HTML {
	d := max(0, r.now().Sub(at))
	switch {
	case d < time.Minute:
		return r.timeTag(at, r.words.say("time.ago-seconds", "n", int(d/time.Second)), " data-age")
	case d < time.Hour:
		return r.timeTag(at, r.words.say("time.ago-minutes", "n", int(d/time.Minute)), " data-age")
	}
	return r.when(at)
}

func (r *reader) timeTag(at time.Time, shown, attr string) template.HTML {
	if at.IsZero() {
		return ""
	}
	at = r.local(at)
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s"%s>%s</time>`, at.Format(time.RFC3339), //nolint:gosec // escaped
		template.HTMLEscapeString(r.full(at)), attr, template.HTMLEscapeString(shown)))
}

func (r *reader) human(at time.Time) string {
	at = r.local(at)
	now := r.now().In(at.Location())
	clock := at.Format("15:04")
	day := func(t time.Time) int { return t.Year()*1000 + t.YearDay() }
	switch day(at) {
	case day(now):
		return r.words.say("time.today", "time", clock)
	case day(now.AddDate(0, 0, -1)):
		return r.words.say("time.yesterday", "time", clock)
	}
	return r.words.say("time.and-time", "date", r.date(at), "time", clock)
}

// date is a day: "Tue 21 July", with the year when it is not this one.
func (r *reader) date(at time.Time) string {
	at = r.local(at)
	if at.Year() != r.now().In(at.Location()).Year() {
		return r.words.say("time.year", "day", at.Day(), "month", r.nth("time.months", int(at.Month())-1), "year", strconv.Itoa(at.Year()))
	}
	return r.words.say("time.day", "weekday", r.nth("time.week", weekday(at)), "day", at.Day(), "month", r.nth("time.months", int(at.Month())-1))
}

func (r *reader) full(at time.Time) string {
	at = r.local(at)
	date := r.words.say("time.day", "weekday", r.nth("time.weeks", weekday(at)), "day", at.Day(), "month", r.nth("time.months", int(at.Month())-1))
	return r.words.say("time.and-time", "date", date+" "+strconv.Itoa(at.Year()), "time", at.Format("15:04:05 MST"))
}

func weekday(at time.Time) int { return (int(at.Weekday()) + 6) % 7 }

// nth is one of the names in a text, which blanks separate.
func (r *reader) nth(key word, n int) string { return strings.Fields(r.words.say(key))[n] }

// length is how long something took: "11 min 40 s".
func (r *reader) length(d time.Duration) string {
	s := int(d / time.Second)
	switch {
	case s < 60:
		return r.words.say("time.seconds", "n", s)
	case s < 3600 && s%60 == 0:
		return r.words.say("time.whole-minutes", "m", s/60)
	case s < 3600:
		return r.words.say("time.minutes", "m", s/60, "s", s%60)
	case s < 48*3600:
		return r.words.say("time.hours", "h", s/3600, "m", s/60%60)
	}
	return r.words.say("time.days", "n", s/86400)
}

// tel is a telephone number as people read it; it never turns round in text that runs from the right.
func (r *reader) tel(n phone.Number) template.HTML {
	return template.HTML(`<bdi class="tel" dir="ltr">` + template.HTMLEscapeString(r.plan.Spaced(n)) + `</bdi>`) //nolint:gosec // escaped
}

// claim is what a device says of itself, in quotation marks: anybody can write anything there.
func (r *reader) claim(text string) template.HTML { return "“" + bdi(harmless(text, 80)) + "”" }

// name is a text that people chose: of a line, a customer, a person.
func name(text string) template.HTML { return bdi(harmless(text, 80)) }

func bdi(text string) template.HTML {
	return template.HTML("<bdi>" + template.HTMLEscapeString(text) + "</bdi>") //nolint:gosec // escaped
}

// harmless is a foreign text that cannot upset a page: control and direction characters become boxes, and it ends after most
// characters.
func harmless(text string, most int) string {
	var b strings.Builder
	for n, r := range []rune(strings.ToValidUTF8(text, "▯")) {
		switch {
		case n >= most:
			return b.String() + "…"
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			b.WriteRune('▯')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// linkTo is a link inside a sentence of the catalogue.
func linkTo(path string, text any) template.HTML {
	shown, ok := text.(template.HTML)
	if !ok {
		shown = template.HTML(template.HTMLEscapeString(fmt.Sprint(text))) //nolint:gosec // escaped
	}
	return template.HTML(`<a href="`+template.HTMLEscapeString(path)+`">`) + shown + "</a>" //nolint:gosec // paths are ours, and escaped
}

// icons are drawn on a grid of 20, in lines of 1.75.
var icons = map[string]string{
	"key":  `<circle cx="7" cy="13" r="3.5"/><path d="m9.5 10.5 6.5-6.5m-3 3 2.5 2.5M15 5l2 2"/>`,
	"lock": `<rect x="4" y="9" width="12" height="8" rx="2"/><path d="M7 9V6.5a3 3 0 0 1 6 0V9"/>`, "check": `<path d="m4.5 10.5 3.7 3.7 7.3-8"/>`, "cross": `<path d="m5 5 10 10M15 5 5 15"/>`,
	"dash": `<path d="M5 10h10"/>`, "warn": `<path d="M10 3.2 17.8 16.6H2.2z"/><path d="M10 8.2v3.8M10 14.3v.01"/>`, "ask": `<circle cx="10" cy="10" r="7.4"/><path d="M7.9 7.9a2.2 2.2 0 1 1 3 2.1c-.6.3-.9.8-.9 1.5M10 14.1v.01"/>`,
	"bell": `<path d="M4.8 14.2V9a5.2 5.2 0 0 1 10.4 0v5.2M3.5 14.2h13M8.3 17h3.4"/>`, "out": `<path d="M6 14 14 6M7.4 6H14v6.6"/>`, "in": `<path d="M14 6 6 14M12.6 14H6V7.4"/>`, "barred": `<circle cx="10" cy="10" r="7"/><path d="m5.1 5.1 9.8 9.8"/>`,
	"home": `<path d="m3 9.2 7-6.1 7 6.1v7.3h-4.6v-4.6H7.6v4.6H3z"/>`, "phone": `<path d="M5 3h2.4l1.6 4-1.9 1.3a10 10 0 0 0 4.6 4.6L13 11l4 1.6V15a2 2 0 0 1-2 2A12 12 0 0 1 3 5a2 2 0 0 1 2-2z"/>`,
	"list": `<path d="M7 5h10M7 10h10M7 15h10M3.3 5v.01M3.3 10v.01M3.3 15v.01"/>`, "money": `<path d="M14 6.4a3.5 3.5 0 0 0-6.7 1c0 2 .9 3.1.9 5 0 1.6-.7 3-2.2 3.6h8.6M5.4 11h6.4"/>`, "people": `<circle cx="7.6" cy="7" r="2.9"/><path d="M2.4 16.5a5.2 5.2 0 0 1 10.4 0M13 4.4a2.9 2.9 0 0 1 0 5.2M14.6 12.3a5.2 5.2 0 0 1 3 4.2"/>`,
	"more": `<path d="M4 10h.01M10 10h.01M16 10h.01"/>`, "search": `<circle cx="9" cy="9" r="5.4"/><path d="m13 13 4 4"/>`, "shield": `<path d="m10 2.6 6.4 2.4v4.5c0 4-2.7 6.8-6.4 8-3.7-1.2-6.4-4-6.4-8V5z"/>`, "clock": `<circle cx="10" cy="10" r="7.2"/><path d="M10 6v4.2l2.8 1.7"/>`,
	"place": `<path d="M10 17.5s5.5-5 5.5-9.3a5.5 5.5 0 0 0-11 0c0 4.3 5.5 9.3 5.5 9.3z"/><circle cx="10" cy="8.2" r="1.9"/>`, "device": `<rect x="5.5" y="2.5" width="9" height="15" rx="2"/><path d="M9 15h2"/>`, "file": `<path d="M5 2.5h6l4 4v11H5z"/><path d="M11 2.5v4h4"/>`,
	"flag": `<path d="M5 17.5v-14h9.5l-2 3.5 2 3.5H5"/>`, "chart": `<path d="M3.5 16.5h13M6 13.5v-4M10 13.5v-8M14 13.5v-6"/>`, "pulse": `<path d="M2.5 10.5h3.4l2-5.5 3.6 9.5 2.2-4h3.8"/>`, "eye": `<path d="M2.2 10S5 4.6 10 4.6 17.8 10 17.8 10 15 15.4 10 15.4 2.2 10 2.2 10z"/><circle cx="10" cy="10" r="2.4"/>`,
	"save": `<path d="M10 3v9.5M6 9l4 4 4-4M3.5 16.8h13"/>`, "undo": `<path d="M7 4 3.5 7.5 7 11M4 7.5h8a4.3 4.3 0 0 1 0 8.6H8"/>`, "right": `<path d="m8 4.5 5.5 5.5L8 15.5"/>`,
}

// turning icons mirror where text runs from the right.
var turning = map[string]bool{"out": true, "in": true, "right": true, "undo": true}

// icon is a picture beside a word; it says nothing of its own.
func icon(name string) (template.HTML, error) {
	shape, ok := icons[name]
	if !ok {
		return "", fmt.Errorf("no icon %q", name)
	}
	class := "i"
	if turning[name] {
		class = "i turns"
	}
	return template.HTML(`<svg class="` + class + `" viewBox="0 0 20 20" aria-hidden="true">` + shape + `</svg>`), nil //nolint:gosec // from the table above
}
