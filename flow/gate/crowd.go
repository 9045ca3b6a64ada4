package gate

import (
	"net/netip"

	"ringfence/core/fact"
)

// Crowd is an unusual number of concurrent calls, as an edge saw it. Without a trunk it is of emergency calls: a line or an address places
// unusually many, or their capacity is short. Without a line, as many calls came in over the trunk as may; with both, as many ring the line.
type Crowd struct {
	Line    string // who calls, or who is called; "" is unknown
	Trunk   string // inbound: over which
	Source  netip.Addr
	Open    int  // of this line, address or trunk
	All     int  // of this sort on the node
	Most    int  // how many there may be
	Refused bool // the latest was refused
}

// crowded writes down an unusual number of calls, the same bound of a trunk or line once a minute.
func (g *Gate) crowded(c Crowd) {
	if !g.limits.crowd(&c, clock()) {
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
	switch {
	case c.Trunk == "":
	case c.Line == "":
		f = (*fact.CallInboundFull)(&b)
	default:
		f = (*fact.CallRingingFull)(&b)
	}
	g.o.Ledger.Record(f.Row(clock().UTC(), of))
}
