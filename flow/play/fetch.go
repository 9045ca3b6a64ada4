package play

// ahead is for how many calls memory is fetched at once: few enough that it is still in the cache when they are played.
const ahead = 16

// fetch reads what the next calls will need. Of 100,000 lines nearly everything has left the cache since their last call, and calls played one
// after another would wait for it again and again; here the processor waits for many at a time.
func (p *Player) fetch(calls []Call) {
	var lines [ahead]*line
	n := 0
	for i := range calls {
		if slot := calls[i].Slot; slot < len(p.lines) && p.lines[slot] != nil {
			lines[n] = p.lines[slot]
			n++
		}
	}
	sum := 0
	for _, ln := range lines[:n] {
		sum += len(ln.Account) + ln.closedAt + len(ln.world) + int(ln.open)
	}
	for _, ln := range lines[:n] {
		if ln.own != nil {
			sum += ln.own.fetch() + ln.account.fetch()
		}
	}
	p.fetched = sum
}

func (u *purses) fetch() int {
	n := int(u.until.Unix())
	if p := u.now.day; p != nil {
		n += int(p.Spent) + int(u.now.month.Spent)
	}
	return n + u.watched.memory.Fetch()
}
