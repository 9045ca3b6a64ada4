package habit

// Trust is how far each rule is still trusted, by what people answered to its findings. A rule whose findings were too often honest calls goes back from
// live to canary, and from there to shadow. The zero Trust trusts every rule as far as its life says.
type Trust struct {
	rules [NumMeters]trusted
}

// trusted is what became of the last findings of a rule.
type trusted struct {
	answered [lastFindings]bool // "that was me"; the newest first
	found    uint8              // how many of them there are
	fallen   uint8              // steps that the rule has gone back
}

// A rule goes back when so many of its last findings were honest calls.
const (
	lastFindings = 10
	tooMany      = 3
)

// Found notes that a rule has closed something.
func (t *Trust) Found(kind MeterKind) {
	x := &t.rules[kind]
	copy(x.answered[1:], x.answered[:])
	x.answered[0] = false
	x.found = min(x.found+1, lastFindings)
}

// Vouched notes that the calls of one of the last findings were honest, and says whether the rule goes back for that. A finding may be vouched for once;
// which one does not matter.
func (t *Trust) Vouched(kind MeterKind) (back bool) {
	x := &t.rules[kind]
	honest, marked := 0, false
	for i := range x.answered[:x.found] {
		if !marked && !x.answered[i] {
			x.answered[i], marked = true, true
		}
		honest += int(b2u(x.answered[i]))
	}
	if honest < tooMany || x.fallen >= uint8(Live-Shadow) {
		return false
	}
	*x = trusted{fallen: x.fallen + 1}
	return true
}

// Restore trusts a rule again as far as its life says: its operator has changed it.
func (t *Trust) Restore(kind MeterKind) { t.rules[kind] = trusted{} }

// Life is what is left of a rule's life.
func (t *Trust) Life(kind MeterKind, life Life) Life {
	if life <= Shadow {
		return life
	}
	return max(life-Life(t.rules[kind].fallen), Shadow)
}

// Apply gives the rules as far as they are trusted.
func (t *Trust) Apply(r *Rules) *Rules {
	less := *r
	for kind := range NumMeters {
		less.Meters[kind].Life = t.Life(kind, less.Meters[kind].Life)
	}
	return &less
}

// Append writes the trust after b.
func (t *Trust) Append(b []byte) []byte {
	e := encoder{append(b, version)}
	e.trust(t)
	return e.b
}

// ReadTrust is what Append wrote. ErrMemory.
func ReadTrust(b []byte) (*Trust, error) {
	if len(b) == 0 || b[0] != version {
		return nil, ErrMemory
	}
	t, d := &Trust{}, decoder{b: b[1:]}
	d.trust(t)
	if d.bad || len(d.b) != 0 {
		return nil, ErrMemory
	}
	return t, nil
}

func (e *encoder) trust(t *Trust) { layoutTrust(e, t) }
func (d *decoder) trust(t *Trust) { layoutTrust(d, t) }

func layoutTrust(v visitor, t *Trust) {
	for kind := range t.rules {
		x := &t.rules[kind]
		for i := range x.answered {
			v.flag(&x.answered[i])
		}
		v.u8(&x.found)
		v.u8(&x.fallen)
		x.found, x.fallen = min(x.found, lastFindings), min(x.fallen, uint8(Live-Shadow))
	}
}
