package seal

import (
	"encoding/binary"
	"fmt"

	"ringfence/core/fact"
)

// Read is a row of the journal as it was sealed. A row without a proof is ErrProof: it was written before rows were sealed.
func Read(r *fact.Row) (Sealed, error) {
	out := Sealed{At: r.At.UnixMicro(), Kind: r.Kind, Version: r.Version}
	var all []Field
	each(r, func(name, value []byte) {
		f := Field{Name: string(name), Value: string(value)}
		if !plain(value) {
			f.Kind = Committed
		}
		all = append(all, f)
	})
	switch {
	case len(r.Proof) == 1+SaltSize && r.Proof[0] == formSalt:
		salt := Salt(r.Proof[1:])
		out.Salt, out.Fields = &salt, all
		return out, nil
	case len(r.Proof) > 1 && r.Proof[0] == formFields:
		return out, out.readFields(r.Proof[1:], all)
	}
	return out, ErrProof
}

// readFields reads which fields there were, and takes those that are still there from the row.
func (s *Sealed) readFields(b []byte, there []Field) error {
	values := make(map[string]string, len(there))
	for _, f := range there {
		values[f.Name] = f.Value
	}
	for len(b) > 0 {
		f := Field{Kind: FieldKind(b[0])}
		if len(b) < 5 {
			return ErrProof
		}
		n := int(binary.BigEndian.Uint32(b[1:]))
		size := map[FieldKind]int{Plain: 0, Committed: SaltSize, Erased: len(f.Hash)}[f.Kind]
		if b = b[5:]; f.Kind > Erased || n > len(b)-size {
			return ErrProof
		}
		f.Name = string(b[:n])
		rest := b[n : n+size]
		b = b[n+size:]
		switch f.Kind {
		case Committed:
			f.Salt = Salt(rest)
		case Erased:
			f.Hash = Hash(rest)
		}
		if f.Kind != Erased {
			v, is := values[f.Name]
			if !is {
				return fmt.Errorf("%w: %s is not there", ErrProof, f.Name)
			}
			f.Value = v
		}
		s.Fields = append(s.Fields, f)
	}
	return nil
}

// Withhold takes the fields away that hide names, and leaves their commitments. The salts of the others become their own, because the salt of the row
// would let anybody try out what was taken away.
func (s *Sealed) Withhold(hide func(f *Field) bool) {
	var sealer Sealer
	salts := salter{salt: s.Salt}
	for i := range s.Fields {
		f := &s.Fields[i]
		if f.Kind == Committed && s.Salt != nil {
			f.Salt = salts.next()
		}
		if f.Kind == Committed && hide(f) {
			f.Hash = sealer.commit(&f.Salt, []byte(f.Name), []byte(f.Value))
			f.Kind, f.Value, f.Salt = Erased, "", Salt{}
		}
	}
	s.Salt = nil
}

// Erase takes fields of a row of the journal away for good, with their salts: what is left still proves what is left. Only texts, lists and objects can
// be erased.
func Erase(r *fact.Row, hide func(f *Field) bool) error {
	s, err := Read(r)
	if err != nil {
		return err
	}
	s.Withhold(hide)
	proof := []byte{formFields}
	row := *r
	row.Key, row.Line, row.Account, row.Call, row.Body = "", "", "", "", nil
	for i := range s.Fields {
		f := &s.Fields[i]
		proof = counted(append(proof, byte(f.Kind)), []byte(f.Name))
		switch f.Kind {
		case Committed:
			proof = append(proof, f.Salt[:]...)
		case Erased:
			proof = append(proof, f.Hash[:]...)
			continue
		}
		keep(&row, r, f)
	}
	row.Proof = proof
	*r = row
	return nil
}

// keep puts a field that stays back into its place.
func keep(to, from *fact.Row, f *Field) {
	switch f.Name {
	case "@key":
		to.Key = from.Key
	case "@line":
		to.Line = from.Line
	case "@account":
		to.Account = from.Account
	case "@call":
		to.Call = from.Call
	case "@body":
		to.Body = from.Body
	default:
		if len(to.Body) == 0 {
			to.Body = []byte("{}")
		}
		to.Body = to.Body[:len(to.Body)-1]
		if len(to.Body) > 1 {
			to.Body = append(to.Body, ',')
		}
		to.Body = append(to.Body, '"')
		to.Body = append(to.Body, f.Name...)
		to.Body = append(to.Body, '"', ':')
		to.Body = append(append(to.Body, f.Value...), '}')
	}
}
