package sqlstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/state/store"
)

// Micros is how an instant is stored: µs UTC, 0 for none.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant reads what Micros wrote.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// blob distinguishes "none" from nothing: an empty value is stored as NULL and read back as nil.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// wireQuote is a Quote as stored. Short names: it is written twice with every call.
type wireQuote struct {
	Prefix  uint64                      `json:"p,omitempty"`
	Short   bool                        `json:"s,omitempty"`
	Name    string                      `json:"n,omitempty"`
	Connect money.Micro                 `json:"c,omitempty"`
	Minimum money.Micro                 `json:"m,omitempty"`
	First   uint16                      `json:"f,omitempty"`
	Step    uint16                      `json:"i,omitempty"`
	Rates   [rating.NumBands]money.Rate `json:"r"`
	Zone    string                      `json:"z,omitempty"`
	From    time.Duration               `json:"pf,omitempty"`
	Till    time.Duration               `json:"pt,omitempty"`
	Start   int64                       `json:"t,omitempty"`
}

// quote is stored as JSON, the zero quote as "".
type quote rating.Quote

// text is written by hand: it is on the path of every call.
func (q *quote) text() (string, error) {
	if q.Price == (rating.Price{}) && q.Calendar == (rating.Calendar{}) && q.Start.IsZero() {
		return "", nil
	}
	p := &q.Price
	b := make([]byte, 0, 160)
	b = append(b, `{"p":`...)
	b = strconv.AppendUint(b, p.Prefix, 10)
	if p.Short {
		b = append(b, `,"s":true`...)
	}
	b = append(b, `,"n":`...)
	b = appendText(b, p.Name)
	for _, f := range [...]struct {
		name string
		n    int64
	}{
		{`,"c":`, int64(p.Connect)},
		{`,"m":`, int64(p.Minimum)},
		{`,"f":`, int64(p.First)},
		{`,"i":`, int64(p.Step)},
		{`,"pf":`, int64(q.Calendar.PeakFrom)},
		{`,"pt":`, int64(q.Calendar.PeakTill)},
		{`,"t":`, Micros(q.Start)},
	} {
		if f.n != 0 {
			b = append(b, f.name...)
			b = strconv.AppendInt(b, f.n, 10)
		}
	}
	if q.Calendar.Zone != nil {
		b = append(b, `,"z":`...)
		b = appendText(b, q.Calendar.Zone.String())
	}
	b = append(b, `,"r":[`...)
	for i, r := range p.Rates {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(r), 10)
	}
	return string(append(b, ']', '}')), nil
}

// appendText quotes s as JSON, quickly where nothing needs an escape.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			text, err := json.Marshal(s) // cannot fail on a string
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func (q *quote) read(text string) error {
	if text == "" {
		return nil
	}
	var w wireQuote
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return fmt.Errorf("a stored quote: %w", err)
	}
	*q = quote{
		Price: rating.Price{
			Prefix: w.Prefix, Short: w.Short, Name: w.Name, Connect: w.Connect, Minimum: w.Minimum,
			First: w.First, Step: w.Step, Rates: w.Rates,
		},
		Calendar: rating.Calendar{PeakFrom: w.From, PeakTill: w.Till},
		Start:    instant(w.Start),
	}
	if w.Zone != "" {
		zone, err := time.LoadLocation(w.Zone)
		if err != nil {
			return fmt.Errorf("a stored quote: %w", err)
		}
		q.Calendar.Zone = zone
	}
	return nil
}

// anchor is stored as "BOOT UPTIME-NS STORE-µS", the zero anchor as "".
type anchor call.Anchor

func (c *anchor) text() (string, error) {
	if *c == (anchor{}) {
		return "", nil
	}
	return fmt.Sprintf("%s %d %d", c.Boot, int64(c.Uptime), Micros(c.Store)), nil
}

func (c *anchor) read(text string) error {
	if text == "" {
		return nil
	}
	boot, rest, _ := strings.Cut(text, " ")
	var uptime, at int64
	if _, err := fmt.Sscanf(rest, "%d %d", &uptime, &at); err != nil {
		return fmt.Errorf("a stored anchor: %w", err)
	}
	*c = anchor{Boot: boot, Uptime: time.Duration(uptime), Store: instant(at)}
	return nil
}

// wireEnd is an End as stored.
type wireEnd struct {
	At     int64      `json:"at"`
	Talk   int64      `json:"talk"`
	Doubt  int64      `json:"doubt,omitempty"`
	By     call.Party `json:"by"`
	Reason string     `json:"why"`
	Text   string     `json:"text"`
	Status int        `json:"status"`
}

// end is stored as JSON, the zero end as "".
type end call.End

func (e *end) text() (string, error) {
	if *e == (end{}) {
		return "", nil
	}
	text, err := json.Marshal(wireEnd{At: Micros(e.At), Talk: int64(e.Talk), Doubt: int64(e.Doubt), By: e.By, Reason: e.Reason, Text: store.Clean(e.Text), Status: e.Status})
	return string(text), err
}

func (e *end) read(text string) error {
	if text == "" {
		return nil
	}
	var w wireEnd
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return fmt.Errorf("a stored end: %w", err)
	}
	*e = end{At: instant(w.At), Talk: time.Duration(w.Talk), Doubt: time.Duration(w.Doubt), By: w.By, Reason: w.Reason, Text: w.Text, Status: w.Status}
	return nil
}

// purses are ids, which have no control characters, line by line.
type purses []string

func (c *purses) text() (string, error) { return strings.Join(*c, "\n"), nil }

func (c *purses) read(text string) error {
	*c = splitPurses(text)
	return nil
}

func splitPurses(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
