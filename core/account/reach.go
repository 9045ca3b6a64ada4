package account

import "time"

// Reach is how a line is reached beside its number, and which lines ring with it. The zero Reach is nothing more.
type Reach struct {
	Short   string    `json:"short,omitempty"`   // the two to four digits by which the lines of its customer call it
	Numbers []Numbers `json:"numbers,omitempty"` // further numbers
	Members []string  `json:"members,omitempty"` // identities of the lines that ring with it, which makes it a group
	InTurn  bool      `json:"in_turn,omitempty"` // they ring one after the other, in their order; else all together
	Each    int64     `json:"each_s,omitempty"`  // how long each rings then, in seconds; 0 is RingFor
}

// Numbers are E.164 numbers from the first to the last.
type Numbers struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// Bounds of what a Reach has.
const (
	MaxMembers = 16   // so many lines ring at most for one call, beside that of the group
	MaxNumbers = 1000 // of a line
)

// IsZero says that there is nothing.
func (r *Reach) IsZero() bool {
	return r.Short == "" && len(r.Numbers) == 0 && len(r.Members) == 0 && !r.InTurn && r.Each == 0
}

// Has says whether a number is one of the further numbers.
func (r *Reach) Has(digits uint64) bool {
	for _, n := range r.Numbers {
		if n.First <= digits && digits <= n.Last {
			return true
		}
	}
	return false
}

// Rings is how long each line of a group that rings in turn does.
func (r *Reach) Rings() time.Duration {
	if r.Each == 0 {
		return RingFor
	}
	return time.Duration(r.Each) * time.Second
}
