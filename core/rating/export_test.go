package rating

// IndexBytes is the memory of the look-up structure, without the prices themselves.
func (d *Deck) IndexBytes() int {
	return cap(d.nodes)*8 + cap(d.ends)*4 + cap(d.jumps)*8 + cap(d.up)*4 + cap(d.spans)*32 + cap(d.covered)*4
}
