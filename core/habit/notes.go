package habit

// Len is how many things are noted.
func (n *Notes) Len() int { return len(n.new) }

// Append writes what was noted from the given number on after b.
func (n *Notes) Append(b []byte, from int) []byte {
	e := encoder{b: append(b, version)}
	e.num(uint64(len(n.new) - from))
	for _, x := range n.new[from:] {
		e.num(uint64(x.of))
		e.num(x.key)
		e.num(uint64(x.who))
		e.num(uint64(x.day))
	}
	return e.b
}

// Read notes what Append wrote. ErrMemory.
func (n *Notes) Read(b []byte) error {
	if !versioned(b) {
		return ErrMemory
	}
	d := decoder{b: b[1:]}
	for range d.num() {
		x := note{of: subject(d.bounded(uint64(numSubjects - 1))), key: d.num(), who: uint32(d.bounded(1<<32 - 1)), day: uint16(d.bounded(1<<16 - 1))}
		if d.bad {
			return ErrMemory
		}
		n.add(x)
	}
	return nil
}
