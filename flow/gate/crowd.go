package gate

import (
	"net/netip"

	"ringfence/core/fact"
)

// CrowdKind says which bound on calls at once a Crowd is about.
type CrowdKind uint8

// Kinds of crowds.
const (
	Emergencies  CrowdKind = iota // a line or an address places unusually many, or their capacity is short
	InboundTrunk                  // as many calls came in over a trunk as may
	InboundLine                   // as many calls ring a line as may
)

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

// Crowded writes down an unusual number of calls, the same bound of a trunk or line once a minute.
func (g *Gate) Crowded(what CrowdKind, c Crowd) {
	if !g.limits.crowd(what, &c, clock()) {
		return
	}
	of := fact.Subject{Line: c.Line}
	if l, ok := g.o.Book.Line(c.Line); ok && c.Line != "" {
		of.Account = l.Customer()
	}
	b := fact.CallEmergencies{
		All: int64(c.All), Most: int64(c.Most), Node: g.o.Node, Open: int64(c.Open), Refused: c.Refused, Source: fact.FromAddr(c.Source), Trunk: c.Trunk,
	}
	var f fact.Body = &b
	switch what {
	case InboundTrunk:
		f = (*fact.CallInboundFull)(&b)
	case InboundLine:
		f = (*fact.CallRingingFull)(&b)
	}
	g.o.Ledger.Record(f.Row(clock().UTC(), of))
}
