package cooling

import (
	"strings"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/core/restrict"
)

// auto is who the journal names where nobody in particular acted.
const auto = "auto"

// MayUnlock says that somebody may open what by has locked: a customer's people what they locked themselves, what an answer to a notice or the panic code locked, and
// what was locked without a person. A lock of the provider's, for an unpaid bill say, is the provider's to open.
func MayUnlock(who *person.Who, by string) bool {
	return who.Customer == "" || ours(who, by) || by == fact.ByAnswer || by == fact.ByCode || by == auto
}

// MayLift says that somebody may lift a restriction: a customer's people what a finding closed, and what they set themselves.
func MayLift(who *person.Who, r *restrict.Restriction) bool {
	return who.Customer == "" || r.Finding != "" || ours(who, r.By)
}

// ours says that an actor of the journal is one of the people of the same customer.
func ours(who *person.Who, actor string) bool {
	return strings.HasPrefix(actor, account.Handle(who.Customer)+"/")
}
