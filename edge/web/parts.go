package web

import (
	"html/template"
	"strconv"

	"ringfence/core/money"
)

// The parts that templates draw with {{template "name" .}}; frame/parts.html has their markup.

// banner is a question, a restriction or an incident: one sentence what, one why, and what to do.
type banner struct {
	Look  string // "grave", "warn", "good" or ""
	Icon  string
	Title string
	Text  []template.HTML
	Acts  []act
	Alert bool // said at once by a screen reader
}

// act is a button. One of them is "main" or "grave" on a page; the others are plain.
type act struct {
	Text, Path, Look, Icon string
	Post                   bool   // it changes something
	Hidden                 []pair // what is posted
	Busy                   string // what it says meanwhile: "Locking …"
	Why                    string // why it cannot be pressed
	Key                    string // the key that presses it
}

type pair struct{ Name, Value string }

// field is one thing to type or choose.
type field struct {
	Name, Label, Value, Help, Error string
	Type, Mode, Complete, Hint      string // of the input
	Before, After                   string // a unit in the frame: "£", "p a minute"
	Most                            int    // characters; needed
	Lines                           int    // more than one line of text
	Choices                         []choice
	Needed                          bool
}

type choice struct {
	Value, Text string
	On          bool
}

// wrong are the fields that have an error, for the list above a form.
func wrong(fields ...field) (bad []field) {
	for _, f := range fields {
		if f.Error != "" {
			bad = append(bad, f)
		}
	}
	return bad
}

// meter is money against a cap: spent, held by calls now, at risk.
type meter struct {
	Says       string // all of it in words
	Thin       bool
	Bars       []meterBar
	Level, Fit string // where the warning and the settings that fit stand; "" is nowhere
	Cap, Hit   bool
}

type meterBar struct{ Class, X, W string }

// Y and H are where the bars are drawn.
func (m meter) Y() int {
	if m.Thin {
		return 0
	}
	return 6
}

// H is their height.
func (m meter) H() int {
	if m.Thin {
		return 8
	}
	return 16
}

// newMeter draws amounts one after another up to the whole; classes are m-spent, m-held, m-risk.
func newMeter(says string, whole money.Micro, parts ...meterPart) meter {
	m := meter{Says: says}
	at := 0.0
	for _, p := range parts {
		w := min(share(p.Amount, whole), 1-at)
		if w > 0 {
			m.Bars = append(m.Bars, meterBar{p.Class, ofWidth(at), ofWidth(w)})
			at += w
		}
	}
	return m
}

type meterPart struct {
	Class  string
	Amount money.Micro
}

func share(part, whole money.Micro) float64 {
	if whole <= 0 {
		return 0
	}
	return max(0, float64(part)/float64(whole))
}

func ofWidth(share float64) string { return strconv.FormatFloat(share*100, 'f', 1, 64) + "%" }

// chart is bars of today on those of a usual day, and the same as a table.
type chart struct {
	Says  string
	Bars  []chartBar
	Axis  []string
	Heads []string
	Rows  [][]string
}

type chartBar struct {
	X, Now, Usual int // of 100
	Class         string
}

// Width is that of the drawing.
func (c chart) Width() int { return 9 * len(c.Bars) }

// NowY is where the bar of today begins.
func (b chartBar) NowY() int { return 100 - b.Now }

// UsualY is where the bar of a usual day begins.
func (b chartBar) UsualY() int { return 100 - b.Usual }

// newChart scales values to the highest of them; hot ones are unusual. usual may be nil.
func newChart(says string, now, usual []int64, hot func(int) bool) chart {
	c := chart{Says: says}
	most := int64(1)
	for i := range now {
		most = max(most, now[i])
		if usual != nil {
			most = max(most, usual[i])
		}
	}
	for i := range now {
		b := chartBar{X: 9 * i, Now: int(100 * now[i] / most), Class: "c-now"}
		if usual != nil {
			b.Usual = int(100 * usual[i] / most)
		}
		if hot != nil && hot(i) {
			b.Class = "c-hot"
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// pager leads through a list by keyset: to what is later, and to what is earlier. "" is neither.
type pager struct{ Back, Next string }
