package policy

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"testing"

	"ringfence/core/phone"
)

func TestEveryReasonIsTold(t *testing.T) {
	codes := map[string]Reason{}
	slug := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for r := range NumReasons {
		if before, twice := codes[r.Code()]; twice {
			t.Errorf("%d and %d share the code %q", before, r, r.Code())
		}
		codes[r.Code()] = r
		if !slug.MatchString(r.Code()) {
			t.Errorf("%d has code %q", r, r.Code())
		}
		if back, err := ParseReason(r.Code()); err != nil || back != r {
			t.Errorf("%v reads back as %v, %v", r, back, err)
		}
		if s := r.SIPStatus(); s != 200 && (s < 400 || s > 699) {
			t.Errorf("%v has status %d", r, s)
		}
		if c := r.Cause(); c < 1 || c > 127 {
			t.Errorf("%v has cause %d", r, c)
		}
	}
}

// TestTextsFitSIP: a text goes into a reason phrase and a quoted string as it is, whatever the figures are.
func TestTextsFitSIP(t *testing.T) {
	safe := regexp.MustCompile(`^[ !#-\[\]-~]{10,200}$`)
	figures := []Figures{{}, {Limit: 1, Value: 2, Pass: 3}, {Limit: math.MaxInt64, Value: math.MaxInt64, Pass: math.MaxInt64}, {Limit: math.MinInt64, Value: math.MinInt64, Pass: math.MinInt64}}
	for _, w := range []Waiting{{1, 1, 0}, {1, 0, 1}, {math.MaxInt64, math.MaxInt64, math.MaxInt64}, {math.MinInt64, math.MinInt64, math.MinInt64}} {
		for _, n := range []int64{0, 5_000_000, 123_456_780_000, math.MaxInt64, math.MinInt64} {
			figures = append(figures, Figures{Limit: n, Value: n, Pass: n, Waiting: w})
		}
	}
	for p := range phone.NumProblems + 1 {
		figures = append(figures, Figures{Value: int64(p)})
	}
	for r := range NumReasons + 1 {
		for _, f := range figures {
			if text := r.Text(f); !safe.MatchString(text) {
				t.Errorf("%v %+v: %q (%d bytes)", r, f, text, len(text))
			}
		}
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		reason  Reason
		figures Figures
		want    string
	}{
		{
			OverInternational,
			Figures{Limit: int64(2 * p), Value: int64(451 * p / 10), Pass: int64(451 * p / 10)},
			"the international ceiling is 2p per minute and this call costs 45.1p: a ceiling of 45.1p would allow it",
		},
		{OverNational, Figures{Value: int64(p), Pass: int64(p)}, "the national ceiling allows free calls only and this call costs 1p: a ceiling of 1p would allow it"},
		{TooManyCalls, Figures{Limit: 10, Value: 10, Pass: 11}, "this line may have 10 concurrent calls and has 10: try again when one has ended"},
		{TooManyPerSecond, Figures{Limit: 2, Value: 2, Pass: 3}, "this line may start 2 calls per second and has started 2: try again in a moment"},
		{TooManyPerMinute, Figures{Limit: 30, Value: 30, Pass: 31}, "this line may start 30 calls per minute and has started 30: try again within a minute"},
		{
			LineDaySpent,
			Figures{Limit: 50_000_000, Value: 49_980_000, Pass: 50_120_000},
			"the line's cap for today is GBP 50.00 and 49.98 of it is spent or reserved: a cap of 50.12 would allow it, or try again tomorrow",
		},
		{
			AccountMonthSpent,
			Figures{Limit: 150_000_000, Value: 150_000_000},
			"the account's cap for this month is GBP 150.00 and 150.00 of it is spent or reserved: try again next month",
		},
		{
			LineDaySpent,
			Figures{Limit: 5_000_000, Value: 4_900_000, Pass: 5_120_000, Waiting: Waiting{Amount: 3_000_000, Ringing: 3}},
			"the line's cap for today is GBP 5.00 and 4.90 of it is spent or reserved, 3.00 of that by 3 ringing calls: a cap of 5.12 would allow it, or try again when they end or tomorrow",
		},
		{
			LineDaySpent, // even without them there is no room
			Figures{Limit: 5_000_000, Value: 4_900_000, Pass: 9_000_000, Waiting: Waiting{Amount: 1_000_000, Ringing: 1}},
			"the line's cap for today is GBP 5.00 and 4.90 of it is spent or reserved, 1.00 of that by 1 ringing call: a cap of 9.00 would allow it, or try again tomorrow",
		},
		{
			LineMonthSpent,
			Figures{Limit: 5_000_000, Value: 5_000_000, Pass: 5_120_000, Waiting: Waiting{Amount: 200_000, Ending: 1}},
			"the line's cap for this month is GBP 5.00 and 5.00 of it is spent or reserved, 0.20 of that by 1 call that is ending: a cap of 5.12 would allow it, or try again when they end or next month",
		},
		{
			AccountDaySpent,
			Figures{Limit: 5_000_000, Value: 5_000_000, Pass: 5_120_000, Waiting: Waiting{Amount: 700_000, Ringing: 1, Ending: 2}},
			"the account's cap for today is GBP 5.00 and 5.00 of it is spent or reserved, 0.70 of that by 1 ringing call and 2 that are ending: a cap of 5.12 would allow it, or try again when they end or tomorrow",
		},
		{
			AccountMonthSpent, // too long for both counts
			Figures{Limit: 150_000_000, Value: 150_000_000, Pass: 150_120_000, Waiting: Waiting{Amount: 30_000_000, Ringing: 13, Ending: 12}},
			"the account's cap for this month is GBP 150.00 and 150.00 of it is spent or reserved, 30.00 of that by ringing or ending calls: a cap of 150.12 would allow it, or try again when they end or next month",
		},
		{
			ProbationSpent,
			Figures{Limit: 2_000_000, Value: 1_900_000, Pass: 2_020_000, Waiting: Waiting{Amount: 1_000_000, Ringing: 2}},
			"this login is from a new place and on probation for a day: 1.90 of its GBP 2.00 is spent or reserved, 1.00 of that by 2 ringing calls: free calls are possible, and all calls when the day is over",
		},
		{TooLong, Figures{Limit: 14400}, "the call reached its maximum duration, 4h0m0s"},
		{NumberInvalid, Figures{Value: int64(phone.TooShort)}, "this number is too short for its range"},
	} {
		if got := c.reason.Text(c.figures); got != c.want {
			t.Errorf("%v:\n got %s\nwant %s", c.reason, got, c.want)
		}
	}
}

