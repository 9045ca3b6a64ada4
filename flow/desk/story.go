package desk

import (
	"cmp"
	"encoding/json"

	"ringfence/core/fact"
)

// told are the kinds of fact that a story tells; what every call writes would drown them.
var told = map[string]bool{
	fact.KindCallRefused: true, fact.KindCallCut: true, fact.KindCallsUnusual: true, fact.KindCallsVouched: true, fact.KindLineLocked: true, fact.KindLineUnlocked: true,
	fact.KindPasswordChanged: true, fact.KindLineChanged: true, fact.KindSettingChanged: true, fact.KindLoginLocked: true, fact.KindLoginOld: true, fact.KindLoginSiege: true,
	fact.KindLoginMovedNonce: true, fact.KindLoginHoneypot: true, fact.KindLoginHeld: true, fact.KindLoginAdmitted: true, fact.KindLoginProbation: true, fact.KindLoginReleased: true,
	fact.KindDeviceNew: true, fact.KindDeviceMoved: true, fact.KindDeviceVerdict: true, fact.KindBanAdded: true, fact.KindFindingRaised: true, fact.KindFindingNoted: true,
	fact.KindFindingClosed: true, fact.KindLinkDone: true, fact.KindCallSettled: true,
}

// heard are the parts of facts that a story tells; each kind has some of them.
type heard struct {
	By      string `json:"by"`
	Text    string `json:"text"`
	Number  string `json:"number"`
	Source  string `json:"source"`
	Address string `json:"address"`
	Net     string `json:"net"`
	Agent   string `json:"agent"`
	Why     string `json:"why"`
	Country string `json:"country"`
	Reason  string `json:"reason"`
	To      string `json:"destination"`
	Retail  int64  `json:"retail_micro"`
}

func eventOf(f *Fact) Event {
	var h heard
	_ = json.Unmarshal(f.Body, &h) // what cannot be read says nothing
	e := Event{At: f.At, Kind: f.Kind, By: h.By, Number: h.Number, Agent: h.Agent, Country: h.Country, Reason: h.Reason, To: h.To}
	e.Addr, e.Text = cmp.Or(h.Source, h.Address, h.Net), cmp.Or(h.Text, h.Why)
	return e
}

// foldIn adds an event to a story. A refusal, or a call that ended, counts with the one before it where both are for the
// same reason and to the same destination.
func foldIn(story []Event, e Event) []Event {
	if n := len(story) - 1; n >= 0 && (e.Kind == fact.KindCallRefused || e.Kind == fact.KindCallSettled) {
		if last := &story[n]; last.Kind == e.Kind && last.Reason == e.Reason && last.To == e.To && last.Country == e.Country {
			last.More, last.Until = last.More+1, e.At
			return story
		}
	}
	return append(story, e)
}
