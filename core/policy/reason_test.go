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
	figures := []Figures{{}, {Limit: 1, Value: 2, Pass: 3}, {math.MaxInt64, math.MaxInt64, math.MaxInt64}, {math.MinInt64, math.MinInt64, math.MinInt64}}
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
			Figures{int64(2 * p), int64(451 * p / 10), int64(451 * p / 10)},
			"the international ceiling is 2p a minute and this call costs 45.1p: a ceiling of 45.1p would pass",
		},
		{OverNational, Figures{0, int64(p), int64(p)}, "the national ceiling allows free calls only and this call costs 1p: a ceiling of 1p would pass"},
		{TooManyCalls, Figures{10, 10, 11}, "this line may have 10 calls at once and has 10: a call passes when one ends"},
		{TooManyPerMinute, Figures{30, 30, 31}, "this line may begin 30 calls a minute and began 30: a call passes within a minute"},
		{
			LineDaySpent,
			Figures{50_000_000, 49_980_000, 50_120_000},
			"the line's cap for today is 50.00 and 49.98 of it is spent or held: a cap of 50.12 would pass, or a call tomorrow",
		},
		{
			AccountMonthSpent,
			Figures{Limit: 150_000_000, Value: 150_000_000},
			"the account's cap for this month is 150.00 and 150.00 of it is spent or held: a call next month",
		},
		{TooLong, Figures{Limit: 14400}, "the call reached the longest time allowed, 4h0m0s"},
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
