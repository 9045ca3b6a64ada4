package engine

import (
	"slices"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/restrict"
)

const mainNumber, verified = 442079460001, 443069990123

// identityRules have line 2001 of acme with a number, line 2002 without one, a second verified number, and a list of numbers that nobody calls from.
func identityRules(t *testing.T, strict bool, abroad string) *Rules {
	t.Helper()
	var listed []restrict.Listed
	for _, text := range []string{"+44800000111", "+442079460666"} {
		n, err := restrict.ParseNumbers(text)
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, restrict.Listed{List: "dno", Range: n, Way: restrict.Presented})
	}
	ended := listed[0]
	ended.Range.Prefix, ended.Until = 442079460777, began.Add(-time.Second)
	ended.Range.Digits = 12
	hot := restrict.HotOf(append(listed, ended))
	settings := account.Resolve(began)
	return &Rules{
		Plan: phone.UK(), Hot: func() *restrict.Hot { return hot },
		Owner: func(digits uint64) (string, bool) { return "2001~a", digits == mainNumber },
		Line: func(id string, _ time.Time) (Line, bool) {
			l := Line{Account: "acme", Settings: &settings}
			switch id {
			case "2001~a", "441234567890~a":
				l.Digits = mainNumber
			case "2003~a":
				l.Digits = 442079460666
			}
			return l, true
		},
		Shows:  func(customer string, digits uint64) bool { return customer == "acme" && digits == verified },
		Strict: func() bool { return strict },
		Abroad: func(string) string { return abroad },
	}
}

// TestWhatALinePresents: only numbers that are the customer's own, whatever a phone claims and however it writes that.
func TestWhatALinePresents(t *testing.T) {
	for name, c := range map[string]struct {
		a                Attempt
		strict           bool
		present, network uint64
		refused          policy.Reason
	}{
		"nothing claimed":                 {a: Attempt{Line: "2001~a", Caller: "2001"}, present: mainNumber, network: mainNumber},
		"its own, nationally":             {a: Attempt{Line: "2001~a", Caller: "02079460001"}, strict: true, present: mainNumber, network: mainNumber},
		"a verified one":                  {a: Attempt{Line: "2001~a", Caller: "+443069990123"}, strict: true, present: verified, network: mainNumber},
		"a verified one, bare":            {a: Attempt{Line: "2001~a", Caller: "443069990123"}, present: verified, network: mainNumber},
		"a verified one, without its own": {a: Attempt{Line: "2002~a", Caller: "03069990123"}, present: verified, network: verified},
		"a bank's":                        {a: Attempt{Line: "2001~a", Caller: "+443457404404"}, present: mainNumber, network: mainNumber},
		"a bank's, refused":               {a: Attempt{Line: "2001~a", Caller: "00443457404404"}, strict: true, present: mainNumber, network: mainNumber, refused: policy.NumberNotVerified},
		"a login that looks like one":     {a: Attempt{Line: "441234567890~a", Caller: "441234567890"}, strict: true, present: mainNumber, network: mainNumber},
		"anonymous":                       {a: Attempt{Line: "2001~a", Caller: "anonymous"}, strict: true, present: mainNumber, network: mainNumber},
		"one that nobody calls from":      {a: Attempt{Line: "2001~a", Caller: "0800000111"}, present: mainNumber, network: mainNumber, refused: policy.PresentedListed},
		"its own is listed":               {a: Attempt{Line: "2003~a", Caller: "2003"}, present: 442079460666, network: 442079460666, refused: policy.PresentedListed},
		"listed until yesterday":          {a: Attempt{Line: "2001~a", Caller: "+442079460777"}, present: mainNumber, network: mainNumber},
		"a forward presents the caller": {
			a:       Attempt{Line: "2001~a", Caller: "+443457404404", Sent: Sent{Cause: call.ForwardBusy, Parent: "c"}},
			present: 443457404404, network: mainNumber,
		},
		"a forward without a call before it": {
			a: Attempt{Line: "2001~a", Caller: "+443457404404", Sent: Sent{Cause: call.ForwardBusy}}, strict: true,
			present: mainNumber, network: mainNumber, refused: policy.NumberNotVerified,
		},
		"a transfer is made by a person": {
			a:       Attempt{Line: "2001~a", Caller: "+443457404404", Sent: Sent{Cause: call.Transferred, Parent: "c"}},
			present: mainNumber, network: mainNumber,
		},
		"a forward of a withheld caller": {
			a:       Attempt{Line: "2001~a", Caller: "+443457404404", Withheld: true, Sent: Sent{Cause: call.ForwardBusy, Parent: "c"}},
			present: mainNumber, network: mainNumber,
		},
		"a forward of a listed caller": {
			a:       Attempt{Line: "2001~a", Caller: "+44800000111", Sent: Sent{Cause: call.ForwardAlways, Parent: "c"}},
			present: 44800000111, network: mainNumber, refused: policy.PresentedListed,
		},
		"a forward by a line without a number": {
			a: Attempt{Line: "2002~a", Caller: "+443457404404", Sent: Sent{Cause: call.Redirected, Parent: "c"}}, present: 443457404404,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s Subject
			c.a.Dialled = "02079460999"
			identityRules(t, c.strict, "").Understand(&s, &c.a, began)
			if s.Present != c.present || s.Network != c.network {
				t.Errorf("presents %d, tells the carrier %d; want %d and %d", s.Present, s.Network, c.present, c.network)
			}
			got := policy.OK
			if r := s.Judge(false); r != nil && slices.Contains([]policy.Reason{policy.NumberNotVerified, policy.PresentedListed}, r.Reason) {
				got = r.Reason
			}
			if got != c.refused {
				t.Errorf("refused for %s, want %s", got.Code(), c.refused.Code())
			}
			s.Spell([]byte("id"))
			if c.network == c.present && s.presented() != "" || c.network != c.present && s.presented() == "" {
				t.Errorf("the journal has %q", s.presented())
			}
		})
	}
}

