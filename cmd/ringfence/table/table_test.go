package table_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
	"ringfence/cmd/ringfence/table"
)

func render(t *table.Table, width int, colour bool) string {
	var b strings.Builder
	_, _ = t.Write(&table.Screen{Writer: &b, Width: width, Colour: colour}, 0) // a Builder does not fail
	return b.String()
}

func TestColumnsAlign(t *testing.T) {
	x := table.New(table.Left("line"), table.Cut("name"), table.Right("spent"), table.Left("note"))
	x.Row("2001", "Front desk", "£3.20", "")
	x.Row("7", "日本語の電話", table.Cell{Text: "£1,250.00", Style: table.Bad}, "")
	want := "" +
		"line  name              spent\n" +
		"2001  Front desk        £3.20\n" +
		"7     日本語の電話  £1,250.00\n"
	if got := render(x, 0, false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := render(x, 0, true); !strings.Contains(got, "\x1b[31m£1,250.00\x1b[0m") {
		t.Errorf("no colour: %q", got)
	}
}

func TestNarrowScreenCutsFreeTextOnly(t *testing.T) {
	x := table.New(table.Left("line"), table.Cut("user agent"), table.Right("spent"))
	x.Row("2001", "A very long User-Agent that nobody reads", "£3.20")
	want := "line  user agent      spent\n2001  A very long U…  £3.20\n"
	if got := render(x, 27, false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A User-Agent is chosen by a stranger: it must not clear the fraud desk's screen or write on another line.
func TestCellsCannotSteerTheTerminal(t *testing.T) {
	x := table.New(table.Left("agent"), table.Left("next"))
	x.Row("evil\x1b[2J\r\nfree\u202ecall\x9b\u009b\u2067\u061c\u2028\U000e0041", "ok")
	got := render(x, 0, false)
	if strings.ContainsAny(got, "\x1b\r\u009b\u202e\u2067\u061c\u2028\U000e0041") || !utf8.ValidString(got) || strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
}

// Ids go before anything is cut, whatever column they are in.
func TestIDsAreLeftOutFirst(t *testing.T) {
	x := table.New(table.Column{Head: "call", ID: true}, table.Left("line"), table.Cut("name"))
	x.Row("01JD8Z6Q4N8T7R5V3X1B9C7D5F", "2001", "Reception on the ground floor")
	want := "line  name\n2001  Reception on the ground floor\n"
	if got := render(x, 40, false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := render(x, 0, false); !strings.Contains(got, "01JD8Z6Q4N8T7R5V3X1B9C7D5F") {
		t.Errorf("no id where there is room:\n%s", got)
	}
}

func TestSentencesGoOnInTheNextLine(t *testing.T) {
	x := table.New(table.Left(""), table.Left(""))
	x.Row("state", "locked: calls to Cuba at night")
	x.Row("contact", "sip:2001@192.0.2.1:5060;ob")
	want := "" +
		"state    locked: calls to Cuba\n         at night\n" +
		"contact  sip:2001@192.0.2.1:50\n         60;ob\n"
	if got := render(x, 30, false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A row that no cutting makes fit goes on in an indented line, with nothing lost.
func TestRowsGoOnInTheNextLine(t *testing.T) {
	x := table.New(table.Left("finding"), table.Left("at"), table.Left("kind"), table.Left("line"), table.Left("source"), table.Wrap("what"))
	x.Row("4", "29 Nov 07:52", "honeypot", "2003", "127.62.7.11", "somebody tried to log in as 2003, a trap")
	x.Row("3", "29 Nov 07:51", "guessing", "", "127.61.7.10", "")
	want := "" +
		"finding  at            kind      line\n" +
		"    source       what\n" +
		"4        29 Nov 07:52  honeypot  2003\n" +
		"    127.62.7.11  somebody tried to log\n" +
		"                 in as 2003, a trap\n" +
		"3        29 Nov 07:51  guessing\n" +
		"    127.61.7.10\n"
	if got := render(x, 40, false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Whatever stands in the cells, no line is wider than the screen.
func TestNoLineIsTooWide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := []func(string) table.Column{
			table.Left, table.Cut, table.Right, table.Wrap,
			func(h string) table.Column { return table.Column{Head: h, ID: true} }, func(h string) table.Column { return table.Left(h).AsSpare() },
		}
		var columns []table.Column
		for range rapid.IntRange(1, 6).Draw(t, "columns") {
			columns = append(columns, rapid.SampledFrom(kinds).Draw(t, "kind")(rapid.SampledFrom([]string{"", "customer"}).Draw(t, "head")))
		}
		x := table.New(columns...)
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			var row []any
			for range columns {
				row = append(row, rapid.String().Draw(t, "cell"))
			}
			x.Row(row...)
		}
		width := rapid.IntRange(24, 90).Draw(t, "width")
		for line := range strings.Lines(render(x, width, false)) {
			if w := table.Width(strings.TrimSuffix(line, "\n")); w > width {
				t.Fatalf("%d columns on a screen of %d: %q", w, width, line)
			}
		}
	})
}
