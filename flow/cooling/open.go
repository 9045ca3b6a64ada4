package cooling

import (
	"encoding/json"
	"iter"
	"strings"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/core/restrict"
)

// auto is who the journal names where nobody in particular acted.
const auto = "auto"

// MayUnlock says that somebody may open what all of these have locked: a customer's people what they locked themselves, what an answer to a notice or the panic code
// locked, and what was locked without a person. A lock of the provider's, for an unpaid bill say, is the provider's to open, also after others locked it again.
func MayUnlock(who *person.Who, lockers []string) bool {
	if who.Customer == "" {
		return true
	}
	for _, by := range lockers {
		if !ours(who, by) && by != fact.ByAnswer && by != fact.ByCode && by != auto {
			return false
		}
	}
	return len(lockers) > 0
}

// LockFacts is how many facts about locks of a line Lockers is to be given, at most: a lock is seldom made stricter more than twice.
const LockFacts = 100

// Lockers are those who locked a line since it was open, of the bodies of its facts about locks, newest first. None: it is not known.
func Lockers(bodies iter.Seq[json.RawMessage]) (all []string) {
	for body := range bodies {
		var f fact.LineLocked
		var after struct {
			Locked bool `json:"locked"` // in the fact only when it was open before
		}
		if f.Decode(body) != nil || json.Unmarshal(f.After, &after) != nil {
			return nil
		}
		if all = append(all, f.By); after.Locked {
			return all
		}
	}
	return nil
}

// MayLift says that somebody may lift a restriction: a customer's people what a finding closed, and what they set themselves.
func MayLift(who *person.Who, r *restrict.Restriction) bool {
	return who.Customer == "" || r.Finding != "" || ours(who, r.By)
}

// ours says that an actor of the journal is one of the people of the same customer.
func ours(who *person.Who, actor string) bool {
	return strings.HasPrefix(actor, account.Handle(who.Customer)+"/")
}
