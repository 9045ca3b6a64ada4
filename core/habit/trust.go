package habit

import "fmt"

// Trust is how far each rule is still trusted, by what people answered to its findings. A rule whose findings were too often honest calls goes back from
// live to canary, and from there to shadow. The zero Trust trusts every rule as far as its life says.
type Trust struct {
	rules [NumMeters]trusted
}

// trusted is what became of the last findings of a rule.
type trusted struct {
	rule   uint32               // a hash of the rule that it is about: one that was changed is trusted again
	keys   [lastFindings]uint32 // hashes of the keys of its last findings that closed something, the newest first; 0 is none
	honest [lastFindings]bool   // "that was me"
	fallen uint8                // steps that the rule has gone back
}

// A rule goes back when so many of its last findings were honest calls.
const (
	lastFindings = 10
	tooMany      = 3
)

// Found notes that a rule has closed something.
func (t *Trust) Found(kind MeterKind, key string) {
	x := &t.rules[kind]
	copy(x.keys[1:], x.keys[:])
	copy(x.honest[1:], x.honest[:])
	x.keys[0], x.honest[0] = Hash(key), false
}

// Vouched notes that the calls of one of the last findings were honest, and says whether its rule goes back for that.
func (t *Trust) Vouched(key string) (kind MeterKind, back bool) {
	hash := Hash(key)
	for kind := range NumMeters {
		x := &t.rules[kind]
		honest, here := 0, false
		for i := range x.keys {
			if x.keys[i] == hash && hash != 0 {
				x.honest[i], here = true, true
			}
			honest += int(b2u(x.honest[i]))
		}
		if here && honest >= tooMany && x.fallen < uint8(Live-Shadow) {
			*x = trusted{rule: x.rule, fallen: x.fallen + 1}
			return kind, true
		}
	}
	return 0, false
}

// Life is what is left of a rule's life.
func (t *Trust) Life(kind MeterKind, life Life) Life {
	if life <= Shadow {
		return life
	}
	return max(life-Life(t.rules[kind].fallen), Shadow)
}

// Apply gives the rules as far as they are trusted. One that its operator has changed since is trusted again.
func (t *Trust) Apply(r *Rules) *Rules {
	less := *r
	for kind := range NumMeters {
		m := &less.Meters[kind]
		if rule := Hash(fmt.Sprint(*m)); t.rules[kind].rule != rule {
			t.rules[kind] = trusted{rule: rule}
		}
		m.Life = t.Life(kind, m.Life)
	}
	return &less
}

// Append writes the trust after b.
func (t *Trust) Append(b []byte) []byte {
	e := encoder{b: append(b, version)}
	e.trust(t)
	return e.b
}

// ReadTrust is what Append wrote. ErrMemory.
func ReadTrust(b []byte) (*Trust, error) {
	if !versioned(b) {
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
		v.u32(&x.rule)
		for i := range x.keys {
			v.u32(&x.keys[i])
			v.flag(&x.honest[i])
		}
		v.u8(&x.fallen)
		x.fallen = min(x.fallen, uint8(Live-Shadow))
	}
}