// TestEmergencyCallsCarryTheLinesNumber: never one that was verified, listed or claimed, and nothing refuses them.
func TestEmergencyCallsCarryTheLinesNumber(t *testing.T) {
	for _, caller := range []string{"+443069990123", "+443457404404", "0800000111", "anonymous"} {
		var s Subject
		identityRules(t, true, "").Understand(&s, &Attempt{Line: "2001~a", Caller: caller, Dialled: "999"}, began)
		if r := s.Judge(false); r != nil || s.Present != mainNumber || s.Network != mainNumber {
			t.Errorf("%s: presents %d, %v", caller, s.Present, r)
		}
	}
}

// TestNumbersFromAbroad: Ofcom's rules of 2025 for home numbers on calls from abroad, of what the network gives and of what would be shown.
func TestNumbersFromAbroad(t *testing.T) {
	for _, c := range []struct {
		abroad, caller, shown string
		refused               policy.Reason
		hide                  bool
	}{
		{account.AbroadCalls, "+33123456789", "", policy.OK, false},
		{account.AbroadCalls, "+14105551234", "", policy.OK, false},
		{account.AbroadCalls, "14105551234", "", policy.OK, false},
		{account.AbroadCalls, "anonymous", "", policy.OK, false},
		{account.AbroadCalls, "+442079460999", "", policy.SpoofedHome, false},
		{account.AbroadCalls, "442079460999", "", policy.SpoofedHome, false},
		{account.AbroadCalls, "00442079460999", "", policy.SpoofedHome, false},
		{account.AbroadCalls, "02079460999", "", policy.SpoofedHome, false},
		{account.AbroadCalls, "+4470123456789", "", policy.SpoofedHome, false}, // no number at all
		{account.AbroadCalls, "+447012345678", "", policy.SpoofedHome, false},  // 070 is no mobile's
		{account.AbroadCalls, "+33123456789", "+442079460999", policy.SpoofedHome, false},
		{account.AbroadCalls, "+442079460999", "+33123456789", policy.SpoofedHome, false},
		{account.AbroadCalls, "+447700900123", "", policy.OK, true},
		{account.AbroadCalls, "+33123456789", "07700900123", policy.OK, true},
		{account.AbroadCalls, "447700900123", "", policy.OK, true},
		{account.AbroadCalls, "+447797712345", "", policy.OK, true},           // Jersey
		{account.AbroadCalls, "+441534812345", "", policy.SpoofedHome, false}, // and a landline there
		{account.AbroadCalls, "+4407700900123", "", policy.OK, true},          // with the zero of its national form
		{account.AbroadCalls, "+443001234567", "", policy.SpoofedHome, false},
		{account.CheckedCalls, "+447700900123", "", policy.OK, false},
		{account.CheckedCalls, "+442079460999", "", policy.SpoofedHome, false},
		{account.HomeCalls, "+442079460999", "", policy.OK, false},
		{account.HomeCalls, "+44800000111", "", policy.CallerListed, false},
		{account.HomeCalls, "+442079460998", "0800000111", policy.CallerListed, false},
		{account.AbroadCalls, "+44800000111", "", policy.CallerListed, false},
	} {
		var s Subject
		identityRules(t, false, c.abroad).Understand(&s, &Attempt{Trunk: "one~a", Dialled: "02079460001", Caller: c.caller, Shown: c.shown}, began)
		got := policy.OK
		if r := s.Judge(false); r != nil {
			got = r.Reason
		}
		if got != c.refused || s.Hide != c.hide && c.refused == policy.OK {
			t.Errorf("from abroad %s, %s (%s): %s, hidden %v; want %s, %v", c.abroad, c.caller, c.shown, got.Code(), s.Hide, c.refused.Code(), c.hide)
		}
	}
}
