package gate

import (
	"encoding/json"
	"net/netip"
	"time"

	"ringfence/state/store"
)

// CrowdKind says which bound on calls at once a Crowd is about.
type CrowdKind uint8

// Kinds of crowds. The comment gives the kind of the fact.
const (
	Emergencies  CrowdKind = iota // call.emergencies: a line or an address places unusually many, or their capacity is short
	InboundTrunk                  // call.inbound-full: as many calls came in over a trunk as may
	InboundLine                   // call.ringing-full: as many calls ring a line as may
)

var crowdFacts = [...]string{Emergencies: "call.emergencies", InboundTrunk: "call.inbound-full", InboundLine: "call.ringing-full"}

// Crowd is an unusual number of calls at once, as an edge saw it.
type Crowd struct {
	Line    string // who calls, or who is called; "" is nobody that is known
	Trunk   string // inbound: over which
	Source  netip.Addr
	Open    int  // of this line, address or trunk
	All     int  // of this sort on the node
	Most    int  // how many there may be
	Refused bool // the latest was refused
}

// Crowded writes down an unusual number of calls. The edge bounds how often it tells.
func (g *Gate) Crowded(what CrowdKind, c Crowd) {
	f := store.Fact{At: time.Now().UTC(), Kind: crowdFacts[what], Line: c.Line}
	if l, ok := g.o.Book.Line(c.Line); ok && c.Line != "" {
		f.Account = l.Customer()
	}
	f.Body, _ = json.Marshal(map[string]any{ // plain texts and numbers
		"node": g.o.Node, "trunk": c.Trunk, "source": c.Source.String(), "open": c.Open, "all": c.All, "most": c.Most, "refused": c.Refused,
	})
	g.o.Ledger.Record(f)
}
