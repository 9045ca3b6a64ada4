package policy

import (
	"cmp"
	"slices"

	"ringfence/core/money"
)

// Routing says how the trunks for a call are chosen. The zero value goes by priority alone.
type Routing struct {
	ByCost  bool        // the cheapest first, and by priority among equals
	Bounded bool        // a trunk must leave Margin
	Margin  money.Micro // of each minute: what the customer pays, less what the carrier takes
}

// Way is a trunk that may carry a call.
type Way struct {
	Trunk     string
	Priority  int
	Emergency bool // meant for emergency calls
	Full      bool
	Priced    bool        // its carrier's price for the destination is known
	First     money.Micro // what it takes for a minute
	Hour      money.Micro // and for an hour
}

// Chosen is a way with the reason for its place: OK, or why it is passed over.
type Chosen struct {
	Way
	Why Reason // OK, TrunksFull or NoMargin
}

// Sale is what a call is sold for.
type Sale struct {
	First, Hour money.Micro // a minute, and an hour
	Emergency   bool
}

// Order puts ways into the order in which they are tried, those that are passed over at the end. Of two that are equal the first remains first. An emergency
// call tries the trunks meant for it by priority, then every other one: nothing passes over any.
//
// A margin is looked at for a call of a minute and for one of an hour, so that neither a charge for the connection nor the rate alone can hide a loss. A
// trunk whose carrier's price is not known has none.
func (r Routing) Order(ways []Way, s Sale) []Chosen {
	all := make([]Chosen, len(ways))
	for i, w := range ways {
		all[i].Way = w
		switch {
		case s.Emergency:
		case !r.leaves(&w, s):
			all[i].Why = NoMargin
		case w.Full:
			all[i].Why = TrunksFull
		}
	}
	slices.SortStableFunc(all, func(a, b Chosen) int {
		if s.Emergency {
			return cmp.Or(yesFirst(a.Emergency, b.Emergency), cmp.Compare(a.Priority, b.Priority))
		}
		order := yesFirst(a.Why == OK, b.Why == OK)
		if r.ByCost {
			order = cmp.Or(order, yesFirst(a.Priced, b.Priced), cmp.Compare(a.First, b.First), cmp.Compare(a.Hour, b.Hour))
		}
		return cmp.Or(order, cmp.Compare(a.Priority, b.Priority))
	})
	return all
}

// leaves says that a way leaves the margin.
func (r Routing) leaves(w *Way, s Sale) bool {
	if !r.Bounded {
		return true
	}
	return w.Priced && s.First-w.First >= r.Margin && (s.Hour-w.Hour)/60 >= r.Margin
}

func yesFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
