package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestResume: a run that is stopped writes what no later call could have changed, and a run that goes on with it writes the rest: together what one
// run writes, and its report is of all calls.
func TestResume(t *testing.T) {
	file := stream(5, 30, 200_000)
	set := rules(t, "line-day-cap=1", "international-ceiling=40p")
	var whole bytes.Buffer
	want, err := Run(t.Context(), strings.NewReader(file), Options{Sets: []Set{set}, Workers: 2, Verdicts: &whole})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var part bytes.Buffer
	_, err = Run(ctx, strings.NewReader(file), Options{Sets: []Set{set}, Workers: 2, Verdicts: &part, Progress: func(rows int64) {
		if rows > 120_000 {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || part.Len() == 0 || part.Len() == whole.Len() || !bytes.HasPrefix(whole.Bytes(), part.Bytes()) {
		t.Fatalf("%v, %d bytes of %d, the same: %v", err, part.Len(), whole.Len(), bytes.HasPrefix(whole.Bytes(), part.Bytes()))
	}
	before := slices.Clone(part.Bytes())
	got, err := Run(t.Context(), strings.NewReader(file), Options{Sets: []Set{set}, Workers: 1, Verdicts: &part, Before: bytes.NewReader(before)})
	must(t, err)
	if !bytes.Equal(part.Bytes(), whole.Bytes()) {
		t.Error("the parts together are not the whole")
	}
	if fmt.Sprint(got.Sets[0].All, got.Rows, got.Written) != fmt.Sprint(want.Sets[0].All, want.Rows, want.Written) {
		t.Errorf("%+v, want %+v", got.Sets[0].All, want.Sets[0].All)
	}
	// Other rules, or other calls, are noticed, and nothing is written behind what they would not have written.
	for what, o := range map[string]struct {
		file string
		set  Set
	}{
		"other rules": {file, rules(t, "line-day-cap=2", "international-ceiling=40p")},
		"fewer calls": {strings.Join(strings.SplitAfter(file, "\n")[:1000], ""), set},
	} {
		var more bytes.Buffer
		_, err := Run(t.Context(), strings.NewReader(o.file), Options{Sets: []Set{o.set}, Verdicts: &more, Before: bytes.NewReader(before)})
		if err == nil || !strings.Contains(err.Error(), "the earlier output") || more.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", what, err, more.Len())
		}
	}
}

// TestStoppedWhileNothingComes: a run ends also while it waits for its file.
func TestStoppedWhileNothingComes(t *testing.T) {
	for _, head := range []string{"", header + "a,2026-11-02T10:00:00Z,1,,out,02079460000,60,0,1,,\n"} {
		in, feed := io.Pipe()
		go func() { _, _ = io.WriteString(feed, head) }()
		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := Run(ctx, in, Options{Sets: []Set{rules(t)}})
		if stop(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		feed.Close()
	}
}

// TestFullDisk: a run ends when its output cannot be written.
func TestFullDisk(t *testing.T) {
	broken := errors.New("no space left")
	report, err := Run(t.Context(), strings.NewReader(stream(6, 30, 200_000)), Options{Sets: []Set{rules(t)}, Verdicts: write(func([]byte) (int, error) { return 0, broken })})
	if !errors.Is(err, broken) || report.Rows == 200_000 {
		t.Errorf("%v after %d rows", err, report.Rows)
	}
}

type write func([]byte) (int, error)

func (w write) Write(b []byte) (int, error) { return w(b) }

// counted counts what is read.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

// TestManySets: a hundred sets of rules are played over one reading of the calls, and each says what it says alone.
func TestManySets(t *testing.T) {
	file := stream(7, 40, 5000)
	var sets []Set
	for n := range 100 {
		set := rules(t, fmt.Sprintf("international-ceiling=%dp", n), "line-day-cap=2", "account-day-cap=4")
		set.Name = fmt.Sprint(n)
		sets = append(sets, set)
	}
	in := &counted{Reader: strings.NewReader(file)}
	report, err := Run(t.Context(), in, Options{Sets: sets, Workers: 2})
	must(t, err)
	if in.n != len(file) || len(report.Sets) != 100 {
		t.Errorf("%d bytes read of %d, %d sets", in.n, len(file), len(report.Sets))
	}
	for _, n := range []int{0, 1, 2, 29, 30, 99} {
		alone, err := Run(t.Context(), strings.NewReader(file), Options{Sets: sets[n : n+1]})
		must(t, err)
		if got, want := fmt.Sprint(report.Sets[n].All, report.Sets[n].Rules, report.Sets[n].Month), fmt.Sprint(alone.Sets[0].All, alone.Sets[0].Rules, alone.Sets[0].Month); got != want {
			t.Errorf("set %d: %s\nalone: %s", n, got, want)
		}
	}
	if report.Sets[0].Lines == nil || report.Sets[1].Lines != nil {
		t.Error("of many sets the first alone is told in full")
	}
	if report.Sets[0].All.Let >= report.Sets[99].All.Let {
		t.Error("the sets are the same: the test says nothing")
	}
}

// TestLastMonth: calls of the last 30 days are counted by what they really were, and rules that stop honest ones say so.
func TestLastMonth(t *testing.T) {
	var file strings.Builder
	file.WriteString(header)
	at := time.Date(2026, 9, 1, 10, 0, 0, 0, time.UTC)
	for day := range 61 {
		for i := range 10 {
			number := "02079460000"
			if i == 9 {
				number = "0037167123456" // above the ceiling
			}
			fmt.Fprintf(&file, "%d-%d,%s,1,,out,%s,60,0,1,,\n", day, i, at.AddDate(0, 0, day).Add(time.Duration(i)*time.Minute).Format(time.RFC3339), number)
		}
	}
	labels := map[string]string{"60-9": Disputed, "59-9": Refunded, "58-9": "night", "10-9": Disputed}
	_, report := playFile(t, file.String(), Options{Sets: []Set{rules(t)}, Labels: labels})
	got, m := report.Sets[0], report.Sets[0].Month
	if m.From != "2026-10-02" || m.All != (Kept{300, 30}) || m.Honest != (Kept{297, 27}) || m.Disputed != (Kept{1, 1}) || m.Refunded != (Kept{1, 1}) || m.Attacks != (Kept{1, 1}) || !m.Loud {
		t.Errorf("%+v", m)
	}
	if got.Honest.Calls != 606 || got.Disputed.Calls != 2 || got.Refunded.Stopped() != 1 || len(got.Attacks) != 1 {
		t.Errorf("%+v %+v %+v %+v", got.Honest, got.Disputed, got.Refunded, got.Attacks)
	}
	if slices.Contains(got.Never, "over-international-ceiling") || !slices.Contains(got.Never, "premium-barred") || slices.Contains(got.Never, "personal-barred") || slices.Contains(got.Never, "line-locked") {
		t.Errorf("never fired: %v", got.Never)
	}
	_, report = playFile(t, file.String(), Options{Sets: []Set{rules(t, "international-ceiling=40p")}, Labels: labels})
	if report.Sets[0].Month.Loud || report.Sets[0].Month.All.Stopped != 0 {
		t.Errorf("%+v", report.Sets[0].Month)
	}
	var page bytes.Buffer
	must(t, report.HTML(&page))
	if strings.Contains(page.String(), "would have stopped 9") || !strings.Contains(page.String(), "Of the 300 calls of the last month") {
		t.Error("the page says something else of the last month")
	}
}
