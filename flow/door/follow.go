package door

import (
	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/state/store"
)

// Followed obeys a fact of the book that is in force by now, of whatever node. Read again, the book has told the gate of a lock already, but not of
// one that came when the line was locked so before, and not whose it is.
func (d *Door) Followed(f *store.Fact) {
	switch f.Kind {
	case fact.KindPasswordChanged:
		d.o.Phones.DropBefore(f.Line, f.At)
	case fact.KindLineLocked:
		var body fact.LineLocked
		var after fact.Lock
		cuts := body.Decode(f.Body) == nil && fact.Part(body.After, &after) == nil && (after.Cut || after.LockCalls == account.CallsCut.String())
		switch l, ok := d.o.Book.Line(f.Line); {
		case !cuts || !ok || !l.Locked():
		case body.By == fact.ByAnswer, body.By == fact.ByCode:
			d.CutCalls(f.Line, body.By)
		default:
			d.o.Gate.CutLine(f.Line, policy.CutLocked)
		}
	}
}

// CutCalls ends the calls that a line makes or has taken, but those to emergency numbers, because its owner's answer or the panic code says so. It says how
// many were not ending already.
func (d *Door) CutCalls(line, by string) (n int) {
	for _, c := range d.o.Gate.Calls() {
		if c.Class == phone.Emergency.String() || c.Line != line && c.Peer != line || d.o.Gate.Cutting(c.ID) {
			continue
		}
		if d.o.Gate.Cut(c.ID, policy.CutLocked, policy.Figures{}, by) {
			n++
		}
	}
	return n
}