// TestEveryProblemHasItsOwnText guards against a problem added to core/phone that callers would hear as the general one.
func TestEveryProblemHasItsOwnText(t *testing.T) {
	seen := map[string]phone.Problem{}
	for problem := phone.NoProblem; problem < phone.NumProblems; problem++ {
		text := NumberInvalid.Text(Figures{Value: int64(problem)})
		if before, twice := seen[text]; twice {
			t.Errorf("problems %d and %d are both %q", before, problem, text)
		}
		seen[text] = problem
	}
}

func TestReasonInJSON(t *testing.T) {
	body, err := json.Marshal(map[string]Reason{"reason": PremiumBarred})
	if err != nil || string(body) != `{"reason":"premium-barred"}` {
		t.Fatalf("%s %v", body, err)
	}
	var r Reason
	if err := json.Unmarshal([]byte(`"line-day-cap"`), &r); err != nil || r != LineDaySpent {
		t.Fatal(r, err)
	}
	if err := json.Unmarshal([]byte(`"no-such"`), &r); !errors.Is(err, ErrReason) {
		t.Fatal(err)
	}
	if NumReasons.Code() != "unknown" {
		t.Fatal(NumReasons.Code())
	}
}

// TestNoRefusalSendsPhonesElsewhere: only what another node may do better is a 503.
func TestNoRefusalSendsPhonesElsewhere(t *testing.T) {
	for r := range NumReasons {
		if (r.SIPStatus() == 503) != (r == StoreUnavailable || r == Stopping || r == Overloaded) {
			t.Errorf("%v is %d", r, r.SIPStatus())
		}
	}
}
