package gate

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// asksDigits has line 2001 confirm calls to mobiles with three digits.
func asksDigits(t *testing.T, b *book.Book) {
	t.Helper()
	names, err := restrict.ParseSet("mobile")
	must(t, err)
	_, err = b.EditLine(t.Context(), "test", "2001", book.LineEdit{Restrict: &restrict.Restriction{Names: names, Ask: restrict.AskDigits, By: "test"}})
	must(t, err)
}

func speaks(o *Options) { o.Voice = func() bool { return true } }

// TestACallThatMustBeConfirmed: nothing is charged before the answer; who confirms is not asked again for a while, and who fails too often is asked no more.
func TestACallThatMustBeConfirmed(t *testing.T) {
	b := newBook(t)
	asksDigits(t, b)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		h := open(t, b, m, speaks)
		defer h.close()
		p, why := h.admit("2001", "07700 900123")
		if why != policy.OK || p.Ask == nil || p.Ask.Ask != restrict.AskDigits || p.Ask.Rate != 6*money.PencePerMinute || p.Ask.Left != 50*money.Pound {
			t.Fatalf("%v %+v", why, p)
		}
		time.Sleep(40 * time.Second)
		h.gate.Notify(p.ID, Questioned{Pressed: Left})
		h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
		if r := h.record(p.ID); r.Retail != 0 || r.Talk != 0 {
			t.Errorf("a caller who was asked pays: %+v", r)
		}
		h.square(0)

		p, _ = h.admit("2001", "07700 900123")
		if p.Ask == nil {
			t.Fatal("who hung up at the question is not asked again")
		}
		h.gate.Notify(p.ID, Questioned{Pressed: Passed})
		h.gate.Notify(p.ID, Questioned{Pressed: Wrong, Wrong: 3}) // the first counts
		h.answer(p)
		time.Sleep(60 * time.Second)
		h.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()}, Leg{Answered: time.Now().Add(-time.Minute), Joined: true, Talk: time.Minute})
		if r := h.record(p.ID); r.Retail != 60_000 {
			t.Errorf("a minute after the answer costs %v", r.Retail)
		}
		if p, _ = h.admit("2001", "07700 900123"); p.Ask != nil {
			t.Error("the number that was confirmed is asked for again")
		}
		h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
		if p, _ = h.admit("2001", "07700 900124"); p.Ask == nil || p.Ask.Left != 50*money.Pound-60_000 {
			t.Errorf("another number: %+v", p.Ask)
		}
		h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
		time.Sleep(trustFor)
		if p, _ = h.admit("2001", "07700 900123"); p.Ask == nil {
			t.Error("the confirmation is good for ever")
		}
		h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
	})
}

func TestTooManyFailedQuestions(t *testing.T) {
	b := newBook(t)
	asksDigits(t, b)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		h := open(t, b, m, speaks)
		defer h.close()
		for i := range mostFailures {
			p, why := h.admit("2001", "07700 900123")
			if why != policy.OK {
				t.Fatal(why)
			}
			if i == 1 { // who tries digits and hangs up before the last wrong answer has failed too
				h.gate.Notify(p.ID, Questioned{Pressed: Left, Wrong: 2})
			} else {
				h.gate.Notify(p.ID, Questioned{Pressed: Wrong, Wrong: 3})
			}
			h.end(p.ID, End{By: call.System, Reason: policy.QuestionFailed, Status: 403, At: time.Now()})
			time.Sleep(time.Minute)
		}
		if _, why := h.admit("2001", "07700 900123"); why != policy.QuestionsSpent {
			t.Errorf("after %d failures: %v", mostFailures, why)
		}
		for line, to := range map[string]string{"2001": "020 7946 0000", "2002": "07700 900123"} {
			if _, why := h.admit(line, to); why != policy.OK {
				t.Errorf("%s to %s: %v", line, to, why)
			}
		}
		if _, why := h.admit("2001", "999"); why != policy.OK {
			t.Errorf("999: %v", why)
		}
		time.Sleep(failureSpan)
		if p, why := h.admit("2001", "07700 900123"); why != policy.OK || p.Ask == nil {
			t.Errorf("an hour later: %v", why)
		}
		facts, err := m.Facts(t.Context(), store.FactFilter{Kind: "call.questioned", Limit: 10})
		must(t, err)
		if len(facts) != mostFailures || !strings.Contains(string(facts[mostFailures-1].Body), `"no_more":true`) || !strings.Contains(string(facts[0].Body), `"pressed":"wrong","wrong":3,"failures":1`) {
			t.Errorf("the journal says %+v", facts)
		}
	})
}

