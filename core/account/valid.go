package account

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"ringfence/core/money"
)

// ErrID says that a text cannot be the name of what it was given for.
var ErrID = errors.New("not a valid name")

// Characters of names.
const (
	small    = "abcdefghijklmnopqrstuvwxyz"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits   = "0123456789"
)

// StaffName is what the journal calls the provider's own people by, before a "/" and their name, as it does a customer's by the customer's: no customer has it.
const StaffName = "staff"

// CheckCustomerID accepts 1 to 40 of a-z, 0-9 and '-', not beginning or ending with '-'.
func CheckCustomerID(id string) error { return checkSlug("customer", id) }

// CheckContactID accepts the same as CheckCustomerID.
func CheckContactID(id string) error { return checkSlug("contact", id) }

// CheckTrunkName accepts the same as CheckCustomerID.
func CheckTrunkName(name string) error { return checkSlug("trunk", name) }

// CheckLineID accepts 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', beginning with a letter or digit.
func CheckLineID(id string) error {
	if len(id) < 1 || len(id) > 64 || strings.Trim(id[:1], small+capitals+digits) != "" || strings.Trim(id, small+capitals+digits+"._-") != "" {
		return fmt.Errorf("%w: line %.70q: want 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first", ErrID, id)
	}
	return nil
}

// CheckNumber accepts "" (none) and E.164 digits without '+': 7 to 15, not beginning with 0.
func CheckNumber(number string) error {
	if number == "" {
		return nil
	}
	if len(number) < 7 || len(number) > 15 || number[0] == '0' || strings.Trim(number, digits) != "" {
		return fmt.Errorf("%w: number %.30q: want 7 to 15 digits with the country code first and no '+'", ErrID, number)
	}
	return nil
}

// Validate checks what one link says, before it is stored. Whether it loosens what stands above is the caller's to ask
// (Field.Loosens); Resolve ignores it in any case. All faults are reported together.
func (s *Settings) Validate(level Level) error {
	var faults []error
	for f := range NumFields {
		if err := s.Values[f].validate(f, level); err != nil {
			faults = append(faults, err)
		}
	}
	if len(s.Nets) > MaxNets {
		faults = append(faults, fmt.Errorf("%w: %d entries; %d are allowed", ErrNets, len(s.Nets), MaxNets))
	}
	for _, p := range s.Nets {
		if plain, err := plainNet(p); err != nil || plain != p || !p.IsValid() {
			faults = append(faults, fmt.Errorf("%w: %s is not in plain form", ErrNets, p))
		}
	}
	return errors.Join(append(faults, s.validRestrictions())...)
}

// MaxRestrictions is how many a line, or a customer, may have.
const MaxRestrictions = 100

// OwnRestrictions is how many of them people may add. The rest is kept for what findings close: a thief with the login of the pages could fill all of
// them, and then nothing that protects would fit.
const OwnRestrictions = 80

// RoomForOwn says that people may add a restriction.
func (s *Settings) RoomForOwn(now time.Time) bool {
	own := 0
	for i := range s.Restrictions {
		if r := &s.Restrictions[i]; r.Finding == "" && !r.Ended(now) {
			own++
		}
	}
	return own < OwnRestrictions
}

func (s *Settings) validRestrictions() error {
	if n := len(s.Restrictions); n > MaxRestrictions {
		return fmt.Errorf("%w: %d restrictions; %d are allowed", ErrValue, n, MaxRestrictions)
	}
	seen := map[int64]bool{}
	for i := range s.Restrictions {
		r := &s.Restrictions[i]
		if r.ID <= 0 || seen[r.ID] {
			return fmt.Errorf("%w: restriction %d has no id of its own", ErrValue, r.ID)
		}
		seen[r.ID] = true
		if err := r.Check(); err != nil {
			return fmt.Errorf("restriction %d: %w", r.ID, err)
		}
	}
	return nil
}

func (v Value) validate(f Field, level Level) error {
	switch {
	case v == Value{}:
		return nil
	case !v.Set:
		return fmt.Errorf("%w: %s has parts but no value", ErrValue, f)
	case level == LevelLine && f.OfAccount():
		return fmt.Errorf("%w: %s is the customer's, a line cannot set it", ErrValue, f)
	case v.Granted && level <= LevelProvider:
		return fmt.Errorf("%w: %s is the provider's own; grants are for customers and lines", ErrValue, f)
	case !v.Granted && (!v.Until.IsZero() || v.Kept):
		return fmt.Errorf("%w: %s ends by itself but was not granted", ErrValue, f)
	}
	if v.Kept {
		if err := checkRange(money.Billing(), f, v.KeptN); err != nil {
			return err
		}
	}
	return checkRange(money.Billing(), f, v.N)
}

func checkSlug(field, id string) error {
	if len(id) < 1 || len(id) > 40 || strings.Trim(id, "-") != id || strings.Trim(id, small+digits+"-") != "" {
		return fmt.Errorf("%w: %s %.50q: want 1 to 40 of a-z, 0-9 and '-', with '-' inside only", ErrID, field, id)
	}
	return nil
}

func isAlnum(c byte) bool { return strings.IndexByte(small+capitals+digits, c) >= 0 }
