package replay

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringfence/core/habit"
	"ringfence/core/rating"
)

// gambia is a deck with a dear country.
const gambia = deckCSV + "Gambia,220,0.40,0.40,0.40,0,1,1\n"

// officeAndThief is two months of an office at home, and then 45 calls to one Gambian mobile in a night, from another network.
func officeAndThief() string {
	var b strings.Builder
	b.WriteString(header)
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	n := 0
	row := func(at time.Time, number string, seconds int, source string) {
		n++
		fmt.Fprintf(&b, "c%d,%s,2001,acme,out,%s,%d,5,1,%s,Yealink SIP-T46S 66.84\n", n, at.Format(time.RFC3339), number, seconds, source)
	}
	for day := range 56 {
		for hour := range 8 {
			if day%7 < 5 {
				row(at.AddDate(0, 0, day).Add(time.Duration(hour)*time.Hour), "02079460000", 180, "192.0.2.7:5060")
			}
		}
	}
	for i := range 45 {
		row(at.AddDate(0, 0, 56).Add(-6*time.Hour+time.Duration(i)*6*time.Minute), "002203123456", 300, "203.0.113.9")
	}
	row(at.AddDate(0, 0, 56).Add(time.Hour), "02079460000", 180, "192.0.2.7")
	return b.String()
}

// TestThiefIsStopped: the first calls pass the allowance, the others are refused, and ordinary calls go on. The output names the finding.
func TestThiefIsStopped(t *testing.T) {
	set := rules(t, "international-ceiling=100", "national-ceiling=100", "line-day-cap=200", "account-day-cap=200", "line-month-cap=500", "account-month-cap=500")
	deck, err := Deck([]byte(gambia), rating.ReadOptions{})
	must(t, err)
	set.Deck, set.Habits = deck, habit.Default()
	rows, _ := playFile(t, officeAndThief(), Options{Sets: []Set{set}})
	refused := 0
	for id, row := range rows {
		if strings.HasPrefix(row, "refused,0,0.000000,destination-closed,") {
			refused++
			if !strings.Contains(row, ",range/") && !strings.Contains(row, ",line/") || !strings.HasSuffix(row, "Z") {
				t.Errorf("%s: %s", id, row)
			}
		}
	}
	if refused < 40 {
		t.Errorf("%d of 45 calls were refused", refused)
	}
	if last := rows[fmt.Sprintf("c%d", 40*8+46)]; !strings.HasPrefix(last, "allowed,180,") {
		t.Errorf("the office's own call: %s", last)
	}
	set.Habits = nil
	rows, _ = playFile(t, officeAndThief(), Options{Sets: []Set{set}})
	if got := rows["c365"]; !strings.HasPrefix(got, "allowed,") {
		t.Errorf("nothing watches: %s", got)
	}
}

// TestWorkersDoNotMatterToHabits: the output is the same whatever the number of workers, with all rules on.
func TestWorkersDoNotMatterToHabits(t *testing.T) {
	set := rules(t, "international-ceiling=100", "national-ceiling=100", "line-day-cap=200", "account-day-cap=200", "line-month-cap=500", "account-month-cap=500")
	deck, err := Deck([]byte(gambia), rating.ReadOptions{})
	must(t, err)
	set.Deck, set.Habits = deck, habit.Default()
	file := header
	for line := range strings.Lines(strings.TrimPrefix(officeAndThief(), header)) {
		for k := range 7 {
			file += strings.NewReplacer(",2001,acme,", fmt.Sprintf(",20%02d,k%d,", k, k/2), "c", fmt.Sprintf("c%d-", k)).Replace(line)
		}
	}
	var want []byte
	for workers := 1; workers < 5; workers++ {
		var out bytes.Buffer
		_, err := Run(t.Context(), strings.NewReader(file), Options{Sets: []Set{set}, Workers: workers, Verdicts: &out})
		must(t, err)
		if want == nil {
			want = out.Bytes()
		} else if !bytes.Equal(want, out.Bytes()) {
			t.Fatalf("%d workers say otherwise than one", workers)
		}
	}
}