// TestQuestionsAtOnce: a line is asked in two calls at once, and a place is free again when a call ends, whatever the edge has said of its question.
func TestQuestionsAtOnce(t *testing.T) {
	b := newBook(t)
	asksDigits(t, b)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New(), speaks)
		defer h.close()
		var up []call.ID
		for range mostOpen {
			p, why := h.admit("2001", "07700 900123")
			if why != policy.OK {
				t.Fatal(why)
			}
			up = append(up, p.ID)
		}
		if r := h.refusal("2001", "07700 900124"); r == nil || r.Reason != policy.QuestionUnasked || r.Figures.Value != policy.UnaskedBusy {
			t.Errorf("one more: %+v", r)
		}
		if _, why := h.admit("2001", "020 7946 0000"); why != policy.OK {
			t.Errorf("a call that needs no question: %v", why)
		}
		h.gate.Notify(up[0], Questioned{Pressed: Passed})
		h.end(up[0], End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
		h.end(up[1], End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
		for range mostOpen {
			if _, why := h.admit("2001", "07700 900124"); why != policy.OK {
				t.Errorf("after they ended: %v", why)
			}
		}
		if len(h.gate.trust.open) != 1 || len(h.gate.trust.open["2001"]) != mostOpen {
			t.Errorf("open: %v", h.gate.trust.open)
		}
	})
}

// TestAKeyIsNotGoodForDigits: who has pressed a key is asked again once spoken digits are wanted, and not the other way round.
func TestAKeyIsNotGoodForDigits(t *testing.T) {
	for _, c := range []struct {
		first, then restrict.Ask
		again       bool
	}{{restrict.AskKey, restrict.AskDigits, true}, {restrict.AskDigits, restrict.AskKey, false}} {
		b := newBook(t)
		wants := func(ask restrict.Ask) {
			names, err := restrict.ParseSet("mobile")
			must(t, err)
			l, _ := b.Line("2001")
			lift := int64(0)
			if set := l.Settings().Restrictions; len(set) > 0 {
				lift = set[0].ID
			}
			_, err = b.EditLine(t.Context(), "test", "2001", book.LineEdit{Lift: lift, Restrict: &restrict.Restriction{Names: names, Ask: ask, By: "test"}})
			must(t, err)
		}
		wants(c.first)
		synctest.Test(t, func(t *testing.T) {
			h := open(t, b, memory.New(), speaks)
			defer h.close()
			p, _ := h.admit("2001", "07700 900123")
			h.gate.Notify(p.ID, Questioned{Pressed: Passed})
			h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
			wants(c.then)
			if p, why := h.admit("2001", "07700 900123"); why != policy.OK || (p.Ask != nil) != c.again {
				t.Errorf("%s, then %s: %v %+v", c.first, c.then, why, p)
			}
		})
	}
}

// TestWithoutAVoice nobody is asked, and the call is refused.
func TestWithoutAVoice(t *testing.T) {
	b := newBook(t)
	asksDigits(t, b)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		if _, why := h.admit("2001", "07700 900123"); why != policy.QuestionUnasked {
			t.Errorf("no voice: %v", why)
		}
		pass := int64(account.QuestionsPass)
		_, err := b.EditLine(t.Context(), "test", "2001", book.LineEdit{Set: []book.Setting{{Field: account.Questions, N: pass, Grant: true}}})
		must(t, err)
		if p, why := h.admit("2001", "07700 900123"); why != policy.OK || p.Ask != nil {
			t.Errorf("a machine whose calls go on: %v", why)
		}
	})
}
