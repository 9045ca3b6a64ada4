package policy

import (
	"testing"

	"ringfence/core/account"
	"ringfence/core/phone"
	"ringfence/core/restrict"
)

// TestQuestions: what becomes of a call that must be confirmed, by the line's setting and by who could be asked. A refusal of another rule comes first.
func TestQuestions(t *testing.T) {
	asks := func(s *account.Settings) {
		names, err := restrict.ParseSet("intl-mobile")
		if err != nil {
			t.Fatal(err)
		}
		s.Restrictions = []restrict.Restriction{{ID: 9, Names: names, Ask: restrict.AskDigits}}
	}
	far, near := call(phone.IntlMobile, false, quote(p, 0, 0)), call(phone.Geographic, true, quote(p, 0, 0))
	dear := call(phone.IntlMobile, false, quote(90*p, 0, 0))
	sent := far
	sent.SentOn = true
	for _, c := range []struct {
		name   string
		set    int64
		facts  Facts
		call   Attempt
		why    Reason
		value  int64
		asking bool
	}{
		{"asked", account.QuestionsAnswer, Facts{}, far, OK, 0, true},
		{"asked early", account.QuestionsEarly, Facts{}, far, OK, 0, true},
		{"not named", account.QuestionsAnswer, Facts{}, near, OK, 0, false},
		{"a machine's, refused", account.QuestionsRefuse, Facts{}, far, QuestionRefused, 0, false},
		{"a machine's, refused although trusted", account.QuestionsRefuse, Facts{Trusted: true}, far, QuestionRefused, 0, false},
		{"a machine's, let go", account.QuestionsPass, Facts{Mute: true}, sent, OK, 0, false},
		{"confirmed before", account.QuestionsAnswer, Facts{Trusted: true, Mute: true}, far, OK, 0, false},
		{"sent on", account.QuestionsAnswer, Facts{}, sent, QuestionUnasked, UnaskedSentOn, false},
		{"no voice", account.QuestionsAnswer, Facts{Mute: true}, far, QuestionUnasked, UnaskedMute, false},
		{"too dear", account.QuestionsAnswer, Facts{}, dear, OverInternational, 0, false},
		{"locked", account.QuestionsAnswer, Facts{Locked: true}, far, LineLocked, 0, false},
	} {
		e := effective(asks, set(account.Questions, c.set))
		v := Decide(e, c.facts, c.call, now)
		if v.Reason != c.why || (v.Ask != nil) != c.asking || c.why == QuestionUnasked && v.Figures.Value != c.value {
			t.Errorf("%s: %v %+v, asks %v", c.name, v.Reason, v.Figures, v.Ask)
		}
		if x, _ := Explain(e, c.facts, c.call, now); x.Reason != v.Reason {
			t.Errorf("%s: explained as %v", c.name, x.Reason)
		}
	}
	help := call(phone.Emergency, true, nil)
	if v := Decide(effective(asks, set(account.Questions, account.QuestionsRefuse)), Facts{Mute: true}, help, now); !v.Always || v.Ask != nil {
		t.Errorf("an emergency call: %+v", v)
	}
}
